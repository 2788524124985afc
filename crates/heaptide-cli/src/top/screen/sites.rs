//! All call sites, with what they hold and how much that grew in the window.

use heaptide_report::View;
use heaptide_report::number::{bytes, count, signed_bytes};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};

use super::super::state::{Order, State, bytes_at};
use super::paint::{Palette, end_of, in_view, line, text};

/// What stands before the name of a site.
const NUMBERS_WIDTH: usize = 49;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let view = View { root: state.root.clone(), ..View::default() };
    let sites = state.sites();
    let (_, last) = state.window();
    let order = match state.order {
        Order::Growth => "growth",
        Order::Size => "size",
        Order::Name => "name",
    };
    let head = format!(
        " {:<10} {:>11} {:>10} {:>12}  {} sites, by {order}",
        "class",
        "live",
        "blocks",
        "window",
        count(sites.len() as u64)
    );
    let mut lines = vec![Line::styled(head, palette.faint())];
    let chosen = state.chosen(sites.len());
    let height = usize::from(area.height).saturating_sub(1);
    let left = usize::from(area.width).saturating_sub(NUMBERS_WIDTH);
    lines.extend(in_view(chosen, sites.len(), height).map(|at| {
        let (site, grown) = sites[at];
        let live = site.live.get(last).copied().unwrap_or_default();
        let place = view.place(&site.subject.blamed).unwrap_or_default();
        let row = line(vec![
            (format!(" {:<10}", site.class.word()), palette.class(site.class)),
            (
                format!(" {:>11}", bytes(bytes_at(site, last).unsigned_abs() as u64)),
                palette.strong(),
            ),
            (
                format!(" {:>10} {:>12}  ", count(live.objects), signed_bytes(grown)),
                palette.faint(),
            ),
            (end_of(&site.subject.blamed.function, left), palette.strong()),
            (format!("  {}", text(&place)), palette.faint()),
        ]);
        if at == chosen { row.style(palette.chosen()) } else { row }
    }));
    frame.render_widget(Text::from(lines), area);
}
