//! What other subcommands write.

use crate::scratch::Scratch;

#[test]
fn a_snapshot_is_shown_and_dumped() {
    let scratch = Scratch::new();
    scratch.check("show leaking.jsonl", 0, "shop::session::Sessions::create");
    scratch.check("show leaking.jsonl@9", 0, "6.2 KiB live in 100 objects");
    scratch.check("show leaking.jsonl@9 --by age", 0, "9 epochs");
    scratch.check("show leaking.jsonl --by growth", 0, "+390");
    let dump = scratch.run(&["show", "leaking.jsonl@9", "--json"]).stdout;
    scratch.write("dump.json", dump.as_bytes());
    scratch.check("show dump.json", 0, "6.2 KiB live in 100 objects");
    scratch.check("show dump.json@8", 2, "no snapshot 8");
    scratch.check("show dump.json --by growth", 2, "growth is seen in a recording only");
}

#[test]
fn snapshots_are_compared() {
    let scratch = Scratch::new();
    scratch.check("diff leaking.jsonl@9 leaking.jsonl", 0, "+300");
    scratch.check("diff leaking.jsonl clean.jsonl", 0, "-370");
}

/// What a table holds and what it does not, by the number of sites that are asked for.
#[test]
fn tables_are_as_long_as_asked() {
    let scratch = Scratch::new();
    scratch.write("busy.jsonl", &crate::recordings::busy());
    let check = |args: &str, says: &str, not: &str| {
        let shown = scratch.run(&args.split(' ').collect::<Vec<_>>());
        assert_eq!(shown.exit, Some(0), "{args}: {}", shown.stderr);
        assert!(shown.stdout.contains(says), "{args}: no {says:?} in {}", shown.stdout);
        assert!(!shown.stdout.contains(not), "{args}: {not:?} in {}", shown.stdout);
    };
    check("show busy.jsonl", "40 more sites not shown (--top)", "create_1\n");
    check("show busy.jsonl --top 59", "1 more site not shown", "41 more");
    check("show busy.jsonl --top 60", "shop::module_0::create_0", "not shown");
    check("show busy.jsonl --by growth", "more sites not shown", "create_1\n");
    check("diff busy.jsonl@5 busy.jsonl@9 --top 3", "17 more sites not shown", "gone");
    check("diff busy.jsonl@5 busy.jsonl@5", "live: ", "create_");
}

#[test]
fn a_dump_holds_what_the_recording_does() {
    let scratch = Scratch::new();
    for (snapshot, live) in [("leaking.jsonl@0", 10), ("leaking.jsonl@9", 100), ("clean.jsonl", 30)]
    {
        let shown = scratch.run(&["show", snapshot, "--json"]);
        let dump: serde_json::Value = serde_json::from_str(&shown.stdout).expect("it is JSON");
        assert_eq!(dump["heap"]["live_objects"], live, "{snapshot}: {}", shown.stdout);
        assert_eq!(dump["sites"][0]["path"], "shop::session::Sessions::create", "{snapshot}");
    }
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let scratch = Scratch::new();
    let heaptide = env!("CARGO_BIN_EXE_heaptide");
    let script = format!("set -o pipefail; {heaptide} show leaking.jsonl --json | head -c 1");
    let ended = crate::scratch::run("bash", &["-c", &script], &scratch.path(""));
    assert_eq!((ended.exit, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "{", ""));
}
