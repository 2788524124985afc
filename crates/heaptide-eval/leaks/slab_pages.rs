//! Jobs live in slots of fixed pages; a slot that is given back is used again.
//!
//! The leak gives slots back to nobody when the job was cancelled, so pages are added for ever. At
//! any time only a few hundred jobs are alive, in the healthy twin as well.

mod rounds;

use std::collections::VecDeque;

use rounds::{Outcome, Pace};

const SLOTS: usize = 32;
const IN_FLIGHT: usize = 300;

type Page = Box<[[u64; 4]; SLOTS]>;

#[derive(Default)]
struct Slab {
    pages: Vec<Page>,
    free: Vec<usize>,
}

impl Slab {
    fn take(&mut self, job: u64) -> usize {
        let slot = self.free.pop().unwrap_or_else(|| self.add_page());
        self.pages[slot / SLOTS][slot % SLOTS] = [job; 4];
        slot
    }

    fn give_back(&mut self, slot: usize) {
        self.free.push(slot);
    }

    fn add_page(&mut self) -> usize {
        let first = self.pages.len() * SLOTS;
        self.pages.push(Box::new([[0; 4]; SLOTS]));
        self.free.extend(first + 1..first + SLOTS);
        first
    }
}

fn main() -> Outcome {
    let mut slab = Slab::default();
    let mut running = VecDeque::new();
    rounds::drive(Pace::Even(800), |job| handle_job(&mut slab, &mut running, job))
}

fn handle_job(slab: &mut Slab, running: &mut VecDeque<(u64, usize)>, job: u64) {
    running.push_back((job, slab.take(job)));
    if running.len() > IN_FLIGHT
        && let Some((done, slot)) = running.pop_front()
    {
        let cancelled = done.is_multiple_of(4);
        if !cancelled || cfg!(not(feature = "leaky")) {
            slab.give_back(slot);
        }
    }
}
