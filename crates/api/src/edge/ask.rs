//! Questions of integrations: what of theirs was refused, and what happened. They are answered into the asker's own inbox, and nowhere else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bus::{Request, Requests, StreamError, Tail, TailError, TailItem, TailOptions};
use protocol::edge::{GuestQuestion, Integration, Rejection, RejectionsPage, RejectionsQuestion};
use protocol::integration::EventsQuestion;
use protocol::integration::bot::BotHold;
use protocol::limits::{
    EVENTS_ANSWER_BYTES_MAX, EVENTS_PAGE_MAX, GUEST_ASKS_AT_ONCE_MAX, GUEST_ASKS_PER_SECOND,
    GUEST_WAIT_MS_MAX, INTEGRATIONS_MAX, REJECTIONS_PAGE_MAX,
};
use protocol::signin::Scope;
use protocol::streams::REJECTED_OF;
use protocol::subjects::Subjects;
use protocol::{Subject, SubjectToken};
use service::http::read_json;
use service::{HealthHandle, Problem, Rate, RateLimiter};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::edge::{Edge, answer_of};
use crate::feed::{self, Ask};
use crate::{BEAT_EVERY, NAME, bots, orders, problems};

/// The group of processes that share the questions.
const GROUP: &str = "edge";

/// What bounds the questions.
struct Bounds {
    rate: RateLimiter<SubjectToken>,
    at_once: Mutex<HashMap<SubjectToken, Arc<Semaphore>>>,
}

impl Bounds {
    /// The places of one integration.
    fn places(&self, name: &SubjectToken) -> Arc<Semaphore> {
        let mut places = self.at_once.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Semaphore::new(GUEST_ASKS_AT_ONCE_MAX));
        Arc::clone(places.entry(name.clone()).or_insert_with(new))
    }
}

/// Answers until the process drains.
///
/// # Errors
/// When the bus is away.
pub(super) async fn serve(edge: &Arc<Edge>) -> anyhow::Result<()> {
    let kit = &edge.api.kit;
    let asked = edge.bus.serve(&edge.api.subjects.ext_all(), &SubjectToken::new(GROUP)?).await;
    let asked = asked.context("failed to hear the questions of integrations")?;
    let rate = Rate::per_second(GUEST_ASKS_PER_SECOND);
    let bounds = Arc::new(Bounds {
        rate: RateLimiter::new(rate, INTEGRATIONS_MAX, kit.clock.clone()),
        at_once: Mutex::default(),
    });
    let health = kit.health.register("edge questions");
    health.beat();
    kit.drain.spawn("edge questions", run(Arc::clone(edge), bounds, asked, health, kit.drain.token()));
    Ok(())
}

async fn run(
    edge: Arc<Edge>,
    bounds: Arc<Bounds>,
    mut asked: Requests,
    health: HealthHandle,
    ended: CancellationToken,
) -> anyhow::Result<()> {
    let mut beat = tokio::time::interval(BEAT_EVERY);
    let answering = TaskTracker::new();
    loop {
        let request = tokio::select! {
            () = ended.cancelled() => break,
            _ = beat.tick() => {
                health.beat();
                continue;
            }
            request = asked.next() => request.context("the connection hears no questions any more")?,
        };
        // Nothing is spawned for what is not answered, so a flood of those costs no memory.
        let Some((name, place)) = asker(&edge, &request) else { continue };
        let (edge, bounds, ended) = (Arc::clone(&edge), Arc::clone(&bounds), ended.clone());
        let permit = match bounds.rate.check(&name) {
            Err(wait) => Err(Problem::from(wait)),
            Ok(()) => bounds.places(&name).try_acquire_owned().map_err(|_| problems::asks_at_once()),
        };
        answering.spawn(async move {
            let answer = match permit {
                Err(problem) => Err(problem),
                Ok(_permit) => tokio::select! {
                    answer = answer(&edge, &name, &request) => answer,
                    () = ended.cancelled() => Err(problems::bus_unavailable()),
                },
            };
            if let Err(problem) = &answer {
                edge.api.kit.metrics.refused_total.inc([NAME, problem.code]);
            }
            if let Err(error) = request.respond_to(&place, answer_of(&answer).into()).await {
                tracing::debug!(%error, "a question of an integration was not answered");
            }
        });
    }
    answering.close();
    answering.wait().await;
    health.retire();
    Ok(())
}

/// Who asks, if there is such an integration and its answer goes to itself.
fn asker(edge: &Edge, request: &Request) -> Option<(SubjectToken, Subject)> {
    let (name, _) = edge.api.subjects.read_ext(&request.subject)?;
    edge.registry.find(&name)?;
    let reply = request.reply()?;
    let Some(place) = Subjects::guest_reply(&name, reply) else {
        edge.api.kit.metrics.refused_total.inc([NAME, "reply_elsewhere"]);
        return None;
    };
    Some((name, place))
}

