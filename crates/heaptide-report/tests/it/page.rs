//! The page: hostile recordings, its policy, its size. What it looks like is for `cargo ci page`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use heaptide_analyze::identity::{NamedFrame, Origin};
use heaptide_analyze::load::{Point, Timeline};
use heaptide_analyze::verdict::Class;
use heaptide_analyze::view::{BornIn, Column, Live, RunView, SiteView};
use heaptide_analyze::{Report, Subject};
use heaptide_report::html::{self, Sources};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{sample, view};

const HOSTILE: &str = "</script><img src=x onerror=alert(1)><!--\u{2028}\u{1b}[31m\"'&::error::x";

/// A run of so many sites, each called so, at so many columns.
fn run_of(n_sites: u64, n_columns: u64, name: &str) -> RunView {
    let column = |k: u64| Column {
        seq: k,
        elapsed_ns: k * 1_000_000_000,
        is_judged: true,
        ..Column::default()
    };
    let live = |site: u64| (0..n_columns).map(move |k| Live { objects: k % 7, bytes: site * k });
    let site = |k: u64| {
        let frame = |line| NamedFrame {
            function: format!("{name}::f{}", (k + u64::from(line)) % 500),
            file: Some(format!("/build/shop/src/{name}.rs")),
            line: Some(line),
            origin: Origin::Workspace,
            ..NamedFrame::default()
        };
        let subject = Subject {
            id: format!("{k:08x}"),
            path: name.to_owned(),
            tag: Some(name.to_owned()),
            stack: (1..20).map(|line| frame(line).into()).collect(),
            ..Subject::default()
        };
        let survivors = (0..n_columns as usize)
            .map(|column| BornIn { column, live: Live { objects: 1, bytes: 64 } });
        SiteView {
            subject,
            class: Class::Stable,
            live: live(k).collect(),
            survivors: if k < 40 { survivors.collect() } else { Vec::new() },
            ..SiteView::default()
        }
    };
    let points = (0..n_columns).map(|seq| Point { seq, ..Point::default() }).collect();
    RunView {
        timeline: Timeline { points, ..Timeline::default() },
        columns: (0..n_columns).map(column).collect(),
        sites: (0..n_sites).map(site).collect(),
        ..RunView::default()
    }
}

fn page_of(report: &Report, run: RunView) -> String {
    html::write(report, &[run], &view(), &Sources::default())
}

/// What stands between two texts.
fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    let from = page.find(start).expect(start) + start.len();
    &page[from..from + page[from..].find(end).expect(end)]
}

fn data_in(page: &str) -> Value {
    let data = between(page, "<script type=\"application/json\" id=\"data\">", "</script>");
    serde_json::from_str(data).expect("the data is JSON")
}

#[test]
fn a_hostile_recording_is_data_and_text() {
    let mut report = sample::growth();
    report.warnings.push(HOSTILE.to_owned());
    report.runs[0].exe = format!("/build/{HOSTILE}");
    let blamed = NamedFrame {
        function: HOSTILE.into(),
        file: Some(HOSTILE.into()),
        ..NamedFrame::default()
    };
    report.runs[0].findings[0].blamed = blamed.into();
    let page = page_of(&report, run_of(3, 4, HOSTILE));
    assert!(!page.contains("<img"), "an element of a recording's");
    assert_eq!(page.matches("</script>").count(), 2, "the data ended its element");
    assert_eq!(page.matches("<!--").count(), 1, "a comment of a recording's");
    let data = data_in(&page);
    assert_eq!(data["runs"][0]["sites"][0]["tag"], HOSTILE);
    assert_eq!(data["warnings"][1], HOSTILE);
    let title = between(&page, "<title>", "</title>");
    assert!(title.contains("&lt;img src=x"), "{title}");
}

/// The policy lets run what stands in the page, and nothing else.
#[test]
fn the_policy_names_the_script_and_the_style() {
    for (page, n_scripts) in
        [(page_of(&sample::clean(), run_of(1, 2, "a")), 2), (html::live_page().html, 1)]
    {
        // As a browser reads the attribute.
        let policy = between(&page, "Content-Security-Policy\" content=\"", "\">");
        let policy = policy.replace("&#39;", "'");
        let hash =
            |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)));
        let script = hash(between(&page, "<script>", "</script>"));
        let style = hash(between(&page, "<style>", "</style>"));
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(policy.contains(&format!("script-src {script};")), "{policy}");
        assert!(policy.contains(&format!("style-src {style};")), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.matches("<script").count(), n_scripts);
        for loads in ["<link", " src=\"", "@import", "url("] {
            assert!(!page.contains(loads), "the page loads something: {loads}");
        }
    }
    let live = html::live_page();
    assert!(live.content_policy.contains("connect-src 'self'; frame-ancestors 'none'"));
}

#[test]
fn ten_thousand_sites_stay_below_the_stated_size() {
    let page = page_of(&sample::clean(), run_of(10_000, 40, "shop::worker"));
    assert!(page.len() < 8 << 20, "{} bytes", page.len());
    let data = data_in(&page);
    let run = &data["runs"][0];
    assert_eq!(run["sites"].as_array().map(Vec::len), Some(10_000));
    // Names and frames are written once.
    let n_frames = run["frames"].as_array().map_or(0, Vec::len);
    assert!(n_frames <= 500 * 20, "{n_frames} frames");
    // Series come back from their differences.
    let bytes = run["sites"][7]["bytes"].as_array().expect("a series");
    let sum: i64 = bytes.iter().filter_map(Value::as_i64).sum();
    assert_eq!(sum, 7 * 39);
}

#[test]
fn a_report_without_runs_is_a_page() {
    let mut report = sample::clean();
    report.runs.clear();
    let page = html::write(&report, &[], &view(), &Sources::default());
    assert_eq!(data_in(&page)["runs"].as_array().map(Vec::len), Some(0));
}
