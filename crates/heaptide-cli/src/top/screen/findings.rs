//! What leaks or may, and the evidence of the one that is chosen.

use heaptide_analyze::finding::Finding;
use heaptide_report::{View, human};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Text};
use ratatui::widgets::Paragraph;

use super::super::state::State;
use super::paint::{Palette, end_of, in_view, line, text};

/// As much of the page as the list may take, in per cent.
const LIST_PERCENT: u16 = 35;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let findings = state.findings();
    let Some(finding) = findings.get(state.chosen(findings.len())) else {
        frame.render_widget(Paragraph::new(nothing(state)), area);
        return;
    };
    let most = (area.height * LIST_PERCENT / 100).max(1);
    let height = (findings.len() as u16).min(most);
    let rows = [Constraint::Length(height), Constraint::Length(1), Constraint::Min(1)];
    let [list, _, evidence] = Layout::vertical(rows).areas(area);
    let chosen = state.chosen(findings.len());
    let lines = in_view(chosen, findings.len(), usize::from(list.height)).map(|at| {
        let row = row(findings[at], palette, usize::from(list.width));
        if at == chosen { row.style(palette.chosen()) } else { row }
    });
    frame.render_widget(Text::from(lines.collect::<Vec<_>>()), list);
    let (width, root) = (usize::from(area.width), state.root.clone());
    let view = View { width, root, ..View::default() };
    frame.render_widget(Paragraph::new(human::finding(finding, &view)), evidence);
}

fn row(finding: &Finding, palette: Palette, width: usize) -> Line<'static> {
    let class = format!(" {:<8}", finding.class.word());
    // Its unit is a name that the program chose.
    let growth = format!("{}  ", text(&human::growth(finding)));
    let left = width.saturating_sub(class.chars().count() + growth.chars().count());
    line(vec![
        (class, palette.class(finding.class)),
        (growth, palette.strong()),
        (end_of(&finding.blamed.function, left), palette.strong()),
    ])
}

fn nothing(state: &State) -> Vec<Line<'static>> {
    let Some((run, _)) = state.run() else { return Vec::new() };
    if !state.search.is_empty() {
        return vec![Line::raw(" No finding has that in its name.")];
    }
    let mut lines = vec![Line::raw(" Nothing was found that grows without end.")];
    lines.extend(run.too_short.iter().map(|why| Line::raw(format!(" But: {}", text(why)))));
    lines
}
