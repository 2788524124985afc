//! A reader who does what a page says: calls its commands and writes its files.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use ci::program::{root, target_dir};

use crate::built::Built;
use crate::console::{Example, Step, is_as_said};

/// What the crates come from until a registry has them; here the checkout stands in for it.
const REPOSITORY: &str = "git = \"https://github.com/heaptide/heaptide\"";

/// Somebody in a folder.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    place: &'a Built,
    folder: PathBuf,
}

impl<'a> Reader<'a> {
    /// In the folder of what was built.
    pub(crate) fn beside(place: &'a Built) -> Self {
        Self { place, folder: place.folder.clone() }
    }

    /// In an empty folder outside of the checkout, whose workspace a new crate would become part of.
    pub(crate) fn outside(place: &'a Built) -> Result<Self> {
        let folder = std::env::temp_dir().join("heaptide-book");
        // It may not be there; that it cannot be emptied shows when it is made.
        let _ = fs::remove_dir_all(&folder);
        let cargo = folder.join(".cargo");
        fs::create_dir_all(&cargo).with_context(|| cargo.display().to_string())?;
        fs::write(cargo.join("config.toml"), profiles()?)?;
        Ok(Self { place, folder })
    }

    /// Does a step, and compares what a command prints, both of its streams, to what is said.
    pub(crate) fn perform(&mut self, page: &str, step: &Step) -> Result<()> {
        match step {
            Step::Write { line, name, text } => {
                self.write(name, text).with_context(|| format!("docs/{page}:{line}"))
            }
            Step::Call(Example { command, .. }) if command.starts_with("cd ") => {
                self.folder.push(command[3..].trim());
                Ok(())
            }
            Step::Call(example) => self.call(page, example),
        }
    }

    fn call(&self, page: &str, example: &Example) -> Result<()> {
        let Example { line, command, printed } = example;
        println!("$ {command}");
        let mut shell = self.place.program("sh", &["-c", &format!("exec 2>&1\n{command}")]);
        // What is built for the checks is not built again.
        shell.current_dir(&self.folder).env("CARGO_TARGET_DIR", target_dir(""));
        let output = shell.output()?;
        let got = String::from_utf8_lossy(&output.stdout);
        ensure!(
            is_as_said(printed, &got),
            "docs/{page}:{line}: `{command}` is said to print\n{printed}but prints\n{got}"
        );
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        println!("writes {name}");
        let (name, is_part) = match name.split_once(", in place of ") {
            Some((name, _)) => (name, true),
            None => (name, false),
        };
        let path = self.folder.join(name);
        let old = fs::read_to_string(&path).unwrap_or_default();
        let new = match is_part {
            true => replaced(&old, text).with_context(|| format!("{name} has no such function"))?,
            false if name == "Cargo.toml" => {
                fs::copy(root().join("Cargo.lock"), self.folder.join("Cargo.lock"))?;
                old + &from_the_checkout(text)
            }
            false => text.to_owned(),
        };
        path.parent().map(fs::create_dir_all).transpose()?;
        fs::write(&path, new).with_context(|| path.display().to_string())
    }
}

/// As the project builds the crates that it uses, so that they are not built once more.
fn profiles() -> Result<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
    let manifest: toml::Table = manifest.parse().context("Cargo.toml")?;
    let profile = manifest.get("profile").cloned().context("Cargo.toml has no profile")?;
    let dev = profile.get("dev").cloned().context("Cargo.toml has no profile for development")?;
    let only = toml::Table::from_iter([("dev".to_owned(), dev)]);
    Ok(toml::to_string(&toml::Table::from_iter([("profile".to_owned(), only.into())]))?)
}

/// `NAME = { git = … }` with the folder of the package in the checkout.
fn from_the_checkout(text: &str) -> String {
    let crates = root().join("crates");
    let line = |line: &str| {
        let name = line.split([' ', '=']).next().unwrap_or_default();
        let path = format!("path = \"{}\"", crates.join(name).display());
        line.replace(REPOSITORY, &path) + "\n"
    };
    text.lines().map(line).collect()
}

/// A file with a function in place of the one of the same first line.
fn replaced(text: &str, function: &str) -> Option<String> {
    let first = function.lines().find(|line| line.ends_with('{'))?;
    let start = text.find(&format!("{first}\n"))?;
    let end = start + text[start..].find("\n}\n")? + 3;
    let function = &function[function.find(first)?..];
    Some(format!("{}{function}{}", &text[..start], &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_takes_the_place_of_its_elder() {
        let file = "fn a() {\n    1;\n}\n\nfn b() {\n    2;\n}\n\nfn c() {}\n";
        let new = replaced(file, "// x.rs, in place of `b`\nfn b() {\n    3;\n}\n");
        assert_eq!(
            new.as_deref(),
            Some("fn a() {\n    1;\n}\n\nfn b() {\n    3;\n}\n\nfn c() {}\n")
        );
        assert_eq!(replaced(file, "fn d() {\n}\n"), None);
    }

    #[test]
    fn the_checkout_stands_in_for_the_repository() {
        let line = format!("heaptide-testing = {{ {REPOSITORY} }}\n");
        let text = from_the_checkout(&line);
        assert!(text.contains("/crates/heaptide-testing\" }") && !text.contains("git"), "{text}");
        assert_eq!(from_the_checkout("[dev-dependencies]\n"), "[dev-dependencies]\n");
    }
}
