//! The report for a person at a terminal: verdict, place, evidence, and one plain sentence.

use anstyle::Style;
use heaptide_analyze::CallTree;
use heaptide_analyze::finding::{Finding, Gate, Ruling};
use heaptide_analyze::identity::SharedFrame;
use heaptide_analyze::process::PartClass;
use heaptide_analyze::verdict::{Class, CohortBar, Stage};
use heaptide_analyze::{Outcome, Report, RunReport};

use crate::escape::{Escaped, Terminal};
use crate::number::plural;
use crate::view::{BAD, DOUBTFUL, FAINT, GOOD, STRONG, View, name_and_place};
use crate::{call_tree, phrase, process, sentence, sparkline};

/// As many lines a finding takes. What matters less is in the Markdown and JSON reports.
const MOST_LINES: usize = 12;

/// Writes the report.
pub fn write(report: &Report, view: &View) -> String {
    let mut page = Page { view, pace: Pace::Real, text: Escaped::new() };
    for run in &report.runs {
        page.run(run);
    }
    for warning in &report.warnings {
        page.note("warning", DOUBTFUL, warning);
    }
    for error in &report.errors {
        page.note("error", BAD, error);
    }
    for undecided in &report.undecided {
        page.note("undecided", DOUBTFUL, undecided);
    }
    page.policy(report);
    page.comparison(report);
    page.conclusion(report);
    page.text.into()
}

/// Writes one finding, as it stands in the report.
pub fn finding(finding: &Finding, view: &View) -> String {
    let mut page = Page { view, pace: Pace::Real, text: Escaped::new() };
    page.finding(finding);
    page.text.into()
}

/// How fast a finding grows, in a few words.
pub fn growth(finding: &Finding) -> String {
    phrase::growth_per_op(&finding.rate)
}

/// Writes one finding of a test, which does its work as often as it can: what grows per hour, and when
/// the memory runs out, say nothing there.
pub fn finding_of_test(finding: &Finding, view: &View) -> String {
    let mut page = Page { view, pace: Pace::Unreal, text: Escaped::new() };
    page.finding(finding);
    page.text.into()
}

/// Whether the program did its work as often as it does it elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    Real,
    Unreal,
}

struct Page<'a> {
    view: &'a View,
    pace: Pace,
    text: Escaped<Terminal>,
}

