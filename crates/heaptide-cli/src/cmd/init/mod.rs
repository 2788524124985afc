//! `heaptide init`: a policy and a CI workflow to start from.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, bail};

use crate::args::Init;
use crate::exit::Exit;
use crate::output::text_out;

const FILES: [(&str, &str); 2] = [
    ("heaptide.toml", include_str!("heaptide.toml")),
    (".github/workflows/heaptide.yml", include_str!("workflow.yml")),
];

const NEXT: &str = "
Next: set the program and its load in the workflow, then try it here:
  heaptide run --load './ci/load.sh' -- ./target/release/YOUR-SERVICE
";

pub(crate) fn run(args: &Init) -> anyhow::Result<Exit> {
    if !args.dir.is_dir() {
        bail!("{} is not a directory", args.dir.display());
    }
    let mut written = 0;
    for (name, text) in FILES {
        let path = args.dir.join(name);
        if write_new(&path, text).with_context(|| format!("cannot write {}", path.display()))? {
            written += 1;
            text_out(&format!("wrote {}\n", path.display()))?;
        } else {
            text_out(&format!("left {} as it is\n", path.display()))?;
        }
    }
    if written > 0 {
        text_out(NEXT)?;
    }
    Ok(Exit::Clean)
}

/// Writes a file that is not there yet; `false` if it is.
fn write_new(path: &Path, text: &str) -> io::Result<bool> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    match File::create_new(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(cause) => Err(cause),
    }
}

#[cfg(test)]
mod tests {
    use heaptide_analyze::policy::Policy;

    #[test]
    fn every_option_that_is_shown_is_one() {
        let (_, text) = super::FILES[0];
        assert!(Policy::parse(text).is_ok());
        let option = |line: &str| line.starts_with('[') || line.contains(" = ");
        let shown = |line: &str| match line.strip_prefix("# ").filter(|line| option(line)) {
            Some(line) => format!("{line}\n"),
            None => format!("{line}\n"),
        };
        let all: String = text.lines().map(shown).collect();
        let policy = Policy::parse(&all).unwrap();
        assert_eq!((policy.allow.len(), policy.lifetime.len(), policy.workspace.len()), (1, 1, 2));
        assert!(policy.memory_limit_bytes.is_some() && policy.least_snapshots.is_some());
    }

    #[test]
    fn a_file_is_written_once() -> std::io::Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("a/b/c.toml");
        assert!(super::write_new(&path, "first")?);
        assert!(!super::write_new(&path, "second")?);
        assert_eq!(std::fs::read_to_string(&path)?, "first");
        // Below a file nothing can be written.
        assert!(super::write_new(&path.join("d"), "third").is_err());
        Ok(())
    }
}
