//! `cargo ci jq`: every `console` block of `docs/FORMAT.md` is run and must print what it shows.
//!
//! The document promises that people can read a recording with nothing but `jq`.

use anyhow::{Context, Result, ensure};

use ci::program::{output, program, root};
use ci::tool::need;

/// A command of the document and what the document says it prints.
struct Example {
    line: usize,
    command: String,
    printed: String,
}

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

/// The blocks fenced as `console`: a line `$ command`, then its output.
fn examples(markdown: &str) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    let mut inside = false;
    for (number, line) in (1..).zip(markdown.lines()) {
        match line.strip_prefix("$ ") {
            _ if line.starts_with("```") => inside = line == "```console",
            Some(command) if inside => found.push(Example {
                line: number,
                command: command.to_owned(),
                printed: String::new(),
            }),
            None if inside => {
                if let Some(example) = found.last_mut() {
                    example.printed += &format!("{line}\n");
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_may_hold_several_commands() {
        let found = examples("a\n```console\n$ one\n1\n$ two\n2\n2\n```\n```sh\n$ three\n```\n");
        let shown: Vec<_> =
            found.iter().map(|e| (e.line, e.command.as_str(), e.printed.as_str())).collect();
        assert_eq!(shown, [(3, "one", "1\n"), (5, "two", "2\n2\n")]);
    }
}
