//! JUnit XML: a suite per run, a case per finding and per judged part of the process; a clean run is
//! one case that passes.

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
        .with_attribute(("skipped", count(Gate::Undecided).to_string().as_str()))
        .with_attribute(("time", seconds.as_str()))
        .write_inner_content(|xml| {
            run.findings.iter().try_for_each(|finding| case(xml, run, finding, view))?;
            process::judged(run).try_for_each(|part| part_case(xml, &part))
        })?;
    Ok(())
}

fn case(xml: &mut Xml, run: &RunReport, finding: &Finding, view: &View) -> io::Result<()> {
    let mut element = xml
        .create_element("testcase")
        .with_attribute(("classname", finding.blamed.function.as_str()))
        .with_attribute(("name", finding.id.as_str()));
    let location = Location::of(run, finding, view);
    element = element.with_attribute(("file", location.path));
    if let Some(line) = location.line {
        element = element.with_attribute(("line", line.to_string().as_str()));
    }
    let ruling = Some(&finding.ruling);
    let growth = phrase::growth(&finding.rate);
    element.write_inner_content(|xml| {
        properties(xml, fields::of(finding, view))?;
        result(xml, ruling, &growth, finding.class.word())
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
        properties(xml, part.fields())?;
        result(xml, part.ruling, &part.growth(), part.class.word())
    })?;
    Ok(())
}

/// What came of a case: nothing of what was not ruled on, for it passes.
fn result(xml: &mut Xml, ruling: Option<&Ruling>, growth: &str, class: &str) -> io::Result<()> {
    let Some(ruling) = ruling else { return Ok(()) };
    let tag = match ruling.gate {
        Gate::Fail => "failure",
        Gate::Undecided => "skipped",
        Gate::Warn | Gate::Pass => "system-out",
    };
    let mut element = xml.create_element(tag);
    if tag != "system-out" {
        element = element.with_attribute(("message", growth));
    }
    if tag == "failure" {
        element = element.with_attribute(("type", class));
    }
    element.write_text_content(BytesText::new(&ruling.because))?;
    Ok(())
}

fn properties(xml: &mut Xml, fields: Vec<(&'static str, Value)>) -> io::Result<()> {
    xml.create_element("properties").write_inner_content(|xml| {
        fields.into_iter().try_for_each(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let property = xml.create_element("property").with_attribute(("name", name));
            property.with_attribute(("value", value.as_str())).write_empty().map(|_| ())
        })
    })?;
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
