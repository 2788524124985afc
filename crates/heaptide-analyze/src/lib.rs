//! Recordings in, named and judged findings out.
//!
//! [`judge()`] goes the whole way: it loads recordings, sums up what each call site did over its run,
//! gives the sites names, decides which of them leak, and rules on what was found by policy,
//! baseline and the build before. What comes out is a [`Report`]; `heaptide-report` writes it.
//!
//! ```
//! use heaptide_analyze::symbols::RecordedOnly;
//! use heaptide_analyze::{Outcome, Terms, judge};
//!
//! # let file = std::env::temp_dir().join(format!("heaptide-judge-{}.jsonl", std::process::id()));
//! # let header = r#"{"kind":"header","format":1,"writer":"x","recording":"r","segment":0,"pid":7,"exe":"/opt/shop","start_mono_ns":0}"#;
//! # let site = r#"{"kind":"site","id":1,"frames":["0+0x10"]}"#;
//! # let module = r#"{"kind":"module","id":0,"path":"/opt/shop","bias":"0x0"}"#;
//! # let names = r#"{"kind":"names","module":0,"offsets":[{"offset":"0x10","names":[{"function":"shop::Sessions::create"}]}]}"#;
//! # let mut text = [header, module, site, names].map(|line| format!("{line}\n")).concat();
//! # for k in 0..40u64 {
//! #     let n = k + 1;
//! #     let cohorts: Vec<String> = (0..n).map(|epoch| format!("[{epoch},1,64]")).collect();
//! #     text += &format!(
//! #         r#"{{"kind":"snapshot","seq":{k},"mono_ns":{n}000000000,"epoch":{k},"reason":"interval","heap":{{"allocs":{n},"alloc_bytes":{b},"live_objects":{n},"live_bytes":{b}}},"sites":[{{"site":1,"allocs":{n},"frees":0,"alloc_bytes":{b},"freed_bytes":0,"live_objects":{n},"live_bytes":{b},"cohorts":[{c}]}}]}}"#,
//! #         b = 64 * n, c = cohorts.join(","),
//! #     );
//! #     text += "\n";
//! # }
//! # std::fs::write(&file, text).unwrap();
//! // `ElfResolver` instead would look for names in executables as well.
//! let report = judge(&[file], &mut RecordedOnly, &Terms::default())?;
//! assert_eq!(report.outcome, Outcome::Growth);
//! let finding = report.findings().next().expect("a leak");
//! assert_eq!(finding.blamed.function, "shop::Sessions::create");
//! # Ok::<(), heaptide_analyze::load::Error>(())
//! ```
//!
//! # The way through
//!
//! | step | what | where |
//! |---|---|---|
//! | read | files to sites, names and the numbers of each snapshot | [`load`] |
//! | measure | snapshots to slots of even progress; rows to one series per site | [`axis`], [`series`] |
//! | name | addresses to functions and lines; stacks to identities that survive a rebuild | [`symbols`], [`identity`] |
//! | decide | one series to a class, with the evidence for it | [`verdict`] |
//! | group | sites that leak together to findings | [`finding`] |
//! | account | what the process holds to parts that grow, or do not | [`process`] |
//! | rule | what the policy allows, what was accepted, what the build before had too | [`policy`], [`baseline`], [`compare`] |
//!
//! Each module uses only those above it in this table; `ci/layers.toml` has the whole order. Beside
//! the way, [`dump`] is one snapshot with names, [`diff`] the difference of two, and [`view`] a run over
//! time, for whoever draws.
//!
//! Everything here is a pure function of its input: no clock, no environment, no network. Files
//! are opened in two places only: [`load`] reads recordings, [`symbols`] reads executables.

#![forbid(unsafe_code)]

// In the order of the way through; what is beside it, last.
mod limits;
mod timeline;

pub mod load;

pub mod axis;
pub mod series;

pub mod symbols;

pub mod identity;

mod site;
pub mod verdict;

mod relations;

pub mod finding;
pub mod process;

mod calltree;
mod run_report;

pub mod policy;

pub mod baseline;
pub mod compare;
mod gone;

mod judge;
pub mod view;

mod pipeline;

pub mod dump;

pub mod diff;

pub use calltree::{CallTree, attribute};
pub use judge::{Classify, Criteria, Outcome, Report, judge_runs, judge_runs_by};
pub use limits::MOST_LINE_BYTES;
pub use pipeline::{Terms, judge, judge_and_view, judge_by};
pub use run_report::{HealthySite, RunReport};
pub use site::{Run, Site, Subject};
