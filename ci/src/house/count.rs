//! What there is to count in a source file: lines by what is on them, functions, unsafe blocks,
//! public items.

use std::ops::RangeInclusive;

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Arm, Attribute, Block, ExprUnsafe, ImplItemConst, ImplItemFn, Item, ItemFn, ItemTrait, Stmt,
    TraitItemFn, Visibility,
};

use crate::source::attributes::{is_documented, is_for_tests, of_item};
use crate::source::file::File;

/// The counts of one file, or of many together. What is for tests counts in `tests` alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Lines with code on them, without those of tests.
    pub(crate) code: usize,
    /// Lines of code for tests.
    pub(crate) tests: usize,
    /// Lines of documentation comments.
    pub(crate) docs: usize,
    /// Lines with nothing but another comment on them.
    pub(crate) comments: usize,
    /// Lines from signature to closing brace, of each function.
    pub(crate) functions: Vec<usize>,
    pub(crate) unsafe_blocks: usize,
    /// Of these, how many say why they are sound.
    pub(crate) argued: usize,
    pub(crate) public: usize,
    /// Of the public items, how many are documented.
    pub(crate) documented: usize,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.code += other.code;
        self.tests += other.tests;
        self.docs += other.docs;
        self.comments += other.comments;
        self.functions.extend(&other.functions);
        self.unsafe_blocks += other.unsafe_blocks;
        self.argued += other.argued;
        self.public += other.public;
        self.documented += other.documented;
    }
}

/// Counts a file that is part of a library or a program.
pub(crate) fn source(file: &File, syntax: &syn::File) -> Result<Counts> {
    let lines = Lines::of(file)?;
    let mut finder =
        Finder { lines: &lines, statement: 1, tests: Vec::new(), counts: Counts::default() };
    finder.visit_file(syntax);
    let Finder { tests, mut counts, .. } = finder;
    for (number, content) in (1..).zip(&lines.contents) {
        let is_test = tests.iter().any(|range| range.contains(&number));
        match content {
            Content::Code if is_test => counts.tests += 1,
            Content::Code => counts.code += 1,
            Content::Doc if !is_test => counts.docs += 1,
            Content::Comment if !is_test => counts.comments += 1,
            Content::Blank | Content::Doc | Content::Comment => {}
        }
    }
    Ok(counts)
}

/// Counts a file that is a test.
pub(crate) fn test(file: &File) -> Result<Counts> {
    let lines = Lines::of(file)?;
    let tests = lines.contents.iter().filter(|content| **content == Content::Code).count();
    Ok(Counts { tests, ..Counts::default() })
}

/// What is on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Blank,
    Code,
    Doc,
    Comment,
}

/// A file's lines, by what a lexer finds on them.
struct Lines<'a> {
    texts: Vec<&'a str>,
    contents: Vec<Content>,
}

impl<'a> Lines<'a> {
    fn of(file: &'a File) -> Result<Self> {
        let texts: Vec<&str> = file.text.lines().collect();
        // Until a token is found on it, what is written on a line is a comment.
        let no_token = |text: &&str| match text.trim().is_empty() {
            true => Content::Blank,
            false => Content::Comment,
        };
        let contents = texts.iter().map(no_token).collect();
        let tokens: TokenStream =
            file.text.parse().map_err(|err| anyhow!("{}: {err}", file.path))?;
        let mut lines = Self { texts, contents };
        lines.mark(tokens);
        Ok(lines)
    }

