//! A web shop. People log in, browse, fill a cart and check out; most then just close the tab.
//!
//! Their sessions are removed by a reaper when they have not been used for a while. Without it,
//! which is how the outage began that this project comes from, every visitor stays for ever.
//!
//! verdict of `shop --session-ttl 300ms` under `client`: clean
//! verdict of `shop --session-ttl 300ms --no-reaper` under `client`: leak at `shop::Sessions::create`

#![forbid(unsafe_code)]

use std::{
    collections::HashMap,
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    middleware,
    routing::{get, post},
};
use clap::Parser;
use heaptide_examples::{Listen, asked_to_stop, duration, session_id};
use serde::{Deserialize, Serialize};

#[global_allocator]
static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();

/// A web shop that leaks its sessions, if told to
#[derive(Parser)]
struct Options {
    #[command(flatten)]
    listen: Listen,
    /// A session ends when it has not been used for so long
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    session_ttl: Duration,
    /// Never remove a session that was not logged out: the outage
    #[arg(long)]
    no_reaper: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let sessions = Arc::new(Sessions::default());
    if !options.no_reaper {
        tokio::spawn(reap(Arc::clone(&sessions), options.session_ttl));
    }
    let routes = Router::new()
        .route("/login", post(login))
        .route("/browse", get(browse))
        .route("/cart", post(add_to_cart))
        .route("/checkout", post(checkout))
        .route("/logout", post(logout))
        .layer(middleware::map_request(async |request: axum::extract::Request| {
            heaptide::work("requests", 1);
            request
        }))
        .with_state(sessions);
    let listener = options.listen.bind().await?;
    axum::serve(listener, routes).with_graceful_shutdown(asked_to_stop()).await?;
    Ok(())
}

struct Session {
    user: User,
    cart: Vec<Item>,
    attributes: HashMap<String, String>,
    last_used: Instant,
}

struct User {
    name: String,
    email: String,
}

struct Item {
    product: String,
    cents: u32,
}

#[derive(Default)]
struct Sessions {
    by_id: Mutex<HashMap<u64, Session>>,
    created: std::sync::atomic::AtomicU64,
}

impl Sessions {
    fn create(&self, name: &str) -> u64 {
        let id = self.created.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let user = User { name: name.to_owned(), email: format!("{name}@example.com") };
        let attributes = [("locale", "en"), ("currency", "EUR"), ("theme", "dark")];
        let session = Session {
            user,
            cart: Vec::with_capacity(4),
            attributes: attributes.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            last_used: Instant::now(),
        };
        self.lock().insert(id, session);
        id
    }

    /// Does something with a session, which thereby stays alive.
    fn with<T>(&self, id: u64, act: impl FnOnce(&mut Session) -> T) -> Result<T, StatusCode> {
        let mut sessions = self.lock();
        let session = sessions.get_mut(&id).ok_or(StatusCode::UNAUTHORIZED)?;
        session.last_used = Instant::now();
        Ok(act(session))
    }

    fn end(&self, id: u64) -> Result<Session, StatusCode> {
        self.lock().remove(&id).ok_or(StatusCode::UNAUTHORIZED)
    }

    fn remove_idle(&self, ttl: Duration) {
        self.lock().retain(|_, session| session.last_used.elapsed() < ttl);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Session>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn reap(sessions: Arc<Sessions>, ttl: Duration) {
    loop {
        tokio::time::sleep(ttl / 4).await;
        sessions.remove_idle(ttl);
    }
}

#[derive(Clone, Copy, Serialize)]
struct Product {
    name: &'static str,
    cents: u32,
}

const CATALOGUE: [Product; 4] = [
    Product { name: "kettle", cents: 34_00 },
    Product { name: "teapot", cents: 49_50 },
    Product { name: "cup", cents: 8_90 },
    Product { name: "strainer", cents: 5_20 },
];

#[derive(Deserialize)]
struct Who {
    user: String,
}

#[derive(Deserialize)]
struct Choice {
    product: usize,
}

async fn login(State(sessions): State<Arc<Sessions>>, Query(who): Query<Who>) -> String {
    sessions.create(&who.user).to_string()
}

async fn browse(
    State(sessions): State<Arc<Sessions>>,
    headers: HeaderMap,
) -> Result<Json<Vec<Product>>, StatusCode> {
    let theme = |session: &mut Session| session.attributes.contains_key("theme");
    sessions.with(session_id(&headers)?, theme)?;
    Ok(Json(CATALOGUE.to_vec()))
}

async fn add_to_cart(
    State(sessions): State<Arc<Sessions>>,
    headers: HeaderMap,
    Query(choice): Query<Choice>,
) -> Result<String, StatusCode> {
    let Product { name, cents } = *CATALOGUE.get(choice.product).ok_or(StatusCode::NOT_FOUND)?;
    let count = sessions.with(session_id(&headers)?, |session| {
        session.cart.push(Item { product: name.to_owned(), cents });
        session.cart.len()
    })?;
    Ok(format!("{count} in your cart"))
}

async fn checkout(
    State(sessions): State<Arc<Sessions>>,
    headers: HeaderMap,
) -> Result<String, StatusCode> {
    sessions.with(session_id(&headers)?, |Session { user, cart, .. }| {
        let total: u32 = cart.iter().map(|item| item.cents).sum();
        let bought: Vec<_> = cart.drain(..).map(|item| item.product).collect();
        format!("{} <{}> buys {} for {total}", user.name, user.email, bought.join(", "))
    })
}

async fn logout(
    State(sessions): State<Arc<Sessions>>,
    headers: HeaderMap,
) -> Result<String, StatusCode> {
    let session = sessions.end(session_id(&headers)?)?;
    Ok(format!("good-bye, {}", session.user.name))
}
