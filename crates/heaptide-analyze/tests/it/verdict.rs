//! Sites written down by hand, and what each of them is.
//!
//! `cargo ci verdict` measures error rates on many random ones; here each line of a table is one
//! small program, and one gate of the rule decides it.

use std::collections::{BTreeMap, BTreeSet};

use heaptide_analyze::axis::{Axis, Settings};
use heaptide_analyze::load::Timeline;
use heaptide_analyze::series::SiteSeries;
use heaptide_analyze::verdict::{
    Channel, Class, Confidence, Rule, Verdict, classify_site, classify_sites,
};
use heaptide_format::{Cohort, Epoch, Reason, SiteId, SiteRow};
use heaptide_synthetic::{Born, Process, rows};

const BYTES: u64 = 100;

/// Blocks born in an epoch and when they die, per epoch: `life(epoch)` lists (count, life).
type Life = fn(u32, u32) -> Vec<(u64, u32)>;

/// The size of a container at each snapshot.
type Size = fn(u64) -> u64;

/// A site's rows with their snapshots.
type Rows = Vec<(usize, SiteRow)>;

const FOREVER: u32 = 1_000_000;

fn timeline(n: u32) -> Timeline {
    Process::of_snapshots(n).timeline()
}

fn row(cohorts: BTreeMap<Epoch, (u64, u64)>, allocs: u64) -> SiteRow {
    let (objects, bytes) = cohorts.values().fold((0, 0), |sum, c| (sum.0 + c.0, sum.1 + c.1));
    SiteRow {
        allocs,
        frees: allocs - objects,
        alloc_bytes: bytes,
        live_objects: objects,
        live_bytes: bytes,
        cohorts: cohorts.into_iter().map(|(epoch, (n, bytes))| Cohort(epoch, n, bytes)).collect(),
        ..SiteRow::empty(SiteId(1))
    }
}

/// The row of snapshot `k`.
fn row_at(n: u32, k: u32, life: Life) -> SiteRow {
    let born = |epoch| life(n, epoch).into_iter().map(|(count, life)| Born::living(count, life));
    rows(SiteId(1), k + 1, |epoch| born(epoch).collect()).pop().expect("there is a snapshot")
}

fn judge(timeline: &Timeline, settings: &Settings, rows: &[(usize, SiteRow)]) -> Verdict {
    let axis = Axis::new(timeline, settings);
    let mut series = SiteSeries::new();
    rows.iter().for_each(|(k, row)| series.observe(&axis, *k, row));
    series.close(&axis);
    classify_site(&axis, &Rule::default(), &series)
}

fn judge_life(n: u32, life: Life) -> Verdict {
    let rows: Vec<_> = (0..n).map(|k| (k as usize, row_at(n, k, life))).collect();
    judge(&timeline(n), &Settings::default(), &rows)
}

