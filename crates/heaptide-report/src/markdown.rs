//! The report for a job summary or a pull request comment.

use heaptide_analyze::finding::{Finding, Gate};
use heaptide_analyze::identity::{Origin, SharedFrame};
use heaptide_analyze::verdict::Channel;
use heaptide_analyze::{CallTree, Outcome, Report, RunReport};

use crate::number::{bytes, objects, plural, significant};
use crate::view::View;
use crate::{call_tree, phrase, sentence, sparkline};

/// Columns of the sparkline in the table of findings: GitHub lays six columns side by side, and a
/// wider one would break the numbers beside it.
const SPARKLINE_COLUMNS: usize = 24;
/// GitHub refuses comments of more than 65,536 characters; people write something above the report.
const MOST_BYTES: usize = 60_000;
/// What tables and notes may take of it, so that there is room for evidence.
const MOST_SUMMARY_BYTES: usize = 30_000;
/// What errors, warnings and doubts may take of that: they come first, for they are few, unless
/// something is very wrong.
const MOST_NOTES_BYTES: usize = 10_000;
/// A name that is longer than this is cut in the first sentence; it stands whole in the evidence.
const MOST_SENTENCE_CHARS: usize = 2_000;
/// Kept for saying what did not fit.
const RESERVED_BYTES: usize = 500;

/// Writes the report. It fits a pull request comment: what does not is counted.
pub fn write(report: &Report, view: &View) -> String {
    let mut page = Page { text: String::new(), view, n_left_out: 0, n_trees_left_out: 0 };
    page.head(report);
    page.notes(report);
    page.comparison(report);
    let n_shown = report.runs.iter().take_while(|run| page.run(run)).count();
    let n_more = (report.runs.len() - n_shown) as u64;
    if n_more > 0 {
        page.text += &format!("And {}.\n\n", plural(n_more, "more run", "more runs"));
    }
    for run in &report.runs {
        page.evidence(run);
    }
    page.foot();
    page.text
}

struct Page<'a> {
    text: String,
    view: &'a View,
    /// Findings whose evidence did not fit.
    n_left_out: u64,
    /// Call trees that did not.
    n_trees_left_out: u64,
}

