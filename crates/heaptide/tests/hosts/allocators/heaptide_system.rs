//! The programs with the shim over the system's allocator. The environment says whether it is off,
//! exact or sampled.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use heaptide::Heaptide;

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

fn main() -> ExitCode {
    heaptide_hosts::main(&heaptide_hosts::Shim)
}