async fn answer(edge: &Edge, name: &SubjectToken, request: &Request) -> Result<serde_json::Value, Problem> {
    let asked = edge.api.subjects.read_ext(&request.subject);
    let asked = asked.and_then(|(_, word)| GuestQuestion::of(word.as_str()));
    let asked = asked.ok_or_else(problems::unknown_question)?;
    let row = edge.registry.find(name).ok_or_else(problems::unknown_question)?;
    if let Some(scope) = asked.scope().filter(|scope| !row.may(*scope)) {
        return Err(problems::scope_missing(scope));
    }
    let answer = match asked {
        GuestQuestion::Rejections => {
            serde_json::to_value(rejections(edge, name, question(&request.payload)?).await?)
        }
        GuestQuestion::Events => Ok(events(edge, &row, question(&request.payload)?).await?),
        GuestQuestion::Orders => serde_json::to_value(orders::open(&edge.api, name).await?),
        GuestQuestion::Bot => {
            let BotHold { agent, seconds } = question(&request.payload)?;
            let agent = agent.ok_or_else(problems::bot_unnamed)?;
            serde_json::to_value(bots::hold(&edge.api, &agent, seconds).await?)
        }
    };
    answer.map_err(|_| Problem::internal())
}

/// Nothing at all asks for everything that may be left out.
fn question<T: serde::de::DeserializeOwned + Default>(payload: &[u8]) -> Result<T, Problem> {
    if payload.is_empty() { Ok(T::default()) } else { read_json(payload) }
}

/// A page of the feed, with the words of customers for who may read them.
async fn events(edge: &Edge, row: &Integration, asked: EventsQuestion) -> Result<serde_json::Value, Problem> {
    if !(1..=EVENTS_PAGE_MAX).contains(&asked.limit) || asked.wait_ms > GUEST_WAIT_MS_MAX {
        return Err(out_of_bounds(EVENTS_PAGE_MAX));
    }
    if asked.types.iter().any(|kind| kind.log() != asked.log) {
        return Err(feed::routes::unknown_type(asked.log));
    }
    let (api, words) = (&edge.api, row.may(Scope::ContactsRead));
    feed::routes::not_ahead(api, asked.log, asked.after).await?;
    let mut ask = Ask { log: asked.log, after: asked.after, limit: asked.limit, types: &asked.types };
    let mut page = feed::page(api, ask, words).await?;
    if page.events.is_empty() && page.behind == 0 && asked.wait_ms > 0 {
        page = feed::routes::wait(api, ask, words, Duration::from_millis(asked.wait_ms), page).await?;
    }
    loop {
        let answer = serde_json::to_value(&page).map_err(|_| Problem::internal())?;
        // A record stands together, so a page cannot be shorter than one.
        if ask.limit == 1 || answer.to_string().len() <= EVENTS_ANSWER_BYTES_MAX {
            return Ok(answer);
        }
        ask.limit = (ask.limit / 4).max(1);
        page = feed::page(api, ask, words).await?;
    }
}

fn out_of_bounds(limit_max: usize) -> Problem {
    let detail = format!(
        "use 1 to {limit_max} as `limit` and 0 to {GUEST_WAIT_MS_MAX} as `wait_ms`, or leave them out"
    );
    problems::unprocessable("page_out_of_bounds", "no such page is given", detail)
}

async fn rejections(
    edge: &Edge,
    name: &SubjectToken,
    asked: RejectionsQuestion,
) -> Result<RejectionsPage, Problem> {
    if !(1..=REJECTIONS_PAGE_MAX).contains(&asked.limit) || asked.wait_ms > GUEST_WAIT_MS_MAX {
        return Err(out_of_bounds(REJECTIONS_PAGE_MAX));
    }
    let stream = format!("{REJECTED_OF}{name}");
    let last_seq = match edge.bus.stream_usage(&stream).await {
        Ok(usage) => usage.last_seq,
        // It is made with the integration's lane, a moment after the integration.
        Err(StreamError::NotFound(_)) => 0,
        Err(error) => return Err(away(&error)),
    };
    if asked.after > last_seq {
        return Err(problems::cursor_ahead(last_seq));
    }
    let first = asked.after + 1;
    let mut items = Vec::new();
    if last_seq >= first {
        items =
            edge.bus.read_range(&stream, first, u64::MAX, asked.limit).await.map_err(|error| away(&error))?;
    }
    if items.is_empty() && asked.wait_ms > 0 && last_seq > 0 {
        items.extend(wait_for(edge, &stream, first, Duration::from_millis(asked.wait_ms)).await?);
    }
    let next = items.last().map_or(asked.after, |item| item.seq);
    let rejections = items.iter().filter_map(|item| {
        let read = serde_json::from_slice::<Rejection>(&item.payload).ok()?;
        Some(Rejection { seq: item.seq, ..read })
    });
    Ok(RejectionsPage { rejections: rejections.collect(), next })
}

/// The next one, if it comes in time.
async fn wait_for(
    edge: &Edge,
    stream: &str,
    first: u64,
    wait: Duration,
) -> Result<Option<TailItem>, Problem> {
    let options = TailOptions { batch: 1, ..TailOptions::default() };
    let mut tail = Tail::open(&edge.bus, stream, first, options).await.map_err(|error| away(&error))?;
    match tokio::time::timeout(wait, tail.next()).await {
        Ok(item) => item.map(Some).map_err(|error: TailError| away(&error)),
        Err(_) => Ok(None),
    }
}

fn away(error: &dyn std::fmt::Display) -> Problem {
    tracing::warn!(%error, "rejections cannot be read");
    problems::bus_unavailable()
}
