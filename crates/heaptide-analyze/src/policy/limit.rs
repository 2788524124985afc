//! Budgets as people write them: `"0 objects/op"`, `"1 KiB/req, 10 MiB/h"`, `"64 objects"`.

use std::fmt;
use std::str::FromStr;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use crate::run_report::Pace;
use crate::verdict::{Evidence, Rate, unit_of};

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
enum Amount {
    Objects(f64),
    Bytes(f64),
}

/// Per what.
#[derive(Clone, Debug, PartialEq, Serialize)]
enum Per {
    /// Per unit of work, whatever it is called.
    Op,
    /// Per unit of the work that is called so.
    Work(String),
    /// Per this many seconds.
    Seconds(f64),
    /// Alive at the end of the run.
    Run,
}

/// A shorter beginning of a counter's name could be anything: `h` is an hour, and `hr` is a slip.
const LEAST_ABBREVIATION: usize = 3;

/// One or more bounds, all of which hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Limit {
    text: String,
    bounds: Vec<(Amount, Per)>,
}

/// What is held against a limit.
#[derive(Clone, Copy, Debug)]
pub struct Growth<'a> {
    /// Growth per unit of work.
    pub rate: &'a Rate,
    /// Units of work done per hour, by counter.
    pub pace: &'a Pace,
    /// Live blocks at the end.
    pub live_objects: u64,
    /// Live bytes at the end.
    pub live_bytes: u64,
}

impl<'a> Growth<'a> {
    /// Growth at one site.
    pub(crate) fn of_site(rate: &'a Rate, pace: &'a Pace, evidence: &Evidence) -> Self {
        let Evidence { live_objects, live_bytes, .. } = *evidence;
        Self { rate, pace, live_objects, live_bytes }
    }

    /// Growth per unit of the counter that a limit calls so; `None` if this run does not count it.
    fn per(&self, unit: &str) -> Option<Rate> {
        let counter = counter_of(unit, self.pace.keys().map(String::as_str))?;
        Some(self.rate.per(counter, *self.pace.get(counter)?))
    }
}

impl Limit {
    /// At most this many live blocks at the end.
    pub fn objects(objects: u64) -> Self {
        let text = format!("{objects} objects");
        Self { text, bounds: vec![(Amount::Objects(objects as f64), Per::Run)] }
    }

    /// At most this many live bytes at the end.
    pub fn bytes(bytes: u64) -> Self {
        Self { text: format!("{bytes} B"), bounds: vec![(Amount::Bytes(bytes as f64), Per::Run)] }
    }

    /// No growth at all.
    pub(crate) fn zero() -> Self {
        let nothing = [(Amount::Objects(0.0), Per::Op), (Amount::Bytes(0.0), Per::Op)];
        Self { text: "0 objects/op, 0 B/op".into(), bounds: nothing.into() }
    }

    /// A unit of work in it that is none of these counters', or of more than one.
    pub(crate) fn unknown_unit<'a>(
        &self,
        counters: impl Iterator<Item = &'a str> + Clone,
    ) -> Option<&str> {
        let mut units = self.bounds.iter().filter_map(|(_, per)| match per {
            Per::Work(unit) => Some(unit.as_str()),
            Per::Op | Per::Seconds(_) | Per::Run => None,
        });
        units.find(|unit| counter_of(unit, counters.clone()).is_none())
    }

    /// Growth stays within all bounds. Whether it stays within one per a unit that the run does not
    /// count is not known, so it does not.
    pub(crate) fn admits(&self, growth: Growth<'_>) -> bool {
        self.bounds.iter().all(|(amount, per)| {
            let (objects, bytes) = match per {
                Per::Op => (growth.rate.objects_per_op, growth.rate.bytes_per_op),
                Per::Work(unit) => match growth.per(unit) {
                    Some(rate) => (rate.objects_per_op, rate.bytes_per_op),
                    None => return false,
                },
                Per::Seconds(seconds) => {
                    let hours = seconds / 3600.0;
                    (growth.rate.objects_per_hour() * hours, growth.rate.bytes_per_hour() * hours)
                }
                Per::Run => (growth.live_objects as f64, growth.live_bytes as f64),
            };
            match *amount {
                Amount::Objects(most) => objects <= most,
                Amount::Bytes(most) => bytes <= most,
            }
        })
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self::zero()
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Limit> for String {
    fn from(limit: Limit) -> Self {
        limit.text
    }
}

impl TryFrom<String> for Limit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bounds = text.split(',').map(bound).collect::<Result<_, _>>()?;
        Ok(Self { text, bounds })
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.to_owned().try_into()
    }
}

