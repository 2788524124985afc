//! Ten thousand growth tests of functions that keep nothing, side by side under load: none may fail.
//!
//! `cargo ci growth` runs it. What each function does is what made checks of other tools fail now and then:
//! it makes its statics late, works in pools of threads, shares maps that are still growing to their size,
//! traces, sleeps, and lets others free what it made. `GROWTH_TESTS=n` runs another number.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, Sender};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use heaptide::Heaptide;
use heaptide_testing::{Error, GrowthReport, GrowthTest, scoped, scoped_future};
use tokio::runtime::Runtime;

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

/// Tests at a time.
const SIDE_BY_SIDE: usize = 8;
/// Threads that do nothing but allocate meanwhile.
const BUSY_THREADS: usize = 2;

/// One kind of function, called with the number of its test and of the call.
struct Kind {
    name: &'static str,
    run: fn(GrowthTest, usize) -> Result<GrowthReport, Error>,
}

const KINDS: &[Kind] = &[
    Kind { name: "text", run: |test, n| each(test, |call| drop(text(n + call))) },
    Kind { name: "late statics", run: |test, n| each(test, |call| late_static(n, call)) },
    Kind { name: "statics of a thread", run: |test, _| each(test, thread_static) },
    Kind { name: "a pool of threads", run: |test, _| each(test, in_pool) },
    Kind { name: "a shared map", run: |test, n| each(test, |call| shared_map(n, call)) },
    Kind { name: "a map of its own", run: |test, _| own_map(test) },
    Kind { name: "a pool of buffers", run: |test, _| each(test, |_| pooled_buffer()) },
    Kind { name: "traced", run: |test, n| each(test, |call| traced(n, call)) },
    Kind { name: "freed elsewhere", run: |test, _| each(test, freed_elsewhere) },
    Kind { name: "timers", run: |test, _| on_runtime(test, timer) },
    Kind { name: "blocking work", run: |test, _| on_runtime(test, blocking) },
    Kind { name: "tasks", run: |test, _| on_runtime(test, tasks) },
];

fn each(test: GrowthTest, mut op: impl FnMut(usize)) -> Result<GrowthReport, Error> {
    let mut call = 0;
    test.run(|| {
        call += 1;
        op(call);
    })
}

fn on_runtime<F: Future>(test: GrowthTest, op: fn() -> F) -> Result<GrowthReport, Error> {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().expect("a runtime")
    });
    RUNTIME.block_on(test.run_async(op))
}

fn text(n: usize) -> String {
    let words: Vec<String> = (0..n % 7 + 1).map(|word| format!("word {word} of {n}")).collect();
    words.join(" ")
}

fn late_static(n: usize, call: usize) {
    static LATE: [OnceLock<Vec<String>>; 97] = [const { OnceLock::new() }; 97];
    let at = n + call.min(20) / 5;
    LATE[at % LATE.len()].get_or_init(|| (0..9).map(text).collect());
}

fn thread_static(call: usize) {
    thread_local! {
        static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        scratch.resize(call * 7919 % 3000, 1);
    });
}

type Job = Box<dyn FnOnce() + Send>;

fn in_pool(call: usize) {
    static POOL: LazyLock<Vec<Mutex<Sender<Job>>>> = LazyLock::new(|| {
        let worker = |_| {
            let (send, receive) = mpsc::channel::<Job>();
            thread::spawn(move || receive.into_iter().for_each(|job| job()));
            Mutex::new(send)
        };
        (0..4).map(worker).collect()
    });
    let (done, wait) = mpsc::sync_channel(1);
    let job = scoped(move || done.send(text(call)).expect("somebody waits"));
    let worker = POOL[call % POOL.len()].lock().unwrap_or_else(PoisonError::into_inner);
    worker.send(Box::new(job)).expect("a worker");
    drop(worker);
    drop(wait.recv().expect("an answer"));
}

/// Fifty tests share a map, and the first of them fill it: with fewer names than a test makes calls,
/// because what grows all through a test cannot be told from a leak.
fn shared_map(test: usize, call: usize) {
    type Names = HashMap<usize, [u64; 4]>;
    static NAMES: [LazyLock<Mutex<Names>>; 31] = [const { LazyLock::new(Mutex::default) }; 31];
    let names = &NAMES[test / (50 * KINDS.len()) % NAMES.len()];
    let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
    names.insert((test + call) * 31 % 400, [call as u64; 4]);
}

fn own_map(test: GrowthTest) -> Result<GrowthReport, Error> {
    let mut sessions = HashMap::new();
    each(test, |call| {
        sessions.insert(call, text(call));
        sessions.remove(&call.wrapping_sub(3));
    })
}

fn pooled_buffer() {
    static POOL: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
    let take = || POOL.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut buffer = take().unwrap_or_else(|| Vec::with_capacity(4096));
    buffer.extend_from_slice(b"some bytes");
    thread::yield_now();
    buffer.clear();
    POOL.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
}

fn traced(n: usize, call: usize) {
    let span = tracing::info_span!("login", n, call);
    let _entered = span.enter();
    tracing::info!(user = %text(call), "logged in");
    tracing::debug!("and out");
}

fn freed_elsewhere(call: usize) {
    static DUSTMAN: LazyLock<Mutex<Sender<String>>> = LazyLock::new(|| {
        let (send, receive) = mpsc::channel();
        thread::spawn(move || receive.into_iter().for_each(drop::<String>));
        Mutex::new(send)
    });
    let dustman = DUSTMAN.lock().unwrap_or_else(PoisonError::into_inner);
    dustman.send(text(call)).expect("it waits");
}

