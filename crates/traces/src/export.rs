//! The way out: a queue with an end, and one task that posts what is in it to a collector (OTLP over HTTP, protobuf).
//!
//! Nothing ever waits for the collector. What finds the queue full, or is not taken by the collector, is gone and counted.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{CONTENT_TYPE, USER_AGENT};
use hyper::{Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use prost::Message as _;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// Spans that wait to be sent, at most; the next ones are dropped.
pub const QUEUE_MAX: usize = 4096;
/// Spans in one request, at most.
pub const BATCH_MAX: usize = 512;
/// For how long a request is filled.
const FILL_WITHIN: Duration = Duration::from_secs(1);
/// How long a collector may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How much of its answer is read, bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// A log line about spans that are gone comes so often at most.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Where a collector is.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Scheme, host, port and perhaps a path, without a slash at the end; `/v1/traces` comes behind.
    pub endpoint: &'a str,
}

/// What became of spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The collector has them.
    Sent,
    /// The queue was full: they are gone.
    NoRoom,
    /// The collector was not there, too slow, or would not have them: they are gone.
    NotTaken,
}

impl Fate {
    /// The word for it in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::NoRoom => "no_room",
            Self::NotTaken => "not_taken",
        }
    }
}

/// Hears what became of how many spans.
pub type Count = Arc<dyn Fn(Fate, u64) + Send + Sync>;

enum Queued {
    Span(Arc<ResourceAttributesWithSchema>, Box<SpanData>),
    Flush(oneshot::Sender<()>),
}

/// The end of the queue into which spans go.
#[derive(Clone)]
pub(crate) struct Queue {
    into: mpsc::Sender<Queued>,
    no_room: Arc<AtomicU64>,
    count: Count,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("room", &self.into.capacity()).finish_non_exhaustive()
    }
}

impl Queue {
    pub(crate) fn start(target: Target<'_>, count: Count) -> anyhow::Result<Self> {
        let uri: Uri = format!("{}/v1/traces", target.endpoint).parse().context("use trace.otlp_endpoint")?;
        let (into, from) = mpsc::channel(QUEUE_MAX);
        let no_room = Arc::new(AtomicU64::new(0));
        let queue = Self { into, no_room: Arc::clone(&no_room), count: Arc::clone(&count) };
        let way = Way { client: client()?, uri, count, no_room, lost: 0, told_at: None };
        tokio::spawn(way.run(from));
        Ok(queue)
    }

    pub(crate) fn processor(&self, resource: &Resource) -> Processor {
        Processor { queue: self.clone(), resource: Arc::new(resource.into()) }
    }

    pub(crate) async fn flush(&self, within: Duration) {
        let (done, wait) = oneshot::channel();
        let flushed = async {
            if self.into.send(Queued::Flush(done)).await.is_ok() {
                wait.await.ok();
            }
        };
        if timeout(within, flushed).await.is_err() {
            tracing::debug!("ended with spans that were not sent");
        }
    }
}

/// Puts the ended spans of one role into the queue.
#[derive(Debug)]
pub(crate) struct Processor {
    queue: Queue,
    resource: Arc<ResourceAttributesWithSchema>,
}

