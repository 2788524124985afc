//! What the process holds outside the recorded heap: which parts grow, and what comes of it.

use std::sync::atomic::{AtomicU32, Ordering};

use heaptide_analyze::baseline::Baseline;
use heaptide_analyze::compare::Before;
use heaptide_analyze::policy::Policy;
use heaptide_analyze::process::PartClass::{
    Grows, NotJudged, Retained, Settled, Stable, Steps, Suspect, TooSmall,
};
use heaptide_analyze::process::PartName::{
    AllocatorFree, Anonymous, Files, OtherMalloc, RustHeap, ThreadStacks,
};
use heaptide_analyze::process::{CPU_SECONDS, Part, PartClass, PartName, Process as Holdings};
use heaptide_analyze::symbols::RecordedOnly;
use heaptide_analyze::{Outcome, Report, Terms, judge};
use heaptide_format::{Mode, Parts, PartsSource};
use heaptide_synthetic::{Born, Process};

use crate::recording::Dir;

const N_SNAPSHOTS: u32 = 48;
const MIB: u64 = 1 << 20;
/// What a made-up process does between two snapshots.
const REQUESTS: u64 = 100;

fn judged(process: &Process, policy: &str) -> Report {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let dir = Dir::new(&format!("process-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    let file = dir.write("a.jsonl", process.recording());
    let policy = Policy::parse(policy).expect("a policy");
    let terms = Terms { policy, ..Terms::default() };
    judge(&[file], &mut RecordedOnly, &terms).expect("a recording")
}

/// A quiet service that holds these parts.
fn holding(parts: impl Fn(u32) -> Parts) -> Process {
    let mut process = Process::of_snapshots(N_SNAPSHOTS);
    process.site("shop::login", |_| vec![Born::living(9, 1)]);
    process.holds(parts);
    process
}

fn quiet(epoch: u32) -> Parts {
    let jitter = u64::from(epoch * 7919 % 5) * 3000;
    Parts {
        source: PartsSource::Glibc,
        rust_heap_bytes: 3 * MIB + jitter,
        other_malloc_bytes: MIB + jitter,
        allocator_free_bytes: 300_000 - jitter,
        thread_stacks_bytes: 100_000,
        anonymous_bytes: 2 * MIB,
        files_bytes: 4 * MIB,
        shim_bytes: 2 * MIB,
        ..Parts::default()
    }
}

/// A C library that keeps 4 KiB of each request.
fn c_leak(epoch: u32) -> Parts {
    let quiet = quiet(epoch);
    let leaked = u64::from(epoch) * REQUESTS * 4096;
    Parts { other_malloc_bytes: quiet.other_malloc_bytes + leaked, ..quiet }
}

fn holdings(report: &Report) -> &Holdings {
    &report.runs[0].process
}

fn part(report: &Report, name: PartName) -> &Part {
    holdings(report).part(name).expect("the part is known")
}

/// What a process holds at an epoch.
type Shape = fn(u32) -> Parts;

/// Each with the class of one part.
const SHAPES: &[(&str, Shape, PartName, PartClass)] = &[
    ("quiet", quiet, OtherMalloc, Stable),
    ("quiet", quiet, RustHeap, NotJudged),
    ("C leak", c_leak, OtherMalloc, Grows),
    ("C leak", c_leak, Anonymous, Stable),
    (
        "a leak of less than the noise",
        |k| Parts { other_malloc_bytes: MIB + u64::from(k) * 20_000, ..quiet(k) },
        OtherMalloc,
        TooSmall,
    ),
    (
        "a cache of C's that is full at half of the run",
        |k| Parts { other_malloc_bytes: u64::from(k.min(24)) * 400_000, ..quiet(k) },
        OtherMalloc,
        Settled,
    ),
    (
        "one that is full shortly before the end",
        |k| Parts { other_malloc_bytes: u64::from(k.min(40)) * 400_000, ..quiet(k) },
        OtherMalloc,
        Suspect,
    ),
    (
        "a table that is made larger once",
        |k| Parts { anonymous_bytes: if k < 30 { 2 * MIB } else { 34 * MIB }, ..quiet(k) },
        Anonymous,
        Steps,
    ),
    (
        "a buffer that doubles",
        |k| Parts { anonymous_bytes: MIB << (k / 2 + 1).ilog2(), ..quiet(k) },
        Anonymous,
        Suspect,
    ),
    (
        "a saw tooth",
        |k| Parts { anonymous_bytes: 2 * MIB + u64::from(k % 9) * MIB, ..quiet(k) },
        Anonymous,
        Stable,
    ),
    (
        "maps that are never given back",
        |k| Parts { anonymous_bytes: 2 * MIB + u64::from(k) * 500_000, ..quiet(k) },
        Anonymous,
        Grows,
    ),
    (
        "a mapped file that is read",
        |k| Parts { files_bytes: 4 * MIB + u64::from(k) * 2 * MIB, ..quiet(k) },
        Files,
        NotJudged,
    ),
    (
        "threads that never end",
        |k| Parts { thread_stacks_bytes: 100_000 + u64::from(k) * 20_000, ..quiet(k) },
        ThreadStacks,
        Grows,
    ),
    (
        "a spike that is over",
        |k| match k {
            ..10 => quiet(k),
            10..14 => Parts { rust_heap_bytes: 130 * MIB, ..quiet(k) },
            _ => Parts { allocator_free_bytes: 127 * MIB, ..quiet(k) },
        },
        AllocatorFree,
        Retained,
    ),
    (
        "free memory that was given back",
        |k| Parts { allocator_free_bytes: 127 * MIB, not_resident_bytes: 126 * MIB, ..quiet(k) },
        AllocatorFree,
        Stable,
    ),
    (
        "fragmentation without end",
        |k| Parts { allocator_free_bytes: MIB + u64::from(k) * MIB, ..quiet(k) },
        AllocatorFree,
        Grows,
    ),
];

#[test]
fn each_shape_has_its_class() {
    for (what, shape, name, class) in SHAPES {
        let report = judged(&holding(shape), "");
        let found = part(&report, *name);
        assert_eq!(found.class, *class, "{what}: {found:?}");
    }
}

/// The gate passed while the process died: "clean. Nothing leaks".
#[test]
fn a_process_that_grows_outside_the_heap_is_not_clean() {
    let report = judged(&holding(c_leak), "");
    assert_eq!(report.outcome, Outcome::Growth);
    assert_eq!(report.findings().count(), 0);
    let part = part(&report, PartName::OtherMalloc);
    assert_eq!(part.work, "requests");
    assert!((part.bytes_per_op - 4096.0).abs() < 41.0, "{part:?}");
    assert!((part.bytes_per_hour / 4096.0 / 72_000.0 - 1.0).abs() < 0.01, "{part:?}");
}

#[test]
fn the_policy_says_what_growth_outside_the_heap_counts_as() {
    let late: Shape = |k| Parts { other_malloc_bytes: u64::from(k.min(40)) * 400_000, ..quiet(k) };
    for (shape, policy, outcome) in [
        (quiet as Shape, "", Outcome::Clean),
        (c_leak, "[budget]\noutside = 'fail'", Outcome::Growth),
        (c_leak, "[budget]\noutside = 'warn'", Outcome::Passes),
        (c_leak, "[budget]\noutside = 'ignore'", Outcome::Passes),
        (c_leak, "[budget.parts]\nother_malloc = '5 KiB/request'", Outcome::Passes),
        (c_leak, "[budget.parts]\nother_malloc = '1 MiB/hour'", Outcome::Growth),
        (c_leak, "[budget.parts]\nanonymous = '1 GiB/hour'", Outcome::Growth),
        (c_leak, "[budget.parts]\nother_malloc = '1 KiB/sale'", Outcome::Error),
        (quiet, "[budget.parts]\nother_malloc = '1 KiB'", Outcome::Growth),
        (quiet, "[budget.parts]\nthreads = '1'\ndescriptors = '16'", Outcome::Clean),
        (quiet, "[budget.parts]\ndescriptors = '15'", Outcome::Growth),
        (late, "", Outcome::Inconclusive),
        (late, "inconclusive = 'pass'", Outcome::Passes),
        (late, "[budget]\noutside = 'warn'", Outcome::Passes),
    ] {
        let report = judged(&holding(shape), policy);
        assert_eq!(report.outcome, outcome, "{policy}: {:?}", report.errors);
    }
    assert!(Policy::parse("[budget.parts]\nrust_heap = '1 KiB'").is_err());
}

/// Numbers that are estimates accuse nobody for sure.
#[test]
fn what_is_estimated_is_at_most_suspect() {
    let mut sampled = holding(c_leak);
    sampled.header.mode = Mode::Sampled { period_bytes: 512 };
    let coarse = holding(|k| {
        let all = c_leak(k);
        let anonymous_bytes =
            all.other_malloc_bytes + all.allocator_free_bytes + all.anonymous_bytes;
        let none = Parts { other_malloc_bytes: 0, allocator_free_bytes: 0, ..all };
        Parts { source: PartsSource::Coarse, anonymous_bytes, ..none }
    });
    let report = judged(&sampled, "");
    assert_eq!(part(&report, PartName::OtherMalloc).class, PartClass::Suspect);
    let report = judged(&coarse, "");
    assert_eq!(part(&report, PartName::Anonymous).class, PartClass::Suspect);
    assert_eq!(holdings(&report).part(PartName::OtherMalloc), None);
}

/// Parts are dear, and are not read at each snapshot.
#[test]
fn parts_that_are_read_seldom_are_judged_all_the_same() {
    for (every, source, class) in [
        (2, PartsSource::Glibc, PartClass::Grows),
        // By what each snapshot has, and by which part it is of.
        (6, PartsSource::Glibc, PartClass::Grows),
        // Which part it is of is not known.
        (48, PartsSource::Coarse, PartClass::Suspect),
    ] {
        let mut process = holding(c_leak);
        for point in process.points.iter_mut().filter(|point| point.seq % every != 0) {
            point.account.as_mut().expect("an account").parts = None;
        }
        let report = judged(&process, "");
        assert_eq!(holdings(&report).source, Some(source), "every {every}");
        let may_grow = holdings(&report).parts.iter().filter(|part| part.class.may_grow());
        let classes: Vec<PartClass> = may_grow.map(|part| part.class).collect();
        assert_eq!(classes, [class], "every {every}");
    }
}

/// A leak of C's beside a saw tooth that was read in six snapshots of 49 passed as clean, though the
/// process had grown tenfold.
#[test]
fn what_a_few_readings_show_is_not_clean() {
    let saw_tooth = |shape: Shape| {
        move |k: u32| {
            let parts = shape(k);
            let free = u64::from(k % 7) * 16 * MIB;
            Parts { allocator_free_bytes: parts.allocator_free_bytes + free, ..parts }
        }
    };
    let full_at_half: Shape =
        |k| Parts { other_malloc_bytes: u64::from(k.min(12)) * 400_000, ..quiet(k) };
    for (shape, every, outcome) in [
        (quiet as Shape, 8, Outcome::Clean),
        (c_leak, 8, Outcome::Inconclusive),
        (c_leak, 14, Outcome::Inconclusive),
        (full_at_half, 8, Outcome::Clean),
    ] {
        let mut process = holding(saw_tooth(shape));
        for point in process.points.iter_mut().filter(|point| point.seq % every != 1) {
            point.account.as_mut().expect("an account").parts = None;
        }
        let report = judged(&process, "");
        assert_eq!(report.outcome, outcome, "{:?}", holdings(&report));
        if outcome == Outcome::Inconclusive {
            let part = part(&report, PartName::OtherMalloc);
            assert_eq!(part.class, PartClass::Suspect);
            assert!((part.bytes_per_op - 4096.0).abs() < 41.0, "{part:?}");
        }
    }
}

#[test]
fn processor_time_stands_in_for_work_unless_the_process_is_idle() {
    for (busy, work) in [(true, CPU_SECONDS), (false, "seconds")] {
        let mut process = holding(c_leak);
        for point in &mut process.points {
            point.work.clear();
            if !busy {
                point.account.as_mut().expect("an account").cpu_ns /= 100;
            }
        }
        let report = judged(&process, "");
        let part = part(&report, PartName::OtherMalloc);
        assert_eq!((part.class, part.work.as_str()), (PartClass::Grows, work));
    }
}

/// A run said "runs out in about 19 days" where resident memory said 0.9 hours.
#[test]
fn memory_runs_out_at_the_pace_of_all_that_grows() {
    let seconds = |shape: Shape| {
        let mut process = holding(shape);
        process.site("shop::create", |_| vec![Born::for_ever(1)]);
        let report = judged(&process, "memory_limit = '1 GiB'");
        report.runs[0].runs_out.expect("it leaks").seconds
    };
    // 100 B beside 4 KiB per request; the account of the quiet one does not grow.
    assert!(seconds(quiet) / seconds(c_leak) > 1000.0);
    // What no part explains counts as well, once something surely leaks.
    let unexplained: Shape =
        |k| Parts { rust_heap_bytes: 3 * MIB + u64::from(k) * MIB, ..quiet(k) };
    assert!(seconds(quiet) / seconds(unexplained) > 1000.0);
}

/// Beside a small leak "resident memory grows faster than that accounts for": what the recorder took itself.
#[test]
fn the_recorders_own_memory_is_no_growth_of_the_process() {
    let mut process = holding(|k| Parts { shim_bytes: 2 * MIB + u64::from(k) * MIB, ..quiet(k) });
    process.site("shop::create", |_| vec![Born::for_ever(1)]);
    for point in &mut process.points {
        point.own_bytes = 2 * MIB + u64::from(point.epoch.0) * MIB;
    }
    let report = judged(&process, "memory_limit = '1 GiB'");
    assert_eq!(holdings(&report).bytes_per_hour, None);
    let seconds = report.runs[0].runs_out.expect("it leaks").seconds;
    assert!(seconds > 100.0 * 3600.0, "{seconds}");
}

/// Rises with the load, and does not pile up: that cannot be told from a leak that slows down.
#[test]
fn what_follows_a_ramp_is_no_more_than_suspect() {
    let mut process = holding(|k| Parts { other_malloc_bytes: u64::from(k) * 400_000, ..quiet(k) });
    for point in &mut process.points {
        let k = point.seq;
        point.work.insert("requests".into(), 100 * k + 6 * k * k);
    }
    let report = judged(&process, "");
    assert_eq!(part(&report, PartName::OtherMalloc).class, PartClass::Suspect);
}

/// A leak of three million small blocks made `other_malloc` grow by 5 MiB, for which C was accused: it
/// was what glibc gave these blocks beyond their size.
#[test]
fn what_leaking_blocks_are_given_too_much_is_not_of_c() {
    let class = |other_bytes_per_block: u64| {
        let mut process = Process::of_snapshots(N_SNAPSHOTS);
        process.site("shop::login", |_| vec![Born::for_ever(20_000)]);
        process.holds(|k| {
            let other = u64::from(k) * 20_000 * other_bytes_per_block;
            Parts { other_malloc_bytes: MIB + other, ..quiet(k) }
        });
        part(&judged(&process, ""), OtherMalloc).class
    };
    assert_eq!((class(4), class(15), class(64)), (TooSmall, TooSmall, Grows));
}

#[test]
fn threads_and_descriptors_are_judged_by_their_number() {
    let mut process = holding(quiet);
    for point in &mut process.points {
        let account = point.account.as_mut().expect("an account");
        account.threads = 4 + point.seq;
        account.descriptors = Some(16 + point.seq % 7);
    }
    let report = judged(&process, "");
    assert_eq!(report.outcome, Outcome::Growth);
    let threads = holdings(&report).threads.as_ref().expect("counted");
    assert_eq!((threads.class, threads.first, threads.last), (PartClass::Grows, 4, 51));
    assert!((threads.per_op - 0.01).abs() < 1e-6, "{threads:?}");
    let descriptors = holdings(&report).descriptors.as_ref().expect("counted");
    assert_eq!(descriptors.class, PartClass::Stable);
}

#[test]
fn growth_outside_the_heap_is_compared_with_the_build_before() {
    let faster: Shape = |k| {
        let leak = c_leak(k);
        Parts { other_malloc_bytes: 2 * leak.other_malloc_bytes, ..leak }
    };
    for (then, now, outcome) in [
        (c_leak as Shape, c_leak as Shape, Outcome::Passes),
        (faster, c_leak, Outcome::Passes),
        (quiet, c_leak, Outcome::Growth),
        (c_leak, faster, Outcome::Growth),
        (c_leak, quiet, Outcome::Clean),
    ] {
        let before = Before::of(&judged(&holding(then), "").runs);
        let dir = Dir::new("process-before");
        let file = dir.write("a.jsonl", holding(now).recording());
        let terms = Terms { before: Some(before), ..Terms::default() };
        let report = judge(&[file], &mut RecordedOnly, &terms).expect("a recording");
        assert_eq!(report.outcome, outcome);
    }
}

#[test]
fn growth_outside_the_heap_can_be_accepted() {
    let faster: Shape = |k| {
        let leak = c_leak(k);
        Parts { other_malloc_bytes: 2 * leak.other_malloc_bytes, ..leak }
    };
    let accepted = Baseline::of(&judged(&holding(c_leak), "").runs);
    let accepted = Baseline::parse(&accepted.to_json()).expect("what was written can be read");
    assert_eq!(accepted.parts.keys().collect::<Vec<_>>(), ["other_malloc"]);
    let dir = Dir::new("process-baseline");
    for (shape, outcome) in
        [(c_leak as Shape, Outcome::Passes), (faster, Outcome::Growth), (quiet, Outcome::Clean)]
    {
        let file = dir.write("a.jsonl", holding(shape).recording());
        let terms = Terms { baseline: Some(accepted.clone()), ..Terms::default() };
        let report = judge(&[file], &mut RecordedOnly, &terms).expect("a recording");
        assert_eq!(report.outcome, outcome);
    }
    let mut again = accepted.clone();
    again.update(Baseline::of(&judged(&holding(c_leak), "").runs));
    assert_eq!(again, accepted);
    again.update(Baseline::of(&judged(&holding(quiet), "").runs));
    assert!(again.parts.is_empty());
}
