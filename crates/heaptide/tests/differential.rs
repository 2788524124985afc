//! The stack cache against the unwinder: a million allocations in random call trees, each site compared
//! with a fresh unwind of the same stack. Run by `cargo ci memo`.

#[path = "rig/dice.rs"]
mod dice;

use std::future::Future;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use dice::Dice;

#[global_allocator]
static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();

trait Branch {
    fn grow(&self, dice: &Dice, depth: u64);
}

struct Boxed;
struct Textual;
struct Large;

impl Branch for Boxed {
    #[inline(never)]
    fn grow(&self, dice: &Dice, depth: u64) {
        let kept = Box::new([depth; 3]);
        tree(dice, depth);
        black_box(kept);
    }
}

impl Branch for Textual {
    #[inline(never)]
    fn grow(&self, dice: &Dice, depth: u64) {
        let mut text = String::new();
        for word in 0..dice.roll(4) {
            text.push_str(&word.to_string());
        }
        tree(dice, depth);
        black_box(text);
    }
}

impl Branch for Large {
    #[inline(never)]
    fn grow(&self, dice: &Dice, depth: u64) {
        // A frame of its own size, decided at compile time, and one decided by recursion.
        let frame = black_box([depth; 300]);
        black_box(vec![frame[0]; dice.roll(50) as usize]);
        tree(dice, depth);
        black_box(frame);
    }
}

/// Pending once at every level, so that it is polled again from elsewhere.
struct Sapling<'a> {
    dice: &'a Dice,
    depth: u64,
    polled: bool,
}

impl Future for Sapling<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        black_box(Box::new(self.depth));
        if !self.polled {
            self.polled = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        tree(self.dice, self.depth);
        Poll::Ready(())
    }
}

fn block_on(mut future: Pin<Box<dyn Future<Output = ()> + '_>>, dice: &Dice) {
    let mut context = Context::from_waker(Waker::noop());
    while future.as_mut().poll(&mut context).is_pending() {
        black_box(vec![0u8; dice.roll(64) as usize]);
    }
}

#[inline(never)]
fn tree(dice: &Dice, depth: u64) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for _ in 0..=dice.roll(2) {
        match dice.roll(8) {
            0 => Boxed.grow(dice, depth),
            1 => Textual.grow(dice, depth),
            2 => Large.grow(dice, depth),
            3 => {
                let branches: [Box<dyn Branch>; 3] =
                    [Box::new(Boxed), Box::new(Textual), Box::new(Large)];
                branches[dice.roll(3) as usize].grow(dice, depth);
            }
            4 => with_callback(&|depth| tree(dice, depth), depth),
            5 => block_on(
                Box::pin(async move {
                    Sapling { dice, depth, polled: false }.await;
                    Sapling { dice, depth: depth / 2, polled: false }.await;
                }),
                dice,
            ),
            6 => panicking(dice, depth),
            _ => sorted(dice, depth),
        }
    }
}

#[inline(never)]
fn with_callback(callback: &dyn Fn(u64), depth: u64) {
    let kept = vec![depth; 2];
    callback(depth);
    black_box(kept);
}

#[inline(never)]
fn panicking(dice: &Dice, depth: u64) {
    let caught = catch_unwind(AssertUnwindSafe(|| {
        tree(dice, depth / 2);
        if dice.roll(3) == 0 {
            std::panic::resume_unwind(Box::new(depth));
        }
    }));
    black_box(caught.is_err());
}

/// Allocates inside the standard library's own recursion, called back from it.
#[inline(never)]
fn sorted(dice: &Dice, depth: u64) {
    let mut numbers: Vec<u64> = (0..40 + dice.roll(20)).map(|_| dice.roll(100)).collect();
    numbers.sort_by_key(|number| Box::new(*number));
    let map: std::collections::BTreeMap<_, _> =
        numbers.iter().map(|number| (number.to_string(), depth)).collect();
    black_box(map);
}

#[test]
fn a_million_remembered_stacks_are_the_ones_unwound() {
    let out = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("differential.jsonl");
    let recorder = heaptide::Recorder::builder().output(out).start().expect("a recording");
    let grow = |seed: u64| {
        let dice = Dice::new(seed);
        while heaptide::verify::n_compared() < 1_000_000 {
            tree(&dice, 5);
        }
    };
    std::thread::scope(|scope| {
        for seed in [0x9e37_79b9, 0x85eb_ca6b, 0xc2b2_ae35] {
            scope.spawn(move || grow(seed));
        }
    });
    recorder.finish().expect("the last snapshot");
    let (compared, different) = (heaptide::verify::n_compared(), heaptide::verify::n_different());
    println!("{compared} sites compared with a fresh unwind, {different} different");
    assert!(compared >= 1_000_000);
    assert_eq!(different, 0);
}
