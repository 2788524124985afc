//! The examples of a document: blocks fenced as `console`, which hold commands and what they print.

/// A command of a document and what the document says it prints.
#[derive(Debug)]
pub(crate) struct Example {
    pub(crate) line: usize,
    pub(crate) command: String,
    pub(crate) printed: String,
}

/// Of each block, lines `$ command`, each followed by its output.
pub(crate) fn examples(markdown: &str) -> Vec<Example> {
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
