//! `docs/recording.schema.json` says exactly what the writer writes.

use std::collections::BTreeSet;

use heaptide_format::Line;
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::Value;

use crate::{any, document, full, released};

const SCHEMA: &str = include_str!("../../../../docs/recording.schema.json");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("the schema is JSON")
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema()).expect("the schema is a schema")
}

fn errors(validator: &Validator, line: &[u8]) -> Vec<String> {
    let value: Value = serde_json::from_slice(line).expect("a line is JSON");
    validator.iter_errors(&value).map(|err| format!("{}: {err}", err.instance_path())).collect()
}

#[test]
fn it_is_a_valid_schema_of_its_draft() {
    jsonschema::draft202012::meta::validate(&schema()).expect("valid under the meta-schema");
}

#[test]
fn it_accepts_every_released_recording() {
    let validator = validator();
    for (name, bytes) in released::files() {
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let from_the_future = line.starts_with(b"{\"kind\":\"later\"");
            assert_eq!(errors(&validator, line).is_empty(), !from_the_future, "{name}");
        }
    }
}

#[test]
fn it_accepts_whatever_the_writer_writes() {
    let validator = validator();
    let config = ProptestConfig::with_cases(512);
    proptest!(config, |(line in any::line())| {
        let mut bytes = Vec::new();
        line.write_to(&mut bytes);
        prop_assert_eq!(errors(&validator, &bytes), Vec::<String>::new());
    });
}

#[test]
fn it_refuses_what_the_reader_refuses() {
    let validator = validator();
    let refused = [
        r#"{"kind":"later"}"#,
        r#"{"kind":"site","id":1}"#,
        r#"{"kind":"site","id":-1,"frames":[]}"#,
        r#"{"kind":"site","id":1,"frames":["0+1a2b"]}"#,
        r#"{"kind":"module","id":4294967296}"#,
        r#"{"kind":"header","mode":"thorough"}"#,
    ];
    for line in refused {
        assert!(!errors(&validator, line.as_bytes()).is_empty(), "accepted {line}");
        assert!(Line::parse(line.as_bytes()).is_err(), "read {line}");
    }
}

#[test]
fn it_names_the_members_that_the_structs_have() {
    let schema = schema();
    for line in full::lines() {
        for (object, members) in document::objects(&line) {
            let listed = schema["$defs"][&object]["properties"].as_object();
            let listed: BTreeSet<_> =
                listed.into_iter().flatten().map(|(key, _)| key.clone()).collect();
            assert_eq!(listed, members, "members of `{object}` in the schema");
        }
    }
}
