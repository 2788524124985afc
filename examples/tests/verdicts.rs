//! Every service says at its top what it should be judged as. Here each one is run under its load
//! with the shim recording, judged, and held to that.
//!
//! Nothing is timed: a service is stopped when its recording has enough snapshots and work. They run
//! one after another, so that each has the machine to itself.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use heaptide_analyze::{Outcome, Terms, identity, load::load_one, symbols::ElfResolver};

const SNAPSHOTS: usize = 45;
const WORK: u64 = 4_000;
const INTERVAL: &str = "100ms";

/// ``//! verdict of `worker --bound 64`: clean``, or
/// ``//! verdict of `shop --no-reaper` under `client`: leak at `shop::Sessions::create` ``.
#[derive(Debug)]
struct Statement {
    service: String,
    load: Option<String>,
    leak_at: Option<String>,
}

impl Statement {
    fn parse(line: &str) -> Option<Self> {
        let text = line.strip_prefix("//! verdict of ")?;
        let (service, text) = quoted(text)?;
        let (load, text) = match text.strip_prefix(" under ") {
            Some(text) => quoted(text).map(|(load, text)| (Some(load), text))?,
            None => (None, text),
        };
        let leak_at = match text.strip_prefix(": ")? {
            "clean" => None,
            leak => Some(leak.strip_prefix("leak at ").and_then(quoted)?.0.to_owned()),
        };
        Some(Self { service: service.to_owned(), load: load.map(str::to_owned), leak_at })
    }

    fn check(&self) {
        let recording = self.record();
        let mut resolver = ElfResolver::new(Vec::new());
        let report =
            heaptide_analyze::judge(&[recording], &mut resolver, &Terms::default()).unwrap();
        let found = report.findings().next().map(|leak| identity::plain(&leak.blamed.function));
        let outcome = if self.leak_at.is_some() { Outcome::Growth } else { Outcome::Clean };
        assert_eq!(
            (report.outcome, &found),
            (outcome, &self.leak_at),
            "`{}` was judged\n{report:#?}",
            self.service
        );
    }

    /// Runs the service under its load until the recording has enough snapshots.
    fn record(&self) -> PathBuf {
        let name = self.service.replace([' ', '-'], "_");
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let (recording, addr) = (directory.join("recording.jsonl"), directory.join("addr"));
        let mut command = program(&self.service);
        command.env("HEAPTIDE_OUT", &recording).env("HEAPTIDE_INTERVAL", INTERVAL);
        // A service that stops well takes all its sessions apart; that is not to be judged.
        command.env("HEAPTIDE_FINISH_ON_TERM", "1");
        if self.load.is_some() {
            command.args(["--port", "0", "--addr-file"]).arg(&addr);
        }
        let mut service = Running(command.spawn().unwrap());
        let _load = self.load.as_ref().map(|load| {
            service.wait_until(|| addr.exists());
            let addr = fs::read_to_string(&addr).unwrap();
            let mut command = program(load);
            Running(command.args(["--rounds", "1000000000", "--addr", &addr]).spawn().unwrap())
        });
        service.wait_until(|| is_long_enough(&recording));
        service.ask_to_stop();
        recording
    }
}

/// A process that is gone when the test is.
struct Running(Child);

impl Running {
    fn wait_until(&mut self, mut ready: impl FnMut() -> bool) {
        while !ready() {
            let ended = self.0.try_wait().unwrap();
            assert!(ended.is_none(), "the service ended too early: {ended:?}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// As a supervisor does it; the service must then end well.
    fn ask_to_stop(&mut self) {
        let kill = format!("kill -TERM {}", self.0.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program and arguments of a command line; programs are the examples beside this test.
fn program(line: &str) -> Command {
    let mut words = line.split(' ');
    let directory = Path::new(env!("CARGO_BIN_EXE_client")).parent().unwrap();
    let mut command = Command::new(directory.join(words.next().unwrap()));
    command.args(words).env_remove("PORT").stdout(Stdio::null());
    command
}

fn is_long_enough(recording: &Path) -> bool {
    let Ok((run, _)) = load_one(recording) else { return false };
    let points = &run.timeline.points;
    let work = points.last().map_or(0, |point| point.work.values().sum());
    points.len() >= SNAPSHOTS && work >= WORK
}

/// The text between two backticks, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('`')?.split_once('`')
}

/// The sources of all programs, by name.
fn sources() -> BTreeMap<String, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin");
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let name = |file: &Path| file.file_stem().unwrap().to_string_lossy().into_owned();
    files.map(|file| (name(&file), fs::read_to_string(file).unwrap())).collect()
}

#[test]
fn services_are_judged_as_they_say() {
    let sources = sources();
    let lines = sources.values().flat_map(|text| text.lines());
    lines.filter_map(Statement::parse).for_each(|statement| statement.check());
}

#[test]
fn every_service_says_what_it_should_be_judged_as() {
    for (name, text) in sources() {
        let promised = text.lines().filter(|line| line.starts_with("//! verdict")).count();
        let read = text.lines().filter_map(Statement::parse).count();
        assert_eq!(promised, read, "{name}: a verdict that cannot be read");
        let is_service = text.contains("#[global_allocator]");
        assert_eq!(is_service, read > 0, "{name}: a service without a verdict, or the reverse");
    }
}
