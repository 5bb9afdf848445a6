//! How a call is changed from outside (https://www.twilio.com/docs/voice/api), and what the answers mean.
//!
//! The API knows no id of ours when a call is made: the same request twice rings twice. What is known after no answer: each leg tells how far it has come at
//! an address of its own ([`Line::callback`]), `initiated` within moments of its making; a leg of which nothing is heard, and which [`Line::list`] does not
//! have, was not made. Whether a call was led elsewhere shows in who is in its conference ([`Line::participants`]). What else changes a call can be asked
//! again: twice on hold is on hold.

use channel::{HttpAnswer, HttpRequest, Millis, Unsendable, Whose};
use serde::Deserialize;
use serde_json::Value;

use super::twiml::{INLINE_CHARS_MAX, Response};
use super::{CallSid, CallStatus, ConferenceSid, Endpoint, Leg, Line, Number};
use crate::date;

/// How long a telephone rings, s: what the API takes.
pub const RING_S: std::ops::RangeInclusive<u32> = 5..=600;
/// How much earlier than we asked for it a call may have been made, ms: Twilio's clock is another, and tells whole seconds.
const EARLIER_MS: u64 = 2000;
/// Calls and people of one answer.
const PAGE_SIZE: &str = "50";
/// What is told of a call that we make.
const EVENTS: [&str; 4] = ["initiated", "ringing", "answered", "completed"];

/// A call that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Ring<'a> {
    /// The customer's call that it is for.
    pub call: &'a CallSid,
    /// Which leg of it.
    pub leg: Leg,
    /// Whom.
    pub to: &'a Endpoint,
    /// How long it rings, s; brought within [`RING_S`]. Twilio adds some 5 s.
    pub ring_s: u32,
    /// What is done when somebody picks it up.
    pub twiml: &'a Response,
}

/// What is changed of somebody in a conference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// They hear music and are not heard, or no longer.
    Hold {
        /// Whether.
        on: bool,
        /// Where the music is, or TwiML that says what they hear ([`super::flows::Script::hold`]), asked for by GET; `None`: Twilio's own music.
        url: Option<&'a str>,
    },
    /// They are not heard, or again.
    Mute(bool),
    /// They are heard by that one alone, and hear all; `None`: by all.
    Coach(Option<&'a CallSid>),
    /// Whether it is over for all when they leave.
    Ends(bool),
}

impl Line {
    /// Makes a call.
    ///
    /// # Errors
    /// [`Unsendable`] with `too_large`, where the address is so long that what goes along has more than [`INLINE_CHARS_MAX`] signs; fate: refuse.
    pub fn ring(&self, ring: &Ring<'_>) -> Result<HttpRequest, Unsendable> {
        let (to, twiml) = (ring.to.address(), inline(ring.twiml)?);
        let callback = self.callback(ring.call, Some(ring.leg));
        let seconds = ring.ring_s.clamp(*RING_S.start(), *RING_S.end()).to_string();
        let mut pairs =
            vec![("To", to.as_str()), ("From", self.number.as_str()), ("StatusCallback", &callback)];
        pairs.extend(EVENTS.map(|event| ("StatusCallbackEvent", event)));
        pairs.extend([("Timeout", seconds.as_str()), ("Twiml", twiml.as_str())]);
        Ok(self.post("/Calls.json", &pairs))
    }

    /// Has a call that is under way do something else.
    ///
    /// # Errors
    /// As [`Line::ring`].
    pub fn redirect(&self, sid: &CallSid, to: &Response) -> Result<HttpRequest, Unsendable> {
        Ok(self.update(sid, &[("Twiml", &inline(to)?)]))
    }

    /// Has a call that is under way ask there what it does.
    #[must_use]
    pub fn redirect_to(&self, sid: &CallSid, url: &str) -> HttpRequest {
        self.update(sid, &[("Url", url)])
    }

    /// Ends a call, whether it rings or is under way.
    #[must_use]
    pub fn hang_up(&self, sid: &CallSid) -> HttpRequest {
        self.update(sid, &[("Status", "completed")])
    }

    /// Takes a call back that nobody has picked up; one that is under way goes on.
    #[must_use]
    pub fn cancel(&self, sid: &CallSid) -> HttpRequest {
        self.update(sid, &[("Status", "canceled")])
    }

