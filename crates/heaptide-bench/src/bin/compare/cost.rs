//! The cost of everybody in instructions, on the micro workload.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use crate::callgrind::per_op;
use crate::contender::{ALL, Contender, EXACT, SYSTEM_ALONE, Under};
use crate::instructions::{MICRO, NEW_STACKS};
use crate::results::Results;

/// Shorter runs for those that take a hundred times as long.
const PEERS: [u64; 2] = [20_000, 40_000];

/// Instructions per operation.
#[derive(Debug, Default)]
pub(crate) struct Instructions {
    per_op: BTreeMap<&'static str, f64>,
    /// What a stack adds that was never seen before.
    pub(crate) miss: Option<f64>,
}

impl Instructions {
    /// Counts for all that run inside of the program. Who cannot be had is left out.
    pub(crate) fn count(results: &Results, scratch: &Path) -> Result<Self> {
        let mut per_op_of = BTreeMap::new();
        let inside = ALL.iter().filter(|contender| contender.under == Under::Nothing);
        for contender in inside.filter(|contender| !results.absent.contains_key(contender.name)) {
            println!("instructions: {}", contender.name);
            let quick = contender.is_ours() || contender.is_baseline();
            let ops = if quick { MICRO } else { PEERS };
            match per_op(contender, "micro", ops, scratch) {
                Ok(count) => drop(per_op_of.insert(contender.name, count)),
                Err(err) => println!("{}: {err:#}", contender.name),
            }
        }
        let of_new_stacks =
            |contender: &Contender| per_op(contender, "new-stacks", NEW_STACKS, scratch);
        let miss = Some(of_new_stacks(&EXACT)? - of_new_stacks(&SYSTEM_ALONE)?);
        Ok(Self { per_op: per_op_of, miss })
    }

    pub(crate) fn per_op(&self, contender: &Contender) -> Option<f64> {
        self.per_op.get(contender.name).copied()
    }

    /// What it adds to an operation.
    pub(crate) fn added(&self, contender: &Contender) -> Option<f64> {
        Some(self.per_op(contender)? - self.per_op(contender.baseline())?)
    }
}
