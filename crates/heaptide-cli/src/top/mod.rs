//! `heaptide top`: a recording that grows, in the terminal.
//!
//! One thread reads and judges, as often as the recording changes and no more than it can; another draws
//! what was read last and answers keys. What is drawn is a pure function of what was read and of where
//! the reader is in it, so it is tested without a terminal.

mod keys;
mod reader;
mod screen;
mod source;
mod state;

use std::io::{self, IsTerminal};
use std::time::Duration;

use anyhow::ensure;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use crate::args::Top;
use crate::exit::Exit;
use reader::Reader;
use source::Source;
use state::{Effect, State};

/// How long a key or a new reading waits to be shown at most.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Shows a recording until its reader has seen enough.
///
/// # Errors
/// There is no terminal, or nothing that records.
pub(crate) fn run(args: &Top) -> anyhow::Result<Exit> {
    let source = Source::find(&args.what)?;
    ensure!(
        io::stdout().is_terminal() && io::stdin().is_terminal(),
        "heaptide top needs a terminal; `heaptide check` says once what is found, and exits"
    );
    let reader = Reader::start(source.clone(), args)?;
    let state = State::new(!asks_for_no_colour(), std::env::current_dir().unwrap_or_default());
    let mut terminal = ratatui::try_init()?;
    let shown = show(&mut terminal, &reader, &source, state);
    ratatui::try_restore()?;
    shown.map(|()| Exit::Clean)
}

/// Whether the environment asks for no colour.
fn asks_for_no_colour() -> bool {
    anstream::AutoStream::choice(&io::stdout()) == anstream::ColorChoice::Never
}

fn show(
    terminal: &mut DefaultTerminal,
    reader: &Reader,
    source: &Source,
    mut state: State,
) -> anyhow::Result<()> {
    let mut is_stale = true;
    loop {
        is_stale |= reader.bring_up_to_date(&mut state);
        if is_stale {
            terminal.draw(|frame| screen::draw(frame, &state))?;
            is_stale = false;
        }
        if !event::poll(LOOK_EVERY)? {
            continue;
        }
        is_stale = true;
        let Event::Key(key) = event::read()? else { continue };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        match state.apply(keys::action(key, state.is_typing())) {
            Effect::Nothing => {}
            Effect::Quit => return Ok(()),
            Effect::Snapshot => state.say(match source.snapshot() {
                Ok(seq) => format!("snapshot {seq} is on disk"),
                Err(cause) => format!("no snapshot: {cause:#}"),
            }),
        }
    }
}
