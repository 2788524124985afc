//! Text for a page of HTML.

use super::{Rules, revealed};

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
                other => escaped.push(other),
            }
        }
        escaped
    }
}