impl Page<'_> {
    fn head(&mut self, report: &Report) {
        let mark = match report.outcome {
            Outcome::Clean | Outcome::Passes => "✅",
            Outcome::Growth | Outcome::Error => "❌",
            Outcome::Inconclusive => "❔",
        };
        let (word, conclusion) = (phrase::outcome(report.outcome), phrase::conclusion(report));
        let conclusion = beginning_of(&conclusion, MOST_SENTENCE_CHARS);
        self.text += &format!("## {mark} heaptide: {word}\n\n{}\n\n", escaped(&conclusion));
    }

    /// Whether there was room for it.
    fn run(&mut self, run: &RunReport) -> bool {
        let mut head = format!("### {}\n\n", escaped(&phrase::run(run)));
        head += &format!("Call sites: {}.\n\n", escaped(&phrase::classes(run)));
        if let Some(leaking) = phrase::leaking(run) {
            head += &format!("{}.\n\n", escaped(&leaking));
        }
        if !self.add(&head, MOST_SUMMARY_BYTES) {
            return false;
        }
        if run.findings.is_empty() {
            return true;
        }
        self.text += "| finding | objects/op | bytes/op | per hour | alive by birth | result |\n\
                      |---|--:|--:|--:|---|---|\n";
        let rows = run.findings.iter().map(|finding| row(finding, self.view));
        let n_more = self.add_all(rows.collect(), MOST_SUMMARY_BYTES);
        if n_more > 0 {
            let more = plural(n_more, "more finding", "more findings");
            self.text += &format!("| {more} | | | | | |\n");
        }
        self.text.push('\n');
        true
    }

    fn comparison(&mut self, report: &Report) {
        let Some(comparison) = &report.comparison else { return };
        self.text += &format!("{}\n\n", phrase::comparison(comparison));
        let known = phrase::known(comparison).into_iter().map(|(word, function, growth)| {
            format!("- {word}: {} {}\n", code(function), escaped(&growth))
        });
        self.list(known.collect(), MOST_SUMMARY_BYTES);
        self.text.push('\n');
    }

    fn notes(&mut self, report: &Report) {
        let notes = [
            ("error", &report.errors),
            ("warning", &report.warnings),
            ("undecided", &report.undecided),
        ];
        let lines = notes.iter().flat_map(|(word, sentences)| {
            sentences.iter().map(move |text| format!("- **{word}**: {}\n", escaped(text)))
        });
        let lines: Vec<String> = lines.collect();
        if !lines.is_empty() {
            self.list(lines, MOST_NOTES_BYTES);
            self.text.push('\n');
        }
    }

    fn list(&mut self, lines: Vec<String>, most_bytes: usize) {
        let n_more = self.add_all(lines, most_bytes);
        if n_more > 0 {
            self.text += &format!("- and {n_more} more\n");
        }
    }

    /// Adds what there is room for; how many there is none for.
    fn add_all(&mut self, blocks: Vec<String>, most_bytes: usize) -> u64 {
        let n_blocks = blocks.len();
        let n_added = blocks.iter().take_while(|block| self.add(block, most_bytes)).count();
        (n_blocks - n_added) as u64
    }

    fn add(&mut self, block: &str, most_bytes: usize) -> bool {
        let fits = self.text.len() + block.len() + RESERVED_BYTES <= most_bytes;
        if fits {
            self.text += block;
        }
        fits
    }

    /// Where a run grows, and why to believe it: for findings that somebody has to act on.
    fn evidence(&mut self, run: &RunReport) {
        let tree = run.grows_under.as_ref().filter(|tree| !tree.calls.is_empty());
        if tree.is_some_and(|tree| !self.add(&call_tree(tree, self.view), MOST_BYTES)) {
            self.n_trees_left_out += 1;
        }
        for finding in run.findings.iter().filter(|finding| finding.ruling.gate != Gate::Pass) {
            if !self.add(&details(finding, self.view), MOST_BYTES) {
                self.n_left_out += 1;
            }
        }
    }

    fn foot(&mut self) {
        let evidence = (self.n_left_out, "the evidence of ", "finding", "findings");
        let trees = (self.n_trees_left_out, "", "call tree", "call trees");
        let left_out = [evidence, trees].into_iter().filter(|(n, ..)| *n > 0);
        let left_out: Vec<String> = left_out
            .map(|(n, of, one, several)| of.to_owned() + &plural(n, one, several))
            .collect();
        if !left_out.is_empty() {
            self.text += &format!(
                "Left out here: {}; `heaptide check --format json` has it all.\n",
                left_out.join(", ")
            );
        }
    }
}

fn call_tree(tree: &CallTree, view: &View) -> String {
    let lines = call_tree::lines(tree, view, usize::MAX).join("\n");
    format!("{}\n\n```text\n{lines}\n```\n\n", escaped(&call_tree::headline(tree)))
}

fn row(finding: &Finding, view: &View) -> String {
    let rate = &finding.rate;
    let bars = phrase::evidence_site(finding).verdict.evidence.cohorts.iter();
    let cohorts: Vec<u64> = bars.map(|bar| bar.objects).collect();
    let result = match phrase::is_let_pass(finding) {
        true => escaped(&phrase::ruling(finding)),
        false => phrase::gate(finding.ruling.gate).to_owned(),
    };
    format!(
        "| {}<br>{} | {} | {} | {} | {} | {result} |\n",
        code(&phrase::name(finding)),
        code(&view.place(&finding.blamed).unwrap_or_default()),
        significant(rate.objects_per_op),
        phrase::bytes_per_op(rate),
        phrase::bytes_per_hour(rate),
        code(&sparkline::draw(&cohorts, SPARKLINE_COLUMNS)),
    )
}

