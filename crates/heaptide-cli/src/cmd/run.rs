//! `heaptide run -- CMD`: start, wait until ready, load, stop gently, name, judge.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::Context;
use heaptide_analyze::verdict::Rule;
use nix::sys::signal::Signal;
use tokio::time::sleep;

use crate::args::{Inconclusive, Run};
use crate::ci_job;
use crate::exit::Exit;
use crate::judging::Judge;
use crate::output::tell;
use crate::watch::decision::{Decision, InterimVerdict, Next};
use crate::watch::ending::{EndedBy, Ending};
use crate::watch::guardian::{Guardian, guard};
use crate::watch::interrupts::Interrupts;
use crate::watch::judge_thread::{JudgeThread, judge_while};
use crate::watch::load::{Load, LoadGroup};
use crate::watch::process_tree::{End, Process, ProcessTree, describe};
use crate::watch::program::{Output, Program, Start};
use crate::watch::ready;
use crate::watch::recordings::{OutDir, RunRecordings};
use crate::watch::unrecorded::{exe_of, no_recording, no_snapshot};

/// How many snapshots the default interval aims at: a leak is called after 20, and one that begins
/// late needs as many again.
const SNAPSHOTS: u32 = 48;
/// The default interval is no shorter, so that taking snapshots stays a small share of the run.
const SHORTEST: Duration = Duration::from_millis(250);
/// The default interval is no longer, so that a run that is stopped early has something to judge.
const LONGEST: Duration = Duration::from_secs(5);
/// A program execs within milliseconds of its start, if it does; a look is one system call.
const LOOK_FOR_EXEC_EVERY: Duration = Duration::from_millis(100);
/// A run takes seconds at least: a judgement each second is soon enough.
const LEAST_BETWEEN_JUDGEMENTS: Duration = Duration::from_secs(1);
/// A judgement reads the whole recording: so many times as long as it took nothing is judged, for
/// the program needs the machine.
const IDLE_PER_JUDGEMENT: u32 = 9;

/// Runs twice: as the guardian that was called, and below it as the process that watches.
pub(crate) fn run(args: &Run, argv: &[OsString]) -> anyhow::Result<Exit> {
    if let Some(pid) = args.guardian {
        return watch_and_judge(args, Guardian::watch_over_us(pid)?);
    }
    // Before the subcommand stand the program and, if Cargo called it, its own name for us.
    let typed = argv.iter().skip(1).skip_while(|word| *word != "run").skip(1);
    guard(typed.cloned(), args.grace)
}

fn watch_and_judge(args: &Run, guardian: Guardian) -> anyhow::Result<Exit> {
    if std::env::var_os("HEAPTIDE_MODE").is_some_and(|mode| mode == "off") {
        anyhow::bail!("HEAPTIDE_MODE=off is set, so nothing would be recorded: unset it");
    }
    // Mistakes in the policy are found before the program is started.
    let judge = Judge::new(&args.judging)?;
    let out = OutDir::open(&args.out)?;
    let watched = judge_while(&judge, |judge_thread| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(watch(args, &out, &judge_thread))
    })?;
    if guardian.is_gone() {
        anyhow::bail!("the process that started this run was killed: the program was ended too");
    }
    let recordings = out.recordings_of(watched.pid)?;
    let name = &args.program[0];
    let how = watched.ending.in_words();
    if recordings.judged.is_empty() {
        anyhow::bail!("{name} {how}; {}", no_recording(watched.exe.as_deref()));
    }
    tell_what_is_missing(&recordings, &watched);
    watched.exe.iter().for_each(|exe| judge.trusts(exe));
    let report = judge.name_and_judge(&recordings.paths())?;
    let exit = ci_job::report(&report, &args.judging)?;
    if watched.ending.is_crash() {
        tell(&format!("{name} {how}; what it recorded until then was judged"));
    }
    let worsened = worsened(exit, &watched, args.judging.inconclusive);
    if worsened != exit {
        let code = worsened.code();
        tell(&format!("the run did not go as planned: it does not count as clean (exit {code})"));
    } else if exit == Exit::Clean && report.runs.iter().all(|run| run.work.is_empty()) {
        tell(
            "no work was counted: a service that was asked nothing looks clean too; \
             call `heaptide::work(\"requests\", 1)` where work is done",
        );
    }
    if report.runs.iter().any(|run| run.slots < Rule::default().least_slots) {
        let interval = humantime::format_duration(interval(args));
        tell(&format!("more snapshots: run longer, or with a shorter --interval than {interval}"));
    }
    Ok(worsened)
}

