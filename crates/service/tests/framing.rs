//! Where a request ends, decided once: whoever stands in front of us must not be made to see another end than we do.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(60);

/// What is answered to these bytes, until the connection is closed.
async fn answer(address: std::net::SocketAddr, sent: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    // Nothing more comes from us: an end that was announced and is missing shows at once.
    stream.shutdown().await.unwrap();
    let mut said = Vec::new();
    // A reset is an answer too.
    drop(tokio::time::timeout(DEADLINE, stream.read_to_end(&mut said)).await.unwrap());
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn a_request_has_one_end_or_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/first", post(async |body: Bytes| format!("first has {} bytes", body.len())))
        .route("/second", get(async || "second was asked"));
    let cancel = CancellationToken::new();
    let served = tokio::spawn(service::http::serve(listener, router, cancel.clone()));

    let second = "GET /second HTTP/1.1\r\nhost: a\r\n\r\n";
    let first =
        |headers: &str, body: &str| format!("POST /first HTTP/1.1\r\nhost: a\r\n{headers}\r\n{body}{second}");
    let whole = answer(address, &first("content-length: 4\r\n", "abcd")).await;
    assert!(whole.contains("first has 4 bytes") && whole.contains("second was asked"), "{whole}");
    let both = "content-length: 4\r\ntransfer-encoding: chunked\r\n";
    let both = answer(address, &first(both, "2\r\nab\r\n0\r\n\r\n")).await;
    assert!(both.contains("first has 2 bytes"), "the length is passed over: {both}");
    // And nobody is asked to agree on where the next one begins.
    assert!(both.contains("connection: close") && !both.contains("second was asked"), "{both}");

    for wrong in [
        "content-length: 4\r\ncontent-length: 5\r\n",
        "content-length: 4, 5\r\n",
        "content-length: +4\r\n",
        "content-length: 0x4\r\n",
        "content-length: -1\r\n",
        "content-length : 4\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        "transfer-encoding:\u{b}chunked\r\n",
        "x: a\r\n folded: b\r\ncontent-length: 4\r\n",
        "x: a\rcontent-length: 4\r\n",
    ] {
        let said = answer(address, &first(wrong, "abcd")).await;
        assert!(said.starts_with("HTTP/1.1 400"), "{wrong:?}: {said}");
        assert!(!said.contains("second was asked"), "{wrong:?}: {said}");
    }
    for body in ["zz\r\nab\r\n0\r\n\r\n", "-1\r\nab\r\n0\r\n\r\n", "fffffffffffffffff\r\nab\r\n0\r\n\r\n"] {
        let said = answer(address, &first("transfer-encoding: chunked\r\n", body)).await;
        assert!(!said.contains("second was asked") && !said.contains("first has"), "{body:?}: {said}");
    }
    let other = answer(address, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(!other.contains("200 OK"), "HTTP/1 only: {other}");
    cancel.cancel();
    tokio::time::timeout(DEADLINE, served).await.unwrap().unwrap().unwrap();
}
