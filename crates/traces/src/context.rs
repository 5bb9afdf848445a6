//! A place in a trace, as the W3C's Trace Context writes it.

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// The header that names a place in a trace.
pub const TRACEPARENT: &str = "traceparent";
/// The header of what other systems note beside it; it is handed on as it came.
pub const TRACESTATE: &str = "tracestate";
/// Longest `tracestate` that is handed on, bytes: what everybody has to take; a longer one is left out.
const TRACESTATE_MAX: usize = 512;
/// Longest `traceparent` that is looked at, bytes; that of today's version has 55.
const TRACEPARENT_MAX: usize = 128;

/// A span that others hang below, in this process or another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext(pub(crate) SpanContext);

impl TraceContext {
    /// Reads both headers; `None` if the first one is none of the standard's, or says that nothing is recorded.
    #[must_use]
    pub fn read(traceparent: Option<&str>, tracestate: Option<&str>) -> Option<Self> {
        let traceparent = traceparent.filter(|header| header.len() <= TRACEPARENT_MAX)?;
        let tracestate = tracestate.filter(|header| header.len() <= TRACESTATE_MAX);
        let found = TraceContextPropagator::new()
            .extract_with_context(&Context::new(), &Headers { traceparent, tracestate });
        let context = found.span().span_context().clone();
        (context.is_valid() && context.is_sampled()).then_some(Self(context))
    }

    /// Both headers by their names; the second one only if it has something.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut written = Written(Vec::new());
        let context = Context::new().with_remote_span_context(self.0.clone());
        TraceContextPropagator::new().inject_context(&context, &mut written);
        written.0
    }

    /// Whether both are of one trace.
    #[must_use]
    pub fn is_beside(&self, other: &Self) -> bool {
        self.0.trace_id() == other.0.trace_id()
    }

    /// The trace's id, 32 digits: what a person looks for.
    #[must_use]
    pub fn trace_id(&self) -> String {
        self.0.trace_id().to_string()
    }
}

struct Headers<'a> {
    traceparent: &'a str,
    tracestate: Option<&'a str>,
}

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            TRACEPARENT => Some(self.traceparent),
            TRACESTATE => self.tracestate,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT, TRACESTATE]
    }
}

struct Written(Vec<(&'static str, String)>);

impl Injector for Written {
    fn set(&mut self, key: &str, value: String) {
        match key {
            TRACEPARENT => self.0.push((TRACEPARENT, value)),
            TRACESTATE if !value.is_empty() => self.0.push((TRACESTATE, value)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn headers_come_out_as_they_went_in() {
        let read = TraceContext::read(Some(PARENT), Some("shop=a1,other=b")).unwrap();
        let expected = [(TRACEPARENT, PARENT.to_owned()), (TRACESTATE, "shop=a1,other=b".to_owned())];
        assert_eq!(read.headers(), expected);
        assert_eq!(read.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let alone = TraceContext::read(Some(PARENT), None).unwrap();
        assert_eq!(alone.headers(), [(TRACEPARENT, PARENT.to_owned())]);
    }

    #[test]
    fn what_is_not_recorded_or_no_header_of_the_standard_is_none() {
        let unrecorded = PARENT.replace("-01", "-00");
        let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        let long = format!("{PARENT}-{}", "a".repeat(TRACEPARENT_MAX));
        for header in ["", "00", "nonsense", &unrecorded, zero, &long, &PARENT.to_uppercase()] {
            assert_eq!(TraceContext::read(Some(header), None), None, "{header}");
        }
        assert_eq!(TraceContext::read(None, Some("a=b")), None);
    }

    #[test]
    fn a_state_of_512_bytes_is_handed_on_and_a_longer_one_is_not() {
        let state = |bytes: usize| format!("a={}", "x".repeat(bytes - 2));
        // A single entry holds 256 characters at most, so several are needed.
        let full = format!("{},b={}", state(256), "x".repeat(TRACESTATE_MAX - 259));
        assert_eq!(full.len(), TRACESTATE_MAX);
        let kept = TraceContext::read(Some(PARENT), Some(&full)).unwrap();
        assert_eq!(kept.headers().len(), 2);
        let left_out = TraceContext::read(Some(PARENT), Some(&format!("{full}x"))).unwrap();
        assert_eq!(left_out.headers().len(), 1);
    }
}
