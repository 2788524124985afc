//! The command line as it was typed: names, types, help texts, and nothing that acts.
//!
//! One definition gives the parser, both helps, the man page and the completions.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum, ValueHint};
use heaptide_analyze::load::Location;

use crate::source::Source;

const EXAMPLES: &str = "\
Examples:
  heaptide demo                                        see a leak being found, in under a minute
  heaptide run --for 60s -- ./target/release/shop      watch a service for a minute and judge it
  heaptide run --load 'oha -z 30s http://127.0.0.1:8080' --ready 127.0.0.1:8080 -- ./shop
  heaptide check target/heaptide/*.jsonl --format sarif > heaptide.sarif
  heaptide check new.jsonl --before old.jsonl          what this build leaks that the last did not
  heaptide diff run.jsonl@10 run.jsonl@40              what grew between two snapshots
  heaptide show run.jsonl --by part                    what the whole process held, over the run

Exit codes:
  0  clean          1  growth over budget
  2  could not do what was asked (usage, unreadable input, a wrong or expired policy)
  3  inconclusive (too few snapshots or too little work; see --inconclusive)";

/// Finds memory leaks in Rust services: records every live allocation by call site, decides which
/// sites leak, and fails the build when one does.
#[derive(Debug, Parser)]
#[command(name = "heaptide", version, max_term_width = 100, after_help = EXAMPLES)]
#[command(disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Run),
    Check(Check),
    Diff(Diff),
    Show(Show),
    Report(Report),
    Top(Top),
    Serve(Serve),
    Snapshot(Snapshot),
    Baseline(Baseline),
    Doctor(Doctor),
    Init(Init),
    Demo(Demo),
    Completions(Completions),
    Man(Man),
    #[command(hide = true)]
    DemoShop(DemoShop),
}

/// More often, the recorder would do little else than take snapshots.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

const RUN_EXAMPLES: &str = "\
Examples:
  heaptide run --for 60s -- ./target/release/shop --port 8080
  heaptide run --ready http://127.0.0.1:8080/health --load './load.sh' -- ./target/release/shop
  heaptide run --until-decided --for 10m -- ./target/release/worker queue.toml

The program needs the shim: `#[global_allocator] static HEAP: heaptide::Heaptide = …`.
Its standard output is passed on to standard error; standard output belongs to the report.";

/// Run a program, record its heap, judge it, and exit with the verdict.
#[derive(Debug, clap::Args)]
#[command(after_help = RUN_EXAMPLES)]
pub(crate) struct Run {
    /// Time between snapshots [default: so that 48 fit into --for; 250ms without it].
    #[arg(long, value_name = "TIME", value_parser = interval)]
    pub(crate) interval: Option<Duration>,
    /// Directory for the recordings.
    #[arg(long, value_name = "DIR", default_value = "target/heaptide", value_hint = ValueHint::DirPath)]
    pub(crate) out: PathBuf,
    /// Shell command that drives load; the program is stopped when it ends.
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    pub(crate) load: Option<String>,
    /// Stop the program after this time, counted from when it is ready.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(crate) stop_after: Option<Duration>,
    /// Besides a recording, wait for this before load begins: an http:// address that answers
    /// with success, or HOST:PORT that accepts a connection.
    #[arg(long, value_name = "URL|HOST:PORT|none", default_value = "none")]
    pub(crate) ready: Ready,
    /// How long to wait for the program to be ready.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) ready_timeout: Duration,
    /// How long the program may take to end after SIGTERM, before it is killed.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) grace: Duration,
    /// Stop as soon as two judgements in a row agree and more snapshots would not change them.
    #[arg(long)]
    pub(crate) until_decided: bool,
    #[command(flatten)]
    pub(crate) judging: JudgingOptions,
    /// The process that started this one to watch the program.
    #[arg(long, hide = true, value_name = "PID")]
    pub(crate) guardian: Option<i32>,
    /// The program and its arguments.
    #[arg(required = true, last = true, value_name = "CMD", value_hint = ValueHint::CommandWithArguments)]
    pub(crate) program: Vec<String>,
}

/// Judge recordings that exist already.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// Recordings, or directories of them.
    #[arg(required = true, value_name = "REC", value_hint = ValueHint::AnyPath)]
    pub(crate) recordings: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) judging: JudgingOptions,
}

/// How to judge and how to say it.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct JudgingOptions {
    /// Policy file [default: heaptide.toml, where there is one].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Accepted growth (see `heaptide baseline`): only new or worse growth fails.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) baseline: Option<PathBuf>,
    /// Recordings of an earlier build, or directories of them: only what is new or grows faster
    /// per unit of work is reported and fails.
    #[arg(long, value_name = "REC", num_args = 1.., value_hint = ValueHint::AnyPath)]
    #[arg(conflicts_with = "baseline")]
    pub(crate) before: Vec<PathBuf>,
    /// How to write the report.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// What an inconclusive result exits with [default: as the policy says, else fail].
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) inconclusive: Option<Inconclusive>,
    /// Whose growth fails [default: as the policy says, else any].
    #[arg(long, value_enum, value_name = "WHOSE")]
    pub(crate) fail_on: Option<FailOn>,
    /// Where else to look for executables and debug files.
    #[arg(long, value_name = "DIR", value_parser = directory, value_hint = ValueHint::DirPath)]
    pub(crate) symbol_path: Vec<PathBuf>,
    /// The work counter to judge growth by [default: the policy's, else what fits best].
    #[arg(long, value_name = "NAME")]
    pub(crate) work: Option<String>,
    /// In a job of GitHub Actions or GitLab: write no summary, no annotations and no code quality
    /// report besides the report that was asked for.
    #[arg(long)]
    pub(crate) no_ci: bool,
    /// How many threads read; the report does not depend on it [default: one for each core].
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
}

/// Compare two snapshots, or the last snapshots of two runs, by call site.
#[derive(Debug, clap::Args)]
pub(crate) struct Diff {
    /// The earlier one: a recording, `RECORDING@SEQ`, or a dump.
    #[arg(value_name = "A[@SEQ]", value_parser = location, value_hint = ValueHint::FilePath)]
    pub(crate) before: Location,
    /// The later one.
    #[arg(value_name = "B[@SEQ]", value_parser = location, value_hint = ValueHint::FilePath)]
    pub(crate) after: Location,
    /// Where else to look for executables and debug files.
    #[arg(long, value_name = "DIR", value_parser = directory, value_hint = ValueHint::DirPath)]
    pub(crate) symbol_path: Vec<PathBuf>,
    /// How many call sites to show.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) top: usize,
}

/// Show one snapshot by call site, with names.
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// A recording (its last snapshot), `RECORDING@SEQ`, or a dump.
    #[arg(value_name = "REC[@SEQ]", value_parser = location, value_hint = ValueHint::FilePath)]
    pub(crate) snapshot: Location,
    /// Write the whole snapshot as one self-contained JSON document.
    #[arg(long)]
    pub(crate) json: bool,
    /// What to order the sites by.
    #[arg(long, value_enum, default_value_t, conflicts_with = "json")]
    pub(crate) by: Order,
    /// How many call sites, or snapshots, to show.
    #[arg(long, value_name = "N", default_value_t = 20, conflicts_with = "json")]
    pub(crate) top: usize,
    /// Where else to look for executables and debug files.
    #[arg(long, value_name = "DIR", value_parser = directory, value_hint = ValueHint::DirPath)]
    pub(crate) symbol_path: Vec<PathBuf>,
}

/// Write a report as one page: a single file that opens in any browser and loads nothing.
///
/// It has the verdict, the process over time, and every call site, at any two snapshots. The exit
/// code says whether it was written; `heaptide check` exits with the verdict.
#[derive(Debug, clap::Args)]
pub(crate) struct Report {
    /// Recordings, or directories of them.
    #[arg(required = true, value_name = "REC", value_hint = ValueHint::AnyPath)]
    pub(crate) recordings: Vec<PathBuf>,
    /// The page to write.
    #[arg(short, long, value_name = "FILE", default_value = "heaptide-report.html", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
    /// Policy file [default: heaptide.toml, where there is one].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Accepted growth (see `heaptide baseline`).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) baseline: Option<PathBuf>,
    /// Recordings of an earlier build, or directories of them: only what is new or grows faster is
    /// a finding.
    #[arg(long, value_name = "REC", num_args = 1.., value_hint = ValueHint::AnyPath)]
    #[arg(conflicts_with = "baseline")]
    pub(crate) before: Vec<PathBuf>,
    /// Where else to look for executables and debug files.
    #[arg(long, value_name = "DIR", value_parser = directory, value_hint = ValueHint::DirPath)]
    pub(crate) symbol_path: Vec<PathBuf>,
    /// The work counter to judge growth by [default: the policy's, else what fits best].
    #[arg(long, value_name = "NAME")]
    pub(crate) work: Option<String>,
}

/// Watch a recording that grows, in the terminal.
///
/// Findings, call sites, the process over time and in parts, cohorts and calls; `?` lists the keys.
#[derive(Debug, clap::Args)]
pub(crate) struct Top {
    /// A recording, a directory of recordings, or the id of a process that is recording.
    #[arg(value_name = "REC|DIR|PID", value_hint = ValueHint::AnyPath)]
    pub(crate) what: String,
    /// Policy file [default: heaptide.toml, where there is one].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Where else to look for executables and debug files.
    #[arg(long, value_name = "DIR", value_parser = directory, value_hint = ValueHint::DirPath)]
    pub(crate) symbol_path: Vec<PathBuf>,
    /// The work counter to judge growth by [default: the policy's, else what fits best].
    #[arg(long, value_name = "NAME")]
    pub(crate) work: Option<String>,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  heaptide serve target/heaptide                                      http://127.0.0.1:7070/
  heaptide serve /var/lib/heaptide --listen 0.0.0.0:7070 --token-file heaptide.token
  heaptide serve target/heaptide --on-finding 'curl -fsS --json @- https://hooks.example/x'

/metrics is for Prometheus, /api describes the rest. Only this machine is served, unless there is
a token: in --token-file, or in HEAPTIDE_TOKEN.";

/// Serve a live page of all recordings in a directory, with metrics for Prometheus.
#[derive(Debug, clap::Args)]
#[command(after_help = SERVE_EXAMPLES)]
pub(crate) struct Serve {
    /// The directory that services record into.
    #[arg(value_name = "DIR", value_parser = directory, value_hint = ValueHint::DirPath)]
    pub(crate) dir: PathBuf,
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7070")]
    pub(crate) listen: SocketAddr,
    /// File with the token that whoever asks must name; needed beyond loopback.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) token_file: Option<PathBuf>,
    /// Tell of each finding that fails, once: a shell command that reads the message, or an http://
    /// address that takes it as a POST.
    #[arg(long, value_name = "CMD|URL", value_hint = ValueHint::CommandString)]
    pub(crate) on_finding: Option<Receiver>,
    /// Policy file [default: heaptide.toml, where there is one].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Accepted growth (see `heaptide baseline`).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) baseline: Option<PathBuf>,
    /// Where else to look for executables and debug files.
    #[arg(long, value_name = "DIR", value_parser = directory, value_hint = ValueHint::DirPath)]
    pub(crate) symbol_path: Vec<PathBuf>,
    /// The work counter to judge growth by [default: the policy's, else what fits best].
    #[arg(long, value_name = "NAME")]
    pub(crate) work: Option<String>,
}

/// Who is told of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Receiver {
    /// A shell command; the message is its standard input.
    Command(String),
    /// A server that takes the message as the body of a POST.
    Http { address: String, path: String },
}

impl FromStr for Receiver {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("https://") {
            return Err("https is for a command to do: 'curl -fsS --json @- URL'".into());
        }
        let Some(rest) = text.strip_prefix("http://") else {
            return Ok(Self::Command(text.to_owned()));
        };
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("expected http://HOST[:PORT]/PATH or a command".into());
        }
        let address = host_and_port(host).or_else(|_| host_and_port(&format!("{host}:80")))?;
        Ok(Self::Http { address, path: if path.is_empty() { "/".into() } else { path.into() } })
    }
}

/// Ask a running process for a snapshot and wait until it is on disk.
#[derive(Debug, clap::Args)]
pub(crate) struct Snapshot {
    /// Process id of a program that is recording.
    #[arg(value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) pid: i32,
    /// Write that snapshot alone, as a readable JSON document.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// How long to wait for it.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) timeout: Duration,
}

/// Accept today's growth: from now on, only new or worse growth fails.
#[derive(Debug, clap::Args)]
pub(crate) struct Baseline {
    /// Recordings, or directories of them.
    #[arg(required = true, value_name = "REC", value_hint = ValueHint::AnyPath)]
    pub(crate) recordings: Vec<PathBuf>,
    /// The baseline file to write.
    #[arg(long, required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) update: PathBuf,
    /// Policy file [default: heaptide.toml, where there is one].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Where else to look for executables and debug files.
    #[arg(long, value_name = "DIR", value_parser = directory, value_hint = ValueHint::DirPath)]
    pub(crate) symbol_path: Vec<PathBuf>,
}

const DOCTOR_EXAMPLES: &str = "\
Exit codes:
  0  nothing was found    1  something spoils a verdict    2  what was given cannot be read";

/// Say what will spoil a verdict: missing names, missing load, memory that is not recorded.
#[derive(Debug, clap::Args)]
#[command(after_help = DOCTOR_EXAMPLES)]
pub(crate) struct Doctor {
    /// Executables, recordings, or directories of recordings.
    #[arg(required = true, value_name = "BINARY|REC", value_hint = ValueHint::AnyPath)]
    pub(crate) subjects: Vec<PathBuf>,
    /// Where else to look for executables and debug files.
    #[arg(long, value_name = "DIR", value_parser = directory, value_hint = ValueHint::DirPath)]
    pub(crate) symbol_path: Vec<PathBuf>,
}

/// Set up the gate for a project: the line in the program behind a feature, a commented
/// heaptide.toml, a load script and a CI workflow; for a library, growth tests and a CI workflow.
/// Shows what it will write; overwrites nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    /// The directory of the project.
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) dir: PathBuf,
    /// The program to watch [default: of those that Cargo builds there, the one that is run by
    /// default, or serves, or is the first].
    #[arg(long, value_name = "NAME")]
    pub(crate) bin: Option<String>,
    /// Where Heaptide is taken from: a git repository, or a directory with a checkout of it.
    #[arg(long, value_name = "URL|DIR", default_value = env!("CARGO_PKG_REPOSITORY"))]
    pub(crate) source: Source,
    /// Write without asking.
    #[arg(short, long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
    /// Show what would be written, and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// What the program is called with in the workflow.
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<String>,
}

/// Replay an outage on this machine, and find its cause: under a minute, needs nothing else.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// Keep the recordings in this directory.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: Option<PathBuf>,
}

/// Print completions for a shell.
#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// Which shell.
    pub(crate) shell: clap_complete::Shell,
}

/// Print the manual, or write one page per subcommand into a directory.
#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// Write heaptide.1, heaptide-run.1, … into this directory.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: Option<PathBuf>,
}

/// The web shop that `heaptide demo` watches.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoShop {
    /// Leave abandoned sessions where they are.
    #[arg(long)]
    pub(crate) no_reaper: bool,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people, in a terminal.
    #[default]
    Human,
    /// Everything, for programs.
    Json,
    /// For a job summary or a pull request comment.
    Markdown,
    /// For code scanning services.
    Sarif,
    /// A test suite, one test case per finding.
    Junit,
    /// GitHub workflow commands: annotations at the lines that leak.
    Github,
    /// GitLab's code quality report.
    Gitlab,
    /// Test Anything Protocol.
    Tap,
}

/// Whose growth fails a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Anybody's: memory that a dependency keeps is as much lost.
    Any,
    /// That of your own crates; a dependency's is a warning.
    Workspace,
}

/// What an inconclusive result counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Inconclusive {
    /// Exit with 0.
    Pass,
    /// Exit with 3.
    Fail,
}

/// What the sites of a snapshot are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// Most live bytes first.
    #[default]
    Size,
    /// Most growth since the first snapshot first.
    Growth,
    /// Oldest live blocks first.
    Age,
    /// Not sites: what the whole process holds, in parts, over the run.
    Part,
}

/// Besides a recording, what tells that a program is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// The recording alone.
    Recording,
    /// A connection to HOST:PORT.
    Tcp(String),
    /// A successful answer from HOST:PORT to a GET of this path.
    Http { address: String, path: String },
}

/// As it was written.
impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recording => f.write_str("none"),
            Self::Tcp(address) => f.write_str(address),
            Self::Http { address, path } => write!(f, "http://{address}{path}"),
        }
    }
}

impl FromStr for Ready {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::Recording);
        }
        if text.starts_with("https://") {
            return Err("only http:// can be asked; give HOST:PORT to wait for a connection".into());
        }
        let Some(rest) = text.strip_prefix("http://") else {
            return host_and_port(text).map(Self::Tcp);
        };
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let address = host_and_port(host).or_else(|_| host_and_port(&format!("{host}:80")))?;
        Ok(Self::Http { address, path: if path.is_empty() { "/".into() } else { path.into() } })
    }
}

fn host_and_port(text: &str) -> Result<String, String> {
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
    match port.map(str::parse::<u16>) {
        Some(Ok(_)) => Ok(text.to_owned()),
        _ => Err("expected http://HOST[:PORT]/PATH, HOST:PORT or none".into()),
    }
}

/// `REC[@SEQ]`.
fn location(text: &str) -> Result<Location, String> {
    let location = Location::parse(text);
    match text.rsplit_once('@') {
        Some((path, seq)) if !location.path.exists() && Path::new(path).exists() => {
            Err(format!("`{seq}` is not the number of a snapshot"))
        }
        _ => Ok(location),
    }
}

/// Reads `1s`, `500ms`, `2m`, `1h 30m`; not zero.
fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be longer than nothing".into()),
        Ok(duration) => Ok(duration),
        Err(cause) => Err(format!("{cause}; write it like 500ms, 1s or 2m")),
    }
}

/// A [`duration`] that the shim can keep.
fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    if interval < SHORTEST_INTERVAL {
        return Err("must be 1ms or longer".into());
    }
    Ok(interval)
}

/// A directory that is there.
fn directory(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() { Ok(path) } else { Err("there is no such directory".into()) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn who_is_told_is_a_command_or_an_address() {
        let http = |address: &str, path: &str| {
            Some(Receiver::Http { address: address.into(), path: path.into() })
        };
        let check = |text: &str, expected| {
            assert_eq!(text.parse::<Receiver>().ok(), expected, "{text}");
        };
        check("http://hooks.local/x/y", http("hooks.local:80", "/x/y"));
        check("http://127.0.0.1:9000", http("127.0.0.1:9000", "/"));
        check("./page.sh --loud", Some(Receiver::Command("./page.sh --loud".into())));
        check("https://hooks.example/x", None);
        check("http://", None);
        check("http://a.b/x y", None);
    }

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn readiness_is_a_connection_or_an_answer() {
        let check = |text: &str, expected: Result<Ready, ()>| {
            assert_eq!(text.parse::<Ready>().map_err(drop), expected, "{text}");
        };
        let http = |address: &str, path: &str| {
            Ok(Ready::Http { address: address.into(), path: path.into() })
        };
        check("none", Ok(Ready::Recording));
        check("localhost:80", Ok(Ready::Tcp("localhost:80".into())));
        check("http://localhost:8080/health?a=1", http("localhost:8080", "/health?a=1"));
        check("http://localhost", http("localhost:80", "/"));
        check("https://localhost/", Err(()));
        check("localhost", Err(()));
        check(":80", Err(()));
    }

    #[test]
    fn durations_need_a_unit_and_a_length() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("0s").is_err());
        assert!(duration("5").is_err());
    }

    /// The subcommand that is typed, as it is understood; or the first line of the complaint.
    fn parsed(line: &str) -> Result<Command, String> {
        let words = std::iter::once("heaptide").chain(line.split_whitespace());
        Args::try_parse_from(words)
            .map(|args| args.command)
            .map_err(|usage| usage.to_string().lines().next().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_run_is_understood() {
        let check = |line: &str, holds: fn(&Run) -> bool| match parsed(line) {
            Ok(Command::Run(run)) => assert!(holds(&run), "{line}: {run:?}"),
            other => panic!("{line}: {other:?}"),
        };
        check("run -- shop", |run| run.out == Path::new("target/heaptide"));
        check("run -- shop", |run| run.interval.is_none() && run.stop_after.is_none());
        check("run -- shop", |run| run.grace == Duration::from_secs(10) && !run.until_decided);
        check("run -- shop", |run| run.ready_timeout == Duration::from_secs(60));
        check("run -- shop", |run| run.ready == Ready::Recording && run.guardian.is_none());
        check("run -- shop --for 5", |run| run.program == ["shop", "--for", "5"]);
        check("run --for 2m -- shop", |run| run.stop_after == Some(Duration::from_secs(120)));
        check("run --interval 1ms -- shop", |run| run.interval == Some(SHORTEST_INTERVAL));
        check("run --load true -- shop", |run| run.load.as_deref() == Some("true"));
        check("run --work logins -- shop", |run| run.judging.work.as_deref() == Some("logins"));
        check("run --format tap -- shop", |run| run.judging.format == Format::Tap);
    }

    #[test]
    fn judging_is_understood() {
        let check = |line: &str, holds: fn(&JudgingOptions) -> bool| match parsed(line) {
            Ok(Command::Check(check)) => assert!(holds(&check.judging), "{line}: {check:?}"),
            other => panic!("{line}: {other:?}"),
        };
        check("check a", |it| it.format == Format::Human && it.inconclusive.is_none());
        check("check a --inconclusive pass", |it| it.inconclusive == Some(Inconclusive::Pass));
        check("check a --fail-on workspace", |it| it.fail_on == Some(FailOn::Workspace));
        check("check a --before b c", |it| it.before == [Path::new("b"), Path::new("c")]);
        check("check a --threads 3", |it| it.threads.is_some_and(|n| n.get() == 3));
        check("check a --symbol-path / --symbol-path .", |it| it.symbol_path.len() == 2);
        check("check a --baseline b --config c", |it| it.baseline.is_some() && it.config.is_some());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let check = |line: &str, says: &str| match parsed(line) {
            Err(said) => assert!(said.contains(says), "{line}: {said}"),
            Ok(command) => panic!("{line}: {command:?}"),
        };
        check("run shop", "unexpected argument 'shop'");
        check("run --for 5 -- shop", "write it like 500ms, 1s or 2m");
        check("run --interval 1us -- shop", "must be 1ms or longer");
        check("run --grace 0s -- shop", "longer than nothing");
        check("check", "required arguments");
        check("check a --threads 0", "invalid value '0'");
        check("check a --before b --baseline c", "cannot be used with");
        check("check a --symbol-path /no/such/dir", "no such directory");
        check("show a --json --by age", "cannot be used with");
        check("snapshot 0", "invalid value '0'");
        check("snapshot -1", "unexpected argument '-1'");
        check("baseline a", "required arguments");
        check("help", "unrecognized subcommand");
    }
}
