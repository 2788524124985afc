//! Names of a real program, built by the test in every way that debug information is shipped.
//!
//! The program prints the offset of an address inside a function that was inlined twice; a site
//! with that one frame must come out as the three functions, whatever the build.

use std::path::{Path, PathBuf};
use std::process::Command;

use heaptide_analyze::identity::{WorkspaceCrates, plain};
use heaptide_analyze::load::{Recording, load_one};
use heaptide_analyze::symbols::{ElfResolver, RecordedOnly, Resolve, Resolved, Symbols, names_for};
use heaptide_format::{Line, Module, ModuleId, ModuleOffset, Name};

use crate::recording::{self, Dir};

const PROGRAM: &str = r#"
pub mod session {
    pub struct Store<K>(pub Vec<K>);
    impl<K> Store<K> {
        #[inline(never)]
        pub fn login(&mut self, key: K) -> usize {
            self.remember(key)
        }
        #[inline(always)]
        fn remember(&mut self, key: K) -> usize {
            self.0.push(key);
            here()
        }
    }
    #[inline(always)]
    fn here() -> usize {
        let here: usize;
        unsafe { std::arch::asm!("call 2f", "2:", "pop {}", out(reg) here) };
        here
    }
}
fn main() {
    let mut store = session::Store(Vec::new());
    let here = store.login(std::env::args().count() as u64);
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let bias = usize::from_str_radix(maps.split('-').next().unwrap(), 16).unwrap();
    println!("{:#x}", here - bias);
}
"#;

struct Shop {
    dir: Dir,
    exe: PathBuf,
}

impl Shop {
    fn build(test: &str, flags: &[&str]) -> Self {
        let dir = Dir::new(test);
        dir.write("shop.rs", PROGRAM);
        let mut rustc = Command::new(std::env::var("RUSTC").unwrap_or("rustc".into()));
        rustc.current_dir(&dir.0).args(["--edition=2021", "-Copt-level=2", "shop.rs"]);
        let built = rustc.args(["-Clink-arg=-Wl,--build-id", "-oshop"]).args(flags).status();
        assert!(built.expect("rustc runs").success());
        let exe = dir.0.join("shop");
        Self { dir, exe }
    }

    fn tool(&self, program: &str, args: &[&str]) {
        let run = Command::new(program).current_dir(&self.dir.0).args(args).status();
        assert!(run.expect("binutils are installed").success(), "{program} {args:?}");
    }

    /// A recording of one site with one frame: the address that the program prints.
    fn record(&self) -> Recording {
        let printed = Command::new(&self.exe).output().expect("the program runs").stdout;
        let offset = String::from_utf8(printed).expect("text").trim().to_owned();
        let build_id = build_id(&self.exe);
        let text = format!(
            "{}{{\"kind\":\"module\",\"id\":0,\"path\":\"{}\",\"build_id\":\"{build_id}\"}}\n\
             {{\"kind\":\"site\",\"id\":1,\"frames\":[\"0+{offset}\"]}}\n",
            recording::header("r", 0, &build_id).replace("/opt/shop", &self.exe.to_string_lossy()),
            self.exe.display(),
        );
        load_one(&self.dir.write("shop.jsonl", text)).expect("a recording").0
    }
}

fn build_id(exe: &Path) -> String {
    let notes = Command::new("readelf").arg("-n").arg(exe).output().expect("readelf runs").stdout;
    let notes = String::from_utf8_lossy(&notes).into_owned();
    let (_, after) = notes.split_once("Build ID: ").expect("a build id");
    after.lines().next().unwrap_or_default().to_owned()
}

