//! `cargo ci page`: the report and the live page in a browser, on what the demo records.
//!
//! Node runs the tests of the page's scripts; Chromium then opens real pages, light and dark, wide and
//! narrow, and looks for faults, requests, hostile names that act, and what keeps people from reading.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use ci::program::{cargo, output, program, root, run, target_dir};
use ci::tool::{need, npm_install};

pub(crate) fn scripts() -> Result<()> {
    need("node", "nodejs")?;
    let assets = root().join("crates/heaptide-report/src/html/assets");
    run(program("node", &["--test", "."]).current_dir(assets))
}

pub(crate) fn run_all() -> Result<()> {
    scripts()?;
    need("chromium", "chromium")?;
    need("tmux", "tmux")?;
    let place = target_dir("page");
    fs::create_dir_all(&place).with_context(|| place.display().to_string())?;
    copy(&["page/package.json", "page/drive.mjs", "page/services.mjs"], &place)?;
    npm_install(&place)?;
    let heaptide = heaptide()?;
    let demo = place.join("demo");
    run(&mut program(&text(&heaptide), &["demo", "--out", &text(&demo)]))?;
    let chromium = output(&mut program("which", &["chromium"]))?;
    let recordings = [recording(&demo.join("leaky"))?, recording(&demo.join("fixed"))?];
    let [leaky, fixed] = recordings.map(|path| text(&path));
    let out = text(&place.join("out"));
    // From the top, where the sources are that a page shows.
    let drive = text(&place.join("drive.mjs"));
    run(&mut program("node", &[&drive, &text(&heaptide), chromium.trim(), &leaky, &fixed, &out]))
}

/// Files of this package, to where their packages of npm can be found.
pub(crate) fn copy(files: &[&str], place: &Path) -> Result<()> {
    for file in files {
        let name = Path::new(file).file_name().with_context(|| format!("{file} is no file"))?;
        fs::copy(root().join("ci").join(file), place.join(name))
            .with_context(|| format!("cannot copy {file}"))?;
    }
    Ok(())
}

/// Builds the command.
pub(crate) fn heaptide() -> Result<PathBuf> {
    run(&mut cargo(&["build", "--quiet", "--locked", "--package", "heaptide-cli"]))?;
    Ok(target_dir("debug").join("heaptide"))
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

pub(crate) fn text(path: &Path) -> String {
    path.display().to_string()
}
