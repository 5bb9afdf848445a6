//! What Twilio tells of calls: forms, signed as those of messages are (https://www.twilio.com/docs/voice/twiml#request-parameters).
//!
//! One address takes them all. What a request is shows in its parameters, whose it is in what stands behind the `?` ([`Line::callback`]).
//! Callbacks come in any order and more than once. Each has a [`Heard::key`]: the call (or conference), what happened, and Twilio's SequenceNumber
//! where it gives one; the same key is the same happening. What was typed on a keypad has no number: there the header `I-Twilio-Idempotency-Token`
//! stands in its place, which is equal across retries, and where that is missing the digits themselves.

use channel::limits::NAME_BYTES_MAX;
use channel::{Millis, Raw, Rejected};

use super::{CallSid, CallStatus, Caller, ConferenceEvent, ConferenceSid, Leg, Line, QueueResult};
use crate::form::Form;
use crate::inbound::{BODY_BYTES_MAX, too_large};
use crate::{date, signature};

/// Equal for all tries of one request (https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides).
const TOKEN_HEADER: &str = "i-twilio-idempotency-token";
/// Most of that header, and of what was typed, that is looked at, bytes.
const TOKEN_BYTES_MAX: usize = 64;

/// One thing that Twilio told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The same key is the same happening, however often it is told.
    pub key: String,
    /// The customer's call that it is about.
    pub call: CallSid,
    /// The leg that we dialled for it; `None`: the customer's own.
    pub leg: Option<Leg>,
    /// That leg's own id at Twilio; `None` where a conference tells of itself.
    pub sid: Option<CallSid>,
    /// When it happened, whole seconds; `None` where Twilio does not say.
    pub at: Option<Millis>,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody calls; TwiML is wanted.
    Incoming(Box<Incoming>),
    /// Somebody typed on their keypad, or nothing in time; TwiML is wanted.
    Pressed {
        /// What, at most 64 signs; empty: nothing.
        digits: String,
        /// Whether they wait in the queue meanwhile.
        queued: bool,
    },
    /// Somebody waits and is to hear something; TwiML is wanted.
    Waits(Waits),
    /// Somebody is no longer in the queue; TwiML is wanted.
    LeftQueue {
        /// Why.
        result: QueueResult,
        /// How long they were in it, s.
        waited_s: Option<u32>,
    },
    /// How far a call has come.
    Status(Status),
    /// What they were connected with is over; TwiML is wanted.
    Dialled {
        /// What became of it.
        status: CallStatus,
        /// The other leg; `None` for a conference.
        other: Option<CallSid>,
        /// How long it lasted, s.
        lasted_s: Option<u32>,
    },
    /// Something happened in a conference.
    Conference(Conference),
    /// A call goes on and TwiML is wanted, for no reason of the others.
    Continues(CallStatus),
}

/// Somebody calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Who.
    pub from: Caller,
    /// The number that they called, as Twilio writes it.
    pub to: String,
    /// Their name, where the account looks it up and the network knows it.
    pub name: Option<String>,
    /// Whose telephone it was meant for, where it was passed on to us.
    pub forwarded_from: Option<String>,
}

/// Where somebody stands in Twilio's queue: it knows one line and no skills, so that what customers are promised is the router's to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// Their place, from 1.
    pub place: Option<u32>,
    /// How long they have waited, s.
    pub waited_s: Option<u32>,
    /// How long people wait in it on average, s.
    pub average_s: Option<u32>,
    /// How many are in it.
    pub size: Option<u32>,
}

/// How far a call has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// How far.
    pub status: CallStatus,
    /// Its number among the callbacks of that call, from 0; they come in any order.
    pub sequence: Option<u32>,
    /// How long it lasted, s, once it is over.
    pub lasted_s: Option<u32>,
    /// What the other side's telephone exchange said (SIP), where it could not be made.
    pub sip_code: Option<u16>,
}

