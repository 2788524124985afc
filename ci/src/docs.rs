//! `cargo ci docs`: the documentation builds, and no link in it leads nowhere.

use anyhow::Result;

use ci::program::{self, cargo};

pub(crate) fn run() -> Result<()> {
    program::run(
        cargo(&["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"])
            // Modules explain themselves to people who read the source: such links are meant.
            .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private-intra-doc-links"),
    )
}
