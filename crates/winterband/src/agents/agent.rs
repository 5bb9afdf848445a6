//! One simulated agent: hears frames, decides, says frames. Pure: no socket, no clock; time comes with every call.
//!
//! It lives through any number of connections. What it asked for and was not told the answer of, it asks again under the
//! same id; everything else it takes from the state that every connection begins with.

mod desk;
mod hearing;
mod pending;
/// What a rehearsal says in a field: the first choice, or a name that says what it is.
fn said(field: &Field) -> Option<SubjectToken> {
    field.choices.first().cloned().or_else(|| SubjectToken::new("rehearsal").ok())
}

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::mem;
use std::ops::RangeInclusive;

use protocol::command::{Outcome, Presence};
use protocol::config::Field;
use protocol::desk::{Choice, DeskCommand, FromDesk, ToDesk};
use protocol::{AgentId, ChannelKind, CommandId, ContactId, MessageId, Millis, SubjectToken};

use super::dice::Dice;
use super::figures::Note;
use super::witness::{Came, Witness};
use super::words;
use desk::{Answer, Desk, Step};
use pending::{About, Pending};

/// How long to wait for an answer before the same is sent again on the same connection, ms.
const RESEND_AFTER_MS: u64 = 10_000;
/// How long to wait before what the server could not take now is sent again, ms.
const RESEND_SOON_MS: u64 = 1_000;
/// How often to say a sign of life, ms.
const PING_EVERY_MS: u64 = 5_000;
/// A connection on which nothing was heard for so long is none, ms.
const DEAF_AFTER_MS: u64 = 15_000;
/// The first wait after a refusal, ms; doubles up to [`REFUSED_WAIT_MS_MAX`].
const REFUSED_WAIT_MS: u64 = 1_000;
/// The longest wait after refusals, ms.
const REFUSED_WAIT_MS_MAX: u64 = 30_000;

/// How a simulated agent works.
#[derive(Clone, Debug)]
pub(super) struct Habits {
    /// How long it thinks before each step, ms.
    pub(super) think_ms: RangeInclusive<u64>,
    /// How often it writes before it resolves.
    pub(super) replies: u32,
    /// How many of a hundred offers it leaves to others.
    pub(super) decline_percent: u8,
    /// How many of a hundred offers it does not answer.
    pub(super) ignore_percent: u8,
}

/// One simulated agent.
#[derive(Debug)]
pub(super) struct SimulatedAgent {
    habits: Habits,
    capacity: BTreeMap<ChannelKind, u16>,
    dice: Dice,
    /// Apart from the dice, so that a rehearsal with the same seed makes other ids.
    ids: Dice,
    link: Link,
    me: Option<AgentId>,
    presence: Presence,
    /// When to go online, if that is planned.
    online_at: Option<Millis>,
    is_leaving: bool,
    dispositions: Vec<Choice>,
    desk: Desk,
    /// Asked for and not answered, in the order of asking.
    pending: Vec<Pending>,
    witness: Witness,
    frames: Vec<FromDesk>,
    notes: Vec<Note>,
}

/// The connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Down,
    /// Hello was said, the state has not come.
    Greeting {
        heard_at: Millis,
    },
    Up {
        heard_at: Millis,
        ping_at: Millis,
    },
}

