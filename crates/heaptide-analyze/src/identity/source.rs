//! What the path of a source file tells of the code in it: whose it is, and its crate and module.

use std::collections::{BTreeMap, HashMap};

use super::function::crate_of;

/// Names that a crate of the user's may have as well.
const STD_CRATES: &[&str] = &["core", "alloc", "std", "proc_macro"];

/// The crate that the compiler gives functions of its own to.
const COMPILERS: &str = "__rustc";

/// The crates that sources belong to, by the directory that their modules stand in.
///
/// A directory is called after its crate, more or less. What the crate is really called is learned
/// from functions whose whole name is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct CrateNames {
    /// How many functions say so, by crate, by directory.
    votes: HashMap<String, BTreeMap<String, usize>>,
}

impl CrateNames {
    /// Notes that a function of this whole name stands in this file.
    pub(super) fn learn(&mut self, plain: &str, file: &str) {
        // `<T as Trait>::f` stands in the crate of the one or of the other, and the compiler's own
        // functions in the file of the `#[global_allocator]`.
        let of_one = |name: &&str| !plain.starts_with('<') && *name != COMPILERS;
        let name = crate_of(plain).filter(of_one);
        let (Some(name), Some(place)) = (name, Place::of(file)) else { return };
        if place.target().is_none() {
            let votes = self.votes.entry(place.root.to_owned()).or_default();
            *votes.entry(name.to_owned()).or_default() += 1;
        }
    }

    /// Makes the crate of the files below a directory certain.
    pub(super) fn decree(&mut self, root: &str, name: &str) {
        let votes = self.votes.entry(root.trim_end_matches('/').to_owned()).or_default();
        votes.insert(name.to_owned(), usize::MAX);
    }

    /// The path of the module that stands in a file: `shop::session` of
    /// `/home/me/shop/src/session.rs`.
    pub(super) fn module_of(&self, file: &str) -> Option<String> {
        let place = Place::of(file)?;
        let (name, below) = match place.target() {
            Some((name, below)) => (name, below),
            None => (self.voted(place.root).or_else(|| place.crate_dir())?, place.below),
        };
        let below = below.strip_suffix(".rs").unwrap_or(below);
        let modules = below.split('/').filter(|dir| !matches!(*dir, "" | "lib" | "main" | "mod"));
        let parts = std::iter::once(name).chain(modules);
        Some(parts.map(|part| part.replace('-', "_")).collect::<Vec<_>>().join("::"))
    }

    fn voted(&self, root: &str) -> Option<&str> {
        let votes = self.votes.get(root)?;
        votes.iter().max_by_key(|(_, n)| **n).map(|(name, _)| name.as_str())
    }
}

/// Where a file stands in its package.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    /// The directory of modules, or of programs that are a file each: `/home/me/shop/src`.
    root: &'a str,
    /// The file from there.
    below: &'a str,
}

impl<'a> Place<'a> {
    fn of(file: &'a str) -> Option<Self> {
        let at = |(at, found): (usize, &str)| at + found.len();
        let found = ["/src/", "/tests/", "/examples/", "/benches/"].into_iter().find_map(|dir| {
            let inside = file.starts_with(&dir[1..]).then_some(dir.len() - 1);
            file.rmatch_indices(dir).next().map(at).or(inside)
        });
        // A library may stand anywhere in its package.
        let unpacked = file.find("/registry/src/").and_then(|registry| {
            let after = registry + "/registry/src/".len();
            file[after..].match_indices('/').nth(1).map(|(slash, _)| after + slash + 1)
        });
        let below = found.max(unpacked)?;
        Some(Self { root: &file[..below - 1], below: &file[below..] })
    }

    /// The program or test that the file is of, if it is one of several in the package, and where
    /// the file stands in it.
    fn target(self) -> Option<(&'a str, &'a str)> {
        let programs = match self.root.rsplit('/').next() {
            Some("tests" | "examples" | "benches") => self.below,
            _ => self.below.strip_prefix("bin/")?,
        };
        match programs.split_once('/') {
            Some((name, below)) => Some((name, below)),
            None => Some((programs.strip_suffix(".rs")?, "")),
        }
    }

    /// The name of the package's directory, without a version.
    fn crate_dir(self) -> Option<&'a str> {
        let dir = self.root.strip_suffix("/src").unwrap_or(self.root);
        let name = without_version(dir.rsplit('/').next()?);
        (!matches!(name, "" | "src")).then_some(name)
    }
}

