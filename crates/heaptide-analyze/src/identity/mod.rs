//! What a call site is called, so that the name survives a rebuild.
//!
//! A stack becomes an [`Identity`] in four steps:
//!
//! 1. The innermost frames of the standard library, of containers' internals and of the shim are
//!    trimmed. The outermost of them is the call that allocated ([`Identity::via`], such as
//!    `alloc::vec::Vec::push`); the rest only stood between it and the allocator.
//! 2. The *responsible* frame is the innermost one in the user's workspace; without one, the
//!    innermost that is left. A `Clone::clone` copies for its caller, who is responsible then.
//! 3. What counts is: `via`, what the responsible frame called in a dependency, the responsible
//!    frame, and the workspace frames that called it. Runtimes and middleware further out change
//!    with their versions and say nothing about the site.
//! 4. Of each of these its plain function name (see [`plain`]) and its file relative to the crate
//!    count; lines and addresses do not. A function that was there already (recursion) counts
//!    once, and an inlined one like any other, so that optimisation changes nothing.
//!
//! The key is a hash of these, and of the tag. Where debug information has no whole names, sites that
//! nothing else tells apart are numbered in the order of their lines: see [`tell_apart`].

mod bare;
mod function;
mod key;
mod origin;
mod source;
mod spawn;
mod stack;

use std::collections::BTreeMap;

pub(crate) use bare::is_bare;
use function::crate_of;
pub use function::plain;
pub use key::SiteKey;
pub use origin::{Origin, WorkspaceCrates};
pub(crate) use source::CrateNames;
pub(crate) use spawn::Spawners;
pub use stack::{NamedFrame, SharedFrame, Stack};

/// What a call site is called. Sites with equal keys are judged as one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The key.
    pub id: SiteKey,
    /// The plain name of the responsible function: what allow-lists and budgets match on.
    pub path: String,
    /// The plain name of the library call that allocated, if the responsible frame made one.
    pub via: Option<String>,
    /// The innermost frame in the workspace, else the innermost that is not plumbing.
    pub responsible: Option<SharedFrame>,
    /// The function of a dependency that made that call, if the responsible one called a dependency.
    pub dependency: Option<SharedFrame>,
    /// The outermost frame in the workspace: where the program came in.
    pub entry: Option<SharedFrame>,
    /// Where the frames stand whose names do not tell functions apart.
    places: Vec<u64>,
}

impl Identity {
    /// The identity of a stack under a tag.
    pub fn of(stack: &Stack, tag: Option<&str>) -> Self {
        let (plumbing, frames) = stack.frames.split_at(stack.n_plumbing());
        if frames.is_empty() {
            return Self::of_runtime(plumbing, tag);
        }
        let is_own = |frame: &&SharedFrame| frame.is_own();
        let via = plumbing.last().map(SharedFrame::plain);
        let responsible = responsible(frames);
        let dependency = frames.first().filter(|first| first.is_theirs());
        let dependency = dependency.filter(|first| Some(*first) != responsible);
        Self {
            id: SiteKey::of(&parts(frames, via, tag)),
            path: responsible.map(|frame| frame.plain().to_owned()).unwrap_or_default(),
            via: via.map(str::to_owned),
            responsible: responsible.cloned(),
            dependency: dependency.cloned(),
            entry: frames.iter().rfind(is_own).cloned(),
            places: places(&stack.frames, responsible),
        }
    }

    /// A stack of plumbing only is the runtime's own: nobody is responsible, and the innermost
    /// function of `std` names it.
    fn of_runtime(plumbing: &[SharedFrame], tag: Option<&str>) -> Self {
        let mut names = plumbing.iter().map(SharedFrame::plain);
        let of_std = names.clone().filter(|name| crate_of(name) == Some("std"));
        let path = of_std.clone().next().or(names.next_back());
        let mut parts = vec![tag.unwrap_or_default(), ""];
        parts.extend(of_std);
        parts.extend(path);
        let path = path.unwrap_or("(no stack)").to_owned();
        Self { id: SiteKey::of(&parts), path, ..Self::default() }
    }
}

/// The innermost frame of the user's, else the innermost of all; or whoever cloned by it, if that is
/// the user or, without one, anybody.
fn responsible(frames: &[SharedFrame]) -> Option<&SharedFrame> {
    let innermost = frames.iter().position(SharedFrame::is_own).unwrap_or_default();
    let mut named = frames.get(innermost..)?.iter().filter(|frame| frame.origin != Origin::Std);
    let mut responsible = named.next()?;
    while responsible.is_clone() {
        match named.next().filter(|caller| caller.is_own() == responsible.is_own()) {
            Some(caller) => responsible = caller,
            None => break,
        }
    }
    Some(responsible)
}

/// Gives sites keys of their own that have one in common only because their names are poor.
///
/// They are numbered in the order of their lines, or of their addresses where there are no lines, so
/// a rebuild that moves lines keeps the keys. The first keeps the key it has.
pub fn tell_apart<'a>(identities: impl Iterator<Item = &'a mut Identity>) {
    let mut alike: BTreeMap<SiteKey, BTreeMap<Vec<u64>, Vec<&mut Identity>>> = BTreeMap::new();
    for identity in identities {
        let places = std::mem::take(&mut identity.places);
        alike.entry(identity.id).or_default().entry(places).or_default().push(identity);
    }
    for (key, by_place) in alike {
        let numbered = by_place.into_values().enumerate().skip(1);
        for (number, identities) in numbered {
            let of_its_own = key.numbered(number);
            identities.into_iter().for_each(|identity| identity.id = of_its_own);
        }
    }
}

/// The lines of functions named by their file only, from the allocator to the responsible function
/// and in the user's code beyond; and the address of the call in one of Rust that has no lines.
fn places(frames: &[SharedFrame], responsible: Option<&SharedFrame>) -> Vec<u64> {
    let within = frames.iter().position(|frame| Some(frame) == responsible).unwrap_or_default();
    let counts = |index: usize, frame: &SharedFrame| {
        let is_named = frame.is_own() || index <= within && frame.origin != Origin::Std;
        frame.told_by_file && is_named
    };
    let counting = frames.iter().enumerate().filter(|(index, frame)| counts(*index, frame));
    let lines = counting.map(|(_, frame)| frame.line.unwrap_or_default().into());
    let has_no_lines = |frame: &&SharedFrame| frame.file.is_none() && frame.plain().contains("::");
    let call = responsible.filter(has_no_lines).map(|frame| frame.offset.0);
    lines.chain(call).collect()
}

/// The texts whose hash is the key, in the order of the frames.
fn parts<'a>(
    frames: &'a [SharedFrame],
    via: Option<&'a str>,
    tag: Option<&'a str>,
) -> Vec<&'a str> {
    let first_own = frames.iter().position(SharedFrame::is_own);
    let counts = |(index, frame): &(usize, &SharedFrame)| match first_own {
        Some(first) => *index < first && frame.origin != Origin::Std || frame.is_own(),
        None => frame.origin != Origin::Std,
    };
    let mut parts = vec![tag.unwrap_or_default(), via.unwrap_or_default()];
    for (_, frame) in frames.iter().enumerate().filter(counts) {
        if !parts[2..].contains(&frame.part()) {
            parts.push(frame.part());
        }
    }
    parts
}
