//! Values inside a page: as data that no browser can take for markup, and as text.

use serde::Serialize;

/// JSON for a `<script type="application/json">`. Whatever stands in a string, nothing here can end the
/// element or begin another: the characters that could are written as escapes.
pub(super) fn json(value: &impl Serialize) -> String {
    // Structs, strings and maps with string keys always have a JSON form.
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut safe = String::with_capacity(text.len() + text.len() / 64);
    for c in text.chars() {
        match c {
            // These are found in strings only, where an escape stands for them.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                safe.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => safe.push(c),
        }
    }
    safe
}

/// Text between tags, and in an attribute within double quotes.
pub(super) fn text(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_is_markup() {
        let hostile = "</script><script>alert(1)</script><!-- & \u{2028}\u{2029} \" '";
        let json = json(&hostile);
        assert!(!json.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).ok().as_deref(), Some(hostile));
        let text = text(hostile);
        assert!(!text.contains(['<', '>', '"', '\'']), "{text}");
        assert!(text.starts_with("&lt;/script&gt;"), "{text}");
    }
}
