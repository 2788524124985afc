//! What all tables have in common: how wide they are, and where numbers stand.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use crate::view::View;

/// In a narrower table numbers would be broken, and names be a letter wide.
const LEAST_WIDTH: usize = 60;

/// A table without rows, as wide as there is room.
pub(super) fn empty(view: &View) -> Table {
    let mut table = Table::new();
    let width = u16::try_from(view.width.max(LEAST_WIDTH)).unwrap_or(u16::MAX);
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .force_no_tty();
    table
}

pub(super) fn right(text: impl AsRef<str>) -> Cell {
    Cell::new(text.as_ref()).set_alignment(CellAlignment::Right)
}
