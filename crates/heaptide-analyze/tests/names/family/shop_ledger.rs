//! A crate of the user's own, found by its path.

pub struct Ledger(Vec<Box<[u64; 9]>>);

impl Default for Ledger {
    fn default() -> Self {
        Self(Vec::with_capacity(1 << 16))
    }
}

impl Ledger {
    #[cfg_attr(feature = "inlined", inline(always))]
    #[cfg_attr(not(feature = "inlined"), inline(never))]
    pub fn record(&mut self, i: u64) {
        self.0.push(Box::new([i; 9])); // leaks: record
    }
}
