//! A library with the shim in it, loaded by programs that are not written in Rust: each of its two
//! functions does a little work of its own.

#![expect(unsafe_code, reason = "functions with a C name")]

use std::ffi::c_int;
use std::hint::black_box;

use heaptide::Heaptide;

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

/// Allocates and frees `n` blocks; how many bytes that were.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub extern "C" fn host_library_churn(n: c_int) -> c_int {
    (0..n).map(|size| black_box(vec![1u8; size as usize % 100 + 1]).len() as c_int).sum()
}

/// Records from here to the end of the process, and takes a snapshot at each SIGUSR2; 0 on success.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub extern "C" fn host_library_record() -> c_int {
    let folder = std::env::var("HOST_FOLDER").unwrap_or_default();
    let builder = heaptide::Recorder::builder().output(format!("{folder}/rec.jsonl"));
    match builder.signal(libc::SIGUSR2).start() {
        Ok(recorder) => {
            std::mem::forget(recorder);
            0
        }
        // It was told to do nothing, and does.
        Err(heaptide::Error::Off) => 0,
        Err(err) => {
            eprintln!("{err}");
            1
        }
    }
}
