//! The pages that every process has, and how one serves.

mod address;
mod connections;
mod gate;
mod json_body;
mod pace;

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::http::uri::Authority;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::metrics::{self, Metrics};
use crate::problem::Problem;

pub use address::{Prefix, WrongPrefix, address, is_this_machine};
pub use gate::Gate;
pub use json_body::{JsonBody, read as read_json, unread as unread_body};

/// `/health/live` (the process answers), `/health/ready` (200, or 503) and `/metrics`, on a listener that strangers reach: only who asks
/// on this machine, by a name that means it, and through no proxy, is told the reasons and the metrics.
pub fn router(health: Health, metrics: Metrics) -> Router {
    pages(health, metrics, Whom::Here)
}

/// The same pages on a listener that only those reach who may know.
pub fn watch_router(health: Health, metrics: Metrics) -> Router {
    pages(health, metrics, Whom::All)
}

/// Who is told what the process knows about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whom {
    All,
    Here,
}

impl Whom {
    fn has(self, extensions: &Extensions, headers: &HeaderMap) -> bool {
        let is_here = || {
            let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
            let is_passed_on = PASSED_ON.iter().any(|name| headers.contains_key(*name));
            // A proxy that says nothing of itself mostly passes on what was asked for by its own name.
            peer.is_some_and(|peer| peer.to_canonical().is_loopback()) && !is_passed_on && names_here(headers)
        };
        self == Self::All || is_here()
    }
}

/// Whether this machine was asked by a name that means itself.
fn names_here(headers: &HeaderMap) -> bool {
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    named.is_some_and(|named| is_this_machine(named.host()))
}

/// By what a proxy gives itself away.
const PASSED_ON: [&str; 4] = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];

fn pages(health: Health, metrics: Metrics, whom: Whom) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready).with_state((health.clone(), whom)))
        .route("/metrics", get(encode).with_state((health, metrics, whom)))
}

/// Answers unknown paths and methods with a [`Problem`], and has browsers make nothing of an answer that it does not say itself; lay it
/// around the whole router.
pub fn with_problems(router: Router) -> Router {
    let router = router.fallback(no_such_path).method_not_allowed_fallback(no_such_method);
    router.layer(map_response(protected))
}

/// What a browser is told of every answer that does not say it otherwise: it is what it says, loads and runs nothing, is in nobody's
/// frame, and tells nobody where it was.
const PROTECTION: [(HeaderName, HeaderValue); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

async fn protected(mut response: Response) -> Response {
    for (name, value) in PROTECTION {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// Serves until cancelled, then lets running requests end; handlers find the peer in `ConnectInfo<SocketAddr>`.
///
/// Sockets and event streams do not end by themselves: their handlers wait on a token too.
///
/// # Errors
/// When the listener breaks; the role ends and readiness turns red.
pub async fn serve(listener: TcpListener, router: Router, cancel: CancellationToken) -> std::io::Result<()> {
    serve_behind(listener, router, Gate::open(), cancel).await
}

/// As [`serve`], where each address has only so many connections.
///
/// # Errors
/// When the listener breaks; the role ends and readiness turns red.
pub async fn serve_behind(
    listener: TcpListener,
    router: Router,
    gate: Gate,
    cancel: CancellationToken,
) -> std::io::Result<()> {
    connections::serve(listener, router, gate, connections::PATIENCE, cancel).await
}

async fn no_such_path() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_path", "there is nothing at this path", "check the path")
}

async fn no_such_method() -> Problem {
    let detail = "the allow header names the methods that this path has";
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "no_such_method",
        "this path does not have this method",
        detail,
    )
}

async fn live() -> Response {
    ([(header::CACHE_CONTROL, "no-store")], "alive\n").into_response()
}

async fn ready(
    State((health, whom)): State<(Health, Whom)>,
    extensions: Extensions,
    headers: HeaderMap,
) -> Response {
    let report = health.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let unkept = [(header::CACHE_CONTROL, "no-store")];
    if whom.has(&extensions, &headers) {
        return (status, unkept, Json(report)).into_response();
    }
    (status, unkept, Json(serde_json::json!({ "ready": report.ready }))).into_response()
}

async fn encode(
    State((health, metrics, whom)): State<(Health, Metrics, Whom)>,
    extensions: Extensions,
    headers: HeaderMap,
) -> Response {
    if !whom.has(&extensions, &headers) {
        return no_such_path().await.into_response();
    }
    // Whoever reads them is told what is true at this moment.
    metrics.ready.set(i64::from(health.report().ready));
    metrics.clock_seconds.set(health.unix_seconds());
    match metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "failed to encode the metrics");
            Problem::internal().into_response()
        }
    }
}
