//! Every page on a screen of 80 by 24 against a golden file; `UPDATE=1` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use heaptide_format::{Account, Name, Parts, PartsSource, SiteId};
use heaptide_synthetic::{Born, Process, rows};
use ratatui::Terminal;
use ratatui::backend::{Backend, CrosstermBackend, TestBackend};
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent};

use super::super::keys;
use super::super::state::{Action, Effect, Reading, State, Tab};
use super::draw;
use crate::judging::Judge;
use crate::payloads::PAYLOADS;

/// A process that leaks, and has a site whose name would do things to a terminal.
fn reading() -> anyhow::Result<Reading> {
    let mut process = Process::of_snapshots(40);
    process.site("shop::session::Sessions::create", |_| vec![Born::for_ever(25).of_bytes(184)]);
    process.site("shop::page::render", |_| vec![Born::living(40, 1).of_bytes(900)]);
    process.site("shop::\u{1b}[31mred\u{202e}", |_| vec![Born::living(1, 1)]);
    read(process)
}

/// The same with this text in place of every name.
fn reading_named(text: &str) -> anyhow::Result<Reading> {
    let mut process = Process::of_snapshots(40);
    process.header.exe = format!("/opt/{text}");
    for point in &mut process.points {
        point.work = [(text.to_owned(), 100 * (point.seq + 1))].into();
    }
    let name = Name { function: text.into(), file: Some(format!("{text}.rs")), line: Some(7) };
    let leak = |_| vec![Born::for_ever(25).of_bytes(184)];
    process.site_with_rows(name, rows(SiteId(1), 40, leak));
    read(process)
}

fn read(mut process: Process) -> anyhow::Result<Reading> {
    for (at, point) in (0..).zip(&mut process.points) {
        let parts = Parts {
            source: PartsSource::Glibc,
            rust_heap_bytes: 40_000 + 5_000 * at,
            other_malloc_bytes: 30_000,
            files_bytes: 2 << 20,
            ..Parts::default()
        };
        let (threads, descriptors) = (4, Some(9 + at));
        let account = Account { threads, descriptors, parts: Some(parts), ..Account::default() };
        point.account = Some(account);
        point.rss_bytes = (3 << 20) + 5_000 * at;
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("shop.jsonl");
    fs::write(&file, process.recording())?;
    let (report, views) = Judge::by_default().with_own_crate("shop").judge_and_view(&[file])?;
    Ok(Reading { report, views })
}

fn state() -> anyhow::Result<State> {
    let mut state = State::new(false, PathBuf::from("/"));
    state.take(reading()?);
    Ok(state)
}

fn screen(state: &State, width: u16, height: u16) -> anyhow::Result<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height))?;
    terminal.draw(|frame| draw(frame, state))?;
    let buffer = terminal.backend().buffer().clone();
    let row = |row: &[ratatui::buffer::Cell]| {
        row.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned() + "\n"
    };
    Ok(buffer.content.chunks(usize::from(width)).map(row).collect())
}

#[test]
fn every_page_is_as_it_was_approved() -> anyhow::Result<()> {
    let mut state = state()?;
    for tab in Tab::ALL {
        assert_eq!(state.apply(Action::Show(tab)), Effect::Nothing);
        let found = screen(&state, 80, 24)?;
        let name = format!("tests/it/golden/top-{}.txt", tab.title().to_lowercase());
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&golden, &found)?;
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        assert!(found == expected, "{} differs; UPDATE=1 accepts it:\n{found}", tab.title());
    }
    Ok(())
}

/// A window can have any size while it is dragged, and there may be nothing to show.
#[test]
fn no_screen_is_too_small() -> anyhow::Result<()> {
    let mut state = state()?;
    let empty = State::new(true, PathBuf::new());
    for (width, height) in [(1, 1), (2, 3), (10, 4), (39, 9), (300, 100)] {
        for tab in Tab::ALL {
            state.apply(Action::Show(tab));
            screen(&state, width, height)?;
        }
        screen(&empty, width, height)?;
    }
    Ok(())
}

/// What a terminal does besides printing: none of it by a name, whatever the page.
#[test]
fn nothing_of_a_recording_gets_through_to_the_terminal() -> anyhow::Result<()> {
    for (what, payload) in PAYLOADS {
        let mut state = State::new(true, PathBuf::from("/"));
        state.take(reading_named(payload)?);
        for tab in Tab::ALL {
            state.apply(Action::Show(tab));
            let found = commands(&state)?;
            assert!(found.is_empty(), "{what} in {}: {found:?}", tab.title());
            let shown = screen(&state, 120, 24)?;
            let hidden = shown.chars().find(|c| c.is_control() && *c != '\n' || is_invisible(*c));
            assert_eq!(hidden, None, "{what} in {}: {shown}", tab.title());
        }
    }
    Ok(())
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}')
}

/// What is sent to the terminal but characters, colours and where they go, as a parser of others sees it.
fn commands(state: &State) -> anyhow::Result<Vec<String>> {
    #[derive(Default)]
    struct Commands(Vec<String>);
    impl anstyle_parse::Perform for Commands {
        fn execute(&mut self, byte: u8) {
            self.0.push(format!("control {byte}"));
        }
        fn hook(&mut self, _: &anstyle_parse::Params, _: &[u8], _: bool, _: u8) {
            self.0.push("DCS".to_owned());
        }
        fn osc_dispatch(&mut self, _: &[&[u8]], _: bool) {
            self.0.push("OSC".to_owned());
        }
        fn csi_dispatch(&mut self, _: &anstyle_parse::Params, _: &[u8], _: bool, action: u8) {
            if !matches!(action, b'm' | b'H') {
                self.0.push(format!("CSI {}", char::from(action)));
            }
        }
        fn esc_dispatch(&mut self, _: &[u8], _: bool, _: u8) {
            self.0.push("ESC".to_owned());
        }
    }
    let mut drawn = Terminal::new(TestBackend::new(120, 24))?;
    drawn.draw(|frame| draw(frame, state))?;
    let buffer = drawn.backend().buffer();
    let mut sent = Vec::new();
    CrosstermBackend::new(&mut sent).draw(Buffer::empty(buffer.area).diff(buffer).into_iter())?;
    let mut found = Commands::default();
    let mut parser = anstyle_parse::Parser::<anstyle_parse::Utf8Parser>::new();
    sent.iter().for_each(|byte| parser.advance(&mut found, *byte));
    Ok(found.0)
}

fn press(state: &mut State, keys: &str) {
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            other => KeyCode::Char(other),
        };
        state.apply(keys::action(KeyEvent::from(code), state.is_typing()));
    }
}

#[test]
fn keys_search_sort_and_pause() -> anyhow::Result<()> {
    let mut state = state()?;
    press(&mut state, "2/page\n");
    assert_eq!(state.sites().len(), 1);
    press(&mut state, "\u{1b}");
    assert!(state.sites().len() > 1);
    assert_eq!(state.sites()[0].0.subject.blamed.function, "shop::session::Sessions::create");
    let (first, last) = state.window();
    press(&mut state, "]]{");
    assert_eq!(state.window(), (first + 2, last - 1));
    // While it is paused, what is shown stays.
    press(&mut state, "p");
    let mut newer = reading()?;
    newer.report.runs.clear();
    state.take(newer);
    assert!(state.run().is_some());
    press(&mut state, "p");
    assert!(state.run().is_none());
    assert_eq!(state.apply(keys::action(KeyEvent::from(KeyCode::Char('q')), false)), Effect::Quit);
    Ok(())
}