/// Something happened in a conference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conference {
    /// The conference.
    pub sid: ConferenceSid,
    /// Its number among the callbacks of that conference; they come in any order.
    pub sequence: Option<u32>,
    /// What.
    pub event: ConferenceEvent,
    /// Whose leaving ended it.
    pub ended_by: Option<CallSid>,
}

/// Whether a request is Twilio's; called before anything of it is read.
///
/// # Errors
/// [`Rejected`] as of [`channel::Adapter::verify`]; fate: refuse.
pub fn verify(line: &Line, raw: &Raw<'_>) -> Result<(), Rejected> {
    signature::verify(&line.secrets, &line.address, raw)
}

/// Reads what a request tells.
///
/// # Errors
/// [`Rejected`]; fate: park, since nobody at Twilio would look at our answer.
pub fn parse(raw: &Raw<'_>) -> Result<Heard, Rejected> {
    if raw.body.len() > BODY_BYTES_MAX {
        return Err(too_large());
    }
    let form = Form::read(raw.body);
    let query = Form::read(raw.query.as_bytes());
    let sid = form.filled("CallSid").and_then(CallSid::read);
    let about =
        |rejected: Rejected| Rejected { about: sid.as_ref().map(|sid| sid.as_str().to_owned()), ..rejected };
    let event = event(&form).map_err(about)?;
    let (call, leg) = whose(&form, &query, sid.as_ref()).ok_or_else(|| {
        let words = "a form with CallSid (CA...) is needed, at the address that Twilio was given: give it to a number's calls and to nothing else";
        about(malformed(words))
    })?;
    let at = form.filled("Timestamp").and_then(date::read);
    let key = key(raw, &event, sid.as_ref().unwrap_or(&call));
    Ok(Heard { key, call, leg, sid, at, event })
}

fn malformed(words: &str) -> Rejected {
    Rejected::park("malformed", words)
}

/// The customer's call and our leg of it. A conference bears the name of the customer's call, and each of our legs in it a label.
fn whose(form: &Form<'_>, query: &Form<'_>, sid: Option<&CallSid>) -> Option<(CallSid, Option<Leg>)> {
    let call = match query.get("call") {
        Some(call) => CallSid::read(call)?,
        None => match form.filled("FriendlyName").and_then(CallSid::read) {
            Some(call) => call,
            None => sid?.clone(),
        },
    };
    if form.get("ConferenceSid").is_some() {
        // All in a conference tell of it at the address that the first of them gave: the label says who.
        return Some((call, form.filled("ParticipantLabel").and_then(Leg::read)));
    }
    let leg = match query.get("leg") {
        Some(digits) => Some(Leg::of_digits(digits)?),
        None => None,
    };
    sid.is_some().then_some((call, leg))
}

/// Tells the requests apart. The order counts: what somebody types while they wait comes with their place in the queue.
fn event(form: &Form<'_>) -> Result<Event, Rejected> {
    if let Some(word) = form.filled("StatusCallbackEvent").filter(|_| form.get("ConferenceSid").is_some()) {
        return conference(form, word);
    }
    if let Some(word) = form.filled("QueueResult") {
        let waited_s = number(form, "QueueTime");
        return Ok(Event::LeftQueue { result: QueueResult::read(word), waited_s });
    }
    if let Some(word) = form.filled("DialCallStatus") {
        return Ok(Event::Dialled {
            status: CallStatus::read(word),
            other: form.filled("DialCallSid").and_then(CallSid::read),
            lasted_s: number(form, "DialCallDuration"),
        });
    }
    if let Some(digits) = form.get("Digits") {
        let digits = head(digits, TOKEN_BYTES_MAX);
        return Ok(Event::Pressed { digits, queued: form.get("QueueSid").is_some() });
    }
    if form.get("QueuePosition").is_some() {
        return Ok(Event::Waits(Waits {
            place: number(form, "QueuePosition"),
            waited_s: number(form, "QueueTime"),
            average_s: number(form, "AvgQueueTime"),
            size: number(form, "CurrentQueueSize"),
        }));
    }
    let Some(word) = form.filled("CallStatus") else {
        let words = "neither a call (CallStatus) nor a conference (StatusCallbackEvent, ConferenceSid): give this address to voice alone";
        return Err(malformed(words));
    };
    let status = CallStatus::read(word);
    // The one that a number's own settings ask for comes without the two others.
    let is_callback = ["CallbackSource", "SequenceNumber"].iter().any(|name| form.get(name).is_some());
    if is_callback || status.is_over() {
        return Ok(Event::Status(Status {
            status,
            sequence: number(form, "SequenceNumber"),
            lasted_s: number(form, "CallDuration"),
            sip_code: form.filled("SipResponseCode").and_then(|code| code.parse().ok()),
        }));
    }
    let is_inbound = form.get("Direction").is_none_or(|direction| direction == "inbound");
    if status == CallStatus::Ringing && is_inbound { incoming(form) } else { Ok(Event::Continues(status)) }
}