/// The frames, innermost first, and what the resolver had to say; the directory is left out.
fn named(shop: &Shop, run: &Recording, resolver: &mut dyn Resolve) -> (Vec<String>, Vec<String>) {
    let symbols = Symbols::look_up(run, resolver, &WorkspaceCrates::new());
    let frames = symbols.stack(run.sites.values().next().expect("a site")).frames;
    let file = |file: &str| file.rsplit('/').next().unwrap_or(file).to_owned();
    let frames = frames.iter().map(|frame| match (&frame.file, frame.line) {
        (Some(path), Some(line)) => format!("{} {}:{line}", plain(&frame.function), file(path)),
        _ if frame.function.contains("0x") => "unnamed".to_owned(),
        _ => plain(&frame.function),
    });
    let dir = format!("{}/", shop.dir.0.display());
    let problems = symbols.problems.iter().map(|problem| problem.to_string().replace(&dir, ""));
    (frames.collect(), problems.collect())
}

fn check(shop: &Shop, run: &Recording, symbol_paths: &[&str], expected: &[&str], problem: &str) {
    let symbol_paths = symbol_paths.iter().map(|path| shop.dir.0.join(path)).collect();
    let (frames, problems) = named(shop, run, &mut ElfResolver::new(symbol_paths));
    assert_eq!(frames, expected);
    match problem {
        "" => assert_eq!(problems, [""; 0]),
        _ => assert!(problems.len() == 1 && problems[0].starts_with(problem), "{problems:?}"),
    }
}

const FULL: &[&str] = &[
    "shop::session::here shop.rs:18",
    "shop::session::Store::remember shop.rs:12",
    "shop::session::Store::login shop.rs:7",
];
const UNNAMED: &[&str] = &["unnamed"];

#[test]
fn debug_information_is_read_however_it_is_shipped() {
    for (test, flags) in [
        ("whole", &["-Cdebuginfo=1"][..]),
        ("v0", &["-Cdebuginfo=1", "-Csymbol-mangling-version=v0"]),
        ("packed", &["-Cdebuginfo=1", "-Csplit-debuginfo=packed"]),
        ("unpacked", &["-Cdebuginfo=1", "-Csplit-debuginfo=unpacked"]),
    ] {
        let shop = Shop::build(test, flags);
        check(&shop, &shop.record(), &[], FULL, "");
    }
}

#[test]
fn less_debug_information_gives_less_and_says_so() {
    let tables = Shop::build("tables", &["-Cdebuginfo=line-tables-only"]);
    let bare = &["here shop.rs:18", "remember shop.rs:12", FULL[2]];
    check(&tables, &tables.record(), &[], bare, "shop: line tables only");

    let none = Shop::build("none", &["-Cdebuginfo=0"]);
    let names = &["shop::session::Store::login"];
    check(&none, &none.record(), &[], names, "shop: no debug information");

    let stripped = Shop::build("stripped", &["-Cdebuginfo=1", "-Cstrip=symbols"]);
    check(&stripped, &stripped.record(), &[], UNNAMED, "shop: no symbols");
}

#[test]
fn separate_debug_files_are_found() {
    let shop = Shop::build("separate", &["-Cdebuginfo=1"]);
    let run = shop.record();
    let build_id = build_id(&shop.exe);
    let by_id = format!("by-id/.build-id/{}/{}.debug", &build_id[..2], &build_id[2..]);
    shop.tool("objcopy", &["--only-keep-debug", "shop", "linked.debug"]);
    shop.tool("strip", &["shop"]);
    for copy in ["by-name/shop.debug", &by_id] {
        let copy = shop.dir.0.join(copy);
        std::fs::create_dir_all(copy.parent().expect("a directory")).expect("created");
        std::fs::copy(shop.dir.0.join("linked.debug"), copy).expect("copied");
    }
    check(&shop, &run, &["by-name"], FULL, "");
    check(&shop, &run, &["absent", "by-id"], FULL, "");
    check(&shop, &run, &["linked.debug"], FULL, "");
    check(&shop, &run, &[], UNNAMED, "shop: no symbols");
    shop.tool("objcopy", &["--add-gnu-debuglink=linked.debug", "shop"]);
    check(&shop, &run, &[], FULL, "");
}

