//! Help texts, completions and manual come from one definition.

use std::path::Path;
use std::{env, fs};

use crate::scratch::{Scratch, run};

const SUBCOMMANDS: [&str; 14] = [
    "run",
    "check",
    "diff",
    "show",
    "report",
    "top",
    "serve",
    "snapshot",
    "baseline",
    "doctor",
    "init",
    "demo",
    "completions",
    "man",
];

/// Compares with `golden/NAME`; `UPDATE=1` writes it anew.
fn check_golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden").join(name);
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, found).expect("the golden file can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} differs; UPDATE=1 accepts it:\n{found}");
}

#[test]
fn help_texts() {
    let scratch = Scratch::new();
    check_golden("help.txt", &scratch.run(&["--help"]).stdout);
    for subcommand in SUBCOMMANDS {
        let text = scratch.run(&[subcommand, "--help"]).stdout;
        check_golden(&format!("help-{subcommand}.txt"), &text);
    }
}

#[test]
fn cargo_calls_it_by_its_own_name() {
    let scratch = Scratch::new();
    let cargo = |args: &[&str]| run(env!("CARGO_BIN_EXE_cargo-heaptide"), args, &scratch.path(""));
    assert!(cargo(&["heaptide", "check", "--help"]).stdout.contains("Usage: cargo heaptide check"));
    assert_eq!(cargo(&["heaptide", "check", "leaking.jsonl"]).exit, Some(1));
    assert_eq!(cargo(&["check", "clean.jsonl"]).exit, Some(0));
}

#[test]
fn completions_and_manual_name_every_subcommand() {
    let scratch = Scratch::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = scratch.run(&["completions", shell]).stdout;
        for subcommand in SUBCOMMANDS {
            assert!(script.contains(subcommand), "{subcommand} in {shell}");
        }
    }
    assert!(scratch.run(&["man"]).stdout.starts_with(".ie"));
    assert_eq!(scratch.run(&["man", "--out", "man"]).exit, Some(0));
    assert!(scratch.read("man/heaptide-run.1").contains("until\\-decided"));
    assert_eq!(scratch.read("man/heaptide-demo-shop.1"), "");
}
