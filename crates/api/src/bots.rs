//! Bots without a desk: they are there while they say so, and do over HTTP or the bus what agents do at theirs. What they are offered
//! and what is written to them stands in the feed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bus::{Bucket, Bus, places};
use protocol::command::{AgentCommand, Command, Outcome};
use protocol::content::{Content, Sealed};
use protocol::ids::GatewayId;
use protocol::input::WIRE_VERSION;
use protocol::integration::PublicLog;
use protocol::integration::bot::{BotCommand, BotHeld, BotHold, CommandTaken, HOLD_S_MAX, NewBotCommand};
use protocol::limits::REASON_BYTES_MAX;
use protocol::{
    AgentId, CommandId, ContactId, Event, Input, InputBody, MessageId, Millis, NoticeId, SubjectToken,
};
use service::{HealthHandle, Problem};
use tokio::task::JoinSet;

use crate::problems::{self, unprocessable};
use crate::{Api, BEAT_EVERY, Shared, acts, body, contacts, feed, publish};

/// How often it is said again that a bot is there: what the router has lost meanwhile it learns so.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// The bots that are there through this process, which is a gateway to the router as a desk's is.
pub(crate) struct Bots {
    gateway: GatewayId,
    gateways: Bucket,
    held: Mutex<BTreeMap<AgentId, Held>>,
    /// Whoever tells the router of bots, one at a time: what is told last is what holds here too.
    telling: tokio::sync::Mutex<()>,
}

/// Until when a bot is there, and when that was told, by a clock that never runs backwards.
#[derive(Clone, Copy)]
struct Held {
    until: Duration,
    told: Duration,
}

