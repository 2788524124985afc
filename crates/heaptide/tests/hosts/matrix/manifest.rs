//! `hosts.toml`: the programs, and what is expected of each.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::column::{Build, Column, Records};

/// One host: a program in its surroundings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Host {
    pub(crate) name: String,
    /// One sentence: what it does and what must hold.
    pub(crate) about: String,
    /// The name of the program; the host's own if absent.
    pub(crate) program: Option<String>,
    /// Variables of its environment; `{folder}` stands for the folder that the run has to itself.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    /// Whether `HEAPTIDE_OUT` starts the recording, and with which value; else the program does.
    pub(crate) out: Option<String>,
    /// A script for bash, run in the folder, that starts the program: `"$@"`.
    #[serde(default = "plainly")]
    pub(crate) around: String,
    /// A script for bash, run in the folder when all is over; it prints what is wrong.
    pub(crate) after: Option<String>,
    /// The exit code.
    #[serde(default)]
    pub(crate) exits: i32,
    /// The signal that ends it instead.
    pub(crate) signal: Option<i32>,
    /// All of standard output, but for notes.
    #[serde(default = "alive")]
    pub(crate) prints: String,
    /// What standard error must contain.
    pub(crate) complains: Option<String>,
    /// How many lines of ours standard error may have.
    #[serde(default = "a_few")]
    pub(crate) complaints_at_most: usize,
    #[serde(default)]
    pub(crate) recording: Expected,
    /// Recordings in the folder, at least.
    #[serde(default = "one")]
    pub(crate) recordings_at_least: usize,
    /// Bytes of all files of the recording together.
    pub(crate) bytes_at_most: Option<u64>,
    /// What is left of a recording that was thinned is spread over the whole run.
    #[serde(default)]
    pub(crate) thinned: bool,
    /// Modules are named by their files, and stacks are not cut.
    #[serde(default)]
    pub(crate) named: bool,
    /// Notes that may be at most so many times what they are under the same allocator alone.
    #[serde(default)]
    pub(crate) over_bare: BTreeMap<String, f64>,
    /// Only so that what hangs is seen to.
    #[serde(default = "patience_s")]
    pub(crate) within_s: u64,
    /// Whether the time from its last line to its end is noted.
    #[serde(default)]
    pub(crate) timed: bool,
    /// Whether only root can set it up; others leave it out, and are told.
    #[serde(default)]
    pub(crate) root: bool,
    /// Whether every change must pass it.
    #[serde(default)]
    pub(crate) part: bool,
    /// The only inner allocators with which it makes sense; all if empty.
    #[serde(default)]
    pub(crate) only_inner: Vec<String>,
    /// Whether it is run under the peers.
    #[serde(default = "yes")]
    pub(crate) peers: bool,
    /// Whether static builds run it too.
    #[serde(default)]
    pub(crate) statics: bool,
    /// What is known to differ with the shim, and why. Taken out when it is mended.
    pub(crate) known: Option<String>,
}

/// What is expected of the recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Expected {
    /// It is there, every line is whole, the last snapshot is of the end.
    #[default]
    Finished,
    /// It is there, and holds all that was acknowledged; the last line may be torn.
    SoFar,
    /// It went into a pipe or a device: nothing can be read back.
    Elsewhere,
    /// There may be one; if so, it can be read and holds all that was acknowledged.
    Any,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    host: Vec<Host>,
}

/// The hosts, in the order of the file.
pub(crate) fn read() -> Result<Vec<Host>, toml::de::Error> {
    toml::from_str::<Manifest>(include_str!("../hosts.toml")).map(|manifest| manifest.host)
}

impl Host {
    /// Whether it makes sense in a column.
    pub(crate) fn belongs_in(&self, column: &Column) -> bool {
        let inner = self.only_inner.is_empty() || self.only_inner.iter().any(|i| i == column.inner);
        let build = match column.build {
            Build::Native | Build::Peers => true,
            Build::StaticGlibc | Build::StaticMusl => self.statics,
        };
        inner && build && (column.records != Records::Peer || self.peers)
    }
}

fn plainly() -> String {
    "exec \"$@\"".to_owned()
}

fn alive() -> String {
    "alive\n".to_owned()
}

fn a_few() -> usize {
    2
}

fn one() -> usize {
    1
}

fn patience_s() -> u64 {
    60
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_programs_belong_together() {
        let hosts = read().expect("hosts.toml is read");
        let programs: Vec<&str> = heaptide_hosts::names().collect();
        for host in &hosts {
            let program = host.program.as_ref().unwrap_or(&host.name);
            let starts_it = host.around.contains("$@") || host.around.contains("$1");
            let is_there = programs.contains(&&**program);
            assert_eq!(starts_it, is_there, "{}: {program}", host.name);
            assert_eq!(
                hosts.iter().filter(|other| other.name == host.name).count(),
                1,
                "{}",
                host.name
            );
        }
        for program in programs {
            let runs_it = |host: &Host| host.program.as_ref().unwrap_or(&host.name) == program;
            assert!(hosts.iter().any(runs_it), "no host runs {program}");
        }
    }
}
