//! Evidence in sentences: what was excluded, and what would change the verdict.
//!
//! Every output that speaks to people takes its sentences from here, so they all say the same.

use heaptide_analyze::verdict::{Condition, Excluded};

use crate::number::{count, duration, objects, plural, power, significant};

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
            format!("not chance: the old population rose in {ups} of {of} steps (E = {e_value})")
        }
        Excluded::Settled { steps, steady_steps, exponent } => {
            let (times, power) = (plural(steps as u64, "time", "times"), power(exponent));
            let on_schedule = match steady_steps {
                all if all == steps => "each time".to_owned(),
                last => format!("the last {last}"),
            };
            format!(
                "not large enough yet: it grew {times}, {on_schedule} when due (bytes ~ work^{power})"
            )
        }
        Excluded::Peak { load_exponent, .. } => {
            let power = power(load_exponent);
            format!("not sized for its load: the peak load grew like work^{power} only")
        }
    }
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
        // That is a matter of the run.
        Condition::Snapshots { .. } => return None,
    })
}
