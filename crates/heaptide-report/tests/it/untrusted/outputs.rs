//! Every output, and its shape as a parser sees it that others wrote.

use std::collections::BTreeSet;

use heaptide_analyze::view::RunView;
use heaptide_analyze::{Outcome, RunReport};
use heaptide_report::html::{self, Sources};
use heaptide_report::table::{self, Order};
use heaptide_report::{
    View, alert, github, gitlab, human, json, junit, markdown, prometheus, sarif, tap,
};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde_json::Value;

use super::fields::Sample;

pub(super) struct Output {
    pub(super) name: &'static str,
    write: fn(&Sample, &View) -> String,
    shape: fn(&str) -> Result<String, String>,
}

pub(super) const OUTPUTS: &[Output] = &[
    Output { name: "human", write: |it, view| human::write(&it.report, view), shape: terminal },
    Output {
        name: "show",
        write: |it, view| table::show(&it.dump, Order::Size, 20, view),
        shape: terminal,
    },
    Output { name: "diff", write: |it, view| table::diff(&it.diff, 20, view), shape: terminal },
    Output {
        name: "Markdown",
        write: |it, view| markdown::write(&it.report, view),
        shape: markdown_shape,
    },
    Output { name: "JUnit", write: |it, view| junit::write(&it.report, view), shape: xml_shape },
    Output { name: "TAP", write: |it, view| tap::write(&it.report, view), shape: tap_shape },
    Output { name: "GitHub", write: |it, view| github::write(&it.report, view), shape: commands },
    Output {
        name: "page",
        write: |it, view| html::write(&it.report, &it.runs, view, &Sources::default()),
        shape: page_shape,
    },
    Output { name: "dump", write: |it, _| json::dump(&it.dump), shape: json_shape },
    Output { name: "GitLab", write: |it, view| gitlab::write(&it.report, view), shape: json_shape },
    Output { name: "JSON", write: |it, _| json::write(&it.report), shape: json_shape },
    Output { name: "SARIF", write: |it, view| sarif::write(&it.report, view), shape: json_shape },
    Output { name: "alert", write: alerts, shape: alert_shape },
    Output { name: "metrics", write: metrics, shape: metrics_shape },
];

/// The messages of all findings, one after another.
fn alerts(sample: &Sample, view: &View) -> String {
    let runs = sample.report.runs.iter().zip(&sample.runs);
    let of_run = |(run, over_time): (&RunReport, &RunView)| -> String {
        let from = (&over_time.timeline.header.host[..], "5d41");
        run.findings.iter().map(|finding| alert::write(run, finding, from, view)).collect()
    };
    runs.map(of_run).collect()
}

fn metrics(sample: &Sample, view: &View) -> String {
    let runs = sample.report.runs.iter().zip(&sample.runs);
    let process = |(judged, run)| prometheus::Process {
        recording: "5d41",
        outcome: sample.report.outcome,
        judged,
        run,
    };
    prometheus::write(&runs.map(process).collect::<Vec<_>>(), view)
}

/// The conclusion has other words for each outcome, and other fields in it.
const VIEWS: [(Outcome, usize); 3] =
    [(Outcome::Growth, 60), (Outcome::Error, 400), (Outcome::Inconclusive, 100)];

impl Output {
    /// The shape for each outcome, narrow and wide.
    pub(super) fn shape(&self, sample: &Sample) -> Result<String, String> {
        let shapes = self.each(sample).map(|text| {
            let hidden = text.chars().find(|c| c.is_control() && *c != '\n' || is_invisible(*c));
            match hidden {
                Some(hidden) => Err(format!("{hidden:?} in {text}")),
                None => (self.shape)(&text),
            }
        });
        shapes.collect::<Result<BTreeSet<_>, _>>().map(|shapes| Vec::from_iter(shapes).join("\n"))
    }

    /// All text in it, as far as a person sees it.
    pub(super) fn seen(&self, sample: &Sample) -> String {
        let text = |page: String| match self.name {
            "Markdown" => text_of_markdown(&page),
            "JUnit" => {
                let document = roxmltree::Document::parse(&page).expect("XML");
                let attributes = document.descendants().flat_map(|node| node.attributes());
                attributes.map(|attribute| attribute.value().to_owned() + "\n").collect()
            }
            "page" => {
                let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'")];
                let page = entities.iter().fold(page, |page, (from, to)| page.replace(from, to));
                page.replace("&amp;", "&")
            }
            "JSON" | "SARIF" | "alert" => page.replace("\\\"", "\""),
            "TAP" => page.replace("\\#", "#"),
            "GitHub" => page.replace("%3A", ":").replace("%2C", ","),
            _ => page,
        };
        self.each(sample).map(text).collect()
    }