#[test]
fn every_class_is_named() {
    let cases: &[(&str, u32, Class, Life)] = &[
        ("one block per request is kept", 40, Class::Leak, |_, _| vec![(10, FOREVER)]),
        ("one in a hundred is kept", 40, Class::Leak, |_, _| vec![(99, 1), (1, FOREVER)]),
        ("a leak beside a cache", 80, Class::Leak, |n, _| vec![(50, n / 5), (5, FOREVER)]),
        ("a leak that starts late", 40, Class::Leak, |n, k| {
            vec![(50, 1), (if k * 5 > n * 2 { 5 } else { 0 }, FOREVER)]
        }),
        ("G1: too short a run", 19, Class::Suspect, |_, _| vec![(10, FOREVER)]),
        ("G7: too few steps up", 40, Class::Suspect, |_, k| {
            vec![(if k % 4 == 0 { 10 } else { 0 }, FOREVER)]
        }),
        ("G2: a cache that turns over", 40, Class::Turnover, |n, _| vec![(40, n * 6 / 10)]),
        ("G2: a cache that is full at last", 40, Class::Turnover, |n, _| vec![(40, n * 8 / 10)]),
        ("G3: a reload", 40, Class::OneOff, |n, k| {
            vec![(50, 1), (if k == n / 2 { 400 } else { 0 }, FOREVER)]
        }),
        ("G3: two reloads", 40, Class::OneOff, |_, k| {
            vec![(50, 1), (if [12, 18].contains(&k) { 90 } else { 0 }, FOREVER)]
        }),
        ("three outages, and nothing is freed after any", 40, Class::Suspect, |_, k| {
            vec![(50, 1), (if [12, 18, 25].contains(&k) { 90 } else { 0 }, FOREVER)]
        }),
        ("three outages, the last of which left little", 40, Class::OneOff, |_, k| {
            let left = [(12, 90), (18, 90), (25, 9)].into_iter().find(|(at, _)| *at == k);
            vec![(50, 1), (left.map_or(0, |(_, n)| n), FOREVER)]
        }),
        ("G4: a set of keys is exhausted", 40, Class::Saturating, |n, k| {
            vec![(1000 >> (k * 10 / n), FOREVER)]
        }),
        ("G5: it stopped", 40, Class::Saturating, |n, k| {
            vec![(if k * 10 < n * 7 { 9 } else { 0 }, FOREVER)]
        }),
        ("it stopped late", 40, Class::Saturating, |n, k| {
            vec![(if k * 100 < n * 85 { 9 } else { 0 }, FOREVER)]
        }),
        ("it may have stopped: hardly any are born at last", 40, Class::Suspect, |n, k| {
            vec![(if k * 10 < n * 9 { 9 } else { 3 }, FOREVER)]
        }),
        ("bursts in each fourth epoch", 80, Class::Leak, |_, k| {
            vec![(if k % 4 == 0 { 10 } else { 0 }, FOREVER)]
        }),
        ("bursts of which one is most of all", 80, Class::Suspect, |_, k| {
            let burst = if k == 44 { 100 } else { 10 };
            vec![(if k % 4 == 0 { burst } else { 0 }, FOREVER)]
        }),
        ("load doubles and nothing stays", 40, Class::Load, |_, k| {
            vec![(10 + 5 * u64::from(k), 2)]
        }),
        ("requests", 40, Class::Stable, |_, _| vec![(300, 1)]),
        ("start-up", 40, Class::Stable, |_, k| vec![(if k < 3 { 900 } else { 0 }, FOREVER)]),
        ("nothing", 40, Class::Stable, |_, _| vec![]),
        ("one snapshot", 1, Class::Stable, |_, _| vec![(10, FOREVER)]),
        ("no snapshot", 0, Class::Stable, |_, _| vec![]),
    ];
    check_classes(cases);
}

/// What a site holds beside its old blocks: a site as a whole that has stopped rising is no leak.
#[test]
fn a_site_that_holds_no_more_is_doubted() {
    check_classes(&[
        ("a full cache keeps its size, though some grow old", 40, Class::Turnover, |_, k| {
            vec![(5, FOREVER), (400 - 5 * u64::from(k), 1)]
        }),
        ("what else it holds varies", 40, Class::Leak, |_, k| {
            vec![(5, FOREVER), (400 + 5 * u64::from(k), 1)]
        }),
        ("it holds no more, though births stay: others went", 40, Class::Suspect, |_, k| {
            vec![(10, FOREVER), (200 - 10 * u64::from(k.saturating_sub(29)), 1)]
        }),
        ("it has held as little beside them before", 40, Class::Leak, |_, k| {
            let fewer = if k < 20 { 100 } else { 10 * u64::from(k.saturating_sub(29)) };
            vec![(10, FOREVER), (200 - fewer, 1)]
        }),
        ("what it holds beside them has always been falling", 40, Class::Leak, |_, k| {
            vec![(10, FOREVER), (400 - 8 * u64::from(k), 1)]
        }),
    ]);
}

fn check_classes(cases: &[(&str, u32, Class, Life)]) {
    for &(name, n, class, life) in cases {
        let verdict = judge_life(n, life);
        assert_eq!(verdict.class, class, "{name}: {:#?}", verdict.evidence.objects);
        let rate = &verdict.rate;
        assert!(rate.objects_per_op.is_finite() && rate.bytes_per_op.is_finite(), "{name}");
    }
}

