//! Any line at all: what the writer could be asked to write.

use heaptide_format::{
    Account, Budget, Children, Cohort, Dropped, Epoch, Frame, Growth, Header, HeapTotals, Line,
    Mode, Module, ModuleId, ModuleOffset, Name, NamedOffset, Names, Parent, Parts, PartsSource,
    Reason, Site, SiteId, SiteRow, Snapshot, TagTotals, Unwinding,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

/// A line of any kind.
pub(crate) fn line() -> impl Strategy<Value = Line> {
    prop_oneof![
        header().prop_map(Line::Header),
        module().prop_map(Line::Module),
        names().prop_map(Line::Names),
        site().prop_map(Line::Site),
        snapshot().prop_map(Line::Snapshot),
    ]
}

/// Text with everything that JSON escapes.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z:<>& ]{0,20}", any::<String>()]
}

fn hex() -> impl Strategy<Value = Option<String>> {
    option::of("([0-9a-f]{2}){0,20}")
}

fn offset() -> impl Strategy<Value = ModuleOffset> {
    any::<u64>().prop_map(ModuleOffset)
}

fn header() -> impl Strategy<Value = Header> {
    let mode = prop_oneof![
        Just(Mode::Exact),
        any::<u64>().prop_map(|period_bytes| Mode::Sampled { period_bytes })
    ];
    let words = (text(), text(), text(), text(), text(), text(), text());
    let numbers = (any::<[u32; 3]>(), any::<[u64; 3]>());
    let parent = (any::<u32>(), text()).prop_map(|(pid, recording)| Parent { pid, recording });
    let more = (vec(text(), 0..3), option::of(parent));
    let numbers_known = any::<([Option<u64>; 3], Option<u32>)>();
    let options = (hex(), option::of(text()), numbers_known, more);
    (words, numbers, options, mode).prop_map(|(words, numbers, options, mode)| {
        let (writer, recording, exe, host, arch, inner, unwinder) = words;
        let ([format, segment, pid], [start_unix_ns, start_mono_ns, interval_ns]) = numbers;
        let (build_id, signal, known, (shim_sources, parent)) = options;
        let ([memory_limit_bytes, machine_bytes, budget_bytes], frames) = known;
        Header {
            format,
            writer,
            recording,
            segment,
            pid,
            exe,
            build_id,
            host,
            arch,
            start_unix_ns,
            start_mono_ns,
            mode,
            interval_ns,
            signal,
            inner,
            unwinder,
            shim_sources,
            memory_limit_bytes,
            machine_bytes,
            budget_bytes,
            frames,
            parent,
        }
    })
}

fn module() -> impl Strategy<Value = Module> {
    (any::<u32>(), text(), hex(), offset()).prop_map(|(id, path, build_id, bias)| Module {
        id: ModuleId(id),
        path,
        build_id,
        bias,
    })
}

fn names() -> impl Strategy<Value = Names> {
    let name = (text(), option::of(text()), option::of(any::<u32>()))
        .prop_map(|(function, file, line)| Name { function, file, line });
    let named =
        (offset(), vec(name, 1..4)).prop_map(|(offset, names)| NamedOffset { offset, names });
    (any::<u32>(), vec(named, 0..4))
        .prop_map(|(module, offsets)| Names { module: ModuleId(module), offsets })
}

fn site() -> impl Strategy<Value = Site> {
    let frame = (option::of(any::<u32>().prop_map(ModuleId)), offset())
        .prop_map(|(module, offset)| Frame { module, offset });
    (any::<u32>(), option::of(text()), vec(frame, 0..8), any::<bool>())
        .prop_map(|(id, tag, frames, truncated)| Site { id: SiteId(id), tag, frames, truncated })
}

fn work() -> impl Strategy<Value = std::collections::BTreeMap<String, u64>> {
    btree_map(text(), any::<u64>(), 0..3)
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let reason = prop_oneof![
        Just(Reason::Interval),
        Just(Reason::Signal),
        Just(Reason::Call),
        Just(Reason::Exit),
        Just(Reason::Threshold),
    ];
    let tag = (text(), any::<[u64; 2]>()).prop_map(|(tag, [live_objects, live_bytes])| TagTotals {
        tag,
        live_objects,
        live_bytes,
    });
    let known = (option::of(unwinding()), option::of(budget()), option::of(children()));
    let missing = (dropped(), known, any::<Option<u32>>(), option::of(account()));
    let parts = (reason, work(), vec(tag, 0..3), heap(), missing, vec(row(), 0..4));
    (any::<[u64; 5]>(), any::<u32>(), option::of(any::<u64>()), parts).prop_map(
        |([seq, mono_ns, freed_from_before, rss_bytes, own_bytes], epoch, cgroup_bytes, parts)| {
            let (reason, work, tags, heap, missing, sites) = parts;
            let (dropped, (unwinding, budget, children), frames_kept, account) = missing;
            Snapshot {
                seq,
                mono_ns,
                epoch: Epoch(epoch),
                reason,
                work,
                tags,
                heap,
                rss_bytes,
                freed_from_before,
                cgroup_bytes,
                dropped,
                unwinding,
                own_bytes,
                frames_kept,
                budget,
                children,
                account,
                sites,
            }
        },
    )
}

