//! The thread that reads and judges.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::args::{JudgingOptions, Top};
use crate::judging::Judge;
use crate::watch::short_copy::ShortCopies;

use super::source::{Followed, Paths, Source};
use super::state::{Reading, State};

/// A recording is looked at this often, and not read again before four times as long as it last took.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const REST: u32 = 4;

/// What the thread sends.
#[derive(Debug)]
pub(super) struct Reader(Receiver<Result<Reading, String>>);

impl Reader {
    /// Starts it.
    ///
    /// # Errors
    /// The policy cannot be read.
    pub(super) fn start(source: Source, args: &Top) -> anyhow::Result<Self> {
        let options = JudgingOptions {
            config: args.config.clone(),
            symbol_path: args.symbol_path.clone(),
            work: args.work.clone(),
            ..JudgingOptions::default()
        };
        // Read once here, where an error can be told.
        Judge::new(&options)?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || read(&source, &options, &sender));
        Ok(Self(receiver))
    }

    /// Hands over what was read last; whether there was anything new.
    pub(super) fn bring_up_to_date(&self, state: &mut State) -> bool {
        let Some(newest) = self.0.try_iter().last() else { return false };
        match newest {
            Ok(reading) => state.take(reading),
            Err(cause) => state.say(cause),
        }
        true
    }
}

fn read(source: &Source, options: &JudgingOptions, sender: &Sender<Result<Reading, String>>) {
    let Ok(judge) = Judge::new(options) else { return };
    let mut copies = ShortCopies::default();
    let mut followed = Followed::new(source);
    loop {
        let mut rest = LOOK_EVERY;
        if let Some(paths) = followed.changed() {
            let from = Instant::now();
            let read = match paths {
                Paths::Directory(dir) => judge.judge_and_view(&[dir]),
                Paths::Segments(files) => copies.judge(&judge, "recording", &files),
            };
            let reading = read.map(|(report, views)| Reading { report, views });
            // Nobody listens when the screen is gone.
            if sender.send(reading.map_err(|cause| format!("{cause:#}"))).is_err() {
                return;
            }
            rest = rest.max(from.elapsed() * REST);
        }
        thread::sleep(rest);
    }
}
