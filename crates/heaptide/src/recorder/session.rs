//! One recording from its header to its last snapshot.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::time::Duration;

use heaptide_format::{
    Budget, Dropped, Epoch, FORMAT_VERSION, Frame, Header, Line, Mode, Module, ModuleId,
    ModuleOffset, Reason, Site, SiteId, Snapshot, Unwinding,
};

use super::account::{AccountReader, chunk_bytes};
use super::children;
use super::collect::{Collector, Scope};
use super::config::{Builder, NameSites};
use super::error::Error;
use super::file::Unwritten;
use super::process::{self, Cgroup, Status};
use super::segments::{Limits, Output};
use super::signal_names::signal_name;
use super::threshold::Thresholds;
use crate::globals::{self, ARENA, BUDGET, MODULES, STATE, THREAD_BLOCKS, Tables, UNHELD, WORK};
use crate::mode;
use crate::shared::labels::Labels;
use crate::shared::sites::SiteEntry;
use crate::shared::state::Phase;
use crate::shared::trailer::SiteIndex;
use crate::sync::Ordering::Relaxed;
use crate::sys;
use crate::thread::sampler;
use crate::unwind::modules::LoadedModule;

/// The state of a recording; lives in the recorder thread.
#[derive(Debug)]
pub(crate) struct Session {
    header: Header,
    interval: Duration,
    name_sites: Option<NameSites>,
    tables: &'static Tables,
    output: Output,
    collector: Collector,
    /// What the lines of this segment have introduced so far.
    introduced: Introduced,
    cgroup: Option<Cgroup>,
    account: AccountReader,
    thresholds: Thresholds,
    /// The lines of a snapshot, in memory that serves all of them.
    lines: Vec<u8>,
    epoch: Epoch,
    next_seq: u64,
    before: Baseline,
    snapshots_lost: u64,
    segments_refused: u64,
}

#[derive(Debug, Default)]
struct Introduced {
    modules: Vec<bool>,
    sites: Vec<bool>,
}

/// What the process had counted when the recording began, which is not the recording's.
#[derive(Debug)]
pub(crate) struct Baseline {
    dropped: Dropped,
    unwinding: Unwinding,
    budget_refused: u64,
    freed_from_before: u64,
    chunk_bytes: u64,
    work: Vec<u64>,
}

impl Baseline {
    pub(crate) fn now() -> Self {
        Self {
            dropped: dropped_so_far(),
            unwinding: unwinding_so_far(),
            budget_refused: BUDGET.n_refused(),
            freed_from_before: freed_from_before_so_far(),
            chunk_bytes: chunk_bytes(),
            work: WORK.iter().map(|counter| counter.load(Relaxed)).collect(),
        }
    }
}

impl Session {
    /// Opens the output and writes the header.
    pub(crate) fn open(
        builder: &Builder,
        tables: &'static Tables,
        generation: u32,
        before: Baseline,
    ) -> Result<Self, Error> {
        let is_child = builder.parent.is_some();
        if is_child && !children::outlives_its_start() {
            return Err(Error::Ended);
        }
        let header = header(builder);
        let Builder { segment_bytes, total_bytes, .. } = *builder;
        let limits = Limits { segment_bytes, total_bytes };
        let output = Output::create(&builder.output, &header, limits)?;
        if matches!(output, Output::Segments(_)) {
            children::name_recording(header.pid, &header.recording);
        }
        if is_child {
            children::child_recorded();
        }
        Ok(Self {
            header,
            interval: builder.interval,
            name_sites: builder.name_sites,
            tables,
            output,
            collector: Collector::new(generation),
            introduced: Introduced::default(),
            cgroup: Cgroup::of_this_process(),
            account: AccountReader::new(before.chunk_bytes),
            thresholds: Thresholds::new(builder.thresholds.as_deref()),
            lines: Vec::new(),
            epoch: Epoch(0),
            next_seq: 0,
            before,
            snapshots_lost: 0,
            segments_refused: 0,
        })
    }

