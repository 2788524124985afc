//! The line that puts the shim into a program, after its first `use` and `mod` lines, where people
//! look for it.

use anyhow::Context;
use proc_macro2::LineColumn;
use syn::spanned::Spanned;
use syn::{Attribute, File, Item, ItemStatic, Type};

const LINE: &str =
    "#[global_allocator]\nstatic HEAP: heaptide::Heaptide = heaptide::Heaptide::new();\n";

/// What becomes of a program's root module.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Edited {
    /// The same with the line in it.
    With(String),
    /// The same with the line in it, for builds that are without the other allocator: its type.
    Beside(String, String),
    /// The shim is in it already.
    AlreadyThere,
    /// Another allocator is, and which: its type.
    Other(String),
}

pub(super) fn edited(text: &str, feature: Option<&str>) -> anyhow::Result<Edited> {
    let file = syn::parse_file(text).context("it is no Rust")?;
    let allocators: Vec<&ItemStatic> = file.items.iter().filter_map(global_allocator).collect();
    let is_ours = |of: &String| of.starts_with("heaptide::") || of.starts_with("Heaptide");
    if allocators.iter().map(|it| type_path(&it.ty)).any(|of| is_ours(&of)) {
        return Ok(Edited::AlreadyThere);
    }
    let mut conditions: Vec<String> =
        feature.map(|of| format!("feature = \"{of}\"")).into_iter().collect();
    let mut other = None;
    for allocator in allocators {
        let of = type_path(&allocator.ty);
        let Some(condition) = condition(allocator) else { return Ok(Edited::Other(of)) };
        conditions.push(format!("not({condition})"));
        other = Some(of);
    }
    let with = inserted(text, line_of_insertion(&file), &attribute(&conditions));
    Ok(match other {
        Some(of) => Edited::Beside(with, of),
        None => Edited::With(with),
    })
}

/// The attribute by which an item is there only if all of this holds.
fn attribute(conditions: &[String]) -> String {
    match conditions {
        [] => String::new(),
        [one] => format!("#[cfg({one})]\n"),
        more => format!("#[cfg(all({}))]\n", more.join(", ")),
    }
}

/// The text with our line in it, behind so many others.
fn inserted(text: &str, n_lines: usize, attribute: &str) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (before, after) = lines.split_at(n_lines.min(lines.len()));
    let (mut before, after) = (before.concat(), after.concat());
    if !before.is_empty() && !before.ends_with('\n') {
        before.push('\n');
    }
    let gap = if before.is_empty() || before.ends_with("\n\n") { "" } else { "\n" };
    let rest = if after.is_empty() || after.starts_with('\n') { "" } else { "\n" };
    format!("{before}{gap}{attribute}{LINE}{rest}{after}")
}

/// How many lines stand before it: up to the end of the leading `use` and `mod` lines, or else of the
/// attributes of the whole file.
fn line_of_insertion(file: &File) -> usize {
    let leads = |item: &&Item| match item {
        Item::Use(_) | Item::ExternCrate(_) => true,
        Item::Mod(module) => module.content.is_none(),
        _ => false,
    };
    let leading = file.items.iter().take_while(leads).last();
    let LineColumn { line, .. } = match (leading, file.attrs.last()) {
        (Some(item), _) => item.span().end(),
        (None, Some(attribute)) => attribute.span().end(),
        (None, None) => return 0,
    };
    line
}

fn global_allocator(item: &Item) -> Option<&ItemStatic> {
    let Item::Static(item) = item else { return None };
    let is_it = item.attrs.iter().any(|attribute| attribute.path().is_ident("global_allocator"));
    is_it.then_some(item)
}

/// In which builds an item is there, as its own attributes say it; `None` if in all.
fn condition(item: &ItemStatic) -> Option<String> {
    let is_cfg = |attribute: &&Attribute| attribute.path().is_ident("cfg");
    let conditions = item.attrs.iter().filter(is_cfg).filter_map(|attribute| {
        let tokens = &attribute.meta.require_list().ok()?.tokens;
        Some(tokens.span().source_text().unwrap_or_else(|| tokens.to_string()))
    });
    let conditions: Vec<String> = conditions.collect();
    match conditions.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        more => Some(format!("all({})", more.join(", "))),
    }
}

