//! A directory of recordings, and the command run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::recordings;

/// A directory that is removed with the value.
pub(crate) struct Scratch(tempfile::TempDir);

/// How the command ended.
pub(crate) struct Ended {
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Scratch {
    /// With a recording of each kind in it.
    pub(crate) fn new() -> Self {
        let scratch = Self(tempfile::tempdir().expect("there is room for a directory"));
        let leaking = recordings::leaking();
        scratch.write("leaking.jsonl", &leaking);
        scratch.write("worse.jsonl", &recordings::worse());
        scratch.write("clean.jsonl", &recordings::clean());
        scratch.write("short.jsonl", &recordings::short());
        scratch.write("torn.jsonl", &leaking[..leaking.len() - 9]);
        scratch.write("empty.jsonl", b"");
        scratch.write("foreign.jsonl", b"{\"level\":\"info\"}\n");
        scratch.write("newer.jsonl", &recordings::newer());
        scratch
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("the directory can be written to");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Runs `heaptide` with these arguments.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        run(env!("CARGO_BIN_EXE_heaptide"), args, self.0.path())
    }

    /// Runs it and compares how it exits; one of its outputs holds `says`.
    pub(crate) fn check(&self, args: &str, exit: i32, says: &str) {
        let words: Vec<&str> = args.split_whitespace().collect();
        let Ended { exit: found, stdout, stderr } = self.run(&words);
        let seen = format!("heaptide {args}\n{stdout}\n{stderr}");
        assert_eq!(found, Some(exit), "{seen}");
        assert!(stdout.contains(says) || stderr.contains(says), "no {says:?} in {seen}");
    }
}

/// What whoever runs the tests may have set: their job may be one of CI.
const SETTINGS: [&str; 5] =
    ["HEAPTIDE_OUT", "CLICOLOR_FORCE", "COLUMNS", "GITHUB_ACTIONS", "GITLAB_CI"];

/// A program in this directory, without settings of whoever runs the tests.
pub(crate) fn quiet(program: &str, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir);
    for setting in SETTINGS {
        command.env_remove(setting);
    }
    command
}

/// Runs a program without terminal and without settings of whoever runs the tests.
pub(crate) fn run(program: &str, args: &[&str], dir: &Path) -> Ended {
    ended(quiet(program, dir).args(args))
}

/// Runs a command to its end.
pub(crate) fn ended(command: &mut Command) -> Ended {
    let output = command.output();
    let Output { status, stdout, stderr } = output.expect("the command can be run");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { exit: status.code(), stdout: text(stdout), stderr: text(stderr) }
}
