//! `heaptide …`

#![forbid(unsafe_code)]

use std::process::ExitCode;

#[global_allocator]
static HEAP: heaptide::Heaptide = heaptide::Heaptide::off_unless_asked();

fn main() -> ExitCode {
    heaptide_cli::main("heaptide", std::env::args_os())
}
