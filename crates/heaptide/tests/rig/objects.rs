//! Shared objects that are built, loaded and unloaded.

#![expect(unsafe_code, reason = "the loader of libc")]

use std::ffi::CString;
use std::mem;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Calls what it is given, from a frame of its own.
const THROUGH: &str = "
    #ifndef FRAME_BYTES
    #define FRAME_BYTES 16
    #endif
    void through(void (*call)(void)) {
        volatile char frame[FRAME_BYTES];
        frame[0] = 0;
        call();
        __asm__ volatile(\"\" ::: \"memory\");
    }
";

type Through = extern "C" fn(extern "C" fn());

/// A shared object made of [`THROUGH`].
pub(crate) fn build(folder: &Path, name: &str, options: &[&str]) -> PathBuf {
    let (source, object) = (folder.join(format!("{name}.c")), folder.join(format!("lib{name}.so")));
    std::fs::write(&source, THROUGH).expect("a file");
    let compiler = if cfg!(target_arch = "aarch64") { "aarch64-linux-gnu-gcc" } else { "cc" };
    let built = Command::new(compiler)
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&object)
        .args(options)
        .arg(&source)
        .status()
        .expect("a C compiler, which linking needs anyway");
    assert!(built.success());
    object
}

/// A shared object in memory.
pub(crate) struct Loaded {
    handle: *mut libc::c_void,
    pub(crate) through: Through,
}

impl Loaded {
    pub(crate) fn open(path: &Path) -> Self {
        let name = CString::new(path.as_os_str().as_encoded_bytes()).expect("a path");
        // SAFETY: the object has no constructors.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
        assert!(!handle.is_null(), "{} does not load", path.display());
        // SAFETY: the object is open and the name a C string.
        let through = unsafe { libc::dlsym(handle, c"through".as_ptr()) };
        assert!(!through.is_null());
        // SAFETY: `THROUGH` has this type.
        let through = unsafe { mem::transmute::<*mut libc::c_void, Through>(through) };
        Self { handle, through }
    }

    pub(crate) fn close(self) {
        // SAFETY: nothing of the object is in use.
        assert_eq!(unsafe { libc::dlclose(self.handle) }, 0);
    }
}
