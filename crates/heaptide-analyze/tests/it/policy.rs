//! What `heaptide.toml` and a baseline make of the same leaks.

use std::sync::Arc;

use heaptide_analyze::axis::{Axis, Settings};
use heaptide_analyze::baseline::Baseline;
use heaptide_analyze::finding::{Gate, LimitOf};
use heaptide_analyze::identity::Origin;
use heaptide_analyze::policy::{Date, Policy};
use heaptide_analyze::{Criteria, Outcome, Report, Run, Site, judge_runs};
use heaptide_format::Mode;

use crate::sites::{site, timeline};

fn today() -> Date {
    "2027-01-15".parse().unwrap()
}

fn judge_by(runs: &[Run<'_>], policy: &Policy, baseline: Option<&Baseline>) -> Report {
    judge_runs(runs, &Criteria { policy, baseline, before: None, today: today() })
}

/// Ten blocks of 64 bytes per hundred requests in the workspace, and as many in a dependency.
fn report(policy: &str, baseline: Option<&Baseline>, per_epoch: u64) -> Report {
    let timeline = timeline(40);
    let axis = Arc::new(Axis::new(&timeline, &Settings::default()));
    let sites = vec![
        site(&axis, "shop::session::create", Origin::Workspace, |_| per_epoch),
        site(&axis, "hyper::client::connect", Origin::Dependency("hyper".into()), |_| 10),
        site(&axis, "shop::start", Origin::Workspace, |e| if e == 0 { 500 } else { 0 }),
    ];
    let runs = [Run { timeline: &timeline, axis: &axis, sites: &sites }];
    judge_by(&runs, &Policy::parse(policy).unwrap(), baseline)
}

fn gate(report: &Report, function: &str) -> Gate {
    let of = |site: &heaptide_analyze::finding::JudgedSite| site.subject.path == function;
    let mut findings = report.findings();
    let finding = findings.find(|finding| finding.sites.iter().any(of));
    finding.expect("it was found").ruling.gate
}

#[test]
fn budgets_and_exceptions() {
    let (ours, theirs) = ("shop::session::create", "hyper::client::connect");
    let cases = [
        ("work = 'requests'", Outcome::Growth, Gate::Fail, Gate::Warn),
        ("budget.dependencies = 'ignore'", Outcome::Growth, Gate::Fail, Gate::Pass),
        ("budget.dependencies = 'fail'", Outcome::Growth, Gate::Fail, Gate::Fail),
        ("", Outcome::Growth, Gate::Fail, Gate::Fail),
        ("budget.finding = '1 object/op'", Outcome::Passes, Gate::Pass, Gate::Pass),
        ("budget.finding = '6 B/op'", Outcome::Growth, Gate::Fail, Gate::Warn),
        ("budget.finding = '6 KiB/op, 1 KiB/h'", Outcome::Growth, Gate::Fail, Gate::Warn),
        (
            "budget = { finding = '1 KiB/op', process = '10 B/op' }",
            Outcome::Growth,
            Gate::Fail,
            Gate::Fail,
        ),
        (
            "budget.crates = { shop = '1 KiB/op', hyper = '0 B/op' }",
            Outcome::Growth,
            Gate::Pass,
            Gate::Fail,
        ),
        ("allow = [{ site = 'shop::session::*' }]", Outcome::Passes, Gate::Pass, Gate::Warn),
        (
            "allow = [{ site = 'shop::*', limit = '9 objects' }]",
            Outcome::Growth,
            Gate::Fail,
            Gate::Warn,
        ),
        (
            "allow = [{ site = 'shop::*', limit = '0.2 objects/req' }]",
            Outcome::Passes,
            Gate::Pass,
            Gate::Warn,
        ),
        ("allow = [{ site = '0002899b' }]", Outcome::Passes, Gate::Pass, Gate::Warn),
        (
            "allow = [{ site = 'shop::session::create<u64>::{{closure}}' }]",
            Outcome::Passes,
            Gate::Pass,
            Gate::Warn,
        ),
        (
            "allow = [{ site = 'shop::*', expires = 2027-01-15 }]",
            Outcome::Passes,
            Gate::Pass,
            Gate::Warn,
        ),
        (
            "allow = [{ site = 'shop::*', expires = '2027-01-14' }]",
            Outcome::Error,
            Gate::Fail,
            Gate::Warn,
        ),
    ];
    for (policy, outcome, our_gate, their_gate) in cases {
        // What is about ours only: theirs is not to decide the outcome.
        let policy = match their_gate {
            Gate::Warn => format!("budget.dependencies = 'warn'\n{policy}"),
            _ => policy.to_owned(),
        };
        let report = report(&policy, None, 10);
        assert_eq!(report.outcome, outcome, "{policy}");
        assert_eq!(gate(&report, ours), our_gate, "{policy}");
        assert_eq!(gate(&report, theirs), their_gate, "{policy}");
    }
}

/// `1 MiB/hr` passed as a megabyte per request.
#[test]
fn a_unit_that_is_not_counted_is_an_error() {
    let check = |policy: &str, outcome: Outcome, says: &str| {
        let found = report(policy, None, 10);
        let error = found.errors.first().map_or("", String::as_str);
        assert_eq!((found.outcome, error), (outcome, says), "{policy}");
    };
    let units = "`op` is any work, and time is `s`, `min`, `h` or `d`";
    let wrong = |place: &str, limit: &str, unit: &str| {
        format!(
            "heaptide.toml{place}: `{limit}` is per `{unit}`, which is none of what is counted \
             (requests); {units}"
        )
    };
    let hr = wrong("", "1 MiB/hr", "hr");
    check("budget.finding = '1 MiB/hr'", Outcome::Error, &hr);
    check("budget.process = '1 MiB/hr'", Outcome::Error, &hr);
    let entry = wrong(":1:19", "9 objects/login", "login");
    check("allow = [{ site = 'shop::*', limit = '9 objects/login' }]", Outcome::Error, &entry);
    for unit in ["op", "request", "requests", "req"] {
        check(&format!("budget.finding = '1 KiB/{unit}'"), Outcome::Passes, "");
        check(&format!("budget.finding = '6 B/{unit}'"), Outcome::Growth, "");
    }
}

#[test]
fn expiry_and_idle_entries_are_said() {
    let policy = "budget.crates = { hyper = '1 KiB/op', hypr = '1 KiB/op' }\n\
                  allow = [{ site = 'shop::*', expires = '2026-12-31', owner = 'ann' },\n\
                  \x20 { site = 'shop::sessions::create' },\n\
                  \x20 { site = 'hyper::*', expires = 2027-01-20 }]\n\
                  [[lifetime]]\nsite = 'gone::*'\nmax = '1h'";
    let report = report(policy, None, 10);
    assert_eq!(report.policy.expired, ["shop::*"]);
    assert_eq!(report.policy.unmatched, ["shop::sessions::create", "gone::*", "hypr"]);
    assert_eq!(
        report.errors,
        ["heaptide.toml:2:40: the allow entry for `shop::*` expired on 2026-12-31 (owner: ann): \
          fix what grows, or give the entry a later date"]
    );
    assert_eq!(
        report.warnings,
        [
            "heaptide.toml:3:12: the allow entry for `shop::sessions::create` matches no site; \
             did you mean `shop::session::create`?",
            "heaptide.toml:4:34: the allow entry for `hyper::*` expires on 2027-01-20",
            "heaptide.toml:6:8: the lifetime for `gone::*` matches no site",
            "heaptide.toml:1:46: no call site goes through the crate `hypr`",
        ]
    );
    assert_eq!(report.outcome.exit_code(), 2);
}

/// It said no more than that the budget was exceeded.
#[test]
fn an_entry_that_does_not_allow_enough_is_said() {
    let because = |policy: &str| {
        let report = report(policy, None, 10);
        report.findings().next().expect("there is a leak").ruling.because.clone()
    };
    let limit = "[[allow]]\nsite = 'shop::*'\nlimit = '50 objects'";
    let budget = "over the budget of 0 objects/op, 0 B/op";
    assert_eq!(because(limit), format!("{budget}; `shop::*` allows 50 objects only"));
    assert_eq!(because("[[allow]]\nsite = 'hyper::*'"), budget);
}

/// Sites that leak in step are called by what they have in common, which is none of their paths; an
/// entry with that name, or with the id beside it, allowed nothing.
#[test]
fn a_finding_is_allowed_by_what_the_report_calls_it() {
    let timeline = timeline(40);
    let axis = Arc::new(Axis::new(&timeline, &Settings::default()));
    let uneven = |e: u32| u64::from(10 + e * 7 % 5);
    let sites = vec![
        site(&axis, "shop::user", Origin::Workspace, uneven),
        site(&axis, "shop::cart::new", Origin::Workspace, uneven),
    ];
    let runs = [Run { timeline: &timeline, axis: &axis, sites: &sites }];
    let id = judge_by(&runs, &Policy::default(), None).findings().next().unwrap().id.clone();
    let check = |entry: &str, outcome: Outcome, because: &str| {
        let policy = Policy::parse(&format!("allow = [{{ {entry} }}]")).unwrap();
        let report = judge_by(&runs, &policy, None);
        let findings: Vec<_> = report.findings().collect();
        assert_eq!((findings.len(), report.outcome), (1, outcome), "{entry}");
        assert_eq!(findings[0].ruling.because, because);
    };
    check("site = 'shop::handle'", Outcome::Passes, "allowed");
    check(&format!("site = '{id}'"), Outcome::Passes, "allowed");
    check("site = 'shop::*'", Outcome::Passes, "allowed");
    let over = |but: &str| format!("over the budget of 0 objects/op, 0 B/op; {but}");
    let some = over("`shop::user` allows 1 of its 2 call sites only");
    check("site = 'shop::user'", Outcome::Growth, &some);
    let few = over("`shop::handle` allows 50 objects only");
    check("site = 'shop::handle', limit = '50 objects'", Outcome::Growth, &few);
}

#[test]
fn a_workspace_that_does_not_occur_is_said() {
    let warnings = |policy: &str| report(policy, None, 0).warnings;
    let names_nobody = "heaptide.toml: no call site goes through a crate of `workspace` (shpo)";
    assert_eq!(warnings("workspace = ['shpo']"), [names_nobody]);
    assert!(warnings("workspace = ['shpo', 'shop']").is_empty());
}

#[test]
fn a_mistake_is_shown_where_it_is() {
    let cases = [
        ("wrok = 'requests'", "1:1: unknown field `wrok`", Some("work")),
        (
            "[[allow]]\nsite = 'a'\nexpire = '2027-01-31'",
            "3:1: unknown field `expire`",
            Some("expires"),
        ),
        ("[[lifetime]]\nsite = 'a'\nmaximum = '1h'", "3:1: unknown field `maximum`", Some("max")),
        ("least_snapshot = 8", "1:1: unknown field `least_snapshot`", Some("least_snapshots")),
        ("\n[budget]\nfindings = '1 B/op'", "3:1: unknown field `findings`", Some("finding")),
        ("[budget]\nfinding = 'lots'", "2:11: `lots` is not an amount", None),
        ("max_lifetime = 'long'", "1:16: `long` is not a duration", None),
        ("inconclusive = 'maybe'", "1:16: unknown variant `maybe`", None),
        ("[[allow]]\nsite = ''", "2:8: the pattern is empty", None),
        ("[[allow]]\nsite = 'a'\nexpires = 'soon'", "3:11: `soon` is not a date", None),
        ("[[allow]]\nreason = 'x'", "1:1: missing field `site`", None),
    ];
    for (text, message, suggestion) in cases {
        let error = Policy::parse(text).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
        assert_eq!(error.suggestion.as_deref(), suggestion, "{error}");
    }
}

#[test]
fn a_baseline_lets_old_growth_pass() {
    let baseline = Baseline::of(&report("", None, 10).runs);
    let text = baseline.to_json();
    assert_eq!(Baseline::parse(&text).unwrap(), baseline);
    let judged = |policy, per_epoch| {
        let report = report(policy, Some(&baseline), per_epoch);
        let matched = report.baseline.clone().unwrap();
        (
            report.outcome,
            matched.matched,
            matched.worse.len(),
            matched.new.len(),
            matched.fixed.len(),
        )
    };
    assert_eq!(judged("", 10), (Outcome::Passes, 2, 0, 0, 0));
    assert_eq!(judged("", 11), (Outcome::Passes, 2, 0, 0, 0), "a little worse");
    assert_eq!(judged("", 30), (Outcome::Growth, 2, 1, 0, 0), "worse");
    assert_eq!(judged("", 0), (Outcome::Passes, 2, 0, 0, 1), "fixed");

    let foreign = text.replace("\"0", "\"f").replace("::", "::other::");
    let foreign = Baseline::parse(&foreign).unwrap();
    let report = report("", Some(&foreign), 10);
    assert_eq!(report.outcome, Outcome::Error);
    assert!(report.errors[0].starts_with("none of the 2 baseline entries"), "{:?}", report.errors);
    assert!(Baseline::parse("{\"version\": 9, \"accepted\": {}}").is_err());
    assert!(Baseline::parse("{").is_err());
}

#[test]
fn an_update_changes_only_what_has_changed() {
    let mut baseline = Baseline::of(&report("", None, 100).runs);
    let text = baseline.to_json();
    let mut updated = |per_epoch| {
        let update = baseline.update(Baseline::of(&report("", None, per_epoch).runs));
        (update.new, update.changed, update.unchanged, update.dropped)
    };
    assert_eq!(updated(100), (0, 0, 2, 0), "the same");
    assert_eq!(updated(108), (0, 0, 2, 0), "a little worse");
    assert_eq!(updated(200), (0, 1, 1, 0), "worse");
    assert_eq!(updated(100), (0, 1, 1, 0), "better");
    assert_eq!(updated(0), (0, 0, 1, 1), "gone");
    assert_eq!(updated(100), (1, 0, 1, 0), "back");
    assert_eq!(baseline.to_json(), text);
}

/// A leak in a function that had an accepted one passed.
#[test]
fn a_baseline_knows_sites_that_share_a_path_apart() {
    let timeline = timeline(40);
    let axis = Arc::new(Axis::new(&timeline, &Settings::default()));
    let create = |id: &str, kept: u64| {
        let mut site = site(&axis, "shop::session::create", Origin::Workspace, |_| kept);
        site.subject.id = id.into();
        site
    };
    let judged = |sites: &[Site], baseline: Option<&Baseline>| {
        let runs = [Run { timeline: &timeline, axis: &axis, sites }];
        judge_by(&runs, &Policy::default(), baseline)
    };
    let baseline =
        Baseline::of(&judged(&[create("00000001", 10), create("00000002", 10)], None).runs);
    let report = judged(&[create("00000001", 10), create("00000003", 10)], Some(&baseline));
    assert_eq!(report.outcome, Outcome::Growth);
    let matched = report.baseline.unwrap();
    assert_eq!(matched.new, ["00000003"]);
    assert_eq!(matched.unmatched, ["00000002"]);
    let warning = "the baseline entry 00000002 for `shop::session::create` matches no site";
    assert!(report.warnings[0].starts_with(warning), "{:?}", report.warnings);
}

/// 0.1 blocks per request were held against 6 accepted per second.
#[test]
fn a_baseline_keeps_to_its_unit() {
    let accepted = Baseline::of(&report("work = 'none'", None, 10).runs);
    assert!(accepted.accepted.values().all(|accepted| accepted.work == "seconds"));
    assert_eq!(report("", Some(&accepted), 10).outcome, Outcome::Passes);
    assert_eq!(report("", Some(&accepted), 30).outcome, Outcome::Growth);
    let unknown = accepted.to_json().replace("\"seconds\"", "\"logins\"");
    let unknown = Baseline::parse(&unknown).unwrap();
    let report = report("", Some(&unknown), 10);
    let because = &report.findings().next().unwrap().ruling.because;
    assert_eq!(because, "accepted per unit of `logins`, which this run does not count");
}

#[test]
fn sites_that_leak_in_step_are_one_finding() {
    let timeline = timeline(40);
    let axis = Arc::new(Axis::new(&timeline, &Settings::default()));
    let uneven = |e: u32| u64::from(10 + e * 7 % 5);
    let sites = vec![
        site(&axis, "shop::user", Origin::Workspace, uneven),
        site(&axis, "shop::cart::new", Origin::Workspace, |e| 3 * uneven(e)),
        site(&axis, "shop::journal::append", Origin::Workspace, |e| u64::from(10 + e * 3 % 7)),
    ];
    let runs = [Run { timeline: &timeline, axis: &axis, sites: &sites }];
    let report = judge_by(&runs, &Policy::default(), None);
    let findings: Vec<_> = report.findings().collect();
    assert_eq!(findings.len(), 2);
    assert_eq!(findings[0].lead().subject.path, "shop::cart::new");
    assert_eq!(findings[0].blamed.function, "shop::handle", "what the two have in common");
    assert_eq!(findings[1].blamed.function, "shop::journal::append");
    let total: f64 = findings.iter().map(|finding| finding.rate.bytes_per_hour()).sum();
    let run = &report.runs[0];
    let seconds = run.runs_out.unwrap().seconds;
    let left = ((1 << 30) - (1 << 20)) as f64;
    assert!((seconds - left / total * 3600.0).abs() < 1e-6 * seconds);
}

/// A heap of 20 MiB is 40 samples at 512 KiB, and 10 at 2 MiB: too few to see a leak in.
#[test]
fn too_thin_a_sample_is_inconclusive() {
    let cases = [
        (Mode::Exact, Outcome::Clean),
        (Mode::Sampled { period_bytes: 512 << 10 }, Outcome::Clean),
        (Mode::Sampled { period_bytes: 2 << 20 }, Outcome::Inconclusive),
    ];
    for (mode, outcome) in cases {
        let mut timeline = timeline(40);
        timeline.header.mode = mode;
        timeline.points.iter_mut().for_each(|point| point.heap.live_bytes = 20 << 20);
        let axis = Arc::new(Axis::new(&timeline, &Settings::default()));
        let runs = [Run { timeline: &timeline, axis: &axis, sites: &[] }];
        let report = judge_by(&runs, &Policy::default(), None);
        assert_eq!(report.outcome, outcome, "{mode:?}: {:?}", report.undecided);
    }
}

#[test]
fn too_short_a_run_is_inconclusive() {
    let timeline = timeline(12);
    let axis = Arc::new(Axis::new(&timeline, &Settings::default()));
    let sites = vec![site(&axis, "shop::session::create", Origin::Workspace, |_| 10)];
    let runs = [Run { timeline: &timeline, axis: &axis, sites: &sites }];
    let judged = |policy| judge_by(&runs, &Policy::parse(policy).unwrap(), None);
    assert_eq!(judged("").outcome.exit_code(), 3);
    assert_eq!(judged("inconclusive = 'pass'").outcome.exit_code(), 0);
    assert_eq!(
        judged("least_snapshots = 13").undecided[0],
        "12 snapshots are too few to judge; it takes 13, at this pace 1m 5s"
    );
    assert!(!judged("least_snapshots = 12").undecided[0].contains("too few"));
    assert_eq!(judge_by(&[], &Policy::default(), None).outcome, Outcome::Inconclusive);
}

/// A process of 1 MiB had run out of its 512 MiB: those of all others around it were counted.
#[test]
fn a_limit_of_the_policy_is_the_process_s() {
    let mut timeline = timeline(40);
    timeline.points.iter_mut().for_each(|point| point.cgroup_bytes = Some(900 << 20));
    let axis = Arc::new(Axis::new(&timeline, &Settings::default()));
    let sites = vec![site(&axis, "shop::session::create", Origin::Workspace, |_| 10)];
    let runs = [Run { timeline: &timeline, axis: &axis, sites: &sites }];
    let used = |policy: &str| {
        let report = judge_by(&runs, &Policy::parse(policy).unwrap(), None);
        report.runs[0].runs_out.map(|projection| projection.used_bytes)
    };
    assert_eq!(used("memory_limit = '512 MiB'"), Some(1 << 20));
    assert_eq!(used(""), Some(900 << 20), "the cgroup's limit");
}

/// Nothing was projected on a machine without cgroup limits.
#[test]
fn without_a_limit_there_is_what_the_machine_has() {
    for (policy, cgroup, machine, expected) in [
        ("", None, Some(8 << 30), Some((8 << 30, LimitOf::Machine))),
        ("", Some(1 << 30), Some(8 << 30), Some((1 << 30, LimitOf::Cgroup))),
        ("", Some(16 << 30), Some(8 << 30), Some((8 << 30, LimitOf::Machine))),
        ("", Some(1 << 30), None, Some((1 << 30, LimitOf::Cgroup))),
        ("memory_limit = '2 GiB'", Some(1 << 30), Some(8 << 30), Some((2 << 30, LimitOf::Policy))),
        ("", None, None, None),
    ] {
        let mut timeline = timeline(40);
        timeline.header.memory_limit_bytes = cgroup;
        timeline.header.machine_bytes = machine;
        let axis = Arc::new(Axis::new(&timeline, &Settings::default()));
        let sites = vec![site(&axis, "shop::session::create", Origin::Workspace, |_| 10)];
        let runs = [Run { timeline: &timeline, axis: &axis, sites: &sites }];
        let report = judge_by(&runs, &Policy::parse(policy).unwrap(), None);
        let found = report.runs[0].runs_out.map(|out| (out.limit_bytes, out.limit_of));
        assert_eq!(found, expected, "{policy} {cgroup:?} {machine:?}");
        assert_eq!(report.runs[0].memory_limit_bytes, expected.map(|(bytes, _)| bytes));
    }
}

/// Twenty thousand entries took seven seconds: each counted the lines before it anew.
#[test]
fn entries_have_their_places_however_many_there_are() {
    let entry = |n: usize| format!("[[allow]]\nsite = \"nobody::n{n}\"\n");
    let policy: String = (0..20_000).map(entry).collect();
    let report = report(&policy, None, 10);
    let last = "heaptide.toml:40000:8: the allow entry for `nobody::n19999` matches no site";
    assert_eq!(report.warnings.iter().filter(|warning| *warning == last).count(), 1);
}
