//! Text for a command to GitHub's runner: `::error file=PROPERTY::MESSAGE`.

use super::escaped::{Escaped, Rules, revealed};

/// The message of a command: a line. `%0A` is the program's.
#[derive(Debug)]
pub(crate) enum Message {}

impl Rules for Message {
    fn escape(text: &str) -> String {
        revealed(text).replace('%', "%25")
    }
}

/// The value of a property: neither colon nor comma.
#[derive(Debug)]
pub(crate) enum Property {}

impl Rules for Property {
    fn escape(text: &str) -> String {
        Message::escape(text).replace(':', "%3A").replace(',', "%2C")
    }
}

impl Escaped<Property> {
    /// What may stand in a property may stand in the rest of the command.
    pub(crate) fn into_message(self) -> Escaped<Message> {
        Escaped::of(self.into())
    }
}
