//! Whose code a frame is: read off its file, or its crate where no file is known.

use std::collections::BTreeSet;

use heaptide_format::Name;
use serde::{Deserialize, Serialize};

use super::function::{crate_of, plain};
use super::source::{is_namesake, is_std_file, package_of};

/// Whose code a frame is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The user's own workspace.
    Workspace,
    /// A crate from a registry, a git repository or a vendor directory, or a shared library.
    Dependency(String),
    /// The standard library, the C library, containers' internals, and the shim itself.
    Std,
    /// Nothing tells.
    #[default]
    Unknown,
}

/// Crates that count as workspace although their files do not show it.
pub type WorkspaceCrates = BTreeSet<String>;

/// Crates whose frames only stand between the caller and the allocator.
const PLUMBING_CRATES: &[&str] = &[
    "core",
    "alloc",
    "std",
    "__rustc",
    "proc_macro",
    "compiler_builtins",
    "hashbrown",
    "allocator_api2",
    "heaptide",
];

/// Symbols of the allocator and the start-up code, which no crate name marks.
const PLUMBING_SYMBOLS: &[&str] = &[
    "__rust_alloc",
    "__rust_realloc",
    "__rust_alloc_zeroed",
    "__rdl_alloc",
    "__rg_alloc",
    "malloc",
    "calloc",
    "realloc",
    "_start",
    "__libc_start_main",
    "__libc_start_call_main",
    "__libc_start_main_impl",
    "start_thread",
    "clone",
    "clone3",
    "__clone",
    "__clone3",
    "__rust_begin_short_backtrace",
    "__rust_try",
];

/// How the files of the C library and of the loader begin: their frames are nobody's code.
const SYSTEM_LIBRARIES: &[&str] = &[
    "libc.so",
    "libc-",
    "libpthread",
    "libgcc_s",
    "libm.so",
    "libdl",
    "librt",
    "ld-linux",
    "ld-musl",
    "libstd-",
];

impl Origin {
    /// The origin of a function in the module with this file name; `exe` is the program's.
    pub fn of(name: &Name, module: &str, exe: &str) -> Self {
        let function = plain(&name.function);
        let of_crate = crate_of(&function).or_else(|| crate_of(&name.function));
        // Only the standard library gives methods to `str`, `[T]` and the like.
        let of_primitive = name.function.starts_with('<') && !function.contains("::");
        // The compiler's own `main`, which calls the program's, has no file.
        let is_namesake =
            |of_crate| name.file.as_deref().is_some_and(|file| is_namesake(file, of_crate));
        if of_crate.is_some_and(|name| PLUMBING_CRATES.contains(&name) && !is_namesake(name))
            || PLUMBING_SYMBOLS.contains(&function.as_str())
            || of_primitive
            || function == "main" && name.file.is_none()
            || SYSTEM_LIBRARIES.iter().any(|start| module.starts_with(start))
        {
            return Self::Std;
        }
        let file = name.file.as_deref().map(|file| file.replace('\\', "/"));
        let by_file = file.and_then(|file| Self::of_file(&file, of_crate));
        by_file.unwrap_or_else(|| Self::of_crate(of_crate, module, exe))
    }

    fn of_file(file: &str, of_crate: Option<&str>) -> Option<Self> {
        if is_std_file(file) {
            return Some(Self::Std);
        }
        if let Some(package) = package_of(file) {
            return Some(Self::Dependency(package.to_owned()));
        }
        if file.contains("/git/checkouts/") {
            return of_crate.map(|name| Self::Dependency(name.to_owned()));
        }
        // Generated code stands in a build directory whoever it belongs to.
        let is_generated = file.contains("/build/") && file.contains("/out/");
        (file.ends_with(".rs") && !is_generated).then_some(Self::Workspace)
    }

    fn of_crate(of_crate: Option<&str>, module: &str, exe: &str) -> Self {
        match of_crate {
            Some(name) if is_crate_of(name, exe) => Self::Workspace,
            Some(name) => Self::Dependency(name.to_owned()),
            None if module != exe && module.contains(".so") => Self::Dependency(module.to_owned()),
            None => Self::Unknown,
        }
    }
}

