//! The programs under `heapscope`, which wants frame pointers.

#![forbid(unsafe_code)]

use std::process::ExitCode;

#[global_allocator]
static HEAP: heapscope::Alloc = heapscope::Alloc::system();

fn main() -> ExitCode {
    match heapscope::Profiler::builder().no_output().build() {
        Ok(_profiler) => heaptide_hosts::main(&heaptide_hosts::Unrecorded),
        Err(err) => {
            eprintln!("{err}");
            ExitCode::from(2)
        }
    }
}