    /// The marks at which it takes snapshots.
    pub(crate) fn thresholds(&mut self) -> &mut Thresholds {
        &mut self.thresholds
    }

    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    /// Takes a snapshot.
    pub(crate) fn take(&mut self, reason: Reason) -> Result<(), Error> {
        self.take_numbered(reason).map(drop)
    }

    /// Takes a snapshot; its sequence number.
    pub(crate) fn take_numbered(&mut self, reason: Reason) -> Result<u64, Error> {
        let state = globals::refresh_modules();
        if self.output.wants_new_segment() {
            match self.output.next_segment(&mut self.header) {
                Ok(()) => self.introduced = Introduced::default(),
                // The one before goes on.
                Err(_) => self.segments_refused += 1,
            }
        }
        let scope = match reason {
            _ if self.output.needs_everything() => Scope::Everything,
            Reason::Exit => Scope::Changed,
            _ => Scope::Marked,
        };
        let collected = self.collector.collect(self.tables, state, scope);
        let epoch = self.epoch;
        self.epoch = Epoch(epoch.0.saturating_add(1));
        STATE.advance(self.epoch);
        let (status, heap) = (Status::now(), self.collector.totals());
        let mut snapshot = Snapshot {
            seq: self.next_seq,
            mono_ns: sys::monotonic_ns(),
            epoch,
            reason,
            work: self.work_since_start(),
            tags: self.collector.tag_totals(&self.tables.tags),
            heap,
            freed_from_before: freed_from_before_so_far() - self.before.freed_from_before,
            rss_bytes: status.resident_bytes.unwrap_or(0),
            cgroup_bytes: self.cgroup.as_ref().and_then(Cgroup::usage_bytes),
            dropped: self.dropped(),
            unwinding: Some(self.unwinding()),
            own_bytes: ARENA.resident_bytes(),
            frames_kept: Some(globals::frames_kept())
                .filter(|kept| Some(*kept) != self.header.frames),
            budget: Some(Budget {
                taken_bytes: BUDGET.taken_bytes(),
                refused: BUDGET.n_refused() - self.before.budget_refused,
            }),
            children: children::of_this_process(),
            account: self.account.read(&status, &heap, reason),
            sites: Vec::new(),
        };
        let (names, before) = (&self.tables.work, &self.before.work);
        snapshot.sites = self
            .collector
            .finish_rows(collected, snapshot.mono_ns, |work| since(names, before, work));
        let seq = snapshot.seq;
        let rows: Vec<SiteId> = snapshot.sites.iter().map(|row| row.site).collect();
        let Err(unwritten) = self.write(snapshot) else {
            self.next_seq += 1;
            return Ok(seq);
        };
        self.snapshots_lost += 1;
        self.collector.rewrite(&rows);
        // A number that may arrive is not given again.
        self.next_seq += u64::from(unwritten.may_arrive);
        Err(Error::Write(unwritten.source))
    }

    /// Takes the last snapshot and brings everything to disk.
    pub(crate) fn finish(&mut self) -> Result<u64, Error> {
        let last = self.take_numbered(Reason::Exit);
        if let Some(name_sites) = self.name_sites {
            self.write_names(name_sites).map_err(Error::Write)?;
        }
        self.output.sync().map_err(Error::Write)?;
        if last.is_ok() && self.header.parent.is_some() {
            children::child_finished();
        }
        last
    }

    fn write(&mut self, snapshot: Snapshot) -> Result<(), Unwritten> {
        let mut lines = std::mem::take(&mut self.lines);
        lines.clear();
        for row in &snapshot.sites {
            self.introduce(row.site, &mut lines);
            let grown_at = row.growth.iter().filter_map(|growth| growth.grown_at);
            grown_at.for_each(|site| self.introduce(site, &mut lines));
        }
        Line::Snapshot(snapshot).write_to(&mut lines);
        let appended = self.output.append(&lines);
        self.lines = lines;
        appended.inspect_err(|_| self.introduced = Introduced::default())
    }

