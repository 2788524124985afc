//! What was found of one executable or recording, and how it is said.

use std::fmt::Write;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Diagnosis {
    /// Of what.
    subject: String,
    /// What spoils a verdict, and what to do: sentences without their full stop.
    spoils: Vec<String>,
    /// What is good to know.
    notes: Vec<String>,
}

impl Diagnosis {
    pub(super) fn of(subject: String) -> Self {
        Self { subject, ..Self::default() }
    }

    pub(super) fn spoil(&mut self, sentence: impl Into<String>) {
        self.spoils.push(sentence.into());
    }

    pub(super) fn note(&mut self, sentence: impl Into<String>) {
        self.notes.push(sentence.into());
    }

    pub(super) fn spoils(&self) -> bool {
        !self.spoils.is_empty()
    }

    pub(super) fn in_words(&self) -> String {
        let mut words = format!("{}\n", self.subject);
        // Writing to a string cannot fail.
        let _ = self.spoils.iter().try_for_each(|it| writeln!(words, "  spoils a verdict: {it}"));
        let _ = self.notes.iter().try_for_each(|it| writeln!(words, "  good to know: {it}"));
        if self.spoils.is_empty() {
            words += "  nothing was found that spoils a verdict\n";
        }
        words
    }
}
