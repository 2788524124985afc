//! `docs/FORMAT.md` has a row for every member there is, and for none that is not.

use std::collections::{BTreeMap, BTreeSet};

use heaptide_format::{BUCKETS, Bucket, Epoch, Line};
use serde_json::Value;

use crate::full;

const DOCUMENT: &str = include_str!("../../../../docs/FORMAT.md");

/// Which object of the document and the schema a member's value is; kinds are named by themselves.
const NESTED: [(&str, &str); 13] = [
    ("parent", "parent"),
    ("budget", "budget"),
    ("children", "children"),
    ("account", "account"),
    ("parts", "parts"),
    ("offsets", "named_offset"),
    ("names", "name"),
    ("heap", "heap"),
    ("tags", "tag"),
    ("dropped", "dropped"),
    ("unwinding", "unwinding"),
    ("sites", "row"),
    ("growth", "growth"),
];

/// The objects in a line, and the names of their members.
pub(crate) fn objects(line: &Line) -> BTreeMap<String, BTreeSet<String>> {
    let mut bytes = Vec::new();
    line.write_to(&mut bytes);
    let value: Value = serde_json::from_slice(&bytes).expect("a line is JSON");
    let kind = value["kind"].as_str().unwrap_or_default().to_owned();
    let mut found = BTreeMap::new();
    collect(&kind, &value, &mut found);
    found
}

fn collect(name: &str, value: &Value, found: &mut BTreeMap<String, BTreeSet<String>>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(name, item, found)),
        Value::Object(members) => {
            found.entry(name.to_owned()).or_default().extend(members.keys().cloned());
            for (member, object) in NESTED {
                if let Some(value) = members.get(member).filter(|value| is_nested(value)) {
                    collect(object, value, found);
                }
            }
        }
        _ => {}
    }
}

/// An object or a list of objects; `dropped.sites` is a number.
fn is_nested(value: &Value) -> bool {
    value.is_object() || value.as_array().is_some_and(|items| items.iter().all(Value::is_object))
}

/// The first cells of the tables under each heading that names a kind or an object.
fn tables() -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut heading = None;
    for line in DOCUMENT.lines() {
        if line.starts_with('#') {
            heading = line.split('`').nth(1);
        } else if let (Some(heading), Some(row)) = (heading, line.strip_prefix("| `")) {
            let member = row.split('`').next().unwrap_or_default();
            found.entry(heading.to_owned()).or_default().insert(member.to_owned());
        }
    }
    found
}

#[test]
fn it_has_a_row_for_every_member_and_no_other() {
    let written: BTreeMap<_, _> = full::lines().iter().flat_map(objects).collect();
    assert_eq!(tables(), written);
}

#[test]
fn its_rule_of_buckets_is_the_rule_of_the_code() {
    let by_document = |epoch: u32| {
        let epoch = epoch.min(1_032_192);
        if epoch < 64 {
            return epoch;
        }
        let doubling = epoch.ilog2() - 6;
        let width = 1 << (doubling + 1);
        epoch - epoch % width
    };
    for epoch in (0..1 << 21).chain([u32::MAX]) {
        assert_eq!(Bucket::of(Epoch(epoch)).first_epoch(), Epoch(by_document(epoch)), "{epoch}");
    }
    assert!(DOCUMENT.contains(&format!("at most {BUCKETS} cells")));
}
