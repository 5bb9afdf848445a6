//! Telephone calls: what Twilio tells, what it is answered and asked, one call from its first ring to its end, and all of it held against the vendor's own
//! library and its published API.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod call;
mod calls;
mod damaged;
mod flows;
mod heard;
mod order;
#[path = "../recorded/mod.rs"]
mod recorded;
mod vendor;

use channel::{Millis, Raw};
use channel_twilio::voice::call::{Call, News};
use channel_twilio::voice::webhook::{self, Heard};
use channel_twilio::voice::{CallSid, ConferenceSid, Endpoint, Leg, Line, Number};
use channel_twilio::{AccountSid, Address, AuthToken, Secrets};

const SID: &str = "AC00000000000000000000000000000001";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const ADDRESS: &str = "https://desk.example/in/voice/shop";
const ANN: &str = "+447700900123";
const OURS: &str = "+442071838750";
/// 2026-12-01, 13:00.
const START: Millis = Millis(1_796_130_000_000);

const CALL: &str = "CA00000000000000000000000000000001";
const ANNA: &str = "CA00000000000000000000000000000002";
const BEN: &str = "CA00000000000000000000000000000003";
const BACK: &str = "CA00000000000000000000000000000004";
const ROOM: &str = "CF00000000000000000000000000000001";

fn line_at(api: &str) -> Line {
    Line {
        sid: AccountSid::read(SID).unwrap(),
        secrets: Secrets::new(Some(AuthToken::read(TOKEN).unwrap()), None, None).unwrap(),
        number: Number::read(OURS).unwrap(),
        address: Address::read(ADDRESS).unwrap(),
        api: api.to_owned(),
        queue: "support".to_owned(),
    }
}

fn line() -> Line {
    line_at("https://api.twilio.com")
}

fn sid(text: &str) -> CallSid {
    CallSid::read(text).unwrap()
}

fn room() -> ConferenceSid {
    ConferenceSid::read(ROOM).unwrap()
}

fn anna() -> Endpoint {
    Endpoint::read("client:anna").unwrap()
}

fn ben() -> Endpoint {
    Endpoint::read("sip:ben@shop.example").unwrap()
}

fn at(seconds: u64) -> Millis {
    START.plus(seconds * 1000)
}

/// A moment as Twilio writes it.
fn stamp(seconds: u64) -> String {
    format!("Tue, 01 Dec 2026 13:{:02}:{:02} +0000", seconds / 60, seconds % 60)
}

/// A request as it is read.
fn told(query: &str, fields: &[(&str, &str)]) -> Heard {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    webhook::parse(&Raw { headers: &[], query, body: body.as_bytes() }).unwrap()
}

fn of(leg: Option<Leg>) -> String {
    leg.map_or_else(|| format!("call={CALL}"), |leg| format!("call={CALL}&leg={}", leg.0))
}

fn incoming() -> Heard {
    told(
        "",
        &[
            ("CallSid", CALL),
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
            ("From", ANN),
            ("To", OURS),
        ],
    )
}

/// How far a leg has come; `None`: the customer's.
fn status(leg: Option<Leg>, sid: &str, word: &str, sequence: u32, seconds: u64) -> Heard {
    let (stamp, sequence) = (stamp(seconds), sequence.to_string());
    let fields = [
        ("CallSid", sid),
        ("CallStatus", word),
        ("Timestamp", &stamp),
        ("CallbackSource", "call-progress-events"),
        ("SequenceNumber", &sequence),
    ];
    told(&of(leg), &fields)
}

/// What happens to somebody in the conference.
fn seat(label: &str, sid: &str, event: &str, sequence: u32, seconds: u64, more: &[(&str, &str)]) -> Heard {
    let (stamp, sequence) = (stamp(seconds), sequence.to_string());
    let mut fields = vec![
        ("ConferenceSid", ROOM),
        ("FriendlyName", CALL),
        ("StatusCallbackEvent", event),
        ("SequenceNumber", &sequence),
        ("Timestamp", &stamp),
        ("CallSid", sid),
        ("ParticipantLabel", label),
    ];
    fields.extend(more);
    told(&of(None), &fields)
}

fn joins(label: &str, sid: &str, sequence: u32, seconds: u64) -> Heard {
    seat(label, sid, "participant-join", sequence, seconds, &[])
}

fn leaves(label: &str, sid: &str, sequence: u32, seconds: u64, why: &str) -> Heard {
    seat(label, sid, "participant-leave", sequence, seconds, &[("ReasonParticipantLeft", why)])
}

fn ends(by: &str, sequence: u32, seconds: u64) -> Heard {
    seat("", by, "conference-end", sequence, seconds, &[("CallSidEndingConference", by)])
}

/// A call to which these things happened, and what the router was told.
fn after(call: &mut Call, all: &[Heard]) -> Vec<News> {
    for one in all {
        call.hear(one, at(0));
    }
    call.news()
}
