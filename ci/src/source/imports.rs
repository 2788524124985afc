//! Which modules a module names, in its `use` items, in the paths of its code, and in the arguments
//! of its macros.
//!
//! Only paths count: calling a method of a value that was passed in is not an import. Items for
//! tests are passed over, because tests may use what the module itself must not.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Macro, UseTree, VisRestricted};

use super::attributes::{file_names, is_for_tests, of_item};
use super::package::{Module, Package};

/// A place in a module where another one is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Import {
    /// Path of the other module; of a root, the part that stands for `crate`.
    pub(crate) to: Vec<String>,
    pub(crate) line: usize,
}

/// The paths of a package's modules, to look names up in.
pub(crate) struct Names {
    /// As in `use`, without roots.
    modules: BTreeSet<Vec<String>>,
    /// Modules that `#[path]` keeps in files of other names: the files' modules.
    renamed: BTreeMap<Vec<String>, Vec<Vec<String>>>,
    /// How the package's programs name its library.
    library: String,
}

impl Names {
    pub(crate) fn of(package: &Package<'_>) -> Self {
        let inner = package.modules.iter().filter(|module| module.path.len() > module.root_len);
        let modules = inner.map(|module| module.path.clone()).collect();
        let mut renamed = BTreeMap::new();
        for module in &package.modules {
            for item in &module.syntax.items {
                let Item::Mod(child) = item else { continue };
                let files = file_names(&child.attrs);
                let beside = |file: &String| joined(&module.path, file.trim_end_matches(".rs"));
                if !files.is_empty() {
                    let path = joined(&module.path, &child.ident.to_string());
                    renamed.insert(path, files.iter().map(beside).collect());
                }
            }
        }
        Self { modules, renamed, library: package.name.replace('-', "_") }
    }

    /// The modules that an absolute path leads to: the innermost on its way, or the root.
    fn owners(&self, path: &[String], root_len: usize) -> Vec<Vec<String>> {
        for len in (root_len + 1..=path.len()).rev() {
            if let Some(files) = self.renamed.get(&path[..len]) {
                return files.clone();
            }
            if self.modules.contains(&path[..len]) {
                return vec![path[..len].to_vec()];
            }
        }
        vec![path[..root_len.min(path.len())].to_vec()]
    }

    fn is_module(&self, path: &[String]) -> bool {
        self.modules.contains(path) || self.renamed.contains_key(path)
    }
}

fn joined(path: &[String], name: &str) -> Vec<String> {
    path.iter().cloned().chain([name.to_owned()]).collect()
}

/// All imports of a module, in the order of their lines; none of itself.
pub(crate) fn imports(module: &Module<'_>, names: &Names) -> Vec<Import> {
    let mut mentions = Mentions { scope: module.path.clone(), uses: Vec::new(), paths: Vec::new() };
    mentions.visit_file(&module.syntax);
    let root = module.path[..module.root_len].to_vec();
    let mut lookup = Lookup { names, root, aliases: BTreeMap::new() };
    let mut found = Vec::new();
    for mention in mentions.uses.iter().chain(&mentions.paths) {
        let Some((path, root_len)) = lookup.absolute(mention) else { continue };
        if let Some(alias) = mention.binds.as_ref().filter(|_| names.is_module(&path)) {
            lookup.aliases.insert(alias.clone(), path.clone());
        }
        for to in names.owners(&path, root_len) {
            if to != module.path {
                found.push(Import { to, line: mention.line });
            }
        }
    }
    found.sort_by(|a, b| (a.line, &a.to).cmp(&(b.line, &b.to)));
    found.dedup();
    found
}

/// A path as it stands in the source.
struct Mention {
    segments: Vec<String>,
    line: usize,
    /// The module it stands in, file or inline.
    scope: Vec<String>,
    /// The name under which a `use` makes it known.
    binds: Option<String>,
}

/// What a file's paths mean.
struct Lookup<'a> {
    names: &'a Names,
    /// What `crate` stands for.
    root: Vec<String>,
    /// Modules that a `use` made known by one name.
    aliases: BTreeMap<String, Vec<String>>,
}

impl Lookup<'_> {
    /// The path from the root, and how much of it is the root's; `None` for what is no module of
    /// this package.
    fn absolute(&self, mention: &Mention) -> Option<(Vec<String>, usize)> {
        let (first, rest) = mention.segments.split_first()?;
        let root_len = self.root.len();
        let mut rest = rest.iter().peekable();
        let base = match first.as_str() {
            "crate" => self.root.clone(),
            "self" => mention.scope.clone(),
            "super" => {
                let mut scope = mention.scope.clone();
                scope.pop();
                while rest.next_if(|segment| *segment == "super").is_some() {
                    scope.pop();
                }
                scope
            }
            name if self.aliases.contains_key(name) => self.aliases[name].clone(),
            name if name == self.names.library => {
                return Some((rest.cloned().collect(), 0));
            }
            name => {
                let child = joined(&mention.scope, name);
                Some(child).filter(|child| self.names.is_module(child))?
            }
        };
        Some((base.into_iter().chain(rest.cloned()).collect(), root_len))
    }
}

/// Collects the paths of a file.
struct Mentions {
    scope: Vec<String>,
    uses: Vec<Mention>,
    paths: Vec<Mention>,
}

impl Mentions {
    fn mention(&self, idents: &[&Ident], binds: Option<String>) -> Option<Mention> {
        Some(Mention {
            line: idents.first()?.span().start().line,
            segments: idents.iter().map(ToString::to_string).collect(),
            scope: self.scope.clone(),
            binds,
        })
    }