    /// Writes the lines that a row refers to with `site`, if this segment does not have them.
    /// The blocks without a site of their own have a row, but no stack to introduce.
    fn introduce(&mut self, site: SiteId, out: &mut Vec<u8>) {
        let index = SiteIndex::of(site);
        if index == SiteIndex::OVERFLOW || !note(&mut self.introduced.sites, site.0 as usize) {
            return;
        }
        let entry = self.tables.sites.get(index);
        let frames = entry.map_or(&[][..], SiteEntry::frames);
        let frames = frames.iter().map(|frame| self.locate(frame.load(Relaxed), out)).collect();
        let tag = entry.and_then(|entry| self.tables.tags.name(entry.tag()));
        let truncated = entry.is_none_or(SiteEntry::truncated);
        Line::Site(Site { id: site, tag: tag.map(str::to_owned), frames, truncated }).write_to(out);
    }

    fn locate(&mut self, frame: u64, out: &mut Vec<u8>) -> Frame {
        let Position { frame, module } = locate(frame);
        if let Some((at, module)) = module
            && note(&mut self.introduced.modules, at)
        {
            Line::Module(describe(at, module, &self.header.exe)).write_to(out);
        }
        frame
    }

    fn write_names(&mut self, name_sites: NameSites) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        let mut sites = (0..self.introduced.sites.len())
            .filter(|&at| self.introduced.sites[at])
            .filter_map(|at| self.tables.sites.get(SiteIndex::of(SiteId(at as u32))));
        for names in name_sites(&mut sites) {
            Line::Names(names).write_to(&mut bytes);
        }
        self.output.append(&bytes).map_err(|unwritten| unwritten.source)
    }

    fn work_since_start(&self) -> BTreeMap<String, u64> {
        let now: Vec<u64> = WORK.iter().map(|counter| counter.load(Relaxed)).collect();
        since(&self.tables.work, &self.before.work, &now)
    }

    fn dropped(&self) -> Dropped {
        let (now, before) = (dropped_so_far(), &self.before.dropped);
        Dropped {
            sites: self.collector.overflowed_allocs(),
            frames: self.collector.truncated_allocs(),
            samples: now.samples - before.samples,
            blocks: now.blocks - before.blocks,
            overruns: now.overruns - before.overruns,
            snapshots: self.snapshots_lost + self.output.n_dropped(),
            segments: self.segments_refused,
        }
    }

    fn unwinding(&self) -> Unwinding {
        let (now, before) = (unwinding_so_far(), &self.before.unwinding);
        Unwinding {
            misses: now.misses - before.misses,
            uncacheable: now.uncacheable - before.uncacheable,
        }
    }
}

