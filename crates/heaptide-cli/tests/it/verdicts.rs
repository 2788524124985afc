//! What a verdict exits with, and what policy, baseline and options make of it.

use crate::scratch::Scratch;

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
        ("tap", "TAP version 14"),
    ] {
        scratch.check(&format!("check leaking.jsonl --format {format}"), 1, says);
    }
}

#[test]
fn the_same_recording_gives_the_same_bytes() {
    let scratch = Scratch::new();
    let written = || scratch.run(&["check", "leaking.jsonl", "--format", "json"]).stdout;
    assert_eq!(written(), written());
}

#[test]
fn a_policy_allows_until_it_expires() {
    let scratch = Scratch::new();
    let allow = |entry: &str| {
        let text = format!("[[allow]]\nsite = \"shop::session::*\"\nreason = \"known\"\n{entry}");
        scratch.write("heaptide.toml", text.as_bytes());
    };
    allow("");
    scratch.check("check leaking.jsonl", 0, "clean (exit 0)");
    allow("expires = \"2999-12-31\"");
    scratch.check("check leaking.jsonl", 0, "clean (exit 0)");
    allow("expires = \"2020-01-01\"");
    scratch.check("check leaking.jsonl", 2, "expired");
}

#[test]
fn a_baseline_accepts_what_grows_today() {
    let scratch = Scratch::new();
    scratch.check("baseline leaking.jsonl --update base.json", 0, "base.json");
    assert!(scratch.read("base.json").contains("shop::session::Sessions::create"));
    scratch.check("check leaking.jsonl --baseline base.json", 0, "1 of 1 entries matched");
    scratch.check("baseline short.jsonl --update base.json", 2, "nothing was accepted");
    assert!(scratch.read("base.json").contains("shop::session::Sessions::create"));
}
