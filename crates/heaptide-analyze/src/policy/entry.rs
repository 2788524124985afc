//! Entries of a policy that speak of certain sites: exceptions and lifetimes.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, de};
use toml::Spanned;
use wildmatch::WildMatch;

use super::limit::Limit;
use super::value::duration_ns;
use crate::finding::Finding;
use crate::identity::plain;
use crate::site::Subject;

/// Names sites: by their path, in which `*` is any text and `?` any character, or by their id.
///
/// A path may stand as a report, a backtrace or a debugger prints it, with generic arguments and
/// closures: `shop::save::{{closure}}` is `shop::save`.
#[derive(Clone, Debug)]
pub struct Pattern {
    as_written: WildMatch,
    plain: WildMatch,
}

/// A date, written as a TOML date or in quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(pub Date);

/// Growth that is known and accepted for now.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// Which sites.
    pub site: Spanned<Pattern>,
    /// How much is allowed; absent: any growth.
    pub limit: Option<Limit>,
    /// Why.
    pub reason: Option<String>,
    /// Where it is tracked.
    pub issue: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The last day on which it holds.
    pub expires: Option<Spanned<Day>>,
}

/// How long the blocks of some sites may rightly live.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifetime {
    /// Which sites.
    pub site: Spanned<Pattern>,
    /// How long.
    #[serde(rename = "max", deserialize_with = "nanoseconds")]
    pub max_ns: u64,
    /// Why.
    pub reason: Option<String>,
}

impl Pattern {
    /// Whether it names this site.
    pub(crate) fn matches(&self, subject: &Subject) -> bool {
        self.is_of(&subject.path, &subject.id)
    }

    /// Whether it names this finding, by what a report calls it.
    pub fn names(&self, finding: &Finding) -> bool {
        self.is_of(finding.blamed.plain(), &finding.id)
    }

    fn is_of(&self, path: &str, id: &str) -> bool {
        self.as_written.matches(path) || self.plain.matches(path) || self.as_written == id
    }
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        Self { as_written: WildMatch::new(text), plain: WildMatch::new(&plain(text)) }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_written.fmt(f)
    }
}

impl Allow {
    /// An entry that stands in no file: what matches `pattern` may grow to `limit`.
    pub fn up_to(pattern: &str, limit: Limit) -> Self {
        Self {
            site: Spanned::new(0..0, Pattern::from(pattern)),
            limit: Some(limit),
            reason: None,
            issue: None,
            owner: None,
            expires: None,
        }
    }

    /// Whether it has not expired.
    pub(crate) fn holds(&self, today: Date) -> bool {
        self.expires.as_ref().is_none_or(|expires| today <= expires.get_ref().0)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.trim().is_empty() {
            true => Err(de::Error::custom("the pattern is empty: it would never match")),
            false => Ok(Self::from(text.as_str())),
        }
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = toml::Value::deserialize(deserializer)?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let parsed = text.parse().map(Self);
        parsed.map_err(|_| de::Error::custom(format!("`{text}` is not a date such as 2027-01-31")))
    }
}

fn nanoseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    duration_ns(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}
