//! From what a customer said to an input in INBOUND, in the order in which it was said.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bus::{Published, RoomLevel};
use channel_web::{Inbound, ServerFrame, Thanks, User};
use protocol::content::{Content, Sealed};
use protocol::input::InputBody;
use protocol::remedy::EmpowermentInput;
use protocol::{ChannelKind, IdentityId, Language, MessageId, NoticeId, SubjectToken};
use service::rate::RetryAfter;
use service::spans::Kind;
use tokio::sync::mpsc;
use tokio::time::Instant;
use uuid::Uuid;

use crate::Host;
use crate::intake::{NotTaken, Said};
use crate::limits::{RETRY_AFTER_MS, RETRY_NEW_AFTER_MS};

/// For how much longer than asked a page may take to send the held message again, before later ones pass it.
const HOLD_GRACE: Duration = Duration::from_secs(5);

/// Something to be made durable.
pub(crate) enum Work {
    Say(Words),
    /// Said past a rate: it is refused in its turn, and later ones do not overtake it.
    HoldBack(Words, Refusal),
    Leave,
    Person,
    Thank(Thanks),
}

/// A message and its id.
pub(crate) struct Words {
    pub(crate) message: MessageId,
    pub(crate) inbound: Inbound,
}

/// Whose words are taken.
#[derive(Clone)]
pub(crate) struct Speaker {
    pub(crate) account: SubjectToken,
    pub(crate) identity: IdentityId,
    pub(crate) address: IpAddr,
    /// Who their site says that they are.
    pub(crate) user: Option<Arc<User>>,
    /// What the page speaks, if it says so in two letters.
    pub(crate) language: Option<Language>,
    /// Whether they are the account's canary customer.
    pub(crate) is_canary: bool,
}

/// Why something was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    code: &'static str,
    words: &'static str,
    /// When it may be sent again as it is; `None` if it never will be taken.
    retry_after_ms: Option<u64>,
}

impl Refusal {
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    pub(crate) fn after(self, wait: RetryAfter) -> Self {
        Self { retry_after_ms: Some(wait.seconds() * 1000), ..self }
    }
}

/// A visitor sends faster than they may.
pub(crate) const TOO_FAST: Refusal = Refusal {
    code: "too_many_frames",
    words: "that was too fast: it is sent again in a moment",
    retry_after_ms: Some(RETRY_AFTER_MS),
};
/// All visitors of an address together send more than they may.
pub(crate) const NETWORK_BUSY: Refusal = Refusal {
    code: "network_busy",
    words: "much was sent from this network just now: it is sent again in a moment",
    retry_after_ms: Some(RETRY_AFTER_MS),
};

const UNAVAILABLE: Refusal = Refusal {
    code: "unavailable",
    words: "it could not be stored just now: it is sent again in a moment",
    retry_after_ms: Some(RETRY_AFTER_MS),
};
const INBOUND_FULL: Refusal = Refusal {
    code: "inbound_full",
    words: "there is no room for it just now: it is sent again in a moment",
    retry_after_ms: Some(RETRY_NEW_AFTER_MS),
};
const TOO_MANY_NEW: Refusal = Refusal {
    code: "too_many_new",
    words: "many conversations were begun from this network just now: it is sent again in a moment",
    retry_after_ms: Some(RETRY_AFTER_MS),
};
const TOO_LARGE: Refusal =
    Refusal { code: "text_too_long", words: "it is too long: shorten or split it", retry_after_ms: None };
const FILE_GONE: Refusal = Refusal {
    code: "file_gone",
    words: "a file of it waited for too long and is gone: attach it again",
    retry_after_ms: None,
};
const NOBODY_TO_THANK: Refusal =
    Refusal { code: "nobody_to_thank", words: "nobody has helped here yet", retry_after_ms: None };
const BROKEN: Refusal =
    Refusal { code: "internal", words: "something broke on our side: try again later", retry_after_ms: None };

/// Works through what a socket said, until the socket is gone; answers go back as frames.
pub(crate) struct Taker {
    host: Arc<Host>,
    speaker: Speaker,
    answers: mpsc::Sender<String>,
    /// A message that has to come again, and until when later ones wait for it.
    held: Option<(MessageId, Refusal, Instant)>,
}

