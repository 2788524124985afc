//! The file of accepted growth: what is refused, and what an update leaves alone.

use std::sync::Arc;

use heaptide_analyze::axis::{Axis, Settings};
use heaptide_analyze::baseline::{Baseline, Update};
use heaptide_analyze::identity::Origin;
use heaptide_analyze::policy::{Date, Policy};
use heaptide_analyze::{Criteria, Report, Run, judge_runs};

use crate::sites::{site, timeline};

fn baseline(entries: &[(&str, f64)]) -> Baseline {
    let entry = |(id, bytes_per_op): &(&str, f64)| {
        format!(
            r#""{id}": {{ "path": "shop::f", "class": "leak", "work": "requests",
                "objects_per_op": 1.0, "bytes_per_op": {bytes_per_op:?} }}"#
        )
    };
    let entries: Vec<String> = entries.iter().map(entry).collect();
    let text = format!(r#"{{ "version": 1, "accepted": {{ {} }} }}"#, entries.join(", "));
    Baseline::parse(&text).expect("a baseline")
}

#[test]
fn a_baseline_that_cannot_be_read_says_why() {
    let entry = |change: (&str, &str)| {
        let text = baseline(&[("0000000a", 8.0)]).to_json();
        assert!(text.contains(change.0), "{text}");
        text.replace(change.0, change.1)
    };
    for (text, said) in [
        (String::new(), "EOF while parsing a value at line 1 column 0"),
        ("[]".to_owned(), "invalid length 0"),
        ("{}".to_owned(), "missing field `version`"),
        (entry(("\"version\": 1", "\"version\": 2")), "version 2 is newer than this program knows"),
        (entry(("\"accepted\"", "\"excepted\"")), "unknown field `excepted`"),
        (entry(("\"class\"", "\"clas\"")), "unknown field `clas`"),
        (entry(("\"leak\"", "\"leek\"")), "unknown variant `leek`"),
        (entry(("8.0", "\"8\"")), "invalid type: string"),
    ] {
        let error = Baseline::parse(&text).expect_err(said).to_string();
        assert!(error.starts_with(said), "{error}");
    }
}

#[test]
fn an_update_moves_bounds_only_when_they_are_off() {
    let update = |new, changed, unchanged, dropped| Update { new, changed, unchanged, dropped };
    // What was accepted, what grows today, what an update makes of it, and the bound afterwards.
    for (was, today, expected, bound) in [
        (&[("a", 100.0)][..], &[("a", 100.0)][..], update(0, 0, 1, 0), Some(100.0)),
        (&[("a", 100.0)], &[("a", 125.0)], update(0, 0, 1, 0), Some(100.0)),
        (&[("a", 100.0)], &[("a", 126.0)], update(0, 1, 0, 0), Some(126.0)),
        (&[("a", 100.0)], &[("a", 80.0)], update(0, 0, 1, 0), Some(100.0)),
        (&[("a", 100.0)], &[("a", 79.0)], update(0, 1, 0, 0), Some(79.0)),
        // Less than a byte is nothing, whatever the factor.
        (&[("a", 0.1)], &[("a", 1.0)], update(0, 0, 1, 0), Some(0.1)),
        (&[("a", 0.1)], &[("a", 1.2)], update(0, 1, 0, 0), Some(1.2)),
        (&[], &[("a", 5.0)], update(1, 0, 0, 0), Some(5.0)),
        (&[("a", 5.0)], &[], update(0, 0, 0, 1), None),
        (&[("b", 5.0)], &[("a", 5.0)], update(1, 0, 0, 1), Some(5.0)),
    ] {
        let mut accepted = baseline(was);
        assert_eq!(accepted.update(baseline(today)), expected, "{was:?}, {today:?}");
        let found = accepted.accepted.get("a").map(|accepted| accepted.bytes_per_op);
        assert_eq!(found, bound, "{was:?}, {today:?}");
    }
}

#[test]
fn another_class_or_unit_is_another_bound() {
    for (from, to) in [
        ("\"leak\"", "\"suspect\""),
        ("\"requests\"", "\"logins\""),
        ("\"shop::f\"", "\"shop::g\""),
    ] {
        let text = baseline(&[("a", 100.0)]).to_json().replace(from, to);
        let today = Baseline::parse(&text).expect("a baseline");
        let mut accepted = baseline(&[("a", 100.0)]);
        assert_eq!(accepted.update(today.clone()).changed, 1, "{to}");
        assert_eq!(accepted, today, "{to}");
    }
}

