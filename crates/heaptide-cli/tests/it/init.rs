//! `heaptide init` in projects of different shapes.

use std::fs;
use std::path::Path;

use crate::scratch::{Ended, Scratch};

/// Writes a project: names and texts of files.
fn project(files: &[(&str, &str)]) -> Scratch {
    let scratch = Scratch::new();
    for (name, text) in files {
        let dir = scratch.path(name).parent().map(Path::to_path_buf).unwrap_or_default();
        fs::create_dir_all(dir).expect("there is room for a directory");
        scratch.write(name, text.as_bytes());
    }
    scratch
}

const PACKAGE: &str = "[package]\nname = \"shop\"\nversion = \"1.0.0\"\nedition = \"2024\"\n";
const MAIN: &str =
    "//! The shop.\n\nuse std::thread;\n\nfn main() {\n    thread::yield_now();\n}\n";

fn init(scratch: &Scratch, args: &str) -> Ended {
    let words: Vec<&str> = std::iter::once("init").chain(args.split_whitespace()).collect();
    scratch.run(&words)
}

#[track_caller]
fn has(scratch: &Scratch, name: &str, text: &str) {
    let found = scratch.read(name);
    assert!(found.contains(text), "no {text:?} in {name}:\n{found}");
}

/// Asking again changed nothing, and said so.
#[track_caller]
fn is_complete(scratch: &Scratch) {
    let again = init(scratch, "--yes");
    assert_eq!(again.exit, Some(0), "{}", again.stderr);
    assert_eq!(again.stdout, "everything is there already; nothing to write\n");
}

#[test]
fn a_program_that_ends_by_itself() {
    let scratch = project(&[("Cargo.toml", PACKAGE), ("src/main.rs", MAIN)]);
    let shown = init(&scratch, "--dry-run");
    assert_eq!(shown.exit, Some(0), "{}", shown.stderr);
    for line in [
        "+++ b/Cargo.toml",
        "+heaptide = { git = \"https://github.com/heaptide/heaptide\", optional = true }",
        "+heaptide = [\"dep:heaptide\"]",
        " use std::thread;",
        "+#[global_allocator]",
        "--- /dev/null",
        "+++ b/.github/workflows/heaptide.yml",
    ] {
        assert!(shown.stdout.lines().any(|shown| shown == line), "no {line:?}: {}", shown.stdout);
    }
    assert_eq!(
        (scratch.read("Cargo.toml"), scratch.read("heaptide.toml")),
        (PACKAGE.into(), "".into())
    );
    let unasked = init(&scratch, "");
    assert_eq!((unasked.exit, scratch.read("heaptide.toml")), (Some(2), String::new()));
    assert!(unasked.stderr.contains("--yes writes it"), "{}", unasked.stderr);
    let written = init(&scratch, "--yes");
    assert_eq!(written.exit, Some(0), "{}", written.stderr);
    has(
        &scratch,
        "src/main.rs",
        "use std::thread;\n\n#[cfg(feature = \"heaptide\")]\n#[global_allocator]\n",
    );
    has(
        &scratch,
        ".github/workflows/heaptide.yml",
        "heaptide run\n          --out target/heaptide\n          --interval 50ms --for 60s\n",
    );
    has(&scratch, ".github/workflows/heaptide.yml", "--bin shop --features heaptide\n");
    // Without its condition, a build without the feature would not know it.
    let work = "\n  #[cfg(feature = \"heaptide\")]\n  heaptide::work(\"requests\", 1);\n";
    assert!(written.stdout.contains(work), "{}", written.stdout);
    assert!(!scratch.path("ci").exists());
    is_complete(&scratch);
    scratch.write("heaptide.toml", b"# mine\n");
    is_complete(&scratch);
    assert_eq!(scratch.read("heaptide.toml"), "# mine\n");
}