/// However lax the evidence: too few snapshots decide nothing, in either channel.
#[test]
fn too_few_snapshots_decide_nothing() {
    let doubling = |k: u64| row(BTreeMap::from([(Epoch(0), (1, 4800 * (k + 1)))]), 1);
    for (n, class) in [(16, Class::Suspect), (20, Class::Leak)] {
        let leaking = |k: u32| row_at(n, k, |_, _| vec![(10, FOREVER)]);
        for at in [&leaking as &dyn Fn(u32) -> SiteRow, &|k| doubling(u64::from(k))] {
            let axis = Axis::new(&timeline(n), &Settings::default());
            let mut series = SiteSeries::new();
            (0..n).for_each(|k| series.observe(&axis, k as usize, &at(k)));
            series.close(&axis);
            let lax = Rule { alpha: 0.5, ..Rule::default() };
            assert_eq!(classify_site(&axis, &lax, &series).class, class);
        }
    }
}

#[test]
fn growth_is_per_unit_of_work() {
    let verdict = judge_life(40, |_, _| vec![(90, 1), (10, FOREVER)]);
    assert_eq!(verdict.rate.work, "requests");
    assert_eq!(verdict.rate.objects_per_op, 0.1);
    assert_eq!(verdict.rate.bytes_per_op, 10.0);
    assert_eq!(verdict.rate.ops_per_hour.round(), 72_000.0);
}

/// A site with one block of `bytes` at the end of each snapshot, from the first on.
fn judge_container(n: u32, bytes: &dyn Fn(u64) -> u64) -> Verdict {
    let cohorts = |k: u32| BTreeMap::from([(Epoch(0), (1, bytes(u64::from(k) + 1)))]);
    let rows: Vec<_> = (0..n).map(|k| (k as usize, row(cohorts(k), 1))).collect();
    judge(&timeline(n), &Settings::default(), &rows)
}

#[test]
fn containers_are_judged_by_their_schedule() {
    let cases: &[(&str, Class, Size)] = &[
        ("doubles with the work", Class::Leak, |k| (48 * 100 * k).next_power_of_two()),
        ("doubled until a quarter", Class::Settled, |k| (4800 * k.min(10)).next_power_of_two()),
        ("grows like the square root", Class::Saturating, |k| {
            ((1 << 16) as f64 * (k as f64).sqrt()) as u64
        }),
        ("remembers the high water of a load", Class::Suspect, |k| match k {
            0..5 => 4096,
            5..10 => 8192,
            10..13 => 16_384,
            13..26 => 32_768,
            _ => 65_536,
        }),
        ("the same times at one rate", Class::Leak, |k| match k {
            0..4 => 4096,
            4..7 => 8192,
            7..13 => 16_384,
            13..26 => 32_768,
            _ => 65_536,
        }),
        ("doubled twice at one rate", Class::Suspect, |k| match k {
            0..7 => 2048,
            7..13 => 16_384,
            13..26 => 32_768,
            _ => 65_536,
        }),
        // So does each table that holds more than ever before, and nothing more is known of it.
        ("grew once after a long rest", Class::Settled, |k| match k {
            0..3 => 4096,
            3..5 => 8192,
            5..8 => 16_384,
            8..33 => 32_768,
            _ => 65_536,
        }),
        ("was made in the middle", Class::Leak, |k| match k {
            0..16 => 0,
            later => (4800 * (later - 15)).next_power_of_two(),
        }),
        ("a buffer", Class::Stable, |_| 1 << 20),
        ("grows by a few bytes", Class::Stable, |k| (k * 8).next_power_of_two()),
    ];
    for &(name, class, bytes) in cases {
        let verdict = judge_container(40, &bytes);
        assert_eq!(verdict.class, class, "{name}: {:#?}", verdict.evidence.container);
        if class == Class::Leak {
            assert_eq!(verdict.channel, Channel::Container);
        }
    }
}

