//! A thread of the crate's own, that nobody's code calls.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

pub struct Reaper(SyncSender<u64>, Receiver<()>);

impl Default for Reaper {
    fn default() -> Self {
        let (sender, requests) = sync_channel(1);
        let (done, receiver) = sync_channel(1);
        thread::spawn(move || {
            let mut graves = Vec::with_capacity(1 << 16);
            while let Ok(request) = requests.recv() {
                bury(&mut graves, request);
                if done.send(()).is_err() {
                    return;
                }
            }
        });
        Self(sender, receiver)
    }
}

impl Reaper {
    pub fn sweep(&self, i: u64) {
        self.0.send(i).expect("the thread lives");
        self.1.recv().expect("the thread lives");
    }
}

#[cfg_attr(feature = "inlined", inline(always))]
#[cfg_attr(not(feature = "inlined"), inline(never))]
fn bury(graves: &mut Vec<Box<[u64; 15]>>, i: u64) {
    graves.push(Box::new([i; 15])); // leaks: bury
}
