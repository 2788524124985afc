//! The report for a job summary or a pull request comment.

use heaptide_analyze::finding::{Finding, Gate};
use heaptide_analyze::identity::{Origin, SharedFrame};
use heaptide_analyze::verdict::Channel;
use heaptide_analyze::{CallTree, Outcome, Report, RunReport};

use crate::escape::Escaped;
use crate::number::{bytes, objects, plural, significant};
use crate::view::View;
use crate::{call_tree, escape, phrase, process, sentence, sparkline};

type Markdown = Escaped<escape::Markdown>;

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
    let mut page = Page { text: Markdown::new(), view, n_left_out: 0, n_trees_left_out: 0 };
    page.head(report);
    page.notes(report);
    page.comparison(report);
    let n_shown = report.runs.iter().take_while(|run| page.run(run)).count();
    let n_more = (report.runs.len() - n_shown) as u64;
    if n_more > 0 {
        let more = Markdown::text(&plural(n_more, "more run", "more runs"));
        page.text.push(&Markdown::fill("And {}.\n\n", [more]));
    }
    for run in &report.runs {
        page.evidence(run);
    }
    page.foot();
    page.text.into()
}

struct Page<'a> {
    text: Markdown,
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
        let parts = [Markdown::markup(mark), Markdown::markup(word), Markdown::text(&conclusion)];
        self.text.push(&Markdown::fill("## {} heaptide: {}\n\n{}\n\n", parts));
    }

    /// Whether there was room for it.
    fn run(&mut self, run: &RunReport) -> bool {
        let about = [phrase::run(run), phrase::classes(run)].map(|text| Markdown::text(&text));
        let mut head = Markdown::fill("### {}\n\nCall sites: {}.\n\n", about);
        let about = [process::bars(run), process::retained(run), phrase::leaking(run)];
        for text in about.iter().flatten() {
            head.push(&Markdown::fill("{}.\n\n", [Markdown::text(text)]));
        }
        head.push(&parts(run));
        if !self.add(&head, MOST_SUMMARY_BYTES) {
            return false;
        }
        if run.findings.is_empty() {
            return true;
        }
        self.text.push_markup(
            "| finding | objects/op | bytes/op | per hour | alive by birth | result |\n\
             |---|--:|--:|--:|---|---|\n",
        );
        let rows = run.findings.iter().map(|finding| row(finding, self.view));
        let n_more = self.add_all(rows.collect(), MOST_SUMMARY_BYTES);
        if n_more > 0 {
            let more = Markdown::text(&plural(n_more, "more finding", "more findings"));
            self.text.push(&Markdown::fill("| {} | | | | | |\n", [more]));
        }
        self.text.push_markup("\n");
        true
    }

    fn comparison(&mut self, report: &Report) {
        let Some(comparison) = &report.comparison else { return };
        let summary = Markdown::text(&phrase::comparison(comparison));
        self.text.push(&Markdown::fill("{}\n\n", [summary]));
        let known = phrase::known(comparison).into_iter().map(|(word, function, growth)| {
            let word = Markdown::markup(word);
            let parts = [word, Markdown::code(function), Markdown::text(&growth)];
            Markdown::fill("- {}: {} {}\n", parts)
        });
        self.list(known.collect(), MOST_SUMMARY_BYTES);
        self.text.push_markup("\n");
    }

    fn notes(&mut self, report: &Report) {
        let notes = [
            ("error", &report.errors),
            ("warning", &report.warnings),
            ("undecided", &report.undecided),
        ];
        let lines = notes.iter().flat_map(|(word, sentences)| {
            sentences.iter().map(move |text| {
                Markdown::fill("- **{}**: {}\n", [Markdown::markup(word), Markdown::text(text)])
            })
        });
        let lines: Vec<Markdown> = lines.collect();
        if !lines.is_empty() {
            self.list(lines, MOST_NOTES_BYTES);
            self.text.push_markup("\n");
        }
    }

    fn list(&mut self, lines: Vec<Markdown>, most_bytes: usize) {
        let n_more = self.add_all(lines, most_bytes);
        if n_more > 0 {
            let more = Markdown::text(&n_more.to_string());
            self.text.push(&Markdown::fill("- and {} more\n", [more]));
        }
    }

    /// Adds what there is room for; how many there is none for.
    fn add_all(&mut self, blocks: Vec<Markdown>, most_bytes: usize) -> u64 {
        let n_blocks = blocks.len();
        let n_added = blocks.iter().take_while(|block| self.add(block, most_bytes)).count();
        (n_blocks - n_added) as u64
    }

    fn add(&mut self, block: &Markdown, most_bytes: usize) -> bool {
        let fits = self.text.len() + block.len() + RESERVED_BYTES <= most_bytes;
        if fits {
            self.text.push(block);
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
            self.text.push(&Markdown::fill(
                "Left out here: {}; `heaptide check --format json` has it all.\n",
                [Markdown::text(&left_out.join(", "))],
            ));
        }
    }
}

