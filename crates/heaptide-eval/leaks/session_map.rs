//! The classic: sessions in a map, and most visitors never log out.
//!
//! The healthy twin reaps every session that is older than five hundred logins.

mod rounds;

use std::collections::HashMap;

use rounds::{Outcome, Pace};

const LIFETIME: u64 = 500;

#[allow(dead_code, reason = "held, not read")]
struct Session {
    user: String,
    cart: Vec<u32>,
    created: u64,
}

#[derive(Default)]
struct Sessions(HashMap<u64, Session>);

impl Sessions {
    fn create(&mut self, id: u64) {
        let session = Session { user: format!("user-{id}"), cart: vec![1, 2, 3], created: id };
        self.0.insert(id, session);
    }

    fn reap(&mut self, now: u64) {
        self.0.retain(|_, session| session.created + LIFETIME > now);
    }
}

fn main() -> Outcome {
    let mut sessions = Sessions::default();
    rounds::drive(Pace::Even(400), |id| handle_login(&mut sessions, id))
}

fn handle_login(sessions: &mut Sessions, id: u64) {
    sessions.create(id);
    if cfg!(not(feature = "leaky")) && id.is_multiple_of(100) {
        sessions.reap(id);
    }
}