/// A call that does not return may be a function's last instruction: its return address is the
/// first byte after the function.
#[test]
fn a_return_address_belongs_to_the_call_before_it() {
    let shop = Shop::build("after", &["-Cdebuginfo=1"]);
    let mut run = shop.record();
    let symbols = Command::new("nm").arg("-S").arg(&shop.exe).output().expect("nm runs").stdout;
    let symbols = String::from_utf8(symbols).expect("text");
    let login = symbols.lines().find(|line| line.contains("5login")).expect("a symbol");
    let number = |nth| login.split(' ').nth(nth).and_then(|hex| u64::from_str_radix(hex, 16).ok());
    let end = number(0).zip(number(1)).map(|(start, size)| ModuleOffset(start + size));
    run.sites.values_mut().for_each(|site| site.frames[0].offset = end.expect("numbers"));
    let (frames, _) = named(&shop, &run, &mut ElfResolver::new(Vec::new()));
    let outermost = frames.last().map(String::as_str).unwrap_or_default();
    assert!(outermost.starts_with("shop::session::Store::login"), "{frames:?}");
}

#[test]
fn another_build_is_refused() {
    let shop = Shop::build("refused", &["-Cdebuginfo=1"]);
    let mut run = shop.record();
    std::fs::rename(&shop.exe, shop.dir.0.join("old")).expect("renamed");
    check(&shop, &run, &[], UNNAMED, "shop: not found");
    std::fs::write(&shop.exe, "no program").expect("written");
    check(&shop, &run, &[], UNNAMED, "shop: not ELF");
    std::fs::rename(Shop::build("rebuilt", &["-Cdebuginfo=2"]).exe, &shop.exe).expect("renamed");
    let refused = format!("shop: refused for names: its build id is {}", build_id(&shop.exe));
    check(&shop, &run, &[], UNNAMED, &refused);
    check(&shop, &run, &["old"], FULL, "");

    // A name in the recording is used all the same; with a line, no file is asked for.
    let offset = run.sites.values().next().expect("a site").frames[0].offset;
    let name = |line| Name { function: "shop::login".into(), file: Some("shop.rs".into()), line };
    run.names.insert((ModuleId(0), offset), vec![name(None)]);
    check(&shop, &run, &[], &["shop::login"], &refused);
    run.names.insert((ModuleId(0), offset), vec![name(Some(3))]);
    check(&shop, &run, &[], &["shop::login shop.rs:3"], "");
}

#[test]
fn names_can_be_appended_to_a_recording() {
    let shop = Shop::build("appended", &["-Cdebuginfo=1"]);
    let run = shop.record();
    let (lines, problems) = names_for(&run, &mut ElfResolver::new(Vec::new()));
    assert_eq!((lines.len(), problems), (1, Vec::new()));
    let mut bytes = std::fs::read(&run.files[0]).expect("the recording");
    lines.into_iter().for_each(|names| Line::Names(names).write_to(&mut bytes));
    std::fs::write(&run.files[0], bytes).expect("written");
    let (run, warnings) = load_one(&run.files[0]).expect("a recording");
    assert_eq!(warnings, []);
    assert_eq!(
        named(&shop, &run, &mut RecordedOnly),
        (FULL.iter().map(|name| (*name).to_owned()).collect(), Vec::new())
    );
    assert_eq!(names_for(&run, &mut ElfResolver::new(Vec::new())), (Vec::new(), Vec::new()));
}

