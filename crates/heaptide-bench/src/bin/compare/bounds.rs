//! Numbers that are held: counted once, written to a file, and not to be exceeded by more than a few per
//! cent. `UPDATE=1` writes what is counted now.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use ci::program::{root, write_if_changed};

/// What compilers and C libraries may differ by.
const TOLERANCE_PERCENT: f64 = 3.0;

/// What the shim adds, by name.
pub(crate) type Added = BTreeMap<String, f64>;

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    added: Added,
}

/// The bounds in `file`, after writing what was counted there if that is wanted; `about` stands on top.
pub(crate) fn of(file: &str, about: &str, added: &Added) -> Result<Added> {
    let path = root().join(file);
    if std::env::var_os("UPDATE").is_some() {
        let text = format!("{about}\n{}", toml::to_string(&Bounds { added: added.clone() })?);
        write_if_changed(&path, text.as_bytes())?;
    }
    read(&path)
}

fn read(path: &Path) -> Result<Added> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let bounds: Bounds = toml::from_str(&text).with_context(|| path.display().to_string())?;
    Ok(bounds.added)
}

/// Prints each number beside its bound; those over it, in words.
pub(crate) fn exceeded(added: &Added, bounds: &Added, unit: &str) -> Result<Vec<String>> {
    let mut over = Vec::new();
    for (key, &counted) in added {
        let bound = *bounds.get(key).with_context(|| format!("no bound for `{key}`"))?;
        println!("  {key:<11} {counted:>8.1}, at most {bound:.1}{}", remark(counted, bound));
        if counted > allowed(bound) {
            over.push(format!("{key} adds {counted:.1} {unit}, more than {bound:.1}"));
        }
    }
    Ok(over)
}

/// A few per cent more, and one, or the smallest bounds would have no room at all.
fn allowed(bound: f64) -> f64 {
    bound * (1.0 + TOLERANCE_PERCENT / 100.0) + 1.0
}

fn remark(counted: f64, bound: f64) -> &'static str {
    if allowed(counted) < bound { " (better: lower the bound with UPDATE=1)" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(counted: f64, holds: bool) {
        let table = |number| BTreeMap::from([("exact".into(), number)]);
        let over = exceeded(&table(counted), &table(200.0), "instructions").expect("a bound");
        assert_eq!(over.is_empty(), holds, "{counted}");
    }

    #[test]
    fn a_bound_holds_until_it_is_exceeded_by_a_few_per_cent() {
        check(150.0, true);
        check(206.0, true);
        check(208.0, false);
    }
}
