//! A plain function, and a map that nobody removes from.

use std::collections::HashMap;

#[derive(Default)]
pub struct Visitors(HashMap<u64, Visitor>);

pub struct Visitor {
    pub agent: Box<[u8]>,
    pub pages: Vec<String>,
}

#[cfg_attr(feature = "inlined", inline(always))]
#[cfg_attr(not(feature = "inlined"), inline(never))]
pub fn note(visitors: &mut Visitors, i: u64) {
    let agent = vec![1u8; 50].into(); // leaks: note
    let pages = vec!["page".to_owned()]; // leaks: note
    visitors.0.insert(i, Visitor { agent, pages }); // leaks: note
}
