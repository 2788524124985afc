//! Every output against a golden file. `UPDATE=1 cargo test` writes them anew.

mod golden;
mod page;
mod sample;
mod sarif_schema;
mod schema;
mod untrusted;

use heaptide_report::{
    Colour, View, github, gitlab, human, json, junit, markdown, sarif, table, tap,
};

use heaptide_analyze::CallTree;
use heaptide_analyze::diff::Diff;
use heaptide_analyze::dump::Dump;
use heaptide_analyze::finding::Gate;
use heaptide_analyze::identity::{NamedFrame, Origin, SharedFrame};
use heaptide_analyze::load::{Point, Timeline};
use heaptide_analyze::policy::Limit;
use heaptide_analyze::verdict::{Channel, Condition, Confidence};
use heaptide_format::{Account, Mode, Parts, PartsSource};

use crate::golden::check;

fn view() -> View {
    View { width: 80, colour: Colour::Plain, root: "/build/shop".into() }
}

#[test]
fn growth_in_every_format() {
    let report = sample::growth();
    check("growth.txt", &human::write(&report, &view()));
    check("growth.json", &json::write(&report));
    check("growth.md", &markdown::write(&report, &view()));
    check("growth.sarif", &sarif::write(&report, &view()));
    check("growth.xml", &junit::write(&report, &view()));
    check("growth.github", &github::write(&report, &view()));
    check("growth.gitlab", &gitlab::write(&report, &view()));
    check("growth.tap", &tap::write(&report, &view()));
}

#[test]
fn clean_in_every_format() {
    let report = sample::clean();
    check("clean.txt", &human::write(&report, &view()));
    check("clean.md", &markdown::write(&report, &view()));
    check("clean.sarif", &sarif::write(&report, &view()));
    check("clean.xml", &junit::write(&report, &view()));
    check("clean.github", &github::write(&report, &view()));
    check("clean.gitlab", &gitlab::write(&report, &view()));
    check("clean.tap", &tap::write(&report, &view()));
}

#[test]
fn two_builds_in_every_format() {
    let report = sample::compared();
    check("compared.txt", &human::write(&report, &view()));
    check("compared.md", &markdown::write(&report, &view()));
    check("compared.sarif", &sarif::write(&report, &view()));
    check("compared.xml", &junit::write(&report, &view()));
    check("compared.github", &github::write(&report, &view()));
    check("compared.gitlab", &gitlab::write(&report, &view()));
    check("compared.tap", &tap::write(&report, &view()));
}

#[test]
fn growth_outside_the_heap_in_every_format() {
    let report = sample::outside();
    check("outside.txt", &human::write(&report, &view()));
    check("outside.json", &json::write(&report));
    check("outside.md", &markdown::write(&report, &view()));
    check("outside.sarif", &sarif::write(&report, &view()));
    check("outside.xml", &junit::write(&report, &view()));
    check("outside.github", &github::write(&report, &view()));
    check("outside.tap", &tap::write(&report, &view()));
}

#[test]
fn too_short_in_every_format() {
    let report = sample::too_short();
    check("short.txt", &human::write(&report, &view()));
    check("short.xml", &junit::write(&report, &view()));
    check("short.github", &github::write(&report, &view()));
    check("short.gitlab", &gitlab::write(&report, &view()));
    check("short.tap", &tap::write(&report, &view()));
}

/// A finding in a service is a stack of sixty frames of its runtime: three of them were more than a
/// comment may hold.
#[test]
fn markdown_fits_a_comment() {
    for (n_findings, n_details) in [(10, 10), (1_000, 0)] {
        let report = sample::of_deep_stacks(n_findings);
        let page = markdown::write(&report, &view());
        assert!(page.len() <= 60_000, "{n_findings} findings: {} bytes", page.len());
        let shown = page.matches("<details>").count();
        let closed = page.matches("</details>").count();
        assert!(shown >= n_details && shown == closed, "{n_findings} findings: {shown} in detail");
        assert_eq!(
            page.contains("Left out here: the evidence of "),
            shown < n_findings,
            "{n_findings} findings"
        );
        let is_folded = page.contains("(59 frames, the first of tokio)");
        assert_eq!(is_folded, shown > 0, "{page}");
    }
    let mut report = sample::of_deep_stacks(1);
    report.runs = vec![report.runs[0].clone(); 500];
    report.errors = vec!["an error".into()];
    report.warnings = vec!["y".repeat(300); 500];
    let name = NamedFrame { function: "<".repeat(100_000), ..NamedFrame::default() };
    let call = CallTree { function: name.function.clone(), ..sample::call_tree() };
    report.runs[0].grows_under = Some(CallTree { calls: vec![call], ..sample::call_tree() });
    report.runs[0].findings[0].blamed = name.into();
    let page = markdown::write(&report, &view());
    assert!(page.len() <= 65_536, "{} bytes", page.len());
    assert!(page.contains("- **error**: an error\n"), "{page}");
    assert!(page.contains(", 1 call tree; `"), "{page}");
}

