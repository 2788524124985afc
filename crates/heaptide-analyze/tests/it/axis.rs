//! Snapshots are joined into slots of even progress, whatever the recorder's rhythm was.

use heaptide_analyze::axis::{Axis, MAX_SLOTS, Settings, WarmUp};
use heaptide_analyze::load::Point;
use heaptide_format::{Epoch, Reason};
use heaptide_synthetic::Process;

const SECOND: u64 = 1_000_000_000;

fn axis(n: u32, settings: Settings, change: impl Fn(&mut Vec<Point>)) -> Axis {
    let mut process = Process::of_snapshots(n);
    change(&mut process.points);
    Axis::new(&process.timeline(), &settings)
}

/// What becomes of a run: slots, those of the warm-up, and the first that is too young at the end.
fn check(name: &str, axis: &Axis, expected: (usize, usize, usize)) {
    let found = (axis.len(), axis.warm_up(), axis.mature().end);
    assert_eq!(found, expected, "{name}");
    // Whatever the rhythm: slots follow one another without a hole, and end with the run.
    let slots = axis.slots();
    for pair in slots.windows(2) {
        assert_eq!(pair[0].last_epoch.0 + 1, pair[1].first_epoch.0, "{name}");
        assert!(pair[0].elapsed_ns <= pair[1].elapsed_ns, "{name}");
    }
    for (index, slot) in slots.iter().enumerate() {
        assert_eq!(axis.slot_of_epoch(slot.first_epoch), index, "{name}");
        assert_eq!(axis.slot_of_epoch(slot.last_epoch), index, "{name}");
    }
    if let Some(end) = axis.end_shares().last() {
        assert!((end - 1.0).abs() < 1e-9, "{name}: {end}");
    }
}

/// A name, how many snapshots, what is done to them, and the slots, warm-up and maturity expected.
type Case<'a> = (&'a str, u32, &'a dyn Fn(&mut Vec<Point>), (usize, usize, usize));

#[test]
fn snapshots_are_joined_into_slots() {
    let as_it_is = |_: &mut Vec<Point>| {};
    let cases: &[Case<'_>] = &[
        ("no snapshot", 0, &as_it_is, (0, 1, 0)),
        ("one snapshot", 1, &as_it_is, (1, 1, 0)),
        ("an even run", 40, &as_it_is, (40, 10, 28)),
        (
            "two snapshots by signal right after another",
            40,
            &|points| points[20].elapsed_ns = points[19].elapsed_ns + SECOND / 10,
            (39, 10, 27),
        ),
        (
            "an idle hour at the end ages nothing",
            40,
            &|points| {
                points[30..].iter_mut().for_each(|p| *p.work.values_mut().next().unwrap() = 3000)
            },
            (30, 8, 22),
        ),
        (
            "snapshots that are missing make one slot longer",
            40,
            &|points| drop(points.drain(20..24)),
            (36, 10, 24),
        ),
        ("the exit is not judged", 40, &|points| points[39].reason = Reason::Exit, (39, 10, 27)),
    ];
    for (name, n, change, expected) in cases {
        check(name, &axis(*n, Settings::default(), change), *expected);
    }
}

#[test]
fn a_long_run_has_as_many_slots_as_evidence_needs() {
    for n in [127, 200, 1000, 5000] {
        let axis = axis(n, Settings::default(), |_| {});
        assert!(axis.len() <= MAX_SLOTS + 2, "{n} snapshots, {} slots", axis.len());
        assert!(axis.len() >= MAX_SLOTS / 3, "{n} snapshots, {} slots", axis.len());
    }
}

#[test]
fn what_the_user_says_shapes_the_axis() {
    let default = Settings::default();
    let warm_up = |warm_up| Settings { warm_up, ..default };
    let lifetime = |seconds: u64| Settings { max_lifetime_ns: Some(seconds * SECOND), ..default };
    let cases = [
        ("nothing", default, (40, 10, 28)),
        ("a number of snapshots", warm_up(WarmUp::Snapshots(3)), (40, 3, 28)),
        ("none", warm_up(WarmUp::Snapshots(0)), (40, 0, 28)),
        ("thirty seconds", warm_up(WarmUp::Nanoseconds(30 * SECOND)), (40, 6, 28)),
        ("a lifetime below maturity", lifetime(20), (40, 10, 28)),
        ("a lifetime above it", lifetime(100), (40, 10, 20)),
        ("a lifetime longer than the run", lifetime(1000), (40, 10, 0)),
    ];
    for (name, settings, expected) in cases {
        check(name, &axis(40, settings, |_| {}), expected);
    }
}

#[test]
fn an_epoch_after_the_last_slot_belongs_to_it() {
    let axis = axis(40, Settings::default(), |points| points[39].reason = Reason::Exit);
    assert_eq!(axis.slot_of_epoch(Epoch(39)), 38);
    assert_eq!(axis.slot_of_point(38), Some(38));
    assert_eq!(axis.slot_of_point(39), None, "the exit");
    assert_eq!(axis.slot_of_point(40), None, "there is none");
}
