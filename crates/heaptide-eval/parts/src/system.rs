//! Programs that grow in one part of the process's account or another, over the system's allocator; see
//! [`play`].

mod cost;
#[expect(unsafe_code, reason = "takes memory of C's and of the kernel's, and forks")]
mod memory;
mod play;
mod program;
mod programs;

#[global_allocator]
static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();

fn main() -> Result<(), Box<dyn std::error::Error>> {
    play::main()
}
