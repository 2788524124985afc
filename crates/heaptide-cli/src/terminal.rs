//! What is known of the terminal: its width, and whether somebody sits in front of it.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};
use terminal_size::{Width, terminal_size_of};

/// In a file or a CI log there is no terminal to ask; a hundred columns fit both.
const WIDTH_ELSEWHERE: u16 = 100;

/// Columns of standard output; 100 where it is no terminal.
pub(crate) fn width() -> usize {
    let width =
        terminal_size_of(io::stdout()).map_or(WIDTH_ELSEWHERE, |(Width(columns), _)| columns);
    usize::from(width)
}

/// A bar of `length` steps on standard error; hidden where nobody watches.
pub(crate) fn progress(length: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("  {bar:24} {msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style.progress_chars("━╸ "))
}
