//! Growth tests of functions with a known answer, side by side in one process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Barrier, Mutex};
use std::thread;

use heaptide::Heaptide;
use heaptide_testing::{Error, GrowthReport, GrowthTest, Limit, assert_no_growth};

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

#[derive(Debug)]
#[expect(dead_code, reason = "held for its memory")]
struct Session {
    user: String,
    cart: Box<[u8; 200]>,
}

fn login(n: usize) -> Session {
    Session { user: format!("user number {n}"), cart: Box::new([0; 200]) }
}

/// Keeps what it is given.
#[inline(never)]
fn forget_to_log_out(kept: &Mutex<Vec<Session>>, session: Session) {
    kept.lock().unwrap().push(session);
}

/// The calls until a test of `op` ended, and how it did.
fn run(test: GrowthTest, mut op: impl FnMut(usize)) -> (usize, Result<GrowthReport, Error>) {
    let mut calls = 0;
    let result = test.run(|| {
        calls += 1;
        op(calls);
    });
    (calls, result)
}

#[track_caller]
fn passes(result: Result<GrowthReport, Error>) -> GrowthReport {
    result.unwrap_or_else(|err| panic!("{err}"))
}

#[track_caller]
fn fails(result: Result<GrowthReport, Error>) -> heaptide_testing::Growth {
    match result {
        Err(Error::Grows(growth)) => *growth,
        other => panic!("it should grow: {other:?}"),
    }
}

#[test]
fn a_function_that_keeps_nothing_passes_at_once() {
    assert_no_growth(|| login(1));
    let (calls, result) = run(GrowthTest::new("clean"), |n| drop(login(n)));
    passes(result);
    assert!(calls <= 40, "{calls} calls");
}

#[test]
fn one_object_for_each_call_is_found() {
    let kept = Mutex::new(Vec::new());
    let (calls, result) = run(GrowthTest::new("each call"), |n| forget_to_log_out(&kept, login(n)));
    let growth = fails(result);
    assert!(calls <= 60, "{calls} calls");
    assert!(growth.blamed.iter().any(|function| function == "growth::login"), "{growth}");
}

#[test]
fn one_object_in_fifty_calls_is_found() {
    let kept = Mutex::new(Vec::new());
    let (calls, result) = run(GrowthTest::new("one in fifty"), |n| {
        if n % 50 == 1 {
            forget_to_log_out(&kept, login(n));
        }
    });
    fails(result);
    assert!(calls <= 600, "{calls} calls");
}

#[test]
fn a_leak_that_has_not_shown_yet_is_found_if_asked() {
    let kept = Mutex::new(Vec::new());
    let (calls, result) = run(GrowthTest::new("asked").max_calls(600), |n| {
        if n % 50 == 49 {
            forget_to_log_out(&kept, login(n));
        }
    });
    fails(result);
    assert!(calls <= 600, "{calls} calls");
}

#[test]
fn a_container_that_grows_is_found() {
    let seen = Mutex::new(HashMap::new());
    let (calls, result) = run(GrowthTest::new("map"), |n| {
        seen.lock().unwrap().insert(n as u64, [n as u64; 4]);
    });
    let growth = fails(result);
    assert!(calls <= 600 && growth.evidence.contains("a container"), "{calls}: {growth}");
    let names = Mutex::new(Vec::new());
    let (_, result) = run(GrowthTest::new("vector"), |n| names.lock().unwrap().push(n));
    fails(result);
}

#[test]
fn what_finds_its_size_passes() {
    let table = Mutex::new(HashMap::new());
    let (calls, result) = run(GrowthTest::new("bounded map"), |n| {
        table.lock().unwrap().insert(n % 100, n);
    });
    passes(result);
    assert!(calls <= 600, "{calls} calls");
    let buffer = Mutex::new(Vec::new());
    let (_, result) = run(GrowthTest::new("batches"), |n| {
        let mut buffer = buffer.lock().unwrap();
        buffer.push(login(n));
        if buffer.len() == 12 {
            buffer.clear();
        }
    });
    passes(result);
}

#[test]
fn what_is_allowed_passes_and_no_more_than_that() {
    let test = |limit| GrowthTest::new("allowed").allow("growth::*", Limit::objects(limit));
    let kept = Mutex::new(Vec::new());
    let (_, result) = run(test(5000), |n| forget_to_log_out(&kept, login(n)));
    assert!(passes(result).recording.is_some_and(|path| path.is_file()));
    let (calls, result) = run(test(300), |n| forget_to_log_out(&kept, login(n)));
    let growth = fails(result);
    assert!(calls > 60 && growth.evidence.contains("allows 300 objects"), "{calls}: {growth}");
}

#[test]
fn a_budget_is_per_call() {
    let kept = Mutex::new(Vec::new());
    let (_, result) = run(GrowthTest::new("budget").budget("1 KiB/op"), |n| {
        forget_to_log_out(&kept, login(n));
    });
    passes(result);
    let (_, result) = run(GrowthTest::new("budget").budget("100 B/op"), |n| {
        forget_to_log_out(&kept, login(n));
    });
    fails(result);
    let (calls, result) = run(GrowthTest::new("budget").budget("much"), |_| {});
    assert!(matches!(result, Err(Error::Config(_))) && calls == 0, "{result:?}");
}

#[test]
fn tests_side_by_side_do_not_see_each_other() {
    const CLEAN: usize = 6;
    let (leaky, together) = (AtomicUsize::new(0), Barrier::new(CLEAN + 1));
    thread::scope(|scope| {
        for _ in 0..CLEAN {
            scope.spawn(|| {
                together.wait();
                for _ in 0..20 {
                    passes(run(GrowthTest::new("side by side"), |n| drop(login(n))).1);
                }
            });
        }
        scope.spawn(|| {
            together.wait();
            let kept = Mutex::new(Vec::new());
            for _ in 0..3 {
                fails(
                    run(GrowthTest::new("side by side"), |n| forget_to_log_out(&kept, login(n))).1,
                );
                leaky.fetch_add(1, Relaxed);
            }
        });
    });
    assert_eq!(leaky.load(Relaxed), 3);
}

#[test]
fn a_thread_of_the_function_counts_where_it_is_scoped() {
    let kept = Mutex::new(Vec::new());
    let in_thread = |n: usize, is_scoped: bool| {
        let work = || forget_to_log_out(&kept, login(n));
        thread::scope(|scope| match is_scoped {
            true => scope.spawn(heaptide_testing::scoped(work)).join().unwrap(),
            false => scope.spawn(work).join().unwrap(),
        });
    };
    fails(run(GrowthTest::new("scoped"), |n| in_thread(n, true)).1);
    passes(run(GrowthTest::new("not scoped"), |n| in_thread(n, false)).1);
}

#[test]
fn what_another_thread_frees_a_little_later_is_no_growth() {
    let (send, receive) = std::sync::mpsc::channel::<Session>();
    let freeing = thread::spawn(move || {
        for session in receive {
            thread::yield_now();
            drop(session);
        }
    });
    passes(run(GrowthTest::new("freed elsewhere"), |n| send.send(login(n)).unwrap()).1);
    drop(send);
    freeing.join().unwrap();
}
