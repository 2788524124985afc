//! A chat room keeps a channel to every guest; guests come and go.
//!
//! The healthy twin forgets a guest to whom nothing can be sent any more.

mod rounds;

use std::{
    collections::VecDeque,
    sync::mpsc::{self, Receiver, Sender},
};

use rounds::{Outcome, Pace};

const SEATS: usize = 20;

#[derive(Default)]
struct Room {
    senders: Vec<Sender<u64>>,
    guests: VecDeque<Receiver<u64>>,
}

impl Room {
    fn join(&mut self) {
        let (sender, guest) = mpsc::channel();
        self.senders.push(sender);
        self.guests.push_back(guest);
        if self.guests.len() > SEATS {
            self.guests.pop_front();
        }
    }

    fn announce(&mut self, message: u64) {
        if cfg!(feature = "leaky") {
            for sender in &self.senders {
                let _ = sender.send(message);
            }
        } else {
            self.senders.retain(|sender| sender.send(message).is_ok());
        }
        for guest in &self.guests {
            guest.try_iter().for_each(drop);
        }
    }
}

fn main() -> Outcome {
    let mut room = Room::default();
    rounds::drive(Pace::Even(50), |guest| greet_guest(&mut room, guest))
}

fn greet_guest(room: &mut Room, guest: u64) {
    room.join();
    room.announce(guest);
}