    fn each(&self, sample: &Sample) -> impl Iterator<Item = String> {
        // Programs get the same whatever the outcome.
        let for_programs = matches!(self.name, "JSON" | "SARIF" | "page" | "alert");
        let n_views = if for_programs { 1 } else { VIEWS.len() };
        VIEWS[..n_views].iter().map(|&(outcome, width)| {
            let report = heaptide_analyze::Report { outcome, ..sample.report.clone() };
            let (dump, diff) = (sample.dump.clone(), sample.diff.clone());
            let runs = sample.runs.clone();
            let view = View { width, root: "/build/shop".into(), ..View::default() };
            (self.write)(&Sample { report, dump, diff, runs }, &view)
        })
    }
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        | '\u{feff}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

/// What a terminal would do besides printing.
fn terminal(text: &str) -> Result<String, String> {
    #[derive(Default)]
    struct Actions(Vec<String>);
    impl anstyle_parse::Perform for Actions {
        fn execute(&mut self, byte: u8) {
            if byte != b'\n' {
                self.0.push(format!("control {byte}"));
            }
        }
        fn hook(&mut self, _: &anstyle_parse::Params, _: &[u8], _: bool, _: u8) {
            self.0.push("DCS".to_owned());
        }
        fn osc_dispatch(&mut self, _: &[&[u8]], _: bool) {
            self.0.push("OSC".to_owned());
        }
        fn csi_dispatch(&mut self, _: &anstyle_parse::Params, _: &[u8], _: bool, _: u8) {
            self.0.push("CSI".to_owned());
        }
        fn esc_dispatch(&mut self, _: &[u8], _: bool, _: u8) {
            self.0.push("ESC".to_owned());
        }
    }
    let mut actions = Actions::default();
    let mut parser = anstyle_parse::Parser::<anstyle_parse::Utf8Parser>::new();
    text.bytes().for_each(|byte| parser.advance(&mut actions, byte));
    no_commands(text)?;
    match actions.0.is_empty() {
        true => Ok(String::new()),
        false => Err(format!("{:?} in {text}", actions.0)),
    }
}

/// Headings, tables, lists, code, links, and the HTML between them; not how much text is in them.
fn markdown_shape(text: &str) -> Result<String, String> {
    no_commands(text)?;
    let mut shape = Vec::new();
    let (mut plain, mut is_code) = (String::new(), false);
    for event in Parser::new_ext(text, Options::all()) {
        match event {
            Event::Start(tag @ (Tag::Link { .. } | Tag::Image { .. })) => {
                return Err(format!("{tag:?} in {text}"));
            }
            Event::Start(tag) => {
                is_code |= matches!(tag, Tag::CodeBlock(_));
                shape.push(format!("{tag:?}"));
            }
            Event::End(tag) => {
                is_code &= !matches!(tag, TagEnd::CodeBlock);
                plain.push('\n');
            }
            // Nothing that GitHub looks for goes on behind it.
            Event::InlineHtml(html) if &*html == "<!-- -->" => plain.push('\u{0}'),
            Event::Html(html) | Event::InlineHtml(html) => shape.push(tags_of(&html)),
            Event::Text(text) if !is_code => plain += &text,
            Event::Text(_) | Event::Code(_) => {}
            other => shape.push(format!("{other:?}")),
        }
    }
    let addresses = ["@e", "@o", "://", "www.e", "#1", "GH-2", "#3"];
    match addresses.iter().find(|it| plain.contains(**it)) {
        Some(found) => Err(format!("{found} in {plain}")),
        None => Ok(shape.join(" ")),
    }
}

/// The markup of a piece of HTML, without the text between.
fn tags_of(html: &str) -> String {
    let tags = html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or(rest));
    tags.collect::<Vec<_>>().join(",")
}

/// The tags, scripts between them included: the page's own are the same, and a new one would be a tag.
fn page_shape(text: &str) -> Result<String, String> {
    no_commands(text)?;
    Ok(tags_of(text))
}

fn text_of_markdown(text: &str) -> String {
    let text = Parser::new_ext(text, Options::all()).filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.into_string()),
        Event::End(_) => Some("\n".to_owned()),
        _ => None,
    });
    text.collect()
}

fn xml_shape(text: &str) -> Result<String, String> {
    no_commands(text)?;
    let document = roxmltree::Document::parse(text).map_err(|err| format!("{err} in {text}"))?;
    let nodes = document.descendants().filter(|node| !node.is_text()).map(|node| {
        let attributes: Vec<_> = node.attributes().map(|attribute| attribute.name()).collect();
        format!("{:?} {} {attributes:?}", node.node_type(), node.tag_name().name())
    });
    Ok(nodes.collect::<Vec<_>>().join("\n"))
}

fn json_shape(text: &str) -> Result<String, String> {
    no_commands(text)?;
    let value = serde_json::from_str(text).map_err(|err| format!("{err} in {text}"))?;
    let mut shape = String::new();
    add_members(&value, &mut shape);
    Ok(shape)
}

