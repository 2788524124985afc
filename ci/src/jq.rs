//! `cargo ci jq`: every `console` block of `docs/FORMAT.md` is run and must print what it shows.
//!
//! The document promises that people can read a recording with nothing but `jq`.

use anyhow::{Context, Result, ensure};

use ci::program::{output, program, root};
use ci::tool::need;

use crate::console::{Example, examples};

pub(crate) fn run() -> Result<()> {
    need("jq", "jq")?;
    let path = root().join("docs/FORMAT.md");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let examples = examples(&text);
    ensure!(!examples.is_empty(), "docs/FORMAT.md has no `console` block");
    for Example { line, command, printed } in &examples {
        let mut shell = program("sh", &["-c", command]);
        let got = output(shell.current_dir(root().join("crates/heaptide-format/tests/data")))?;
        ensure!(
            got == *printed,
            "docs/FORMAT.md:{line}: `{command}` is said to print\n{printed}but prints\n{got}"
        );
    }
    println!("{} examples print what they say", examples.len());
    Ok(())
}
