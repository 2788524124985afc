//! `cargo ci deny`: what comes in from outside, by `.deny.toml`.
//!
//! Advisories are a database that is fetched; where it cannot be had, the check says so and holds the rest.

use anyhow::Result;

use ci::program::{self, cargo};
use ci::tool::need_cargo_command;

pub(crate) fn run() -> Result<()> {
    need_cargo_command("deny")?;
    let deny = |args: &[&str]| program::run(cargo(&["deny", "--log-level", "error"]).args(args));
    deny(&["check", "bans", "licenses", "sources"])?;
    if deny(&["fetch", "db"]).is_err() {
        println!("the database of advisories cannot be fetched: they were not checked");
        return Ok(());
    }
    deny(&["check", "advisories"])
}
