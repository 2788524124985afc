//! A document tells its views when it changes, and holds them weakly so that they can go.
//!
//! A weak reference keeps the allocation of what it refers to. The healthy twin throws away the
//! references to views that are gone.

mod rounds;

use std::sync::{Arc, Weak};

use rounds::{Outcome, Pace};

#[allow(dead_code, reason = "held, not read")]
struct View {
    pixels: [u32; 16],
}

#[derive(Default)]
struct Document {
    views: Vec<Weak<View>>,
}

impl Document {
    fn open_view(&mut self) -> Arc<View> {
        let view = Arc::new(View { pixels: [0; 16] });
        self.views.push(Arc::downgrade(&view));
        view
    }

    fn changed(&mut self) -> usize {
        if cfg!(not(feature = "leaky")) {
            self.views.retain(|view| view.strong_count() > 0);
        }
        self.views.iter().filter_map(Weak::upgrade).count()
    }
}

fn main() -> Outcome {
    let mut document = Document::default();
    rounds::drive(Pace::Even(60), |_| {
        show_document(&mut document);
    })
}

fn show_document(document: &mut Document) -> usize {
    let _view = document.open_view();
    document.changed()
}
