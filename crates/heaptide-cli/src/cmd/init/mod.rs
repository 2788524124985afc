//! `heaptide init`: the gate for a project, in a policy, one line of the program and a workflow.
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
use self::project::{Ci, Project};
use crate::args::Init;
use crate::exit::Exit;
use heaptide_report::Escaped;

use crate::output::{tell, text_err, text_out};

const POLICY: &str = include_str!("heaptide.toml");

pub(crate) fn run(args: &Init) -> anyhow::Result<Exit> {
    if !args.dir.is_dir() {
        bail!("{} is not a directory", args.dir.display());
    }
    let project = Project::around(&args.dir, args.bin.as_deref(), &args.args)?;
    if args.bin.is_none() && !project.others.is_empty() {
        let others = project.others.join(", ");
        tell(&format!("the program to watch is {}; --bin chooses among {others}", project.program));
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

/// What is to be written, and the feature that the shim stands behind, if it does.
fn changes(project: &Project, args: &Init) -> anyhow::Result<(Vec<Change>, Option<String>)> {
    let read = |path: &Path| -> anyhow::Result<String> {
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let cannot_edit = |path: &Path| format!("cannot edit {}", path.display());
    let (old_manifest, old_main) = (read(&project.manifest)?, read(&project.main)?);
    let (manifest, feature) = manifest::edited(&old_manifest, &args.source)
        .with_context(|| cannot_edit(&project.manifest))?;
    let edited = global_allocator::edited(&old_main, feature.as_deref())
        .with_context(|| cannot_edit(&project.main))?;
    let main = match edited {
        Edited::With(text) => text,
        Edited::Beside(text, of) => {
            tell(&format!(
                "{} has {of} as its allocator in some builds: those record nothing, and the feature \
                 that brings it is better left out of the build that is watched",
                project.main.display()
            ));
            text
        }
        Edited::AlreadyThere => old_main.clone(),
        Edited::Other(of) => {
            tell(&format!(
                "{} has {of} as its allocator, and that is yours to wrap: \
                 heaptide::Heaptide<{of}> = heaptide::Heaptide::with({of})",
                project.main.display()
            ));
            old_main.clone()
        }
    };
    let root = &project.root;
    let (workflow, steps) = steps::workflow(project, &args.source, feature.as_deref());
    let load =
        project.serves.then(|| Change::new_script(root.join(steps::LOAD), include_str!("load.sh")));
    let changes = [
        Change::edit(project.manifest.clone(), old_manifest, manifest),
        Change::edit(project.main.clone(), old_main, main),
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
    let load = match (project.serves, project.args.is_empty()) {
        (true, _) => format!(
            "Set what your service is asked for in {}, and its address in the workflow.\n",
            steps::LOAD
        ),
        (false, true) => {
            "If the program needs arguments, write them behind it in the workflow: enough \
                          work for a few seconds, or what is to be found is not exercised.\n"
                .to_owned()
        }
        (false, false) => String::new(),
    };
    let include = match project.ci {
        Ci::GitLab => "Add `include: [{ local: .gitlab/heaptide.yml }]` to .gitlab-ci.yml.\n",
        Ci::GitHub => "",
    };
    let [build, run] = steps::here(project, feature);
    let tests = if project.has_nextest { "cargo nextest run" } else { "cargo test" };
    format!(
        "\n{load}{include}Call `heaptide::work(\"requests\", 1)` where a request is done, and growth is \
         judged per request.\nTry it here:\n  {build}\n  {run}\nYour tests run as before: `{tests}`.\n",
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