/// What was accepted took twenty lines each, every time.
#[test]
fn what_is_let_pass_takes_a_line() {
    let page = human::write(&sample::let_pass(), &View { width: 100, ..view() });
    let lines: Vec<&str> = page.lines().filter(|line| line.contains("hyper::Pool")).collect();
    assert_eq!(lines.len(), 3, "{page}");
    assert!(page.ends_with("What grows is within what the policy accepts.\n"), "{page}");
    assert!(page.contains("passes (exit 0)"), "{page}");
}

/// One control character in a tag, and no parser read the file.
#[test]
fn junit_has_only_characters_of_xml() {
    let mut report = sample::growth();
    let finding = &mut report.runs[0].findings[0];
    finding.sites[0].subject.tag = Some("\u{1b}[31mred\u{7}".into());
    finding.ruling.because = "a\u{0}b\u{ffff}".into();
    report.warnings = vec!["\u{1b}]0;title\u{7}".into()];
    let text = junit::write(&report, &view());
    let wrong = text.chars().find(|c| c.is_control() && *c != '\n' || *c == '\u{ffff}');
    assert_eq!(wrong, None, "{text}");
    assert!(text.contains("red"), "{text}");
}

#[test]
fn colours_change_no_word() {
    let report = sample::growth();
    let coloured = human::write(&report, &View { colour: Colour::Ansi, ..view() });
    let stripped = anstream::adapter::strip_str(&coloured).to_string();
    assert_ne!(coloured, stripped);
    assert_eq!(stripped, human::write(&report, &view()));
}

#[test]
fn sentences_fit_the_terminal() {
    for width in [60, 80, 120] {
        let page = human::write(&sample::growth(), &View { width, ..view() });
        let too_wide = page.lines().find(|line| line.chars().count() > width);
        assert_eq!(too_wide, None, "at {width} columns");
    }
}

fn dump(text: &str) -> Dump {
    serde_json::from_str(text).expect("the sample is a dump")
}

#[test]
fn tables_of_sites() {
    let before = dump(include_str!("before.json"));
    let after = dump(include_str!("after.json"));
    check("show-size.table", &table::show(&after, table::Order::Size, 20, &view()));
    check("show-age.table", &table::show(&after, table::Order::Age, 1, &view()));
    check("diff.table", &table::diff(&Diff::new(&before, &after), 20, &view()));
}

#[test]
fn tables_fit_the_terminal_from_60_columns_on() {
    let after = dump(include_str!("after.json"));
    for width in [60, 80, 120] {
        let table = table::show(&after, table::Order::Size, 20, &View { width, ..view() });
        let too_wide = table.lines().skip(1).find(|line| line.chars().count() > width);
        assert_eq!(too_wide, None, "at {width} columns");
    }
}

fn account(other_malloc_bytes: u64, parts: bool) -> Account {
    let parts = parts.then_some(Parts {
        source: PartsSource::Glibc,
        rust_heap_bytes: 3 << 20,
        other_malloc_bytes,
        allocator_free_bytes: 300_000,
        files_bytes: 4 << 20,
        not_resident_bytes: 100_000,
        ..Parts::default()
    });
    Account { threads: 4, descriptors: Some(16), parts, ..Account::default() }
}

