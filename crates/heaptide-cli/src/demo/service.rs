//! The shop on the network: a handful of routes, one unit of work per request.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::shop::{SessionId, Sessions};

/// A sixth of the time a session may lie idle, so that none stays much longer.
const REAP_EVERY: Duration = Duration::from_millis(100);

/// Who takes care of abandoned sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaper {
    /// A task that removes them.
    Running,
    /// Nobody: the outage.
    Disabled,
}

#[derive(Deserialize)]
struct Login {
    name: String,
}

#[derive(Deserialize)]
struct Visit {
    session: u64,
    #[serde(default)]
    product: String,
}

type Shop = State<Arc<Sessions>>;
type Answer = Result<String, StatusCode>;

/// Serves the shop on a free port of loopback, which is the first line of standard output, until
/// SIGTERM.
pub(crate) async fn serve(reaper: Reaper) -> anyhow::Result<()> {
    let sessions = Arc::new(Sessions::default());
    if reaper == Reaper::Running {
        tokio::spawn(reap(Arc::clone(&sessions)));
    }
    let mut stop = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    std::io::stdout().flush()?;
    tokio::select! {
        served = axum::serve(listener, routes(sessions)) => Ok(served?),
        _ = stop.recv() => Ok(()),
    }
}

fn routes(sessions: Arc<Sessions>) -> Router {
    Router::new()
        .route("/login", post(login))
        .route("/browse", get(browse))
        .route("/cart", post(add_to_cart))
        .route("/checkout", post(checkout))
        .route("/logout", post(logout))
        .layer(middleware::from_fn(count))
        .with_state(sessions)
}

async fn count(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    heaptide::work("requests", 1);
    response
}

async fn reap(sessions: Arc<Sessions>) {
    let mut ticks = tokio::time::interval(REAP_EVERY);
    loop {
        ticks.tick().await;
        sessions.reap(Instant::now());
    }
}

async fn login(State(sessions): Shop, Query(login): Query<Login>) -> String {
    sessions.create(&login.name, "demo-shopper/1.0", Instant::now()).0.to_string()
}

async fn browse(State(sessions): Shop, Query(visit): Query<Visit>) -> Answer {
    sessions.greeting(SessionId(visit.session), Instant::now()).ok_or(StatusCode::UNAUTHORIZED)
}

async fn add_to_cart(State(sessions): Shop, Query(visit): Query<Visit>) -> StatusCode {
    done(sessions.add_to_cart(SessionId(visit.session), &visit.product, Instant::now()))
}

async fn checkout(State(sessions): Shop, Query(visit): Query<Visit>) -> Answer {
    let receipt = sessions.checkout(SessionId(visit.session), Instant::now());
    let receipt = receipt.ok_or(StatusCode::UNAUTHORIZED)?;
    let euros = receipt.total_cents / 100;
    Ok(format!("{}: {} for {euros} EUR", receipt.email, receipt.products.join(", ")))
}

async fn logout(State(sessions): Shop, Query(visit): Query<Visit>) -> StatusCode {
    done(sessions.remove(SessionId(visit.session)))
}

fn done(happened: bool) -> StatusCode {
    if happened { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
}
