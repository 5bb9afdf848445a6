//! Telephone calls by Twilio's Programmable Voice (https://www.twilio.com/docs/voice): it holds the sound, the prompts and the music, and we say what
//! is to be heard and who speaks with whom.
//!
//! Pure, as the whole crate. [`webhook`] reads what Twilio tells of a call, [`twiml`] writes what it is answered, [`flows`] has what customers and agents
//! come across in that language, [`calls`] has the requests by which a call is changed and what their answers mean, and [`call`] keeps one call from
//! its first ring to its end. Nothing is recorded, written down or listened to.

pub mod call;
pub mod calls;
pub mod flows;
mod names;
pub mod twiml;
pub mod webhook;
mod words;

use channel::HttpRequest;

pub use names::{CallSid, Caller, ConferenceSid, Endpoint, Leg, NotAName, Number};
pub use words::{CallStatus, ConferenceEvent, LeftBecause, QueueResult};

use crate::settings::{AccountSid, Secrets};
use crate::{Address, form};

/// A telephone number of ours at Twilio, and how its account is reached and reaches us.
#[derive(Clone, Debug)]
pub struct Line {
    /// Whose account it is there.
    pub sid: AccountSid,
    /// What it is signed in with, and what Twilio signs with.
    pub secrets: Secrets,
    /// The number: customers call it, and they and agents see it when we call.
    pub number: Number,
    /// Where Twilio posts to: part of what it signs.
    pub address: Address,
    /// [`crate::API`] or that of a region, without a slash at its end.
    pub api: String,
    /// The queue at Twilio in which callers hear music; made there when it is first needed, and it holds 1,000 calls.
    pub queue: String,
}

impl Line {
    /// Where Twilio tells of this call, and of this leg of it. The address itself says whose they are: Twilio gives it back letter by letter, and signs it.
    #[must_use]
    pub fn callback(&self, call: &CallSid, leg: Option<Leg>) -> String {
        let base = self.address.as_str();
        match leg {
            None => format!("{base}?call={}", call.as_str()),
            Some(leg) => format!("{base}?call={}&leg={}", call.as_str(), leg.0),
        }
    }

    /// The address of one of this account's resources.
    fn resource(&self, name: &str) -> String {
        format!("{}/2010-04-01/Accounts/{}{name}", self.api, self.sid.as_str())
    }

    fn get(&self, name: &str, pairs: &[(&str, &str)]) -> HttpRequest {
        let url = if pairs.is_empty() {
            self.resource(name)
        } else {
            format!("{}?{}", self.resource(name), form::write(pairs))
        };
        let headers = vec![("authorization", self.secrets.authorization(&self.sid))];
        HttpRequest { headers, ..HttpRequest::get(url) }
    }

    fn post(&self, name: &str, pairs: &[(&str, &str)]) -> HttpRequest {
        let headers = vec![
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
            ("authorization", self.secrets.authorization(&self.sid)),
        ];
        HttpRequest::post(self.resource(name), headers, form::write(pairs).into_bytes())
    }
}
