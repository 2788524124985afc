//! Whole names for functions of which debug information has only the last one.
//!
//! With `debug = "line-tables-only"` an inlined function is `put<u64>` or `{closure#0}`, of no crate.
//! Its file tells crate and module. A method's type is lost; so is the function that an async
//! function or a closure belongs to, unless a function around it says so.

use heaptide_format::Name;

use super::function::{plain, split_top};
use super::source::CrateNames;

/// Whether a name is a function's last one only: `put<shop::Key>`, not `<shop::Store>::put`.
pub(crate) fn is_bare(function: &str) -> bool {
    !function.is_empty() && !function.starts_with('<') && split_top(function, "::").is_none()
}

impl CrateNames {
    /// Learns from all names of a run. What stands in the directories of `shim` is the shim's.
    pub(crate) fn of<'a>(names: impl Iterator<Item = &'a Name>, shim: &[String]) -> Self {
        let mut crates = Self::default();
        for name in names.filter(|name| !is_bare(&name.function)) {
            if let Some(file) = &name.file {
                crates.learn(&plain(&name.function), file);
            }
        }
        shim.iter().for_each(|dir| crates.decree(dir, "heaptide"));
        crates
    }

    /// The functions at one address, innermost first, each with a whole name as far as one can be
    /// told, and whether it was told by the file.
    pub(crate) fn complete(&self, names: &[Name]) -> Vec<(Name, bool)> {
        let mut outer: Vec<(Name, bool)> = Vec::with_capacity(names.len());
        for name in names.iter().rev() {
            let whole = self.whole(name, &outer);
            let told_by_file = whole.is_some();
            let function = whole.unwrap_or_else(|| name.function.clone());
            let function = of_its_type(&function, name, &outer).unwrap_or(function);
            outer.push((Name { function, ..name.clone() }, told_by_file));
        }
        outer.reverse();
        outer
    }

    /// `outer`: the functions around it, outermost first.
    fn whole(&self, name: &Name, outer: &[(Name, bool)]) -> Option<String> {
        let function = &name.function;
        let file = name.file.as_deref().filter(|file| file.ends_with(".rs"))?;
        // The compiler's own stand in the file of the `#[global_allocator]`.
        if !is_bare(function) || function.starts_with("__r") {
            return None;
        }
        let module = self.module_of(&file.replace('\\', "/"))?;
        let owner = function.starts_with('{').then(|| owner(name, &module, outer)).flatten();
        Some(format!("{}::{function}", owner.as_deref().unwrap_or(&module)))
    }
}

/// The function that a closure or an async block belongs to.
///
/// What calls it has its type among its own parameters, or is the function itself. The future of an
/// async function is called by whoever awaits it, which may be another function of the same file.
fn owner(name: &Name, module: &str, outer: &[(Name, bool)]) -> Option<String> {
    let kind = &name.function[..=name.function.find('}')?];
    let its_type = format!("::{}", kind.replacen('#', "_env#", 1));
    let is_future = kind.starts_with("{async");
    let n_callers = if is_future { 1 } else { outer.len() };
    for (caller, told_by_file) in outer.iter().rev().take(n_callers) {
        let mut owners = owners_in(&caller.function, &its_type, module);
        if owners.len() > 1 {
            return None;
        }
        if let Some(owner) = owners.pop() {
            return Some(owner.to_owned());
        }
        let function = without_parameters(&caller.function);
        let is_itself = caller.file == name.file && !(*told_by_file && function.ends_with('}'));
        if !is_future && is_itself {
            return Some(function.to_owned());
        }
    }
    None
}

/// The name of a closure in a method that debug information calls after the number of its impl, which
/// says nothing and changes with every impl above it: by the method that it was inlined into.
fn of_its_type(function: &str, name: &Name, outer: &[(Name, bool)]) -> Option<String> {
    let (_, numbered) = function.split_once("::{impl#")?;
    let (_, within) = numbered.split_once("}::")?;
    let (method, closure) = within.split_once("::")?;
    let same_file = outer.iter().rev().filter(|(caller, told_by_file)| {
        !told_by_file && caller.file == name.file && !caller.function.contains("{impl#")
    });
    let is_method = |whole: &String| whole.rsplit_once("::").is_some_and(|(_, it)| it == method);
    let whole = same_file.map(|(caller, _)| plain(&caller.function)).find(is_method)?;
    Some(format!("{whole}::{closure}"))
}

