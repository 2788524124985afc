//! Names from unpacked split debug information (`.dwo` files), which need another reader.

use std::collections::BTreeMap;

use addr2line::Loader;
use heaptide_format::{ModuleOffset, Name};

use crate::identity::is_bare;

/// Names of return addresses in the loaded file.
pub(super) fn names(
    loader: &Loader,
    offsets: &[ModuleOffset],
) -> BTreeMap<ModuleOffset, Vec<Name>> {
    let named =
        offsets.iter().map(|offset| (*offset, names_at(loader, offset.0.saturating_sub(1))));
    named.filter(|(_, names)| !names.is_empty()).collect()
}

fn names_at(loader: &Loader, call: u64) -> Vec<Name> {
    let mut names = Vec::new();
    if let Ok(mut frames) = loader.find_frames(call) {
        while let Ok(Some(frame)) = frames.next() {
            let function = frame.function.as_ref().and_then(|function| function.raw_name().ok());
            names.push(Name {
                function: function.map(|name| demangled(&name)).unwrap_or_default(),
                file: frame.location.as_ref().and_then(|at| at.file).map(str::to_owned),
                line: frame.location.as_ref().and_then(|at| at.line).filter(|line| *line > 0),
            });
        }
    }
    if names.iter().all(|name| name.function.is_empty()) {
        let symbol = loader.find_symbol(call).map(demangled);
        names.clear();
        names.extend(symbol.map(|function| Name { function, file: None, line: None }));
    }
    // Line tables alone have no path; the symbol table has that of functions that are not inlined.
    if let Some(outermost) = names.last_mut().filter(|name| is_bare(&name.function)) {
        let symbol = loader.find_symbol(call).map(demangled);
        let whole = symbol.filter(|symbol| symbol.contains("::"));
        outermost.function = whole.unwrap_or_else(|| std::mem::take(&mut outermost.function));
    }
    names.retain(|name| !name.function.is_empty());
    names
}

/// Without hashes and crate disambiguators.
fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}
