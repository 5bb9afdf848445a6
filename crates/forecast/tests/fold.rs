//! What is said of a line, from records written by hand.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use forecast::{Forecast, Outlook, Wait};
use protocol::command::Presence;
use protocol::config::{Agent, PriorityClass, Queue, RoutingConfig};
use protocol::input::{ConfigInput, WIRE_VERSION};
use protocol::record::{Cause, ChoiceRule, Event, OfferEnd, PassedOver, QueuedWhy, Receipt, Record};
use protocol::{
    AgentId, ContactId, GatewayId, Hash128, Input, InputBody, Millis, NoticeId, OfferId, SubjectToken,
};
use uuid::Uuid;

const MINUTE: u64 = 60_000;

fn token(text: &str) -> SubjectToken {
    SubjectToken::new(text).unwrap()
}

fn agent(n: u128) -> AgentId {
    AgentId(Uuid::from_u128(n))
}

fn contact(n: u64) -> ContactId {
    ContactId { log_seq: n, n: 0 }
}

/// A floor under a clock of its own.
struct Floor {
    forecast: Forecast,
    now: u64,
    next: u64,
}

impl Floor {
    /// The queue `help`, and agent 1 who serves it and is there.
    fn new() -> Self {
        Self::with(Vec::new())
    }

    fn with(priorities: Vec<PriorityClass>) -> Self {
        let serves = Agent { queues: [token("help")].into(), ..Agent::new(agent(1), token("anna")) };
        let config = RoutingConfig {
            queues: vec![Queue::new(token("help"))],
            agents: vec![serves],
            priorities,
            ..RoutingConfig::default()
        };
        let mut floor = Self { forecast: Forecast::default(), now: 0, next: 0 };
        let id = NoticeId(Uuid::from_u128(9));
        let body = InputBody::Config(ConfigInput {
            replaces: None,
            id,
            hash: Hash128([0; 16]),
            config: Box::new(config),
        });
        let input = Input { v: WIRE_VERSION, made_at: Millis(0), body };
        floor.write(Cause::Input { seq: 1, input }, vec![Event::ConfigApplied]);
        floor.comes(agent(1));
        floor
    }

    fn write(&mut self, cause: Cause, events: Vec<Event>) {
        let policy = Hash128([0; 16]);
        let record = Record { v: WIRE_VERSION, at: Millis(self.now), epoch: 1, policy, cause, events };
        self.forecast.apply(&record);
        // All of it must hold as well of a forecast that was kept after each record and gone on with.
        self.forecast = serde_json::from_slice(&serde_json::to_vec(&self.forecast).unwrap()).unwrap();
    }

    fn tell(&mut self, events: Vec<Event>) {
        self.write(Cause::Timer, events);
    }

    fn comes(&mut self, agent: AgentId) {
        let gateway = GatewayId(Uuid::from_u128(1));
        let online = Event::PresenceChanged { agent, presence: Presence::Online, reason: None };
        self.tell(vec![Event::AgentConnected { agent, gateway }, online]);
    }

    fn queued(&self, contact: ContactId, priority: u8, since: u64) -> Event {
        Event::Queued {
            contact,
            queue: token("help"),
            priority,
            needs: Vec::new(),
            since: Millis(since),
            preferred: None,
            why: QueuedWhy::Opened,
        }
    }

    fn waits(&mut self, priority: u8) -> ContactId {
        self.next += 1;
        let contact = contact(self.next);
        self.tell(vec![self.queued(contact, priority, self.now)]);
        contact
    }

    fn offer(contact: ContactId) -> Event {
        let receipt = Receipt {
            rule: ChoiceRule::LongestIdle,
            waited_ms: 0,
            idle_ms: 0,
            waiting_in_class: 1,
            score_ms: None,
            step: 0,
            rank: 0,
            runners_up: Vec::new(),
            passed_over: PassedOver::default(),
        };
        let offer = OfferId { log_seq: contact.log_seq, n: 1 };
        Event::OfferMade { offer, contact, agent: agent(1), expires_at: Millis(u64::MAX), receipt }
    }

    fn assigned(contact: ContactId) -> Event {
        Event::Assigned { contact, agent: agent(1) }
    }

    /// So many customers, each of whom waits a minute at the first place.
    fn learns(&mut self, customers: u64) {
        for _ in 0..customers {
            let contact = self.waits(0);
            self.now += MINUTE;
            self.tell(vec![Self::assigned(contact)]);
        }
    }

    fn of(&self, contact: ContactId) -> Option<Outlook> {
        self.forecast.of(contact, Millis(self.now))
    }

    fn position(&self, contact: ContactId) -> u32 {
        self.of(contact).unwrap().position
    }
}

const A_MINUTE: Wait = Wait { p50_ms: MINUTE, p90_ms: MINUTE };

#[test]
fn a_place_is_the_number_of_those_ahead_and_one() {
    let mut floor = Floor::new();
    let [first, second, third] = [floor.waits(0), floor.waits(0), floor.waits(0)];
    assert_eq!([first, second, third].map(|id| floor.position(id)), [1, 2, 3]);
    floor.tell(vec![Floor::assigned(first)]);
    assert_eq!(floor.of(first), None);
    assert_eq!([second, third].map(|id| floor.position(id)), [1, 2]);
    floor.tell(vec![Event::Abandoned { contact: second }]);
    assert_eq!(floor.position(third), 1);
}

