//! A connection keeps the callback that closes it, and the callback keeps the connection.
//!
//! The healthy twin's callback holds the connection weakly.

mod rounds;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use rounds::{Outcome, Pace};

type Callback = Box<dyn Fn() + Send>;

#[derive(Default)]
struct Connection {
    closed: AtomicBool,
    on_close: Mutex<Vec<Callback>>,
}

impl Connection {
    fn open() -> Arc<Self> {
        let connection = Arc::new(Self::default());
        let callback = if cfg!(feature = "leaky") {
            let this = Arc::clone(&connection);
            Box::new(move || this.closed.store(true, Ordering::Relaxed)) as Callback
        } else {
            let this = Arc::downgrade(&connection);
            Box::new(move || {
                if let Some(this) = this.upgrade() {
                    this.closed.store(true, Ordering::Relaxed);
                }
            })
        };
        connection.callbacks().push(callback);
        connection
    }

    fn close(&self) {
        for callback in self.callbacks().iter() {
            callback();
        }
    }

    fn callbacks(&self) -> std::sync::MutexGuard<'_, Vec<Callback>> {
        self.on_close.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn main() -> Outcome {
    rounds::drive(Pace::Even(250), |_| serve_connection())
}

fn serve_connection() {
    let connection = Connection::open();
    connection.close();
}
