//! Modules stand in an order, and each imports only from those before it. The order is the list in
//! `ci/layers.toml`; without it, circles come back one convenient `use` at a time.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::file::File;
use crate::source::graph::{Node, an_order, circles, nodes};
use crate::source::package::{Kind, Package, packages};

const LIST: &str = "ci/layers.toml";

pub(super) fn layers(files: &[File]) -> Vec<String> {
    let packages = match packages(files) {
        Ok(packages) => packages,
        Err(err) => return vec![format!("{err:#}")],
    };
    let orders = match orders(files) {
        Ok(orders) => orders,
        Err(complaint) => return vec![complaint],
    };
    let names: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let strangers = orders.keys().filter(|name| !names.contains(name.as_str()));
    let strangers = strangers.map(|name| format!("{LIST}: no package is called `{name}`"));
    let of_packages = packages.iter().flat_map(|package| match orders.get(&package.name) {
        Some(order) => of_package(package, order),
        None => unlisted_package(package),
    });
    strangers.chain(of_packages).collect()
}

/// The order of each package's modules, from the ground up.
fn orders(files: &[File]) -> Result<BTreeMap<String, Vec<String>>, String> {
    let list = files.iter().find(|file| file.path == LIST);
    let text = &list.ok_or_else(|| format!("{LIST}: is missing"))?.text;
    let sections: toml::Table = text.parse().map_err(|err| format!("{LIST}: {err}"))?;
    let order = |(name, section): (String, toml::Value)| {
        let modules = section.get("order").and_then(toml::Value::as_array);
        let names = |modules: &Vec<toml::Value>| -> Option<Vec<String>> {
            modules.iter().map(|module| module.as_str().map(str::to_owned)).collect()
        };
        match modules.and_then(names) {
            Some(order) if section.as_table().is_some_and(|table| table.len() == 1) => {
                Ok((name, order))
            }
            _ => Err(format!("{LIST}: [{name}] is not `order = [\"module\", …]` and nothing else")),
        }
    };
    sections.into_iter().map(order).collect()
}

fn unlisted_package(package: &Package<'_>) -> Vec<String> {
    let name = &package.name;
    if !package.modules.iter().any(|module| module.kind == Kind::Inner) {
        return Vec::new();
    }
    let nodes = nodes(package);
    let advice = match an_order(&nodes) {
        Some(order) => format!("this order would hold: order = {order:?}"),
        None => "no order of its modules holds yet".to_owned(),
    };
    let rounds = circles(&nodes).into_iter().map(|circle| round(package, &circle));
    [format!("{LIST}: [{name}] is missing; {advice}")].into_iter().chain(rounds).collect()
}

fn of_package(package: &Package<'_>, order: &[String]) -> Vec<String> {
    let places: BTreeMap<&str, usize> =
        order.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
    let nodes = nodes(package);
    [
        list_against_files(package, order, &places),
        nodes.iter().flat_map(|node| upward(node, &places)).collect(),
        circles(&nodes).iter().map(|circle| round(package, circle)).collect(),
    ]
    .concat()
}

fn list_against_files(
    package: &Package<'_>,
    order: &[String],
    places: &BTreeMap<&str, usize>,
) -> Vec<String> {
    let name = &package.name;
    let inner: Vec<_> =
        package.modules.iter().filter(|module| module.kind == Kind::Inner).collect();
    let unlisted =
        inner.iter().filter(|module| !places.contains_key(module.name().as_str())).map(|module| {
            let (path, module) = (&module.file.path, module.name());
            format!("{path}: add \"{module}\" to [{name}] of {LIST}, above all it imports from")
        });
    let there: BTreeSet<String> = inner.iter().map(|module| module.name()).collect();
    let gone = order.iter().filter(|module| !there.contains(*module));
    let gone = gone
        .map(|module| format!("{LIST}: [{name}] lists `{module}`, which has no file: strike it"));
    let twice =
        order.iter().enumerate().filter(|(place, module)| places[module.as_str()] != *place);
    let twice = twice.map(|(_, module)| format!("{LIST}: [{name}] lists `{module}` twice"));
    unlisted.chain(gone).chain(twice).collect()
}

