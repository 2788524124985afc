//! What each key asks for.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::state::{Action, Edge, Tab};

/// What a key asks for; while a search is typed, letters are letters.
pub(super) fn action(key: KeyEvent, is_typing: bool) -> Action {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Action::Quit,
            _ => Action::Nothing,
        };
    }
    if is_typing {
        return match key.code {
            KeyCode::Char(letter) => Action::Type(letter),
            KeyCode::Backspace => Action::Erase,
            KeyCode::Enter => Action::EndSearch,
            KeyCode::Esc => Action::DropSearch,
            _ => Action::Nothing,
        };
    }
    match key.code {
        KeyCode::Char('q') => Action::Quit,
        KeyCode::Esc => Action::DropSearch,
        KeyCode::Char('?' | 'h') => Action::Help,
        KeyCode::Char('/') => Action::Search,
        KeyCode::Char('p' | ' ') => Action::Pause,
        KeyCode::Char('s') => Action::Sort,
        KeyCode::Char('m') => Action::Measure,
        KeyCode::Char('t') => Action::Snapshot,
        KeyCode::Char('r') => Action::NextRun,
        KeyCode::Char('[') => Action::Move(Edge::A, -1),
        KeyCode::Char(']') => Action::Move(Edge::A, 1),
        KeyCode::Char('{') => Action::Move(Edge::B, -1),
        KeyCode::Char('}') => Action::Move(Edge::B, 1),
        KeyCode::Tab | KeyCode::Right => Action::NextTab,
        KeyCode::BackTab | KeyCode::Left => Action::PreviousTab,
        KeyCode::Up | KeyCode::Char('k') => Action::Scroll(-1),
        KeyCode::Down | KeyCode::Char('j') => Action::Scroll(1),
        KeyCode::PageUp => Action::Scroll(-10),
        KeyCode::PageDown => Action::Scroll(10),
        KeyCode::Home => Action::Scroll(i64::MIN),
        KeyCode::End => Action::Scroll(i64::MAX),
        KeyCode::Char(digit @ '1'..='6') => {
            Action::Show(Tab::ALL[digit.to_digit(10).map_or(0, |n| n as usize - 1)])
        }
        _ => Action::Nothing,
    }
}