fn bound(text: &str) -> Result<(Amount, Per), String> {
    let (amount_text, per_text) = match text.split_once('/') {
        Some((amount, per)) => (amount.trim(), Some(per.trim())),
        None => (text.trim(), None),
    };
    let amount = amount(amount_text).ok_or_else(|| {
        format!("`{amount_text}` is not an amount: write `0 objects/op`, `1 KiB/op` or `10 MiB/h`")
    })?;
    let per = match per_text {
        None => Per::Run,
        Some("") => return Err(format!("`{}` does not say per what", text.trim())),
        Some("s" | "sec" | "second") => Per::Seconds(1.0),
        Some("m" | "min" | "minute") => Per::Seconds(60.0),
        Some("h" | "hour") => Per::Seconds(3600.0),
        Some("d" | "day") => Per::Seconds(86_400.0),
        Some("op") => Per::Op,
        Some(unit) => Per::Work(unit.to_owned()),
    };
    Ok((amount, per))
}

/// The counter that a limit means by `unit`: the one of this name, else the one whose singular it is,
/// else the only one that begins so. `requests`, `request` and `req` mean `requests`.
fn counter_of<'a>(unit: &str, counters: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let named = counters.clone().find(|counter| *counter == unit);
    let singular = || counters.clone().find(|counter| unit_of(counter) == unit);
    let beginning = || {
        let mut begin = counters.clone().filter(|counter| counter.starts_with(unit));
        let first = begin.next().filter(|_| unit.len() >= LEAST_ABBREVIATION)?;
        begin.next().is_none().then_some(first)
    };
    named.or_else(singular).or_else(beginning)
}

fn amount(text: &str) -> Option<Amount> {
    let counted = ["objects", "object", "obj"].iter().find_map(|unit| text.strip_suffix(unit));
    let amount = match counted {
        Some(count) => Amount::Objects(count.trim().parse().ok()?),
        None => Amount::Bytes(text.parse::<ByteSize>().ok()?.0 as f64),
    };
    let (Amount::Objects(value) | Amount::Bytes(value)) = amount;
    (value.is_finite() && value >= 0.0).then_some(amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `request` meant `request_bytes`, which begins so as well and comes first.
    #[test]
    fn a_unit_means_the_counter_that_is_most_like_it() {
        let counters = ["login_failures", "logins", "request_bytes", "requests", "ticks"];
        for (unit, counter) in [
            ("request", Some("requests")),
            ("requests", Some("requests")),
            ("request_bytes", Some("request_bytes")),
            ("login", Some("logins")),
            ("tic", Some("ticks")),
            ("req", None),
            ("ti", None),
            ("hr", None),
        ] {
            assert_eq!(counter_of(unit, counters.into_iter()), counter, "{unit}");
        }
    }

    /// 900 bytes a second passed for less than a kilobyte a request, in a run that counted none.
    #[test]
    fn growth_per_what_is_not_counted_is_not_within_a_limit() {
        let rate = Rate { work: "seconds".into(), bytes_per_op: 900.0, ..Rate::default() };
        let pace = Pace::from([("seconds".to_owned(), 3600.0)]);
        let growth = Growth { rate: &rate, pace: &pace, live_objects: 0, live_bytes: 0 };
        let limit = |text: &str| text.parse::<Limit>().expect("a limit");
        assert!(limit("1 KiB/op").admits(growth));
        assert!(!limit("1 KiB/request").admits(growth));
    }
}
