//! The connections of one listener: bounded in number, each address's too, and none may take for ever to say what it wants or to hear what we say.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::gate::{Gate, Place};
use super::pace::{ANSWER, BODY, PacedBody, PacedLine, Rate};
use crate::problem::Problem;
use crate::rate::RetryAfter;

/// Requests under way and idle connections at once; a socket that was upgraded counts by the limits of its kind.
pub(crate) const CONNECTIONS_MAX: usize = 10_000;
/// How long a connection may take to send a request's headers, the first one and each that follows.
pub(crate) const HEADERS_WITHIN: Duration = Duration::from_secs(15);
/// Headers of a request that are taken for certain, bytes; of those twice as large none are, since what one read brings is looked at whole.
const HEADERS_BYTES_MAX: usize = 64 * 1024;
/// When who has too much open may come again.
const CROWDED_AGAIN: Duration = Duration::from_secs(5);
/// The pause after a connection could not be accepted: most often the process has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long the other side may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) headers_within: Duration,
    pub(super) body: Rate,
    pub(super) answer: Rate,
}

/// What is served with.
pub(super) const PATIENCE: Patience = Patience { headers_within: HEADERS_WITHIN, body: BODY, answer: ANSWER };

/// Serves until cancelled, then lets running requests end.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    gate: Gate,
    patience: Patience,
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
                let Ok(own) = gate.connection(peer.ip()) else {
                    // An answer would keep what is to be freed.
                    tracing::debug!("an address has too many connections open");
                    continue;
                };
                let answerer =
                    Answerer { router: router.clone(), gate: gate.clone(), peer, body: patience.body };
                let line = PacedLine::new(stream, patience.answer);
                let cancel = cancel.clone();
                connections.spawn(async move {
                    converse(line, answerer, patience.headers_within, &cancel).await;
                    drop((place, own));
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

/// All requests of one connection, until it ends or the process does.
async fn converse(
    line: PacedLine<TcpStream>,
    answerer: Answerer,
    headers_within: Duration,
    cancel: &CancellationToken,
) {
    let service = service_fn(move |request| answerer.clone().answer(request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(headers_within)
        .max_buf_size(HEADERS_BYTES_MAX)
        .serve_connection(TokioIo::new(line), service)
        .with_upgrades();
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
}

/// Hands requests to the router, which finds the peer in `ConnectInfo<SocketAddr>`.
#[derive(Clone)]
struct Answerer {
    router: Router,
    gate: Gate,
    peer: SocketAddr,
    body: Rate,
}

impl Answerer {
    async fn answer(self, request: Request<Incoming>) -> Result<Response, Infallible> {
        let _place: Option<Place> = match self.gate.request(self.peer, request.headers()) {
            Ok(place) => place,
            Err(_) => return Ok(crowded().into_response()),
        };
        let mut request = request.map(|body| Body::new(PacedBody::new(body, self.body)));
        request.extensions_mut().insert(ConnectInfo(self.peer));
        self.router.oneshot(request).await
    }
}

fn crowded() -> Problem {
    let detail = "wait until the others are answered, then send it again";
    let title = "too many requests of one address are open at once";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_open", title, detail)
        .retry_after(RetryAfter(CROWDED_AGAIN))
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::task::JoinHandle;

    use super::super::address::Prefix;
    use super::super::json_body::JsonBody;
    use super::*;

    const SOON: Duration = Duration::from_secs(60);
    /// More than the buffers of both systems hold, bytes.
    const MUCH: usize = 64 << 20;
    const AT_ONCE: Rate = Rate { within: Duration::from_millis(100), bytes_per_second: 1 << 40 };

    struct Served {
        address: SocketAddr,
        cancel: CancellationToken,
        task: JoinHandle<io::Result<()>>,
    }

    impl Served {
        async fn new(gate: Gate, patience: Patience) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let cancel = CancellationToken::new();
            let read = post(async |JsonBody(_): JsonBody<serde_json::Value>| "read");
            let much = get(async || vec![b'x'; MUCH]);
            let router = Router::new().route("/", get(async || "here").merge(read)).route("/much", much);
            let task = tokio::spawn(serve(listener, router, gate, patience, cancel.clone()));
            Self { address, cancel, task }
        }

        async fn begin(&self, words: &str) -> TcpStream {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(words.as_bytes()).await.unwrap();
            stream
        }

        async fn end(self) {
            self.cancel.cancel();
            tokio::time::timeout(SOON, self.task).await.unwrap().unwrap().unwrap();
        }
    }

    /// What it says until it is closed.
    async fn said(stream: &mut TcpStream) -> String {
        let mut said = Vec::new();
        // A line that is broken off may be reset.
        drop(tokio::time::timeout(SOON, stream.read_to_end(&mut said)).await.expect("it is closed"));
        String::from_utf8_lossy(&said).into_owned()
    }

    #[tokio::test]
    async fn who_does_not_send_their_headers_is_closed_and_others_are_served() {
        let patience = Patience { headers_within: Duration::from_millis(100), ..PATIENCE };
        let served = Served::new(Gate::open(), patience).await;
        let mut slow = served.begin("GET / HTTP/1.1\r\nhost: a\r\n").await;
        said(&mut slow).await;
        let text = reqwest::get(format!("http://{}/", served.address)).await.unwrap().text().await.unwrap();
        assert_eq!(text, "here");
        served.end().await;
    }

    #[tokio::test]
    async fn headers_past_their_limit_are_refused() {
        let served = Served::new(Gate::open(), PATIENCE).await;
        let asked = |bytes: usize| {
            format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx: {}\r\n\r\n", "x".repeat(bytes))
        };
        let mut good = served.begin(&asked(HEADERS_BYTES_MAX / 2)).await;
        assert!(said(&mut good).await.starts_with("HTTP/1.1 200 "));
        let mut bad = served.begin(&asked(2 * HEADERS_BYTES_MAX)).await;
        assert!(said(&mut bad).await.starts_with("HTTP/1.1 431 "));
        served.end().await;
    }

    #[tokio::test]
    async fn who_does_not_send_their_body_is_told_so_and_closed() {
        let served = Served::new(Gate::open(), Patience { body: AT_ONCE, ..PATIENCE }).await;
        let head =
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n";
        let mut slow = served.begin(&format!("{head}{{")).await;
        let answer = said(&mut slow).await;
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("body_too_slow"), "{answer}");
        served.end().await;
    }

    #[tokio::test]
    async fn who_does_not_read_their_answer_is_closed() {
        let served = Served::new(Gate::open(), Patience { answer: AT_ONCE, ..PATIENCE }).await;
        let mut deaf = served.begin("GET /much HTTP/1.1\r\nhost: a\r\n\r\n").await;
        // The answer has begun, and nobody reads on: whoever ends would wait for it.
        tokio::time::timeout(SOON, deaf.readable()).await.expect("an answer begins").unwrap();
        served.end().await;
        let heard = said(&mut deaf).await;
        assert!(heard.starts_with("HTTP/1.1 200 ") && heard.len() < MUCH, "{} bytes came", heard.len());
    }

    #[tokio::test]
    async fn an_address_has_so_many_connections_and_no_more() {
        let served = Served::new(Gate::of(2, Arc::default(), true), PATIENCE).await;
        let asked = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        let mut held = Vec::new();
        for _ in 0..2 {
            held.push(served.begin("GET / HTTP/1.1\r\n").await);
        }
        let mut past = TcpStream::connect(served.address).await.unwrap();
        drop(past.write_all(asked.as_bytes()).await);
        assert_eq!(said(&mut past).await, "");
        for stream in &mut held {
            stream.write_all(b"host: a\r\nconnection: close\r\n\r\n").await.unwrap();
            assert!(said(stream).await.starts_with("HTTP/1.1 200 "));
        }
        // Both have ended, and their places are free a moment later.
        let freed = async {
            loop {
                let mut again = TcpStream::connect(served.address).await.unwrap();
                drop(again.write_all(asked.as_bytes()).await);
                if said(&mut again).await.starts_with("HTTP/1.1 200 ") {
                    break;
                }
            }
        };
        tokio::time::timeout(SOON, freed).await.expect("the places are free again");
        served.end().await;
    }

    #[tokio::test]
    async fn whom_a_proxy_names_has_so_many_requests_and_no_more() {
        let proxies: Arc<[Prefix]> = Arc::from(["127.0.0.1".parse().unwrap()]);
        let served = Served::new(Gate::of(1, proxies, false), PATIENCE).await;
        let head = "POST / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 192.0.2.1\r\nconnection: close\r\ncontent-type: application/json\r\n";
        let mut first = served.begin(&format!("{head}content-length: 2\r\n\r\n{{")).await;
        let past = async {
            loop {
                let mut second = served.begin(&format!("{head}content-length: 2\r\n\r\n{{}}")).await;
                let answer = said(&mut second).await;
                if answer.starts_with("HTTP/1.1 429 ") && answer.contains("too_many_open") {
                    break;
                }
            }
        };
        tokio::time::timeout(SOON, past).await.expect("the first one holds the only place");
        first.write_all(b"}").await.unwrap();
        assert!(said(&mut first).await.starts_with("HTTP/1.1 200 "));
        served.end().await;
    }
}
