//! What is drawn: a function of the state, and of nothing else.

mod account;
mod cohorts;
mod findings;
mod flame;
mod help;
mod paint;
mod sites;
mod timeline;

use heaptide_analyze::Outcome;
use heaptide_report::number::duration;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::state::{State, Tab};
use paint::{Palette, text};

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let rows =
        [Constraint::Length(1), Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)];
    let [head, tabs, body, foot] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(header(state), head);
    frame.render_widget(tab_line(state), tabs);
    if state.shows_help {
        help::draw(frame, body);
    } else if state.run().is_some() {
        page(frame, body, state);
    } else {
        frame.render_widget(Paragraph::new("Nothing was read yet."), body);
    }
    frame.render_widget(footer(state), foot);
}

fn page(frame: &mut Frame<'_>, area: Rect, state: &State) {
    match state.tab {
        Tab::Findings => findings::draw(frame, area, state),
        Tab::Sites => sites::draw(frame, area, state),
        Tab::Timeline => timeline::draw(frame, area, state),
        Tab::Account => account::draw(frame, area, state),
        Tab::Cohorts => cohorts::draw(frame, area, state),
        Tab::Flame => flame::draw(frame, area, state),
    }
}

/// Which program, and what is said of it.
fn header(state: &State) -> Line<'static> {
    let palette = Palette::of(state);
    let Some((run, _)) = state.run() else { return Line::raw("heaptide top") };
    let outcome = state.report().map(|report| report.outcome);
    let verdict = outcome.map_or("not judged", heaptide_report::outcome);
    let style = match outcome {
        Some(Outcome::Growth) => palette.bad(),
        Some(Outcome::Passes | Outcome::Clean) => palette.good(),
        Some(Outcome::Inconclusive | Outcome::Error) | None => palette.doubtful(),
    };
    let program = run.exe.rsplit('/').next().unwrap_or_default();
    let (at, n_runs) = state.run_number();
    let which = if n_runs > 1 { format!(", run {} of {n_runs}", at + 1) } else { String::new() };
    let about = format!(
        "  {} (pid {}{which})  {} snapshots in {}{}",
        text(program),
        run.pid,
        run.snapshots,
        duration(run.elapsed_ns),
        if state.is_paused { "  PAUSED" } else { "" }
    );
    Line::from(vec![Span::styled(format!(" {verdict} "), style), Span::raw(about)])
}

fn tab_line(state: &State) -> Line<'static> {
    let palette = Palette::of(state);
    let tab = |(at, tab): (usize, &Tab)| {
        let style = if *tab == state.tab { palette.chosen() } else { palette.faint() };
        Span::styled(format!(" {} {} ", at + 1, tab.title()), style)
    };
    Line::from(Tab::ALL.iter().enumerate().map(tab).collect::<Vec<_>>())
}

fn footer(state: &State) -> Line<'static> {
    if state.is_typing() {
        return Line::raw(format!(" /{}_", text(&state.search)));
    }
    if !state.message.is_empty() {
        return Line::raw(format!(" {}", text(&state.message)));
    }
    let search = match state.search.is_empty() {
        true => String::new(),
        false => format!("  only `{}` (Esc: all)", text(&state.search)),
    };
    let keys = " ? help  q quit  / search  s sort  p pause  t snapshot  [ ] { } window";
    Line::styled(format!("{keys}{search}"), Palette::of(state).faint())
}

#[cfg(test)]
mod tests;
