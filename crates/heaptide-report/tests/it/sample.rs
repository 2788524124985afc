//! Reports to write: the leaking shop, a clean one, and one that was stopped too early.

use std::collections::BTreeMap;

use heaptide_analyze::attribute;
use heaptide_analyze::compare::{ComparedFunction, Comparison};
use heaptide_analyze::finding::{Change, Finding, Gate, JudgedSite, LimitOf, Projection, Ruling};
use heaptide_analyze::identity::{NamedFrame, Origin, SharedFrame};
use heaptide_analyze::policy::PolicyUse;
use heaptide_analyze::process::{Count, Part, PartClass, PartName, Process, Retained};
use heaptide_analyze::verdict::{
    Channel, Class, CohortBar, Condition, Confidence, Container, ContainerStep, Evidence, Excluded,
    Fit, Objects, Rate, Stage, Verdict,
};
use heaptide_analyze::{CallTree, Subject};
use heaptide_analyze::{HealthySite, Outcome, Report, RunReport};
use heaptide_format::{Dropped, Epoch, HeapTotals, Mode, PartsSource};

pub(crate) fn growth() -> Report {
    let findings = vec![sessions(), queue(), pool()];
    let undecided = vec!["worker::Queue::push may leak: about 12 more snapshots decide".into()];
    Report {
        runs: vec![run(findings)],
        warnings: vec!["3 snapshots are missing; their neighbours were judged together".into()],
        undecided,
        outcome: Outcome::Growth,
        ..clean()
    }
}

pub(crate) fn clean() -> Report {
    Report {
        runs: vec![run(Vec::new())],
        policy: PolicyUse::default(),
        baseline: None,
        comparison: None,
        warnings: Vec::new(),
        errors: Vec::new(),
        undecided: Vec::new(),
        outcome: Outcome::Clean,
    }
}

/// One that is new, one that is worse; the rest is a line each.
pub(crate) fn compared() -> Report {
    let was = Rate { bytes_per_op: 5.0, objects_per_op: 0.1, ..rate(0.0, 0.0) };
    let new = Finding { change: Some(Change::New { was: None }), ..sessions() };
    let worse = Finding { change: Some(Change::Worse { was }), ..queue() };
    let known = |path: &str, before: f64, after: Option<f64>, called| ComparedFunction {
        path: path.into(),
        before: rate(1.0, before),
        after: after.map(|after| rate(1.0, after)),
        called,
    };
    let comparison = Comparison {
        common_sites: 208,
        new: 2,
        worse: 1,
        as_before: vec![known("shop::journal::append", 64.0, Some(66.0), true)],
        improved: vec![known("shop::cart::add", 120.0, Some(12.0), true)],
        gone: vec![
            known("shop::audit::log", 80.0, None, true),
            known("shop::import::row", 40.0, None, false),
        ],
    };
    let comparison = Some(comparison);
    Report { runs: vec![run(vec![new, worse])], comparison, outcome: Outcome::Growth, ..clean() }
}

/// Services run under a runtime: between a handler and what it calls stand sixty frames of it.
pub(crate) fn of_deep_stacks(n_findings: usize) -> Report {
    let finding = |k: usize| {
        let mut finding = sessions();
        finding.id = format!("{k:08x}");
        let runtime: SharedFrame = NamedFrame {
            function: "tokio::runtime::task::harness::Harness<T, S>::poll_future".into(),
            file: Some("/cargo/registry/src/index/tokio-1.47.1/src/runtime/task/harness.rs".into()),
            line: Some(500),
            origin: Origin::Dependency("tokio".into()),
            ..NamedFrame::default()
        }
        .into();
        finding.sites[0].subject.stack.splice(2..2, vec![runtime; 59]);
        finding
    };
    let findings = (0..n_findings).map(finding).collect();
    Report { runs: vec![run(findings)], outcome: Outcome::Growth, ..clean() }
}

/// Three times the same, let pass for different reasons.
pub(crate) fn let_pass() -> Report {
    let because = |gate, because: &str| Finding { ruling: ruling(gate, because), ..pool() };
    let findings = vec![
        because(Gate::Warn, "in a dependency"),
        because(Gate::Pass, "allowed: bounded by its capacity"),
        because(Gate::Pass, "accepted in the baseline"),
    ];
    Report { runs: vec![run(findings)], outcome: Outcome::Passes, ..clean() }
}