fn type_path(of: &Type) -> String {
    let Type::Path(path) = of else { return String::new() };
    let names = path.path.segments.iter().map(|segment| segment.ident.to_string());
    names.collect::<Vec<_>>().join("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_stands_after_what_is_imported() -> anyhow::Result<()> {
        let check = |before: &str, after: &str| -> anyhow::Result<()> {
            let (head, tail) = (before, after);
            let with = format!("{head}#[cfg(feature = \"heaptide\")]\n{LINE}{tail}");
            let without = with.replace(&format!("#[cfg(feature = \"heaptide\")]\n{LINE}\n"), "");
            assert_eq!(
                edited(&without, Some("heaptide"))?,
                Edited::With(with.clone()),
                "{without}"
            );
            assert_eq!(edited(&with, Some("heaptide"))?, Edited::AlreadyThere);
            Ok(())
        };
        check("", "\nfn main() {}\n")?;
        check("//! The shop.\n\n", "\n/// Starts.\nfn main() {}\n")?;
        check("#![forbid(unsafe_code)]\n\nuse a::{\n    b,\n    c,\n};\n\n", "\nfn main() {}\n")?;
        check(
            "mod cart;\nuse cart::Cart;\n\n",
            "\nconst N: u32 = 1;\n\nuse b::C;\nfn main() {}\n",
        )?;
        check("use a::b;\n\n", "\nmod inner {\n    use c::d;\n}\nfn main() {}\n")?;
        Ok(())
    }

    #[test]
    fn another_allocator_is_left_alone() -> anyhow::Result<()> {
        let with =
            |of: &str| format!("#[global_allocator]\nstatic A: {of} = {of};\nfn main() {{}}\n");
        let other = Edited::Other("mimalloc::MiMalloc".into());
        assert_eq!(edited(&with("mimalloc::MiMalloc"), Some("heaptide"))?, other);
        let ours = "use heaptide::Heaptide;\n#[global_allocator]\nstatic A: Heaptide<J> = B;\n";
        assert_eq!(edited(ours, Some("heaptide"))?, Edited::AlreadyThere);
        assert!(edited("fn main(", Some("heaptide")).is_err());
        Ok(())
    }

    /// fd has jemalloc behind a feature that is off by default: init left it without the shim, and
    /// the gate that it wrote recorded nothing.
    #[test]
    fn beside_an_allocator_that_only_some_builds_have() -> anyhow::Result<()> {
        let check = |conditions: &str, feature, expected: &str| -> anyhow::Result<()> {
            let theirs =
                format!("{conditions}\n#[global_allocator]\nstatic A: je::Alloc = je::Alloc;\n");
            let with = format!("use a::b;\n\n{expected}\n{LINE}\n{theirs}");
            let before = format!("use a::b;\n\n{theirs}");
            assert_eq!(edited(&before, feature)?, Edited::Beside(with.clone(), "je::Alloc".into()));
            assert_eq!(edited(&with, feature)?, Edited::AlreadyThere);
            Ok(())
        };
        let je = "#[cfg(feature = \"je\")]";
        check(je, Some("h"), "#[cfg(all(feature = \"h\", not(feature = \"je\")))]")?;
        check(je, None, "#[cfg(not(feature = \"je\"))]")?;
        check(
            &format!("{je}\n#[cfg(all(\n    unix,\n    not(test)\n))]"),
            None,
            "#[cfg(not(all(feature = \"je\", all(\n    unix,\n    not(test)\n))))]",
        )
    }

    #[test]
    fn the_feature_stands_only_where_there_is_one() -> anyhow::Result<()> {
        let Edited::With(text) = edited("fn main() {}\n", None)? else { anyhow::bail!("no line") };
        assert_eq!(text, format!("{LINE}\nfn main() {{}}\n"));
        Ok(())
    }
}