#[test]
fn a_service_in_a_workspace_on_gitlab() {
    let web = format!("{PACKAGE}\n[dependencies]\naxum = {{ path = \"../axum\" }}\n");
    let library = |name: &str| format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n");
    let scratch = project(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"axum\", \"jobs\", \"web\"]\nresolver = \"3\"\n"),
        ("axum/Cargo.toml", &library("axum")),
        ("axum/src/lib.rs", ""),
        ("jobs/Cargo.toml", &library("jobs")),
        ("jobs/src/main.rs", "fn main() {}\n"),
        ("web/Cargo.toml", &web),
        ("web/src/main.rs", MAIN),
        (".gitlab-ci.yml", "stages: [test]\n"),
    ]);
    let written = init(&scratch, "--yes");
    assert_eq!(written.exit, Some(0), "{}", written.stderr);
    assert!(written.stderr.contains("the program to watch is shop; --bin chooses among jobs"));
    has(&scratch, "web/Cargo.toml", "axum = { path = \"../axum\" }\nheaptide = {");
    has(&scratch, ".gitlab/heaptide.yml", "--ready http://127.0.0.1:8080/\n");
    has(&scratch, ".gitlab/heaptide.yml", "-- ./target/release/shop\n");
    has(&scratch, "ci/heaptide-load.sh", "curl ");
    assert_eq!(scratch.read("jobs/src/main.rs"), "fn main() {}\n");
    is_complete(&scratch);
    let chosen = init(&scratch, "--yes --bin jobs");
    assert_eq!(chosen.exit, Some(0), "{}", chosen.stderr);
    has(&scratch, "jobs/src/main.rs", "#[global_allocator]");
    assert_eq!(init(&scratch, "--bin absent").exit, Some(2));
}

/// An older resolver, as an edition before 2021 brings it, knows a feature of the package at the root by
/// its bare name alone, and one of another with its package alone: mini-redis did not build.
#[test]
fn cargo_knows_the_feature_of_the_program() {
    let root = format!("{PACKAGE}\n[workspace]\nmembers = [\"web\"]\nresolver = \"1\"\n");
    let scratch = project(&[
        ("Cargo.toml", &root),
        ("src/main.rs", MAIN),
        ("web/Cargo.toml", "[package]\nname = \"web\"\nedition = \"2021\"\n"),
        ("web/src/main.rs", MAIN),
    ]);
    for (program, feature) in [("shop", "heaptide"), ("web", "web/heaptide")] {
        let written = init(&scratch, &format!("--yes --bin {program}"));
        assert_eq!(written.exit, Some(0), "{}", written.stderr);
        let build = format!("-p {program} --bin {program} --features {feature}\n");
        assert!(written.stdout.contains(&build), "no {build:?} in {}", written.stdout);
    }
}

/// Of mini-redis' client and server, the client was watched, which ends at once.
#[test]
fn the_program_that_listens_is_the_one_to_watch() {
    let server = "use std::net::TcpListener;\n\nfn main() {\n    \
                  let _ = TcpListener::bind(\"127.0.0.1:0\");\n}\n";
    let scratch = project(&[
        ("Cargo.toml", PACKAGE),
        ("src/bin/cli.rs", MAIN),
        ("src/bin/server.rs", server),
    ]);
    let written = init(&scratch, "--yes");
    assert_eq!(written.exit, Some(0), "{}", written.stderr);
    assert!(written.stderr.contains("the program to watch is server"), "{}", written.stderr);
    has(&scratch, ".github/workflows/heaptide.yml", "-- ./target/release/server\n");
    has(&scratch, "ci/heaptide-load.sh", "curl ");
    is_complete(&scratch);
}

/// The workflow ran a program that was not there, or without what it needs.
#[test]
fn a_program_with_arguments_in_a_target_directory_of_another_name() {
    let scratch = project(&[
        ("Cargo.toml", PACKAGE),
        ("src/main.rs", MAIN),
        (".cargo/config.toml", "[build]\ntarget-dir = \"out/built\"\n"),
    ]);
    let args = ["init", "--yes", "--", "--jobs", "2", "*.rs"];
    let written = scratch.run(&args);
    assert_eq!(written.exit, Some(0), "{}", written.stderr);
    has(
        &scratch,
        ".github/workflows/heaptide.yml",
        "-- ./out/built/release/shop --jobs 2 '*.rs'\n",
    );
    for said in [
        "CARGO_PROFILE_RELEASE_DEBUG=limited CARGO_PROFILE_RELEASE_STRIP=none cargo build --release",
        "/release/shop --jobs 2 '*.rs'\n",
    ] {
        assert!(written.stdout.contains(said), "no {said:?} in {}", written.stdout);
    }
    is_complete(&scratch);
}

