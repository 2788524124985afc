//! Packages and their modules, found by where the files are.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::file::File;

/// A package of the workspace: its name and the Rust files in its folder.
pub(crate) struct Package<'a> {
    pub(crate) name: String,
    /// Files below `src`, each a module or the root of a program or library.
    pub(crate) modules: Vec<Module<'a>>,
    /// Files below `tests`. Build scripts and programs that are only data are in neither list.
    pub(crate) tests: Vec<&'a File>,
}

/// One source file.
pub(crate) struct Module<'a> {
    /// As in `use crate::…`, but for the modules of `src/bin/NAME/`, which begin with `bin::NAME`.
    pub(crate) path: Vec<String>,
    pub(crate) kind: Kind,
    /// How many parts of `path` stand for the root, `crate`.
    pub(crate) root_len: usize,
    /// The file, from `src` on.
    inside: &'a str,
    pub(crate) file: &'a File,
    pub(crate) syntax: syn::File,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of a library or a program: what all tests are parts of.
    Root,
    Tests,
    Inner,
}

impl Module<'_> {
    /// As the list of layers names it.
    pub(crate) fn name(&self) -> String {
        match self.kind {
            Kind::Root => self.inside.to_owned(),
            Kind::Inner | Kind::Tests => self.path.join("::"),
        }
    }
}

/// All packages among the files, by the folder they are in.
///
/// # Errors
///
/// If a manifest or a source file cannot be parsed.
pub(crate) fn packages(files: &[File]) -> Result<Vec<Package<'_>>> {
    let mut by_folder = BTreeMap::new();
    for manifest in files {
        let Some(folder) = manifest.path.strip_suffix("Cargo.toml") else { continue };
        let table: toml::Table = manifest.text.parse().with_context(|| manifest.path.clone())?;
        let name = table.get("package").and_then(|package| package.get("name")?.as_str());
        if let Some(name) = name {
            let (name, modules, tests) = (name.to_owned(), Vec::new(), Vec::new());
            by_folder.insert(folder, Package { name, modules, tests });
        }
    }
    let folders: Vec<&str> = by_folder.keys().copied().collect();
    for file in files.iter().filter(|file| file.is_rust()) {
        // A package may lie in the folder of another.
        let around = folders.iter().filter(|folder| file.path.starts_with(*folder));
        let Some(folder) = around.max_by_key(|folder| folder.len()) else { continue };
        let Some(package) = by_folder.get_mut(folder) else { continue };
        let inside = &file.path[folder.len()..];
        if let Some(inside) = inside.strip_prefix("src/") {
            package.modules.push(module(file, inside)?);
        } else if inside.starts_with("tests/") {
            package.tests.push(file);
        }
    }
    Ok(by_folder.into_values().collect())
}

/// The module in `src/inside`.
fn module<'a>(file: &'a File, inside: &'a str) -> Result<Module<'a>> {
    let syntax = syn::parse_file(&file.text)
        .map_err(|err| anyhow::anyhow!("{}: {err}", file.at(err.span().start().line)))?;
    let stem = inside.trim_end_matches(".rs");
    let parts: Vec<&str> = stem.split('/').collect();
    let (mut parts, root_len, is_root) = match parts.as_slice() {
        ["lib" | "main"] => (Vec::new(), 0, true),
        ["bin", name] | ["bin", name, "main"] => (vec!["bin", *name], 2, true),
        ["bin", ..] => (parts, 2, false),
        inner => (inner.to_vec(), 0, false),
    };
    if parts.last() == Some(&"mod") {
        parts.pop();
    }
    let kind = match parts.contains(&"tests") {
        _ if is_root => Kind::Root,
        true => Kind::Tests,
        false => Kind::Inner,
    };
    let path = parts.into_iter().map(str::to_owned).collect();
    Ok(Module { path, kind, root_len, inside, file, syntax })
}

#[cfg(test)]
mod tests {
    use super::super::file::tests::file;
    use super::*;

    #[test]
    fn a_file_is_a_module_by_where_it_lies() -> Result<()> {
        let files = [
            file("crates/shop/Cargo.toml", "[package]\nname = \"shop\"\n"),
            file("crates/shop/src/lib.rs", ""),
            file("crates/shop/src/order/mod.rs", ""),
            file("crates/shop/src/order/line.rs", ""),
            file("crates/shop/src/order/tests.rs", ""),
            file("crates/shop/src/bin/till/main.rs", ""),
            file("crates/shop/src/bin/till/drawer.rs", ""),
            file("crates/shop/tests/it.rs", ""),
            file("crates/shop/corpus/leak.rs", ""),
            file("crates/shop/replay/Cargo.toml", "[package]\nname = \"replay\"\n"),
            file("crates/shop/replay/src/pace.rs", ""),
        ];
        let packages = packages(&files)?;
        let told: Vec<_> = packages
            .iter()
            .flat_map(|package| package.modules.iter().map(|it| (&package.name, it)))
            .map(|(package, it)| format!("{package} {} {:?}", it.name(), it.kind))
            .collect();
        assert_eq!(
            told,
            [
                "shop lib.rs Root",
                "shop order Inner",
                "shop order::line Inner",
                "shop order::tests Tests",
                "shop bin/till/main.rs Root",
                "shop bin::till::drawer Inner",
                "replay pace Inner",
            ]
        );
        assert_eq!(packages[0].tests.len(), 1);
        Ok(())
    }

    #[test]
    fn what_does_not_parse_is_told_with_its_line() {
        let files = [
            file("ci/Cargo.toml", "[package]\nname = \"ci\"\n"),
            file("ci/src/lib.rs", "fn whole() {}\nfn torn( {}\n"),
        ];
        let told = packages(&files).err().map(|err| err.to_string()).unwrap_or_default();
        assert!(told.starts_with("ci/src/lib.rs:2: "), "{told}");
    }
}
