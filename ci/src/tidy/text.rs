//! Rules that look at one line, or at one file's lines, at a time.

use crate::source::file::File;

/// Code lines of a file, beyond which it is two files.
const MOST_LINES: usize = 600;

/// Every line that fails `is_good`, with the reason.
fn lines<'a>(
    files: impl Iterator<Item = &'a File>,
    reason: &str,
    is_good: impl Fn(&str) -> bool,
) -> Vec<String> {
    files
        .flat_map(|file| {
            (1..).zip(file.text.lines()).map(move |(number, line)| (file, number, line))
        })
        .filter(|(_, _, line)| !is_good(line))
        .map(|(file, number, _)| format!("{}: {reason}", file.at(number)))
        .collect()
}

pub(super) fn trailing_space(files: &[File]) -> Vec<String> {
    let golden = |file: &&File| !file.path.ends_with(".snap") && !file.path.contains("/golden/");
    lines(files.iter().filter(golden), "trailing space", |line| line.trim_end() == line)
}

/// Paths that exist only where somebody happened to build.
pub(super) fn places_of_one_machine(files: &[File]) -> Vec<String> {
    // Spelt in two halves, or this file would break its own rule.
    let places = [
        concat!("/wo", "rk/"),
        concat!("/tmp/", "target"),
        concat!("/root/", ".cargo"),
        concat!("/root/", ".rustup"),
        concat!("../", "shared"),
    ];
    let names_a_place = |line: &str| {
        places.iter().any(|place| {
            line.match_indices(place).any(|(at, _)| {
                !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.')
            })
        })
    };
    lines(files.iter(), "names a path of one machine", |line| !names_a_place(line))
}

/// Packages come from where everybody's come from.
pub(super) fn lock_sources(files: &[File]) -> Vec<String> {
    const PUBLIC: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    let locks = files.iter().filter(|file| file.path.ends_with("Cargo.lock"));
    let of_lock = lines(locks, "not the public registry", |line| {
        !line.starts_with("source = ") || line == PUBLIC
    });
    let configs = files.iter().filter(|file| file.path.starts_with(".cargo/"));
    let of_config =
        lines(configs, "redirects the registry", |line| !line.trim_start().starts_with("[source"));
    [of_lock, of_config].concat()
}

pub(super) fn module_docs(files: &[File]) -> Vec<String> {
    files
        .iter()
        .filter(|file| file.is_rust() && !file.text.starts_with("//!"))
        .map(|file| format!("{}: does not open with a `//!` paragraph", file.path))
        .collect()
}

pub(super) fn length(files: &[File]) -> Vec<String> {
    files
        .iter()
        .filter(|file| file.is_rust())
        .map(|file| (file, code_lines(&file.text)))
        .filter(|(_, n)| *n > MOST_LINES)
        .map(|(file, n)| format!("{}: {n} code lines, at most {MOST_LINES}", file.path))
        .collect()
}

fn code_lines(text: &str) -> usize {
    let is_code = |line: &&str| !line.is_empty() && !line.starts_with("//");
    text.lines().map(str::trim).filter(is_code).count()
}

/// Names that say nothing of what a thing is for.
pub(super) fn empty_names(files: &[File]) -> Vec<String> {
    const EMPTY: [&str; 6] = ["util", "utils", "common", "helper", "helpers", "manager"];
    let rust = || files.iter().filter(|file| file.is_rust());
    let of_files = rust()
        .filter(|file| file.path.split('/').chain([file.stem()]).any(|part| EMPTY.contains(&part)))
        .map(|file| format!("{}: a name that says nothing", file.path));
    let of_items = lines(rust(), "a name that says nothing", |line| {
        let Some(name) = defined(line) else { return true };
        let name = name.to_lowercase();
        !EMPTY.iter().any(|empty| name.starts_with(empty) || name.ends_with(empty))
    });
    of_files.chain(of_items).collect()
}

/// The name of the type or module that a line defines.
fn defined(line: &str) -> Option<&str> {
    let mut words =
        line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty());
    words
        .find(|word| !matches!(*word, "pub" | "crate" | "super"))
        .filter(|word| matches!(*word, "struct" | "enum" | "trait" | "mod" | "type"))?;
    words.next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::file::tests::file;

    fn check(rule: fn(&[File]) -> Vec<String>, path: &str, text: &str, complaints: usize) {
        let found = rule(&[file(path, text)]);
        assert_eq!(found.len(), complaints, "{path} {text:?}: {found:?}");
    }

    #[test]
    fn each_rule_finds_its_fault_and_nothing_else() {
        check(trailing_space, "a.rs", "one \ntwo\n", 1);
        check(trailing_space, "a.snap", "one \n", 0);
        check(places_of_one_machine, "a.md", concat!("see /wo", "rk/main\n"), 1);
        check(places_of_one_machine, "a.md", "the frame/work/unit\n", 0);
        check(lock_sources, "Cargo.lock", "source = \"registry+https://elsewhere\"\n", 1);
        check(module_docs, "a.rs", "use std::fmt;\n", 1);
        check(module_docs, "a.rs", "//! Why.\n", 0);
        check(length, "a.rs", &"// why\n\n".repeat(MOST_LINES + 1), 0);
        check(length, "a.rs", &"x();\n".repeat(MOST_LINES + 1), 1);
        check(empty_names, "src/utils.rs", "", 1);
        check(empty_names, "src/heap.rs", "pub(crate) struct HeapManager {\n", 1);
        check(empty_names, "src/heap.rs", "struct Commonwealth;\nlet helper = 1;\n", 1);
        check(empty_names, "src/heap.rs", "struct Heap;\nfn common() {}\n", 0);
    }
}
