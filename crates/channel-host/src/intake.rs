//! From a message that an adapter read to an input in INBOUND: sealed, hashed, durable. What cannot become one is parked.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Deadline, IdHasher, PublishError, Published, SealError, Sealer};
use bytes::Bytes;
use channel::known::{Known, PersonKey};
use channel::{Consent, Content, Inbound, Rejected};
use protocol::canary::{Canary, CanaryStep};
use protocol::customer::CustomerKeys;
use protocol::feedback::score_in;
use protocol::input::{CustomerMessage, Input, InputBody, MessageThread, WIRE_VERSION};
use protocol::limits::CUSTOMER_KEYS_MAX;
use protocol::parked::Parked;
use protocol::privacy::Privacy;
use protocol::streams::INBOUND;
use protocol::subjects::Subjects;
use protocol::{
    ChannelKind, Hash128, IdentityId, Language, MessageId, Millis, ParkedId, Subject, SubjectToken,
};
use service::Kit;
use service::spans::TraceContext;
use uuid::Uuid;

use crate::limits::PUBLISH_WITHIN;
use crate::traced::Traced;

/// Longest that parking something may take.
const PARK_WITHIN: Duration = Duration::from_secs(5);

/// The way into INBOUND. Clones share everything.
#[derive(Clone)]
pub(crate) struct Intake {
    pub(crate) kit: Kit,
    pub(crate) bus: Bus,
    pub(crate) sealer: Sealer,
    pub(crate) hasher: IdHasher,
    pub(crate) subjects: Subjects,
    pub(crate) privacy: Arc<Privacy>,
    pub(crate) traced: Arc<Traced>,
}

/// Why something did not become durable. It may have been all the same, and the same again is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTaken {
    /// The server or the keys are away; fate: retry.
    #[error("the server is away")]
    Unavailable,
    /// INBOUND is full; fate: retry.
    #[error("INBOUND is full")]
    Full,
    /// It is larger than an input may be; fate: refuse or park.
    #[error("it is too large")]
    TooLarge,
    /// A person has to look at the log of this process; fate: retry.
    #[error("something broke on our side")]
    Broken,
}

/// What is taken out of words, as the folder of settings says.
///
/// # Errors
/// When the file has faults; the process does not start then.
pub(crate) fn privacy(kit: &Kit) -> anyhow::Result<Arc<Privacy>> {
    let folder = kit.settings.folder.as_deref();
    service::settings::read_file(folder, protocol::privacy::FILE_NAME, Privacy::faults).map(Arc::new)
}

/// A message and what its account knows of it.
pub(crate) struct Said<'a> {
    pub(crate) channel: ChannelKind,
    pub(crate) account: &'a SubjectToken,
    pub(crate) identity: IdentityId,
    pub(crate) message: MessageId,
    pub(crate) language: Option<Language>,
    pub(crate) thread: Option<Box<MessageThread>>,
    pub(crate) inbound: &'a Inbound,
    /// The customer's own words, without what they quote and sign with; a number in them may answer what they were asked.
    pub(crate) own_words: &'a str,
    /// Below what its trace goes on.
    pub(crate) trace: Option<TraceContext>,
}

impl Intake {
    pub(crate) fn now(&self) -> Millis {
        Millis(self.kit.clock.unix_ms())
    }

