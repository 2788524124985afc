//! The shim. The environment says whether it is off, armed, sampling or exact.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use heaptide::{Heaptide, Recorder};

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

fn main() -> ExitCode {
    // Not of our own accord: without a recording the shim is only armed, and that is measured too.
    let asked = std::env::var_os("HEAPTIDE_OUT");
    match asked.map(|out| Recorder::builder().output(out).start()) {
        Some(Err(err)) => {
            eprintln!("{err}");
            ExitCode::from(2)
        }
        Some(Ok(recorder)) => heaptide_bench::main(|| {
            if let Err(err) = recorder.snapshot() {
                eprintln!("{err}");
            }
        }),
        None => heaptide_bench::main(|| ()),
    }
}