/// Whether the file is of a crate of the user's that is called like one of the standard library's.
pub(super) fn is_namesake(file: &str, std_crate: &str) -> bool {
    let is_named_so = |place: Place<'_>| place.crate_dir() == Some(std_crate);
    STD_CRATES.contains(&std_crate)
        && !is_std_file(file)
        && Place::of(file).is_some_and(is_named_so)
}

/// Whether it is of the standard library.
pub(super) fn is_std_file(file: &str) -> bool {
    let library = |krate| file.contains(&format!("library/{krate}/src/"));
    file.contains("/rustc/")
        || file.contains("/lib/rustlib/src/")
        || file.contains("/rust/deps/")
        || ["alloc", "core", "std", "test", "panic_unwind"].into_iter().any(library)
}

/// The package of a file of a registry or vendor directory, or of a path trimmed to
/// `package-1.2.3/src/…`.
pub(super) fn package_of(file: &str) -> Option<&str> {
    if let Some((_, after)) = file.split_once("/registry/src/") {
        return after.split('/').nth(1).map(without_version);
    }
    if let Some((_, after)) = file.split_once("/vendor/") {
        let (package, rest) = after.split_once('/')?;
        return rest.starts_with("src/").then(|| without_version(package));
    }
    let (first, rest) = file.split_once('/')?;
    let package = without_version(first);
    (package != first && rest.starts_with("src/")).then_some(package)
}

/// `dashmap-6.1.0` is `dashmap`; `tower-http` stays.
fn without_version(dir: &str) -> &str {
    let is_version =
        |tail: &str| tail.starts_with(|c: char| c.is_ascii_digit()) && tail.contains('.');
    let mut dashes = dir.match_indices('-');
    dashes.find(|(at, _)| is_version(&dir[at + 1..])).map_or(dir, |(at, _)| &dir[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_tells_its_module() {
        let mut crates = CrateNames::default();
        crates.learn("shop::main", "/home/me/service/src/main.rs");
        crates.learn("shop::session::Store::login", "/home/me/service/src/session.rs");
        crates.learn("<ledger::Ledger as shop::Keep>::keep", "/home/me/service/src/session.rs");
        crates.learn("ledger::Ledger::record", "/home/me/service/src/session.rs");
        crates.learn("__rustc::__rust_realloc", "/home/me/lean/src/main.rs");
        crates.decree("/opt/shim/src", "heaptide");
        for (file, module) in [
            ("/home/me/service/src/main.rs", Some("shop")),
            ("/home/me/service/src/session.rs", Some("shop::session")),
            ("/home/me/service/src/session/mod.rs", Some("shop::session")),
            ("/home/me/service/src/session/store.rs", Some("shop::session::store")),
            ("/home/me/service/src/bin/shop-admin.rs", Some("shop_admin")),
            ("/home/me/service/src/bin/admin/main.rs", Some("admin")),
            ("/home/me/service/tests/it/main.rs", Some("it")),
            ("/home/me/service/examples/load.rs", Some("load")),
            ("/home/me/other-part/src/lib.rs", Some("other_part")),
            ("/home/me/lean/src/water.rs", Some("lean::water")),
            ("/opt/shim/src/hook.rs", Some("heaptide::hook")),
            (
                "/c/registry/src/i-1/tower-http-0.6.1-rc.1/src/trace/mod.rs",
                Some("tower_http::trace"),
            ),
            ("/c/registry/src/i-1/odd-1.0.0/lib.rs", Some("odd")),
            ("/c/git/checkouts/post-0a1b/89abcde/parcels/src/depot.rs", Some("parcels::depot")),
            ("/rustc/ab12/library/alloc/src/vec/mod.rs", Some("alloc::vec")),
            ("/rust/deps/hashbrown-0.16.1/src/raw.rs", Some("hashbrown::raw")),
            ("src/main.rs", None),
            ("main.rs", None),
        ] {
            assert_eq!(crates.module_of(file).as_deref(), module, "{file}");
        }
    }

    #[test]
    fn a_crate_may_be_called_core() {
        assert!(is_namesake("/home/me/shop/crates/core/src/lib.rs", "core"));
        assert!(!is_namesake("/rustc/ab/library/core/src/ptr/mod.rs", "core"));
        assert!(!is_namesake("/home/me/shop/src/lib.rs", "core"));
    }
}
