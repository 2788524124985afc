//! Every field of a report, and of a snapshot, that holds text of others.

use heaptide_analyze::Report;
use heaptide_analyze::diff::Diff;
use heaptide_analyze::dump::{Dump, DumpSite};
use heaptide_analyze::finding::{Finding, Gate};
use heaptide_analyze::identity::{NamedFrame, SharedFrame};
use heaptide_analyze::load::Timeline;
use heaptide_analyze::policy::PolicyUse;
use heaptide_analyze::verdict::Fit;
use heaptide_analyze::view::RunView;

use crate::sample;

/// What is written: with the payload in one field.
pub(super) struct Sample {
    pub(super) report: Report,
    pub(super) dump: Dump,
    pub(super) diff: Diff,
    /// How each run of the report went over time.
    pub(super) runs: Vec<RunView>,
}

pub(super) struct Field {
    pub(super) name: &'static str,
    set: fn(&mut Report, &mut DumpedRun, &str),
}

/// A snapshot and the one before it.
pub(super) struct DumpedRun {
    before: Dump,
    after: Dump,
}

impl Field {
    pub(super) fn sample(&self, text: &str) -> Sample {
        let mut report = report();
        let dump = |text: &str| serde_json::from_str(text).expect("the sample is a dump");
        let before = dump(include_str!("../before.json"));
        let mut dumped = DumpedRun { before, after: dump(include_str!("../after.json")) };
        (self.set)(&mut report, &mut dumped, text);
        let diff = Diff::new(&dumped.before, &dumped.after);
        let run = || RunView {
            timeline: Timeline { header: dumped.after.header.clone(), ..Timeline::default() },
            ..RunView::default()
        };
        let runs = report.runs.iter().map(|_| run()).collect();
        Sample { report, dump: dumped.after, diff, runs }
    }
}

/// With something in each field.
fn report() -> Report {
    let mut report = sample::compared();
    report.warnings = vec!["a warning".into()];
    report.errors = vec!["an error".into()];
    report.undecided = vec!["an undecided one".into()];
    report.policy = PolicyUse { used: vec![("shop::*".into(), 1)], ..PolicyUse::default() };
    let frame = || -> SharedFrame { NamedFrame { line: Some(7), ..frame("a::b") }.into() };
    for finding in each_finding(&mut report) {
        let subject = &mut finding.sites[0].subject;
        subject.tag = Some("a tag".into());
        subject.via = Some(frame());
        subject.spawned_by = Some(frame());
        subject.grew_at = Some(frame());
    }
    let mut accepted = sample::growth().runs[0].findings[2].clone();
    accepted.ruling.gate = Gate::Pass;
    report.runs[0].findings.push(accepted);
    report.runs[0].grows_under.get_or_insert_with(sample::call_tree).calls =
        vec![sample::call_tree(), sample::call_tree()];
    report
}

fn frame(function: &str) -> NamedFrame {
    let file = Some("src/a.rs".to_owned());
    NamedFrame { function: function.into(), file, module: "shop".into(), ..NamedFrame::default() }
}

fn each_finding(report: &mut Report) -> impl Iterator<Item = &mut Finding> {
    report.runs.iter_mut().flat_map(|run| &mut run.findings)
}

fn each_site(dumped: &mut DumpedRun) -> impl Iterator<Item = &mut DumpSite> {
    dumped.before.sites.iter_mut().chain(&mut dumped.after.sites)
}

