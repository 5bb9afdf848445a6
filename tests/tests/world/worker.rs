//! The empowerment worker as far as routing sees it: wishes, some of them again, and what is passed on to it.

use protocol::command::{AgentCommand, Presence};
use protocol::limits::ASKED_MAX;
use protocol::policy::Ask;
use protocol::record::{EntryKind, Event, Record};
use protocol::remedy::{ContactContext, EmpowermentInput, RemedyCommand, Wish};
use protocol::{
    AgentId, AskId, Command, CommandId, ContactId, ConversationId, IdentityId, InputBody, MessageId, TellId,
};

use crate::audit::{Audit, law};
use crate::floor::{self, token};
use crate::fold::At;
use crate::letters::Sender;
use crate::world::{Happens, Lawful, World};

/// How long a wish may be repeated: its id is remembered for longer.
const REPEATED_MS: u64 = 86_400_000;

#[derive(Default)]
pub(crate) struct Worker {
    born: u32,
    letters: Vec<usize>,
}

impl World {
    pub(crate) fn worker_acts(&mut self) {
        if self.quiet_since.is_some() {
            return;
        }
        self.within(4_000, Happens::WorkerActs);
        let contacts: Vec<_> =
            self.audit.fold.contacts.iter().map(|(id, it)| (*id, it.conversation)).collect();
        let Some((contact, conversation)) = self.dice.pick(&contacts) else { return };
        match self.dice.below(10) {
            0..4 => self.wishes_to_tell(contact, conversation),
            4..6 => self.wishes_to_ask(),
            6 => {
                let (tell, until) = (self.tell_id(), self.wall().plus(20_000));
                self.wishes(Wish::Risk { tell, conversation, until });
            }
            7 => {
                let id = self.notice();
                let identity = floor::identity(self.dice.index(self.customers.len()));
                let thanks = EmpowermentInput::Thanks { id, identity, words: None };
                self.post(Sender::Customer, id.to_string(), InputBody::Empowerment(thanks));
            }
            _ => self.wishes_again(),
        }
    }

    fn wishes_to_tell(&mut self, contact: ContactId, conversation: ConversationId) {
        let agent = floor::agent_id(self.dice.index(self.agents.len()));
        let (tell, message) = (self.tell_id(), MessageId(self.uuid()));
        let body = floor::sealed(floor::identity(0));
        self.wishes(Wish::Tell { tell, conversation, contact, agent, remedy: None, message, body });
    }

    fn wishes_to_ask(&mut self) {
        let TellId { log_seq, n } = self.tell_id();
        let whom = if self.dice.one_in(2) { Ask::AskPeer } else { Ask::AskLead };
        let queue = token(["sales", "support"][self.dice.index(2)]);
        let but = vec![floor::agent_id(self.dice.index(self.agents.len()))];
        self.wishes(Wish::AskFor { ask: AskId { log_seq, n }, round: 0, whom, queue, but });
    }

    fn tell_id(&mut self) -> TellId {
        let worker = self.worker.get_or_insert_default();
        worker.born += 1;
        TellId { log_seq: 1, n: worker.born }
    }

    fn wishes(&mut self, wish: Wish) {
        let letter = self.post(Sender::Customer, name(&wish), InputBody::Wish(wish));
        self.worker.get_or_insert_default().letters.push(letter);
    }

    /// After a crash the worker does not know what it sent.
    fn wishes_again(&mut self) {
        let Some(letter) = self.worker.as_ref().and_then(|worker| self.dice.pick(&worker.letters)) else {
            return;
        };
        if self.wall().since(self.letters[letter].posted_at) < REPEATED_MS {
            self.send(letter);
        }
    }

    /// An agent's command for the worker, which does not answer here.
    pub(crate) fn promises(&mut self, agent: AgentId, contact: ContactId) {
        let id = CommandId(self.uuid());
        let (words, due) = (floor::sealed(floor::identity(0)), self.wall().plus(60_000));
        let ask = Box::new(RemedyCommand::Promise { contact, words, due });
        let asked = AgentCommand { id, agent, command: Command::Empower { ask } };
        self.post(Sender::Customer, id.to_string(), InputBody::Command(asked));
    }
}

/// What makes two wishes the same.
fn name(wish: &Wish) -> String {
    match wish {
        Wish::Tell { tell, .. } => format!("tell {tell}"),
        Wish::AskFor { ask, round, .. } => format!("ask {ask} {round}"),
        Wish::Risk { tell, .. } => format!("risk {tell}"),
    }
}

