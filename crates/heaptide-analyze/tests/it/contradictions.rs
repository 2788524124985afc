//! Numbers that cannot be true: named with file, line and member, and never clean.

use heaptide_analyze::symbols::RecordedOnly;
use heaptide_analyze::{Outcome, Report, Terms};

use crate::recording::Dir;

const SHOP: &str = include_str!("../../../heaptide-format/tests/data/v1-shop.jsonl");
const SAMPLED: &str = include_str!("../../../heaptide-format/tests/data/v1-sampled.jsonl");

fn judged(test: &str, text: &str) -> Report {
    let dir = Dir::new(test);
    let path = dir.write("shop.jsonl", text);
    heaptide_analyze::judge(&[path], &mut RecordedOnly, &Terms::default()).expect("a recording")
}

/// What is replaced in the recording, by what; the line and the member that are then false.
const FALSE: [(&str, &str, u32, &str); 16] = [
    // Of a snapshot.
    (
        r#""live_objects":201,"live_bytes":40896}"#,
        r#""live_objects":1,"live_bytes":40896}"#,
        9,
        "heap.live_objects",
    ),
    (
        r#""live_objects":201,"live_bytes":40896}"#,
        r#""live_objects":201,"live_bytes":1}"#,
        9,
        "heap.live_bytes",
    ),
    (
        r#""tag":"checkout","live_objects":0"#,
        r#""tag":"checkout","live_objects":999"#,
        8,
        "tags.live_objects",
    ),
    // Of two.
    (r#""mono_ns":35000000000"#, r#""mono_ns":20000000000"#, 9, "mono_ns"),
    (r#""epoch":3,"reason""#, r#""epoch":1,"reason""#, 10, "epoch"),
    (r#""work":{"requests":300}"#, r#""work":{"requests":1}"#, 10, "work.requests"),
    (r#""reallocs":101,"#, r#""reallocs":7,"#, 9, "heap.reallocs"),
    (r#""allocs":601,"frees":300"#, r#""allocs":400,"frees":99"#, 10, "heap.allocs"),
    // Of a row.
    (
        r#""frees":0,"alloc_bytes":55200"#,
        r#""frees":7,"alloc_bytes":55200"#,
        10,
        "sites[1].live_objects",
    ),
    (
        r#""live_objects":300,"live_bytes":55200"#,
        r#""live_objects":300,"live_bytes":9"#,
        10,
        "sites[1].live_bytes",
    ),
    (r#""objects_range":[200,300]"#, r#""objects_range":[200,299]"#, 10, "sites[1].objects_range"),
    (r#"[2,100,18400],[3,100,18400]]"#, r#"[2,100,18400],[3,99,18400]]"#, 10, "sites[1].cohorts"),
    (r#"[2,100,18400],[3,100,18400]]"#, r#"[2,100,18400],[1,100,18400]]"#, 10, "sites[1].cohorts"),
    (r#"[2,100,18400],[3,100,18400]]"#, r#"[2,100,18400],[9,100,18400]]"#, 10, "sites[1].cohorts"),
    // Of two rows of a site, and of all rows together.
    (
        r#""allocs":200,"frees":200,"alloc_bytes":19200,"freed_bytes":19200"#,
        r#""allocs":900,"frees":900,"alloc_bytes":19200,"freed_bytes":19200"#,
        10,
        "sites[3].allocs",
    ),
    (
        r#""allocs":200,"frees":200,"alloc_bytes":19200,"freed_bytes":19200,"reallocs":100"#,
        r#""allocs":201,"frees":201,"alloc_bytes":19200,"freed_bytes":19200,"reallocs":100"#,
        9,
        "heap.allocs",
    ),
];

/// Contradictory numbers turned exit 1 into 0 without a word.
#[test]
fn each_is_named_and_never_clean() {
    for (n, (from, to, line, field)) in FALSE.into_iter().enumerate() {
        assert!(SHOP.contains(from), "{from}");
        let report = judged(&format!("contradiction-{n}"), &SHOP.replacen(from, to, 1));
        let said = report.errors.join("\n");
        assert_eq!(report.outcome, Outcome::Error, "{to}");
        assert!(said.contains(&format!("shop.jsonl:{line} ")), "not line {line}: {said}");
        assert!(said.contains(&format!("`{field}` cannot be true")), "not {field}: {said}");
    }
}

#[test]
fn honest_recordings_have_none() {
    for (n, text) in [SHOP, SAMPLED].into_iter().enumerate() {
        assert_eq!(judged(&format!("honest-{n}"), text).errors, Vec::<String>::new());
    }
}

/// A program that writes over the trailers of its blocks has frees in cohorts that had no such blocks.
#[test]
fn overruns_excuse_cohorts() {
    let overrun = |text: &str| text.replace(r#""overruns":0"#, r#""overruns":1"#);
    let wrong = overrun(SHOP).replace("[3,100,18400]]", "[3,99,18400]]");
    assert_eq!(judged("overruns", &wrong).errors, Vec::<String>::new());
}

/// What a damaged line held is in no sum.
#[test]
fn damage_excuses_sums() {
    let damaged = SHOP.replacen("\"site\":3,\"allocs\":200", "\"site\":3,\"allocs\":x", 1);
    let report = judged("damaged-sum", &damaged);
    assert_eq!(report.errors, Vec::<String>::new());
    assert!(report.warnings.iter().any(|warning| warning.contains("damaged")), "{report:?}");
}
