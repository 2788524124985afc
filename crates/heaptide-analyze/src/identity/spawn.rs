//! Who spawned the tasks and threads of dependencies.
//!
//! What a dependency allocates in a task of its own has a stack that begins in the runtime: no
//! frame of it is the user's. But the task, or the thread, is a block itself, and the stack of that
//! block goes from the runtime's `spawn` to whoever called it. The two stacks belong together if the
//! runtime's functions in both are made for the same type, which is the future's or the closure's
//! and is found in debug information and in symbols of the v0 mangling. Where it is not, they do if
//! the code that spawned and the code that runs are of one package. If either way leads to several
//! functions of the user's, nothing is claimed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::origin::Origin;
use super::stack::SharedFrame;

/// Packages that run the tasks of others, besides the standard library.
const RUNTIMES: &[&str] = &[
    "tokio",
    "tokio-util",
    "async-std",
    "async-executor",
    "async-global-executor",
    "async-task",
    "blocking",
    "smol",
    "futures-executor",
    "futures-util",
    "rayon",
    "rayon-core",
    "tracing",
];

/// The user's functions on whose behalf tasks are spawned.
#[derive(Debug, Default)]
pub(crate) struct Spawners<'a> {
    by_type: Known<'a>,
    by_package: Known<'a>,
}

/// By name: the function; `None` where there are several.
type Known<'a> = BTreeMap<&'a str, Option<&'a SharedFrame>>;

impl<'a> Spawners<'a> {
    /// Those that the stacks of a recording show.
    pub(crate) fn of(stacks: impl Iterator<Item = &'a [SharedFrame]>) -> Self {
        let mut spawners = Self::default();
        for spawn in stacks.filter_map(Spawn::of) {
            for name in spawn.types {
                note(&mut spawners.by_type, name, spawn.user);
            }
            if let Some(name) = spawn.package {
                note(&mut spawners.by_package, name, spawn.user);
            }
        }
        spawners
    }

    /// Who spawned the task or thread that a stack without any frame of the user's runs on.
    pub(crate) fn of_task(&self, stack: &[SharedFrame]) -> Option<&'a SharedFrame> {
        if stack.iter().any(SharedFrame::is_own) {
            return None;
        }
        let outermost = stack.iter().rposition(|frame| package(frame).is_some())?;
        let of_types = types(&stack[outermost + 1..]);
        let by_type = of_types.into_iter().find_map(|name| self.by_type.get(name));
        let known = by_type.or_else(|| self.by_package.get(package(&stack[outermost])?));
        known.copied().flatten()
    }
}

fn note<'a>(known: &mut Known<'a>, name: &'a str, user: &'a SharedFrame) {
    match known.entry(name) {
        Entry::Vacant(vacant) => {
            vacant.insert(Some(user));
        }
        Entry::Occupied(mut before) => {
            if before.get().is_some_and(|before| before.plain() != user.plain()) {
                before.insert(None);
            }
        }
    }
}

/// What the stack of a task or thread says that is being spawned.
struct Spawn<'a> {
    /// What the runtime's functions are made for.
    types: Vec<&'a str>,
    /// The package that spawns, unless it is the user's.
    package: Option<&'a str>,
    /// The nearest function of the user's.
    user: &'a SharedFrame,
}

impl<'a> Spawn<'a> {
    fn of(stack: &'a [SharedFrame]) -> Option<Self> {
        let is_spawn = |frame: &SharedFrame| {
            let name = frame.plain().rsplit("::").next();
            is_runtime(frame) && name.is_some_and(|name| name.starts_with("spawn"))
        };
        let spawn = &stack[stack.iter().position(is_spawn)?..];
        let (of_runtime, callers) =
            spawn.split_at(spawn.iter().take_while(|frame| is_runtime(frame)).count());
        let user = callers.iter().position(SharedFrame::is_own)?;
        let package = callers[..user].iter().find_map(package);
        Some(Self { types: types(of_runtime), package, user: &callers[user] })
    }
}

fn is_runtime(frame: &SharedFrame) -> bool {
    match &frame.origin {
        Origin::Std => true,
        Origin::Dependency(package) => RUNTIMES.contains(&package.as_str()),
        Origin::Workspace | Origin::Unknown => false,
    }
}

/// The package of a dependency's frame, unless it only runs the tasks of others.
fn package(frame: &SharedFrame) -> Option<&str> {
    match &frame.origin {
        Origin::Dependency(package) if !is_runtime(frame) => Some(package),
        _ => None,
    }
}

/// The futures and closures that the runtime's functions are made for, innermost first.
fn types(frames: &[SharedFrame]) -> Vec<&str> {
    let of_runtime = frames.iter().filter(|frame| is_runtime(frame));
    let arguments = of_runtime.flat_map(|frame| first_arguments(&frame.function));
    // The compiler's own names of futures and closures have braces; those of the runtime tell nothing.
    let is_task = |name: &&str| {
        let runtimes = ["tokio::", "std::", "core::", "alloc::"];
        name.contains('{') && !runtimes.iter().any(|crate_| name.starts_with(crate_))
    };
    arguments.filter(is_task).collect()
}

