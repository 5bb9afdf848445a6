//! The connections: each may be slow in saying what it wants only so long, and all end when the shop closes.

use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::faults::BreakOff;

/// How long a connection may take to send a request's headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(15);
/// How long running requests have when the shop closes.
const DRAIN_WAIT: Duration = Duration::from_secs(5);
/// The pause after a connection could not be accepted: most often the process has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 1_000;

/// The connection is broken off in the middle.
#[derive(Debug, thiserror::Error)]
#[error("broken off")]
struct BrokenOff;

pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    cancel: CancellationToken,
) -> io::Result<()> {
    // Dropped with this future: a shop that is killed in a test answers nobody any more.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (router, cancel) = (router.clone(), cancel.clone());
        connections.spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADERS_WITHIN)
                .serve_connection(
                    TokioIo::new(stream),
                    service_fn(|request| answer(router.clone(), request)),
                );
            let mut connection = pin!(connection);
            // A peer that breaks off is no news.
            drop(tokio::select! {
                ended = connection.as_mut() => ended,
                () = cancel.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            });
        });
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_WAIT, all).await.is_err() {
        return Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "requests did not end in time and are broken off",
        ));
    }
    Ok(())
}

async fn answer(router: Router, request: Request<Incoming>) -> Result<Response, BrokenOff> {
    match router.oneshot(request.map(Body::new)).await {
        Ok(response) if response.extensions().get::<BreakOff>().is_none() => Ok(response),
        Ok(_) => Err(BrokenOff),
        Err(never) => match never {},
    }
}
