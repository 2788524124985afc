//! The recorder from the program's side: when snapshots are taken, what stands in them, and what a
//! wrong request gets.

mod rig;

use std::hint::black_box;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use heaptide::{Error, Heaptide, Recorder, TagReader};
use heaptide_format::{Line, Mode, Reason};
use rig::recording::Recording;
use rig::scratch;

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

fn main() -> ExitCode {
    rig::main(
        &[
            ("snapshots_are_numbered", snapshots_are_numbered),
            ("the_header_says_what_was_recorded", the_header_says_what_was_recorded),
            ("drop_finishes", drop_finishes),
            ("an_interval_adds_snapshots", an_interval_adds_snapshots),
            ("recordings_may_follow_one_another", recordings_may_follow_one_another),
            ("a_second_recording_is_refused", a_second_recording_is_refused),
            ("an_unwritable_output_is_refused", an_unwritable_output_is_refused),
            ("a_folder_gets_a_file_of_its_own", a_folder_gets_a_file_of_its_own),
            ("work_and_tags_are_written", work_and_tags_are_written),
            ("a_tag_is_read_in_the_process", a_tag_is_read_in_the_process),
            ("without_a_recording_they_do_nothing", without_a_recording_they_do_nothing),
            ("cohorts_tell_births_apart", cohorts_tell_births_apart),
            ("a_site_is_a_whole_stack", a_site_is_a_whole_stack),
            ("an_unchanged_site_is_left_out", an_unchanged_site_is_left_out),
            ("growth_is_noted", growth_is_noted),
            ("a_stack_is_unwound_once", a_stack_is_unwound_once),
            ("segments_stand_alone_and_stay_under_the_cap", segments_stand_alone),
            ("one_path_may_be_recorded_to_again", one_path_may_be_recorded_to_again),
            ("what_was_there_is_kept", what_was_there_is_kept),
            ("a_program_may_close_our_descriptors", a_program_may_close_our_descriptors),
        ],
        &[],
    )
}

fn record(name: &str) -> (Recorder, std::path::PathBuf) {
    let path = scratch(name);
    let recorder = Recorder::builder().output(&path).start().expect("a recording starts");
    (recorder, path)
}

fn keep(bytes: usize) -> Vec<u8> {
    black_box(vec![1u8; bytes])
}

fn snapshots_are_numbered() {
    let (recorder, path) = record("numbered");
    let taken: Vec<u64> = (0..3).map(|_| recorder.snapshot().expect("a snapshot")).collect();
    recorder.finish().expect("the end");
    assert_eq!(taken, [0, 1, 2]);
    let recording = Recording::read(&path);
    let shown: Vec<_> = recording.snapshots.iter().map(|s| (s.seq, s.epoch.0, s.reason)).collect();
    let call = Reason::Call;
    assert_eq!(shown, [(0, 0, call), (1, 1, call), (2, 2, call), (3, 3, Reason::Exit)]);
    assert!(recording.snapshots.is_sorted_by_key(|snapshot| snapshot.mono_ns));
    assert!(recording.snapshots.iter().all(|s| s.rss_bytes > 0 && s.own_bytes > 0));
}

fn a_stack_is_unwound_once() {
    let misses_of_a_recording = |name| {
        let (recorder, path) = record(name);
        let mut seen = Vec::new();
        for _ in 0..3 {
            (0..1_000).for_each(|_| drop(keep(1)));
            seen.push(recorder.snapshot().expect("a snapshot"));
        }
        recorder.finish().expect("the end");
        let recording = Recording::read(&path);
        let unwinding = |seq| recording.at(seq).unwinding.expect("it is counted");
        assert!(recording.last().heap.allocs >= 3_000);
        assert_eq!(recording.last().unwinding.map(|counts| counts.uncacheable), Some(0));
        seen.into_iter().map(unwinding).map(|counts| counts.misses).collect::<Vec<_>>()
    };
    let first = misses_of_a_recording("unwound");
    // One for the loop itself; a few for what stands around it.
    assert!((1..=10).contains(&first[0]), "{first:?}");
    assert!(first[2] - first[1] <= 3, "{first:?}");
    let second = misses_of_a_recording("unwound-again");
    assert!(second[2] <= first[2], "{second:?} counts from the process's start");
}