/// A recording that names all of its functions warned on every machine but one that the executable
/// was missing, because the C start-up code has no lines anywhere.
#[test]
fn a_recording_that_names_everything_needs_no_executable() {
    struct Asked(usize);
    impl Resolve for Asked {
        fn resolve(&mut self, _: &Module, offsets: &[ModuleOffset]) -> Resolved {
            self.0 += offsets.len();
            Resolved::default()
        }
    }
    let dir = Dir::new("names-everything");
    let asked = |names: &str| {
        let text = format!(
            "{}{{\"kind\":\"module\",\"id\":0,\"path\":\"/opt/shop\"}}\n\
             {{\"kind\":\"site\",\"id\":1,\"frames\":[\"0+0x10\",\"0+0x20\"]}}\n\
             {{\"kind\":\"names\",\"module\":0,\"offsets\":[{names}]}}\n",
            recording::header("r", 0, "ab"),
        );
        let run = load_one(&dir.write("shop.jsonl", text)).expect("a recording").0;
        let mut resolver = Asked(0);
        Symbols::look_up(&run, &mut resolver, &WorkspaceCrates::new());
        resolver.0
    };
    let login = r#"{"offset":"0x10","names":[{"function":"login","file":"shop.rs","line":7}]}"#;
    let bare = r#"{"offset":"0x10","names":[{"function":"login"}]}"#;
    let start = r#"{"offset":"0x20","names":[{"function":"_start"}]}"#;
    assert_eq!(asked(&format!("{login},{start}")), 0);
    assert_eq!(asked(&format!("{bare},{start}")), 2, "nobody had the lines");
    assert_eq!(asked(login), 1, "one has no name yet");
}

/// A recording that grows is judged again and again, and reading debug information takes longer
/// than all the rest.
#[test]
fn a_file_that_was_read_is_not_read_again() {
    for (test, split) in [("kept", "off"), ("kept-unpacked", "unpacked")] {
        let split = format!("-Csplit-debuginfo={split}");
        let shop = Shop::build(test, &["-Cdebuginfo=1", &split]);
        let run = shop.record();
        let mut resolver = ElfResolver::new(Vec::new());
        let (frames, _) = named(&shop, &run, &mut resolver);
        assert_eq!(frames, FULL, "{test}");
        std::fs::remove_file(&shop.exe).expect("removed");
        let (frames, problems) = named(&shop, &run, &mut resolver);
        assert_eq!(frames, FULL, "{test}");
        assert_eq!(problems, [""; 0], "{test}");
    }
}

/// A pipe blocked for ever.
#[test]
fn what_is_no_regular_file_is_not_opened() {
    let dir = Dir::new("pipe");
    let pipe = dir.0.join("shop");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    for path in [pipe.as_path(), Path::new("/dev/zero")] {
        let (path, build_id) = (path.display().to_string(), Some("00ff".to_owned()));
        let module = Module { id: ModuleId(0), path, build_id, bias: ModuleOffset(0) };
        let found = ElfResolver::new(Vec::new()).resolve(&module, &[ModuleOffset(16)]);
        let said = found.problem.map(|problem| problem.to_string()).unwrap_or_default();
        assert!(said.ends_with(": not a regular file, so it was not opened"), "{said}");
    }
}

/// The files that an executable names were opened whatever they were, so a pipe blocked for ever.
#[test]
fn what_an_executable_names_is_opened_only_if_it_is_a_file() {
    let section = |name: &str, text: &[u8]| {
        let shop = Shop::build(&format!("names{name}"), &["-Cdebuginfo=1"]);
        shop.tool("mkfifo", &["pipe"]);
        shop.dir.write("section", text);
        shop.tool("objcopy", &["--add-section", &format!("{name}=section"), "shop"]);
        shop
    };
    let link = Shop::build("names-link", &["-Cdebuginfo=0"]);
    link.tool("objcopy", &["--only-keep-debug", "shop", "pipe"]);
    link.tool("objcopy", &["--add-gnu-debuglink=pipe", "shop"]);
    std::fs::remove_file(link.dir.0.join("pipe")).expect("it is there");
    link.tool("mkfifo", &["pipe"]);
    let package = Shop::build("names-package", &["-Cdebuginfo=1"]);
    package.tool("mkfifo", &["shop.dwp"]);
    for (shop, name) in [
        (section(".gnu_debugaltlink", b"pipe\0aaaaaaaaaaaaaaaaaaaa"), "pipe"),
        (section(".debug_sup", b"\x05\0\0pipe\0\x08aaaaaaaa"), "pipe"),
        (link, "pipe"),
        (package, "shop.dwp"),
    ] {
        let said = format!("shop: it names {name}: not a regular file, so it was not opened");
        check(&shop, &shop.record(), &[], UNNAMED, &said);
    }
    let outside = Shop::build("names-outside", &["-Cdebuginfo=1"]);
    outside.dir.write("section", b"../elsewhere/shop.debug\0aaaa".as_slice());
    outside.tool("objcopy", &["--add-section", ".gnu_debuglink=section", "shop"]);
    let said = "shop: its debug link `../elsewhere/shop.debug` is not the bare name of a file";
    check(&outside, &outside.record(), &[], UNNAMED, said);
}

