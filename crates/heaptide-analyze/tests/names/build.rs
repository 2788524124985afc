//! The family of programs: written into a directory, built one way or another, and run.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files of the family: where they stand below its directory, and what is in them. The last five
/// stand where Cargo checks out repositories and unpacks crates.
const SOURCES: &[(&str, &str)] = &[
    ("shop/service/src/main.rs", include_str!("family/main.rs")),
    ("shop/service/src/desk.rs", include_str!("family/desk.rs")),
    ("shop/service/src/hooks.rs", include_str!("family/hooks.rs")),
    ("shop/service/src/jobs.rs", include_str!("family/jobs.rs")),
    ("shop/service/src/routes.rs", include_str!("family/routes.rs")),
    ("shop/service/src/shelves.rs", include_str!("family/shelves.rs")),
    ("shop/service/src/visitors.rs", include_str!("family/visitors.rs")),
    ("shop/parts/ledger/src/lib.rs", include_str!("family/shop_ledger.rs")),
    ("home/git/checkouts/post-0a1b2c3d/89abcde/parcels/src/lib.rs", "pub mod depot;\n"),
    (
        "home/git/checkouts/post-0a1b2c3d/89abcde/parcels/src/depot.rs",
        include_str!("family/depot.rs"),
    ),
    (
        "home/registry/src/index-0a1b2c3d/session-store-1.2.0-rc.1/src/lib.rs",
        include_str!("family/session_store.rs"),
    ),
    (
        "home/registry/src/index-0a1b2c3d/session-store-1.2.0-rc.1/src/reaper.rs",
        include_str!("family/reaper.rs"),
    ),
];

const REPOSITORY: &str = "home/git/checkouts/heaptide-0a1b2c3d/0123456";

/// As many lines stand above all others in the second build.
const SHIFT: u32 = 7;

/// A way to build the program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Build {
    pub(crate) debug: Debug,
    pub(crate) code: Code,
    pub(crate) lto: bool,
    pub(crate) split: Split,
    pub(crate) mangling: Mangling,
    pub(crate) shim: Shim,
}

/// How much debug information.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Debug {
    None,
    Lines,
    Limited,
    Full,
}

/// What the compiler does with the functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// As they stand.
    Plain,
    /// Optimised, but those that leak are not inlined.
    Apart,
    /// Optimised, and those that leak always inlined.
    Inlined,
}

/// Where the debug information is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Split {
    Off,
    Packed,
    Unpacked,
    /// In a file that the program was stripped from.
    Stripped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mangling {
    Legacy,
    V0,
}

/// Where the shim comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shim {
    Path,
    Git,
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { debug, code, lto, split, mangling, shim } = self;
        let debug = ["0", "lines", "1", "2"][*debug as usize];
        let code = format!("{code:?}").to_lowercase();
        let lto = if *lto { "lto" } else { "-" };
        let split = format!("{split:?}").to_lowercase();
        let mangling = format!("{mangling:?}").to_lowercase();
        let shim = format!("{shim:?}").to_lowercase();
        write!(f, "{debug:5} {code:7} {lto:3} {split:8} {mangling:6} {shim:4}")
    }
}

impl Build {
    /// The profile, and what of it dependencies need to be told. Crates that have no part in the
    /// stacks are built the same way for all.
    fn profile(&self) -> String {
        let debug = match self.debug {
            Debug::None => "0",
            Debug::Lines => "\"line-tables-only\"",
            Debug::Limited => "1",
            Debug::Full => "2",
        };
        let level = if self.code == Code::Plain { 0 } else { 3 };
        let split = match self.split {
            Split::Packed => "packed",
            Split::Unpacked => "unpacked",
            Split::Off | Split::Stripped => "off",
        };
        let lto = if self.lto { "\"fat\"" } else { "false" };
        let mut text = format!(
            "[profile.release]\ndebug = {debug}\nopt-level = {level}\nlto = {lto}\n\
             split-debuginfo = \"{split}\"\nincremental = false\n\
             [profile.release.package.\"*\"]\ndebug = 0\nopt-level = 1\n"
        );
        for package in ["heaptide", "parcels", "session-store"] {
            text += &format!(
                "[profile.release.package.{package}]\ndebug = {debug}\nopt-level = {level}\n"
            );
        }
        text
    }

    fn rustflags(&self) -> &'static str {
        match self.mangling {
            Mangling::Legacy => "-Clink-arg=-Wl,--build-id",
            Mangling::V0 => "-Clink-arg=-Wl,--build-id -Csymbol-mangling-version=v0",
        }
    }
}

/// A recording, and where the names of its program are.
pub(crate) struct Recorded {
    pub(crate) recording: PathBuf,
    pub(crate) symbol_paths: Vec<PathBuf>,
}

/// The directory of the family.
pub(crate) struct Family(PathBuf);

