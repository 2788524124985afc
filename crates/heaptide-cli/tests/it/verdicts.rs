//! What a verdict exits with, and what policy, baseline and options make of it.

use crate::recordings;
use crate::scratch::{Ended, Scratch};

#[test]
fn each_verdict_has_its_exit_code() {
    let scratch = Scratch::new();
    scratch.check("check clean.jsonl", 0, "clean (exit 0)");
    scratch.check("check leaking.jsonl", 1, "shop::session::Sessions::create");
    scratch.check("check leaking.jsonl", 1, "at src/session.rs:88");
    scratch.check("check short.jsonl", 3, "too few to judge");
    scratch.check("check short.jsonl --inconclusive pass", 0, "too few to judge");
    scratch.check("check short.jsonl --inconclusive fail", 3, "too few to judge");
    scratch.check("check torn.jsonl", 1, "the last line is cut off");
}

/// A program that was killed early had grown, and nothing said by what.
#[test]
fn too_short_a_recording_leads_to_what_grew() {
    let scratch = Scratch::new();
    scratch.check(
        "check short.jsonl",
        3,
        "`heaptide show short.jsonl --by growth` lists what grew so far",
    );
    scratch.check("show short.jsonl --by growth", 0, "shop::session::Sessions::create");
}

/// The gate passed while the process died: "clean. Nothing leaks".
#[test]
fn a_process_that_grows_outside_its_heap_fails() {
    let scratch = Scratch::new();
    scratch.write("c.jsonl", &recordings::c_leaks());
    let says = "No Rust call site leaks. Outside it, `other_malloc` grows by 64.0 KiB/request";
    scratch.check("check c.jsonl --format tap", 1, says);
    scratch.check("check c.jsonl", 1, "GROWS  other_malloc");
    for format in ["json", "markdown", "sarif", "junit", "github"] {
        scratch.check(&format!("check c.jsonl --format {format}"), 1, "other_malloc");
    }
    scratch.check("show c.jsonl --by part", 0, "other_malloc");
    scratch.check("show c.jsonl --by part", 0, "24.4 MiB");
    scratch.check("show c.jsonl@0 --by part", 0, "rust_heap");
    scratch.check("show clean.jsonl --by part", 0, "does not say what the whole process holds");
    scratch.check("diff c.jsonl@0 c.jsonl@39", 0, "other_malloc");
    let dump = scratch.run(&["show", "c.jsonl", "--json"]).stdout;
    scratch.write("dump.json", dump.as_bytes());
    scratch.check("show dump.json --by part", 0, "24.4 MiB");
    scratch.write("heaptide.toml", b"[budget]\noutside = \"warn\"\n");
    scratch.check("check c.jsonl", 0, "warns: outside the recorded heap");
    scratch.write("heaptide.toml", b"[budget.parts]\nother_malloc = \"65 KiB/request\"\n");
    scratch.check("check c.jsonl", 0, "passes (exit 0)");
}

#[test]
fn every_format_exits_alike() {
    let scratch = Scratch::new();
    for (format, says) in [
        ("human", "LEAK"),
        ("json", "\"schema\": \"heaptide-report\""),
        ("markdown", "## ❌ heaptide"),
        ("sarif", "\"version\": \"2.1.0\""),
        ("junit", "<testsuites"),
        ("github", "::error file=src/session.rs,line=88"),
        ("gitlab", "\"check_name\": \"heaptide/leak\""),
        ("tap", "TAP version 14"),
    ] {
        scratch.check(&format!("check leaking.jsonl --format {format}"), 1, says);
    }
}

#[test]
fn the_same_recording_gives_the_same_bytes() {
    let scratch = Scratch::new();
    scratch.write("busy.jsonl", &recordings::busy());
    for format in ["human", "json", "markdown", "sarif", "junit", "github", "gitlab", "tap"] {
        let written = |threads: &str| {
            let args = ["check", "busy.jsonl", "--format", format, "--threads", threads];
            let Ended { exit, stdout, stderr } = scratch.run(&args);
            assert_eq!(exit, Some(1), "{format}: {stderr}");
            (stdout, stderr)
        };
        let first = written("1");
        for threads in ["1", "2", "2", "8", "8"] {
            assert_eq!(written(threads), first, "{format} on {threads} threads");
        }
    }
}