impl Audit {
    /// Once, and the worker is told what came of it.
    pub(crate) fn wish(&mut self, wish: &Wish, record: &Record) -> Lawful {
        let name = name(wish);
        if !self.wishes.insert(name.clone()) {
            self.duplicates += 1;
            return self.expect(record, &[Event::DuplicateSkipped]);
        }
        let is_known = |id: &ConversationId| {
            self.fold.conversations.contains_key(id) && !self.fold.forgotten.contains(id)
        };
        match wish {
            Wish::Tell { tell, conversation, .. } => {
                let told = is_known(conversation);
                let entries = record
                    .events
                    .iter()
                    .filter(|event| matches!(event, Event::EntryAdded { entry: EntryKind::Told { .. }, .. }));
                law(entries.count() == usize::from(told), || format!("{name} is not one entry"))?;
                let says = record.events.contains(&Event::CustomerTold { tell: *tell, told });
                law(says, || format!("{name}: {:?}", record.events))
            }
            Wish::AskFor { ask, round, whom, queue, but } => {
                let answers = record.events.iter().filter_map(|event| match event {
                    Event::ColleaguesAsked { ask: of, round: in_round, agents }
                        if (of, in_round) == (ask, round) =>
                    {
                        Some(agents)
                    }
                    _ => None,
                });
                let answers: Vec<_> = answers.collect();
                let [agents] = answers.as_slice() else { return Err(format!("{name} has not one answer")) };
                law(agents.len() <= ASKED_MAX, || format!("{name} asks {agents:?}"))?;
                let may = |agent: &AgentId| {
                    !but.contains(agent) && self.could_be_asked(*agent, *whom, queue.as_str())
                };
                law(agents.iter().all(may), || format!("{name} asks {agents:?}"))
            }
            Wish::Risk { conversation, .. } => {
                let says = record.events.iter().any(|event| matches!(event, Event::AtRisk { .. }));
                law(says == is_known(conversation), || format!("{name}: {:?}", record.events))
            }
        }
    }

    fn could_be_asked(&self, id: AgentId, whom: Ask, queue: &str) -> bool {
        let seat = self.fold.seats.get(&id);
        let is_there = seat.is_some_and(|seat| seat.gateway.is_some() && seat.presence == Presence::Online);
        let mut agents = self.fold.config.agents.iter();
        is_there
            && agents.find(|agent| agent.id == id).is_some_and(|agent| match whom {
                Ask::AskPeer => agent.queues.iter().any(|served| served.as_str() == queue),
                Ask::AskLead => {
                    protocol::SubjectToken::new(queue).is_ok_and(|queue| agent.leads_queue(&queue))
                }
            })
    }

    /// Passed on each time, with where the contact stands now.
    pub(crate) fn passed(&self, asked: &AgentCommand, record: &Record) -> Lawful {
        let Command::Empower { ask } = &asked.command else { return Err("passed on and not its".into()) };
        let Some(context) = context(record)? else {
            let open = ask.contact().and_then(|id| self.fold.contacts.get(&id)).map(|contact| contact.at);
            return law(open.is_none_or(|at| at == At::Ended), || {
                "open, and passed on without context".into()
            });
        };
        let contact = self.fold.contacts.get(&context.contact).ok_or("a contact that never was")?;
        let holder = match contact.at {
            At::With(agent) | At::Aside(agent) | At::WrapUp(agent) => Some(agent),
            At::Nowhere | At::Waiting | At::Offered(..) | At::Ended => None,
        };
        law(context.holder == holder, || format!("{context:?} and {holder:?} holds it"))?;
        law(context.conversation == contact.conversation, || format!("{context:?}"))
    }

    pub(crate) fn thanks(&self, identity: IdentityId, record: &Record) -> Lawful {
        let Some(context) = context(record)? else { return Ok(()) };
        let whose = self.fold.conversations.get(&context.conversation);
        law(whose == Some(&identity) && context.holder.is_some(), || format!("thanks with {context:?}"))
    }
}

fn context(record: &Record) -> Result<Option<&ContactContext>, String> {
    match record.events.first() {
        Some(Event::Passed { context }) => Ok(context.as_deref()),
        _ => Err(format!("not passed on: {:?}", record.events)),
    }
}