/// A vector of 32 bytes per request was said to grow by up to 64, by where in its last doubling the run ended.
#[test]
fn a_container_grows_by_what_is_put_into_it_and_not_by_its_room() {
    for n in [40, 64, 65, 80, 127] {
        let grown = |k: u64| (32 * 100 * k).next_power_of_two();
        let rate = judge_container(n, &grown).rate;
        assert!((rate.bytes_per_op / 32.0 - 1.0).abs() < 0.1, "{n} snapshots: {rate:?}");
        let room = grown(u64::from(n)) as f64 / f64::from(100 * n);
        assert!(rate.bytes_per_op_upper >= room, "{n} snapshots: {rate:?}");
    }
}

/// A cache that filled at two thirds of the run was called a leak: its table had no reason to grow
/// again yet. The entries say that it is full.
#[test]
fn a_container_is_judged_by_its_elements_where_they_show() {
    let axis = Axis::new(&timeline(40), &Settings::default());
    let series = |row_at: &dyn Fn(u64) -> SiteRow| {
        let mut series = SiteSeries::new();
        (0..40).for_each(|k| series.observe(&axis, k, &row_at(k as u64)));
        series.close(&axis);
        series
    };
    let room = |k: u64| (16 * 100 * (k + 1)).next_power_of_two();
    let table = series(&|k| row(BTreeMap::from([(Epoch(0), (1, room(k)))]), 1));
    let entries = |per_epoch: u64, until: u64| {
        series(&|k| {
            let born = |epoch| (Epoch(epoch as u32), (per_epoch, per_epoch * BYTES));
            row((0..=k.min(until - 1)).map(born).collect(), per_epoch * (k + 1))
        })
    };
    // A queue that is emptied more slowly than it fills: all in it are young, and there are ever more.
    let backlog = series(&|k| {
        let born = |epoch| (Epoch(epoch as u32), (400, 400 * BYTES));
        row((3 * (k + 1) / 4..=k).map(born).collect(), 400 * (k + 1))
    });
    // One that is emptied in batches, oldest first: what is old falls now and then, so it is undecided.
    let in_batches = series(&|k| {
        let (born, gone) = (150 * (k + 1), 200 * ((k + 1) / 4));
        let left = |epoch: u64| (150 * (epoch + 1)).saturating_sub(gone).min(150);
        let cohort = |epoch: u64| (Epoch(epoch as u32), (left(epoch), left(epoch) * BYTES));
        row((0..=k).filter(|epoch| left(*epoch) > 0).map(cohort).collect(), born)
    });
    // The sites beside the table, and what it is then.
    let cases: &[(&str, Class, &[SiteSeries])] = &[
        ("alone", Class::Leak, &[]),
        ("with entries that are as many as at two thirds", Class::Saturating, &[entries(100, 26)]),
        ("with entries that grow", Class::Leak, &[entries(100, 40)]),
        ("with both", Class::Leak, &[entries(100, 26), entries(100, 40)]),
        ("with others that are too many", Class::Leak, &[entries(4000, 26)]),
        ("with others that were full before", Class::Leak, &[entries(100, 9)]),
        ("with a backlog", Class::Leak, &[backlog]),
        ("with one that is emptied in batches", Class::Leak, &[in_batches]),
    ];
    for (name, class, others) in cases {
        let sites = [&table].into_iter().chain(*others).map(|series| (&axis, series));
        let all = |_| (0..=others.len()).collect();
        let verdicts = classify_sites(&axis, &Rule::default(), sites.clone(), all);
        assert_eq!(verdicts[0].class, *class, "{name}: {:#?}", verdicts[0].evidence.container);
        let unrelated = classify_sites(&axis, &Rule::default(), sites, |_| BTreeSet::new());
        assert_eq!(unrelated[0].class, Class::Leak, "{name}, by chance");
    }
}

