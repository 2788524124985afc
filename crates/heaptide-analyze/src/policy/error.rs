//! What is wrong with a policy file, and where.

use std::fmt;

use super::source::Place;

/// One mistake in `heaptide.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

impl PolicyError {
    pub(super) fn new(text: &str, error: &toml::de::Error) -> Self {
        let Place { line, column } = Place::of(text, error.span().map_or(0, |span| span.start));
        let message = error.message().to_owned();
        Self { line, column, suggestion: suggest(&message), message }
    }
}

/// Of ``unknown field `a`, expected one of `b`, `c` `` the name that is most like `a`.
fn suggest(message: &str) -> Option<String> {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let unknown = message.starts_with("unknown ");
    let (met, known) = quoted.split_first().filter(|_| unknown)?;
    let likeness = |name: &str| strsim::jaro_winkler(met, name);
    let best = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) > 0.7).then(|| (*best).to_owned())
}

/// `3:1: …`, to be put behind the file's name and a colon.
impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        match &self.suggestion {
            Some(name) => write!(f, "; did you mean `{name}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PolicyError {}
