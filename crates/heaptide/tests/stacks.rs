//! Stacks that are not a row of ordinary frames to `main`: each is recorded as another unwinder sees
//! it, or as cut off and counted so; never wrong, never a crash.
//!
//! The other unwinder is the one of the C++ runtime, by way of `backtrace`.

#![expect(unsafe_code, reason = "contexts, signal handlers, shared objects, assembly")]

mod rig;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{mem, ptr};

use heaptide::{Heaptide, Recorder};
use heaptide_format::SiteId;
use rig::objects::{Loaded, build};
use rig::recording::Recording;
use rig::{scratch, scratch_folder};

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

fn main() -> ExitCode {
    rig::main(
        &[
            ("an_ordinary_stack_is_seen_whole", an_ordinary_stack_is_seen_whole),
            ("a_coroutine_may_lie_where_another_lay", a_coroutine_may_lie_where_another_lay),
            ("a_trampoline_is_no_signal_frame", a_trampoline_is_no_signal_frame),
            ("a_stack_ends_where_its_pages_end", a_stack_ends_where_its_pages_end),
            ("what_lay_above_a_coroutine_may_go", what_lay_above_a_coroutine_may_go),
            ("a_handler_on_its_own_stack_is_followed_out", a_handler_is_followed_out),
            ("code_without_tables_cuts_the_stack", code_without_tables_cuts_the_stack),
            ("assembly_without_tables_cuts_the_stack", assembly_without_tables_cuts_the_stack),
            ("tables_that_lie_cut_the_stack", tables_that_lie_cut_the_stack),
            ("a_deep_recursion_keeps_its_inner_frames", a_deep_recursion_keeps_its_inner_frames),
            ("a_reloaded_module_keeps_its_sites_apart", a_reloaded_module_keeps_its_sites_apart),
            ("a_walk_knows_which_module_is_there_now", a_walk_knows_which_module_is_there_now),
            ("modules_that_come_and_go_stay_known", modules_that_come_and_go_stay_known),
            ("more_modules_than_there_is_room_for", more_modules_than_there_is_room_for),
        ],
        &[],
    )
}

/// Under which the observed blocks are made: one tag, for the memo tells tags apart.
const TAG: &str = "observed";

thread_local! {
    static SEEN: RefCell<Vec<Vec<u64>>> = const { RefCell::new(Vec::new()) };
}

/// Makes one block, and remembers the stack as the other unwinder sees it, from the caller of the
/// function at `outward_of` on.
#[inline(never)]
fn observe(outward_of: *const ()) {
    allocate();
    let (mut addresses, mut start) = (Vec::new(), None);
    backtrace::trace(|frame| {
        // A null is how it shows the end.
        addresses.extend(Some(frame.ip().addr() as u64).filter(|&address| address != 0));
        let function = frame.symbol_address().addr();
        if function == outward_of.addr() {
            start = Some(addresses.len());
        }
        true
    });
    let start = start.expect("the function is on the stack");
    SEEN.with_borrow_mut(|seen| seen.push(addresses[start..].to_vec()));
}

/// What a recording says of the observed blocks at a snapshot: stack, whether it is cut, blocks.
fn recorded(recording: &Recording, seq: u64) -> Vec<(Vec<u64>, bool, u64)> {
    let bias: BTreeMap<_, _> = recording.modules.iter().map(|m| (m.id, m.bias.0)).collect();
    let stack = |id: SiteId| {
        let site = recording.sites.iter().find(|site| site.id == id).expect("its line");
        let address = |frame: &heaptide_format::Frame| {
            frame.offset.0.wrapping_add(frame.module.map_or(0, |module| bias[&module]))
        };
        (site.frames.iter().map(address).collect::<Vec<_>>(), site.truncated)
    };
    let rows = recording.tagged(seq, TAG).into_iter();
    rows.map(|row| {
        let (addresses, truncated) = stack(row.site);
        (addresses, truncated, row.allocs)
    })
    .collect()
}