    /// Asks what has become of a call.
    #[must_use]
    pub fn fetch(&self, sid: &CallSid) -> HttpRequest {
        self.get(&format!("/Calls/{}.json", sid.as_str()), &[])
    }

    /// Asks which calls went to somebody, the newest first. When they began cannot be asked for: a call that only rings has no beginning yet.
    #[must_use]
    pub fn list(&self, to: &Endpoint) -> HttpRequest {
        let to = to.address();
        self.get("/Calls.json", &[("To", &to), ("From", self.number.as_str()), ("PageSize", PAGE_SIZE)])
    }

    /// Calls somebody into the conference of a call: as [`Line::ring`] with [`super::flows::agent`], in one request, for whoever has no need of TwiML.
    #[must_use]
    pub fn add(&self, ring: &Ring<'_>, ends: bool) -> HttpRequest {
        let (to, label) = (ring.to.address(), ring.leg.to_string());
        let (callback, of_all) = (self.callback(ring.call, Some(ring.leg)), self.callback(ring.call, None));
        let seconds = ring.ring_s.clamp(*RING_S.start(), *RING_S.end()).to_string();
        let mut pairs = vec![
            ("From", self.number.as_str()),
            ("To", &to),
            ("StatusCallback", &callback),
            ("Label", &label),
            ("Timeout", &seconds),
            ("Beep", "false"),
            ("EndConferenceOnExit", word(ends)),
            ("ConferenceStatusCallback", &of_all),
        ];
        pairs.extend(EVENTS.map(|event| ("StatusCallbackEvent", event)));
        pairs.extend(
            ["start", "end", "join", "leave", "mute", "hold"]
                .map(|event| ("ConferenceStatusCallbackEvent", event)),
        );
        self.post(&format!("/Conferences/{}/Participants.json", ring.call.as_str()), &pairs)
    }

    /// Changes something of somebody in a conference. Who is to leave it is hung up ([`Line::hang_up`]).
    #[must_use]
    pub fn change(&self, conference: &ConferenceSid, who: &CallSid, change: Change<'_>) -> HttpRequest {
        let pairs = match change {
            Change::Hold { on: true, url: Some(url) } => vec![("Hold", "true"), ("HoldUrl", url)],
            Change::Hold { on, url: _ } => vec![("Hold", word(on))],
            Change::Mute(on) => vec![("Muted", word(on))],
            Change::Coach(Some(other)) => vec![("Coaching", "true"), ("CallSidToCoach", other.as_str())],
            Change::Coach(None) => vec![("Coaching", "false")],
            Change::Ends(on) => vec![("EndConferenceOnExit", word(on))],
        };
        let name = format!("/Conferences/{}/Participants/{}.json", conference.as_str(), who.as_str());
        self.post(&name, &pairs)
    }

    /// Asks for the conference of a call, while there is one.
    #[must_use]
    pub fn conference(&self, call: &CallSid) -> HttpRequest {
        self.get(
            "/Conferences.json",
            &[("FriendlyName", call.as_str()), ("Status", "in-progress"), ("PageSize", PAGE_SIZE)],
        )
    }

    /// Asks who is in a conference.
    #[must_use]
    pub fn participants(&self, conference: &ConferenceSid) -> HttpRequest {
        let name = format!("/Conferences/{}/Participants.json", conference.as_str());
        self.get(&name, &[("PageSize", PAGE_SIZE)])
    }

    fn update(&self, sid: &CallSid, pairs: &[(&str, &str)]) -> HttpRequest {
        self.post(&format!("/Calls/{}.json", sid.as_str()), pairs)
    }
}

fn word(is: bool) -> &'static str {
    if is { "true" } else { "false" }
}

fn inline(twiml: &Response) -> Result<String, Unsendable> {
    let xml = twiml.xml();
    if xml.chars().count() > INLINE_CHARS_MAX {
        return Err(Unsendable { reason: "too_large" });
    }
    Ok(xml)
}

