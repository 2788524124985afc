//! `cargo ci deps`: who may depend on whom, over `cargo metadata`.
//!
//! The shim runs inside somebody else's service: what it drags in is a promise, so its list is
//! exact. And the tools must never reach the shim by a side door: they meet in the format only.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use ci::program::{cargo, output, root};

/// Each of our packages, and which others of ours it may use.
const OURS: &[(&str, &[&str])] = &[
    ("heaptide-format", &[]),
    ("heaptide", &["heaptide-format"]),
    ("heaptide-analyze", &["heaptide-format"]),
    ("heaptide-report", &["heaptide-analyze", "heaptide-format"]),
    ("heaptide-testing", &["heaptide", "heaptide-analyze", "heaptide-format", "heaptide-report"]),
    ("heaptide-cli", &["heaptide", "heaptide-analyze", "heaptide-format", "heaptide-report"]),
    ("heaptide-examples", &["heaptide", "heaptide-format", "heaptide-testing"]),
    ("heaptide-bench", &["ci", "heaptide", "heaptide-format"]),
    (
        "heaptide-eval",
        &["ci", "heaptide-analyze", "heaptide-format", "heaptide-report", "heaptide-synthetic"],
    ),
    ("heaptide-hosts", &["heaptide", "heaptide-format"]),
    ("heaptide-replay", &["heaptide"]),
    ("heaptide-synthetic", &["heaptide-analyze", "heaptide-format"]),
    ("heaptide-parts", &["heaptide"]),
    ("heaptide-sweep", &["heaptide"]),
    ("ci", &[]),
];

/// All that the shim uses, everywhere but under loom.
const SHIM: [&str; 6] =
    ["backtrace", "gimli", "heaptide-format", "libc", "once_cell", "serde_json"];

/// Packages of others that the shim may bring into a service, those that only run in the compiler
/// aside: few enough that somebody who has to vouch for them can read the list.
const LINKED_AT_MOST: usize = 12;
/// Where the shim walks stacks itself.
const PLATFORMS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

/// Who may use `anyhow`: programs, never libraries.
const PROGRAMS: [&str; 4] = ["ci", "heaptide-bench", "heaptide-cli", "heaptide-eval"];

/// One line of somebody's `[dependencies]`.
struct Dependency {
    of: String,
    on: String,
    kind: Kind,
}

#[derive(Debug, PartialEq)]
enum Kind {
    Normal,
    /// Only under `cfg(loom)`.
    Loom,
    Dev,
}

pub(crate) fn run() -> Result<()> {
    let args = ["metadata", "--format-version", "1", "--no-deps", "--locked"];
    let metadata: Value = serde_json::from_str(&output(&mut cargo(&args))?)?;
    let all = dependencies(&metadata)?;
    let document = root().join("docs/ARCHITECTURE.md");
    let reasons =
        std::fs::read_to_string(&document).with_context(|| document.display().to_string())?;
    let linked: Vec<String> = PLATFORMS
        .iter()
        .map(|platform| Ok(too_many(platform, &linked(platform)?)))
        .collect::<Result<Vec<_>>>()?
        .concat();
    let complaints =
        [own(&all), shim(&all), linked, anyhow_in_programs(&all), unexplained(&all, &reasons)]
            .concat();
    for complaint in &complaints {
        println!("{complaint}");
    }
    ensure!(complaints.is_empty(), "{} dependencies break a rule", complaints.len());
    println!("{} dependencies, each where it may be", all.len());
    Ok(())
}