fn the_header_says_what_was_recorded() {
    let (recorder, path) = record("header");
    drop(keep(1));
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    let header = &recording.header;
    assert_eq!(header.format, heaptide_format::FORMAT_VERSION);
    assert_eq!(header.pid, std::process::id());
    let exe = std::env::current_exe().expect("a path");
    assert_eq!(header.exe, exe.to_string_lossy());
    assert_eq!(header.mode, Mode::Exact);
    assert_eq!((header.segment, header.interval_ns), (0, 0));
    assert_eq!(header.arch, std::env::consts::ARCH);
    assert!(header.start_mono_ns <= recording.last().mono_ns);
    let of_exe = recording.modules.iter().find(|module| module.path == header.exe);
    assert_eq!(of_exe.expect("our own module").build_id, header.build_id);
    let mode = std::fs::metadata(&path).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

fn drop_finishes() {
    let (recorder, path) = record("drop");
    drop(recorder);
    assert_eq!(Recording::read(&path).last().reason, Reason::Exit);
}

fn an_interval_adds_snapshots() {
    let path = scratch("interval");
    let interval = Duration::from_millis(5);
    let recorder = Recorder::builder().output(&path).interval(interval).start();
    let recorder = recorder.expect("a recording starts");
    while Recording::read_so_far(&path).is_none_or(|so_far| so_far.snapshots.len() < 3) {
        thread::sleep(interval);
    }
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    assert_eq!(recording.header.interval_ns, 5_000_000);
    assert_eq!(recording.at(0).reason, Reason::Interval);
}

fn recordings_may_follow_one_another() {
    let mut ids = Vec::new();
    let mut left = Vec::new();
    for round in 0..5 {
        let (recorder, path) = record(&format!("round{round}"));
        left.clear();
        let seq = {
            let _scope = heaptide::tag("round");
            left.extend((0..10 + round).map(|_| keep(100)));
            recorder.snapshot().expect("a snapshot")
        };
        recorder.finish().expect("the end");
        let recording = Recording::read(&path);
        let total = recording.under(seq, "round");
        let vector = u64::from(total.allocs > 10 + round as u64);
        assert_eq!(total.allocs, 10 + round as u64 + vector, "round {round}");
        assert_eq!(total.frees, 0, "what an earlier recording saw born is freed uncounted");
        ids.push(recording.header.recording);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5);
}

fn a_second_recording_is_refused() {
    let (first, path) = record("first");
    let second = Recorder::builder().output(scratch("second")).start();
    assert!(matches!(second, Err(Error::AlreadyRecording)), "{second:?}");
    first.snapshot().expect("the first goes on");
    first.finish().expect("the end");
    assert_eq!(Recording::read(&path).snapshots.len(), 2);
}

fn an_unwritable_output_is_refused() {
    let refused = Recorder::builder().output("/proc/nowhere/shop.jsonl").start();
    let refusal = refused.expect_err("nobody can write there").to_string();
    assert!(refusal.contains("/proc/nowhere"), "{refusal}");
    let (recorder, _) = record("writable");
    recorder.finish().expect("a refused start leaves nothing behind");
}

fn a_folder_gets_a_file_of_its_own() {
    let folder = scratch("folder").with_extension("d");
    std::fs::create_dir_all(&folder).expect("a folder");
    let recorder = Recorder::builder().output(&folder).start().expect("a recording starts");
    recorder.finish().expect("the end");
    let exe = std::env::current_exe().expect("a path");
    let exe = exe.file_name().expect("a name").to_string_lossy().into_owned();
    Recording::read(&folder.join(format!("{exe}.{}.jsonl", std::process::id())));
}

fn work_and_tags_are_written() {
    let (recorder, path) = record("work");
    heaptide::work("requests", 3);
    let kept = {
        let _outer = heaptide::tag("outer");
        let outer = keep(1000);
        let inner = {
            let _inner = heaptide::tag("inner");
            keep(200)
        };
        (outer, inner, keep(30))
    };
    thread::scope(|scope| {
        (0..4).for_each(|_| drop(scope.spawn(|| heaptide::work("requests", 10))));
    });
    let seq = recorder.snapshot().expect("a snapshot");
    drop(kept);
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    assert_eq!(recording.at(seq).work["requests"], 43);
    let tags: Vec<_> = recording
        .at(seq)
        .tags
        .iter()
        .map(|tag| (tag.tag.as_str(), tag.live_objects, tag.live_bytes))
        .collect();
    assert_eq!(tags, [("inner", 1, 200), ("outer", 2, 1030)]);
    assert_eq!(recording.under(seq, "outer").live_bytes, 1030);
}

fn a_tag_is_read_in_the_process() {
    assert!(TagReader::new("mine").is_none(), "nothing is recorded");
    let (recorder, path) = record("read");
    let mut reader = TagReader::new("mine").expect("all is recorded");
    assert!(reader.read().is_empty());
    let tagged = |tag: &'static str, n: usize| {
        let _scope = heaptide::tag(tag);
        (0..n).map(|_| keep(100)).collect::<Vec<_>>()
    };
    let (mine, _others) = (tagged("mine", 3), tagged("others", 5));
    let elsewhere = thread::spawn(move || tagged("mine", 2)).join().expect("a thread");
    let live = |reader: &mut TagReader| -> (u64, u64) {
        let blocks = reader.read().iter().filter(|site| site.allocs > 1);
        blocks.fold((0, 0), |sum, site| (sum.0 + site.live_objects(), sum.1 + site.live_bytes()))
    };
    assert_eq!(live(&mut reader), (5, 500), "of both threads");
    thread::spawn(move || drop(mine)).join().expect("a thread");
    assert_eq!(live(&mut reader), (2, 200), "wherever they end");
    recorder.snapshot().expect("a snapshot");
    drop(elsewhere);
    assert_eq!(live(&mut reader), (0, 0), "across snapshots");
    let lines = reader.describe();
    let ids: Vec<_> = reader.read().iter().map(|site| site.site).collect();
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    for line in lines {
        match line {
            Line::Site(site) => {
                assert_eq!(site.tag.as_deref(), Some("mine"));
                assert!(ids.contains(&site.id));
                let written = recording.sites.iter().find(|written| written.id == site.id);
                assert!(written.is_none_or(|written| *written == site), "as the recording has it");
            }
            Line::Module(module) => assert!(!module.path.is_empty()),
            _ => {}
        }
    }
}