    /// Every leaf of a `use`, with the idents that lead to it.
    fn leaves<'a>(&mut self, tree: &'a UseTree, mut way: Vec<&'a Ident>) {
        let binds = match tree {
            UseTree::Path(path) => {
                way.push(&path.ident);
                return self.leaves(&path.tree, way);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.leaves(tree, way.clone()));
            }
            UseTree::Name(name) if name.ident == "self" => way.last().map(ToString::to_string),
            UseTree::Name(name) => {
                way.push(&name.ident);
                Some(name.ident.to_string())
            }
            UseTree::Rename(rename) => {
                if rename.ident != "self" {
                    way.push(&rename.ident);
                }
                Some(rename.rename.to_string())
            }
            _ => None,
        };
        let mention = self.mention(&way, binds);
        self.uses.extend(mention);
    }

    /// Paths among tokens that nobody parsed.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is_colon = |at: usize| {
            tokens.get(at).is_some_and(|it| matches!(it, TokenTree::Punct(p) if p.as_char() == ':'))
        };
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(first) => {
                    let mut way = vec![first];
                    while let (true, true, Some(TokenTree::Ident(next))) =
                        (is_colon(at), is_colon(at + 1), tokens.get(at + 2))
                    {
                        way.push(next);
                        at += 3;
                    }
                    if way.len() > 1 {
                        self.paths.extend(self.mention(&way, None));
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Mentions {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(of_item(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if module.content.is_some() {
            self.scope.push(module.ident.to_string());
            visit::visit_item_mod(self, module);
            self.scope.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            self.leaves(&item.tree, Vec::new());
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            let way: Vec<&Ident> = path.segments.iter().map(|segment| &segment.ident).collect();
            self.paths.extend(self.mention(&way, None));
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &'ast Macro) {
        self.tokens(invocation.tokens.clone());
        visit::visit_macro(self, invocation);
    }

    // Neither `pub(in crate::x)` nor a lint's or derive's name is an import.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

#[cfg(test)]
mod tests {
    use super::super::file::tests::file;
    use super::super::package::packages;
    use super::*;

    /// What `order/line.rs` imports, of a package that also has `stock`, `stock::shelf` and a root.
    #[track_caller]
    fn check(text: &str, expected: &[(&str, usize)]) {
        let files = [
            file("Cargo.toml", "[package]\nname = \"the-shop\"\n"),
            file("src/lib.rs", ""),
            file("src/order/mod.rs", ""),
            file("src/order/line.rs", text),
            file("src/order/line/price.rs", ""),
            file("src/stock/mod.rs", "#[cfg_attr(unix, path = \"unix.rs\")] mod system;"),
            file("src/stock/shelf.rs", ""),
            file("src/stock/unix.rs", ""),
        ];
        let packages = packages(&files).expect("they parse");
        let names = Names::of(&packages[0]);
        let line = packages[0].modules.iter().find(|module| module.name() == "order::line");
        let found = imports(line.expect("it is there"), &names);
        let found: Vec<_> = found.iter().map(|it| (it.to.join("::"), it.line)).collect();
        let expected: Vec<_> =
            expected.iter().map(|(to, line)| ((*to).to_owned(), *line)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_use_names_the_innermost_module_on_its_way() {
        check("use crate::stock::shelf::Shelf;", &[("stock::shelf", 1)]);
        check("use crate::stock::Shelf;", &[("stock", 1)]);
        check("\nuse super::Order;", &[("order", 2)]);
        check("use super::super::stock;", &[("stock", 1)]);
        check(
            "use crate::{stock::{self, shelf}, order};",
            &[("order", 1), ("stock", 1), ("stock::shelf", 1)],
        );
        check("use crate::Shop;", &[("", 1)]);
        check("use std::fmt; use ::stock::x; use serde::Deserialize;", &[]);
        check("pub(crate) use price::Price;", &[("order::line::price", 1)]);
        check("mod price;", &[]);
    }

    #[test]
    fn a_path_in_code_is_an_import() {
        check("fn f() { crate::stock::shelf::take(1); }", &[("stock::shelf", 1)]);
        check("fn f(it: &crate::stock::Stock) {}", &[("stock", 1)]);
        check(
            "use crate::stock;\nfn f() { stock::shelf::take() }",
            &[("stock", 1), ("stock::shelf", 2)],
        );
        check("fn f() {\n assert!(x, \"{}\", crate::stock::count()); }", &[("stock", 2)]);
        check("macro_rules! m { () => { $crate::stock::count() } }", &[("stock", 1)]);
        check(
            "fn f() { price::of(); self::price::of(); Self::new(); }",
            &[("order::line::price", 1)],
        );
    }

    #[test]
    fn a_path_attribute_leads_to_the_file() {
        check("use crate::stock::system::read;", &[("stock::unix", 1)]);
    }

    #[test]
    fn tests_visibility_and_attributes_import_nothing() {
        check("#[cfg(test)] mod tests { use crate::stock::Shelf; }", &[]);
        check("pub(in crate::order) fn f() {} pub(crate) fn g() {}", &[]);
        check("#[expect(clippy::panic)] fn f() {}", &[]);
    }

    #[test]
    fn an_inline_module_is_part_of_its_file() {
        check("mod inner { use super::super::Order; use super::Line; }", &[("order", 1)]);
    }
}
