//! Who is compared: how each is built, switched on and started.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use ci::program::{cargo, run, target_dir};
use ci::tool;

/// Seconds after which a run is ended: some peers are known to lock up.
const PATIENCE_S: &str = "120";

/// An allocator or a profiler, in one of its modes.
#[derive(Debug)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) binary: &'static Binary,
    pub(crate) env: &'static [(&'static str, &'static str)],
    pub(crate) under: Under,
    pub(crate) records: Records,
}

/// One of the programs of `heaptide-bench`.
#[derive(Debug)]
pub(crate) struct Binary {
    pub(crate) name: &'static str,
    feature: Option<&'static str>,
    flavour: Flavour,
}

/// How it is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flavour {
    /// As cargo does it.
    Plain,
    /// With the frame pointers that some peers demand.
    FramePointers,
}

/// What runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Under {
    Nothing,
    Heaptrack,
    Gperftools,
    ValgrindDhat,
}

/// What recording of ours there must be after it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Records {
    Nothing,
    Exactly,
    Samples,
}

const fn plain(name: &'static str, feature: Option<&'static str>) -> Binary {
    Binary { name, feature, flavour: Flavour::Plain }
}

static SYSTEM: Binary = plain("bench-system", None);
static COUNTING: Binary = plain("bench-counting", None);
static HEAPTIDE: Binary = plain("bench-heaptide", None);
static DHAT: Binary = plain("bench-dhat", Some("dhat"));
static JEMALLOC: Binary = plain("bench-jemalloc", Some("jemalloc"));
static SYSTEM_FP: Binary =
    Binary { name: "bench-system", feature: None, flavour: Flavour::FramePointers };
static HEAPSCOPE: Binary =
    Binary { name: "bench-heapscope", feature: Some("heapscope"), flavour: Flavour::FramePointers };
static PPROF_ALLOC: Binary = Binary {
    name: "bench-pprof-alloc",
    feature: Some("pprof-alloc"),
    flavour: Flavour::FramePointers,
};

const fn of(
    name: &'static str,
    binary: &'static Binary,
    env: &'static [(&'static str, &'static str)],
) -> Contender {
    Contender { name, binary, env, under: Under::Nothing, records: Records::Nothing }
}

pub(crate) static SYSTEM_ALONE: Contender = of("System", &SYSTEM, &[]);
pub(crate) static SYSTEM_WITH_FRAME_POINTERS: Contender =
    of("System, frame pointers", &SYSTEM_FP, &[]);
pub(crate) static OFF: Contender = of("Heaptide off", &HEAPTIDE, &[("HEAPTIDE_MODE", "off")]);
pub(crate) static ARMED: Contender = of("Heaptide armed", &HEAPTIDE, &[("HEAPTIDE_MODE", "exact")]);
pub(crate) static SAMPLED: Contender = Contender {
    records: Records::Samples,
    ..of("Heaptide sampled, 512 KiB", &HEAPTIDE, &[("HEAPTIDE_MODE", "sampled:512KiB")])
};
pub(crate) static EXACT: Contender = Contender {
    records: Records::Exactly,
    ..of("Heaptide exact", &HEAPTIDE, &[("HEAPTIDE_MODE", "exact")])
};
/// Call sites by as many frames as peers keep.
pub(crate) static EXACT_TEN: Contender = Contender {
    records: Records::Exactly,
    ..of(
        "Heaptide exact, 10 frames",
        &HEAPTIDE,
        &[("HEAPTIDE_MODE", "exact"), ("HEAPTIDE_FRAMES", "10")],
    )
};
pub(crate) static HEAPSCOPE_EXACT: Contender = of("heapscope", &HEAPSCOPE, &[]);
pub(crate) static DHAT_RS: Contender = of("dhat-rs", &DHAT, &[]);
pub(crate) static HEAPTRACK: Contender =
    Contender { under: Under::Heaptrack, ..of("heaptrack", &SYSTEM, &[]) };

static JEMALLOC_ALONE: Contender = of("jemalloc", &JEMALLOC, &[(MALLOC_CONF, "prof:false")]);

const SAMPLE_RATE: &str = "PPROF_ALLOC_SAMPLE_RATE";
const MALLOC_CONF: &str = "_RJEM_MALLOC_CONF";

/// All of them, in the order of the tables.
pub(crate) static ALL: [&Contender; 18] = [
    &SYSTEM_ALONE,
    &of("counting only", &COUNTING, &[]),
    &OFF,
    &ARMED,
    &SAMPLED,
    &EXACT,
    &EXACT_TEN,
    &SYSTEM_WITH_FRAME_POINTERS,
    &HEAPSCOPE_EXACT,
    &of("pprof-alloc, 512 KiB", &PPROF_ALLOC, &[(SAMPLE_RATE, "524288")]),
    &of("pprof-alloc, every block", &PPROF_ALLOC, &[(SAMPLE_RATE, "1")]),
    &JEMALLOC_ALONE,
    &of("jemalloc profiling, 512 KiB", &JEMALLOC, &[(MALLOC_CONF, "prof:true,lg_prof_sample:19")]),
    &of(
        "jemalloc profiling, every block",
        &JEMALLOC,
        &[(MALLOC_CONF, "prof:true,lg_prof_sample:0")],
    ),
    &DHAT_RS,
    &HEAPTRACK,
    &Contender {
        under: Under::Gperftools,
        ..of("gperftools", &SYSTEM, &[("HEAP_PROFILE_ALLOCATION_INTERVAL", "0")])
    },
    &Contender { under: Under::ValgrindDhat, ..of("Valgrind's DHAT", &SYSTEM, &[]) },
];

