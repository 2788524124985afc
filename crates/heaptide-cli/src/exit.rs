//! Exit codes: decided here and nowhere else.

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use heaptide_report::{Escaped, Terminal};

const ERROR: Style = AnsiColor::Red.on_default().bold();

/// How the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// No growth over budget, or there was nothing to judge.
    Clean,
    /// Growth over budget.
    Growth,
    /// Something spoils verdicts: see `heaptide doctor`.
    Spoiled,
    /// What was asked could not be done.
    Failed,
    /// Too little was seen to judge.
    Inconclusive,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Growth | Self::Spoiled => 1,
            Self::Failed => 2,
            Self::Inconclusive => 3,
        }
    }
}

impl Exit {
    /// The meaning of another process's exit code, if it was this command.
    pub(crate) fn from_code(code: i32) -> Self {
        match code {
            0 => Self::Clean,
            1 => Self::Growth,
            3 => Self::Inconclusive,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error with its causes, one a line; further lines of one are set in like another.
pub(crate) fn in_words(cause: &anyhow::Error) -> Escaped<Terminal> {
    let causes: Vec<String> = cause.chain().map(ToString::to_string).collect();
    let lines = causes.iter().flat_map(|cause| cause.lines()).map(Escaped::text);
    let word = Escaped::text("error:").painted(ERROR);
    Escaped::fill("{} {}\n", [word, Escaped::join(lines, "\n  ")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_means_the_same_wherever_it_comes_from() {
        let all = [Exit::Clean, Exit::Growth, Exit::Failed, Exit::Inconclusive];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3]);
        assert_eq!([0, 1, 2, 3].map(Exit::from_code), all);
        // No verdict: a panic, a shell that did not find the program, a signal.
        assert_eq!([101, 127, 137, -1].map(Exit::from_code), [Exit::Failed; 4]);
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        let cause = anyhow::anyhow!("disk full").context("cannot write a").context("gave up");
        let plain = anstream::adapter::strip_str(&in_words(&cause)).to_string();
        assert_eq!(plain, "error: gave up\n  cannot write a\n  disk full\n");
    }
}
