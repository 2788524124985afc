//! Generic methods, a trait's method, and two methods of one name.

pub trait Keep<K> {
    fn keep(&mut self, key: K);
}

pub struct Shelves<K> {
    kept: Vec<Box<K>>,
    put: Vec<Box<[u8]>>,
}

impl<K> Default for Shelves<K> {
    fn default() -> Self {
        Self { kept: Vec::with_capacity(1 << 16), put: Vec::with_capacity(1 << 16) }
    }
}

impl<K> Shelves<K> {
    #[cfg_attr(feature = "inlined", inline(always))]
    #[cfg_attr(not(feature = "inlined"), inline(never))]
    pub fn put<V: Into<u64>>(&mut self, value: V) {
        let text = value.into() as u8 | 1;
        self.put.push(vec![text; 24].into_boxed_slice()); // leaks: shelves put
    }
}

impl<K> Keep<K> for Shelves<K> {
    #[cfg_attr(feature = "inlined", inline(always))]
    #[cfg_attr(not(feature = "inlined"), inline(never))]
    fn keep(&mut self, key: K) {
        self.kept.push(Box::new(key)); // leaks: keep
    }
}

pub struct Notes(Vec<Box<[u8]>>);

impl Default for Notes {
    fn default() -> Self {
        Self(Vec::with_capacity(1 << 16))
    }
}

impl Notes {
    #[cfg_attr(feature = "inlined", inline(always))]
    #[cfg_attr(not(feature = "inlined"), inline(never))]
    pub fn put<V: Into<u64>>(&mut self, value: V) {
        let text = value.into() as u8 | 1;
        self.0.push(vec![text; 40].into_boxed_slice()); // leaks: notes put
    }
}
