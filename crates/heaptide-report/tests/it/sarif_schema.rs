//! The SARIF output against the official schema of SARIF 2.1.0.
//!
//! `tests/data/sarif-2.1.0.schema.json` is the schema that OASIS publishes with the standard, as the
//! crate `serde-sarif` 0.8.0 ships it.

use heaptide_analyze::Report;
use heaptide_report::{View, sarif};
use serde_json::Value;

use crate::{sample, view};

const SCHEMA: &str = include_str!("../data/sarif-2.1.0.schema.json");
/// The pattern of languages has a bracket that was never opened, which the validator refuses.
const MISPRINT: (&str, &str) = ("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}$");

fn errors(document: &Value) -> Vec<String> {
    let schema = SCHEMA.replace(MISPRINT.0, MISPRINT.1);
    let schema: Value = serde_json::from_str(&schema).expect("the schema is JSON");
    let validator = jsonschema::draft7::new(&schema).expect("the schema is a schema");
    validator.iter_errors(document).map(|err| format!("{}: {err}", err.instance_path())).collect()
}

fn written(report: &Report, view: &View) -> Value {
    serde_json::from_str(&sarif::write(report, view)).expect("the report is JSON")
}

#[test]
fn every_report_is_valid() {
    let failed = Report { errors: vec!["not of this program".into()], ..sample::growth() };
    for report in [
        sample::growth(),
        sample::clean(),
        sample::too_short(),
        sample::compared(),
        sample::let_pass(),
        sample::of_deep_stacks(3),
        failed,
    ] {
        for view in [view(), View::default()] {
            assert_eq!(errors(&written(&report, &view)), Vec::<String>::new());
        }
    }
}

#[test]
fn the_schema_refuses_what_is_none() {
    let report = written(&sample::growth(), &view());
    for (place, value) in [
        ("/version", Value::from("2.0.0")),
        ("/runs/0/results/0/level", Value::from("fatal")),
        ("/runs/0/results/0/locations/0/physicalLocation/region/startLine", Value::from(0)),
        ("/runs/0/tool/driver/name", Value::Null),
    ] {
        let mut wrong = report.clone();
        *wrong.pointer_mut(place).expect("the place exists") = value;
        assert!(!errors(&wrong).is_empty(), "{place}");
    }
}