#[test]
fn a_policy_allows_until_it_expires() {
    let scratch = Scratch::new();
    let allow = |entry: &str| {
        let text = format!("[[allow]]\nsite = \"shop::session::*\"\nreason = \"known\"\n{entry}");
        scratch.write("heaptide.toml", text.as_bytes());
    };
    allow("");
    scratch.check("check leaking.jsonl", 0, "passes (exit 0)");
    allow("expires = \"2999-12-31\"");
    scratch.check("check leaking.jsonl", 0, "passes (exit 0)");
    allow("expires = \"2020-01-01\"");
    scratch.check("check leaking.jsonl", 2, "heaptide.toml:4:11: the allow entry");
    scratch.check("check leaking.jsonl", 2, "expired on 2020-01-01");
}

#[test]
fn a_lifetime_is_for_the_sites_it_names() {
    let scratch = Scratch::new();
    let check = |site: &str, max: &str, exit: i32, says: &str| {
        let text = format!("[[lifetime]]\nsite = \"{site}\"\nmax = \"{max}\"\n");
        scratch.write("heaptide.toml", text.as_bytes());
        scratch.check("check leaking.jsonl", exit, says);
    };
    check("shop::session::*", "1m", 3, "too short for a lifetime of 1m");
    check("shop::session::*", "1m", 3, "2m would tell");
    check("shop::session::*", "5s", 1, "LEAK");
    check("shop::cart::*", "1m", 1, "heaptide.toml:2:8: the lifetime for `shop::cart::*`");
    scratch.write("heaptide.toml", b"max_lifetime = \"1m\"\n");
    scratch.check("check leaking.jsonl", 3, "too short for a lifetime");
    scratch.check("check clean.jsonl", 0, "clean (exit 0)");
}

#[test]
fn each_site_has_a_lifetime_of_its_own() {
    let scratch = Scratch::new();
    scratch.write("busy.jsonl", &recordings::busy());
    let lifetimes = "[[lifetime]]\nsite = \"shop::module_1::*\"\nmax = \"1m\"\n\
                     [[lifetime]]\nsite = \"shop::module_2::*\"\nmax = \"2m\"\n";
    scratch.write("heaptide.toml", lifetimes.as_bytes());
    scratch.check("check busy.jsonl --format json", 1, "too short for a lifetime of 1m");
    scratch.check("check busy.jsonl --format json", 1, "too short for a lifetime of 2m");
    let leaks = scratch.run(&["check", "busy.jsonl"]).stdout;
    for (create, leaks_here) in [
        ("shop::module_0::create_21", true),
        ("shop::module_1::create_15", false),
        ("shop::module_2::create_9", false),
    ] {
        assert_eq!(leaks.contains(create), leaks_here, "{create} in {leaks}");
    }
}

/// A crate of the workspace whose source lies elsewhere counted as a dependency.
#[test]
fn the_workspace_is_the_users_own() {
    let scratch = Scratch::new();
    scratch.write("vendored.jsonl", &recordings::vendored());
    let theirs = "warns: session_store::Store::create +2.2 MiB/h, in a dependency";
    let lenient = "[budget]\ndependencies = \"warn\"\n";
    let ours = format!("workspace = [\"session-store\"]\n{lenient}");
    scratch.write("heaptide.toml", lenient.as_bytes());
    scratch.check("check vendored.jsonl", 0, theirs);
    scratch.write("heaptide.toml", ours.as_bytes());
    scratch.check("check vendored.jsonl", 1, "fails: over the budget");
    scratch.write("heaptide.toml", lenient.as_bytes());
    scratch.write("Cargo.toml", b"[package]\nname = \"session-store\"\n[lib]\npath = \"lib.rs\"\n");
    scratch.write("lib.rs", b"");
    scratch.check("check vendored.jsonl", 1, "fails: over the budget");
    scratch.write("Cargo.toml", b"[package");
    scratch.check("check vendored.jsonl", 0, theirs);
    scratch.check("check vendored.jsonl", 0, "cannot tell which crates are yours");
}

/// Growth of 13 GiB/h was called clean, because it was a dependency's.
#[test]
fn a_dependency_fails_unless_it_is_told_not_to() {
    let scratch = Scratch::new();
    scratch.write("vendored.jsonl", &recordings::vendored());
    scratch.check("check vendored.jsonl", 1, "fails: over the budget");
    scratch.check("check vendored.jsonl --fail-on workspace", 0, "passes (exit 0)");
    scratch.write("heaptide.toml", b"[budget]\ndependencies = \"ignore\"\n");
    scratch.check("check vendored.jsonl", 0, "passes: session_store::Store::create");
    scratch.check("check vendored.jsonl --fail-on any", 1, "fails: over the budget");
}

