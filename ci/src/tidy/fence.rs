//! Where unsafe code may be: in the shim's fenced modules, in tests that say why, and in the one
//! allocator that the shim is compared with.
//!
//! The workspace denies `unsafe_code`, but a local `allow` would slip through; only `forbid` in
//! each module does not give way. So every crate root forbids it, and in the shim, whose root
//! cannot, every module that is not fenced forbids it for itself.

use crate::source::file::File;

const FORBID: &str = "#![forbid(unsafe_code)]";
const SHIM: &str = "crates/heaptide/src/";
/// An allocator is unsafe code, and this one only counts.
const BASELINE: &str = "crates/heaptide-bench/src/bin/counting.rs";

pub(super) fn unsafe_code(files: &[File]) -> Vec<String> {
    let rust = || files.iter().filter(|file| file.is_rust());
    let roots = rust().filter(|file| is_root(&file.path) && !is_exempt(&file.path));
    let open_roots = roots
        .filter(|file| !file.text.contains(FORBID))
        .map(|file| format!("{}: a crate root without {FORBID}", file.path));
    let shim: Vec<_> = rust().filter(|file| file.path.starts_with(SHIM)).collect();
    let open_modules = shim
        .iter()
        .filter(|file| file.path != format!("{SHIM}lib.rs"))
        .filter(|file| !file.text.contains(FORBID) && !is_fenced(&shim, &file.path))
        .filter(|file| !leads_to_fenced(&shim, &file.path))
        .map(|file| format!("{}: neither {FORBID} nor fenced by its parent", file.path));
    let allowed = rust().flat_map(|file| {
        let lines = (1..).zip(file.text.lines());
        lines
            .filter(|(_, line)| line.contains(concat!("allow(", "unsafe_code")))
            .map(|(number, _)| format!("{}: say `expect`, with a reason", file.at(number)))
    });
    open_roots.chain(open_modules).chain(allowed).collect()
}

/// Whether a crate root is looked at module by module, or is the baseline.
fn is_exempt(path: &str) -> bool {
    path.starts_with(SHIM) || path == BASELINE
}

/// Whether a file is the root of a library or a binary.
fn is_root(path: &str) -> bool {
    let in_bin = path.split_once("/src/bin/").map(|(_, name)| name);
    path.ends_with("src/lib.rs")
        || path.ends_with("src/main.rs")
        || in_bin.is_some_and(|name| !name.contains('/') || name.ends_with("/main.rs"))
}

/// Whether the module, or one it lies in, is declared under `#[expect(unsafe_code, …)]`.
fn is_fenced(shim: &[&File], path: &str) -> bool {
    let inside = path.trim_start_matches(SHIM).trim_end_matches(".rs").trim_end_matches("/mod");
    let parts: Vec<&str> = inside.split('/').collect();
    (0..parts.len()).any(|depth| {
        let parent = match depth {
            0 => format!("{SHIM}lib.rs"),
            _ => format!("{SHIM}{}.rs", parts[..depth].join("/")),
        };
        let as_folder = parent.trim_end_matches(".rs").to_owned() + "/mod.rs";
        shim.iter()
            .filter(|file| file.path == parent || file.path == as_folder)
            .any(|file| declares_fenced(&file.text, parts[depth]))
    })
}

/// Whether it is the file of a folder with a fenced module in it: like the root it cannot forbid what
/// that module needs, and like there the workspace's lint denies it.
fn leads_to_fenced(shim: &[&File], path: &str) -> bool {
    path.strip_suffix("mod.rs").is_some_and(|folder| {
        let inside = shim.iter().filter(|file| file.path != path && file.path.starts_with(folder));
        inside.into_iter().any(|file| is_fenced(shim, &file.path))
    })
}

fn declares_fenced(parent: &str, module: &str) -> bool {
    let declaration = |line: &str| {
        let line = line.trim_end_matches(';');
        line.strip_suffix(module).is_some_and(|before| before.ends_with("mod "))
    };
    let lines: Vec<&str> = parent.lines().map(str::trim).collect();
    let Some(at) = lines.iter().position(|line| declaration(line)) else { return false };
    // The attributes of an item stand right above it, without a blank line or another item.
    let attributes = lines[..at]
        .iter()
        .rev()
        .take_while(|line| !line.is_empty() && !line.ends_with(';') && !line.ends_with('}'));
    attributes
        .into_iter()
        .any(|line| line.contains("expect(unsafe_code") || *line == "unsafe_code,")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::file::tests::file;

    fn check(modules: &[(&str, &str)], complaints: usize) {
        let files: Vec<_> =
            modules.iter().map(|(path, text)| file(&format!("crates/{path}"), text)).collect();
        let found = unsafe_code(&files);
        assert_eq!(found.len(), complaints, "{found:?}");
    }

    #[test]
    fn a_crate_root_forbids_it() {
        check(&[("heaptide-report/src/lib.rs", "//! Why.\n#![forbid(unsafe_code)]\n")], 0);
        check(&[("heaptide-report/src/lib.rs", "//! Why.\n")], 1);
    }

    #[test]
    fn a_module_of_the_shim_forbids_it_or_is_fenced() {
        let root = "#[expect(unsafe_code, reason = \"mmap\")]\nmod arena;\nmod table;\n";
        let lib = ("heaptide/src/lib.rs", root);
        check(&[lib, ("heaptide/src/arena.rs", "")], 0);
        check(&[lib, ("heaptide/src/arena/page.rs", "")], 0);
        check(&[lib, ("heaptide/src/table.rs", "")], 1);
        check(&[lib, ("heaptide/src/table.rs", "#![forbid(unsafe_code)]")], 0);
    }

    #[test]
    fn a_folder_with_a_fenced_module_cannot_forbid_it() {
        let lib = ("heaptide/src/lib.rs", "mod shared;\n");
        let shared = "#[expect(unsafe_code, reason = \"mmap\")]\nmod arena;\nmod table;\n";
        let shared = ("heaptide/src/shared/mod.rs", shared);
        let table = ("heaptide/src/shared/table.rs", FORBID);
        let arena = ("heaptide/src/shared/arena.rs", "");
        check(&[lib, shared, table, arena], 0);
        check(&[lib, shared, ("heaptide/src/shared/table.rs", ""), arena], 1);
        check(&[lib, ("heaptide/src/shared/mod.rs", "mod table;\n"), table], 1);
    }

    #[test]
    fn nothing_allows_it() {
        check(&[("heaptide/src/lib.rs", concat!("#[allow(", "unsafe_code)]\nmod x;\n"))], 1);
    }
}
