//! The one recording of the process, which all its tests share.
//!
//! Nothing of it is written to a file: tests read what they counted from the process itself, and a test
//! that fails writes a recording of its own.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use heaptide::{Recorder, TagReader};

use crate::error::Error;

/// Where the snapshots go that nobody reads.
const NOWHERE: &str = "/dev/null";

/// The recording; `None` if other code of this process started one.
type Shared = Option<Mutex<Recorder>>;

static SHARED: OnceLock<Result<Shared, String>> = OnceLock::new();

/// A reader of what is allocated under `tag`, in a process that counts.
///
/// # Errors
/// [`Error::NotRecorded`].
pub(crate) fn reader(tag: &str) -> Result<TagReader, Error> {
    start()?;
    TagReader::new(tag).ok_or_else(|| {
        Error::NotRecorded(
            "a growth test counts every block, and this process samples them or its recording has \
             ended: run it without HEAPTIDE_MODE, and finish no `Recorder` while it runs"
                .to_owned(),
        )
    })
}

/// Begins an epoch, so that what is counted as the most alive at once is counted from here on. Nobody
/// else begins one until the guard is dropped.
///
/// # Errors
/// [`Error::NotRecorded`] where other code's recording runs.
pub(crate) fn begin_epoch() -> Result<MutexGuard<'static, Recorder>, Error> {
    let Some(recorder) = start()? else {
        return Err(Error::NotRecorded(
            "another `Recorder` runs in this process, and its snapshots would end what is counted here; \
             finish it first"
                .to_owned(),
        ));
    };
    let recorder = recorder.lock().unwrap_or_else(PoisonError::into_inner);
    recorder.snapshot().map_err(|err| Error::NotRecorded(err.to_string()))?;
    Ok(recorder)
}

fn start() -> Result<&'static Shared, Error> {
    let shared = SHARED.get_or_init(|| match Recorder::builder().output(NOWHERE).start() {
        Ok(recorder) => Ok(Some(Mutex::new(recorder))),
        Err(heaptide::Error::AlreadyRecording) => Ok(None),
        Err(heaptide::Error::NotInstalled) => Err(NOT_INSTALLED.to_owned()),
        Err(err) => Err(format!("nothing can be recorded in this process: {err}")),
    });
    shared.as_ref().map_err(|why| Error::NotRecorded(why.clone()))
}

const NOT_INSTALLED: &str = "heaptide is not the allocator of this test program, so nothing is counted. Add \
    to the file of the tests (for unit tests, to lib.rs or main.rs):\n\n    #[cfg(test)]\n    \
    #[global_allocator]\n    static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();\n";
