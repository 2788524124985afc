//! A small service: carts of a shop, over axum. Its load comes from a process of its own, so that
//! only the service is measured. An operation is a request.

use std::collections::HashMap;
use std::io::{Error, Result};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::client;
use crate::measure::{Clocks, Length, Measured};

/// Long enough that every route was taken and every connection is open.
const WARM_UP: Duration = Duration::from_millis(100);

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Item {
    name: String,
    quantity: u32,
}

#[derive(Debug, Deserialize)]
struct Search {
    query: String,
}

type Carts = Arc<Mutex<HashMap<u64, Vec<Item>>>>;

/// How its load comes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    /// As fast as it answers.
    AsAnswered,
    /// When it is due.
    AsDue,
}

/// Serves on loopback until the load is over.
pub(crate) fn run(length: Length, load: Load) -> Result<Measured> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (over, until) = oneshot::channel();
        let client = std::thread::spawn(move || {
            let measured = under_load(port, length, load);
            let _ = over.send(());
            measured
        });
        tokio::select! {
            served = axum::serve(listener, routes()) => served?,
            _ = until => {}
        }
        client.join().map_err(|_| Error::other("the client's thread failed"))?
    })
}

/// Starts clients, one for warming up, and waits for them.
fn under_load(port: u16, length: Length, load: Load) -> Result<Measured> {
    let warm_up = match length {
        Length::For(_) => client(port, Length::For(WARM_UP), Load::AsAnswered)?.requests,
        Length::Ops(_) => 0,
    };
    let clocks = Clocks::start();
    let served = client(port, length, load)?;
    let measured = clocks.stop(served.requests);
    let total_ops = warm_up + served.requests;
    Ok(Measured { total_ops, wall_ns: served.wall_ns, latency_ns: served.latency_ns, ..measured })
}

/// Runs the client that was built beside this program; nothing that watches us watches it.
fn client(port: u16, length: Length, load: Load) -> Result<client::Load> {
    let program = std::env::current_exe()?.with_file_name("bench-client");
    let [unit, amount] = match length {
        Length::Ops(ops) => ["requests".to_owned(), ops.to_string()],
        Length::For(time) => {
            let unit = match load {
                Load::AsAnswered => "ms",
                Load::AsDue => "ms-paced",
            };
            [unit.to_owned(), time.as_millis().to_string()]
        }
    };
    let output = Command::new(program)
        .args([port.to_string(), unit, amount])
        .env_remove("LD_PRELOAD")
        .stderr(Stdio::inherit())
        .output()?;
    serde_json::from_slice(&output.stdout).map_err(Error::from)
}

fn routes() -> Router {
    Router::new()
        .route("/items", get(search))
        .route("/carts/{user}", post(add).get(cart).delete(empty))
        .layer(middleware::from_fn(pass))
        .with_state(Carts::default())
}

async fn pass(request: Request, next: Next) -> Response {
    next.run(request).await
}

async fn search(Query(search): Query<Search>) -> Json<Vec<Item>> {
    let item = |n| Item { name: format!("{} no. {n}", search.query), quantity: n };
    Json((1..=5).map(item).collect())
}

async fn add(
    State(carts): State<Carts>,
    Path(user): Path<u64>,
    Json(item): Json<Item>,
) -> StatusCode {
    let mut carts = carts.lock().unwrap_or_else(PoisonError::into_inner);
    carts.entry(user).or_default().push(item);
    StatusCode::CREATED
}

async fn cart(State(carts): State<Carts>, Path(user): Path<u64>) -> Json<Vec<Item>> {
    let carts = carts.lock().unwrap_or_else(PoisonError::into_inner);
    Json(carts.get(&user).cloned().unwrap_or_default())
}

async fn empty(State(carts): State<Carts>, Path(user): Path<u64>) -> StatusCode {
    carts.lock().unwrap_or_else(PoisonError::into_inner).remove(&user);
    StatusCode::NO_CONTENT
}
