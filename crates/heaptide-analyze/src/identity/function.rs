//! Function names without what a rebuild or another instantiation changes.
//!
//! Rust has two manglings, and debug information a third way to write a name. All are brought to
//! one form: no hash, no generic arguments, no closures, an impl as its type (and trait).

/// Brackets nested deeper than this are no Rust name; it is left as it is.
const DEEPEST: u32 = 64;
/// The crates of the standard library.
const STANDARD: [&str; 3] = ["core", "alloc", "std"];

/// Brings a demangled name to the form that identities are made of.
///
/// `<shop::Store<K>>::login::{closure#0}`, `shop::Store<K>::login::{{closure}}` and
/// `shop::store::<impl shop::Store<K>>::login` are all `shop::Store::login`.
pub fn plain(function: &str) -> String {
    if Depths::of(function).any(|(_, _, depth)| depth > DEEPEST) {
        return function.to_owned();
    }
    plain_path(function)
}

/// Goes one bracket deeper with each call of itself.
fn plain_path(function: &str) -> String {
    let (path, arguments) = split_arguments(without_hash(function.trim()));
    let segments = segments(path);
    let mut plain: Vec<String> = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        match Segment::of(segment) {
            // What stands in brackets after a name are arguments: `block_on::<shop::respond>`.
            Segment::Impl { of: None, .. } if index > 0 && !segment.starts_with("<impl ") => {}
            Segment::Impl { of, for_type } => plain = Vec::from_iter(qualified(for_type, of)),
            Segment::Named(name) => plain.push(name),
            Segment::Dropped => {}
        }
    }
    match plain.is_empty() {
        true => format!("{path}{arguments}"),
        false => plain.join("::"),
    }
}

/// The crate that a plain name belongs to, if it shows one.
pub(super) fn crate_of(plain: &str) -> Option<&str> {
    let inner = plain.strip_prefix('<').map_or(plain, |rest| rest);
    let (first, after) = inner.split_once("::")?;
    // `<T as shop::Trait>::f`: a bare parameter or primitive is of no crate.
    let name = first.split_once(" as ").map_or(first, |(_, of_trait)| of_trait);
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let name = Some(name).filter(|name| !after.is_empty() && is_name(name))?;
    Some(extended_by(inner, name).unwrap_or(name))
}

/// The crate whose trait has an impl for a type of the standard library, which knows no such trait:
/// the impl stands in that crate.
fn extended_by<'a>(inner: &'a str, of_type: &str) -> Option<&'a str> {
    let (_, of_trait) = inner.split_once(" as ").filter(|_| STANDARD.contains(&of_type))?;
    let (name, _) = of_trait.split_once("::")?;
    Some(name).filter(|name| !STANDARD.contains(name))
}

enum Segment<'a> {
    Impl { of: Option<&'a str>, for_type: &'a str },
    Named(String),
    Dropped,
}

impl<'a> Segment<'a> {
    fn of(segment: &'a str) -> Self {
        if segment.starts_with('{') {
            return Self::Dropped;
        }
        let Some(inner) = segment.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) else {
            return Self::Named(type_name(segment));
        };
        if let Some(header) = inner.strip_prefix("impl ") {
            return match split_top(header, " for ") {
                Some((of, for_type)) => Self::Impl { of: Some(of), for_type },
                None => Self::Impl { of: None, for_type: header },
            };
        }
        match split_top(inner, " as ") {
            Some((for_type, of)) => Self::Impl { of: Some(of), for_type },
            None if inner.contains("::") => Self::Impl { of: None, for_type: inner },
            None => Self::Dropped,
        }
    }
}

/// Nothing for methods of `str`, `[T]` and the like: only some ways to write them name the type.
fn qualified(for_type: &str, of: Option<&str>) -> Option<String> {
    let for_type = type_name(for_type);
    match of {
        Some(of) => Some(format!("<{for_type} as {}>", type_name(of))),
        None => Some(for_type).filter(|path| path.contains("::")),
    }
}

/// A type or path segment without references, pointers and arguments.
fn type_name(text: &str) -> String {
    let text = without_pointers(text.trim());
    match text.as_bytes().first() {
        Some(b'[') => return "[_]".to_owned(),
        Some(b'(') => return "(_)".to_owned(),
        _ => {}
    }
    let text = split_top(text, " + ").map_or(text, |(first, _)| first);
    if split_top(text, "::").is_some() {
        return plain_path(text);
    }
    let end = text.find(['<', '(']).filter(|end| *end > 0).unwrap_or(text.len());
    text[..end].to_owned()
}

fn without_pointers(mut text: &str) -> &str {
    while let Some(rest) = ["&", "mut ", "*const ", "*mut ", "dyn "]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))
    {
        text = match rest.strip_prefix('\'').and_then(|lifetime| lifetime.split_once(' ')) {
            Some((_, rest)) => rest,
            None => rest,
        };
    }
    text
}

/// Legacy manglings end in `::h` and 16 hex digits.
fn without_hash(name: &str) -> &str {
    let is_hash = |tail: &str| tail.len() == 16 && tail.bytes().all(|b| b.is_ascii_hexdigit());
    match name.rsplit_once("::h") {
        Some((path, tail)) if is_hash(tail) => path,
        _ => name,
    }
}