#[test]
fn tables_of_parts() {
    let point = |seq: u64| Point {
        seq,
        elapsed_ns: 5_000_000_000 * (seq + 1),
        rss_bytes: (7 << 20) + 200_000 + 400_000 * seq,
        account: Some(account(400_000 * seq, seq.is_multiple_of(2))),
        ..Point::default()
    };
    let mut timeline = Timeline { points: (0..9).map(point).collect(), ..Timeline::default() };
    let view = View { width: 120, ..view() };
    check("parts.table", &table::parts::over_time(&timeline, 3, &view));
    timeline.points.iter_mut().for_each(|point| point.account = None);
    let nothing = table::parts::over_time(&timeline, 3, &view);
    assert!(nothing.contains("does not say what the whole process holds"), "{nothing}");
    let mut before = dump(include_str!("before.json"));
    let mut after = dump(include_str!("after.json"));
    assert_eq!(table::parts::diff(&before, &after, &view), None);
    before.scalars.account = Some(account(0, true));
    after.scalars.account = Some(Account { threads: 9, ..account(90 << 20, true) });
    let diff = table::parts::diff(&before, &after, &view).expect("both have parts");
    check("parts-diff.table", &(diff + &table::parts::at(&after, &view)));
}

/// In narrower ones a table was one letter wide.
#[test]
fn tables_are_readable_in_any_terminal() {
    let after = dump(include_str!("after.json"));
    let table = |width| table::show(&after, table::Order::Size, 20, &View { width, ..view() });
    assert_eq!(table(1), table(60));
}

/// The numbers of a sample looked exact.
#[test]
fn a_table_of_a_sample_says_so() {
    let mut after = dump(include_str!("after.json"));
    after.header.mode = Mode::Sampled { period_bytes: 512 << 10 };
    after.sites[0].row.bytes_error = Some(2_048.0);
    after.sites[0].row.objects_error = Some(32.4);
    let table = table::show(&after, table::Order::Size, 20, &view());
    let has = |text: &str| assert!(table.contains(text), "no {text:?} in {table}");
    has("; estimates from a sample each 512.0 KiB\n");
    has(" ± 2.0 KiB ");
    has(" ± 32 ");
}

/// `crates/heaptide-` stood at the end of a line, and `cli/src` at the beginning of the next.
#[test]
fn no_path_is_broken_at_its_hyphens() {
    let mut report = sample::growth();
    report.warnings = vec!["held by a container in crates/shop-web/src/main-loop.rs".to_owned()];
    for width in 20..=100 {
        let text = human::write(&report, &View { width, ..view() });
        let broken = text.lines().find(|line| line.ends_with('-'));
        assert_eq!(broken, None, "at {width} columns");
    }
}

#[test]
fn a_finding_takes_twelve_lines() {
    for mut report in [sample::growth(), sample::compared()] {
        report.runs[0].findings.iter_mut().for_each(|finding| finding.ruling.gate = Gate::Fail);
        for width in [80, 120] {
            let page = human::write(&report, &View { width, ..view() });
            let is_finding = |part: &&str| part.starts_with("LEAK") || part.starts_with("SUSPECT");
            let findings: Vec<&str> = page.split("\n\n").filter(is_finding).collect();
            assert_eq!(findings.len(), report.findings().count(), "{page}");
            assert!(findings.iter().all(|finding| finding.lines().count() <= 12), "{page}");
        }
    }
}

/// A storage engine's buffer was called a leak, and nothing said that it might be flushed later.
#[test]
fn what_was_never_freed_says_so_in_its_first_lines() {
    let mut report = sample::growth();
    let finding = &mut report.runs[0].findings[0];
    finding.confidence = Confidence::Likely;
    let conditions = &mut finding.sites[0].verdict.evidence.would_change;
    conditions.insert(0, Condition::Flush { within_ns: 64_000_000_000 });
    let view = View { width: 200, ..view() };
    let finding = |page: &str| {
        let found = page.split("\n\n").find(|part| part.starts_with("LEAK")).unwrap_or_default();
        found.lines().nth(2).map(str::to_owned)
    };
    let said = "  nothing was ever freed here: a buffer that is flushed later looks the same. \
                Run for 1m 4s to see, or give it a limit well below 280.3 KiB";
    assert_eq!(finding(&human::write(&report, &view)).as_deref(), Some(said));
    assert!(markdown::write(&report, &view).contains("nothing was ever freed here"));
}

