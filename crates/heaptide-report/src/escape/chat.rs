//! Text for a chat service, which makes more of a message than its words.

use super::escaped::{Escaped, Rules, revealed};

/// A recording calls nobody, and leads nowhere behind other words. Services write that differently
/// (`<!channel>`, `<https://a|b>`, `@everyone`, `[b](https://a)`, `[[a]]`), and have no escape in common that each of
/// them hides: so what begins one of these is written as a character that looks like it, or torn apart by a
/// space. Bold and slanted words do no harm.
#[derive(Debug)]
pub(crate) enum Chat {}

impl Rules for Chat {
    fn escape(text: &str) -> String {
        let text = revealed(text);
        let mut escaped = String::with_capacity(text.len());
        for (at, character) in text.char_indices() {
            let (before, after) = (&text[..at], &text[at + character.len_utf8()..]);
            escaped.push(match character {
                '<' => '‹',
                '>' => '›',
                '@' => '＠',
                other => other,
            });
            let begins_link = character == ']' && after.starts_with(['(', '[', ':'])
                || character == '[' && after.starts_with('[')
                || character == ':' && after.starts_with("//")
                || character == '.' && before.to_ascii_lowercase().ends_with("www");
            if begins_link {
                escaped.push(' ');
            }
        }
        escaped
    }
}

impl Escaped<Chat> {
    /// The beginning of it, as many characters as a message may have.
    pub(crate) fn beginning(self, n_chars: usize) -> Self {
        match self.char_indices().nth(n_chars) {
            Some((end, _)) => Self::of(format!("{}…", &self[..end])),
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_calls_nobody_and_leads_nowhere() {
        for (text, shown) in [
            (
                "shop::Cart::add::{closure#0} at src/a.rs:7",
                "shop::Cart::add::{closure#0} at src/a.rs:7",
            ),
            ("<!channel> <https://a|b>", "‹!channel› ‹https: //a|b›"),
            ("@everyone Vec<u8>", "＠everyone Vec‹u8›"),
            ("[a](b) ![c](d)", "[a] (b) ![c] (d)"),
            ("[[a]]", "[ [a]]"),
            ("www.a.example", "www. a.example"),
            ("a\u{1b}[1m\n", "a\\u{1b}[1m\\n"),
        ] {
            assert_eq!(&*Escaped::<Chat>::text(text), shown);
        }
    }

    /// A function's name of 200 KiB would not have fitted into a variable of the environment.
    #[test]
    fn a_message_has_an_end() {
        assert_eq!(&*Escaped::<Chat>::text("größe").beginning(3), "grö…");
        assert_eq!(&*Escaped::<Chat>::text("größe").beginning(5), "größe");
    }
}
