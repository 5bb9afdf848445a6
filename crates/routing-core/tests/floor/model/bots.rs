//! Bots, from what they may never do.

use protocol::limits::{BOT_RECLAIM_MS, LATE_TEXT_MS};
use protocol::record::{CompanyRole, EntryKind, Event};
use protocol::{AgentId, ContactId, Millis};

use super::{At, Known, Model};

/// What is known of a contact and bots.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lease {
    /// A bot gave it up, a person took it from one, or it is only practised.
    pub(crate) people_only: bool,
    /// It is only practised.
    practised: bool,
    /// Since when the customer waits for the bot that has it.
    waits_since: Option<Millis>,
    /// Who had it last of all bots, and until when.
    left: Option<(AgentId, Millis)>,
}

impl Lease {
    pub(crate) fn opened(practice: bool) -> Self {
        Self { people_only: practice, practised: practice, ..Self::default() }
    }
}

impl Model {
    /// Before the event is folded.
    pub(super) fn bots(&mut self, at: Millis, event: &Event) {
        match event {
            Event::Fenced { .. } => {
                let leases = self.contacts.values_mut().filter_map(|known| known.bots.waits_since.as_mut());
                leases.for_each(|since| *since = at);
            }
            Event::AgentDisconnected { agent, reclaim_at } if self.is_bot(*agent) => {
                assert_eq!(*reclaim_at, at.plus(BOT_RECLAIM_MS));
            }
            Event::EntryAdded { contact, entry, .. } => self.bot_entry(at, *contact, entry),
            Event::CompanyChanged { contact, agent, role: Some(CompanyRole::Asked { .. }) } => {
                let asked = self.is_bot(*agent) && self.contacts[contact].bots.practised;
                assert!(!asked, "a bot was asked about what is only practised");
            }
            Event::OfferMade { contact, agent, .. } => {
                let refused = self.is_bot(*agent) && self.contacts[contact].bots.people_only;
                assert!(!refused, "{contact} was offered to a bot again");
            }
            Event::Queued { contact, .. } => self.bot_left(at, *contact, None),
            Event::Assigned { contact, agent } => {
                self.bot_left(at, *contact, Some(*agent));
                let waits_since = self.is_bot(*agent).then_some(at);
                assert!(!self.is_bot(*agent) || !self.contacts[contact].bots.people_only, "a person has it");
                self.known(*contact).bots.waits_since = waits_since;
            }
            Event::ContactReopened { contact } => {
                let known = self.known(*contact);
                // In wrap-up it never left its agent.
                if matches!(known.at, At::Resolved | At::Abandoned) {
                    (known.bots.waits_since, known.bots.left) = (None, None);
                }
            }
            _ => {}
        }
    }

    fn bot_entry(&mut self, at: Millis, id: ContactId, entry: &EntryKind) {
        // A telling may concern a contact of long ago.
        let Some(known) = self.contacts.get(&id) else { return };
        match entry {
            EntryKind::FromAgent { agent, bot } => {
                let is_joined = self.company.get(&(id, *agent)) == Some(&CompanyRole::Joined);
                assert!(
                    is_joined || owner(known) == Some(*agent),
                    "who has not the voice wrote to the customer"
                );
                assert_eq!(*bot, self.is_bot(*agent));
                self.known(id).bots.waits_since = None;
            }
            EntryKind::Told { .. } | EntryKind::Warned { .. } | EntryKind::FromColleague => {
                self.known(id).bots.waits_since = None;
            }
            EntryKind::FromCustomer => {
                if let At::With(agent) = known.at
                    && self.is_bot(agent)
                {
                    self.known(id).bots.waits_since.get_or_insert(at);
                }
            }
            EntryKind::Suggested { agent } => {
                assert_ne!(owner(known), Some(*agent), "who has the voice suggests");
                let (bot, left_at) = known.bots.left.expect("a bot that had it");
                assert!(bot == *agent && at.since(left_at) <= LATE_TEXT_MS, "no late text");
            }
            EntryKind::HandedOver { agent, .. } => {
                assert_eq!(owner(known), *agent);
                assert!(agent.is_none_or(|agent| self.is_bot(agent)), "a person was handed over");
                self.known(id).bots.people_only = true;
            }
            _ => {}
        }
    }

    fn bot_left(&mut self, at: Millis, id: ContactId, to: Option<AgentId>) {
        let from = owner(&self.contacts[&id]).filter(|from| Some(*from) != to && self.is_bot(*from));
        let Some(bot) = from else { return };
        let lease = &mut self.known(id).bots;
        lease.left = Some((bot, at));
        lease.waits_since = None;
        lease.people_only |= to.is_some();
    }

    fn is_bot(&self, id: AgentId) -> bool {
        self.config.agents.iter().any(|agent| agent.id == id && agent.bot)
    }

    /// No customer waits for a bot for longer than its lease.
    pub(crate) fn check_bots(&self, now: Millis) {
        for (id, known) in &self.contacts {
            let (At::With(agent), Some(since)) = (&known.at, known.bots.waits_since) else { continue };
            let lease_ms = self.configured(*agent).bot_answer_ms().expect("a bot");
            assert!(now.since(since) < lease_ms, "{id} waits for a bot since {since:?}");
        }
    }
}

fn owner(known: &Known) -> Option<AgentId> {
    match known.at {
        At::With(agent) | At::Aside(agent) | At::WrapUp(agent) => Some(agent),
        At::Nowhere
        | At::Waiting { .. }
        | At::Gathered(_)
        | At::Offered(_)
        | At::Resolved
        | At::Abandoned => None,
    }
}
