//! Where it was measured, and with which versions.

use std::fs;

use anyhow::{Context, Result};

use crate::markdown::table;
use ci::program::{output, program, root};

/// Packages of the lock file whose versions matter.
const PACKAGES: [&str; 8] = [
    "heapscope",
    "pprof-alloc",
    "dhat",
    "tikv-jemallocator",
    "axum",
    "tokio",
    "serde_json",
    "heaptide",
];

/// A table of facts.
pub(crate) fn description() -> Result<String> {
    let mut rows = vec![
        ("processor", processor()),
        ("memory", memory()),
        ("kernel", said("uname", &["-sr"])),
        ("C library", said("getconf", &["GNU_LIBC_VERSION"])),
        ("compiler", said("rustc", &["--version"])),
        ("commit", said("git", &["describe", "--always", "--dirty", "--exclude=*"])),
        ("heaptrack", said("heaptrack", &["--version"])),
        ("Valgrind", said("valgrind", &["--version"])),
        ("gperftools", said("dpkg-query", &["-W", "-f=${Version}", "libgoogle-perftools4"])),
    ];
    rows.extend(packages()?);
    let rows: Vec<_> = rows.into_iter().map(|(what, which)| vec![what.to_owned(), which]).collect();
    Ok(table(&["", "of this run"], &rows))
}

/// How busy the machine is beside us, in processes.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn said(name: &str, args: &[&str]) -> String {
    output(&mut program(name, args))
        .map_or_else(|_| "not known".to_owned(), |text| text.trim().to_owned())
}

fn processor() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches(['\t', ' ', ':']);
    format!("{model}, {cores} cores, {}", std::env::consts::ARCH)
}

fn memory() -> String {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib: f64 = kib.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0.0);
    format!("{:.0} GiB", kib / f64::from(1 << 20))
}

fn packages() -> Result<Vec<(&'static str, String)>> {
    let lock = root().join("Cargo.lock");
    let text = fs::read_to_string(&lock).with_context(|| lock.display().to_string())?;
    let lock: toml::Table = toml::from_str(&text)?;
    let all = lock.get("package").and_then(toml::Value::as_array).context("an empty lock file")?;
    let version = |name: &str| {
        let package = all
            .iter()
            .find(|package| package.get("name").and_then(toml::Value::as_str) == Some(name));
        let version = package.and_then(|package| package.get("version")?.as_str());
        version.unwrap_or("not known").to_owned()
    };
    Ok(PACKAGES.map(|name| (name, version(name))).to_vec())
}
