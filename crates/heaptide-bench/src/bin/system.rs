//! Nothing but the system's allocator: what everything else is compared with.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    heaptide_bench::main(|| ())
}
