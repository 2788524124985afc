//! Names by the `backtrace` crate, in the process itself, for those who ask.
//!
//! This parses debug information in the watched process: tens of megabytes and a tenth of a second
//! or more, once, at the end. The tools do it outside, by build id, and better.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use heaptide_format::{ModuleId, ModuleOffset, Name, NamedOffset, Names};

use crate::globals::MODULES;
use crate::shared::sites::SiteEntry;
use crate::sync::Ordering::Relaxed;
use crate::sys;

/// The names of the frames of `sites`, by module, in order of modules and offsets. What was in a
/// module that is gone has no name any more.
pub(super) fn of_sites(sites: &mut dyn Iterator<Item = &'static SiteEntry>) -> Vec<Names> {
    let mut addresses = BTreeMap::<usize, (u64, BTreeSet<u64>)>::new();
    for site in sites {
        for frame in site.frames() {
            let (address, module) = MODULES.module_of(frame.load(Relaxed));
            if let Some((at, module)) = module.filter(|(_, module)| module.is_loaded()) {
                let (_, of_module) =
                    addresses.entry(at).or_insert_with(|| (module.bias(), BTreeSet::new()));
                of_module.insert(address);
            }
        }
    }
    let named = addresses.into_iter().map(|(at, (bias, addresses))| Names {
        module: ModuleId(at as u32),
        offsets: addresses.into_iter().filter_map(|address| named(bias, address)).collect(),
    });
    named.filter(|names| !names.offsets.is_empty()).collect()
}

fn named(bias: u64, address: u64) -> Option<NamedOffset> {
    let names = names_of(address);
    let offset = ModuleOffset(address.wrapping_sub(bias));
    (!names.is_empty()).then_some(NamedOffset { offset, names })
}

fn names_of(address: u64) -> Vec<Name> {
    let mut names = Vec::new();
    let call = (address - 1) as usize;
    let note = |symbol: &backtrace::Symbol| {
        if let Some(function) = symbol.name() {
            names.push(Name {
                function: format!("{function:#}"),
                file: symbol.filename().map(|file| file.display().to_string()),
                line: symbol.lineno(),
            });
        }
    };
    // It asks the loader for all modules, under its lock.
    sys::while_nobody_forks(|| backtrace::resolve(core::ptr::without_provenance_mut(call), note));
    names
}
