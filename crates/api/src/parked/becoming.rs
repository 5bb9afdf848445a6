//! What something parked would become if it were replayed now, told before anybody does so.

use protocol::content::Content;
use protocol::input::CustomerMessage;
use protocol::parked::Parked;
use protocol::record::ParkReason;
use protocol::{ChannelKind, SubjectToken};
use serde::Serialize;
use service::Problem;

use super::replay::{message_in, replayable};
use super::unsealed;
use crate::{Api, message, problems};

/// What a replay would make of it.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(tag = "is", rename_all = "snake_case")]
#[schemars(rename = "ParkedBecomes")]
pub(crate) enum Becomes {
    /// A customer's message.
    Message {
        /// The channel it came by.
        channel: ChannelKind,
        /// The account it came by.
        account: SubjectToken,
        /// Its sender, as they call themselves, where the bytes tell.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// What it is about, if it says so.
        #[serde(skip_serializing_if = "Option::is_none")]
        category: Option<SubjectToken>,
        /// Whether it is practice.
        practice: bool,
        /// Whether it becomes a message of its own, since others came under its id.
        own: bool,
    },
    /// Nothing: the replay would be refused, or be parked again.
    Nothing {
        /// A word for machines.
        code: String,
        /// What is wrong.
        title: String,
        /// What to do.
        detail: String,
    },
}

impl From<Problem> for Becomes {
    fn from(problem: Problem) -> Self {
        Self::Nothing { code: problem.code.to_owned(), title: problem.title, detail: problem.detail }
    }
}

/// What it would become, and the words in it, if they can be opened.
///
/// # Errors
/// When that cannot be told now.
pub(super) async fn of(
    api: &Api,
    parked: &Parked,
    bytes: &[u8],
) -> Result<(Becomes, Option<Content>), Problem> {
    if let Err(problem) = replayable(parked) {
        return Ok((problem.into(), None));
    }
    if parked.inbound_seq.is_none() {
        return match message::look(api, bytes, parked.at) {
            Ok(looked) => {
                let (account, category, practice) = (looked.account, looked.category, looked.practice);
                let (channel, from) = (ChannelKind::Api, Some(looked.from));
                let becomes = Becomes::Message { channel, account, from, category, practice, own: false };
                Ok((becomes, Some(looked.content)))
            }
            Err(problem) if problem.status.is_server_error() => Err(problem),
            Err(problem) => Ok((problem.into(), None)),
        };
    }
    match message_in(bytes) {
        Ok(message) => stored(api, parked, message).await,
        Err(problem) => Ok((problem.into(), None)),
    }
}

/// Of a message that had come as far as INBOUND.
async fn stored(
    api: &Api,
    parked: &Parked,
    message: CustomerMessage,
) -> Result<(Becomes, Option<Content>), Problem> {
    let words = match api.sealer.unseal(&message.body).await {
        Ok(words) => words,
        Err(error) => {
            let problem = unsealed(&error);
            return if problem.status.is_server_error() { Err(problem) } else { Ok((problem.into(), None)) };
        }
    };
    let content = serde_json::from_slice(&words).ok();
    let CustomerMessage { channel, account, category, practice, .. } = message;
    let in_force = api.floor.in_force().ok_or_else(problems::starting)?;
    let mut accounts = in_force.config.accounts.iter();
    if !accounts.any(|one| one.channel == channel && one.name == account) {
        let detail = format!("configure the account {account} of the channel {channel}, and replay it then");
        let (title, code) = ("its account is not configured".to_owned(), "unknown_account".to_owned());
        return Ok((Becomes::Nothing { code, title, detail }, content));
    }
    let own = parked.reason == ParkReason::ContentDiffers.as_str();
    Ok((Becomes::Message { channel, account, from: None, category, practice, own }, content))
}
