//! An executable that is to be recorded: is the shim in it, will it be named, who else allocates?

use std::path::Path;

use anyhow::{Context, anyhow};
use heaptide_analyze::symbols::{Executable, Resolve};

use super::diagnosis::Diagnosis;
use crate::watch::unrecorded::{self, LINE};

pub(super) fn look_at(path: &Path, names: &mut dyn Resolve) -> anyhow::Result<Diagnosis> {
    let shown = path.display();
    let cannot = || format!("cannot read {shown}");
    let path = path.canonicalize().with_context(cannot)?;
    let found =
        Executable::read(&path, names).map_err(|cause| anyhow!(cause)).with_context(cannot)?;
    let contains = |text: &str| unrecorded::contains(&path, text.as_bytes()).with_context(cannot);
    let mut diagnosis = Diagnosis::of(shown.to_string());
    let has_shim = unrecorded::has_shim(&path).with_context(cannot)?;
    if !has_shim {
        diagnosis.spoil(format!(
            "the shim is not in it, so nothing is recorded; this line puts it in: {}",
            LINE.trim()
        ));
    }
    if found.build_id.is_none() {
        diagnosis.spoil(
            "it has no build id, so names of a recording may be of another build: link with \
             -Wl,--build-id",
        );
    }
    // That it has no build id is said already, in words that do not speak of a recording.
    if let Some(problem) = found.problem.filter(|_| found.build_id.is_some()) {
        diagnosis.spoil(problem.to_string());
    }
    for allocator in &found.allocators {
        // The shim has the name of the allocator that it wraps.
        if !(has_shim && contains(allocator.type_name)?) {
            let (name, type_name) = (allocator.name, allocator.type_name);
            diagnosis.spoil(format!(
                "{name} is in it and the shim does not wrap it, so what it hands out is not \
                 recorded: `heaptide::Heaptide<{type_name}>` with `Heaptide::with(…)` does"
            ));
        }
    }
    if !found.libraries.is_empty() {
        diagnosis.note(format!(
            "what C code allocates has no call site; libraries in C: {}",
            found.libraries.join(", ")
        ));
    }
    Ok(diagnosis)
}
