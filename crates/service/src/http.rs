//! The pages that every process has, and how one serves.

mod address;
mod connections;
mod json_body;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::metrics::{self, Metrics};
use crate::problem::Problem;

pub use address::{Prefix, WrongPrefix, address};
pub use json_body::{JsonBody, read as read_json};

/// `/health/live` (the process answers), `/health/ready` (200, or 503 with the reasons) and `/metrics`.
pub fn router(health: Health, metrics: Metrics) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready).with_state(health))
        .route("/metrics", get(encode).with_state(metrics))
}

/// Answers unknown paths and methods with a [`Problem`]; lay it around the whole router.
pub fn with_problems(router: Router) -> Router {
    router.fallback(no_such_path).method_not_allowed_fallback(no_such_method)
}

/// Serves until cancelled, then lets running requests end; handlers find the peer in `ConnectInfo<SocketAddr>`.
///
/// Sockets and event streams do not end by themselves: their handlers wait on a token too.
///
/// # Errors
/// When the listener breaks; the role ends and readiness turns red.
pub async fn serve(listener: TcpListener, router: Router, cancel: CancellationToken) -> std::io::Result<()> {
    connections::serve(listener, router, connections::HEADERS_WITHIN, cancel).await
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

async fn ready(State(health): State<Health>) -> Response {
    let report = health.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(report)).into_response()
}

async fn encode(State(metrics): State<Metrics>) -> Response {
    match metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "failed to encode the metrics");
            Problem::internal().into_response()
        }
    }
}