fn tell_what_is_missing(recordings: &RunRecordings, watched: &Watched) {
    for segment in &recordings.empty {
        tell(&no_snapshot(&segment.header, watched.exe.as_deref(), &watched.left));
    }
    for segment in &recordings.too_short {
        tell(&format!("left out {}: too short to judge", segment.path.display()));
    }
}

/// A clean verdict on a run that did not go as planned is not clean.
fn worsened(exit: Exit, watched: &Watched, inconclusive: Option<Inconclusive>) -> Exit {
    match exit {
        Exit::Clean if watched.load == LoadEnd::Failed => Exit::Failed,
        Exit::Clean if watched.ending.is_crash() && inconclusive != Some(Inconclusive::Pass) => {
            Exit::Inconclusive
        }
        exit => exit,
    }
}

/// How a run went.
#[derive(Debug)]
struct Watched {
    pid: u32,
    /// What it ran when it was seen last.
    exe: Option<PathBuf>,
    /// What it left behind.
    left: Vec<Process>,
    ending: Ending,
    load: LoadEnd,
}

/// How the load went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LoadEnd {
    /// To its end, or to where it was stopped.
    Done,
    /// The load command failed.
    Failed,
}

/// Why watching stops.
enum Stop {
    Ended(std::io::Result<ExitStatus>),
    Interrupted(Signal),
    Loaded(anyhow::Result<LoadEnd>),
}

/// Runs the program to its end, and ends what it left behind.
async fn watch(args: &Run, out: &OutDir, judge_thread: &JudgeThread) -> anyhow::Result<Watched> {
    let tree = ProcessTree::adopt()?;
    let load = LoadGroup::default();
    let watched = watch_program(args, out, judge_thread, &tree, &load).await;
    let mut ended = tree.end(args.grace).await;
    let left = ended.iter().map(|(process, _)| process.clone()).collect();
    // The load is stopped when the program is; that is worth a word only where it would not stop.
    ended.retain(|(process, end)| *end != End::Asked || !load.holds(process));
    describe(&ended).iter().for_each(|line| tell(line));
    Ok(Watched { left, ..watched? })
}

async fn watch_program(
    args: &Run,
    out: &OutDir,
    judge_thread: &JudgeThread,
    tree: &ProcessTree,
    load: &LoadGroup,
) -> anyhow::Result<Watched> {
    let mut interrupts = Interrupts::listen()?;
    let interval = interval(args);
    let start = Start { out: out.path(), interval, output: Output::PassedOn, grace: args.grace };
    let mut program = Program::start(&args.program, &start)?;
    let pid = program.pid();
    tree.started(pid);
    let shown = humantime::format_duration(interval);
    tell(&format!("{} (pid {pid}), a snapshot every {shown}", args.program[0]));
    let exe = RefCell::new(exe_of(pid));
    let stop = tokio::select! {
        status = program.wait() => Stop::Ended(status),
        signal = interrupts.next() => Stop::Interrupted(signal),
        loaded = load_phase(args, out, pid, judge_thread, (tree, load)) => Stop::Loaded(loaded),
        never = tree.reap_orphans() => match never {},
        never = follow_exec(pid, &exe) => match never {},
    };
    let (status, ended_by, load) = match stop {
        Stop::Ended(status) => (status?, EndedBy::Itself, Ok(LoadEnd::Done)),
        Stop::Interrupted(signal) => {
            tell(&format!("{signal}: ending the program"));
            (program.interrupt(signal).await?, EndedBy::Us, Ok(LoadEnd::Done))
        }
        Stop::Loaded(load) => (program.stop().await?, EndedBy::Us, load),
    };
    let (ending, exe) = (Ending { status, ended_by }, exe.into_inner());
    Ok(Watched { pid, exe, left: Vec::new(), ending, load: load? })
}

