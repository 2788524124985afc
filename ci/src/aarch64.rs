//! `cargo ci aarch64`: the shim's tests of stacks, compiled for AArch64 and run in an emulator.

use anyhow::Result;

use ci::program::{self, cargo, target_dir};
use ci::tool::{need, need_file, need_target};

const TARGET: &str = "aarch64-unknown-linux-gnu";
const COMPILER: &str = "aarch64-linux-gnu-gcc";
/// Debian's cross compiler keeps the machine's C library here.
const C_LIBRARY: &str = "/usr/aarch64-linux-gnu/lib/libc.so";
const EMULATOR: &str = "qemu-aarch64 -L /usr/aarch64-linux-gnu";

pub(crate) fn run() -> Result<()> {
    need("qemu-aarch64", "qemu-user")?;
    need(COMPILER, "gcc-aarch64-linux-gnu")?;
    // The compiler only recommends it, and recommended packages are not installed.
    need_file(C_LIBRARY, "libc6-dev-arm64-cross")?;
    need_target(TARGET)?;
    for tests in [
        // What is resident there is also the emulator's.
        &["--lib", "--test", "stacks", "--test", "hook", "--", "--skip", "stays_lazy"][..],
        &["--release", "--features", "verify", "--test", "differential"],
    ] {
        program::run(
            cargo(&["test", "--locked", "--package", "heaptide", "--target", TARGET])
                .args(tests)
                .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", COMPILER)
                .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", EMULATOR)
                .env("RIG_RUNNER", EMULATOR)
                .env("CARGO_TARGET_DIR", target_dir("aarch64")),
        )?;
    }
    Ok(())
}
