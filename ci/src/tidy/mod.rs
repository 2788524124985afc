//! `cargo ci tidy`: tests of the repository itself, for what neither compiler nor lint looks at.
//!
//! Every rule is a function over the tracked files that returns what it found; all are run, so one
//! pass shows everything there is to fix.

mod fence;
mod layers;
mod text;

use anyhow::{Result, ensure};

use ci::program::root;

use crate::source::file::{File, tracked};

/// Looks at all files, and returns its complaints.
type Rule = fn(&[File]) -> Vec<String>;

const RULES: &[Rule] = &[
    house,
    text::trailing_space,
    text::places_of_one_machine,
    text::module_docs,
    text::length,
    text::empty_names,
    text::lock_sources,
    fence::unsafe_code,
    layers::layers,
];

pub(crate) fn run() -> Result<()> {
    let files = tracked(&root())?;
    let complaints: Vec<_> = RULES.iter().flat_map(|rule| rule(&files)).collect();
    for complaint in &complaints {
        println!("{complaint}");
    }
    ensure!(complaints.is_empty(), "{} things to tidy", complaints.len());
    println!("{} files are tidy", files.len());
    Ok(())
}

/// What stands at the top of the checkout, beside dot-files.
const HOUSE: [&str; 10] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "ci",
    "crates",
    "docs",
    "examples",
];

fn house(files: &[File]) -> Vec<String> {
    let mut tops: Vec<&str> = files.iter().filter_map(|file| file.path.split('/').next()).collect();
    tops.sort_unstable();
    tops.dedup();
    let strange = tops.iter().filter(|top| !top.starts_with('.') && !HOUSE.contains(top));
    let missing = HOUSE.iter().filter(|name| !tops.contains(name));
    let strange = strange.map(|top| format!("{top}: does not belong at the top of the house"));
    let missing = missing.map(|name| format!("{name}: is missing at the top of the house"));
    strange.chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::file::tests::file;

    #[test]
    fn the_house_is_exact() {
        let mut files: Vec<_> = HOUSE.iter().map(|name| file(name, "")).collect();
        files.push(file(".gitignore", ""));
        assert!(house(&files).is_empty());
        files.push(file("scripts/build.sh", ""));
        files.remove(0);
        assert_eq!(house(&files).len(), 2);
    }
}
