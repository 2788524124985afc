//! What is escaped, and what it is made of: literals of the program, and text by the rules.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

/// What an output takes for more than text, and how to keep text from being taken for it.
pub trait Rules {
    /// Text as this output shows it. Escaping what was escaped may escape it once more, but lets
    /// nothing through.
    fn escape(text: &str) -> String;
}

/// A part of an output in which all text of others is escaped by the rules `R`.
pub struct Escaped<R> {
    whole: String,
    rules: PhantomData<fn() -> R>,
}

impl<R: Rules> Escaped<R> {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::of(String::new())
    }

    /// A literal of the program: markup, or words that need no escaping.
    pub fn markup(literal: &'static str) -> Self {
        Self::of(literal.to_owned())
    }

    /// Text of anybody, escaped.
    pub fn text(text: &str) -> Self {
        Self::of(R::escape(text))
    }

    /// A literal with each `{}` replaced by the next part; parts that are left over are dropped.
    pub fn fill<const N: usize>(template: &'static str, parts: [Self; N]) -> Self {
        let mut parts = parts.into_iter();
        let mut filled = Self::new();
        for (n, literal) in template.split("{}").enumerate() {
            if let Some(part) = (n > 0).then(|| parts.next()).flatten() {
                filled.push(&part);
            }
            filled.whole.push_str(literal);
        }
        filled
    }

    /// The parts with `separator` between them.
    pub fn join(parts: impl IntoIterator<Item = Self>, separator: &'static str) -> Self {
        let mut joined = Self::new();
        for (n, part) in parts.into_iter().enumerate() {
            if n > 0 {
                joined.whole.push_str(separator);
            }
            joined.push(&part);
        }
        joined
    }

    /// Adds a part.
    pub fn push(&mut self, part: &Self) {
        self.whole.push_str(&part.whole);
    }

    /// Adds a literal of the program.
    pub fn push_markup(&mut self, literal: &'static str) {
        self.whole.push_str(literal);
    }

    /// For the rules alone: the only way to text that nobody escaped.
    pub(super) fn of(whole: String) -> Self {
        Self { whole, rules: PhantomData }
    }
}

impl<R: Rules> Default for Escaped<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> Clone for Escaped<R> {
    fn clone(&self) -> Self {
        Self { whole: self.whole.clone(), rules: PhantomData }
    }
}

impl<R> Deref for Escaped<R> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.whole
    }
}

impl<R> fmt::Display for Escaped<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.whole)
    }
}

impl<R> fmt::Debug for Escaped<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.whole, f)
    }
}

impl<R> From<Escaped<R>> for String {
    fn from(escaped: Escaped<R>) -> Self {
        escaped.whole
    }
}

/// Whether a character steers an output or the eye rather than being seen: control characters (C0, DEL,
/// C1), line and paragraph separators, controls of writing direction, and invisible ones.
pub(super) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Text with hidden characters spelt out, as Rust spells them.
pub(super) fn revealed(text: &str) -> String {
    let mut revealed = String::with_capacity(text.len());
    for character in text.chars() {
        match is_hidden(character) {
            true => revealed.extend(character.escape_default()),
            false => revealed.push(character),
        }
    }
    revealed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_spelt_out() {
        for (text, shown) in [
            ("\u{1b}[2J\r\n\u{0}\u{7f}", "\\u{1b}[2J\\r\\n\\u{0}\\u{7f}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\u{202e}b\u{2066}c\u{200b}\u{feff}", "a\\u{202e}b\\u{2066}c\\u{200b}\\u{feff}"),
            ("\u{2028}\u{e0041}", "\\u{2028}\\u{e0041}"),
            ("<Vec<T> as Ünï>::{closure#0} \\", "<Vec<T> as Ünï>::{closure#0} \\"),
        ] {
            assert_eq!(revealed(text), shown);
        }
    }
}
