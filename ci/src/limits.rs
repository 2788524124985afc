//! `cargo ci limits`: what each reader takes at its limit, in time and memory, and what it says beyond.
//!
//! The limits themselves stand in `limits.rs` of the analyzer and of the command. Each is reached here by a
//! file that holds nothing else, so what is measured is the price of that limit.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::ZlibEncoder;

use ci::program::{cargo, program, run as run_program, target_dir, wait_with_peak};

type Out = BufWriter<File>;

/// A reader at a limit.
struct Case {
    what: &'static str,
    most: u64,
    /// Writes a file in which there are so many of what is limited.
    write: fn(&mut Out, u64) -> io::Result<()>,
    /// The command that reads `FILE`; `REC` is a recording without sites.
    command: &'static str,
    /// What is said of one more.
    says: &'static str,
}

const CASES: &[Case] = &[
    Case {
        what: "bytes of a line of a recording",
        most: 1 << 29,
        write: one_line,
        command: "check FILE",
        says: "a line of more than",
    },
    Case {
        what: "call sites of a recording",
        most: 1 << 19,
        write: |out, n| recording(out, (1..=n).map(|id| site(id, &[id * 16]))),
        command: "check FILE",
        says: "more than 524288 call sites",
    },
    Case {
        what: "modules of a recording",
        most: 1 << 16,
        write: |out, n| recording(out, (1..n).map(module)),
        command: "check FILE",
        says: "more than 65536 modules",
    },
    Case {
        what: "frames of a stack (1,000 stacks)",
        most: 1024,
        write: |out, n| {
            let frames = |id: u64| (0..n).map(|k| (id * n + k) * 16).collect::<Vec<_>>();
            recording(out, (1..=1000).map(|id| site(id, &frames(id))))
        },
        command: "check FILE",
        says: "1025 frames in one stack",
    },
    Case {
        what: "functions at one address (1,000 addresses)",
        most: 1024,
        write: |out, n| {
            recording(out, (1..=1000).flat_map(|id| [site(id, &[id * 16]), names(id, n)]))
        },
        command: "check FILE",
        says: "1025 functions at one address",
    },
    Case {
        what: "bytes of a dump",
        most: 1 << 29,
        write: dump,
        command: "show FILE",
        says: "a line of more than",
    },
    Case {
        what: "bytes of a policy",
        most: 1 << 20,
        write: |out, n| {
            padded(out, n, "[[allow]]\nsite = \"shop::f*\"\nlimit = \"1 B/op\"\n", "\n")
        },
        command: "check REC --config FILE",
        says: "it has more than the 1048576 bytes",
    },
    Case {
        what: "bytes of a baseline",
        most: 1 << 28,
        write: baseline,
        command: "check REC --baseline FILE",
        says: "it has more than the 268435456 bytes",
    },
    Case {
        what: "bytes that an executable's debug sections unpack to",
        most: 1 << 31,
        write: executable,
        command: "doctor FILE",
        says: "unpack to more than",
    },
];

/// Measures every reader, and prints a table.
///
/// # Errors
/// What is beyond a limit is not refused, or not by its name; what is at one is.
pub(crate) fn run() -> Result<()> {
    run_program(&mut cargo(&["build", "--quiet", "--release", "--locked", "-p", "heaptide-cli"]))?;
    let dir = target_dir("limits");
    fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    println!(
        "| what is limited | at most | time and memory there | of one more |\n|---|--:|--:|--:|"
    );
    let measured = CASES.iter().try_for_each(|case| {
        let at = case.measure(&dir, case.most)?;
        ensure!(!at.said.contains(case.says), "{} at the limit: {}", case.what, at.said);
        let beyond = case.measure(&dir, case.most + 1)?;
        ensure!(beyond.said.contains(case.says), "{} beyond: {}", case.what, beyond.said);
        println!("| {} | {} | {at} | {beyond} |", case.what, case.most);
        Ok(())
    });
    fs::remove_dir_all(&dir)?;
    measured
}

/// What a command took.
struct Taken {
    time: Duration,
    peak_bytes: u64,
    exit: Option<i32>,
    said: String,
}

impl std::fmt::Display for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let exit = self.exit.map_or_else(|| "a signal".to_owned(), |exit| format!("exit {exit}"));
        let (seconds, mib) = (self.time.as_secs_f64(), self.peak_bytes >> 20);
        write!(f, "{seconds:.1} s, {mib} MiB, {exit}")
    }
}

