//! Text for the Test Anything Protocol.

use super::document::json;
use super::escaped::{Escaped, Rules};
use super::terminal::Terminal;

/// A `#` would begin a directive, and a line end a test point. The output is a log, too.
#[derive(Debug)]
pub(crate) enum Tap {}

impl Rules for Tap {
    fn escape(text: &str) -> String {
        Terminal::escape(text).replace('\\', "\\\\").replace('#', "\\#")
    }
}

impl Escaped<Tap> {
    /// A value of the diagnostics: JSON on one line is YAML.
    pub(crate) fn value(value: &serde_json::Value) -> Self {
        Self::of(json(&value.to_string()))
    }
}
