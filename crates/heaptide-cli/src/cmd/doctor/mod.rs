//! `heaptide doctor BINARY|REC…`: what will spoil a verdict, before it does.

mod diagnosis;
mod executable;
mod recording;

use std::path::Path;

use anyhow::Context;
use heaptide_analyze::load;
use heaptide_report::Escaped;

use self::diagnosis::Diagnosis;
use crate::args::Doctor;
use crate::exit::Exit;
use crate::output;
use crate::symbol_cache::CachingResolver;

/// How an ELF file begins.
const ELF: [u8; 4] = *b"\x7fELF";

pub(crate) fn run(args: &Doctor) -> anyhow::Result<Exit> {
    let mut names = CachingResolver::new(args.symbol_path.clone());
    let mut diagnoses = Vec::new();
    for path in &args.subjects {
        if is_executable(path)? {
            diagnoses.push(executable::look_at(path, &mut names)?);
            continue;
        }
        let loaded = load::load(std::slice::from_ref(path))?;
        output::warn(&loaded.warnings);
        let of_run = |run| recording::look_at(run, &mut names);
        diagnoses.extend(loaded.recordings.iter().map(of_run));
    }
    let pages = diagnoses.iter().map(Diagnosis::in_words);
    let exit = match diagnoses.iter().any(Diagnosis::spoils) {
        true => Exit::Spoiled,
        false => Exit::Clean,
    };
    output::result_out(&Escaped::join(pages, ""), exit)
}

fn is_executable(path: &Path) -> anyhow::Result<bool> {
    use std::io::Read;

    if !path.is_file() {
        return Ok(false);
    }
    let mut first = Vec::new();
    let file = std::fs::File::open(path);
    file.and_then(|file| file.take(ELF.len() as u64).read_to_end(&mut first))
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(first == ELF)
}
