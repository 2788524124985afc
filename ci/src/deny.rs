//! `cargo ci deny`: what comes in from outside, by `.deny.toml`.
//!
//! Advisories are a database that is fetched; where it cannot be had, the check says so and holds the rest.

use anyhow::{Result, bail};

use ci::program::{self, cargo};

pub(crate) fn run() -> Result<()> {
    if cargo(&["deny", "--version"]).output().is_ok_and(|output| output.status.success()) {
        program::run(&mut cargo(&[
            "deny",
            "--log-level",
            "error",
            "check",
            "bans",
            "licenses",
            "sources",
        ]))?;
        let fetched = program::run(&mut cargo(&["deny", "--log-level", "error", "fetch", "db"]));
        if fetched.is_err() {
            println!("the database of advisories cannot be fetched: they were not checked");
            return Ok(());
        }
        return program::run(&mut cargo(&["deny", "--log-level", "error", "check", "advisories"]));
    }
    bail!("`cargo deny` is missing: install it (cargo install --locked cargo-deny)")
}
