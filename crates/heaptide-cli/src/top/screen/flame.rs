//! Who called whom, by what is alive under each call or by what of it came in the window.

use std::collections::BTreeMap;

use heaptide_analyze::identity::{Origin, SharedFrame};
use heaptide_analyze::view::SiteView;
use heaptide_report::number::bytes;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};

use super::super::state::{Measure, State, bytes_at};
use super::paint::{Palette, line, text};

/// What is less than this share of all is left out.
const LEAST_SHARE: f64 = 0.01;
const BAR: usize = 10;

/// What is under a call, and the calls below it.
#[derive(Debug, Default)]
struct Call {
    bytes: u64,
    below: BTreeMap<String, Call>,
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let (first, last) = state.window();
    let measure = |site: &SiteView| match state.measure {
        Measure::Live => bytes_at(site, last),
        Measure::Growth => (bytes_at(site, last) - bytes_at(site, first)).max(0),
    };
    let mut all = Call::default();
    for (site, _) in state.sites() {
        add(&mut all, site, u64::try_from(measure(site)).unwrap_or(u64::MAX));
    }
    let what = match state.measure {
        Measure::Live => "alive",
        Measure::Growth => "grown in the window",
    };
    let title = format!(" {} {what}; m: the other measure", bytes(all.bytes));
    let mut lines = Vec::new();
    rows(&all, all.bytes, 0, &mut lines);
    let height = usize::from(area.height).saturating_sub(1);
    let from = state.chosen(10_000).min(lines.len().saturating_sub(height));
    let row =
        |(depth, name, bytes): &(usize, String, u64)| row(*depth, name, *bytes, all.bytes, palette);
    let shown = lines.iter().skip(from).take(height).map(row);
    let shown = std::iter::once(Line::styled(title, palette.faint())).chain(shown);
    frame.render_widget(Text::from(shown.collect::<Vec<_>>()), area);
}

fn add(all: &mut Call, site: &SiteView, bytes: u64) {
    if bytes == 0 {
        return;
    }
    all.bytes += bytes;
    let mut call = all;
    // What the runtime and the standard library call in between says nothing of the program.
    let told = |frame: &&SharedFrame| frame.origin != Origin::Std;
    for frame in site.subject.stack.iter().rev().filter(told) {
        call = call.below.entry(frame.function.clone()).or_default();
        call.bytes += bytes;
    }
}

/// Calls with one call below that has all of it share a level: what lies between says nothing.
fn rows(call: &Call, whole: u64, depth: usize, out: &mut Vec<(usize, String, u64)>) {
    let mut below: Vec<(&String, &Call)> = call.below.iter().collect();
    below.sort_by_key(|(_, call)| std::cmp::Reverse(call.bytes));
    for (name, call) in below {
        if (call.bytes as f64) < LEAST_SHARE * whole as f64 {
            continue;
        }
        out.push((depth, name.clone(), call.bytes));
        let goes_on_alone = call.below.values().any(|next| next.bytes == call.bytes);
        rows(call, whole, depth + usize::from(!goes_on_alone), out);
    }
}

fn row(depth: usize, name: &str, bytes_below: u64, whole: u64, palette: Palette) -> Line<'static> {
    let share = bytes_below as f64 / whole.max(1) as f64;
    let full = ((share * BAR as f64).round() as usize).min(BAR);
    line(vec![
        (format!(" {:>4.0} % ", 100.0 * share), palette.strong()),
        (format!("{}{} ", "█".repeat(full), "·".repeat(BAR - full)), palette.line()),
        (format!("{:>10}  ", bytes(bytes_below)), palette.faint()),
        (format!("{}{}", "  ".repeat(depth), text(name)), palette.strong()),
    ])
}
