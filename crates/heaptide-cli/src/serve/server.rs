//! The server: routes, what goes before each of them, and what is sent on every change.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use heaptide_report::{html, json, prometheus};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::Receiver as Outbox;
use tokio::sync::oneshot;
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt};

use super::access::{self, Refused, Token};
use super::alerts::{self, Message};
use super::board::{Board, Compare};
use crate::output;
use crate::watch::live::LiveRecording;

/// Comparisons that wait; more are refused.
pub(super) const MOST_COMPARISONS: usize = 4;
/// Pages that are kept up to date at once; more are refused.
const MOST_LISTENERS: usize = 64;
/// No request has a body that matters.
const MOST_BODY_BYTES: usize = 1024;
/// How long a snapshot may take.
const SNAPSHOT_PATIENCE: Duration = Duration::from_secs(10);
/// A change is told at most so often.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// What the server knows.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) board: Board,
    pub(super) token: Option<Token>,
    pub(super) listen: SocketAddr,
    /// As the list names it.
    pub(super) dir: String,
    pub(super) compare: SyncSender<Compare>,
}

/// The same as all requests share it.
#[derive(Debug)]
struct Shared {
    server: Server,
    page: html::LivePage,
    listening: SocketAddr,
    n_listeners: AtomicUsize,
}

type Known = State<Arc<Shared>>;

/// Serves until SIGINT or SIGTERM.
pub(super) fn run(server: Server, outbox: Option<Outbox<Message>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the server")?;
    let served = runtime.block_on(async {
        if let Some(outbox) = outbox {
            tokio::spawn(alerts::deliver(outbox));
        }
        let listener = TcpListener::bind(server.listen)
            .await
            .with_context(|| format!("cannot listen on {}", server.listen))?;
        let listening = listener.local_addr()?;
        output::tell(&format!("serving {} on http://{listening}/", server.dir));
        let (mut end, mut stop) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let app = routes(Shared {
            server,
            page: html::live_page(),
            listening,
            n_listeners: AtomicUsize::new(0),
        });
        tokio::select! {
            served = axum::serve(listener, app) => served.context("cannot serve any more"),
            _ = end.recv() => Ok(()),
            _ = stop.recv() => Ok(()),
        }
    });
    // A page that is kept up to date would hold the end up.
    runtime.shutdown_background();
    served
}

fn routes(shared: Shared) -> Router {
    let shared = Arc::new(shared);
    // What tells something; the page itself holds nothing, and asks for the token.
    let guarded = Router::new()
        .route("/api/recordings", get(recordings))
        .route("/api/recordings/{id}", get(page_data))
        .route("/api/recordings/{id}/report", get(report))
        .route("/api/recordings/{id}/snapshot", post(snapshot))
        .route("/api/compare", get(compare))
        .route("/api/events", get(events))
        .route("/metrics", get(metrics))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guard));
    Router::new()
        .route("/", get(page))
        .route("/api", get(openapi))
        .route("/healthz", get(async || "ok\n"))
        .merge(guarded)
        .fallback(async || problem(StatusCode::NOT_FOUND, "there is no such page"))
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), harden))
        .with_state(shared)
}

/// Answers nobody who may not ask.
async fn guard(State(shared): Known, request: Request, next: Next) -> Response {
    let headers = request.headers();
    match access::check(shared.server.token.as_ref(), shared.listening, headers) {
        Ok(()) => next.run(request).await,
        Err(Refused::NoToken) => {
            let refusal =
                problem(StatusCode::UNAUTHORIZED, "a token is needed: `Authorization: Bearer …`");
            ([(header::WWW_AUTHENTICATE, "Bearer")], refusal).into_response()
        }
        Err(Refused::OtherHost) => problem(
            StatusCode::MISDIRECTED_REQUEST,
            "only localhost is served without a token; start with --token-file to serve other names",
        ),
    }
}

