//! Attribution by call tree: the smallest subtree of calls that explains most of the growth.
//!
//! A list of call sites says where memory was asked for; what a person looks for is the call that
//! they all come from. The tree is made of the user's own functions (of all but the library's where
//! there are none) and of the library call in which each site ends. From its root it is followed
//! inwards for as long as one branch carries nearly everything.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use crate::finding::JudgedSite;
use crate::identity::{Origin, SharedFrame};
use crate::limits::{MOST_CALL_DEPTH, MOST_SHOWN_DEPTH};
use crate::site::Subject;

/// The tree begins where this share of the growth still has one root, so that a tenth of it that is
/// somewhere else does not move the root to `main`.
const MOST: f64 = 0.9;
/// Branches with less than this share of the growth are left out: a hundred of them together would
/// be all of it, so none is worth a line.
const LEAST: f64 = 0.01;

/// A call, and the growth under it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CallTree {
    /// The function, without hash, closures and generic arguments.
    pub function: String,
    /// Where it stands, or calls the next.
    pub file: Option<String>,
    /// The line, if it is the same for all that is under it.
    pub line: Option<u32>,
    /// Bytes kept per hour by all that is under it.
    pub bytes_per_hour: f64,
    /// The same as a share of all growth.
    pub share: f64,
    /// The calls it makes, largest first; those that carry hardly anything are left out.
    pub calls: Vec<CallTree>,
}

/// The smallest subtree under which nine tenths of the growth of these sites happen; `None` without
/// growth, or without any call that they have in common.
pub fn attribute<'a>(sites: impl IntoIterator<Item = &'a JudgedSite>) -> Option<CallTree> {
    let mut root = Node::default();
    for site in sites {
        root.add(&path(&site.subject), site.verdict.rate.bytes_per_hour());
    }
    let whole = root.bytes_per_hour;
    let mut tree = root.into_tree(String::new(), whole);
    while let Some(at) = tree.calls.iter().position(|call| call.share >= MOST) {
        tree = tree.calls.swap_remove(at);
    }
    tree.cut_below(MOST_SHOWN_DEPTH);
    (whole > 0.0 && !tree.function.is_empty()).then_some(tree)
}

impl CallTree {
    /// Leaves out calls that are nested deeper than this.
    fn cut_below(&mut self, depth: usize) {
        match depth.checked_sub(1) {
            None => self.calls.clear(),
            Some(depth) => self.calls.iter_mut().for_each(|call| call.cut_below(depth)),
        }
    }
}

/// One call on the way from the root to a site.
struct Step {
    function: String,
    file: Option<String>,
    line: Option<u32>,
}

impl Step {
    fn of(frame: &SharedFrame) -> Self {
        Self { function: frame.plain().to_owned(), file: frame.file.clone(), line: frame.line }
    }
}

/// The user's own calls, outermost first, and the library call in which they end. A function that
/// calls itself counts once.
fn path(subject: &Subject) -> Vec<Step> {
    let n_plumbing = subject.stack.iter().take_while(|frame| frame.origin == Origin::Std).count();
    let (plumbing, frames) = subject.stack.split_at(n_plumbing);
    let is_own = |frame: &&SharedFrame| frame.origin == Origin::Workspace;
    let only_own = frames.iter().any(|frame| is_own(&frame));
    let counts = |frame: &&SharedFrame| match only_own {
        true => is_own(frame),
        false => frame.origin != Origin::Std,
    };
    let mut steps: Vec<Step> = Vec::new();
    let mut seen = HashSet::new();
    for frame in frames.iter().rev().filter(counts) {
        if seen.insert(frame.plain()) && steps.len() < MOST_CALL_DEPTH {
            steps.push(Step::of(frame));
        }
    }
    // The outermost library call is the one that the user's code wrote down.
    let place = steps.last().map(|last| (last.file.clone(), last.line));
    if let (Some(via), Some((file, line))) = (plumbing.last(), place) {
        steps.push(Step { function: via.plain().to_owned(), file, line });
    }
    steps
}

#[derive(Default)]
struct Node {
    file: Option<String>,
    lines: Vec<u32>,
    bytes_per_hour: f64,
    /// By function; the library calls of one function also by line.
    calls: BTreeMap<(String, Option<u32>), Node>,
}

impl Node {
    fn add(&mut self, path: &[Step], bytes_per_hour: f64) {
        self.bytes_per_hour += bytes_per_hour;
        let Some((step, rest)) = path.split_first() else { return };
        let line = step.line.filter(|_| rest.is_empty());
        let node = self.calls.entry((step.function.clone(), line)).or_default();
        node.file.clone_from(&step.file);
        node.lines.extend(step.line);
        node.add(rest, bytes_per_hour);
    }

    fn into_tree(self, function: String, whole: f64) -> CallTree {
        let Self { file, lines, bytes_per_hour, calls } = self;
        let mut calls: Vec<CallTree> = calls
            .into_iter()
            .map(|((function, _), node)| node.into_tree(function, whole))
            .filter(|call| call.share >= LEAST)
            .collect();
        calls.sort_by(|a, b| b.bytes_per_hour.total_cmp(&a.bytes_per_hour));
        let line = lines.first().copied().filter(|first| lines.iter().all(|line| line == first));
        let share = if whole > 0.0 { bytes_per_hour / whole } else { 0.0 };
        CallTree { function, file, line, bytes_per_hour, share, calls }
    }
}
