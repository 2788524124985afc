//! From the snapshots of a run to what each part of the process does.

use heaptide_format::{Account, Mode, Parts, PartsSource};

use super::account::{EverySnapshot, no_file_backs, parts};
use super::class::{PartClass, PartName};
use super::part::{Count, Part, Process, Retained, of_parts};
use super::progress::{self, Progress};
use super::readings::{Judged, Reading, Readings};
use super::rule::{self, Noise, Trend};
use crate::site::Run;
use crate::timeline::Point;
use crate::verdict::{Rule, SECONDS};

/// Growth that is less than this, or than [`LEAST_SHARE`] of resident memory, is too small to say.
const LEAST_BYTES: f64 = (1_u64 << 20) as f64;
const LEAST_SHARE: f64 = 0.02;
/// The same for what the allocator keeps, which breathes with the heap.
const LEAST_FREE_BYTES: f64 = (4_u64 << 20) as f64;
const LEAST_FREE_SHARE: f64 = 0.1;
/// The same for stacks, of which a page more is a thread that called deeper than before.
const LEAST_STACK_BYTES: f64 = (256_u64 << 10) as f64;
/// Threads and descriptors beyond so many more are no pool that finds its size.
const LEAST_THREADS: f64 = 8.0;
const LEAST_DESCRIPTORS: f64 = 16.0;
/// Blocks in the cache of a thread count as in use: each new thread may keep so many bytes of them.
const THREAD_CACHE_BYTES: f64 = 240_000.0;
/// glibc gives a block all of a free chunk that is so much larger, because less than 32 bytes would be
/// left: nobody can tell these from C's.
const SPARE_BYTES: f64 = 16.0;
/// A change from one reading to the next that is no more than this is noise.
const DEAD_BAND_BYTES: f64 = (16_u64 << 10) as f64;
const DEAD_BAND_STACK_BYTES: f64 = (4_u64 << 10) as f64;
/// Parts that were read this share of the run before its end stand beside what was read at its end.
const RECENT_SHARE: f64 = 0.1;

/// Judges what a process held. Nothing is ruled on yet.
pub(crate) fn judge(run: &Run<'_>, rule: &Rule) -> Process {
    let judge = Judge::new(run, rule);
    let rss = |of: Option<&&Point>| of.map_or(0, |point| point.rss_bytes);
    let hours = judge.hours();
    Process {
        first_rss_bytes: rss(judge.seen.points.first()),
        rss_bytes: rss(judge.seen.points.last()),
        bytes_per_hour: judge.resident_bytes_per_hour(),
        source: judge.source,
        parts: PartName::ALL.into_iter().filter_map(|name| judge.part(name)).collect(),
        threads: judge.count(LEAST_THREADS, |account| Some(account.threads)),
        descriptors: judge.count(LEAST_DESCRIPTORS, |account| account.descriptors),
        parts_read_at_ns: judge.parts_read_at_ns(),
        least_bytes_per_hour: if hours > 0.0 { judge.least_growth() / hours } else { 0.0 },
    }
}

/// What all parts of one process are judged with.
struct Judge<'a> {
    seen: Judged<'a>,
    /// The snapshot of the exit, which is not judged: much is taken apart by then.
    at_exit: Option<&'a Point>,
    candidates: Vec<Progress>,
    least_readings: usize,
    mode: Mode,
    /// Whose numbers the parts are.
    source: Option<PartsSource>,
    basis: Basis,
    every_snapshot: EverySnapshot,
}

/// What the parts are judged by.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Basis {
    /// What was read of each.
    Read,
    /// What every snapshot has, and the few in which parts were read agree that it is this part that
    /// grows, or that none does.
    Sparse(Option<(PartName, f64)>),
    /// What every snapshot has: which part it is of is not known.
    EverySnapshot,
}

