//! JUnit XML: a suite per run, a case per finding and per judged part of the process; a clean run is
//! one case that passes.
//!
//! JUnit has no schema of its own. What is written is valid by the strictest that is in use, which
//! Jenkins' xUnit plugin refuses reports by (`junit-10.xsd`).

use std::io;

use heaptide_analyze::finding::{Finding, Gate, Ruling};
use heaptide_analyze::{Outcome, Report, RunReport};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use serde_json::Value;

use crate::escape::xml;
use crate::location::Location;
use crate::view::View;
use crate::{fields, phrase, process};

/// Writes the report.
pub fn write(report: &Report, view: &View) -> String {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    // Writing to a vector cannot fail.
    let _ = document(&mut writer, report, view);
    xml(&String::from_utf8_lossy(&writer.into_inner())) + "\n"
}

type Xml = Writer<Vec<u8>>;

fn document(xml: &mut Xml, report: &Report, view: &View) -> io::Result<()> {
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.create_element("testsuites").with_attribute(("name", "heaptide")).write_inner_content(
        |xml| {
            report.runs.iter().try_for_each(|run| suite(xml, run, view))?;
            overall(xml, report)
        },
    )?;
    Ok(())
}

fn suite(xml: &mut Xml, run: &RunReport, view: &View) -> io::Result<()> {
    let name = format!("{} (pid {})", phrase::program(run), run.pid);
    let count = |gate| {
        let findings = run.findings.iter().filter(|finding| finding.ruling.gate == gate).count();
        findings + process::ruled(run).filter(|(_, ruling)| ruling.gate == gate).count()
    };
    let n_cases = run.findings.len() + process::judged(run).count();
    let seconds = format!("{:.3}", run.elapsed_ns as f64 / 1e9);
    xml.create_element("testsuite")
        .with_attribute(("name", name.as_str()))
        .with_attribute(("tests", n_cases.to_string().as_str()))
        .with_attribute(("failures", count(Gate::Fail).to_string().as_str()))
        .with_attribute(("errors", "0"))
        .with_attribute(("skipped", count(Gate::Undecided).to_string().as_str()))
        .with_attribute(("time", seconds.as_str()))
        .write_inner_content(|xml| {
            run.findings.iter().try_for_each(|finding| case(xml, run, finding, view))?;
            process::judged(run).try_for_each(|part| part_case(xml, &part))
        })?;
    Ok(())
}

fn case(xml: &mut Xml, run: &RunReport, finding: &Finding, view: &View) -> io::Result<()> {
    let location = Location::of(run, finding, view);
    let place = match location.line {
        Some(line) => format!("{}:{line}", location.path),
        None => location.path.to_owned(),
    };
    let element = xml
        .create_element("testcase")
        .with_attribute(("classname", finding.blamed.function.as_str()))
        .with_attribute(("name", finding.id.as_str()));
    let growth = phrase::growth(&finding.rate);
    element.write_inner_content(|xml| {
        result(xml, &finding.ruling, &growth, finding.class.word(), Some(&place))?;
        known(xml, fields::of(finding, view))
    })?;
    Ok(())
}

/// A part of the process that is judged: one that does not grow is a case that passes.
fn part_case(xml: &mut Xml, part: &process::Judged<'_>) -> io::Result<()> {
    let element = xml
        .create_element("testcase")
        .with_attribute(("classname", "process"))
        .with_attribute(("name", part.name));
    element.write_inner_content(|xml| {
        if let Some(ruling) = part.ruling {
            result(xml, ruling, &part.growth(), part.class.word(), None)?;
        }
        known(xml, part.fields())
    })?;
    Ok(())
}

/// What came of a case. What is let pass has no element of its own: its case passes.
fn result(
    xml: &mut Xml,
    ruling: &Ruling,
    growth: &str,
    class: &str,
    place: Option<&str>,
) -> io::Result<()> {
    let tag = match ruling.gate {
        Gate::Fail => "failure",
        Gate::Undecided => "skipped",
        Gate::Warn | Gate::Pass => return Ok(()),
    };
    let place = place.map(|place| format!("\nat {place}")).unwrap_or_default();
    let mut element = xml.create_element(tag).with_attribute(("message", growth));
    if tag == "failure" {
        element = element.with_attribute(("type", class));
    }
    element.write_text_content(BytesText::new(&format!("{}{place}", ruling.because)))?;
    Ok(())
}

/// All that is known of a case, as its output: a case has no properties in the schema that Jenkins
/// holds reports to, and other readers show its output too.
fn known(xml: &mut Xml, fields: Vec<(&'static str, Value)>) -> io::Result<()> {
    let line = |(name, value): (&str, Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{name}: {value}")
    };
    let lines: Vec<String> = fields.into_iter().map(line).collect();
    xml.create_element("system-out").write_text_content(BytesText::new(&lines.join("\n")))?;
    Ok(())
}

/// What belongs to no finding: a suite of one case that tells the outcome.
fn overall(xml: &mut Xml, report: &Report) -> io::Result<()> {
    let (tag, notes) = match report.outcome {
        Outcome::Error => (Some("error"), &report.errors),
        Outcome::Inconclusive => (Some("skipped"), &report.undecided),
        Outcome::Clean | Outcome::Passes | Outcome::Growth => (None, &report.warnings),
    };
    let message = phrase::conclusion(report);
    let count = |wanted: &str| u8::from(tag == Some(wanted)).to_string();
    xml.create_element("testsuite")
        .with_attribute(("name", "verdict"))
        .with_attribute(("tests", "1"))
        .with_attribute(("failures", "0"))
        .with_attribute(("errors", count("error").as_str()))
        .with_attribute(("skipped", count("skipped").as_str()))
        .write_inner_content(|xml| {
            let case = xml
                .create_element("testcase")
                .with_attribute(("classname", "heaptide"))
                .with_attribute(("name", phrase::outcome(report.outcome)));
            case.write_inner_content(|xml| {
                let text = notes.join("\n");
                let element = xml.create_element(tag.unwrap_or("system-out"));
                let element = match tag {
                    Some(_) => element.with_attribute(("message", message.as_str())),
                    None => element,
                };
                element.write_text_content(BytesText::new(&text))?;
                Ok(())
            })?;
            Ok(())
        })?;
    Ok(())
}
