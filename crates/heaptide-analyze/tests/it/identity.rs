//! Identities of stacks: what changes them and what does not.

use heaptide_analyze::identity::{
    Identity, NamedFrame, Origin, SharedFrame, Stack, WorkspaceCrates, tell_apart,
};
use heaptide_format::{ModuleOffset, Name};

/// Frames from lines of `function @ file:line`, innermost first, as in the program `shop`. A `~` marks
/// a function of which only the file told more than the last name.
fn stack(text: &str) -> Stack {
    stack_in(text, &[])
}

/// The same; these crates are the user's own.
fn stack_in(text: &str, workspace: &[&str]) -> Stack {
    let workspace: WorkspaceCrates = workspace.iter().map(|name| (*name).to_owned()).collect();
    let frame = |(index, line): (usize, &str)| {
        let told_by_file = line.trim().starts_with('~');
        let line = line.trim().trim_start_matches('~');
        let (function, place) = line.split_once(" @ ").unwrap_or((line, ""));
        let (file, line) = match place.rsplit_once(':') {
            Some((file, line)) => (Some(file.to_owned()), line.parse().ok()),
            None => (None, None),
        };
        let name = Name { function: function.to_owned(), file, line };
        let frame = NamedFrame {
            origin: Origin::of(&name, "shop", "shop"),
            function: name.function,
            file: name.file,
            line: name.line,
            inlined: false,
            told_by_file,
            module: "shop".to_owned(),
            offset: ModuleOffset(0x1000 + index as u64),
        };
        SharedFrame::from(frame.claimed_by(&workspace))
    };
    let lines = text.trim().lines().filter(|line| !line.trim().is_empty());
    Stack { frames: lines.enumerate().map(frame).collect(), truncated: false }
}

fn identity(text: &str) -> Identity {
    Identity::of(&stack(text), None)
}

const LOGIN: &str = "
    <heaptide::Heaptide as core::alloc::GlobalAlloc>::alloc @ crates/heaptide/src/lib.rs:90
    __rust_alloc
    alloc::raw_vec::RawVec<T,A>::grow_one @ /rustc/ab/library/alloc/src/raw_vec/mod.rs:344
    alloc::vec::Vec<T,A>::push @ /rustc/ab/library/alloc/src/vec/mod.rs:2466
    shop::session::Store<K>::login::h0123456789abcdef @ /home/me/shop/src/session.rs:88
    shop::api::login::{{closure}} @ /home/me/shop/src/api.rs:12
    <axum::handler::Future as core::future::Future>::poll @ /c/registry/src/i-1/axum-0.8.1/src/lib.rs:9
    tokio::runtime::block_on @ /c/registry/src/i-1/tokio-1.54.0/src/lib.rs:4
    shop::main @ /home/me/shop/src/main.rs:3
    std::rt::lang_start @ /rustc/ab/library/std/src/rt.rs:206
    __libc_start_main
";

#[test]
fn the_first_frame_of_the_users_is_responsible() {
    let login = identity(LOGIN);
    assert_eq!(login.path, "shop::session::Store::login");
    assert_eq!(login.via.as_deref(), Some("alloc::vec::Vec::push"));
    let place = |frame: &Option<SharedFrame>| frame.as_ref().and_then(|frame| frame.place());
    assert_eq!(place(&login.responsible).as_deref(), Some("/home/me/shop/src/session.rs:88"));
    assert_eq!(place(&login.entry).as_deref(), Some("/home/me/shop/src/main.rs:3"));
    // Fixed for ever: baselines hold it.
    assert_eq!(login.id.to_string(), "bf594c38");
}

#[test]
fn a_rebuild_keeps_the_identity() {
    let login = identity(LOGIN).id;
    for (change, from, to) in [
        ("lines move", ":88", ":93"),
        ("hashes change", "h0123456789abcdef", "hfedcba9876543210"),
        (
            "another mangling",
            "shop::session::Store<K>::login",
            "<shop::session::Store<u64>>::login",
        ),
        ("another closure", "{{closure}}", "{closure#3}"),
        ("another checkout", "/home/me/shop/", "/builds/7/shop/"),
        ("a relative path", "/home/me/shop/src", "src"),
        ("another toolchain", "/rustc/ab/", "/rustc/cd/"),
        ("another way to the allocator", "RawVec<T,A>::grow_one", "RawVec<T,A>::reserve"),
        ("a newer runtime", "tokio::runtime::block_on", "tokio::runtime::park::block_on"),
        (
            "recursion",
            "shop::api::login::{{closure}} @",
            "shop::session::Store::login @ src/session.rs:90\n    shop::api::login @",
        ),
        ("no start-up frames", "__libc_start_main", ""),
    ] {
        assert!(LOGIN.contains(from), "{change}");
        assert_eq!(identity(&LOGIN.replace(from, to)).id, login, "{change}");
    }
}

