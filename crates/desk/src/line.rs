//! An agent's line: what the logs say of one agent, shown at every desk they have open here.
//!
//! One task per agent. It opens words, writes each frame once, remembers which desk waits for which command's answer,
//! and outlives its last desk by the grace, so that a reload is no leaving.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use protocol::desk::ToDesk;
use protocol::{AgentId, CommandId, ContactId, ConversationId};
use service::spans::{Span, TraceContext};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::answer::Answer;
use crate::drafts::Sought;
use crate::frames::Fault;
use crate::hub::{NewLine, ToLine};
use crate::logs::{Log, Upto};
use crate::presence::{self, Edge};
use crate::projection::Lacks;
use crate::render::{self, WordsAway};
use crate::shown::Push;
use crate::{Gateway, commands};

/// Most desks of one agent at once.
pub(crate) const DESKS_MAX: usize = 16;
/// Most commands of one agent whose answers are waited for.
pub(crate) const EXPECTED_MAX: usize = 1_000;
/// How often deadlines are looked at.
const TICK: Duration = Duration::from_secs(1);

/// The way to one desk.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    frames: mpsc::Sender<Frame>,
    stop: CancellationToken,
}

/// A frame on its way to one desk.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) text: Utf8Bytes,
    /// Ends when the last desk that it goes to has it.
    pub(crate) _span: Option<Arc<Span>>,
}

impl Outbox {
    pub(crate) fn new(frames: mpsc::Sender<Frame>, stop: CancellationToken) -> Self {
        Self { frames, stop }
    }

    /// Puts a frame out; a desk that does not take them in time is closed, comes back and resumes.
    pub(crate) fn send(&self, text: Utf8Bytes) {
        self.send_traced(text, None);
    }

    /// As [`Outbox::send`], with the span of it.
    pub(crate) fn send_traced(&self, text: Utf8Bytes, span: Option<Arc<Span>>) {
        if self.frames.try_send(Frame { text, _span: span }).is_err() {
            self.stop.cancel();
        }
    }

    /// Closes the desk; it comes back and resumes.
    pub(crate) fn close(&self) {
        self.stop.cancel();
    }
}

/// A desk that said hello.
#[derive(Debug)]
pub(crate) struct Attach {
    pub(crate) socket: u64,
    pub(crate) out: Outbox,
    /// The last sequence it has of each conversation.
    pub(crate) have: BTreeMap<ConversationId, u64>,
}

struct Desk {
    out: Outbox,
    /// Its state showed the logs up to here; changes before it are in it.
    shown_to: Upto,
    /// Up to which sequence it had the conversations of the contacts in that state. Another process may have shown it more than
    /// this one, which was paused or cut off, has read by now: what comes up to there is no news to it.
    has: BTreeMap<ContactId, (ConversationId, u64)>,
}

impl Desk {
    /// Whether it has not seen what is in a frame.
    fn lacks(&mut self, frame: &ToDesk) -> bool {
        if let ToDesk::Entry { conversation, entry } = frame {
            // A contact that goes on in another conversation is counted anew there.
            let has = self.has.get(&entry.contact).filter(|(of, _)| of == conversation);
            let is_known = has.is_some_and(|(_, has)| entry.seq <= *has);
            if !is_known {
                self.has.remove(&entry.contact);
            }
            return !is_known;
        }
        if let ToDesk::ContactGone { contact, .. } = frame {
            // It forgets the contact, and is shown all of it if it comes again.
            self.has.remove(contact);
        }
        true
    }
}

struct Expected {
    socket: u64,
    until: Instant,
    was_told: bool,
}

struct Line {
    gateway: Arc<Gateway>,
    agent: AgentId,
    desks: BTreeMap<u64, Desk>,
    expected: BTreeMap<CommandId, Expected>,
    left_at: Option<Instant>,
}

/// Attaches a desk to its agent's line, which is started if there is none.
pub(crate) fn attach(gateway: &Arc<Gateway>, agent: AgentId, attach: Attach) {
    if let Some(new) = gateway.hub.attach(agent, attach) {
        tokio::spawn(run(Arc::clone(gateway), agent, new));
    }
}

