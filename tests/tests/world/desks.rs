//! Desk gateways, and the agents behind them: they see what the log says a little later, and act on that.

use std::collections::{BTreeMap, BTreeSet};

use protocol::command::{AgentCommand, Command, Presence};
use protocol::{
    AgentId, Cause, CommandId, ContactId, Event, GatewayId, InputBody, MessageId, OfferId, Outcome,
};

use crate::audit::is_alike_by_law;
use crate::floor::{self, token};
use crate::fold::{At, Fold};
use crate::letters::Sender;
use crate::world::{Happens, Lawful, Who, World};

const ASK_AGAIN_MS: u64 = 5_000;
const GRACE_MS: u64 = 2_000;
const PENDING_MAX: usize = 3;

#[derive(Default)]
pub(crate) struct Gateway {
    pub(crate) life: u64,
    pub(crate) is_up: bool,
    id: Option<GatewayId>,
    fold: Fold,
    here: BTreeSet<AgentId>,
    gone: BTreeSet<AgentId>,
    /// Lives, and nobody hears of it.
    pub(crate) mute_until: u64,
}

pub(crate) struct Agent {
    id: AgentId,
    socket: Option<Who>,
    /// Sent and not answered: the letter, and when it was sent last.
    pending: BTreeMap<CommandId, (usize, u64)>,
    told: BTreeMap<CommandId, Outcome>,
    letters: Vec<(CommandId, usize)>,
}

impl Agent {
    pub(crate) fn new(id: AgentId) -> Self {
        let (pending, told) = (BTreeMap::new(), BTreeMap::new());
        Self { id, socket: None, pending, told, letters: Vec::new() }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }
}

impl World {
    pub(crate) fn gateway_starts(&mut self, n: usize) {
        let id = self.process_id();
        let life = self.gateways[n].life + 1;
        self.gateways[n] = Gateway { life, is_up: true, id: Some(id), ..Gateway::default() };
        let who = Who { n, life };
        self.tell(|_| format!("gateway {n} starts as {id}"));
        let upto = self.bus.log_end();
        self.within(300, Happens::GatewaySees { who, upto });
        self.within(1_000, Happens::GatewayBeat(who));
    }

    pub(crate) fn gateway_dies(&mut self, n: usize) {
        let life = self.gateways[n].life + 1;
        self.gateways[n] = Gateway { life, ..Gateway::default() };
        for agent in &mut self.agents {
            agent.socket = agent.socket.filter(|socket| socket.n != n);
        }
        self.within(10_000, Happens::GatewayStart { n });
    }

    fn is_there(&self, who: Who) -> bool {
        let gateway = &self.gateways[who.n];
        gateway.is_up && gateway.life == who.life
    }

    /// Folds what came, and answers who asked.
    pub(crate) fn gateway_sees(&mut self, who: Who, upto: u64) -> Lawful {
        if !self.is_there(who) {
            return Ok(());
        }
        for seq in self.gateways[who.n].fold.log_seq + 1..=upto {
            let record = self.bus.record(seq);
            self.gateways[who.n].fold.fold(&record)?;
            let Cause::Input { input, .. } = &record.cause else { continue };
            let InputBody::Command(asked) = &input.body else { continue };
            for event in &record.events {
                if let Event::CommandSettled { command, outcome } = event {
                    self.told(asked.agent, who, *command, outcome)?;
                }
            }
        }
        Ok(())
    }

