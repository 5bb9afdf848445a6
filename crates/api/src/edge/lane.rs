//! One integration: what it published is checked, becomes an input, is answered, and goes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::http::StatusCode;
use bus::{Bus, Deadline, EdgeListener, PublishError, Tail, TailItem, TailOptions, mark_of, places};
use bytes::Bytes;
use protocol::edge::{EdgeKind, Integration, Rejection};
use protocol::streams::EDGE_OF;
use protocol::subjects::Subjects;
use protocol::{Millis, NoticeId, SignalId, Subject, SubjectToken};
use serde_json::Value;
use service::http::read_json;
use service::spans::Span;
use service::{Problem, Settings, failpoint};
use tokio_util::sync::CancellationToken;

use crate::edge::pace::Pace;
use crate::edge::replies::{Mark, Replies};
use crate::edge::{About, Edge, answer_of};
use crate::empowerment::{self, Told};
use crate::message::{self, Source};
use crate::{NAME, acts, bots, orders, problems, traced};

/// Messages read ahead: each may be as large as a body.
const BATCH: usize = 16;
/// Room for headers beside the largest body, bytes.
const HEADERS_BYTES_MAX: usize = 64 * 1024;
/// For how long a rejection is tried to be stored before the message is looked at again.
const REJECT_WAIT_MAX: Duration = Duration::from_secs(15);
/// How long the lane waits for the router to carry out an act or a command; what comes after it waits too.
const ACT_WAIT: Duration = Duration::from_secs(1);
/// How soon something is tried again that failed for a reason that passes.
const AGAIN: Duration = Duration::from_secs(1);

struct Lane<'a> {
    edge: &'a Arc<Edge>,
    name: &'a SubjectToken,
    stream: String,
    replies: Arc<Mutex<Replies>>,
    pace: Pace,
}

/// The largest message that an integration may publish, bytes.
fn largest(settings: &Settings) -> u32 {
    let largest = settings.limits.body_max_bytes + HEADERS_BYTES_MAX;
    u32::try_from(largest).unwrap_or(u32::MAX).min(places::MESSAGE_BYTES_MAX)
}

/// Makes what an integration publishes to, and what of it is refused, or brings it to its description.
///
/// # Errors
/// When the bus is away; fate: retry.
pub async fn make_streams(
    bus: &Bus,
    subjects: &Subjects,
    settings: &Settings,
    name: &SubjectToken,
) -> anyhow::Result<()> {
    let largest = largest(settings);
    bus.ensure_stream(&places::rejected(subjects, name)).await.context("make the rejections")?;
    bus.ensure_edge_stream(&places::edge(subjects, name, largest)).await.context("make the edge")?;
    Ok(())
}

/// Takes what an integration publishes until it is stopped.
pub(super) async fn run(
    edge: &Arc<Edge>,
    name: &SubjectToken,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let subjects = &edge.api.subjects;
    let stream = format!("{EDGE_OF}{name}");
    // Where the operator makes them, `winterband prepare` brings them to their description.
    if !edge.api.kit.settings.nats.prepared {
        make_streams(&edge.bus, subjects, &edge.api.kit.settings, name).await?;
    }
    let replies = Arc::new(Mutex::new(Replies::default()));
    // Heard before it is read, so that whoever asks from now on is known when their message is taken.
    let heard = edge.bus.listen_at_edge(&subjects.edge_all(name)).await.context("listen at the edge")?;
    let options = TailOptions { batch: BATCH, ..TailOptions::default() };
    let mut tail = Tail::open(&edge.bus, &stream, 1, options).await.context("read the edge")?;
    // In a task of its own: what is heard is passed on at once, whatever the taking waits for.
    let listening = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(listen(
        Arc::clone(edge),
        name.clone(),
        heard,
        Arc::clone(&replies),
        largest(&edge.api.kit.settings),
    )));
    let mut lane = Lane { edge, name, stream, replies, pace: Pace::default() };
    loop {
        let item = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            item = tail.next() => item.context("read the edge")?,
        };
        anyhow::ensure!(!listening.is_finished(), "the connection hears nothing any more");
        tokio::select! {
            // What is being stored is stored; it is found by its id when it is looked at again.
            () = stop.cancelled() => return Ok(()),
            handled = lane.handle(&item) => handled?,
        }
    }
}

