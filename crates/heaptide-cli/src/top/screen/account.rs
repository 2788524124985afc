//! What the process holds in parts, first and last, and in between.

use heaptide_analyze::process::{PartName, of_account};
use heaptide_analyze::view::RunView;
use heaptide_format::Account;
use heaptide_report::number::{bytes, count, signed_bytes};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};

use super::super::state::State;
use super::paint::{Palette, line};

/// Eighths of a character.
const BLOCKS: [&str; 9] = [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];
const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const BAR: usize = 16;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let Some((_, view)) = state.run() else { return };
    let palette = Palette::of(state);
    let read = read(view);
    if read.is_empty() {
        let why = " This recording does not say what the process holds beside the heap.";
        frame.render_widget(Text::raw(why), area);
        return;
    }
    let head = format!(" {:<15}{:>11}{:>11}{:>12}", "part", "first", "last", "change");
    let mut lines = vec![Line::styled(head, palette.faint())];
    let rows = rows(&read);
    let most = rows.iter().filter_map(|(_, over_time)| over_time.last()).max();
    let most = most.copied().unwrap_or(0).max(1);
    lines.extend(rows.iter().map(|(name, over_time)| {
        let (before, now) = (over_time[0], over_time[over_time.len() - 1]);
        let change = i128::from(now) - i128::from(before);
        let width = usize::from(area.width).saturating_sub(52 + BAR);
        line(vec![
            (format!(" {name:<15}"), palette.strong()),
            (format!("{:>11}{:>11}", bytes(before), bytes(now)), palette.strong()),
            (format!("{:>12} ", signed_bytes(change)), palette.faint()),
            (bar(now, most), palette.line()),
            (format!(" {}", curve(over_time, width)), palette.faint()),
        ])
    }));
    lines.push(Line::raw(""));
    lines.extend(of_process(view).map(|text| Line::raw(format!(" {text}"))));
    frame.render_widget(Text::from(lines), area);
}

/// Of the snapshots that read the parts.
fn read(view: &RunView) -> Vec<&Account> {
    let accounts = view.timeline.points.iter().filter_map(|point| point.account.as_ref());
    accounts.filter(|account| account.parts.is_some()).collect()
}

/// A row each: its name, and what it was at the snapshots read.
fn rows(read: &[&Account]) -> Vec<(&'static str, Vec<u64>)> {
    let row = |name: &'static str, bytes: &dyn Fn(&Account) -> Option<u64>| {
        (name, read.iter().map(|account| bytes(account).unwrap_or(0)).collect())
    };
    let parts = PartName::ALL.iter().map(|name| row(name.word(), &|it| of_account(*name, it)));
    let away = row("not resident", &|it| it.parts.as_ref().map(|it| it.not_resident_bytes));
    parts.chain([away]).collect()
}

/// What every snapshot says of the whole process.
fn of_process(view: &RunView) -> impl Iterator<Item = String> {
    let points = &view.timeline.points;
    let account = |point: Option<&heaptide_analyze::load::Point>| -> Option<Account> {
        point.and_then(|point| point.account.clone())
    };
    let (first, last) = (account(points.first()), account(points.last()));
    let both = first.zip(last);
    let resident = points.first().zip(points.last()).map(|(first, last)| {
        format!("resident set   {} -> {}", bytes(first.rss_bytes), bytes(last.rss_bytes))
    });
    let threads = both.as_ref().map(|(first, last)| {
        format!("threads        {} -> {}", count(first.threads), count(last.threads))
    });
    let descriptors = both.as_ref().and_then(|(first, last)| {
        let (first, last) = (first.descriptors?, last.descriptors?);
        Some(format!("descriptors    {} -> {}", count(first), count(last)))
    });
    [resident, threads, descriptors].into_iter().flatten()
}

fn bar(part: u64, most: u64) -> String {
    let eighths = (part as f64 / most as f64 * (BAR * 8) as f64) as usize;
    let full = (eighths / 8).min(BAR);
    let rest = if full < BAR { BLOCKS[eighths % 8] } else { "" };
    let bar = format!("{}{rest}", BLOCKS[8].repeat(full));
    format!("{bar:<BAR$}")
}

fn curve(numbers: &[u64], width: usize) -> String {
    let most = numbers.iter().max().copied().unwrap_or(0).max(1);
    let n = width.min(numbers.len());
    let at = |column: usize| numbers[column * numbers.len() / n.max(1)];
    let step = |number: u64| STEPS[(number as f64 / most as f64 * 7.0) as usize];
    (0..n).map(|column| step(at(column))).collect()
}