async fn timer() {
    let late =
        tokio::time::timeout(Duration::from_micros(10), tokio::time::sleep(Duration::from_secs(9)));
    let _ = late.await;
    tokio::time::sleep(Duration::from_micros(50)).await;
}

async fn blocking() {
    let work = scoped(|| {
        thread::sleep(Duration::from_micros(20));
        text(5)
    });
    drop(tokio::task::spawn_blocking(work).await);
}

async fn tasks() {
    let (send, mut receive) = tokio::sync::mpsc::channel(4);
    let senders = (0..3).map(|n| {
        let send = send.clone();
        tokio::spawn(scoped_future(async move { send.send(text(n)).await }))
    });
    let senders: Vec<_> = senders.collect();
    drop(send);
    while let Some(text) = receive.recv().await {
        drop(text);
    }
    for sender in senders {
        let _ = sender.await;
    }
}

/// What came of all tests of one kind.
#[derive(Default)]
struct Tally {
    tests: AtomicUsize,
    calls: AtomicUsize,
    undecided: AtomicUsize,
    failed: AtomicUsize,
    nanoseconds: AtomicU64,
}

fn main() -> ExitCode {
    let n_tests: usize =
        std::env::var("GROWTH_TESTS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    // Before anything records: from the first growth test on, all of the process is counted.
    let bare = bare();
    tracing_subscriber::fmt().with_writer(io::sink).init();
    let tallies: Vec<Tally> = KINDS.iter().map(|_| Tally::default()).collect();
    let (next, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let start = Instant::now();
    thread::scope(|scope| {
        let testers: Vec<_> = (0..SIDE_BY_SIDE)
            .map(|_| {
                scope.spawn(|| {
                    while let Some(n) = Some(next.fetch_add(1, Relaxed)).filter(|n| *n < n_tests) {
                        test(n, &tallies[n % KINDS.len()]);
                    }
                })
            })
            .collect();
        for _ in 0..BUSY_THREADS {
            scope.spawn(|| {
                for n in 0.. {
                    if is_over.load(Relaxed) {
                        break;
                    }
                    drop(text(n));
                }
            });
        }
        testers.into_iter().for_each(|tester| tester.join().expect("no test panics"));
        is_over.store(true, Relaxed);
    });
    let failed = print(&tallies, start.elapsed());
    overhead(bare);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn test(n: usize, tally: &Tally) {
    let kind = &KINDS[n % KINDS.len()];
    let start = Instant::now();
    let result = (kind.run)(GrowthTest::new(kind.name), n);
    tally.nanoseconds.fetch_add(start.elapsed().as_nanos() as u64, Relaxed);
    tally.tests.fetch_add(1, Relaxed);
    match result {
        Ok(report) => {
            tally.calls.fetch_add(report.calls, Relaxed);
            tally.undecided.fetch_add(usize::from(report.undecided_sites > 0), Relaxed);
        }
        Err(error) => {
            tally.failed.fetch_add(1, Relaxed);
            println!("test {n}, {}: {error}\n", kind.name);
        }
    }
}

/// How many failed.
fn print(tallies: &[Tally], took: Duration) -> usize {
    println!(
        "{:<20} {:>6} {:>11} {:>9} {:>9} {:>7}",
        "function", "tests", "calls each", "ms each", "undecided", "failed"
    );
    let sum = |of: fn(&Tally) -> &AtomicUsize| {
        tallies.iter().map(|it| of(it).load(Relaxed)).sum::<usize>()
    };
    for (kind, tally) in KINDS.iter().zip(tallies) {
        let tests = tally.tests.load(Relaxed);
        let each = |sum: f64| sum / tests.max(1) as f64;
        println!(
            "{:<20} {tests:>6} {:>11.1} {:>9.2} {:>9} {:>7}",
            kind.name,
            each(tally.calls.load(Relaxed) as f64),
            each(tally.nanoseconds.load(Relaxed) as f64 / 1e6),
            tally.undecided.load(Relaxed),
            tally.failed.load(Relaxed),
        );
    }
    let (tests, failed) = (sum(|it| &it.tests), sum(|it| &it.failed));
    println!(
        "{tests} tests, {SIDE_BY_SIDE} at a time, in {:.1} s: {failed} failed",
        took.as_secs_f64()
    );
    failed
}

/// How many calls the costs are measured over.
const CALLS: usize = 5000;

/// What a call takes where nothing is counted.
fn bare() -> Duration {
    let pass = || {
        let start = Instant::now();
        (0..CALLS).for_each(|call| drop(text(call)));
        start.elapsed()
    };
    // The first one makes the heap as large as it will be.
    pass();
    pass() / CALLS as u32
}

/// What it costs to count: the same call, bare and in a test.
fn overhead(bare: Duration) {
    let start = Instant::now();
    let mut call = 0;
    let report = GrowthTest::new("overhead").max_calls(CALLS).run(|| {
        call += 1;
        text(call)
    });
    let calls = report.map_or(0, |report| report.calls);
    let micros = |each: Duration| each.as_secs_f64() * 1e6;
    let tested = start.elapsed() / calls.max(1) as u32;
    println!(
        "a call of some eight allocations: {:.2} µs bare, {:.2} µs in a growth test: {:.1} times",
        micros(bare),
        micros(tested),
        micros(tested) / micros(bare)
    );
}
