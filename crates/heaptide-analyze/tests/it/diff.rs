//! Dumps and their differences, with names from the recording itself.

use heaptide_analyze::diff::{Change, Diff};
use heaptide_analyze::dump::{Dump, Opened};
use heaptide_analyze::identity::WorkspaceCrates;
use heaptide_analyze::load::{Error, Location};
use heaptide_analyze::symbols::RecordedOnly;

use crate::recording::{Dir, MODULE, header, site, snapshot};

/// Names for the sites 1 to 4 and their common caller.
fn names() -> String {
    let name = |offset: &str, function: &str| {
        format!(
            r#"{{"offset":"{offset}","names":[{{"function":"{function}","file":"src/main.rs","line":3}}]}}"#
        )
    };
    let functions = ["shop::login", "shop::cart", "shop::login", "shop::reap"];
    let sites = (1..).zip(functions).map(|(id, function)| name(&format!("0x1{id:02x}"), function));
    let offsets: Vec<_> = sites.chain([name("0x900", "shop::main")]).collect();
    format!("{{\"kind\":\"names\",\"module\":0,\"offsets\":[{}]}}\n", offsets.join(","))
}

fn recording() -> String {
    let sites: String = (1..=4).map(site).collect();
    [
        header("r", 0, "00ff"),
        MODULE.to_owned(),
        sites,
        names(),
        // Few blocks of many bytes at site 4.
        snapshot(0, &[(1, 1), (2, 5), (4, 2)]).replace("\"live_bytes\":20,", "\"live_bytes\":900,"),
        snapshot(1, &[(1, 4), (3, 3), (4, 0)]),
    ]
    .concat()
}

fn open(text: &str) -> Result<Opened, Error> {
    Dump::open(&Location::parse(text), &mut RecordedOnly, &WorkspaceCrates::new())
}

fn dump(text: &str) -> Dump {
    open(text).unwrap_or_else(|error| panic!("{error}")).dump
}

#[test]
fn sites_are_compared_by_identity() {
    let dir = Dir::new("diff");
    let file = dir.write("a.jsonl", recording());
    let (before, after) = (format!("{}@0", file.display()), format!("{}@1", file.display()));
    let diff = Diff::new(&dump(&before), &dump(&after));
    let seen: Vec<_> = diff
        .sites
        .iter()
        .map(|site| (site.path.as_str(), site.delta_objects(), site.delta_bytes(), site.change))
        .collect();
    let expected = [
        ("shop::reap", -2, -900, Change::Gone),
        // Sites 1 and 3 are one identity: 1 block before, 4 and 3 after.
        ("shop::login", 6, 60, Change::Changed),
        ("shop::cart", 0, 0, Change::Same),
    ];
    assert_eq!(seen, expected);
    assert_eq!((diff.heap_before.live_bytes, diff.heap_after.live_bytes), (0, 10));
    let back = Diff::new(&dump(&after), &dump(&before));
    assert_eq!(back.sites[0].change, Change::New);
}

#[test]
fn a_dump_is_read_wherever_a_snapshot_is() {
    let dir = Dir::new("dump");
    let file = dir.write("a.jsonl", recording());
    let from_recording = dump(&file.to_string_lossy());
    let json = serde_json::to_string_pretty(&from_recording).expect("a dump has a form");
    assert!(json.starts_with("{\n  \"kind\": \"dump\",\n  \"format\": 1,\n"), "{json}");
    let text = dir.write("dump.json", &json).to_string_lossy().into_owned();
    assert_eq!(dump(&text), from_recording);
    assert_eq!(dump(&format!("{text}@1")), from_recording);
    let error = open(&format!("{text}@0")).expect_err("the dump is of snapshot 1").to_string();
    assert!(error.ends_with("dump.json: no snapshot 0; it holds 1 to 1"), "{error}");
    dir.write("dump.json", json.replacen("\"format\": 1", "\"format\": 9", 1));
    assert!(open(&text).expect_err("newer").to_string().contains("format 9"));
    dir.write("dump.json", &json[..json.len() / 2]);
    let error = open(&text).expect_err("cut").to_string();
    assert!(error.contains("dump.json: not a dump that this heaptide can read: EOF"), "{error}");
}