/// Every block must be counted under the stack that was seen, and no other.
fn check(path: &Path, seq: u64, cut: bool) {
    let recording = Recording::read(path);
    let mut expected = BTreeMap::<Vec<u64>, u64>::new();
    for seen in SEEN.take() {
        *expected.entry(seen).or_default() += 1;
    }
    for (addresses, truncated, allocs) in recorded(&recording, seq) {
        let holds = |seen: &&Vec<u64>| addresses.windows(seen.len()).any(|part| part == **seen);
        let seen = expected.keys().find(holds).cloned();
        let seen = seen.unwrap_or_else(|| panic!("nobody saw {addresses:x?}, but {expected:x?}"));
        assert_eq!(expected.remove(&seen), Some(allocs), "{addresses:x?}");
        assert_eq!(truncated, cut, "{addresses:x?}");
    }
    assert!(expected.is_empty(), "not recorded: {expected:x?}");
    let dropped = recording.at(seq).dropped;
    assert_eq!((dropped.frames, dropped.overruns, dropped.blocks), (n_cut(&recording, seq), 0, 0));
}

/// Blocks whose stack the recording says is cut, observed or not.
fn n_cut(recording: &Recording, seq: u64) -> u64 {
    let cut = |id: SiteId| recording.sites.iter().any(|site| site.id == id && site.truncated);
    recording.rows(seq).values().filter(|row| cut(row.site)).map(|row| row.allocs).sum()
}

fn record(name: &str) -> (Recorder, PathBuf) {
    let path = scratch(name);
    let recorder = Recorder::builder().output(&path).start().expect("a recording starts");
    (recorder, path)
}

#[inline(never)]
extern "C" fn land() {
    observe(land as *const ());
    black_box(());
}

fn an_ordinary_stack_is_seen_whole() {
    let (recorder, path) = record("ordinary");
    (0..3).for_each(|_| land());
    land();
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    check(&path, seq, false);
}

// --- coroutines --------------------------------------------------------------------------------

thread_local! {
    static LANDED_AT: Cell<usize> = const { Cell::new(0) };
}

/// Runs `body` on the mapped stack below `top`.
fn on_stack(top: usize, body: extern "C" fn()) {
    // SAFETY: the stack is mapped, large enough, and nobody else's.
    unsafe { on_stack_below(top, body) };
}

/// Maps fresh memory at `at`, or anywhere.
fn map(at: usize, bytes: usize) -> usize {
    let place = if at == 0 { 0 } else { libc::MAP_FIXED_NOREPLACE };
    // SAFETY: replaces no mapping.
    let mapped = unsafe {
        libc::mmap(
            ptr::without_provenance_mut(at),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | place,
            -1,
            0,
        )
    };
    assert_ne!(mapped, libc::MAP_FAILED, "{}", std::io::Error::last_os_error());
    mapped.expose_provenance()
}

fn unmap(at: usize, bytes: usize) {
    // SAFETY: a mapping of ours that nobody uses any more.
    assert_eq!(unsafe { libc::munmap(ptr::with_exposed_provenance_mut(at), bytes) }, 0);
}

#[inline(never)]
fn shared() {
    let here = 0u8;
    LANDED_AT.set((&raw const here).addr());
    land();
    black_box(&here);
}

#[inline(never)]
extern "C" fn near() {
    shared();
    black_box(());
}

#[inline(never)]
extern "C" fn far() {
    #[inline(never)]
    fn deeper(depth: u32) {
        let frame = black_box([depth; 2000]);
        if depth == 0 {
            shared()
        } else {
            deeper(depth - 1)
        }
        black_box(frame);
    }
    deeper(9);
    black_box(());
}

/// Two coroutines, one after the other in the same place and at the same depth. The innermost frames
/// are alike, and where the first went on, nothing is mapped any more.
fn a_coroutine_may_lie_where_another_lay() {
    const LARGE: usize = 1 << 20;
    let (recorder, path) = record("coroutines");
    let bottom = map(0, LARGE);
    on_stack(bottom + LARGE, near);
    let depth_of_near = bottom + LARGE - LANDED_AT.get();
    for _ in 0..3 {
        on_stack(bottom + LARGE, far);
        let landed_at = LANDED_AT.get();
        unmap(bottom, LARGE);
        let top = landed_at + depth_of_near;
        let small = (top - bottom).next_multiple_of(PAGE);
        assert!(small < LARGE - LARGE / 8, "the first stack goes on far beyond");
        assert_eq!(map(bottom, small), bottom);
        on_stack(top, near);
        assert_eq!(LANDED_AT.get(), landed_at, "both must be at the same stack pointer");
        unmap(bottom, small);
        assert_eq!(map(bottom, LARGE), bottom);
    }
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    check(&path, seq, false);
}