/// Whether anything is known of a part. Where the allocator under the recorder does not say, C's may: it
/// is never empty then.
fn is_known(name: PartName, source: PartsSource, readings: &Readings) -> bool {
    match (name, source) {
        (PartName::OtherMalloc, PartsSource::Coarse) => readings.most > 0.0,
        (PartName::AllocatorFree, PartsSource::Coarse) => false,
        _ => true,
    }
}

impl<'a> Judge<'a> {
    fn new(run: &Run<'a>, rule: &Rule) -> Self {
        let seen = Judged::new(&run.timeline.points, run.axis);
        let candidates = progress::candidates(&seen.points, seen.warm_up, rule.work.as_deref());
        let candidates = match candidates.is_empty() && rule.work.is_some() {
            true => progress::candidates(&seen.points, seen.warm_up, None),
            false => candidates,
        };
        let with_parts = Readings::new(&seen, |point| parts(point).map(|_| 0.0));
        let points = &run.timeline.points;
        let source = points.iter().rev().find_map(|point| Some(parts(point)?.source));
        let (least_readings, mode) = (rule.least_slots, run.timeline.header.mode);
        let is_known = seen.points.iter().any(|it| it.account.is_some());
        let coarse = is_known.then_some(PartsSource::Coarse);
        let basis = Basis::EverySnapshot;
        let every_snapshot = EverySnapshot::new(&seen);
        let last_seq = seen.points.last().map(|last| last.seq);
        let at_exit = points.last().filter(|last| last_seq.is_some_and(|seq| seq < last.seq));
        let judge = Self {
            seen,
            at_exit,
            candidates,
            least_readings,
            mode,
            source: coarse,
            basis,
            every_snapshot,
        };
        let basis = match with_parts.map_or(0, |it| it.len()) {
            0 => return judge,
            n if n >= least_readings => Basis::Read,
            _ => Basis::Sparse(every_snapshot.explaining(points)),
        };
        match basis {
            Basis::Sparse(None) if judge.outside_may_grow() => judge,
            basis => Self { source, basis, ..judge },
        }
    }

    /// Whether whatever no file backs and is neither recorded heap nor ours may grow.
    fn outside_may_grow(&self) -> bool {
        let noise = Noise { least_growth: self.least_growth(), dead_band: DEAD_BAND_BYTES };
        self.outside().is_some_and(|it| self.classify(&it, noise).1.class.may_grow())
    }

    fn outside(&self) -> Option<Readings> {
        Readings::new(&self.seen, |point| self.every_snapshot.part(PartName::Anonymous, point))
    }

    /// The time after the warm-up.
    fn hours(&self) -> f64 {
        let judged = self.seen.points.get(self.seen.warm_up..).unwrap_or_default();
        let ns = judged
            .first()
            .zip(judged.last())
            .map(|(a, b)| b.elapsed_ns.saturating_sub(a.elapsed_ns));
        ns.unwrap_or(0) as f64 / 3.6e12
    }

    /// When the parts were last read, if that was long before the last snapshot.
    fn parts_read_at_ns(&self) -> Option<u64> {
        let mut later = self.seen.points.iter().rev().skip_while(|point| parts(point).is_none());
        let (read, last) = (later.next()?.elapsed_ns, self.seen.points.last()?.elapsed_ns);
        let is_recent = last.saturating_sub(read) as f64 <= RECENT_SHARE * last as f64;
        (!is_recent).then_some(read)
    }

