//! The same programs over jemalloc, with the system's allocator left to C.

mod cost;
#[expect(unsafe_code, reason = "takes memory of C's and of the kernel's, and forks")]
mod memory;
mod play;
mod program;
mod programs;

use heaptide::Heaptide;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static HEAP: Heaptide<Jemalloc> = Heaptide::with(Jemalloc);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    play::main()
}
