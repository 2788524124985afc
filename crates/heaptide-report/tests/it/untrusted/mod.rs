//! Nothing gets in by a name: every payload in every field of every output, read by parsers that others
//! wrote. `UPDATE=1` writes the table of `docs/UNTRUSTED.md` anew.
//!
//! An output has a shape: its elements, keys, headings, commands, escape sequences. A payload got in if
//! the shape is another one than with a harmless name in the same field.

mod fields;
mod generated;
mod outputs;
mod payloads;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::golden;
use fields::FIELDS;
use outputs::OUTPUTS;
use payloads::PAYLOADS;

/// What stands in a field when nobody means harm.
const HARMLESS: &str = "shop::Cart<T>::add::{closure#0}";

#[test]
fn nothing_gets_in() {
    let mut wrong = Vec::new();
    let mut table = String::from(HEAD);
    let names: Vec<&str> = OUTPUTS.iter().map(|output| output.name).collect();
    let _ = writeln!(table, "| payload | {} |", names.join(" | "));
    let _ = writeln!(table, "|---|{}", "--:|".repeat(names.len()));
    let shapes = |output: &outputs::Output| -> Vec<Result<String, String>> {
        FIELDS.iter().map(|field| output.shape(&field.sample(HARMLESS))).collect()
    };
    let harmless: Vec<_> = OUTPUTS.iter().map(shapes).collect();
    for (what, payload) in PAYLOADS {
        let mut cells = Vec::new();
        for (output, shapes) in OUTPUTS.iter().zip(&harmless) {
            let mut n_held = 0;
            for (field, shape) in FIELDS.iter().zip(shapes) {
                let found = output.shape(&field.sample(payload));
                match found.is_ok() && found == *shape {
                    true => n_held += 1,
                    false => wrong
                        .push(format!("{what} in {} of {}: {found:?}", field.name, output.name)),
                }
            }
            cells.push(format!("{n_held}/{}", FIELDS.len()));
        }
        let _ = writeln!(table, "| {what} | {} |", cells.join(" | "));
    }
    let fields: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
    let _ = writeln!(table, "\nThe fields: {}.", fields.join(", "));
    assert!(
        wrong.is_empty(),
        "{} got in:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(12)].join("\n")
    );
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/UNTRUSTED.md");
    table += below(&fs::read_to_string(document).unwrap_or_default());
    golden::check("../../../../../docs/UNTRUSTED.md", &table);
}

/// What stands below the table is written by hand.
fn below(document: &str) -> &str {
    document.find("\n## ").map_or("", |at| &document[at..])
}

/// What the reader of a name sees is the name.
#[test]
fn names_stay_readable() {
    let names = ["<alloc::vec::Vec<T> as shop::Keep<&'a str>>::put", "shop::Größe::{closure#0}"];
    let blamed = FIELDS.iter().find(|field| field.name == "function").expect("a field");
    for name in names {
        for output in OUTPUTS {
            let seen = output.seen(&blamed.sample(name));
            assert!(seen.contains(name) || seen.contains(&shown(name)), "{}: {seen}", output.name);
        }
    }
}

/// Without generic arguments and closures, as sentences have it.
fn shown(name: &str) -> String {
    name.replace("::{closure#0}", "").replace("Vec<T>", "Vec").replace("Keep<&'a str>", "Keep")
}

const HEAD: &str = "\
# What gets in by a name

Nothing. Each row is a payload, each column an output, and a cell says in how many fields of a report the payload
was put and how often it did nothing there: the output has the same elements, keys, headings, links, commands and
escape sequences as with a harmless name. Who says so are parsers that were not written here: `anstyle-parse` for
terminals, `pulldown-cmark` for Markdown and chat services, `roxmltree` for JUnit, `serde_json` for dumps, GitLab, JSON,
SARIF and alerts (what `heaptide serve --on-finding` hands over); for workflow commands the grammar of GitHub's runner, which
reads every output in a log, and for metrics that of Prometheus's text format. The test that generates this table is
`crates/heaptide-report/tests/it/untrusted`; `heaptide top` and the list of the live page are tried with the same payloads
in `crates/heaptide-cli`. [SECURITY.md](SECURITY.md) says what is trusted at all.

";

/// What any output may take for more than text, in any order.
const PIECES: &[&str] = &[
    "a", "evil", " ", "\n", "\r", "\u{0}", "\u{1b}", "\u{9b}", "\u{202e}", "::", ":", "error",
    "##[", "]", "[", "(", ")", "!", "<", ">", "/", "<!--", "-->", "script", "`", "```", "~~~", "|",
    "#", "@e", "://", "www.e", "&", ";", "lt", "\"", "'", "\\", "-", "- ", "+ ", "1. ", "=", "---",
    "*", "_", "~", "$", "%0A", "%", ",", "{}", "]]>",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    /// What nobody thought of.
    #[test]
    fn nothing_gets_in_by_chance(
        field in 0..FIELDS.len(),
        output in 0..OUTPUTS.len(),
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 1..12),
    ) {
        let (field, output) = (&FIELDS[field], &OUTPUTS[output]);
        let text = pieces.concat();
        let harmless = output.shape(&field.sample(HARMLESS));
        let found = output.shape(&field.sample(&text));
        proptest::prop_assert!(found.is_ok(), "{text:?} in {} of {}: {found:?}", field.name, output.name);
        proptest::prop_assert_eq!(found, harmless, "{:?} in {} of {}", text, field.name, output.name);
    }
}