impl Case {
    fn measure(&self, dir: &Path, n: u64) -> Result<Taken> {
        let (file, rec, said) = (dir.join("file.jsonl"), dir.join("rec.jsonl"), dir.join("said"));
        written(&rec, |out| recording(out, std::iter::empty()))?;
        written(&file, |out| (self.write)(out, n))?;
        let heaptide = target_dir("release").join("heaptide");
        let mut command = program(&heaptide.to_string_lossy(), &[]);
        let path = |word| match word {
            "FILE" => file.as_os_str(),
            "REC" => rec.as_os_str(),
            word => std::ffi::OsStr::new(word),
        };
        command.args(self.command.split(' ').map(path)).stdin(Stdio::null());
        // What is skipped is warned of in the report, what is refused is an error.
        let both = File::create(&said)?;
        let mut taken = taken(command.stdout(both.try_clone()?).stderr(both))?;
        let text = fs::read(&said)?;
        let text = String::from_utf8_lossy(&text);
        taken.said = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(taken)
    }
}

fn taken(command: &mut Command) -> Result<Taken> {
    let start = Instant::now();
    let mut child = command.spawn()?;
    let (ended, peak_bytes) = wait_with_peak(&mut child)?;
    Ok(Taken { time: start.elapsed(), peak_bytes, exit: ended.code(), said: String::new() })
}

fn written(path: &Path, write: impl FnOnce(&mut Out) -> io::Result<()>) -> Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    write(&mut out).and_then(|()| out.flush()).with_context(|| path.display().to_string())
}

const HEADER: &str = r#"{"kind":"header","format":1,"writer":"x","recording":"r","segment":0,"pid":7,"exe":"/opt/shop","start_mono_ns":0}"#;
const SNAPSHOTS: u64 = 40;