impl Family {
    /// Writes what all builds have in common. What was compiled before is used again.
    pub(crate) fn write() -> Self {
        let family = Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join("names"));
        let root = repository();
        family.file("shop/Cargo.lock", &read(&root.join("Cargo.lock")));
        family.file("shop/parts/ledger/Cargo.toml", &library("shop-ledger", "0.1.0"));
        let checkout = "home/git/checkouts/post-0a1b2c3d/89abcde";
        family.file(&format!("{checkout}/Cargo.toml"), "[workspace]\nmembers = [\"parcels\"]\n");
        family.file(&format!("{checkout}/parcels/Cargo.toml"), &library("parcels", "0.1.0"));
        let unpacked = "home/registry/src/index-0a1b2c3d/session-store-1.2.0-rc.1/Cargo.toml";
        family.file(unpacked, &library("session-store", "1.2.0-rc.1"));
        family
    }

    /// Builds and runs it.
    pub(crate) fn record(&self, build: &Build, shifted: bool) -> Recorded {
        for (path, text) in SOURCES {
            let lines = if shifted { "//\n".repeat(SHIFT as usize) } else { String::new() };
            self.file(path, &format!("{lines}{text}"));
        }
        let shim = match build.shim {
            Shim::Path => repository().join("crates/heaptide"),
            Shim::Git => self.check_out(),
        };
        let resolver = "[workspace]\nresolver = \"3\"\nmembers = [\"service\", \"parts/ledger\"]\n";
        self.file("shop/Cargo.toml", &format!("{resolver}{}", build.profile()));
        self.file("shop/service/Cargo.toml", &service(&shim));
        self.compile(build);
        self.run(build)
    }

    /// The line that `line` has become by the shift.
    pub(crate) fn shifted(line: u32) -> u32 {
        line + SHIFT
    }

    fn compile(&self, build: &Build) {
        let target = self.0.join("target");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        cargo.args(["build", "--release", "--offline", "--quiet", "--target-dir"]).arg(target);
        if build.code == Code::Inlined {
            cargo.args(["--features", "inlined"]);
        }
        cargo.current_dir(self.0.join("shop")).env("RUSTFLAGS", build.rustflags());
        let built = cargo.env_remove("CARGO_ENCODED_RUSTFLAGS").output().expect("cargo runs");
        assert!(built.status.success(), "{build}: {}", String::from_utf8_lossy(&built.stderr));
    }

    fn run(&self, build: &Build) -> Recorded {
        let (built, dir) = (self.0.join("target/release"), self.0.join("run"));
        drop(fs::remove_dir_all(&dir));
        fs::create_dir_all(dir.join("symbols")).expect("a directory");
        let exe = dir.join("shop");
        fs::copy(built.join("shop"), &exe).expect("the program was built");
        if build.split == Split::Packed {
            fs::copy(built.join("shop.dwp"), dir.join("shop.dwp")).expect("a package of units");
        }
        if build.split == Split::Stripped {
            tool(&dir, "objcopy", &["--only-keep-debug", "shop", "symbols/shop.debug"]);
            tool(&dir, "strip", &["shop"]);
        }
        let recording = dir.join("shop.jsonl");
        let ran = Command::new(&exe).arg(&recording).output().expect("the program runs");
        assert!(ran.status.success(), "{build}: {}", String::from_utf8_lossy(&ran.stderr));
        Recorded { recording, symbol_paths: vec![dir.join("symbols")] }
    }

    /// The shim where Cargo would check it out.
    fn check_out(&self) -> PathBuf {
        let root = repository();
        let manifest = read(&root.join("Cargo.toml"));
        let (before, list) = manifest.split_once("members = [").expect("a list of members");
        let (_, after) = list.split_once(']').expect("the end of the list");
        let kept = format!("{before}{after}");
        let members = "[workspace]\nmembers = [\"crates/heaptide\", \"crates/heaptide-format\"]";
        let text = kept.replacen("[workspace]", members, 1);
        self.file(&format!("{REPOSITORY}/Cargo.toml"), &text);
        for name in ["crates/heaptide", "crates/heaptide-format"] {
            self.copy(&root.join(name), &format!("{REPOSITORY}/{name}"));
        }
        self.0.join(REPOSITORY).join("crates/heaptide")
    }

    fn copy(&self, from: &Path, to: &str) {
        for entry in fs::read_dir(from).expect("a directory").flatten() {
            let to = format!("{to}/{}", entry.file_name().display());
            let path = entry.path();
            match path.is_dir() {
                true => self.copy(&path, &to),
                false => {
                    self.file(&to, &String::from_utf8_lossy(&fs::read(&path).expect("a file")))
                }
            }
        }
    }

    /// Writes a file, unless it is as it should be: what did not change is not compiled again.
    fn file(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            return;
        }
        fs::create_dir_all(path.parent().expect("it has a parent")).expect("a directory");
        fs::write(&path, text).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    }
}

/// A library of the family, as a member of a workspace or not.
fn library(name: &str, version: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2024\"\n\
         [features]\ninlined = []\n"
    )
}

fn service(shim: &Path) -> String {
    let shim = shim.display();
    format!(
        "[package]\nname = \"shop-service\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
         [[bin]]\nname = \"shop\"\npath = \"src/main.rs\"\n\
         [features]\ninlined = [\"shop-ledger/inlined\", \"parcels/inlined\", \
         \"session-store/inlined\"]\n\
         [dependencies]\nheaptide.path = \"{shim}\"\nshop-ledger.path = \"../parts/ledger\"\n\
         parcels.path = \"../../home/git/checkouts/post-0a1b2c3d/89abcde/parcels\"\n\
         session-store.path = \
         \"../../home/registry/src/index-0a1b2c3d/session-store-1.2.0-rc.1\"\n"
    )
}

/// This repository.
fn repository() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the repository is there")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

fn tool(dir: &Path, program: &str, args: &[&str]) {
    let run = Command::new(program).current_dir(dir).args(args).status();
    assert!(run.expect("binutils are installed").success(), "{program} {args:?}");
}
