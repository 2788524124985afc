//! Running other programs: where from, shown as typed, and what their failure means.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// The top of the checkout: where the lock file is, at the package that cargo runs or above it.
pub fn root() -> PathBuf {
    // At run time, because a checkout may have been moved since this was built.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let top = package.ancestors().find(|folder| folder.join("Cargo.lock").exists());
    top.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Where builds go that share nothing with the ordinary ones (other flags, other compilers).
pub fn target_dir(name: &str) -> PathBuf {
    let base = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    base.unwrap_or_else(|| root().join("target")).join(name)
}

/// A program, to be run at the top of the checkout with these arguments.
pub fn program(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(args).current_dir(root());
    command
}

/// The same, for the cargo that runs us.
pub fn cargo(args: &[&str]) -> Command {
    program("cargo", args)
}

/// Commands that took this long are said to have: they are what a run of all checks is waiting for.
const LONG: Duration = Duration::from_secs(5);

/// Shows the command and runs it, and says how long that took, if it was long.
///
/// # Errors
///
/// If it does not start, or ends with anything but success.
pub fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let start = Instant::now();
    let status =
        command.status().with_context(|| format!("`{}` does not start", shown(command)))?;
    if start.elapsed() >= LONG {
        println!("  {:.1} s: {}", start.elapsed().as_secs_f64(), shown(command));
    }
    ensure!(status.success(), "`{}`: {status}", shown(command));
    Ok(())
}

/// Runs it quietly and returns what it wrote to its standard output.
///
/// # Errors
///
/// If it does not start, ends with anything but success, or writes what is no text.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("`{}` does not start", shown(command)))?;
    ensure!(output.status.success(), "`{}`: {}", shown(command), output.status);
    String::from_utf8(output.stdout).with_context(|| format!("`{}` wrote no text", shown(command)))
}

/// Waits for a program: how it ended, and the high water of its resident memory, in bytes.
///
/// # Errors
///
/// If it cannot be waited for.
pub fn wait_with_peak(child: &mut Child) -> Result<(ExitStatus, u64)> {
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak_bytes = 0;
    // The kernel keeps the high water: only what came after the last look is missed.
    loop {
        if let Some(ended) = child.try_wait()? {
            return Ok((ended, peak_bytes));
        }
        peak_bytes = high_water_bytes(&status).unwrap_or(peak_bytes);
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn high_water_bytes(status: &Path) -> Option<u64> {
    let status = fs::read_to_string(status).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}

/// Writes the file, or leaves it alone if it holds these bytes already, so that cargo does not build
/// again what did not change.
///
/// # Errors
///
/// If it cannot be written.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(path, bytes).with_context(|| path.display().to_string())
}

fn shown(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(key, value)| {
        Some(format!("{}={:?} ", key.to_str()?, value?.to_string_lossy()))
    });
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    variables.collect::<String>() + &words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = program("cargo", &["test", "--lib"]);
        command.env("RUSTFLAGS", "--cfg loom");
        assert_eq!(shown(&command), "RUSTFLAGS=\"--cfg loom\" cargo test --lib");
    }

    #[test]
    fn a_program_is_waited_for_and_its_memory_seen() {
        let mut child = program("sleep", &["0.1"]).spawn().expect("it is everywhere");
        let (ended, peak_bytes) = wait_with_peak(&mut child).expect("it ends");
        assert!(ended.success() && peak_bytes > 0, "{ended}, {peak_bytes} bytes");
    }

    #[test]
    fn a_failure_names_the_command_and_how_it_ended() {
        let told = |result: Result<()>| result.err().map(|err| format!("{err:#}"));
        let failed = told(run(&mut program("false", &[]))).unwrap_or_default();
        assert!(failed.starts_with("`false`: exit status: 1"), "{failed}");
        let absent = told(output(&mut program("no-such-program", &[])).map(drop));
        assert!(absent.is_some_and(|told| told.starts_with("`no-such-program` does not start: ")));
    }

    #[test]
    fn the_top_of_the_checkout_is_found_from_any_package() {
        assert!(root().join("crates").is_dir() && root().join("ci").is_dir());
    }
}
