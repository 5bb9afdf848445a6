//! The floor once more, folded from the log in the plainest way, with the rules written down from their definitions. It
//! looks at every agent and every contact each time, and shares no code with the core.

mod bots;
mod customers;
mod given;
mod incidents;
mod weigh;

use std::collections::{BTreeMap, BTreeSet};

use protocol::command::Presence;
use protocol::config::{Agent, Queue, RoutingConfig};
use protocol::facts::FactValues;
use protocol::hours::Calendar;
use protocol::input::SkillNeed;
use protocol::limits::COMPANIONS_PER_CONTACT_MAX;
use protocol::record::{Cause, ChoiceRule, CompanyRole, EntryKind, Event, OfferEnd, QueuedWhy, Record};
use protocol::{
    AgentId, ChannelKind, Command, ContactId, ConversationId, IncidentId, InputBody, Millis, OfferId,
    SubjectToken,
};
use routing_core::State;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum At {
    Nowhere,
    Waiting { preferred: Option<AgentId> },
    Gathered(IncidentId),
    Offered(AgentId),
    With(AgentId),
    Aside(AgentId),
    WrapUp(AgentId),
    Resolved,
    Abandoned,
}

#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) at: At,
    conversation: ConversationId,
    channel: ChannelKind,
    queue: Option<SubjectToken>,
    needs: Vec<SkillNeed>,
    priority: u8,
    since: Millis,
    declined: BTreeMap<AgentId, Millis>,
    bots: bots::Lease,
    facts: FactValues,
}

#[derive(Clone, Debug)]
struct Worker {
    presence: Presence,
    connected: bool,
    leaves: bool,
    idle_since: Millis,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    config: RoutingConfig,
    workers: BTreeMap<AgentId, Worker>,
    pub(crate) contacts: BTreeMap<ContactId, Known>,
    entries: BTreeMap<ConversationId, u64>,
    /// Since when each conversation that is remembered has been idle, if it has no open contact.
    pub(crate) conversations: BTreeMap<ConversationId, Option<Millis>>,
    closed: BTreeSet<SubjectToken>,
    /// Contacts whose customers are to be called back.
    callbacks: BTreeSet<ContactId>,
    /// Who is with which contact, and how.
    company: BTreeMap<(ContactId, AgentId), CompanyRole>,
    /// Who gave a contact on and has it again if it is not taken.
    hand_overs: BTreeMap<ContactId, (AgentId, AgentId)>,
    pub(crate) open_offers: BTreeMap<OfferId, ContactId>,
    ended_offers: BTreeSet<OfferId>,
    pub(crate) opened: u64,
    last_at: Millis,
    /// Who writes first with the record that is folded.
    begins: Option<AgentId>,
    given: given::Given,
    incidents: incidents::Incidents,
    customers: customers::Customers,
}

impl Model {
    pub(crate) fn fold(&mut self, record: &Record) {
        assert!(record.at >= self.last_at, "time ran backwards");
        self.last_at = record.at;
        self.begins = beginner(&record.cause);
        for event in &record.events {
            self.given(record, event);
            self.bots(record.at, event);
            self.incidents(record.at, event);
            self.customers(record.at, event);
            self.event(record, event);
        }
        self.check_risk(record.at);
        self.check_door();
        assert!(self.contacts.values().all(|known| known.at != At::Nowhere), "a contact is nowhere");
    }

