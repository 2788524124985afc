//! A document is parsed into nodes that know their parent and their children.
//!
//! The healthy twin refers to the parent weakly; two strong references keep each other alive.

mod rounds;

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
};

use rounds::{Outcome, Pace};

#[allow(dead_code, reason = "held, not read")]
enum Parent {
    Strong(Rc<Node>),
    Weak(Weak<Node>),
}

#[derive(Default)]
#[allow(dead_code, reason = "held, not read")]
struct Node {
    parent: Option<Parent>,
    children: RefCell<Vec<Rc<Node>>>,
    text: [u64; 6],
}

fn main() -> Outcome {
    rounds::drive(Pace::Even(200), |_| parse_document())
}

fn parse_document() {
    let root = Rc::new(Node::default());
    let parent = if cfg!(feature = "leaky") {
        Parent::Strong(Rc::clone(&root))
    } else {
        Parent::Weak(Rc::downgrade(&root))
    };
    let child = Rc::new(Node { parent: Some(parent), ..Node::default() });
    root.children.borrow_mut().push(child);
}
