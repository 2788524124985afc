//! What is known of a process and its parts.

use heaptide_format::{Account, Parts, PartsSource};
use serde::Serialize;

use super::class::{PartClass, PartName};
use crate::finding::Ruling;
use crate::verdict::Rate;

/// What a process holds, and what of it grows.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Process {
    /// Resident set size at the first judged snapshot.
    pub first_rss_bytes: u64,
    /// Resident set size at the last judged snapshot.
    pub rss_bytes: u64,
    /// How fast resident memory grows that no file backs, with what was moved to swap; absent if it
    /// does not grow to the end of the run, or nothing is known of it.
    pub bytes_per_hour: Option<f64>,
    /// Who knows what of the allocator's memory is in use; absent if no part is known.
    pub source: Option<PartsSource>,
    /// The parts that are known, in the order of [`PartName::ALL`].
    pub parts: Vec<Part>,
    /// Threads, the recorder's left out.
    pub threads: Option<Count>,
    /// Open descriptors, the recorder's left out.
    pub descriptors: Option<Count>,
    /// When the parts were last read, since the recording began, if that was more than a tenth of the run
    /// before its last judged snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts_read_at_ns: Option<u64>,
    /// Growth of resident memory that is no more than this is noise.
    #[serde(skip)]
    pub least_bytes_per_hour: f64,
}

/// One part of what a process holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// Which.
    pub name: PartName,
    /// At the first judged snapshot that read it.
    pub first_bytes: u64,
    /// At the last.
    pub last_bytes: u64,
    /// The most at any judged snapshot.
    pub most_bytes: u64,
    /// What it does.
    pub class: PartClass,
    /// What its growth is measured in: a work counter, `"cpu_seconds"` or `"seconds"`.
    pub work: String,
    /// Growth per unit of that; 0 unless it grows or may.
    pub bytes_per_op: f64,
    /// Growth per hour at this run's load.
    pub bytes_per_hour: f64,
    /// Growth over the judged run that would be too small to say.
    pub least_growth_bytes: u64,
    /// Evidence against chance: growth of this kind happens by chance once in so many runs.
    pub e_value: f64,
    /// What the allocator keeps, and since when; of `allocator_free` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retained: Option<Retained>,
    /// What the policy makes of it; absent if there is nothing to rule on.
    pub ruling: Option<Ruling>,
}

/// How many threads or descriptors a process has.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Count {
    /// At the first judged snapshot.
    pub first: u64,
    /// At the last.
    pub last: u64,
    /// The most at any judged snapshot.
    pub most: u64,
    /// What it does.
    pub class: PartClass,
    /// What its growth is measured in.
    pub work: String,
    /// Growth per unit of that; 0 unless it grows or may.
    pub per_op: f64,
    /// Growth per hour at this run's load.
    pub per_hour: f64,
    /// Growth over the judged run that would be too small to say.
    pub least_growth: u64,
    /// Evidence against chance.
    pub e_value: f64,
    /// What the policy makes of it; absent if there is nothing to rule on.
    pub ruling: Option<Ruling>,
}

/// Memory that is free and that the allocator keeps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Retained {
    /// How much of it is resident.
    pub resident_bytes: u64,
    /// In use in the allocator, by Rust and C, at the last judged snapshot that read it.
    pub in_use_bytes: u64,
    /// The most that was in use at any.
    pub most_in_use_bytes: u64,
    /// When that was, since the recording began.
    pub most_in_use_at_ns: u64,
}

impl Process {
    /// The part of this name, if it is known.
    pub fn part(&self, name: PartName) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// Parts and counts that grow or may, with what the policy makes of them: what each is called.
    pub fn rulings(&self) -> impl Iterator<Item = (&'static str, PartClass, &Ruling)> {
        let parts = self.parts.iter().map(|part| (part.name.word(), part.class, &part.ruling));
        let counts = self.counts().map(|(name, count)| (name, count.class, &count.ruling));
        parts
            .chain(counts)
            .filter_map(|(name, class, ruling)| Some((name, class, ruling.as_ref()?)))
    }

