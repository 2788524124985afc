//! A crate from a registry.

pub mod reaper;

pub struct Store<K>(Vec<Box<[K; 13]>>);

impl<K> Default for Store<K> {
    fn default() -> Self {
        Self(Vec::with_capacity(1 << 16))
    }
}

impl<K: Copy> Store<K> {
    #[cfg_attr(feature = "inlined", inline(always))]
    #[cfg_attr(not(feature = "inlined"), inline(never))]
    pub fn create(&mut self, key: K) {
        self.0.push(Box::new([key; 13]));
    }
}
