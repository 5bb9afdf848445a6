//! A number on WhatsApp: its updates come in by the app's webhook, and answers go out by `/{phone_number_id}/messages`.
//!
//! `inbound` takes an update apart and says who wrote, `said` what they say, `media` fetches what is attached, `status` how far a message
//! of ours has come; `outbound` writes ours, `files` and `template` what is in them, `window` until when, `answer` says what came of it
//! and `check` what is wrong with the number.

mod answer;
mod check;
mod files;
mod inbound;
mod media;
mod outbound;
mod said;
mod status;
mod template;
mod window;

use std::convert::Infallible;

use channel::reach::phone;
use channel::words::{self, OwnWords};
use channel::{
    Acknowledged, Adapter, ChannelKind, EntryKind, Fetch, Finding, HttpAnswer, HttpRequest, Millis, Outbound,
    Parsed, Raw, ReachRefusal, Rejected, Remote, Takes, Unsendable, Verdict,
};

pub use answer::PAIR_MS;
pub use files::{DOCUMENT_BYTES_MAX, IMAGE_BYTES_MAX, SOUND_BYTES_MAX};
pub use outbound::{CAPTION_UNITS_MAX, TEXT_UNITS_MAX};
pub use window::WINDOW_MS;

use crate::{AccessToken, Api, AppSecret, PhoneNumberId, VerifyToken};

/// The adapter of one number.
#[derive(Clone, Debug)]
pub struct WhatsappCloud {
    api: Api,
    number: PhoneNumberId,
    token: AccessToken,
    app_secret: AppSecret,
    verify_token: VerifyToken,
    own: OwnWords,
}

impl WhatsappCloud {
    /// The number of that id, asked with the token; its updates are signed with the secret of the app.
    #[must_use]
    pub fn new(
        api: Api,
        number: PhoneNumberId,
        token: AccessToken,
        app_secret: AppSecret,
        verify_token: VerifyToken,
        own: OwnWords,
    ) -> Self {
        Self { api, number, token, app_secret, verify_token, own }
    }

    /// Asks something that only who has the token is told.
    fn get(&self, url: String) -> HttpRequest {
        HttpRequest { headers: vec![self.token.header()], ..HttpRequest::get(url) }
    }
}

impl Adapter for WhatsappCloud {
    type Signal = Infallible;
    type Sending = HttpRequest;
    type Answer = HttpAnswer;

    const KIND: ChannelKind = ChannelKind::Whatsapp;
    /// The Cloud API gives our id back in statuses and does not look whether it had it before: the same request twice is two messages.
    const IS_RESENDABLE: bool = false;
    /// Files go as links, which Meta's servers fetch.
    const FILES_MAX: Option<u64> = None;
    const PROBES_PROVIDER: bool = true;

    fn verify(&self, raw: &Raw<'_>, _: Millis) -> Result<(), Rejected> {
        self.app_secret.verify(raw)
    }

    fn parse(&self, raw: &Raw<'_>) -> Vec<Result<Parsed<Infallible>, Rejected>> {
        inbound::parse(&self.number, raw.body)
    }

    /// Meta wants a 200 and reads nothing of what stands below.
    fn acknowledge(&self, _: &Raw<'_>) -> Option<Acknowledged> {
        Some(Acknowledged { content_type: "application/json", body: b"{}".to_vec() })
    }

    fn challenge(&self, query: &str) -> Option<Result<Vec<u8>, Rejected>> {
        Some(self.verify_token.answer(query))
    }

    fn fetch(&self, file: &Remote, answers: &[HttpAnswer]) -> Fetch<HttpRequest> {
        media::fetch(self, file, answers)
    }

    /// Meta has numbers without a sign before them.
    fn address(&self, typed: &str) -> Result<String, ReachRefusal> {
        Ok(phone(typed)?.trim_start_matches('+').to_owned())
    }

    fn takes(&self, last_at: Option<Millis>, now: Millis) -> Option<Takes> {
        Some(if window::is_open(now, last_at) { Takes::Words } else { Takes::Templates })
    }

    fn sends(&self, kind: &EntryKind) -> bool {
        words::is_said(kind)
    }

    fn render(&self, outbound: &Outbound<'_>) -> Result<HttpRequest, Unsendable> {
        outbound::render(self, outbound)
    }

    fn judge(&self, answer: &HttpAnswer) -> Verdict {
        answer::judge(answer)
    }

    fn probe(&self, _: Millis) -> Option<HttpRequest> {
        Some(self.get(self.api.at(&format!("{}?fields={}", self.number.as_str(), check::FIELDS))))
    }

    fn findings(&self, answer: &HttpAnswer) -> Vec<Finding> {
        check::findings(answer)
    }
}
