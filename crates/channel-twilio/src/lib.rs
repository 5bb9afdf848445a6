//! Twilio: text messages (SMS, MMS) and WhatsApp come in by its webhooks, and answers go out by its Programmable Messaging API
//! (https://www.twilio.com/docs/messaging/api/message-resource).
//!
//! Pure. `signature` says whose requests they are (over the `address`), `inbound` reads them, `consent` who wants no more, `status` how far one of
//! ours has come, `media` fetches what is attached, `outbound` writes ours, `window` says until when WhatsApp takes free words, `answer` what came of
//! it, `lookup` whether a lost one is there, `check` how the account is doing, [`segments`] what a text costs. `kind` has what SMS and WhatsApp
//! differ in, `settings` how an account is named and signed in. The README beside this crate has the limits.

#![warn(missing_docs)]

mod address;
mod answer;
mod check;
mod consent;
mod date;
mod form;
mod inbound;
mod kind;
mod lookup;
mod media;
mod outbound;
pub mod segments;
mod settings;
mod signature;
mod status;
pub mod voice;
mod window;

use std::convert::Infallible;
use std::time::Duration;

use channel::reach::phone;
use channel::words::{self, OwnWords};
use channel::{
    Acknowledged, Adapter, ChannelKind, EntryKind, Fetch, Finding, HttpAnswer, HttpRequest, Millis, Outbound,
    Parsed, Raw, ReachRefusal, Rejected, Remote, Takes, Unsendable, Verdict,
};

pub use address::Address;
pub use inbound::BODY_BYTES_MAX;
pub use kind::{
    Kind, MMS_BYTES_MAX, MMS_FILES_MAX, Sms, WHATSAPP_BYTES_MAX, WHATSAPP_IMAGE_BYTES_MAX, Whatsapp,
};
pub use outbound::BODY_UNITS_MAX;
pub use settings::{
    AccountSid, ApiKey, AuthToken, NotASetting, SHARED_KEYS_MAX, Secrets, Sender, SharedKeys,
};
pub use window::WINDOW_MS;

/// Where Twilio's API is, unless the account is in another region.
pub const API: &str = "https://api.twilio.com";

/// How an account of Twilio is reached, and reaches us.
#[derive(Clone, Debug)]
pub struct Account<K> {
    /// Whose account it is there.
    pub sid: AccountSid,
    /// What it is signed in with, and what Twilio signs with.
    pub secrets: Secrets,
    /// In whose name messages go out.
    pub sender: Sender<K>,
    /// Where Twilio posts to: part of what it signs.
    pub address: Address,
    /// [`API`] or that of a region, without a slash at its end.
    pub api: String,
    /// What the house says by itself.
    pub own: OwnWords,
}

/// The adapter of one account: of its text messages or of its WhatsApp.
#[derive(Clone, Debug)]
pub struct Twilio<K> {
    account: Account<K>,
}

impl<K: Kind> Twilio<K> {
    /// The adapter of this account.
    #[must_use]
    pub fn new(account: Account<K>) -> Self {
        Self { account }
    }
}

impl<K: Kind> Account<K> {
    /// The address of one of this account's resources.
    fn resource(&self, name: &str) -> String {
        format!("{}/2010-04-01/Accounts/{}{name}", self.api, self.sid.as_str())
    }

    /// Asks an address, signed in.
    fn get(&self, url: String) -> HttpRequest {
        let headers = vec![("authorization", self.secrets.authorization(&self.sid))];
        HttpRequest { headers, ..HttpRequest::get(url) }
    }
}

impl<K: Kind> Adapter for Twilio<K> {
    type Signal = Infallible;
    type Sending = HttpRequest;
    type Answer = HttpAnswer;

    const KIND: ChannelKind = K::KIND;
    /// The API knows no id of ours when a message is made: the same request twice is two messages.
    const IS_RESENDABLE: bool = false;
    const LOOKS_UP: bool = true;
    const PROBES_PROVIDER: bool = true;
    const FETCH_WITHIN: Option<Duration> = Some(media::FETCH_WITHIN);

    fn verify(&self, raw: &Raw<'_>, _: Millis) -> Result<(), Rejected> {
        signature::verify(&self.account.secrets, &self.account.address, raw)
    }

    fn parse(&self, raw: &Raw<'_>) -> Vec<Result<Parsed<Infallible>, Rejected>> {
        inbound::parse(&self.account.sender, raw.body)
    }

    /// TwiML without an instruction: nothing is answered but by the API (https://www.twilio.com/docs/messaging/twiml).
    fn acknowledge(&self, _: &Raw<'_>) -> Option<Acknowledged> {
        Some(Acknowledged { content_type: "text/xml", body: b"<Response/>".to_vec() })
    }

    fn fetch(&self, file: &Remote, answers: &[HttpAnswer]) -> Fetch<HttpRequest> {
        media::fetch(&self.account, file, answers)
    }

    fn address(&self, typed: &str) -> Result<String, ReachRefusal> {
        phone(typed)
    }

    fn takes(&self, last_at: Option<Millis>, now: Millis) -> Option<Takes> {
        let is_open = !K::HAS_WINDOW || window::is_open(last_at, now);
        Some(if is_open { Takes::Words } else { Takes::Templates })
    }

    fn sends(&self, kind: &EntryKind) -> bool {
        words::is_said(kind)
    }

    fn render(&self, outbound: &Outbound<'_>) -> Result<HttpRequest, Unsendable> {
        outbound::render(&self.account, outbound)
    }

    fn judge(&self, answer: &HttpAnswer) -> Verdict {
        answer::judge(answer)
    }

    fn look_up(&self, outbound: &Outbound<'_>, since: Millis) -> Option<HttpRequest> {
        lookup::ask(&self.account, outbound, since)
    }

    fn looked_up(&self, outbound: &Outbound<'_>, since: Millis, answer: &HttpAnswer) -> Verdict {
        lookup::found(&self.account, outbound, since, answer)
    }

    fn probe(&self, _: Millis) -> Option<HttpRequest> {
        Some(check::probe(&self.account))
    }

    fn findings(&self, answer: &HttpAnswer) -> Vec<Finding> {
        check::findings(answer)
    }
}