fn dependencies(metadata: &Value) -> Result<Vec<Dependency>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let packages = metadata["packages"].as_array().context("`cargo metadata` lists no packages")?;
    let of_package = |package: &Value| -> Option<Vec<Dependency>> {
        let of = text(&package["name"])?;
        let listed = package["dependencies"].as_array()?;
        let one = |dep: &Value| {
            let kind = match (dep["kind"].as_str(), dep["target"].as_str()) {
                (Some("dev"), _) => Kind::Dev,
                (_, Some("cfg(loom)")) => Kind::Loom,
                _ => Kind::Normal,
            };
            Some(Dependency { of: of.clone(), on: text(&dep["name"])?, kind })
        };
        listed.iter().map(one).collect()
    };
    let lists: Option<Vec<_>> = packages.iter().map(of_package).collect();
    Ok(lists
        .context("`cargo metadata` has another shape than expected")?
        .into_iter()
        .flatten()
        .collect())
}

fn own(all: &[Dependency]) -> Vec<String> {
    let may: BTreeMap<_, _> = OURS.iter().copied().collect();
    let strangers = all.iter().filter(|dep| !may.contains_key(dep.of.as_str()));
    let strangers = strangers.map(|dep| format!("{}: not in the list of our packages", dep.of));
    let forbidden = all
        .iter()
        .filter(|dep| may.contains_key(dep.on.as_str()))
        .filter(|dep| dep.kind != Kind::Dev || dep.on == "heaptide")
        .filter(|dep| {
            may.get(dep.of.as_str()).is_some_and(|allowed| !allowed.contains(&dep.on.as_str()))
        })
        .map(|dep| format!("{} must not depend on {}", dep.of, dep.on));
    let mut found: Vec<String> = strangers.chain(forbidden).collect();
    found.dedup();
    found
}

fn shim(all: &[Dependency]) -> Vec<String> {
    let of_shim = || all.iter().filter(|dep| dep.of == "heaptide");
    let uses: Vec<&str> =
        of_shim().filter(|dep| dep.kind == Kind::Normal).map(|dep| dep.on.as_str()).collect();
    let more = uses.iter().filter(|on| !SHIM.contains(on));
    let more =
        more.map(|on| format!("heaptide depends on {on}: a design change, not a convenience"));
    let less = SHIM.iter().filter(|on| !uses.contains(on));
    let less =
        less.map(|on| format!("heaptide no longer depends on {on}: strike it from the list"));
    let loom = of_shim().filter(|dep| dep.kind == Kind::Loom && dep.on != "loom");
    more.chain(less).chain(loom.map(|dep| format!("heaptide uses {} under loom", dep.on))).collect()
}

/// All packages that the shim links on a platform, ours among them, one on each line.
fn linked(platform: &str) -> Result<String> {
    let tree = ["tree", "--locked", "--package", "heaptide", "--edges", "normal,no-proc-macro"];
    let shown = ["--prefix", "none", "--format", "{p}", "--target", platform];
    output(cargo(&tree).args(shown))
}

fn too_many(platform: &str, tree: &str) -> Vec<String> {
    // A package that was listed before is listed again, with a star.
    let named = tree.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.next()?))
    });
    let others: BTreeSet<_> =
        named.filter(|(name, _)| !OURS.iter().any(|(ours, _)| ours == name)).collect();
    if others.len() <= LINKED_AT_MOST {
        return Vec::new();
    }
    let names: Vec<&str> = others.iter().map(|(name, _)| *name).collect();
    vec![format!(
        "on {platform} the shim links {} packages of others, at most {LINKED_AT_MOST}: {}; put what \
         few services need behind a target or a feature",
        others.len(),
        names.join(", ")
    )]
}

fn anyhow_in_programs(all: &[Dependency]) -> Vec<String> {
    all.iter()
        .filter(|dep| dep.on == "anyhow" && !PROGRAMS.contains(&dep.of.as_str()))
        .map(|dep| format!("{} uses anyhow: a library's error is a type of its own", dep.of))
        .collect()
}

