//! What attributes say of an item: that it is there for tests only, that it is documented, or that
//! its file has another name.

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Item, Lit, Meta, MetaNameValue, Token};

/// Whether the item is compiled for tests only.
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_test = attribute.path().is_ident("test");
        let is_cfg = attribute.path().is_ident("cfg");
        is_test || is_cfg && attribute.parse_args().is_ok_and(|condition| needs_test(&condition))
    })
}

/// Whether the condition can hold in no build but that of tests.
fn needs_test(condition: &Meta) -> bool {
    let parts = |list: &syn::MetaList| {
        let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
        parts.map(|parts| parts.into_iter().collect::<Vec<_>>()).unwrap_or_default()
    };
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => parts(list).iter().any(needs_test),
        Meta::List(list) if list.path.is_ident("any") => parts(list).iter().all(needs_test),
        Meta::List(_) | Meta::NameValue(_) => false,
    }
}

pub(crate) fn is_documented(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("doc"))
}

/// The files that `#[path]` names, also where it stands in a `cfg_attr`.
pub(crate) fn file_names(attributes: &[Attribute]) -> Vec<String> {
    let parts = |attribute: &Attribute| -> Vec<Meta> {
        if !attribute.path().is_ident("cfg_attr") {
            return vec![attribute.meta.clone()];
        }
        let parts = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
        parts.map(|parts| parts.into_iter().skip(1).collect()).unwrap_or_default()
    };
    let named = |meta: Meta| match meta {
        Meta::NameValue(MetaNameValue { path, value: Expr::Lit(value), .. })
            if path.is_ident("path") =>
        {
            match value.lit {
                Lit::Str(name) => Some(name.value()),
                _ => None,
            }
        }
        _ => None,
    };
    attributes.iter().flat_map(parts).filter_map(named).collect()
}

/// The attributes of any item.
pub(crate) fn of_item(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::ExternCrate(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::ForeignMod(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::TraitAlias(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Union(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(item: &str, for_tests: bool) {
        let item: Item = syn::parse_str(item).expect("an item");
        assert_eq!(is_for_tests(of_item(&item)), for_tests);
    }

    #[test]
    fn only_what_no_other_build_sees_is_for_tests() {
        check("#[cfg(test)] mod tests {}", true);
        check("#[cfg(all(test, not(loom)))] mod tests {}", true);
        check("#[cfg(any(test, loom))] mod models {}", false);
        check("#[cfg(not(test))] mod product {}", false);
        check("#[test] fn it_works() {}", true);
        check("mod tests {}", false);
    }

    #[test]
    fn a_file_name_is_found_in_a_condition_too() {
        let names = |item: &str| file_names(of_item(&syn::parse_str(item).expect("an item")));
        assert_eq!(names("#[path = \"x.rs\"] mod machine;"), ["x.rs"]);
        assert_eq!(names("#[cfg_attr(unix, path = \"x.rs\")] mod machine;"), ["x.rs"]);
        assert!(names("#[cfg(unix)] mod machine;").is_empty());
    }
}
