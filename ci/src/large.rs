//! `cargo ci large`: recordings of 2 GB and of 50,000 sites, in the report, the live page and speedscope.

use std::fs;

use anyhow::{Context, Result};

use ci::program::{cargo, output, program, run, target_dir};
use ci::tool::{need, npm_install};

use crate::page::{copy, text};

/// What is looked at: call sites and megabytes.
const RECORDINGS: [(&str, &str); 2] = [("10000", "2000"), ("50000", "340")];

pub(crate) fn run_all() -> Result<()> {
    need("chromium", "chromium")?;
    let place = target_dir("large");
    fs::create_dir_all(&place).with_context(|| place.display().to_string())?;
    copy(&["page/large/package.json", "page/large/large.mjs", "page/services.mjs"], &place)?;
    npm_install(&place)?;
    let packages = ["--package", "heaptide-cli", "--package", "heaptide-eval"];
    // How fast an unoptimised reader is says nothing.
    run(cargo(&["build", "--quiet", "--locked", "--release"]).args(packages))?;
    let built = |name| text(&target_dir("release").join(name));
    let chromium = output(&mut program("which", &["chromium"]))?;
    for (sites, megabytes) in RECORDINGS {
        let dir = place.join("recording");
        run(&mut program(&built("heaptide-eval"), &["made", &text(&dir), sites, megabytes]))?;
        let drive = ["large.mjs", &built("heaptide"), chromium.trim(), &text(&dir)];
        let looked = run(program("node", &drive).current_dir(&place));
        fs::remove_dir_all(&dir)?;
        looked?;
    }
    Ok(())
}