/// The first argument of each list of generic arguments in a function's name that is in no other.
fn first_arguments(function: &str) -> Vec<&str> {
    let (mut arguments, mut start, mut depth, mut before) = (Vec::new(), None, 0, ' ');
    for (at, c) in function.char_indices() {
        match c {
            '<' | '(' | '[' => {
                depth += 1;
                if depth == 1 {
                    start = (c == '<').then_some(at + 1);
                }
            }
            // Not the arrow of a function's type.
            '>' if before == '-' => {}
            ',' | '>' | ')' | ']' => {
                if depth == 1 {
                    arguments.extend(start.take().map(|start| &function[start..at]));
                }
                depth -= i32::from(c != ',');
            }
            _ => {}
        }
        before = c;
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::super::NamedFrame;
    use super::*;

    /// `dep:amqp::Connection::open` is a frame of the package `amqp`; `own:` and `std:` mark others.
    fn stack(frames: &str) -> Vec<SharedFrame> {
        let frame = |text: &str| {
            let (whose, function) = text.split_once(':').expect("whose it is");
            let package = function.split("::").next().unwrap_or_default();
            let origin = match whose {
                "own" => Origin::Workspace,
                "std" => Origin::Std,
                _ => Origin::Dependency(package.to_owned()),
            };
            NamedFrame { function: function.to_owned(), origin, ..NamedFrame::default() }.into()
        };
        frames.split(" < ").map(frame).collect()
    }

    #[track_caller]
    fn check(spawns: &[&str], task: &str, expected: Option<&str>) {
        let spawns: Vec<_> = spawns.iter().map(|frames| stack(frames)).collect();
        let spawners = Spawners::of(spawns.iter().map(Vec::as_slice));
        assert_eq!(spawners.of_task(&stack(task)).map(SharedFrame::plain), expected, "{task}");
    }

    const OPENED: &str = "dep:tokio::task::new < dep:tokio::task::spawn::spawn < \
                          dep:amqp::spawn_io < dep:amqp::Connection::open < own:shop::queue::connect < \
                          own:shop::main < std:std::rt::lang_start";
    const REOPENED: &str = "dep:tokio::task::spawn::spawn < dep:amqp::spawn_io < own:shop::retry";
    const TASK: &str = "std:alloc::vec::Vec::push < dep:amqp::Io::read < dep:tokio::runtime::poll < \
                        std:std::thread::start";

    #[test]
    fn a_task_belongs_to_whoever_had_it_spawned() {
        let connect = Some("shop::queue::connect");
        check(&[OPENED], TASK, connect);
        check(&[OPENED, OPENED], TASK, connect);
        check(
            &["std:std::thread::spawn < dep:amqp::start < own:shop::main"],
            TASK,
            Some("shop::main"),
        );
    }

    /// A package that spawns for several is told apart by what it spawns.
    #[test]
    fn a_task_is_known_by_its_type() {
        let spawns = [
            "dep:tokio::task::spawn::spawn<wire::{impl#1}::run::{async_fn_env#0}> < dep:wire::connect < \
             own:shop::open",
            "std:std::thread::spawn<wire::poll::{closure_env#0}, ()> < dep:wire::start < own:shop::main",
            "dep:tokio::spawn::<wire::feed::{closure#0}> < own:shop::subscribe",
        ];
        for (task, expected) in [
            (
                "poll_future<wire::{impl#1}::run::{async_fn_env#0}, alloc::sync::Arc<H>>",
                Some("shop::open"),
            ),
            ("{closure#1}<wire::poll::{closure_env#0}, fn() -> u8>", Some("shop::main")),
            ("poll_future::<wire::feed::{closure#0}, H>::{closure#0}", Some("shop::subscribe")),
            ("poll_future<wire::other::{async_fn_env#0}>", None),
            ("poll", None),
        ] {
            check(
                &spawns,
                &format!("dep:wire::push < dep:tokio::{task} < std:start_thread"),
                expected,
            );
        }
    }

    #[test]
    fn nothing_is_claimed_that_the_stacks_do_not_show() {
        for spawns in [
            // Two of the user's functions had tasks of this package spawned,
            &[OPENED, REOPENED][..],
            &[OPENED, REOPENED, OPENED],
            // another package spawned,
            &["dep:tokio::task::spawn::spawn < dep:redis::connect < own:shop::main"],
            // the user did, and which future it was is not known,
            &["dep:tokio::task::spawn::spawn < own:shop::main"],
            // nobody did: a function of the package is only called so,
            &["dep:amqp::spawn_io < own:shop::main"],
            // or nobody's call leads there.
            &["dep:tokio::task::spawn::spawn < dep:amqp::Io::read < dep:tokio::runtime::poll"],
            &[],
        ] {
            check(spawns, TASK, None);
        }
        check(&[OPENED], "dep:amqp::Io::read < own:shop::read", None);
        check(&[OPENED], "dep:tokio::time::sleep", None);
    }
}
