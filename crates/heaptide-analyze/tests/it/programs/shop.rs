//! A program with sites of many kinds. Where one allocates, it prints a name and its stack.

use std::collections::HashMap;
use std::ffi::{c_int, c_void};

type Visit = extern "C" fn(*mut c_void, *mut c_void) -> c_int;

unsafe extern "C" {
    fn _Unwind_Backtrace(visit: Visit, into: *mut c_void) -> c_int;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
}

extern "C" fn visit(context: *mut c_void, into: *mut c_void) -> c_int {
    // SAFETY: the unwinder hands over its context, and `stack` the vector.
    let (at, stack) = unsafe { (_Unwind_GetIP(context), &mut *into.cast::<Vec<usize>>()) };
    stack.push(at);
    0
}

/// Where the program lies in memory.
fn bias() -> (usize, usize) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let exe = std::env::current_exe().unwrap();
    let own = |line: &&str| line.ends_with(exe.to_str().unwrap());
    let ends = |line: &str| {
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let hex = |text| usize::from_str_radix(text, 16).unwrap();
        (hex(from), hex(to))
    };
    let first = maps.lines().find(own).map(ends).unwrap().0;
    (first, maps.lines().filter(own).last().map(ends).unwrap().1)
}

/// Prints a name and the stack of the caller.
#[inline(never)]
fn site(name: &str) -> usize {
    let mut stack: Vec<usize> = Vec::new();
    // SAFETY: `visit` gets the vector that outlives the call.
    unsafe { _Unwind_Backtrace(visit, (&raw mut stack).cast()) };
    let (first, end) = bias();
    // The first frame is this one.
    let own = stack.iter().skip(1).filter(|at| (first..end).contains(at));
    let offsets: Vec<String> = own.map(|at| format!("{:#x}", at - first)).collect();
    println!("{name} {}", offsets.join(" "));
    name.len()
}

mod session {
    use super::site;

    /*first*/
    pub struct Store<K>(pub Vec<(K, usize)>);

    impl<K: Clone> Store<K> {
        /*inline*/
        pub fn login(&mut self, key: K, user_name: &str) -> usize {
            let id = self.create(key.clone()) + user_name.len();
            self.0.push((key, site("login") + id));
            id
        }

        /*inline*/
        fn create(&mut self, key: K) -> usize {
            self.0.push((key, site("create")));
            self.0.len()
        }
    }

    impl<K> Drop for Store<K> {
        fn drop(&mut self) {
            site("drop");
        }
    }
}

trait Handler {
    fn handle(&mut self, pages: usize) -> usize;
}

struct Browse(HashMap<usize, String>);

impl Handler for Browse {
    fn handle(&mut self, pages: usize) -> usize {
        for page in 0..pages {
            self.0.insert(page, format!("{}", site("trait-method")));
        }
        self.0.len()
    }
}

/*second*/
struct Journal<T>(Vec<T>);

impl<T: Default> Handler for Journal<T> {
    fn handle(&mut self, pages: usize) -> usize {
        self.0.extend((0..pages).map(|_| {
            site("generic-trait-closure");
            T::default()
        }));
        self.0.len()
    }
}

/*inline*/
fn checkout(total: usize) -> Vec<usize> {
    let price = |item: usize| site("closure") + item;
    vec![price(total)]
}

fn walk(depth: usize) -> usize {
    match depth {
        0 => site("recursion"),
        depth => walk(depth - 1) + 1,
    }
}

/*inline*/
fn middle(depth: usize) -> usize {
    walk(depth) + site("middle")
}

async fn respond(status: usize) -> usize {
    site("async") + status
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = Box::pin(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => std::process::abort(),
    }
}

fn main() {
    let mut store: session::Store<u64> = session::Store(Vec::new());
    let mut sum = store.login(7_u64, "ann");
    let mut handlers: Vec<Box<dyn Handler>> =
        vec![Box::new(Browse(HashMap::new())), Box::new(Journal::<u32>(Vec::new()))];
    for handler in &mut handlers {
        sum += handler.handle(1);
    }
    sum += checkout(3).len() + middle(4) + block_on(respond(200));
    let worker = std::thread::spawn(|| site("thread"));
    sum += worker.join().unwrap();
    drop(store);
    std::process::exit(i32::from(sum == 0));
}
