//! From the text of recordings to a report: what is doubted, what is said, how it ends.

use heaptide_analyze::policy::{Date, Policy};
use heaptide_analyze::symbols::RecordedOnly;
use heaptide_analyze::{Outcome, Report, Terms, judge};
use heaptide_format::{Children, Dropped, Epoch, Growth, Mode, Name, Reason, SiteId, SiteRow};
use heaptide_synthetic::{Born, Process, rows};

use crate::recording::Dir;

fn judged(test: &str, process: &Process, policy: &str) -> Report {
    let dir = Dir::new(test);
    let file = dir.write("a.jsonl", process.recording());
    let policy = Policy::parse(policy).expect("a policy");
    let terms = Terms { policy, today: Date::constant(2027, 1, 15), ..Terms::default() };
    judge(&[file], &mut RecordedOnly, &terms).expect("a readable recording")
}

/// A shop that keeps ten blocks a snapshot.
fn leaking(n_snapshots: u32) -> Process {
    let mut process = Process::of_snapshots(n_snapshots);
    process.site("shop::login", |_| vec![Born::for_ever(10), Born::living(50, 1)]);
    process
}

/// A shop in which nothing lives for longer than a snapshot.
fn healthy(n_snapshots: u32) -> Process {
    let mut process = Process::of_snapshots(n_snapshots);
    process.site("shop::login", |_| vec![Born::living(60, 1)]);
    process
}

#[test]
fn a_recording_is_judged_from_its_text() {
    let cases = [
        ("leak", leaking(40), "", Outcome::Growth, 1),
        ("healthy", healthy(40), "", Outcome::Clean, 0),
        ("short", leaking(12), "", Outcome::Inconclusive, 1),
        ("short-but-enough", leaking(12), "inconclusive = 'pass'", Outcome::Passes, 1),
        ("allowed", leaking(40), "allow = [{ site = 'shop::*' }]", Outcome::Passes, 1),
        (
            "expired",
            leaking(40),
            "allow = [{ site = 'shop::*', expires = 2027-01-14 }]",
            Outcome::Error,
            1,
        ),
        ("in-budget", leaking(40), "budget.finding = '1 KiB/op'", Outcome::Passes, 1),
    ];
    for (name, process, policy, outcome, n_findings) in cases {
        let report = judged(name, &process, policy);
        assert_eq!(report.outcome, outcome, "{name}: {:?}", report.undecided);
        assert_eq!(report.findings().count(), n_findings, "{name}");
    }
    let report = judged("named", &leaking(40), "");
    let finding = report.findings().next().expect("a leak");
    assert_eq!(finding.blamed.place().as_deref(), Some("src/main.rs:1"));
    assert_eq!((finding.rate.objects_per_op, finding.rate.bytes_per_op), (0.1, 10.0));
}

#[test]
fn errors_come_before_growth_and_growth_before_doubt() {
    let codes = [Outcome::Clean, Outcome::Growth, Outcome::Error, Outcome::Inconclusive];
    assert_eq!(codes.map(Outcome::exit_code), [0, 1, 2, 3]);
    // A leak that fails, an entry that has expired, and a build too short to say.
    let expired = "allow = [{ site = 'shop::cart', expires = 2027-01-14 }]";
    assert_eq!(judged("error-first", &leaking(40), expired).outcome, Outcome::Error);
    let mut process = leaking(40);
    process.header.mode = Mode::Sampled { period_bytes: 1 << 30 };
    let report = judged("growth-first", &process, "");
    assert!(!report.undecided.is_empty());
    assert_eq!(report.outcome, Outcome::Growth);
}

/// A process, and what is said of its recording.
type Defect = (&'static str, fn(&mut Process), &'static str);

#[test]
fn what_a_recording_lacks_is_said() {
    fn dropped(process: &mut Process) -> &mut Dropped {
        &mut process.points.last_mut().expect("a snapshot").dropped
    }
    let cases: &[Defect] = &[
        ("whole", |_| {}, ""),
        (
            "holes",
            |process| drop(process.points.drain(10..13)),
            "3 snapshots are missing; their neighbours were judged together",
        ),
        (
            "blocks",
            |process| dropped(process).blocks = 7,
            "7 blocks were not counted: the shim's tables were full",
        ),
        (
            "samples",
            |process| dropped(process).samples = 7,
            "7 samples were not kept: the shim had no memory",
        ),
        (
            "sites",
            |process| dropped(process).sites = 7,
            "7 blocks have no site of their own: the site table was full",
        ),
        (
            "overruns",
            |process| dropped(process).overruns = 7,
            "7 blocks were overrun by the program: look for a buffer overflow",
        ),
        (
            "children",
            |process| {
                let children =
                    Children { forked: 9, recorded: 4, finished: 3, brief: 2, followed: false };
                process.points.last_mut().unwrap().children = Some(children);
            },
            "3 forked children have no recording: what they held, or became, was not seen",
        ),
        (
            "teardown",
            |process| {
                for point in &mut process.points[57..] {
                    point.work.insert("requests".into(), 5_700);
                }
                process.points[59].reason = Reason::Exit;
            },
            "shortly before the exit no more work was done and most of the heap was freed; \
             snapshots left out at the end: 2",
        ),
    ];
    for (name, change, said) in cases {
        let mut process = Process::of_snapshots(60);
        let dying = |k: u32| match *name {
            "teardown" => vec![Born::living(20, 58_u32.saturating_sub(k).max(1))],
            _ => vec![Born::living(20, 3)],
        };
        process.site("shop::login", dying);
        change(&mut process);
        let warnings = judged(&format!("lacks-{name}"), &process, "").warnings;
        let found = warnings.iter().any(|warning| warning == said);
        assert!(found || said.is_empty() && warnings.is_empty(), "{name}: {warnings:?}");
    }
}

