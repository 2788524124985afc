//! What a shop remembers: its sessions, each with a user, a cart and attributes.
//!
//! A shopper who never logs out leaves a session behind. The reaper is there for them; the outage
//! is the day on which it does not run.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a session may lie idle before the reaper takes it.
pub(crate) const IDLE_LIMIT: Duration = Duration::from_millis(600);

/// What a shopper shows to be recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SessionId(pub(crate) u64);

/// One shopper's visit.
#[derive(Debug)]
pub(crate) struct Session {
    user: User,
    cart: Vec<Item>,
    attributes: BTreeMap<&'static str, String>,
    last_seen: Instant,
}

#[derive(Debug)]
struct User {
    name: String,
    email: String,
}

#[derive(Debug)]
struct Item {
    product: String,
    price_cents: u64,
}

/// All visits that have begun and not ended.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    live: Mutex<HashMap<SessionId, Session>>,
    begun: AtomicU64,
}

impl Sessions {
    /// Begins a visit.
    #[inline(never)]
    pub(crate) fn create(&self, name: &str, user_agent: &str, now: Instant) -> SessionId {
        let user = User { name: name.to_owned(), email: format!("{name}@example.org") };
        let attributes = BTreeMap::from([
            ("language", "en".to_owned()),
            ("user_agent", user_agent.to_owned()),
            ("landing_page", "/products?sort=popular".to_owned()),
        ]);
        let session = Session { user, cart: Vec::with_capacity(4), attributes, last_seen: now };
        let id = SessionId(self.begun.fetch_add(1, Ordering::Relaxed));
        self.lock().insert(id, session);
        id
    }

    /// Puts a product into the cart; `false` if the visit is over.
    pub(crate) fn add_to_cart(&self, id: SessionId, product: &str, now: Instant) -> bool {
        self.visit(id, now, |session| {
            let price_cents = 100 + product.len() as u64;
            session.cart.push(Item { product: product.to_owned(), price_cents });
        })
        .is_some()
    }

    /// Empties the cart and says what it cost; `None` if the visit is over.
    pub(crate) fn checkout(&self, id: SessionId, now: Instant) -> Option<Receipt> {
        self.visit(id, now, |session| Receipt {
            email: session.user.email.clone(),
            total_cents: session.cart.iter().map(|item| item.price_cents).sum(),
            products: session.cart.drain(..).map(|item| item.product).collect(),
        })
    }

    /// What a page says to its visitor; `None` if the visit is over.
    pub(crate) fn greeting(&self, id: SessionId, now: Instant) -> Option<String> {
        self.visit(id, now, |session| {
            let language = session.attributes.get("language").map_or("en", String::as_str);
            format!("[{language}] Hello {}, {} in your cart", session.user.name, session.cart.len())
        })
    }

    /// Ends a visit.
    pub(crate) fn remove(&self, id: SessionId) -> bool {
        self.lock().remove(&id).is_some()
    }

    /// Ends all visits that nobody has touched for [`IDLE_LIMIT`].
    pub(crate) fn reap(&self, now: Instant) {
        self.lock().retain(|_, session| now.duration_since(session.last_seen) < IDLE_LIMIT);
    }

    fn visit<T>(
        &self,
        id: SessionId,
        now: Instant,
        act: impl FnOnce(&mut Session) -> T,
    ) -> Option<T> {
        let mut live = self.lock();
        let session = live.get_mut(&id)?;
        session.last_seen = now;
        Some(act(session))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Session>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a shopper takes home.
#[derive(Debug)]
pub(crate) struct Receipt {
    pub(crate) email: String,
    pub(crate) products: Vec<String>,
    pub(crate) total_cents: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_ends_by_logging_out_or_by_the_reaper() {
        let sessions = Sessions::default();
        let start = Instant::now();
        let [stays, leaves] = ["ada", "bob"].map(|name| sessions.create(name, "test", start));
        assert!(sessions.add_to_cart(stays, "tea", start));
        assert!(sessions.remove(leaves));
        assert!(sessions.greeting(leaves, start).is_none());

        let later = start + IDLE_LIMIT / 2;
        let receipt = sessions.checkout(stays, later).map(|receipt| receipt.total_cents);
        assert_eq!(receipt, Some(103));
        sessions.reap(start + IDLE_LIMIT);
        assert!(sessions.greeting(stays, later).is_some());
        sessions.reap(later + IDLE_LIMIT);
        assert!(sessions.greeting(stays, later).is_none());
    }
}
