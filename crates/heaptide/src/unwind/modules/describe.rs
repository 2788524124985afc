//! What a module says of itself: its program headers, and what they lead to.

use core::ffi::CStr;

use crate::sys::{self, Answer, LoadedObject, ProgramHeader};

#[cfg(target_pointer_width = "64")]
type FileHeader = libc::Elf64_Ehdr;

/// One module, as it was found.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) bias: u64,
    /// Address of the loader's own record; 0 if it is not known.
    pub(super) link_map: u64,
    pub(super) header_at: u64,
    pub(super) header_len: u64,
    pub(super) tables_end: u64,
    pub(super) path: &'static [u8],
    pub(super) build_id: Option<&'static [u8]>,
    pub(super) build_id_at: u64,
    /// Of its thread-local variables, with what may be left free for their alignment.
    pub(super) thread_local_bytes: u64,
}

/// Describes a module that `dl_iterate_phdr` shows.
///
/// # Safety
/// `info` must describe a module that is loaded and stays so during the call. The slices in the
/// result are good for as long.
pub(super) unsafe fn iterated(info: &libc::dl_phdr_info) -> Seen {
    let mut path: &[u8] = &[];
    if !info.dlpi_name.is_null() {
        // SAFETY: the loader's names are C strings.
        path = unsafe { CStr::from_ptr(info.dlpi_name) }.to_bytes();
    }
    if info.dlpi_phdr.is_null() {
        return Seen { start: u64::MAX, bias: info.dlpi_addr, path, ..Seen::default() };
    }
    // SAFETY: the loader says that there are `dlpi_phnum` headers.
    let headers =
        unsafe { core::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    // SAFETY: the caller's promise.
    Seen { path, ..unsafe { described_by(headers, info.dlpi_addr) } }
}

/// Describes a module that the loader found around an address. `None` if its file header is not where
/// the module begins, as linkers have it.
///
/// # Safety
/// The module must be loaded and stay so during the call. The slices in the result are good for as
/// long.
pub(super) unsafe fn found(object: &LoadedObject) -> Option<Seen> {
    let LoadedObject { start, end, link_map, header_at } = *object;
    // SAFETY: the caller's promise.
    let (path, bias) = unsafe { sys::path_and_bias_of(object) }?;
    let seen = if is_executable(object) {
        // SAFETY: the headers are the executable's, which stays.
        unsafe { described_by(sys::headers_of_executable(), bias) }
    } else {
        // SAFETY: the caller's promise.
        let headers = unsafe { headers_of(object) }?;
        // SAFETY: as above; the headers are the module's.
        Seen { start, end, ..unsafe { described_by(headers, bias) } }
    };
    (seen.header_at == header_at).then_some(Seen { link_map, path, ..seen })
}

/// Whether the loader means the executable, though it may have found another part of it.
fn is_executable(object: &LoadedObject) -> bool {
    match sys::object_at(sys::address_in_executable()) {
        Answer::Module(executable) => executable.link_map == object.link_map,
        Answer::Nothing | Answer::CannotSay => false,
    }
}

/// The program headers behind the file header that a module begins with.
///
/// # Safety
/// As [`found`].
unsafe fn headers_of(object: &LoadedObject) -> Option<&'static [ProgramHeader]> {
    let bytes = object.end.checked_sub(object.start)?;
    if bytes < size_of::<FileHeader>() as u64 || !are_readable(object.start, 64) {
        return None;
    }
    let at = core::ptr::with_exposed_provenance::<FileHeader>(object.start as usize);
    // SAFETY: readable, as was just seen, and every bit pattern is a file header.
    let file = unsafe { at.read_unaligned() };
    let (n_headers, size) = (u64::from(file.e_phnum), u64::from(file.e_phentsize));
    let headers_bytes = n_headers * size_of::<ProgramHeader>() as u64;
    let is_elf = file.e_ident.starts_with(b"\x7fELF") && size == size_of::<ProgramHeader>() as u64;
    let fits = file.e_phoff % 8 == 0 && file.e_phoff.checked_add(headers_bytes)? <= bytes;
    let headers_at = object.start + file.e_phoff;
    if !is_elf || !fits || !are_readable(headers_at, headers_bytes) {
        return None;
    }
    let first = core::ptr::with_exposed_provenance::<ProgramHeader>(headers_at as usize);
    // SAFETY: inside the module, aligned and readable, as was just seen; the module stays.
    Some(unsafe { core::slice::from_raw_parts(first, file.e_phnum.into()) })
}

