//! `heaptide demo`: the outage replayed and found, then the repaired service passing.

use std::any::type_name_of_val;
use std::env;
use std::fs;
use std::io::{IsTerminal, stderr};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use heaptide_analyze::verdict::Class;
use heaptide_analyze::{Outcome, Report};
use heaptide_report::{View, human};
use indicatif::HumanBytes;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::{sleep, timeout};

use crate::args::Demo;
use crate::demo::service::Reaper;
use crate::demo::shop::Sessions;
use crate::demo::shoppers::{Requests, Shoppers};
use crate::exit::Exit;
use crate::judging::Judge;
use crate::output::{self, text_out};
use crate::terminal;
use crate::watch::live::LiveRecording;
use crate::watch::program::{Output, Program, Start};
use crate::watch::recordings::OutDir;
use crate::watch::tail::Tail;
use crate::watch::unrecorded::{exe_of, no_recording};

/// With [`SNAPSHOTS`] of them a run takes 14 seconds, which a newcomer will wait.
const INTERVAL: Duration = Duration::from_millis(300);
/// Enough that the repaired shop is called clean and not merely undecided.
const SNAPSHOTS: u64 = 46;
/// The shop is there within a second; a machine that is busy building takes longer.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Twice what the snapshots take.
const RUN_TIMEOUT: Duration = Duration::from_secs(28);
/// What the shop takes to stop gently: one request and the last snapshot.
const GRACE: Duration = Duration::from_secs(5);
const INDENT: &str = "   ";
/// Often enough that a person sees the count go up.
const LOOK_EVERY: Duration = Duration::from_millis(100);

const FOUND: &str = "
The leak was found, and the repaired shop passes. In CI the first would have
failed the build (exit 1) and the second would have passed (exit 0).
Next: `heaptide init` in your own project.
";

