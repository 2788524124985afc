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

#[test]
fn init_writes_once() {
    let scratch = Scratch::new();
    scratch.check("init", 0, "wrote ./heaptide.toml");
    assert!(scratch.read(".github/workflows/heaptide.yml").contains("heaptide run"));
    scratch.check("check clean.jsonl", 0, "clean (exit 0)");
    scratch.write("heaptide.toml", b"# mine\n");
    scratch.check("init", 0, "left ./heaptide.toml as it is");
    assert_eq!(scratch.read("heaptide.toml"), "# mine\n");
    scratch.check("init nowhere", 2, "nowhere is not a directory");
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let scratch = Scratch::new();
    let heaptide = env!("CARGO_BIN_EXE_heaptide");
    let script = format!("set -o pipefail; {heaptide} show leaking.jsonl --json | head -c 1");
    let ended = crate::scratch::run("bash", &["-c", &script], &scratch.path(""));
    assert_eq!((ended.exit, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "{", ""));
}