impl Contender {
    /// What it is compared with: the same allocator unprofiled, compiled the same way.
    pub(crate) fn baseline(&self) -> &'static Contender {
        match self.binary.flavour {
            Flavour::Plain if self.binary.name == JEMALLOC.name => &JEMALLOC_ALONE,
            Flavour::Plain => &SYSTEM_ALONE,
            Flavour::FramePointers => &SYSTEM_WITH_FRAME_POINTERS,
        }
    }

    /// Whether it is one of the baselines.
    pub(crate) fn is_baseline(&self) -> bool {
        self.name == self.baseline().name
    }

    /// Whether it is ours.
    pub(crate) fn is_ours(&self) -> bool {
        self.binary.name == HEAPTIDE.name
    }

    /// Builds it and gets the tools that it needs.
    pub(crate) fn prepare(&self) -> Result<()> {
        match self.under {
            Under::Nothing => {}
            Under::Heaptrack => tool::need("heaptrack", "heaptrack")?,
            Under::Gperftools => tool::need("google-pprof", "google-perftools")?,
            Under::ValgrindDhat => tool::need("valgrind", "valgrind")?,
        }
        self.binary.build()
    }

    /// The command that runs a workload under it. `scratch` takes what it writes.
    pub(crate) fn command(&self, scratch: &Path, args: &[&str]) -> Result<Command> {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", PATIENCE_S]);
        match self.under {
            Under::Nothing => {}
            Under::Heaptrack => {
                let out = scratch.join("heaptrack");
                command.args(["heaptrack", "--output"]).arg(out);
            }
            Under::Gperftools => {
                let preload = format!("LD_PRELOAD={}", tcmalloc()?.display());
                let profile = format!("HEAPPROFILE={}", scratch.join("gperftools").display());
                command.args(["env", &preload, &profile]);
            }
            Under::ValgrindDhat => {
                let out = format!("--dhat-out-file={}", scratch.join("dhat.out").display());
                command.args(["valgrind", "--tool=dhat", &out]);
            }
        }
        command.arg(self.binary.path()).args(args);
        self.switch_on(&mut command, scratch);
        Ok(command)
    }

    /// Sets the environment that makes it what it is.
    pub(crate) fn switch_on(&self, command: &mut Command, scratch: &Path) {
        let ours =
            std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("HEAPTIDE_"));
        for (key, _) in ours {
            command.env_remove(key);
        }
        command.envs(self.env.iter().copied()).current_dir(scratch);
        if self.records != Records::Nothing {
            command.env("HEAPTIDE_OUT", self.recording(scratch));
        }
    }

    /// Where its recording goes.
    pub(crate) fn recording(&self, scratch: &Path) -> PathBuf {
        scratch.join("recording.jsonl")
    }

    /// The command as a reader would type it.
    pub(crate) fn shown(&self) -> String {
        let env: String = self.env.iter().map(|(key, value)| format!("{key}={value} ")).collect();
        let out = match self.records {
            Records::Nothing => "",
            Records::Exactly | Records::Samples => "HEAPTIDE_OUT=recording.jsonl ",
        };
        let under = match self.under {
            Under::Nothing => "",
            Under::Heaptrack => "heaptrack ",
            Under::Gperftools => "LD_PRELOAD=libtcmalloc.so.4 HEAPPROFILE=profile ",
            Under::ValgrindDhat => "valgrind --tool=dhat ",
        };
        format!("{env}{out}{under}{}", self.binary.name)
    }
}

impl Binary {
    /// The command that builds it.
    fn build_command(&self) -> Command {
        let mut command = cargo(&["build", "--quiet", "--release", "--locked"]);
        command.args(["--package", "heaptide-bench", "--bin", self.name, "--bin", "bench-client"]);
        if let Some(feature) = self.feature {
            // A peer may ask for a later compiler than it needs.
            command.args(["--features", feature, "--ignore-rust-version"]);
        }
        if self.flavour == Flavour::FramePointers {
            command
                .env("RUSTFLAGS", "-C force-frame-pointers=yes")
                .arg("--target-dir")
                .arg(self.folder());
        }
        command
    }

    /// The same as a reader would type it.
    pub(crate) fn shown(&self) -> String {
        let (flags, folder) = match self.flavour {
            Flavour::Plain => ("", ""),
            Flavour::FramePointers => (
                "RUSTFLAGS='-C force-frame-pointers=yes' ",
                " --target-dir target/bench-frame-pointers",
            ),
        };
        let feature = self
            .feature
            .map_or_else(String::new, |name| format!(" --features {name} --ignore-rust-version"));
        let name = self.name;
        format!("{flags}cargo build --release -p heaptide-bench --bin {name}{feature}{folder}")
    }

    pub(crate) fn build(&self) -> Result<()> {
        run(&mut self.build_command())
    }

    /// Where it stands when it is built.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder().join("release").join(self.name)
    }

    fn folder(&self) -> PathBuf {
        match self.flavour {
            Flavour::Plain => target_dir(""),
            Flavour::FramePointers => target_dir("bench-frame-pointers"),
        }
    }
}

/// gperftools' library, wherever the system keeps it.
fn tcmalloc() -> Result<PathBuf> {
    let folders = [
        format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH),
        "/usr/lib64".into(),
        "/usr/lib".into(),
    ];
    let found = folders.iter().map(|folder| Path::new(folder).join("libtcmalloc.so.4"));
    found.into_iter().find(|path| path.exists()).context("there is no libtcmalloc.so.4 here")
}

/// Where runs leave what they write; empty at first.
pub(crate) fn scratch() -> Result<PathBuf> {
    let folder = target_dir("bench-scratch");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}