pub(crate) fn too_short() -> Report {
    let undecided = vec!["7 snapshots are too few to judge; it takes 20".into()];
    let run = RunReport { snapshots: 7, slots: 7, ..run(Vec::new()) };
    Report { runs: vec![run], undecided, outcome: Outcome::Inconclusive, ..clean() }
}

/// No call site leaks; C does, threads may, and the allocator keeps what a spike left.
pub(crate) fn outside() -> Report {
    let mut run = run(Vec::new());
    run.process = process();
    run.rss_bytes = run.process.rss_bytes;
    run.runs_out = Some(Projection {
        limit_bytes: 512 << 20,
        limit_of: LimitOf::Cgroup,
        used_bytes: 120 << 20,
        seconds: 5_018.0,
    });
    let undecided = vec!["`threads` may grow without end, outside the recorded heap".into()];
    Report { runs: vec![run], undecided, outcome: Outcome::Growth, ..clean() }
}

fn process() -> Process {
    let retained = Retained {
        resident_bytes: 32 << 20,
        in_use_bytes: 66 << 20,
        most_in_use_bytes: 90 << 20,
        most_in_use_at_ns: 4_000_000_000,
    };
    let leak = Part {
        bytes_per_op: 4_112.0,
        bytes_per_hour: 4_112.0 * 72_000.0,
        e_value: 9_700.0,
        ruling: Some(ruling(Gate::Fail, "nothing may grow outside the recorded heap")),
        ..part(PartName::OtherMalloc, PartClass::Grows, [1, 63])
    };
    let free = part(PartName::AllocatorFree, PartClass::Retained, [1, 34]);
    let threads = Count {
        first: 4,
        last: 24,
        most: 24,
        class: PartClass::Suspect,
        work: "cpu_seconds".into(),
        per_op: 0.25,
        per_hour: 300.0,
        least_growth: 8,
        e_value: 60.0,
        ruling: Some(ruling(Gate::Undecided, "too early to say")),
    };
    Process {
        first_rss_bytes: 12 << 20,
        rss_bytes: 120 << 20,
        bytes_per_hour: Some(4_112.0 * 144_000.0),
        source: Some(PartsSource::Glibc),
        parts: vec![
            part(PartName::RustHeap, PartClass::NotJudged, [3, 3]),
            leak,
            Part { retained: Some(retained), ..free },
            part(PartName::ThreadStacks, PartClass::Stable, [0, 0]),
            part(PartName::Anonymous, PartClass::Steps, [2, 8]),
            part(PartName::Files, PartClass::NotJudged, [4, 12]),
        ],
        threads: Some(threads),
        descriptors: None,
        parts_read_at_ns: Some(115_000_000_000),
        least_bytes_per_hour: 1e6,
    }
}

fn part(name: PartName, class: PartClass, [first, last]: [u64; 2]) -> Part {
    Part {
        name,
        first_bytes: first << 20,
        last_bytes: last << 20,
        most_bytes: last << 20,
        class,
        work: "requests".into(),
        bytes_per_op: 0.0,
        bytes_per_hour: 0.0,
        least_growth_bytes: 2_516_582,
        e_value: 1.0,
        retained: None,
        ruling: None,
    }
}

fn run(findings: Vec<Finding>) -> RunReport {
    let n_leaks = findings.len();
    let runs_out = findings.first().and_then(|first| first.runs_out);
    let leaks = findings.iter().filter(|finding| finding.class == Class::Leak);
    let leaking = leaks.clone().next().map(|first| first.rate.clone());
    RunReport {
        exe: "/build/shop/target/release/shop".into(),
        pid: 4711,
        build_id: Some("5eb7a1".into()),
        mode: Mode::Exact,
        elapsed_ns: 16_200_000_000,
        snapshots: 41,
        slots: 40,
        work: BTreeMap::from([("requests".to_owned(), 9_812)]),
        heap: HeapTotals { live_bytes: 3_250_586, live_objects: 12_345, ..HeapTotals::default() },
        rss_bytes: 12 << 20,
        process: Process::default(),
        memory_limit_bytes: Some(512 << 20),
        dropped: Dropped::default(),
        sites: 214,
        classes: BTreeMap::from([
            (Class::Leak, n_leaks),
            (Class::Stable, 214_usize.saturating_sub(n_leaks)),
        ]),
        leaking,
        leaking_sites: leaks.map(|leak| leak.sites.len()).sum(),
        runs_out,
        grows_under: attribute(findings.iter().flat_map(|finding| &finding.sites)),
        findings,
        healthy: vec![HealthySite {
            subject: subject("c0ffee00", frame("shop::cache::Cache::insert", "cache.rs", 40)),
            class: Class::Turnover,
            live_objects: 1_000,
            live_bytes: 64_000,
        }],
        too_short: Vec::new(),
        class_of_site: BTreeMap::new(),
        as_before: Vec::new(),
    }
}