/// The parts of the process that grow, or are over a budget; nothing if there are none.
fn parts(run: &RunReport) -> Markdown {
    let rows: Vec<Markdown> = process::ruled(run)
        .map(|(part, ruling)| {
            let advice = part.advice(run).filter(|_| part.class.may_grow()).unwrap_or_default();
            let cells = [
                Markdown::code(part.name),
                Markdown::text(part.class.word()),
                Markdown::text(&part.growth()),
                Markdown::text(&part.first_and_last()),
                Markdown::text(&sentence::ruling(ruling)),
                Markdown::text(&advice),
            ];
            Markdown::fill("| {} | {} | {} | {} | {} | {} |\n", cells)
        })
        .collect();
    if rows.is_empty() {
        return Markdown::new();
    }
    let head = "| outside the recorded heap | is | growth | first and last | result | what it is |\n\
                |---|---|---|---|---|---|\n{}\n";
    Markdown::fill(head, [Markdown::join(rows, "")])
}

fn call_tree(tree: &CallTree, view: &View) -> Markdown {
    let lines = call_tree::lines(tree, view, usize::MAX);
    let lines = Markdown::fenced("text", lines.iter().map(String::as_str));
    Markdown::fill("{}\n\n{}\n", [Markdown::text(&call_tree::headline(tree)), lines])
}

fn row(finding: &Finding, view: &View) -> Markdown {
    let rate = &finding.rate;
    let bars = phrase::evidence_site(finding).verdict.evidence.cohorts.iter();
    let cohorts: Vec<u64> = bars.map(|bar| bar.objects).collect();
    let result = match phrase::is_let_pass(finding) {
        true => Markdown::text(&phrase::ruling(finding)),
        false => Markdown::markup(phrase::gate(finding.ruling.gate)),
    };
    let cells = [
        Markdown::code(&phrase::name(finding)),
        Markdown::code(&view.place(&finding.blamed).unwrap_or_default()),
        Markdown::text(&significant(rate.objects_per_op)),
        Markdown::text(&phrase::bytes_per_op(rate)),
        Markdown::text(&phrase::bytes_per_hour(rate)),
        Markdown::code(&sparkline::draw(&cohorts, SPARKLINE_COLUMNS)),
        result,
    ];
    Markdown::fill("| {}<br>{} | {} | {} | {} | {} | {} |\n", cells)
}

fn details(finding: &Finding, view: &View) -> Markdown {
    let word = finding.class.word();
    let sure = phrase::confidence(finding.confidence);
    let name = Markdown::html(&phrase::name(finding));
    let mut text = Markdown::fill(
        "<details><summary>{}, {}: <code>{}</code></summary>\n\n",
        [Markdown::markup(word), Markdown::markup(sure), name],
    );
    let mut item = |sentence: &str| {
        text.push(&Markdown::fill("- {}\n", [Markdown::text(sentence)]));
    };
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
    let stack = stack(finding, view);
    let stack = Markdown::fenced("text", stack.iter().map(String::as_str));
    text.push(&Markdown::fill("\n{}\n{}</details>\n\n", [stack, allow_entry(finding)]));
    text
}

/// Not escaped yet. The frames that say something: the user's, the dependency's that allocates, and who called it.
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
                let name = first.package().unwrap_or(&first.module);
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
fn allow_entry(finding: &Finding) -> Markdown {
    let site = toml_string(&finding.lead().subject.path);
    let verdict = &finding.lead().verdict;
    let most = match verdict.channel {
        Channel::Objects => objects(verdict.evidence.live_objects.saturating_mul(2)),
        // However large it grows, a container is one object.
        Channel::Container => bytes(verdict.evidence.live_bytes.saturating_mul(2)),
    };
    let most = most.replace(',', "");
    let (site, limit) = (format!("site = {site}"), format!("limit = \"{most}\""));
    let lines = ["[[allow]]", &site, &limit, "reason = \"WHY\"", "expires = \"YYYY-MM-DD\""];
    let entry = Markdown::fenced("toml", lines.into_iter());
    Markdown::fill("If this is meant to be, say so in `heaptide.toml`:\n\n{}\n", [entry])
}

/// A JSON string is a TOML string.
fn toml_string(text: &str) -> String {
    escape::json(&serde_json::Value::from(text).to_string())
}

/// The beginning of a text.
fn beginning_of(text: &str, most_chars: usize) -> String {
    match text.char_indices().nth(most_chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