#[test]
fn whom_an_agent_is_asked_about_keeps_their_place() {
    let mut floor = Floor::new();
    let [first, second] = [floor.waits(0), floor.waits(0)];
    floor.tell(vec![Floor::offer(first)]);
    assert_eq!([first, second].map(|id| floor.position(id)), [1, 2]);
    let offer = OfferId { log_seq: first.log_seq, n: 1 };
    let ended = Event::OfferEnded { offer, contact: first, agent: agent(1), end: OfferEnd::TimedOut };
    let again = floor.queued(first, 0, 0);
    floor.tell(vec![ended, again]);
    assert_eq!([first, second].map(|id| floor.position(id)), [1, 2]);
}

#[test]
fn the_order_is_the_one_that_the_policy_gives() {
    let mut strict = Floor::new();
    let [late, early] = [strict.waits(1), strict.waits(0)];
    assert_eq!([late, early].map(|id| strict.position(id)), [2, 1]);

    let class = |priority, head_start_ms| PriorityClass { priority, head_start_ms, ageing_percent: 100 };
    let mut head_start = Floor::with(vec![class(0, 30_000), class(1, 0)]);
    let usual = head_start.waits(1);
    head_start.now += 20_000;
    let urgent = head_start.waits(0);
    assert_eq!([usual, urgent].map(|id| head_start.position(id)), [2, 1]);
    head_start.now += MINUTE;
    let later = head_start.waits(0);
    assert_eq!([usual, urgent, later].map(|id| head_start.position(id)), [2, 1, 3], "a minute later");
}

#[test]
fn a_wait_is_told_once_enough_was_seen() {
    let mut floor = Floor::new();
    floor.learns(19);
    let customer = floor.waits(0);
    assert_eq!(floor.of(customer), Some(Outlook { position: 1, wait: None, is_late: false }));
    floor.now += MINUTE;
    floor.tell(vec![Floor::assigned(customer)]);
    let [first, second] = [floor.waits(0), floor.waits(0)];
    assert_eq!(floor.of(first).unwrap().wait, Some(A_MINUTE));
    let twice = Wait { p50_ms: 2 * MINUTE, p90_ms: 2 * MINUTE };
    assert_eq!(floor.of(second).unwrap().wait, Some(twice));
    assert_eq!(floor.forecast.newcomer(&token("help")).unwrap().p50_ms, 3 * MINUTE);
}

#[test]
fn nothing_is_told_where_nobody_is_there_or_it_is_closed() {
    let mut floor = Floor::new();
    floor.learns(30);
    let customer = floor.waits(0);
    let going = Event::PresenceQueued { agent: agent(1), presence: Presence::Away, reason: None };
    floor.tell(vec![going]);
    assert_eq!(floor.of(customer), Some(Outlook { position: 1, wait: None, is_late: false }));
    floor.comes(agent(1));
    assert_eq!(floor.of(customer).unwrap().wait, Some(A_MINUTE));
    floor.tell(vec![Event::HoursChanged { queue: token("help"), open: false }]);
    assert_eq!(floor.of(customer).unwrap().wait, None);
    floor.tell(vec![Event::HoursChanged { queue: token("help"), open: true }]);
    assert_eq!(floor.of(customer).unwrap().wait, Some(A_MINUTE));
    floor.tell(vec![Event::AgentDisconnected { agent: agent(1), reclaim_at: Millis(u64::MAX) }]);
    assert_eq!(floor.of(customer).unwrap().wait, None);
}

#[test]
fn who_is_offered_at_once_teaches_nothing_of_waiting() {
    let mut floor = Floor::new();
    floor.learns(20);
    for _ in 0..200 {
        floor.next += 1;
        let contact = contact(floor.next);
        let came = vec![floor.queued(contact, 0, floor.now), Floor::offer(contact)];
        floor.tell(came);
        floor.tell(vec![Floor::assigned(contact)]);
    }
    let customer = floor.waits(0);
    assert_eq!(floor.of(customer).unwrap().wait, Some(A_MINUTE));
}

#[test]
fn it_is_known_how_often_it_came_true() {
    let mut floor = Floor::new();
    floor.learns(20);
    let slow = floor.waits(0);
    floor.now += MINUTE;
    assert!(!floor.of(slow).unwrap().is_late, "as it was told");
    floor.now += 1;
    assert!(floor.of(slow).unwrap().is_late);
    floor.tell(vec![Floor::assigned(slow)]);
    let quick = floor.waits(0);
    floor.now += 1_000;
    floor.tell(vec![Floor::assigned(quick)]);
    let kept = floor.forecast.kept(&token("help"));
    assert_eq!((kept.p90.of, kept.p90.kept, kept.p50.of, kept.p50.kept), (2, 1, 2, 1));
    assert_eq!(floor.forecast.kept_by_all(), kept);
}

#[test]
fn who_comes_back_to_the_line_is_held_to_what_they_were_told_first() {
    let mut floor = Floor::new();
    floor.learns(20);
    let customer = floor.waits(0);
    floor.now += MINUTE / 2;
    let since = floor.now - MINUTE / 2;
    let events = vec![
        Floor::offer(customer),
        Event::OfferEnded {
            offer: OfferId { log_seq: customer.log_seq, n: 1 },
            contact: customer,
            agent: agent(1),
            end: OfferEnd::Declined { reason: "not mine".to_owned() },
        },
        floor.queued(customer, 0, since),
    ];
    floor.tell(events);
    floor.now += MINUTE;
    assert!(floor.of(customer).unwrap().is_late, "a minute was said, a minute and a half it takes");
}