fn sessions() -> Finding {
    let create = frame("shop::session::Sessions::create", "session.rs", 88);
    let rate = rate(1.0, 184.0);
    let strings = site("7f3a91c2", create.clone(), verdict(rate.clone(), objects_evidence()));
    let mut table = verdict(Rate { objects_per_op: 0.0, ..rate.clone() }, container_evidence());
    table.channel = Channel::Container;
    let mut table = site("11aa22bb", create.clone(), table);
    table.subject.grew_at = Some(frame("shop::session::Sessions::insert", "session.rs", 97));
    Finding {
        id: "7f3a91c2".into(),
        class: Class::Leak,
        confidence: Confidence::Certain,
        blamed: create,
        rate,
        sites: vec![strings, table],
        container: Some(1),
        change: None,
        runs_out: Some(Projection {
            limit_bytes: 512 << 20,
            limit_of: LimitOf::Cgroup,
            used_bytes: 12 << 20,
            seconds: 28_800.0,
        }),
        ruling: ruling(Gate::Fail, "over the budget of 0 objects/op, 0 B/op"),
    }
}

fn queue() -> Finding {
    let push = frame("worker::Queue::push", "worker.rs", 12);
    let rate = rate(0.25, 12.5);
    let mut verdict = verdict(rate.clone(), objects_evidence());
    verdict.class = Class::Suspect;
    verdict.confidence = Some(Confidence::Suspect);
    verdict.needs_snapshots = Some(12);
    verdict.evidence.would_change.push(Condition::Snapshots { more: 12, about_ns: 4_800_000_000 });
    Finding {
        id: "9e8d7c6b".into(),
        class: Class::Suspect,
        confidence: Confidence::Suspect,
        blamed: push.clone(),
        rate,
        sites: vec![site("9e8d7c6b", push, verdict)],
        container: None,
        change: None,
        runs_out: None,
        ruling: ruling(Gate::Undecided, "too early to say"),
    }
}

fn pool() -> Finding {
    let rate = Rate { work: "seconds".into(), ops_per_hour: 3_600.0, ..rate(0.0, 2_048.0) };
    let place: SharedFrame = NamedFrame {
        function: "<hyper::Pool<T, K> as Keep>::put".into(),
        file: Some("/registry/hyper-1.0.0/src/pool, \"new\".rs".into()),
        line: Some(7),
        origin: Origin::Dependency("hyper".into()),
        ..NamedFrame::default()
    }
    .into();
    let mut verdict = verdict(rate.clone(), container_evidence());
    verdict.channel = Channel::Container;
    Finding {
        id: "00112233".into(),
        class: Class::Leak,
        confidence: Confidence::Likely,
        blamed: place.clone(),
        rate,
        sites: vec![site("00112233", place, verdict)],
        container: None,
        change: None,
        runs_out: Some(Projection {
            limit_bytes: 16 << 30,
            limit_of: LimitOf::Machine,
            used_bytes: 12 << 20,
            seconds: 777_600.0,
        }),
        ruling: ruling(Gate::Warn, "in a dependency"),
    }
}

fn ruling(gate: Gate, because: &str) -> Ruling {
    Ruling { gate, because: because.into() }
}

fn rate(objects_per_op: f64, bytes_per_op: f64) -> Rate {
    Rate {
        work: "requests".into(),
        objects_per_op,
        bytes_per_op,
        bytes_per_op_upper: bytes_per_op * 1.1,
        ops_per_hour: 345_600.0,
    }
}

