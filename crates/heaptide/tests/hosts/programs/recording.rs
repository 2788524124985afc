//! What a program can ask of whatever records it.

use std::path::PathBuf;
use std::time::Duration;

/// What to record and where; what the shim's builder can be told.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The file, or a directory.
    pub output: PathBuf,
    /// Between snapshots; zero means none.
    pub interval: Duration,
    /// The signal that asks for a snapshot.
    pub signal: Option<i32>,
    /// Whether SIGTERM finishes the recording first.
    pub finish_on_termination: bool,
    /// When a new segment begins.
    pub segment_bytes: u64,
    /// The cap on all segments together.
    pub total_bytes: u64,
}

impl Default for Plan {
    /// The file that the matrix looks for, and the shim's own defaults.
    fn default() -> Self {
        Self {
            output: folder().join("rec.jsonl"),
            interval: Duration::ZERO,
            signal: None,
            finish_on_termination: false,
            segment_bytes: 64 << 20,
            total_bytes: 1 << 30,
        }
    }
}

/// The folder that a run has to itself.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(std::env::var_os("HOST_FOLDER").unwrap_or_else(|| ".".into()))
}

/// Whatever can record a program.
pub trait Profiler: Sync {
    /// Starts as the plan says; the recording that the environment started, if it did.
    ///
    /// # Errors
    /// What the profiler says.
    fn start(&self, plan: &Plan) -> Result<Box<dyn Recording>, String>;
}

/// A recording that runs.
pub trait Recording: Send + Sync {
    /// Takes a snapshot and returns its number when it is in the file.
    ///
    /// # Errors
    /// What the profiler says.
    fn snapshot(&self) -> Result<u64, String>;

    /// Takes the last one.
    ///
    /// # Errors
    /// What the profiler says.
    fn finish(self: Box<Self>) -> Result<(), String>;
}

/// The shim.
#[derive(Debug)]
pub struct Shim;

impl Profiler for Shim {
    fn start(&self, plan: &Plan) -> Result<Box<dyn Recording>, String> {
        let mut builder = heaptide::Recorder::builder()
            .output(&plan.output)
            .interval(plan.interval)
            .segment_bytes(plan.segment_bytes)
            .total_bytes(plan.total_bytes);
        if let Some(signal) = plan.signal {
            builder = builder.signal(signal);
        }
        if plan.finish_on_termination {
            builder = builder.finish_on_termination();
        }
        match builder.start() {
            Ok(recorder) => Ok(Box::new(Shimmed(recorder))),
            Err(heaptide::Error::Off) => Unrecorded.start(plan),
            Err(err) => Err(err.to_string()),
        }
    }
}

struct Shimmed(heaptide::Recorder);

impl Recording for Shimmed {
    fn snapshot(&self) -> Result<u64, String> {
        let seq = self.0.snapshot().map_err(|err| err.to_string())?;
        acknowledge(seq);
        Ok(seq)
    }

    fn finish(self: Box<Self>) -> Result<(), String> {
        self.0.finish().map_err(|err| err.to_string())
    }
}

/// Tells the matrix that this snapshot was said to be in the file. A program that may not write
/// has nothing to tell.
fn acknowledge(seq: u64) {
    let _ = std::fs::write(folder().join("acknowledged"), seq.to_string());
}

/// No shim, or one that is off, or a peer that has no snapshots: every wish is granted.
#[derive(Debug)]
pub struct Unrecorded;

impl Profiler for Unrecorded {
    fn start(&self, _plan: &Plan) -> Result<Box<dyn Recording>, String> {
        Ok(Box::new(Self))
    }
}

impl Recording for Unrecorded {
    fn snapshot(&self) -> Result<u64, String> {
        Ok(0)
    }

    fn finish(self: Box<Self>) -> Result<(), String> {
        Ok(())
    }
}
