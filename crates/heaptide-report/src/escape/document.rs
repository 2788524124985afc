//! What a library wrote as a whole document, and escaped so that programs read it right, made fit for
//! people and logs that see it too.

use super::escaped::is_hidden;

/// JSON with hidden characters as `\u` escapes: serde leaves those above U+007E as they are. Outside of
/// strings there are none of them but line ends.
pub(crate) fn json(document: &str) -> String {
    replaced(document, "##\\u005b", |character| {
        let mut units = [0; 2];
        let units = character.encode_utf16(&mut units);
        units.iter().map(|unit| format!("\\u{unit:04x}")).collect()
    })
}

/// XML with hidden characters spelt out: XML 1.0 has no way to write most of them.
/// Nor may a line begin as a command to GitHub's runner does.
pub(crate) fn xml(document: &str) -> String {
    let line = |line: &str| match line.trim_start().starts_with("::") {
        true => line.replacen("::", "&#58;:", 1),
        false => line.to_owned(),
    };
    let document: String = document.split_inclusive('\n').map(line).collect();
    replaced(&document, "##&#91;", |character| character.escape_default().to_string())
}

/// With hidden characters replaced, and with `bracket` for what GitHub's runner takes for the beginning of
/// a command anywhere in a line.
fn replaced(document: &str, bracket: &str, spell: impl Fn(char) -> String) -> String {
    let document = document.replace("##[", bracket);
    let mut replaced = String::with_capacity(document.len());
    for character in document.chars() {
        match is_hidden(character) && character != '\n' {
            true => replaced.push_str(&spell(character)),
            false => replaced.push(character),
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({ "\u{9b}": "##[a]\u{1b}\u{202e}\u{e0041}\n" });
        let text = json(&value.to_string());
        assert!(text.is_ascii() && !text.contains("##["), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).ok(), Some(value));
    }
}
