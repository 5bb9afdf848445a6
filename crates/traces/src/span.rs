//! Spans: begun at a door or below another one, ended when they are dropped.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, Span as SdkSpan};

use crate::context::TraceContext;
use crate::export::{Count, Queue, Target};

/// What a span is to others: the standard's five kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Somebody calls us and waits.
    Server,
    /// We call somebody and wait.
    Client,
    /// We lay something where another one fetches it.
    Producer,
    /// We fetched what another one laid there.
    Consumer,
    /// Nobody else has to do with it.
    Internal,
}

impl From<Kind> for SpanKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Server => Self::Server,
            Kind::Client => Self::Client,
            Kind::Producer => Self::Producer,
            Kind::Consumer => Self::Consumer,
            Kind::Internal => Self::Internal,
        }
    }
}

/// The traces of a process; clones share one way out. Switched off it is nothing and does nothing.
#[derive(Clone, Debug, Default)]
pub struct Traces(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    queue: Queue,
    sampled: f64,
    instance: String,
}

impl Traces {
    /// No spans, no headers.
    #[must_use]
    pub fn off() -> Self {
        Self::default()
    }

    /// Spans go to the collector at `target`; of what begins here, the share `sampled` (0 to 1) is recorded.
    /// `count` hears what became of how many spans. Has to be called within a runtime.
    ///
    /// # Errors
    /// When the address is none or this machine's certificates cannot be read; the process does not start then.
    pub fn start(target: Target<'_>, sampled: f64, count: Count) -> anyhow::Result<Self> {
        let queue = Queue::start(target, count)?;
        Ok(Self(Some(Arc::new(Shared { queue, sampled, instance: uuid::Uuid::now_v7().to_string() }))))
    }

    /// The spans of one role of this process.
    #[must_use]
    pub fn of(&self, role: &'static str) -> Tracer {
        Tracer(self.0.as_ref().map(|shared| {
            let resource = Resource::builder_empty()
                .with_service_name(role)
                .with_attributes([
                    KeyValue::new("service.namespace", "winterband"),
                    KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                    KeyValue::new("service.instance.id", shared.instance.clone()),
                ])
                .build();
            let processor = shared.queue.processor(&resource);
            let provider = SdkTracerProvider::builder()
                .with_span_processor(processor)
                .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(shared.sampled))))
                .with_resource(resource)
                .build();
            provider.tracer("winterband")
        }))
    }

    /// Waits until what was ended before is on its way, but no longer than that.
    pub async fn flush(&self, within: Duration) {
        if let Some(shared) = &self.0 {
            shared.queue.flush(within).await;
        }
    }
}

/// Where a role's spans begin. Cheap to clone; switched off it begins none.
#[derive(Clone, Debug, Default)]
pub struct Tracer(Option<SdkTracer>);

impl Tracer {
    /// Whether spans can begin at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A span where something comes in from outside: below its caller's, or the first of a new trace by the share that is recorded.
    pub fn door(
        &self,
        name: impl Into<Cow<'static, str>>,
        kind: Kind,
        parent: Option<&TraceContext>,
    ) -> Span {
        self.begin(parent, |tracer| tracer.span_builder(name).with_kind(kind.into()))
    }

    /// As [`Tracer::door`], of something that came in a moment ago.
    pub fn door_since(
        &self,
        name: impl Into<Cow<'static, str>>,
        kind: Kind,
        parent: Option<&TraceContext>,
        since: SystemTime,
    ) -> Span {
        self.begin(parent, |tracer| tracer.span_builder(name).with_kind(kind.into()).with_start_time(since))
    }

    /// A span below another one; none if there is none above.
    pub fn under(
        &self,
        name: impl Into<Cow<'static, str>>,
        kind: Kind,
        parent: Option<&TraceContext>,
    ) -> Span {
        let Some(parent) = parent else { return Span::none() };
        self.begin(Some(parent), |tracer| tracer.span_builder(name).with_kind(kind.into()))
    }

    /// As [`Tracer::under`], of what began earlier and has to do with a further span, which may be of another trace.
    pub fn under_since(
        &self,
        name: impl Into<Cow<'static, str>>,
        kind: Kind,
        parent: Option<&TraceContext>,
        since: SystemTime,
        link: Option<&TraceContext>,
    ) -> Span {
        let Some(parent) = parent else { return Span::none() };
        self.begin(Some(parent), |tracer| {
            let links = link.map(|link| Link::new(link.0.clone(), Vec::new(), 0)).into_iter().collect();
            tracer.span_builder(name).with_kind(kind.into()).with_start_time(since).with_links(links)
        })
    }

    fn begin(&self, parent: Option<&TraceContext>, build: impl FnOnce(&SdkTracer) -> SpanBuilder) -> Span {
        let Some(tracer) = &self.0 else { return Span::none() };
        let mut above = Context::new();
        if let Some(parent) = parent {
            above = above.with_remote_span_context(parent.0.clone());
        }
        let span = build(tracer).start_with_context(tracer, &above);
        Span(span.span_context().is_sampled().then(|| Box::new(span)))
    }
}

/// A span that is open until it is dropped; or none, which takes everything and does nothing.
#[derive(Debug, Default)]
pub struct Span(Option<Box<SdkSpan>>);

impl Span {
    /// No span.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// For several who end it together; `None` if there is none.
    #[must_use]
    pub fn shared(self) -> Option<Arc<Self>> {
        self.0.is_some().then(|| Arc::new(self))
    }

    /// What hangs below it names this.
    #[must_use]
    pub fn context(&self) -> Option<TraceContext> {
        self.0.as_ref().map(|span| TraceContext(span.span_context().clone()))
    }

    /// Notes an attribute; the value is only asked for where there is a span.
    pub fn set<V: Into<Value>>(&mut self, key: &'static str, value: impl FnOnce() -> V) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(key, value().into()));
        }
    }

    /// Notes that it failed, and how, in a word of a small set.
    pub fn fail(&mut self, kind: &'static str) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new("error.type", kind));
            span.set_status(Status::error(kind));
        }
    }
}
