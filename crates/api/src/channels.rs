//! `/api/v1/channels`: how accounts of channels are reached. Their secrets come in and never go out.
//!
//! Whether an account can be used is known by the role that runs the channels: it is asked before anything is stored.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bus::{ChannelAccount, Deadline, KvError, SealError, UnsealError};
use protocol::audit::{About, Action};
use protocol::channels::{
    CHANNEL_ACCOUNTS_MAX, CHANNELS, ChannelChecked, ChannelFinding, ChannelQuestion, SETTINGS_BYTES_MAX,
    Secrets, Settings, part,
};
use protocol::config::ConfigFault;
use protocol::{ChannelKind, Millis, SubjectToken};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::Problem;
use service::http::read_json;

use crate::door::Caller;
use crate::{Api, Shared, problems, publish, trail};

/// How long an account is tried.
const TRIES_WITHIN: Duration = Duration::from_secs(50);
/// How long it takes to read its settings.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// An account as it is set up.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "ChannelAccount")]
pub(crate) struct Shown {
    channel: ChannelKind,
    name: SubjectToken,
    /// How it is reached; where a secret is, it says `set`.
    settings: Settings,
    revision: u64,
}

/// All of them.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "ChannelAccounts")]
pub(crate) struct All {
    channels: Vec<Shown>,
}

/// How an account is to be reached.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewChannelAccount")]
pub(crate) struct New {
    /// As in `channels.toml`, with each secret as a text; one that says `set` stays as it is.
    settings: Settings,
}

/// What is to be tried.
#[derive(Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ChannelAccountTried")]
pub(crate) struct Tried {
    /// As for a change; absent: what is stored.
    #[serde(default)]
    settings: Option<Settings>,
    /// False only reads the settings.
    #[serde(default = "yes")]
    tries: bool,
}

fn yes() -> bool {
    true
}

/// The version that is stored now.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "ChannelAccountStored")]
pub(crate) struct Stored {
    revision: u64,
}

/// What came of it.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "ChannelFindings")]
pub(crate) struct Findings {
    findings: Vec<ChannelFinding>,
}

pub(crate) async fn list(State(api): State<Shared>) -> Result<Json<All>, Problem> {
    let mut found = all(&api).await?;
    found.sort_by(|one, other| (one.channel, &one.name).cmp(&(other.channel, &other.name)));
    let channels = found.into_iter().map(|one| Shown {
        channel: one.channel,
        name: one.name,
        settings: one.row.settings,
        revision: one.revision,
    });
    Ok(Json(All { channels: channels.collect() }))
}

