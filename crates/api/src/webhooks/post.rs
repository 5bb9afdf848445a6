//! One post, to an address that was looked at.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use protocol::integration::webhook::AttemptOutcome;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::ConfigVerifierExt as _;
use service::http::Prefix;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use crate::webhooks::address::Target;

/// How long reaching an endpoint may take, its name's look-up included.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// What is posted, with the headers that Standard Webhooks asks for.
pub(super) struct Posted {
    pub(super) id: String,
    pub(super) timestamp_s: u64,
    pub(super) signature: String,
    pub(super) number: u64,
    pub(super) body: Bytes,
}

/// What came of it, and when the endpoint asks to be tried again.
pub(super) struct Answer {
    pub(super) outcome: AttemptOutcome,
    pub(super) retry_after: Option<Duration>,
}

impl Answer {
    fn of(outcome: AttemptOutcome) -> Self {
        Self { outcome, retry_after: None }
    }
}

/// Posts; clones share the certificates that are trusted.
#[derive(Clone)]
pub(super) struct Poster {
    tls: TlsConnector,
    allowed: Arc<[Prefix]>,
    within: Duration,
}

/// A connection that stays open from one post to the next.
pub(super) struct Open {
    target: Target,
    sender: SendRequest<Full<Bytes>>,
    _driver: AbortOnDropHandle<()>,
}

impl Poster {
    /// # Errors
    /// When this machine's certificates cannot be read.
    pub(super) fn new(allowed: &[Prefix], within: Duration) -> anyhow::Result<Self> {
        // The first one to ask installs it; all later ones find it there.
        drop(rustls::crypto::ring::default_provider().install_default());
        let config =
            rustls::ClientConfig::with_platform_verifier().context("read this machine's certificates")?;
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), allowed: allowed.into(), within })
    }

    /// Posts once, over the open connection if it still stands. Where an answer points is never followed.
    pub(super) async fn post(&self, url: &str, open: &mut Option<Open>, posted: &Posted) -> Answer {
        let Ok(target) = Target::read(url, &self.allowed) else {
            return Answer::of(AttemptOutcome::AddressRefused);
        };
        if let Some(mut kept) = open.take().filter(|kept| kept.target == target && !kept.sender.is_closed())
            && kept.sender.ready().await.is_ok()
        {
            let answer = self.send(&mut kept, posted).await;
            if answer.outcome != AttemptOutcome::Unreachable {
                *open = Some(kept);
                return answer;
            }
            // It was closed while it lay there; who has it twice knows it by its id.
        }
        let mut fresh = match self.connect(target).await {
            Ok(fresh) => fresh,
            Err(outcome) => return Answer::of(outcome),
        };
        let answer = self.send(&mut fresh, posted).await;
        *open = Some(fresh);
        answer
    }

    async fn connect(&self, target: Target) -> Result<Open, AttemptOutcome> {
        let connecting = async {
            let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
            let found: Vec<SocketAddr> = found.map_err(|_| AttemptOutcome::Unreachable)?.collect();
            if found.is_empty() {
                return Err(AttemptOutcome::Unreachable);
            }
            let address = target.choose(&found, &self.allowed).ok_or(AttemptOutcome::AddressRefused)?;
            let stream = TcpStream::connect(address).await.map_err(|_| AttemptOutcome::Unreachable)?;
            // What is posted is small and waits for its answer.
            drop(stream.set_nodelay(true));
            if !target.tls {
                return handshake(target, TokioIo::new(stream)).await;
            }
            let name = ServerName::try_from(target.host.clone()).map_err(|_| AttemptOutcome::Unreachable)?;
            let stream = self.tls.connect(name, stream).await.map_err(|_| AttemptOutcome::Unreachable)?;
            handshake(target, TokioIo::new(stream)).await
        };
        tokio::time::timeout(CONNECT_WITHIN, connecting).await.unwrap_or(Err(AttemptOutcome::Unreachable))
    }

    async fn send(&self, open: &mut Open, posted: &Posted) -> Answer {
        let request = Request::post(&open.target.path)
            .header(HOST, &open.target.authority)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("winterband/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", &posted.id)
            .header("webhook-timestamp", posted.timestamp_s)
            .header("webhook-signature", &posted.signature)
            .header("webhook-number", posted.number)
            .body(Full::new(posted.body.clone()));
        let Ok(request) = request else { return Answer::of(AttemptOutcome::AddressRefused) };
        let answer = match tokio::time::timeout(self.within, open.sender.send_request(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if error.is_canceled() || error.is_closed() => {
                return Answer::of(AttemptOutcome::Unreachable);
            }
            Ok(Err(_)) | Err(_) => return Answer::of(AttemptOutcome::NoAnswer),
        };
        let status = answer.status();
        let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let outcome = if status.is_success() {
            AttemptOutcome::Taken { status: status.as_u16() }
        } else {
            AttemptOutcome::Refused { status: status.as_u16() }
        };
        // Its body is nobody's concern: a connection with a body left in it is not used again.
        Answer { outcome, retry_after: seconds.map(Duration::from_secs) }
    }
}

async fn handshake<S>(target: Target, stream: TokioIo<S>) -> Result<Open, AttemptOutcome>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(stream).await.map_err(|_| AttemptOutcome::Unreachable)?;
    let driver = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to an endpoint ended");
        }
    });
    Ok(Open { target, sender, _driver: AbortOnDropHandle::new(driver) })
}

/// Whether an answer says that the endpoint is gone for good.
pub(super) fn is_gone(outcome: &AttemptOutcome) -> bool {
    *outcome == AttemptOutcome::Refused { status: StatusCode::GONE.as_u16() }
}
