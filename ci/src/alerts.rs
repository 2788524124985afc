//! `cargo ci alerts`: the rules and the dashboard of `docs/alerts`, on what the live page says.
//!
//! Three judges who were not written here: `promtool` for the rules, a real Prometheus that scrapes a
//! shop that leaks and one that does not, and Grafana's own types for the dashboard.

use std::fs;

use anyhow::{Context, Result};

use ci::program::{output, program, root, run, target_dir};
use ci::tool::{need, npm_install};

use crate::page::{copy, heaptide, text};

pub(crate) fn run_all() -> Result<()> {
    need("prometheus", "prometheus")?;
    need("node", "nodejs")?;
    let alerts = root().join("docs/alerts");
    run(program("promtool", &["check", "rules", "rules.yml"]).current_dir(&alerts))?;
    run(program("promtool", &["test", "rules", "rules.test.yml"]).current_dir(&alerts))?;
    let place = target_dir("alerts");
    fs::create_dir_all(&place).with_context(|| place.display().to_string())?;
    let files =
        ["alerts/package.json", "alerts/dashboard.mjs", "alerts/drive.mjs", "page/services.mjs"];
    copy(&files, &place)?;
    npm_install(&place)?;
    let dashboard = text(&alerts.join("grafana.json"));
    run(program("node", &["dashboard.mjs", &dashboard, "dashboard.ts"]).current_dir(&place))?;
    let compiler = ["node_modules/typescript/bin/tsc", "--noEmit", "--strict", "--skipLibCheck"];
    let mut check = program("node", &compiler);
    run(check.args(["--module", "nodenext", "dashboard.ts"]).current_dir(&place))?;
    let prometheus = output(&mut program("which", &["prometheus"]))?;
    let args = [
        &text(&place.join("drive.mjs")),
        &text(&heaptide()?),
        prometheus.trim(),
        &text(&alerts),
        &text(&place.join("out")),
    ];
    run(&mut program("node", &args))
}
