//! How often a function is called: until it is clear that it keeps nothing, or that it does.

use std::time::Duration;

use crate::levels::{Levels, SiteLevels};
use crate::rule::{ObjectGrowth, grows_on_schedule, rises};

/// Calls that are never held against a function: it makes its statics, fills its pools.
pub(crate) const WARM_UP: usize = 8;
/// As long as call sites come up that were not there before, the warm-up goes on, up to this many calls.
const LONGEST_WARM_UP: usize = 64;
/// After this many calls beyond the warm-up a function passes that keeps nothing.
const LEAST_TO_PASS: usize = 24;
/// Before this many calls beyond the warm-up nothing is called a leak: a pool or a cache may be filling.
const LEAST_TO_FAIL: usize = 40;
/// Where something is kept, a leak in one call of fifty has shown eight times by now, which is proof.
pub(crate) const MOST_CALLS: usize = 600;
/// A function that does not keep more and more is not called again after this time, if it was called
/// often enough to pass: it is slow, and a rare leak in it is looked for only if that is asked.
const LONGEST_LOOK: Duration = Duration::from_secs(2);

/// How often to call, and which calls count.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    warm_up: usize,
    most_calls: usize,
    /// Asked for in so many words: time does not end it.
    is_asked_for: bool,
    /// What grew was allowed when it was last judged: not before this many calls again.
    judge_from: usize,
}

/// What comes after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another.
    Again,
    /// Something grows: it is to be named, and may be allowed.
    Judge,
    /// Nothing is kept for good, or nothing that is known to grow.
    Pass,
}

impl Course {
    /// `most_calls` is `None` for the default.
    pub(crate) fn new(warm_up: usize, most_calls: Option<usize>) -> Self {
        let least = warm_up + LEAST_TO_FAIL;
        let (is_asked_for, most) = (most_calls.is_some(), most_calls.unwrap_or(MOST_CALLS));
        Self { warm_up, most_calls: most.max(least), is_asked_for, judge_from: 0 }
    }

    /// Calls that are not held against the function.
    pub(crate) fn warm_up(&self) -> usize {
        self.warm_up
    }

    /// What comes after the last call.
    pub(crate) fn next(&mut self, levels: &Levels) -> Next {
        let calls = levels.calls();
        if calls == self.warm_up {
            self.extend_warm_up(levels);
        }
        let counted = calls.saturating_sub(self.warm_up);
        if counted < LEAST_TO_PASS {
            return Next::Again;
        }
        let is_last = self.is_over(levels);
        if !levels.sites().any(|site| self.rises(site)) {
            // What a rare leak has left behind may be from the warm-up, and looks like a static.
            let is_clear = levels.sites().all(|site| site.objects(calls) <= 0);
            let is_slow = !self.is_asked_for && levels.elapsed() >= LONGEST_LOOK;
            return match is_last || is_clear && !self.is_asked_for || is_slow {
                true => Next::Pass,
                false => Next::Again,
            };
        }
        let may_judge = counted >= LEAST_TO_FAIL && (calls >= self.judge_from || is_last);
        match is_last {
            _ if may_judge && levels.sites().any(|site| self.leaks(site, is_last)) => Next::Judge,
            true => Next::Pass,
            false => Next::Again,
        }
    }

    /// Whether there are no more calls.
    pub(crate) fn is_over(&self, levels: &Levels) -> bool {
        levels.calls() >= self.most_calls
    }

    /// What grew is allowed to: look again when there were twice as many calls.
    pub(crate) fn go_on(&mut self, levels: &Levels) -> Next {
        self.judge_from = 2 * levels.calls();
        if self.is_over(levels) { Next::Pass } else { Next::Again }
    }

    /// Whether more is kept at a site than after the warm-up.
    pub(crate) fn rises(&self, site: &SiteLevels) -> bool {
        rises(&site.objects_from(self.warm_up)) || rises(&site.bytes_from(self.warm_up))
    }

    /// Whether a site is known to leak. Whether a container does is known at the end only: up to then it
    /// may be growing to its size.
    fn leaks(&self, site: &SiteLevels, is_last: bool) -> bool {
        ObjectGrowth::of(&site.objects_from(self.warm_up)).is_proven()
            || is_last && grows_on_schedule(&site.bytes_from(0))
    }

    fn extend_warm_up(&mut self, levels: &Levels) {
        let doubled = 2 * self.warm_up;
        if levels.last_new_site() > self.warm_up / 2 && doubled <= LONGEST_WARM_UP {
            self.warm_up = doubled;
            self.most_calls = self.most_calls.max(doubled + LEAST_TO_FAIL);
        }
    }
}
