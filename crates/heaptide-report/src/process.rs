//! What the whole process holds, in words that several outputs share.

use heaptide_analyze::RunReport;
use heaptide_analyze::finding::{Gate, Ruling};
use heaptide_analyze::process::{Count, Part, PartClass, PartName, Retained};
use heaptide_analyze::verdict::Rate;
use heaptide_format::PartsSource;
use serde_json::{Value, json};

use crate::number::{bytes, count, duration, rate_bytes, significant, unit};
use crate::rate::growth;
use crate::{sentence, sparkline};

/// A part that never held this share of resident memory is not worth a bar.
const LEAST_SHARE: f64 = 0.01;

/// A part of the process, its threads or its descriptors, as it was judged.
pub(crate) struct Judged<'a> {
    /// As policies and recordings call it.
    pub(crate) name: &'static str,
    pub(crate) class: PartClass,
    pub(crate) ruling: Option<&'a Ruling>,
    what: What<'a>,
}

enum What<'a> {
    Part(&'a Part),
    Count(&'a Count),
}

/// Whatever of a process is judged, in the order of reading.
pub(crate) fn judged(run: &RunReport) -> impl Iterator<Item = Judged<'_>> {
    let parts = run.process.parts.iter().map(|part| Judged {
        name: part.name.word(),
        class: part.class,
        ruling: part.ruling.as_ref(),
        what: What::Part(part),
    });
    let counts = run.process.counts().map(|(name, count)| Judged {
        name,
        class: count.class,
        ruling: count.ruling.as_ref(),
        what: What::Count(count),
    });
    parts.chain(counts).filter(|it| it.class != PartClass::NotJudged || it.ruling.is_some())
}

/// What of it somebody has ruled on: it grows, or is over a budget.
pub(crate) fn ruled(run: &RunReport) -> impl Iterator<Item = (Judged<'_>, &Ruling)> {
    judged(run).filter_map(|it| it.ruling.map(|ruling| (it, ruling)))
}

impl Judged<'_> {
    /// `+4.0 KiB/request  (+281.3 MiB/h at 20 requests/s)`; of what does not grow, how large it is.
    pub(crate) fn growth(&self) -> String {
        match &self.what {
            What::Part(part) if self.class.may_grow() => growth(&part.rate()),
            What::Part(part) => bytes(part.last_bytes),
            What::Count(it) if self.class.may_grow() => {
                let per_hour = count(it.per_hour.round() as u64);
                let per_op = significant(it.per_op);
                format!("+{per_op}/{}  (+{per_hour}/h)", unit(&it.work))
            }
            What::Count(it) => count(it.last),
        }
    }

    /// `4.0 KiB/request`
    fn per_op(&self) -> String {
        let per = |amount: String, work: &str| format!("{amount}/{}", unit(work));
        match &self.what {
            What::Part(part) => per(rate_bytes(part.bytes_per_op), &part.work),
            What::Count(it) => per(significant(it.per_op), &it.work),
        }
    }

    /// `1.0 MiB -> 19.4 MiB`
    pub(crate) fn first_and_last(&self) -> String {
        match &self.what {
            What::Part(it) => format!("{} -> {}", bytes(it.first_bytes), bytes(it.last_bytes)),
            What::Count(it) => format!("{} -> {}", count(it.first), count(it.last)),
        }
    }

    /// How fast it grows, as of a call site.
    pub(crate) fn rate(&self) -> Rate {
        match &self.what {
            What::Part(part) => part.rate(),
            What::Count(it) => it.rate(),
        }
    }

    /// What it is, and how to see where it comes from.
    pub(crate) fn advice(&self, run: &RunReport) -> Option<String> {
        let pid = run.pid;
        Some(match self.name {
            "other_malloc" => format!(
                "C code in this process; to see where: `heaptrack PROGRAM`, or while it runs \
                 `bpftrace -p {pid} -e 'uprobe:libc:malloc {{ @[ustack] = sum(arg0); }}'`"
            ),
            "allocator_free" => "the allocator keeps ever more that is free: fragmentation; \
                 see whether `MALLOC_ARENA_MAX=2` or another allocator stops it"
                .to_owned(),
            "thread_stacks" | "threads" => format!(
                "threads that do not end; their names, while it runs: `cat /proc/{pid}/task/*/comm | sort | uniq -c`"
            ),
            "anonymous" => format!(
                "memory that this process maps itself; which mapping, while it runs: `/proc/{pid}/smaps`; who maps \
                 it: `strace -f -k -e trace=mmap,mremap,munmap,brk -p {pid}`"
            ),
            "descriptors" => {
                format!(
                    "descriptors that are not closed; which, while it runs: `ls -l /proc/{pid}/fd`"
                )
            }
            _ => return None,
        })
    }

    /// For outputs that programs read: name and value, in the order of reading.
    pub(crate) fn fields(&self) -> Vec<(&'static str, Value)> {
        let rate = self.rate();
        let mut fields = vec![("part", json!(self.name)), ("class", json!(self.class.word()))];
        if let Some(ruling) = self.ruling {
            fields.push(("result", json!(sentence::gate(ruling.gate))));
            fields.push(("because", json!(ruling.because)));
        }
        match &self.what {
            What::Part(part) => fields.extend([
                ("first_bytes", json!(part.first_bytes)),
                ("last_bytes", json!(part.last_bytes)),
                ("work", json!(part.work)),
                ("bytes_per_op", json!(rate.bytes_per_op)),
                ("bytes_per_hour", json!(rate.bytes_per_hour())),
            ]),
            What::Count(it) => fields.extend([
                ("first", json!(it.first)),
                ("last", json!(it.last)),
                ("work", json!(it.work)),
                ("per_op", json!(it.per_op)),
                ("per_hour", json!(it.per_hour)),
            ]),
        }
        fields
    }
}

