//! Recordings as they come: whole, in segments, cut, damaged, foreign.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use heaptide_analyze::axis::{Axis, Settings};
use heaptide_analyze::load::{Cause, Recording, Threads, load, load_one};
use heaptide_analyze::series::{self, SiteSeries};
use heaptide_format::SiteId;
use proptest::prelude::*;

use crate::recording::{Dir, MODULE, header, site, snapshot, whole};

/// Everything a reader sees of a run, as text.
fn picture(run: &Recording) -> String {
    let seqs: Vec<_> = run.timeline.points.iter().map(|point| point.seq).collect();
    let mut rows = Vec::new();
    let warnings = run.rows(|k, row| rows.push((k, row.site.0, row.live_objects)));
    let warnings = warnings.map(|warnings| warnings.len());
    let sites: Vec<_> = run.sites.keys().map(|id| id.0).collect();
    format!("{seqs:?} {sites:?} {rows:?} {warnings:?}")
}

/// Loads files and describes runs, warnings or the error; the test's directory is left out.
fn described(dir: &Dir, paths: &[PathBuf]) -> String {
    let text = match load(paths) {
        Err(error) => format!("error: {error}"),
        Ok(loaded) => {
            let runs = loaded.recordings.iter().map(|run| format!("run {}\n", picture(run)));
            let warnings = loaded.warnings.iter().map(|warning| format!("warning {warning}\n"));
            runs.chain(warnings).collect()
        }
    };
    text.replace(&format!("{}/", dir.0.display()), "")
}

/// `LINE (byte OFFSET)` of a line of [`whole`], from 1; the line after the last one has an offset too.
fn at(line: usize) -> String {
    let bytes: usize = whole().split_inclusive('\n').take(line - 1).map(str::len).sum();
    format!("{line} (byte {bytes})")
}

fn check(test: &str, files: &[(&str, &str)], named: &[&str], expected: &str) {
    let dir = Dir::new(test);
    for (name, text) in files {
        dir.write(name, text);
    }
    let paths: Vec<_> = named.iter().map(|name| dir.0.join(name)).collect();
    assert_eq!(described(&dir, &paths).trim_end(), expected.trim_end(), "{test}");
}

const WHOLE: &str =
    "run [0, 1, 2] [1, 2] [(0, 1, 1), (0, 2, 5), (1, 1, 2), (2, 1, 3), (2, 2, 6)] Ok(0)\n";

#[test]
fn a_whole_recording_has_nothing_to_say() {
    check("whole", &[("a.jsonl", &whole())], &["a.jsonl"], WHOLE);
    check("twice", &[("a.jsonl", &whole())], &["a.jsonl", "", "a.jsonl"], WHOLE);
}

