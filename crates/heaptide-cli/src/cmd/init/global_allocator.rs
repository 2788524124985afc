//! The line that puts the shim into a program, after its first `use` and `mod` lines, where people
//! look for it.

use anyhow::Context;
use proc_macro2::LineColumn;
use syn::spanned::Spanned;
use syn::{File, Item, ItemStatic, Type};

const LINE: &str =
    "#[global_allocator]\nstatic HEAP: heaptide::Heaptide = heaptide::Heaptide::new();\n";

/// What becomes of a program's root module.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Edited {
    /// The same with the line in it.
    With(String),
    /// The shim is in it already.
    AlreadyThere,
    /// Another allocator is, and which: its type.
    Other(String),
}

pub(super) fn edited(text: &str, feature: Option<&str>) -> anyhow::Result<Edited> {
    let file = syn::parse_file(text).context("it is no Rust")?;
    if let Some(allocator) = file.items.iter().find_map(global_allocator) {
        let of = type_path(&allocator.ty);
        return Ok(match of.starts_with("heaptide::") || of.starts_with("Heaptide") {
            true => Edited::AlreadyThere,
            false => Edited::Other(of),
        });
    }
    let condition = feature.map(|of| format!("#[cfg(feature = \"{of}\")]\n")).unwrap_or_default();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (before, after) = lines.split_at(line_of_insertion(&file).min(lines.len()));
    let (mut before, after) = (before.concat(), after.concat());
    if !before.is_empty() && !before.ends_with('\n') {
        before.push('\n');
    }
    let gap = if before.is_empty() || before.ends_with("\n\n") { "" } else { "\n" };
    let rest = if after.is_empty() || after.starts_with('\n') { "" } else { "\n" };
    Ok(Edited::With(format!("{before}{gap}{condition}{LINE}{rest}{after}")))
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

    #[test]
    fn the_feature_stands_only_where_there_is_one() -> anyhow::Result<()> {
        let Edited::With(text) = edited("fn main() {}\n", None)? else { anyhow::bail!("no line") };
        assert_eq!(text, format!("{LINE}\nfn main() {{}}\n"));
        Ok(())
    }
}
