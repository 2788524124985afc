//! The cohorts of one site over time: a leak is a stripe that goes on to the right edge.

use heaptide_analyze::view::SiteView;
use heaptide_report::number::bytes;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};

use super::super::state::State;
use super::paint::{Palette, text};

const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let sites = state.mapped_sites();
    let chosen = state.chosen(sites.len());
    let Some(site) = sites.get(chosen) else {
        frame.render_widget(Text::raw(" No site that fits has a cohort map."), area);
        return;
    };
    let title = format!(
        " {} ({} of {}, Up and Down for the next)",
        text(&site.subject.blamed.function),
        chosen + 1,
        sites.len()
    );
    let about = " each row: blocks born in one span of the run, oldest below; left to right: time";
    let mut lines =
        vec![Line::styled(title, palette.strong()), Line::styled(about, palette.faint())];
    let (width, height) = (usize::from(area.width), usize::from(area.height).saturating_sub(3));
    let style = palette.class(site.class);
    lines.extend(
        map(site, width.saturating_sub(2), height)
            .into_iter()
            .map(|row| Line::styled(format!(" {row}"), style)),
    );
    let most = site.live.iter().map(|live| live.bytes).max().unwrap_or(0);
    lines.push(Line::styled(format!(" at most {} alive", bytes(most)), palette.faint()));
    frame.render_widget(Text::from(lines), area);
}

/// The map in so many characters, youngest births on top.
fn map(site: &SiteView, width: usize, height: usize) -> Vec<String> {
    let Some(map) = &site.cohort_map else { return Vec::new() };
    let n = map.len();
    let (width, height) = (width.min(n), height.min(n));
    if width == 0 || height == 0 {
        return Vec::new();
    }
    let cell = |row: usize, column: usize| {
        let births = row * n / height..((row + 1) * n / height).max(row * n / height + 1);
        let born = map.get(column * n / width).map_or(&[][..], Vec::as_slice);
        births.filter_map(|birth| born.get(birth)).copied().max().unwrap_or(0)
    };
    let rows: Vec<Vec<u64>> =
        (0..height).map(|row| (0..width).map(|column| cell(row, column)).collect()).collect();
    let most = rows.iter().flatten().max().copied().unwrap_or(0).max(1);
    let shade = |bytes: &u64| match bytes {
        0 => SHADES[0],
        _ => SHADES[1 + (*bytes as f64 / most as f64 * 3.0) as usize],
    };
    rows.iter().rev().map(|row| row.iter().map(shade).collect()).collect()
}
