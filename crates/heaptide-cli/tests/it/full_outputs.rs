//! Standard output and standard error that are closed or full: the verdict's exit code is what it
//! would have been, and nothing is lost.

use crate::scratch::Scratch;

const HEAPTIDE: &str = env!("CARGO_BIN_EXE_heaptide");

/// Runs a line of shell in which `heaptide` is the command; its exit code is that of the command.
fn check(scratch: &Scratch, line: &str, exit: i32) {
    let line = line.replace("heaptide", HEAPTIDE);
    let ended = crate::scratch::run("bash", &["-c", &line], &scratch.path(""));
    assert_eq!(ended.exit, Some(exit), "{line}\n{}", ended.stderr);
}

/// `check … | head -1` exited with 0 on a leak.
#[test]
fn a_closed_standard_output_keeps_the_verdict() {
    let scratch = Scratch::new();
    // The reader has gone before anything is written.
    let closed = |args: &str| format!("(sleep 0.1; exec heaptide {args}) > >(:) & wait $!");
    check(&scratch, &closed("check leaking.jsonl"), 1);
    check(&scratch, &closed("check leaking.jsonl --format json"), 1);
    check(&scratch, &closed("check short.jsonl"), 3);
    check(&scratch, &closed("check clean.jsonl"), 0);
    check(&scratch, &closed("check foreign.jsonl"), 2);
    check(&scratch, &closed("show leaking.jsonl"), 0);
    check(&scratch, &closed("completions zsh"), 0);
    check(&scratch, &closed("--help"), 0);
}

#[test]
fn a_full_standard_output_is_an_error() {
    let scratch = Scratch::new();
    for (args, exit) in [
        // A verdict stays what it is, but that a clean one was not told.
        ("check leaking.jsonl", 1),
        ("check short.jsonl", 3),
        ("check clean.jsonl", 2),
        ("show leaking.jsonl", 2),
        ("man", 2),
    ] {
        check(&scratch, &format!("heaptide {args} >/dev/full"), exit);
    }
}

/// Full standard error was exit 101, and the recording was lost.
#[test]
fn a_full_or_closed_standard_error_changes_nothing() {
    let scratch = Scratch::new();
    for redirection in ["2>/dev/full", "2>&-", "2> >(:)"] {
        check(&scratch, &format!("heaptide check leaking.jsonl {redirection}"), 1);
        check(&scratch, &format!("heaptide check foreign.jsonl {redirection}"), 2);
        check(&scratch, &format!("heaptide check {redirection}"), 2);
        let run = "rm -rf rec; heaptide run --out rec -- heaptide show short.jsonl";
        check(&scratch, &format!("{run} {redirection}; e=$?; ls rec/*.jsonl && exit $e"), 3);
    }
}
