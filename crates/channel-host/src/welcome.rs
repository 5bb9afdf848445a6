//! How a visitor's socket begins: hello, and the answer to it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::ws::Message;
use bytes::Bytes;
use channel_web::{CustomerState, Hello, Parsed, ServerFrame, Signal, User, Visitor, issue, read};
use protocol::{ChannelKind, Hash128, IdentityId, Language, SubjectToken};
use tokio::time::timeout;
use uuid::Uuid;

use crate::Host;
use crate::limits::{CANARY_ENTRIES_MAX, HELLO_WITHIN, READY_WITHIN, RESUME_ENTRIES_MAX};
use crate::line::{End, Line};
use crate::socket::{Shown, Talk};
use crate::take::Speaker;
use crate::users::NotBelieved;

const STARTING: End = End::TryAgain("starting", "we are just starting: try again in a moment");
const NO_HELLO: End = End::Rule("no_hello", "the first frame has to be hello, soon after connecting");
const UNKNOWN_ACCOUNT: End = End::Rule("unknown_account", "no web account of this name is configured");

const NO_VISITOR: NotBelieved = (
    "no_visitor",
    "send the token of the socket's welcome, or the identity of its hello, as in `Authorization: Bearer v1...`",
);

/// Waits for hello and answers it.
pub(crate) async fn welcome(
    host: &Arc<Host>,
    line: &mut Line,
    account: &str,
    address: IpAddr,
) -> Result<Talk, End> {
    timeout(READY_WITHIN, host.rooms.ready()).await.map_err(|_| STARTING)?;
    let account = SubjectToken::new(account).map_err(|_| UNKNOWN_ACCOUNT)?;
    if !host.rooms.ask(|it| it.has_account(&account)) {
        return Err(UNKNOWN_ACCOUNT);
    }
    let hello = timeout(HELLO_WITHIN, hello(host, line)).await.map_err(|_| NO_HELLO)??;
    let Guest { identity, token, user } = guest(host, &hello, &account)?;
    // Listens before it looks, so that nothing falls between.
    let ear = host.rooms.listen(identity);
    let standing = host.rooms.ask(|it| it.standing(identity));
    let last_seq = standing.map_or(0, |it| it.last_seq);
    let is_canary = identity == host.hasher.canary_identity(ChannelKind::Web, &account);
    let cursor = if is_canary {
        last_seq.saturating_sub(CANARY_ENTRIES_MAX)
    } else {
        first_cursor(hello.after, last_seq)
    };
    let state = standing.map_or_else(CustomerState::default, |it| it.state);
    let conversation = standing.map(|it| it.conversation.to_string());
    let token = token.as_deref();
    line.send(&ServerFrame::Welcome { token, conversation, state, from: cursor + 1 }).await?;
    let language = hello.lang.as_deref().and_then(language);
    let speaker = Speaker { account, identity, address, language, user, is_canary };
    let shown = standing.map(|it| it.conversation);
    Ok(Talk::new(Arc::clone(host), speaker, ear, Shown { conversation: shown, cursor, state, outlook: None }))
}

/// Who says hello.
struct Guest {
    identity: IdentityId,
    /// By what a visitor is known next time; a user is known by what their site says.
    token: Option<String>,
    user: Option<Arc<User>>,
}

/// Whom a site names is that user and nobody else: what this browser was before counts for nothing then.
fn guest(host: &Host, hello: &Hello, account: &SubjectToken) -> Result<Guest, End> {
    if let Some(identity) = &hello.identity {
        let user = host.users.user(account, identity, host.now());
        let user = user.map_err(|(code, words)| End::Rule(code, words))?;
        let identity = identity_of(host, &user.value(), account);
        return Ok(Guest { identity, token: None, user: Some(Arc::new(user)) });
    }
    let sign = |bytes: &[u8]| sign(host, bytes);
    // A token that is not ours, or no longer, makes a new visitor: nobody is locked out by an old page.
    let visitor = hello.token.as_deref().and_then(|token| read(token, account, sign).ok());
    let visitor = visitor.unwrap_or_else(|| Visitor(*Uuid::now_v7().as_bytes()));
    let identity = identity_of(host, &visitor.value(), account);
    Ok(Guest { identity, token: Some(issue(visitor, account, sign)), user: None })
}

/// Whom a token of ours, or what a site signed, names to this account.
pub(crate) fn bearer(host: &Host, said: &str, account: &SubjectToken) -> Result<IdentityId, NotBelieved> {
    // Our tokens begin so and no other one does: it would have to be the head of a JSON object in base64.
    if !said.is_empty() && !said.starts_with("v1.") {
        let user = host.users.user(account, said, host.now())?;
        return Ok(identity_of(host, &user.value(), account));
    }
    let visitor = read(said, account, |bytes| sign(host, bytes)).map_err(|_| NO_VISITOR)?;
    Ok(identity_of(host, &visitor.value(), account))
}

/// A visitor or a user as the log knows them.
fn identity_of(host: &Host, value: &str, account: &SubjectToken) -> IdentityId {
    host.hasher.identity(ChannelKind::Web, account.as_str(), value)
}

/// The language of a tag as in `nl-BE`; a tag that begins otherwise says nothing.
fn language(tag: &str) -> Option<Language> {
    tag.split('-').next()?.to_ascii_lowercase().parse().ok()
}

/// After which entry a socket goes on: a page that has none gets the latest only.
fn first_cursor(after: u64, last_seq: u64) -> u64 {
    if after == 0 { last_seq.saturating_sub(RESUME_ENTRIES_MAX) } else { after }
}

async fn hello(host: &Host, line: &mut Line) -> Result<Hello, End> {
    loop {
        let bytes = match line.next().await? {
            Message::Text(text) => Bytes::from(text),
            Message::Binary(bytes) => bytes,
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => return Err(End::Lost),
        };
        return match host.chat.read(&bytes, |_, _| false) {
            Ok(Parsed::Signal(Signal::Hello(hello))) => Ok(hello),
            Ok(_) => Err(NO_HELLO),
            Err(rejected) => {
                line.send(&ServerFrame::Error { code: rejected.code, words: &rejected.words }).await?;
                Err(NO_HELLO)
            }
        };
    }
}

fn sign(host: &Host, bytes: &[u8]) -> Hash128 {
    host.hasher.visitor_token(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_entries_gets_the_latest_only() {
        assert_eq!(first_cursor(0, 0), 0);
        assert_eq!(first_cursor(0, RESUME_ENTRIES_MAX), 0);
        assert_eq!(first_cursor(0, RESUME_ENTRIES_MAX + 1), 1);
        assert_eq!(first_cursor(7, 5 * RESUME_ENTRIES_MAX), 7);
    }

    #[test]
    fn the_language_of_a_tag_is_its_first_two_letters() {
        let of = |tag| language(tag).map(|language| language.to_string());
        assert_eq!(of("nl"), Some("nl".to_owned()));
        assert_eq!(of("NL-be"), Some("nl".to_owned()));
        for none in ["", "-", "fil", "n", "nl_BE", "é"] {
            assert_eq!(of(none), None, "{none:?}");
        }
    }
}
