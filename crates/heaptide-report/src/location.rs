//! Where a code review shows a finding: at a line that somebody there can edit.
//!
//! The function to blame may be a dependency's, whose source is not in the repository. Then the
//! finding is shown at the nearest caller that is, and a note says where the memory is allocated.

use heaptide_analyze::finding::{Finding, Gate};
use heaptide_analyze::identity::NamedFrame;
use heaptide_analyze::{Report, RunReport};

use crate::view::View;

/// Where a finding is shown.
#[derive(Debug)]
pub(crate) struct Location<'a> {
    /// A source file, relative to the root of the repository; of what lies elsewhere, to its
    /// package. Where no source is known, the executable.
    pub(crate) path: &'a str,
    /// Line, from 1; unknown for an executable.
    pub(crate) line: Option<u32>,
    /// Whether the path is a source file below the root.
    pub(crate) is_below_root: bool,
    /// Where the memory is allocated, if that is not where the finding is shown.
    pub(crate) note: Option<String>,
}

impl<'a> Location<'a> {
    pub(crate) fn of(run: &'a RunReport, finding: &'a Finding, view: &View) -> Self {
        let subject = &finding.lead().subject;
        let own = subject.stack.iter().filter(|frame| frame.is_own());
        let candidates = std::iter::once(&finding.blamed).chain(own).chain(&subject.spawned_by);
        let below_root = |frame: &'a NamedFrame| Some((frame, view.file_below_root(frame)?));
        let blamed: &NamedFrame = &finding.blamed;
        match candidates.map(|frame| &**frame).find_map(below_root) {
            Some((frame, path)) => {
                let place = view.place(blamed).filter(|_| frame != blamed);
                let note = place.map(|place| format!("The memory is allocated at {place}."));
                Self { path, line: frame.line, is_below_root: true, note }
            }
            None => {
                let source = view.file(blamed);
                let path = source.unwrap_or_else(|| view.relative(&run.exe));
                let line = source.and(blamed.line);
                Self { path, line, is_below_root: false, note: None }
            }
        }
    }
}

/// The findings that are not let pass, each with its run: a service would show the others as open.
pub(crate) fn open(report: &Report) -> impl Iterator<Item = (&RunReport, &Finding)> {
    let all = report.runs.iter().flat_map(|run| run.findings.iter().map(move |it| (run, it)));
    all.filter(|(_, finding)| finding.ruling.gate != Gate::Pass)
}
