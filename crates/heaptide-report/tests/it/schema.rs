//! `docs/report.schema.json` says exactly what `--format json` writes.

use heaptide_analyze::Report;
use heaptide_analyze::baseline::BaselineMatch;
use heaptide_analyze::policy::PolicyUse;
use heaptide_report::json;
use serde_json::Value;

use crate::sample;

const SCHEMA: &str = include_str!("../../../../docs/report.schema.json");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("the schema is JSON")
}

fn errors(document: &Value) -> Vec<String> {
    let validator = jsonschema::draft202012::new(&schema()).expect("the schema is a schema");
    validator.iter_errors(document).map(|err| format!("{}: {err}", err.instance_path())).collect()
}

fn written(report: &Report) -> Value {
    serde_json::from_str(&json::write(report)).expect("the report is JSON")
}

#[test]
fn it_is_a_valid_schema_of_its_draft() {
    jsonschema::draft202012::meta::validate(&schema()).expect("valid under the meta-schema");
}

#[test]
fn it_accepts_every_report() {
    let used = vec![("shop::*".to_owned(), 2)];
    let policy = PolicyUse { used, expired: vec!["shop::*".into()], ..PolicyUse::default() };
    let ruled = Report { policy, baseline: Some(BaselineMatch::default()), ..sample::growth() };
    for report in [
        sample::growth(),
        sample::clean(),
        sample::too_short(),
        sample::compared(),
        sample::outside(),
        ruled,
    ] {
        assert_eq!(errors(&written(&report)), Vec::<String>::new());
    }
}

#[test]
fn it_refuses_what_is_never_written() {
    let report = written(&sample::growth());
    for (place, value) in [
        ("/exit_code", Value::from(4)),
        ("/runs/0/findings/0/class", Value::from("stable")),
        ("/runs/0/findings/0/rate", Value::Null),
        ("/runs/0/findings/0/sites", Value::Array(Vec::new())),
        ("/runs/0/pid", Value::from(-1)),
        ("/runs/0/process/rss_bytes", Value::Null),
        ("/policy", serde_json::json!({ "unknown": 1 })),
    ] {
        let mut wrong = report.clone();
        *wrong.pointer_mut(place).expect("the place exists") = value;
        assert!(!errors(&wrong).is_empty(), "{place}");
    }
}
