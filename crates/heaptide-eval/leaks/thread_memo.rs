//! Workers remember, each for itself, what they have rendered.
//!
//! The healthy twin throws its memory away when it holds a thousand pages: a sawtooth.

mod rounds;

use std::{cell::RefCell, collections::HashMap};

use rounds::{Outcome, Pace};

const PAGES: usize = 1_000;

thread_local! {
    static RENDERED: RefCell<HashMap<u64, String>> = RefCell::default();
}

fn main() -> Outcome {
    rounds::drive(Pace::Even(400), render)
}

fn render(page: u64) {
    RENDERED.with_borrow_mut(|rendered| {
        if cfg!(not(feature = "leaky")) && rendered.len() == PAGES {
            rendered.clear();
        }
        rendered.entry(page).or_insert_with(|| format!("<h1>Page {page}</h1>"));
    });
}
