//! How messages go out, whatever the channel: an adapter and its transport behind one door.

use std::time::Duration;

use axum::http::Request;
use axum::http::header::RETRY_AFTER;
use bytes::Bytes;
use channel::{Adapter, EntryKind, HttpAnswer, HttpRequest, Outbound, Parsed, Raw, Rejected, Verdict};
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use protocol::{Hash128, MessageId, Millis};
use service::spans::TraceContext;

use crate::channels::tls_config;
use crate::traced::{Above, answered};

/// How long reaching a provider may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long its answer may take.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// What is kept of an answer, bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The way out of one account.
pub(crate) trait Carrier: Send + Sync {
    /// Whether entries of that kind go out at all.
    fn sends(&self, kind: &EntryKind) -> bool;

    /// Whether what was handed over when we crashed may be handed over again.
    fn is_resendable(&self) -> bool;

    /// Most bytes of files that one message takes, where they go as bytes; `None`: they go as links.
    fn files_max(&self) -> Option<u64>;

    /// Hands one entry over.
    fn send<'a>(&'a self, outbound: &'a Outbound<'a>, above: &'a Above<'a>) -> BoxFuture<'a, Verdict>;

    /// Sends the account a message of its own in this thread, which comes in again by the account. `None`: what comes in and what goes out are two
    /// things here, or nobody wants it.
    fn send_itself(
        &self,
        _message: MessageId,
        _thread: Hash128,
        _now: Millis,
    ) -> BoxFuture<'_, Option<ToItself>> {
        Box::pin(std::future::ready(None))
    }

    /// Tries the credentials without sending anybody anything; a line for each thing tried.
    fn check(&self, now: Millis) -> BoxFuture<'_, Vec<Finding>>;
}

/// What came of a message of an account to itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ToItself {
    /// It was handed over; the other side may not have said that it has it.
    HandedOver,
    /// It was offered and not taken, for this reason.
    NotTaken(String),
    /// Nothing was offered: the account was not let in or not reached.
    NotOffered(String),
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was tried.
    pub what: String,
    /// What came of it; an error says what to do.
    pub found: Result<String, String>,
}

/// The way in of one account, for what is posted to it.
pub(crate) trait Door: Send + Sync {
    /// Reads a request after making sure whose it is.
    fn receive(&self, raw: &Raw<'_>, now: Millis) -> Result<Vec<Result<Parsed<()>, Rejected>>, Rejected>;
}

/// An adapter whose provider speaks HTTP.
pub(crate) struct Http<A> {
    adapter: A,
    client: Client,
}

impl<A> Http<A> {
    pub(crate) fn new(adapter: A, client: Client) -> Self {
        Self { adapter, client }
    }
}

impl<A> Carrier for Http<A>
where
    A: Adapter<Sending = HttpRequest, Answer = HttpAnswer> + Send + Sync,
{
    fn sends(&self, kind: &EntryKind) -> bool {
        self.adapter.sends(kind)
    }

    fn is_resendable(&self) -> bool {
        A::IS_RESENDABLE
    }

    fn files_max(&self) -> Option<u64> {
        None
    }

    fn send<'a>(&'a self, outbound: &'a Outbound<'a>, above: &'a Above<'a>) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            match self.adapter.render(outbound) {
                Ok(mut request) => {
                    let mut span = above.post(&request.url);
                    // The signature is over the body: a header more breaks nothing.
                    request.headers.extend(span.context().iter().flat_map(TraceContext::headers));
                    let answer = self.client.post(request).await;
                    answered(&mut span, &answer);
                    self.adapter.judge(&answer)
                }
                Err(unsendable) => Verdict::Failed { reason: unsendable.reason },
            }
        })
    }

    fn check(&self, now: Millis) -> BoxFuture<'_, Vec<Finding>> {
        Box::pin(async move {
            let Some(request) = self.adapter.probe(now) else { return Vec::new() };
            let what = "send a signed ping".to_owned();
            let answer = self.client.post(request).await;
            let found = match &answer {
                HttpAnswer::Status { status, .. } if (200..300).contains(status) => {
                    Ok(format!("answered {status}"))
                }
                HttpAnswer::Status { status: 401 | 403, .. } => {
                    Err("it does not take our signature: compare the secret on both sides".to_owned())
                }
                HttpAnswer::Status { status, .. } => Err(format!(
                    "it answered {status}: look at the url, and whether it takes events of type ping"
                )),
                HttpAnswer::NoAnswer => Err("it did not answer in time: look at its own log".to_owned()),
                HttpAnswer::Unreachable => {
                    Err("nobody is there: look at the url, its certificate, and the way there".to_owned())
                }
            };
            vec![Finding { what, found }]
        })
    }
}

impl<A> Door for Http<A>
where
    A: Adapter<Sending = HttpRequest, Answer = HttpAnswer> + Send + Sync,
{
    fn receive(&self, raw: &Raw<'_>, now: Millis) -> Result<Vec<Result<Parsed<()>, Rejected>>, Rejected> {
        self.adapter.verify(raw, now)?;
        let without_signal = |parsed| match parsed {
            Parsed::Message(message) => Parsed::Message(message),
            Parsed::Status(status) => Parsed::Status(status),
            Parsed::Echo { provider_id } => Parsed::Echo { provider_id },
            Parsed::Signal(_) => Parsed::Signal(()),
        };
        Ok(self.adapter.parse(raw).into_iter().map(|one| one.map(without_signal)).collect())
    }
}

/// Posts requests: bounded in time and size, never following where an answer points: a provider's token and our customers'
/// words go nowhere else. Clones share its connections.
#[derive(Clone)]
pub(crate) struct Client {
    client: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    within: Duration,
}

impl Client {
    /// Waits so long for an answer.
    ///
    /// # Errors
    /// When this machine's certificates cannot be read; the process does not start then.
    pub(crate) fn new(within: Duration) -> anyhow::Result<Self> {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(CONNECT_WITHIN));
        http.set_nodelay(true);
        // What the address says decides, not the connector: it gets https too.
        http.enforce_http(false);
        let tls = (*tls_config()?).clone();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Ok(Self { client: legacy::Client::builder(TokioExecutor::new()).build(connector), within })
    }

    pub(crate) async fn post(&self, request: HttpRequest) -> HttpAnswer {
        let mut sent = Request::post(request.url);
        for (name, value) in request.headers {
            sent = sent.header(name, value);
        }
        // What cannot even be written never left.
        let Ok(sent) = sent.body(Full::new(Bytes::from(request.body))) else {
            return HttpAnswer::Unreachable;
        };
        let answer = match tokio::time::timeout(self.within, self.client.request(sent)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if error.is_connect() => return HttpAnswer::Unreachable,
            Ok(Err(_)) | Err(_) => return HttpAnswer::NoAnswer,
        };
        let status = answer.status().as_u16();
        let seconds =
            answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        // The status says it all; what stands below is for a person, and may be missing.
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect();
        let body = tokio::time::timeout(self.within, body).await.ok().and_then(Result::ok);
        let body = body.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
        HttpAnswer::Status {
            status,
            retry_after_ms: seconds.map(|seconds| seconds.saturating_mul(1000)),
            body,
        }
    }
}