/// Runs `body` on a stack of one page, through such a trampoline.
fn on_one_page(trampoline: unsafe extern "C" fn(usize, extern "C" fn()), body: extern "C" fn()) {
    let stack = map(0, 3 * PAGE);
    // Nothing is above it, nor below.
    unmap(stack, PAGE);
    unmap(stack + 2 * PAGE, PAGE);
    // SAFETY: the stack is mapped, and nobody else's.
    unsafe { trampoline(stack + 2 * PAGE, body) };
    unmap(stack + PAGE, PAGE);
}

const PAGE: usize = 4096;

/// `.cfi_signal_frame` says that the caller goes on at the very address. Coroutines use it where a
/// stack begins, and there is no register area of a signal above.
fn a_trampoline_is_no_signal_frame() {
    let (recorder, path) = record("trampoline");
    (0..3).for_each(|_| on_one_page(on_stack_below_exactly, allocate));
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    let recorded = recorded(&recording, seq);
    assert!(recorded.iter().all(|&(_, cut, _)| !cut), "{recorded:x?}");
    assert_eq!(recorded.iter().map(|&(.., n)| n).sum::<u64>(), 3);
}

/// A table that leads above the highest page of a stack: that is where it is cut.
fn a_stack_ends_where_its_pages_end() {
    let (recorder, path) = record("pages");
    (0..3).for_each(|_| on_one_page(on_stack_below_with_a_lie, allocate));
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    let recorded = recorded(&recording, seq);
    assert!(recorded.iter().all(|&(_, cut, _)| cut), "{recorded:x?}");
    assert_eq!(recorded.iter().map(|&(.., n)| n).sum::<u64>(), 3);
    assert_eq!(recording.at(seq).dropped.frames, 3);
}

/// The same table, while there is memory above the stack, and then again when that has gone: what
/// lay there is not looked at as if it had been shown to be there.
fn what_lay_above_a_coroutine_may_go() {
    let (recorder, path) = record("above");
    let stack = map(0, 2 * PAGE);
    let top = stack + PAGE;
    let run = || {
        // SAFETY: the stack is mapped, and nobody else's.
        (0..3).for_each(|_| unsafe { on_stack_below_with_a_lie(top, allocate) });
    };
    // What it leads to is a null, like the end of a stack.
    run();
    unmap(top, PAGE);
    run();
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    let mut cut: Vec<_> =
        recorded(&recording, seq).into_iter().map(|(_, cut, allocs)| (cut, allocs)).collect();
    cut.sort_unstable();
    assert_eq!(cut, [(false, 3), (true, 3)]);
}

// --- signals -----------------------------------------------------------------------------------

extern "C" fn handle(_signal: libc::c_int) {
    // From the frame of what was interrupted on, addresses are what they are elsewhere.
    let outward_of = if cfg!(target_arch = "x86_64") { interrupted as *const () } else { SELF };
    observe(outward_of);
}

const SELF: *const () = handle as *const ();

#[inline(never)]
extern "C" fn interrupted() {
    // SAFETY: takes a plain number; the handler is installed.
    unsafe { libc::raise(libc::SIGUSR1) };
    black_box(());
}

/// Out of the handler, across to the stack that was interrupted.
fn a_handler_is_followed_out() {
    let stack = map(0, 1 << 16);
    let alternate = libc::stack_t {
        ss_sp: ptr::with_exposed_provenance_mut(stack),
        ss_flags: 0,
        ss_size: 1 << 16,
    };
    // SAFETY: a mapped stack that stays; the old one is not asked for.
    assert_eq!(unsafe { libc::sigaltstack(&alternate, ptr::null_mut()) }, 0);
    // SAFETY: all zero is a valid sigaction.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handle as extern "C" fn(libc::c_int) as libc::sighandler_t;
    action.sa_flags = libc::SA_ONSTACK;
    // SAFETY: the signal comes only from `raise`, outside of any allocation.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut()) }, 0);

    let (recorder, path) = record("handler");
    (0..3).for_each(|_| interrupted());
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    if cfg!(target_arch = "x86_64") {
        check(&path, seq, false);
    } else {
        // Emulators have a frame of their own, in no module.
        let recording = Recording::read(&path);
        assert_eq!(recording.at(seq).dropped.frames, n_cut(&recording, seq));
    }
}

// --- shared objects ----------------------------------------------------------------------------

fn code_without_tables_cuts_the_stack() {
    let options = ["-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-fno-exceptions"];
    let bare = Loaded::open(&build(&scratch_folder("bare"), "bare", &options));
    let (recorder, path) = record("bare");
    (0..3).for_each(|_| (bare.through)(land));
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    check(&path, seq, true);
}