fn incoming(form: &Form<'_>) -> Result<Event, Rejected> {
    let Some(from) = Caller::read(form.get("From").unwrap_or_default()) else {
        return Err(Rejected::park("wrong_sender", "From is longer than any telephone's number or address"));
    };
    let named = |name: &str| {
        let value = head(form.filled(name)?.trim(), NAME_BYTES_MAX);
        (!value.is_empty()).then_some(value)
    };
    Ok(Event::Incoming(Box::new(Incoming {
        from,
        to: named("To").or_else(|| named("Called")).unwrap_or_default(),
        name: named("CallerName"),
        forwarded_from: named("ForwardedFrom"),
    })))
}

fn conference(form: &Form<'_>, word: &str) -> Result<Event, Rejected> {
    let Some(sid) = form.filled("ConferenceSid").and_then(ConferenceSid::read) else {
        return Err(malformed("ConferenceSid is no conference's (CF...)"));
    };
    let reason = form.filled("ReasonParticipantLeft").unwrap_or_default();
    Ok(Event::Conference(Conference {
        sid,
        sequence: number(form, "SequenceNumber"),
        event: ConferenceEvent::read(word, reason),
        ended_by: form.filled("CallSidEndingConference").and_then(CallSid::read),
    }))
}

/// See the head of this file.
fn key(raw: &Raw<'_>, event: &Event, sid: &CallSid) -> String {
    let sid = sid.as_str();
    let numbered =
        |sequence: Option<u32>| sequence.map_or_else(|| "-".to_owned(), |sequence| sequence.to_string());
    let token = || raw.header(TOKEN_HEADER).map(|token| head(token, TOKEN_BYTES_MAX));
    match event {
        Event::Incoming(_) => format!("{sid}:incoming"),
        Event::Pressed { digits, .. } => {
            format!("{sid}:pressed:{}", token().unwrap_or_else(|| digits.clone()))
        }
        Event::Waits(waits) => format!("{sid}:waits:{}", token().unwrap_or_else(|| numbered(waits.waited_s))),
        Event::LeftQueue { result, .. } => format!("{sid}:queue:{}", result.as_str()),
        Event::Status(status) => {
            format!("{sid}:status:{}:{}", status.status.as_str(), numbered(status.sequence))
        }
        Event::Dialled { status, .. } => format!("{sid}:dialled:{}", status.as_str()),
        // Two may leave in one second, each with a number of its own.
        Event::Conference(told) => {
            let what = told.event.as_str();
            format!("{}:{what}:{}:{sid}", told.sid.as_str(), numbered(told.sequence))
        }
        Event::Continues(status) => {
            format!("{sid}:continues:{}", token().unwrap_or_else(|| status.as_str().to_owned()))
        }
    }
}

fn number(form: &Form<'_>, name: &str) -> Option<u32> {
    form.filled(name)?.trim().parse().ok()
}

/// The first bytes of a text, whole letters only.
fn head(text: &str, bytes_max: usize) -> String {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default().to_owned()
}