/// A cache that was full before the recording began looked like a leak, and nothing said what it may be.
#[test]
fn a_recording_that_began_late_says_what_it_cannot_know() {
    let mut report = sample::growth();
    let conditions = &mut report.runs[0].findings[0].sites[0].verdict.evidence.would_change;
    conditions.insert(0, Condition::FromStart { freed_from_before: 1_200 });
    let page = human::write(&report, &View { width: 200, ..view() });
    let said =
        "1,200 blocks from before the recording ended meanwhile, and these may only replace them";
    assert!(page.contains(said), "{page}");
    assert!(markdown::write(&report, &view()).contains(said));
}

/// `limit = "2 objects"` allowed a container, which is one object, whatever it grew to.
#[test]
fn the_entry_that_allows_a_container_bounds_its_bytes() {
    let mut report = sample::growth();
    let finding = report.runs[0].findings.remove(2);
    let verdict = &finding.lead().verdict;
    assert_eq!((verdict.channel, verdict.evidence.live_objects), (Channel::Container, 1));
    let twice = bytesize::ByteSize(verdict.evidence.live_bytes * 2).display().iec().to_string();
    report.runs[0].findings = vec![finding];
    let page = markdown::write(&report, &view());
    assert!(page.contains(&format!("limit = \"{twice}\"\n")), "no limit of {twice} in {page}");
    assert!(twice.parse::<Limit>().is_ok());
}

/// A leak of 36,303 blocks was certain, and "a buffer that is flushed later" in the next line.
#[test]
fn what_is_certain_is_no_buffer() {
    let mut report = sample::growth();
    let finding = &mut report.runs[0].findings[0];
    let conditions = &mut finding.sites[0].verdict.evidence.would_change;
    conditions.insert(0, Condition::Flush { within_ns: 64_000_000_000 });
    for (confidence, is_said) in [(Confidence::Likely, true), (Confidence::Certain, false)] {
        report.runs[0].findings[0].confidence = confidence;
        assert_eq!(markdown::write(&report, &view()).contains("ever freed here"), is_said);
    }
}

/// "Each second leaves 1564 objects behind that nobody frees: hub."
#[test]
fn an_async_function_without_a_name_is_called_one() {
    for (function, file, told_by_file, name) in [
        ("hub::{async_fn#0}", "src/bin/hub.rs", true, "an async function in hub"),
        ("shop::hooks::{closure#1}", "src/hooks/mod.rs", true, "a closure in shop::hooks"),
        ("shop::hooks::add::{closure#1}", "src/hooks.rs", true, "shop::hooks::add"),
        ("shop::hooks::{closure#1}", "src/hooks.rs", false, "shop::hooks"),
        ("shop::hooks::add", "src/hooks.rs", true, "shop::hooks::add"),
    ] {
        let mut report = sample::growth();
        let (function, file) = (function.to_owned(), Some(file.to_owned()));
        let frame = NamedFrame { function, file, told_by_file, ..NamedFrame::default() };
        report.runs[0].findings[0].blamed = frame.into();
        let page = human::write(&report, &View { width: 200, ..view() });
        assert!(page.contains(&format!("\n  {name}\n")), "no {name} in {page}");
        assert!(page.contains(&format!("frees: {name}.")), "no {name} at the end of {page}");
    }
}

/// A finding in a dependency was shown in a file that exists on the build machine alone.
#[test]
fn code_review_shows_a_line_of_the_repository() {
    let theirs = "/home/me/.cargo/registry/src/i-1/hyper-1.0.0/src/pool.rs";
    let frame = |file: &str, origin, line| -> SharedFrame {
        let (file, line) = (Some(file.to_owned()), Some(line));
        NamedFrame { function: "f".into(), file, line, origin, ..NamedFrame::default() }.into()
    };
    let pool = || frame(theirs, Origin::Dependency("hyper".into()), 7);
    let own = || frame("/build/shop/src/main.rs", Origin::Workspace, 9);
    check_location(vec![pool(), own()], None, "src/main.rs");
    check_location(vec![pool()], Some(own()), "src/main.rs");
    check_location(vec![pool()], None, "hyper-1.0.0/src/pool.rs");
    let cart = frame("/build/shop/src/cart.rs", Origin::Workspace, 3);
    check_location(vec![cart, own()], None, "src/cart.rs");
    check_location(vec![SharedFrame::default()], None, "target/release/shop");
}

