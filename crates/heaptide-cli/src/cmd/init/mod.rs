//! `heaptide init`: the gate for a project, in a policy, one line of the program and a workflow. A
//! library without a program gets growth tests.
//!
//! What is there already is left as it is, so that asking again changes nothing.

mod changes;
mod global_allocator;
mod manifest;
mod project;
mod steps;

use std::fs;
use std::io::{self, BufRead, IsTerminal};
use std::path::Path;

use anyhow::{Context, bail};

use self::changes::Change;
use self::global_allocator::Edited;
use self::project::{Ci, Program, Project, Watched};
use crate::args::Init;
use crate::exit::Exit;
use crate::source::Source;
use heaptide_report::Escaped;

use crate::output::{tell, text_err, text_out};

const POLICY: &str = include_str!("heaptide.toml");

pub(crate) fn run(args: &Init) -> anyhow::Result<Exit> {
    if !args.dir.is_dir() {
        bail!("{} is not a directory", args.dir.display());
    }
    let project = Project::around(&args.dir, args.bin.as_deref(), &args.args)?;
    if let (None, false) = (&args.bin, project.others.is_empty()) {
        tell(&chosen(&project));
    }
    let (changes, feature) = changes(&project, args)?;
    if changes.is_empty() {
        text_out("everything is there already; nothing to write\n")?;
        return Ok(Exit::Clean);
    }
    let shown: String = changes.iter().map(|change| change.difference(&project.root)).collect();
    text_out(&shown)?;
    if args.dry_run {
        return Ok(Exit::Clean);
    }
    if !args.yes && !is_wanted()? {
        bail!("nothing was written");
    }
    changes.iter().try_for_each(Change::write)?;
    text_out(&next(&project, feature.as_deref()))?;
    Ok(Exit::Clean)
}

/// What was chosen, where there are other programs.
fn chosen(project: &Project) -> String {
    let others = project.others.join(", ");
    match &project.watched {
        Watched::Program(Program { name, .. }) => {
            format!("the program to watch is {name}; --bin chooses among {others}")
        }
        Watched::Library(_) => format!(
            "{} is a library, and gets growth tests; --bin watches a program: {others}",
            project.package
        ),
    }
}

/// What is to be written, and the feature that the shim stands behind, if it does.
fn changes(project: &Project, args: &Init) -> anyhow::Result<(Vec<Change>, Option<String>)> {
    match &project.watched {
        Watched::Program(program) => watch(project, program, &args.source),
        Watched::Library(name) => Ok((test(project, name, &args.source)?, None)),
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn cannot_edit(path: &Path) -> String {
    format!("cannot edit {}", path.display())
}

/// For a library: tests beside its own.
fn test(project: &Project, name: &str, source: &Source) -> anyhow::Result<Vec<Change>> {
    let manifest_path = &project.manifest;
    let old = read(manifest_path)?;
    let new =
        manifest::edited_for_tests(&old, source).with_context(|| cannot_edit(manifest_path))?;
    let tests = include_str!("growth_test.txt").replace("@CRATE@", name);
    let (workflow, steps) = steps::workflow(project, source, None);
    let changes = [
        Change::edit(manifest_path.clone(), old, new),
        Change::new_file(manifest_path.with_file_name(steps::TESTS), &tests),
        Change::new_file(project.root.join(workflow), &steps),
    ];
    Ok(changes.into_iter().flatten().collect())
}

/// For a program: the shim, and what runs it.
fn watch(
    project: &Project,
    program: &Program,
    source: &Source,
) -> anyhow::Result<(Vec<Change>, Option<String>)> {
    let (old_manifest, old_main) = (read(&project.manifest)?, read(&program.main)?);
    let (manifest, feature) =
        manifest::edited(&old_manifest, source).with_context(|| cannot_edit(&project.manifest))?;
    let edited = global_allocator::edited(&old_main, feature.as_deref())
        .with_context(|| cannot_edit(&program.main))?;
    let main = match edited {
        Edited::With(text) => text,
        Edited::Beside(text, of) => {
            tell(&format!(
                "{} has {of} as its allocator in some builds: those record nothing, and the feature \
                 that brings it is better left out of the build that is watched",
                program.main.display()
            ));
            text
        }
        Edited::AlreadyThere => old_main.clone(),
        Edited::Other(of) => {
            tell(&format!(
                "{} has {of} as its allocator, and that is yours to wrap: \
                 heaptide::Heaptide<{of}> = heaptide::Heaptide::with({of})",
                program.main.display()
            ));
            old_main.clone()
        }
    };
    let root = &project.root;
    let (workflow, steps) = steps::workflow(project, source, feature.as_deref());
    let load =
        program.serves.then(|| Change::new_script(root.join(steps::LOAD), include_str!("load.sh")));
    let changes = [
        Change::edit(project.manifest.clone(), old_manifest, manifest),
        Change::edit(program.main.clone(), old_main, main),
        Change::new_file(root.join("heaptide.toml"), POLICY),
        load.flatten(),
        Change::new_file(root.join(workflow), &steps),
    ];
    Ok((changes.into_iter().flatten().collect(), feature))
}

/// Asks whoever sits there.
fn is_wanted() -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("nothing was written: --yes writes it, --dry-run only shows it");
    }
    text_err(&Escaped::markup("write this? [y/N] "));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn next(project: &Project, feature: Option<&str>) -> String {
    let shown =
        |path: &Path| path.strip_prefix(&project.root).unwrap_or(path).display().to_string();
    let is_yours = match &project.watched {
        Watched::Program(program) if program.serves => format!(
            "Set what your service is asked for in {}, and its address in the workflow.\n",
            steps::LOAD
        ),
        Watched::Program(program) if program.args.is_empty() => {
            "If the program needs arguments, write them behind it in the workflow: enough \
                          work for a few seconds, or what is to be found is not exercised.\n"
                .to_owned()
        }
        Watched::Program(_) => String::new(),
        Watched::Library(name) => format!(
            "Say in {} what of {name} is called again and again: the test in it guards nothing yet, and \
             is ignored.\n",
            shown(&project.manifest.with_file_name(steps::TESTS))
        ),
    };
    let include = match project.ci {
        Ci::GitLab => "Add `include: [{ local: .gitlab/heaptide.yml }]` to .gitlab-ci.yml.\n",
        Ci::GitHub => "",
    };
    let work = match &project.watched {
        Watched::Program(_) => {
            let condition = feature.map(|of| format!("  #[cfg(feature = \"{of}\")]\n"));
            format!(
                "Count what is done where a request is, and growth is judged per request; without it, in \
                 time, and a leak under load that ebbs looks like a cache that fills:\n\
                 {}  heaptide::work(\"requests\", 1);\n",
                condition.unwrap_or_default()
            )
        }
        Watched::Library(_) => String::new(),
    };
    let here = steps::here(project, feature).join("\n  ");
    let tests = if project.has_nextest { "cargo nextest run" } else { "cargo test" };
    format!(
        "\n{is_yours}{include}{work}Try it here:\n  {here}\nYour tests run as before: `{tests}`.\n"
    )
}

#[cfg(test)]
mod tests {
    use heaptide_analyze::policy::Policy;

    #[test]
    fn every_option_that_is_shown_is_one() {
        let text = super::POLICY;
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
}