/// Headers that every answer has.
async fn harden(State(shared): Known, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let fixed = [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
        ("cache-control", "no-store"),
    ];
    let headers = response.headers_mut();
    fixed.iter().for_each(|(name, value)| {
        headers.insert(*name, HeaderValue::from_static(value));
    });
    if let Ok(policy) = HeaderValue::from_str(&shared.page.content_policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// What went wrong, for programs and people.
fn problem(status: StatusCode, detail: &str) -> Response {
    (status, json_text(json::line(&json!({ "error": detail })))).into_response()
}

async fn page(State(shared): Known) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], shared.page.html.clone()).into_response()
}

async fn openapi() -> Response {
    json_text(include_str!("openapi.json").to_owned())
}

fn json_text(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

async fn recordings(State(shared): Known) -> Response {
    json_text(list(&shared.server))
}

/// The list as it is sent, on one line: names in it are text of others.
fn list(Server { board, dir, .. }: &Server) -> String {
    json::line(&json!({ "dir": dir, "recordings": board.entries() }))
}

async fn page_data(State(shared): Known, Path(id): Path<String>) -> Response {
    match shared.server.board.judged(&id) {
        Some(judged) => json_text(judged.page.to_string()),
        None => {
            problem(StatusCode::NOT_FOUND, "there is no such recording, or it is not judged yet")
        }
    }
}

async fn report(State(shared): Known, Path(id): Path<String>) -> Response {
    match shared.server.board.judged(&id) {
        Some(judged) => json_text(json::write(&judged.report)),
        None => {
            problem(StatusCode::NOT_FOUND, "there is no such recording, or it is not judged yet")
        }
    }
}

/// Asks a process for a snapshot. A page of somebody else's can send a POST here, but not this header.
async fn snapshot(State(shared): Known, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if !headers.contains_key("x-heaptide") {
        return problem(StatusCode::FORBIDDEN, "the header `X-Heaptide: 1` is needed");
    }
    let Some(entry) = shared.server.board.entry(&id).filter(|entry| entry.is_live) else {
        return problem(StatusCode::NOT_FOUND, "there is no such process on this machine");
    };
    let asked = async {
        let pid = i32::try_from(entry.pid).context("not a process id")?;
        let recording = LiveRecording::of(pid)?;
        anyhow::ensure!(
            recording.segment.header.start_unix_ns / 1_000_000 >= entry.started_unix_ms,
            "process {pid} is another one now"
        );
        recording.snapshot(SNAPSHOT_PATIENCE).await
    };
    match asked.await {
        Ok((_, seq)) => json_text(json::line(&json!({ "seq": seq }))),
        Err(cause) => problem(StatusCode::CONFLICT, &format!("{cause:#}")),
    }
}

#[derive(Deserialize)]
struct Pair {
    before: String,
    after: String,
}

async fn compare(State(shared): Known, Query(pair): Query<Pair>) -> Response {
    let (reply, answer) = oneshot::channel();
    let Pair { before, after } = pair;
    if shared.server.compare.try_send(Compare { before, after, reply }).is_err() {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "too many comparisons wait already");
    }
    match answer.await {
        Ok(Ok(data)) => json_text(data),
        Ok(Err(cause)) => problem(StatusCode::NOT_FOUND, &format!("{cause:#}")),
        Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "nobody judges any more"),
    }
}

