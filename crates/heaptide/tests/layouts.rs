//! Programs as linkers lay them out. Without a loader: linked statically with glibc, and with musl,
//! whose own code has no unwind tables. And with holes between the segments, where the loader finds
//! the executable in parts. Their modules are known, and their stacks are whole.
//!
//! Each is a program of its own, built for its target by the compiler that builds this test. A
//! target that is not installed is said to be left out.

mod rig;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use rig::recording::Recording;
use rig::scratch;

fn main() -> ExitCode {
    rig::main(
        &[
            ("static_glibc", || check(&GLIBC)),
            ("static_musl", || check(&MUSL)),
            ("holes_between_the_segments", || check(&HOLES)),
        ],
        &[],
    )
}

struct Layout {
    name: &'static str,
    triple: &'static str,
    rustflags: &'static str,
    /// Whether the executable is the only module.
    is_static: bool,
    /// Whether the C library's own code is without unwind tables.
    has_bare_library: bool,
}

const GLIBC: Layout = Layout {
    name: "static-glibc",
    triple: "x86_64-unknown-linux-gnu",
    rustflags: "-C target-feature=+crt-static",
    is_static: true,
    has_bare_library: false,
};
const MUSL: Layout = Layout {
    name: "static-musl",
    triple: "x86_64-unknown-linux-musl",
    rustflags: "",
    is_static: true,
    has_bare_library: true,
};
/// Each segment begins on a page of 64 KiB of its own, and what is between them is not mapped.
const HOLES: Layout = Layout {
    name: "holes",
    triple: "x86_64-unknown-linux-gnu",
    rustflags: "-C link-arg=-Wl,-z,max-page-size=65536,-z,separate-code",
    is_static: false,
    has_bare_library: false,
};

/// Allocates in the first thread, in another, and below the C library's own code.
const PROGRAM: &str = r#"
#[global_allocator]
static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();

fn tagged(name: &str) {
    let _tag = heaptide::tag(name);
    for _ in 0..3 {
        std::mem::forget(std::hint::black_box(Box::new([1u8; 77])));
    }
}

fn main() {
    tagged("first thread");
    std::thread::spawn(|| tagged("another thread")).join().unwrap();
    extern "C" fn compare(_: *const u64, _: *const u64) -> i32 {
        tagged("called back");
        0
    }
    unsafe extern "C" {
        fn qsort(base: *mut u64, n: usize, bytes: usize, compare: extern "C" fn(*const u64, *const u64) -> i32);
    }
    let mut words = [1u64, 2];
    // SAFETY: two words, and a function that compares two.
    unsafe { qsort(words.as_mut_ptr(), 2, 8, compare) };
}
"#;

fn build(layout: &Layout) -> Option<PathBuf> {
    let library = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--print", "target-libdir", "--target", layout.triple])
        .output()
        .expect("the compiler that built this test");
    let folder = String::from_utf8(library.stdout).expect("a path");
    if !Path::new(folder.trim()).is_dir() {
        eprintln!("left out: the target {} is not installed", layout.triple);
        return None;
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("layouts").join(layout.name);
    let source = folder.join("src");
    std::fs::create_dir_all(&source).expect("the target directory is ours to write");
    std::fs::write(source.join("main.rs"), PROGRAM).expect("a file");
    let manifest = format!(
        "[package]\nname = \"laid-out\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
         heaptide = {{ path = {:?} }}\n",
        env!("CARGO_MANIFEST_DIR"),
    );
    std::fs::write(folder.join("Cargo.toml"), manifest).expect("a file");
    // The versions that the workspace uses, which are here already.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    std::fs::copy(lock, folder.join("Cargo.lock")).expect("the workspace has a lock file");
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--offline", "--target", layout.triple, "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env("RUSTFLAGS", layout.rustflags)
        .output()
        .expect("cargo");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Some(folder.join("target").join(layout.triple).join("debug/laid-out"))
}

fn check(layout: &Layout) {
    let Some(program) = build(layout) else { return };
    let path = scratch(layout.name);
    let status = Command::new(&program).env("HEAPTIDE_OUT", &path).status();
    assert!(status.expect("it starts").success());
    let recording = Recording::read(&path);
    let last = recording.last().seq;
    for tag in ["first thread", "another thread", "called back"] {
        let rows = recording.tagged(last, tag);
        assert_eq!(rows.iter().map(|row| row.allocs).sum::<u64>(), 3, "{tag}");
        for row in rows {
            let site = recording.sites.iter().find(|site| site.id == row.site).expect("its line");
            // In the middle of a stack, code without tables is where it is cut, and said to be.
            let is_cut = layout.has_bare_library && tag == "called back";
            assert_eq!(site.truncated, is_cut, "{tag}: {site:?}");
            assert!(site.frames.len() > 4, "{tag}: {site:?}");
            assert!(site.frames.iter().all(|frame| frame.module.is_some()), "{tag}: {site:?}");
        }
    }
    let [executable, others @ ..] = &recording.modules[..] else { panic!("no module") };
    assert_eq!(others.is_empty(), layout.is_static, "{others:?}");
    assert_eq!(Path::new(&executable.path), std::fs::canonicalize(program).expect("a path"));
}
