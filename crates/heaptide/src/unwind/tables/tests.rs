//! Rules of single addresses, from tables written byte by byte, for both machines.

use proptest::prelude::*;

use super::super::arch;
use super::*;

const FRAMES_AT: u64 = 0x2000;
const HEADER_AT: u64 = 0x1000;
const CODE_AT: u64 = 0x10_0000;
const CODE_BYTES: u64 = 0x400;

/// `.eh_frame` and `.eh_frame_hdr` for one function at [`CODE_AT`].
struct Tables {
    header: Vec<u8>,
    frames: Vec<u8>,
}

impl Tables {
    fn new(arch: Arch, augmentation: &[u8], instructions: &[u8]) -> Self {
        let mut common = vec![0, 0, 0, 0, 1];
        common.extend(augmentation);
        // Code in units of one byte, data in units of minus eight; addresses in eight bytes.
        common.extend([0, 1, 0x78, arch.ra.0 as u8, 1, 0x04]);
        let mut frames = entry(common);
        let at = frames.len() as u32;
        let mut function = (at + 4).to_le_bytes().to_vec();
        function.extend(CODE_AT.to_le_bytes());
        function.extend(CODE_BYTES.to_le_bytes());
        function.push(0);
        function.extend(instructions);
        frames.extend(entry(function));
        frames.extend([0; 4]);
        let mut header = ENCODING.to_vec();
        header.extend(((FRAMES_AT - HEADER_AT - 4) as i32).to_ne_bytes());
        header.extend(1u32.to_ne_bytes());
        header.extend(((CODE_AT - HEADER_AT) as i32).to_ne_bytes());
        header.extend(((FRAMES_AT + u64::from(at) - HEADER_AT) as i32).to_ne_bytes());
        Self { header, frames }
    }

    fn rule_of(&self, arch: Arch, address: u64) -> Rule {
        let sections = Sections {
            header: &self.header,
            header_at: HEADER_AT,
            frames: &self.frames,
            frames_at: FRAMES_AT,
        };
        rule_of(arch, sections, address)
    }
}

fn entry(mut body: Vec<u8>) -> Vec<u8> {
    body.resize(body.len().next_multiple_of(4), 0);
    let mut entry = (body.len() as u32).to_le_bytes().to_vec();
    entry.extend(body);
    entry
}

// The instructions of DWARF 5, section 6.4.2; numbers below 128.
fn cfa(register: gimli::Register, offset: u8) -> Vec<u8> {
    vec![0x0c, register.0 as u8, offset]
}
fn saved(register: gimli::Register, words_below_cfa: u8) -> Vec<u8> {
    vec![0x80 | register.0 as u8, words_below_cfa]
}
fn undefined(register: gimli::Register) -> Vec<u8> {
    vec![0x07, register.0 as u8]
}
fn same(register: gimli::Register) -> Vec<u8> {
    vec![0x08, register.0 as u8]
}
fn in_register(register: gimli::Register, other: u8) -> Vec<u8> {
    vec![0x09, register.0 as u8, other]
}
/// Kept where an expression says (`DW_OP_breg31 0`, `DW_OP_deref`).
fn expressed(register: gimli::Register) -> Vec<u8> {
    vec![0x10, register.0 as u8, 3, 0x8f, 0, 0x06]
}
const CFA_EXPRESSED: [u8; 5] = [0x0f, 3, 0x8f, 0, 0x06];
const NEGATE_RA_STATE: [u8; 1] = [0x2d];
const REMEMBER: [u8; 1] = [0x0a];
const LATER: [u8; 2] = [0x02, 0x80];

fn frame(base: Base, cfa_words: u32, ra_words: i16, fp_words: Option<i16>) -> Rule {
    Rule::Frame { base, cfa_words, ra_words, fp_words, resumes: Resumes::AfterCall }
}