    fn event(&mut self, record: &Record, event: &Event) {
        match event {
            Event::ConfigApplied => {
                let Cause::Input { input, .. } = &record.cause else { panic!("no input") };
                let InputBody::Config(config) = &input.body else { panic!("no config") };
                self.config = config.config.as_ref().clone();
                let fresh = Worker {
                    presence: Presence::Offline,
                    connected: false,
                    leaves: false,
                    idle_since: Millis(0),
                };
                let before = std::mem::take(&mut self.workers);
                for agent in &self.config.agents {
                    let worker = before.get(&agent.id).cloned().unwrap_or(fresh.clone());
                    self.workers.insert(agent.id, worker);
                }
                let is_closed = |queue: &&Queue| self.should_be_closed(queue, record.at);
                self.closed =
                    self.config.queues.iter().filter(is_closed).map(|one| one.name.clone()).collect();
            }
            Event::HoursChanged { queue, open } => {
                let changed =
                    if *open { self.closed.remove(queue) } else { self.closed.insert(queue.clone()) };
                assert!(changed, "{queue} was that already");
            }
            Event::ConversationOpened { conversation, .. } => {
                assert!(self.conversations.insert(*conversation, Some(record.at)).is_none());
            }
            Event::ConversationForgotten { conversation } => self.forget(*conversation),
            Event::EntryAdded { conversation, seq, contact, entry } => {
                assert!(self.conversations.contains_key(conversation), "{conversation} was forgotten");
                let last = self.entries.entry(*conversation).or_default();
                assert_eq!(*seq, *last + 1, "entries are dense");
                *last = *seq;
                if *entry == EntryKind::CallbackAsked {
                    self.callbacks.insert(*contact);
                }
                self.company_entry(*contact, entry);
                if let EntryKind::TransferredToQueue { agent, .. }
                | EntryKind::TransferredToAgent { agent, .. } = entry
                {
                    self.known(*contact).declined.insert(*agent, record.at);
                }
            }
            Event::AgentConnected { agent, .. } => self.work(*agent, record.at, |one| one.connected = true),
            Event::AgentDisconnected { agent, .. } => {
                self.work(*agent, record.at, |one| one.connected = false)
            }
            Event::PresenceChanged { agent, presence, .. } => {
                self.work(*agent, record.at, |one| (one.presence, one.leaves) = (*presence, false));
            }
            Event::PresenceQueued { agent, .. } => self.work(*agent, record.at, |one| one.leaves = true),
            Event::Fenced { .. } => self.ask_anew(record.at),
            Event::CompanyChanged { contact, agent, role } => self.company_changed(*contact, *agent, *role),
            _ => self.contact_event(record.at, event),
        }
    }

    /// Leases begin anew with a leader, those of questions to colleagues too.
    fn ask_anew(&mut self, at: Millis) {
        let mut company = std::mem::take(&mut self.company);
        for ((contact, _), role) in &mut company {
            if let CompanyRole::Asked { until, .. } = role {
                *until = at.plus(self.queue(&self.contacts[contact]).offer_ms);
            }
        }
        self.company = company;
    }

    /// Only who leads watches, and only whom an owner asked is consulted.
    fn company_changed(&mut self, contact: ContactId, agent: AgentId, role: Option<CompanyRole>) {
        assert!(Self::is_open(&self.contacts[&contact]), "{contact} has ended");
        let before = self.company.remove(&(contact, agent));
        let Some(role) = role else {
            assert!(before.is_some(), "{agent} was not with {contact}");
            return;
        };
        assert!(!matches!(self.contacts[&contact].at, At::With(owner) | At::Aside(owner) if owner == agent));
        match role {
            CompanyRole::Asked { by, .. } => {
                assert!(before.is_none() && self.is_there(agent));
                let owners = [At::With(by), At::Aside(by)];
                assert!(owners.contains(&self.contacts[&contact].at), "only the owner asks");
            }
            CompanyRole::Consulted => assert!(matches!(before, Some(CompanyRole::Asked { .. }))),
            CompanyRole::Watching => {
                assert!(self.configured(agent).leads_queue(&self.queue(&self.contacts[&contact]).name));
            }
            CompanyRole::Joined => {
                assert!(matches!(before, Some(CompanyRole::Consulted | CompanyRole::Watching)));
            }
        }
        self.company.insert((contact, agent), role);
    }

    /// Nobody speaks to a customer who is neither the owner nor joined; whom one hands it to is asked first.
    fn company_entry(&mut self, contact: ContactId, entry: &EntryKind) {
        let role = |agent: &AgentId| self.company.get(&(contact, *agent)).copied();
        match entry {
            EntryKind::FromAgent { agent, .. } => {
                let is_owner = matches!(self.contacts[&contact].at, At::With(owner) | At::Aside(owner) if owner == *agent);
                assert!(is_owner || role(agent) == Some(CompanyRole::Joined), "{agent} may not write");
            }
            EntryKind::Whispered { agent } => {
                assert!(
                    !matches!(role(agent), None | Some(CompanyRole::Asked { .. })),
                    "{agent} may not whisper"
                );
            }
            EntryKind::TransferredToAgent { agent, to, back } => {
                self.hand_overs.remove(&contact);
                if *back {
                    self.hand_overs.insert(contact, (*agent, *to));
                }
            }
            EntryKind::TransferredToQueue { .. } | EntryKind::Reclaimed { .. } => {
                let others = |(&(of, _), role): (&(ContactId, AgentId), &CompanyRole)| {
                    of == contact && *role != CompanyRole::Watching
                };
                assert!(!self.company.iter().any(others), "whom the owner asked in stays behind");
            }
            _ => {}
        }
    }

