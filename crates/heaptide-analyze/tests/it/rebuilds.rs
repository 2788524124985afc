//! Identities over rebuilds: a small program is built again and again, edited and with other flags,
//! and its sites must be known again.
//!
//! The program has no shim. It walks its own stack where a shim would, and prints the offsets; what
//! is under test begins there: names, origins, identity.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Command;

use heaptide_analyze::identity::{Identity, SiteKey, WorkspaceCrates};
use heaptide_analyze::load::load_one;
use heaptide_analyze::symbols::{ElfResolver, Symbols};

use crate::recording::{self, Dir};

const PROGRAM: &str = include_str!("programs/shop.rs");

/// An edit: its name, what it replaces by what, the flags it builds with, and how many of a hundred
/// sites must be known again at least.
struct Rebuild {
    name: &'static str,
    edits: &'static [(&'static str, &'static str)],
    flags: &'static [&'static str],
    least_percent: usize,
}

const PLAIN: &[&str] = &["-Copt-level=1"];

const REBUILDS: &[Rebuild] = &[
    Rebuild { name: "nothing", edits: &[], flags: PLAIN, least_percent: 100 },
    Rebuild {
        name: "lines moved",
        edits: &[
            ("mod session {", "\n\n// A new comment.\n\nmod session {"),
            ("site(\"", "site(\n\""),
        ],
        flags: PLAIN,
        least_percent: 100,
    },
    Rebuild {
        name: "functions moved about",
        edits: &[
            ("/*first*/", "pub fn another() -> usize { 7 }\n"),
            ("/*second*/", "#[allow(dead_code)] fn unrelated(x: u64) -> u64 { x * 3 }\n"),
        ],
        flags: PLAIN,
        least_percent: 100,
    },
    Rebuild {
        name: "locals and arguments renamed",
        edits: &[("user_name", "login_name"), ("pages", "sheets")],
        flags: PLAIN,
        least_percent: 100,
    },
    Rebuild {
        // Another name is another site.
        name: "a function renamed",
        edits: &[("walk(", "stroll(")],
        flags: PLAIN,
        least_percent: 90,
    },
    Rebuild {
        name: "#[inline(always)]",
        edits: &[("/*inline*/", "#[inline(always)]")],
        flags: PLAIN,
        least_percent: 100,
    },
    Rebuild {
        name: "#[inline(never)]",
        edits: &[("/*inline*/", "#[inline(never)]")],
        flags: PLAIN,
        least_percent: 100,
    },
    Rebuild {
        name: "other generic arguments",
        edits: &[("Store<u64>", "Store<u128>"), ("7_u64", "7_u128")],
        flags: PLAIN,
        least_percent: 100,
    },
    Rebuild {
        name: "v0 mangling",
        edits: &[],
        flags: &["-Copt-level=1", "-Csymbol-mangling-version=v0"],
        least_percent: 100,
    },
    Rebuild { name: "opt-level 0", edits: &[], flags: &["-Copt-level=0"], least_percent: 100 },
    Rebuild { name: "opt-level 3", edits: &[], flags: &["-Copt-level=3"], least_percent: 80 },
    Rebuild { name: "opt-level s", edits: &[], flags: &["-Copt-level=s"], least_percent: 80 },
    Rebuild {
        name: "fat lto, one unit",
        edits: &[],
        flags: &["-Copt-level=3", "-Clto=fat", "-Ccodegen-units=1"],
        least_percent: 80,
    },
    Rebuild {
        name: "opt-level 3, v0, no frame pointers",
        edits: &[],
        flags: &["-Copt-level=3", "-Csymbol-mangling-version=v0", "-Cforce-frame-pointers=no"],
        least_percent: 80,
    },
];

/// The sites of a build: what the program calls them, and what we do.
fn build(test: &str, edits: &[(&str, &str)], flags: &[&str]) -> BTreeMap<String, SiteKey> {
    let dir =
        Dir::new(&format!("rebuild-{test}").replace([' ', ',', '#', '(', ')', '[', ']'], "-"));
    let mut source = PROGRAM.to_owned();
    for (from, to) in edits {
        assert!(source.contains(from), "{test}: no {from:?} in the program");
        source = source.replace(from, to);
    }
    std::fs::create_dir_all(dir.0.join("src")).expect("a directory");
    dir.write("src/main.rs", source);
    let mut rustc = Command::new(std::env::var("RUSTC").unwrap_or("rustc".into()));
    rustc.current_dir(&dir.0).args(["--edition=2024", "--crate-name=shop", "-Cdebuginfo=1"]);
    let built = rustc.args(["-Clink-arg=-Wl,--build-id", "-oshop", "src/main.rs"]).args(flags);
    assert!(built.status().expect("rustc runs").success(), "{test}");
    let exe = dir.0.join("shop");
    let printed = Command::new(&exe).output().expect("the program runs").stdout;
    let printed = String::from_utf8(printed).expect("text");
    let mut text = recording::header("r", 0, "").replace("/opt/shop", &exe.to_string_lossy());
    let path = exe.display();
    let _ = writeln!(text, "{{\"kind\":\"module\",\"id\":0,\"path\":\"{path}\"}}");
    let mut names = BTreeMap::new();
    for (id, line) in (0..).zip(printed.lines()) {
        let (name, offsets) = line.split_once(' ').expect("a name and offsets");
        let frames: Vec<_> = offsets.split(' ').map(|at| format!("\"0+{at}\"")).collect();
        let frames = frames.join(",");
        let _ = writeln!(text, "{{\"kind\":\"site\",\"id\":{id},\"frames\":[{frames}]}}");
        names.insert(id, name.to_owned());
    }
    let run = load_one(&dir.write("shop.jsonl", text)).expect("a recording").0;
    let symbols =
        Symbols::look_up(&run, &mut ElfResolver::new(vec![dir.0.clone()]), &WorkspaceCrates::new());
    let identity =
        |id: &heaptide_format::SiteId| Identity::of(&symbols.stack(&run.sites[id]), None).id;
    run.sites.keys().map(|id| (names[&id.0].clone(), identity(id))).collect()
}

#[test]
fn sites_are_known_again_after_a_rebuild() {
    let before = build("before", &[], PLAIN);
    let distinct: std::collections::BTreeSet<_> = before.values().collect();
    assert_eq!(distinct.len(), before.len(), "each site has an identity of its own: {before:?}");
    let mut table = format!("{} sites, known again after\n", before.len());
    let mut missed = Vec::new();
    for Rebuild { name, edits, flags, least_percent } in REBUILDS {
        let after = build(name, edits, flags);
        let lost: Vec<_> =
            before.iter().filter(|(site, key)| after.get(*site) != Some(*key)).collect();
        let percent = 100 * (before.len() - lost.len()) / before.len();
        let lost: Vec<_> = lost.iter().map(|(site, _)| site.as_str()).collect();
        let _ = writeln!(table, "{percent:>4} %  {name}  {}", lost.join(" "));
        if percent < *least_percent {
            missed.push(format!("{name}: {percent} % of {least_percent} %"));
        }
    }
    println!("{table}");
    assert!(missed.is_empty(), "{missed:#?}\n{table}");
}