    /// What was ruled on, to be ruled on anew: its name, and how fast it grows.
    pub(crate) fn rulings_mut(
        &mut self,
    ) -> impl Iterator<Item = (&'static str, Rate, &mut Ruling)> {
        let parts = self.parts.iter_mut().map(|part| {
            let rate = part.rate();
            (part.name.word(), rate, &mut part.ruling)
        });
        let counts = [("threads", &mut self.threads), ("descriptors", &mut self.descriptors)];
        let counts = counts.into_iter().filter_map(|(name, count)| {
            let count = count.as_mut()?;
            Some((name, count.rate(), &mut count.ruling))
        });
        let all = parts.chain(counts);
        all.filter_map(|(name, rate, ruling)| Some((name, rate, ruling.as_mut()?)))
    }

    /// What grows or may, by name, and how fast.
    pub(crate) fn growing(&self) -> impl Iterator<Item = (&'static str, Rate)> {
        let parts = self.parts.iter().filter(|part| part.class.may_grow());
        let parts = parts.map(|part| (part.name.word(), part.rate()));
        let counts = self.counts().filter(|(_, count)| count.class.may_grow());
        parts.chain(counts.map(|(name, count)| (name, count.rate())))
    }

    /// The counts that are known, by name.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, &Count)> {
        let threads = self.threads.iter().map(|count| ("threads", count));
        threads.chain(self.descriptors.iter().map(|count| ("descriptors", count)))
    }

    /// Whether a part or a count grows, for sure or perhaps.
    pub fn may_grow(&self) -> bool {
        self.parts.iter().any(|part| part.class.may_grow())
            || self.counts().any(|(_, count)| count.class.may_grow())
    }

    /// How fast the parts that surely grow do so together.
    pub fn parts_bytes_per_hour(&self) -> f64 {
        let grows = self.parts.iter().filter(|part| part.class == PartClass::Grows);
        grows.map(|part| part.bytes_per_hour).sum()
    }

    /// How fast resident memory grows beyond what is `explained`, if it does by more than noise.
    pub fn unexplained_bytes_per_hour(&self, explained: f64) -> Option<f64> {
        let more = self.bytes_per_hour? - explained;
        (more > self.least_bytes_per_hour).then_some(more)
    }

    /// Whether resident memory grows too, and at less than half of what is `explained`.
    pub fn lags_behind(&self, explained: f64) -> bool {
        let is_beyond_noise = explained > 2.0 * self.least_bytes_per_hour;
        is_beyond_noise && self.bytes_per_hour.is_some_and(|resident| resident < explained / 2.0)
    }
}

impl Part {
    /// Growth as of a call site, without blocks.
    pub fn rate(&self) -> Rate {
        rate(&self.work, self.bytes_per_op, self.bytes_per_hour)
    }
}

impl Count {
    /// Growth as of a call site, in blocks and in bytes: a limit may be written either way.
    pub fn rate(&self) -> Rate {
        let rate = rate(&self.work, self.per_op, self.per_hour);
        Rate { objects_per_op: self.per_op, ..rate }
    }
}

fn rate(work: &str, per_op: f64, per_hour: f64) -> Rate {
    Rate {
        work: work.to_owned(),
        objects_per_op: 0.0,
        bytes_per_op: per_op,
        bytes_per_op_upper: per_op,
        ops_per_hour: if per_op > 0.0 { per_hour / per_op } else { 0.0 },
    }
}

/// A part as it was read; swap is none of these.
pub fn of_parts(name: PartName, parts: &Parts) -> u64 {
    match name {
        PartName::RustHeap => parts.rust_heap_bytes,
        PartName::OtherMalloc => parts.other_malloc_bytes,
        PartName::AllocatorFree => parts.allocator_free_bytes,
        PartName::ThreadStacks => parts.thread_stacks_bytes,
        PartName::Anonymous => parts.anonymous_bytes,
        PartName::Files => parts.files_bytes,
        PartName::Shim => parts.shim_bytes,
        PartName::Swap => 0,
    }
}

/// How large a part is at a snapshot, if that is known: swap always, the others where they were read.
pub fn of_account(name: PartName, account: &Account) -> Option<u64> {
    match name {
        PartName::Swap => Some(account.swap_bytes),
        name => account.parts.as_ref().map(|parts| of_parts(name, parts)),
    }
}