#[test]
fn what_is_not_ours_to_change_is_said() {
    let other =
        "#[global_allocator]\nstatic A: mimalloc::MiMalloc = mimalloc::MiMalloc;\nfn main() {}\n";
    let scratch = project(&[("Cargo.toml", PACKAGE), ("src/main.rs", other)]);
    let written = init(&scratch, "--yes");
    assert_eq!(written.exit, Some(0), "{}", written.stderr);
    assert!(
        written.stderr.contains("heaptide::Heaptide::with(mimalloc::MiMalloc)"),
        "{}",
        written.stderr
    );
    assert_eq!(scratch.read("src/main.rs"), other);
    let macros = format!("{PACKAGE}\n[lib]\nproc-macro = true\n");
    let macros = project(&[("Cargo.toml", &macros), ("src/lib.rs", "")]);
    let refused = init(&macros, "--yes");
    assert_eq!(refused.exit, Some(2));
    assert!(refused.stderr.contains("there is no program here"), "{}", refused.stderr);
    assert_eq!(init(&macros, "nowhere").exit, Some(2));
    assert_eq!(init(&macros, "--source nowhere").exit, Some(2));
}

/// "There is no program here" was all that a library was told.
#[test]
fn a_library_gets_growth_tests() {
    for (ci, workflow) in [
        (".github/workflows/ci.yml", ".github/workflows/heaptide.yml"),
        (".gitlab-ci.yml", ".gitlab/heaptide.yml"),
    ] {
        let scratch = project(&[("Cargo.toml", PACKAGE), ("src/lib.rs", ""), (ci, "")]);
        let written = init(&scratch, "--yes");
        assert_eq!(written.exit, Some(0), "{}", written.stderr);
        has(&scratch, "Cargo.toml", "\n[dev-dependencies]\nheaptide = {");
        has(&scratch, "Cargo.toml", "heaptide-testing = {");
        has(&scratch, "tests/growth.rs", "guards nothing until it calls shop");
        has(&scratch, workflow, " cargo test -p shop --test growth\n");
        has(&scratch, workflow, " target/heaptide\n");
        assert!(written.stdout.contains("\n  cargo test -p shop --test growth\n"));
        assert!(!scratch.path("heaptide.toml").exists());
        is_complete(&scratch);
        scratch.write("tests/growth.rs", b"// mine\n");
        is_complete(&scratch);
        let called = scratch.run(&["init", "--", "build"]);
        assert_eq!(called.exit, Some(2));
        assert!(called.stderr.contains("shop is a library"), "{}", called.stderr);
    }
}

/// Of a library and the program that does its chores, the chores were watched.
#[test]
fn what_cargo_builds_there_is_the_one_to_watch() {
    let root = format!("{PACKAGE}\n[workspace]\nmembers = [\"chores\"]\n");
    let scratch = project(&[
        ("Cargo.toml", &root),
        ("src/lib.rs", ""),
        ("chores/Cargo.toml", "[package]\nname = \"chores\"\nedition = \"2024\"\n"),
        ("chores/src/main.rs", MAIN),
    ]);
    let written = init(&scratch, "--yes");
    assert_eq!(written.exit, Some(0), "{}", written.stderr);
    let said = "shop is a library, and gets growth tests; --bin watches a program: chores";
    assert!(written.stderr.contains(said), "{}", written.stderr);
    has(&scratch, "tests/growth.rs", "shop");
    assert_eq!(scratch.read("chores/src/main.rs"), MAIN);
    is_complete(&scratch);
    let there = init(&scratch, "chores --yes");
    assert_eq!(there.exit, Some(0), "{}", there.stderr);
    has(&scratch, "chores/src/main.rs", "#[global_allocator]");
}
