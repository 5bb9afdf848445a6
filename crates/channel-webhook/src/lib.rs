//! The signed webhook: another system sends its customers' messages and is sent our answers, by Standard Webhooks both ways.
//!
//! Pure, and the example of a channel: `signature` says whose bytes they are, `inbound` reads them, `outbound` writes ours, this
//! file ties them together. The README beside this crate has the contract and the limits.

#![warn(missing_docs)]

mod inbound;
mod outbound;
mod signature;

use std::convert::Infallible;

use channel::{
    Adapter, ChannelKind, EntryKind, Finding, HttpAnswer, HttpRequest, Millis, Outbound, Parsed, Raw,
    Rejected, Unsendable, Verdict,
};

pub use inbound::BODY_BYTES_MAX;
pub use signature::{NotASecret, SECRETS_MAX, SIGNATURES_MAX, STALE_MS, Secrets, written};

/// The adapter of one account.
#[derive(Clone, Debug)]
pub struct Webhook {
    url: String,
    secrets: Secrets,
}

impl Webhook {
    /// Sends to `url`; what comes and goes is signed with the first of the secrets, and any of them is taken.
    #[must_use]
    pub fn new(url: String, secrets: Secrets) -> Self {
        Self { url, secrets }
    }

    /// A signed request that asks nothing but whether somebody is there; `id` has to be new.
    #[must_use]
    pub fn ping(&self, id: &str, now: Millis) -> HttpRequest {
        outbound::request(&self.url, &self.secrets, id, now, br#"{"type":"ping"}"#.to_vec())
    }
}

impl Adapter for Webhook {
    type Signal = Infallible;
    type Sending = HttpRequest;
    type Answer = HttpAnswer;

    const KIND: ChannelKind = ChannelKind::Webhook;
    /// The same `webhook-id` is the same message, says the standard.
    const IS_RESENDABLE: bool = true;

    fn verify(&self, raw: &Raw<'_>, now: Millis) -> Result<(), Rejected> {
        signature::verify(&self.secrets, raw, now)
    }

    fn parse(&self, raw: &Raw<'_>) -> Vec<Result<Parsed<Infallible>, Rejected>> {
        inbound::parse(raw.body)
    }

    fn sends(&self, kind: &EntryKind) -> bool {
        outbound::says(kind).is_some()
    }

    fn render(&self, outbound: &Outbound<'_>) -> Result<HttpRequest, Unsendable> {
        outbound::render(&self.url, &self.secrets, outbound)
    }

    fn judge(&self, answer: &HttpAnswer) -> Verdict {
        outbound::judge(answer)
    }

    fn probe(&self, now: Millis) -> Option<HttpRequest> {
        Some(self.ping(&format!("ping_{}", now.0), now))
    }

    fn findings(&self, answer: &HttpAnswer) -> Vec<Finding> {
        let found = match answer {
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
        vec![Finding { what: "send a signed ping".to_owned(), found }]
    }
}
