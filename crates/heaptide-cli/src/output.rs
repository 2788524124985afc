//! What goes to standard output: reports in the format asked for, whole or not at all.

use std::io::{self, ErrorKind, IsTerminal, Write};

use anyhow::Context;
use heaptide_analyze::{Outcome, Report};
use heaptide_report::{
    Colour, Escaped, Terminal, View, github, gitlab, human, json, junit, markdown, sarif, tap,
};

use crate::args::Format;
use crate::exit::{Exit, in_words};
use crate::terminal;

/// Our reader, as far as it can be known.
pub(crate) fn view() -> View {
    let wants_colour = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
    View {
        width: terminal::width(),
        colour: if wants_colour { Colour::Ansi } else { Colour::Plain },
        ..plain_view()
    }
}

/// A reader of whom nothing is known, but that files below this directory are at hand.
pub(crate) fn plain_view() -> View {
    View { root: std::env::current_dir().unwrap_or_default(), ..View::default() }
}

/// Our reader before a table: where no terminal is to be fitted, names stay whole for other tools.
pub(crate) fn view_of_table() -> View {
    let width = if io::stdout().is_terminal() { terminal::width() } else { usize::MAX };
    View { width, ..view() }
}

/// Writes a report and says how to exit.
pub(crate) fn report(report: &Report, format: Format) -> anyhow::Result<Exit> {
    let view = view();
    let text = match format {
        Format::Human => human::write(report, &view),
        Format::Json => json::write(report),
        Format::Markdown => markdown::write(report, &view),
        Format::Sarif => sarif::write(report, &view),
        Format::Junit => junit::write(report, &view),
        Format::Github => github::write(report, &view),
        Format::Gitlab => gitlab::write(report, &view),
        Format::Tap => tap::write(report, &view),
    };
    result_out(&text, exit(report.outcome))
}

/// Writes a result that the exit code tells too. Nobody may have seen it, and a verdict is what it is;
/// but one that finds nothing and was not told is an error.
pub(crate) fn result_out(text: &str, exit: Exit) -> anyhow::Result<Exit> {
    match (text_out(text), exit) {
        (Err(cause), Exit::Clean) => Err(cause),
        (Err(cause), exit) => {
            text_err(&in_words(&cause));
            Ok(exit)
        }
        (Ok(()), exit) => Ok(exit),
    }
}

/// Writes text to standard output.
pub(crate) fn text_out(text: &str) -> anyhow::Result<()> {
    bytes_out(text.as_bytes())
}

/// Writes to standard output. A reader that went away has seen enough: that is no error, and what is
/// left to do is done all the same.
pub(crate) fn bytes_out(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(cause) if cause.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write the output"),
    }
}

/// Writes help that was asked for, as the terminal shows it.
pub(crate) fn help_out(help: &clap::builder::StyledStr) -> anyhow::Result<()> {
    match view().colour {
        Colour::Ansi => text_out(&help.ansi().to_string()),
        Colour::Plain => text_out(&help.to_string()),
    }
}

/// Writes text to standard error. Where that is full or closed nobody reads it, and that is no
/// reason to lose a recording or a verdict.
pub(crate) fn text_err(text: &Escaped<Terminal>) {
    document_err(text);
}

/// The same of a whole output that `heaptide-report` wrote by its own rules.
pub(crate) fn document_err(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// Writes notes about the input to standard error, one a line.
pub(crate) fn warn(notes: impl IntoIterator<Item = impl std::fmt::Display>) {
    for note in notes {
        text_err(&Escaped::fill("warning: {}\n", [Escaped::text(&note.to_string())]));
    }
}

/// One line of progress on standard error.
pub(crate) fn tell(text: &str) {
    text_err(&Escaped::fill("heaptide: {}\n", [Escaped::text(text)]));
}

pub(crate) fn exit(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Clean | Outcome::Passes => Exit::Clean,
        Outcome::Growth => Exit::Growth,
        Outcome::Error => Exit::Failed,
        Outcome::Inconclusive => Exit::Inconclusive,
    }
}
