//! One trace from a provider's call to the agent's screen and back, as a collector gets it; and nothing of it where it is not wanted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;
use tests::desk::Desk;
use tests::{Product, eventually, log};

use crate::partner::{Partner, SOON, post_events, post_signed, post_traced};
use crate::seat::{reply, take};

/// A trace of the partner's own, and the span in it that calls us.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

fn traceparent(trace: &str) -> String {
    format!("00-{trace}-{CALLER}-01")
}

/// A span as a collector knows it, and whose it is.
#[derive(Clone, Debug)]
struct Known {
    service: String,
    name: String,
    id: String,
    parent: String,
    links: usize,
    attributes: BTreeMap<String, String>,
}

/// Takes what is exported, until it is told to take no more.
#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<(String, Known)>>>,
    is_shut: Arc<Mutex<bool>>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(value: Option<Any>) -> String {
    match value {
        Some(Any::StringValue(text)) => text,
        Some(Any::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn known(service: &str, span: Span) -> (String, Known) {
    let attributes = span.attributes.into_iter().map(|one| (one.key, text(one.value.unwrap().value)));
    let known = Known {
        service: service.to_owned(),
        name: span.name,
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        links: span.links.len(),
        attributes: attributes.collect(),
    };
    assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{known:?}");
    (hex(&span.trace_id), known)
}

async fn export(State(collector): State<Collector>, body: Bytes) -> StatusCode {
    if *collector.is_shut.lock().unwrap() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    for of_role in request.resource_spans {
        let resource = of_role.resource.unwrap().attributes;
        let service = resource.into_iter().find(|one| one.key == "service.name").unwrap().value.unwrap();
        let service = text(service.value);
        let spans = of_role.scope_spans.into_iter().flat_map(|scope| scope.spans);
        collector.spans.lock().unwrap().extend(spans.map(|span| known(&service, span)));
    }
    StatusCode::OK
}

impl Collector {
    async fn open() -> (Self, String) {
        let collector = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().route("/v1/traces", post(export)).with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        (collector, endpoint)
    }

    fn of(&self, trace: &str) -> Vec<Known> {
        let spans = self.spans.lock().unwrap();
        spans.iter().filter(|(of, _)| of == trace).map(|(_, span)| span.clone()).collect()
    }

    /// Waits until a trace has a span of that name of a role.
    async fn has(&self, trace: &str, service: &str, name: &str) -> Known {
        eventually(&format!("{service} tells of {name:?}"), SOON, || async {
            self.of(trace).into_iter().find(|span| span.service == service && span.name == name)
        })
        .await
    }
}

/// From a span up to the one that nobody of us made: the roles and names on the way.
fn way_up(spans: &[Known], from: &str) -> (Vec<String>, String) {
    let (mut way, mut at) = (Vec::new(), from.to_owned());
    while let Some(span) = spans.iter().find(|span| span.id == at) {
        assert!(way.len() < 100, "a circle: {way:?}");
        way.push(format!("{}: {}", span.service, span.name));
        at.clone_from(&span.parent);
    }
    (way, at)
}

const ANSWER: [&str; 14] = [
    "channels: POST",
    "channels: deliver message",
    "channels: process CONTACTS",
    "routing: send CONTACTS",
    "routing: process INBOUND",
    "desk: send INBOUND",
    "desk: command reply",
    "desk: send ...",
    "desk: process CONTACTS",
    "routing: send CONTACTS",
    "routing: process INBOUND",
    "desk: send INBOUND",
    "desk: command accept",
    "desk: send offer",
];
const QUESTION: [&str; 5] = [
    "desk: process CONTACTS",
    "routing: send CONTACTS",
    "routing: process INBOUND",
    "channels: send INBOUND",
    "channels: POST /in/{channel}/{account}",
];

#[tokio::test]
async fn a_trace_goes_from_a_providers_call_to_the_agents_screen_and_back() {
    let (collector, endpoint) = Collector::open().await;
    let partner = Partner::open().await;
    let mut product = Product::empty().await;
    product.set("trace.otlp_endpoint", &endpoint);
    let url = partner.joins(&mut product, &["views", "desk", "api"], &[]).await;
    let mut anna = Desk::open(&product, "rest", "rest", "anna").await;
    let asks = json!({"type": "message.created", "data": {"id": "m-1", "from": {"id": "cust-17", "name": "Ann"}, "text": "Where is my tyre?"}});
    assert_eq!(post_traced(&url, "evt_1", &asks, Some(&traceparent(TRACE))).await.0, 202);
    collector.has(TRACE, "desk", "process CONTACTS").await;
    // It waits until somebody is there.
    anna.online().await;
    let (_, contact) = take(&mut anna).await;
    reply(&mut anna, contact.contact, "On its way").await;
    let heard = partner.hears("On its way").await;
    let header = heard.traceparent.unwrap();
    let [_, trace, last, _] = header.split('-').collect::<Vec<_>>()[..] else { panic!("{header}") };
    assert_eq!(trace, TRACE, "the partner is called in its own trace");
    for (service, name) in [("desk", "send delivered"), ("views", "process CONTACTS"), ("channels", "POST")] {
        collector.has(TRACE, service, name).await;
    }
    // Each process sends its spans by itself: all of them are one tree once the last ones have come.
    let spans = eventually("the tree is whole", SOON, || async {
        let spans = collector.of(TRACE);
        let is_whole = spans.iter().all(|span| way_up(&spans, &span.id).1 == CALLER);
        (is_whole && way_up(&spans, last).1 == CALLER).then_some(spans)
    })
    .await;
    let (mut way, top) = way_up(&spans, last);
    for frame in way.iter_mut().skip(7).take(1) {
        assert!(frame.starts_with("desk: send "), "{frame}");
        "desk: send ...".clone_into(frame);
    }
    assert_eq!(
        (way, top.as_str()),
        ([&ANSWER[..], &QUESTION[..]].concat().iter().map(ToString::to_string).collect::<Vec<_>>(), CALLER)
    );
    let wait = collector.has(TRACE, "routing", "wait in queue").await;
    assert_eq!((wait.links, &wait.attributes["winterband.contact"]), (1, &contact.contact.to_string()));
    let decided = collector.has(TRACE, "routing", "process INBOUND").await;
    assert_eq!(decided.attributes["messaging.destination.name"], "INBOUND");
    assert_eq!(decided.attributes["messaging.operation.type"], "process");
    // Nothing of anybody stands in it.
    let all = format!("{spans:?}");
    for words in ["cust-17", "Ann", "tyre", "On its way", "m-1"] {
        assert!(!all.contains(words), "{words} is in {all}");
    }
    a_strangers_trace_is_not_gone_on_with(&product, &collector, &url).await;
    // The collector takes nothing any more: the product goes on, and what is lost is counted.
    *collector.is_shut.lock().unwrap() = true;
    reply(&mut anna, contact.contact, "Still here").await;
    partner.hears("Still here").await;
    for part in ["routing", "channels", "rest"] {
        product.metric_until(part, "spans_total{end=\"not_taken\"}", |spans| spans > 0.0).await;
        assert!(product.metric(part, "spans_total{end=\"sent\"}").await > 0.0);
    }
    eventually("it is told", SOON, || async {
        product.text("routing").contains("spans are lost").then_some(())
    })
    .await;
}

/// Who is not known begins no trace and goes on in none; a key of the API is known.
async fn a_strangers_trace_is_not_gone_on_with(product: &Product, collector: &Collector, url: &str) {
    let (theirs, known) = ("11111111111111111111111111111111", "22222222222222222222222222222222");
    let (theirs_parent, known_parent) = (traceparent(theirs), traceparent(known));
    let (status, _) = post_signed(url, [("traceparent", theirs_parent.as_str())], "{}".to_owned()).await;
    assert_eq!(status, 401);
    let api = format!("{}/api/v1/messages", product.url("rest"));
    for (key, parent) in [("wrong".to_owned(), &theirs_parent), (product.admin_key(), &known_parent)] {
        let message = json!({ "account": "shop", "id": "a-1", "from": { "value": "bob" }, "text": "hello" });
        let request = reqwest::Client::new().post(&api).bearer_auth(key).header("traceparent", parent);
        request.json(&message).send().await.unwrap();
    }
    collector.has(known, "routing", "send CONTACTS").await;
    let spans = collector.of(known);
    let asked = spans.iter().find(|span| span.name == "POST /api/v1/messages").unwrap();
    assert_eq!((asked.parent.as_str(), asked.service.as_str()), (CALLER, "api"));
    assert_eq!(asked.attributes["http.response.status_code"], "202");
    assert!(collector.of(theirs).is_empty());
}

#[tokio::test]
async fn without_a_collector_no_message_has_a_header_of_it() {
    let partner = Partner::open().await;
    let (product, url) = partner.product(&["views", "desk", "api"], &[]).await;
    let mut anna = Desk::open(&product, "rest", "rest", "anna").await;
    anna.online().await;
    let asks = json!({"type": "message.created", "data": {"id": "m-1", "from": {"id": "cust-17", "name": "Ann"}, "text": "hello"}});
    assert_eq!(post_events(&url, "evt_1", &asks).await.0, 202);
    let more = json!({"type": "message.created", "data": {"id": "m-2", "from": {"id": "cust-17", "name": "Ann"}, "text": "there?"}});
    assert_eq!(post_traced(&url, "evt_2", &more, Some(&traceparent(TRACE))).await.0, 202);
    let (_, contact) = take(&mut anna).await;
    reply(&mut anna, contact.contact, "On its way").await;
    assert_eq!(partner.hears("On its way").await.traceparent, None);
    let bus = product.bus().await;
    for stream in ["INBOUND", "CONTACTS", "DELIVERIES"] {
        let items = log::items(&bus, stream, 1).await;
        assert!(!items.is_empty(), "{stream}");
        assert!(items.iter().all(|item| !item.has_trace_headers()), "{stream}");
    }
    assert!(!product.metrics("rest").await.contains("winterband_spans_total{"));
}
