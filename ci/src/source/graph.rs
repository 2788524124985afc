//! Arrows from module to module, and the circles they make.

use std::collections::{BTreeMap, BTreeSet};

use super::imports::{Import, Names, imports};
use super::package::{Kind, Module, Package};

/// One module and what it imports.
pub(crate) struct Node<'a> {
    pub(crate) module: &'a Module<'a>,
    pub(crate) imports: Vec<(&'a Module<'a>, usize)>,
}

/// All modules of a package but tests, each with the modules it imports and the line where it does.
pub(crate) fn nodes<'a>(package: &'a Package<'a>) -> Vec<Node<'a>> {
    let names = Names::of(package);
    let modules = || package.modules.iter().filter(|module| module.kind != Kind::Tests);
    let by_path: BTreeMap<&[String], &Module<'_>> =
        // A library and a program beside it have the same path; a module's root is the library.
        modules().rev().map(|module| (module.path.as_slice(), module)).collect();
    let found = |Import { to, line }: Import| Some((*by_path.get(to.as_slice())?, line));
    let node = |module| Node {
        module,
        imports: imports(module, &names).into_iter().filter_map(found).collect(),
    };
    modules().map(node).collect()
}

/// An order in which every module but roots imports only what stands before it, if there is one.
pub(crate) fn an_order(nodes: &[Node<'_>]) -> Option<Vec<String>> {
    let mut open: Vec<&Node<'_>> =
        nodes.iter().filter(|node| node.module.kind == Kind::Inner).collect();
    let mut order: Vec<String> = Vec::new();
    while !open.is_empty() {
        let stands = |(module, _): &(&Module<'_>, usize)| order.contains(&module.name());
        let next = open.iter().position(|node| node.imports.iter().all(stands))?;
        order.push(open.remove(next).module.name());
    }
    Some(order)
}

/// Sets of modules each of which leads to all the others, largest first.
pub(crate) fn circles(nodes: &[Node<'_>]) -> Vec<BTreeSet<String>> {
    let arrows: BTreeMap<String, BTreeSet<String>> = nodes
        .iter()
        .map(|node| {
            (node.module.name(), node.imports.iter().map(|(module, _)| module.name()).collect())
        })
        .collect();
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        arrows.keys().map(|from| (from, reach(from, &arrows))).collect();
    let mut circles: Vec<BTreeSet<String>> = Vec::new();
    for (from, there) in &reached {
        let back = |to: &&&String| reached.get(**to).is_some_and(|again| again.contains(from));
        let circle: BTreeSet<String> = there.iter().filter(back).map(|&to| to.clone()).collect();
        if circle.len() > 1 && !circles.contains(&circle) {
            circles.push(circle);
        }
    }
    circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    circles
}

/// All that can be come to from a module by one arrow or more.
fn reach<'a>(
    from: &'a String,
    arrows: &'a BTreeMap<String, BTreeSet<String>>,
) -> BTreeSet<&'a String> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(next) = open.pop() {
        for to in arrows.get(next).into_iter().flatten() {
            if reached.insert(to) {
                open.push(to);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::super::file::tests::file;
    use super::super::package::packages;
    use super::*;

    #[track_caller]
    fn check(modules: &[(&str, &str)], expected: &[&[&str]]) {
        let mut files = vec![file("Cargo.toml", "[package]\nname = \"shop\"\n")];
        files.extend(modules.iter().map(|(name, text)| file(&format!("src/{name}.rs"), text)));
        let packages = packages(&files).expect("they parse");
        let found = circles(&nodes(&packages[0]));
        let found: Vec<Vec<&str>> =
            found.iter().map(|circle| circle.iter().map(String::as_str).collect()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_circle_is_found_whatever_its_length() {
        check(&[("a", "use crate::b::B;"), ("b", "")], &[]);
        check(&[("a", "use crate::b::B;"), ("b", "use crate::a::A;")], &[&["a", "b"]]);
        check(
            &[
                ("a", "use crate::b::B;"),
                ("b", "use crate::c::C;"),
                ("c", "use crate::a::A;"),
                ("d", "use crate::a::A;"),
            ],
            &[&["a", "b", "c"]],
        );
    }

    #[test]
    fn a_root_is_in_a_circle_with_the_module_that_needs_it() {
        check(&[("lib", "pub use a::A;"), ("a", "use crate::B;")], &[&["a", "lib.rs"]]);
    }

    #[test]
    fn an_order_puts_what_is_imported_first() {
        let order = |a: &str| {
            let files = [
                file("Cargo.toml", "[package]\nname = \"shop\"\n"),
                file("src/a.rs", a),
                file("src/b.rs", "use crate::c::C;"),
                file("src/c.rs", ""),
            ];
            an_order(&nodes(&packages(&files).expect("they parse")[0]))
        };
        assert_eq!(order("use crate::b::B;"), Some(["c", "b", "a"].map(str::to_owned).to_vec()));
        assert_eq!(order("use crate::b::B; use crate::a::x;").map(|it| it.len()), Some(3));
        assert_eq!(order("").map(|it| it.join(" ")).as_deref(), Some("a c b"));
    }

    #[test]
    fn a_module_is_not_the_program_of_the_same_name() {
        check(
            &[
                ("client", ""),
                ("bin/client", "use shop::client::x;"),
                ("a", "use crate::client::x;"),
            ],
            &[],
        );
        check(
            &[("client", "use crate::a::x;"), ("bin/client", ""), ("a", "use crate::client::x;")],
            &[&["a", "client"]],
        );
    }

    #[test]
    fn tests_close_no_circle() {
        check(&[("a", "use crate::tests::case;"), ("tests", "use crate::a::A;")], &[]);
    }
}