/// Every output shows a finding of this stack at `path`, and says where else the memory comes from.
#[track_caller]
fn check_location(stack: Vec<SharedFrame>, spawned_by: Option<SharedFrame>, path: &str) {
    let mut report = sample::growth();
    report.runs[0].findings.truncate(1);
    let finding = &mut report.runs[0].findings[0];
    (finding.blamed, finding.sites[0].subject.stack) = (stack[0].clone(), stack);
    finding.sites[0].subject.spawned_by = spawned_by;
    let json = |text: &str| -> serde_json::Value { serde_json::from_str(text).expect("JSON") };
    let (issues, sarif) =
        (json(&gitlab::write(&report, &view())), json(&sarif::write(&report, &view())));
    let result = &sarif["runs"][0]["results"][0];
    let artifact = &result["locations"][0]["physicalLocation"]["artifactLocation"];
    let is_below_root = path.starts_with("src/");
    assert_eq!(issues[0]["location"]["path"], path);
    assert_eq!(artifact["uri"], path);
    assert_eq!(artifact.get("uriBaseId").is_some(), is_below_root, "{artifact}");
    let commands = github::write(&report, &view());
    assert_eq!(commands.contains(&format!("file={path},")), is_below_root, "{commands}");
    assert!(junit::write(&report, &view()).contains(&format!("\nat {path}")));
    for text in [&result["message"]["text"], &issues[0]["description"]] {
        let text = text.as_str().unwrap_or_default();
        let says_where = text.contains("The memory is allocated at hyper-1.0.0/src/pool.rs:7.");
        assert_eq!(says_where, path == "src/main.rs", "{text}");
    }
}

/// Two processes of one program have the same sites.
#[test]
fn gitlab_has_a_fingerprint_once() {
    let mut report = sample::growth();
    report.runs.push(report.runs[0].clone());
    let once = gitlab::write(&sample::growth(), &view());
    assert_eq!(gitlab::write(&report, &view()), once);
}

/// The report named the leaking crate in one of seventeen cases.
#[test]
fn a_dependency_that_allocates_is_named() {
    let mut report = sample::growth();
    let store: SharedFrame = NamedFrame {
        function: "minijinja::vm::Closure<K>::store".into(),
        file: Some("/home/me/.cargo/registry/src/i-1/minijinja-2.0.0/src/vm.rs".into()),
        line: Some(31),
        origin: Origin::Dependency("minijinja".into()),
        ..NamedFrame::default()
    }
    .into();
    let findings = &mut report.runs[0].findings;
    findings[0].sites[0].subject.via = Some(store);
    let theirs = findings[2].blamed.clone();
    let of = |package: &str, function: &str| -> SharedFrame {
        let origin = Origin::Dependency(package.into());
        NamedFrame { function: function.into(), origin, ..NamedFrame::default() }.into()
    };
    findings[2].sites[0].subject.stack = vec![
        theirs,
        of("hyper", "hyper::Client::send"),
        of("tower-sessions", "tower_sessions::Service::call"),
        of("tower-sessions", "tower_sessions::Layer::call"),
        of("tokio", "tokio::task::poll"),
    ];
    findings[2].ruling.gate = Gate::Fail;
    findings.push(findings[2].clone());
    let shop = NamedFrame { function: "shop::open".into(), line: Some(9), ..NamedFrame::default() };
    let shop = NamedFrame { file: Some("/build/shop/src/main.rs".into()), ..shop };
    findings[3].sites[0].subject.spawned_by = Some(shop.into());
    // Without debug information nobody knows whose `shop::run` is.
    let mut without_files = findings[2].clone();
    without_files.blamed = of("shop", "shop::run");
    without_files.sites[0].subject.stack = vec![without_files.blamed.clone()];
    findings.push(without_files);
    let page = human::write(&report, &view());
    assert_eq!(page.matches("on a thread or task of its own").count(), 2, "{page}");
    for line in [
        "      via minijinja::vm::Closure::store  minijinja-2.0.0/src/vm.rs:31\n",
        "      on a thread or task of its own: no call of yours leads here\n      <- tower_sessions::Service::call\n",
        "      on a thread or task of its own, spawned by shop::open  src/main.rs:9\n",
    ] {
        assert!(page.contains(line), "no {line:?} in {page}");
    }
    // They were all one line: "5 frames, the first of hyper".
    let page = markdown::write(&report, &view());
    assert!(page.contains("\n  (1 frame of hyper)\ntower_sessions::Service::call\n"), "{page}");
}