    /// The core knows the same company, in open contacts only and within its limits.
    pub(crate) fn check_company(&self, state: &State) {
        let mut known = BTreeMap::new();
        for (id, _) in state.contacts() {
            let company = state.company(id);
            assert!(company.len() <= COMPANIONS_PER_CONTACT_MAX);
            known.extend(company.iter().map(|one| ((id, one.agent), one.role)));
        }
        assert_eq!(known, self.company);
    }

    /// Who has not answered yet.
    pub(crate) fn asked(&self) -> Vec<AgentId> {
        let asked = self.company.iter().filter(|(_, role)| matches!(role, CompanyRole::Asked { .. }));
        asked.map(|((_, agent), _)| *agent).collect()
    }

    fn contact_opened(&mut self, at: Millis, event: &Event) {
        let Event::ContactOpened {
            contact, conversation, channel, facts, route, practice, people_only, ..
        } = event
        else {
            return;
        };
        assert_eq!(practice, people_only, "what is practised is for people");
        self.opened += 1;
        // Who writes first says where it belongs.
        let taken = self.config.routes.iter().find(|route| weigh::takes(route, facts));
        let taken = taken.filter(|_| self.begins.is_none());
        assert_eq!(*route, taken.map(|route| route.name.clone()), "{facts:?}");
        self.conversations.insert(*conversation, None);
        let known = Known {
            at: At::Nowhere,
            conversation: *conversation,
            channel: *channel,
            queue: None,
            needs: Vec::new(),
            priority: 0,
            since: at,
            declined: BTreeMap::new(),
            bots: bots::Lease::opened(*practice),
            facts: facts.clone(),
        };
        assert!(self.contacts.insert(*contact, known).is_none(), "{contact} was born twice");
    }

    fn contact_event(&mut self, at: Millis, event: &Event) {
        match event {
            Event::ContactOpened { .. } => self.contact_opened(at, event),
            Event::ContactReopened { contact } => {
                let known = self.known(*contact);
                match known.at {
                    At::WrapUp(_) => {}
                    At::Resolved | At::Abandoned => {
                        known.at = At::Nowhere;
                        known.declined.clear();
                        let conversation = known.conversation;
                        self.conversations.insert(conversation, None);
                    }
                    _ => panic!("{contact} was open: {:?}", known.at),
                }
            }
            Event::Queued { contact, queue, priority, needs, since, preferred, why } => {
                if let At::With(agent) | At::Aside(agent) = self.known(*contact).at
                    && *why != QueuedWhy::Returned
                {
                    self.workers.get_mut(&agent).unwrap().idle_since = at;
                }
                if preferred.is_none() {
                    self.hand_overs.remove(contact);
                }
                let known = self.known(*contact);
                let was_taken =
                    matches!(known.at, At::Nowhere | At::With(_) | At::Aside(_) | At::Gathered(_));
                let is_put_first =
                    matches!(why, QueuedWhy::AtRisk | QueuedWhy::Escalated | QueuedWhy::HandedOver);
                // Who leads moves what waits.
                let is_moved = *why == QueuedWhy::Transferred && matches!(known.at, At::Waiting { .. });
                assert!(was_taken || is_put_first || is_moved, "{contact}: {:?}", known.at);
                known.at = At::Waiting { preferred: preferred.map(|one| one.agent) };
                (known.queue, known.needs) = (Some(queue.clone()), needs.clone());
                (known.priority, known.since) = (*priority, *since);
            }
            Event::PreferenceEnded { contact } => {
                self.hand_overs.remove(contact);
                let known = self.known(*contact);
                assert!(matches!(known.at, At::Waiting { preferred: Some(_) }));
                known.at = At::Waiting { preferred: None };
            }
            Event::ContactMoved { contact, from, conversation, channel } => {
                self.moved(at, *contact, *from, *conversation, *channel);
            }
            Event::Abandoned { contact } => {
                let is_kept = self.callbacks.contains(contact) && !self.is_of_blocked(at, *contact);
                assert!(!is_kept, "a customer who is called back lost their place");
                self.ends(at, *contact, At::Abandoned);
            }
            _ => self.owner_event(at, event),
        }
    }

