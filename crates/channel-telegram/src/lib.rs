//! Telegram: a bot's updates come in by its webhook, and answers go out by the Bot API (https://core.telegram.org/bots/api).
//!
//! Pure. `token` says whose updates they are, `inbound` reads them, `media` fetches what is attached, `outbound` writes ours,
//! `answer` says what came of it, `check` what is wrong with how the bot is set up. The README beside this crate has the limits.

#![warn(missing_docs)]

mod answer;
mod check;
mod inbound;
mod media;
mod outbound;
mod token;

use std::convert::Infallible;

use channel::words::{self, OwnWords};
use channel::{
    Acknowledged, Adapter, ChannelKind, EntryKind, Fetch, Finding, HttpAnswer, HttpRequest, Millis, Outbound,
    Parsed, Raw, Rejected, Remote, Unsendable, Verdict,
};

pub use check::ALLOWED_UPDATES;
pub use inbound::BODY_BYTES_MAX;
pub use outbound::{CAPTION_UNITS_MAX, PHOTO_BYTES_MAX, TEXT_UNITS_MAX, UPLOAD_BYTES_MAX};
pub use token::{BotToken, NotAToken, SecretToken};

/// Where bots are served, unless somebody runs a Bot API server of their own.
pub const API: &str = "https://api.telegram.org";

/// The adapter of one bot.
#[derive(Clone, Debug)]
pub struct Telegram {
    api: String,
    token: BotToken,
    secret: SecretToken,
    own: OwnWords,
}

impl Telegram {
    /// The bot of that token; its updates come with the secret. `api` is [`API`] or a Bot API server of one's own, without a slash at
    /// its end.
    #[must_use]
    pub fn new(api: String, token: BotToken, secret: SecretToken, own: OwnWords) -> Self {
        Self { api, token, secret, own }
    }

    /// The address of a method of this bot.
    fn method(&self, name: &str) -> String {
        format!("{}/bot{}/{name}", self.api, self.token.reveal())
    }
}

impl Adapter for Telegram {
    type Signal = Infallible;
    type Sending = HttpRequest;
    type Answer = HttpAnswer;

    const KIND: ChannelKind = ChannelKind::Telegram;
    /// The Bot API knows no id of ours: the same request twice is two messages.
    const IS_RESENDABLE: bool = false;
    const FILES_MAX: Option<u64> = Some(UPLOAD_BYTES_MAX);
    const PROBES_PROVIDER: bool = true;

    fn verify(&self, raw: &Raw<'_>, _: Millis) -> Result<(), Rejected> {
        self.secret.verify(raw)
    }

    fn parse(&self, raw: &Raw<'_>) -> Vec<Result<Parsed<Infallible>, Rejected>> {
        inbound::parse(raw.body)
    }

    fn acknowledge(&self, raw: &Raw<'_>) -> Option<Acknowledged> {
        inbound::acknowledge(raw.body)
    }

    fn fetch(&self, file: &Remote, answers: &[HttpAnswer]) -> Fetch<HttpRequest> {
        media::fetch(self, file, answers)
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
        Some(HttpRequest::get(self.method("getWebhookInfo")))
    }

    fn findings(&self, answer: &HttpAnswer) -> Vec<Finding> {
        check::findings(answer)
    }
}