fn without_a_recording_they_do_nothing() {
    heaptide::work("requests", 1000);
    let scope = heaptide::tag("too soon");
    let (recorder, path) = record("nothing");
    drop(scope);
    heaptide::work("requests", 1);
    recorder.finish().expect("the end");
    heaptide::work("requests", 1000);
    drop(heaptide::tag("too late"));
    assert_eq!(Recording::read(&path).last().work["requests"], 1);
}

fn cohorts_tell_births_apart() {
    let (recorder, path) = record("cohorts");
    let mut kept: Vec<Vec<Vec<u8>>> = Vec::with_capacity(8);
    for epoch in 0..4 {
        let mut born = Vec::with_capacity(8);
        let _scope = heaptide::tag("cohort");
        for _ in 0..epoch + 1 {
            born.push(keep(10));
        }
        kept.push(born);
        recorder.snapshot().expect("a snapshot");
    }
    kept[1].pop();
    kept[2].clear();
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    let cohorts = |seq| -> Vec<_> {
        let rows = recording.tagged(seq, "cohort");
        let ten = rows.iter().find(|row| row.largest_bytes == 10).expect("the ten-byte site");
        ten.cohorts.iter().map(|cohort| (cohort.0.0, cohort.1, cohort.2)).collect()
    };
    assert_eq!(cohorts(3), [(0, 1, 10), (1, 2, 20), (2, 3, 30), (3, 4, 40)]);
    assert_eq!(cohorts(seq), [(0, 1, 10), (1, 1, 10), (3, 4, 40)]);
}

#[inline(never)]
fn one_way(bytes: usize) -> Vec<u8> {
    let kept = keep(bytes);
    black_box(kept)
}

