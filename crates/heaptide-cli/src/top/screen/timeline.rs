//! The process over time: the recorded heap, all that is resident, and the work.

use heaptide_analyze::view::RunView;
use heaptide_report::number::{bytes, duration};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, LegendPosition};

use super::super::state::State;
use super::paint::{Palette, text};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let Some((_, view)) = state.run() else { return };
    let [memory, work] =
        Layout::vertical([Constraint::Percentage(65), Constraint::Min(4)]).areas(area);
    let points = &view.timeline.points;
    let at = |elapsed_ns: u64| elapsed_ns as f64 / 1e9;
    let heap: Vec<(f64, f64)> =
        points.iter().map(|it| (at(it.elapsed_ns), it.heap.live_bytes as f64)).collect();
    let resident: Vec<(f64, f64)> =
        points.iter().map(|it| (at(it.elapsed_ns), it.rss_bytes as f64)).collect();
    let palette = Palette::of(state);
    let (first, last) = state.window();
    let window = |column: usize| view.columns.get(column).map_or(0, |it| it.elapsed_ns);
    let title = format!(
        " resident memory and recorded heap; window from {} to {} ",
        duration(window(first)),
        duration(window(last))
    );
    let lines =
        [("resident", &resident, palette.faint()), ("recorded heap", &heap, palette.line())];
    let chart = chart(title, &lines, |most| bytes(most as u64));
    frame.render_widget(chart, memory);
    let (name, rates) = work_rates(view);
    let title = format!(" {}/s ", text(&name));
    let lines = [("work", &rates, palette.line())];
    frame.render_widget(self::chart(title, &lines, |most| format!("{most:.0}")), work);
}

/// Work per second between snapshots, of the counter that counted most.
fn work_rates(view: &RunView) -> (String, Vec<(f64, f64)>) {
    let points = &view.timeline.points;
    let counted = points.last().into_iter().flat_map(|last| &last.work);
    let Some((name, _)) = counted.max_by_key(|(_, n)| **n) else {
        return ("no work was counted: call heaptide::work".to_owned(), Vec::new());
    };
    let done = |at: usize| points[at].work.get(name).copied().unwrap_or(0) as f64;
    let rate = |at: usize| {
        let seconds = points[at].elapsed_ns.saturating_sub(points[at - 1].elapsed_ns) as f64 / 1e9;
        (points[at].elapsed_ns as f64 / 1e9, (done(at) - done(at - 1)) / seconds.max(1e-3))
    };
    (name.clone(), (1..points.len()).map(rate).collect())
}

type Curve<'a> = (&'static str, &'a Vec<(f64, f64)>, ratatui::style::Style);

fn chart<'a>(title: String, curves: &[Curve<'a>], label: impl Fn(f64) -> String) -> Chart<'a> {
    let all = || curves.iter().flat_map(|(_, points, _)| points.iter());
    let most = all().map(|(_, y)| *y).fold(1.0, f64::max) * 1.05;
    let ends = all().map(|(x, _)| *x).fold(1.0, f64::max);
    let dataset = |(name, points, style): &Curve<'a>| {
        Dataset::default()
            .name(*name)
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(*style)
            .data(points)
    };
    let seconds = |x: f64| duration((x * 1e9) as u64);
    // Resident memory lies above, and what grows ends at the upper right.
    let legend = (curves.len() > 1).then_some(LegendPosition::Left);
    Chart::new(curves.iter().map(dataset).collect())
        .legend_position(legend)
        .block(ratatui::widgets::Block::new().title(Line::raw(title)))
        .x_axis(Axis::default().bounds([0.0, ends]).labels(["0 s".to_owned(), seconds(ends)]))
        .y_axis(Axis::default().bounds([0.0, most]).labels(["0".to_owned(), label(most)]))
}
