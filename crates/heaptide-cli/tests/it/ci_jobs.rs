//! In a job of CI the command writes, unasked, what the job shows besides its log.

use serde_json::Value;

use crate::scratch::{Ended, Scratch, ended, quiet};

const GITHUB: [(&str, &str); 3] =
    [("GITHUB_ACTIONS", "true"), ("GITHUB_WORKSPACE", "."), ("GITHUB_STEP_SUMMARY", "summary.md")];
const GITLAB: [(&str, &str); 2] = [("GITLAB_CI", "true"), ("CI_PROJECT_DIR", "")];
const CODE_QUALITY: &str = "gl-code-quality-report.json";

/// Runs `heaptide` in a job with these variables.
fn job(scratch: &Scratch, variables: &[(&str, &str)], args: &str) -> Ended {
    let mut command = quiet(env!("CARGO_BIN_EXE_heaptide"), &scratch.path(""));
    command.args(args.split_whitespace()).envs(variables.iter().copied());
    ended(&mut command)
}

#[test]
fn github_gets_a_summary_and_annotations() {
    let scratch = Scratch::new();
    let bare = scratch.run(&["check", "leaking.jsonl"]).stdout;
    scratch.write("summary.md", b"of another step\n");
    let Ended { exit, stdout, stderr } = job(&scratch, &GITHUB, "check leaking.jsonl");
    assert_eq!((exit, stdout), (Some(1), bare), "{stderr}");
    assert!(stderr.contains("::error file=src/session.rs,line=88,"), "{stderr}");
    assert!(
        stderr.contains("heaptide: wrote annotations and the job summary (--no-ci"),
        "{stderr}"
    );
    let summary = scratch.read("summary.md");
    assert!(summary.starts_with("of another step\n## ❌ heaptide"), "{summary}");
    let run = job(&scratch, &GITHUB, "run --for 1s --out rec -- sh -c exit");
    assert_eq!(run.exit, Some(2), "{}", run.stderr);
}

/// They were on the page twice.
#[test]
fn annotations_that_are_asked_for_are_not_repeated() {
    let scratch = Scratch::new();
    let said = job(&scratch, &GITHUB, "check leaking.jsonl --format github");
    assert!(said.stdout.contains("::error file="), "{}", said.stdout);
    assert!(!said.stderr.contains("::error"), "{}", said.stderr);
    assert!(scratch.read("summary.md").starts_with("## ❌ heaptide"));
}

#[test]
fn gitlab_gets_a_code_quality_report() {
    let scratch = Scratch::new();
    let issues = || -> Vec<Value> {
        serde_json::from_str(&scratch.read(CODE_QUALITY)).expect("a list in JSON")
    };
    let said = job(&scratch, &GITLAB, "check leaking.jsonl");
    assert_eq!(said.exit, Some(1));
    assert!(said.stderr.contains(&format!("wrote {CODE_QUALITY}")), "{}", said.stderr);
    assert_eq!(issues()[0]["location"]["path"], "src/session.rs");
    assert_eq!(issues()[0]["location"]["lines"]["begin"], 88);
    job(&scratch, &GITLAB, "check clean.jsonl leaking.jsonl");
    assert_eq!(issues().len(), 1);
    scratch.write(CODE_QUALITY, b"<html>");
    let said = job(&scratch, &GITLAB, "check leaking.jsonl");
    assert_eq!(said.exit, Some(1));
    assert!(said.stderr.contains("it is no code quality report"), "{}", said.stderr);
    assert_eq!(scratch.read(CODE_QUALITY), "<html>");
}

#[test]
fn nothing_is_written_that_is_not_wanted() {
    let scratch = Scratch::new();
    let plain = scratch.run(&["check", "leaking.jsonl"]);
    for variables in [&GITHUB[..], &GITLAB[..]] {
        let said = job(&scratch, variables, "check leaking.jsonl --no-ci");
        assert_eq!((said.exit, said.stderr), (plain.exit, plain.stderr.clone()));
    }
    assert_eq!(scratch.read("summary.md") + &scratch.read(CODE_QUALITY), "");
}

/// A summary that cannot be written is no reason to lose a verdict.
#[test]
fn what_cannot_be_written_changes_no_verdict() {
    let scratch = Scratch::new();
    let nowhere = [GITHUB[0], ("GITHUB_STEP_SUMMARY", "no/such/dir/summary.md")];
    for (recording, exit) in [("clean.jsonl", 0), ("leaking.jsonl", 1)] {
        let said = job(&scratch, &nowhere, &format!("check {recording}"));
        assert_eq!(said.exit, Some(exit));
        assert!(said.stderr.contains("cannot write the job summary no/such"), "{}", said.stderr);
    }
}