    fn mark(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            if let TokenTree::Punct(punct) = &token
                && punct.as_char() == '#'
            {
                // The lexer turns a documentation comment into `#[doc = "…"]` or `#![doc = "…"]`.
                let is_bang =
                    |it: &TokenTree| matches!(it, TokenTree::Punct(p) if p.as_char() == '!');
                let _ = tokens.next_if(is_bang);
                if let Some(TokenTree::Group(attribute)) = tokens.next_if(is_doc) {
                    self.put(attribute.span(), Content::Doc);
                    continue;
                }
            }
            match token {
                TokenTree::Group(group) => {
                    self.put(group.span_open(), Content::Code);
                    self.put(group.span_close(), Content::Code);
                    self.mark(group.stream());
                }
                other => self.put(other.span(), Content::Code),
            }
        }
    }

    fn put(&mut self, span: Span, content: Content) {
        for line in span.start().line..=span.end().line {
            if let Some(known) = self.contents.get_mut(line - 1)
                && *known != Content::Code
            {
                *known = content;
            }
        }
    }

    /// Whether the comment that ends above this line says why something is safe.
    fn is_argued_above(&self, line: usize) -> bool {
        let above = (0..line.saturating_sub(1)).rev();
        above
            .take_while(|&index| self.contents.get(index) == Some(&Content::Comment))
            .any(|index| self.texts[index].contains("SAFETY"))
    }
}

fn is_doc(token: &TokenTree) -> bool {
    let begins_with_doc = |group: &Group| {
        let first = group.stream().into_iter().next();
        first.is_some_and(|it| matches!(it, TokenTree::Ident(ident) if is_word_doc(&ident)))
    };
    matches!(token, TokenTree::Group(group)
        if group.delimiter() == Delimiter::Bracket && begins_with_doc(group))
}

fn is_word_doc(ident: &Ident) -> bool {
    ident == "doc"
}

/// Walks a file's syntax.
struct Finder<'a> {
    lines: &'a Lines<'a>,
    /// Where the statement or match arm begins that is being looked at.
    statement: usize,
    tests: Vec<RangeInclusive<usize>>,
    counts: Counts,
}

