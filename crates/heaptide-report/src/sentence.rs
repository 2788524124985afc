//! Evidence in sentences: what was excluded, and what would change the verdict.
//!
//! Every output that speaks to people takes its sentences from here, so they all say the same.

use heaptide_analyze::finding::{Gate, Ruling};
use heaptide_analyze::verdict::{Condition, Excluded};

use crate::number::{count, duration, objects, plural, significant};

/// Why the growth is not something harmless.
pub(crate) fn excluded(excluded: &Excluded) -> String {
    match *excluded {
        Excluded::Cache { freed: 0, seen } => {
            format!("not a cache: nothing old is replaced (0 of {} freed)", objects(seen))
        }
        Excluded::Cache { freed, seen } => {
            let (freed, seen) = (count(freed), objects(seen));
            format!("not a cache: hardly anything old is replaced ({freed} of {seen} freed)")
        }
        Excluded::Load { age_ns, objects: n } => {
            let (n, age) = (objects(n), duration(age_ns));
            format!("not load: {n} outlived everything in flight (older than {age})")
        }
        Excluded::WarmUp { pace } => {
            format!("not warm-up: the rate did not slow down ({}x)", significant(pace))
        }
        Excluded::OneOff { slots, of } => {
            format!("not a one-off: survivors were born in {slots} of {of} epochs")
        }
        Excluded::Chance { ups, of, e_value } => {
            let e_value = significant(e_value);
            format!(
                "not chance: the old population rose in {ups} of {of} steps (by chance \
                 less than once in {e_value} runs)"
            )
        }
        Excluded::Settled { steps, steady_steps, exponent } => {
            let times = plural(steps as u64, "time", "times");
            let in_step = match steady_steps {
                0 => String::new(),
                all if all == steps => ", each time when it was due".to_owned(),
                1 => ", the last time when it was due".to_owned(),
                last => format!(", the last {last} times when it was due"),
            };
            let growth = twice_the_work(exponent);
            format!("not large enough yet: it grew {times}{in_step} ({growth} the bytes)")
        }
        Excluded::Peak { load_exponent, .. } => {
            let growth = twice_the_work(load_exponent);
            format!(
                "not sized for its load: it grew on, and the load hardly ({growth} the peak load)"
            )
        }
    }
}

/// A power of the work as people count: `twice the work, 1.9 times`.
fn twice_the_work(exponent: f64) -> String {
    format!("twice the work, {} times", significant((exponent.exp2() * 100.0).round() / 100.0))
}

/// What would have to be true of the program for the verdict to change.
pub(crate) fn condition(condition: &Condition) -> Option<String> {
    Some(match *condition {
        Condition::MaxLifetime { longer_than_ns } => {
            let age = duration(longer_than_ns);
            format!("they are meant to live longer than {age} (set max_lifetime)")
        }
        Condition::Bound { above_objects } => {
            format!("there is a bound above {} (allow it in heaptide.toml)", objects(above_objects))
        }
        // Those are matters of the run.
        Condition::Flush { .. } | Condition::FromStart { .. } | Condition::Snapshots { .. } => {
            return None;
        }
    })
}

/// What a ruling does to the result, in a word.
pub(crate) fn gate(gate: Gate) -> &'static str {
    match gate {
        Gate::Fail => "fails",
        Gate::Undecided => "undecided",
        Gate::Warn => "warns",
        Gate::Pass => "passes",
    }
}

/// `fails: over the budget of 0 objects/op`
pub(crate) fn ruling(ruling: &Ruling) -> String {
    format!("{}: {}", gate(ruling.gate), ruling.because)
}