/// Each of these passed.
#[test]
fn nothing_passes_because_of_a_slip() {
    let scratch = Scratch::new();
    scratch.check("check leaking.jsonl --work request", 2, "as `request`, only as requests");
    scratch.write("heaptide.toml", b"[budget]\nfinding = \"1 MiB/hr\"\n");
    scratch.check("check leaking.jsonl", 2, "is per `hr`, which is none of what is counted");
    scratch.write("heaptide.toml", b"warm_up = \"10m\"\n");
    scratch.check("check leaking.jsonl", 3, "undecided: the warm-up that the policy sets");
}

#[test]
fn a_baseline_accepts_what_grows_today() {
    let scratch = Scratch::new();
    scratch.check("baseline leaking.jsonl --update base.json", 0, "base.json");
    assert!(scratch.read("base.json").contains("shop::session::Sessions::create"));
    let accepted = scratch.read("base.json");
    let unchanged = "0 new, 0 changed, 1 unchanged; 0 dropped; 1 of 1 entries matched";
    scratch.check("baseline leaking.jsonl --update base.json", 0, unchanged);
    assert_eq!(scratch.read("base.json"), accepted);
    scratch.check("check leaking.jsonl --baseline base.json", 0, "1 of 1 entries matched");
    scratch.check("check worse.jsonl --baseline base.json", 1, "worse than accepted");
    scratch.check("check clean.jsonl --baseline base.json", 0, "1 fixed");
    scratch.write("vendored.jsonl", &recordings::vendored());
    scratch.check("check vendored.jsonl --baseline base.json", 2, "none of the 1 baseline entries");
    scratch.check(
        "baseline vendored.jsonl --update base.json",
        2,
        "none of the 1 baseline entries",
    );
    scratch.check(
        "baseline vendored.jsonl --update base.json",
        2,
        "nothing was accepted: base.json",
    );
    assert_eq!(scratch.read("base.json"), accepted);
    scratch.check("baseline short.jsonl --update base.json", 2, "nothing was accepted");
    std::fs::create_dir(scratch.path("base.json.new")).expect("the directory can be made");
    scratch.check("baseline clean.jsonl --update base.json", 2, "cannot write base.json");
    assert!(scratch.read("base.json").contains("shop::session::Sessions::create"));
}

#[test]
fn two_builds_are_compared() {
    let scratch = Scratch::new();
    let create = "shop::session::Sessions::create";
    scratch.check("check leaking.jsonl --before leaking.jsonl", 0, "passes (exit 0)");
    scratch.check("check leaking.jsonl --before leaking.jsonl", 0, &format!("as before: {create}"));
    scratch.check(
        "check leaking.jsonl --before clean.jsonl",
        1,
        "new: in the build before this was",
    );
    scratch.check("check leaking.jsonl --before worse.jsonl", 0, &format!("improved: {create}"));
    scratch.check("check clean.jsonl --before leaking.jsonl", 0, &format!("gone: {create}"));
    scratch.check("check worse.jsonl --before short.jsonl", 3, "the build before: 6 snapshots");
    scratch.check("check worse.jsonl --before vendored.jsonl", 2, "vendored.jsonl: No such file");
    scratch.write("vendored.jsonl", &recordings::vendored());
    scratch.check("check worse.jsonl --before vendored.jsonl", 2, "not of the same program");
    scratch.check("check worse.jsonl --before clean.jsonl --baseline b.json", 2, "cannot be used");
    for (format, says) in [
        ("human", "worse: +128 B/request, was +64 B/request (2x)"),
        ("json", "\"change\": \"worse\""),
        ("markdown", "worse: +128 B/request"),
        ("sarif", "\"baselineState\": \"updated\""),
        ("junit", "worse: +128 B/request"),
        ("github", "worse: +128 B/request"),
        ("gitlab", "worse: +128 B/request"),
        ("tap", "worse: +128 B/request"),
    ] {
        let args = format!("check worse.jsonl --before leaking.jsonl --format {format}");
        scratch.check(&args, 1, says);
    }
}
