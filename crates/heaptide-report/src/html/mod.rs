//! The report as one page: a single file that opens from disk and asks no network for anything.
//!
//! The page is the data of the report and of the runs over time ([`heaptide_analyze::view`]) as
//! JSON, beside a style sheet and scripts that are the same in every page. **Everything that came out of
//! a recording is hostile.** It stands in the page as data only (`escape`), the scripts put it on the
//! screen as text only, and the page's own policy lets no other script or style run and no address be
//! asked.
//!
//! **Size.** Assets are about 130 KiB. The data follows the limits of the view: with the default ones
//! a run takes some 8 MiB at most, and one of 500 sites and 100 snapshots about 300 KiB.

mod assets;
mod data;
mod finding;
mod forge;
mod names;
mod sources;
mod timeline;

use heaptide_analyze::Report;
use heaptide_analyze::view::RunView;

pub use forge::Forge;
pub use sources::{Repository, Snippet, Sources};

use crate::escape::{Escaped, Html};
use crate::view::View;
use crate::{human, phrase};
use data::PageData;

/// Writes the page; `runs` are those of the report, in its order.
pub fn write(report: &Report, runs: &[RunView], view: &View, sources: &Sources) -> String {
    let plain = human::write(report, &View { width: 100, ..View::default() });
    let programs: Vec<&str> = report.runs.iter().map(phrase::program).collect();
    let title = format!("{}: {} - heaptide", programs.join(", "), phrase::outcome(report.outcome));
    let page = Document {
        title: Escaped::text(&title),
        plain: Escaped::join(plain.lines().map(Escaped::text), "\n"),
        data: Some(Escaped::data(&PageData::of(report, runs, view, sources))),
        start: assets::START_REPORT,
    };
    page.write()
}

/// What a page draws, as JSON: what stands in the page that [`write()`] makes, and what the live page asks
/// for.
pub fn data(report: &Report, runs: &[RunView], view: &View, sources: &Sources) -> String {
    Escaped::data(&PageData::of(report, runs, view, sources)).into()
}

/// A report in a line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The word of the outcome.
    pub word: &'static str,
    /// `good`, `bad` or `doubt`: what it is coloured by.
    pub tone: &'static str,
    /// One sentence for a tired person.
    pub conclusion: String,
}

/// What a list says of a report.
pub fn summary(report: &Report) -> Summary {
    let (word, tone) = (phrase::outcome(report.outcome), data::tone(report.outcome));
    Summary { word, tone, conclusion: phrase::conclusion(report) }
}

/// The page that shows many recordings while they grow. It holds no data, and asks where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivePage {
    /// The page.
    pub html: String,
    /// Its policy, to be sent as the header `Content-Security-Policy`.
    pub content_policy: String,
}

/// Makes that page.
pub fn live_page() -> LivePage {
    let page = Document {
        title: Escaped::markup("heaptide"),
        plain: Escaped::markup("This page needs JavaScript; /metrics and /api are for programs."),
        data: None,
        start: assets::START_LIVE,
    };
    let content_policy = format!("{}; frame-ancestors 'none'", page.policy());
    LivePage { html: page.write(), content_policy }
}

/// What differs between pages.
struct Document {
    title: Escaped<Html>,
    /// For readers without scripts.
    plain: Escaped<Html>,
    /// What stands in the page; without it the page asks where it came from.
    data: Option<Escaped<Html>>,
    start: &'static str,
}

impl Document {
    fn write(&self) -> String {
        let data = self.data.as_ref().map(|data| {
            const ELEMENT: &str = "<script type=\"application/json\" id=\"data\">{}</script>\n";
            Escaped::fill(ELEMENT, [data.clone()])
        });
        let parts = [
            Escaped::text(&self.policy()),
            self.title.clone(),
            Escaped::markup(assets::UPLOT_LICENSE),
            Escaped::markup(assets::STYLE),
            self.plain.clone(),
            data.unwrap_or_default(),
            Escaped::markup(assets::SCRIPT),
            Escaped::markup(self.start),
        ];
        Escaped::fill(include_str!("page.html"), parts).into()
    }

    /// Nothing may run or be loaded but what stands in the page.
    fn policy(&self) -> String {
        let script = assets::source_hash(&[assets::SCRIPT, self.start]);
        let style = assets::source_hash(&[assets::STYLE]);
        let connect = if self.data.is_some() { "" } else { "; connect-src 'self'" };
        format!(
            "default-src 'none'; script-src {script}; style-src {style}; base-uri 'none'; \
             form-action 'none'{connect}"
        )
    }
}
