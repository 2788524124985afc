//! Sparklines: eight heights, one column a number.

const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Zero is no low bar: a column in which nothing is left differs from one in which little is.
const NOTHING: char = '·';

/// Draws `numbers`, neighbours summed up where there are more than `width`; zero is a dot.
pub(crate) fn draw(numbers: &[u64], width: usize) -> String {
    let per_column = numbers.len().div_ceil(width.max(1)).max(1);
    let columns: Vec<u64> = numbers.chunks(per_column).map(|chunk| chunk.iter().sum()).collect();
    draw_up_to(&columns, columns.iter().copied().max().unwrap_or(0))
}

/// Draws each of `numbers`, the highest bar being `highest`.
pub(crate) fn draw_up_to(numbers: &[u64], highest: u64) -> String {
    numbers.iter().map(|&number| height(number, highest)).collect()
}

fn height(number: u64, highest: u64) -> char {
    if number == 0 {
        return NOTHING;
    }
    let step = u128::from(number) * 7 / u128::from(highest.max(1));
    HEIGHTS[usize::try_from(step).unwrap_or(7).min(7)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_are_relative_and_zero_is_nothing() {
        assert_eq!(draw(&[0, 1, 50, 100], 10), "·▁▄█");
        assert_eq!(draw(&[], 10), "");
        assert_eq!(draw(&[0, 0], 10), "··");
        assert_eq!(draw(&[u64::MAX], 10), "█");
    }

    #[test]
    fn more_numbers_than_columns_are_summed_up() {
        assert_eq!(draw(&[1; 40], 20), "█".repeat(20));
        assert_eq!(draw(&[1, 1, 1], 2), "█▄");
    }
}
