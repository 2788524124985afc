//! `cargo ci house [DIR]`: the house in figures, a row for each package of this checkout, or of the
//! one in `DIR`.
//!
//! Nothing is judged: the figures are there to be compared, with the same checkout of before and
//! with other people's houses. Limits that are held stand in `tidy` and in the lints.

mod count;

use std::path::Path;

use anyhow::Result;

use ci::program::root;
use count::Counts;

use crate::source::file::tracked;
use crate::source::graph::{circles, nodes};
use crate::source::package::{Kind, Package, packages};

const HEAD: [&str; 12] = [
    "package",
    "files",
    "code",
    "file med/p90/max",
    "fn med/p90/max",
    "unsafe argued",
    "tests ÷ code",
    "docs ÷ code",
    "comments ÷ code",
    "public",
    "documented",
    "in circles",
];

/// One row of the table.
#[derive(Default)]
struct Row {
    name: String,
    /// Code lines of each source file.
    files: Vec<usize>,
    counts: Counts,
    in_circles: usize,
}

pub(crate) fn run() -> Result<()> {
    print(&root())
}

/// Prints the table of the checkout in `top`.
pub(crate) fn print(top: &Path) -> Result<()> {
    let files = tracked(top)?;
    let mut rows = Vec::new();
    for package in packages(&files)? {
        if !package.modules.is_empty() {
            rows.push(row(&package)?);
        }
    }
    let mut all = Row { name: "all".to_owned(), ..Row::default() };
    for row in &rows {
        all.files.extend(&row.files);
        all.counts.add(&row.counts);
        all.in_circles += row.in_circles;
    }
    println!("{}", table(&HEAD.map(str::to_owned)));
    println!("{}", table(&HEAD.map(|_| "---".to_owned())));
    rows.iter().chain([&all]).for_each(|row| println!("{}", table(&row.cells())));
    Ok(())
}

fn row(package: &Package<'_>) -> Result<Row> {
    let mut row = Row { name: package.name.clone(), ..Row::default() };
    for module in &package.modules {
        let counts = match module.kind {
            Kind::Tests => count::test(module.file)?,
            Kind::Root | Kind::Inner => count::source(module.file, &module.syntax)?,
        };
        if module.kind != Kind::Tests {
            row.files.push(counts.code);
        }
        row.counts.add(&counts);
    }
    for file in &package.tests {
        row.counts.add(&count::test(file)?);
    }
    row.in_circles = circles(&nodes(package)).iter().map(std::collections::BTreeSet::len).sum();
    Ok(row)
}

impl Row {
    fn cells(&self) -> [String; 12] {
        let counts = &self.counts;
        let to_code = |lines: usize| match counts.code {
            0 => "–".to_owned(),
            code => format!("{:.3}", lines as f64 / code as f64),
        };
        [
            self.name.clone(),
            self.files.len().to_string(),
            counts.code.to_string(),
            spread(&self.files),
            spread(&counts.functions),
            format!("{}/{}", counts.argued, counts.unsafe_blocks),
            to_code(counts.tests),
            to_code(counts.docs),
            to_code(counts.comments),
            counts.public.to_string(),
            match counts.public {
                0 => "–".to_owned(),
                public => format!("{} %", 100 * counts.documented / public),
            },
            self.in_circles.to_string(),
        ]
    }
}

/// The median, the least that nine tenths do not exceed, and the most.
fn spread(values: &[usize]) -> String {
    let mut values = values.to_vec();
    values.sort_unstable();
    let at = |tenths: usize| values.get((values.len() * tenths).div_ceil(10).saturating_sub(1));
    match (at(5), at(9), values.last()) {
        (Some(median), Some(ninth), Some(most)) => format!("{median}/{ninth}/{most}"),
        _ => "–".to_owned(),
    }
}

fn table(cells: &[String; 12]) -> String {
    format!("| {} |", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::file::tests::file;

    #[test]
    fn a_spread_is_made_of_values_that_are_there() {
        assert_eq!(spread(&[]), "–");
        assert_eq!(spread(&[7]), "7/7/7");
        assert_eq!(spread(&[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]), "5/9/10");
    }

    #[test]
    fn a_row_holds_the_package() -> Result<()> {
        let files = [
            file("shop/Cargo.toml", "[package]\nname = \"shop\"\n"),
            file("shop/src/order.rs", "use crate::stock::Shelf;\nfn f() {}\n"),
            file("shop/src/stock.rs", "use crate::order::Order;\n"),
            file("shop/tests/it.rs", "fn t() {}\n"),
        ];
        let row = row(&packages(&files)?[0])?;
        let cells = row.cells().join(" ");
        assert_eq!(cells, "shop 2 3 1/2/2 1/1/1 0/0 0.333 0.000 0.000 0 – 2");
        Ok(())
    }
}