pub(crate) fn run(args: &Demo) -> anyhow::Result<Exit> {
    let dir = DemoDir::open(args.out.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    text_out(
        "An outage, replayed: a web shop goes live in which nobody removes abandoned\n\
         sessions. Eight shoppers visit it over loopback, and Heaptide records every\n\
         allocation by call site.\n\n\
         1. As it went live\n",
    )?;
    let leaky = runtime.block_on(dir.record_and_judge("leaky", Reaper::Disabled))?;
    show(&leaky)?;
    text_out("\n2. Repaired: a reaper removes sessions that nobody has touched for a while\n")?;
    let fixed = runtime.block_on(dir.record_and_judge("fixed", Reaper::Running))?;
    show(&fixed)?;
    match missed(&leaky, &fixed) {
        None => {
            text_out(FOUND)?;
            Ok(Exit::Clean)
        }
        Some(reason) => {
            let said = format!("\nThe demo did not go as it should: {reason}\n");
            output::result_out(&said, Exit::Growth)
        }
    }
}

fn show(report: &Report) -> anyhow::Result<()> {
    let view = output::view();
    let width = view.width.saturating_sub(INDENT.len());
    let page = human::write(report, &View { width, ..view });
    let indent =
        |line: &str| if line.is_empty() { "\n".into() } else { format!("{INDENT}{line}\n") };
    text_out(&page.lines().map(indent).collect::<String>())
}

/// What is not as it should be.
fn missed(leaky: &Report, fixed: &Report) -> Option<String> {
    let guilty = type_name_of_val(&Sessions::create);
    let Some(first) = leaky.findings().find(|finding| finding.class == Class::Leak) else {
        return Some("no leak was found in the leaking shop".into());
    };
    if first.blamed.function != guilty {
        return Some(format!("{} was blamed instead of {guilty}", first.blamed.function));
    }
    if first.blamed.file.is_none() || first.blamed.line.is_none() {
        return Some("the leak has no file and line: was this program built without them?".into());
    }
    if leaky.outcome != Outcome::Growth {
        return Some("the leaking shop did not fail".into());
    }
    (fixed.outcome != Outcome::Clean).then(|| "the repaired shop did not pass".into())
}

/// Where the recordings go.
#[derive(Debug)]
struct DemoDir {
    dir: PathBuf,
    kept: bool,
}

impl DemoDir {
    fn open(kept: Option<&Path>) -> anyhow::Result<Self> {
        let elsewhere = || env::temp_dir().join(format!("heaptide-demo-{}", std::process::id()));
        let dir = kept.map_or_else(elsewhere, Path::to_owned);
        fs::create_dir_all(&dir).with_context(|| format!("cannot write to {}", dir.display()))?;
        Ok(Self { dir, kept: kept.is_some() })
    }

    /// Runs the shop under load until there are enough snapshots, and judges what it recorded.
    async fn record_and_judge(&self, name: &str, reaper: Reaper) -> anyhow::Result<Report> {
        let out = OutDir::open(&self.dir.join(name))?;
        let exe = env::current_exe().context("cannot find this program's own file")?;
        let mut command = vec![exe.to_string_lossy().into_owned(), "demo-shop".to_owned()];
        command.extend((reaper == Reaper::Disabled).then(|| "--no-reaper".to_owned()));
        let start =
            Start { out: out.path(), interval: INTERVAL, output: Output::Piped, grace: GRACE };
        let mut shop = Program::start(&command, &start)?;
        let address = address(&mut shop).await?;
        let mut shoppers = Shoppers::visit(address);
        let requests = shoppers.requests();
        tokio::select! {
            watched = timeout(RUN_TIMEOUT, watch(&shop, &requests)) => match watched {
                Ok(watched) => watched?,
                Err(_) => bail!("the shop took too few snapshots in {RUN_TIMEOUT:?}"),
            },
            cause = shoppers.failed() => return Err(cause).context("the shop failed its shoppers"),
        }
        shop.stop().await?;
        drop(shoppers);
        let recordings = out.recordings_of(shop.pid())?;
        if recordings.judged.is_empty() {
            bail!("the shop recorded nothing; {}", no_recording(exe_of(shop.pid()).as_deref()));
        }
        let judge = Judge::by_default().with_own_crate(env!("CARGO_CRATE_NAME"));
        judge.name_and_judge(&recordings.paths())
    }
}

impl Drop for DemoDir {
    fn drop(&mut self) {
        if !self.kept {
            // What stays behind is in the directory for such things.
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// The shop says its address on its first line.
async fn address(shop: &mut Program) -> anyhow::Result<SocketAddr> {
    let output = shop.output().context("the shop has no output")?;
    let mut line = String::new();
    let mut lines = BufReader::new(output);
    timeout(START_TIMEOUT, lines.read_line(&mut line))
        .await
        .context("the shop did not start")??;
    line.trim().parse().with_context(|| format!("the shop did not start: it said {line:?}"))
}

/// Shows how far the recording has come, until it is long enough.
async fn watch(shop: &Program, requests: &Requests) -> anyhow::Result<()> {
    let recording = LiveRecording::of(shop.pid().cast_signed())?;
    let mut tail = Tail::from_start(&recording.segment.path)?;
    let bar = terminal::progress(SNAPSHOTS);
    let mut live_bytes = 0;
    let mut n_snapshots = 0;
    while n_snapshots < SNAPSHOTS {
        for snapshot in tail.read()? {
            n_snapshots += 1;
            live_bytes = snapshot.live_bytes;
        }
        bar.set_position(n_snapshots);
        let live = HumanBytes(live_bytes);
        bar.set_message(format!(
            "{n_snapshots} snapshots, {} requests, {live} live",
            requests.answered()
        ));
        sleep(LOOK_EVERY).await;
    }
    bar.finish_and_clear();
    if !stderr().is_terminal() {
        text_out(&format!("   {n_snapshots} snapshots, {} requests\n", requests.answered()))?;
    }
    Ok(())
}
