//! What is said of a recording with much wrong with it: each kind of damage, and not each damage.

use heaptide_analyze::load::load;

use crate::recording::{Dir, header, site, snapshot};

/// Loads files; the warnings, without the test's directory and without places.
fn warned(test: &str, files: &[(&str, &str)]) -> Vec<String> {
    let dir = Dir::new(test);
    let paths: Vec<_> = files.iter().map(|(name, text)| dir.write(name, text)).collect();
    let loaded = load(&paths).unwrap_or_else(|error| panic!("{test}: {error}"));
    let bare = |warning: &String| {
        let warning = warning.replace(&format!("{}/", dir.0.display()), "");
        let (file, rest) = warning.split_once(':').unwrap_or((&warning, ""));
        let said = rest.split_once("): ").map_or(rest, |(_, said)| said);
        format!("{file} {}", said.trim_start())
    };
    loaded.warnings.iter().map(ToString::to_string).map(|warning| bare(&warning)).collect()
}

fn begun() -> String {
    [header("r", 0, "00ff"), site(1), snapshot(0, &[(1, 1)])].concat()
}

/// So many lines of a kind that nobody knows, and of damage.
fn with(n_unknown: usize, n_damaged: usize) -> String {
    begun() + &"{\"kind\":\"later\"}\n".repeat(n_unknown) + &"{\"kind\":\n".repeat(n_damaged)
}

#[test]
fn the_first_five_of_a_kind_are_told_and_the_rest_are_counted() {
    let unknown = |file: &str, more: &str| {
        format!("{file} skipped a line of unknown kind `later`: a newer heaptide wrote it{more}")
    };
    for (n_lines, last) in
        [(1, ""), (5, ""), (6, " (and 1 more like this)"), (400, " (and 395 more like this)")]
    {
        let said = warned("many", &[("a.jsonl", &with(n_lines, 0))]);
        let (end, before) = said.split_last().expect("a warning");
        assert_eq!(said.len(), n_lines.min(5), "{n_lines} lines: {said:?}");
        assert!(before.iter().all(|it| *it == unknown("a.jsonl", "")), "{n_lines}: {said:?}");
        assert_eq!(*end, unknown("a.jsonl", last), "{n_lines} lines");
    }
}

#[test]
fn each_kind_and_each_file_has_its_own_five() {
    let said = warned("kinds", &[("a.jsonl", &with(7, 6))]);
    let of = |what: &str| said.iter().filter(|it| it.contains(what)).count();
    assert_eq!((of("unknown kind"), of("damaged line")), (5, 5), "{said:?}");
    assert_eq!((of("and 2 more like"), of("and 1 more like")), (1, 1), "{said:?}");

    let other = with(6, 0).replace("\"recording\":\"r\"", "\"recording\":\"s\"");
    let said = warned("files", &[("a.jsonl", &with(6, 0)), ("b.jsonl", &other)]);
    for file in ["a.jsonl", "b.jsonl"] {
        let of_file: Vec<_> = said.iter().filter(|it| it.starts_with(file)).collect();
        assert_eq!(of_file.len(), 5, "{file}: {said:?}");
        assert!(of_file[4].ends_with("(and 1 more like this)"), "{file}: {said:?}");
    }
}

#[test]
fn a_hole_is_told_by_its_first_snapshot() {
    for (seqs, expected) in [
        (&[0, 1, 2][..], &[][..]),
        (&[0, 2], &["a.jsonl snapshot 1 is missing"]),
        (&[1, 2], &["a.jsonl snapshot 0 is missing"]),
        (&[0, 5, 6, 9], &["a.jsonl 6 snapshots are missing, the first is 1"]),
    ] {
        let snapshots: String = seqs.iter().map(|seq| snapshot(*seq, &[(1, 1)])).collect();
        let text = header("r", 0, "00ff") + &site(1) + &snapshots;
        assert_eq!(warned("hole", &[("a.jsonl", &text)]), expected, "{seqs:?}");
    }
}