/// A storage engine's buffer was called a certain leak: nothing had been freed, because nothing had
/// been flushed yet.
#[test]
fn not_to_have_seen_the_end_is_no_certainty() {
    let cases: &[(&str, Confidence, Life)] = &[
        ("others of them die", Confidence::Certain, |_, _| vec![(90, 1), (10, FOREVER)]),
        ("never a free", Confidence::Likely, |_, _| vec![(10, FOREVER)]),
    ];
    for &(name, confidence, life) in cases {
        let axis = Axis::new(&timeline(80), &Settings::default());
        let mut series = SiteSeries::new();
        (0..80).for_each(|k| series.observe(&axis, k as usize, &row_at(80, k, life)));
        series.close(&axis);
        let verdicts = classify_sites(&axis, &Rule::default(), [(&axis, &series)], |_| [0].into());
        assert_eq!(verdicts[0].class, Class::Leak, "{name}");
        assert_eq!(verdicts[0].confidence, Some(confidence), "{name}");
    }
}

/// The same leak, recorded in different ways, is the same leak.
#[test]
fn how_it_was_recorded_does_not_matter() {
    let leak: Life = |_, _| vec![(90, 1), (10, FOREVER)];
    let whole: Vec<_> = (0..60).map(|k| (k as usize, row_at(60, k, leak))).collect();
    let expected = judge(&timeline(60), &Settings::default(), &whole);
    assert_eq!(expected.class, Class::Leak);

    let mut with_exit = timeline(61);
    with_exit.points[60].reason = Reason::Exit;
    let mut rows = whole.clone();
    rows.push((60, row(BTreeMap::new(), 6000)));
    let judged = judge(&with_exit, &Settings::default(), &rows);
    assert_eq!(judged.rate, expected.rate, "the exit snapshot is not evidence");
    assert_eq!(judged.evidence.objects_at_exit, Some(0));

    let mut holes = timeline(60);
    holes.points.retain(|point| point.seq % 7 != 3);
    let kept = whole.iter().filter(|(k, _)| k % 7 != 3).enumerate();
    let rows: Vec<_> = kept.map(|(k, (_, row))| (k, row.clone())).collect();
    let judged = judge(&holes, &Settings::default(), &rows);
    assert_eq!(judged.class, Class::Leak, "snapshots are missing");
    assert_eq!(judged.rate.objects_per_op, expected.rate.objects_per_op);

    let once = |n: u32, _| vec![(if n == 60 { 0 } else { 5 }, FOREVER)];
    let quiet: Vec<_> = (0..30).map(|k| (k as usize, row_at(30, k, once))).collect();
    let judged = judge(&timeline(60), &Settings::default(), &quiet);
    assert_eq!(judged.class, Class::Saturating, "a silent site stands as its last row says");
}

#[test]
fn idle_time_ages_nothing() {
    // A full cache, and then nobody asks anything for as long again.
    let cache: Life = |_, k| vec![(if k < 40 { 40 } else { 0 }, if k < 28 { 12 } else { FOREVER })];
    let mut run = timeline(80);
    for point in &mut run.points[40..] {
        point.work.insert("requests".into(), 4000);
    }
    let rows: Vec<_> = (0..80).map(|k| (k as usize, row_at(80, k, cache))).collect();
    let verdict = judge(&run, &Settings::default(), &rows);
    assert!(verdict.class > Class::Suspect, "{:#?}", verdict.evidence.objects);
}

#[test]
fn a_longer_lifetime_excuses() {
    let leak: Life = |_, _| vec![(10, 30)];
    let rows: Vec<_> = (0..60).map(|k| (k as usize, row_at(60, k, leak))).collect();
    let settings = Settings { max_lifetime_ns: Some(31 * 5_000_000_000), ..Settings::default() };
    let verdict = judge(&timeline(60), &settings, &rows);
    assert!(verdict.class > Class::Suspect);
}

