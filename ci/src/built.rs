//! The command and the example services, built once, and a folder to run them in.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use ci::program::{cargo, program, run, target_dir};

/// Variables by which the command knows that it runs in a job: this check may be one.
const OF_A_JOB: [&str; 4] =
    ["GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITLAB_CI", "CI_PROJECT_DIR"];

/// An empty folder in which `heaptide`, `shop` and `client` can be called by name.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) folder: PathBuf,
    path: String,
}

impl Built {
    /// Builds them, and empties the folder `name`.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let what = ["-p", "heaptide-cli", "-p", "heaptide-examples", "--bins"];
        run(cargo(&["build", "--locked"]).args(what))?;
        let folder = target_dir(name);
        // It may not be there; that it cannot be emptied shows when it is made.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let programs = target_dir("debug");
        let path = std::env::var("PATH").unwrap_or_default();
        Ok(Self { folder, path: format!("{}:{path}", programs.display()) })
    }

    /// A program, to be run in the folder.
    pub(crate) fn program(&self, name: &str, args: &[&str]) -> Command {
        let mut command = program(name, args);
        command.current_dir(&self.folder).env("PATH", &self.path);
        for variable in OF_A_JOB {
            command.env_remove(variable);
        }
        command
    }
}