    fn part(&self, name: PartName) -> Option<Part> {
        let source = self.source?;
        let readings = Readings::new(&self.seen, |point| self.value(name, point));
        let readings = readings.filter(|readings| is_known(name, source, readings))?;
        let noise = self.noise(name);
        let (by, mut trend) = match (noise, self.basis) {
            (None, _) => (None, Trend::of_class(PartClass::NotJudged)),
            (Some(noise), Basis::Sparse(growing)) => {
                self.classify_sparse(name, &readings, growing, noise)
            }
            (Some(noise), _) => self.classify(&readings, noise),
        };
        if trend.class == PartClass::Grows && !self.is_exact(name, source) {
            trend.class = PartClass::Suspect;
        }
        let retained = (name == PartName::AllocatorFree).then(|| self.retained()).flatten();
        let retained = retained.filter(|_| !trend.class.may_grow());
        if retained.is_some() {
            trend.class = PartClass::Retained;
        }
        Some(Part {
            name,
            first_bytes: readings.first as u64,
            last_bytes: readings.last as u64,
            most_bytes: readings.most as u64,
            class: trend.class,
            work: by.map_or_else(|| SECONDS.to_owned(), |by| by.name.clone()),
            bytes_per_op: trend.per_op,
            bytes_per_hour: by.map_or(0.0, |by| trend.per_op * by.per_hour),
            least_growth_bytes: noise.map_or(0, |noise| noise.least_growth as u64),
            e_value: trend.e_value,
            retained,
            ruling: None,
        })
    }

    /// Whether a part is read, and not what is left when others are taken off that nobody knows well.
    fn is_exact(&self, name: PartName, source: PartsSource) -> bool {
        match (name, source) {
            (PartName::Anonymous | PartName::AllocatorFree, PartsSource::Coarse) => false,
            // What Rust holds of the same allocator is an estimate in a sampled recording.
            (PartName::OtherMalloc, PartsSource::Glibc) => self.mode == Mode::Exact,
            _ => true,
        }
    }

    fn count(&self, least: f64, of: impl Fn(&Account) -> Option<u64>) -> Option<Count> {
        let value = |point: &Point| Some(of(point.account.as_ref()?)? as f64);
        let readings = Readings::new(&self.seen, value)?;
        let (by, trend) = self.classify(&readings, Noise { least_growth: least, dead_band: 0.0 });
        Some(Count {
            first: readings.first as u64,
            last: readings.last as u64,
            most: readings.most as u64,
            class: trend.class,
            work: by.map_or_else(|| SECONDS.to_owned(), |by| by.name.clone()),
            per_op: trend.per_op,
            per_hour: by.map_or(0.0, |by| trend.per_op * by.per_hour),
            least_growth: least as u64,
            e_value: trend.e_value,
            ruling: None,
        })
    }

    /// A part that was read too seldom for a verdict of its own. The one that explains what grows is
    /// judged by that; beside a heap that comes and goes that shows nothing, and the few readings may.
    fn classify_sparse(
        &self,
        name: PartName,
        readings: &Readings,
        growing: Option<(PartName, f64)>,
        noise: Noise,
    ) -> (Option<&Progress>, Trend) {
        let explains = growing.filter(|(growing, _)| *growing == name).zip(self.outside());
        if let Some(((_, share), outside)) = explains {
            let (by, trend) = self.classify(&outside, noise);
            if trend.class.may_grow() {
                return (by, Trend { per_op: share * trend.per_op, ..trend });
            }
        }
        let mut few = readings.all().to_vec();
        // What is taken apart at the exit cannot make it look larger.
        let at_exit = self.at_exit.and_then(|point| self.value(name, point));
        let at = self.seen.points.len().saturating_sub(1);
        few.extend(at_exit.map(|value| Reading { at, value }));
        // What is free breathes with the heap, perhaps in step with the readings.
        let by = self.candidates.first().filter(|_| name != PartName::AllocatorFree);
        let trend = by.map(|by| rule::classify_few(&few, by, noise));
        (by, trend.unwrap_or_else(|| Trend::of_class(PartClass::TooShort)))
    }

    /// Held against what explains it best.
    fn classify(&self, readings: &Readings, noise: Noise) -> (Option<&Progress>, Trend) {
        let misfit = |by: &&Progress| rule::misfit(readings, by);
        let by = self.candidates.iter().min_by(|a, b| misfit(a).total_cmp(&misfit(b)));
        let trend = by.map(|by| rule::classify(readings, self.least_readings, by, noise));
        (by, trend.unwrap_or_else(|| Trend::of_class(PartClass::TooShort)))
    }