/// Two objects with the same code: nothing but their names tells their frames apart.
fn a_reloaded_module_keeps_its_sites_apart() {
    let folder = scratch_folder("plugins");
    let [one, two] = [("one", "0x11111111"), ("two", "0x22222222")]
        .map(|(name, id)| build(&folder, name, &["-g0", &format!("-Wl,--build-id={id}")]));
    let out = folder.join("out");
    // Each snapshot begins a segment, which introduces every site anew.
    let recorder = Recorder::builder().output(out.join("plugins.jsonl")).segment_bytes(1);
    let recorder = recorder.start().expect("a recording starts");
    let (mut calls, mut last) = ([0, 0], 0);
    let mut in_one_place = false;
    // Until the loader has put all three in one place; it usually does at once.
    for _ in 0..20 {
        let places = [(&one, 0, 3), (&two, 1, 5), (&one, 0, 2)].map(|(object, at, n_calls)| {
            let loaded = Loaded::open(object);
            let place = loaded.through as *const () as usize;
            (0..n_calls).for_each(|_| (loaded.through)(land));
            calls[at] += n_calls;
            loaded.close();
            last = recorder.snapshot().expect("a snapshot");
            place
        });
        in_one_place = places == [places[0]; 3];
        if in_one_place {
            break;
        }
    }
    // An emulator may never do it.
    assert!(in_one_place || cfg!(target_arch = "aarch64"), "no place is used again");
    recorder.finish().expect("the end");

    let name = |path: &Path| path.to_string_lossy().into_owned();
    let expected = BTreeMap::from([(name(&one), calls[0]), (name(&two), calls[1])]);
    assert_eq!(blocks_by_plugin(&out, last), expected);
}

/// No snapshot shows that the one has gone before the other is there, and both are of the same size.
/// Their frames are not, so the first block under the other is unwound.
fn a_walk_knows_which_module_is_there_now() {
    let folder = scratch_folder("successors");
    let [one, two] = [("one", "16"), ("two", "80")]
        .map(|(name, bytes)| build(&folder, name, &[&format!("-DFRAME_BYTES={bytes}")]));
    let out = folder.join("out");
    let recorder = Recorder::builder().output(out.join("successors.jsonl")).segment_bytes(1);
    let recorder = recorder.start().expect("a recording starts");
    let (mut calls, mut in_one_place) = ([0, 0], false);
    for _ in 0..20 {
        let places = [(&one, 0, 3), (&two, 1, 5), (&one, 0, 2)].map(|(object, at, n_calls)| {
            let loaded = Loaded::open(object);
            (0..n_calls).for_each(|_| (loaded.through)(land));
            calls[at] += n_calls;
            let place = loaded.through as *const () as usize;
            loaded.close();
            place
        });
        in_one_place = places == [places[0]; 3];
        if in_one_place {
            break;
        }
    }
    assert!(in_one_place || cfg!(target_arch = "aarch64"), "no place is used again");
    let last = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    let name = |path: &Path| path.to_string_lossy().into_owned();
    let expected = BTreeMap::from([(name(&one), calls[0]), (name(&two), calls[1])]);
    assert_eq!(blocks_by_plugin(&out, last), expected);
}

/// Two plugins take turns in one place, more often than the shim has room for modules: they take two
/// entries, their stacks keep their sites, and what comes later is remembered as ever.
fn modules_that_come_and_go_stay_known() {
    const TURNS: u64 = 4500;
    let folder = scratch_folder("turns");
    let [one, two] = [("one", "16"), ("two", "80")].map(|(name, bytes)| {
        let options = [&format!("-DFRAME_BYTES={bytes}"), "-Wl,--build-id=sha1"];
        build(&folder, name, &options)
    });
    let out = folder.join("out");
    let recorder = Recorder::builder().output(out.join("turns.jsonl")).segment_bytes(1);
    let recorder = recorder.start().expect("a recording starts");
    for _ in 0..TURNS {
        for object in [&one, &two] {
            let loaded = Loaded::open(object);
            (loaded.through)(allocate);
            loaded.close();
        }
    }
    let before = recorder.snapshot().expect("a snapshot");
    (0..1000).for_each(|_| allocate());
    let last = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");

    let name = |path: &Path| path.to_string_lossy().into_owned();
    let expected = BTreeMap::from([(name(&one), TURNS), (name(&two), TURNS)]);
    assert_eq!(blocks_by_plugin(&out, before), expected);
    let [before, last] = [before, last].map(|seq| segment_with(&out, seq));
    assert!(before.modules.len() < 100, "{} modules", before.modules.len());
    assert!(before.sites.len() < 500, "{} sites", before.sites.len());
    let misses = |recording: &Recording| recording.last().unwinding.expect("it is said").misses;
    let more = misses(&last) - misses(&before);
    assert!(more < 100, "{more} of 1,000 blocks at one stack were not recognised");
}

