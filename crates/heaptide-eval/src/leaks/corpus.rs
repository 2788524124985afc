//! The manifest of the corpus, `crates/heaptide-eval/leaks/leaks.toml`.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use ci::program::root;

/// A program that leaks and its healthy twin.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Who reported it.
    #[expect(dead_code, reason = "for the reader of the manifest")]
    link: String,
    #[serde(default)]
    pub(crate) leaky: toml::Table,
    #[serde(default)]
    pub(crate) fixed: toml::Table,
    /// Crates, besides the driver, in which the finding may lie.
    #[serde(default)]
    pub(crate) site: Vec<String>,
    /// Why forty snapshots are too few to decide, if they are.
    pub(crate) suspect: Option<String>,
    pub(crate) objects_per_op: f64,
    pub(crate) bytes_per_op: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Corpus {
    case: Vec<Case>,
}

/// All cases, or those that `chosen` names.
pub(crate) fn cases(chosen: Option<&str>) -> Result<Vec<Case>> {
    let path = root().join("crates/heaptide-eval/leaks/leaks.toml");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let corpus: Corpus = toml::from_str(&text).with_context(|| path.display().to_string())?;
    let mut cases = corpus.case;
    if let Some(chosen) = chosen {
        let names: Vec<_> = chosen.split(',').collect();
        cases.retain(|case| names.contains(&case.name.as_str()));
        ensure!(!cases.is_empty(), "no case of {} is called `{chosen}`", path.display());
    }
    Ok(cases)
}
