//! `cargo ci [CHECK…]`: the project's checks, one file each.
//!
//! Without a name it runs the set that every change must pass, in order, to the end, and says what
//! failed. With names it runs those. Continuous integration calls this program and nothing else,
//! so whatever fails there fails at a desk in the same words.

#![forbid(unsafe_code)]

mod aarch64;
mod abort;
mod action;
mod alerts;
mod asan;
mod book;
mod built;
mod clippy;
mod console;
mod deny;
mod deps;
mod docs;
mod fmt;
mod fuzz;
mod growth;
mod hosts;
mod house;
mod jq;
mod kill;
mod large;
mod limits;
mod loom;
mod memo;
mod miri;
mod names;
mod oracle;
mod page;
mod reader;
mod separate;
mod source;
mod targets;
mod test;
mod tidy;
mod tsan;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// One check: what it is called, what it holds the project to, and what does it.
struct Check {
    name: &'static str,
    about: &'static str,
    run: fn() -> anyhow::Result<()>,
}

/// The set that every change must pass, cheapest first.
const SET: &[Check] = &[
    Check { name: "fmt", about: "the sources are formatted", run: fmt::run },
    Check { name: "tidy", about: "the house is in order", run: tidy::run },
    Check { name: "deps", about: "crates depend only on what they may", run: deps::run },
    Check { name: "clippy", about: "no lint fires", run: clippy::run },
    Check {
        name: "docs",
        about: "the documentation builds, its links lead somewhere",
        run: docs::run,
    },
    Check { name: "test", about: "all tests and documentation examples pass", run: test::run },
    Check { name: "oracle", about: "the shim counts what other counters count", run: oracle::run },
    Check {
        name: "hosts-part",
        about: "the shim harms no host: those that broke once, over the system's allocator",
        run: hosts::part,
    },
    Check { name: "memo", about: "remembered stacks are the ones unwound", run: memo::run },
    Check { name: "jq", about: "the examples of docs/FORMAT.md print what they say", run: jq::run },
    Check { name: "loom", about: "the lock-free structures, in all interleavings", run: loom::run },
    Check {
        name: "instructions",
        about: "the hook costs no more instructions than it did",
        run: separate::instructions,
    },
    Check {
        name: "leaks",
        about: "every leak of the corpus is found where it is, no healthy twin accused",
        run: separate::leaks,
    },
];

/// Longer work, run by name.
const BY_NAME: &[Check] = &[
    Check {
        name: "names",
        about: "sites are named as well as each way of building allows",
        run: names::run,
    },
    Check { name: "page", about: "the report and the live page, in a browser", run: page::run_all },
    Check {
        name: "alerts",
        about: "rules and dashboard, with a real Prometheus beside a shop that leaks",
        run: alerts::run_all,
    },
    Check { name: "scripts", about: "the tests of the page's scripts", run: page::scripts },
    Check {
        name: "miri",
        about: "no undefined behaviour where an interpreter can go",
        run: miri::run,
    },
    Check { name: "tsan", about: "no data race in the shim's tests", run: tsan::run },
    Check { name: "asan", about: "no bad access in the shim's tests", run: asan::run },
    Check { name: "targets", about: "the shim compiles for other machines", run: targets::run },
    Check {
        name: "aarch64",
        about: "the shim's tests of stacks, on an emulated AArch64",
        run: aarch64::run,
    },
    Check {
        name: "abort",
        about: "the shim's tests in programs that abort on panic",
        run: abort::run,
    },
    Check {
        name: "hosts",
        about: "every host under every allocator, beside the shim's peers",
        run: hosts::all,
    },
    Check {
        name: "growth",
        about: "ten thousand growth tests of clean functions, side by side",
        run: growth::run,
    },
    Check {
        name: "fuzz",
        about: "every reader and every writer, guided by coverage, two and a half minutes each",
        run: fuzz::run,
    },
    Check {
        name: "limits",
        about: "what each reader takes at its limit, and what it says beyond",
        run: limits::run,
    },
    Check {
        name: "book",
        about: "the book builds, its links lead somewhere, its commands print what it says",
        run: book::run,
    },
    Check {
        name: "action",
        about: "the files for CI and containers are valid, and their scripts work",
        run: action::run,
    },
    Check {
        name: "analysis",
        about: "how fast a large recording is judged, in how much memory",
        run: separate::analysis,
    },
    Check {
        name: "large",
        about: "how soon a person sees something of a large recording, beside speedscope",
        run: large::run_all,
    },
    Check {
        name: "kill",
        about: "the recorder killed at every call that changes a file",
        run: kill::run,
    },
    Check {
        name: "snapshots",
        about: "what snapshots of 100,000 sites take, of which few change",
        run: separate::snapshots,
    },
    Check {
        name: "soak",
        about: "the shim's own memory, for an hour under full load",
        run: separate::soak,
    },
    Check {
        name: "deny",
        about: "licences, sources and advisories of what comes from outside",
        run: deny::run,
    },
    Check { name: "house", about: "the house in figures; `house DIR` of another", run: house::run },
    Check {
        name: "verdict",
        about: "the rule's error rates on made-up sites",
        run: separate::verdict,
    },
    Check { name: "sweep", about: "the rule on containers, by many seeds", run: separate::sweep },
    Check {
        name: "parts",
        about: "the rule for what a process holds outside the recorded heap, by many seeds",
        run: separate::parts,
    },
    Check {
        name: "account",
        about: "programs that grow in one part or another, by many seeds",
        run: separate::account,
    },
    Check { name: "bench", about: "the shim and its peers at the same work", run: separate::bench },
    Check {
        name: "lines",
        about: "the hook keeps no more cache lines warm than it did",
        run: separate::lines,
    },
    Check {
        name: "programs",
        about: "well-known programs work unchanged with the shim in them",
        run: separate::programs,
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match request(&args) {
        Request::Checks(checks) => {
            let results: Vec<_> = checks.into_iter().map(perform).collect();
            summarise(&results)
        }
        Request::House(checkout) => match house::print(&checkout) {
            Ok(()) => ExitCode::SUCCESS,
            Err(err) => {
                eprintln!("{err:#}");
                ExitCode::from(2)
            }
        },
        Request::Help => {
            println!("{}", usage());
            ExitCode::SUCCESS
        }
        Request::Unknown(name) => {
            eprintln!("no check is called `{name}`\n\n{}", usage());
            ExitCode::from(2)
        }
    }
}

/// What the arguments ask for.
enum Request {
    Checks(Vec<&'static Check>),
    /// The figures of another checkout.
    House(PathBuf),
    Help,
    /// What is none of these.
    Unknown(String),
}

fn request(args: &[String]) -> Request {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        return Request::Help;
    }
    if args.is_empty() {
        return Request::Checks(SET.iter().collect());
    }
    if let [name, checkout] = args
        && name == "house"
        && find(checkout).is_none()
    {
        return Request::House(checkout.into());
    }
    let chosen: Result<Vec<_>, _> = args.iter().map(|name| find(name).ok_or(name)).collect();
    match chosen {
        Ok(checks) => Request::Checks(checks),
        Err(name) => Request::Unknown(name.clone()),
    }
}

fn find(name: &str) -> Option<&'static Check> {
    SET.iter().chain(BY_NAME).find(|check| check.name == name)
}

