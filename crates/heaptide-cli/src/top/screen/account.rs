//! What the process holds in parts, first and last, and in between.

use heaptide_analyze::view::RunView;
use heaptide_format::{Account, Parts};
use heaptide_report::number::{bytes, count, signed_bytes};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};

use super::super::state::State;
use super::paint::{Palette, line};

type PartOf = fn(&Parts) -> u64;

const PARTS: [(&str, PartOf); 8] = [
    ("rust_heap", |parts| parts.rust_heap_bytes),
    ("other_malloc", |parts| parts.other_malloc_bytes),
    ("allocator_free", |parts| parts.allocator_free_bytes),
    ("thread_stacks", |parts| parts.thread_stacks_bytes),
    ("anonymous", |parts| parts.anonymous_bytes),
    ("files", |parts| parts.files_bytes),
    ("shim", |parts| parts.shim_bytes),
    ("not resident", |parts| parts.not_resident_bytes),
];

/// Eighths of a character.
const BLOCKS: [&str; 9] = [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];
const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const BAR: usize = 16;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let Some((_, view)) = state.run() else { return };
    let palette = Palette::of(state);
    let read = read(view);
    let Some((first, last)) = read.first().zip(read.last()) else {
        let why = " This recording does not say what the process holds beside the heap.";
        frame.render_widget(Text::raw(why), area);
        return;
    };
    let most = PARTS.iter().map(|(_, of)| of(last)).max().unwrap_or(0).max(1);
    let head = format!(" {:<15}{:>11}{:>11}{:>12}", "part", "first", "last", "change");
    let mut lines = vec![Line::styled(head, palette.faint())];
    lines.extend(PARTS.iter().map(|(name, of)| {
        let (before, now) = (of(first), of(last));
        let change = i128::from(now) - i128::from(before);
        let over_time: Vec<u64> = read.iter().map(|parts| of(parts)).collect();
        let width = usize::from(area.width).saturating_sub(52 + BAR);
        line(vec![
            (format!(" {name:<15}"), palette.strong()),
            (format!("{:>11}{:>11}", bytes(before), bytes(now)), palette.strong()),
            (format!("{:>12} ", signed_bytes(change)), palette.faint()),
            (bar(now, most), palette.line()),
            (format!(" {}", curve(&over_time, width)), palette.faint()),
        ])
    }));
    lines.push(Line::raw(""));
    lines.extend(of_process(view).map(|text| Line::raw(format!(" {text}"))));
    frame.render_widget(Text::from(lines), area);
}

fn read(view: &RunView) -> Vec<&Parts> {
    let accounts = view.timeline.points.iter().filter_map(|point| point.account.as_ref());
    accounts.filter_map(|account| account.parts.as_ref()).collect()
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
