//! Connections to our own doors, as a browser or a provider makes them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::ConfigVerifierExt as _;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Most bytes of an answer, either way.
pub(super) const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// How long one request may take that waits for nobody else; after that it is made again.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What bytes go over.
pub(super) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// Nobody was reached, so nothing was asked of anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotReached;

impl fmt::Display for NotReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the door is not reached")
    }
}

/// Connects to an origin, with TLS where it says https.
pub(super) async fn dial(origin: &Uri) -> Result<Box<dyn Bytes>> {
    let host = origin.host().context("the url has no host")?;
    let is_private = origin.scheme_str() == Some("https");
    let port = origin.port_u16().unwrap_or(if is_private { 443 } else { 80 });
    // An address of version 6 stands in brackets there.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let stream =
        TcpStream::connect((host, port)).await.with_context(|| format!("connect to {host}:{port}"))?;
    stream.set_nodelay(true).context("set up the connection")?;
    if !is_private {
        return Ok(Box::new(stream));
    }
    let config =
        rustls::ClientConfig::with_platform_verifier().context("read this machine's certificates")?;
    let name = ServerName::try_from(host.to_owned()).context("the url's host is no name")?;
    let private = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    Ok(Box::new(private.with_context(|| format!("agree on TLS with {host}"))?))
}

/// Makes one request on a connection of its own: the answer's status, and its body where that is JSON and short enough.
///
/// # Errors
/// [`NotReached`] where there is no connection; any other one leaves it open what was done.
pub(super) async fn exchange(
    origin: &Uri,
    mut request: Request<Full<bytes::Bytes>>,
    within: Duration,
) -> Result<(StatusCode, Value)> {
    let authority = origin.authority().context("the url has no host")?.as_str();
    let host = HeaderValue::from_str(authority).context("the url's host is no header")?;
    request.headers_mut().insert(HOST, host);
    timeout(within, ask(origin, request)).await.context("the door does not answer")?
}

async fn ask(origin: &Uri, request: Request<Full<bytes::Bytes>>) -> Result<(StatusCode, Value)> {
    let line = TokioIo::new(dial(origin).await.context(NotReached)?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(line).await.context("speak HTTP")?;
    let asks = async {
        let answer = sender.send_request(request).await.context("post to the door")?;
        let status = answer.status();
        let bytes = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let bytes = bytes.map(Collected::to_bytes).unwrap_or_default();
        anyhow::Ok((status, serde_json::from_slice::<Value>(&bytes).unwrap_or_default()))
    };
    tokio::select! {
        biased;
        answer = asks => answer,
        ended = connection => {
            ended.context("the door ended the connection")?;
            bail!("the door ended the connection");
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::routing::post;
    use axum::{Json, Router};
    use serde_json::json;
    use tokio::net::TcpListener;
    use tokio_util::sync::{CancellationToken, DropGuard};

    use super::*;

    /// A door that answers what is posted to a path with these statuses and codes, the last of them again and again; and how often it was asked.
    pub(in crate::canary) async fn door(
        path: &str,
        answers: &'static [(u16, &'static str)],
    ) -> (String, Arc<AtomicUsize>, DropGuard) {
        let (asked, cancel) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
        let count = Arc::clone(&asked);
        let answer = move || {
            let n = count.fetch_add(1, Ordering::Relaxed);
            let (status, code) = answers[n.min(answers.len() - 1)];
            let said = json!({ "code": code, "detail": "not now" });
            std::future::ready((StatusCode::from_u16(status).unwrap(), Json(said)))
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route(path, post(answer));
        tokio::spawn(service::http::serve(listener, router, cancel.clone()));
        (url, asked, cancel.drop_guard())
    }
}
