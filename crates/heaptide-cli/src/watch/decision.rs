//! When a run has been watched for long enough.
//!
//! The evidence may be looked at as often as one likes, but the gates of the rule are judged anew
//! each time; so it takes two judgements in a row that agree.

use heaptide_analyze::finding::Gate;
use heaptide_analyze::{Outcome, Report};

/// A clean run is not believed before it has this many slots: a leak may start late.
const LEAST_CLEAN_SLOTS: usize = 40;

/// What one judgement of a run that goes on comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InterimVerdict {
    /// More snapshots would hardly change it.
    Settled(&'static str),
    /// It takes about so many more snapshots.
    Open { what: String, more: u32 },
}

/// What follows from a judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is decided.
    Stop(&'static str),
    /// Something worth saying to those who wait.
    Say(String),
    /// Nothing new.
    GoOn,
}

/// What the judgements so far have come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decision {
    last: Option<InterimVerdict>,
    said: Option<(String, u32)>,
}

impl InterimVerdict {
    /// Of a report on the run so far.
    pub(crate) fn of(report: &Report) -> Self {
        let slots = report.runs.iter().map(|run| run.slots).min().unwrap_or(0);
        let missing = u32::try_from(LEAST_CLEAN_SLOTS.saturating_sub(slots)).unwrap_or(u32::MAX);
        let open = |finding: &&_| finding_is_open(finding);
        match report.outcome {
            Outcome::Growth => Self::Settled("growth over budget"),
            Outcome::Error => Self::Settled("it cannot be judged as asked"),
            Outcome::Clean if missing == 0 => Self::Settled("clean"),
            Outcome::Passes if missing == 0 && report.undecided.is_empty() => {
                Self::Settled("what grows is accepted")
            }
            Outcome::Clean | Outcome::Passes | Outcome::Inconclusive => {
                match report.findings().find(open) {
                    Some(finding) => Self::Open {
                        what: finding.blamed.function.clone(),
                        more: finding.lead().verdict.needs_snapshots.unwrap_or(missing),
                    },
                    None => Self::Open { what: "a clean result".into(), more: missing },
                }
            }
        }
    }
}

fn finding_is_open(finding: &heaptide_analyze::finding::Finding) -> bool {
    finding.ruling.gate == Gate::Undecided
}

impl Decision {
    /// Takes note of one more judgement.
    pub(crate) fn after(&mut self, verdict: InterimVerdict) -> Next {
        let before = self.last.replace(verdict.clone());
        match verdict {
            InterimVerdict::Settled(outcome) if before == self.last => Next::Stop(outcome),
            InterimVerdict::Settled(_) => Next::GoOn,
            InterimVerdict::Open { what, more } => {
                let is_news = |(said, then): &(String, u32)| *said != what || more <= then / 2;
                if !self.said.as_ref().is_none_or(is_news) {
                    return Next::GoOn;
                }
                let text = match more {
                    0 => format!("undecided: {what} needs a longer run"),
                    1 => format!("undecided: {what} needs about 1 more snapshot"),
                    more => format!("undecided: {what} needs about {more} more snapshots"),
                };
                self.said = Some((what, more));
                Next::Say(text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(what: &str, more: u32) -> InterimVerdict {
        InterimVerdict::Open { what: what.into(), more }
    }

    #[test]
    fn it_takes_two_judgements_that_agree() {
        let leaks = || InterimVerdict::Settled("growth over budget");
        let clean = || InterimVerdict::Settled("clean");
        let cases: &[(&[InterimVerdict], Option<usize>)] = &[
            (&[leaks()], None),
            (&[leaks(), leaks()], Some(1)),
            (&[leaks(), clean()], None),
            (&[leaks(), open("a", 9), leaks()], None),
            (&[clean(), leaks(), leaks()], Some(2)),
            (&[open("a", 9), open("a", 9), clean(), clean(), clean()], Some(3)),
        ];
        for (verdicts, stops) in cases {
            let mut decision = Decision::default();
            let nexts = verdicts.iter().map(|verdict| decision.after(verdict.clone()));
            let stopped = nexts.into_iter().position(|next| matches!(next, Next::Stop(_)));
            assert_eq!(stopped, *stops, "{verdicts:?}");
        }
    }

    #[test]
    fn what_is_missing_is_said_when_it_has_changed() {
        let mut decision = Decision::default();
        let mut said = |what, more| matches!(decision.after(open(what, more)), Next::Say(_));
        assert!(said("a", 20));
        assert!(!said("a", 16));
        assert!(said("a", 10));
        assert!(!said("a", 6));
        assert!(said("b", 6));
        assert!(said("b", 1));
        let next = Decision::default().after(open("shop::create", 1));
        assert_eq!(next, Next::Say("undecided: shop::create needs about 1 more snapshot".into()));
    }
}