/// Imports from a module that is not below.
fn upward(node: &Node<'_>, places: &BTreeMap<&str, usize>) -> Vec<String> {
    let from = node.module.name();
    let Some(place) = places.get(from.as_str()) else { return Vec::new() };
    let complaint = |to: &str, kind: Kind, line: usize| {
        let at = node.module.file.at(line);
        if kind == Kind::Root {
            return Some(format!(
                "{at}: `{from}` imports from {to}, which stands above all modules: name the module \
                 that defines the item"
            ));
        }
        (places.get(to)? > place).then(|| {
            format!(
                "{at}: `{from}` imports `{to}`, which stands above it in {LIST}: move what both \
                 need below `{from}`, or let `{to}` pass it in; or change the order, if nothing \
                 below `{to}` needs `{from}`"
            )
        })
    };
    let imports = node.imports.iter();
    imports.filter_map(|(to, line)| complaint(&to.name(), to.kind, *line)).collect()
}

fn round(package: &Package<'_>, circle: &BTreeSet<String>) -> String {
    let members: Vec<&str> = circle.iter().map(String::as_str).collect();
    format!("{}: these import each other in a circle: {}", package.name, members.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::file::tests::file;

    /// A shop whose `order` should stand on its `stock`.
    #[track_caller]
    fn check(list: &str, modules: &[(&str, &str)], expected: &[&str]) {
        let mut files =
            vec![file("shop/Cargo.toml", "[package]\nname = \"shop\"\n"), file(LIST, list)];
        let sources = modules.iter().map(|(name, text)| file(&format!("shop/src/{name}.rs"), text));
        files.extend(sources);
        let found = layers(&files);
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}\nlacks\n{expected}");
        }
    }

    const SHOP: &str = "[shop]\norder = [\"stock\", \"order\"]\n";

    #[test]
    fn an_import_that_points_up_is_refused_with_both_names_and_the_place() {
        check(SHOP, &[("stock", ""), ("order", "use crate::stock::Shelf;")], &[]);
        check(
            SHOP,
            &[("stock", "\nuse crate::order::Order;"), ("order", "")],
            &["shop/src/stock.rs:2: `stock` imports `order`, which stands above it"],
        );
        check(
            SHOP,
            &[("stock", "fn f() { super::order::place() }"), ("order", "")],
            &["shop/src/stock.rs:1: `stock` imports `order`"],
        );
    }

    #[test]
    fn a_root_stands_above_all() {
        let order = ("order", "");
        check(
            SHOP,
            &[("lib", ""), ("stock", "use crate::Shop;"), order],
            &["`stock` imports from lib.rs"],
        );
        check(SHOP, &[("lib", "pub use order::Order;"), ("stock", ""), order], &[]);
    }

    #[test]
    fn a_re_export_is_the_folders_own() {
        let list = "[shop]\norder = [\"stock::shelf\", \"stock\"]\n";
        let folder = ("stock/mod", "pub use shelf::Shelf;");
        check(list, &[folder, ("stock/shelf", "")], &[]);
        check(
            list,
            &[folder, ("stock/shelf", "use super::Stock;")],
            &["`stock::shelf` imports `stock`", "in a circle: stock, stock::shelf"],
        );
    }

    #[test]
    fn the_list_and_the_files_are_the_same_set() {
        check(SHOP, &[("stock", "")], &["[shop] lists `order`, which has no file"]);
        check(
            SHOP,
            &[("stock", ""), ("order", ""), ("till", ""), ("tests", "use crate::till::Till;")],
            &["shop/src/till.rs: add \"till\" to [shop]"],
        );
        let twice = "[shop]\norder = [\"stock\", \"order\", \"stock\"]\n";
        check(twice, &[("stock", ""), ("order", "")], &["lists `stock` twice"]);
    }

    #[test]
    fn every_package_of_several_modules_has_its_section() {
        check("", &[("main", ""), ("bin/till", "")], &[]);
        check(
            "",
            &[("stock", "")],
            &["[shop] is missing; this order would hold: order = [\"stock\"]"],
        );
        check("[shop]\nmodules = []\n", &[], &["[shop] is not `order"]);
        check("[stall]\norder = []\n", &[], &["no package is called `stall`"]);
    }
}