impl SimulatedAgent {
    pub(super) fn new(habits: Habits, capacity: BTreeMap<ChannelKind, u16>, dice: Dice, ids: Dice) -> Self {
        Self {
            habits,
            capacity,
            dice,
            ids,
            link: Link::Down,
            me: None,
            presence: Presence::Offline,
            online_at: None,
            is_leaving: false,
            dispositions: Vec::new(),
            desk: Desk::default(),
            pending: Vec::new(),
            witness: Witness::default(),
            frames: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// What is to be sent now.
    pub(super) fn take_frames(&mut self) -> Vec<FromDesk> {
        mem::take(&mut self.frames)
    }

    /// What is to be counted now.
    pub(super) fn take_notes(&mut self) -> Vec<Note> {
        let violations = self.witness.take_violations();
        self.notes.extend(violations.into_iter().map(Note::Violation));
        mem::take(&mut self.notes)
    }

    /// A number from 0 to `end`, without `end`, for whoever carries the frames.
    pub(super) fn roll_below(&mut self, end: u64) -> u64 {
        self.dice.below(end)
    }

    /// Whether something is at hand: an offer, a contact, a connection that does not stand.
    pub(super) fn is_busy(&self) -> bool {
        !self.desk.is_empty() || !matches!(self.link, Link::Up { .. })
    }

    /// Whether it has or had an offer or a contact in hand now.
    pub(super) fn is_serving(&self) -> bool {
        !self.desk.is_empty()
    }

    /// Whether it said that it leaves and the server knows, or cannot be told.
    pub(super) fn has_left(&self) -> bool {
        self.is_leaving
            && (self.link == Link::Down || (self.presence == Presence::Offline && !self.asks_for_presence()))
    }

    /// Whether the connection is one in name only.
    pub(super) fn is_deaf(&self, now: Millis) -> bool {
        match self.link {
            Link::Down => false,
            Link::Greeting { heard_at } | Link::Up { heard_at, .. } => now.since(heard_at) >= DEAF_AFTER_MS,
        }
    }

    /// A connection stands.
    pub(super) fn connected(&mut self, now: Millis) {
        self.link = Link::Greeting { heard_at: now };
        self.frames.clear();
        self.frames.push(FromDesk::Hello { have: self.witness.have() });
    }

    /// The connection is gone; what was not answered stays pending.
    pub(super) fn disconnected(&mut self) {
        self.link = Link::Down;
        self.frames.clear();
    }

    /// The rehearsal ends: no more steps, and offline.
    pub(super) fn leave(&mut self, now: Millis) {
        if mem::replace(&mut self.is_leaving, true) {
            return;
        }
        self.online_at = None;
        self.desk.cancel_plans();
        if matches!(self.link, Link::Up { .. }) {
            self.ask_presence(Presence::Offline, now);
        }
    }

    /// When [`Self::tick`] has something to do.
    pub(super) fn deadline(&self) -> Option<Millis> {
        match self.link {
            Link::Down => None,
            Link::Greeting { heard_at } => Some(heard_at.plus(DEAF_AFTER_MS)),
            Link::Up { heard_at, ping_at } => {
                let resend = self.pending.iter().map(|pending| pending.resend_at).min();
                let planned = [self.online_at, self.desk.next_plan(), resend];
                let link = ping_at.min(heard_at.plus(DEAF_AFTER_MS));
                planned.into_iter().flatten().min().map_or(Some(link), |plan| Some(plan.min(link)))
            }
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Millis) {
        let Link::Up { heard_at, ping_at } = self.link else { return };
        if ping_at <= now {
            self.frames.push(FromDesk::Ping { n: now.0 });
            self.link = Link::Up { heard_at, ping_at: now.plus(PING_EVERY_MS) };
        }
        if self.online_at.is_some_and(|at| at <= now) {
            self.online_at = None;
            if !self.asks_for_presence() {
                self.ask_presence(Presence::Online, now);
            }
        }
        for (offer, answer) in self.desk.due_answers(now) {
            let command = match answer {
                Answer::Accept => DeskCommand::Accept { offer },
                Answer::Decline => DeskCommand::Decline { offer, reason: words::decline(&mut self.dice) },
            };
            self.ask(About::Offer(offer), command, now);
        }
        for contact in self.desk.due_contacts(now) {
            self.step(contact, now);
        }
        for pending in self.pending.iter_mut().filter(|pending| pending.resend_at <= now) {
            pending.resend_at = now.plus(RESEND_AFTER_MS);
            self.frames.push(pending.frame());
            self.notes.push(Note::Resent);
        }
    }

    /// Does the next thing for a contact.
    fn step(&mut self, contact: ContactId, now: Millis) {
        let Some(step) = self.desk.next_step(contact, self.habits.replies) else { return };
        let command = match step {
            Step::Reply => {
                let message = MessageId(self.ids.uuid(now.0));
                DeskCommand::Reply { contact, message, text: words::reply(&mut self.dice), with: None }
            }
            Step::Resolve => match self.dice.pick(&self.dispositions) {
                Some(disposition) => {
                    let fields = disposition.fields.iter();
                    let fields =
                        fields.filter_map(|field| Some((field.name.clone(), said(field)?))).collect();
                    DeskCommand::Resolve { contact, disposition: disposition.name.clone(), fields }
                }
                // Without dispositions nothing can be resolved; a later state may bring some.
                None => return self.desk.plan(contact, now.plus(REFUSED_WAIT_MS_MAX)),
            },
            Step::EndWrapUp => DeskCommand::EndWrapUp { contact },
        };
        self.ask(About::Contact(contact), command, now);
    }

    fn ask_presence(&mut self, presence: Presence, now: Millis) {
        self.ask(
            About::Presence(presence),
            DeskCommand::SetPresence { presence, reason: None, when_free: false },
            now,
        );
    }

    fn asks_for_presence(&self) -> bool {
        self.pending.iter().any(|pending| matches!(pending.about, About::Presence(_)))
    }

    fn ask(&mut self, about: About, command: DeskCommand, now: Millis) {
        let id = CommandId(self.ids.uuid(now.0));
        let pending = Pending { id, about, command, resend_at: now.plus(RESEND_AFTER_MS) };
        self.frames.push(pending.frame());
        self.pending.push(pending);
    }

    /// Hears a frame.
    pub(super) fn heard(&mut self, frame: ToDesk, now: Millis) {
        match &mut self.link {
            Link::Greeting { heard_at } | Link::Up { heard_at, .. } => *heard_at = now,
            Link::Down => return,
        }
        match frame {
            ToDesk::State(state) => self.heard_state(*state, now),
            ToDesk::Offer(card) => self.heard_offer(&card, now),
            ToDesk::OfferEnded { offer, how } => {
                if self.desk.end_offer(offer) && how == "timed_out" {
                    self.notes.push(Note::Missed);
                }
            }
            ToDesk::Contact(contact) => self.heard_contact(&contact, now),
            ToDesk::ContactGone { contact, .. } => self.desk.drop_contact(contact, &mut self.witness),
            ToDesk::Entry { conversation, entry } => self.heard_entry(conversation, &entry, Came::Alone, now),
            ToDesk::Settled { id, outcome, .. } => self.heard_settled(id, &outcome, now),
            ToDesk::Presence { presence, .. } => {
                self.presence = presence;
                if let Some(soon) = self.soon(now) {
                    self.plan_presence(soon);
                }
            }
            ToDesk::Error { code, .. } => {
                if matches!(code.as_str(), "too_fast" | "too_many_at_once" | "not_settled_yet") {
                    self.resend_soon(now);
                }
                self.notes.push(Note::FrameError(code));
            }
            // They write and resolve; what is given, asked and praised is left to people.
            ToDesk::Older { .. }
            | ToDesk::Till { .. }
            | ToDesk::RemedySettled { .. }
            | ToDesk::Remedy(_)
            | ToDesk::Ask(_)
            | ToDesk::AskEnded { .. }
            | ToDesk::Promise(_)
            | ToDesk::Kudos(_)
            | ToDesk::Delivered { .. }
            | ToDesk::Typing { .. }
            | ToDesk::Writing { .. }
            | ToDesk::Line { .. }
            | ToDesk::Mentions { .. }
            | ToDesk::Floor(_)
            | ToDesk::Pong { .. } => {}
        }
    }

    /// One of them was put off, which one is not said, and those behind it wait for it: all go again, in their order.
    fn resend_soon(&mut self, now: Millis) {
        let soon = now.plus(RESEND_SOON_MS);
        for pending in &mut self.pending {
            pending.resend_at = pending.resend_at.min(soon);
        }
    }

    fn plan_presence(&mut self, at: Millis) {
        let wanted = !self.is_leaving && self.presence != Presence::Online && !self.asks_for_presence();
        self.online_at = wanted.then_some(at);
    }

    fn heard_settled(&mut self, id: CommandId, outcome: &Outcome, now: Millis) {
        self.witness.settled(id, outcome);
        // Answered before, on an earlier connection: seen by the witness, and that is all.
        let Some(place) = self.pending.iter().position(|pending| pending.id == id) else { return };
        let Pending { about, command, .. } = self.pending.remove(place);
        match outcome {
            Outcome::Done => self.done(about, &command, now),
            Outcome::Refused { refusal } => {
                self.notes.push(Note::Refused(*refusal));
                self.refused(about, now);
            }
        }
    }

    fn done(&mut self, about: About, command: &DeskCommand, now: Millis) {
        match (about, command) {
            (About::Presence(presence), _) => {
                self.presence = presence;
                self.plan_presence(now);
            }
            (About::Offer(_), DeskCommand::Decline { .. }) => self.notes.push(Note::Declined),
            (About::Offer(_), _) => self.notes.push(Note::Accepted),
            (About::Contact(contact), DeskCommand::Reply { message, .. }) => {
                self.notes.push(Note::Replied);
                self.done_with(contact, Step::Reply, Some(*message), now);
            }
            (About::Contact(contact), DeskCommand::Resolve { .. }) => {
                self.notes.push(Note::Resolved);
                self.done_with(contact, Step::Resolve, None, now);
            }
            (About::Contact(contact), _) => self.done_with(contact, Step::EndWrapUp, None, now),
        }
    }

    fn done_with(&mut self, contact: ContactId, step: Step, said: Option<MessageId>, now: Millis) {
        let (at_once, soon) = ((!self.is_leaving).then_some(now), self.soon(now));
        self.desk.done(contact, (step, said), at_once, soon);
    }

    fn refused(&mut self, about: About, now: Millis) {
        match about {
            About::Presence(_) => self.plan_presence(now.plus(REFUSED_WAIT_MS)),
            // It stays on the desk until the server says that it ended.
            About::Offer(_) => {}
            About::Contact(contact) => {
                let is_quiet = self.is_leaving;
                self.desk.refused(contact, |tries| {
                    let wait = REFUSED_WAIT_MS.saturating_mul(2_u64.saturating_pow(tries));
                    (!is_quiet).then(|| now.plus(wait.min(REFUSED_WAIT_MS_MAX)))
                });
            }
        }
    }
}
