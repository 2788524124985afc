//! The shop again, with small sessions that lie in the map itself: nothing else is allocated.
//!
//! When nobody removes them, the number of blocks on the heap stays what it is, and the few tables
//! of the map double, and double again. A tool that counts objects sees nothing.
//!
//! verdict of `shop_map --session-ttl 300ms` under `client`: clean
//! verdict of `shop_map --session-ttl 300ms --no-reaper` under `client`: leak at `shop_map::Sessions::create`

#![forbid(unsafe_code)]

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    middleware,
    routing::{get, post},
};
use clap::Parser;
use dashmap::DashMap;
use heaptide_examples::{Listen, asked_to_stop, duration, session_id};
use serde::Deserialize;

#[global_allocator]
static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();

/// A web shop whose sessions are values of a concurrent map
#[derive(Parser)]
struct Options {
    #[command(flatten)]
    listen: Listen,
    /// A session ends when it has not been used for so long
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    session_ttl: Duration,
    /// Never remove a session that was not logged out
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

const PRICES: [u32; 4] = [34_00, 49_50, 8_90, 5_20];

struct Session {
    /// How many of each product.
    cart: [u32; PRICES.len()],
    last_used: Instant,
}

#[derive(Default)]
struct Sessions {
    by_id: DashMap<u64, Session>,
    created: AtomicU64,
}

impl Sessions {
    fn create(&self) -> u64 {
        let id = self.created.fetch_add(1, Ordering::Relaxed);
        self.by_id.insert(id, Session { cart: Default::default(), last_used: Instant::now() });
        id
    }

    fn with<T>(&self, id: u64, act: impl FnOnce(&mut Session) -> T) -> Result<T, StatusCode> {
        let mut session = self.by_id.get_mut(&id).ok_or(StatusCode::UNAUTHORIZED)?;
        session.last_used = Instant::now();
        Ok(act(&mut session))
    }

    fn remove_idle(&self, ttl: Duration) {
        self.by_id.retain(|_, session| session.last_used.elapsed() < ttl);
    }
}

async fn reap(sessions: Arc<Sessions>, ttl: Duration) {
    loop {
        tokio::time::sleep(ttl / 4).await;
        sessions.remove_idle(ttl);
    }
}

#[derive(Deserialize)]
struct Choice {
    product: usize,
}

async fn login(State(sessions): State<Arc<Sessions>>) -> String {
    sessions.create().to_string()
}

async fn browse(
    State(sessions): State<Arc<Sessions>>,
    headers: HeaderMap,
) -> Result<&'static str, StatusCode> {
    sessions.with(session_id(&headers)?, |_| "kettle, teapot, cup, strainer")
}

async fn add_to_cart(
    State(sessions): State<Arc<Sessions>>,
    headers: HeaderMap,
    Query(choice): Query<Choice>,
) -> Result<String, StatusCode> {
    let count = sessions.with(session_id(&headers)?, |session| {
        let count = session.cart.get_mut(choice.product)?;
        *count += 1;
        Some(*count)
    })?;
    count.map(|count| format!("{count} in your cart")).ok_or(StatusCode::NOT_FOUND)
}

async fn checkout(
    State(sessions): State<Arc<Sessions>>,
    headers: HeaderMap,
) -> Result<String, StatusCode> {
    let cart = sessions.with(session_id(&headers)?, |session| std::mem::take(&mut session.cart))?;
    let total: u32 = cart.iter().zip(PRICES).map(|(count, cents)| count * cents).sum();
    Ok(format!("you pay {total}"))
}

async fn logout(
    State(sessions): State<Arc<Sessions>>,
    headers: HeaderMap,
) -> Result<&'static str, StatusCode> {
    let ended = sessions.by_id.remove(&session_id(&headers)?);
    ended.map(|_| "good-bye").ok_or(StatusCode::UNAUTHORIZED)
}
