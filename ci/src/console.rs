//! The examples of a document: blocks fenced as `console`, which hold commands and what they print, and
//! blocks that are files.
//!
//! A block whose first line is a comment with the name of a file (`// src/lib.rs`, `# Cargo.toml`) is
//! that file, or the end of a manifest that is there already; `// src/lib.rs, in place of …` is a
//! function that replaces the one of the same first line.

use std::path::Path;

/// A command of a document and what the document says it prints.
#[derive(Debug)]
pub(crate) struct Example {
    pub(crate) line: usize,
    pub(crate) command: String,
    pub(crate) printed: String,
}

/// What a reader of a document does.
#[derive(Debug)]
pub(crate) enum Step {
    /// Calls a command.
    Call(Example),
    /// Writes a file.
    Write {
        /// Where the document says so.
        line: usize,
        name: String,
        text: String,
    },
}

/// Of each `console` block, lines `$ command`, each followed by its output.
pub(crate) fn examples(markdown: &str) -> Vec<Example> {
    let call = |step| match step {
        Step::Call(example) => Some(example),
        Step::Write { .. } => None,
    };
    steps(markdown).into_iter().filter_map(call).collect()
}

/// Commands and files, in the order of the document.
pub(crate) fn steps(markdown: &str) -> Vec<Step> {
    let mut found: Vec<Step> = Vec::new();
    let mut fence: Option<&str> = None;
    let mut is_first = false;
    for (number, line) in (1..).zip(markdown.lines()) {
        if line.starts_with("```") {
            (fence, is_first) = (fence.is_none().then_some(line), true);
            continue;
        }
        let begins = std::mem::replace(&mut is_first, false);
        match (fence, line.strip_prefix("$ ")) {
            (Some("```console"), Some(command)) => found.push(Step::Call(Example {
                line: number,
                command: command.to_owned(),
                printed: String::new(),
            })),
            (Some("```console"), None) => {
                if let Some(Step::Call(example)) = found.last_mut() {
                    example.printed += &format!("{line}\n");
                }
            }
            (Some("```rust" | "```toml"), _) => {
                match (begins, name_of_file(line), found.last_mut()) {
                    (true, Some(name), _) => found.push(Step::Write {
                        line: number,
                        name: name.to_owned(),
                        text: format!("{line}\n"),
                    }),
                    (false, _, Some(Step::Write { text, line: start, .. }))
                        if *start + text.lines().count() == number =>
                    {
                        *text += &format!("{line}\n");
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    found
}

/// The file that a block is, if its first line names one.
fn name_of_file(first_line: &str) -> Option<&str> {
    let name = first_line.strip_prefix("// ").or_else(|| first_line.strip_prefix("# "))?;
    let path = name.split(", in place of ").next()?;
    let is_name = !path.contains(' ')
        && Path::new(path).extension().is_some_and(|it| it == "rs" || it == "toml");
    is_name.then_some(name)
}

/// Whether a text is what was said, in which `…` stands for any part of a line, or, alone on a line,
/// for any lines.
pub(crate) fn is_as_said(said: &str, text: &str) -> bool {
    let (said, text): (Vec<&str>, Vec<&str>) = (said.lines().collect(), text.lines().collect());
    // Matched as shells match `*`: from the last `…`, the next possible place.
    let (mut at, mut line) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while line < text.len() {
        if said.get(at) == Some(&"…") {
            again = Some((at + 1, line));
            at += 1;
        } else if said.get(at).is_some_and(|said| line_is_as_said(said, text[line])) {
            (at, line) = (at + 1, line + 1);
        } else if let Some((after, from)) = again {
            (at, line) = (after, from + 1);
            again = Some((after, from + 1));
        } else {
            return false;
        }
    }
    said[at..].iter().all(|said| *said == "…")
}

fn line_is_as_said(said: &str, line: &str) -> bool {
    let Some((first, rest)) = said.split_once('…') else { return said == line };
    let Some(mut left) = line.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('…').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match left.split_once(part) {
            Some((_, after)) => left = after,
            None => return false,
        }
    }
    left.ends_with(last)
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

    #[test]
    fn a_block_that_names_a_file_is_one() {
        let page = "```rust\n// src/lib.rs\nfn a() {}\n```\n```rust\nfn b() {}\n```\n```console\n$ c\n\
                    d\n```\n```toml\n# Cargo.toml, in place of x\ne = 1\n```\n```rust\n// see f.rs\ng\n```\n";
        let shown: Vec<String> = steps(page)
            .into_iter()
            .map(|step| match step {
                Step::Call(Example { line, command, printed }) => {
                    format!("{line} {command}: {printed}")
                }
                Step::Write { line, name, text } => format!("{line} {name}: {text}"),
            })
            .collect();
        assert_eq!(
            shown,
            [
                "2 src/lib.rs: // src/lib.rs\nfn a() {}\n",
                "9 c: d\n",
                "13 Cargo.toml, in place of x: # Cargo.toml, in place of x\ne = 1\n"
            ]
        );
    }

    #[test]
    fn what_is_left_out_may_be_anything() {
        let check = |said: &str, text: &str, expected: bool| {
            assert_eq!(is_as_said(said, text), expected, "{said:?} of {text:?}");
        };
        check("a\nb\n", "a\nb\n", true);
        check("a\n", "a\nb\n", false);
        check("a\nb\n", "a\n", false);
        check("…\nb\n", "a\na\nb\n", true);
        check("…\nb\n…\n", "a\nb\nc\nb\n", true);
        check("…\nb\nd\n…\n", "b\nc\nb\nd\n", true);
        check("…\nb\n", "b\nc\n", false);
        check("…\n", "", true);
        check("", "", true);
        check("", "a\n", false);
        check("+… B/request …\n", "+44 B/request  (+2)\n", true);
        check("pid …: … live\n", "pid 7: 3 snapshots, 4 live\n", true);
        check("pid …: … live\n", "pid 7: 3 snapshots\n", false);
        check("LEAK …\n", "NO LEAK here\n", false);
    }
}
