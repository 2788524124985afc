//! Where one run, or one snapshot of it, is asked for.

use heaptide_analyze::load::{Recording, load_one};

use crate::recording::{Dir, MODULE, header, site, snapshot, whole};

/// Asks for one run in a file of this text, then for something in it; what is refused, without the
/// test's directory.
fn refused(test: &str, text: &str, ask: fn(&Recording) -> Option<String>) -> Option<String> {
    let dir = Dir::new(test);
    let file = dir.write("a.jsonl", text);
    let said = match load_one(&file) {
        Ok((run, _)) => ask(&run),
        Err(error) => Some(error.to_string()),
    };
    said.map(|said| said.replace(&format!("{}/", dir.0.display()), ""))
}

fn point(run: &Recording, seq: Option<u64>) -> Option<String> {
    run.point_index(seq).err().map(|error| error.to_string())
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let none_yet = header("r", 0, "00ff") + MODULE;
    let two = whole() + &whole().replace("\"recording\":\"r\"", "\"recording\":\"s\"");
    let from_five = [header("r", 0, "00ff"), site(1), snapshot(5, &[(1, 1)])].concat();
    type Case<'a> = (&'a str, &'a str, fn(&Recording) -> Option<String>, Option<&'a str>);
    let cases: [Case<'_>; 9] = [
        ("the-last", &whole(), |run| point(run, None), None),
        ("one", &whole(), |run| point(run, Some(1)), None),
        (
            "beyond",
            &whole(),
            |run| point(run, Some(3)),
            Some("a.jsonl: no snapshot 3; it holds 0 to 2"),
        ),
        (
            "before",
            &from_five,
            |run| point(run, Some(0)),
            Some("a.jsonl: no snapshot 0; it holds 5 to 5"),
        ),
        ("last-of-none", &none_yet, |run| point(run, None), Some("a.jsonl: holds no snapshot")),
        ("one-of-none", &none_yet, |run| point(run, Some(0)), Some("a.jsonl: holds no snapshot")),
        (
            "no-such-point",
            &whole(),
            |run| run.snapshot(3).err().map(|error| error.to_string()),
            Some("a.jsonl: holds snapshots 0 to 2"),
        ),
        (
            "two-runs",
            &two,
            |_| None,
            Some("a.jsonl: holds 2 runs where one is needed: name one file"),
        ),
        (
            "rows-of-none",
            &none_yet,
            |run| Some(format!("{:?}", run.rows(|_, _| {}))),
            Some("Ok([])"),
        ),
    ];
    for (test, text, ask, expected) in cases {
        assert_eq!(refused(test, text, ask).as_deref(), expected, "{test}");
    }
}

/// A snapshot that is asked for by itself holds every site as it was last seen, and nothing of later.
#[test]
fn a_snapshot_holds_what_was_seen_until_then() {
    let dir = Dir::new("until-then");
    let (run, _) = load_one(&dir.write("a.jsonl", whole())).expect("a run");
    for (k, rows, ranged) in [
        (0, &[(1, 1), (2, 5)][..], &[1, 2][..]),
        (1, &[(1, 2), (2, 5)], &[1]),
        (2, &[(1, 3), (2, 6)], &[1, 2]),
    ] {
        let (snapshot, warnings) = run.snapshot(k).expect("a snapshot");
        let seen: Vec<_> =
            snapshot.rows.iter().map(|(site, row)| (site.0, row.live_objects)).collect();
        assert_eq!((&seen[..], warnings.len()), (rows, 0), "snapshot {k}");
        // The least and most between two snapshots are those of another time in an older row.
        let of_now = snapshot.rows.values().filter(|row| row.objects_range.is_some());
        assert_eq!(of_now.map(|row| row.site.0).collect::<Vec<_>>(), ranged, "snapshot {k}");
        assert_eq!(snapshot.scalars.seq, k as u64, "snapshot {k}");
    }
}
