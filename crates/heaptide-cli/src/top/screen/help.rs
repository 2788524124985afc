//! The keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Text;

const KEYS: &str = "
 1 to 6, Tab       the pages
 Up, Down, PgUp …  choose a line
 /                 show only what has this in its name; Esc: all
 s                 sites by growth, by size, by name
 m                 flame: what is alive, what grew
 [ ]  { }          move the beginning, the end of the window
 p                 pause, and go on
 t                 ask the process for a snapshot (top PID)
 r                 the next run, where there are several
 ?                 this page
 q                 quit
";

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect) {
    frame.render_widget(Text::raw(KEYS), area);
}
