//! How messages go out, whatever the channel: an adapter and its transport behind one door.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::Request;
use axum::http::header::{LOCATION, RETRY_AFTER};
use bytes::Bytes;
pub use channel::Finding;
use channel::limits::FILE_BYTES_MAX;
use channel::{
    Acknowledged, Adapter, EntryKind, Fetch, HttpAnswer, HttpMethod, HttpRequest, Outbound, Parsed, Raw,
    Rejected, Remote, Verdict,
};
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use protocol::reach::{ReachRefusal, Takes};
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
/// Most requests by which one file is fetched.
const FETCH_STEPS_MAX: usize = 5;
/// Pause before the same is asked for once more.
const FETCH_AGAIN: Duration = Duration::from_millis(1500);
/// Pauses before a further part of an entry is handed over again.
const PART_AGAIN: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// Longest that a provider may have a further part wait: what is longer is for a person to look at.
const PART_WAITS_MAX: Duration = Duration::from_secs(60);
/// Ids of further parts that are kept, by which their echoes are known.
const PARTS_KEPT_MAX: usize = 1000;
/// A line that is slower than this is one on which nobody waits, bytes a second.
const SLOWEST_LINE: u64 = 50_000;

/// The way out of one account.
pub(crate) trait Carrier: Send + Sync {
    /// Whether entries of that kind go out at all.
    fn sends(&self, kind: &EntryKind) -> bool;

    /// Whether what was handed over when we crashed may be handed over again.
    fn is_resendable(&self) -> bool;

    /// Most bytes of files that one message takes, where they go as bytes; `None`: they go as links.
    fn files_max(&self) -> Option<u64>;

    /// The address of whom an agent writes to first, as messages of theirs would have it.
    fn address(&self, _typed: &str) -> Result<String, ReachRefusal> {
        Err(ReachRefusal::CannotBegin)
    }

    /// What somebody may be sent now who wrote last then, or never; `None`: nothing.
    fn takes(&self, _last_at: Option<Millis>, _now: Millis) -> Option<Takes> {
        Some(Takes::Words)
    }