/// What a request did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// It made a call ([`Line::ring`], [`Line::add`]).
    Makes,
    /// It led a call elsewhere ([`Line::redirect`]): the same again would take a customer out of the conference that they were led to, and end it.
    Moves,
    /// It changed one otherwise, or asked: the same request again does no harm.
    Changes,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It is done.
    Done {
        /// The call that was made or changed.
        sid: Option<CallSid>,
    },
    /// The call, or the conference, is over, or this one is no longer in it: there is nothing to change any more.
    Over,
    /// It is asked again.
    Retry {
        /// Who waits meanwhile.
        whose: Whose,
        /// Not before so many milliseconds; `None`: by the usual back-off.
        after_ms: Option<u64>,
        /// A stable word.
        reason: &'static str,
    },
    /// It will never be done; whoever asked is told.
    Refused {
        /// A stable word.
        reason: &'static str,
    },
    /// It may have been done or not, and is not asked again: see the head of this file.
    Unknown {
        /// A stable word.
        reason: &'static str,
    },
}

/// What an error code says (https://www.twilio.com/docs/api/errors).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Over,
    Never(&'static str),
    TooMuch,
    Account(&'static str),
}

fn meaning(code: u32) -> Option<Meaning> {
    use Meaning::{Account, Never, Over, TooMuch};
    let meaning = match code {
        // Not under way any more.
        21220 => Over,
        // No number, or none that anybody can be reached by.
        13223 | 13224 | 21201 | 21211 | 21214 | 21217 | 21265 | 21421 | 32101 => Never("address_unknown"),
        // A country, or a kind of number, that the account may not call.
        13225 | 13227 | 21215 | 21216 | 21408 => Never("region_not_allowed"),
        // Of a trial account, whose numbers are verified one by one.
        21219 | 21608 => Never("not_verified"),
        // Not a number of this account, or not one that may call.
        13214 | 21210 | 21212 | 21213 | 21606 | 21653 => Account("sender_refused"),
        // What was to be done next, or where it stands.
        11100 | 12100 | 12200 | 21205 | 21218 | 21222 => Never("rejected"),
        10004 | 20429 | 21245 => TooMuch,
        10001 | 10002 | 20003 | 20005 | 20008 => Account("refused"),
        _ => return None,
    };
    Some(meaning)
}

#[derive(Deserialize)]
struct Said {
    sid: Option<String>,
    /// Of a participant.
    call_sid: Option<String>,
    code: Option<u32>,
}

/// Says what an answer means for what was asked.
#[must_use]
pub fn judge(does: Does, answer: &HttpAnswer) -> Judged {
    let again = |whose, after_ms, reason| Judged::Retry { whose, after_ms, reason };
    let unknown = match does {
        Does::Makes | Does::Moves => Judged::Unknown { reason: "no_answer" },
        Does::Changes => again(Whose::Conversation, None, "no_answer"),
    };
    let (status, body, after_ms) = match answer {
        HttpAnswer::Status { status, body, retry_after_ms, .. } => (*status, body, *retry_after_ms),
        HttpAnswer::NoAnswer => return unknown,
        HttpAnswer::Unreachable => return again(Whose::Refused, None, "unreachable"),
    };
    let said = serde_json::from_slice::<Said>(body).ok();
    if (200..300).contains(&status) {
        let sid = said.and_then(|said| said.call_sid.or(said.sid));
        return Judged::Done { sid: sid.and_then(|sid| CallSid::read(&sid)) };
    }
    if status == 408 || status >= 500 {
        return unknown;
    }
    match said.and_then(|said| said.code).and_then(meaning) {
        Some(Meaning::Over) => Judged::Over,
        Some(Meaning::Never(reason)) => Judged::Refused { reason },
        Some(Meaning::TooMuch) => again(Whose::Limited, after_ms, "limited"),
        Some(Meaning::Account(reason)) => again(Whose::Refused, None, reason),
        None => match (status, does) {
            (429, _) => again(Whose::Limited, after_ms, "limited"),
            // 20404: of what is made the account itself is not there, of what is changed the call or the conference.
            (404, Does::Moves | Does::Changes) => Judged::Over,
            (401 | 403 | 404, _) => again(Whose::Refused, None, "refused"),
            _ => Judged::Refused { reason: "rejected" },
        },
    }
}

/// A call as the API describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its id.
    pub sid: CallSid,
    /// How far it has come.
    pub status: CallStatus,
    /// When it was picked up, whole seconds.
    pub started_at: Option<Millis>,
    /// When it was over.
    pub ended_at: Option<Millis>,
    /// How long it lasted, s.
    pub lasted_s: Option<u32>,
}

