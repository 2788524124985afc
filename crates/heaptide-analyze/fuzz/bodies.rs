//! What each fuzz target does with its bytes: every outcome is right, but for a panic, and for memory or
//! time out of proportion. The ordinary tests replay the corpora through the same functions.

use std::path::PathBuf;
use std::sync::Once;
use std::{fs, panic};

use heaptide_analyze::Terms;
use heaptide_analyze::baseline::Baseline;
use heaptide_analyze::dump::Dump;
use heaptide_analyze::identity::WorkspaceCrates;
use heaptide_analyze::load::Location;
use heaptide_analyze::policy::{Limit, Policy};
use heaptide_analyze::symbols::{self, ElfResolver, Executable, RecordedOnly, Resolve};
use heaptide_format::{Module, ModuleId, ModuleOffset};

/// A recording, or a dump, with whatever names stand in it.
pub(crate) fn recording(bytes: &[u8]) {
    let path = file(bytes, "jsonl");
    let _ =
        heaptide_analyze::judge(std::slice::from_ref(&path), &mut RecordedOnly, &Terms::default());
    let last = Location { path: path.clone(), seq: None };
    let _ = Dump::open(&last, &mut RecordedOnly, &WorkspaceCrates::new());
    let _ = fs::remove_file(path);
}

/// A `heaptide.toml`.
pub(crate) fn policy(bytes: &[u8]) {
    let _ = Policy::parse(&String::from_utf8_lossy(bytes)).map_err(|wrong| wrong.to_string());
}

/// A baseline; one that can be read is written as it was understood, and read again.
pub(crate) fn baseline(bytes: &[u8]) {
    if let Ok(read) = Baseline::parse(&String::from_utf8_lossy(bytes)) {
        assert_eq!(Baseline::parse(&read.to_json()), Ok(read));
    }
}

/// A limit and the pattern of an entry that allows.
pub(crate) fn allow(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(limit) = text.parse::<Limit>() {
        assert_eq!(limit.to_string().parse::<Limit>(), Ok(limit));
    }
    let quoted = format!("{text:?}");
    let _ = Policy::parse(&format!("[[allow]]\nsite = {quoted}\nlimit = {quoted}\n"));
}

/// An executable of which names are asked, and all that `heaptide doctor` asks.
pub(crate) fn elf(bytes: &[u8]) {
    static HOOK: Once = Once::new();
    HOOK.call_once(ignore_caught_panics);
    let path = file(bytes, "elf");
    let named = path.display().to_string();
    let module = Module { id: ModuleId(0), path: named, build_id: None, bias: ModuleOffset(0) };
    let mut resolver = ElfResolver::new(vec![path.clone()]);
    let offsets = [0x401, 0x1001, 0x1011, 0x2000, u64::MAX].map(ModuleOffset);
    let found = resolver.resolve(&module, &offsets);
    let _ = found.problem.map(|problem| problem.to_string());
    let _ = Executable::read(&path, &mut resolver);
    let _ = fs::remove_file(path);
}

/// The readers of others may panic, and that is caught: no crash, though a fuzzer's hook takes it for one.
fn ignore_caught_panics() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panicked| {
        if !symbols::catches_panics() {
            report(panicked);
        }
    }));
}

/// The readers go back and forth in a file, so they need one; each fuzzing process has its own.
fn file(bytes: &[u8], ending: &str) -> PathBuf {
    let name =
        format!("heaptide-fuzz-{}-{:?}.{ending}", std::process::id(), std::thread::current().id());
    let path = std::env::temp_dir().join(name);
    fs::write(&path, bytes).expect("the temporary directory can be written to");
    path
}
