//! Text for a page of HTML.

use serde::Serialize;

use super::document;
use super::escaped::{Escaped, Rules, revealed};

/// Good for the text of an element and for the value of an attribute in quotes; not inside `<script>` or
/// `<style>`, and not for an address.
#[derive(Debug)]
pub enum Html {}

impl Rules for Html {
    fn escape(text: &str) -> String {
        let mut escaped = String::with_capacity(text.len());
        for character in revealed(text).chars() {
            match character {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                '`' => escaped.push_str("&#96;"),
                // A runner that sees the page in its log takes `##[` for the beginning of a command.
                '[' if escaped.ends_with("##") => escaped.push_str("&#91;"),
                other => escaped.push(other),
            }
        }
        escaped
    }
}

impl Escaped<Html> {
    /// A value as JSON, for a `<script type="application/json">`. Whatever stands in a string, nothing can
    /// end the element or begin another: the characters that could are written as escapes.
    pub(crate) fn data(value: &impl Serialize) -> Self {
        // Structs, strings and maps with string keys always have a JSON form.
        let json = serde_json::to_string(value).unwrap_or_default();
        let mut data = String::with_capacity(json.len() + json.len() / 64);
        for character in json.chars() {
            match character {
                // These are found in strings only, where an escape stands for them.
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    data.push_str(&format!("\\u{:04x}", u32::from(character)));
                }
                other => data.push(other),
            }
        }
        Self::of(document::json(&data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_end_its_element() {
        let hostile = "</script><script>alert(1)</script><!-- & \u{2028}\u{2029} \" '";
        let data = Escaped::data(&hostile);
        assert!(!data.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{data}");
        assert_eq!(serde_json::from_str::<String>(&data).ok().as_deref(), Some(hostile));
    }
}