fn heap() -> impl Strategy<Value = HeapTotals> {
    any::<[u64; 7]>().prop_map(
        |[allocs, frees, alloc_bytes, freed_bytes, reallocs, live_objects, live_bytes]| {
            HeapTotals {
                allocs,
                frees,
                alloc_bytes,
                freed_bytes,
                reallocs,
                live_objects,
                live_bytes,
            }
        },
    )
}

fn dropped() -> impl Strategy<Value = Dropped> {
    any::<[u64; 7]>().prop_map(|[sites, frames, samples, blocks, overruns, snapshots, segments]| {
        Dropped { sites, frames, samples, blocks, overruns, snapshots, segments }
    })
}

fn children() -> impl Strategy<Value = Children> {
    any::<([u64; 4], bool)>().prop_map(|([forked, recorded, finished, brief], followed)| Children {
        forked,
        recorded,
        finished,
        brief,
        followed,
    })
}

fn account() -> impl Strategy<Value = Account> {
    let numbers = any::<([u64; 7], Option<u64>)>();
    (numbers, option::of(parts())).prop_map(|((numbers, descriptors), parts)| {
        let [anonymous, file, shared, swap_bytes, threads, cpu_ns, cost_ns] = numbers;
        Account {
            anonymous_resident_bytes: anonymous,
            file_resident_bytes: file,
            shared_resident_bytes: shared,
            swap_bytes,
            threads,
            descriptors,
            cpu_ns,
            parts,
            cost_ns,
        }
    })
}

fn parts() -> impl Strategy<Value = Parts> {
    let source = prop_oneof![
        Just(PartsSource::Glibc),
        Just(PartsSource::Jemalloc),
        Just(PartsSource::Mimalloc),
        Just(PartsSource::Coarse),
    ];
    (source, any::<[u64; 9]>()).prop_map(|(source, bytes)| Parts {
        source,
        rust_heap_bytes: bytes[0],
        other_malloc_bytes: bytes[1],
        allocator_free_bytes: bytes[2],
        thread_stacks_bytes: bytes[3],
        anonymous_bytes: bytes[4],
        files_bytes: bytes[5],
        shim_bytes: bytes[6],
        not_resident_bytes: bytes[7],
        mappings: bytes[8],
    })
}

fn budget() -> impl Strategy<Value = Budget> {
    any::<[u64; 2]>().prop_map(|[taken_bytes, refused]| Budget { taken_bytes, refused })
}

fn unwinding() -> impl Strategy<Value = Unwinding> {
    any::<[u64; 2]>().prop_map(|[misses, uncacheable]| Unwinding { misses, uncacheable })
}

fn row() -> impl Strategy<Value = SiteRow> {
    let range = || option::of(any::<(u64, u64)>());
    let error = || option::of(0.0..1e18);
    let cohort = any::<(u32, u64, u64)>()
        .prop_map(|(epoch, objects, bytes)| Cohort(Epoch(epoch), objects, bytes));
    let grown_at = option::of(any::<u32>().prop_map(SiteId));
    let growth = (any::<u32>(), any::<u64>(), grown_at, work());
    let growth = growth.prop_map(|(epoch, bytes, grown_at, work)| Growth {
        epoch: Epoch(epoch),
        bytes,
        grown_at,
        work,
    });
    let lists = (vec(cohort, 0..4), vec(growth, 0..3));
    let options = (range(), range(), option::of(any::<u64>()), error(), error());
    (any::<u32>(), heap(), any::<u64>(), lists, options).prop_map(
        |(site, heap, largest_bytes, (cohorts, growth), options)| {
            let (objects_range, bytes_range, last_free_ns, objects_error, bytes_error) = options;
            SiteRow {
                site: SiteId(site),
                allocs: heap.allocs,
                frees: heap.frees,
                alloc_bytes: heap.alloc_bytes,
                freed_bytes: heap.freed_bytes,
                reallocs: heap.reallocs,
                live_objects: heap.live_objects,
                live_bytes: heap.live_bytes,
                objects_range,
                bytes_range,
                cohorts,
                largest_bytes,
                growth,
                last_free_ns,
                objects_error,
                bytes_error,
            }
        },
    )
}