/// Hears what is published as it comes: who waits for an answer, and what no stream can have stored.
async fn listen(
    edge: Arc<Edge>,
    name: SubjectToken,
    mut heard: EdgeListener,
    replies: Arc<Mutex<Replies>>,
    largest: u32,
) {
    while let Some(said) = heard.next().await {
        let reply = said.reply.as_deref().map(|reply| Subjects::guest_reply(&name, reply));
        if reply == Some(None) {
            edge.api.kit.metrics.refused_total.inc([NAME, "reply_elsewhere"]);
        }
        let reply = reply.flatten();
        let unstored = match said.asks_for {
            Some(header) => Some(problems::header_refused(header)),
            None if said.payload.len() > usize::try_from(largest).unwrap_or(usize::MAX) => {
                Some(problems::too_large(edge.api.kit.settings.limits.body_max_bytes))
            }
            None => None,
        };
        let sent = match unstored {
            Some(problem) => {
                let about = edge.api.subjects.read_edge(&name, &said.subject);
                let at = Millis(edge.api.kit.clock.unix_ms());
                // Nothing is behind it that could be tried again, so it is told as far as that is possible.
                drop(
                    reject(&edge, &name, about.as_ref(), at, &uuid::Uuid::now_v7().to_string(), &problem)
                        .await,
                );
                let answer: Bytes = answer_of(&Err(problem)).into();
                tell(&edge, &answer_place(&edge, &name, about.as_ref()), &answer).await;
                reply.map(|reply| (reply, answer))
            }
            None => {
                let mark = mark_of(&said.subject, &said.payload);
                lock(&replies).heard(mark, reply, edge.api.kit.clock.monotonic())
            }
        };
        if let Some((reply, answer)) = sent {
            tell(&edge, &reply, &answer).await;
        }
    }
}

fn lock(replies: &Mutex<Replies>) -> MutexGuard<'_, Replies> {
    replies.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer_place(edge: &Edge, name: &SubjectToken, about: Option<&About>) -> Subject {
    match about {
        Some((kind, id)) => edge.api.subjects.answer(name, *kind, id),
        None => edge.api.subjects.answer_unread(name),
    }
}

/// Who is not there to hear it asks for the rejections, or publishes the same again.
async fn tell(edge: &Edge, place: &Subject, answer: &Bytes) {
    if let Err(error) = edge.bus.publish_ephemeral(place, answer.clone()).await {
        tracing::debug!(%error, "an integration was not answered");
    }
}

/// Keeps a refusal for the integration to read; the parser's words, which may be the sender's own, are left out.
async fn reject(
    edge: &Edge,
    name: &SubjectToken,
    about: Option<&About>,
    at: Millis,
    msg_id: &str,
    problem: &Problem,
) -> Result<(), PublishError> {
    edge.api.kit.metrics.refused_total.inc([NAME, problem.code]);
    let mut body = problem.body();
    if body.contains_key("line") {
        body.insert(
            "detail".to_owned(),
            Value::from("what stands there is not what the documentation shows"),
        );
    }
    let (kind, id) = about.cloned().unzip();
    let rejection = Rejection { seq: 0, at, kind, id, problem: body };
    let bytes = serde_json::to_vec(&rejection).map_err(|error| PublishError::Refused(error.to_string()))?;
    let place = edge.api.subjects.rejected(name);
    edge.bus.publish_durable(&place, msg_id, bytes.into(), Deadline::after(REJECT_WAIT_MAX)).await?;
    Ok(())
}

/// Whether a refusal says nothing about the message: it stays where it is and is looked at again.
fn passes(problem: &Problem) -> bool {
    matches!(problem.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE)
}

