//! What fuzzing starts from, and what it found, through the same functions, on every run of the tests.

use std::path::Path;

#[path = "../../fuzz/bodies.rs"]
mod bodies;

fn replay(target: &str, body: fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let seeds: Vec<_> = std::fs::read_dir(&seeds).expect("seeds").collect();
    assert!(!seeds.is_empty(), "{target} has no seeds");
    for seed in seeds {
        let seed = std::fs::read(seed.expect("an entry").path()).expect("a seed");
        // Cut and damaged they are other inputs, without a fuzzer too.
        let step = (seed.len() / 64).max(1);
        for at in (0..=seed.len()).step_by(step) {
            body(&seed[..at]);
            let mut damaged = seed.clone();
            damaged.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 0x81);
            body(&damaged);
        }
        body(&seed);
    }
}

#[test]
fn recordings() {
    replay("recording", bodies::recording);
}

#[test]
fn policies() {
    replay("policy", bodies::policy);
}

#[test]
fn baselines() {
    replay("baseline", bodies::baseline);
}

#[test]
fn entries_that_allow() {
    replay("allow", bodies::allow);
}

/// One that claims exabytes of debug information panicked.
#[test]
fn executables() {
    replay("elf", bodies::elf);
}