/// Where a frame's address lies.
pub(super) struct Position {
    /// As a recording writes it.
    pub(super) frame: Frame,
    /// The module and its number, if it is in one.
    pub(super) module: Option<(usize, &'static LoadedModule)>,
}

/// Where a site's frame lies.
pub(super) fn locate(frame: u64) -> Position {
    let (address, module) = MODULES.module_of(frame);
    let frame = match module {
        None => Frame { module: None, offset: ModuleOffset(address) },
        Some((at, module)) => Frame {
            module: Some(ModuleId(at as u32)),
            offset: ModuleOffset(address.wrapping_sub(module.bias())),
        },
    };
    Position { frame, module }
}

/// The line of a module.
pub(super) fn describe(at: usize, module: &LoadedModule, exe: &str) -> Module {
    let path = String::from_utf8_lossy(module.path());
    Module {
        id: ModuleId(at as u32),
        path: module_path(&path, module.is_executable(), exe).to_owned(),
        build_id: module.build_id().map(hex),
        bias: ModuleOffset(module.bias()),
    }
}

/// What the loader calls a module; of the executable, whose name it may not know or may give as a link
/// that leads every process to itself (static programs), the file.
fn module_path<'a>(path: &'a str, is_executable: bool, exe: &'a str) -> &'a str {
    match path {
        "" if is_executable => exe,
        "/proc/self/exe" => exe,
        path => path,
    }
}

/// Work counted since the recording began, by name.
fn since(names: &Labels, before: &[u64], now: &[u64]) -> BTreeMap<String, u64> {
    let counted = now.iter().zip(before).zip(1..).filter(|((now, before), _)| now > before);
    let named = counted
        .filter_map(|((now, before), number)| Some((names.name(number)?.to_owned(), now - before)));
    named.collect()
}

/// Sets entry `at`, growing the list; whether it was not set before.
fn note(list: &mut Vec<bool>, at: usize) -> bool {
    if list.len() <= at {
        list.resize(at + 1, false);
    }
    !std::mem::replace(&mut list[at], true)
}

fn dropped_so_far() -> Dropped {
    let unheld = Dropped { blocks: UNHELD.load(Relaxed), ..Dropped::default() };
    THREAD_BLOCKS.all().fold(unheld, |sum, block| {
        let tally = &block.tally;
        Dropped {
            samples: sum.samples + tally.unsampled.load(Relaxed),
            blocks: sum.blocks + tally.uncounted.load(Relaxed),
            overruns: sum.overruns + tally.overruns.load(Relaxed),
            ..sum
        }
    })
}

fn freed_from_before_so_far() -> u64 {
    THREAD_BLOCKS.all().map(|block| block.tally.freed_from_before.load(Relaxed)).sum()
}

fn unwinding_so_far() -> Unwinding {
    THREAD_BLOCKS.all().fold(Unwinding::default(), |sum, block| Unwinding {
        misses: sum.misses + block.tally.misses.load(Relaxed),
        uncacheable: sum.uncacheable + block.tally.uncacheable.load(Relaxed),
    })
}

pub(super) fn header(builder: &Builder) -> Header {
    let exe = process::executable();
    let pid = sys::process_id();
    let (start_unix_ns, start_mono_ns) = (process::unix_ns(), sys::monotonic_ns());
    Header {
        format: FORMAT_VERSION,
        writer: concat!("heaptide ", env!("CARGO_PKG_VERSION")).to_owned(),
        recording: format!("{pid}-{start_unix_ns:x}"),
        segment: 0,
        pid,
        exe: exe.to_string_lossy().into_owned(),
        build_id: MODULES
            .all()
            .find(|module| module.is_executable())
            .and_then(LoadedModule::build_id)
            .map(hex),
        host: process::host(),
        arch: std::env::consts::ARCH.to_owned(),
        start_unix_ns,
        start_mono_ns,
        mode: mode_of_process(),
        interval_ns: u64::try_from(builder.interval.as_nanos()).unwrap_or(u64::MAX),
        signal: builder.signal.map(signal_name),
        inner: mode::inner_allocator().to_owned(),
        unwinder: builder.unwinder.name().to_owned(),
        shim_sources: shim_sources(),
        memory_limit_bytes: Cgroup::of_this_process().and_then(|group| group.limit_bytes()),
        machine_bytes: process::machine_bytes(),
        budget_bytes: Some(BUDGET.limit_bytes()),
        frames: Some(builder.frames),
        parent: builder.parent.clone(),
    }
}

/// Where the shim's sources were when it was compiled. The compiler names them relative to where it
/// ran, or by another path still if it was told to (`--remap-path-prefix`).
fn shim_sources() -> Vec<String> {
    let mut dirs = vec![concat!(env!("CARGO_MANIFEST_DIR"), "/src").to_owned()];
    let here = file!().trim_end_matches("/recorder/session.rs");
    if here.starts_with('/') && here != dirs[0] {
        dirs.push(here.to_owned());
    }
    dirs
}

/// The same in all recordings of a process.
fn mode_of_process() -> Mode {
    match STATE.load().phase() {
        Phase::SampledArmed | Phase::Sampling => {
            Mode::Sampled { period_bytes: sampler::period_bytes() }
        }
        _ => Mode::Exact,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_executable_goes_by_its_file() {
        let check = |path, is_first, shown| {
            assert_eq!(module_path(path, is_first, "/srv/shop"), shown, "{path:?} {is_first}");
        };
        check("", true, "/srv/shop");
        check("", false, "");
        check("/proc/self/exe", true, "/srv/shop");
        check("/srv/shop", true, "/srv/shop");
        check("/lib/libc.so.6", false, "/lib/libc.so.6");
    }
}