impl Bots {
    pub(crate) async fn open(bus: &Bus) -> anyhow::Result<Self> {
        let gateways = bus.ensure_bucket(&places::gateways()).await.context("failed to open the gateways")?;
        Ok(Self {
            gateway: GatewayId(uuid::Uuid::now_v7()),
            gateways,
            held: Mutex::default(),
            telling: tokio::sync::Mutex::default(),
        })
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<AgentId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that this process lives while bots are there through it, and lets go whoever said nothing for too long.
pub(crate) fn start(api: &Shared) {
    let kit = &api.kit;
    let health = kit.health.register("api bots");
    health.beat();
    kit.drain.spawn("api bots", run(Arc::clone(api), health));
}

async fn run(api: Shared, health: HealthHandle) -> anyhow::Result<()> {
    let ended = api.kit.drain.token();
    let mut beat = tokio::time::interval(BEAT_EVERY);
    // Told beside the beat: a stream that takes nothing for a while loses no bot that is there.
    let mut going = JoinSet::new();
    loop {
        tokio::select! {
            () = ended.cancelled() => break,
            _ = beat.tick() => health.beat(),
        }
        while going.try_join_next().is_some() {}
        if api.bots.held().is_empty() {
            continue;
        }
        if let Err(problem) = say_alive(&api).await {
            tracing::warn!(code = problem.code, "failed to say that bots are there");
        }
        let now = api.kit.clock.monotonic();
        let over: Vec<AgentId> = {
            let held = api.bots.held();
            held.iter().filter(|(_, held)| held.until <= now).map(|(agent, _)| *agent).collect()
        };
        if going.is_empty() && !over.is_empty() {
            let api = Arc::clone(&api);
            going.spawn(async move {
                for agent in over {
                    let_go(&api, agent).await;
                }
            });
        }
    }
    // The router notices that this process is gone, as it does with a desk's.
    health.retire();
    Ok(())
}

/// A bot that said nothing for too long goes, unless it has spoken since; what could not be told is tried again with the next beat.
async fn let_go(api: &Api, agent: AgentId) {
    let _order = api.bots.telling.lock().await;
    let now = api.kit.clock.monotonic();
    if api.bots.held().get(&agent).is_none_or(|held| held.until > now) {
        return;
    }
    match tell(api, agent, false).await {
        Ok(()) => {
            api.bots.held().remove(&agent);
            tracing::info!(%agent, "a bot is not there any more");
        }
        Err(problem) => tracing::warn!(%agent, code = problem.code, "failed to tell that a bot is gone"),
    }
}

async fn say_alive(api: &Api) -> Result<(), Problem> {
    let value = format!("{{\"at\":{}}}", api.kit.clock.unix_ms());
    let put = api.bots.gateways.put(&api.bots.gateway.to_string(), value.into()).await;
    put.map(drop).map_err(|error| {
        tracing::warn!(%error, "failed to say that this gateway lives");
        problems::bus_unavailable()
    })
}

async fn tell(api: &Api, agent: AgentId, is_there: bool) -> Result<(), Problem> {
    let (id, gateway) = (NoticeId(uuid::Uuid::now_v7()), api.bots.gateway);
    let body = if is_there {
        InputBody::AgentConnected { id, agent, gateway }
    } else {
        InputBody::AgentDisconnected { id, agent, gateway }
    };
    let input = Input { v: WIRE_VERSION, made_at: Millis(api.kit.clock.unix_ms()), body };
    let subject = api.subjects.inbound_presence();
    publish::store(api, &subject, &id.to_string(), publish::json(&input)?).await.map(drop)
}

/// `PUT /api/v1/bots/{name}`
pub(crate) async fn put(
    State(api): State<Shared>,
    Path(name): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<BotHeld>, Problem> {
    let asked: BotHold = body::read_if_any(&api, body)?;
    let agent = named(&name, asked.agent.as_ref())?;
    hold(&api, &agent, asked.seconds).await.map(Json)
}

/// Lets a bot be there for so many seconds from now; 0: it goes.
///
/// # Errors
/// When there is no such bot (fate: refuse), or the bus does not answer (fate: retry).
pub(crate) async fn hold(api: &Api, name: &SubjectToken, seconds: u64) -> Result<BotHeld, Problem> {
    if seconds > HOLD_S_MAX {
        let detail = format!("use 0 to {HOLD_S_MAX} as `seconds`, and say it again before that is over");
        return Err(unprocessable("hold_out_of_range", format!("{seconds} s is too long"), detail));
    }
    let agent = bot(api, name)?;
    let _order = api.bots.telling.lock().await;
    let now = api.kit.clock.monotonic();
    let until = now + Duration::from_secs(seconds);
    if seconds == 0 {
        if !api.bots.held().contains_key(&agent) {
            // It may be there through another process: the router listens to the latest only.
            say_alive(api).await?;
            tell(api, agent, true).await?;
        }
        tell(api, agent, false).await?;
        api.bots.held().remove(&agent);
    } else {
        let known = api.bots.held().get(&agent).copied();
        let told = match known {
            Some(Held { told, .. }) if now.saturating_sub(told) < TELL_EVERY => told,
            Some(_) | None => {
                // Before the router hears of the bot: it looks at once whether its gateway lives.
                say_alive(api).await?;
                tell(api, agent, true).await?;
                now
            }
        };
        api.bots.held().insert(agent, Held { until, told });
    }
    Ok(BotHeld { agent, until: Millis(api.kit.clock.unix_ms()).plus(seconds.saturating_mul(1_000)) })
}

/// `POST /api/v1/bots/{name}/commands`
pub(crate) async fn post(
    State(api): State<Shared>,
    Path(name): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<CommandTaken>), Problem> {
    let asked: NewBotCommand = body::read(&api, body)?;
    let agent = named(&name, asked.agent.as_ref())?;
    let (id, wait) = (CommandId(uuid::Uuid::now_v7()), api.kit.settings.desk.command_wait);
    let taken = take(&api, NewBotCommand { agent: Some(agent), ..asked }, id, wait).await?;
    Ok((if taken.done { StatusCode::OK } else { StatusCode::ACCEPTED }, Json(taken)))
}

/// The bot that the path names, and no other.
fn named(path: &str, body: Option<&SubjectToken>) -> Result<SubjectToken, Problem> {
    let name = SubjectToken::new(path).map_err(|_| unknown_bot())?;
    if body.is_some_and(|other| *other != name) { Err(unknown_bot()) } else { Ok(name) }
}

/// Stores a bot's command and waits a while for the router to carry it out; `id` names it unless it has one of its own.
///
/// # Errors
/// When it cannot be carried out (fate: refuse), or not be stored now (fate: retry, under the same id).
pub(crate) async fn take(
    api: &Api,
    asked: NewBotCommand,
    id: CommandId,
    wait: Duration,
) -> Result<CommandTaken, Problem> {
    let agent = bot(api, &asked.agent.ok_or_else(unknown_bot)?)?;
    let id = asked.id.unwrap_or(id);
    let command = command(api, id, asked.command).await?;
    let end = api.feeds.end(PublicLog::Contacts).last();
    let body = InputBody::Command(AgentCommand { id, agent, command });
    let input = Input { v: WIRE_VERSION, made_at: Millis(api.kit.clock.unix_ms()), body };
    // As a desk's: with the agent, since the same id of another one is another command.
    let msg_id = format!("{agent}-{id}");
    let subject = api.subjects.inbound_command(agent);
    let published = publish::store(api, &subject, &msg_id, publish::json(&input)?).await?;
    let record = contacts::outcome_of(api, end, published.seq, published.duplicate, wait).await?;
    let settled = record.iter().flat_map(|record| &record.events).find_map(|event| {
        let Event::CommandSettled { command, outcome } = event else { return None };
        (*command == id).then_some(outcome)
    });
    let done = match settled {
        Some(Outcome::Refused { refusal }) => return Err(acts::refused(*refusal)),
        Some(Outcome::Done) => true,
        None => false,
    };
    Ok(CommandTaken { id, input_seq: published.seq, duplicate: published.duplicate, done })
}

async fn command(api: &Api, id: CommandId, asked: BotCommand) -> Result<Command, Problem> {
    // Of the same UUID, so that the same command is the same message.
    let message = MessageId(id.0);
    let limits = &api.kit.settings.limits;
    Ok(match asked {
        BotCommand::SetPresence { presence } => {
            Command::SetPresence { presence, reason: None, when_free: false }
        }
        BotCommand::Accept { offer } => Command::Accept { offer },
        BotCommand::Decline { offer, reason } => {
            within(&reason, REASON_BYTES_MAX)?;
            Command::Decline { offer, reason }
        }
        BotCommand::Reply { contact, text } => {
            let body = sealed(api, contact, text, limits.text_max_bytes).await?;
            Command::Reply { contact, message, body }
        }
        BotCommand::Note { contact, text } => {
            let body = sealed(api, contact, text, limits.note_max_bytes).await?;
            Command::Note { contact, message, body, mentions: Vec::new() }
        }
        BotCommand::TransferToQueue { contact, queue } => Command::TransferToQueue { contact, queue },
        BotCommand::TransferToAgent { contact, agent } => {
            Command::TransferToAgent { contact, agent, back: false }
        }
        BotCommand::CallForHelp { contact, reason } => Command::CallForHelp { contact, reason },
        BotCommand::Fail { contact, reason } => Command::Fail { contact, reason },
        BotCommand::Resolve { contact, disposition, fields } => {
            Command::Resolve { contact, disposition, fields }
        }
        BotCommand::EndWrapUp { contact } => Command::EndWrapUp { contact },
    })
}

/// Words in a contact, sealed for its customer. Whose the contact is, the router decides.
async fn sealed(api: &Api, contact: ContactId, text: String, most: usize) -> Result<Sealed, Problem> {
    within(&text, most)?;
    let identity = feed::identity_of(api, contact).await?.ok_or_else(contacts::unknown_contact)?;
    acts::seal(api, identity, Content::words(text)).await
}

fn within(text: &str, most: usize) -> Result<(), Problem> {
    if text.trim().is_empty() {
        return Err(unprocessable("text_empty", "the text is empty", "send at least one word"));
    }
    if text.len() > most {
        let title = format!("the text has {} bytes", text.len());
        return Err(unprocessable("text_too_long", title, format!("shorten it to {most} bytes"))
            .with("limit_bytes", most));
    }
    Ok(())
}

/// The agent of this name, if it is a bot: nobody acts as a person here.
fn bot(api: &Api, name: &SubjectToken) -> Result<AgentId, Problem> {
    let in_force = api.floor.in_force().ok_or_else(problems::starting)?;
    let found = in_force.config.agents.iter().find(|agent| agent.name == *name && agent.bot);
    found.map(|agent| agent.id).ok_or_else(unknown_bot)
}

fn unknown_bot() -> Problem {
    let detail = "name an agent of the configuration in force that has `bot = true`";
    Problem::new(StatusCode::NOT_FOUND, "unknown_bot", "there is no such bot", detail)
}