impl Page<'_> {
    fn run(&mut self, run: &RunReport) {
        self.wrapped("", "  ", &phrase::run(run));
        self.wrapped("  ", "  ", &format!("call sites: {}", phrase::classes(run)));
        for text in [process::bars(run), process::retained(run), phrase::leaking(run)] {
            text.iter().for_each(|text| self.wrapped("  ", "  ", text));
        }
        if let Some(tree) = run.grows_under.as_ref().filter(|tree| !tree.calls.is_empty()) {
            self.call_tree(tree);
        }
        self.blank();
        let (passing, open): (Vec<&Finding>, Vec<&Finding>) =
            run.findings.iter().partition(|finding| phrase::is_let_pass(finding));
        for finding in &passing {
            self.let_pass(finding);
        }
        if !passing.is_empty() {
            self.blank();
        }
        for finding in open {
            self.finding(finding);
            self.blank();
        }
        for (part, ruling) in process::ruled(run) {
            self.part(run, &part, ruling);
            self.blank();
        }
    }

    /// A part of the process that grows, or is over its budget.
    fn part(&mut self, run: &RunReport, part: &process::Judged<'_>, ruling: &Ruling) {
        let (word, style) = match (part.class, ruling.gate) {
            (PartClass::Grows, Gate::Fail) => ("GROWS", BAD),
            (PartClass::Grows, _) => ("GROWS", DOUBTFUL),
            (PartClass::Suspect, _) => ("SUSPECT", DOUBTFUL),
            _ => ("OVER BUDGET", BAD),
        };
        let name = self.view.paint(STRONG, part.name);
        self.push_line(&Escaped::fill("{}  {}", [self.view.paint(style, word), name]));
        self.wrapped("  ", "    ", &format!("{}; {}", part.growth(), part.first_and_last()));
        if let Some(advice) = part.advice(run).filter(|_| part.class.may_grow()) {
            self.wrapped("  ", "    ", &advice);
        }
        self.wrapped("  ", "  ", &sentence::ruling(ruling));
    }

    fn let_pass(&mut self, finding: &Finding) {
        let word = phrase::gate(finding.ruling.gate);
        let style = if finding.ruling.gate == Gate::Warn { DOUBTFUL } else { FAINT };
        self.note(word, style, &phrase::let_pass(finding));
    }

    /// Where the growth comes from, largest branches first.
    fn call_tree(&mut self, tree: &CallTree) {
        self.wrapped("  ", "    ", &call_tree::headline(tree));
        for line in call_tree::lines(tree, self.view, self.view.width.saturating_sub(4)) {
            self.line(&format!("    {line}"));
        }
    }

    /// The parts that matter most, as many as there are lines for, in the order of reading.
    fn finding(&mut self, finding: &Finding) {
        let written = PARTS.iter().map(|(rank, write)| {
            let mut page = Page { view: self.view, pace: self.pace, text: Escaped::new() };
            write(&mut page, finding);
            (*rank, page.text)
        });
        let parts: Vec<(Rank, Escaped<Terminal>)> = written.collect();
        let mut by_rank: Vec<usize> = (0..parts.len()).collect();
        by_rank.sort_by_key(|&part| parts[part].0);
        let (mut n_lines, mut is_shown) = (0, vec![false; parts.len()]);
        for part in by_rank {
            let (rank, text) = &parts[part];
            let with_it = n_lines + text.lines().count();
            if *rank == Rank::Always || with_it <= MOST_LINES {
                (n_lines, is_shown[part]) = (with_it, true);
            }
        }
        let shown = parts.iter().zip(is_shown).filter(|(_, is_shown)| *is_shown);
        shown.for_each(|((_, text), _)| self.text.push(text));
    }

    fn growth(&mut self, finding: &Finding) {
        let growth = match self.pace {
            Pace::Real => phrase::growth(&finding.rate),
            Pace::Unreal => phrase::growth_per_op(&finding.rate),
        };
        self.wrapped("  ", "  ", &growth);
    }

    fn may_be_harmless(&mut self, finding: &Finding) {
        if let Some(otherwise) = phrase::may_be_harmless(finding) {
            self.wrapped("  ", "    ", &otherwise);
        }
    }

    fn change(&mut self, finding: &Finding) {
        if let Some(change) = phrase::change(finding) {
            self.wrapped("  ", "    ", &change);
        }
    }

    fn counted_per(&mut self, finding: &Finding) {
        if let Some(counted_per) = phrase::counted_per(finding) {
            self.wrapped("  ", "    ", &counted_per);
        }
    }

    fn projection(&mut self, finding: &Finding) {
        let runs_out = finding.runs_out.as_ref().filter(|_| self.pace == Pace::Real);
        if let Some(runs_out) = runs_out.and_then(phrase::runs_out) {
            self.wrapped("  ", "  ", &format!("by itself, {runs_out}"));
        }
    }

    fn ruling(&mut self, finding: &Finding) {
        self.wrapped("  ", "  ", &phrase::ruling(finding));
    }

    fn headline(&mut self, finding: &Finding) {
        let (word, style) = match (finding.class, finding.ruling.gate) {
            (Class::Leak, Gate::Fail) => ("LEAK", BAD),
            (Class::Leak, _) => ("LEAK", DOUBTFUL),
            _ => ("SUSPECT", DOUBTFUL),
        };
        let sure = phrase::confidence(finding.confidence);
        let id = format!("site {}", finding.id);
        let used = word.len() + sure.len() + id.len() + 2;
        let gap = " ".repeat(self.view.width.saturating_sub(used).max(2));
        let word = self.view.paint(style, word);
        let id = self.view.paint(FAINT, &id);
        let between = Escaped::text(&format!("  {sure}{gap}"));
        self.push_line(&Escaped::fill("{}{}{}", [word, between, id]));
    }

    fn place(&mut self, finding: &Finding) {
        let blamed = &finding.blamed;
        let function = self.view.paint(STRONG, &phrase::name(finding));
        self.push_line(&Escaped::fill("  {}", [function]));
        if let Some(place) = self.view.place(blamed) {
            self.line(&format!("      at {place}"));
        }
        if let Some(via) = finding.via() {
            self.frame("via", via);
        }
        if phrase::is_without_caller(finding) {
            match &finding.lead().subject.spawned_by {
                Some(user) => self.frame("on a thread or task of its own, spawned by", user),
                None => {
                    self.line("      on a thread or task of its own: no call of yours leads here")
                }
            }
        }
    }

    fn caller(&mut self, finding: &Finding) {
        phrase::callers(finding).iter().take(1).for_each(|caller| self.frame("<-", caller));
    }

    fn more_callers(&mut self, finding: &Finding) {
        phrase::callers(finding).iter().skip(1).for_each(|caller| self.frame("<-", caller));
    }

    fn frame(&mut self, word: &str, frame: &SharedFrame) {
        let (text, place) = (format!("      {word} {}", frame.plain()), self.view.place(frame));
        for line in name_and_place(&text, place.as_deref(), "         ", self.view.width) {
            self.push_line(&self.view.paint(FAINT, &line));
        }
    }

    fn tag(&mut self, finding: &Finding) {
        if let Some(tag) = &finding.lead().subject.tag {
            self.line(&format!("      tagged {tag}"));
        }
    }

    fn container(&mut self, finding: &Finding) {
        if let Some(container) = phrase::container(finding, self.view) {
            self.wrapped("  ", "    ", &container);
        }
    }

    fn counts(&mut self, finding: &Finding) {
        self.wrapped("  ", "    ", &phrase::counts(finding));
    }

    fn sites(&mut self, finding: &Finding) {
        let n = finding.sites.iter().filter(|site| site.verdict.class == finding.class).count();
        if n > 1 {
            let verb = if finding.class == Class::Leak { "leak" } else { "may leak" };
            let text = format!("{n} call sites {verb} together; these blocks are of one");
            self.wrapped("  ", "    ", &text);
        }
    }

    fn excluded(&mut self, finding: &Finding) {
        for excluded in phrase::excluded(finding) {
            self.wrapped("  ", "    ", &excluded);
        }
    }

    fn needs(&mut self, finding: &Finding) {
        if let Some(needs) = phrase::needs(finding) {
            self.wrapped("  ", "    ", &needs);
        }
    }

    fn would_change(&mut self, finding: &Finding) {
        let evidence = &phrase::evidence_site(finding).verdict.evidence;
        let change: Vec<_> = evidence.would_change.iter().filter_map(sentence::condition).collect();
        if !change.is_empty() {
            let text = format!("would look different if: {}", change.join("; "));
            self.wrapped("  ", "    ", &text);
        }
    }

    /// What is alive by birth, oldest left: warm-up, mature, young.
    fn cohorts(&mut self, finding: &Finding) {
        let bars: &[CohortBar] = &phrase::evidence_site(finding).verdict.evidence.cohorts;
        if bars.is_empty() {
            return;
        }
        let label = "alive by birth  ";
        let room = self.view.width.saturating_sub(label.len() + 6).max(8);
        let numbers: Vec<u64> = bars.iter().map(|bar| bar.objects).collect();
        let line = sparkline::draw(&numbers, room);
        let per_column = numbers.len().div_ceil(room).max(1);
        let stage_of = |column: usize| bars.get(column * per_column).map(|bar| bar.stage);
        let mut drawn = String::new();
        for (column, bar) in line.chars().enumerate() {
            if column > 0 && stage_of(column) != stage_of(column - 1) {
                drawn.push('|');
            }
            drawn.push(bar);
        }
        self.line(&format!("  {label}{drawn}"));
        let stages = [Stage::WarmUp, Stage::Mature, Stage::Young];
        let present = stages.into_iter().filter(|stage| bars.iter().any(|bar| bar.stage == *stage));
        let words: Vec<_> = present.map(stage_word).collect();
        let legend = format!("  {}oldest first: {}", " ".repeat(label.len()), words.join(" | "));
        self.push_line(&self.view.paint(FAINT, &legend));
    }

    fn policy(&mut self, report: &Report) {
        for (pattern, n) in &report.policy.used {
            let findings = plural(*n as u64, "finding", "findings");
            self.note("allowed", FAINT, &format!("{findings} by {pattern}"));
        }
        if let Some(matched) = &report.baseline {
            let moved = match matched.moved.len() {
                0 => String::new(),
                n => format!(" ({n} by their function: its callers have changed)"),
            };
            let text = format!(
                "{} of {} entries matched{moved}; {} unchanged, {} worse, {} new, {} fixed",
                matched.matched,
                matched.entries,
                matched.unchanged.len(),
                matched.worse.len(),
                matched.new.len(),
                matched.fixed.len()
            );
            self.note("baseline", FAINT, &text);
        }
    }

    fn comparison(&mut self, report: &Report) {
        let Some(comparison) = &report.comparison else { return };
        self.note("compared", FAINT, &phrase::comparison(comparison));
        for (word, function, growth) in phrase::known(comparison) {
            let style = if word == "as before" { FAINT } else { GOOD };
            self.note(word, style, &format!("{function}  {growth}"));
        }
    }

    fn conclusion(&mut self, report: &Report) {
        let style = match report.outcome {
            Outcome::Clean | Outcome::Passes => GOOD,
            Outcome::Growth | Outcome::Error => BAD,
            Outcome::Inconclusive => DOUBTFUL,
        };
        let (word, code) = (phrase::outcome(report.outcome), report.outcome.exit_code());
        let word = self.view.paint(style, word);
        let code = Escaped::text(&code.to_string());
        self.push_line(&Escaped::fill("{} (exit {})", [word, code]));
        self.wrapped("", "", &phrase::conclusion(report));
    }

    fn note(&mut self, word: &'static str, style: Style, text: &str) {
        let rest = self.fill(&format!("{word}: "), "  ", text).without_first(word.len());
        self.push_line(&Escaped::fill("{}{}", [self.view.paint(style, word), rest]));
    }

    fn wrapped(&mut self, first: &str, rest: &str, text: &str) {
        self.push_line(&self.fill(first, rest, text));
    }

    fn fill(&self, first: &str, rest: &str, text: &str) -> Escaped<Terminal> {
        Escaped::wrapped(self.view.width.max(20), first, rest, text)
    }

    fn line(&mut self, line: &str) {
        self.push_line(&Escaped::text(line));
    }

    fn push_line(&mut self, line: &Escaped<Terminal>) {
        self.text.push(line);
        self.text.push_markup("\n");
    }

    fn blank(&mut self) {
        self.text.push_markup("\n");
    }
}

