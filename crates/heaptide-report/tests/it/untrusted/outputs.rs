//! Every output, and its shape as a parser sees it that others wrote.

use std::collections::BTreeSet;

use heaptide_analyze::Outcome;
use heaptide_report::html::{self, Sources};
use heaptide_report::table::{self, Order};
use heaptide_report::{View, github, gitlab, human, json, junit, markdown, sarif, tap};
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
        write: |it, view| html::write(&it.report, &[], view, &Sources::default()),
        shape: page_shape,
    },
    Output { name: "dump", write: |it, _| json::dump(&it.dump), shape: json_shape },
    Output { name: "GitLab", write: |it, view| gitlab::write(&it.report, view), shape: json_shape },
    Output { name: "JSON", write: |it, _| json::write(&it.report), shape: json_shape },
    Output { name: "SARIF", write: |it, view| sarif::write(&it.report, view), shape: json_shape },
];

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
            "JSON" | "SARIF" => page.replace("\\\"", "\""),
            "TAP" => page.replace("\\#", "#"),
            "GitHub" => page.replace("%3A", ":").replace("%2C", ","),
            _ => page,
        };
        self.each(sample).map(text).collect()
    }

    fn each(&self, sample: &Sample) -> impl Iterator<Item = String> {
        // Programs get the same whatever the outcome.
        let n_views = if matches!(self.name, "JSON" | "SARIF" | "page") { 1 } else { VIEWS.len() };
        VIEWS[..n_views].iter().map(|&(outcome, width)| {
            let report = heaptide_analyze::Report { outcome, ..sample.report.clone() };
            let (dump, diff) = (sample.dump.clone(), sample.diff.clone());
            let view = View { width, root: "/build/shop".into(), ..View::default() };
            (self.write)(&Sample { report, dump, diff }, &view)
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
    fn add(value: &Value, shape: &mut String) {
        match value {
            // SARIF says of a path whether it is relative.
            Value::Object(members) => {
                members.iter().filter(|(key, _)| *key != "uriBaseId").for_each(|(key, value)| {
                    // Work is counted by name.
                    *shape += if key.len() > 30 || shape.ends_with("work{") { "NAME" } else { key };
                    *shape += "{";
                    add(value, shape);
                    *shape += "}";
                })
            }
            Value::Array(values) => values.iter().for_each(|value| {
                *shape += "[";
                add(value, shape);
                *shape += "]";
            }),
            Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
        }
    }
    no_commands(text)?;
    let value = serde_json::from_str(text).map_err(|err| format!("{err} in {text}"))?;
    let mut shape = String::new();
    add(&value, &mut shape);
    Ok(shape)
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
