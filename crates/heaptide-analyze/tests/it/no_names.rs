//! Modules whose file is of no use for names, and what is said of each.

use std::path::Path;

use heaptide_analyze::symbols::{ElfResolver, Resolve};
use heaptide_format::{Module, ModuleId, ModuleOffset};

use crate::recording::Dir;

/// What is said of a module at this path, without the directory it is in; nothing has a name.
fn said_of(path: &Path, build_id: Option<&str>, symbol_paths: &[&Path]) -> Option<String> {
    let module = Module {
        id: ModuleId(0),
        path: path.to_string_lossy().into_owned(),
        build_id: build_id.map(str::to_owned),
        bias: ModuleOffset(0),
    };
    let symbol_paths = symbol_paths.iter().map(|path| path.to_path_buf()).collect();
    let mut resolver = ElfResolver::new(symbol_paths);
    // No file is so long that a function is there.
    let resolved = resolver.resolve(&module, &[ModuleOffset(1 << 40)]);
    assert!(resolved.names.is_empty(), "{:?}", resolved.names);
    let dir = path.parent().map_or_else(String::new, |dir| format!("{}/", dir.display()));
    resolved.problem.map(|problem| problem.to_string().replace(&dir, ""))
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let dir = Dir::new("no-names");
    let text = dir.write("shop", "no program");
    let absent = dir.0.join("absent");
    let own = std::env::current_exe().expect("this test has a file");
    let name = own.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let not_found = "absent: not found, so its functions have no names";
    let refused = format!("{name}: refused for names: its build id is ");
    let unchecked =
        format!("{name}: the recording has no build id for it, so what stands there now may");
    let text_unchecked = unchecked.replace(&name, "shop");
    for (path, build_id, says) in [
        // What has no place in the file system, like the kernel's own, is nobody's mistake.
        (Path::new("linux-vdso.so.1"), Some("00ff"), None),
        (Path::new("linux-vdso.so.1"), None, None),
        (&absent, None, Some(not_found)),
        (&absent, Some("00ff"), Some(not_found)),
        (&text, None, Some(&*text_unchecked)),
        (&text, Some("00ff"), Some("shop: not ELF: ")),
        (&own, None, Some(&*unchecked)),
        (&own, Some("00ff"), Some(&*refused)),
        // Of no use to look by; neither may be cut where no letter ends.
        (&own, Some("0"), Some(&*refused)),
        (&own, Some("é0"), Some(&*refused)),
    ] {
        let said = said_of(path, build_id, &[]);
        let is_as_expected = match (&said, says) {
            (Some(said), Some(says)) => said.starts_with(says),
            (said, says) => said.is_none() && says.is_none(),
        };
        assert!(is_as_expected, "{} {build_id:?}: {said:?}", path.display());
    }
}

/// A file that is given and does not fit is passed over for the next, down to the recorded path.
#[test]
fn a_given_file_of_another_build_does_not_stand_in_the_way() {
    let dir = Dir::new("passed-over");
    let (text, absent) = (dir.write("other", "no program"), dir.0.join("absent"));
    let own = std::env::current_exe().expect("this test has a file");
    for given in [&[][..], &[&*text], &[&*dir.0], &[&*text, &*own, &*absent]] {
        let said = said_of(&own, Some("00ff"), given).unwrap_or_default();
        assert!(said.contains("refused for names"), "{given:?}: {said}");
        assert!(said.contains("the recording's is 00ff"), "{given:?}: {said}");
    }
}
