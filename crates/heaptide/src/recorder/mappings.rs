//! What the mappings of a process are for, as far as `/proc/self/maps` and a few words of memory tell.
//!
//! The kernel names the first stack and the heap of `brk`. The rest is told by its shape:
//!
//! * *an arena of glibc* begins on a multiple of 64 MiB with a header that gives its size, and what it has
//!   not used yet is reserved behind it (`heap_info` in glibc's `arena.c`);
//! * *a stack* is what stands right above a guard that nobody may touch;
//! * *a large chunk of glibc's* is a mapping of its own that begins with the chunk's size and a mark
//!   (`IS_MMAPPED` in glibc's `malloc.c`). The kernel joins neighbours, so several may stand in one line.

#![forbid(unsafe_code)]

use std::ops::Range;

/// Reads a word of this process's memory; `None` if there is none at the address.
pub(super) type ReadWord<'a> = &'a dyn Fn(u64) -> Option<u64>;

/// What the mappings that are of no file are for; each list in order of address.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Mappings {
    /// The heap of `brk`, and arenas of glibc.
    pub(super) arenas: Vec<Range<u64>>,
    /// Large chunks of glibc.
    pub(super) chunks: Vec<Range<u64>>,
    /// Stacks of threads.
    pub(super) stacks: Vec<Range<u64>>,
    /// The recorder's.
    pub(super) own: Vec<Range<u64>>,
    /// All others.
    pub(super) others: Vec<Range<u64>>,
    /// Mappings of any kind.
    pub(super) n_mappings: u64,
}

/// One line of `maps` that may count.
#[derive(Clone, Debug)]
struct Line<'a> {
    range: Range<u64>,
    rights: &'a [u8],
    is_anonymous: bool,
    name: &'a [u8],
}

const ARENA_BYTES: u64 = 64 << 20;
const PAGE_BYTES: u64 = 4096;
/// A guard is seldom more than a page; an arena's reserve is.
const MOST_GUARD_BYTES: u64 = 1 << 20;
/// Chunks that are looked at in one reading.
const MOST_CHUNKS: usize = 20_000;

impl Mappings {
    /// Reads the text of `maps`. `own` is what the recorder mapped, in order of address: the kernel may have
    /// joined it with its neighbours.
    pub(super) fn read(maps: &[u8], own: &[Range<u64>], word: ReadWord<'_>) -> Self {
        let lines: Vec<Line<'_>> = maps.split(|&byte| byte == b'\n').filter_map(parse).collect();
        let mut found = Self { n_mappings: lines.len() as u64, ..Self::default() };
        for (at, line) in lines.iter().enumerate() {
            let before = at.checked_sub(1).map(|before| &lines[before]);
            if line.is_memory() {
                found.add(line, before, lines.get(at + 1), own, word);
            }
        }
        found
    }

    fn add(
        &mut self,
        line: &Line<'_>,
        before: Option<&Line<'_>>,
        after: Option<&Line<'_>>,
        own: &[Range<u64>],
        word: ReadWord<'_>,
    ) {
        let Range { start, end } = line.range;
        let mut rest = start;
        let first_own = own.partition_point(|own| own.end <= start);
        for own in own[first_own..].iter().take_while(|own| own.start < end) {
            let own = own.start.max(start)..own.end.min(end);
            self.add_program(line.name, rest..own.start, before, None, word);
            rest = own.end;
            self.own.push(own);
        }
        let before = before.filter(|_| rest == start);
        self.add_program(line.name, rest..end, before, after, word);
    }

    /// Of a mapping, or a piece of one, that is the program's.
    fn add_program(
        &mut self,
        name: &[u8],
        range: Range<u64>,
        before: Option<&Line<'_>>,
        after: Option<&Line<'_>>,
        word: ReadWord<'_>,
    ) {
        match name {
            _ if range.is_empty() => return,
            b"[heap]" => return self.arenas.push(range),
            b"[stack]" => return self.stacks.push(range),
            _ => {}
        }
        let mut rest = range.start;
        for arena in arenas_in(&range, after, word) {
            self.add_other(rest..arena.start, before, word);
            rest = arena.end;
            self.arenas.push(arena);
        }
        let before = before.filter(|_| rest == range.start);
        self.add_other(rest..range.end, before, word);
    }

