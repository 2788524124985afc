//! The dependency in `Cargo.toml`, behind a feature: a build without it has nothing of the shim. A
//! library has it for its tests alone.

use anyhow::Context;
use toml_edit::{Array, DocumentMut, Item, Table, value};

use crate::source::Source;

/// The dependency, and the feature that brings it.
pub(super) const NAME: &str = "heaptide";
const TESTING: &str = "heaptide-testing";

/// The manifest with both, and the feature that the line in the program has to stand behind: none where
/// somebody has the dependency in every build already.
pub(super) fn edited(text: &str, source: &Source) -> anyhow::Result<(String, Option<String>)> {
    let mut manifest: DocumentMut = text.parse().context("it is no TOML")?;
    let dependencies = table(&mut manifest, "dependencies")?;
    let dependency = dependencies.entry(NAME).or_insert_with(|| {
        let mut table = source.dependency(NAME);
        table.insert("optional", true.into());
        value(table)
    });
    let is_optional = dependency.get("optional").and_then(Item::as_bool) == Some(true);
    if !is_optional {
        return Ok((manifest.to_string(), None));
    }
    let features = table(&mut manifest, "features")?;
    let feature = enabling(features).unwrap_or_else(|| {
        features.insert(NAME, value(Array::from_iter([format!("dep:{NAME}")])));
        NAME.to_owned()
    });
    Ok((manifest.to_string(), Some(feature)))
}

/// The manifest with what growth tests need.
pub(super) fn edited_for_tests(text: &str, source: &Source) -> anyhow::Result<String> {
    let mut manifest: DocumentMut = text.parse().context("it is no TOML")?;
    let dependencies = table(&mut manifest, "dev-dependencies")?;
    for name in [NAME, TESTING] {
        dependencies.entry(name).or_insert_with(|| value(source.dependency(name)));
    }
    Ok(manifest.to_string())
}

/// The feature that brings the dependency already: of its name, or else the first that lists it.
fn enabling(features: &Table) -> Option<String> {
    let lists_it = |item: &Item| {
        let mut names = item.as_array().into_iter().flatten().filter_map(|it| it.as_str());
        names.any(|it| it.strip_prefix("dep:").unwrap_or(it) == NAME)
    };
    let of_the_name = features.contains_key(NAME).then_some(NAME);
    let listing = || features.iter().find(|(_, item)| lists_it(item)).map(|(name, _)| name);
    of_the_name.or_else(listing).map(str::to_owned)
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
        let check = |before: &str, after: &str, feature: Option<&str>| -> anyhow::Result<()> {
            let expected = (after.to_owned(), feature.map(str::to_owned));
            assert_eq!(edited(before, &source)?, expected);
            assert_eq!(edited(after, &source)?, expected, "once more");
            Ok(())
        };
        let package = "[package]\nname = \"shop\"   # ours\n";
        let feature = "\n[features]\nheaptide = [\"dep:heaptide\"]\n";
        check(package, &format!("{package}\n[dependencies]\n{GIT}{feature}"), Some(NAME))?;
        let features = "[features]\ndefault = []\n";
        check(
            &format!(
                "{features}\n[dependencies]\naxum = \"0.8\"\n\n[profile.release]\nlto = true\n"
            ),
            &format!(
                "{features}heaptide = [\"dep:heaptide\"]\n\n[dependencies]\naxum = \"0.8\"\n{GIT}\n\
                 [profile.release]\nlto = true\n"
            ),
            Some(NAME),
        )?;
        let in_every_build = "[dependencies]\nheaptide = \"0.1\"\n";
        check(in_every_build, in_every_build, None)?;
        let as_a_table = "[dependencies.heaptide]\npath = \"../h\"\noptional = true\n";
        check(as_a_table, &format!("{as_a_table}{feature}"), Some(NAME))?;
        for lists_it in ["dep:heaptide", "heaptide"] {
            let of_their_own =
                format!("{as_a_table}\n[features]\na = []\nleaks = [\"{lists_it}\"]\n");
            check(&of_their_own, &of_their_own, Some("leaks"))?;
        }
        let both = format!("{as_a_table}\n[features]\nall = [\"heaptide\"]\n{}", &feature[12..]);
        check(&both, &both, Some(NAME))?;
        assert!(edited("[dependencies", &source).is_err());
        assert!(edited("dependencies = 1\n", &source).is_err());
        Ok(())
    }

    #[test]
    fn a_library_has_both_crates_for_its_tests() -> anyhow::Result<()> {
        let source = Source::Git("https://example.org/h".into());
        let check = |before: &str, after: &str| -> anyhow::Result<()> {
            assert_eq!(edited_for_tests(before, &source)?, after);
            assert_eq!(edited_for_tests(after, &source)?, after, "once more");
            Ok(())
        };
        let git = "{ git = \"https://example.org/h\" }\n";
        let both = format!("heaptide = {git}heaptide-testing = {git}");
        let package = "[package]\nname = \"shop\"   # ours\n";
        check(package, &format!("{package}\n[dev-dependencies]\n{both}"))?;
        let theirs = "[dev-dependencies]\nheaptide-testing = \"0.1\"\n\n[lints]\n";
        let with = format!("heaptide-testing = \"0.1\"\nheaptide = {git}\n[lints]\n");
        check(theirs, &format!("[dev-dependencies]\n{with}"))?;
        assert!(edited_for_tests("dev-dependencies = 1\n", &source).is_err());
        Ok(())
    }
}
