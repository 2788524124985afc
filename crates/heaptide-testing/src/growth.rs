//! The growth test: calls a function until it is clear whether it keeps memory.

use std::future::Future;
use std::panic::Location;
use std::path::PathBuf;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use heaptide::TagReader;
use heaptide_analyze::policy::Limit;

use crate::course::{Course, Next, WARM_UP};
use crate::error::Error;
use crate::levels::Levels;
use crate::recorder;
use crate::saved;
use crate::scope::{Lease, ScopedFuture, enter};
use crate::verdict::{self, Permitted, Standing};

/// After each call, other threads are given this often a moment to free what is theirs, each twice as
/// long as the last, from a microsecond on.
const SHORT_PATIENCE: u32 = 5;
/// The same before anything is called a leak: half a second in all.
const LONG_PATIENCE: u32 = 20;
/// No moment is longer than this.
const LONGEST_MOMENT: Duration = Duration::from_millis(100);
/// When a test has waited for so long in all, it waits for the shorter moments only.
const MOST_PATIENCE: Duration = Duration::from_secs(5);
/// So often a future lets the runtime's other tasks go first, in each of these moments: a runtime of one
/// thread looks at its timers and sockets every sixty tasks or so.
const YIELDS: u32 = 64;

/// A test that a function does not keep more memory each time it is called.
///
/// ```
/// #[global_allocator]
/// static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();
///
/// # fn main() -> Result<(), heaptide_testing::Error> {
/// use heaptide_testing::{GrowthTest, Limit};
///
/// let report = GrowthTest::new("login")
///     .warmup(16)
///     .allow("shop::cache::*", Limit::objects(64))
///     .run(|| vec![0u8; 100])?;
/// assert!(report.calls <= 40);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until it is run"]
pub struct GrowthTest {
    name: String,
    warm_up: usize,
    most_calls: Option<usize>,
    budget: String,
    allow: Vec<(String, Limit)>,
}

/// What a growth test saw that passed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GrowthReport {
    /// How often the function was called.
    pub calls: usize,
    /// Of these, how many were the warm-up, in which a function may keep what it likes.
    pub warm_up: usize,
    /// Blocks that are alive now and were not before the first call: statics, pools, caches.
    pub kept_objects: i64,
    /// Their bytes.
    pub kept_bytes: i64,
    /// Call sites that kept more after the warm-up, too little or too unevenly to be called a leak.
    pub undecided_sites: usize,
    /// The recording of the test, if there was growth that is within the budget or allowed.
    pub recording: Option<PathBuf>,
}

impl GrowthTest {
    /// A test with a name: the tag that its call sites have in recordings.
    pub fn new(name: impl Into<String>) -> Self {
        let (most_calls, budget, allow) = (None, String::new(), Vec::new());
        Self { name: name.into(), warm_up: WARM_UP, most_calls, budget, allow }
    }

    /// Calls that are not held against the function (default 8). While call sites come up that were not
    /// there before, there are up to 64.
    pub fn warmup(mut self, calls: usize) -> Self {
        self.warm_up = calls.max(1);
        self
    }

    /// Calls the function so often, unless it is found to leak before. For leaks in fewer than one call
    /// of fifty, or a slow function that should be called less.
    ///
    /// By default a function that keeps nothing is called about 32 times; one that keeps something from
    /// its first calls up to 600 times, or for two seconds, because a leak in one call of fifty looks the
    /// same at first.
    pub fn max_calls(mut self, calls: usize) -> Self {
        self.most_calls = Some(calls);
        self
    }

    /// What each finding may grow by: `"0 objects/op"` (the default), `"1 KiB/op"`; an `op` is a call.
    pub fn budget(mut self, limit: impl Into<String>) -> Self {
        self.budget = limit.into();
        self
    }

    /// Lets what matches `site` hold so much. `site` is a function as reports name it, with `*` for any
    /// text. The entries of the workspace's `heaptide.toml` hold as well.
    pub fn allow(mut self, site: impl Into<String>, limit: Limit) -> Self {
        self.allow.push((site.into(), limit));
        self
    }

    /// Calls `op` until it is clear whether it keeps memory.
    ///
    /// # Errors
    /// [`Error::Grows`] if it does; the others if nothing can be said.
    pub fn run<T>(self, mut op: impl FnMut() -> T) -> Result<GrowthReport, Error> {
        let mut running = Running::start(self)?;
        loop {
            {
                let _inside = enter(running.lease.tag());
                drop(op());
            }
            running.count();
            running.settle(running.patience(), running.settled_objects);
            let step = match running.course.next(&running.levels) {
                Next::Judge => {
                    running.settle(LONG_PATIENCE, running.after_warm_up());
                    running.judge()?
                }
                step => step,
            };
            if step == Next::Pass {
                return Ok(running.report());
            }
        }
    }

    /// The same for an asynchronous function, on the runtime that polls this.
    ///
    /// # Errors
    /// As [`GrowthTest::run`].
    pub async fn run_async<F: Future>(
        self,
        mut op: impl FnMut() -> F,
    ) -> Result<GrowthReport, Error> {
        let mut running = Running::start(self)?;
        loop {
            ScopedFuture::under(running.lease.tag(), &mut op).await;
            running.count();
            running.settle_async(running.patience(), running.settled_objects).await;
            let step = match running.course.next(&running.levels) {
                Next::Judge => {
                    running.settle_async(LONG_PATIENCE, running.after_warm_up()).await;
                    running.judge()?
                }
                step => step,
            };
            if step == Next::Pass {
                return Ok(running.report());
            }
        }
    }
}