impl Taker {
    pub(crate) fn new(host: Arc<Host>, speaker: Speaker, answers: mpsc::Sender<String>) -> Self {
        Self { host, speaker, answers, held: None }
    }

    /// Ends when the socket is gone and all that it said before is worked through.
    pub(crate) async fn run(mut self, mut work: mpsc::Receiver<Work>) {
        while let Some(work) = work.recv().await {
            let answer = match work {
                Work::Say(said) => Some(self.say(&said).await),
                Work::HoldBack(said, refusal) => Some(self.hold_back(&said, refusal)),
                Work::Leave => self.leave().await,
                Work::Person => self.person().await,
                Work::Thank(thanks) => Some(self.thank(&thanks).await),
            };
            if let Some(answer) = answer
                && self.answers.send(answer).await.is_err()
            {
                tracing::debug!("a socket was gone before its answer; its page asks again");
            }
        }
    }

    async fn say(&mut self, said: &Words) -> String {
        let outcome = match self.must_wait(said.message) {
            Some(refusal) => Err(refusal),
            None => self.take(said).await,
        };
        match outcome {
            Err(refusal) => refuse(&self.host, said.message, refusal),
            Ok(_) => ServerFrame::Taken { id: &said.inbound.provider_id }.to_json(),
        }
    }

    fn hold_back(&mut self, said: &Words, refusal: Refusal) -> String {
        let refusal = self.must_wait(said.message).unwrap_or_else(|| {
            self.hold(said.message, refusal);
            refusal
        });
        refuse(&self.host, said.message, refusal)
    }

    /// While an earlier message has to come again, later ones do not overtake it.
    fn must_wait(&mut self, message: MessageId) -> Option<Refusal> {
        let (held, refusal, until) = self.held?;
        if held == message || Instant::now() >= until {
            self.held = None;
            return None;
        }
        Some(refusal)
    }