fn add_members(value: &Value, shape: &mut String) {
    match value {
        Value::Object(members) => {
            // SARIF says of a path whether it is relative.
            members.iter().filter(|(key, _)| *key != "uriBaseId").for_each(|(key, value)| {
                // Work is counted by name.
                *shape += if key.len() > 30 || shape.ends_with("work{") { "NAME" } else { key };
                *shape += "{";
                add_members(value, shape);
                *shape += "}";
            });
        }
        Value::Array(values) => values.iter().for_each(|value| {
            *shape += "[";
            add_members(value, shape);
            *shape += "]";
        }),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

/// The members of messages. Their text is shown by chat services, handed to commands, and printed.
fn alert_shape(text: &str) -> Result<String, String> {
    no_commands(text)?;
    let mut shape = String::new();
    for message in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let message = message.map_err(|err| format!("{err} in {text}"))?;
        let said = message["text"].as_str().unwrap_or_default();
        terminal(said)?;
        chat(said)?;
        add_members(&message, &mut shape);
    }
    Ok(shape)
}

/// A paragraph, parts of which may be bold or slanted: to services that take it for Markdown, and to those
/// that write what is more than words as `<…>`.
fn chat(text: &str) -> Result<(), String> {
    for event in Parser::new_ext(text, Options::all()) {
        match event {
            Event::Start(Tag::Paragraph | Tag::Emphasis | Tag::Strong | Tag::Strikethrough)
            | Event::Start(Tag::Superscript | Tag::Subscript)
            | Event::End(_)
            | Event::Text(_)
            | Event::Code(_)
            | Event::InlineMath(_) => {}
            other => return Err(format!("{other:?} in {text}")),
        }
    }
    match ["<", ">", "@", "://", "www.e"].iter().find(|it| text.contains(**it)) {
        Some(found) => Err(format!("{found} in {text}")),
        None => Ok(()),
    }
}

/// The names of samples and of their labels, by the grammar of Prometheus's text format.
fn metrics_shape(text: &str) -> Result<String, String> {
    terminal(text)?;
    let line = |line: &str| match line.strip_prefix("# ") {
        Some(comment) => Ok(comment.to_owned()),
        None => sample_shape(line).ok_or_else(|| format!("no sample: {line}")),
    };
    let shapes: Result<BTreeSet<String>, String> = text.lines().map(line).collect();
    shapes.map(|shapes| Vec::from_iter(shapes).join("\n"))
}

/// `name{label="value",…} number`; in a value, backslash, quote and line feed are escaped.
fn sample_shape(line: &str) -> Option<String> {
    let (mut shape, mut rest) = line.split_once('{').map(|(name, rest)| (name.to_owned(), rest))?;
    loop {
        let (label, value) = rest.split_once("=\"")?;
        let is_name = label.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        is_name.then_some(())?;
        shape += &format!(" {label}");
        let mut after = value.chars();
        loop {
            match after.next()? {
                '\\' => matches!(after.next()?, '\\' | '"' | 'n').then_some(())?,
                '"' => break,
                _ => {}
            }
        }
        rest = match after.as_str().strip_prefix(',') {
            Some(more) => more,
            None => {
                after.as_str().strip_prefix("} ")?.parse::<f64>().ok()?;
                return Some(shape);
            }
        };
    }
}

/// Test points with their results and directives, and the names of their diagnostics.
fn tap_shape(text: &str) -> Result<String, String> {
    no_commands(text)?;
    let line = |line: &str| {
        let directive = line.replace("\\#", "").split_once('#').map(|(_, rest)| rest.to_owned());
        let point = line.split_once(" - ").filter(|(point, _)| !point.starts_with(' '));
        let diagnostic = line.strip_prefix("  ").and_then(|line| {
            let (name, value) = line.split_once(": ")?;
            serde_json::from_str::<Value>(value).ok()?;
            Some(name.to_owned())
        });
        match (point, diagnostic) {
            (Some((point, _)), _) => format!("{point} {directive:?}"),
            (None, Some(name)) => name,
            (None, None) => line.to_owned(),
        }
    };
    Ok(text.lines().map(line).collect::<Vec<_>>().join("\n"))
}

/// Commands and the names of their properties; every line is one.
fn commands(text: &str) -> Result<String, String> {
    let shapes = text.lines().map(|line| {
        let (name, properties) = command(line).ok_or_else(|| format!("no command: {line}"))?;
        let names = properties.split(',').map(|it| it.split('=').next().unwrap_or(it));
        Ok(format!("{name} {:?}", names.collect::<Vec<_>>()))
    });
    shapes.collect::<Result<Vec<_>, String>>().map(|shapes| shapes.join("\n"))
}

fn no_commands(text: &str) -> Result<(), String> {
    match text.lines().find(|line| command(line).is_some()) {
        Some(line) => Err(format!("a command: {line}")),
        None => Ok(()),
    }
}

/// The name and the properties of the command that GitHub's runner would find in a line of a log
/// (`ActionCommand.cs`): `::NAME PROPERTIES::` behind white space, or `##[NAME PROPERTIES]` anywhere.
fn command(line: &str) -> Option<(&str, &str)> {
    let new = line.trim_start().strip_prefix("::").and_then(|rest| Some(&rest[..rest.find("::")?]));
    let old = || {
        let rest = &line[line.find("##[")? + 3..];
        Some(&rest[..rest.find(']')?])
    };
    let inside = new.or_else(old)?;
    let (name, properties) = inside.split_once(' ').unwrap_or((inside, ""));
    (!name.is_empty()).then_some((name, properties))
}