pub(crate) async fn put(
    State(api): State<Shared>,
    Path(named): Path<(String, String)>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Stored>, Problem> {
    let New { settings } = read_json(&read(&api, body)?)?;
    let (channel, name) = account(&named)?;
    is_theirs(&api, &caller, channel, &name)?;
    let present = stored(&api, channel, &name).await?;
    if present.is_none() && all(&api).await?.len() >= CHANNEL_ACCOUNTS_MAX {
        let detail = format!("take one away that nobody uses: at most {CHANNEL_ACCOUNTS_MAX} are set up");
        return Err(problems::unprocessable("too_many_accounts", "there are too many accounts", detail));
    }
    let question = question(&api, (channel, &name), present.as_ref(), Some(settings), false).await?;
    checked(&api, &question).await?;
    // Nothing of it is another one: an account that begins anew signs in anew and forgets how it stood.
    if let Some(present) = &present
        && is_same(&api, present, &question).await?
    {
        return Ok(Json(Stored { revision: present.revision }));
    }
    note(&api, &caller, channel, &name).await?;
    let revision = present.map(|present| present.revision);
    let revision = api
        .channels
        .store(channel, &name, &question.row, revision)
        .await
        .map_err(|error| not_stored(&error))?;
    tracing::info!(%channel, account = %name, by = caller.id(), "an account of a channel was set up");
    Ok(Json(Stored { revision }))
}

pub(crate) async fn remove(
    State(api): State<Shared>,
    Path(named): Path<(String, String)>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    let (channel, name) = account(&named)?;
    is_theirs(&api, &caller, channel, &name)?;
    if stored(&api, channel, &name).await?.is_some() {
        note(&api, &caller, channel, &name).await?;
        api.channels.remove(channel, &name).await.map_err(|error| not_stored(&error))?;
        tracing::info!(%channel, account = %name, by = caller.id(), "an account of a channel was taken away");
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn check(
    State(api): State<Shared>,
    Path(named): Path<(String, String)>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Findings>, Problem> {
    let bytes = read(&api, body)?;
    let Tried { settings, tries } =
        if bytes.is_empty() { Tried { settings: None, tries: true } } else { read_json(&bytes)? };
    let (channel, name) = account(&named)?;
    if tries {
        is_theirs(&api, &caller, channel, &name)?;
    }
    let present = stored(&api, channel, &name).await?;
    let question = question(&api, (channel, &name), present.as_ref(), settings, tries).await?;
    Ok(Json(Findings { findings: checked(&api, &question).await?.findings }))
}

/// Where an account's secrets are shown.
fn places(settings: &Settings) -> [Option<&Value>; 7] {
    let token_url = settings.get("oauth").and_then(|oauth| oauth.get("token_url"));
    let [address, user, imap, smtp, url, in_the_clear] =
        ["address", "user", "imap", "smtp", "url", "in_the_clear"].map(|key| settings.get(key));
    [address, user, imap, smtp, url, in_the_clear, token_url]
}

/// What would stand in CHANNELS, as a question to who runs the channels.
async fn question(
    api: &Api,
    (channel, name): (ChannelKind, &SubjectToken),
    present: Option<&ChannelAccount>,
    settings: Option<Settings>,
    tries: bool,
) -> Result<ChannelQuestion, Problem> {
    let row = match (settings, present) {
        (None, None) => return Err(not_set_up()),
        (None, Some(present)) => present.row.clone(),
        (Some(settings), present) => {
            let kept = match present {
                // A secret stays only where it was meant to go: whoever names another server says it again.
                Some(present) if places(&present.row.settings) == places(&settings) => {
                    api.channels.secrets(&present.row).await.map_err(|error| not_opened(&error))?
                }
                Some(_) | None => Secrets::new(),
            };
            let (settings, secrets) = part(settings, &kept).map_err(|faults| faulty(&faults))?;
            let now = Millis(api.kit.clock.unix_ms());
            api.channels
                .sealed(channel, name, (settings, &secrets), now)
                .await
                .map_err(|error| not_sealed(&error))?
        }
    };
    if publish::json(&row)?.len() > SETTINGS_BYTES_MAX {
        let detail = format!("use at most {SETTINGS_BYTES_MAX} bytes in all");
        return Err(problems::unprocessable("settings_too_large", "the settings are too large", detail));
    }
    Ok(ChannelQuestion { channel, name: name.clone(), row, tries })
}

async fn is_same(api: &Api, present: &ChannelAccount, question: &ChannelQuestion) -> Result<bool, Problem> {
    if present.row.settings != question.row.settings {
        return Ok(false);
    }
    let secrets = async |row| api.channels.secrets(row).await.map_err(|error| not_opened(&error));
    Ok(secrets(&present.row).await? == secrets(&question.row).await?)
}

/// Asks who runs the channels; gives what they found if the account can be used.
async fn checked(api: &Api, question: &ChannelQuestion) -> Result<ChannelChecked, Problem> {
    let within = if question.tries { TRIES_WITHIN } else { READ_WITHIN };
    let bytes = publish::json(question)?.into();
    let answer = api.bus.request(&api.subjects.channel_check(), bytes, Deadline::after(within)).await;
    let answer = answer.map_err(|error| {
        tracing::warn!(%error, "who runs the channels did not look at an account");
        Problem::unavailable("channels_silent", "the role channels does not answer now")
    })?;
    let checked: ChannelChecked = serde_json::from_slice(&answer).map_err(|error| {
        tracing::error!(%error, "what was found of an account does not read");
        Problem::internal()
    })?;
    if checked.faults.is_empty() { Ok(checked) } else { Err(faulty(&checked.faults)) }
}

/// Who supervises some queues sets up the accounts that lead into them.
fn is_theirs(api: &Api, caller: &Caller, channel: ChannelKind, name: &SubjectToken) -> Result<(), Problem> {
    let Some(giver) = caller.giver() else { return Ok(()) };
    let in_force = api.floor.in_force().ok_or_else(problems::starting)?;
    let mut known = in_force.config.accounts.iter();
    let queue = known.find(|one| one.channel == channel && one.name == *name).map(|one| &one.queue);
    match queue {
        Some(queue) if giver.has(queue) => Ok(()),
        None if giver.scope.is_empty() => Ok(()),
        Some(_) | None => Err(problems::beyond_you()),
    }
}

async fn all(api: &Api) -> Result<Vec<ChannelAccount>, Problem> {
    api.channels.all().await.map_err(|error| {
        tracing::warn!(%error, "failed to read the accounts of channels");
        problems::bus_unavailable()
    })
}

async fn stored(
    api: &Api,
    channel: ChannelKind,
    name: &SubjectToken,
) -> Result<Option<ChannelAccount>, Problem> {
    api.channels.get(channel, name).await.map_err(|error| not_stored(&error))
}

fn account((channel, name): &(String, String)) -> Result<(ChannelKind, SubjectToken), Problem> {
    let kind = CHANNELS.into_iter().find(|kind| kind.as_str() == channel);
    kind.zip(SubjectToken::new(name).ok()).ok_or_else(|| {
        let detail =
            "use /channels/<email, instagram, messenger, sms, telegram, web, webhook or whatsapp>/<a name of A-Z a-z 0-9 _ and ->";
        Problem::new(StatusCode::NOT_FOUND, "unknown_channel", "there is no such channel or name", detail)
    })
}

fn read(api: &Api, body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    body.map_err(|rejection| problems::body(&rejection, api.kit.settings.limits.body_max_bytes))
}

/// Written down before it happens.
async fn note(api: &Api, caller: &Caller, channel: ChannelKind, name: &SubjectToken) -> Result<(), Problem> {
    trail::note(api, caller, Action::ChannelChanged, About::id(format!("{channel}/{name}"))).await
}

fn faulty(faults: &[ConfigFault]) -> Problem {
    let detail = "nothing changed; correct all of `faults` and send it again";
    let faults = serde_json::to_value(faults).unwrap_or_default();
    problems::unprocessable("channel_faulty", "the account cannot be used so", detail).with("faults", faults)
}

fn not_set_up() -> Problem {
    let detail = "set it up with PUT first, or send its settings along";
    Problem::new(StatusCode::NOT_FOUND, "not_set_up", "this account is not set up", detail)
}

fn not_stored(error: &KvError) -> Problem {
    match error {
        KvError::Exists | KvError::WrongRevision => {
            let detail = "read it again, put your change into it, and send that";
            let title = "somebody else changed this account";
            Problem::new(StatusCode::CONFLICT, "account_changed", title, detail)
        }
        KvError::Full => problems::storage_full(),
        KvError::TooLarge => problems::too_large_to_keep(),
        KvError::Unavailable(_) => {
            tracing::warn!(%error, "failed to use the accounts of channels");
            problems::bus_unavailable()
        }
        KvError::InvalidKey | KvError::Refused(_) => {
            tracing::error!(%error, "failed to use the accounts of channels");
            Problem::internal()
        }
    }
}

fn not_sealed(error: &SealError) -> Problem {
    tracing::warn!(%error, "the secrets of an account were not sealed");
    problems::bus_unavailable()
}

fn not_opened(error: &UnsealError) -> Problem {
    match error {
        UnsealError::Unavailable(_) => {
            tracing::warn!(%error, "the secrets of an account cannot be had now");
            problems::bus_unavailable()
        }
        UnsealError::Erased | UnsealError::NoKey | UnsealError::Damaged => {
            tracing::error!(%error, "the secrets of an account cannot be read");
            Problem::internal()
        }
    }
}
