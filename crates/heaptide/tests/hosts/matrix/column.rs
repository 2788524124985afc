//! The columns of the matrix: an allocator, and what records on top of it.

/// One column.
#[derive(Debug)]
pub(crate) struct Column {
    /// As the table spells it.
    pub(crate) name: &'static str,
    /// The allocator at the bottom.
    pub(crate) inner: &'static str,
    pub(crate) records: Records,
    pub(crate) build: Build,
    /// The binary that runs the programs.
    pub(crate) binary: &'static str,
    /// The feature that the binary needs.
    pub(crate) feature: Option<&'static str>,
    /// Whether the part of the matrix that every change must pass has it.
    pub(crate) part: bool,
}

/// What is on top of the allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Records {
    /// Nothing: what the program does of itself.
    Nothing,
    /// The shim, with this `HEAPTIDE_MODE`.
    Shim(&'static str),
    /// The shim, told to do nothing.
    ShimOff,
    /// Another profiler. What happens under it is shown and not judged.
    Peer,
}

/// How the binary is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    Native,
    /// With frame pointers, which a peer wants.
    Peers,
    StaticGlibc,
    StaticMusl,
}

/// Small enough that a program with a few hundred blocks has samples.
const SAMPLED: &str = "sampled:4KiB";

/// What stands alone comes before what stands on it: numbers are compared with it.
pub(crate) const COLUMNS: &[Column] = &[
    Column { part: true, ..column("system", Records::Nothing, "host-system") },
    over("jemalloc", column("jemalloc", Records::Nothing, "host-jemalloc")),
    over("mimalloc", column("mimalloc", Records::Nothing, "host-mimalloc")),
    column("off", Records::ShimOff, SHIM),
    Column { part: true, ..column("exact", Records::Shim("exact"), SHIM) },
    Column { part: true, ..column("sampled", Records::Shim(SAMPLED), SHIM) },
    over("jemalloc", column("exact-je", Records::Shim("exact"), "host-heaptide-jemalloc")),
    over("jemalloc", column("sampled-je", Records::Shim(SAMPLED), "host-heaptide-jemalloc")),
    over("mimalloc", column("exact-mi", Records::Shim("exact"), "host-heaptide-mimalloc")),
    over("mimalloc", column("sampled-mi", Records::Shim(SAMPLED), "host-heaptide-mimalloc")),
    peer("dhat", column("dhat", Records::Peer, "host-dhat")),
    peer("heapscope", column("heapscope", Records::Peer, "host-heapscope")),
    Column { build: Build::StaticGlibc, ..column("glibc-static", Records::Shim("exact"), SHIM) },
    Column { build: Build::StaticMusl, ..column("musl-bare", Records::Nothing, "host-system") },
    Column { build: Build::StaticMusl, ..column("musl", Records::Shim("exact"), SHIM) },
];

/// The shim over the system's allocator.
const SHIM: &str = "host-heaptide-system";

/// A column over the system's allocator.
const fn column(name: &'static str, records: Records, binary: &'static str) -> Column {
    let (inner, build, feature, part) = ("system", Build::Native, None, false);
    Column { name, inner, records, build, binary, feature, part }
}

/// The same over another allocator.
const fn over(inner: &'static str, column: Column) -> Column {
    Column { inner, feature: Some(inner), ..column }
}

const fn peer(feature: &'static str, column: Column) -> Column {
    Column { build: Build::Peers, feature: Some(feature), ..column }
}
