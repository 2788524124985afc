//! `heaptide-parts cost FOLDER`: what reading the account takes, and how long it holds up a thread that
//! allocates, by how much the process holds.

#![forbid(unsafe_code)]

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use crate::memory::{BlockOfC, map, map_apart};

/// What a process holds, and how it comes to hold it; kept until the next.
struct Holding {
    what: &'static str,
    take: fn() -> Box<dyn Send>,
}

const HOLDINGS: [Holding; 5] = [
    Holding { what: "10 MiB", take: || Box::new(vec![1u8; 10 << 20]) },
    Holding { what: "1 GiB", take: || Box::new(gibibytes(1)) },
    Holding { what: "400,000 free chunks", take: free_chunks },
    Holding { what: "8 GiB", take: || Box::new(gibibytes(8)) },
    Holding { what: "20,000 mappings", take: mappings },
];

const LASTS: Duration = Duration::from_secs(6);

/// Prints a row for each.
pub(crate) fn print(folder: &Path) -> Result<(), Box<dyn Error>> {
    println!(
        "| holds | account, median | with parts, most | worst allocation, recorded | not recorded |"
    );
    println!("|---|--:|--:|--:|--:|");
    for holding in &HOLDINGS {
        let held = (holding.take)();
        let without = worst_allocation();
        let path = folder.join("cost.jsonl");
        let builder = heaptide::Recorder::builder().output(&path);
        let recorder = builder.interval(Duration::from_millis(100)).start()?;
        let with = worst_allocation();
        recorder.finish()?;
        let [median, most] = costs(&std::fs::read_to_string(&path)?);
        std::fs::remove_file(&path)?;
        println!(
            "| {} | {median:.3} ms | {most:.3} ms | {:.3} ms | {:.3} ms |",
            holding.what,
            with.as_secs_f64() * 1e3,
            without.as_secs_f64() * 1e3
        );
        drop(black_box(held));
    }
    Ok(())
}

/// The longest of millions of allocations, by a thread that does nothing else.
fn worst_allocation() -> Duration {
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        let worst = scope.spawn(|| {
            let mut worst = Duration::ZERO;
            while !ends.load(Relaxed) {
                let before = Instant::now();
                // Larger than what a thread keeps for itself, so that the arena is asked.
                drop(black_box(vec![0u8; 3000]));
                worst = worst.max(before.elapsed());
            }
            worst
        });
        thread::sleep(LASTS);
        ends.store(true, Relaxed);
        worst.join().expect("it only allocates")
    })
}

/// Milliseconds: of the middle snapshot, and the most of one that read the parts.
fn costs(recording: &str) -> [f64; 2] {
    let cost = |line: &str| {
        let (_, cost) = line.split_once("\"cost_ns\":")?;
        let digits = cost.find(|c: char| !c.is_ascii_digit())?;
        Some((cost[..digits].parse::<f64>().ok()? / 1e6, line.contains("\"rust_heap_bytes\"")))
    };
    let mut costs: Vec<(f64, bool)> = recording.lines().filter_map(cost).collect();
    costs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let with_parts = costs.iter().rev().find(|(_, parts)| *parts);
    [costs.get(costs.len() / 2), with_parts].map(|cost| cost.map_or(0.0, |cost| cost.0))
}

fn gibibytes(n: usize) -> Vec<Vec<u8>> {
    (0..n << 10).map(|_| vec![1u8; 1 << 20]).collect()
}

/// Every second of many small blocks of C's is freed, so that none can be joined with its neighbour.
fn free_chunks() -> Box<dyn Send> {
    let blocks: Vec<BlockOfC> = (0..800_000).map(|_| BlockOfC::new(1100)).collect();
    let kept = blocks.into_iter().enumerate().filter(|(at, _)| at % 2 == 0);
    Box::new(kept.map(|(_, block)| block).collect::<Vec<_>>())
}

fn mappings() -> Box<dyn Send> {
    (0..20_000).for_each(|_| map_apart());
    map(4096, libc::MAP_PRIVATE);
    Box::new(())
}