#[test]
fn segments_are_joined_and_runs_told_apart() {
    let first = [&header("r", 0, "00ff"), MODULE, &site(1), &snapshot(0, &[(1, 1)])].concat();
    let second = [&header("r", 1, "00ff"), MODULE, &site(1), &snapshot(1, &[(1, 2)])].concat();
    let other = [header("s", 0, "11ee"), site(1), snapshot(0, &[(1, 9)])].concat();
    let joined = "run [0, 1] [1] [(0, 1, 1), (1, 1, 2)] Ok(0)\n";
    let apart = format!(
        "{joined}run [0] [1] [(0, 1, 9)] Ok(0)\n\
         warning a.jsonl: the runs come from 2 different builds of the program: name one \
         as --before to compare them\n"
    );
    let backwards = [("a.jsonl", second.as_str()), ("b.jsonl", first.as_str())];
    check("segments", &backwards, &[""], joined);
    let one_file = [first.as_str(), &second, &other].concat();
    check("one-file", &[("a.jsonl", &one_file)], &[""], &apart);
    let rotated = [("a.jsonl", first.as_str()), ("a.001.jsonl", &second), ("a.002.jsonl", &other)];
    check("rotated", &rotated, &["a.jsonl"], joined);
    let three = [("a.jsonl", first.as_str()), ("b.jsonl", &second), ("c.jsonl", &other)];
    check("three", &three, &[""], &apart);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let torn = &whole()[..whole().len() - 20];
    let kept = "run [0, 1] [1, 2] [(0, 1, 1), (0, 2, 5), (1, 1, 2)] Ok(0)\n";
    let said =
        format!("{kept}warning a.jsonl:{}: the last line is cut off; what it held is lost", at(7));
    check("torn", &[("a.jsonl", torn)], &["a.jsonl"], &said);

    let unknown = whole() + "{\"kind\":\"later\",\"x\":1}\n";
    let said = format!(
        "{WHOLE}warning a.jsonl:{}: skipped a line of unknown kind `later`: a newer heaptide wrote it",
        at(8)
    );
    check("unknown", &[("a.jsonl", &unknown)], &["a.jsonl"], &said);

    let damaged = whole().replacen("\"seq\":1", "\"seq\":!", 1);
    let said = format!(
        "run [0, 2] [1, 2] [(0, 1, 1), (0, 2, 5), (1, 1, 3), (1, 2, 6)] Ok(0)\n\
         warning a.jsonl:{}: damaged line skipped: expected value at byte 26 of the line\n\
         warning a.jsonl: snapshot 1 is missing",
        at(6)
    );
    check("damaged", &[("a.jsonl", &damaged)], &["a.jsonl"], &said);

    let repeated = whole() + &snapshot(1, &[(1, 9)]);
    let said =
        format!("{WHOLE}warning a.jsonl:{}: snapshot 1 is out of order and was skipped", at(8));
    check("repeated", &[("a.jsonl", &repeated)], &["a.jsonl"], &said);
}

#[test]
fn a_damaged_row_loses_the_rest_of_its_line() {
    let dir = Dir::new("bad-row");
    let text = whole().replacen("{\"site\":2,\"allocs\":5", "{\"site\":2,\"allocs\":{}", 1);
    let (run, warnings) = load_one(&dir.write("a.jsonl", text)).expect("a run");
    assert_eq!(warnings, []);
    let mut rows = Vec::new();
    let warnings = run.rows(|k, row| rows.push((k, row.site.0))).expect("readable");
    assert_eq!(rows, [(0, 1), (1, 1), (2, 1), (2, 2)]);
    let said = warnings[0].to_string();
    let place = format!("a.jsonl:{}: damaged line skipped: invalid type", at(5));
    assert!(said.contains(&place), "{said}");
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let newer = header("r", 0, "00ff").replace("\"format\":1", "\"format\":7");
    let bare = header("r", 0, "00ff");
    let lost = [bare.as_str(), "{\"kind\":\"snapshot\",\"seq\":0}\n"].concat();
    for (test, text, expected) in [
        (
            "empty",
            "",
            "error: a.jsonl: the file is empty: nothing was recorded, or the recording was cut off",
        ),
        (
            "text",
            "hello\n",
            "error: a.jsonl: not a heaptide recording: this is text of another kind",
        ),
        (
            "json",
            "{\"a\":1}\n",
            "error: a.jsonl: not a heaptide recording: this is JSON of another kind: its first member is not \"kind\"",
        ),
        ("binary", "\u{1}\u{2}", "error: a.jsonl: not a heaptide recording: this is a binary file"),
        (
            "elf",
            "\u{7f}ELF\0\0",
            "error: a.jsonl: not a heaptide recording: this is an executable, not the recording it wrote",
        ),
        (
            "newer",
            &newer,
            "error: a.jsonl: written by a newer heaptide (format 7; this one reads up to 1): upgrade",
        ),
        (
            "headless",
            MODULE,
            "error: a.jsonl:1 (byte 0): no header, it begins with a module line: record again",
        ),
        (
            "cut-header",
            &bare[..40],
            "error: a.jsonl:1 (byte 0): no header, the only line is cut off: record again",
        ),
        (
            "lost",
            &lost,
            "error: a.jsonl: no snapshot is readable; first damage: line 2 (byte 138): missing field `mono_ns` at byte 27 of the line",
        ),
        ("bare", &bare, "run [] [] [] Ok(0)"),
    ] {
        check(test, &[("a.jsonl", text)], &["a.jsonl"], expected);
    }
    check("absent", &[], &["a.jsonl"], "error: a.jsonl: No such file or directory (os error 2)");
    check("none", &[("a.txt", "x")], &[""], "error: : no recording (*.jsonl) in this directory");
    let mixed = [("a.jsonl", ""), ("b.jsonl", &whole())];
    let said = format!(
        "{WHOLE}warning left out: a.jsonl: the file is empty: nothing was recorded, or the \
         recording was cut off"
    );
    check("mixed", &mixed, &[""], &said);
}

