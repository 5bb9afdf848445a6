//! The way out, with a collector that takes spans, refuses them, or hangs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message as _;
use traces::{BATCH_MAX, Count, Fate, Kind, QUEUE_MAX, Span, Target, TraceContext, Traces};

const WAIT: Duration = Duration::from_secs(60);

/// What became of how many.
#[derive(Clone, Default)]
struct Counted([Arc<AtomicU64>; 3]);

impl Counted {
    fn of(&self, fate: Fate) -> u64 {
        self.at(fate).load(Ordering::SeqCst)
    }

    fn at(&self, fate: Fate) -> &AtomicU64 {
        let [sent, no_room, not_taken] = &self.0;
        match fate {
            Fate::Sent => sent,
            Fate::NoRoom => no_room,
            Fate::NotTaken => not_taken,
        }
    }

    fn count(&self) -> Count {
        let counted = self.clone();
        Arc::new(move |fate, spans| {
            counted.at(fate).fetch_add(spans, Ordering::SeqCst);
        })
    }

    async fn until(&self, fate: Fate, spans: u64) {
        let counted = async {
            while self.of(fate) < spans {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(WAIT, counted).await.unwrap();
    }
}

/// A collector at an address of its own.
async fn serve(routes: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/otel", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().nest("/otel", routes)).await.unwrap() });
    endpoint
}

#[tokio::test]
async fn spans_come_with_their_role_their_parents_and_what_was_noted() {
    let got = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&got);
    let take = move |body: Bytes| async move {
        into.lock().unwrap().push(ExportTraceServiceRequest::decode(body).unwrap());
    };
    let endpoint = serve(Router::new().route("/v1/traces", post(take))).await;
    let counted = Counted::default();
    let traces = Traces::start(Target { endpoint: &endpoint }, 1.0, counted.count()).unwrap();
    let (door, room) = (traces.of("door"), traces.of("room"));
    let mut above = door.door("POST /in", Kind::Server, None);
    above.set("http.response.status_code", || 503);
    above.fail("unavailable");
    let below = room.under("process IN", Kind::Consumer, above.context().as_ref());
    drop((above, below));
    assert!(room.under("nothing", Kind::Consumer, None).context().is_none());
    traces.flush(WAIT).await;
    assert_eq!(counted.of(Fate::Sent), 2);
    let got = got.lock().unwrap();
    let roles: Vec<_> = got.iter().flat_map(|request| &request.resource_spans).collect();
    assert_eq!(roles.len(), 2, "each role is a service of its own");
    let spans: Vec<_> =
        roles.iter().flat_map(|role| &role.scope_spans).flat_map(|scope| &scope.spans).collect();
    let [above, below] = spans[..] else { panic!("{spans:?}") };
    assert_eq!((above.name.as_str(), below.name.as_str()), ("POST /in", "process IN"));
    assert_eq!((&below.trace_id, &below.parent_span_id), (&above.trace_id, &above.span_id));
    assert_eq!(above.attributes.len(), 2);
    assert_eq!(above.status.as_ref().unwrap().code, 2, "it failed");
}

#[tokio::test]
async fn what_a_collector_refuses_is_counted() {
    let half = || async {
        let partial_success =
            Some(ExportTracePartialSuccess { rejected_spans: 1, error_message: String::new() });
        ExportTraceServiceResponse { partial_success }.encode_to_vec()
    };
    let endpoint = serve(Router::new().route("/v1/traces", post(half))).await;
    let counted = Counted::default();
    let traces = Traces::start(Target { endpoint: &endpoint }, 1.0, counted.count()).unwrap();
    let tracer = traces.of("door");
    drop((tracer.door("a", Kind::Server, None), tracer.door("b", Kind::Server, None)));
    traces.flush(WAIT).await;
    assert_eq!((counted.of(Fate::Sent), counted.of(Fate::NotTaken)), (1, 1));
    let full = || async { StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let endpoint = serve(Router::new().route("/v1/traces", post(full))).await;
    for endpoint in [endpoint.as_str(), "http://127.0.0.1:9"] {
        let counted = Counted::default();
        let traces = Traces::start(Target { endpoint }, 1.0, counted.count()).unwrap();
        drop(traces.of("door").door("a", Kind::Server, None));
        traces.flush(WAIT).await;
        assert_eq!((counted.of(Fate::Sent), counted.of(Fate::NotTaken)), (0, 1), "{endpoint}");
    }
}

#[tokio::test]
async fn a_collector_that_hangs_holds_up_nobody_and_the_queue_keeps_its_limit() {
    let hang = || async { std::future::pending::<()>().await };
    let endpoint = serve(Router::new().route("/v1/traces", post(hang))).await;
    let counted = Counted::default();
    let traces = Traces::start(Target { endpoint: &endpoint }, 1.0, counted.count()).unwrap();
    let tracer = traces.of("door");
    let one = || drop(tracer.door("a", Kind::Server, None));
    // One request is on its way and hangs; behind it the queue fills.
    (0..BATCH_MAX).for_each(|_| one());
    tokio::time::sleep(Duration::from_millis(500)).await;
    (0..QUEUE_MAX).for_each(|_| one());
    assert_eq!(counted.of(Fate::NoRoom), 0, "as many as it takes");
    (0..10).for_each(|_| one());
    assert_eq!(counted.of(Fate::NoRoom), 10, "and no more");
    counted.until(Fate::NotTaken, u64::try_from(BATCH_MAX).unwrap()).await;
    assert_eq!(counted.of(Fate::Sent), 0);
}

#[tokio::test]
async fn what_begins_here_is_recorded_by_its_share_and_a_caller_decides_for_itself() {
    let counted = Counted::default();
    let traces = Traces::start(Target { endpoint: "http://127.0.0.1:9" }, 0.0, counted.count()).unwrap();
    let tracer = traces.of("door");
    assert!(tracer.door("a", Kind::Server, None).context().is_none());
    let caller = TraceContext::read(Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), None);
    let known = tracer.door("a", Kind::Server, caller.as_ref());
    assert_eq!(known.context().unwrap().trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    let half = Traces::start(Target { endpoint: "http://127.0.0.1:9" }, 0.5, counted.count()).unwrap();
    let tracer = half.of("door");
    let recorded = (0..1000).filter(|_| tracer.door("a", Kind::Server, None).context().is_some()).count();
    assert!((300..700).contains(&recorded), "{recorded}");
}

#[test]
fn switched_off_nothing_begins() {
    let tracer = Traces::off().of("door");
    assert!(!tracer.is_on());
    let caller = TraceContext::read(Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), None);
    let mut span: Span = tracer.door("a", Kind::Server, caller.as_ref());
    span.set("never.asked", || -> i64 { panic!("a value that nobody wants") });
    assert!(span.context().is_none() && span.shared().is_none());
}