fn details(finding: &Finding, view: &View) -> String {
    let word = finding.class.word();
    let sure = phrase::confidence(finding.confidence);
    let name = html(&phrase::name(finding));
    let mut text = format!("<details><summary>{word}, {sure}: <code>{name}</code></summary>\n\n");
    let mut item = |sentence: &str| text += &format!("- {}\n", escaped(sentence));
    item(&format!("site {}", finding.id));
    let evidence = &phrase::evidence_site(finding).verdict.evidence;
    let about = [
        phrase::may_be_harmless(finding),
        phrase::change(finding),
        phrase::counted_per(finding),
        phrase::needs(finding),
    ];
    about.iter().flatten().for_each(|sentence| item(sentence));
    phrase::excluded(finding).iter().for_each(|sentence| item(sentence));
    for condition in evidence.would_change.iter().filter_map(sentence::condition) {
        item(&format!("would look different if {condition}"));
    }
    item(&phrase::ruling(finding));
    let stack = stack(finding, view).join("\n");
    text += &format!("\n```text\n{stack}\n```\n\n{}</details>\n\n", allow_entry(finding));
    text
}

/// The frames that say something: the user's, the dependency's that allocates, and who called it.
/// What stands between them is counted.
fn stack(finding: &Finding, view: &View) -> Vec<String> {
    let subject = &finding.lead().subject;
    let callers = phrase::callers(finding);
    let says = |frame: &SharedFrame| {
        matches!(frame.origin, Origin::Workspace | Origin::Unknown)
            || *frame == subject.blamed
            || Some(frame) == subject.via.as_ref()
            || callers.contains(&frame)
    };
    let mut lines = Vec::new();
    for frames in subject.stack.chunk_by(|a, b| says(a) == says(b)) {
        match frames {
            [first, rest @ ..] if !says(first) => {
                let name = first.package().unwrap_or_else(|| first.module.clone());
                lines.push(match rest.len() {
                    0 => format!("  (1 frame of {name})"),
                    more => format!("  ({} frames, the first of {name})", more + 1),
                });
            }
            frames => lines.extend(frames.iter().map(|frame| {
                let place = view.place(frame).map(|place| format!("  {place}"));
                format!("{}{}", frame.plain(), place.unwrap_or_default())
            })),
        }
    }
    lines
}

/// What to paste into the policy if this growth is meant to be.
fn allow_entry(finding: &Finding) -> String {
    let site = toml_string(&finding.lead().subject.path);
    let verdict = &finding.lead().verdict;
    let most = match verdict.channel {
        Channel::Objects => objects(verdict.evidence.live_objects.saturating_mul(2)),
        // However large it grows, a container is one object.
        Channel::Container => bytes(verdict.evidence.live_bytes.saturating_mul(2)),
    };
    let most = most.replace(',', "");
    format!(
        "If this is meant to be, say so in `heaptide.toml`:\n\n\
         ```toml\n[[allow]]\nsite = {site}\nlimit = \"{most}\"\n\
         reason = \"WHY\"\nexpires = \"YYYY-MM-DD\"\n```\n\n"
    )
}

/// A JSON string is a TOML string.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The beginning of a text.
fn beginning_of(text: &str, most_chars: usize) -> String {
    match text.char_indices().nth(most_chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Text in which nothing is taken for markup, on one line.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars().map(|it| if it.is_control() { ' ' } else { it }) {
        if matches!(character, '<' | '>' | '*' | '_' | '`' | '|' | '[' | ']' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Text inside an HTML element, where Markdown has no say.
fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Text as code, also inside a table.
fn code(text: &str) -> String {
    match text.is_empty() {
        true => String::new(),
        false => {
            let text = text.replace(char::is_control, " ");
            format!("`{}`", text.replace('|', "\\|").replace('`', "'"))
        }
    }
}