    /// What of a part is noise; `None` for one that is only shown.
    fn noise(&self, name: PartName) -> Option<Noise> {
        let (least_growth, dead_band) = match name {
            PartName::OtherMalloc => {
                let caches = THREAD_CACHE_BYTES * self.new_threads();
                let spare = SPARE_BYTES * self.new_blocks();
                (self.least_growth() + caches + spare, DEAD_BAND_BYTES)
            }
            PartName::Anonymous => (self.least_growth(), DEAD_BAND_BYTES),
            PartName::AllocatorFree => (self.least_free(), DEAD_BAND_BYTES),
            PartName::ThreadStacks => (LEAST_STACK_BYTES, DEAD_BAND_STACK_BYTES),
            PartName::RustHeap | PartName::Files | PartName::Shim | PartName::Swap => return None,
        };
        Some(Noise { least_growth, dead_band })
    }

    fn least_growth(&self) -> f64 {
        LEAST_BYTES.max(LEAST_SHARE * self.rss_bytes())
    }

    fn least_free(&self) -> f64 {
        LEAST_FREE_BYTES.max(LEAST_FREE_SHARE * self.rss_bytes())
    }

    fn rss_bytes(&self) -> f64 {
        self.seen.points.last().map_or(0.0, |last| last.rss_bytes as f64)
    }

    /// How many more threads there were after the warm-up than at its end.
    fn new_threads(&self) -> f64 {
        let judged = self.seen.points.get(self.seen.warm_up..).unwrap_or_default();
        let mut threads = judged.iter().filter_map(|point| Some(point.account.as_ref()?.threads));
        let first = threads.next().unwrap_or(0);
        threads.max().unwrap_or(0).saturating_sub(first) as f64
    }

    /// How many more recorded blocks are alive at the end than after the warm-up, by their low water.
    fn new_blocks(&self) -> f64 {
        let blocks = Readings::new(&self.seen, |point| Some(point.heap.live_objects as f64));
        blocks.map_or(0.0, |blocks| rule::rise(&blocks))
    }

    /// What a part held at a snapshot; `None` if it was not read there.
    fn value(&self, name: PartName, point: &Point) -> Option<f64> {
        match self.basis {
            Basis::Read | Basis::Sparse(_) if name != PartName::Swap => {
                Some(of_parts(name, parts(point)?) as f64)
            }
            _ => self.every_snapshot.part(name, point),
        }
    }

    /// How fast resident memory grows that no file backs and that is not the recorder's; `None` if it
    /// does not.
    fn resident_bytes_per_hour(&self) -> Option<f64> {
        let value = |point: &Point| {
            let resident = no_file_backs(point.account.as_ref()?);
            Some(resident.saturating_sub(point.own_bytes) as f64)
        };
        let readings = Readings::new(&self.seen, value)?;
        let noise = Noise { least_growth: self.least_growth(), dead_band: DEAD_BAND_BYTES };
        let (by, trend) = self.classify(&readings, noise);
        trend.class.may_grow().then(|| trend.per_op * by.map_or(0.0, |by| by.per_hour))
    }

    /// What the allocator keeps, if that is much: what of it is resident, and after which use.
    fn retained(&self) -> Option<Retained> {
        let read = || self.seen.points.iter().filter_map(|point| Some((*point, parts(point)?)));
        let in_use = |parts: &Parts| parts.rust_heap_bytes + parts.other_malloc_bytes;
        let (_, last) = read().next_back()?;
        let (most_at, most) = read().max_by_key(|(_, parts)| in_use(parts))?;
        let resident_bytes = last.allocator_free_bytes.saturating_sub(last.not_resident_bytes);
        let retained = Retained {
            resident_bytes,
            in_use_bytes: in_use(last),
            most_in_use_bytes: in_use(most),
            most_in_use_at_ns: most_at.elapsed_ns,
        };
        (resident_bytes as f64 >= self.least_free()).then_some(retained)
    }
}