/// Every package from outside has a line with its reason in `docs/ARCHITECTURE.md`.
fn unexplained(all: &[Dependency], architecture: &str) -> Vec<String> {
    let is_ours = |name: &str| OURS.iter().any(|(ours, _)| *ours == name);
    let mut names: Vec<&str> =
        all.iter().map(|dep| dep.on.as_str()).filter(|name| !is_ours(name)).collect();
    names.sort_unstable();
    names.dedup();
    let explained = |name: &&str| architecture.contains(&format!("| `{name}` |"));
    names.retain(|name| !explained(name));
    names.iter().map(|name| format!("{name}: no line in docs/ARCHITECTURE.md says why")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(of: &str, on: &str) -> Dependency {
        Dependency { of: of.into(), on: on.into(), kind: Kind::Normal }
    }

    #[test]
    fn the_tools_do_not_reach_the_shim() {
        assert!(own(&[normal("heaptide-cli", "heaptide")]).is_empty());
        assert_eq!(own(&[normal("heaptide-report", "heaptide")]).len(), 1);
        let dev = Dependency { kind: Kind::Dev, ..normal("heaptide-analyze", "heaptide") };
        assert_eq!(own(&[dev]).len(), 1);
    }

    #[test]
    fn a_line_of_a_manifest_is_told_by_when_it_counts() -> Result<()> {
        let listed = serde_json::json!({"packages": [{"name": "heaptide", "dependencies": [
            {"name": "libc", "kind": null, "target": null},
            {"name": "loom", "kind": null, "target": "cfg(loom)"},
            {"name": "dhat", "kind": "dev", "target": null},
        ]}]});
        let kinds: Vec<_> =
            dependencies(&listed)?.into_iter().map(|dep| (dep.on, dep.kind)).collect();
        let expected = [("libc", Kind::Normal), ("loom", Kind::Loom), ("dhat", Kind::Dev)];
        assert_eq!(kinds, expected.map(|(on, kind)| (on.to_owned(), kind)));
        assert!(dependencies(&serde_json::json!({"packages": [{"name": 1}]})).is_err());
        Ok(())
    }

    /// What a package reaches through ours, by the table.
    fn reach(of: &str) -> BTreeSet<&'static str> {
        let direct = OURS.iter().filter(|(name, _)| *name == of).flat_map(|(_, on)| on.iter());
        direct.flat_map(|on| reach(on).into_iter().chain([*on])).collect()
    }

    #[test]
    fn the_shim_and_the_tools_meet_in_the_format_alone() {
        for tool in ["heaptide-analyze", "heaptide-report", "heaptide-eval"] {
            let both: Vec<_> = reach(tool).intersection(&reach("heaptide")).copied().collect();
            assert_eq!(both, ["heaptide-format"], "{tool}");
            assert!(!reach(tool).contains("heaptide"), "{tool}");
        }
    }

    #[test]
    fn few_packages_are_linked_and_each_counts_once() {
        let tree = |n: usize| -> String {
            let others = (0..n).map(|k| format!("package{k} v1.0.0\npackage{k} v1.0.0 (*)\n"));
            format!("heaptide v0.1.0 (/here)\n{}", others.collect::<String>())
        };
        assert!(too_many("here", &tree(LINKED_AT_MOST)).is_empty());
        let told = too_many("here", &tree(LINKED_AT_MOST + 1)).concat();
        assert!(
            told.contains("links 13 packages of others") && told.contains("package12"),
            "{told}"
        );
    }

    #[test]
    fn the_list_of_the_shim_is_exact() {
        let mut all: Vec<_> = SHIM.iter().map(|on| normal("heaptide", on)).collect();
        assert!(shim(&all).is_empty());
        all.push(normal("heaptide", "regex"));
        all.remove(0);
        assert_eq!(shim(&all).len(), 2);
    }

    #[test]
    fn a_library_does_not_use_anyhow_and_every_package_has_its_reason() {
        let all = [normal("heaptide-report", "anyhow")];
        assert_eq!(anyhow_in_programs(&all).len(), 1);
        assert_eq!(unexplained(&all, "anyhow").len(), 1);
        assert!(unexplained(&all, "| `anyhow` | errors of programs |").is_empty());
    }
}