/// Changes the blamed frame, where it is blamed and where it stands in stacks.
fn blamed(report: &mut Report, dumped: &mut DumpedRun, change: impl Fn(&mut NamedFrame)) {
    let changed = |frame: &SharedFrame| -> SharedFrame {
        let mut frame = NamedFrame::clone(frame);
        change(&mut frame);
        frame.into()
    };
    for finding in each_finding(report) {
        finding.blamed = changed(&finding.blamed);
        for site in &mut finding.sites {
            site.subject.blamed = changed(&site.subject.blamed);
            site.subject.stack.iter_mut().for_each(|frame| *frame = changed(frame));
            for frame in
                [&mut site.subject.via, &mut site.subject.spawned_by, &mut site.subject.grew_at]
            {
                *frame = frame.as_ref().map(changed);
            }
        }
    }
    for site in each_site(dumped) {
        site.frames.iter_mut().for_each(|frame| *frame = changed(frame));
    }
}

pub(super) const FIELDS: &[Field] = &[
    Field {
        name: "function",
        set: |report, dumped, text| {
            blamed(report, dumped, |frame| frame.function = text.to_owned());
            each_site(dumped).for_each(|site| site.path = text.to_owned());
        },
    },
    Field {
        name: "file",
        set: |report, dumped, text| {
            blamed(report, dumped, |frame| frame.file = Some(format!("{text}/a.rs")));
        },
    },
    Field {
        name: "module",
        set: |report, dumped, text| blamed(report, dumped, |frame| frame.module = text.to_owned()),
    },
    Field {
        name: "path of the site",
        set: |report, dumped, text| {
            for finding in each_finding(report) {
                finding.sites.iter_mut().for_each(|site| site.subject.path = text.to_owned());
            }
            each_site(dumped).for_each(|site| site.path = text.to_owned());
        },
    },
    Field {
        name: "tag",
        set: |report, dumped, text| {
            for finding in each_finding(report) {
                let sites = finding.sites.iter_mut();
                sites.for_each(|site| site.subject.tag = Some(text.to_owned()));
            }
            each_site(dumped).for_each(|site| site.tag = Some(text.to_owned()));
        },
    },
    Field {
        name: "executable",
        set: |report, dumped, text| {
            report.runs.iter_mut().for_each(|run| run.exe = format!("/bin/{text}"));
            dumped.after.header.exe = text.to_owned();
        },
    },
    Field { name: "host", set: |_, dumped, text| dumped.after.header.host = text.to_owned() },
    Field {
        name: "work counter",
        set: |report, _, text| {
            report.runs.iter_mut().for_each(|run| run.work = [(text.to_owned(), 7)].into());
            for finding in each_finding(report) {
                finding.rate.work = text.to_owned();
                for site in &mut finding.sites {
                    let fit = Fit { work: text.to_owned(), misfit: 0.0 };
                    site.verdict.fits.insert(0, fit);
                    site.verdict.rate.work = text.to_owned();
                }
            }
        },
    },
    Field {
        name: "call tree",
        set: |report, _, text| {
            let tree = report.runs[0].grows_under.as_mut().expect("a tree");
            tree.function = text.to_owned();
            for call in &mut tree.calls {
                (call.function, call.file) = (text.to_owned(), Some(text.to_owned()));
            }
        },
    },
    Field {
        name: "site's id",
        set: |report, _, text| each_finding(report).for_each(|it| it.id = text.to_owned()),
    },
    Field {
        name: "reason of the policy",
        set: |report, _, text| {
            each_finding(report).for_each(|it| it.ruling.because = text.to_owned());
        },
    },
    Field {
        name: "pattern of the policy",
        set: |report, _, text| report.policy.used = vec![(text.to_owned(), 1)],
    },
    Field {
        name: "build before",
        set: |report, _, text| {
            let comparison = report.comparison.as_mut().expect("a comparison");
            let known = comparison.as_before.iter_mut();
            let known = known.chain(&mut comparison.improved).chain(&mut comparison.gone);
            known.for_each(|known| known.path = text.to_owned());
        },
    },
    Field { name: "warning", set: |report, _, text| report.warnings = vec![text.to_owned()] },
    Field { name: "error", set: |report, _, text| report.errors = vec![text.to_owned()] },
    Field { name: "undecided", set: |report, _, text| report.undecided = vec![text.to_owned()] },
];
