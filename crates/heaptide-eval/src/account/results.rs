//! What was said of all runs, counted.

use std::collections::BTreeMap;
use std::fmt::Write;

use heaptide_analyze::process::PartClass;

use super::played::Judged;

/// Runs of one program.
#[derive(Clone, Debug, Default)]
struct Row {
    n_runs: usize,
    grows: Vec<String>,
    /// Of what grows, how often it was found, and how often only suspected.
    found: usize,
    suspected: usize,
    /// Of all else, what was said to grow, or suspected.
    accused: BTreeMap<String, [usize; 2]>,
    rates: Vec<f64>,
    exit_codes: BTreeMap<u8, usize>,
    costs_ns: Vec<u64>,
}

/// Counts by program.
#[derive(Clone, Debug, Default)]
pub(super) struct Results {
    rows: BTreeMap<String, Row>,
    n_parts: usize,
    n_alarms: usize,
    n_grow: usize,
    n_found: usize,
    gaps_bytes: Vec<u64>,
}

impl Results {
    pub(super) fn add(&mut self, judged: &Judged) {
        let program = &judged.program;
        let row = self.rows.entry(program.name.clone()).or_default();
        row.n_runs += 1;
        row.grows.clone_from(&program.grows);
        for (name, class) in &judged.classes {
            if program.grows.contains(name) {
                self.n_grow += 1;
                self.n_found += usize::from(*class == PartClass::Grows);
                row.found += usize::from(*class == PartClass::Grows);
                row.suspected += usize::from(*class == PartClass::Suspect);
                continue;
            }
            let is_open = program.may_grow.contains(name);
            self.n_parts += usize::from(!is_open);
            self.n_alarms += usize::from(!is_open && *class == PartClass::Grows);
            match class {
                PartClass::Grows => row.accused.entry(name.clone()).or_default()[0] += 1,
                PartClass::Suspect => row.accused.entry(name.clone()).or_default()[1] += 1,
                _ => {}
            }
        }
        *row.exit_codes.entry(judged.exit_code).or_default() += 1;
        row.rates.extend(&judged.rates);
        row.costs_ns.push(judged.cost_ns);
        self.gaps_bytes.extend(&judged.gaps_bytes);
    }

    /// The share of growing parts that are said to grow.
    pub(super) fn recall(&self) -> f64 {
        self.n_found as f64 / self.n_grow.max(1) as f64
    }

    /// The share of all other part-runs that are said to grow.
    pub(super) fn alarms(&self) -> f64 {
        self.n_alarms as f64 / self.n_parts.max(1) as f64
    }

    /// How far the parts are from the resident set: in the middle, in 99 of 100 snapshots, and at most.
    pub(super) fn gaps_bytes(&self) -> [u64; 3] {
        let mut gaps = self.gaps_bytes.clone();
        gaps.sort_unstable();
        let at = |share: usize| gaps.get(gaps.len() * share / 100).or(gaps.last());
        [50, 99, 100].map(|share| at(share).copied().unwrap_or(0))
    }

    /// A row for each program, in Markdown.
    pub(super) fn table(&self) -> String {
        let mut table = String::from(
            "| program | grows | runs | found | suspected | rate, of the true one | said of the rest: grows, suspect | exit codes | account, µs |\n\
             |---|---|--:|--:|--:|---|---|---|--:|\n",
        );
        for (name, row) in &self.rows {
            let accused =
                row.accused.iter().map(|(part, [grows, may])| format!("{part} {grows}, {may}"));
            let codes = row.exit_codes.iter().map(|(code, times)| format!("{code} × {times}"));
            let mut costs = row.costs_ns.clone();
            costs.sort_unstable();
            let _ = writeln!(
                table,
                "| {name} | {} | {} | {} | {} | {} | {} | {} | {} |",
                row.grows.join(", "),
                row.n_runs,
                row.found,
                row.suspected,
                range(&row.rates),
                accused.collect::<Vec<_>>().join("; "),
                codes.collect::<Vec<_>>().join(", "),
                costs[costs.len() / 2] / 1000,
            );
        }
        table
    }
}

/// `0.999 to 1.002`; nothing of none.
fn range(rates: &[f64]) -> String {
    let least = rates.iter().copied().reduce(f64::min);
    let most = rates.iter().copied().reduce(f64::max);
    let range = least.zip(most).map(|(least, most)| format!("{least:.3} to {most:.3}"));
    range.unwrap_or_default()
}