async fn metrics(State(shared): Known) -> Response {
    let all = shared.server.board.all_judged();
    let processes = all.iter().flat_map(|(id, judged)| {
        let runs = judged.report.runs.iter().zip(judged.runs.iter());
        runs.map(|(run, view)| prometheus::Process {
            recording: id,
            outcome: judged.report.outcome,
            judged: run,
            run: view,
        })
    });
    let text = prometheus::write(&processes.collect::<Vec<_>>(), &output::plain_view());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// One page that is kept up to date; counted as long as it is there.
struct Listener(Arc<Shared>);

impl Listener {
    fn new(shared: Arc<Shared>) -> Option<Self> {
        let n_before = shared.n_listeners.fetch_add(1, Ordering::Relaxed);
        let listener = Self(shared);
        (n_before < MOST_LISTENERS).then_some(listener)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.n_listeners.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The list, now and whenever it changes.
async fn events(State(shared): Known) -> Response {
    let Some(listener) = Listener::new(shared) else {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "too many pages are open already");
    };
    Sse::new(changes(listener)).keep_alive(KeepAlive::default()).into_response()
}

fn changes(listener: Listener) -> impl Stream<Item = Result<Event, Infallible>> {
    let changes = WatchStream::new(listener.0.server.board.subscribe());
    changes
        .throttle(TELL_EVERY)
        .map(move |_| Ok(Event::default().event("recordings").data(list(&listener.0.server))))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::http::Client;
    use crate::payloads::PAYLOADS;
    use crate::serve::board::Entry;

    /// Serves one recording that is not judged yet, and asks it.
    async fn ask(token: Option<&str>, method: &str, target: &str) -> anyhow::Result<(u16, String)> {
        let board = Board::new();
        board.put(Entry { id: "a1".into(), is_live: true, ..Entry::default() }, None);
        // Nobody compares here.
        let (compare, _) = sync_channel(1);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let listening = listener.local_addr()?;
        let token = token.map(Token::new).transpose()?;
        let server = Server { board, token, listen: listening, dir: "records".into(), compare };
        let (page, n_listeners) = (html::live_page(), AtomicUsize::new(0));
        let app = routes(Shared { server, page, listening, n_listeners });
        let serving = tokio::spawn(async { axum::serve(listener, app).await });
        let answer = Client::connect(listening).await?.ask(method, target).await;
        serving.abort();
        let answer = answer?;
        Ok((answer.status, answer.body))
    }

    /// Names of others stood in the list as they were, and whoever watched it with `curl` saw what they did.
    #[test]
    fn the_list_is_one_line_without_hidden_characters() -> anyhow::Result<()> {
        for (what, payload) in PAYLOADS {
            let board = Board::new();
            let (program, host) = ((*payload).to_owned(), (*payload).to_owned());
            let (problem, conclusion) = (Some((*payload).to_owned()), (*payload).to_owned());
            let id = "a1".into();
            board.put(Entry { id, program, host, problem, conclusion, ..Entry::default() }, None);
            let (compare, _) = sync_channel(1);
            let listen = SocketAddr::from(([127, 0, 0, 1], 0));
            let dir = (*payload).to_owned();
            let sent = list(&Server { board, token: None, listen, dir, compare });
            let is_plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ' || byte > 0x7f;
            assert!(sent.bytes().all(is_plain), "{what}: {sent}");
            assert!(!sent.contains("##["), "{what}: {sent}");
            let read: serde_json::Value = serde_json::from_str(&sent)?;
            let entry = &read["recordings"][0];
            let names = ["program", "host", "problem", "conclusion"];
            assert!(names.iter().all(|name| entry[name] == *payload), "{what}: {sent}");
        }
        Ok(())
    }

    #[test]
    fn each_path_answers_whom_it_may() -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let check = |method: &str, target: &str, open: u16, guarded: u16, says: &str| {
            for (token, expected) in [(None, open), (Some("0123456789abcdef"), guarded)] {
                let (status, body) = runtime.block_on(ask(token, method, target))?;
                assert_eq!(status, expected, "{method} {target} with token {token:?}: {body}");
                assert!(status != open || body.contains(says), "{method} {target}: {body}");
            }
            anyhow::Ok(())
        };
        check("GET", "/", 200, 200, "<!doctype html>")?;
        check("GET", "/healthz", 200, 200, "ok")?;
        check("GET", "/api", 200, 200, "\"openapi\"")?;
        check("GET", "/api/recordings", 200, 401, "\"dir\":\"records\"")?;
        check("GET", "/api/recordings/a1", 404, 401, "not judged yet")?;
        check("GET", "/api/recordings/b2/report", 404, 401, "no such recording")?;
        check("GET", "/api/recordings/..%2f..%2fetc%2fpasswd", 404, 401, "no such recording")?;
        check("GET", "/metrics", 200, 401, "")?;
        check("GET", "/shop.jsonl", 404, 404, "no such page")?;
        check("POST", "/api/recordings/a1/snapshot", 403, 401, "X-Heaptide")?;
        check("GET", "/api/recordings/a1/snapshot", 405, 401, "")?;
        check("GET", "/api/compare?before=a1", 400, 401, "")?;
        check("GET", "/api/compare?before=a1&after=b2", 503, 401, "comparisons wait")
    }
}
