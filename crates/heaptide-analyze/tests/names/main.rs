//! Names in every way a program is built: with each amount of debug information, inlined or not,
//! with link-time optimisation, split, stripped, and under both manglings.
//!
//! One program (`family/`) leaks in a dozen places: in a plain function, in methods, a closure, an
//! async function, and in crates found by path, in a git checkout and in a registry. It is built
//! and run twice, the second time with all of its lines shifted, and judged as a user's would be.
//! The table says for how many of the places each row has the name, the line, the rate, the crate's
//! function, the same identity after the shift, and an `[[allow]]` entry that holds.

mod build;
mod expected;
mod outcome;

use std::collections::BTreeSet;

use build::{Build, Code, Debug, Family, Mangling, Shim, Split};
use outcome::Outcome;

/// A build that stands for most.
const USUAL: Build = Build {
    debug: Debug::Limited,
    code: Code::Inlined,
    lto: false,
    split: Split::Off,
    mangling: Mangling::Legacy,
    shim: Shim::Path,
};

/// Few builds, and what goes wrong first in them.
#[test]
fn names_are_right_in_the_profiles_that_people_use() {
    check(&[
        Build { debug: Debug::Lines, ..USUAL },
        Build { debug: Debug::Lines, code: Code::Apart, ..USUAL },
        USUAL,
        Build { debug: Debug::None, code: Code::Apart, ..USUAL },
        // A function that only the symbol table names once lost its line. Not a test of its own: all
        // builds are made in one directory, and another test would build beside this one.
        Build {
            debug: Debug::Lines,
            code: Code::Apart,
            split: Split::Unpacked,
            mangling: Mangling::V0,
            ..USUAL
        },
    ]);
}

/// `cargo ci names` runs it: half an hour. Faults of a linker, a compiler or a reader show in two
/// settings that meet, hardly ever in three, so any two are together in one build at least; with
/// `NAMES=all` each stands with all others, in some hours.
#[test]
#[ignore = "builds the program some twenty times"]
fn names_are_right_however_the_program_is_built() {
    let builds = all_builds();
    match std::env::var("NAMES").as_deref() {
        Ok("all") => check(&builds),
        _ => check(&pairwise(&builds)),
    }
}

fn all_builds() -> Vec<Build> {
    let mut builds = Vec::new();
    for mangling in [Mangling::Legacy, Mangling::V0] {
        for lto in [false, true] {
            for code in [Code::Plain, Code::Apart, Code::Inlined] {
                for debug in [Debug::None, Debug::Lines, Debug::Limited, Debug::Full] {
                    let build = Build { debug, code, lto, mangling, ..USUAL };
                    let splits = [Split::Off, Split::Packed, Split::Unpacked, Split::Stripped];
                    let has_any = |split: &Split| debug != Debug::None || *split == Split::Off;
                    builds.extend(
                        splits.into_iter().filter(has_any).map(|split| Build { split, ..build }),
                    );
                }
            }
        }
    }
    let debugs = [Debug::None, Debug::Lines, Debug::Limited];
    builds.extend(debugs.map(|debug| Build { debug, shim: Shim::Git, ..USUAL }));
    builds
}

/// Builds in which any two settings meet that meet in one of all: always the one with most new pairs.
fn pairwise(all: &[Build]) -> Vec<Build> {
    let pairs = |build: &Build| -> BTreeSet<[(usize, String); 2]> {
        let settings = build.to_string();
        let settings = || settings.split_whitespace().map(str::to_owned).enumerate();
        settings()
            .flat_map(|a| settings().filter(move |b| a.0 < b.0).map(move |b| [a.clone(), b]))
            .collect()
    };
    let mut missing: BTreeSet<_> = all.iter().flat_map(pairs).collect();
    let mut chosen = Vec::new();
    while !missing.is_empty() {
        let n_new = |build: &&Build| pairs(build).intersection(&missing).count();
        let Some(&best) = all.iter().max_by_key(n_new) else { break };
        missing.retain(|pair| !pairs(&best).contains(pair));
        chosen.push(best);
    }
    chosen
}

/// A check of two hundred builds took so long that nobody ran it.
#[test]
fn any_two_settings_meet_in_few_builds() {
    let n_builds = pairwise(&all_builds()).len();
    assert!((13..=24).contains(&n_builds), "{n_builds} builds");
}

fn check(builds: &[Build]) {
    let family = Family::write();
    println!("{}", Outcome::HEAD);
    let mut wrong = Vec::new();
    for build in builds {
        let outcome = Outcome::of(&family, build);
        println!("{outcome}");
        wrong.extend(outcome.wrong.iter().map(|text| format!("{build}: {text}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
