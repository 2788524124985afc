//! Under construction in the first commits.

fn main() {}