/// `memory 9.1 MiB -> 91.4 MiB: other_malloc ▁█ 80.2 MiB, files ▁▁ 4.0 MiB`: each part with a bar
/// for the first and the last snapshot; with the time of the last that read them, if that was long before
/// the last of all. Nothing if no part is known.
pub(crate) fn bars(run: &RunReport) -> Option<String> {
    let process = &run.process;
    let of_rss = LEAST_SHARE * process.first_rss_bytes.max(process.rss_bytes) as f64;
    let is_shown =
        |part: &&Part| part.most_bytes as f64 >= of_rss.max(1.0) || part.class.may_grow();
    let mut parts: Vec<&Part> = process.parts.iter().filter(is_shown).collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.last_bytes));
    let highest = parts.iter().map(|part| part.first_bytes.max(part.last_bytes)).max()?;
    let shown: Vec<String> = parts
        .iter()
        .map(|part| {
            let bars = sparkline::draw_up_to(&[part.first_bytes, part.last_bytes], highest);
            format!("{} {bars} {}", part.name, bytes(part.last_bytes))
        })
        .collect();
    let (first, last) = (bytes(process.first_rss_bytes), bytes(process.rss_bytes));
    let when = process.parts_read_at_ns.map(|at| format!("; in parts at {}", duration(at)));
    Some(format!("memory {first} -> {last}{}: {}", when.unwrap_or_default(), shown.join(", ")))
}

/// Why the allocator holds what is free, and how to get it back.
pub(crate) fn retained(run: &RunReport) -> Option<String> {
    let part = run.process.part(PartName::AllocatorFree)?;
    let Retained { resident_bytes, in_use_bytes, most_in_use_bytes, most_in_use_at_ns } =
        *part.retained.as_ref()?;
    let had_spike = most_in_use_bytes.saturating_sub(in_use_bytes) >= resident_bytes / 2;
    let since = match had_spike {
        true => format!(
            " since a spike at {} ({} in use then, {} now)",
            duration(most_in_use_at_ns),
            bytes(most_in_use_bytes),
            bytes(in_use_bytes)
        ),
        false => String::new(),
    };
    let back = match run.process.source {
        Some(PartsSource::Jemalloc) => {
            "; jemalloc returns it sooner with `background_thread:true,dirty_decay_ms:1000`"
        }
        Some(PartsSource::Mimalloc) => "; mimalloc returns it sooner with `MIMALLOC_PURGE_DELAY=0`",
        Some(PartsSource::Glibc) => {
            "; glibc returns it with `malloc_trim(0)`, and keeps less with `MALLOC_ARENA_MAX=2`"
        }
        Some(PartsSource::Coarse) | None => "",
    };
    let held = bytes(resident_bytes);
    Some(format!("{held} are free but kept by the allocator{since}: not a leak{back}"))
}

/// What grows beside the call sites, as the end of a sentence on them; nothing if nothing surely does.
pub(crate) fn pace(run: &RunReport) -> String {
    let process = &run.process;
    let grows: Vec<&Part> =
        process.parts.iter().filter(|part| part.class == PartClass::Grows).collect();
    let names: Vec<String> = grows.iter().map(|part| format!("`{}`", part.name)).collect();
    let all = run.explained_bytes_per_hour();
    let mut text = match names.is_empty() {
        true => String::new(),
        false => {
            let verb = if names.len() == 1 { "grows" } else { "grow" };
            let per_hour = rate_bytes(process.parts_bytes_per_hour());
            format!("{} {verb} +{per_hour}/h", names.join(" and "))
        }
    };
    let says = |more: &str, per_hour: f64| {
        format!("resident memory grows {more} than that accounts for, +{}/h", rate_bytes(per_hour))
    };
    let disagrees = match process.unexplained_bytes_per_hour(all) {
        _ if all <= 0.0 => None,
        Some(more) => Some(says("faster", all + more)),
        None if process.lags_behind(all) => {
            Some(says("slower", process.bytes_per_hour.unwrap_or(0.0)))
        }
        None => None,
    };
    if let Some(disagrees) = disagrees {
        text += if text.is_empty() { "" } else { "; " };
        text += &disagrees;
    }
    text
}

/// What grows outside the heap, for the last sentence: of the worst that was ruled so.
pub(crate) fn conclusion(run: &RunReport, gate: Gate) -> Option<String> {
    let mut found = ruled(run).filter(|(_, ruling)| ruling.gate == gate);
    let (worst, ruling) = found.next()?;
    if !worst.class.may_grow() {
        return Some(format!("`{}` is {}.", worst.name, ruling.because));
    }
    let may = match worst.what {
        _ if worst.class == PartClass::Suspect => "may grow",
        What::Part(_) => "grows",
        What::Count(_) => "grow",
    };
    let advice = worst.advice(run).map(|advice| format!(": {advice}")).unwrap_or_default();
    Some(format!("`{}` {may} by {}{advice}.", worst.name, worst.per_op()))
}
