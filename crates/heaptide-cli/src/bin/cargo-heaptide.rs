//! `cargo heaptide …`: cargo calls this with `heaptide` as the first argument.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::process::ExitCode;

#[global_allocator]
static HEAP: heaptide::Heaptide = heaptide::Heaptide::off_unless_asked();

fn main() -> ExitCode {
    let mut args: Vec<_> = std::env::args_os().collect();
    if args.get(1).is_some_and(|arg| arg == OsStr::new("heaptide")) {
        args.remove(1);
    }
    heaptide_cli::main("cargo heaptide", args)
}
