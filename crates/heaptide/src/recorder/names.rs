//! Names by the `backtrace` crate, in the process itself, for those who ask.
//!
//! This parses debug information in the watched process: tens of megabytes and a tenth of a second
//! or more, once, at the end. The tools do it outside, by build id, and better.

#![forbid(unsafe_code)]

use heaptide_format::{ModuleId, ModuleOffset, Name, NamedOffset, Names};

use crate::recording::MODULES;

/// The names of return addresses, by module, in order of modules and offsets.
pub(crate) fn resolve(addresses: &[u64]) -> Vec<Names> {
    let modules = MODULES.all().zip(0..);
    modules
        .filter_map(|(module, at)| {
            let inside = addresses.iter().filter(|&&address| module.contains(address - 1));
            let offsets: Vec<NamedOffset> = inside
                .map(|&address| NamedOffset {
                    offset: ModuleOffset(address.wrapping_sub(module.bias())),
                    names: names_of(address),
                })
                .filter(|named| !named.names.is_empty())
                .collect();
            (!offsets.is_empty()).then_some(Names { module: ModuleId(at), offsets })
        })
        .collect()
}

fn names_of(address: u64) -> Vec<Name> {
    let mut names = Vec::new();
    let call = (address - 1) as usize;
    backtrace::resolve(core::ptr::without_provenance_mut(call), |symbol| {
        if let Some(function) = symbol.name() {
            names.push(Name {
                function: format!("{function:#}"),
                file: symbol.filename().map(|file| file.display().to_string()),
                line: symbol.lineno(),
            });
        }
    });
    names
}
