//! Small recordings of made-up programs: one site that leaks, or not.

use std::collections::BTreeMap;

use heaptide_format::{FORMAT_VERSION, Name, Parts, PartsSource, SiteId};
use heaptide_synthetic::{Born, Process, rows};

const N_SNAPSHOTS: u32 = 40;
const INTERVAL_NS: u64 = 1_000_000_000;
/// Requests between two snapshots, and blocks that a site bears in them.
const PER_EPOCH: u64 = 10;
const BLOCK_BYTES: u64 = 64;

/// Forty snapshots; nothing is ever freed.
pub(crate) fn leaking() -> Vec<u8> {
    of_one_site(N_SNAPSHOTS, create(), leaked())
}

/// Like [`leaking`], each block twice as large.
pub(crate) fn worse() -> Vec<u8> {
    of_one_site(N_SNAPSHOTS, create(), leaked().of_bytes(2 * BLOCK_BYTES))
}

/// Like [`leaking`], in a crate whose source lies in the registry's directory.
pub(crate) fn vendored() -> Vec<u8> {
    let function = "session_store::Store::create".into();
    let file = Some("/c/registry/src/index-1a/session-store-1.2.3/src/lib.rs".into());
    of_one_site(N_SNAPSHOTS, Name { function, file, line: Some(9) }, leaked())
}

/// Forty snapshots; whatever is three epochs old has been freed.
pub(crate) fn clean() -> Vec<u8> {
    of_one_site(N_SNAPSHOTS, create(), freed())
}

/// Like [`clean`], of a process in which a C library keeps 64 KiB of each request.
pub(crate) fn c_leaks() -> Vec<u8> {
    let mut process = process(N_SNAPSHOTS);
    add(&mut process, create(), freed());
    process.holds(|epoch| Parts {
        source: PartsSource::Glibc,
        rust_heap_bytes: 10_000,
        other_malloc_bytes: u64::from(epoch) * PER_EPOCH * (64 << 10),
        files_bytes: 4 << 20,
        ..Parts::default()
    });
    process.recording()
}

/// Like [`leaking`], but stopped early.
pub(crate) fn short() -> Vec<u8> {
    of_one_site(6, create(), leaked())
}

/// Sixty sites, of which twenty leak alike, and a damaged line: much that could come in any order.
pub(crate) fn busy() -> Vec<u8> {
    const N_SITES: u32 = 60;
    let mut process = process(N_SNAPSHOTS);
    for id in 0..N_SITES {
        let function = format!("shop::module_{}::create_{id}", id % 7);
        let file = Some(format!("src/module_{}.rs", id % 7));
        let born = if id.is_multiple_of(3) { leaked() } else { freed() };
        add(&mut process, Name { function, file, line: Some(id) }, born);
    }
    let mut out = process.recording();
    let cohorts = out.windows(11).rposition(|here| here == b"\"cohorts\":[").expect("cohorts");
    out[cohorts + 11] = b'!';
    out
}

/// Of a version that does not exist yet.
pub(crate) fn newer() -> Vec<u8> {
    let mut process = process(0);
    process.header.format = FORMAT_VERSION + 1;
    process.recording()
}

fn create() -> Name {
    let function = "shop::session::Sessions::create".into();
    Name { function, file: Some("src/session.rs".into()), line: Some(88) }
}

fn leaked() -> Born {
    Born::for_ever(PER_EPOCH).of_bytes(BLOCK_BYTES)
}

fn freed() -> Born {
    Born::living(PER_EPOCH, 3).of_bytes(BLOCK_BYTES)
}

/// A snapshot every second.
fn process(n_snapshots: u32) -> Process {
    let mut process = Process::of_snapshots(n_snapshots);
    process.header.interval_ns = INTERVAL_NS;
    for (k, point) in (1..).zip(&mut process.points) {
        point.elapsed_ns = k * INTERVAL_NS;
        point.work = BTreeMap::from([("requests".into(), k * PER_EPOCH)]);
    }
    process
}

fn add(process: &mut Process, name: Name, born: Born) {
    process.site_with_rows(name, rows(SiteId(1), N_SNAPSHOTS, |_| vec![born]));
}

fn of_one_site(n_snapshots: u32, name: Name, born: Born) -> Vec<u8> {
    let mut process = process(n_snapshots);
    add(&mut process, name, born);
    process.recording()
}
