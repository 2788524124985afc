//! The program: does everything a few thousand times, and takes a snapshot now and then.

mod desk;
mod hooks;
mod jobs;
mod routes;
mod shelves;
mod visitors;

use std::hint::black_box;

#[global_allocator]
static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();

const SNAPSHOTS: u64 = 48;
const REQUESTS: u64 = 64;

fn main() {
    let output = std::env::args().nth(1).expect("where to record to");
    let recorder = heaptide::Recorder::builder().output(output).start().expect("a recording");
    let mut shop = Shop::default();
    for i in 0..SNAPSHOTS * REQUESTS {
        heaptide::work("requests", 1);
        shop.serve(i);
        if i % REQUESTS == REQUESTS - 1 {
            recorder.snapshot().expect("a snapshot");
        }
    }
    recorder.finish().expect("a recording");
    black_box(&shop);
}

#[derive(Default)]
struct Shop {
    visitors: visitors::Visitors,
    shelves: shelves::Shelves<u64>,
    notes: shelves::Notes,
    hooks: hooks::Hooks,
    jobs: jobs::Jobs,
    routes: routes::Routes,
    ledger: shop_ledger::Ledger,
    reaper: session_store::reaper::Reaper,
}

impl Shop {
    #[inline(never)]
    fn serve(&mut self, i: u64) {
        visitors::note(&mut self.visitors, i);
        self.shelves.put(i as u32);
        shelves::Keep::keep(&mut self.shelves, i);
        self.notes.put(i as u16);
        hooks::register(&mut self.hooks, i);
        desk::block_on(jobs::save(&mut self.jobs, i));
        routes::ship(&mut self.routes, i);
        routes::login(&mut self.routes, i);
        self.ledger.record(i);
        self.reaper.sweep(i);
    }
}
