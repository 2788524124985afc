//! Text for GitHub's Markdown: a comment, or the summary of a job.

use super::escaped::{Escaped, Rules, revealed};
use super::html::Html;

/// Markup, raw HTML, links, and names of people and issues are the program's. GitHub looks for the last
/// three in what was rendered, where no backslash is left: an empty comment tears them apart there.
#[derive(Debug)]
pub(crate) enum Markdown {}

/// Stands in the source, and nowhere on the page.
const NOTHING: &str = "<!-- -->";

impl Rules for Markdown {
    fn escape(text: &str) -> String {
        let text = revealed(text);
        let mut escaped = String::with_capacity(text.len());
        let mut begins_text = true;
        for (at, character) in text.char_indices() {
            let (before, after) = (&text[..at], &text[at + character.len_utf8()..]);
            // Where a text may be the beginning of a line, these make a heading, a list, a rule.
            let begins_block = begins_text
                && match character {
                    '#' | '=' => true,
                    '-' | '+' | '.' | ')' => !after.starts_with(char::is_alphanumeric),
                    _ => false,
                };
            let is_markup = matches!(
                character,
                '<' | '>' | '*' | '_' | '`' | '|' | '[' | ']' | '\\' | '&' | '~' | '$'
            );
            // What begins a line after it was wrapped, and would be a command to GitHub's runner.
            let begins_command = character == ':'
                && after.starts_with(':')
                && !before.ends_with(|c: char| !c.is_whitespace());
            if is_markup || begins_block || begins_command {
                escaped.push('\\');
            }
            escaped.push(character);
            let names_somebody = character == '@' && !after.is_empty();
            let names_an_issue = (character == '#' || before.ends_with("GH") && character == '-')
                && after.starts_with(|c: char| c.is_ascii_digit());
            let begins_link = character == ':' && after.starts_with("//")
                || character == '.' && before.to_ascii_lowercase().ends_with("www");
            if names_somebody || names_an_issue || begins_link {
                escaped.push_str(NOTHING);
            }
            begins_text &= character.is_ascii_digit() || character == ' ';
        }
        escaped
    }
}

impl Escaped<Markdown> {
    /// Text as code, also inside a table; nothing of what is empty.
    pub(crate) fn code(text: &str) -> Self {
        match text.is_empty() {
            true => Self::new(),
            false => Self::of(format!("`{}`", as_code(text).replace('|', "\\|"))),
        }
    }

    /// Lines as a block of code. `language` says which.
    pub(crate) fn fenced<'a>(language: &'static str, lines: impl Iterator<Item = &'a str>) -> Self {
        let lines: String = lines.map(|line| as_line_of_code(line) + "\n").collect();
        Self::of(format!("```{language}\n{lines}```\n"))
    }

    /// Text inside an element of HTML, where Markdown has no say.
    pub(crate) fn html(text: &str) -> Self {
        Self::of(Escaped::<Html>::text(text).into())
    }
}

/// Inside code nothing can be escaped, so what would end it, or be read by a runner that sees the page in
/// its log, is replaced.
fn as_code(text: &str) -> String {
    revealed(text).replace('`', "'").replace("##[", "## [")
}

/// The same where it is a line: one that begins with two colons would be a command to the runner.
fn as_line_of_code(text: &str) -> String {
    let code = as_code(text);
    match code.trim_start().starts_with("::") {
        true => code.replacen("::", "\\u{3a}:", 1),
        false => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_taken_for_no_markup() {
        for (text, source) in [
            ("shop::Cart::add::{closure#n}", "shop::Cart::add::{closure#n}"),
            ("<script>", "\\<script\\>"),
            ("&lt;", "\\&lt;"),
            ("@everyone", "@<!-- -->everyone"),
            ("a#12 GH-3", "a#<!-- -->12 GH-<!-- -->3"),
            ("https://x www.x", "https:<!-- -->//x www.<!-- -->x"),
            ("[a](b)", "\\[a\\](b)"),
            ("1. a", "1\\. a"),
            ("- a", "\\- a"),
            ("---", "\\---"),
            ("+0.25", "+0.25"),
            ("a\n\n# b", "a\\\\n\\\\n# b"),
        ] {
            assert_eq!(&*Escaped::<Markdown>::text(text), source);
        }
    }

    #[test]
    fn code_ends_where_the_program_ends_it() {
        assert_eq!(&*Escaped::<Markdown>::code("a`b|c\nd"), "`a'b\\|c\\nd`");
        let lines = ["```", "a ##[b]", "<i>", "  ::{closure#1}", "a::b"].into_iter();
        let block = "```text\n'''\na ## [b]\n<i>\n  \\u{3a}:{closure#1}\na::b\n```\n";
        assert_eq!(&*Escaped::<Markdown>::fenced("text", lines), block);
    }
}
