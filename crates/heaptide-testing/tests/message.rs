//! What a growth test says that fails. `UPDATE=1` writes the golden file anew.

use std::path::Path;
use std::sync::Mutex;

use heaptide::Heaptide;
use heaptide_testing::{Error, GrowthTest};

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

/// What a session is here.
type Session = Box<[u8; 64]>;

static KEPT: Mutex<Vec<Session>> = Mutex::new(Vec::new());

#[inline(never)]
fn create_session() -> Session {
    Box::new([7; 64])
}

#[inline(never)]
fn login() {
    KEPT.lock().unwrap().push(create_session());
}

#[test]
fn a_failure_says_what_where_how_much_and_what_to_do() {
    let error = GrowthTest::new("login").run(login).expect_err("it leaks");
    let Error::Grows(growth) = &error else { panic!("{error}") };
    assert!(growth.recording.is_file());
    assert_eq!(format!("{error:?}"), format!("{error}"), "a test that returns it shows the same");
    let written = masked(&error.to_string(), &growth.recording);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/message.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&golden, &written).unwrap();
    }
    assert_eq!(written, std::fs::read_to_string(golden).unwrap());
}

/// Without what differs from build to build: the site's id, and where the recording is.
fn masked(text: &str, recording: &Path) -> String {
    let folder = recording.parent().expect("a folder");
    let name = recording.file_name().expect("a name").to_string_lossy();
    let stable = name.rsplit_once("-login").expect("the test's name").0.rsplit_once('-');
    let program = stable.expect("a program's hash").1;
    let text = text.replace(&folder.display().to_string(), "target/heaptide");
    let mut masked = String::new();
    for line in text.replace(program, "HASH").lines() {
        match line.split_once("  site ") {
            Some((before, _)) => masked.push_str(&format!("{}  site ID", before.trim_end())),
            None => masked.push_str(line),
        }
        masked.push('\n');
    }
    masked
}
