//! `heaptide doctor`: what it says of executables and recordings, and how it exits.

use std::process::Command;

use crate::scratch::{Ended, Scratch};

const HEAPTIDE: &str = env!("CARGO_BIN_EXE_heaptide");

#[test]
fn each_diagnosis_has_its_exit_code() {
    let scratch = Scratch::new();
    scratch.check(&format!("doctor {HEAPTIDE}"), 0, "nothing was found that spoils a verdict");
    scratch.check("doctor /bin/sh", 1, "the shim is not in it");
    scratch.check("doctor short.jsonl", 1, "6 snapshots are too few to judge");
    scratch.check("doctor leaking.jsonl clean.jsonl", 0, "nothing was found that spoils");
    scratch.check("doctor foreign.jsonl", 2, "error");
    scratch.check("doctor absent", 2, "absent");
    scratch.write("broken", b"\x7fELF and no more");
    scratch.check("doctor broken", 2, "cannot read broken");
}

/// What a build leaves out is said of the executable, before anything is recorded.
#[test]
fn an_executable_without_names_is_told() {
    let scratch = Scratch::new();
    let without = |option: &str, name: &str| {
        let mut objcopy = Command::new("objcopy");
        let done = objcopy.args([option, HEAPTIDE]).arg(scratch.path(name)).status();
        assert!(done.is_ok_and(|status| status.success()), "objcopy {option}");
    };
    without("--strip-debug", "symbols");
    scratch.check("doctor symbols", 1, "no debug information");
    without("--strip-all", "stripped");
    scratch.check("doctor stripped", 1, "it was stripped");
    without("--remove-section=.note.gnu.build-id", "anonymous");
    scratch.check("doctor anonymous", 1, "link with -Wl,--build-id");
    let Ended { stdout, .. } = scratch.run(&["doctor", "symbols"]);
    assert_eq!(stdout.matches("spoils a verdict").count(), 1, "{stdout}");
}

/// A recording cleared the screen, and began a line as a command, by the name of its program.
#[test]
fn a_program_is_named_and_nothing_else() {
    let scratch = Scratch::new();
    let named = scratch
        .read("leaking.jsonl")
        .replacen("\"exe\":\"", "\"exe\":\"\\u001b[2J\\n::error::", 1)
        .replace("\"requests\"", "\"\\u001b[31m\"");
    scratch.write("named.jsonl", named.as_bytes());
    let Ended { stdout, exit, .. } = scratch.run(&["doctor", "named.jsonl"]);
    assert!(
        exit.is_some_and(|exit| exit < 2) && stdout.contains("\\u{1b}[2J\\n::error::"),
        "{stdout}"
    );
    assert!(!stdout.contains('\u{1b}') && !stdout.contains("\n::"), "{stdout}");
}