struct Outcome {
    name: &'static str,
    passed: bool,
    took: Duration,
}

fn perform(check: &'static Check) -> Outcome {
    println!("\n==> {}: {}", check.name, check.about);
    let start = Instant::now();
    let result = (check.run)();
    if let Err(err) = &result {
        println!("{}: {err:#}", check.name);
    }
    Outcome { name: check.name, passed: result.is_ok(), took: start.elapsed() }
}

fn summarise(results: &[Outcome]) -> ExitCode {
    println!();
    for Outcome { name, passed, took } in results {
        let word = if *passed { "ok" } else { "FAILED" };
        println!("{name:<12} {word:<6} {:>7.1} s", took.as_secs_f64());
    }
    let failed = results.iter().filter(|outcome| !outcome.passed).count();
    let all: Duration = results.iter().map(|outcome| outcome.took).sum();
    println!("{} passed, {failed} failed, {:.1} s", results.len() - failed, all.as_secs_f64());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn usage() -> String {
    let list = |checks: &[Check]| -> String {
        checks.iter().map(|check| format!("\n  {:<12} {}", check.name, check.about)).collect()
    };
    format!(
        "usage: cargo ci [CHECK…]\n\nEvery change must pass these, in this order:{}\n\nBy name only:{}",
        list(SET),
        list(BY_NAME)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is chosen by these words, told in one.
    #[track_caller]
    fn check(words: &str, expected: &str) {
        let args: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let told = match request(&args) {
            Request::Checks(checks) => {
                checks.iter().map(|check| check.name).collect::<Vec<_>>().join(" ")
            }
            Request::House(checkout) => format!("the house in {}", checkout.display()),
            Request::Help => "help".to_owned(),
            Request::Unknown(name) => format!("unknown {name}"),
        };
        assert_eq!(told, expected, "{words}");
    }

    #[test]
    fn what_is_asked_for_is_what_is_done() {
        let set: Vec<&str> = SET.iter().map(|check| check.name).collect();
        check("", &set.join(" "));
        check("tidy miri fmt", "tidy miri fmt");
        check("fmt typo", "unknown typo");
        check("fmt --help", "help");
        check("--frobnicate", "unknown --frobnicate");
        check("house", "house");
        check("house tidy", "house tidy");
        check("house ../before", "the house in ../before");
    }

    #[test]
    fn no_two_checks_share_a_name_and_all_are_in_the_usage() {
        let usage = usage();
        let mut names: Vec<&str> = SET.iter().chain(BY_NAME).map(|check| check.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(names.iter().all(|name| usage.contains(&format!("\n  {name} "))));
    }
}
