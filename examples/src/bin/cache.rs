//! Rendered pages in a bounded cache: it fills within moments, and from then on every new page
//! takes the place of the one that was asked for least recently.
//!
//! Memory climbs, old pages stay for long, new ones never stop coming; and yet it does not leak.
//!
//! verdict of `cache`: clean
//! verdict of `cache --capacity 2000`: clean

#![forbid(unsafe_code)]

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use clap::Parser;
use heaptide_examples::asked_to_stop;
use tokio::time;

#[global_allocator]
static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();

const TICK: Duration = Duration::from_millis(5);
const REQUESTS_PER_TICK: u64 = 50;
const PAGES: u64 = 100_000;

/// A cache that turns over
#[derive(Parser)]
struct Options {
    /// Keep so many pages
    #[arg(long, value_name = "PAGES", default_value_t = 500)]
    capacity: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Options { capacity } = Options::parse();
    tokio::spawn(serve(Cache { capacity, ..Cache::default() }));
    asked_to_stop().await;
}

async fn serve(mut cache: Cache) {
    let mut ticks = time::interval(TICK);
    for tick in 0.. {
        ticks.tick().await;
        for request in tick * REQUESTS_PER_TICK..(tick + 1) * REQUESTS_PER_TICK {
            cache.page(wanted(request));
            heaptide::work("requests", 1);
        }
    }
}

/// Every other request is for one of a hundred popular pages, the rest for any at all.
fn wanted(request: u64) -> u64 {
    let dice = request.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    if dice.is_multiple_of(2) { dice % 100 } else { dice % PAGES }
}

/// Pages by number, and the numbers in order of last use.
#[derive(Default)]
struct Cache {
    capacity: usize,
    pages: HashMap<u64, Page>,
    by_use: BTreeMap<u64, u64>,
    uses: u64,
}

struct Page {
    html: String,
    used: u64,
}

impl Cache {
    fn page(&mut self, number: u64) -> &str {
        self.uses += 1;
        let page = self.pages.entry(number).or_insert_with(|| render(number));
        self.by_use.remove(&page.used);
        page.used = self.uses;
        self.by_use.insert(page.used, number);
        if self.pages.len() > self.capacity {
            self.evict();
        }
        self.pages.get(&number).map_or("", |page| &page.html)
    }

    fn evict(&mut self) {
        if let Some((_, number)) = self.by_use.pop_first() {
            self.pages.remove(&number);
        }
    }
}

fn render(number: u64) -> Page {
    Page { html: format!("<h1>Page {number}</h1>{}", "<p>…</p>".repeat(20)), used: 0 }
}