impl Finder<'_> {
    fn function(&mut self, start: Span, block: &Block) {
        let last = block.brace_token.span.close().end().line;
        self.counts.functions.push(last + 1 - start.start().line);
    }

    fn public(&mut self, visibility: &Visibility, attributes: &[Attribute]) {
        if matches!(visibility, Visibility::Public(_)) {
            self.counts.public += 1;
            self.counts.documented += usize::from(is_documented(attributes));
        }
    }

    fn within_statement(&mut self, start: usize, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.statement, start);
        visit(self);
        self.statement = outer;
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let span = item.span();
        if is_for_tests(of_item(item)) {
            return self.tests.push(span.start().line..=span.end().line);
        }
        match item {
            // A module in a file of its own is documented there; `tidy` sees to it.
            Item::Mod(it) if it.content.is_none() => {}
            Item::Const(it) => self.public(&it.vis, &it.attrs),
            Item::Enum(it) => self.public(&it.vis, &it.attrs),
            Item::Fn(it) => self.public(&it.vis, &it.attrs),
            Item::Mod(it) => self.public(&it.vis, &it.attrs),
            Item::Static(it) => self.public(&it.vis, &it.attrs),
            Item::Struct(it) => self.public(&it.vis, &it.attrs),
            Item::Trait(it) => self.public(&it.vis, &it.attrs),
            Item::Type(it) => self.public(&it.vis, &it.attrs),
            Item::Union(it) => self.public(&it.vis, &it.attrs),
            _ => {}
        }
        self.within_statement(span.start().line, |finder| visit::visit_item(finder, item));
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.function(function.sig.fn_token.span, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if is_for_tests(&function.attrs) {
            let span = function.span();
            return self.tests.push(span.start().line..=span.end().line);
        }
        self.public(&function.vis, &function.attrs);
        self.function(function.sig.fn_token.span, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_impl_item_const(&mut self, constant: &'ast ImplItemConst) {
        self.public(&constant.vis, &constant.attrs);
        visit::visit_impl_item_const(self, constant);
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        for part in &item.items {
            if let syn::TraitItem::Fn(function) = part {
                self.public(&item.vis, &function.attrs);
            }
        }
        visit::visit_item_trait(self, item);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(block) = &function.default {
            self.function(function.sig.fn_token.span, block);
        }
        visit::visit_trait_item_fn(self, function);
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        let start = statement.span().start().line;
        self.within_statement(start, |finder| visit::visit_stmt(finder, statement));
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        let start = arm.span().start().line;
        self.within_statement(start, |finder| visit::visit_arm(finder, arm));
    }

    fn visit_expr_unsafe(&mut self, expression: &'ast ExprUnsafe) {
        let line = expression.unsafe_token.span.start().line;
        let lines = self.lines;
        self.counts.unsafe_blocks += 1;
        // Above its statement, above the block, or in the first lines of it.
        let argued = [self.statement, line, line + 2].iter().any(|at| lines.is_argued_above(*at));
        self.counts.argued += usize::from(argued);
        visit::visit_expr_unsafe(self, expression);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::file::tests::file;

    fn counts(text: &str) -> Counts {
        let file = file("a.rs", text);
        source(&file, &syn::parse_file(text).expect("it parses")).expect("it lexes")
    }

    #[test]
    fn a_line_is_what_its_tokens_are() {
        let text = "//! Why.\n\n// A note.\n/// What.\nfn f() {\n    // Because.\n    let s = \"one\n\
                    // two\";\n}\n#[doc = \"More.\"]\nfn g() {} // Beside.\n";
        let Counts { code, docs, comments, tests, .. } = counts(text);
        assert_eq!((code, docs, comments, tests), (5, 3, 2, 0));
    }

    #[test]
    fn tests_are_counted_apart() {
        let text = "fn f() {}\n/// Of the tests.\n#[cfg(test)]\nmod tests {\n    // Why.\n    \
                    #[test]\n    fn t() {}\n}\n";
        let Counts { code, docs, comments, tests, functions, .. } = counts(text);
        assert_eq!((code, docs, comments, tests, functions.len()), (1, 0, 0, 5, 1));
        assert_eq!(test(&file("t.rs", "// Why.\nfn t() {}\n")).expect("it lexes").tests, 1);
    }

    #[test]
    fn a_function_is_as_long_as_from_its_signature_to_its_brace() {
        let text = "/// What.\n#[inline]\nfn f(\n    it: u8,\n) {\n}\nimpl A {\n    fn g() {}\n}\n\
                    trait T {\n    fn h() {\n    }\n    fn i();\n}\n";
        assert_eq!(counts(text).functions, [4, 1, 2]);
    }

    #[test]
    fn an_unsafe_block_is_argued_by_a_comment_at_its_statement() {
        let check = |body: &str, argued: usize| {
            let Counts { unsafe_blocks, argued: found, .. } =
                counts(&format!("fn f() {{\n{body}\n}}"));
            assert_eq!((unsafe_blocks, found), (1, argued), "{body}");
        };
        check("// SAFETY: the caller's promise.\nlet x =\n    unsafe { g() };", 1);
        check("// SAFETY: it is not null,\n// as was just seen.\nunsafe { g() }", 1);
        check("unsafe {\n    // SAFETY: a promise.\n    g()\n}", 1);
        check("match x {\n    // SAFETY: a promise.\n    1 => unsafe { g() },\n    _ => {}\n}", 1);
        check("// It is quick.\nunsafe { g() }", 0);
        check("// SAFETY: of the other.\nh();\nunsafe { g() }", 0);
    }

    #[test]
    fn public_items_are_those_that_others_can_name() {
        let text = "/// A.\npub struct A;\npub(crate) struct B;\nimpl A {\n    pub fn f() {}\n    fn g() {}\n}\n\
                    /// T.\npub trait T {\n    /// I.\n    fn i();\n}\npub mod elsewhere;\npub use x::Y;\n";
        let Counts { public, documented, .. } = counts(text);
        assert_eq!((public, documented), (4, 3));
    }
}
