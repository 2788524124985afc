//! A server starts a thread for every connection and keeps the handle, to wait for it at shutdown.
//!
//! The healthy twin waits for those that have finished as it goes.

mod rounds;

use std::{
    io,
    thread::{self, JoinHandle},
};

use rounds::{Outcome, Pace};

const AT_ONCE: usize = 8;

fn main() -> Outcome {
    let mut handles = Vec::new();
    let mut failed = None;
    rounds::drive(Pace::Even(25), |id| {
        if let Err(error) = accept_connection(&mut handles, id) {
            failed = Some(error);
        }
    })?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

fn accept_connection(handles: &mut Vec<JoinHandle<u64>>, id: u64) -> io::Result<()> {
    handles.push(thread::Builder::new().name(format!("connection-{id}")).spawn(move || id * 2)?);
    if cfg!(not(feature = "leaky")) && handles.len() > AT_ONCE {
        for handle in handles.drain(..) {
            let _ = handle.join();
        }
    }
    Ok(())
}