/// A misspelt counter judged by time, and passed with a warning.
#[test]
fn work_that_nobody_counted_is_said() {
    for (name, policy, counts, outcome, said) in [
        ("counted", "work = 'requests'", true, Outcome::Growth, None),
        (
            "misspelt",
            "work = 'logins'",
            true,
            Outcome::Error,
            Some("no work is counted as `logins`, only as requests: correct the name to judge by"),
        ),
        (
            "idle",
            "work = 'logins'",
            false,
            Outcome::Inconclusive,
            Some(
                "no work was counted, and growth was to be judged by `logins`: did the run do any?",
            ),
        ),
    ] {
        let mut process = if counts { leaking(40) } else { healthy(40) };
        if !counts {
            process.points.iter_mut().for_each(|point| point.work.clear());
        }
        let report = judged(&format!("work-{name}"), &process, policy);
        let sentences = report.errors.iter().chain(&report.undecided);
        assert_eq!(report.outcome, outcome, "{name}");
        assert_eq!(sentences.map(String::as_str).next(), said, "{name}");
    }
}

/// A worker that leaked passed as clean, because it had been forked by a process with threads.
#[test]
fn a_worker_that_was_to_be_recorded_and_was_not_is_not_clean() {
    for (followed, brief, n_unrecorded) in [(true, 2, Some(3)), (true, 5, None), (false, 2, None)] {
        let mut process = healthy(40);
        let children = Children { forked: 9, recorded: 4, finished: 4, brief, followed };
        process.points.last_mut().unwrap().children = Some(children);
        let report = judged("worker", &process, "");
        let says = n_unrecorded.map(|n| format!("what they held was not seen: {n};"));
        let outcome = if says.is_some() { Outcome::Inconclusive } else { Outcome::Clean };
        assert_eq!(report.outcome, outcome, "{children:?}");
        let said = report.undecided.first();
        assert_eq!(
            said.zip(says).map(|(said, says)| said.contains(&says)),
            n_unrecorded.map(|_| true)
        );
    }
}

/// A warm-up that took the whole run left nothing to find, and passed as clean.
#[test]
fn a_warm_up_as_long_as_the_run_decides_nothing() {
    for (policy, said) in [
        ("", None),
        ("warm_up = 5", None),
        ("warm_up = 25", Some("50 snapshots")),
        ("warm_up = 40", Some("80 snapshots")),
        ("warm_up = '1h'", Some("a run of 2h")),
    ] {
        let report = judged("warm-up", &healthy(40), policy);
        let says = said.map(|it| {
            format!(
                "the warm-up that the policy sets leaves too little of this run to judge; \
                 it takes {it}, or a shorter warm-up"
            )
        });
        assert_eq!(report.undecided.first(), says.as_ref(), "{policy}");
        let outcome = if said.is_some() { Outcome::Inconclusive } else { Outcome::Clean };
        assert_eq!(report.outcome, outcome, "{policy}");
    }
}

/// A timer wheel was named where it was made, and nothing said who pushed into it.
#[test]
fn a_container_is_named_where_it_grew() {
    for (grown_at, line) in [(Some(SiteId(2)), Some(2)), (Some(SiteId(1)), None), (None, None)] {
        let mut process = Process::of_snapshots(40);
        let growth = vec![Growth { epoch: Epoch(0), bytes: 512, grown_at, work: [].into() }];
        let rows = rows(SiteId(1), 40, |_| vec![Born::for_ever(10)]).into_iter();
        let rows = rows.map(|row| SiteRow { growth: growth.clone(), ..row }).collect();
        let file = Some("src/main.rs".to_owned());
        let made = Name { function: "shop::make".to_owned(), file, line: Some(1) };
        process.site_with_rows(made, rows);
        process.site("shop::push", |_| Vec::new());
        let report = judged("grew", &process, "");
        let finding = report.findings().next().expect("a leak");
        let grew_at = finding.lead().subject.grew_at.as_ref();
        assert_eq!(grew_at.and_then(|frame| frame.line), line, "{grown_at:?}");
    }
}

/// A name, the bytes of the cgroup's limit and of the machine, the policy, and the bytes expected.
type MemoryCase<'a> = (&'a str, Option<u64>, Option<u64>, &'a str, Option<u64>);

#[test]
fn the_memory_that_runs_out_is_the_least_that_is_known() {
    const GIB: u64 = 1 << 30;
    let cases: &[MemoryCase<'_>] = &[
        ("none", None, None, "", None),
        ("cgroup", Some(GIB), None, "", Some(GIB)),
        ("machine", None, Some(2 * GIB), "", Some(2 * GIB)),
        ("less", Some(3 * GIB), Some(2 * GIB), "", Some(2 * GIB)),
        ("policy", Some(GIB), Some(GIB), "memory_limit = '4 GiB'", Some(4 * GIB)),
    ];
    for &(name, cgroup, machine, policy, limit) in cases {
        let mut process = leaking(40);
        process.header.memory_limit_bytes = cgroup;
        process.header.machine_bytes = machine;
        let report = judged(&format!("memory-{name}"), &process, policy);
        assert_eq!(report.runs[0].memory_limit_bytes, limit, "{name}");
        let runs_out = report.runs[0].runs_out;
        assert_eq!(runs_out.map(|projection| projection.limit_bytes), limit, "{name}");
        // 100 bytes per ten requests at 20 requests a second: 200 bytes a second.
        if let (Some(limit), Some(projection)) = (limit, runs_out) {
            let used = process.points[39].rss_bytes;
            let expected = (limit - used) as f64 / 200.0;
            assert!((projection.seconds / expected - 1.0).abs() < 0.05, "{name}: {projection:?}");
        }
    }
}