#[inline(never)]
fn other_way(bytes: usize) -> Vec<u8> {
    let kept = keep(bytes);
    black_box(kept)
}

#[inline(never)]
fn deep(depth: u32) -> Vec<u8> {
    let kept = if depth == 0 { keep(7) } else { deep(depth - 1) };
    black_box(kept)
}

fn a_site_is_a_whole_stack() {
    let (recorder, path) = record("sites");
    let scope = heaptide::tag("stacks");
    let mut kept = Vec::with_capacity(64);
    for _ in 0..5 {
        kept.push(one_way(10));
        kept.push(other_way(20));
        for depth in [3, 9] {
            kept.push(deep(depth));
        }
    }
    drop(scope);
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    let mut rows = recording.tagged(seq, "stacks");
    rows.retain(|row| row.allocs == 5);
    rows.sort_by_key(|row| row.largest_bytes);
    let sizes: Vec<u64> = rows.iter().map(|row| row.largest_bytes).collect();
    assert_eq!(sizes, [7, 7, 10, 20]);
    let frames = |row: &heaptide_format::SiteRow| {
        let site = recording.sites.iter().find(|site| site.id == row.site).expect("its line");
        assert!(!site.truncated, "{site:?}");
        site.frames.len()
    };
    let (shallow, deep) = (frames(&rows[0]), frames(&rows[1]));
    assert_eq!(shallow.abs_diff(deep), 6, "six more calls are six more frames");
}

fn an_unchanged_site_is_left_out() {
    let (recorder, path) = record("left_out");
    let scope = heaptide::tag("quiet");
    let quiet = keep(50);
    drop(scope);
    let first = recorder.snapshot().expect("a snapshot");
    let second = recorder.snapshot().expect("a snapshot");
    drop(quiet);
    let third = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    let [row] = &recording.tagged(first, "quiet")[..] else { panic!("one site") };
    let written = |seq| recording.at(seq).sites.iter().any(|other| other.site == row.site);
    assert_eq!([first, second, third].map(written), [true, false, true]);
    assert_eq!(recording.under(third, "quiet").live_objects, 0);
    let freed = &recording.tagged(third, "quiet")[0];
    assert_eq!(freed.last_free_ns, Some(recording.at(third).mono_ns));
}

fn growth_is_noted() {
    let (recorder, path) = record("growth");
    // Many blocks of one size are no growth, and have the first row.
    let same_again = || {
        let _scope = heaptide::tag("steady");
        drop(keep(4000));
    };
    let mut grows: Vec<u8> = Vec::new();
    for power in 6..=12 {
        same_again();
        let _scope = heaptide::tag("doubling");
        grows.reserve_exact((1 << power) - grows.len());
        grows.resize(1 << power, 0);
        heaptide::work("inserts", 1);
        recorder.snapshot().expect("a snapshot");
    }
    recorder.finish().expect("the end");
    black_box(&grows);
    let recording = Recording::read(&path);
    let rows = |tag| {
        let [row] = &recording.tagged(recording.last().seq, tag)[..] else { panic!("one site") };
        row.clone()
    };
    let row = |tag| {
        let row = rows(tag);
        let growth = row.growth.iter().rev().take(3).map(|g| (g.epoch.0, g.bytes));
        (row.largest_bytes, row.reallocs, growth.collect::<Vec<_>>())
    };
    assert_eq!(row("doubling"), (4096, 6, vec![(6, 4096), (5, 2048), (4, 1024)]));
    assert_eq!(row("steady"), (4000, 0, vec![(0, 4000)]));
    // Made in the first round, it grows by the same call in each later one.
    let grown_at = |tag| rows(tag).growth.iter().map(|it| it.grown_at).collect::<Vec<_>>();
    let doubling = grown_at("doubling");
    let site = recording.sites.iter().find(|site| Some(site.id) == doubling[0]).expect("its line");
    assert!(doubling.iter().all(|it| *it == Some(site.id)), "{doubling:?}");
    assert_ne!(site.id, rows("doubling").site);
    assert_eq!(site.tag.as_deref(), Some("doubling"));
    assert!(site.frames.len() > 4, "{site:?}");
    assert_eq!(grown_at("steady"), [None]);
}