    /// An answer goes down the agent's socket.
    fn told(&mut self, agent: AgentId, who: Who, command: CommandId, outcome: &Outcome) -> Lawful {
        if self.dice.one_in(self.weather.told_lost) {
            return Ok(());
        }
        let Some(agent) = self.agents.iter_mut().find(|known| known.id == agent) else { return Ok(()) };
        if agent.socket != Some(who) {
            return Ok(());
        }
        agent.pending.remove(&command);
        let first_at = self.audit.commands.get(&command).map(|(_, at)| *at);
        if !first_at.is_some_and(|at| is_alike_by_law(at, self.audit.last_at)) {
            return Ok(());
        }
        let before = agent.told.insert(command, outcome.clone());
        match before {
            Some(before) if before != *outcome => {
                Err(format!("{command} was answered {before:?} and then {outcome:?}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Shows that it lives, and mends what the log has wrong of who is here.
    pub(crate) fn gateway_beats(&mut self, who: Who) {
        if !self.is_there(who) {
            return;
        }
        self.at(self.now + 1_000, Happens::GatewayBeat(who));
        if !self.bus.is_up || self.gateways[who.n].mute_until > self.now {
            return;
        }
        let Some(id) = self.gateways[who.n].id else { return };
        *self.bus.gateways.entry(id).or_default() += 1;
        let here: BTreeSet<AgentId> =
            self.agents.iter().filter(|agent| agent.socket == Some(who)).map(|agent| agent.id).collect();
        let gateway = &mut self.gateways[who.n];
        let seats = &gateway.fold.seats;
        let linked: BTreeSet<AgentId> =
            seats.iter().filter(|(_, seat)| seat.gateway == Some(id)).map(|(agent, _)| *agent).collect();
        let known: BTreeSet<AgentId> =
            here.iter().filter(|agent| seats.contains_key(agent)).copied().collect();
        let missing: BTreeSet<AgentId> = known.difference(&linked).copied().collect();
        let stale: BTreeSet<AgentId> = linked.difference(&here).copied().collect();
        let connect: Vec<AgentId> = missing.intersection(&gateway.here).copied().collect();
        let disconnect: Vec<AgentId> = stale.intersection(&gateway.gone).copied().collect();
        (gateway.here, gateway.gone) = (missing, stale);
        connect.into_iter().for_each(|agent| self.tell_connected(agent, id));
        disconnect.into_iter().for_each(|agent| self.tell_gone(agent, id));
    }

    fn tell_connected(&mut self, agent: AgentId, gateway: GatewayId) {
        let id = self.notice();
        self.post(Sender::Notice, id.to_string(), InputBody::AgentConnected { id, agent, gateway });
    }

    fn tell_gone(&mut self, agent: AgentId, gateway: GatewayId) {
        let id = self.notice();
        self.post(Sender::Notice, id.to_string(), InputBody::AgentDisconnected { id, agent, gateway });
    }

    pub(crate) fn grace_over(&mut self, agent: usize, who: Who) {
        if self.is_there(who)
            && self.agents[agent].socket != Some(who)
            && let Some(id) = self.gateways[who.n].id
        {
            self.tell_gone(self.agents[agent].id, id);
        }
    }

    /// An agent looks at the desk and does something, or nothing.
    pub(crate) fn agent_looks(&mut self, n: usize) -> Lawful {
        self.within(if self.quiet_since.is_some() { 1_500 } else { 3_000 }, Happens::AgentLooks { n });
        let Some(socket) = self.agents[n].socket.filter(|socket| self.is_there(*socket)) else {
            self.opens_desk(n);
            return Ok(());
        };
        self.asks_again(n, socket)?;
        if self.quiet_since.is_none() && self.dice.one_in(60) {
            return self.closes_desk(n, socket);
        }
        let seat = self.gateways[socket.n].fold.seats.get(&self.agents[n].id).copied();
        let Some(seat) = seat else { return Ok(()) };
        if self.agents[n].pending.len() >= PENDING_MAX {
            return Ok(());
        }
        if seat.presence != Presence::Online {
            if self.quiet_since.is_some() || self.dice.one_in(3) {
                self.asks(
                    n,
                    Command::SetPresence { presence: Presence::Online, reason: None, when_free: false },
                );
            }
            return Ok(());
        }
        let held = self.gateways[socket.n].fold.held_by(self.agents[n].id);
        if self.quiet_since.is_some() {
            self.works_off(n, &held);
        } else {
            self.works(n, &held, socket);
        }
        Ok(())
    }

    fn opens_desk(&mut self, n: usize) {
        self.agents[n].socket = None;
        let first = self.dice.index(self.gateways.len());
        let up = [first, 1 - first].into_iter().find(|slot| self.gateways[*slot].is_up);
        let (Some(slot), true) = (up, self.quiet_since.is_some() || self.dice.one_in(2)) else { return };
        let life = self.gateways[slot].life;
        self.agents[n].socket = Some(Who { n: slot, life });
        self.tell(|_| format!("agent {n} opens the desk at gateway {slot}"));
        if let Some(id) = self.gateways[slot].id {
            self.tell_connected(self.agents[n].id, id);
        }
    }

    fn closes_desk(&mut self, n: usize, who: Who) -> Lawful {
        self.tell(|_| format!("agent {n} loses the socket"));
        self.agents[n].socket = None;
        self.at(self.now + GRACE_MS, Happens::GraceOver { agent: n, who });
        Ok(())
    }

    /// Whatever has no answer is sent again under its id; the gateway answers at once what it has read already.
    fn asks_again(&mut self, n: usize, socket: Who) -> Lawful {
        let mut late: Vec<(CommandId, usize)> = Vec::new();
        for (command, (letter, asked_at)) in &mut self.agents[n].pending {
            if self.now - *asked_at > ASK_AGAIN_MS {
                *asked_at = self.now;
                late.push((*command, *letter));
            }
        }
        // Now and then one that was answered: the page was loaded again.
        if self.dice.one_in(30)
            && let Some(old) = self.dice.pick(&self.agents[n].letters)
            && self.wall().since(self.letters[old.1].posted_at) < 86_400_000
        {
            late.push(old);
        }
        for (command, letter) in late {
            let settled = self.gateways[socket.n].fold.settled.get(&command).cloned();
            match settled {
                Some(outcome) if self.dice.one_in(2) => {
                    self.told(self.agents[n].id, socket, command, &outcome)?;
                }
                Some(_) | None => self.send(letter),
            }
        }
        Ok(())
    }

    fn asks(&mut self, n: usize, command: Command) {
        let id = CommandId(self.uuid());
        self.tell(|_| format!("agent {n} asks {id}: {command:?}"));
        let agent = self.agents[n].id;
        let body = InputBody::Command(AgentCommand { id, agent, command });
        let letter = self.post(Sender::Agent, id.to_string(), body);
        self.agents[n].pending.insert(id, (letter, self.now));
        self.agents[n].letters.push((id, letter));
    }

    /// At the end of the run everybody takes what comes and ends it.
    fn works_off(&mut self, n: usize, held: &[(ContactId, At)]) {
        if !self.agents[n].is_idle() {
            return;
        }
        let Some((contact, at)) = held.first().copied() else { return };
        match at {
            At::Offered(offer, _) => self.asks(n, Command::Accept { offer }),
            At::With(_) => {
                self.asks(n, Command::Resolve { contact, disposition: token("done"), fields: [].into() })
            }
            At::Aside(_) => {
                self.asks(n, Command::Resolve { contact, disposition: token("done"), fields: [].into() })
            }
            At::WrapUp(_) => self.asks(n, Command::EndWrapUp { contact }),
            At::Nowhere | At::Waiting | At::Ended => {}
        }
    }

    fn works(&mut self, n: usize, held: &[(ContactId, At)], socket: Who) {
        if self.dice.one_in(40) {
            let presence = self.dice.pick(&[Presence::Away, Presence::Offline]).unwrap();
            return self
                .asks(n, Command::SetPresence { presence, reason: Some("lunch".into()), when_free: false });
        }
        if self.dice.one_in(25) {
            return self.asks_nonsense(n, socket);
        }
        let Some((contact, at)) = self.dice.pick(held) else { return };
        match at {
            At::Offered(offer, _) => match self.dice.below(10) {
                0..7 => self.asks(n, Command::Accept { offer }),
                7 => self.asks(n, Command::Decline { offer, reason: "busy".into() }),
                _ => {}
            },
            At::With(_) => self.works_on(n, contact),
            At::WrapUp(_) if self.dice.one_in(2) => match self.dice.below(3) {
                0 => self.writes_note(n, contact),
                _ => self.asks(n, Command::EndWrapUp { contact }),
            },
            At::Aside(_) if self.dice.one_in(3) => self.asks(n, Command::Resume { contact }),
            At::Aside(_) | At::WrapUp(_) | At::Nowhere | At::Waiting | At::Ended => {}
        }
    }

    fn works_on(&mut self, n: usize, contact: ContactId) {
        match self.dice.below(20) {
            0..8 => {
                let message = MessageId(self.uuid());
                let body = floor::sealed(floor::identity(0));
                self.asks(n, Command::Reply { contact, message, body });
            }
            8..10 => self.writes_note(n, contact),
            10 => {
                let queue = token(["sales", "support"][self.dice.index(2)]);
                self.asks(n, Command::TransferToQueue { contact, queue });
            }
            11 => {
                let agent = floor::agent_id(self.dice.index(self.agents.len()));
                self.asks(n, Command::TransferToAgent { contact, agent, back: n.is_multiple_of(2) });
            }
            12..16 => {
                self.asks(n, Command::Resolve { contact, disposition: token("done"), fields: [].into() })
            }
            18 => {
                let until = self.wall().plus(61_000 + self.dice.below(200_000));
                self.asks(n, Command::Snooze { contact, until });
            }
            16..18 if self.worker.is_some() => self.promises(self.agents[n].id, contact),
            _ => {}
        }
    }

    fn writes_note(&mut self, n: usize, contact: ContactId) {
        let message = MessageId(self.uuid());
        let body = floor::sealed(floor::identity(0));
        self.asks(n, Command::Note { contact, message, body, mentions: Vec::new() });
    }

    /// What a broken client might ask: of others' contacts and offers, of what never was.
    fn asks_nonsense(&mut self, n: usize, socket: Who) {
        let contacts: Vec<ContactId> = self.gateways[socket.n].fold.contacts.keys().copied().collect();
        let offers: Vec<OfferId> = self.gateways[socket.n].fold.open_offers.keys().copied().collect();
        let contact = self.dice.pick(&contacts).unwrap_or(ContactId { log_seq: 1, n: 9 });
        let offer = self.dice.pick(&offers).unwrap_or(OfferId { log_seq: 1, n: 9 });
        let command = match self.dice.below(6) {
            0 => Command::Accept { offer },
            1 => Command::Decline { offer, reason: "x".repeat(300) },
            2 => Command::Resolve { contact, disposition: token("nonsense"), fields: [].into() },
            3 => Command::TransferToQueue { contact, queue: token("nowhere") },
            4 => Command::TransferToAgent { contact, agent: floor::agent_id(99), back: false },
            _ => Command::EndWrapUp { contact },
        };
        self.asks(n, command);
    }

    /// Whatever was taken of an agent was answered in the log, and what the agent was told is what stands there.
    pub(crate) fn check_agents(&self) -> Lawful {
        for agent in &self.agents {
            for (command, letter) in &agent.letters {
                let settled = self.audit.commands.get(command).map(|(outcome, _)| outcome);
                if self.letters[*letter].acked && settled.is_none() {
                    return Err(format!("{command} was taken and is lost"));
                }
                if let Some(told) = agent.told.get(command)
                    && settled != Some(told)
                {
                    return Err(format!("{command} was answered {told:?}, the log says {settled:?}"));
                }
            }
        }
        Ok(())
    }
}