/// How much a part of a finding matters: what happens and where, before why it is believed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Always,
    Place,
    Numbers,
    Evidence,
    Detail,
}

/// Writes a part of a finding, or nothing.
type Part = fn(&mut Page<'_>, &Finding);

/// The parts of a finding in the order of reading.
const PARTS: &[(Rank, Part)] = &[
    (Rank::Always, |page, finding| page.headline(finding)),
    (Rank::Always, |page, finding| page.growth(finding)),
    (Rank::Always, |page, finding| page.may_be_harmless(finding)),
    (Rank::Always, |page, finding| page.change(finding)),
    (Rank::Detail, |page, finding| page.counted_per(finding)),
    (Rank::Always, |page, finding| page.place(finding)),
    (Rank::Place, |page, finding| page.caller(finding)),
    (Rank::Evidence, |page, finding| page.more_callers(finding)),
    (Rank::Place, |page, finding| page.tag(finding)),
    (Rank::Place, |page, finding| page.container(finding)),
    (Rank::Evidence, |page, finding| page.cohorts(finding)),
    (Rank::Numbers, |page, finding| page.counts(finding)),
    (Rank::Numbers, |page, finding| page.sites(finding)),
    (Rank::Detail, |page, finding| page.excluded(finding)),
    (Rank::Place, |page, finding| page.needs(finding)),
    (Rank::Evidence, |page, finding| page.would_change(finding)),
    (Rank::Detail, |page, finding| page.projection(finding)),
    (Rank::Always, |page, finding| page.ruling(finding)),
];

fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::WarmUp => "warm-up",
        Stage::Mature => "mature",
        Stage::Young => "young",
    }
}