/// Cargo names a binary after its crate, and a test binary after it and a hash.
fn is_crate_of(name: &str, exe: &str) -> bool {
    let stem = exe.replace('-', "_");
    let rest = stem.strip_prefix(name);
    rest.is_some_and(|rest| {
        let hash = rest.strip_prefix('_').unwrap_or(rest);
        rest.is_empty() || hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_crates_tell_whose_code_it_is() {
        let dependency = |name: &str| Origin::Dependency(name.to_owned());
        for (function, file, module, expected) in [
            ("shop::login", "/home/me/shop/src/main.rs", "shop", Origin::Workspace),
            ("shop::login", "src/main.rs", "shop", Origin::Workspace),
            ("shop::login", "", "shop", Origin::Workspace),
            ("lib::login", "", "shop", dependency("lib")),
            (
                "dashmap::DashMap::insert",
                "/c/registry/src/index-1a/dashmap-6.1.0/src/lib.rs",
                "shop",
                dependency("dashmap"),
            ),
            (
                "tower_http::f",
                "/c/registry/src/index-1a/tower-http-0.6.1-rc.1/src/lib.rs",
                "shop",
                dependency("tower-http"),
            ),
            ("x::f", "/c/git/checkouts/x-12/34/src/lib.rs", "shop", dependency("x")),
            ("x::f", "/w/vendor/x/src/lib.rs", "shop", dependency("x")),
            ("shop::vendor::f", "/w/src/vendor/mod.rs", "shop", Origin::Workspace),
            ("x::f", "x-1.2.3/src/lib.rs", "shop", dependency("x")),
            (
                "alloc::vec::Vec::push",
                "/rustc/abc/library/alloc/src/vec/mod.rs",
                "shop",
                Origin::Std,
            ),
            ("alloc::vec::Vec::push", "", "shop", Origin::Std),
            (
                "hashbrown::raw::reserve",
                "/rust/deps/hashbrown-0.16.1/src/raw.rs",
                "shop",
                Origin::Std,
            ),
            (
                "<heaptide::Heaptide as GlobalAlloc>::alloc",
                "crates/heaptide/src/lib.rs",
                "shop",
                Origin::Std,
            ),
            ("__libc_start_main", "../csu/libc-start.c", "libc.so.6", Origin::Std),
            // A trait of the user's for a type that is not.
            (
                "<alloc::vec::Vec<u8> as shop::Keep>::keep",
                "/home/me/shop/src/main.rs",
                "shop",
                Origin::Workspace,
            ),
            (
                "<alloc::vec::Vec<u8> as bytes::buf::BufMut>::put_slice",
                "/c/registry/src/index-1a/bytes-1.12.2/src/buf/buf_mut.rs",
                "shop",
                dependency("bytes"),
            ),
            ("sqlite3Malloc", "", "libsqlite3.so.0", dependency("libsqlite3.so.0")),
            ("core::cart::add", "/w/crates/core/src/cart.rs", "shop", Origin::Workspace),
            ("main", "", "shop", Origin::Std),
            ("<str>::repeat", "", "shop", Origin::Std),
            ("alloc::str::<impl str>::repeat", "", "shop", Origin::Std),
            ("main", "/home/me/shop/src/main.rs", "shop", Origin::Workspace),
            ("helper", "helper.c", "shop", Origin::Unknown),
        ] {
            let file = Some(file.to_owned()).filter(|file| !file.is_empty());
            let name = Name { function: function.to_owned(), file, line: None };
            assert_eq!(Origin::of(&name, module, "shop"), expected, "{name:?}");
        }
    }

    #[test]
    fn a_test_binary_is_its_crate_and_a_hash() {
        assert!(is_crate_of("shop_api", "shop-api"));
        assert!(is_crate_of("shop", "shop-0123456789abcdef"));
        assert!(!is_crate_of("shop", "shopping"));
    }
}
