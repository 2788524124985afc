//! The programs over the system's allocator, without the shim: what they do of themselves.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    heaptide_hosts::main(&heaptide_hosts::Unrecorded)
}