/// A test under way.
struct Running {
    name: String,
    lease: Lease,
    reader: TagReader,
    levels: Levels,
    course: Course,
    permitted: Permitted,
    /// Blocks alive when the function had last settled.
    settled_objects: i64,
    /// It helped once to wait for so many moments.
    patience: u32,
    /// How long was waited in all.
    waited: Duration,
    recording: Option<PathBuf>,
}

impl Running {
    fn start(test: GrowthTest) -> Result<Self, Error> {
        let GrowthTest { name, warm_up, most_calls, budget, allow } = test;
        let wrong = |why| Error::Config(format!("the budget of `{name}`: {why}"));
        let budget = match budget.as_str() {
            "" => Limit::default(),
            text => Limit::from_str(text).map_err(wrong)?,
        };
        let lease = Lease::of(&name);
        let mut reader = recorder::reader(lease.tag())?;
        let levels = Levels::new(reader.read());
        Ok(Self {
            name,
            lease,
            reader,
            levels,
            course: Course::new(warm_up, most_calls),
            permitted: Permitted { budget, allow },
            settled_objects: 0,
            patience: SHORT_PATIENCE,
            waited: Duration::ZERO,
            recording: None,
        })
    }

    fn count(&mut self) {
        self.levels.push(self.reader.read());
    }

    /// For how many moments others are waited for after a call.
    fn patience(&self) -> u32 {
        if self.waited < MOST_PATIENCE { self.patience } else { SHORT_PATIENCE }
    }

    fn wait(&mut self, moment: Duration) {
        thread::sleep(moment);
        self.waited += moment;
    }

    /// Gives others a moment to free what the call has left to them, until no more blocks are alive than
    /// these, or so many moments have passed.
    fn settle(&mut self, patience: u32, objects: i64) {
        let mut moments = 0;
        while moments < patience && self.levels.held_objects() > objects {
            self.wait(moment(moments));
            moments += 1;
            self.levels.correct(self.reader.read());
        }
        self.note_settled(moments, objects);
    }

    async fn settle_async(&mut self, patience: u32, objects: i64) {
        let mut moments = 0;
        while moments < patience && self.levels.held_objects() > objects {
            yield_to_others().await;
            self.levels.correct(self.reader.read());
            if self.levels.held_objects() > objects {
                self.wait(moment(moments));
                yield_to_others().await;
                self.levels.correct(self.reader.read());
            }
            moments += 1;
        }
        self.note_settled(moments, objects);
    }

    /// Where it helped to wait, the next call is waited for as long.
    fn note_settled(&mut self, moments: u32, objects: i64) {
        self.settled_objects = self.levels.held_objects();
        if self.settled_objects <= objects {
            self.patience = self.patience.max((moments + 1).min(LONG_PATIENCE));
        }
    }

    /// Blocks alive when the warm-up was over.
    fn after_warm_up(&self) -> i64 {
        self.levels.held_objects_after(self.course.warm_up())
    }

    /// Names what grows, now that all has settled.
    fn judge(&mut self) -> Result<Next, Error> {
        match self.course.next(&self.levels) {
            Next::Judge => {}
            next => return Ok(next),
        }
        let warm_up = self.course.warm_up();
        let saved = saved::save(&self.name, &self.reader, &self.levels, warm_up)?;
        let standing = Standing {
            test: &self.name,
            calls: self.levels.calls(),
            warm_up,
            is_last: self.course.is_over(&self.levels),
        };
        match verdict::judge(&saved, &self.permitted, standing)? {
            Some(growth) => Err(Error::Grows(Box::new(growth))),
            None => {
                self.recording = Some(saved.path);
                Ok(self.course.go_on(&self.levels))
            }
        }
    }

    fn report(&self) -> GrowthReport {
        GrowthReport {
            calls: self.levels.calls(),
            warm_up: self.course.warm_up(),
            kept_objects: self.levels.held_objects(),
            kept_bytes: self.levels.held_bytes(),
            undecided_sites: self.levels.sites().filter(|site| self.course.rises(site)).count(),
            recording: self.recording.clone(),
        }
    }
}

fn moment(n: u32) -> Duration {
    Duration::from_micros(1 << n.min(20)).min(LONGEST_MOMENT)
}

/// Lets the other tasks of the runtime go first, a few times.
async fn yield_to_others() {
    for _ in 0..YIELDS {
        Yield { is_done: false }.await;
    }
}

/// Is pending once.
struct Yield {
    is_done: bool,
}

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.is_done {
            return Poll::Ready(());
        }
        self.is_done = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Fails the test if `op` keeps more memory each time it is called.
///
/// The test is called as its thread is, which is the name that `cargo test` gives it.
///
/// ```
/// #[global_allocator]
/// static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();
///
/// # fn main() {
/// heaptide_testing::assert_no_growth(|| format!("session {}", 7));
/// # }
/// ```
///
/// # Panics
/// With the evidence, if it does; and if nothing can be counted in this process.
#[track_caller]
pub fn assert_no_growth<T>(op: impl FnMut() -> T) {
    if let Err(err) = GrowthTest::new(name_of_test(Location::caller())).run(op) {
        panic!("{err}");
    }
}

/// What the running test is called: its thread's name, or where it asks.
pub(crate) fn name_of_test(caller: &Location<'_>) -> String {
    match thread::current().name() {
        None | Some("main") => format!("{}:{}", caller.file(), caller.line()),
        Some(name) => name.to_owned(),
    }
}