async fn run(gateway: Arc<Gateway>, agent: AgentId, new: NewLine) {
    let NewLine { number, mut from, overflowed } = new;
    let drained = gateway.kit.drain.token();
    let mut floor = gateway.hub.floor();
    let mut tick = tokio::time::interval(TICK);
    tokio::spawn(presence::tell(Arc::clone(&gateway), agent, Edge::Connected));
    let (desks, expected) = (BTreeMap::new(), BTreeMap::new());
    let mut line = Line { gateway, agent, desks, expected, left_at: None };
    loop {
        tokio::select! {
            // The desks close themselves; agents that come back to the next process are not to be sent away first.
            () = drained.cancelled() => return,
            () = overflowed.cancelled() => {
                tracing::warn!(%agent, "an agent's line did not keep up: its desks resume");
                line.close_desks();
                return;
            }
            what = from.recv() => match what {
                Some(what) => line.hear(what).await,
                None => return line.close_desks(),
            },
            Ok(()) = floor.changed() => line.show_all(&floor.borrow_and_update().clone()),
            _ = tick.tick() => {
                line.remind();
                if line.is_left() && line.gateway.hub.retire(agent, number, &from) {
                    return presence::tell(line.gateway, agent, Edge::Disconnected).await;
                }
            }
        }
    }
}

impl Line {
    async fn hear(&mut self, what: ToLine) {
        match what {
            ToLine::Pushed { log, seq, push, trace } => self.pushed(log, seq, push, trace.as_deref()).await,
            ToLine::Attach(attach) => self.attach(attach).await,
            ToLine::Detach { socket } => {
                self.desks.remove(&socket);
                self.expected.retain(|_, expected| expected.socket != socket);
                if self.desks.is_empty() {
                    self.left_at = Some(Instant::now());
                }
            }
            ToLine::Expect { socket, command } => self.expect(socket, command),
            ToLine::Forget { command } => drop(self.expected.remove(&command)),
            ToLine::Typing { conversation } => {
                self.show_all(&render::frame(&ToDesk::Typing { conversation }));
            }
            ToLine::Writing { conversation, agent, title, note } => {
                let title = title.to_string();
                self.show_all(&render::frame(&ToDesk::Writing { conversation, agent, title, note }));
            }
        }
    }

    async fn attach(&mut self, attach: Attach) {
        let Attach { socket, out, have } = attach;
        if self.desks.len() >= DESKS_MAX && !self.desks.contains_key(&socket) {
            let words = format!("{DESKS_MAX} desks of yours are open: close one");
            out.send(render::frame(&Fault::new("too_many_desks", words).frame()));
            return out.close();
        }
        let picture = self.gateway.hub.state_of(self.agent, Lacks::After(&have));
        let shown_to = picture.upto;
        let had = picture.floor.contacts.iter();
        let has =
            had.filter_map(|one| Some((one.contact, (one.conversation, *have.get(&one.conversation)?))));
        let has = has.collect();
        match render::state(&self.gateway, self.agent, picture).await {
            Ok(state) => {
                out.send(render::frame(&ToDesk::State(Box::new(state))));
                let floor = self.gateway.hub.floor().borrow().clone();
                if !floor.is_empty() {
                    out.send(floor);
                }
                self.desks.insert(socket, Desk { out, shown_to, has });
                self.left_at = None;
            }
            Err(error) => {
                tracing::warn!(%error, "a desk is to come back later");
                out.close();
                self.left_at = self.left_at.or(self.desks.is_empty().then(Instant::now));
            }
        }
    }

    /// The answer goes to the desk that asked last. It may be there already: the log is faster than we are.
    fn expect(&mut self, socket: u64, command: CommandId) {
        if let Some(answer) = self.gateway.hub.settled(self.agent, command) {
            return self.answer(socket, command, &answer, Span::none());
        }
        let until = Instant::now() + self.gateway.kit.settings.desk.command_wait;
        self.expected.insert(command, Expected { socket, until, was_told: false });
        if self.expected.len() > EXPECTED_MAX {
            self.expected.pop_first();
        }
    }

    fn answer(&self, socket: u64, command: CommandId, answer: &Answer, span: Span) {
        commands::count(&self.gateway, answer);
        if let Some(desk) = self.desks.get(&socket) {
            desk.out.send_traced(render::frame(&answer.frame(command)), span.shared());
        }
    }

