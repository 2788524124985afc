//! Functions, files and frames of a page, each written once and then referred to by number: thousands
//! of stacks go through the same few.

use std::collections::HashMap;

use heaptide_analyze::identity::{NamedFrame, Origin, SharedFrame};
use serde::Serialize;

use super::sources::Sources;
use crate::view::View;

/// A file as it is shown, and its address on the forge.
type File = (String, Option<String>);

/// Index of the name, index of the file or -1, line or 0, and whose code it is.
type Frame = (usize, i64, u32, u8);

#[derive(Debug, Default, Serialize)]
pub(super) struct Names {
    names: Vec<String>,
    files: Vec<File>,
    frames: Vec<Frame>,
    #[serde(skip)]
    name_index: HashMap<String, usize>,
    #[serde(skip)]
    file_index: HashMap<String, usize>,
    #[serde(skip)]
    frame_index: HashMap<Frame, usize>,
}

impl Names {
    /// The numbers of a stack's frames.
    pub(super) fn stack(
        &mut self,
        stack: &[SharedFrame],
        view: &View,
        sources: &Sources,
    ) -> Vec<usize> {
        stack.iter().map(|frame| self.frame(frame, view, sources)).collect()
    }

    fn frame(&mut self, frame: &SharedFrame, view: &View, sources: &Sources) -> usize {
        let name = match frame.plain() {
            "" => frame.module.as_str(),
            plain => plain,
        };
        let name = numbered(&mut self.names, &mut self.name_index, name, str::to_owned);
        let file = frame.file.as_deref().map(|file| {
            let entry = |file: &str| -> File {
                let shown = view.place_of(Some(file), None).unwrap_or_default();
                (shown, link_to(frame, file, sources))
            };
            numbered(&mut self.files, &mut self.file_index, file, entry)
        });
        let file = file.map_or(-1, |index| index as i64);
        let key = (name, file, frame.line.unwrap_or_default(), origin_number(&frame.origin));
        *self.frame_index.entry(key).or_insert_with(|| {
            self.frames.push(key);
            self.frames.len() - 1
        })
    }
}

/// The index of a text in a list that grows by what is new.
fn numbered<T>(
    list: &mut Vec<T>,
    index: &mut HashMap<String, usize>,
    text: &str,
    entry: impl FnOnce(&str) -> T,
) -> usize {
    if let Some(known) = index.get(text) {
        return *known;
    }
    list.push(entry(text));
    index.insert(text.to_owned(), list.len() - 1);
    list.len() - 1
}

/// The address of a frame's file, of the user's own code only: nothing else is in the repository.
pub(super) fn link_to(frame: &NamedFrame, file: &str, sources: &Sources) -> Option<String> {
    let repository = sources.repository.as_ref()?;
    (frame.origin == Origin::Workspace).then(|| repository.link(file)).flatten()
}

/// As `model.js` reads it.
fn origin_number(origin: &Origin) -> u8 {
    match origin {
        Origin::Workspace => 0,
        Origin::Dependency(_) => 1,
        Origin::Std => 2,
        Origin::Unknown => 3,
    }
}
