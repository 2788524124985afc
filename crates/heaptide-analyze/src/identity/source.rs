//! What the path of a source file tells of the code in it.

/// Whether it is of the standard library.
pub(super) fn is_std_file(file: &str) -> bool {
    let library = |krate| file.contains(&format!("library/{krate}/src/"));
    file.contains("/rustc/")
        || file.contains("/lib/rustlib/src/")
        || file.contains("/rust/deps/")
        || ["alloc", "core", "std", "test", "panic_unwind"].into_iter().any(library)
}

/// The package of a file of a registry or vendor directory, or of a path trimmed to
/// `package-1.2.3/src/…`.
pub(super) fn package_of(file: &str) -> Option<&str> {
    if let Some((_, after)) = file.split_once("/registry/src/") {
        return after.split('/').nth(1).map(without_version);
    }
    if let Some((_, after)) = file.split_once("/vendor/") {
        let (package, rest) = after.split_once('/')?;
        return rest.starts_with("src/").then(|| without_version(package));
    }
    let (first, rest) = file.split_once('/')?;
    let package = without_version(first);
    (package != first && rest.starts_with("src/")).then_some(package)
}

/// `dashmap-6.1.0` is `dashmap`; `tower-http` stays.
fn without_version(dir: &str) -> &str {
    let is_version =
        |tail: &str| tail.starts_with(|c: char| c.is_ascii_digit()) && tail.contains('.');
    let mut dashes = dir.match_indices('-');
    dashes.find(|(at, _)| is_version(&dir[at + 1..])).map_or(dir, |(at, _)| &dir[..at])
}