    async fn take(&mut self, said: &Words) -> Result<Published, Refusal> {
        let outcome = match self.may_say() {
            Ok(()) => self.publish(said).await,
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = outcome {
            self.hold(said.message, refusal);
        }
        outcome
    }

    async fn publish(&self, said: &Words) -> Result<Published, Refusal> {
        let Speaker { account, identity, language, user, .. } = &self.speaker;
        self.settle(&said.inbound.content).await?;
        let named = user.as_ref().map(|user| named(&said.inbound, user));
        let inbound = named.as_ref().unwrap_or(&said.inbound);
        let span = self.host.intake.traced.came("chat message", Kind::Server);
        let said = Said {
            channel: ChannelKind::Web,
            account,
            identity: *identity,
            message: said.message,
            language: *language,
            thread: None,
            inbound,
            own_words: &inbound.content.text,
            trace: span.context(),
        };
        self.host.intake.say(said).await.map_err(refusal_of)
    }

    /// Makes the files of a message those that are kept, before anybody hears of them.
    async fn settle(&self, content: &Content) -> Result<(), Refusal> {
        for file in &content.attachments {
            match self.host.unsent.settle(file.object).await {
                Ok(true) => {}
                Ok(false) => return Err(FILE_GONE),
                Err(error) => {
                    tracing::warn!(%error, "failed to keep a file of a message; its page sends it again");
                    return Err(UNAVAILABLE);
                }
            }
        }
        Ok(())
    }

    fn hold(&mut self, message: MessageId, refusal: Refusal) {
        if let Some(wait) = refusal.retry_after_ms {
            self.held = Some((message, refusal, Instant::now() + Duration::from_millis(wait) + HOLD_GRACE));
        }
    }

    /// A message that asks for an agent anew needs more room, and an allowance of its address.
    fn may_say(&self) -> Result<(), Refusal> {
        let level = self.host.bus.room().level();
        if level == RoomLevel::NothingOfCustomers {
            return Err(INBOUND_FULL);
        }
        let (identity, address) = (self.speaker.identity, self.speaker.address);
        self.host.rooms.begin(identity, || {
            if level != RoomLevel::All {
                return Err(INBOUND_FULL);
            }
            // It begins nothing, and shares its address with others of ours.
            if self.speaker.is_canary {
                return Ok(());
            }
            self.host.beginnings.check(&address).map_err(|wait| TOO_MANY_NEW.after(wait))
        })
    }

    async fn leave(&self) -> Option<String> {
        let refusal = self.try_leave().await.err()?;
        self.host.refused(refusal.code);
        Some(
            ServerFrame::Error { code: refusal.code, words: "leaving was not noted: try again in a moment" }
                .to_json(),
        )
    }

    async fn try_leave(&self) -> Result<(), Refusal> {
        if self.host.bus.room().level() == RoomLevel::NothingOfCustomers {
            return Err(INBOUND_FULL);
        }
        let Speaker { account, identity, .. } = &self.speaker;
        let id = NoticeId(Uuid::now_v7());
        let body = InputBody::CustomerLeft { id, identity: *identity };
        let subject = self.host.subjects.inbound_message(ChannelKind::Web, account);
        self.host.intake.send(&subject, &id.to_string(), body).await.map_err(refusal_of)?;
        self.host.rooms.left(*identity);
        Ok(())
    }

    async fn person(&self) -> Option<String> {
        let refusal = self.try_person().await.err()?;
        self.host.refused(refusal.code);
        let words = "asking for a person was not noted: try again in a moment";
        Some(ServerFrame::Error { code: refusal.code, words }.to_json())
    }

    async fn try_person(&self) -> Result<(), Refusal> {
        if self.host.bus.room().level() == RoomLevel::NothingOfCustomers {
            return Err(INBOUND_FULL);
        }
        let Speaker { account, identity, .. } = &self.speaker;
        let id = NoticeId(Uuid::now_v7());
        let body = InputBody::PersonWanted { id, identity: *identity };
        let subject = self.host.subjects.inbound_message(ChannelKind::Web, account);
        self.host.intake.send(&subject, &id.to_string(), body).await.map(drop).map_err(refusal_of)
    }

    async fn thank(&self, thanks: &Thanks) -> String {
        match self.try_thank(thanks).await {
            Ok(_) => ServerFrame::Taken { id: &thanks.id.to_string() }.to_json(),
            Err(refusal) => refuse(&self.host, thanks.id, refusal),
        }
    }

    async fn try_thank(&self, thanks: &Thanks) -> Result<Published, Refusal> {
        if self.host.bus.room().level() == RoomLevel::NothingOfCustomers {
            return Err(INBOUND_FULL);
        }
        let identity = self.speaker.identity;
        if self.host.rooms.ask(|it| it.standing(identity)).is_none() {
            return Err(NOBODY_TO_THANK);
        }
        let words = match &thanks.words {
            Some(words) => {
                let mut words = words.clone();
                self.host.intake.mask(ChannelKind::Web, &self.speaker.account, &mut words);
                Some(self.seal(identity, &words).await.map_err(refusal_of)?)
            }
            None => None,
        };
        // The page's own id, so that the same thanks again are the same.
        let id = NoticeId(thanks.id.0);
        let body = InputBody::Empowerment(EmpowermentInput::Thanks { id, identity, words });
        let subject = self.host.subjects.inbound_empowerment();
        self.host.intake.send(&subject, &id.to_string(), body).await.map_err(refusal_of)
    }

    async fn seal(&self, identity: IdentityId, words: &Content) -> Result<Sealed, NotTaken> {
        let intake = &self.host.intake;
        intake.seal(identity, &intake.bytes_of(words)?).await
    }
}

/// A message with what the user's site says of who wrote it, before what they only say themselves.
fn named(said: &Inbound, user: &User) -> Inbound {
    let mut named = said.clone();
    let claimed = std::mem::take(&mut named.known);
    named.known.clone_from(&user.known);
    named.known.extend(claimed.into_iter().filter(|one| user.known.iter().all(|known| known.by != one.by)));
    named.content.name = user.name.clone().or(named.content.name);
    named
}

/// Tells a page that something was not taken.
pub(crate) fn refuse(host: &Host, id: MessageId, refusal: Refusal) -> String {
    host.refused(refusal.code);
    let Refusal { code, words, retry_after_ms } = refusal;
    ServerFrame::Refused { id: &id.to_string(), code, words, retry_after_ms }.to_json()
}

/// The page keeps its words until they are taken, and is told why they are not.
fn refusal_of(why: NotTaken) -> Refusal {
    match why {
        NotTaken::Unavailable => UNAVAILABLE,
        NotTaken::Full => INBOUND_FULL,
        NotTaken::TooLarge => TOO_LARGE,
        NotTaken::Broken => BROKEN,
    }
}
