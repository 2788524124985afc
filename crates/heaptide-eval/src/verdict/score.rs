//! Right and wrong answers, counted.

use super::shapes::Label;

/// Results of one rule over some site-runs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Score {
    pub(super) leaks: u32,
    pub(super) found: u32,
    pub(super) healthy: u32,
    pub(super) alarms: u32,
}

impl Score {
    pub(super) fn count(&mut self, label: Label, flagged: bool) {
        let (all, hits) = match label {
            Label::Leak => (&mut self.leaks, &mut self.found),
            Label::Healthy => (&mut self.healthy, &mut self.alarms),
        };
        *all += 1;
        *hits += u32::from(flagged);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.leaks += other.leaks;
        self.found += other.found;
        self.healthy += other.healthy;
        self.alarms += other.alarms;
    }

    pub(super) fn recall(&self) -> f64 {
        f64::from(self.found) / f64::from(self.leaks.max(1))
    }

    pub(super) fn false_alarms(&self) -> f64 {
        f64::from(self.alarms) / f64::from(self.healthy.max(1))
    }
}

/// How often the site that leaks is the first of those that a rule names.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ranks {
    pub(super) leaks: u32,
    pub(super) first: u32,
}

impl Ranks {
    pub(super) fn count(&mut self, is_first: bool) {
        self.leaks += 1;
        self.first += u32::from(is_first);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.leaks += other.leaks;
        self.first += other.first;
    }

    pub(super) fn share(&self) -> f64 {
        f64::from(self.first) / f64::from(self.leaks.max(1))
    }
}
