//! Sources at hand, for pages: the lines around what is blamed, and the forge they can be seen on.
//!
//! Which files are named is up to the recording, and a recording may come from anywhere. So a file is
//! read only if it is source code below the working tree that we stand in; a page is passed on, and
//! must not carry away what its maker did not mean to show.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use heaptide_analyze::Report;
use heaptide_report::html::{Forge, Repository, Snippet, Sources};

/// Lines shown before and after the one that allocates.
const LINES_AROUND: u32 = 5;
/// Generated code has longer lines; nobody reads them here.
const MOST_LINE_CHARS: usize = 300;
/// A source file is not larger.
const MOST_FILE_BYTES: u64 = 4 << 20;
/// Languages that a stack may lead into.
const EXTENSIONS: [&str; 9] = ["rs", "c", "h", "cc", "cpp", "cxx", "hpp", "S", "zig"];

/// What there is for the findings of a report.
pub(crate) fn at_hand(report: &Report) -> Sources {
    let Ok(here) = std::env::current_dir() else { return Sources::default() };
    let top = git(&here, &["rev-parse", "--show-toplevel"]).map(PathBuf::from);
    let repository = top.as_ref().and_then(|top| repository(top));
    let top = top.unwrap_or(here);
    let places = report
        .findings()
        .filter_map(|finding| Some((finding.blamed.file.clone()?, finding.blamed.line?)));
    let snippets = places.filter_map(|(file, line)| {
        let snippet = snippet(&top, &file, line)?;
        Some(((file, line), snippet))
    });
    Sources { snippets: snippets.collect(), repository }
}

fn repository(top: &Path) -> Option<Repository> {
    let commit = git(top, &["rev-parse", "HEAD"])?;
    let forge = Forge::of_remote(&git(top, &["remote", "get-url", "origin"])?, &commit)?;
    Some(Repository { top: top.to_owned(), forge })
}

/// What Git says, if there is Git and it knows.
fn git(dir: &Path, args: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    let output = command.args(args).current_dir(dir).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| output.status.success() && !text.is_empty())
}

/// The lines around one of a source file below `top`.
fn snippet(top: &Path, file: &str, line: u32) -> Option<Snippet> {
    let path = top.join(file).canonicalize().ok()?;
    let is_inside = path.starts_with(top.canonicalize().ok()?);
    let is_source = EXTENSIONS.iter().any(|known| path.extension().is_some_and(|it| it == *known));
    let metadata = fs::metadata(&path).ok()?;
    if !is_inside || !is_source || !metadata.is_file() || metadata.len() > MOST_FILE_BYTES {
        return None;
    }
    let text = fs::read_to_string(&path).ok()?;
    let first_line = line.saturating_sub(LINES_AROUND).max(1);
    let n_lines = (line.saturating_add(LINES_AROUND) - first_line + 1) as usize;
    let lines = text.lines().skip(first_line as usize - 1).take(n_lines);
    let lines: Vec<String> =
        lines.map(|line| line.chars().take(MOST_LINE_CHARS).collect()).collect();
    (first_line as usize + lines.len() > line as usize).then_some(Snippet { first_line, lines })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A recording could name any file of the machine, and the page would carry it away.
    #[test]
    fn only_source_below_the_working_tree_is_shown() -> anyhow::Result<()> {
        let outside = tempfile::tempdir()?;
        fs::write(outside.path().join("secret.rs"), "key\n".repeat(20))?;
        let dir = tempfile::tempdir()?;
        let top = dir.path();
        fs::create_dir(top.join("src"))?;
        let text: String = (1..=20).map(|n| format!("line {n}\n")).collect();
        fs::write(top.join("src/main.rs"), &text)?;
        fs::write(top.join("id_rsa"), &text)?;
        std::os::unix::fs::symlink(outside.path().join("secret.rs"), top.join("src/link.rs"))?;
        let shown = |file: &str, line| snippet(top, file, line).map(|it| (it.first_line, it.lines));
        let lines =
            |range: std::ops::RangeInclusive<u32>| range.map(|n| format!("line {n}")).collect();
        assert_eq!(shown("src/main.rs", 10), Some((5, lines(5..=15))));
        assert_eq!(shown("src/main.rs", 1), Some((1, lines(1..=6))));
        assert_eq!(shown("src/main.rs", 20), Some((15, lines(15..=20))));
        let absolute = top.join("src/main.rs");
        assert!(shown(&absolute.to_string_lossy(), 10).is_some());
        for file in ["id_rsa", "src/link.rs", "src", "../secret.rs", "/etc/passwd", "none.rs"] {
            assert_eq!(shown(file, 2), None, "{file}");
        }
        let secret = outside.path().join("secret.rs");
        assert_eq!(shown(&secret.to_string_lossy(), 2), None);
        assert_eq!(shown("src/main.rs", 21), None, "the file has changed since");
        assert_eq!(shown("src/main.rs", u32::MAX), None);
        Ok(())
    }
}
