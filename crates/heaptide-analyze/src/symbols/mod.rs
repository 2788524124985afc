//! From `module + offset` to functions, files and lines, after the fact and by build id.
//!
//! The watched process stores addresses only; here they get names. Names that stand in the
//! recording with a line are believed (they were resolved when the right file was at hand), and so
//! are the others of a module that it names completely; the rest is looked up in executables, one
//! batch per module; what is left keeps the recorded name without a line, or shows as
//! `module+0xoffset`.

mod build_id;
mod compressed;
mod contained;
mod dwo;
mod elf;
mod executable;
mod linked;
mod problem;
mod reader;
mod regular;
mod resolve;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use heaptide_format::{
    Frame, Module, ModuleId, ModuleOffset, Name, NamedOffset, Names, Site, SiteId,
};

pub use contained::catches_panics;
pub use elf::ElfResolver;
pub use executable::{Executable, OtherAllocator};
pub use problem::Problem;
pub use resolve::{RecordedOnly, Resolve, Resolved};

use crate::identity::{
    CrateNames, Identity, NamedFrame, Origin, SharedFrame, Stack, WorkspaceCrates, tell_apart,
};
use crate::limits::MOST_FRAMES;
use crate::load::Recording;

/// The frames of a run: one for each function at each address, shared by all stacks through it.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    frames: HashMap<Frame, Vec<SharedFrame>>,
    /// Why names or lines are missing, one per module at most.
    pub problems: Vec<Problem>,
}

impl Symbols {
    /// Names every frame of every site of `run`; those of `workspace` are the user's own, wherever
    /// their source lies.
    pub fn look_up(
        run: &Recording,
        resolver: &mut dyn Resolve,
        workspace: &WorkspaceCrates,
    ) -> Self {
        let Looked { names, problems } = Looked::up(run, resolver);
        let header = &run.timeline.header;
        let exe = file_name(&header.exe);
        let crates = CrateNames::of(names.values().flatten(), &header.shim_sources);
        let mut frames = HashMap::new();
        for at in run.sites.values().flat_map(|site| &site.frames) {
            frames.entry(*at).or_insert_with(|| {
                let module = at.module.and_then(|id| run.modules.get(&id));
                let module = module.map_or("?", |module| file_name(&module.path));
                let names = at.module.and_then(|id| names.get(&(id, at.offset)));
                let names = names.map(|names| crates.complete(names)).unwrap_or_default();
                let named = frames_at(at.offset, module, &names, exe);
                named.into_iter().map(|frame| frame.claimed_by(workspace).into()).collect()
            });
        }
        Self { frames, problems }
    }

    /// A site's frames with their names, innermost first; inlined functions are frames of their own.
    pub fn stack(&self, site: &Site) -> Stack {
        let named = site.frames.iter().filter_map(|at| self.frames.get(at));
        let n_frames = named.clone().map(Vec::len).sum::<usize>();
        let mut frames = Vec::with_capacity(n_frames.min(MOST_FRAMES));
        frames.extend(named.flatten().take(MOST_FRAMES).cloned());
        Stack { frames, truncated: site.truncated || n_frames > MOST_FRAMES }
    }

    /// What the sites of `run` are called, each told apart from all others.
    pub(crate) fn identities(&self, run: &Recording) -> BTreeMap<SiteId, Identity> {
        let identity = |site: &Site| Identity::of(&self.stack(site), site.tag.as_deref());
        let mut identities: BTreeMap<SiteId, Identity> =
            run.sites.iter().map(|(id, site)| (*id, identity(site))).collect();
        tell_apart(identities.values_mut());
        identities
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What stands at an address, innermost first.
fn frames_at(
    offset: ModuleOffset,
    module: &str,
    names: &[(Name, bool)],
    exe: &str,
) -> Vec<NamedFrame> {
    let Some(last) = names.len().checked_sub(1) else {
        return vec![NamedFrame::unnamed(module.to_owned(), offset)];
    };
    let named = names.iter().enumerate().map(|(depth, (name, told_by_file))| NamedFrame {
        function: name.function.clone(),
        file: name.file.clone(),
        line: name.line,
        inlined: depth < last,
        told_by_file: *told_by_file,
        origin: Origin::of(name, module, exe),
        module: module.to_owned(),
        offset,
    });
    named.collect()
}

/// Names of addresses: as the recording has them, or as the resolver found them.
#[derive(Debug, Default)]
struct Looked {
    names: BTreeMap<(ModuleId, ModuleOffset), Vec<Name>>,
    problems: Vec<Problem>,
}

impl Looked {
    fn up(run: &Recording, resolver: &mut dyn Resolve) -> Self {
        let mut looked = Self::default();
        for (id, offsets) in offsets_by_module(run) {
            let Some(module) = run.modules.get(&id) else { continue };
            looked.up_module(run, module, offsets, resolver);
        }
        looked
    }

    fn up_module(
        &mut self,
        run: &Recording,
        module: &Module,
        offsets: BTreeSet<ModuleOffset>,
        resolver: &mut dyn Resolve,
    ) {
        let recorded = |offset: &ModuleOffset| run.names.get(&(module.id, *offset));
        let has_line = |names: &&Vec<Name>| names.iter().any(|name| name.line.is_some());
        let wanted: Vec<_> = offsets
            .iter()
            .copied()
            .filter(|offset| recorded(offset).filter(has_line).is_none())
            .collect();
        // Whoever named all of them and knew lines had the right file: it has no more to say.
        let is_known =
            wanted.len() < offsets.len() && offsets.iter().all(|at| recorded(at).is_some());
        let mut found = match wanted.is_empty() || is_known {
            true => Resolved::default(),
            false => resolver.resolve(module, &wanted),
        };
        self.problems.extend(found.problem.take());
        for offset in offsets {
            let names = found.names.remove(&offset).or_else(|| recorded(&offset).cloned());
            if let Some(names) = names.filter(|names| !names.is_empty()) {
                self.names.insert((module.id, offset), names);
            }
        }
    }
}

/// Looks up what the recording does not name yet, as lines to append to it.
pub fn names_for(run: &Recording, resolver: &mut dyn Resolve) -> (Vec<Names>, Vec<Problem>) {
    let Looked { names, problems } = Looked::up(run, resolver);
    let mut lines: Vec<Names> = Vec::new();
    for ((module, offset), names) in names {
        if run.names.get(&(module, offset)) == Some(&names) {
            continue;
        }
        let named = NamedOffset { offset, names };
        match lines.last_mut().filter(|line| line.module == module) {
            Some(line) => line.offsets.push(named),
            None => lines.push(Names { module, offsets: vec![named] }),
        }
    }
    (lines, problems)
}

fn offsets_by_module(run: &Recording) -> BTreeMap<ModuleId, BTreeSet<ModuleOffset>> {
    let mut offsets: BTreeMap<ModuleId, BTreeSet<ModuleOffset>> = BTreeMap::new();
    for frame in run.sites.values().flat_map(|site| &site.frames) {
        if let Some(module) = frame.module {
            offsets.entry(module).or_default().insert(frame.offset);
        }
    }
    offsets
}
