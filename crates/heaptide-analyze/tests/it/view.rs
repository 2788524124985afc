//! A run over time: what a page draws, held against what the recording says.

use std::path::Path;

use heaptide_analyze::symbols::RecordedOnly;
use heaptide_analyze::verdict::Class;
use heaptide_analyze::view::{Limits, Live, RunView};
use heaptide_analyze::{Terms, judge, judge_and_view};
use heaptide_synthetic::{Born, Process};

/// Forty snapshots of a leak of one block a snapshot, of requests that live for one, and of a start-up.
fn shop() -> Process {
    let mut process = Process::of_snapshots(40);
    process.site("shop::leak", |_| vec![Born::for_ever(1).of_bytes(100)]);
    process.site("shop::request", |_| vec![Born::living(5, 1).of_bytes(10)]);
    process.site("shop::start", |epoch| match epoch {
        0 => vec![Born::for_ever(3).of_bytes(1_000)],
        _ => Vec::new(),
    });
    process
}

fn view_of(process: &Process, limits: &Limits) -> RunView {
    let file = tempfile(process);
    let terms = Terms::default();
    let paths = [file.clone()];
    let (report, mut views) =
        judge_and_view(&paths, &mut RecordedOnly, &terms, limits).expect("it is a recording");
    assert_eq!(Ok(report), judge(&paths, &mut RecordedOnly, &terms), "the verdict is the same");
    std::fs::remove_file(Path::new(&file)).expect("it was there");
    views.pop().expect("one run")
}

fn tempfile(process: &Process) -> std::path::PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("heaptide-view-{}-{number}.jsonl", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, process.recording()).expect("there is room for a file");
    file
}

#[test]
fn every_site_stands_at_every_column_as_its_last_row_says() {
    for columns in [8, 13, 40, 96] {
        let view = view_of(&shop(), &Limits { columns, ..Limits::default() });
        assert_eq!(view.columns.len(), columns.min(40), "{columns} columns");
        let [leak, start, request] = &view.sites[..] else { panic!("{:?}", view.sites) };
        assert_eq!((leak.class, &leak.subject.path[..]), (Class::Leak, "shop::leak"));
        assert_eq!(&start.subject.path, "shop::start");
        for (column, at) in view.columns.iter().enumerate() {
            let n = at.seq + 1;
            assert_eq!(leak.live[column], Live { objects: n, bytes: 100 * n }, "{at:?}");
            assert_eq!(start.live[column], Live { objects: 3, bytes: 3_000 }, "{at:?}");
            assert_eq!(request.live[column], Live { objects: 5, bytes: 50 }, "{at:?}");
            // What is alive, by birth, is what is alive.
            for site in &view.sites {
                let map = site.cohort_map.as_ref().expect("three sites have one each");
                assert_eq!(map[column].iter().sum::<u64>(), site.live[column].bytes, "{at:?}");
                assert_eq!(map[column].len(), column + 1, "nothing is born later than it is seen");
            }
        }
        let last = view.columns.len() - 1;
        for site in &view.sites {
            let survivors = site.survivors.iter().map(|born| born.live.bytes).sum::<u64>();
            assert_eq!(survivors, site.live[last].bytes, "{}", site.subject.path);
        }
        let oldest = start.survivors[0];
        assert_eq!((start.survivors.len(), oldest.column, oldest.live.objects), (1, 0, 3));
        assert!((0.2..0.3).contains(&(view.warm_up_columns as f64 / columns.min(40) as f64)));
        assert!(view.mature_columns > view.warm_up_columns && view.mature_columns < last);
    }
}

#[test]
fn sites_that_do_not_fit_are_summed_up() {
    let view = view_of(&shop(), &Limits { sites: 1, cohort_maps: 0, ..Limits::default() });
    assert_eq!((view.sites.len(), view.n_other_sites), (1, 2));
    assert_eq!(view.sites[0].subject.path, "shop::leak", "what leaks comes first");
    assert_eq!(view.sites[0].cohort_map, None);
    let others = view.other_sites.last().copied();
    assert_eq!(others, Some(Live { objects: 8, bytes: 3_050 }));
}

#[test]
fn a_view_keeps_to_its_size() {
    let limits = Limits { cells: 30, ..Limits::default() };
    assert_eq!(view_of(&shop(), &limits).columns.len(), 10, "30 cells for three sites");
    // Fewer would show nothing.
    let limits = Limits { cells: 3, columns: 1, ..Limits::default() };
    assert_eq!(view_of(&shop(), &limits).columns.len(), 8);
}

#[test]
fn a_run_without_snapshots_has_no_columns() {
    let view = view_of(&Process::of_snapshots(0), &Limits::default());
    assert_eq!((view.columns.len(), view.sites.len()), (0, 0));
}