    /// Hands one entry over.
    fn send<'a>(&'a self, outbound: &'a Outbound<'a>, above: &'a Above<'a>) -> BoxFuture<'a, Verdict>;

    /// Whether [`Carrier::look_up`] asks anybody.
    fn looks_up(&self) -> bool {
        false
    }

    /// Asks whether an entry is there of which nobody knows, handed over at `since`: [`Verdict::Accepted`] if it is, and unknown where that
    /// cannot be asked.
    fn look_up<'a>(&'a self, _outbound: &'a Outbound<'a>, _since: Millis) -> BoxFuture<'a, Verdict> {
        Box::pin(std::future::ready(Verdict::Unknown { reason: "no_answer" }))
    }

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

    /// Whether [`Carrier::check`] asks the provider alone, so that it may be made every minute.
    fn checks_provider(&self) -> bool {
        false
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

/// The way in of one account, for what is posted to it.
pub(crate) trait Door: Send + Sync {
    /// Reads a request after making sure whose it is.
    fn receive(&self, raw: &Raw<'_>, now: Millis) -> Result<Vec<Result<Parsed<()>, Rejected>>, Rejected>;

    /// What a request is answered with once all of it is taken; `None`: how much was taken.
    fn acknowledge(&self, raw: &Raw<'_>) -> Option<Acknowledged>;

    /// What a request without a body is answered; `None`: there is none.
    fn challenge(&self, _query: &str) -> Option<Result<Vec<u8>, Rejected>> {
        None
    }

    /// How long all files of a message may take to fetch; `None`: who sent it sends it again.
    fn fetch_within(&self) -> Option<Duration> {
        None
    }

    /// Whether it has sent that of late as a further part of an entry, of which nothing but the first is noted.
    fn has_sent(&self, _provider_id: &str) -> bool {
        false
    }

    /// Fetches a file of a message.
    fn fetch<'a>(&'a self, file: &'a Remote) -> BoxFuture<'a, Fetched>;
}

/// What came of fetching a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fetched {
    /// Its bytes.
    Bytes(Vec<u8>),
    /// It can never be fetched, for this reason.
    Gone(&'static str),
    /// Not now.
    Later,
}

/// An adapter whose provider speaks HTTP.
pub(crate) struct Http<A> {
    adapter: A,
    client: Client,
    parts: Mutex<VecDeque<String>>,
}

impl<A> Http<A> {
    pub(crate) fn new(adapter: A, client: Client) -> Self {
        Self { adapter, client, parts: Mutex::default() }
    }
}

impl<A> Http<A>
where
    A: Adapter<Sending = HttpRequest, Answer = HttpAnswer> + Send + Sync,
{
    async fn hand_over(&self, mut request: HttpRequest, above: &Above<'_>) -> Verdict {
        let mut span = above.post(&request.url);
        // The signature is over the body: a header more breaks nothing.
        request.headers.extend(span.context().iter().flat_map(TraceContext::headers));
        let answer = self.client.send(request).await;
        answered(&mut span, &answer);
        self.adapter.judge(&answer)
    }

    /// Hands over a further part of an entry, waiting where the provider has us wait; whether it has it.
    async fn follow(&self, part: HttpRequest, above: &Above<'_>) -> bool {
        for pause in PART_AGAIN {
            match self.hand_over(part.clone(), above).await {
                Verdict::Accepted { provider_id } => {
                    self.keep_part(provider_id);
                    return true;
                }
                Verdict::Retry { after_ms, .. } => {
                    let asked = after_ms.map_or(pause, Duration::from_millis);
                    tokio::time::sleep(asked.min(PART_WAITS_MAX)).await;
                }
                Verdict::Failed { .. } | Verdict::Unknown { .. } => return false,
            }
        }
        match self.hand_over(part, above).await {
            Verdict::Accepted { provider_id } => {
                self.keep_part(provider_id);
                true
            }
            Verdict::Retry { .. } | Verdict::Failed { .. } | Verdict::Unknown { .. } => false,
        }
    }

    /// Keeps by what the echo of a part is known.
    fn keep_part(&self, provider_id: Option<String>) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.extend(provider_id);
        while parts.len() > PARTS_KEPT_MAX {
            parts.pop_front();
        }
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
        A::FILES_MAX
    }

    fn address(&self, typed: &str) -> Result<String, ReachRefusal> {
        self.adapter.address(typed)
    }

    fn takes(&self, last_at: Option<Millis>, now: Millis) -> Option<Takes> {
        self.adapter.takes(last_at, now)
    }

    fn checks_provider(&self) -> bool {
        A::PROBES_PROVIDER
    }

    fn send<'a>(&'a self, outbound: &'a Outbound<'a>, above: &'a Above<'a>) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            let mut request = match self.adapter.render(outbound) {
                Ok(request) => request,
                Err(unsendable) => return Verdict::Failed { reason: unsendable.reason },
            };
            let rest = std::mem::take(&mut request.then);
            let first = self.hand_over(request, above).await;
            if !matches!(first, Verdict::Accepted { .. }) {
                return first;
            }
            for part in rest {
                if !self.follow(part, above).await {
                    // What is there cannot be called back, and the whole again would be twice.
                    return Verdict::Unknown { reason: "in_part" };
                }
            }
            first
        })
    }

    fn looks_up(&self) -> bool {
        A::LOOKS_UP
    }

    fn look_up<'a>(&'a self, outbound: &'a Outbound<'a>, since: Millis) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            let Some(request) = self.adapter.look_up(outbound, since) else {
                return Verdict::Unknown { reason: "no_answer" };
            };
            // Lists of messages are longer than other answers.
            let answer = self.client.fetch(request).await.unwrap_or(HttpAnswer::NoAnswer);
            self.adapter.looked_up(outbound, since, &answer)
        })
    }

    fn check(&self, now: Millis) -> BoxFuture<'_, Vec<Finding>> {
        Box::pin(async move {
            let Some(request) = self.adapter.probe(now) else { return Vec::new() };
            self.adapter.findings(&self.client.send(request).await)
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
            Parsed::Left { identity, provider_id, at } => Parsed::Left { identity, provider_id, at },
            Parsed::Signal(_) => Parsed::Signal(()),
        };
        Ok(self.adapter.parse(raw).into_iter().map(|one| one.map(without_signal)).collect())
    }

    fn acknowledge(&self, raw: &Raw<'_>) -> Option<Acknowledged> {
        self.adapter.acknowledge(raw)
    }

    fn challenge(&self, query: &str) -> Option<Result<Vec<u8>, Rejected>> {
        self.adapter.challenge(query)
    }

    fn fetch_within(&self) -> Option<Duration> {
        A::FETCH_WITHIN
    }

    fn has_sent(&self, provider_id: &str) -> bool {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().any(|part| part == provider_id)
    }

    fn fetch<'a>(&'a self, file: &'a Remote) -> BoxFuture<'a, Fetched> {
        Box::pin(async move {
            let (mut answers, mut asked) = (Vec::new(), None);
            while answers.len() < FETCH_STEPS_MAX {
                match self.adapter.fetch(file, &answers) {
                    Fetch::Ask(request) => {
                        if asked.as_ref() == Some(&request.url) {
                            // It may be there a moment later.
                            tokio::time::sleep(FETCH_AGAIN).await;
                        }
                        asked = Some(request.url.clone());
                        match self.client.fetch(request).await {
                            Some(answer) => answers.push(answer),
                            None => return Fetched::Gone("too_large"),
                        }
                    }
                    Fetch::Got => {
                        let Some(HttpAnswer::Status { body, .. }) = answers.pop() else { break };
                        return Fetched::Bytes(body);
                    }
                    Fetch::Gone { reason } => return Fetched::Gone(reason),
                    Fetch::Later => return Fetched::Later,
                }
            }
            Fetched::Gone("not_found")
        })
    }
}