#[test]
fn one_snapshot_is_restored_in_full() {
    let dir = Dir::new("restored");
    let (run, _) = load_one(&dir.write("a.jsonl", whole())).expect("a run");
    let (snapshot, warnings) =
        run.snapshot(run.point_index(Some(1)).expect("seq 1")).expect("read");
    assert_eq!(warnings, []);
    assert_eq!((snapshot.scalars.seq, snapshot.scalars.rss_bytes), (1, 4096));
    let row = |id| &snapshot.rows[&SiteId(id)];
    assert_eq!((row(1).live_objects, row(1).objects_range), (2, Some((0, 2))));
    // Unchanged since snapshot 0: the numbers stand, the range of then does not.
    assert_eq!((row(2).live_objects, row(2).objects_range), (5, None));
    assert_eq!(run.point_index(None).expect("a last one"), 2);
    let error = run.point_index(Some(9)).expect_err("there is no snapshot 9").to_string();
    assert!(error.ends_with("a.jsonl: no snapshot 9; it holds 0 to 2"), "{error}");
}

/// A run of 300 snapshots, more than an axis has slots, in which live blocks go up and down.
fn long(line: impl Fn(u64) -> String) -> String {
    let lines = (0..300).map(line);
    [header("r", 0, "00ff"), MODULE.into(), site(1), site(2)].into_iter().chain(lines).collect()
}

fn up_and_down(seq: u64) -> String {
    match seq % 7 {
        3 => snapshot(seq, &[(1, seq + 5), (2, 80 - seq % 40)]),
        5 => snapshot(seq, &[]),
        _ => snapshot(seq, &[(1, seq + 9 - seq % 5)]),
    }
}

fn series_on(
    run: &Recording,
    axis: &Axis,
    threads: usize,
) -> (BTreeMap<SiteId, SiteSeries>, String) {
    let threads = Threads(NonZeroUsize::new(threads).expect("a number of threads"));
    let (series, mut warnings) = series::read(run, axis, |_| axis, threads).expect("readable");
    // Numbers made up here need not add up.
    warnings.retain(|warning| !matches!(warning.cause, Cause::Contradiction(_)));
    (series, format!("{warnings:?}"))
}

#[test]
fn series_are_the_same_by_slot_by_row_and_on_any_number_of_threads() {
    let dir = Dir::new("threads");
    let damaged = |seq| match seq % 50 {
        9 => up_and_down(seq).replace("[[0,", "[[!,"),
        _ => up_and_down(seq),
    };
    for text in [long(up_and_down), long(damaged)] {
        let (run, _) = load_one(&dir.write("a.jsonl", text)).expect("a run");
        let axis = Axis::new(&run.timeline, &Settings::default());
        assert!(axis.len() <= 150, "no snapshots were joined: {}", axis.len());
        let mut by_row: BTreeMap<SiteId, SiteSeries> = BTreeMap::new();
        let warnings = run
            .rows(|k, row| by_row.entry(row.site).or_default().observe(&axis, k, row))
            .expect("readable");
        by_row.values_mut().for_each(|site| site.close(&axis));
        for threads in [1, 2, 8] {
            let by_slot = series_on(&run, &axis, threads);
            assert_eq!(by_slot, (by_row.clone(), format!("{warnings:?}")), "{threads} threads");
        }
    }
}

