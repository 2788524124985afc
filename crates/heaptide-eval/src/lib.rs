//! How often the verdict is right, measured where the answer is known.
//!
//! None of this checks the code. These are experiments: each needs minutes, prints a table, and
//! fails when the verdict does worse than `docs/VERDICT.md` promises. `cargo ci NAME` starts one.
//!
//! | `cargo ci` | what is known | what is measured |
//! |---|---|---|
//! | `verdict` | shapes of growth that are made up, with a label each; and the small programs of the package `heaptide-replay`, which really run | how often a healthy site is accused, how often a leak is found, beside the rules of others |
//! | `sweep` | containers that only remember their high water, or really leak, in the package `heaptide-sweep`, by many seeds | the same, for containers |
//! | `parts` | what the parts of a process hold, made up with the noise of real ones | how often a part is accused, how often one that grows is found |
//! | `account` | programs that grow in one part or another, or in none, in the package `heaptide-parts`, by many seeds | the same, for what the shim records of real ones, and whether the parts add up |
//! | `leaks` | leaks that people reported, in `leaks/`, each beside its fixed twin | whether the leak is found where it is, and the twin left in peace |
//! | `programs` | programs that nobody here wrote, in `programs/programs.toml` | whether they do the same over the shim, and are recorded whole |
//! | `analysis` | large recordings that are made up | how fast they are read, in how much memory |
//! | `large` | the same, larger, written by [`made`] | how soon a person sees something of them |
//!
//! To change the rule, work on [`verdict`]'s tuning shapes (`VERDICT=tuning cargo ci verdict`); the
//! untouched ones are there to hold the result to.

#![forbid(unsafe_code)]

mod curve;

pub mod verdict;

pub mod sweep;

pub mod parts;

pub mod account;

pub mod leaks;

pub mod programs;

pub mod analysis;

pub mod made;
