//! The smallest subtree of calls that explains most of the growth.

use std::sync::Arc;

use heaptide_analyze::CallTree;
use heaptide_analyze::axis::{Axis, Settings};
use heaptide_analyze::identity::{NamedFrame, Origin};
use heaptide_analyze::policy::{Date, Policy};
use heaptide_analyze::{Criteria, Run, Site, judge_runs};

use crate::sites::{site, timeline};

/// A stack, innermost first (a leading `std::` is the library's), and blocks kept per snapshot.
type Stack<'a> = (&'a str, u64);

fn tree_of(stacks: &[Stack<'_>]) -> Option<CallTree> {
    let timeline = timeline(40);
    let axis = Arc::new(Axis::new(&timeline, &Settings::default()));
    let frame = |function: &str| NamedFrame {
        function: function.to_owned(),
        origin: match function.split("::").next() {
            Some("std") => Origin::Std,
            Some("tokio") => Origin::Dependency("tokio".into()),
            _ => Origin::Workspace,
        },
        ..NamedFrame::default()
    };
    let to_site = |(index, &(stack, kept)): (usize, &Stack<'_>)| {
        let mut site = site(&axis, stack, Origin::Workspace, |_| kept);
        site.subject.id = format!("{index:08x}");
        site.subject.stack = stack.split(' ').map(|function| frame(function).into()).collect();
        let mut own = site.subject.stack.iter().filter(|frame| frame.origin != Origin::Std);
        site.subject.blamed = own.next().cloned().unwrap_or_default();
        site
    };
    let sites: Vec<Site> = stacks.iter().enumerate().map(to_site).collect();
    let runs = [Run { timeline: &timeline, axis: &axis, sites: &sites }];
    let policy = Policy::default();
    let today = Date::default();
    let mut report =
        judge_runs(&runs, &Criteria { policy: &policy, baseline: None, before: None, today });
    report.runs.remove(0).grows_under
}

/// `function share(calls…)`
fn shown(tree: &CallTree) -> String {
    let calls: Vec<String> = tree.calls.iter().map(shown).collect();
    let calls = if calls.is_empty() { String::new() } else { format!("({})", calls.join(" ")) };
    format!("{} {:.0}{calls}", tree.function, tree.share * 100.0)
}

#[test]
fn most_of_the_growth_has_one_root() {
    let cases: &[(&str, &[Stack<'_>], Option<&str>)] = &[
        ("nothing grows", &[("std::push a::f main", 0)], None),
        ("one site", &[("std::push a::f a::main", 10)], Some("std::push 100")),
        (
            "a session is several allocations",
            &[
                ("std::push a::user a::create a::login a::main", 30),
                ("std::insert a::create a::login a::main", 60),
                ("std::push a::cart a::create a::login a::main", 10),
            ],
            Some("a::create 100(std::insert 60 a::user 30(std::push 30) a::cart 10(std::push 10))"),
        ),
        (
            "a little elsewhere does not move the root",
            &[
                ("std::push a::user a::create a::main", 60),
                ("std::insert a::create a::main", 35),
                ("std::push a::log a::main", 5),
            ],
            Some("a::create 95(a::user 60(std::push 60) std::insert 35)"),
        ),
        (
            "more elsewhere does",
            &[("std::push a::f a::main", 60), ("std::push a::g a::main", 40)],
            Some("a::main 100(a::f 60(std::push 60) a::g 40(std::push 40))"),
        ),
        (
            "runtimes in between do not count",
            &[
                ("std::push a::f tokio::poll a::main tokio::run", 50),
                ("std::push a::g tokio::poll a::main", 50),
            ],
            Some("a::main 100(a::f 50(std::push 50) a::g 50(std::push 50))"),
        ),
        (
            "recursion counts once",
            &[("std::push a::f a::f a::f a::main", 9)],
            Some("std::push 100"),
        ),
        ("no root in common", &[("std::push a::f", 50), ("std::push b::g", 50)], None),
        (
            "what is hardly anything is left out",
            &[
                ("std::push a::f a::main", 500),
                ("std::push a::g a::main", 400),
                ("std::push a::h a::main", 5),
            ],
            Some("a::main 100(a::f 55(std::push 55) a::g 44(std::push 44))"),
        ),
        (
            "without a call of one's own, those of the dependencies count",
            &[
                ("std::push tokio::slab tokio::spawn", 30),
                ("std::insert tokio::wheel tokio::spawn", 70),
            ],
            Some("tokio::spawn 100(tokio::wheel 70(std::insert 70) tokio::slab 30(std::push 30))"),
        ),
        ("the standard library alone is nobody's call", &[("std::push std::thread", 10)], None),
    ];
    for (name, stacks, expected) in cases {
        assert_eq!(tree_of(stacks).as_ref().map(shown).as_deref(), *expected, "{name}");
    }
}

/// A site of 7,800 distinct frames overflowed the stack, and a million names took two minutes.
#[test]
fn a_stack_of_any_depth_has_a_tree() {
    let stack: Vec<String> = (0..20_000).map(|n| format!("a::f{n}")).collect();
    let tree = tree_of(&[(&stack.join(" "), 10), ("a::g a::f19999", 10)]).expect("a tree");
    let json = serde_json::to_string(&tree).expect("JSON");
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "nested too deep to be read");
}
