//! What was found of one executable or recording, and how it is said.
//!
//! Programs, counters and libraries are named as a recording or an executable names them, so what is said
//! goes through the gate.

use heaptide_report::{Escaped, Terminal};

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

    /// A line for each sentence.
    pub(super) fn in_words(&self) -> Escaped<Terminal> {
        let mut words = Escaped::fill("{}\n", [Escaped::text(&self.subject)]);
        for spoils in &self.spoils {
            words.push(&Escaped::fill("  spoils a verdict: {}\n", [Escaped::text(spoils)]));
        }
        for note in &self.notes {
            words.push(&Escaped::fill("  good to know: {}\n", [Escaped::text(note)]));
        }
        if self.spoils.is_empty() {
            words.push_markup("  nothing was found that spoils a verdict\n");
        }
        words
    }
}
