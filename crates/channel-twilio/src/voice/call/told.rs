//! Where a call stands, and what the router is told of it.

use channel::Millis;

use super::facts::Facts;
use super::{Call, Leg};
use crate::voice::{CallSid, CallStatus, Caller, LeftBecause};

/// Where a call stands, as the desk shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing is known of it yet.
    New,
    /// The customer waits, and hears music.
    Waiting,
    /// The customer waits to be called back.
    Kept,
    /// An agent, or the customer who is called back, is rung.
    Ringing {
        /// The agent's leg.
        leg: Leg,
    },
    /// Customer and agent speak.
    Connected {
        /// The agent's leg.
        leg: Leg,
        /// Whether the customer hears music and is not heard, as Twilio says.
        held: bool,
        /// Whether the agent is not heard, as they want it.
        muted: bool,
    },
    /// The agent speaks with somebody else, or waits for them; the customer hears music.
    Consulting {
        /// Who has the call.
        from: Leg,
        /// Who is asked.
        with: Leg,
    },
    /// The customer hears music while the next agent is rung; `None`: nobody is.
    Transferring {
        /// The next agent's leg.
        to: Option<Leg>,
    },
    /// It is over.
    Ended(Ended),
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When the customer was gone.
    pub at: Millis,
    /// Who ended it.
    pub by: EndedBy,
    /// What came of it.
    pub why: Why,
    /// How long the customer waited for an agent, or until they left, ms. Twilio tells whole seconds.
    pub wait_ms: u64,
    /// How long the customer was connected, with music and without, ms.
    pub talk_ms: u64,
}

/// Who ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// Who called.
    Customer,
    /// An agent.
    Agent(Leg),
    /// Us: nobody was here, or there was no room.
    House,
    /// Nobody: a telephone was not reached.
    Network,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Customer and agent spoke.
    Completed,
    /// The customer left before that.
    Abandoned,
    /// The customer was not let in, or not kept, by us.
    TurnedAway,
    /// The customer was called back and not reached, for this reason.
    NotReached(CallStatus),
    /// The call broke down.
    Failed,
}

/// What the router is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A customer calls.
    Came {
        /// Who.
        caller: Caller,
        /// Since when.
        at: Millis,
    },
    /// They want to be called back, and keep their place.
    CallBackWanted {
        /// Since when.
        at: Millis,
    },
    /// Customer and agent speak.
    Connected {
        /// The agent's leg.
        leg: Leg,
        /// Since when.
        at: Millis,
    },
    /// An agent's leg is over and nobody picked it up.
    NotReached {
        /// Which.
        leg: Leg,
        /// Why.
        why: CallStatus,
        /// When it was over.
        at: Millis,
    },
    /// An agent's leg is over: this is the real hang-up, from which their wrap-up counts.
    Released {
        /// Which.
        leg: Leg,
        /// When.
        at: Millis,
        /// How long they were connected with the customer, ms.
        talk_ms: u64,
    },
    /// The call is over.
    Ended(Ended),
}

/// What was told already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Told {
    Came,
    CallBackWanted,
    Connected(Leg),
    Over(Leg),
    Ended,
}

fn between(from: Millis, to: Millis) -> u64 {
    to.0.saturating_sub(from.0)
}

impl Call {
    /// What the router has not been told yet, in this order.
    pub fn news(&mut self) -> Vec<News> {
        let mut news = Vec::new();
        if let (Some(caller), Some(at)) = (&self.caller, self.came_at) {
            news.push((Told::Came, News::Came { caller: caller.clone(), at }));
        }
        if let Some(at) = self.pressed_at.filter(|_| self.is_kept()) {
            news.push((Told::CallBackWanted, News::CallBackWanted { at }));
        }
        for leg in self.agents() {
            if let Some(at) = self.connected_at(leg) {
                news.push((Told::Connected(leg), News::Connected { leg, at }));
            }
        }
        for leg in self.agents() {
            news.extend(self.over(leg).map(|over| (Told::Over(leg), over)));
        }
        if let Some(ended) = self.ended() {
            news.push((Told::Ended, News::Ended(ended)));
        }
        // Who told it is of no interest here, only that it is told once.
        news.into_iter().filter_map(|(told, news)| self.told.insert(told).then_some(news)).collect()
    }

    fn over(&self, leg: Leg) -> Option<News> {
        let facts = self.facts(leg)?;
        let at = facts.gone_at()?;
        if facts.is_answered() {
            return Some(News::Released { leg, at, talk_ms: self.talk_ms(leg) });
        }
        let why = facts.reached().cloned().unwrap_or(CallStatus::Failed);
        Some(News::NotReached { leg, why, at })
    }

    fn agents(&self) -> Vec<Leg> {
        self.legs.keys().copied().filter(|leg| *leg != Leg::BACK).collect()
    }

    /// Since when this agent and the customer are connected.
    #[must_use]
    pub fn connected_at(&self, leg: Leg) -> Option<Millis> {
        self.facts(leg)?.met_at(self.theirs()?)
    }

    /// How long this agent was connected with the customer, ms; of a call that goes on 0.
    #[must_use]
    pub fn talk_ms(&self, leg: Leg) -> u64 {
        let gone = [self.facts(leg), self.theirs()].into_iter().flatten().filter_map(Facts::gone_at).min();
        match (self.connected_at(leg), gone) {
            (Some(from), Some(to)) => between(from, to),
            (None, _) | (_, None) => 0,
        }
    }