#[test]
fn members_in_another_order_are_read_all_the_same() {
    let sorted = |text: String| -> String {
        let line = |line: &str| {
            let mut members: serde_json::Map<_, _> = serde_json::from_str(line).expect("JSON");
            let kind = members.remove("kind").expect("a kind");
            let work = serde_json::json!({ "requests": 7 });
            members.insert("work".into(), work);
            let rest = serde_json::to_string(&members).expect("JSON");
            format!("{{\"kind\":{kind},{}\n", &rest[1..])
        };
        text.lines().map(line).collect()
    };
    let dir = Dir::new("order");
    let (run, warnings) = load_one(&dir.write("a.jsonl", sorted(whole()))).expect("a run");
    assert_eq!(warnings, []);
    assert_eq!(format!("run {}\n", picture(&run)), WHOLE);
    assert!(run.timeline.points.iter().all(|point| point.work["requests"] == 7));
}

#[test]
fn a_file_that_changes_under_the_reader_is_told() {
    let dir = Dir::new("changed");
    let file = dir.write("a.jsonl", whole());
    let (run, _) = load_one(&file).expect("a run");
    let told = |text: &str| {
        dir.write("a.jsonl", text);
        let axis = Axis::new(&run.timeline, &Settings::default());
        let ended = series::read(&run, &axis, |_| &axis, Threads::default())
            .map(|(series, _)| series.len());
        ended.map_err(|error| error.to_string().replace(&format!("{}/", dir.0.display()), ""))
    };
    let replaced = |line| {
        let place = at(line);
        Err(format!(
            "a.jsonl:{place}: the file was replaced or cut while it was read: read it again"
        ))
    };
    // Grown since: what came later is left to the next reader.
    assert_eq!(told(&(whole() + &snapshot(3, &[(1, 4)]))), Ok(2));
    assert_eq!(told(&whole()[1..]), replaced(5));
    assert_eq!(told(&whole()[..whole().len() - 30]), replaced(7));
    assert_eq!(told(&whole().replacen("\"seq\":1,", "\"seq\":7,", 1)), replaced(6));
}

#[test]
fn restarts_with_one_name_are_runs_of_their_own() {
    let run = |recording, live| {
        [header(recording, 0, "00ff"), site(1), snapshot(0, &[(1, live)])].concat()
    };
    let restarted = [run("r", 1), run("s", 2), run("t", 3)].concat();
    let rows = |live| format!("run [0] [1] [(0, 1, {live})] Ok(0)\n");
    let apart = [rows(1), rows(2), rows(3)].concat();
    check("restarted", &[("a.jsonl", &restarted)], &["a.jsonl"], &apart);
    // A name that looks like a later segment is not one if another recording stands in it.
    let beside = [("a.jsonl", run("r", 1)), ("a.001.jsonl", run("s", 2))];
    let beside = beside.each_ref().map(|(name, text)| (*name, text.as_str()));
    check("beside", &beside, &["a.jsonl"], &rows(1));
}

#[test]
fn a_segment_missing_in_the_middle_is_a_hole() {
    let segment = |number, seq| {
        let live = u64::from(number) + 1;
        let rows = [(1, live)];
        [header("r", number, "00ff"), site(1), snapshot(seq, &rows), snapshot(seq + 1, &rows)]
            .concat()
    };
    let (first, third) = (segment(0, 0), segment(2, 4));
    let said = "run [0, 1, 4, 5] [1] [(0, 1, 1), (1, 1, 1), (2, 1, 3), (3, 1, 3)] Ok(0)\n\
                warning a.jsonl: 2 snapshots are missing, the first is 2";
    let files = [("a.jsonl", first.as_str()), ("a.002.jsonl", third.as_str())];
    check("hole", &files, &["a.jsonl"], said);
}

