//! The connections of one listener: bounded in number, and none may take for ever to say what it wants.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// Requests under way and idle connections at once; a socket that was upgraded counts by the limits of its kind.
pub(crate) const CONNECTIONS_MAX: usize = 10_000;
/// How long a connection may take to send a request's headers, the first one and each that follows.
pub(crate) const HEADERS_WITHIN: Duration = Duration::from_secs(15);
/// The pause after a connection could not be accepted: most often the process has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until cancelled, then lets running requests end.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    headers_within: Duration,
    cancel: CancellationToken,
) -> io::Result<()> {
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => break,
            accepted = next(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(headers_within)
                    .serve_connection(TokioIo::new(stream), service_fn(answerer(router.clone(), peer)))
                    .with_upgrades();
                let cancel = cancel.clone();
                connections.spawn(async move {
                    let mut connection = pin!(connection);
                    let ended = tokio::select! {
                        ended = connection.as_mut() => ended,
                        () = cancel.cancelled() => {
                            connection.as_mut().graceful_shutdown();
                            connection.await
                        }
                    };
                    // A peer that breaks off or is too slow is no news.
                    if let Err(error) = ended {
                        tracing::debug!(%error, "connection ended");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
    Ok(())
}

async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // A frame to a browser must not wait for the next one.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "failed to set nodelay");
    }
    Ok((stream, peer, place))
}

/// Hands requests to the router, which finds the peer in `ConnectInfo<SocketAddr>`.
fn answerer(router: Router, peer: SocketAddr) -> impl Fn(Request<Incoming>) -> Answer {
    move |request| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        Box::pin(router.clone().oneshot(request))
    }
}

type Answer = std::pin::Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn who_does_not_send_their_headers_is_closed_and_others_are_served() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cancel = CancellationToken::new();
        let router = Router::new().route("/", axum::routing::get(async || "here"));
        let served = tokio::spawn(serve(listener, router, Duration::from_millis(100), cancel.clone()));
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n").await.unwrap();
        let mut said = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(5), slow.read_to_end(&mut said)).await;
        assert!(closed.is_ok(), "it is closed");
        let text = reqwest::get(format!("http://{address}/")).await.unwrap().text().await.unwrap();
        assert_eq!(text, "here");
        cancel.cancel();
        tokio::time::timeout(Duration::from_secs(5), served).await.unwrap().unwrap().unwrap();
    }
}
