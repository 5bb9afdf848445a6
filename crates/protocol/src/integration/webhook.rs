//! Signed webhooks out: endpoints of other systems that are posted public events, each numbered 1, 2, 3 without gaps.
//!
//! An event's number is how many events of the endpoint's types came before it in the log since the endpoint began, and one:
//! it is counted, never drawn, so that what is posted again has the same number and the same id. That is why an endpoint's log
//! and types never change: who wants others makes another endpoint.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::content::Sealed;
use crate::ids::WebhookId;
use crate::integration::{PublicEvent, PublicLog, PublicType};
use crate::time::Millis;

/// Most endpoints at once.
pub const WEBHOOKS_MAX: usize = 100;
/// Longest address of an endpoint, bytes.
pub const URL_BYTES_MAX: usize = 2_000;
/// Longest name of an endpoint, bytes.
pub const WEBHOOK_NAME_BYTES_MAX: usize = 100;
/// Most attempts of an endpoint that are kept.
pub const ATTEMPTS_MAX: usize = 1_000;
/// How long the secret before the present one still signs, ms: a day.
pub const SECRET_OVERLAP_MS: u64 = 24 * 3_600_000;
/// Most secrets of an endpoint that sign at once.
pub const SECRETS_AT_ONCE_MAX: usize = 4;

/// `POST /api/v1/webhooks`: makes an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// Where to post, `https://`.
    #[schemars(length(min = 1, max = 2000))]
    pub url: String,
    /// For people.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub name: String,
    /// Which log.
    #[serde(default)]
    pub log: PublicLog,
    /// Which types of that log; none: all that there are now.
    #[serde(default)]
    pub types: Vec<PublicType>,
    /// Whether customers' words are sent along; only for a key that may read contacts.
    #[serde(default)]
    pub words: bool,
    /// Events after this sequence of the log; absent: those from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

/// `PATCH /api/v1/webhooks/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookChange {
    /// Where to post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2000))]
    pub url: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub name: Option<String>,
    /// False stops it; true lets it go on where it stopped, also after it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// `POST /api/v1/webhooks/{id}/replay`: posts again everything from this number on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayFrom {
    /// The first number to post again, from 1.
    #[schemars(range(min = 1))]
    pub from: u64,
}

/// An endpoint as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Webhook {
    /// Its name here.
    pub id: WebhookId,
    /// Where it is posted to.
    pub url: String,
    /// For people.
    pub name: String,
    /// Which log.
    pub log: PublicLog,
    /// Which types.
    pub types: Vec<PublicType>,
    /// Whether customers' words are sent along.
    pub words: bool,
    /// Its first number is of an event after this sequence.
    pub after: u64,
    /// When it was made, ms since 1970.
    pub made_at: Millis,
    /// How it does.
    pub state: WebhookState,
    /// The last number that it took; 0: none yet.
    pub number: u64,
    /// The sequence up to which the log was looked at for it.
    pub seq: u64,
    /// Since when nothing is taken, while that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<Failing>,
}

/// How an endpoint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookState {
    /// It is posted what happens.
    Delivering,
    /// The last attempts failed: nothing is posted before the next try.
    Retrying,
    /// Its owner stopped it.
    Stopped,
    /// It was tried for three days in vain.
    GivenUp,
    /// It said that it is gone (410).
    Gone,
}

/// A run of failed attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failing {
    /// When the first of them failed, ms since 1970.
    pub since: Millis,
    /// How many.
    pub attempts: u32,
    /// When it is tried again, ms since 1970.
    pub next_at: Millis,
    /// What came of the last one.
    pub last: AttemptOutcome,
}

/// An endpoint that was made, or has a new secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookMade {
    /// The endpoint.
    pub webhook: Webhook,
    /// The secret that signs, `whsec_<base64>`; shown once.
    pub secret: String,
    /// Until when the secret before it signs too, ms since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_until: Option<Millis>,
}

/// All endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Webhooks {
    /// In the order in which they were made.
    pub webhooks: Vec<Webhook>,
}

/// What came of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// It answered 2xx.
    Taken {
        /// What it answered.
        status: u16,
    },
    /// It answered something else.
    Refused {
        /// What it answered.
        status: u16,
    },
    /// It did not answer in time.
    NoAnswer,
    /// Nobody is there, or its certificate is not good.
    Unreachable,
    /// Its address lies where nothing may be posted to.
    AddressRefused,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// The number of what was posted.
    pub number: u64,
    /// The sequence of its event.
    pub seq: u64,
    /// When, ms since 1970.
    pub at: Millis,
    /// How long it took, ms.
    pub ms: u64,
    /// What came of it.
    pub outcome: AttemptOutcome,
}

/// `GET /api/v1/webhooks/{id}/deliveries`: the last [`ATTEMPTS_MAX`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempts {
    /// The latest first.
    pub attempts: Vec<Attempt>,
}

/// What is posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookEvent {
    /// Its number with this endpoint: 1, 2, 3 without gaps.
    pub number: u64,
    /// The endpoint.
    pub webhook: WebhookId,
    /// When it was recorded, as text.
    pub timestamp: String,
    /// What happened.
    #[serde(flatten)]
    pub event: PublicEvent,
}

impl WebhookEvent {
    /// The header `webhook-id`: the same whenever it is posted, so that who has it already knows.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}_{}", self.webhook, self.number)
    }
}

/// WEBHOOKS, key `endpoint.<id>`: what the owner says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointRow {
    /// Where to post.
    pub url: String,
    /// For people.
    pub name: String,
    /// Which log.
    pub log: PublicLog,
    /// Which types.
    pub types: Vec<PublicType>,
    /// Whether words are sent along.
    pub words: bool,
    /// After which sequence it begins.
    pub after: u64,
    /// When it was made.
    pub made_at: Millis,
    /// Whether its owner wants it to be posted to.
    pub enabled: bool,
    /// The secret, sealed with a key of its own.
    pub secret: Sealed,
    /// The one before it, and until when it signs too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_secret: Option<(Sealed, Millis)>,
    /// Those before that one which sign still: what was promised of them holds, however often it is replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub older_secrets: Vec<(Sealed, Millis)>,
    /// How often its owner had it begin anew, or posted again.
    #[serde(default)]
    pub orders: u64,
    /// The number from which to post again, with the last of these orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_from: Option<u64>,
}

/// WEBHOOKS, key `state.<id>`: how far whoever posts has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateRow {
    /// The last number that was taken.
    pub number: u64,
    /// The place of its event, or of the last one that was looked at.
    pub seq: u64,
    /// Which event of that record; `None`: all of them were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    /// A run of failed attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<Failing>,
    /// Why nothing more is posted, though its owner wants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<WebhookState>,
    /// The owner's orders that were carried out.
    #[serde(default)]
    pub orders: u64,
    /// Which part of the log of attempts is written to.
    #[serde(default)]
    pub part: u32,
    /// Places of numbers, in their order: from the nearest one, what comes after is counted again.
    #[serde(default)]
    pub marks: Vec<Mark>,
}

/// Where a number stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The number.
    pub number: u64,
    /// Its record.
    pub seq: u64,
    /// Which event of that.
    pub n: u32,
}
