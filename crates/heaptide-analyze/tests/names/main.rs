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
    ]);
}

/// `cargo ci names` runs it: half an hour.
#[test]
#[ignore = "builds the program some two hundred times"]
fn names_are_right_however_the_program_is_built() {
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
    check(&builds);
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
