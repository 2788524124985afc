//! Names that are looked up once, however often a growing recording is judged.

use std::collections::BTreeMap;
use std::path::PathBuf;

use heaptide_analyze::symbols::{ElfResolver, Problem, Resolve, Resolved};
use heaptide_format::{Module, ModuleOffset, Name};

/// A resolver that asks for each name once.
#[derive(Debug, Default)]
pub(crate) struct CachingResolver {
    symbol_path: Vec<PathBuf>,
    resolver: ElfResolver,
    modules: BTreeMap<(String, Option<String>), Known>,
}

/// What is known of a module.
#[derive(Debug, Default)]
struct Known {
    /// No name for an offset that has none.
    names: BTreeMap<ModuleOffset, Option<Vec<Name>>>,
    problem: Option<Problem>,
}

impl CachingResolver {
    /// Looks in `symbol_path` before the usual places.
    pub(crate) fn new(symbol_path: Vec<PathBuf>) -> Self {
        let resolver = ElfResolver::new(symbol_path.clone());
        Self { symbol_path, resolver, modules: BTreeMap::new() }
    }

    /// Looks into this file as well, as if the user had named it.
    pub(crate) fn also_in(&mut self, file: PathBuf) {
        let mut symbol_path = std::mem::take(&mut self.symbol_path);
        symbol_path.push(file);
        *self = Self::new(symbol_path);
    }
}

impl Resolve for CachingResolver {
    fn resolve(&mut self, module: &Module, offsets: &[ModuleOffset]) -> Resolved {
        let key = (module.path.clone(), module.build_id.clone());
        let known = self.modules.entry(key).or_default();
        let unknown: Vec<ModuleOffset> =
            offsets.iter().copied().filter(|offset| !known.names.contains_key(offset)).collect();
        if !unknown.is_empty() {
            let mut found = self.resolver.resolve(module, &unknown);
            // A few more names say less of the file than those before.
            if known.names.values().all(Option::is_none) {
                known.problem = found.problem;
            }
            let named = unknown.into_iter().map(|offset| (offset, found.names.remove(&offset)));
            known.names.extend(named);
        }
        let name = |offset: &ModuleOffset| Some((*offset, known.names.get(offset)?.clone()?));
        let names = offsets.iter().filter_map(name).collect();
        Resolved { names, problem: known.problem.clone() }
    }
}
