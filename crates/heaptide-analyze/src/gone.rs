//! Growth whose site is not there any more: another caller of its function may have taken its place.

use std::collections::BTreeMap;

/// What is gone, by function.
#[derive(Debug)]
pub(crate) struct Gone<F, T>(BTreeMap<F, Vec<T>>);

impl<F: Ord, T> Gone<F, T> {
    pub(crate) fn new(gone: impl IntoIterator<Item = (F, T)>) -> Self {
        let mut by_function: BTreeMap<F, Vec<T>> = BTreeMap::new();
        for (function, it) in gone {
            by_function.entry(function).or_default().push(it);
        }
        Self(by_function)
    }

    /// Of what is gone from a function the one that differs least; each once.
    pub(crate) fn take(&mut self, function: &F, differs: impl Fn(&T) -> f64) -> Option<T> {
        let gone = self.0.get_mut(function)?;
        let nearest =
            (0..gone.len()).min_by(|&a, &b| differs(&gone[a]).total_cmp(&differs(&gone[b])))?;
        Some(gone.swap_remove(nearest))
    }
}
