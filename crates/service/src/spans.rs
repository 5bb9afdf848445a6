//! Traces of this process, as its settings say: switched off, or sent to a collector and counted.

use std::sync::Arc;

pub use traces::{Fate, Kind, Memory, Span, TRACEPARENT, TRACESTATE, TraceContext, Tracer, Traces};

use crate::metrics::Metrics;
use crate::settings::Settings;

/// Begins to send spans where `trace.otlp_endpoint` names a collector. Has to be called within a runtime.
///
/// # Errors
/// When the address is none or this machine's certificates cannot be read; the process does not start then.
pub fn start(settings: &Settings, metrics: &Metrics) -> anyhow::Result<Traces> {
    let trace = &settings.trace;
    if trace.otlp_endpoint.is_empty() {
        return Ok(Traces::off());
    }
    let spans = metrics.spans_total.clone();
    let count = Arc::new(move |fate: Fate, spans_of: u64| spans.add([fate.as_str()], spans_of));
    Traces::start(traces::Target { endpoint: &trace.otlp_endpoint }, trace.sampled, count)
}

/// A span of storing something in a stream, below another one; its context goes with what is stored.
pub fn sending(tracer: &Tracer, stream: &'static str, parent: Option<&TraceContext>) -> Span {
    of_stream(tracer, stream, ("send", Kind::Producer), parent)
}

/// A span of working on what was read in a stream, below the context that came with it.
pub fn processing(tracer: &Tracer, stream: &'static str, parent: Option<&TraceContext>) -> Span {
    of_stream(tracer, stream, ("process", Kind::Consumer), parent)
}

/// Its name and attributes are those of the standard's conventions for messages.
fn of_stream(
    tracer: &Tracer,
    stream: &'static str,
    (operation, kind): (&'static str, Kind),
    parent: Option<&TraceContext>,
) -> Span {
    if parent.is_none() || !tracer.is_on() {
        return Span::none();
    }
    let mut span = tracer.under(format!("{operation} {stream}"), kind, parent);
    span.set("messaging.system", || "nats");
    span.set("messaging.destination.name", || stream);
    span.set("messaging.operation.type", || operation);
    span.set("messaging.operation.name", || operation);
    span
}