    async fn pushed(&mut self, log: Log, seq: u64, push: Push, trace: Option<&TraceContext>) {
        let trace = trace.filter(|_| !self.desks.is_empty());
        let span = self.gateway.traced.shows(self.agent, &push, trace);
        match push {
            Push::Settled { command, answer } => {
                if let Some(expected) = self.expected.remove(&command) {
                    self.answer(expected.socket, command, &answer, span);
                }
            }
            // Nobody looks: the next desk gets its state.
            _ if self.desks.is_empty() => {}
            Push::Offer(_)
            | Push::OfferEnded { .. }
            | Push::Contact { .. }
            | Push::ContactGone { .. }
            | Push::Entry { .. }
            | Push::Delivered { .. }
            | Push::Presence { .. }
            | Push::Mentions(_)
            | Push::State(_)
            | Push::Remedy(_)
            | Push::Ask(_)
            | Push::AskEnded { .. }
            | Push::Promise(_)
            | Push::Kudos(_) => match self.frame_of(push).await {
                Ok(frame) => self.show(log, seq, &frame, span),
                Err(error) => {
                    tracing::warn!(%error, "the desks of an agent are to come back later");
                    self.close_desks();
                }
            },
        }
    }

    async fn frame_of(&self, push: Push) -> Result<ToDesk, WordsAway> {
        let gateway = &self.gateway;
        Ok(match push {
            Push::Offer(picture) => ToDesk::Offer(Box::new(render::offer(gateway, *picture).await?)),
            Push::OfferEnded { offer, how } => ToDesk::OfferEnded { offer, how: how.to_owned() },
            Push::Contact { contact, with } => {
                let sought = Sought::AmongKnown;
                ToDesk::Contact(Box::new(render::contact(gateway, self.agent, *contact, with, sought).await?))
            }
            Push::ContactGone { contact, why } => ToDesk::ContactGone { contact, why: why.to_owned() },
            Push::Entry { conversation, entry } => {
                ToDesk::Entry { conversation, entry: render::entry(gateway, &entry).await? }
            }
            Push::Delivered { conversation, delivered } => ToDesk::Delivered { conversation, delivered },
            Push::Presence { presence, next, reason } => ToDesk::Presence { presence, next, reason },
            Push::Mentions(mentions) => ToDesk::Mentions { mentions },
            Push::Settled { command, answer } => answer.frame(command),
            Push::State(picture) => {
                ToDesk::State(Box::new(render::state(gateway, self.agent, *picture).await?))
            }
            Push::Remedy(picture) => ToDesk::Remedy(Box::new(render::remedy(gateway, &picture).await?)),
            Push::Ask(picture) => ToDesk::Ask(Box::new(render::ask(gateway, &picture).await?)),
            Push::AskEnded { ask, how, by } => {
                ToDesk::AskEnded { ask, how: how.to_owned(), by: by.map(|by| by.to_string()) }
            }
            Push::Promise(promised) => ToDesk::Promise(Box::new(render::promise(gateway, &promised).await?)),
            Push::Kudos(picture) => ToDesk::Kudos(Box::new(render::kudos(gateway, &picture).await?)),
        })
    }

    fn show(&mut self, log: Log, seq: u64, frame: &ToDesk, span: Span) {
        let (text, span) = (render::frame(frame), span.shared());
        for desk in self.desks.values_mut() {
            if !desk.shown_to.holds(log, seq) && desk.lacks(frame) {
                desk.out.send_traced(text.clone(), span.clone());
            }
        }
    }

    fn show_all(&self, frame: &Utf8Bytes) {
        for desk in self.desks.values() {
            desk.out.send(frame.clone());
        }
    }

    fn close_desks(&mut self) {
        for desk in self.desks.values() {
            desk.out.close();
        }
    }

    /// Tells desks of commands that wait for too long; they stay expected, and the desk sends them again.
    fn remind(&mut self) {
        let now = Instant::now();
        for expected in
            self.expected.values_mut().filter(|expected| !expected.was_told && expected.until <= now)
        {
            expected.was_told = true;
            self.gateway.kit.metrics.commands_total.inc(["not_settled_yet"]);
            if let Some(desk) = self.desks.get(&expected.socket) {
                desk.out.send(render::frame(&commands::not_settled_yet().frame()));
            }
        }
    }

    fn is_left(&self) -> bool {
        // A bot does not reload its page.
        let is_bot = self.gateway.hub.is_bot(self.agent);
        let grace = if is_bot { Duration::ZERO } else { self.gateway.kit.settings.desk.disconnect_grace };
        self.desks.is_empty() && self.left_at.is_some_and(|left_at| left_at.elapsed() >= grace)
    }
}
