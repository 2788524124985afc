//! Bad input: exit 2, the file and the cause named, never a panic.

use crate::scratch::Scratch;

#[test]
fn unreadable_recordings_are_named_with_their_cause() {
    let scratch = Scratch::new();
    scratch.check("check absent.jsonl", 2, "absent.jsonl: No such file");
    scratch.check("check /dev/null", 2, "/dev/null: a pipe or device");
    scratch.check("check empty.jsonl", 2, "empty.jsonl: the file is empty");
    scratch.check("check foreign.jsonl", 2, "foreign.jsonl: not a heaptide recording");
    scratch.check("check newer.jsonl", 2, "newer.jsonl: written by a newer heaptide");
    scratch.check("show empty.jsonl", 2, "the file is empty");
    scratch.check("show leaking.jsonl@last", 2, "`last` is not the number of a snapshot");
    let dump = scratch.run(&["show", "leaking.jsonl", "--json"]).stdout;
    scratch.write("dump.jsonl", dump.as_bytes());
    scratch.check("check dump.jsonl", 2, "this is a dump of one snapshot");
    scratch.check("show leaking.jsonl@99", 2, "no snapshot 99; it holds 0 to 39");
    scratch.check("diff leaking.jsonl foreign.jsonl", 2, "not a heaptide recording");
}

#[test]
fn mistakes_in_a_policy_are_placed() {
    let scratch = Scratch::new();
    for (text, says) in [
        ("max_lifetme = \"1s\"\n", "policy.toml:1:1: unknown field"),
        ("max_lifetme = \"1s\"\n", "did you mean `max_lifetime`?"),
        ("\nwarm_up = \"soon\"\n", "policy.toml:2:"),
        ("warm_up = \"9\"\n", "a number of snapshots, which takes no quotes"),
        ("[budget]\nfinding = \"lots\"\n", "policy.toml:2:"),
        ("work = \n", "policy.toml:1:"),
    ] {
        scratch.write("policy.toml", text.as_bytes());
        scratch.check("check clean.jsonl --config policy.toml", 2, says);
    }
    scratch.check("check clean.jsonl --config absent.toml", 2, "absent.toml");
    scratch.write("base.json", b"{\"version\": 99, \"accepted\": {}}");
    scratch.check("check clean.jsonl --baseline base.json", 2, "newer");
    scratch.check("check clean.jsonl --baseline clean.jsonl", 2, "clean.jsonl: not a baseline");
    scratch.check(
        "check clean.jsonl --baseline none.json",
        2,
        "`heaptide baseline REC --update none",
    );
}

#[test]
fn usage_is_explained() {
    let scratch = Scratch::new();
    scratch.check("check", 2, "REC");
    scratch.check("run", 2, "CMD");
    scratch.check("run --for 5 -- true", 2, "write it like 500ms, 1s or 2m");
    scratch.check("run --for 0s -- true", 2, "longer than nothing");
    scratch.check("run --interval 1us -- true", 2, "1ms or longer");
    scratch.check("run --ready nowhere -- true", 2, "HOST:PORT");
    scratch.check("check clean.jsonl --symbol-path nowhere", 2, "no such directory");
    scratch.check("check clean.jsonl --format yaml", 2, "possible values");
    scratch.check("run -- /no/such/program", 2, "cannot run `/no/such/program`");
}

#[test]
fn a_program_without_the_shim_is_explained() {
    let scratch = Scratch::new();
    scratch.check("run -- true", 2, "#[global_allocator]");
    scratch.check("run --ready-timeout 100ms -- sleep 60", 2, "no recording appeared");
    let program = ["HEAPTIDE_MODE=off", env!("CARGO_BIN_EXE_heaptide"), "run", "--", "true"];
    let off = crate::scratch::run("env", &program, &scratch.path(""));
    assert!(
        off.exit == Some(2) && off.stderr.contains("HEAPTIDE_MODE=off is set"),
        "{}",
        off.stderr
    );
}

#[test]
fn no_process_is_harmed_by_asking_it() {
    let scratch = Scratch::new();
    let own = std::process::id();
    scratch.check(&format!("snapshot {own}"), 2, "has no recording open");
    scratch.check("snapshot 0", 2, "1..");
    scratch.check(&format!("snapshot {}", i32::MAX), 2, "no process");
}