    /// It stands as it stood, in a conversation that had none.
    fn moved(
        &mut self,
        at: Millis,
        contact: ContactId,
        from: ConversationId,
        to: ConversationId,
        channel: ChannelKind,
    ) {
        assert!(self.conversations[&to].is_some(), "{to} has an open contact");
        self.conversations.insert(from, Some(at));
        self.conversations.insert(to, None);
        let known = self.known(contact);
        assert_eq!(known.conversation, from);
        (known.conversation, known.channel) = (to, channel);
        match known.at {
            At::With(agent) => {
                let agent = self.configured(agent);
                assert!(self.held(agent.id, channel) <= agent.capacity[&channel], "capacity exceeded");
                self.check_load(agent);
            }
            At::Waiting { .. } | At::Gathered(_) | At::Aside(_) => {}
            ref at => panic!("{contact} moves: {at:?}"),
        }
    }

    fn owner_event(&mut self, at: Millis, event: &Event) {
        match event {
            Event::WrapUpStarted { contact, agent, .. } => {
                let known = self.contacts[contact].clone();
                match known.at {
                    At::With(owner) => assert_eq!(owner, *agent),
                    At::Aside(owner) => {
                        assert_eq!(owner, *agent);
                        assert!(self.has_room(self.configured(*agent), &known), "wrapped up without room");
                    }
                    at => panic!("{contact} is wrapped up: {at:?}"),
                }
                self.known(*contact).at = At::WrapUp(*agent);
            }
            Event::SetAside { contact, agent, .. } => {
                let known = self.known(*contact);
                assert!(known.at == At::With(*agent) || known.at == At::Aside(*agent), "{:?}", known.at);
                known.at = At::Aside(*agent);
                self.workers.get_mut(agent).unwrap().idle_since = at;
            }
            Event::Resolved { contact, agent } => {
                let known = self.known(*contact);
                let own = [At::With(*agent), At::Aside(*agent), At::WrapUp(*agent)];
                assert!(own.contains(&known.at) || matches!(known.at, At::Gathered(_)), "one owner");
                let was_theirs = own.contains(&known.at);
                self.ends(at, *contact, At::Resolved);
                if was_theirs {
                    self.workers.get_mut(agent).unwrap().idle_since = at;
                }
            }
            _ => self.offer_event(at, event),
        }
    }

    fn offer_event(&mut self, at: Millis, event: &Event) {
        match event {
            Event::OfferMade { offer, contact, agent, expires_at, receipt } => {
                assert!(*expires_at > at);
                self.check_offer(at, *contact, *agent, receipt.rule);
                self.known(*contact).at = At::Offered(*agent);
                assert!(self.open_offers.insert(*offer, *contact).is_none());
                assert!(!self.ended_offers.contains(offer), "{offer} was born twice");
                let (contact, agent) = (&self.contacts[contact], self.configured(*agent));
                let held = self.held(agent.id, contact.channel);
                assert!(held <= agent.capacity[&contact.channel], "capacity exceeded");
                self.check_load(agent);
            }
            Event::OfferEnded { offer, contact, agent, end } => {
                assert_eq!(self.open_offers.remove(offer), Some(*contact), "{offer} was not open");
                self.ended_offers.insert(*offer);
                let known = self.known(*contact);
                assert_eq!(known.at, At::Offered(*agent));
                known.at = At::Nowhere;
                if let OfferEnd::Declined { .. } | OfferEnd::TimedOut | OfferEnd::Revoked { .. } = end {
                    known.declined.insert(*agent, at);
                }
            }
            Event::Assigned { contact, agent } => {
                let known = self.contacts[contact].clone();
                let keeps_its_room = known.at == At::Nowhere || known.at == At::WrapUp(*agent);
                if !keeps_its_room {
                    let agent = self.configured(*agent);
                    assert!(self.has_room(agent, &known), "{contact}: {:?} and no room", known.at);
                    let comes_back = self.hand_overs.get(contact).is_some_and(|(from, _)| *from == agent.id);
                    let may = known.at == At::Aside(agent.id)
                        || self.begins == Some(agent.id)
                        || agent.leads_queue(&self.queue(&known).name)
                        || comes_back;
                    assert!(may, "one owner: {:?}", known.at);
                }
                if let Some((from, to)) = self.hand_overs.remove(contact)
                    && from == *agent
                    && !self.configured(from).leads()
                {
                    assert!(self.is_there(from), "it came back to who is not there");
                    assert_eq!(known.at == At::Waiting { preferred: Some(to) }, known.at != At::Nowhere);
                    assert!(self.has_room(self.configured(from), &known), "it came back without room");
                }
                self.company.remove(&(*contact, *agent));
                if let At::With(other) | At::Aside(other) = known.at {
                    self.workers.get_mut(&other).unwrap().idle_since = at;
                }
                let known = self.known(*contact);
                known.at = At::With(*agent);
                known.declined.remove(agent);
                self.workers.get_mut(agent).unwrap().idle_since = at;
            }
            _ => {}
        }
    }