/// Every segment can be read alone; old snapshots make room for new ones, and are counted.
fn segments_stand_alone() {
    let path = scratch("segments");
    let folder = path.with_extension("");
    let _ = std::fs::remove_dir_all(&folder);
    let first = folder.join("long.jsonl");
    let builder = Recorder::builder().output(&first).segment_bytes(20_000).total_bytes(100_000);
    let recorder = builder.start().expect("a recording starts");
    let mut kept = Vec::new();
    for _ in 0..200 {
        kept.push(keep(64));
        recorder.snapshot().expect("a snapshot");
    }
    recorder.finish().expect("the end");

    let entries = std::fs::read_dir(&folder).expect("a folder");
    let paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    let total: u64 = paths.iter().map(|path| path.metadata().expect("a file").len()).sum();
    assert!(total < 100_000 + 20_000, "{total} bytes in all");
    let mut segments: Vec<Recording> = paths.iter().map(|path| Recording::read(path)).collect();
    segments.sort_by_key(|segment| segment.header.segment);
    assert!(segments.len() > 3, "{paths:?}");
    let mut seqs = Vec::new();
    for segment in &segments {
        assert_eq!(segment.header.recording, segments[0].header.recording);
        let introduced: Vec<_> = segment.sites.iter().map(|site| site.id).collect();
        for snapshot in &segment.snapshots {
            seqs.push(snapshot.seq);
            assert!(snapshot.sites.iter().all(|row| introduced.contains(&row.site)));
        }
    }
    assert!(seqs.is_sorted() && seqs.last() == Some(&200));
    let last = segments[segments.len() - 1].last();
    assert_eq!(last.dropped.snapshots as usize, 201 - seqs.len());
    assert_eq!(last.heap.live_objects, last.heap.allocs - last.heap.frees);
}

fn one_path_may_be_recorded_to_again() {
    for kept in 0..3 {
        let (recorder, path) = {
            let path = rig::scratch_folder("again").join("shop.jsonl");
            (Recorder::builder().output(&path).start().expect("a recording starts"), path)
        };
        let blocks: Vec<_> = (0..kept).map(|_| keep(10)).collect();
        recorder.finish().expect("the end");
        drop(blocks);
        Recording::read(&path);
        let entries = std::fs::read_dir(path.parent().expect("a folder")).expect("a folder");
        assert_eq!(entries.count(), kept + 1, "each earlier recording is kept beside");
    }
}

/// Behind a link as well: nothing is appended to what the user had, nothing cut from it, and the link
/// stays what it was.
fn what_was_there_is_kept() {
    let folder = rig::scratch_folder("kept");
    let (old, link) = (folder.join("old.jsonl"), folder.join("latest.jsonl"));
    std::fs::write(&old, "precious").expect("a file");
    std::os::unix::fs::symlink(&old, &link).expect("a link");
    let recorder = Recorder::builder().output(&link).start().expect("a recording starts");
    recorder.finish().expect("the end");
    assert_eq!(std::fs::read(folder.join("old.jsonl.1")).expect("set aside"), b"precious");
    assert_eq!(std::fs::read_link(&link).expect("still a link"), old);
    Recording::read(&old);
}

/// Daemons do; their own files then get the numbers.
#[expect(unsafe_code, reason = "closes descriptors that are not its own")]
fn a_program_may_close_our_descriptors() {
    let (recorder, path) = record("closed");
    for descriptor in 3..100 {
        // SAFETY: takes a plain number; nothing of this test is behind it.
        unsafe { libc::close(descriptor) };
    }
    let folder = rig::scratch_folder("closed_by");
    let theirs: Vec<_> = (0..20).map(|n| folder.join(n.to_string())).collect();
    let files: Vec<_> = theirs.iter().map(std::fs::File::create).collect();
    let kept = keep(10);
    recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    drop((kept, files));
    assert_eq!(Recording::read(&path).snapshots.len(), 2);
    for path in theirs {
        assert_eq!(std::fs::metadata(&path).expect("a file").len(), 0, "{}", path.display());
    }
}
