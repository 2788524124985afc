//! The file of accepted growth: what is refused, and what an update leaves alone.

use heaptide_analyze::baseline::{Baseline, Update};

fn baseline(entries: &[(&str, f64)]) -> Baseline {
    let entry = |(id, bytes_per_op): &(&str, f64)| {
        format!(
            r#""{id}": {{ "path": "shop::f", "class": "leak", "work": "requests",
                "objects_per_op": 1.0, "bytes_per_op": {bytes_per_op:?} }}"#
        )
    };
    let entries: Vec<String> = entries.iter().map(entry).collect();
    let text = format!(r#"{{ "version": 1, "accepted": {{ {} }} }}"#, entries.join(", "));
    Baseline::parse(&text).expect("a baseline")
}

#[test]
fn a_baseline_that_cannot_be_read_says_why() {
    let entry = |change: (&str, &str)| {
        let text = baseline(&[("0000000a", 8.0)]).to_json();
        assert!(text.contains(change.0), "{text}");
        text.replace(change.0, change.1)
    };
    for (text, said) in [
        (String::new(), "EOF while parsing a value at line 1 column 0"),
        ("[]".to_owned(), "invalid length 0"),
        ("{}".to_owned(), "missing field `version`"),
        (entry(("\"version\": 1", "\"version\": 2")), "version 2 is newer than this program knows"),
        (entry(("\"accepted\"", "\"excepted\"")), "unknown field `excepted`"),
        (entry(("\"class\"", "\"clas\"")), "unknown field `clas`"),
        (entry(("\"leak\"", "\"leek\"")), "unknown variant `leek`"),
        (entry(("8.0", "\"8\"")), "invalid type: string"),
    ] {
        let error = Baseline::parse(&text).expect_err(said).to_string();
        assert!(error.starts_with(said), "{error}");
    }
}

#[test]
fn an_update_moves_bounds_only_when_they_are_off() {
    let update = |new, changed, unchanged, dropped| Update { new, changed, unchanged, dropped };
    // What was accepted, what grows today, what an update makes of it, and the bound afterwards.
    for (was, today, expected, bound) in [
        (&[("a", 100.0)][..], &[("a", 100.0)][..], update(0, 0, 1, 0), Some(100.0)),
        (&[("a", 100.0)], &[("a", 125.0)], update(0, 0, 1, 0), Some(100.0)),
        (&[("a", 100.0)], &[("a", 126.0)], update(0, 1, 0, 0), Some(126.0)),
        (&[("a", 100.0)], &[("a", 80.0)], update(0, 0, 1, 0), Some(100.0)),
        (&[("a", 100.0)], &[("a", 79.0)], update(0, 1, 0, 0), Some(79.0)),
        // Less than a byte is nothing, whatever the factor.
        (&[("a", 0.1)], &[("a", 1.0)], update(0, 0, 1, 0), Some(0.1)),
        (&[("a", 0.1)], &[("a", 1.2)], update(0, 1, 0, 0), Some(1.2)),
        (&[], &[("a", 5.0)], update(1, 0, 0, 0), Some(5.0)),
        (&[("a", 5.0)], &[], update(0, 0, 0, 1), None),
        (&[("b", 5.0)], &[("a", 5.0)], update(1, 0, 0, 1), Some(5.0)),
    ] {
        let mut accepted = baseline(was);
        assert_eq!(accepted.update(baseline(today)), expected, "{was:?}, {today:?}");
        let found = accepted.accepted.get("a").map(|accepted| accepted.bytes_per_op);
        assert_eq!(found, bound, "{was:?}, {today:?}");
    }
}

#[test]
fn another_class_or_unit_is_another_bound() {
    for (from, to) in [
        ("\"leak\"", "\"suspect\""),
        ("\"requests\"", "\"logins\""),
        ("\"shop::f\"", "\"shop::g\""),
    ] {
        let text = baseline(&[("a", 100.0)]).to_json().replace(from, to);
        let today = Baseline::parse(&text).expect("a baseline");
        let mut accepted = baseline(&[("a", 100.0)]);
        assert_eq!(accepted.update(today.clone()).changed, 1, "{to}");
        assert_eq!(accepted, today, "{to}");
    }
}

#[test]
fn the_file_is_sorted_and_ends_in_a_line_feed() {
    let text = baseline(&[("b", 2.0), ("a", 1.0)]).to_json();
    let at = |id: &str| text.find(&format!("\"{id}\"")).expect("it is there");
    assert!(at("a") < at("b"), "{text}");
    assert!(text.ends_with("}\n"), "{text}");
    assert_eq!(Baseline::parse(&text).map(|read| read.to_json()), Ok(text));
}