    /// Makes a message durable; the same id with the same words is the same message. Other words under it go on to the
    /// core, which parks them: the server must not swallow them as a repetition.
    pub(crate) async fn say(&self, said: Said<'_>) -> Result<Published, NotTaken> {
        let Said { channel, account, identity, message, language, thread, inbound, own_words, trace } = said;
        // What somebody of ours wrote says nothing of the customer to whom it went.
        let customers = Some(inbound).filter(|inbound| inbound.by_colleague.is_none());
        let mut content = inbound.content.clone();
        self.mask(channel, account, &mut content);
        let content = self.bytes_of(&content)?;
        let body = self.seal(identity, &content).await?;
        if identity == self.hasher.canary_identity(channel, account) {
            // It names its round itself, by whatever door it came.
            let message = inbound.provider_id.parse().unwrap_or(message);
            let step = CanaryStep::Wrote { body };
            return self.canary(Canary { message, channel, account: account.clone(), identity, step }).await;
        }
        let provider_hash = self.hasher.provider_id(channel, account, &inbound.provider_id);
        let content_hash = self.hasher.content(&content);
        let message = CustomerMessage {
            message,
            channel,
            account: account.clone(),
            identity,
            provider_hash,
            content_hash,
            sent_at: inbound.sent_at,
            category: customers.and_then(|inbound| inbound.category.clone()),
            replays: None,
            callback: customers.is_some_and(|inbound| inbound.callback),
            language: language.filter(|_| customers.is_some()),
            facts: protocol::facts::FactValues::new(),
            thread,
            automatic: customers.is_some_and(|inbound| inbound.automatic),
            may_write: customers.and_then(|inbound| inbound.consent).map(|consent| consent == Consent::Start),
            keys: customers.and_then(|inbound| self.keys(&inbound.known)).map(Box::new),
            score: customers.and_then(|inbound| score(inbound, own_words)),
            by_colleague: customers.is_none(),
            practice: false,
            body,
        };
        let id = format!("{provider_hash}-{content_hash}");
        let subject = self.subjects.inbound_message(channel, account);
        let published = self.send_below(trace.as_ref(), &subject, &id, InputBody::Message(message)).await?;
        let metrics = &self.kit.metrics;
        metrics.retried_total.add([channel.as_str()], published.retries.into());
        if published.duplicate {
            metrics.duplicates_total.inc([channel.as_str()]);
        } else {
            metrics.messages_received_total.inc([channel.as_str()]);
        }
        Ok(published)
    }

    /// A canary customer came this far as everybody does; from here it is no customer, and counted as none.
    async fn canary(&self, canary: Canary) -> Result<Published, NotTaken> {
        let subject = self.subjects.inbound_message(canary.channel, &canary.account);
        let id = canary.id().to_string();
        self.send(&subject, &id, InputBody::Canary(canary)).await
    }

    /// What its customer is known by, hashed; `None` if by nothing.
    fn keys(&self, known: &[Known]) -> Option<CustomerKeys> {
        let hashed = |verified: bool| -> Vec<Hash128> {
            let those = known.iter().filter(|one| one.verified == verified);
            let hash = |one: &Known| match &one.by {
                PersonKey::Email(address) => self.hasher.person("email", address),
                PersonKey::Phone(number) => self.hasher.person("phone", number),
                PersonKey::Account(id) => self.hasher.person("account", id),
            };
            those.take(CUSTOMER_KEYS_MAX).map(hash).collect()
        };
        let keys = CustomerKeys { verified: hashed(true), claimed: hashed(false) };
        (!keys.is_empty()).then_some(keys)
    }

    /// Takes out of words what nobody should have, before anything is made of them.
    pub(crate) fn mask(&self, channel: ChannelKind, account: &SubjectToken, content: &mut Content) {
        for kind in self.privacy.mask_of(channel, account).content(content) {
            self.kit.metrics.masked_total.inc([channel.as_str(), kind.name()]);
        }
    }

    pub(crate) fn bytes_of(&self, content: &Content) -> Result<Vec<u8>, NotTaken> {
        serde_json::to_vec(content).map_err(|error| broken("write the content", &error))
    }

    pub(crate) async fn seal(
        &self,
        identity: IdentityId,
        content: &[u8],
    ) -> Result<protocol::content::Sealed, NotTaken> {
        self.sealer.seal(identity, content).await.map_err(|error| match error {
            SealError::Unavailable(_) => NotTaken::Unavailable,
            SealError::TooLarge => NotTaken::TooLarge,
            SealError::WrongMasterKey | SealError::NoRandom => broken("seal a message", &error),
        })
    }

    /// Makes an input durable; the same id again within the server's window is the same input, and beyond it the core knows.
    pub(crate) async fn send(
        &self,
        subject: &Subject,
        id: &str,
        body: InputBody,
    ) -> Result<Published, NotTaken> {
        self.send_below(None, subject, id, body).await
    }