/// The same of the files that debug information was split off to: without them there are still the names
/// of functions that were not inlined.
#[test]
fn split_off_debug_information_is_opened_only_if_it_is_a_file() {
    let shop = Shop::build("split-pipes", &["-Cdebuginfo=1", "-Csplit-debuginfo=unpacked"]);
    let run = shop.record();
    let files = std::fs::read_dir(&shop.dir.0).expect("a directory");
    let files = files.map(|entry| entry.expect("an entry").path());
    let split: Vec<_> = files.filter(|it| it.extension().is_some_and(|it| it == "dwo")).collect();
    assert!(!split.is_empty());
    for file in &split {
        std::fs::remove_file(file).expect("it is there");
        shop.tool("mkfifo", &[&file.to_string_lossy()]);
    }
    check(&shop, &run, &[], &["shop::session::Store::login"], "shop: no debug information");
    // Nor is what another build has split off taken for this one's.
    for file in &split {
        std::fs::remove_file(file).expect("it is there");
    }
    let other = Shop::build("split-other", &["-Cdebuginfo=2", "-Csplit-debuginfo=unpacked"]);
    let files = std::fs::read_dir(&other.dir.0).expect("a directory");
    let files = files.map(|entry| entry.expect("an entry").path());
    let others = files.filter(|it| it.extension().is_some_and(|it| it == "dwo"));
    for (to, from) in split.iter().zip(others) {
        std::fs::copy(from, to).expect("copied");
    }
    check(&shop, &run, &[], &["shop::session::Store::login"], "shop: no debug information");
}

/// Without a build id anything could stand at the path that a recording names.
#[test]
fn without_a_build_id_only_what_the_user_points_at_is_used() {
    let shop = Shop::build("no-build-id", &["-Cdebuginfo=1"]);
    let mut run = shop.record();
    run.modules.values_mut().for_each(|module| module.build_id = None);
    let unused =
        "shop: the recording has no build id for it, so what stands there now may be anything";
    check(&shop, &run, &[], UNNAMED, unused);
    check(&shop, &run, &["shop"], FULL, "");
    check(&shop, &run, &["."], FULL, "");
}

/// Sections that claimed to unpack to exabytes panicked, and some megabytes took gigabytes.
#[test]
fn what_unpacks_to_too_much_is_refused() {
    let seed = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/elf").join(name);
        let named = path.display().to_string();
        let module = Module { id: ModuleId(0), path: named, build_id: None, bias: ModuleOffset(0) };
        let found = ElfResolver::new(vec![path]).resolve(&module, &[ModuleOffset(0x1001)]);
        found.problem.map(|problem| problem.to_string()).unwrap_or_default()
    };
    let said = seed("claims-exabytes");
    assert!(
        said.contains("compressed debug sections unpack to more than 2147483648 bytes"),
        "{said}"
    );
    assert!(!seed("packed").contains("unpack"), "an honest one");
}
