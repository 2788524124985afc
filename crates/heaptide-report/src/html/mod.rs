//! The report as one page: a single file that opens from disk and asks no network for anything.
//!
//! The page is the data of the report and of the runs over time ([`heaptide_analyze::view`]) as
//! JSON, beside a style sheet and scripts that are the same in every page. **Everything that came out of
//! a recording is hostile.** It stands in the page as data only (`embed`), the scripts put it on the
//! screen as text only, and the page's own policy lets no other script or style run and no address be
//! asked.
//!
//! **Size.** Assets are about 130 KiB. The data follows the limits of the view: with the default ones
//! a run takes some 8 MiB at most, and one of 500 sites and 100 snapshots about 300 KiB.

mod assets;
mod data;
mod embed;
mod finding;
mod forge;
mod names;
mod sources;
mod timeline;

use heaptide_analyze::Report;
use heaptide_analyze::view::RunView;

pub use forge::Forge;
pub use sources::{Repository, Snippet, Sources};

use crate::view::View;
use crate::{human, phrase};
use data::PageData;

/// Writes the page; `runs` are those of the report, in its order.
pub fn write(report: &Report, runs: &[RunView], view: &View, sources: &Sources) -> String {
    let data = data(report, runs, view, sources);
    let plain = human::write(report, &View { width: 100, ..View::default() });
    let programs: Vec<&str> = report.runs.iter().map(phrase::program).collect();
    let title = format!("{}: {} - heaptide", programs.join(", "), phrase::outcome(report.outcome));
    document(&Document {
        title: &title,
        plain: &plain,
        data: Some(&data),
        start: assets::START_REPORT,
    })
}

/// What a page draws, as JSON: what stands in the page that [`write`] makes, and what the live page asks
/// for.
pub fn data(report: &Report, runs: &[RunView], view: &View, sources: &Sources) -> String {
    embed::json(&PageData::of(report, runs, view, sources))
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
        title: "heaptide",
        plain: "This page needs JavaScript. /metrics and /api have the same for programs.",
        data: None,
        start: assets::START_LIVE,
    };
    let own = content_policy(&page.script());
    LivePage {
        html: document(&page),
        content_policy: format!("{own}; connect-src 'self'; frame-ancestors 'none'"),
    }
}

/// What differs between pages.
struct Document<'a> {
    title: &'a str,
    /// For readers without scripts.
    plain: &'a str,
    data: Option<&'a str>,
    start: &'a str,
}

impl Document<'_> {
    fn script(&self) -> String {
        format!("{}{}", assets::SCRIPT, self.start)
    }
}

fn document(page: &Document<'_>) -> String {
    let script = page.script();
    // The live page asks its server; where it came from, a header says that it may.
    let policy = match page.data {
        Some(_) => content_policy(&script),
        None => format!("{}; connect-src 'self'", content_policy(&script)),
    };
    let data = page
        .data
        .map(|data| format!("<script type=\"application/json\" id=\"data\">{data}</script>\n"));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}</title>\n<!--\nuPlot:\n{license}-->\n<style>{style}</style>\n</head>\n<body>\n\
         <div id=\"page\"></div>\n<noscript><pre>{plain}</pre></noscript>\n\
         {data}<script>{script}</script>\n</body>\n</html>\n",
        title = embed::text(page.title),
        license = assets::UPLOT_LICENSE,
        style = assets::STYLE,
        plain = embed::text(page.plain),
        data = data.unwrap_or_default(),
    )
}

/// Nothing may run or be loaded but what stands in the page.
fn content_policy(script: &str) -> String {
    let (script, style) = (assets::source_hash(script), assets::source_hash(assets::STYLE));
    format!(
        "default-src 'none'; script-src {script}; style-src {style}; base-uri 'none'; form-action 'none'"
    )
}