    fn first_connected_at(&self) -> Option<Millis> {
        self.agents().into_iter().filter_map(|leg| self.connected_at(leg)).min()
    }

    /// How it ended, as far as is known by now; `None`: it goes on.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        let theirs = self.theirs()?;
        let at = theirs.gone_at()?;
        let connected_at = self.first_connected_at();
        let why = self.why(theirs, connected_at.is_some());
        let by = self.ended_by(theirs, at, &why);
        let came_at = self.came_at.unwrap_or(at);
        let wait_ms = between(came_at, connected_at.unwrap_or(at));
        let talk_ms = connected_at.map_or(0, |from| between(from, at));
        Some(Ended { at, by, why, wait_ms, talk_ms })
    }

    fn why(&self, theirs: &Facts, is_connected: bool) -> Why {
        if is_connected {
            return Why::Completed;
        }
        let reached = theirs.reached();
        if self.is_kept() {
            return Why::NotReached(reached.cloned().unwrap_or(CallStatus::Failed));
        }
        if self.wanted.turned_away || self.is_refused {
            return Why::TurnedAway;
        }
        if reached == Some(&CallStatus::Failed) { Why::Failed } else { Why::Abandoned }
    }

    fn ended_by(&self, theirs: &Facts, at: Millis, why: &Why) -> EndedBy {
        let wanted = self.wanted.hung_up.map(EndedBy::Agent);
        match why {
            Why::TurnedAway => EndedBy::House,
            Why::NotReached(_) | Why::Failed => wanted.unwrap_or(EndedBy::Network),
            Why::Abandoned => wanted.unwrap_or(EndedBy::Customer),
            Why::Completed => {
                self.left_first(theirs).or(wanted).unwrap_or_else(|| self.gone_before(theirs, at))
            }
        }
    }

    /// Whose leaving ended the conference, by Twilio's own word.
    fn left_first(&self, theirs: &Facts) -> Option<EndedBy> {
        let ending = self.ending.get(&theirs.seat.as_ref()?.conference)?;
        let is_theirs = |facts: &Facts, sid: &CallSid| facts.sid.as_ref() == Some(sid);
        if *ending == self.sid || is_theirs(theirs, ending) {
            // We hung it up for an agent who wanted it.
            return Some(self.wanted.hung_up.map_or(EndedBy::Customer, EndedBy::Agent));
        }
        let mut agents = self.agents().into_iter();
        agents.find(|leg| self.facts(*leg).is_some_and(|facts| is_theirs(facts, ending))).map(EndedBy::Agent)
    }

    /// Without that word: why the customer left, and where nobody says that, whether all agents were gone before.
    fn gone_before(&self, theirs: &Facts, at: Millis) -> EndedBy {
        let gone_at = |leg: &Leg| self.facts(*leg).and_then(Facts::gone_at);
        let last = self
            .agents()
            .into_iter()
            .filter(|leg| gone_at(leg).is_some())
            .max_by_key(|leg| (gone_at(leg), *leg));
        let is_left = self.agents().into_iter().any(|leg| self.is_there(leg));
        let was_before = !is_left && last.as_ref().and_then(gone_at).is_some_and(|gone_at| gone_at < at);
        let is_agents = match theirs.seat.as_ref().and_then(|seat| seat.left.as_ref()) {
            Some(LeftBecause::HungUp) => false,
            // Whose leaving that was may not have been told yet.
            Some(LeftBecause::ModeratorEnded) => {
                return last.or_else(|| self.has_it()).map_or(EndedBy::Customer, EndedBy::Agent);
            }
            Some(
                LeftBecause::EndedByApi
                | LeftBecause::TakenOut
                | LeftBecause::NeverThere
                | LeftBecause::Other(_),
            )
            | None => was_before,
        };
        last.filter(|_| is_agents).map_or(EndedBy::Customer, EndedBy::Agent)
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        if let Some(ended) = self.ended() {
            return State::Ended(ended);
        }
        if let Some(consult) = self.consulting() {
            return State::Consulting { from: consult.from, with: consult.with };
        }
        let theirs = self.theirs();
        let rung = self.rung();
        if theirs.is_some_and(|facts| facts.joined_at.is_some()) {
            let Some(leg) = self.has_it() else { return State::Transferring { to: rung } };
            let held = theirs.is_some_and(Facts::is_held);
            let muted = self.wanted.legs.get(&leg).is_some_and(|wish| wish.muted);
            return State::Connected { leg, held, muted };
        }
        if let Some(leg) = self.there().next().or(rung) {
            return State::Ringing { leg };
        }
        match (self.is_kept(), self.came_at) {
            (true, _) => State::Kept,
            (false, Some(_)) => State::Waiting,
            (false, None) => State::New,
        }
    }

    /// The agent who has the call: with whom it ends, or else the first who is there.
    fn has_it(&self) -> Option<Leg> {
        let ends = |leg: &Leg| self.wanted.legs.get(leg).is_some_and(|wish| wish.ends);
        self.there().find(ends).or_else(|| self.there().next())
    }

    /// An agent who is rung.
    fn rung(&self) -> Option<Leg> {
        let wanted = self.wanted.legs.iter().filter(|(_, wish)| !wish.gone);
        let mut legs = wanted.map(|(leg, _)| *leg);
        legs.find(|leg| {
            self.facts(*leg).is_none_or(|facts| !facts.is_answered() && facts.gone_at().is_none())
        })
    }
}
