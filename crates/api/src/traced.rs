//! Traces of what other systems ask for: below their own, where they send one.

use std::future::Future;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::response::Response;
use bus::TailItem;
use service::Kit;
use service::spans::{self, Kind, Span, TRACEPARENT, TraceContext, Tracer};

use crate::door::Caller;

tokio::task_local! {
    /// Below what that is stored which the task at hand makes of a request.
    static ABOVE: Option<TraceContext>;
}

/// The spans of this role.
pub(crate) struct Traced(Tracer);

impl Traced {
    pub(crate) fn new(kit: &Kit) -> Self {
        Self(kit.traces.of("api"))
    }

    /// A request of a known caller. What only reads begins no trace; it goes on in its caller's.
    pub(crate) fn request(&self, caller: &Caller, request: &Request) -> Span {
        if !self.0.is_on() {
            return Span::none();
        }
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        // What others note beside it in `tracestate` stays with them: it would be kept for good beside our messages.
        let parent = caller.is_key().then(|| TraceContext::read(header(TRACEPARENT), None)).flatten();
        // Who is known decides what is recorded of their trace, and what only reads begins none.
        let is_declined = caller.is_key() && header(TRACEPARENT).is_some();
        if parent.is_none() && (is_declined || request.method() == Method::GET) {
            return Span::none();
        }
        let method = request.method().clone();
        let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
        let mut span = self.0.door(format!("{method} {route}"), Kind::Server, parent.as_ref());
        span.set("http.request.method", || method.to_string());
        span.set("http.route", || route);
        span
    }

    /// What an integration published is taken from its edge.
    pub(crate) fn published(&self, item: &TailItem) -> Span {
        if !self.0.is_on() {
            return Span::none();
        }
        let mut span = self.0.door("process EDGE", Kind::Consumer, item.trace().as_ref());
        span.set("messaging.system", || "nats");
        span.set("messaging.destination.name", || "EDGE");
        span.set("messaging.operation.type", || "process");
        span.set("messaging.operation.name", || "process");
        span
    }

    /// What was made of a request is stored.
    pub(crate) fn sending(&self, stream: &'static str) -> Span {
        let above = ABOVE.try_with(Clone::clone).ok().flatten();
        spans::sending(&self.0, stream, above.as_ref())
    }
}

/// Answers below a span, which ends with it.
pub(crate) async fn within(mut span: Span, answer: impl Future<Output = Response>) -> Response {
    let response = below(&span, answer).await;
    span.set("http.response.status_code", || i64::from(response.status().as_u16()));
    if response.status().is_server_error() {
        span.fail("unavailable");
    }
    response
}

/// Works below a span.
pub(crate) async fn below<T>(span: &Span, work: impl Future<Output = T>) -> T {
    match span.context() {
        Some(context) => ABOVE.scope(Some(context), work).await,
        None => work.await,
    }
}
