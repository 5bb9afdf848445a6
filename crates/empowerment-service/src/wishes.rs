//! The worker's wishes of routing: put into INBOUND under ids that are the same at every try.

use std::time::Duration;

use bus::{Bus, Deadline, PublishError, Sealer};
use empowerment_core::{Outstanding, TellWords, fill, with_code};
use protocol::content::{Content, Sealed};
use protocol::input::WIRE_VERSION;
use protocol::limits::TEXT_BYTES_MAX;
use protocol::remedy::Wish;
use protocol::subjects::Subjects;
use protocol::{IdentityId, Input, InputBody, Millis};
use service::spans::TraceContext;
use service::{Clock, failpoint};

use crate::Role;
use crate::orders::open_words;

/// What words begin with that are only practised.
const PRACTICE: &str = "(practice) ";
/// For how long one try goes on.
const PUBLISH_WITHIN: Duration = Duration::from_secs(10);

/// Whoever puts wishes into INBOUND.
pub(crate) struct Wishes {
    bus: Bus,
    subjects: Subjects,
    sealer: Sealer,
    clock: Clock,
}

/// The words or the place for them could not be had now; fate: retry.
#[derive(Debug)]
struct Away;

impl Wishes {
    pub(crate) fn new(role: &Role) -> Self {
        Self {
            bus: role.bus.clone(),
            subjects: role.subjects.clone(),
            sealer: role.sealer.clone(),
            clock: role.kit.clock.clone(),
        }
    }

    /// Gives whether it stands in INBOUND; if not, it is to be tried again.
    pub(crate) async fn publish(&self, item: Outstanding, trace: Option<&TraceContext>) -> bool {
        let Ok(Some((msg_id, wish))) = self.wish(item).await else { return false };
        let is_telling = matches!(wish, Wish::Tell { .. });
        let made_at = Millis(self.clock.unix_ms());
        let input = Input { v: WIRE_VERSION, made_at, body: InputBody::Wish(wish) };
        let payload = match serde_json::to_vec(&input) {
            Ok(payload) => payload.into(),
            Err(error) => {
                tracing::error!(%error, "a wish does not write");
                return false;
            }
        };
        let deadline = Deadline::after(PUBLISH_WITHIN);
        match self.bus.publish_traced(&self.subjects.inbound_wish(), &msg_id, payload, trace, deadline).await
        {
            Ok(_) => {
                if is_telling {
                    failpoint::hit("empowerment.after_tell_before_told");
                }
                true
            }
            Err(error @ (PublishError::Full | PublishError::Unavailable(_) | PublishError::NotYet(_))) => {
                tracing::warn!(%error, "a wish is tried again");
                false
            }
            Err(error @ (PublishError::TooLarge | PublishError::Refused(_))) => {
                tracing::error!(%error, wish = msg_id, "a wish is not taken");
                false
            }
        }
    }

    /// The wish and its id; `None` for what is none.
    async fn wish(&self, item: Outstanding) -> Result<Option<(String, Wish)>, Away> {
        Ok(match item {
            Outstanding::PlaceOrder { .. } => None,
            Outstanding::Tell {
                tell,
                conversation,
                contact,
                identity,
                agent,
                message,
                remedy,
                words,
                practice,
            } => {
                failpoint::hit("empowerment.after_answer_before_tell");
                let body = self.body(identity, words, practice).await?;
                let wish = Wish::Tell { tell, conversation, contact, agent, remedy, message, body };
                Some((format!("wish-{tell}"), wish))
            }
            Outstanding::AskFor { ask, round, whom, queue, but } => {
                Some((format!("wish-{ask}-{round}"), Wish::AskFor { ask, round, whom, queue, but }))
            }
            Outstanding::Risk { tell, conversation, until } => {
                Some((format!("wish-risk-{tell}"), Wish::Risk { tell, conversation, until }))
            }
        })
    }

    /// What the customer reads, sealed with their key.
    async fn body(&self, identity: IdentityId, words: TellWords, practice: bool) -> Result<Sealed, Away> {
        let mut text = match words {
            // Nobody can read them any more: the customer was erased since, and the entry stays without words.
            TellWords::Own { words, money, due, code } => {
                let own = open_words(&self.sealer, &words).await.map_err(|()| Away)?.unwrap_or_default();
                let code = match code {
                    Some(code) => open_words(&self.sealer, &code).await.map_err(|()| Away)?,
                    None => None,
                };
                with_code(&fill(&own, money, due), code.as_deref())
            }
            TellWords::Policy { words, code: None } => with_code(&words, None),
            TellWords::Policy { words, code: Some(code) } => {
                let code = open_words(&self.sealer, &code).await.map_err(|()| Away)?;
                with_code(&words, code.as_deref())
            }
        };
        if practice {
            text.insert_str(0, PRACTICE);
        }
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        let content = serde_json::to_vec(&Content::words(text)).map_err(|_| Away)?;
        self.sealer.seal(identity, &content).await.map_err(|error| {
            tracing::warn!(%error, "failed to seal a message to a customer; it is tried again");
            Away
        })
    }
}
