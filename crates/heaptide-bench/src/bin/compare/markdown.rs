//! Tables and numbers as people read them.

use crate::results::Spread;

/// A table whose first column is text and whose others are numbers.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let rule = format!("|---|{}", "--:|".repeat(head.len().saturating_sub(1)));
    let line = |cells: Vec<&str>| format!("| {} |", cells.join(" | "));
    let lines = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    let all: Vec<String> = [line(head.to_vec()), rule].into_iter().chain(lines).collect();
    all.join("\n") + "\n"
}

/// Three digits that say something, and all of those before the point.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 1_000.0 => grouped(value),
        large if large >= 99.95 => format!("{value:.0}"),
        large if large >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value < 0.0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number that may not be there.
pub(crate) fn cell(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), number)
}

/// A median with its extremes.
pub(crate) fn spread(value: Option<Spread>) -> String {
    value.map_or_else(
        || "–".to_owned(),
        |s| format!("{} ({} to {})", number(s.median), number(s.least), number(s.most)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_digits_as_they_deserve() {
        let shown = [0.456, 9.99, 45.66, 99.99, 999.4, 1_234_567.8, -2_541.0].map(number);
        assert_eq!(shown, ["0.46", "9.99", "45.7", "100", "999", "1,234,568", "-2,541"]);
    }

    #[test]
    fn a_table_has_a_rule_below_its_head() {
        let rows = [vec!["System".to_owned(), "1".to_owned()]];
        assert_eq!(table(&["who", "n"], &rows), "| who | n |\n|---|--:|\n| System | 1 |\n");
    }
}