/// Whether so many bytes at `at` can be read.
pub(super) fn are_readable(at: u64, bytes: u64) -> bool {
    const PAGE_BYTES: u64 = 4096;
    let Some(end) = at.checked_add(bytes) else { return false };
    let first = at & !(PAGE_BYTES - 1);
    (first..end).step_by(PAGE_BYTES as usize).all(|page| sys::is_readable(page as usize))
}

/// What program headers say of a module.
///
/// # Safety
/// They must be those of a module that is loaded and stays so during the call. The slices in the
/// result are good for as long.
unsafe fn described_by(headers: &[ProgramHeader], bias: u64) -> Seen {
    let mut seen = Seen { bias, start: u64::MAX, ..Seen::default() };
    for header in headers {
        let at = bias.wrapping_add(header.p_vaddr);
        match header.p_type {
            libc::PT_LOAD => {
                seen.start = seen.start.min(at);
                seen.end = seen.end.max(at.wrapping_add(header.p_memsz));
            }
            libc::PT_TLS => seen.thread_local_bytes = header.p_memsz.saturating_add(header.p_align),
            libc::PT_GNU_EH_FRAME => {
                (seen.header_at, seen.header_len) = (at, header.p_memsz);
            }
            libc::PT_NOTE if seen.build_id.is_none() && is_loaded(headers, header) => {
                // SAFETY: a note segment is mapped and readable while the module is loaded.
                let notes = unsafe {
                    core::slice::from_raw_parts(at as *const u8, header.p_filesz as usize)
                };
                seen.build_id = build_id(notes);
                seen.build_id_at = seen.build_id.map_or(0, |id| id.as_ptr().addr() as u64);
            }
            _ => {}
        }
    }
    seen.tables_end = segment_end(headers, seen.header_at.wrapping_sub(bias))
        .map_or(0, |end| end.wrapping_add(bias));
    seen
}

/// Whether what `part` describes lies inside a loaded segment.
fn is_loaded(headers: &[ProgramHeader], part: &ProgramHeader) -> bool {
    let end = part.p_vaddr.checked_add(part.p_filesz);
    segment_end(headers, part.p_vaddr).is_some_and(|limit| end.is_some_and(|end| end <= limit))
}

/// Where the loaded segment around `address` ends (both before relocation).
fn segment_end(headers: &[ProgramHeader], address: u64) -> Option<u64> {
    headers
        .iter()
        .filter(|header| header.p_type == libc::PT_LOAD)
        .map(|header| (header.p_vaddr, header.p_vaddr.saturating_add(header.p_filesz)))
        .find(|&(start, end)| (start..end).contains(&address))
        .map(|(_, end)| end)
}

/// The GNU build id among the notes of a segment (`NT_GNU_BUILD_ID`, see `elf(5)`).
fn build_id(mut notes: &[u8]) -> Option<&[u8]> {
    const NT_GNU_BUILD_ID: u32 = 3;
    let word =
        |bytes: &[u8], at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    loop {
        let (name_len, len, kind) = (word(notes, 0)?, word(notes, 4)?, word(notes, 8)?);
        let value_at = 12 + (name_len as usize).next_multiple_of(4);
        let value = notes.get(value_at..value_at.checked_add(len as usize)?)?;
        if kind == NT_GNU_BUILD_ID && notes.get(12..16) == Some(b"GNU\0") {
            return Some(value);
        }
        notes = notes.get(value_at + (len as usize).next_multiple_of(4)..)?;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_build_id_is_found_behind_other_notes() {
        let note = |name: &[u8], kind: u32, value: &[u8]| {
            let mut bytes = Vec::new();
            for word in [name.len() as u32, value.len() as u32, kind] {
                bytes.extend(word.to_ne_bytes());
            }
            for part in [name, value] {
                bytes.extend(part);
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
            bytes
        };
        let first = note(b"GNU\0", 1, &[1, 2, 3, 4, 5]);
        let second = note(b"GNU\0", 3, &[9; 20]);
        assert_eq!(build_id(&[first.clone(), second].concat()), Some(&[9u8; 20][..]));
        assert_eq!(build_id(&first), None);
        assert_eq!(build_id(&first[..7]), None);
    }
}