impl SpanProcessor for Processor {
    fn on_start(&self, _span: &mut Span, _context: &opentelemetry::Context) {}

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        let queued = Queued::Span(Arc::clone(&self.resource), Box::new(span));
        if self.queue.into.try_send(queued).is_err() {
            self.queue.no_room.fetch_add(1, Ordering::Relaxed);
            (self.queue.count)(Fate::NoRoom, 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn client() -> anyhow::Result<Client<HttpsConnector<HttpConnector>, Full<Bytes>>> {
    use rustls_platform_verifier::ConfigVerifierExt as _;
    // The first one to ask installs it; all later ones find it there.
    drop(rustls::crypto::ring::default_provider().install_default());
    let tls = rustls::ClientConfig::with_platform_verifier().context("read this machine's certificates")?;
    let mut http = HttpConnector::new();
    http.set_connect_timeout(Some(ANSWER_WITHIN));
    http.enforce_http(false);
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(http);
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

struct Way {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    count: Count,
    no_room: Arc<AtomicU64>,
    /// Spans that the collector has not taken since the last line about it.
    lost: u64,
    told_at: Option<Instant>,
}

impl Way {
    async fn run(mut self, mut from: mpsc::Receiver<Queued>) {
        while let Some(first) = from.recv().await {
            let mut filling = Filling::default();
            let until = Instant::now() + FILL_WITHIN;
            filling.take(first);
            while filling.has_time()
                && let Ok(Some(next)) = timeout_at(until, from.recv()).await
            {
                filling.take(next);
            }
            let Filling { spans, waiting } = filling;
            if !spans.is_empty() {
                self.send(spans).await;
            }
            self.tell();
            for waits in waiting {
                // Who waited may have given up.
                waits.send(()).ok();
            }
        }
    }

    async fn send(&mut self, spans: Vec<(Arc<ResourceAttributesWithSchema>, SpanData)>) {
        let all = u64::try_from(spans.len()).unwrap_or(u64::MAX);
        let refused = match timeout(ANSWER_WITHIN, self.post(request_of(spans))).await {
            Ok(Ok(refused)) => refused.min(all),
            Ok(Err(reason)) => {
                tracing::debug!(reason, "the collector took no spans");
                all
            }
            Err(_) => all,
        };
        (self.count)(Fate::Sent, all - refused);
        (self.count)(Fate::NotTaken, refused);
        self.lost += refused;
    }

    /// How many of them the collector would not have.
    async fn post(&self, body: Vec<u8>) -> Result<u64, String> {
        let request = Request::post(self.uri.clone())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(USER_AGENT, concat!("winterband/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        let answer = self.client.request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        if !status.is_success() {
            return Err(format!("it answered {status}"));
        }
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let partial = ExportTraceServiceResponse::decode(body).ok().and_then(|answer| answer.partial_success);
        Ok(partial.map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or(0)))
    }

    fn tell(&mut self) {
        let is_due = self.told_at.is_none_or(|told_at| told_at.elapsed() >= TOLD_EVERY);
        if !is_due || (self.lost == 0 && self.no_room.load(Ordering::Relaxed) == 0) {
            return;
        }
        let (not_taken, no_room) = (std::mem::take(&mut self.lost), self.no_room.swap(0, Ordering::Relaxed));
        tracing::warn!(
            not_taken,
            no_room,
            "spans are lost: look at the collector that trace.otlp_endpoint names"
        );
        self.told_at = Some(Instant::now());
    }
}

/// A request that is being filled.
#[derive(Default)]
struct Filling {
    spans: Vec<(Arc<ResourceAttributesWithSchema>, SpanData)>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Filling {
    fn take(&mut self, queued: Queued) {
        match queued {
            Queued::Span(resource, span) => self.spans.push((resource, *span)),
            Queued::Flush(waits) => self.waiting.push(waits),
        }
    }

    fn has_time(&self) -> bool {
        self.spans.len() < BATCH_MAX && self.waiting.is_empty()
    }
}

/// One request, the spans of each role together.
fn request_of(spans: Vec<(Arc<ResourceAttributesWithSchema>, SpanData)>) -> Vec<u8> {
    let mut by_role: Vec<(Arc<ResourceAttributesWithSchema>, Vec<SpanData>)> = Vec::new();
    for (resource, span) in spans {
        match by_role.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &resource)) {
            Some((_, of_role)) => of_role.push(span),
            None => by_role.push((resource, vec![span])),
        }
    }
    let resource_spans = by_role
        .into_iter()
        .flat_map(|(resource, spans)| group_spans_by_resource_and_scope(spans, &resource))
        .collect();
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}
