//! Which function of the shim's sources an instruction comes from.

use addr2line::Context as Names;
use addr2line::gimli::{self, EndianSlice, RunTimeEndian};
use anyhow::Result;
use object::{Object, ObjectSection};

/// The shim's sources.
const SHIM: &str = "crates/heaptide/src/";
/// What others there go through to memory: it says nothing of what is there.
const ACCESSORS: [&str; 4] =
    ["/sync.rs", "/shared/arena/mapped.rs", "/shared/trailer.rs", "/entry/stack.rs"];

/// The debug information of a program.
pub(crate) struct Sources<'a> {
    names: Names<EndianSlice<'a, RunTimeEndian>>,
    bias: u64,
}

impl<'a> Sources<'a> {
    /// Of a program, as it lies on the disk, which ran at `bias`.
    pub(crate) fn of(program: &'a [u8], bias: u64) -> Result<Self> {
        let file = object::File::parse(program)?;
        let endian =
            if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
        let dwarf = gimli::Dwarf::load(|id| {
            let section = file.section_by_name(id.name());
            let data = section.map(|section| section.data()).transpose()?;
            Ok::<_, object::Error>(EndianSlice::new(data.unwrap_or_default(), endian))
        })?;
        Ok(Self { names: Names::from_dwarf(dwarf)?, bias })
    }

    /// The file and the function that an instruction was written in, if that is one of the shim's.
    pub(crate) fn of_shim(&self, instruction: u64) -> Option<(String, String)> {
        let address = instruction.checked_sub(self.bias)?;
        let mut frames = self.names.find_frames(address).skip_all_loads().ok()?;
        while let Some(frame) = frames.next().ok()? {
            let Some(file) = frame.location.and_then(|at| at.file) else { continue };
            let is_accessor = ACCESSORS.iter().any(|accessor| file.ends_with(accessor));
            if file.contains(SHIM) && !is_accessor {
                let name = frame.function.as_ref().and_then(|function| function.demangle().ok());
                return Some((file.to_owned(), name.unwrap_or_default().into_owned()));
            }
        }
        None
    }
}
