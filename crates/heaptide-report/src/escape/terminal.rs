//! Text for a terminal, or for the log of a CI runner, which reads along.

use anstyle::Style;

use super::escaped::{Escaped, Rules, revealed};

/// Escape sequences and line ends are the program's. Where the output is the log of a GitHub runner, a
/// line that begins with `::error::` and one that has `##[error]` anywhere would be commands to it.
#[derive(Debug)]
pub enum Terminal {}

impl Rules for Terminal {
    fn escape(text: &str) -> String {
        let mut escaped = String::with_capacity(text.len());
        let mut begins_word = true;
        let text = revealed(text);
        for (at, character) in text.char_indices() {
            let rest = &text[at..];
            if begins_word && rest.starts_with("::") {
                escaped.push_str("\\u{3a}");
            } else if rest.starts_with("[") && text[..at].ends_with("##") {
                escaped.push_str("\\u{5b}");
            } else {
                escaped.push(character);
            }
            // A sentence may be wrapped at any space, and each word then begins a line.
            begins_word = character.is_whitespace();
        }
        escaped
    }
}

impl Escaped<Terminal> {
    /// In a style, by an escape sequence.
    pub fn painted(self, style: Style) -> Self {
        Self::of(format!("{style}{self}{style:#}"))
    }

    /// A sentence on lines of at most `width` columns, which begin with `first` and `rest`.
    pub(crate) fn wrapped(width: usize, first: &str, rest: &str, text: &str) -> Self {
        let (first, rest, text) = (Self::text(first), Self::text(rest), Self::text(text));
        let options = textwrap::Options::new(width)
            .initial_indent(&first)
            .subsequent_indent(&rest)
            // What is broken cannot be copied: no path at its hyphens, no long name at all.
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .break_words(false);
        Self::of(textwrap::fill(&text, options))
    }

    /// The lines of a text whose line ends are the program's, each escaped.
    pub(crate) fn lines(text: &str) -> Self {
        Self::join(text.split('\n').map(Self::text), "\n")
    }

    /// This without its first `n_bytes`.
    pub(crate) fn without_first(&self, n_bytes: usize) -> Self {
        Self::of(self.get(n_bytes..).unwrap_or_default().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_sees_text_alone() {
        for (text, shown) in [
            ("shop::Cart<T>::add::{closure#0} [a::b]", "shop::Cart<T>::add::{closure#0} [a::b]"),
            ("\u{1b}]52;c;aGk=\u{7}", "\\u{1b}]52;c;aGk=\\u{7}"),
            ("::error::x", "\\u{3a}:error::x"),
            ("a  ::error::x", "a  \\u{3a}:error::x"),
            ("a ##[error]x ####[b]", "a ##\\u{5b}error]x ####\\u{5b}b]"),
            ("a\n::stop-commands::x", "a\\n::stop-commands::x"),
        ] {
            assert_eq!(&*Escaped::<Terminal>::text(text), shown);
            assert_eq!(&*Escaped::<Terminal>::text(shown), shown, "escaping it again");
        }
    }

    /// A word that begins a line only because the sentence was wrapped there.
    #[test]
    fn no_wrapped_line_is_a_command() {
        let text = "of ::error::x and ::error::y";
        for width in 1..40 {
            let page = Escaped::<Terminal>::wrapped(width, "  ", "    ", text);
            assert!(page.lines().all(|line| !line.trim_start().starts_with("::")), "{page}");
        }
    }
}