    fn ends(&mut self, at: Millis, contact: ContactId, how: At) {
        self.callbacks.remove(&contact);
        self.hand_overs.remove(&contact);
        self.company.retain(|(of, _), _| *of != contact);
        let known = self.known(contact);
        known.at = how;
        let conversation = known.conversation;
        self.conversations.insert(conversation, Some(at));
    }

    /// Only one without an open contact, and none was idle for longer.
    fn forget(&mut self, conversation: ConversationId) {
        let idle = |since: &Option<Millis>| since.expect("no open contact");
        let since =
            idle(&self.conversations.remove(&conversation).expect("a conversation that is remembered"));
        let mut open = self.contacts.values().filter(|known| Self::is_open(known));
        assert!(open.all(|known| known.conversation != conversation), "{conversation} has an open contact");
        let longest = self.conversations.values().flatten().min();
        assert!(longest.is_none_or(|longest| since <= *longest), "{conversation} was not idle for longest");
    }

    fn is_open(known: &Known) -> bool {
        !matches!(known.at, At::Resolved | At::Abandoned)
    }

    fn known(&mut self, id: ContactId) -> &mut Known {
        self.contacts.get_mut(&id).unwrap()
    }

    fn work(&mut self, id: AgentId, at: Millis, change: impl FnOnce(&mut Worker)) {
        let was_there = self.is_there(id);
        change(self.workers.get_mut(&id).unwrap());
        if self.is_there(id) && !was_there {
            self.workers.get_mut(&id).unwrap().idle_since = at;
        }
    }

    fn configured(&self, id: AgentId) -> &Agent {
        self.config.agents.iter().find(|agent| agent.id == id).unwrap()
    }

    fn queue(&self, contact: &Known) -> &Queue {
        self.config.queues.iter().find(|queue| Some(&queue.name) == contact.queue.as_ref()).unwrap()
    }

    fn is_there(&self, id: AgentId) -> bool {
        let is_there = |one: &Worker| one.connected && one.presence == Presence::Online && !one.leaves;
        self.workers.get(&id).is_some_and(is_there)
    }

    fn should_be_closed(&self, queue: &Queue, at: Millis) -> bool {
        let hours = self.config.hours.iter().find(|hours| Some(&hours.name) == queue.hours.as_ref());
        hours.is_some_and(|hours| !Calendar::new(hours).unwrap().is_open(at))
    }

    /// Every queue is as its hours say.
    pub(crate) fn check_hours(&self, now: Millis) {
        for queue in &self.config.queues {
            assert_eq!(
                self.closed.contains(&queue.name),
                self.should_be_closed(queue, now),
                "{}",
                queue.name
            );
        }
    }

    pub(crate) fn held(&self, id: AgentId, channel: ChannelKind) -> u16 {
        let holds = |known: &&Known| match known.at {
            At::Offered(agent) | At::With(agent) | At::WrapUp(agent) => {
                agent == id && known.channel == channel
            }
            _ => false,
        };
        u16::try_from(self.contacts.values().filter(holds).count()).unwrap()
    }

    /// Sooner or later.
    fn is_qualified(&self, agent: &Agent, contact: &Known) -> bool {
        agent.capacity.get(&contact.channel).is_some_and(|slots| *slots > 0)
            && self.reached_after(agent, contact).is_some()
            && !(agent.bot && contact.bots.people_only)
    }