#[test]
fn another_site_has_another_identity() {
    let login = identity(LOGIN).id;
    for (change, from, to) in [
        ("another function", "shop::session::Store<K>::login", "shop::session::Store<K>::renew"),
        ("another caller", "shop::api::login", "shop::api::checkout"),
        (
            "another container",
            "alloc::vec::Vec<T,A>::push",
            "std::collections::HashMap<K,V>::insert",
        ),
        (
            "another crate of the workspace",
            "/home/me/shop/src/session.rs",
            "/home/me/shop/src/cart.rs",
        ),
    ] {
        assert!(LOGIN.contains(from), "{change}");
        assert_ne!(identity(&LOGIN.replace(from, to)).id, login, "{change}");
    }
    let tagged = Identity::of(&stack(LOGIN), Some("checkout"));
    assert_ne!(tagged.id, login, "another tag");
    assert_eq!(tagged.path, "shop::session::Store::login");
}

#[test]
fn whoever_clones_is_responsible_for_the_copy() {
    // The file's line, as it is with whole names and where only the file tells them.
    const DERIVED: [&str; 2] = ["<model::Record as core::clone::Clone>::clone", "~model::clone"];
    let path = |stack: &str| identity(stack).path;
    for derived in DERIVED {
        let theirs = format!(
            "alloc::vec::Vec::clone @ /rustc/ab/library/alloc/src/vec/mod.rs:1
            {derived} @ /c/registry/src/i-1/model-1.0.0/src/lib.rs:3
            alloc::slice::to_vec @ /rustc/ab/library/alloc/src/slice.rs:1
            store::Store::create @ /c/registry/src/i-1/store-1.0.0/src/lib.rs:9
            tokio::task::poll @ /c/registry/src/i-1/tokio-1.54.0/src/lib.rs:4"
        );
        assert_eq!(path(&theirs), "store::Store::create");
        let via = identity(&theirs).dependency.and_then(|frame| frame.line);
        assert_eq!(via, Some(3));
        let own = theirs.replace("/c/registry/src/i-1", "/home/me");
        assert_eq!(
            path(&own.replace("tokio::task::poll @ /home/me/", "shop::main @ /home/me/")),
            "store::Store::create"
        );
        // Somebody else makes the copy: the user's part in it is the type.
        let of_the_users_type = theirs.replace("/c/registry/src/i-1/model-1.0.0", "/home/me/model");
        assert!(path(&of_the_users_type).starts_with(&identity(derived).path), "{derived}");
    }
    // Not everything of that name is a copy.
    let fetched = "shop::repository::clone @ src/repository.rs:3\nshop::sync @ src/main.rs:1";
    assert_eq!(path(fetched), "shop::repository::clone");
}

#[test]
fn without_a_frame_of_the_users_a_dependency_is_responsible() {
    let tokio = "
        alloc::boxed::Box<T>::new @ /rustc/ab/library/alloc/src/boxed.rs:1
        hashbrown::raw::RawTable::reserve @ /c/registry/src/i-1/hashbrown-0.15.0/src/raw.rs:1
        dashmap::DashMap<K,V>::insert @ /c/registry/src/i-1/dashmap-6.1.0/src/lib.rs:1
        tokio::task::poll @ /c/registry/src/i-1/tokio-1.54.0/src/lib.rs:4
        std::thread::start @ /rustc/ab/library/std/src/thread.rs:1";
    assert_eq!(identity(tokio).path, "dashmap::DashMap::insert");
    for (own, path) in
        [(&["dashmap", "tokio"][..], "dashmap::DashMap::insert"), (&["tokio"], "tokio::task::poll")]
    {
        assert_eq!(Identity::of(&stack_in(tokio, own), None).path, path);
    }
    let std =
        "alloc::sync::Arc<T>::new @ /rustc/ab/library/alloc/src/sync.rs:1\nstd::thread::start";
    assert_eq!(identity(std).path, "std::thread::start");
    assert_eq!(identity("").path, "(no stack)");
    assert_eq!(identity("shop+0x1000").path, "shop+0x1000");
}

/// All that one function allocated was one site.
#[test]
fn what_only_lines_tell_apart_is_not_one_site() {
    let put = |line: u32| {
        let moved = line + 100;
        format!(
            "alloc::vec::push @ /rustc/ab/library/alloc/src/vec/mod.rs:{line}\n\
             ~shop::store::put @ /home/me/shop/src/store.rs:{moved}\n\
             shop::main @ /home/me/shop/src/main.rs:3"
        )
    };
    let keys = |lines: &[u32]| {
        let mut sites: Vec<Identity> = lines.iter().map(|line| identity(&put(*line))).collect();
        tell_apart(sites.iter_mut());
        sites.iter().map(|site| site.id).collect::<Vec<_>>()
    };
    let apart = keys(&[7, 20, 7]);
    assert_eq!(apart[0], identity(&put(7)).id, "the first keeps the key of a whole name");
    assert_ne!(apart[0], apart[1]);
    assert_eq!(apart[0], apart[2], "one line is one site");
    assert_eq!(keys(&[10, 23, 10]), apart, "lines may move");
}

/// Without any line, the place of the call tells two calls of one function apart.
#[test]
fn without_lines_two_calls_are_two_sites() {
    let first = identity("__rust_alloc\nshop::note\nshop::main");
    let second = identity("__rdl_alloc\n__rust_alloc\nshop::note\nshop::main");
    assert_eq!(first.id, second.id);
    let mut sites = [first, second];
    tell_apart(sites.iter_mut());
    assert_ne!(sites[0].id, sites[1].id);
}