/// C++ names carry their parameters: `f(int)`.
fn split_arguments(name: &str) -> (&str, &str) {
    let start = Depths::of(name).find(|(at, byte, depth)| *byte == b'(' && *depth == 0 && *at > 0);
    match start {
        Some((at, ..)) if !name[..at].ends_with(['&', ':', ' ', '<']) => name.split_at(at),
        _ => (name, ""),
    }
}

fn segments(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = path;
    while let Some((first, after)) = split_top(rest, "::") {
        parts.push(first);
        rest = after;
    }
    parts.push(rest);
    parts.retain(|part| !part.is_empty());
    parts
}

/// Splits at the first `separator` that stands outside all brackets.
pub(super) fn split_top<'a>(text: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    let (at, ..) = Depths::of(text).find(|(at, _, depth)| {
        *depth == 0 && text.as_bytes()[*at..].starts_with(separator.as_bytes())
    })?;
    Some((&text[..at], &text[at + separator.len()..]))
}

/// Every byte with its offset and the number of brackets around it.
struct Depths<'a> {
    bytes: std::iter::Enumerate<std::slice::Iter<'a, u8>>,
    last: u8,
    depth: u32,
}

impl<'a> Depths<'a> {
    fn of(text: &'a str) -> Self {
        Self { bytes: text.as_bytes().iter().enumerate(), last: 0, depth: 0 }
    }
}

impl Iterator for Depths<'_> {
    type Item = (usize, u8, u32);

    fn next(&mut self) -> Option<Self::Item> {
        let (at, &byte) = self.bytes.next()?;
        let around = self.depth;
        match byte {
            b'<' | b'(' | b'[' | b'{' => self.depth += 1,
            // The arrow of `fn() -> T` closes nothing.
            b'>' if self.last == b'-' => {}
            b'>' | b')' | b']' | b'}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.last = byte;
        Some((at, byte, around))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_to_write_a_name_come_to_one() {
        for (function, expected) in [
            ("main", "main"),
            ("shop::main", "shop::main"),
            ("shop::main::h0123456789abcdef", "shop::main"),
            ("shop::Store<K,V>::login::{{closure}}", "shop::Store::login"),
            ("<shop::Store<alloc::string::String, u8>>::login::{closure#0}", "shop::Store::login"),
            ("shop::store::<impl shop::Store<K>>::login", "shop::Store::login"),
            ("shop::{impl#3}::login<u64>", "shop::login"),
            (
                "<shop::S as tower::Service<http::Request<B>>>::call",
                "<shop::S as tower::Service>::call",
            ),
            (
                "shop::a::<impl tower::Service<R> for shop::S>::call",
                "<shop::S as tower::Service>::call",
            ),
            ("<T as core::convert::Into<U>>::into", "<T as core::convert::Into>::into"),
            (
                "<&str as core::convert::Into<alloc::string::String>>::into",
                "<str as core::convert::Into>::into",
            ),
            ("shop::block_on::<shop::respond::{closure#0}>", "shop::block_on"),
            ("shop::apply::<fn(u8) -> u8, [u8; 4]>::run", "shop::apply::run"),
            (
                "<dyn core::ops::Fn<(u8,)> + core::marker::Send as a::B>::f",
                "<core::ops::Fn as a::B>::f",
            ),
            (
                "<[T] as alloc::slice::ToOwned>::to_owned",
                "<[_] as alloc::slice::ToOwned>::to_owned",
            ),
            ("core::ptr::drop_in_place<shop::main::{closure_env#0}>", "core::ptr::drop_in_place"),
            (
                "std::vector<int, std::allocator<int> >::push_back(int const&)",
                "std::vector::push_back",
            ),
            ("shop::login::{async_fn#0}", "shop::login"),
            ("alloc::str::<impl str>::repeat", "repeat"),
            ("<str>::repeat", "repeat"),
            ("<[u8]>::to_vec", "to_vec"),
            ("alloc::slice::<impl [T]>::to_vec", "to_vec"),
            ("", ""),
            ("<<<", "<<<"),
            ("é::ü<ß>", "é::ü"),
        ] {
            assert_eq!(plain(function), expected, "{function}");
        }
    }

    #[test]
    fn no_name_is_too_strange() {
        for unit in ["<", "&", "(", "<a::", "a::<", "&'a ", "->", "\u{e9}", "<impl ", " as ", "::h"]
        {
            plain(&unit.repeat(100_000));
            plain(&unit.repeat(50));
        }
    }

    #[test]
    fn the_crate_is_the_first_word() {
        for (name, expected) in [
            ("shop::main", Some("shop")),
            ("main", None),
            ("<shop::S as tower::Service>::call", Some("shop")),
            ("<T as tower::Service>::call", Some("tower")),
            ("<alloc::vec::Vec as shop::Keep>::keep", Some("shop")),
            ("<alloc::vec::Vec as core::clone::Clone>::clone", Some("alloc")),
            ("<[_] as alloc::slice::ToOwned>::to_owned", Some("alloc")),
            ("<str>::repeat", None),
        ] {
            assert_eq!(crate_of(name), expected, "{name}");
        }
    }
}
