//! A closure, called where it stands.

pub struct Hooks(Vec<Box<dyn Fn() -> u64>>);

impl Default for Hooks {
    fn default() -> Self {
        Self(Vec::with_capacity(1 << 16))
    }
}

#[cfg_attr(feature = "inlined", inline(always))]
#[cfg_attr(not(feature = "inlined"), inline(never))]
pub fn register(hooks: &mut Hooks, i: u64) {
    (0..1).map(|n| n + i).for_each(|n| {
        let word = [n; 3];
        hooks.0.push(Box::new(move || word.iter().sum())); // leaks: register
    });
    assert_eq!(hooks.0.last().map(|hook| hook()), Some(3 * i));
}