    /// Of a mapping that is no arena: a stack, or chunks and whatever stands behind them.
    fn add_other(&mut self, range: Range<u64>, before: Option<&Line<'_>>, word: ReadWord<'_>) {
        if range.is_empty() {
            return;
        }
        if before.is_some_and(|before| before.is_guard_of(&range)) && !self.is_behind_arena(before)
        {
            return self.stacks.push(range);
        }
        let mut rest = range.start;
        while self.chunks.len() < MOST_CHUNKS
            && let Some(chunk) = chunk_at(rest, range.end, word)
        {
            rest = chunk.end;
            self.chunks.push(chunk);
        }
        if rest < range.end {
            self.others.push(rest..range.end);
        }
    }

    /// Whether a line without rights is what an arena has reserved.
    fn is_behind_arena(&self, line: Option<&Line<'_>>) -> bool {
        let arena = self.arenas.last();
        line.zip(arena).is_some_and(|(line, arena)| line.range.start == arena.end)
    }
}

impl Line<'_> {
    /// Whether it holds private memory of no file.
    fn is_memory(&self) -> bool {
        let is_named = self.name.starts_with(b"[") && !self.name.starts_with(b"[anon");
        self.is_anonymous
            && self.rights[3] == b'p'
            && &self.rights[..3] != b"---"
            && (!is_named || self.name == b"[heap]" || self.name == b"[stack]")
    }

    fn is_guard_of(&self, range: &Range<u64>) -> bool {
        self.is_anonymous
            && &self.rights[..3] == b"---"
            && self.range.end == range.start
            && self.range.end - self.range.start <= MOST_GUARD_BYTES
    }
}

/// `START-END RIGHTS OFFSET DEVICE INODE NAME`, in `proc(5)`.
fn parse(line: &[u8]) -> Option<Line<'_>> {
    let mut fields = line.split(|&byte| byte == b' ').filter(|field| !field.is_empty());
    let addresses = fields.next()?;
    let dash = addresses.iter().position(|&byte| byte == b'-')?;
    let range = hex(&addresses[..dash])?..hex(&addresses[dash + 1..])?;
    let rights = fields.next().filter(|rights| rights.len() == 4)?;
    let inode = fields.nth(2)?;
    Some(Line { range, rights, is_anonymous: inode == b"0", name: fields.next().unwrap_or(b"") })
}

