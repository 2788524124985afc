//! Which sites may allocate what other sites keep.

use std::collections::{BTreeSet, HashMap};

use crate::identity::NamedFrame;
use crate::site::Subject;

/// The sites of a run by the functions that are to blame for them. It takes as long to make as the stacks
/// are long, however many sites there are: comparing each site with each took three quarters of a check
/// of 50,000.
#[derive(Debug)]
pub(crate) struct Relations<'a> {
    sites: Vec<&'a Subject>,
    by_function: HashMap<(&'a str, Option<&'a str>), Places>,
}

/// Where a function that is to blame for a site stands, by the indices of sites.
#[derive(Debug, Default)]
struct Places {
    blamed_for: Vec<usize>,
    on_stack_of: Vec<usize>,
}

impl<'a> Relations<'a> {
    pub(crate) fn among(sites: impl IntoIterator<Item = &'a Subject>) -> Self {
        let sites: Vec<&Subject> = sites.into_iter().collect();
        let mut by_function: HashMap<_, Places> = HashMap::new();
        for (k, site) in sites.iter().enumerate() {
            if let Some(function) = site.blamed.function_in_file() {
                by_function.entry(function).or_default().blamed_for.push(k);
            }
        }
        for (k, site) in sites.iter().enumerate() {
            for function in site.stack.iter().filter_map(|frame| frame.function_in_file()) {
                if let Some(places) = by_function.get_mut(&function) {
                    places.on_stack_of.push(k);
                }
            }
        }
        Self { sites, by_function }
    }

    /// The sites that may allocate what this one keeps, or keep what it allocates: the frame to blame for
    /// one is that of the other, or on its stack. The site itself is among them, unless nobody knows whom
    /// to blame.
    pub(crate) fn of(&self, site: usize) -> BTreeSet<usize> {
        let Some(subject) = self.sites.get(site) else { return BTreeSet::new() };
        let places = |frame: &'a NamedFrame| self.by_function.get(&frame.function_in_file()?);
        let same_or_called = places(&subject.blamed)
            .into_iter()
            .flat_map(|places| places.blamed_for.iter().chain(&places.on_stack_of));
        let callers = subject.stack.iter().filter_map(|frame| places(frame));
        same_or_called.chain(callers.flat_map(|places| &places.blamed_for)).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::SharedFrame;

    fn frame(name: &str) -> SharedFrame {
        // "name file", or a name alone.
        let mut parts = name.split_whitespace().map(str::to_owned);
        let function = parts.next().unwrap_or_default();
        NamedFrame { function, file: parts.next(), ..NamedFrame::default() }.into()
    }

    fn site((blamed, stack): &(&str, &[&str])) -> Subject {
        let stack = stack.iter().map(|name| frame(name)).collect();
        Subject { blamed: frame(blamed), stack, ..Subject::default() }
    }

    #[test]
    fn sites_are_related_by_who_is_to_blame_and_who_is_called() {
        let sites: [(&str, &[&str]); 7] = [
            ("keep", &["grow", "keep", "serve"]),
            ("make", &["alloc", "make", "keep", "serve"]),
            ("keep", &["alloc", "keep", "main"]),
            ("other", &["alloc", "other", "serve"]),
            ("serve", &["alloc", "serve"]),
            ("keep elsewhere.rs", &["alloc", "keep elsewhere.rs"]),
            ("", &["", "main"]),
        ];
        let related: [&[usize]; 7] =
            [&[0, 1, 2, 4], &[0, 1, 2, 4], &[0, 1, 2], &[3, 4], &[0, 1, 3, 4], &[5], &[]];
        let sites = sites.each_ref().map(site);
        let relations = Relations::among(&sites);
        for (k, related) in related.into_iter().enumerate() {
            assert_eq!(relations.of(k), related.iter().copied().collect(), "site {k}");
        }
    }
}
