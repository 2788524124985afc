//! Colours by meaning, and text that came out of a recording.

use heaptide_analyze::verdict::Class;
use heaptide_report::{Escaped, Terminal};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::super::state::State;

/// Nothing in it moves the cursor or changes a colour.
pub(super) fn text(text: &str) -> String {
    Escaped::<Terminal>::text(text).into()
}

/// A path that came out of a recording; of one that is wider its end, which tells it from others.
pub(super) fn end_of(path: &str, width: usize) -> String {
    let path = text(path);
    let n_chars = path.chars().count();
    if n_chars <= width {
        return path;
    }
    let end = path.chars().skip(n_chars + 1 - width.max(1));
    std::iter::once('…').chain(end).collect()
}

/// How things are shown that mean something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    has_colour: bool,
}

impl Palette {
    pub(super) fn of(state: &State) -> Self {
        Self { has_colour: state.has_colour }
    }

    fn coloured(self, colour: Color, plain: Modifier) -> Style {
        match self.has_colour {
            true => Style::new().fg(colour),
            false => Style::new().add_modifier(plain),
        }
    }

    pub(super) fn bad(self) -> Style {
        self.coloured(Color::Red, Modifier::BOLD).add_modifier(Modifier::BOLD)
    }

    pub(super) fn doubtful(self) -> Style {
        self.coloured(Color::Yellow, Modifier::BOLD)
    }

    pub(super) fn good(self) -> Style {
        self.coloured(Color::Green, Modifier::empty())
    }

    pub(super) fn line(self) -> Style {
        self.coloured(Color::Cyan, Modifier::empty())
    }

    pub(super) fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(super) fn class(self, class: Class) -> Style {
        match class {
            Class::Leak => self.bad(),
            Class::Suspect => self.doubtful(),
            _ => self.faint(),
        }
    }
}

/// The lines of a list that are in view, so that the chosen one is: the first, and how many.
pub(super) fn in_view(chosen: usize, n_lines: usize, height: usize) -> std::ops::Range<usize> {
    let from = (chosen + 1).saturating_sub(height);
    from..n_lines.min(from + height)
}

/// A line with room for the rest of a name at its end.
pub(super) fn line(spans: Vec<(String, Style)>) -> Line<'static> {
    Line::from(spans.into_iter().map(|(text, style)| Span::styled(text, style)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_path_the_end_is_shown() {
        let check = |width, shown: &str| assert_eq!(end_of("shop::Sessions::create", width), shown);
        check(22, "shop::Sessions::create");
        check(17, "…Sessions::create");
        check(1, "…");
        check(0, "…");
    }
}