fn hex(digits: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The arenas in a mapping, which may begin and end with something else.
fn arenas_in(range: &Range<u64>, after: Option<&Line<'_>>, word: ReadWord<'_>) -> Vec<Range<u64>> {
    let mut arenas = Vec::new();
    let mut at = range.start.next_multiple_of(ARENA_BYTES);
    while at < range.end {
        let end = range.end.min(at + ARENA_BYTES);
        // What the arena has not used yet, unless it has used all.
        let is_reserved = end == at + ARENA_BYTES
            || after.is_some_and(|after| after.range.start == end && &after.rights[..3] == b"---");
        // `heap_info`: its arena, the heap before it, its size, and how much of it may be touched. It may
        // have grown into its reserve since the mappings were read.
        let size = word(at + 16);
        let is_size =
            |size: u64| size.is_multiple_of(PAGE_BYTES) && size > 0 && size <= ARENA_BYTES;
        let is_heap = size.is_none_or(is_size);
        if is_reserved && is_heap && (size.is_some() || end < at + ARENA_BYTES) {
            arenas.push(at..end);
        }
        at += ARENA_BYTES;
    }
    arenas
}

/// The large chunk of glibc that begins at `at`, if one does.
fn chunk_at(at: u64, end: u64, word: ReadWord<'_>) -> Option<Range<u64>> {
    const MARKS: u64 = 7;
    const IS_MMAPPED: u64 = 2;
    if word(at)? != 0 {
        return None;
    }
    let size = word(at + 8)?;
    let bytes = size & !MARKS;
    let is_chunk = size & MARKS == IS_MMAPPED
        && bytes.is_multiple_of(PAGE_BYTES)
        && bytes > 0
        && bytes <= end - at;
    is_chunk.then(|| at..at + bytes)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const MAPS: &str = "\
555500000000-555500002000 r--p 00000000 08:01 77 /srv/shop
555500100000-555500200000 rw-p 00000000 00:00 0  [heap]
7f0000000000-7f0000021000 rw-p 00000000 00:00 0
7f0000021000-7f0004000000 ---p 00000000 00:00 0
7f0004000000-7f0004100000 rw-p 00000000 00:00 0
7f0010000000-7f0010001000 ---p 00000000 00:00 0
7f0010001000-7f0010201000 rw-p 00000000 00:00 0
7f0010300000-7f0010384000 rw-p 00000000 00:00 0
7f0010400000-7f0010401000 rw-s 00000000 00:01 9 /dev/zero (deleted)
7f0010500000-7f0010600000 rw-p 00000000 00:00 0  [anon:names]
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0  [stack]
7ffc00100000-7ffc00104000 r--p 00000000 00:00 0  [vvar]
";

    /// An arena's header, and two chunks in one mapping with something else behind them.
    fn word(at: u64) -> Option<u64> {
        match at {
            0x7f00_0000_0010 => Some(0x21000),
            0x7f00_1030_0008 => Some(0x40002),
            0x7f00_1034_0008 => Some(0x41002),
            0x7f00_1038_1000 => Some(1),
            _ => Some(0),
        }
    }

    #[test]
    fn each_mapping_is_told_by_its_shape() {
        // The end of what the kernel made one of a stack and of ours.
        let own = [0x7f00_1018_0000..0x7f00_1020_1000, 0x7f00_1050_0000..0x7f00_1060_0000];
        let found = Mappings::read(MAPS.as_bytes(), &own, &word);
        let expected = Mappings {
            arenas: vec![0x5555_0010_0000..0x5555_0020_0000, 0x7f00_0000_0000..0x7f00_0002_1000],
            chunks: vec![0x7f00_1030_0000..0x7f00_1034_0000, 0x7f00_1034_0000..0x7f00_1038_1000],
            stacks: vec![0x7f00_1000_1000..0x7f00_1018_0000, 0x7ffc_0000_0000..0x7ffc_0002_1000],
            own: own.to_vec(),
            others: vec![0x7f00_0400_0000..0x7f00_0410_0000, 0x7f00_1038_1000..0x7f00_1038_4000],
            n_mappings: 12,
        };
        assert_eq!(found, expected);
    }

    /// The leak of a busy service was at times called `anonymous`, whole arenas of it: they had grown by a page
    /// between the mappings and their headers.
    #[test]
    fn an_arena_may_grow_while_it_is_looked_at() {
        let arenas = |size| {
            let word = |at| if at == 0x7f00_0000_0010 { Some(size) } else { word(at) };
            Mappings::read(MAPS.as_bytes(), &[], &word).arenas.len()
        };
        assert_eq!(arenas(0x22000), 2, "a page more than is mapped");
        assert_eq!(arenas(0x20000), 2, "a page less");
        assert_eq!(arenas(ARENA_BYTES), 2, "all of its reserve");
        assert_eq!(arenas(ARENA_BYTES + PAGE_BYTES), 1, "no arena is so large");
        assert_eq!(arenas(0x21001), 1, "nor is it of odd bytes");
        assert_eq!(arenas(0), 1);
    }

    /// What stands above an arena's reserve has no guard; without memory to read, the reserve tells.
    #[test]
    fn without_a_look_into_memory_shapes_are_all_there_is() {
        let found = Mappings::read(MAPS.as_bytes(), &[], &|_| None);
        assert_eq!(found.arenas.len(), 2);
        assert_eq!(found.stacks.len(), 2);
        assert_eq!(found.chunks, []);
        assert_eq!(found.others.len(), 3);
    }

    #[test]
    fn a_size_beyond_the_end_of_memory_is_no_arena() {
        let word = |at| Some(if at == 0x7f00_0000_0010 { u64::MAX << 12 } else { 0 });
        let found = Mappings::read(MAPS.as_bytes(), &[], &word);
        let starts: Vec<u64> = found.arenas.iter().map(|arena| arena.start).collect();
        assert_eq!(starts, [0x5555_0010_0000]);
    }

    #[test]
    fn lines_that_make_no_sense_are_passed_over() {
        for maps in ["", "\n\n", "1-", "1-2", "1-2 rw-p", "zz-10 rw-p 0 0 0", "1-2 rw 0 0 0"] {
            assert_eq!(
                Mappings::read(maps.as_bytes(), &[], &|_| None),
                Mappings::default(),
                "{maps}"
            );
        }
    }
}
