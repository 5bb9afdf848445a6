//! A page on Messenger and an account of Instagram: both by the Messenger Platform, updates by the app's webhook, answers by `/messages`
//! (https://developers.facebook.com/documentation/business-messaging/messenger-platform).
//!
//! `kind` has what differs between the two. `inbound` takes an update apart and says who wrote, `said` what they say, `media` fetches what is
//! attached, `event` what they do with messages, `colleague` what was written in our name elsewhere; `outbound` writes ours, `pieces` and `files` what is in them, `window` until when and
//! under which tag, `answer` says what came of it and `check` what is wrong with the page.

mod answer;
mod check;
mod colleague;
mod event;
mod files;
mod inbound;
mod kind;
mod media;
mod outbound;
mod pieces;
mod said;
mod window;

use std::convert::Infallible;
use std::marker::PhantomData;

use channel::words::{self, OwnWords};
use channel::{
    Acknowledged, Adapter, ChannelKind, EntryKind, Fetch, Finding, HttpAnswer, HttpRequest, Millis, Outbound,
    Parsed, Raw, Rejected, Remote, Takes, Unsendable, Verdict,
};

pub use files::{PAGE_FILE_BYTES_MAX, PAGE_IMAGE_BYTES_MAX};
pub use kind::{INSTAGRAM_TEXT_BYTES_MAX, Instagram, MESSENGER_TEXT_UNITS_MAX, Messenger, PageKind};
pub use window::{HUMAN_AGENT_MS, RESPONSE_MS};

use crate::{AccessToken, Api, AppId, AppSecret, PageId, VerifyToken};

/// The adapter of one page, or of one account of Instagram.
#[derive(Clone, Debug)]
pub struct Pages<K: PageKind> {
    account: Account,
    kind: PhantomData<K>,
}

/// What an account is used with.
#[derive(Clone, Debug)]
struct Account {
    api: Api,
    page: PageId,
    token: AccessToken,
    app_secret: AppSecret,
    verify_token: VerifyToken,
    app: Option<AppId>,
    own: OwnWords,
}

impl<K: PageKind> Pages<K> {
    /// The page or account of that id, asked with its token; its updates are signed with the secret of the app, whose id may be told as well.
    #[must_use]
    pub fn new(
        api: Api,
        page: PageId,
        token: AccessToken,
        app_secret: AppSecret,
        verify_token: VerifyToken,
        app: Option<AppId>,
        own: OwnWords,
    ) -> Self {
        Self { account: Account { api, page, token, app_secret, verify_token, app, own }, kind: PhantomData }
    }
}

impl<K: PageKind> Adapter for Pages<K> {
    type Signal = Infallible;
    type Sending = HttpRequest;
    type Answer = HttpAnswer;

    const KIND: ChannelKind = K::KIND;
    /// The platform does not look whether it had an id of ours before: the same request twice is two messages.
    const IS_RESENDABLE: bool = false;
    /// Files go as links, which Meta's servers fetch.
    const FILES_MAX: Option<u64> = None;
    const PROBES_PROVIDER: bool = true;

    fn verify(&self, raw: &Raw<'_>, _: Millis) -> Result<(), Rejected> {
        self.account.app_secret.verify(raw)
    }

    fn parse(&self, raw: &Raw<'_>) -> Vec<Result<Parsed<Infallible>, Rejected>> {
        inbound::parse::<K>(&self.account, raw.body)
    }

    /// Meta wants a 200 and reads nothing of what stands below.
    fn acknowledge(&self, _: &Raw<'_>) -> Option<Acknowledged> {
        Some(Acknowledged { content_type: "application/json", body: b"{}".to_vec() })
    }

    fn challenge(&self, query: &str) -> Option<Result<Vec<u8>, Rejected>> {
        Some(self.account.verify_token.answer(query))
    }

    fn fetch(&self, file: &Remote, answers: &[HttpAnswer]) -> Fetch<HttpRequest> {
        media::fetch(&self.account.api, file, answers)
    }

    /// A page has no forms of words for who wrote longer ago, and a person has their answer taken for a week.
    fn takes(&self, last_at: Option<Millis>, now: Millis) -> Option<Takes> {
        (now.since(last_at?) < HUMAN_AGENT_MS).then_some(Takes::Words)
    }

    fn sends(&self, kind: &EntryKind) -> bool {
        words::is_said(kind)
    }

    fn render(&self, outbound: &Outbound<'_>) -> Result<HttpRequest, Unsendable> {
        outbound::render::<K>(&self.account, outbound)
    }

    fn judge(&self, answer: &HttpAnswer) -> Verdict {
        answer::judge(answer)
    }

    fn probe(&self, _: Millis) -> Option<HttpRequest> {
        let path = format!("{}?fields={}", self.account.page.as_str(), K::FIELDS);
        let headers = vec![self.account.token.header()];
        Some(HttpRequest { headers, ..HttpRequest::get(self.account.api.at(&path)) })
    }

    fn findings(&self, answer: &HttpAnswer) -> Vec<Finding> {
        check::findings::<K>(self.account.app.as_ref(), answer)
    }
}