#[test]
fn merged_sites_are_judged_as_one() {
    let axis = Axis::new(&timeline(40), &Settings::default());
    let half = |parity: u32| {
        let mut series = SiteSeries::new();
        for k in 0..40 {
            let even: Life = |_, k| vec![(if k % 2 == 0 { 10 } else { 0 }, FOREVER)];
            let odd: Life = |_, k| vec![(if k % 2 == 1 { 10 } else { 0 }, FOREVER)];
            series.observe(&axis, k as usize, &row_at(40, k, if parity == 0 { even } else { odd }));
        }
        series.close(&axis);
        series
    };
    let (mut one, other) = (half(1), half(0));
    one.merge(&other);
    let verdict = classify_site(&axis, &Rule::default(), &one);
    assert_eq!(verdict.class, Class::Leak);
    assert_eq!(verdict.rate.objects_per_op, 0.1);
}

/// A table of sessions was called a leak: it had doubled twice because requests came four times
/// as fast.
#[test]
fn a_table_sized_for_its_peak_load_is_no_leak() {
    let work_at = |k: u64| if k < 13 { 20 * (k + 1) } else { 260 + 80 * (k - 12) };
    let for_its_load = |work: u64| match work {
        0..60 => 1200,
        60..800 => 2400,
        800..1500 => 4800,
        _ => 9600,
    };
    let for_all_there_were = |work: u64| (16 * work).next_power_of_two();
    let rows_of = |bytes_at: &dyn Fn(u64) -> u64| {
        let row_at = |k: u64| row(BTreeMap::from([(Epoch(0), (1, bytes_at(work_at(k))))]), 1);
        (0..40).map(|k| (k as usize, row_at(k))).collect::<Vec<_>>()
    };
    let run = |reason: Reason, elapsed_ns: &dyn Fn(u64) -> u64, rows: &Rows| {
        let mut run = timeline(40);
        for point in &mut run.points {
            point.reason = reason;
            point.work = BTreeMap::from([("requests".into(), work_at(point.seq))]);
            point.elapsed_ns = elapsed_ns(point.seq);
        }
        judge(&run, &Settings::default(), rows).class
    };
    let even = |k: u64| (k + 1) * 1_000_000_000;
    let by_work = |k: u64| work_at(k) * 1_000_000;
    let (sized, kept) = (rows_of(&for_its_load), rows_of(&for_all_there_were));
    assert_eq!(run(Reason::Interval, &even, &sized), Class::Load, "the load explains it");
    assert_eq!(run(Reason::Interval, &by_work, &kept), Class::Leak, "nothing else explains it");
    // A leak was called a suspect: the machine had become faster between two calls.
    assert_eq!(run(Reason::Call, &even, &kept), Class::Leak, "calls do not come by the clock");
}

/// A map that nobody reaps was called clean: it had grown by less than 4 KiB so far.
#[test]
fn a_small_container_on_schedule_is_suspect() {
    let bytes = |k: u64| (60 * (k + 1)).next_power_of_two();
    let cohorts = |k: u64| BTreeMap::from([(Epoch(0), (1, bytes(k)))]);
    let rows: Vec<_> = (0..40).map(|k| (k as usize, row(cohorts(k), 1))).collect();
    let verdict = judge(&timeline(40), &Settings::default(), &rows);
    assert_eq!(verdict.class, Class::Suspect, "{:#?}", verdict.evidence.container);
    assert!(verdict.needs_snapshots.is_some_and(|more| (1..40).contains(&more)));
}

