//! Two builds: what is found is new or worse, and nothing else.

use std::sync::Arc;

use heaptide_analyze::axis::{Axis, Settings};
use heaptide_analyze::compare::{Before, ComparedFunction};
use heaptide_analyze::finding::Change;
use heaptide_analyze::identity::{NamedFrame, Origin};
use heaptide_analyze::policy::{Date, Policy};
use heaptide_analyze::{Criteria, Outcome, Report, Run, Site, judge_runs};

use crate::sites::{site, timeline};

/// Functions and how many blocks of 64 bytes they keep per hundred requests.
type Build<'a> = &'a [(&'a str, u64)];

const SNAPSHOTS: u32 = 40;

/// The same build at another pace: as many requests and blocks per snapshot times this.
fn report(build: Build<'_>, pace: u64, snapshots: u32, before: Option<&Before>) -> Report {
    let mut timeline = timeline(snapshots);
    for point in &mut timeline.points {
        point.work.values_mut().for_each(|n| *n *= pace);
    }
    let axis = Arc::new(Axis::new(&timeline, &Settings::default()));
    // `shop::cart@2` is another call site in `shop::cart`.
    let to_site = |&(name, kept): &(&str, u64)| {
        let mut site = site(&axis, name, Origin::Workspace, |_| kept * pace);
        site.subject.path = name.split('@').next().unwrap_or(name).to_owned();
        let function = site.subject.path.clone();
        site.subject.blamed = NamedFrame { function, ..(*site.subject.blamed).clone() }.into();
        site.subject.id = name.to_owned();
        site
    };
    let sites: Vec<Site> = build.iter().map(to_site).collect();
    let runs = [Run { timeline: &timeline, axis: &axis, sites: &sites }];
    let policy = Policy::default();
    judge_runs(&runs, &Criteria { policy: &policy, baseline: None, before, today: Date::default() })
}

/// `+` new, `^` worse, each with the path of its site.
fn found(report: &Report) -> Vec<String> {
    let sites = report.findings().flat_map(|finding| &finding.sites);
    let mark = |change: &Option<Change>| match change {
        Some(Change::New { .. }) => '+',
        Some(Change::Worse { .. }) => '^',
        None => '?',
    };
    sites.map(|site| format!("{}{}", mark(&site.change), site.subject.id)).collect()
}

fn paths(known: &[ComparedFunction]) -> Vec<&str> {
    known.iter().map(|known| known.path.as_str()).collect()
}

const BEFORE: Build<'_> =
    &[("shop::cart", 10), ("shop::journal", 40), ("shop::user", 20), ("shop::start", 0)];
/// What of it grows.
const SAME: &[&str] = &["shop::journal", "shop::user", "shop::cart"];

/// A build, and what it makes of the one before.
struct Case<'a> {
    name: &'a str,
    after: Build<'a>,
    found: &'a [&'a str],
    as_before: &'a [&'a str],
    improved: &'a [&'a str],
    gone: &'a [&'a str],
}

const CASES: &[Case<'_>] = &[
    Case { name: "the same", after: BEFORE, found: &[], as_before: SAME, improved: &[], gone: &[] },
    Case {
        name: "one is worse, one a little",
        after: &[("shop::cart", 20), ("shop::journal", 44), ("shop::user", 20)],
        found: &["^shop::cart"],
        as_before: &["shop::journal", "shop::user"],
        improved: &[],
        gone: &[],
    },
    Case {
        name: "new, better and gone",
        after: &[("shop::start", 4), ("shop::cart", 2), ("shop::journal", 0), ("shop::user", 20)],
        found: &["+shop::start"],
        as_before: &["shop::user"],
        improved: &["shop::cart"],
        gone: &["shop::journal"],
    },
    Case {
        name: "ranked by what is more",
        after: &[("shop::cart", 30), ("shop::journal", 55), ("shop::user", 20), ("shop::new", 17)],
        found: &["^shop::cart", "+shop::new", "^shop::journal"],
        as_before: &["shop::user"],
        improved: &[],
        gone: &[],
    },
    Case {
        name: "another caller has taken its place",
        after: &[("shop::cart@2", 10), ("shop::journal", 40), ("shop::user", 20)],
        found: &[],
        as_before: SAME,
        improved: &[],
        gone: &[],
    },
    Case {
        name: "another site in a function that leaks already",
        after: &[
            ("shop::cart", 10),
            ("shop::cart@2", 9),
            ("shop::journal", 40),
            ("shop::user", 20),
        ],
        found: &["+shop::cart@2"],
        as_before: &["shop::journal", "shop::user"],
        improved: &[],
        gone: &[],
    },
];

#[test]
fn only_new_and_worse_growth_is_found() {
    for case in CASES {
        // Ten times the traffic is no growth per request.
        for pace in [1, 10] {
            let before = Before::of(&report(BEFORE, 1, SNAPSHOTS, None).runs);
            let report = report(case.after, pace, SNAPSHOTS, Some(&before));
            let comparison = report.comparison.as_ref().unwrap();
            assert_eq!(found(&report), case.found, "{}, {pace}", case.name);
            assert_eq!(paths(&comparison.as_before), case.as_before, "{}, {pace}", case.name);
            assert_eq!(paths(&comparison.improved), case.improved, "{}, {pace}", case.name);
            assert_eq!(paths(&comparison.gone), case.gone, "{}, {pace}", case.name);
            let outcome = match (case.found, case.as_before) {
                ([], []) => Outcome::Clean,
                ([], _) => Outcome::Passes,
                _ => Outcome::Growth,
            };
            assert_eq!(report.outcome, outcome, "{}", case.name);
        }
    }
}

#[test]
fn what_cannot_be_compared_is_said() {
    let leaky: Build<'_> = &[("shop::cart", 10)];
    let short = Before::of(&report(leaky, 1, 8, None).runs);
    let after = report(&[("shop::cart", 10), ("shop::user", 9)], 1, SNAPSHOTS, Some(&short));
    assert_eq!(after.outcome, Outcome::Inconclusive);
    assert_eq!(
        after.undecided[0],
        "the build before: 8 snapshots are too few to judge; it takes 20, at this pace 1m 40s"
    );
    let before = Before::of(&report(leaky, 1, SNAPSHOTS, None).runs);
    let foreign = report(&[("mill::grind", 9)], 1, SNAPSHOTS, Some(&before));
    assert_eq!(foreign.outcome, Outcome::Error);
    assert!(foreign.errors[0].starts_with("no call site occurs in both"), "{:?}", foreign.errors);
    let after = report(leaky, 1, 8, Some(&before));
    assert_eq!(after.outcome, Outcome::Inconclusive, "the build after is too short");
}
