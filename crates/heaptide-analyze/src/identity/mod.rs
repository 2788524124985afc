//! What a call site is called, so that the name survives a rebuild.
//!
//! A stack becomes an [`Identity`] in four steps:
//!
//! 1. The innermost frames of the standard library, of containers' internals and of the shim are
//!    trimmed. The outermost of them is the call that allocated ([`Identity::via`], such as
//!    `alloc::vec::Vec::push`); the rest only stood between it and the allocator.
//! 2. The *responsible* frame is the innermost one in the user's workspace; without one, the
//!    innermost that is left.
//! 3. What counts is: `via`, what the responsible frame called in a dependency, the responsible
//!    frame, and the workspace frames that called it. Runtimes and middleware further out change
//!    with their versions and say nothing about the site.
//! 4. Of each of these its plain function name (see [`plain`]) and its file relative to the crate
//!    count; lines and addresses do not. A function that was there already (recursion) counts
//!    once, and an inlined one like any other, so that optimisation changes nothing.
//!
//! The key is a hash of these, and of the tag.

mod function;
mod origin;
mod stack;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use function::crate_of;
pub use function::plain;
pub use origin::Origin;
pub use stack::{NamedFrame, SharedFrame, Stack};

/// A call site's identity as a number: eight hex digits.
///
/// The 64-bit FNV-1a hash of the site's parts, its halves folded together by exclusive or. Among
/// 10,000 sites two fall together with a chance of about one in a hundred; they are then judged
/// as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteKey(pub u32);

impl fmt::Display for SiteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl FromStr for SiteKey {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u32::from_str_radix(text, 16).map(Self)
    }
}

impl Serialize for SiteKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SiteKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| de::Error::invalid_value(de::Unexpected::Str(&text), &"eight hex digits"))
    }
}

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
    /// The outermost frame in the workspace: where the program came in.
    pub entry: Option<SharedFrame>,
}

/// Crates that count as workspace although their files do not show it.
pub type WorkspaceCrates = std::collections::BTreeSet<String>;

impl Identity {
    /// The identity of a stack under a tag.
    pub fn of(stack: &Stack, tag: Option<&str>) -> Self {
        let (plumbing, frames) = stack.frames.split_at(stack.n_plumbing());
        if frames.is_empty() {
            return Self::of_runtime(plumbing, tag);
        }
        let is_own = |frame: &&SharedFrame| frame.is_own();
        let via = plumbing.last().map(SharedFrame::plain);
        let responsible = frames.iter().find(is_own).or(frames.first());
        Self {
            id: SiteKey::of(&parts(frames, via, tag)),
            path: responsible.map(|frame| frame.plain().to_owned()).unwrap_or_default(),
            via: via.map(str::to_owned),
            responsible: responsible.cloned(),
            entry: frames.iter().rfind(is_own).cloned(),
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

impl SiteKey {
    fn of(parts: &[&str]) -> Self {
        const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        let bytes = parts.iter().flat_map(|part| part.bytes().chain([b'\n']));
        let hash =
            bytes.fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
        Self((hash >> 32) as u32 ^ hash as u32)
    }
}