#[derive(Deserialize)]
struct Resource {
    sid: String,
    status: String,
    to: Option<String>,
    from: Option<String>,
    direction: Option<String>,
    date_created: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
    duration: Option<Value>,
}

impl Resource {
    fn described(self) -> Option<Described> {
        let at = |text: Option<String>| text.as_deref().and_then(date::read);
        Some(Described {
            sid: CallSid::read(&self.sid)?,
            status: CallStatus::read(&self.status),
            started_at: at(self.start_time),
            ended_at: at(self.end_time),
            lasted_s: self.duration.as_ref().and_then(Value::as_str).and_then(|seconds| seconds.parse().ok()),
        })
    }
}

fn ok(answer: &HttpAnswer) -> Option<&[u8]> {
    match answer {
        HttpAnswer::Status { status: 200, body, .. } => Some(body),
        HttpAnswer::Status { .. } | HttpAnswer::NoAnswer | HttpAnswer::Unreachable => None,
    }
}

/// What the answer to [`Line::fetch`] says; `None`: nothing that can be read, and [`judge`] says what now.
#[must_use]
pub fn fetched(answer: &HttpAnswer) -> Option<Described> {
    serde_json::from_slice::<Resource>(ok(answer)?).ok()?.described()
}

/// The call of the answer to [`Line::list`] that can only be the one that was asked for at `since`. `None`: there is none, or more than one.
#[must_use]
pub fn found(answer: &HttpAnswer, to: &Endpoint, from: &Number, since: Millis) -> Option<Described> {
    #[derive(Deserialize)]
    struct List {
        calls: Vec<Value>,
    }
    let list: List = serde_json::from_slice(ok(answer)?).ok()?;
    let earliest = Millis(since.0.saturating_sub(EARLIER_MS));
    let to = to.address();
    let is_it = |one: &Resource| {
        let made_at = one.date_created.as_deref().and_then(date::read);
        one.to.as_deref() == Some(to.as_str())
            && one.from.as_deref() == Some(from.as_str())
            && one.direction.as_deref().is_some_and(|direction| direction.starts_with("outbound"))
            && made_at.is_some_and(|made_at| made_at >= earliest)
    };
    let mut all = list.calls.iter().filter_map(|one| Resource::deserialize(one).ok()).filter(is_it);
    let first = all.next()?;
    if all.next().is_some() { None } else { first.described() }
}

/// The conference of the answer to [`Line::conference`].
#[must_use]
pub fn found_conference(answer: &HttpAnswer) -> Option<ConferenceSid> {
    #[derive(Deserialize)]
    struct One {
        sid: String,
    }
    #[derive(Deserialize)]
    struct List {
        conferences: Vec<One>,
    }
    let list: List = serde_json::from_slice(ok(answer)?).ok()?;
    list.conferences.iter().find_map(|one| ConferenceSid::read(&one.sid))
}

/// Somebody in a conference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Their call.
    pub sid: CallSid,
    /// Which leg of ours; `None`: the customer who called.
    pub leg: Option<Leg>,
    /// Whether they hear music and are not heard.
    pub held: bool,
    /// Whether they are not heard.
    pub muted: bool,
    /// Whether they are in it: they may only ring as yet.
    pub is_there: bool,
}

/// Who is in a conference, by the answer to [`Line::participants`]; `None`: it says nothing that can be read.
#[must_use]
pub fn found_participants(answer: &HttpAnswer) -> Option<Vec<Participant>> {
    #[derive(Deserialize)]
    struct One {
        call_sid: String,
        label: Option<String>,
        #[serde(default)]
        hold: bool,
        #[serde(default)]
        muted: bool,
        status: Option<String>,
    }
    #[derive(Deserialize)]
    struct List {
        participants: Vec<One>,
    }
    let list: List = serde_json::from_slice(ok(answer)?).ok()?;
    let all = list.participants.iter().filter_map(|one| {
        Some(Participant {
            sid: CallSid::read(&one.call_sid)?,
            leg: one.label.as_deref().and_then(Leg::read),
            held: one.hold,
            muted: one.muted,
            is_there: one.status.as_deref().is_none_or(|status| status == "connected"),
        })
    });
    Some(all.collect())
}
