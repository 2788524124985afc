//! The call tree under which memory grows, as lines of text.

use heaptide_analyze::CallTree;

use crate::number::rate_bytes;
use crate::view::{View, name_and_place};

/// Most calls that are shown: with the lines around them they fit a terminal of 24 rows.
const MOST_LINES: usize = 12;
/// A branch with a smaller share of the growth is not shown: twenty of them would explain it all,
/// so none of them alone is where to look.
const LEAST_SHARE: f64 = 0.05;

/// `96 % of the growth (+60.6 MiB/h) happens under shop::Sessions::create`
pub(crate) fn headline(tree: &CallTree) -> String {
    let (share, growth) = (percent(tree.share), rate_bytes(tree.bytes_per_hour));
    format!("{share} of the growth (+{growth}/h) happens under {}", tree.function)
}

/// Not escaped yet. One call a line, indented by depth: its share, its name, and where it is written; the
/// latter on a line of its own where the two take more than `width` columns.
pub(crate) fn lines(tree: &CallTree, view: &View, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for call in &tree.calls {
        add(&mut lines, call, 0, (view, width));
    }
    let rest = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    if rest > 0 {
        lines.push(vec![format!("and {rest} smaller ones")]);
    }
    lines.concat()
}

fn add(lines: &mut Vec<Vec<String>>, call: &CallTree, depth: usize, (view, width): (&View, usize)) {
    if call.share < LEAST_SHARE {
        return;
    }
    let place = view.place_of(call.file.as_deref(), call.line);
    let indent = "  ".repeat(depth);
    let text = format!("{:>5}  {indent}{}", percent(call.share), call.function);
    lines.push(name_and_place(&text, place.as_deref(), &format!("         {indent}"), width));
    for call in &call.calls {
        add(lines, call, depth + 1, (view, width));
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
