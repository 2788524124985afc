//! How a program ended, in words, and whether it was asked to.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::sys::signal::Signal;

/// Who ended the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndedBy {
    /// It ended by itself.
    Itself,
    /// We asked it to.
    Us,
}

/// The end of a program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) status: ExitStatus,
    pub(crate) ended_by: EndedBy,
}

impl Ending {
    /// Whether it failed, rather than end as it should or as it was asked to.
    pub(crate) fn is_crash(self) -> bool {
        match self.ended_by {
            EndedBy::Itself => !self.status.success(),
            EndedBy::Us => {
                self.status.core_dumped() || self.status.signal() == Some(Signal::SIGKILL as i32)
            }
        }
    }

    /// `ended with exit status 3`, `was ended by SIGSEGV (core dumped)`, …
    pub(crate) fn in_words(self) -> String {
        let core = if self.status.core_dumped() { " (core dumped)" } else { "" };
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("ended with exit status {code}"),
            (None, Some(signal)) => format!("was ended by {}{core}", signal_name(signal)),
            (None, None) => "ended".to_owned(),
        }
    }
}

fn signal_name(number: i32) -> String {
    Signal::try_from(number)
        .map_or_else(|_| format!("signal {number}"), |signal| signal.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_words() {
        let check = |raw: i32, ended_by: EndedBy, is_crash: bool, words: &str| {
            let ending = Ending { status: ExitStatus::from_raw(raw), ended_by };
            assert_eq!((ending.is_crash(), ending.in_words().as_str()), (is_crash, words));
        };
        check(0, EndedBy::Itself, false, "ended with exit status 0");
        check(3 << 8, EndedBy::Itself, true, "ended with exit status 3");
        check(15, EndedBy::Itself, true, "was ended by SIGTERM");
        check(15, EndedBy::Us, false, "was ended by SIGTERM");
        check(9, EndedBy::Us, true, "was ended by SIGKILL");
        check(11 | 0x80, EndedBy::Us, true, "was ended by SIGSEGV (core dumped)");
    }
}