impl Lane<'_> {
    /// Once it returns without an error, the message has become an input or a rejection, and is no longer in the stream.
    async fn handle(&mut self, item: &TailItem) -> anyhow::Result<()> {
        let row = self.edge.registry.find(self.name).context("the integration was taken away")?;
        let about = self.edge.api.subjects.read_edge(self.name, &item.subject);
        let judged = self.judge(&row, about.as_ref(), item);
        let span = if judged.is_ok() { self.edge.api.traced.published(item) } else { Span::none() };
        let outcome = match judged {
            Ok((kind, id)) => loop {
                match traced::below(&span, Box::pin(self.take(&row, kind, &id, item))).await {
                    Err(problem) if passes(&problem) => tokio::time::sleep(AGAIN).await,
                    settled @ (Ok(_) | Err(_)) => break settled,
                }
            },
            Err(problem) => Err(problem),
        };
        if let Err(problem) = &outcome {
            let (at, msg_id) = (Millis(item.published_at_ms), format!("edge-{}", item.seq));
            match reject(self.edge, self.name, about.as_ref(), at, &msg_id, problem).await {
                Ok(()) => {}
                Err(PublishError::Unavailable(reason)) => anyhow::bail!("keep a rejection: {reason}"),
                Err(error @ PublishError::NotYet(_)) => anyhow::bail!("keep a rejection: {error}"),
                // There is no room, or there never will be: the answer below is all that is told.
                Err(error) => tracing::warn!(%error, integration = %self.name, "a rejection was not kept"),
            }
        }
        failpoint::hit("edge.after_input_before_delete");
        self.answer(about.as_ref(), item, answer_of(&outcome).into()).await;
        self.edge
            .bus
            .delete_securely(&self.stream, item.seq)
            .await
            .context("take a message from the edge")?;
        Ok(())
    }

    async fn answer(&self, about: Option<&About>, item: &TailItem, answer: Bytes) {
        tell(self.edge, &answer_place(self.edge, self.name, about), &answer).await;
        let mark: Mark = mark_of(&item.subject, &item.payload);
        let waiting = lock(&self.replies).done(mark, &answer, self.edge.api.kit.clock.monotonic());
        if let Some(reply) = waiting {
            tell(self.edge, &reply, &answer).await;
        }
    }

    /// What can be told without reading the message.
    fn judge(&mut self, row: &Integration, about: Option<&About>, item: &TailItem) -> Result<About, Problem> {
        self.pace.check(item.published_at_ms, row.per_second).map_err(|wait| {
            let wait_ms = u64::try_from(wait.0.as_millis()).unwrap_or(u64::MAX).max(1);
            Problem::from(wait).with("retry_after_ms", wait_ms)
        })?;
        let (kind, id) = about.ok_or_else(problems::bad_subject)?;
        if !row.may(kind.scope()) {
            return Err(problems::scope_missing(kind.scope()));
        }
        let largest = self.edge.api.kit.settings.limits.body_max_bytes;
        if item.payload.len() > largest { Err(problems::too_large(largest)) } else { Ok((*kind, id.clone())) }
    }

    /// Makes an input of it. Headers are not looked at, but for its place in a trace: what they ask of the server, the server was not
    /// allowed to do.
    async fn take(
        &self,
        row: &Integration,
        kind: EdgeKind,
        id: &SubjectToken,
        item: &TailItem,
    ) -> Result<Value, Problem> {
        let (api, at) = (&self.edge.api, Millis(item.published_at_ms));
        let own_id =
            || uuid::Uuid::from_bytes(api.hasher.integration_id(self.name, kind, id, &item.payload).0);
        let taken = match kind {
            EdgeKind::Message if !api.floor.has_room(api.kit.clock.monotonic()) => {
                // It stays where it lies: one integration is not to fill with it what people have to look at.
                // Nobody is told so, for that passes.
                return Err(problems::storage_full());
            }
            EdgeKind::Message => {
                let source = Source::Edge { integration: self.name, accounts: &row.accounts, at };
                serde_json::to_value(message::take(api, &item.payload, source).await?)
            }
            EdgeKind::Facts => {
                let told = Told { id: NoticeId(own_id()), now: at, by: Some(self.name) };
                serde_json::to_value(empowerment::take_facts(api, read_json(&item.payload)?, told).await?)
            }
            EdgeKind::Signal => {
                let (asked, id) = (read_json(&item.payload)?, SignalId(own_id()));
                serde_json::to_value(empowerment::take_signal(api, asked, id, Some(self.name)).await?)
            }
            EdgeKind::Act => {
                let by = acts::By { integration: self.name, id: acts::id_at(at, own_id()), wait: ACT_WAIT };
                serde_json::to_value(acts::take(api, read_json(&item.payload)?, by).await?)
            }
            EdgeKind::Command => {
                let (asked, id) = (read_json(&item.payload)?, acts::id_at(at, own_id()));
                serde_json::to_value(bots::take(api, asked, id, ACT_WAIT).await?)
            }
            EdgeKind::Order => {
                let remedy = id.as_str().parse().map_err(|_| problems::bad_subject())?;
                let asked = read_json(&item.payload)?;
                serde_json::to_value(orders::answer(api, self.name, remedy, asked).await?)
            }
        };
        let mut taken = taken.map_err(|_| Problem::internal())?;
        if let Value::Object(fields) = &mut taken {
            fields.insert("status".to_owned(), Value::from(StatusCode::ACCEPTED.as_u16()));
        }
        Ok(taken)
    }
}