/// A leak was called clean: the service dropped everything in two snapshots before it exited.
#[test]
fn a_program_that_takes_itself_apart_is_not_judged() {
    // Live blocks of the heap and requests by snapshot; the last one is the exit snapshot.
    type Run = fn(u64) -> (u64, u64);
    let working: Run = |k| (500 + 10 * k, 100 * (k + 1));
    let cases: &[(&str, Reason, usize, Run)] = &[
        ("it goes on", Reason::Exit, 0, working),
        ("was seen half dropped", Reason::Exit, 1, |k| match k {
            59 => (700, 5950),
            60 => (90, 5950),
            k => (500 + 10 * k, 100 * k),
        }),
        ("drops all in the end", Reason::Exit, 0, |k| match k {
            60 => (90, 5950),
            k => (500 + 10 * k, 100 * k),
        }),
        (
            "drops all",
            Reason::Exit,
            2,
            |k| if k < 58 { (500 + 10 * k, 100 * k) } else { (90, 5750) },
        ),
        ("is not known to exit", Reason::Interval, 0, |k| {
            if k < 58 { (500 + 10 * k, 100 * k) } else { (90, 5750) }
        }),
        ("flushes as before", Reason::Exit, 0, |k| (500 + 400 * (k % 10), 100 * k.min(58))),
        ("still works", Reason::Exit, 0, |k| if k < 58 { (900, 100 * k) } else { (90, 100 * k) }),
        ("without work", Reason::Exit, 3, |k| (if k < 57 { 800 + k } else { 9 }, 0)),
        ("flushes to the start", Reason::Exit, 0, |k| (if k == 0 || k > 57 { 9 } else { 800 }, 0)),
    ];
    for &(name, last, teardown, at) in cases {
        let mut run = timeline(61);
        for point in &mut run.points {
            let (live, requests) = at(point.seq);
            point.heap.live_objects = live;
            point.work = BTreeMap::from([("requests".into(), requests)]);
        }
        run.points[60].reason = last;
        assert_eq!(Axis::new(&run, &Settings::default()).teardown(), teardown, "{name}");
    }
}

/// Growth was counted in the first counter by name, whatever grew with what.
#[test]
fn growth_is_counted_in_what_explains_it() {
    let logins = |k: u64| 6 * k + k % 3;
    let browsing = |k: u64| 50 * k + if k < 24 { 0 } else { 400 * (k - 24) };
    let run = |choose: Option<&str>, rows: &[(usize, SiteRow)]| {
        let mut run = timeline(40);
        for point in &mut run.points {
            let k = point.seq + 1;
            let counts =
                [("browsing", browsing(k)), ("logins", logins(k)), ("retries", 90 + k / 3)];
            point.work = counts.map(|(name, n)| (name.to_owned(), n)).into();
        }
        let axis = Axis::new(&run, &Settings::default());
        let mut series = SiteSeries::new();
        rows.iter().for_each(|(k, row)| series.observe(&axis, *k, row));
        series.close(&axis);
        let rule = Rule { work: choose.map(str::to_owned), ..Rule::default() };
        classify_site(&axis, &rule, &series)
    };
    let rows_of = |row_of: &dyn Fn(u32) -> SiteRow| {
        (0..40).map(|k| (k as usize, row_of(k))).collect::<Vec<_>>()
    };
    let container = |grown: &dyn Fn(u64) -> u64| {
        let row_of = |k: u32| {
            let bytes = (grown(u64::from(k) + 1) * 64).next_power_of_two();
            row(BTreeMap::from([(Epoch(0), (1, bytes))]), 1)
        };
        rows_of(&row_of)
    };
    let births = |born: &dyn Fn(u32) -> u64| {
        let row_of = |k: u32| {
            let cohorts = (0..=k).map(|e| (Epoch(e), (born(e), born(e) * BYTES))).collect();
            row(cohorts, 9_000)
        };
        rows_of(&row_of)
    };
    let per_login = |e: u32| 4 * (logins(u64::from(e) + 1) - logins(e.into()));
    let per_page = |e: u32| browsing(u64::from(e) + 1) - browsing(e.into());
    let cases: [(&str, &str, Rows); 4] = [
        ("a map of sessions", "logins", container(&logins)),
        ("a map of pages", "browsing", container(&browsing)),
        ("sessions", "logins", births(&per_login)),
        ("pages", "browsing", births(&per_page)),
    ];
    for (name, work, rows) in &cases {
        let verdict = run(None, rows);
        assert!(verdict.class <= Class::Suspect, "{name}: {:#?}", verdict.evidence.container);
        assert_eq!(verdict.rate.work, *work, "{name}: {:?}", verdict.fits);
        assert_eq!(verdict.fits[0].work, *work, "{name}");
        let named = run(Some("browsing"), rows);
        assert_ne!(named.rate.work, "logins", "{name}, as asked");
        assert!(named.fits.is_empty(), "{name}: there was no choice");
    }
}

