//! Golden files.

use std::path::Path;
use std::{env, fs};

/// Compares with `golden/NAME`, or writes it if `UPDATE` is set.
pub(crate) fn check(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden").join(name);
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, found).expect("the golden file can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} differs; UPDATE=1 accepts it:\n{found}");
}
