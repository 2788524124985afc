//! Programs that really run and record: the command itself, which has the shim in it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::scratch::Scratch;

const HEAPTIDE: &str = env!("CARGO_BIN_EXE_heaptide");

/// The demo's shop, recording; ended with the value.
struct Shop(Child);

impl Shop {
    /// Started, and past its first line, which it prints when it serves.
    fn start(scratch: &Scratch, signal: Option<&str>) -> Self {
        Self::start_by(Command::new(HEAPTIDE), scratch, signal)
    }

    /// The same by another command, which runs what it is given.
    fn start_by(mut command: Command, scratch: &Scratch, signal: Option<&str>) -> Self {
        command.arg("demo-shop").env("HEAPTIDE_OUT", scratch.path("shop.jsonl"));
        command
            .env_remove("HEAPTIDE_SIGNAL")
            .envs(signal.map(|signal| ("HEAPTIDE_SIGNAL", signal)));
        let mut shop = command.stdout(Stdio::piped()).spawn().expect("the shop starts");
        let output = shop.stdout.take().expect("its output is piped");
        BufReader::new(output).read_line(&mut String::new()).expect("it says its address");
        Self(shop)
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_short_run_is_inconclusive() {
    let scratch = Scratch::new();
    let run = |options: &str, program: &str, says: &str| {
        scratch.check(&format!("run --out rec {options} -- {HEAPTIDE} {program}"), 3, says);
    };
    run("--for 1s", "demo-shop", "too few to judge");
    run("--for 1s", "demo-shop", "or with a shorter --interval than 250ms");
    run("", "check clean.jsonl", "too few to judge");
    run("", "check foreign.jsonl", "ended with exit status 2");
    run("--load true", "demo-shop", "the load is done");
    run("--load false", "demo-shop", "the load command ended with exit status 1");
    run("--format json --for 1s", "demo-shop", "\"exit_code\": 3");
}

/// A run without load was clean, and nobody was told that nothing had been asked of it.
#[test]
fn a_clean_result_without_work_or_load_is_no_promise() {
    let scratch = Scratch::new();
    let run = |load: &str, exit: i32, says: &str| {
        let load = format!("sleep 2; {load}");
        let options = ["run", "--out", "rec", "--interval", "60ms", "--load", &load, "--"];
        let ended = scratch.run(&[&options[..], &[HEAPTIDE, "demo-shop"]].concat());
        assert_eq!(ended.exit, Some(exit), "{}", ended.stderr);
        assert!(ended.stdout.contains("clean"), "{}", ended.stdout);
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
    };
    run("true", 0, "no work was counted");
    run("false", 2, "it does not count as clean (exit 2)");
}

#[test]
fn a_program_that_is_not_ready_in_time_is_ended() {
    let scratch = Scratch::new();
    let options = "--out rec --ready 127.0.0.1:1 --ready-timeout 300ms";
    // Where it was asked, too: the address of a generated workflow is not the service's.
    let says = "is not ready after 300ms (--ready 127.0.0.1:1): Connection refused";
    scratch.check(&format!("run {options} -- {HEAPTIDE} demo-shop"), 2, says);
}

/// "0 snapshots", and no word why.
#[test]
fn a_program_that_records_nothing_is_explained() {
    let scratch = Scratch::new();
    let check = |script: &str, exit: i32, says: &str| {
        let run = ["run", "--out", "rec", "--ready-timeout", "2s", "--for", "500ms", "--"];
        let ended = scratch.run(&[&run[..], &["sh", "-c", script]].concat());
        assert_eq!(ended.exit, Some(exit), "{script}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{script}: no {says:?} in {}", ended.stderr);
    };
    check("exec sleep 60", 2, "the shim is not in /");
    check("sleep 1; exit 3", 2, "ended with exit status 3; no recording appeared");
}

#[test]
fn a_service_that_is_not_ready_says_why() {
    let scratch = Scratch::new();
    let check = |status: &str, says: &str| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let url = format!("http://{}/health", listener.local_addr().expect("it is bound"));
        let answer = format!("HTTP/1.1 {status}\r\nlocation: /\r\n\r\n");
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                // Whoever asked may have gone.
                let _ = std::io::Read::read(&mut stream, &mut [0; 1024]);
                let _ = std::io::Write::write_all(&mut stream, answer.as_bytes());
            }
        });
        let options = format!("--out rec --ready {url} --ready-timeout 2s");
        scratch.check(&format!("run {options} -- {HEAPTIDE} demo-shop"), 2, says);
    };
    check("500 Oops", "/health): it answers with status 500");
    check("301 Moved", "status 301: ask the address it leads to");
}

#[test]
fn a_running_program_is_asked_for_a_snapshot() {
    let scratch = Scratch::new();
    let shop = Shop::start(&scratch, Some("USR2"));
    let pid = shop.0.id();
    scratch.check(&format!("snapshot {pid}"), 0, "shop.jsonl@0");
    scratch.check(&format!("snapshot {pid} -o dump.json"), 0, "shop.jsonl@1");
    scratch.check("show dump.json", 0, "snapshot 1 of");
    scratch.check("show shop.jsonl@0", 0, "snapshot 0 of");
    scratch.check(&format!("snapshot {pid} -o no/such/dir.json"), 2, "cannot write no/such/dir");
}

/// "It has no recording open": its header says that it is process 1.
#[test]
fn a_program_in_a_container_is_asked_from_outside() {
    let in_container = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child", program]);
        command
    };
    if !in_container("true").status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: this system lets nobody make namespaces");
        return;
    }
    let scratch = Scratch::new();
    let shop = Shop::start_by(in_container(HEAPTIDE), &scratch, Some("USR2"));
    let outer = shop.0.id();
    let children = std::fs::read_to_string(format!("/proc/{outer}/task/{outer}/children"));
    let pid = children.expect("the kernel lists children").trim().to_owned();
    scratch.check(&format!("snapshot {pid}"), 0, "shop.jsonl@0");
}

#[test]
fn a_program_that_catches_no_signal_is_left_alone() {
    let scratch = Scratch::new();
    let mut shop = Shop::start(&scratch, None);
    scratch.check(&format!("snapshot {}", shop.0.id()), 2, "takes no snapshots by signal");
    assert!(matches!(shop.0.try_wait(), Ok(None)), "it was ended");
}

#[test]
fn a_run_ends_when_it_is_decided() {
    let scratch = Scratch::new();
    let options = "run --out rec --until-decided --interval 60ms --";
    let mut args: Vec<&str> = options.split(' ').collect();
    args.extend([HEAPTIDE, "demo-shop"]);
    let run = scratch.run(&args);
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("undecided: a clean result needs about"), "{}", run.stderr);
    assert!(run.stderr.contains("it is decided: clean"), "{}", run.stderr);
}

#[test]
fn the_demo_finds_the_leak_and_passes_the_repaired_shop() {
    let scratch = Scratch::new();
    let demo = scratch.run(&["demo", "--out", "demo"]);
    assert_eq!(demo.exit, Some(0), "{}\n{}", demo.stdout, demo.stderr);
    assert!(demo.stdout.contains("heaptide_cli::demo::shop::Sessions::create"));
    assert!(demo.stdout.contains("src/demo/shop.rs:"));
    scratch.check("check demo/leaky", 1, "Sessions::create");
    scratch.check("check demo/fixed", 0, "clean (exit 0)");
}