/// Notes what a process runs, until it ends.
async fn follow_exec(pid: u32, exe: &RefCell<Option<PathBuf>>) -> Infallible {
    loop {
        sleep(LOOK_FOR_EXEC_EVERY).await;
        if let Some(now) = exe_of(pid) {
            exe.replace(Some(now));
        }
    }
}

/// Waits until the program is ready, then until it need not run any longer.
async fn load_phase(
    args: &Run,
    out: &OutDir,
    pid: u32,
    judge_thread: &JudgeThread,
    (tree, load): (&ProcessTree, &LoadGroup),
) -> anyhow::Result<LoadEnd> {
    ready::wait(out, pid, &args.ready, args.ready_timeout).await?;
    tell("it is ready and records");
    tokio::select! {
        end = drive(args.load.as_deref(), tree, load) => end,
        () = run_out(args.stop_after) => Ok(LoadEnd::Done),
        decided = decided(args, out, judge_thread) => decided.map(|()| LoadEnd::Done),
    }
}

async fn drive(
    command: Option<&str>,
    tree: &ProcessTree,
    group: &LoadGroup,
) -> anyhow::Result<LoadEnd> {
    let Some(command) = command else { return std::future::pending().await };
    let mut load = Load::start(command, group)?;
    load.pid().into_iter().for_each(|pid| tree.started(pid));
    let status = load.wait().await.context("cannot wait for --load")?;
    if status.success() {
        tell("the load is done");
        return Ok(LoadEnd::Done);
    }
    let how = Ending { status, ended_by: EndedBy::Itself }.in_words();
    tell(&format!("the load command {how}"));
    Ok(LoadEnd::Failed)
}

async fn run_out(stop_after: Option<Duration>) {
    match stop_after {
        Some(time) => sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Judges again and again until two judgements in a row settle it.
async fn decided(args: &Run, out: &OutDir, judge_thread: &JudgeThread) -> anyhow::Result<()> {
    if !args.until_decided {
        return std::future::pending().await;
    }
    let mut decision = Decision::default();
    let mut pause = LEAST_BETWEEN_JUDGEMENTS.max(interval(args) * 4);
    loop {
        sleep(pause).await;
        let mut recordings: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for segment in out.new_segments(0)? {
            recordings.entry(segment.header.recording).or_default().push(segment.path);
        }
        let asked = Instant::now();
        let judged = judge_thread.judge(recordings).await;
        pause = pause.max(asked.elapsed() * IDLE_PER_JUDGEMENT);
        // A recording that cannot be read yet is read the next time.
        let Ok(report) = judged else { continue };
        match decision.after(InterimVerdict::of(&report)) {
            Next::Stop(outcome) => {
                tell(&format!("it is decided: {outcome}"));
                return Ok(());
            }
            Next::Say(what) => tell(&what),
            Next::GoOn => {}
        }
    }
}

fn interval(args: &Run) -> Duration {
    let by_length = args.stop_after.map(|time| (time / SNAPSHOTS).clamp(SHORTEST, LONGEST));
    let interval = args.interval.or(by_length).unwrap_or(SHORTEST);
    // Whole milliseconds, as they are handed on.
    Duration::from_millis(u64::try_from(interval.as_millis()).unwrap_or(u64::MAX))
}
