//! Rows summed up: what a series says of each slot, whatever of its site was seen.

use heaptide_analyze::axis::{Axis, Settings};
use heaptide_analyze::series::{SiteSeries, SlotRow};
use heaptide_format::{Cohort, Epoch, Reason, SiteId, SiteRow};
use heaptide_synthetic::{Born, Process, rows, series};

const SITE: SiteId = SiteId(1);

fn axis(n: u32) -> Axis {
    Axis::new(&Process::of_snapshots(n).timeline(), &Settings::default())
}

/// Of a run of 40: mature, old, fewest blocks and fewest bytes of one slot.
fn slot(series: &SiteSeries, slot: usize) -> (u64, u64, u64, u64) {
    let SlotRow { mature_objects, old_objects, trough_objects, trough_bytes } = series.row(slot);
    (mature_objects, old_objects, trough_objects, trough_bytes)
}

#[test]
fn each_slot_says_what_is_old_and_what_is_mature() {
    let axis = axis(40);
    let one_each = series(&axis, &rows(SITE, 40, |_| vec![Born::for_ever(1)]));
    // Three tenths of the run are twelve slots; warm-up are ten.
    for (at, expected) in [
        (0, (0, 0, 1, 100)),
        (11, (0, 0, 12, 1200)),
        (12, (0, 1, 13, 1300)),
        (21, (0, 10, 22, 2200)),
        (22, (1, 11, 23, 2300)),
        (39, (18, 28, 40, 4000)),
        (40, (0, 0, 0, 0)),
    ] {
        assert_eq!(slot(&one_each, at), expected, "slot {at}");
    }
    assert_eq!(one_each.mature_deaths(), 0);
    assert_eq!(one_each.cohorts().len(), 40);
}

#[test]
fn a_silent_site_stands_as_its_last_row_says_and_grows_older() {
    let axis = axis(40);
    let all = rows(SITE, 40, |k| vec![Born::for_ever(u64::from(k < 15))]);
    let mut silent = SiteSeries::new();
    all.iter().take(15).enumerate().for_each(|(k, row)| silent.observe(&axis, k, row));
    silent.close(&axis);
    assert_eq!(silent, series(&axis, &all));
    assert_eq!(slot(&silent, 39), (5, 15, 15, 1500));
}

#[test]
fn a_site_that_comes_late_costs_nothing_before() {
    let axis = axis(40);
    let late = series(&axis, &rows(SITE, 40, |k| vec![Born::for_ever(u64::from(k >= 30))]));
    assert_eq!(late.rows().next().map(|(slot, _)| slot), Some(30));
    let never = series(&axis, &rows(SITE, 40, |_| vec![Born::for_ever(0)]));
    assert_eq!(never.rows().count(), 0);
}

#[test]
fn the_fewest_of_a_slot_are_those_between_snapshots() {
    let axis = axis(40);
    let range = |live: u64, range| SiteRow {
        live_objects: live,
        live_bytes: live * 10,
        objects_range: range,
        bytes_range: range.map(|(least, most): (u64, u64)| (least * 10, most * 10)),
        cohorts: vec![Cohort(Epoch(0), live, live * 10)],
        ..SiteRow::empty(SITE)
    };
    for (name, row, fewest) in [
        ("no range: as many as live", range(7, None), 7),
        ("fewer in between", range(7, Some((3, 9))), 3),
        ("a range that is above what lives", range(7, Some((8, 9))), 7),
    ] {
        let series = series(&axis, &[row]);
        let seen = series.row(0);
        assert_eq!((seen.trough_objects, seen.trough_bytes), (fewest, fewest * 10), "{name}");
        assert_eq!(series.row(1).trough_objects, 7, "{name}: nothing happened after");
    }
}

#[test]
fn mature_blocks_that_die_are_counted_once() {
    let axis = axis(40);
    for (lifetime, deaths) in [(5, 0), (12, 0), (14, 16), (40, 0)] {
        let series = series(&axis, &rows(SITE, 40, |_| vec![Born::living(1, lifetime)]));
        assert_eq!(series.mature_deaths(), deaths, "after {lifetime} epochs");
    }
}

#[test]
fn the_exit_is_told_and_not_judged() {
    let mut process = Process::of_snapshots(40);
    process.points[39].reason = Reason::Exit;
    let axis = Axis::new(&process.timeline(), &Settings::default());
    let mut all = rows(SITE, 40, |_| vec![Born::for_ever(1)]);
    let last = all.last_mut().expect("a row");
    (last.live_objects, last.live_bytes, last.frees) = (3, 300, 37);
    let site = series(&axis, &all);
    assert_eq!(site.totals().objects_at_exit, Some(3));
    assert_eq!(site.totals().counts.live_objects, 39);
    assert_eq!(site.row(38).trough_objects, 39);
}

/// Merging is adding up, whichever of the two is asked.
#[test]
fn merged_series_are_the_sum() {
    let axis = axis(40);
    let births =
        |n: u64, until: u32| move |k: u32| vec![Born::for_ever(if k < until { n } else { 0 })];
    for (until_a, until_b) in [(40, 40), (10, 40), (0, 40), (40, 0), (5, 7)] {
        let (a, b) = (rows(SITE, 40, births(2, until_a)), rows(SITE, 40, births(3, until_b)));
        let both = rows(SITE, 40, |k| [births(2, until_a)(k), births(3, until_b)(k)].concat());
        let whole = series(&axis, &both);
        for (first, second) in [(&a, &b), (&b, &a)] {
            let mut merged = series(&axis, first);
            merged.merge(&series(&axis, second));
            let all = |series: &SiteSeries| (0..40).map(|k| series.row(k)).collect::<Vec<_>>();
            assert_eq!(all(&merged), all(&whole), "{until_a}, {until_b}");
            assert_eq!(merged.totals().counts, whole.totals().counts, "{until_a}, {until_b}");
            assert_eq!(merged.cohorts(), whole.cohorts(), "{until_a}, {until_b}");
        }
    }
}

#[test]
fn errors_of_samples_add_like_independent_ones() {
    let axis = axis(40);
    let with = |error: Option<f64>| {
        let row = SiteRow { objects_error: error, bytes_error: error, ..SiteRow::empty(SITE) };
        series(&axis, &[row])
    };
    for (a, b, sum) in [
        (None, None, 0.0),
        (Some(3.0), None, 3.0),
        (Some(3.0), Some(4.0), 5.0),
        (Some(f64::NAN), Some(4.0), 4.0),
        (Some(-1.0), Some(f64::INFINITY), 0.0),
    ] {
        let mut merged = with(a);
        merged.merge(&with(b));
        assert_eq!(merged.totals().objects_error, sum, "{a:?}, {b:?}");
        assert_eq!(merged.totals().bytes_error, sum, "{a:?}, {b:?}");
    }
}