/// Stacks through modules for which there is no room end there, and that is counted.
fn more_modules_than_there_is_room_for() {
    const MODULES: u64 = 4200;
    let folder = scratch_folder("many");
    let object = std::fs::read(build(&folder, "one", &["-s", "-nostdlib"])).expect("it was built");
    let out = folder.join("out");
    let recorder = Recorder::builder().output(out.join("many.jsonl")).segment_bytes(1);
    let recorder = recorder.start().expect("a recording starts");
    for n in 0..MODULES {
        let copy = folder.join(format!("libcopy{n}.so"));
        std::fs::write(&copy, &object).expect("a file");
        (Loaded::open(&copy).through)(allocate);
        std::fs::remove_file(&copy).expect("ours");
    }
    let last = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    let segment = segment_with(&out, last);
    let blocks = segment.under(last, TAG).allocs;
    let cut = n_cut(&segment, last);
    assert_eq!((blocks, segment.at(last).dropped.frames), (MODULES, cut));
    let known = blocks_by_plugin(&out, last);
    assert!(known.len() > 4000 && known.values().all(|blocks| *blocks == 1), "{}", known.len());
    assert_eq!(known.len() as u64 + cut, MODULES);
}

fn segment_with(out: &Path, seq: u64) -> Recording {
    let paths = std::fs::read_dir(out).expect("a folder").map(|entry| entry.expect("one").path());
    let mut segments = paths.map(|path| Recording::read(&path));
    let found = segments.find(|it| it.snapshots.iter().any(|snapshot| snapshot.seq == seq));
    found.expect("a segment has the snapshot")
}

/// Observed blocks by the shared object on their stacks, as the segment says that holds a snapshot; without
/// those whose stack is cut.
fn blocks_by_plugin(out: &Path, last: u64) -> BTreeMap<String, u64> {
    let mut blocks = BTreeMap::<String, u64>::new();
    let segment = segment_with(out, last);
    let sites: BTreeMap<_, _> = segment.sites.iter().map(|site| (site.id, site)).collect();
    let paths: BTreeMap<_, _> = segment.modules.iter().map(|it| (it.id, &it.path)).collect();
    for row in segment.tagged(last, TAG) {
        let site = sites[&row.site];
        if site.truncated {
            continue;
        }
        let modules = site.frames.iter().filter_map(|frame| Some(paths[&frame.module?]));
        let plugins: Vec<_> = modules.filter(|path| path.ends_with(".so")).collect();
        let [plugin] = plugins[..] else { panic!("one frame of a plugin: {plugins:?}") };
        *blocks.entry(plugin.clone()).or_default() += row.allocs;
    }
    blocks
}

// --- assembly ----------------------------------------------------------------------------------

#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".text",
    ".globl without_tables",
    ".globl with_a_lie",
    ".globl on_stack_below",
    ".globl on_stack_below_exactly",
    ".globl on_stack_below_with_a_lie",
    // The new stack begins here: this frame has no caller there.
    "on_stack_below:",
    ".cfi_startproc",
    ".cfi_undefined rip",
    "push rbp",
    "mov rbp, rsp",
    "mov rsp, rdi",
    "call rsi",
    "mov rsp, rbp",
    "pop rbp",
    "ret",
    ".cfi_endproc",
    "on_stack_below_exactly:",
    ".cfi_startproc",
    ".cfi_signal_frame",
    ".cfi_undefined rip",
    "push rbp",
    "mov rbp, rsp",
    "mov rsp, rdi",
    "call rsi",
    "nop",
    "mov rsp, rbp",
    "pop rbp",
    "ret",
    ".cfi_endproc",
    // Its table says that the return address lies above the new stack.
    "on_stack_below_with_a_lie:",
    ".cfi_startproc",
    "push rbp",
    "mov rbp, rsp",
    "mov rsp, rdi",
    "call rsi",
    "mov rsp, rbp",
    "pop rbp",
    "ret",
    ".cfi_endproc",
    "without_tables:",
    "push rbx",
    "sub rsp, 16",
    "call rdi",
    "add rsp, 16",
    "pop rbx",
    "ret",
    // Its table says that nothing is on the stack but the return address.
    "with_a_lie:",
    ".cfi_startproc",
    "push 0x10",
    "push 0x20",
    "push 0x31",
    "call rdi",
    "add rsp, 24",
    "ret",
    ".cfi_endproc",
);

