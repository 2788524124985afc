//! The dependency in `Cargo.toml`, behind a feature: a build without it has nothing of the shim.

use anyhow::Context;
use toml_edit::{Array, DocumentMut, Item, Table, value};

use crate::source::Source;

/// The dependency, and the feature that brings it.
pub(super) const NAME: &str = "heaptide";

/// The manifest with both, and whether the line in the program has to stand behind the feature:
/// where somebody has the dependency in every build already, it has not.
pub(super) fn edited(text: &str, source: &Source) -> anyhow::Result<(String, bool)> {
    let mut manifest: DocumentMut = text.parse().context("it is no TOML")?;
    let dependencies = table(&mut manifest, "dependencies")?;
    let dependency = dependencies.entry(NAME).or_insert_with(|| Item::Value(source.dependency()));
    let is_optional = dependency.get("optional").and_then(Item::as_bool) == Some(true);
    if !is_optional {
        return Ok((manifest.to_string(), false));
    }
    let mut enables = Array::new();
    enables.push(format!("dep:{NAME}"));
    table(&mut manifest, "features")?.entry(NAME).or_insert_with(|| value(enables));
    Ok((manifest.to_string(), true))
}

fn table<'a>(manifest: &'a mut DocumentMut, name: &str) -> anyhow::Result<&'a mut Table> {
    let entry = manifest.entry(name).or_insert_with(|| Item::Table(Table::new()));
    entry.as_table_mut().with_context(|| format!("`{name}` is no table"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIT: &str = "heaptide = { git = \"https://example.org/h\", optional = true }\n";

    #[test]
    fn what_is_missing_is_added_and_the_rest_stays() -> anyhow::Result<()> {
        let source = Source::Git("https://example.org/h".into());
        let check = |before: &str, after: &str, behind_feature: bool| -> anyhow::Result<()> {
            assert_eq!(edited(before, &source)?, (after.to_owned(), behind_feature));
            assert_eq!(edited(after, &source)?, (after.to_owned(), behind_feature), "once more");
            Ok(())
        };
        let package = "[package]\nname = \"shop\"   # ours\n";
        let feature = "\n[features]\nheaptide = [\"dep:heaptide\"]\n";
        check(package, &format!("{package}\n[dependencies]\n{GIT}{feature}"), true)?;
        let features = "[features]\ndefault = []\n";
        check(
            &format!(
                "{features}\n[dependencies]\naxum = \"0.8\"\n\n[profile.release]\nlto = true\n"
            ),
            &format!(
                "{features}heaptide = [\"dep:heaptide\"]\n\n[dependencies]\naxum = \"0.8\"\n{GIT}\n\
                 [profile.release]\nlto = true\n"
            ),
            true,
        )?;
        let in_every_build = "[dependencies]\nheaptide = \"0.1\"\n";
        check(in_every_build, in_every_build, false)?;
        let as_a_table = "[dependencies.heaptide]\npath = \"../h\"\noptional = true\n";
        check(as_a_table, &format!("{as_a_table}{feature}"), true)?;
        assert!(edited("[dependencies", &source).is_err());
        assert!(edited("dependencies = 1\n", &source).is_err());
        Ok(())
    }
}