    /// As [`Intake::send`], of what is traced.
    pub(crate) async fn send_below(
        &self,
        above: Option<&TraceContext>,
        subject: &Subject,
        id: &str,
        body: InputBody,
    ) -> Result<Published, NotTaken> {
        let span = self.traced.sending(INBOUND, above);
        let input = Input { v: WIRE_VERSION, made_at: self.now(), body };
        let bytes = serde_json::to_vec(&input).map_err(|error| broken("write an input", &error))?;
        let deadline = Deadline::after(PUBLISH_WITHIN);
        let trace = span.context();
        let published =
            self.bus.publish_traced(subject, id, Bytes::from(bytes), trace.as_ref(), deadline).await;
        published.map_err(|error| not_taken("store an input", &error))
    }

    /// Keeps bytes that cannot become an input for a person to look at.
    pub(crate) async fn park(
        &self,
        channel: ChannelKind,
        account: &SubjectToken,
        rejected: &Rejected,
        bytes: &[u8],
    ) -> Result<(), NotTaken> {
        let id = ParkedId(Uuid::now_v7());
        let identity = self.hasher.identity(channel, "parked", &id.to_string());
        let parked = Parked {
            v: protocol::formats::FIRST,
            id,
            at: self.now(),
            channel: Some(channel),
            account: Some(account.clone()),
            reason: rejected.code.to_owned(),
            detail: rejected.words.clone(),
            inbound_seq: None,
            replays: None,
            bytes: self.seal(identity, bytes).await?,
        };
        let payload = serde_json::to_vec(&parked).map_err(|error| broken("write what is parked", &error))?;
        // The same bytes for the same reason within the server's window are kept once.
        let msg_id = format!("{channel}-{account}-{}", self.hasher.content(bytes));
        let deadline = Deadline::after(PARK_WITHIN);
        let kept = self.bus.publish_durable(&self.subjects.parked(), &msg_id, payload.into(), deadline).await;
        kept.map_err(|error| not_taken("park what came in", &error))?;
        tracing::warn!(%channel, %account, reason = rejected.code, "parked what came in");
        Ok(())
    }
}

/// The number that a message is, if it is nothing else. What is set within a mail, as a signature's picture, is no file that somebody sends.
fn score(inbound: &Inbound, own_words: &str) -> Option<u8> {
    let asks_something = inbound.automatic || inbound.callback || inbound.consent.is_some();
    let has_files = inbound.content.attachments.iter().any(|file| !file.inline);
    score_in(own_words).filter(|_| !asks_something && !has_files)
}

fn not_taken(what: &'static str, error: &PublishError) -> NotTaken {
    match error {
        PublishError::Full => NotTaken::Full,
        PublishError::Unavailable(_) | PublishError::NotYet(_) => NotTaken::Unavailable,
        PublishError::TooLarge => NotTaken::TooLarge,
        PublishError::Refused(_) => broken(what, error),
    }
}

/// Whoever sent it keeps it and is told; a person has to look at why.
fn broken(what: &'static str, error: &dyn std::fmt::Display) -> NotTaken {
    tracing::error!(%error, what, "failed to take a message");
    NotTaken::Broken
}

#[cfg(test)]
mod tests {
    use protocol::content::Attachment;

    use super::*;

    #[test]
    fn only_a_number_alone_answers_a_question() {
        let file = |inline| Attachment {
            object: Hash128([1; 16]),
            name: "a.png".to_owned(),
            media_type: "image/png".to_owned(),
            bytes: 5,
            inline,
        };
        let with = |inline| Content { attachments: vec![file(inline)], ..Content::words("4") };
        let of = |inbound: Inbound| score(&inbound, &inbound.content.text);
        let said = |words: &str| Inbound { content: Content::words(words), ..Inbound::default() };
        assert_eq!(of(said(" 4. ")), Some(4));
        assert_eq!(of(said("4 parcels")), None);
        assert_eq!(of(Inbound { content: with(true), ..said("4") }), Some(4), "the logo of a signature");
        assert_eq!(of(Inbound { content: with(false), ..said("4") }), None);
        assert_eq!(of(Inbound { automatic: true, ..said("4") }), None);
        assert_eq!(of(Inbound { callback: true, ..said("4") }), None);
        assert_eq!(of(Inbound { consent: Some(Consent::Stop), ..said("4") }), None);
    }
}