/// These lines, and snapshots in which each site has a block.
fn recording(out: &mut Out, lines: impl Iterator<Item = String>) -> io::Result<()> {
    writeln!(out, "{HEADER}\n{}", module(0))?;
    let mut n_sites = 0_u64;
    for line in lines {
        n_sites += u64::from(line.contains(r#""kind":"site""#));
        writeln!(out, "{line}")?;
    }
    for k in 0..SNAPSHOTS {
        let (mono_ns, bytes) = ((k + 1) * 1_000_000_000, 64 * n_sites);
        let totals = format!(
            r#""allocs":{n_sites},"alloc_bytes":{bytes},"live_objects":{n_sites},"live_bytes":{bytes}"#
        );
        write!(
            out,
            r#"{{"kind":"snapshot","seq":{k},"mono_ns":{mono_ns},"epoch":{k},"reason":"interval","heap":{{{totals}}},"sites":["#
        )?;
        // A site that does not change has a row once.
        for id in (1..=n_sites).filter(|_| k == 0) {
            let comma = if id == 1 { "" } else { "," };
            write!(
                out,
                r#"{comma}{{"site":{id},"allocs":1,"frees":0,"alloc_bytes":64,"freed_bytes":0,"live_objects":1,"live_bytes":64,"cohorts":[[0,1,64]]}}"#
            )?;
        }
        writeln!(out, "]}}")?;
    }
    Ok(())
}

fn module(id: u64) -> String {
    format!(r#"{{"kind":"module","id":{id},"path":"/opt/shop{id}"}}"#)
}

fn site(id: u64, offsets: &[u64]) -> String {
    let frames: Vec<String> = offsets.iter().map(|offset| format!("\"0+{offset:#x}\"")).collect();
    format!(r#"{{"kind":"site","id":{id},"frames":[{}]}}"#, frames.join(","))
}

fn names(id: u64, n: u64) -> String {
    let names: Vec<String> =
        (0..n).map(|k| format!(r#"{{"function":"shop::f{id}_{k}"}}"#)).collect();
    let (offset, names) = (id * 16, names.join(","));
    format!(
        r#"{{"kind":"names","module":0,"offsets":[{{"offset":"{offset:#x}","names":[{names}]}}]}}"#
    )
}

/// A line of so many bytes, its line feed included.
fn one_line(out: &mut Out, n_bytes: u64) -> io::Result<()> {
    let (begin, end) = (r#"{"kind":"site","id":1,"tag":""#, "\",\"frames\":[]}\n");
    let tag = "a".repeat((n_bytes as usize) - begin.len() - end.len());
    recording(out, std::iter::empty())?;
    write!(out, "{begin}{tag}{end}")
}

/// So many bytes of this text again and again, filled up with the other.
fn padded(out: &mut Out, n_bytes: u64, text: &str, fill: &str) -> io::Result<()> {
    let n_times = n_bytes / text.len() as u64;
    (0..n_times).try_for_each(|_| out.write_all(text.as_bytes()))?;
    let left = n_bytes - n_times * text.len() as u64;
    (0..left).try_for_each(|_| out.write_all(fill.as_bytes()))
}

fn baseline(out: &mut Out, n_bytes: u64) -> io::Result<()> {
    let (begin, end) = (r#"{"version":1,"accepted":{"#, "}}");
    let rate = r#""work":"requests","objects_per_op":1.5,"bytes_per_op":184.25"#;
    let entry =
        |k: u64| format!(r#""{k:032x}":{{"path":"shop::f{k:032x}","class":"leak",{rate}}}"#);
    listed(out, n_bytes, begin, end, entry)
}

fn dump(out: &mut Out, n_bytes: u64) -> io::Result<()> {
    let mut begin = HEADER.replacen("header", "dump", 1);
    begin.truncate(begin.len() - 1);
    let _ = write!(
        begin,
        r#","seq":1,"mono_ns":1,"epoch":1,"reason":"interval","heap":{{}},"sites":["#
    );
    let entry = |k: u64| {
        format!(
            r#"{{"identity":"{k:032x}","path":"shop::f{k}","site":{},"allocs":1,"frees":1,"alloc_bytes":64,"freed_bytes":64,"live_objects":0,"live_bytes":0,"cohorts":[],"frames":[{{"function":"shop::f{k}","module":"shop","offset":"{k:#x}"}}]}}"#,
            k % (1 << 31)
        )
    };
    listed(out, n_bytes, &begin, "]}", entry)
}

/// Entries between a beginning and an end, filled up with spaces to so many bytes.
fn listed(
    out: &mut Out,
    n_bytes: u64,
    begin: &str,
    end: &str,
    entry: impl Fn(u64) -> String,
) -> io::Result<()> {
    write!(out, "{begin}")?;
    let mut left = n_bytes - (begin.len() + end.len()) as u64;
    for k in 0.. {
        let comma = if k == 0 { "" } else { "," };
        let text = format!("{comma}{}", entry(k));
        match left.checked_sub(text.len() as u64) {
            Some(after) => left = after,
            None => break,
        }
        write!(out, "{text}")?;
    }
    write!(out, "{:width$}{end}", "", width = left as usize)
}

/// A 64-bit ELF file with one compressed section, of so many zeros.
fn executable(out: &mut Out, n_bytes: u64) -> io::Result<()> {
    let mut packed = [1_u64.to_le_bytes(), n_bytes.to_le_bytes(), 1_u64.to_le_bytes()].concat();
    let mut encoder = ZlibEncoder::new(&mut packed, Compression::fast());
    io::copy(&mut io::repeat(0).take(n_bytes), &mut encoder)?;
    encoder.finish()?;
    let names = b"\0.debug_info\0.shstrtab\0";
    let packed_at = 64;
    let names_at = packed_at + packed.len() as u64;
    let headers_at = names_at + names.len() as u64;
    let section = |name: u32, kind: u32, flags: u64, at: u64, size: u64| {
        let ids = [name, kind].map(u32::to_le_bytes).concat();
        [ids, [flags, 0, at, size, 0, 1, 0].map(u64::to_le_bytes).concat()].concat()
    };
    let mut header = b"\x7fELF\x02\x01\x01".to_vec();
    header.resize(16, 0);
    // A shared object for x86-64; then entry, program headers (none), section headers.
    header.extend([3_u16, 62].map(u16::to_le_bytes).concat());
    header.extend(1_u32.to_le_bytes());
    header.extend([0, 0, headers_at].map(u64::to_le_bytes).concat());
    header.extend(0_u32.to_le_bytes());
    header.extend([64_u16, 0, 0, 64, 3, 2].map(u16::to_le_bytes).concat());
    out.write_all(&header)?;
    out.write_all(&packed)?;
    out.write_all(names)?;
    out.write_all(&section(0, 0, 0, 0, 0))?;
    out.write_all(&section(1, 1, 0x800, packed_at, packed.len() as u64))?;
    out.write_all(&section(13, 3, 0, names_at, names.len() as u64))
}
