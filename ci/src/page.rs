//! `cargo ci page`: the report and the live page in a browser, on what the demo records.
//!
//! Node runs the tests of the page's scripts; Chromium then opens real pages, light and dark, wide and
//! narrow, and looks for faults, requests, hostile names that act, and what keeps people from reading.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use ci::program::{cargo, output, program, root, run, target_dir};
use ci::tool::need;

pub(crate) fn scripts() -> Result<()> {
    need("node", "nodejs")?;
    let assets = root().join("crates/heaptide-report/src/html/assets");
    run(program("node", &["--test", "."]).current_dir(assets))
}

pub(crate) fn run_all() -> Result<()> {
    scripts()?;
    need("npm", "npm")?;
    need("chromium", "chromium")?;
    let place = target_dir("page");
    fs::create_dir_all(&place).with_context(|| place.display().to_string())?;
    for file in ["package.json", "drive.mjs"] {
        fs::copy(root().join("ci/page").join(file), place.join(file))
            .with_context(|| format!("cannot copy {file}"))?;
    }
    run(program("npm", &["install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])
        .current_dir(&place))?;
    run(&mut cargo(&["build", "--quiet", "--locked", "--package", "heaptide-cli"]))?;
    let heaptide = built()?;
    let demo = place.join("demo");
    run(&mut program(&text(&heaptide), &["demo", "--out", &text(&demo)]))?;
    let chromium = output(&mut program("which", &["chromium"]))?;
    let recordings = [recording(&demo.join("leaky"))?, recording(&demo.join("fixed"))?];
    let [leaky, fixed] = recordings.map(|path| text(&path));
    let out = text(&place.join("out"));
    let args = ["drive.mjs", &text(&heaptide), chromium.trim(), &leaky, &fixed, &out];
    run(program("node", &args).current_dir(&place))
}

/// The command that was just built.
fn built() -> Result<PathBuf> {
    let metadata = output(&mut cargo(&["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let target =
        metadata["target_directory"].as_str().context("cargo names no target directory")?;
    Ok(Path::new(target).join("debug/heaptide"))
}

/// The newest recording in a directory.
fn recording(dir: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(dir).with_context(|| dir.display().to_string())?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let newest = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .max_by_key(|path| fs::metadata(path).and_then(|it| it.modified()).ok());
    newest.with_context(|| format!("no recording in {}", dir.display()))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