    /// The definition at the head of the core.
    pub(crate) fn is_eligible(&self, at: Millis, contact: &Known, agent: &Agent) -> bool {
        let At::Waiting { preferred } = contact.at else { return false };
        let is_closed = contact.queue.as_ref().is_some_and(|queue| self.closed.contains(queue));
        if is_closed || !self.is_there(agent.id) || !self.has_room(agent, contact) {
            return false;
        }
        if let Some(preferred) = preferred {
            return preferred == agent.id;
        }
        let after = self.reached_after(agent, contact);
        if !self.is_qualified(agent, contact) || after.is_none_or(|after| at.since(contact.since) < after) {
            return false;
        }
        let Some(declined_at) = contact.declined.get(&agent.id) else { return true };
        let could = |other: &&Agent| self.is_there(other.id) && self.is_qualified(other, contact);
        let mut able = self.config.agents.iter().filter(could);
        able.all(|other| contact.declined.contains_key(&other.id))
            && declined_at.plus(self.queue(contact).decline_rest_ms) <= at
    }

    fn check_offer(&self, at: Millis, id: ContactId, to: AgentId, rule: ChoiceRule) {
        let contact = &self.contacts[&id];
        let winner = self.configured(to);
        if rule == ChoiceRule::Picked {
            return self.check_picked(at, id, contact, winner);
        }
        assert!(self.is_eligible(at, contact, winner), "{id} was offered to {to}, who cannot have it");
        let choose = self.queue(contact).choose;
        let idle =
            |agent: &Agent| (self.rank(choose, agent, contact), self.workers[&agent.id].idle_since, agent.id);
        for other in &self.config.agents {
            if self.is_eligible(at, contact, other) {
                assert!(idle(winner) <= idle(other), "{id} to {to}, {} comes first by {choose:?}", other.id);
            }
        }
        let order = |id: ContactId, known: &Known| {
            let score = std::cmp::Reverse(self.score(at, known));
            (known.at == At::Waiting { preferred: None }, score, known.since, id)
        };
        for (other_id, other) in &self.contacts {
            if self.is_eligible(at, other, winner) {
                assert!(order(id, contact) <= order(*other_id, other), "{to} got {id}, {other_id} was first");
            }
        }
        let is_preferred = contact.at != At::Waiting { preferred: None };
        assert_eq!(rule == ChoiceRule::Preferred, is_preferred);
    }

    /// Whoever takes it could have been asked some time, whether they are there and had said no or not.
    fn check_picked(&self, at: Millis, id: ContactId, contact: &Known, winner: &Agent) {
        let At::Waiting { preferred } = contact.at else { panic!("{id} was picked and does not wait") };
        assert!(self.queue(contact).picking && self.has_room(winner, contact));
        match preferred {
            Some(preferred) => assert_eq!(preferred, winner.id, "{id} was kept for another"),
            None => {
                let after = self.reached_after(winner, contact);
                let has_reached = after.is_some_and(|after| at.since(contact.since) >= after);
                assert!(
                    has_reached && self.is_qualified(winner, contact),
                    "{id} was picked by who is not able"
                );
            }
        }
    }

    /// Nobody waits for an agent who could have them; nobody waits for who is not there.
    pub(crate) fn check_matched(&self) {
        for (id, contact) in &self.contacts {
            for agent in &self.config.agents {
                let unmatched = self.is_eligible(self.last_at, contact, agent);
                assert!(!unmatched, "{id} waits and {} could have it: {contact:?}", agent.id);
            }
            let is_open = contact.queue.as_ref().is_some_and(|queue| !self.closed.contains(queue));
            if let At::Waiting { preferred: Some(agent) } = contact.at
                && is_open
            {
                assert!(self.is_there(agent), "{id} waits for {agent}, who is not there");
            }
            if let At::Offered(agent) = contact.at {
                assert!(self.is_there(agent), "{id} is offered to {agent}, who is not there");
            }
        }
    }

    pub(crate) fn count(&self, which: impl Fn(&At) -> bool) -> u64 {
        u64::try_from(self.contacts.values().filter(|known| which(&known.at)).count()).unwrap()
    }
}

fn beginner(cause: &Cause) -> Option<AgentId> {
    let Cause::Input { input, .. } = cause else { return None };
    let InputBody::Command(asked) = &input.body else { return None };
    matches!(asked.command, Command::Begin(_)).then_some(asked.agent)
}