/// The paths before `its_type` in the parameters of a function, each once.
fn owners_in<'a>(function: &'a str, its_type: &str, module: &str) -> Vec<&'a str> {
    let mut owners = Vec::new();
    for (end, _) in function.match_indices(its_type) {
        let start = function[..end].rfind(['<', ' ', ',', '(', '&']).map_or(0, |at| at + 1);
        let owner = &function[start..end];
        let is_in_module = owner.strip_prefix(module).is_some_and(|rest| rest.starts_with("::"));
        if is_in_module && !owners.contains(&owner) {
            owners.push(owner);
        }
    }
    owners
}

/// `shop::apply` of `shop::apply<u8>`.
fn without_parameters(function: &str) -> &str {
    match function.strip_suffix('>').and_then(|_| function.find('<')) {
        Some(at) if at > 0 => function[..at].trim_end_matches(':'),
        _ => function,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Innermost first, `function @ file`; the whole names.
    fn complete(names: &[&str]) -> Vec<String> {
        let name = |text: &&str| {
            let (function, file) = text.split_once(" @ ").unwrap_or((text, ""));
            let file = Some(file.to_owned()).filter(|file| !file.is_empty());
            Name { function: function.to_owned(), file, line: Some(1) }
        };
        let names: Vec<Name> = names.iter().map(name).collect();
        let crates = CrateNames::of(names.iter(), &["/opt/tide/src".to_owned()]);
        crates.complete(&names).into_iter().map(|(name, _)| name.function).collect()
    }

    #[test]
    fn the_file_tells_crate_and_module() {
        let found = complete(&[
            "alloc<std::alloc::System> @ /opt/tide/src/hook.rs",
            "__rust_alloc @ /w/shop/src/main.rs",
            "push<u64, alloc::alloc::Global> @ /rustc/ab/library/alloc/src/vec/mod.rs",
            "put<u64> @ /w/shop/src/store.rs",
            "helper @ /w/shop/src/helper.c",
            "store::main @ /w/shop/src/main.rs",
        ]);
        let expected = [
            "heaptide::hook::alloc<std::alloc::System>",
            "__rust_alloc",
            "alloc::vec::push<u64, alloc::alloc::Global>",
            "store::store::put<u64>",
            "helper",
            "store::main",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn closures_and_futures_are_named_by_what_they_belong_to() {
        for (inner, outer, expected) in [
            (
                "{closure#0}",
                "register @ /w/shop/src/hooks.rs",
                "shop::hooks::register::{closure#0}",
            ),
            (
                "{closure#1}",
                "fold<u64, shop::hooks::add::{closure_env#1}> @ /rustc/ab/library/core/src/iter.rs",
                "shop::hooks::add::{closure#1}",
            ),
            // The same number in another module.
            (
                "{closure#0}",
                "fold<u64, shop::other::add::{closure_env#0}> @ /rustc/ab/library/core/src/iter.rs",
                "shop::hooks::{closure#0}",
            ),
            // Two that may be meant.
            (
                "{closure#0}",
                "map<shop::hooks::a::{closure_env#0}, shop::hooks::b::{closure_env#0}> @ /x/src/i.rs",
                "shop::hooks::{closure#0}",
            ),
            (
                "{async_fn#0}",
                "block_on<shop::hooks::save::{async_fn_env#0}> @ /w/desk/src/lib.rs",
                "shop::hooks::save::{async_fn#0}",
            ),
            // The number of an impl is no name.
            (
                "shop::hooks::{impl#3}::call::{closure#0}",
                "<shop::hooks::Key<u8> as shop::Hook>::call @ /w/shop/src/hooks.rs",
                "<shop::hooks::Key as shop::Hook>::call::{closure#0}",
            ),
            (
                "shop::hooks::{impl#3}::call::{closure#0}",
                "<shop::hooks::Key<u8> as shop::Hook>::ring @ /w/shop/src/hooks.rs",
                "shop::hooks::{impl#3}::call::{closure#0}",
            ),
            // Whoever awaits it is not what it belongs to.
            ("{async_fn#0}", "run @ /w/shop/src/hooks.rs", "shop::hooks::{async_fn#0}"),
        ] {
            let inner = format!("{inner} @ /w/shop/src/hooks.rs");
            assert_eq!(complete(&[&inner, outer])[0], expected, "{outer}");
        }
    }
}