/// A leak was a suspect, now and then: the machine stood still between calls, and so several slots
/// grew old at once.
#[test]
fn a_run_that_the_program_paces_is_measured_by_its_work() {
    let judged = |reason: Reason, elapsed_ns: &dyn Fn(u64) -> u64| {
        let mut run = timeline(40);
        for point in &mut run.points {
            point.reason = reason;
            point.elapsed_ns = elapsed_ns(point.seq);
        }
        let leak: Life = |_, _| vec![(10, FOREVER)];
        let rows: Vec<_> = (0..40).map(|k| (k as usize, row_at(40, k, leak))).collect();
        judge(&run, &Settings::default(), &rows)
    };
    let even = |k: u64| (k + 1) * 1_000_000;
    let jerky = |k: u64| (k + 1) * 1_000_000 + k / 6 * 40_000_000;
    let (even, jerky) = (judged(Reason::Call, &even), judged(Reason::Call, &jerky));
    assert_eq!(jerky.class, Class::Leak);
    assert_eq!(jerky.evidence.objects, even.evidence.objects);
}

/// A queue of sessions was called a leak per packet, of which equally many came all the time: it
/// follows the load of requests.
#[test]
fn a_queue_sized_for_the_load_of_another_counter_is_no_leak() {
    let per_slot = |k: u64| 4 * (k + 1);
    let requests = |k: u64| 2 * (k + 1) * (k + 2);
    let run = |work: Option<&str>, bytes_at: &dyn Fn(u64) -> u64| {
        let mut run = timeline(40);
        for point in &mut run.points {
            let k = point.seq;
            let counts = [("packets", 900 * (k + 1) + k % 3), ("requests", requests(k))];
            point.work = counts.map(|(name, n)| (name.to_owned(), n)).into();
        }
        let row_of = |k: u64| row(BTreeMap::from([(Epoch(0), (1, bytes_at(k)))]), 1);
        let axis = Axis::new(&run, &Settings::default());
        let mut series = SiteSeries::new();
        (0..40).for_each(|k| series.observe(&axis, k as usize, &row_of(k)));
        series.close(&axis);
        classify_site(&axis, &Rule { work: work.map(str::to_owned), ..Rule::default() }, &series)
            .class
    };
    let queue = |k: u64| (per_slot(k) * 64).next_power_of_two();
    assert!(run(None, &queue) > Class::Leak);
    assert!(run(Some("packets"), &queue) > Class::Leak, "whatever it is measured in");
    let superlinear = |k: u64| (per_slot(k).pow(2) * 16).next_power_of_two();
    assert_eq!(run(None, &superlinear), Class::Suspect, "requests that stay, or that wait longer");
    let leak = |k: u64| (600 * (k + 1)).next_power_of_two();
    assert_eq!(run(None, &leak), Class::Suspect, "packets that stay, or requests that wait");
}

/// A leak was called a turnover: traffic rose, so that later blocks were more in number, and those
/// that rightly die took care of the rest.
#[test]
fn rising_traffic_does_not_excuse_a_leak() {
    let born: Life = |_, k| {
        let born = u64::from(100 + 8 * k);
        // A life of ten epochs, on average.
        let lives =
            (1..16).map(|third| ((born as f64 * 0.35 * 0.74_f64.powi(third)) as u64, third));
        lives.map(|(n, third)| (n, 3 * third as u32)).chain([(born / 10, FOREVER)]).collect()
    };
    let n = 80;
    let mut run = timeline(n);
    let mut requests = 0;
    for point in &mut run.points {
        requests += 100 + 8 * point.seq;
        point.work = BTreeMap::from([("requests".into(), requests)]);
    }
    let rows: Vec<_> = (0..n).map(|k| (k as usize, row_at(n, k, born))).collect();
    let verdict = judge(&run, &Settings::default(), &rows);
    assert_eq!(verdict.class, Class::Leak, "{:#?}", verdict.evidence.objects);
}
