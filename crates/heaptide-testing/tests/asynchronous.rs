//! Growth tests of asynchronous functions, on the caller's runtime.

use std::sync::Mutex;
use std::time::Duration;

use heaptide::Heaptide;
use heaptide_testing::{Error, GrowthReport, GrowthTest, scoped, scoped_future};

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

async fn session(n: u32) -> Vec<u8> {
    tokio::task::yield_now().await;
    vec![n as u8; 100]
}

#[track_caller]
fn passes(result: Result<GrowthReport, Error>) -> GrowthReport {
    result.unwrap_or_else(|err| panic!("{err}"))
}

#[track_caller]
fn fails(result: Result<GrowthReport, Error>, blamed: &str) {
    match result {
        Err(Error::Grows(growth)) => {
            assert!(growth.blamed.iter().any(|it| it.contains(blamed)), "{growth}");
        }
        other => panic!("it should grow: {other:?}"),
    }
}

#[tokio::test]
async fn a_clean_function_passes_on_one_thread() {
    // The runtime may keep something of its first calls, and then there are as many as it takes to see that
    // no more comes.
    let report = passes(GrowthTest::new("clean").run_async(|| session(1)).await);
    assert!(report.calls <= 600, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_test_that_moves_between_threads_is_one_test() {
    let test = async {
        let clean = || async {
            let session = session(2).await;
            tokio::time::sleep(Duration::from_micros(10)).await;
            drop(session);
        };
        passes(GrowthTest::new("moving").run_async(clean).await);
        let kept = Mutex::new(Vec::new());
        let leaky = || async {
            let session = session(3).await;
            kept.lock().unwrap().push(session);
        };
        fails(GrowthTest::new("moving").run_async(leaky).await, "session");
    };
    tokio::spawn(test).await.unwrap();
}

#[tokio::test]
async fn what_is_left_to_tasks_is_waited_for() {
    let op = || async {
        let session = session(4).await;
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_micros(200)).await;
            drop(session);
        });
    };
    passes(GrowthTest::new("left to a task").run_async(op).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_and_blocking_work_count_where_they_are_scoped() {
    static KEPT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
    let tasks = || async {
        let task = async {
            let kept = session(5).await;
            KEPT.lock().unwrap().push(kept);
        };
        tokio::spawn(scoped_future(task)).await.unwrap();
    };
    fails(GrowthTest::new("tasks").run_async(tasks).await, "session");
    let blocking = || async {
        let work = scoped(|| KEPT.lock().unwrap().push(vec![0u8; 99]));
        tokio::task::spawn_blocking(work).await.unwrap();
    };
    fails(GrowthTest::new("blocking").run_async(blocking).await, "asynchronous");
}
