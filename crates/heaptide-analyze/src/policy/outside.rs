//! What the policy makes of growth outside the recorded heap.

use super::limit::{Growth, Limit};
use super::schema::{LimitedPart, Outside, Policy};
use crate::finding::{Gate, Ruling};
use crate::process::{PartClass, PartName, Process};
use crate::run_report::Pace;
use crate::verdict::Rate;

fn limited(name: PartName) -> Option<LimitedPart> {
    match name {
        PartName::OtherMalloc => Some(LimitedPart::OtherMalloc),
        PartName::AllocatorFree => Some(LimitedPart::AllocatorFree),
        PartName::ThreadStacks => Some(LimitedPart::ThreadStacks),
        PartName::Anonymous => Some(LimitedPart::Anonymous),
        PartName::Files => Some(LimitedPart::Files),
        PartName::Swap => Some(LimitedPart::Swap),
        PartName::RustHeap | PartName::Shim => None,
    }
}

impl Policy {
    /// Rules on each part of a process that grows or has a budget.
    pub(crate) fn rule_on_parts(&self, process: &mut Process, pace: &Pace) {
        for part in &mut process.parts {
            let limit = limited(part.name).and_then(|name| self.part_limit(name));
            let rate = part.rate();
            let growth = Growth { rate: &rate, pace, live_objects: 0, live_bytes: part.last_bytes };
            part.ruling = self.part_ruling(part.class, limit, growth);
        }
        let threads = process.threads.iter_mut().map(|it| (LimitedPart::Threads, it));
        let descriptors = process.descriptors.iter_mut().map(|it| (LimitedPart::Descriptors, it));
        for (name, count) in threads.chain(descriptors) {
            let rate: Rate = count.rate();
            // A number stands in a limit with the word for it or without.
            let (live_objects, live_bytes) = (count.last, count.last);
            let growth = Growth { rate: &rate, pace, live_objects, live_bytes };
            count.ruling = self.part_ruling(count.class, self.part_limit(name), growth);
        }
    }

    fn part_limit(&self, name: LimitedPart) -> Option<&Limit> {
        self.budget.parts.get(&name).map(toml::Spanned::get_ref)
    }

    fn part_ruling(
        &self,
        class: PartClass,
        limit: Option<&Limit>,
        growth: Growth<'_>,
    ) -> Option<Ruling> {
        let rule = |gate, because: String| Some(Ruling { gate, because });
        let undecided = || rule(Gate::Undecided, "too early to say".into());
        if let Some(limit) = limit {
            return match (limit.admits(growth), class) {
                (true, class) if !class.may_grow() => None,
                (true, _) => rule(Gate::Pass, format!("within the budget of {limit}")),
                (false, PartClass::Suspect) => undecided(),
                (false, _) => rule(Gate::Fail, format!("over the budget of {limit}")),
            };
        }
        match (self.budget.outside, class) {
            (_, class) if !class.may_grow() => None,
            (Outside::Ignore, _) => {
                rule(Gate::Pass, "outside the recorded heap, which the policy ignores".into())
            }
            (Outside::Warn, _) => rule(Gate::Warn, "outside the recorded heap".into()),
            (Outside::Fail, PartClass::Suspect) => undecided(),
            (Outside::Fail, _) => {
                rule(Gate::Fail, "nothing may grow outside the recorded heap".into())
            }
        }
    }
}