/// What is said of a function, and the rule it comes down to.
fn cases(arch: Arch) -> Vec<(&'static str, Vec<Vec<u8>>, Rule)> {
    let Arch { sp, fp, ra, .. } = arch;
    let other = gimli::Register(3);
    let many: Vec<_> = (40..80).map(|n| vec![0x05, n, 2]).collect();
    let signed = if arch.vendor == gimli::Vendor::AArch64 {
        frame(Base::Sp, 4, -2, None)
    } else {
        Rule::Unknown
    };
    vec![
        ("by the stack pointer", vec![cfa(sp, 32), saved(ra, 1)], frame(Base::Sp, 4, -1, None)),
        (
            "by the base pointer",
            vec![cfa(fp, 16), saved(ra, 1), saved(fp, 2)],
            frame(Base::Fp, 2, -1, Some(-2)),
        ),
        (
            "a frame record at the bottom",
            vec![cfa(sp, 64), saved(fp, 8), saved(ra, 7)],
            frame(Base::Sp, 8, -7, Some(-8)),
        ),
        (
            "the base pointer untouched",
            vec![cfa(sp, 16), saved(ra, 1), same(fp)],
            frame(Base::Sp, 2, -1, None),
        ),
        (
            "registers that no rule needs",
            vec![cfa(sp, 32), saved(ra, 1), saved(other, 2), expressed(gimli::Register(19))],
            frame(Base::Sp, 4, -1, None),
        ),
        (
            "a signed return address",
            vec![cfa(sp, 32), NEGATE_RA_STATE.to_vec(), saved(ra, 2)],
            signed,
        ),
        ("the outermost frame", vec![cfa(sp, 8), undefined(ra)], Rule::Root),
        ("the return address in its register", vec![cfa(sp, 8)], Rule::Unknown),
        ("the same, said so", vec![cfa(sp, 8), same(ra)], Rule::Unknown),
        ("the return address in another", vec![cfa(sp, 8), in_register(ra, 3)], Rule::Unknown),
        ("by another register", vec![cfa(other, 16), saved(ra, 1)], Rule::Unknown),
        ("by an expression", vec![CFA_EXPRESSED.to_vec(), saved(ra, 1)], Rule::Unknown),
        ("a return address by one", vec![cfa(sp, 16), expressed(ra)], Rule::Unknown),
        ("a base pointer by one", vec![cfa(sp, 16), saved(ra, 1), expressed(fp)], Rule::Unknown),
        ("a base pointer lost", vec![cfa(sp, 16), saved(ra, 1), undefined(fp)], Rule::Unknown),
        ("half a word", vec![cfa(sp, 12), saved(ra, 1)], Rule::Unknown),
        ("no extent", vec![saved(ra, 1)], Rule::Unknown),
        ("more registers than there are", many, Rule::Unknown),
        ("more memories than there is room for", vec![REMEMBER.to_vec(); 5], Rule::Unknown),
        ("no instruction at all", vec![vec![0x3f]], Rule::Unknown),
        (
            "another rule from here on",
            vec![cfa(sp, 8), saved(ra, 1), LATER.to_vec(), cfa(sp, 48)],
            frame(Base::Sp, 1, -1, None),
        ),
    ]
}

#[test]
fn a_row_of_the_table_is_its_rule() {
    for arch in arch::ALL {
        for (name, instructions, rule) in cases(arch) {
            let tables = Tables::new(arch, b"zR", &instructions.concat());
            assert_eq!(tables.rule_of(arch, CODE_AT), rule, "{name}: {arch:?}");
        }
    }
}

#[test]
fn a_rule_holds_where_the_table_says() {
    for arch in arch::ALL {
        let instructions =
            [cfa(arch.sp, 8), saved(arch.ra, 1), LATER.to_vec(), cfa(arch.sp, 48)].concat();
        let tables = Tables::new(arch, b"zR", &instructions);
        let (first, second) = (frame(Base::Sp, 1, -1, None), frame(Base::Sp, 6, -1, None));
        for (offset, rule) in [
            (0, first),
            (0x7f, first),
            (0x80, second),
            (CODE_BYTES - 1, second),
            (CODE_BYTES, Rule::Unknown),
        ] {
            assert_eq!(tables.rule_of(arch, CODE_AT + offset), rule, "at {offset:#x}: {arch:?}");
        }
        assert_eq!(tables.rule_of(arch, CODE_AT - 1), Rule::Unknown);
        assert_eq!(tables.rule_of(arch, 0), Rule::Unknown);
    }
}

/// What the augmentation `S` says, and no more.
#[test]
fn where_the_caller_goes_on_is_told_beside_the_rule() {
    for arch in arch::ALL {
        for (name, instructions, rule) in cases(arch) {
            let tables = Tables::new(arch, b"zRS", &instructions.concat());
            let expected = rule.resuming(Resumes::AtAddress);
            assert_eq!(tables.rule_of(arch, CODE_AT), expected, "{name}: {arch:?}");
        }
    }
}

#[test]
fn the_header_says_where_the_tables_are() {
    let tables = Tables::new(arch::HERE, b"zR", &[]);
    assert_eq!(frames_at(&tables.header, HEADER_AT), Some(FRAMES_AT));
    assert_eq!(frames_at(&tables.header[..3], HEADER_AT), None);
    assert_eq!(frames_at(&[], HEADER_AT), None);
}

proptest! {
    /// Tables are the program's: whatever stands in them, nothing panics or runs on.
    #[test]
    #[cfg_attr(miri, ignore = "safe code, and slow there")]
    fn damaged_tables_do_no_harm(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        in_header: bool,
        cut in any::<prop::sample::Index>(),
        case in any::<prop::sample::Index>(),
    ) {
        for arch in arch::ALL {
            let cases = cases(arch);
            let (_, instructions, _) = case.get(&cases);
            let mut tables = Tables::new(arch, b"zR", &instructions.concat());
            let bytes = if in_header { &mut tables.header } else { &mut tables.frames };
            for (at, value) in &damage {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            bytes.truncate(cut.index(bytes.len() + 1));
            tables.rule_of(arch, CODE_AT + 8);
            frames_at(&tables.header, HEADER_AT);
        }
    }
}
