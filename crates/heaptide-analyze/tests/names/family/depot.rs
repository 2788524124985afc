//! A module of a crate from a git repository.

pub struct Depot(Vec<Box<[u64; 11]>>);

impl Default for Depot {
    fn default() -> Self {
        Self(Vec::with_capacity(1 << 16))
    }
}

impl Depot {
    #[cfg_attr(feature = "inlined", inline(always))]
    #[cfg_attr(not(feature = "inlined"), inline(never))]
    pub fn send(&mut self, i: u64) {
        self.0.push(Box::new([i; 11]));
    }
}
