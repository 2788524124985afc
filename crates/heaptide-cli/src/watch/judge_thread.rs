//! Judgements of a program that still runs: asked for on one thread, made on another.
//!
//! What was read of executables cannot go from thread to thread, and reading it takes longer than
//! the rest of a judgement. So one thread makes all judgements, the last one included, and the
//! program is watched from another.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::thread;

use anyhow::Context;
use heaptide_analyze::Report;
use tokio::sync::oneshot;

use super::short_copy::ShortCopies;
use crate::judging::Judge;

/// Asks the thread that judges.
#[derive(Clone, Debug)]
pub(crate) struct JudgeThread(Sender<Request>);

#[derive(Debug)]
struct Request {
    recordings: BTreeMap<String, Vec<PathBuf>>,
    reply: oneshot::Sender<anyhow::Result<Report>>,
}

impl JudgeThread {
    /// Judges what was recorded so far: by recording, its segments. Of long ones only what is new is read.
    pub(crate) async fn judge(
        &self,
        recordings: BTreeMap<String, Vec<PathBuf>>,
    ) -> anyhow::Result<Report> {
        let (reply, report) = oneshot::channel();
        self.0.send(Request { recordings, reply }).context("nobody judges any more")?;
        report.await.context("nobody judges any more")?
    }
}

/// Watches on a new thread, and makes the judgements that it asks for on this one.
pub(crate) fn judge_while<T: Send>(
    judge: &Judge,
    watch: impl FnOnce(JudgeThread) -> anyhow::Result<T> + Send,
) -> anyhow::Result<T> {
    let (sender, requests) = mpsc::channel::<Request>();
    thread::scope(|scope| {
        let watching = thread::Builder::new()
            .name("watch".into())
            .spawn_scoped(scope, || watch(JudgeThread(sender)))
            .context("cannot start a thread")?;
        let mut copies = ShortCopies::default();
        for Request { recordings, reply } in requests {
            // Who asked may be gone: the program has ended meanwhile.
            let _ = reply.send(copies.judge_so_far(judge, &recordings));
        }
        watching.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