/// What came of a request, and whether all of its answer is here.
enum Exchanged {
    Whole(HttpAnswer),
    /// It stopped half way: without a body.
    Cut(HttpAnswer),
    /// It is longer than is read: without a body.
    TooLarge(HttpAnswer),
    /// There was none.
    Nothing(HttpAnswer),
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

    /// Says something to a provider; what it answers is kept in part.
    pub(crate) async fn send(&self, request: HttpRequest) -> HttpAnswer {
        match self.exchange(request, ANSWER_BYTES_MAX).await {
            // The status says it all; what stands below is for a person, and may be missing.
            Exchanged::Whole(answer)
            | Exchanged::Cut(answer)
            | Exchanged::TooLarge(answer)
            | Exchanged::Nothing(answer) => answer,
        }
    }

    /// Fetches a file: its bytes are whole, or there was no answer; `None`: it is larger than any that is taken.
    pub(crate) async fn fetch(&self, request: HttpRequest) -> Option<HttpAnswer> {
        match self.exchange(request, FILE_BYTES_MAX).await {
            Exchanged::Whole(answer) | Exchanged::Nothing(answer) => Some(answer),
            Exchanged::Cut(_) => Some(HttpAnswer::NoAnswer),
            Exchanged::TooLarge(_) => None,
        }
    }

    async fn exchange(&self, request: HttpRequest, bytes_max: usize) -> Exchanged {
        let bytes = u64::try_from(request.body.len()).unwrap_or(u64::MAX);
        let within = self.within + Duration::from_secs(bytes / SLOWEST_LINE);
        let mut sent = match request.method {
            HttpMethod::Get => Request::get(request.url),
            HttpMethod::Post => Request::post(request.url),
        };
        for (name, value) in request.headers {
            sent = sent.header(name, value);
        }
        // What cannot even be written never left.
        let Ok(sent) = sent.body(Full::new(Bytes::from(request.body))) else {
            return Exchanged::Nothing(HttpAnswer::Unreachable);
        };
        let answer = match tokio::time::timeout(within, self.client.request(sent)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if error.is_connect() => return Exchanged::Nothing(HttpAnswer::Unreachable),
            Ok(Err(_)) | Err(_) => return Exchanged::Nothing(HttpAnswer::NoAnswer),
        };
        let status = answer.status().as_u16();
        let seconds =
            answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let location =
            answer.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = Limited::new(answer.into_body(), bytes_max).collect();
        let body = tokio::time::timeout(self.within, body).await;
        let is_too_large = matches!(&body, Ok(Err(error)) if error.is::<LengthLimitError>());
        let body = body.ok().and_then(Result::ok).map(|body| body.to_bytes().to_vec());
        let is_whole = body.is_some();
        let answer = HttpAnswer::Status {
            status,
            retry_after_ms: seconds.map(|seconds| seconds.saturating_mul(1000)),
            location,
            body: body.unwrap_or_default(),
        };
        match (is_whole, is_too_large) {
            (true, _) => Exchanged::Whole(answer),
            (false, true) => Exchanged::TooLarge(answer),
            (false, false) => Exchanged::Cut(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use channel_webhook::{Secrets, Webhook};

    use super::*;

    #[tokio::test]
    async fn the_latest_further_parts_are_known_again() {
        let secret = format!("whsec_{}", "A".repeat(32));
        let adapter = Webhook::new("https://crm.example".to_owned(), Secrets::read(&secret).unwrap());
        let http = Http::new(adapter, Client::new(ANSWER_WITHIN).unwrap());
        assert!(!http.has_sent("m_0"));
        http.keep_part(None);
        for n in 0..=PARTS_KEPT_MAX {
            http.keep_part(Some(format!("m_{n}")));
        }
        assert!(!http.has_sent("m_0"), "the oldest is let go");
        assert!(http.has_sent("m_1") && http.has_sent(&format!("m_{PARTS_KEPT_MAX}")));
    }
}