/// A million inlined names at an address, and stacks of 7,800 frames, took minutes; two million sites
/// took gigabytes.
#[test]
fn what_the_shim_never_writes_is_refused() {
    let frames = vec!["\"0+0x10\""; 1025].join(",");
    let deep = format!("{{\"kind\":\"site\",\"id\":9,\"frames\":[{frames}]}}\n");
    let names = vec![r#"{"function":"f"}"#; 1025].join(",");
    let inlined = format!(
        "{{\"kind\":\"names\",\"module\":0,\"offsets\":[{{\"offset\":\"0x10\",\"names\":[{names}]}}]}}\n"
    );
    let many: String = (0..=1 << 19).map(site).collect();
    for (test, lines, said) in [
        ("deep", &deep, "1025 frames in one stack, of which at most 1024 are read"),
        ("inlined", &inlined, "1025 functions at one address, of which at most 1024 are read"),
        ("many", &many, "more than 524288 call sites, which is more than the shim writes"),
    ] {
        let dir = Dir::new(test);
        let text = header("r", 0, "00ff") + lines + &snapshot(0, &[]);
        let seen = described(&dir, &[dir.write("a.jsonl", text)]);
        assert!(seen.contains(said), "{test}: {}", &seen[..seen.len().min(400)]);
    }
}

#[test]
fn one_very_long_line_is_read() {
    let ids = 1..=40_000;
    let rows: Vec<_> = ids.clone().map(|id| (id, u64::from(id))).collect();
    let text = header("r", 0, "00ff") + &snapshot(0, &rows) + &snapshot(1, &[]);
    assert!(text.len() > 5_000_000);
    let dir = Dir::new("huge");
    let (run, _) = load_one(&dir.write("a.jsonl", text)).expect("a run");
    let axis = Axis::new(&run.timeline, &Settings::default());
    let (series, warnings) = series_on(&run, &axis, 2);
    assert_eq!((series.len(), warnings.as_str()), (ids.count(), "[]"));
}

/// Reads everything there is to read; only a panic or a hang can fail here.
fn read_all(paths: &[PathBuf]) -> Option<(usize, u64)> {
    let loaded = load(paths).ok()?;
    let mut live = 0u64;
    for run in &loaded.recordings {
        let sum = |_, row: &heaptide_format::SiteRow| live = live.wrapping_add(row.live_objects);
        run.rows(sum).ok()?;
        let axis = Axis::new(&run.timeline, &Settings::default());
        series::read(run, &axis, |_| &axis, Threads::default()).ok()?;
        for k in 0..run.timeline.points.len() {
            run.snapshot(k).ok()?;
        }
    }
    Some((loaded.recordings.iter().map(|run| run.timeline.points.len()).sum(), live))
}

#[test]
fn a_recording_cut_anywhere_keeps_what_was_whole() {
    let dir = Dir::new("cut");
    let whole = whole();
    // A line is whole from its closing brace on, with or without its line feed.
    let ends = |end: &usize, lines: &mut dyn Iterator<Item = &str>| {
        let mut at = 0;
        lines
            .filter(|line| (at += line.len(), at - 1 <= *end && line.contains("\"seq\"")).1)
            .count()
    };
    let header_bytes = header("r", 0, "00ff").len() - 1;
    for end in 0..=whole.len() {
        let read = read_all(&[dir.write("a.jsonl", &whole[..end])]);
        let n_points = read.map(|(n_points, _)| n_points);
        let expected = ends(&end, &mut whole.split_inclusive('\n'));
        assert_eq!(n_points, (end >= header_bytes).then_some(expected), "cut at {end}");
    }
}

#[test]
fn damage_at_any_byte_is_told_with_its_place_or_harmless() {
    let dir = Dir::new("every-byte");
    let whole = whole();
    for at in 0..whole.len() {
        for byte in *b"\n}7" {
            let mut bytes = whole.clone().into_bytes();
            bytes[at] = byte;
            let path = dir.write("a.jsonl", &bytes);
            read_all(std::slice::from_ref(&path));
            let said = described(&dir, &[path]);
            // Whatever is said names the file, and of damage also the line and the byte.
            for line in said.lines().filter(|line| !line.starts_with("run ")) {
                assert!(line.contains(" a.jsonl"), "{line}");
                let placed = line.contains(" (byte ");
                assert!(placed || !line.contains("damaged line"), "{line}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_damage_makes_a_reader_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let dir = Dir::new("flips");
        let mut bytes = whole().into_bytes();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() * 2));
        read_all(&[dir.write("a.jsonl", bytes)]);
    }
}