#[test]
fn the_file_is_sorted_and_ends_in_a_line_feed() {
    let text = baseline(&[("b", 2.0), ("a", 1.0)]).to_json();
    let at = |id: &str| text.find(&format!("\"{id}\"")).expect("it is there");
    assert!(at("a") < at("b"), "{text}");
    assert!(text.ends_with("}\n"), "{text}");
    assert_eq!(Baseline::parse(&text).map(|read| read.to_json()), Ok(text));
}

/// A run in which the site `a` keeps a kilobyte per request, held against a baseline.
fn held_against(baseline: &Baseline) -> Report {
    let timeline = timeline(40);
    let axis = Arc::new(Axis::new(&timeline, &Settings::default()));
    let mut site = site(&axis, "shop::f", Origin::Workspace, |_| 1600);
    site.subject.id = "a".into();
    let sites = [site];
    let runs = [Run { timeline: &timeline, axis: &axis, sites: &sites }];
    let (policy, baseline) = (Policy::default(), Some(baseline));
    judge_runs(&runs, &Criteria { policy: &policy, baseline, before: None, today: Date::default() })
}

#[test]
fn entries_that_match_nothing_are_told_up_to_five() {
    let entries: Vec<String> = (0..9).map(|n| format!("gone-{n}")).collect();
    for (n_gone, n_told, besides) in [
        (0, 0, None),
        (1, 1, None),
        (5, 5, None),
        (6, 5, Some("baseline entries that match no site besides these: 1")),
        (9, 5, Some("baseline entries that match no site besides these: 4")),
    ] {
        let gone = entries[..n_gone].iter().map(|id| (id.as_str(), 1.0));
        let accepted: Vec<(&str, f64)> = gone.chain([("a", 2000.0)]).collect();
        let Report { warnings, .. } = held_against(&baseline(&accepted));
        let told = warnings.iter().filter(|it| it.starts_with("the baseline entry gone-")).count();
        assert_eq!(told, n_told, "{n_gone}: {warnings:?}");
        let last = warnings.last().map(String::as_str);
        assert_eq!(last.filter(|it| it.contains("besides")), besides, "{n_gone}: {warnings:?}");
    }
}

/// The same of a function that the run does not have.
fn of_another_function(entries: &[(&str, f64)]) -> Baseline {
    let text = baseline(entries).to_json().replace("shop::f", "shop::g");
    Baseline::parse(&text).expect("a baseline")
}

/// A loop's body that became a function of its own was one more caller: nothing in the baseline matched.
#[test]
fn a_site_whose_callers_have_changed_is_known_by_its_function() {
    let accepted = "accepted in the baseline";
    let worse = "worse than accepted: 1024.0 B/request, accepted up to 800.0";
    for (entries, moved, unmatched, because) in [
        (&[("b", 1024.0)][..], &["a"][..], &[][..], accepted),
        (&[("b", 800.0)], &["a"], &[], worse),
        // Of several the one that grew most like it.
        (&[("b", 10.0), ("c", 1000.0), ("d", 1e6)], &["a"], &["b", "d"], accepted),
        // Whose site is there is known by that.
        (&[("a", 800.0), ("b", 1024.0)], &[], &["b"], worse),
    ] {
        let report = held_against(&baseline(entries));
        let finding = report.findings().next().expect("a leak");
        assert_eq!(finding.ruling.because, because, "{entries:?}");
        let matched = report.baseline.expect("it was held against one");
        assert_eq!(
            (&matched.moved[..], &matched.unmatched[..]),
            (&own(moved)[..], &own(unmatched)[..])
        );
        assert_eq!(matched.matched + unmatched.len(), entries.len());
    }
    let report = held_against(&of_another_function(&[("b", 1024.0), ("c", 1024.0)]));
    assert_eq!(report.findings().next().expect("a leak").ruling.because, "not in the baseline");
}

fn own(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

#[test]
fn growth_is_held_against_what_was_accepted() {
    for (accepted, because) in [
        (&[("a", 1024.0)][..], "accepted in the baseline"),
        // A quarter more is no worse; what measures a little differently each time would fail.
        (&[("a", 820.0)], "accepted in the baseline"),
        (&[("a", 800.0)], "worse than accepted: 1024.0 B/request, accepted up to 800.0"),
        (&[("b", 1024.0), ("a", 0.0)], "worse than accepted: 1024.0 B/request, accepted up to 0.0"),
    ] {
        let report = held_against(&baseline(accepted));
        let finding = report.findings().next().expect("a leak");
        assert_eq!(finding.ruling.because, because, "{accepted:?}");
    }
    let report = held_against(&of_another_function(&[("b", 1024.0)]));
    let said = "none of the 1 baseline entries matches a site: is it of this program?";
    assert_eq!(report.errors, [said]);
    assert!(report.warnings.iter().all(|it| !it.contains("baseline entry")), "said twice");
}