#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".text",
    ".globl without_tables",
    ".globl with_a_lie",
    ".globl on_stack_below",
    ".globl on_stack_below_exactly",
    ".globl on_stack_below_with_a_lie",
    // The new stack begins here: this frame has no caller there.
    "on_stack_below:",
    ".cfi_startproc",
    ".cfi_undefined x30",
    "stp x29, x30, [sp, #-16]!",
    "mov x29, sp",
    "mov sp, x0",
    "blr x1",
    "mov sp, x29",
    "ldp x29, x30, [sp], #16",
    "ret",
    ".cfi_endproc",
    "on_stack_below_exactly:",
    ".cfi_startproc",
    ".cfi_signal_frame",
    ".cfi_undefined x30",
    "stp x29, x30, [sp, #-16]!",
    "mov x29, sp",
    "mov sp, x0",
    "blr x1",
    "mov sp, x29",
    "ldp x29, x30, [sp], #16",
    "ret",
    ".cfi_endproc",
    // Its table says that the return address lies above the new stack.
    "on_stack_below_with_a_lie:",
    ".cfi_startproc",
    "stp x29, x30, [sp, #-16]!",
    "mov x29, sp",
    "mov sp, x0",
    ".cfi_def_cfa sp, 16",
    ".cfi_offset x30, -16",
    "blr x1",
    "mov sp, x29",
    "ldp x29, x30, [sp], #16",
    "ret",
    ".cfi_endproc",
    "without_tables:",
    "stp x29, x30, [sp, #-32]!",
    "blr x0",
    "ldp x29, x30, [sp], #32",
    "ret",
    // Its table says that the return address is where something else is.
    "with_a_lie:",
    ".cfi_startproc",
    "stp x29, x30, [sp, #-32]!",
    "mov x1, #0x31",
    "str x1, [sp, #16]",
    ".cfi_def_cfa sp, 32",
    ".cfi_offset x30, -16",
    "blr x0",
    "ldp x29, x30, [sp], #32",
    "ret",
    ".cfi_endproc",
);

unsafe extern "C" {
    safe fn without_tables(call: extern "C" fn());
    safe fn with_a_lie(call: extern "C" fn());
    fn on_stack_below(top: usize, body: extern "C" fn());
    fn on_stack_below_exactly(top: usize, body: extern "C" fn());
    fn on_stack_below_with_a_lie(top: usize, body: extern "C" fn());
}

fn assembly_without_tables_cuts_the_stack() {
    let (recorder, path) = record("assembly");
    (0..3).for_each(|_| without_tables(land));
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    check(&path, seq, true);
}

extern "C" fn allocate() {
    let _scope = heaptide::tag(TAG);
    drop(black_box(Box::new(7u64)));
}

/// Where the table leads there is no code: that is the end.
fn tables_that_lie_cut_the_stack() {
    let (recorder, path) = record("lies");
    (0..3).for_each(|_| with_a_lie(allocate));
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    let [(addresses, true, 3)] = &recorded(&recording, seq)[..] else { panic!("one stack, cut") };
    assert_eq!(addresses.last(), Some(&0x31));
    assert_eq!(recording.at(seq).dropped.frames, 3);
}

// --- depth -------------------------------------------------------------------------------------

#[inline(never)]
fn deep(depth: u32) {
    if depth == 0 {
        allocate();
    } else {
        deep(depth - 1);
    }
    black_box(depth);
}

/// Of ten thousand frames the innermost are kept, as docs/SAFETY.md says, and every block is counted
/// as one whose stack is cut.
fn a_deep_recursion_keeps_its_inner_frames() {
    let (recorder, path) = record("deep");
    (0..5).for_each(|_| deep(10_000));
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    let [(addresses, truncated, allocs)] = &recorded(&recording, seq)[..] else {
        panic!("one stack")
    };
    assert_eq!((addresses.len(), *truncated, *allocs), (256, true, 5));
    assert_eq!(addresses[255], addresses[200], "recursion");
    assert_eq!(recording.at(seq).dropped.frames, 5);
}
