//! What safe code cannot do: memory that does not come from Rust's allocator, and `fork`.

use std::ffi::c_void;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;

/// A block of C's, filled; freed when it is dropped.
pub(crate) struct BlockOfC(*mut c_void);

impl BlockOfC {
    pub(crate) fn new(bytes: usize) -> Self {
        // SAFETY: any size may be asked for.
        let block = unsafe { libc::malloc(bytes) };
        assert!(!block.is_null(), "no memory");
        // SAFETY: the whole block.
        unsafe { libc::memset(block, 1, bytes) };
        Self(block)
    }
}

// SAFETY: a block of C's may be freed by any thread.
unsafe impl Send for BlockOfC {}

impl Drop for BlockOfC {
    fn drop(&mut self) {
        // SAFETY: made by `malloc`, and freed once.
        unsafe { libc::free(self.0) };
    }
}

/// A mapping of no file, filled; it stays.
pub(crate) fn map(bytes: usize, kind: libc::c_int) {
    // SAFETY: a fresh mapping.
    let at = unsafe {
        libc::mmap(
            ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            kind | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(at, libc::MAP_FAILED, "{}", io::Error::last_os_error());
    // SAFETY: the whole mapping.
    unsafe { libc::memset(at, 1, bytes) };
}

/// A page that the kernel does not join with its neighbours.
pub(crate) fn map_apart() {
    use std::sync::atomic::AtomicBool;

    static OTHER_RIGHTS: AtomicBool = AtomicBool::new(false);
    let rights = match OTHER_RIGHTS.fetch_xor(true, Relaxed) {
        true => libc::PROT_READ,
        false => libc::PROT_READ | libc::PROT_WRITE,
    };
    // SAFETY: a fresh mapping.
    let at = unsafe {
        libc::mmap(ptr::null_mut(), 4096, rights, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
    };
    assert_ne!(at, libc::MAP_FAILED, "{}", io::Error::last_os_error());
}

/// Goes on twice: `true` in the new process.
pub(crate) fn is_forked() -> bool {
    // SAFETY: called before this program has a thread of its own; the recorder's is not needed in the new
    // process, which gets one for itself.
    let pid = unsafe { libc::fork() };
    assert_ne!(pid, -1, "{}", io::Error::last_os_error());
    pid == 0
}

/// A file that is mapped, and read through the mapping.
pub(crate) struct MappedFile {
    first: *const AtomicU8,
    bytes: usize,
}

impl MappedFile {
    /// A file of so many zeroes, without a name.
    pub(crate) fn new(bytes: usize) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("heaptide-parts.{}", std::process::id()));
        let file =
            File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
        std::fs::remove_file(&path)?;
        io::copy(&mut io::repeat(1).take(bytes as u64), &mut &file)?;
        // SAFETY: a fresh mapping of a file that nobody shortens: it has no name any more.
        let at = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                libc::PROT_READ,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { first: at.cast_const().cast(), bytes })
    }

    /// Reads a byte.
    pub(crate) fn read(&self, at: usize) -> u8 {
        // SAFETY: inside the mapping.
        let byte = unsafe { self.first.add(at % self.bytes) };
        // SAFETY: the mapping lives as long as the process, and nobody has a mutable reference to it.
        unsafe { &*byte }.load(Relaxed)
    }
}
