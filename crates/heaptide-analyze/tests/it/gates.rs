//! Each gate of the rule, switched by one datum (`docs/VERDICT.md`, both channels).
//!
//! A run of 40 snapshots has its warm-up in slots 0 to 9; what is born in slots 10 to 27 is mature
//! at the end, and almost mature is what is born in slots 30 to 35.

use heaptide_analyze::axis::{Axis, Settings};
use heaptide_analyze::verdict::{Class, Condition, Rule, Verdict, classify_site};
use heaptide_format::{SiteId, SiteRow};
use heaptide_synthetic::{Born, Process, container_rows, rows, series};

const SITE: SiteId = SiteId(1);

fn verdict(n: u32, rows: &[SiteRow]) -> Verdict {
    let axis = Axis::new(&Process::of_snapshots(n).timeline(), &Settings::default());
    classify_site(&axis, &Rule::default(), &series(&axis, rows))
}

/// Births by epoch.
type Births = fn(u32) -> Vec<Born>;

fn kept(n_blocks: u64) -> Vec<Born> {
    vec![Born::for_ever(n_blocks)]
}

/// Some blocks in each fourth epoch but the one that is left out.
fn each_fourth(n_blocks: u64, epoch: u32, left_out: u32) -> Vec<Born> {
    kept(if epoch.is_multiple_of(4) && epoch != left_out { n_blocks } else { 0 })
}

#[test]
fn a_gate_for_objects_is_switched_by_one_datum() {
    // The gate, what passes it and its class, what does not and its class.
    let cases: &[(&str, Births, Class, Births, Class)] = &[
        (
            "survivors: four, or three",
            |k| each_fourth(1, k, 99),
            Class::Suspect,
            |k| each_fourth(1, k, 24),
            Class::Stable,
        ),
        (
            "spread: from four slots, or three",
            |k| each_fourth(3, k, 99),
            Class::Suspect,
            // Three bursts of four or more would recur.
            |k| each_fourth(3, k, 20),
            Class::OneOff,
        ),
        (
            "spread: from three quarters, or two",
            |k| kept(if [10, 11, 18, 26, 27].contains(&k) { 9 } else { 0 }),
            Class::Saturating,
            |k| kept(if [10, 11, 25, 26, 27].contains(&k) { 9 } else { 0 }),
            Class::OneOff,
        ),
        (
            "pace: the second half at half the rate, or less",
            |k| kept(if k < 19 { 10 } else { 5 }),
            Class::Leak,
            |k| kept(if k < 19 { 10 } else { 4 }),
            Class::Saturating,
        ),
        (
            "pace: the almost mature at .4 of the rate, or less",
            |k| kept(if k < 30 { 10 } else { 4 }),
            Class::Leak,
            |k| kept(if k < 30 { 10 } else { 3 }),
            Class::Saturating,
        ),
        (
            "rise: nothing is replaced, or all after 24 epochs",
            |_| kept(40),
            Class::Leak,
            |_| vec![Born::living(40, 24)],
            Class::Turnover,
        ),
        (
            "deaths: few of the mature die beside those that stay, or most",
            |_| vec![Born::for_ever(5), Born::living(5, 14)],
            Class::Leak,
            |_| vec![Born::for_ever(5), Born::living(60, 14)],
            Class::Turnover,
        ),
        (
            "evidence: a step up in each slot, or in each fourth",
            |_| kept(10),
            Class::Leak,
            |k| each_fourth(10, k, 99),
            Class::Suspect,
        ),
    ];
    for &(gate, passes, passed, fails, failed) in cases {
        for (births, class) in [(passes, passed), (fails, failed)] {
            let verdict = verdict(40, &rows(SITE, 40, births));
            assert_eq!(verdict.class, class, "{gate}: {:#?}", verdict.evidence.objects);
        }
    }
}

/// 180 survivors are enough where a block stands for eight, and not where it stands for twelve.
#[test]
fn a_sampled_recording_must_have_caught_enough() {
    for (weight, class) in [(1.0, Class::Leak), (8.0, Class::Leak), (12.0, Class::Suspect)] {
        let mut rows = rows(SITE, 40, |_| kept(10));
        for row in &mut rows {
            row.objects_error = Some(((weight - 1.0) * row.live_objects as f64).sqrt());
        }
        let verdict = verdict(40, &rows);
        assert_eq!(verdict.class, class, "{weight}");
        let error = verdict.evidence.objects_error;
        assert_eq!(error > 0.0, weight > 1.0, "{error}");
    }
}

#[test]
fn too_short_a_run_is_suspect_and_says_how_much_is_missing() {
    for (n, class) in [(19, Class::Suspect), (20, Class::Leak)] {
        let verdict = verdict(n, &rows(SITE, n, |_| kept(10)));
        assert_eq!(verdict.class, class, "{n} snapshots");
        assert_eq!(verdict.needs_snapshots.is_some(), class == Class::Suspect);
    }
}

/// The size of a container at the end of each epoch.
type Size = fn(u32) -> u64;

#[test]
fn a_gate_for_containers_is_switched_by_one_datum() {
    // A table of 4,800 bytes per snapshot that doubles when it is full.
    fn doubling(k: u32) -> u64 {
        (4800 * (u64::from(k) + 1)).next_power_of_two()
    }
    let cases: &[(&str, Size, Class, Size, Class)] = &[
        (
            "overdue: it goes on, or stopped at a quarter",
            doubling,
            Class::Leak,
            |k| doubling(k.min(9)),
            Class::Settled,
        ),
        (
            "power: like the work, or like its root",
            doubling,
            Class::Leak,
            |k| (65_536.0 * f64::from(k + 1).sqrt()) as u64,
            Class::Saturating,
        ),
        (
            "size: from kilobytes, or from bytes",
            doubling,
            Class::Leak,
            |k| doubling(k) / 100,
            Class::Suspect,
        ),
        (
            "still held: to the end, or given back",
            doubling,
            Class::Leak,
            |k| if k < 38 { doubling(k) } else { 4096 },
            Class::Stable,
        ),
        (
            "steps: on schedule, or one jump at the end",
            doubling,
            Class::Leak,
            |k| if k < 36 { 4096 } else { 1 << 20 },
            Class::Settled,
        ),
    ];
    for &(gate, passes, passed, fails, failed) in cases {
        for (size, class) in [(passes, passed), (fails, failed)] {
            let verdict = verdict(40, &container_rows(SITE, 40, size));
            assert_eq!(verdict.class, class, "{gate}: {:#?}", verdict.evidence.container);
        }
    }
}

/// A cache that was full before the recording began frees an old block for each that it takes in.
#[test]
fn what_may_only_replace_blocks_from_before_is_no_leak_for_sure() {
    // Blocks from before that are freed in each epoch, of ten that are kept; the class.
    let cases = [(0, Class::Leak), (4, Class::Leak), (5, Class::Suspect), (10, Class::Suspect)];
    for (freed, class) in cases {
        let mut process = Process::of_snapshots(40);
        for (k, point) in process.points.iter_mut().enumerate() {
            point.freed_from_before = freed * (k as u64 + 1);
        }
        let axis = Axis::new(&process.timeline(), &Settings::default());
        let kept = series(&axis, &rows(SITE, 40, |_| kept(10)));
        let verdict = classify_site(&axis, &Rule::default(), &kept);
        assert_eq!(verdict.class, class, "{freed} are freed in each epoch");
        let says = |it: &Condition| matches!(it, Condition::FromStart { .. });
        let said = verdict.evidence.would_change.iter().any(says);
        assert_eq!(said, class == Class::Suspect, "{freed} are freed in each epoch");
    }
}