fn site(id: &str, blamed: SharedFrame, verdict: Verdict) -> JudgedSite {
    JudgedSite { subject: subject(id, blamed), verdict, change: None }
}

fn subject(id: &str, blamed: SharedFrame) -> Subject {
    let std: SharedFrame = NamedFrame {
        function: "alloc::string::String::clone".into(),
        origin: Origin::Std,
        ..NamedFrame::default()
    }
    .into();
    let callers =
        [frame("shop::routes::login", "routes.rs", 31), frame("shop::main", "main.rs", 9)];
    Subject {
        id: id.into(),
        path: format!("{}@src/session.rs", blamed.function),
        tag: None,
        blamed: blamed.clone(),
        via: None,
        grew_at: None,
        spawned_by: None,
        stack: [std, blamed].into_iter().chain(callers).collect(),
    }
}

fn frame(function: &str, file: &str, line: u32) -> SharedFrame {
    NamedFrame {
        function: function.into(),
        file: Some(format!("/build/shop/src/{file}")),
        line: Some(line),
        origin: Origin::Workspace,
        module: "shop".into(),
        ..NamedFrame::default()
    }
    .into()
}

fn verdict(rate: Rate, evidence: Evidence) -> Verdict {
    Verdict {
        class: Class::Leak,
        channel: Channel::Objects,
        confidence: Some(Confidence::Certain),
        rate,
        fits: ["requests", "logins", "seconds"]
            .map(|work| Fit { work: work.into(), misfit: 0.0 })
            .into(),
        needs_snapshots: None,
        evidence,
    }
}

fn objects_evidence() -> Evidence {
    Evidence {
        cohorts: (0..40).map(bar).collect(),
        allocs: 3_120,
        frees: 1_560,
        live_objects: 1_560,
        live_bytes: 287_040,
        objects_error: 0.0,
        bytes_error: 0.0,
        last_free_ago_ns: Some(400_000_000),
        objects_at_exit: Some(1_560),
        objects: Objects::default(),
        container: Container::default(),
        q_value: 0.002,
        excluded: vec![
            Excluded::Cache { freed: 0, seen: 1_480 },
            Excluded::Load { age_ns: 6_200_000_000, objects: 1_480 },
            Excluded::WarmUp { pace: 1.02 },
            Excluded::OneOff { slots: 15, of: 15 },
            Excluded::Chance { ups: 15, of: 15, e_value: 9_700.0 },
        ],
        would_change: vec![
            Condition::MaxLifetime { longer_than_ns: 6_200_000_000 },
            Condition::Bound { above_objects: 1_560 },
        ],
    }
}

fn bar(k: u32) -> CohortBar {
    let objects = if k < 2 { 0 } else { 35 + u64::from(k * 7 % 10) };
    let stage = match k {
        0..10 => Stage::WarmUp,
        10..25 => Stage::Mature,
        _ => Stage::Young,
    };
    let epoch = Epoch(k);
    CohortBar { first_epoch: epoch, last_epoch: epoch, objects, bytes: objects * 184, stage }
}

fn container_evidence() -> Evidence {
    let steps: Vec<_> = (0..9)
        .map(|k| ContainerStep { work: 10.0 * f64::from(1 << k), bytes: 1_024 << k })
        .collect();
    let bytes = steps.last().map_or(0, |step| step.bytes);
    Evidence {
        cohorts: Vec::new(),
        allocs: 9,
        frees: 8,
        live_objects: 1,
        live_bytes: bytes,
        objects_at_exit: None,
        container: Container { steps, bytes, exponent: 0.98, ..Container::default() },
        excluded: vec![
            Excluded::Settled { steps: 8, steady_steps: 5, exponent: 0.98 },
            Excluded::Peak { exponent: 0.98, load_exponent: 0.03 },
        ],
        would_change: Vec::new(),
        ..objects_evidence()
    }
}

/// A call that nothing is known of.
pub(crate) fn call_tree() -> CallTree {
    CallTree {
        function: "shop::checkout".into(),
        file: None,
        line: None,
        bytes_per_hour: 1.0,
        share: 1.0,
        calls: Vec::new(),
    }
}
