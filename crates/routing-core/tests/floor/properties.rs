//! The laws of the core under random floors.

use proptest::prelude::*;
use protocol::command::{AgentCommand, Begin, Presence};
use protocol::config::{Agent, Role, RoutingConfig};
use protocol::customer::CustomerKeys;
use protocol::ids::{GatewayId, IncidentId};
use protocol::incident::IncidentTerms;
use protocol::input::InputBody;
use protocol::policy::{Ask, Words};
use protocol::record::{Cause, Event};
use protocol::remedy::Wish;
use protocol::{
    AgentId, AskId, ChannelKind, Command, ContactId, ConversationId, MessageId, Millis, OfferId, TellId,
};
use routing_core::{Phase, State, apply_watched, decide, explain, next_deadline, recheck, timer};
use uuid::Uuid;

use crate::builder::{AgentWith, Floor, agent, agent_id, gateway, hash, identity, resolve, sealed, token};
use crate::empowerment::{promises, thanks};
use crate::model::{At, Model};
use crate::policies::{self, POLICIES};

const AGENTS: [&str; 6] = ["ada", "bob", "cy", "dee", "eve", "rob"];
/// A bot.
const ROB: &str = "rob";
const CUSTOMERS: [&str; 7] = ["c1", "c2", "c3", "c4", "c5", "c6", "c7"];

#[derive(Clone, Debug)]
enum Step {
    Write { customer: usize, api: bool, category: usize, how: u8 },
    Begin { agent: usize, customer: usize, api: bool, queue: usize, held: bool },
    WriteOver,
    Leave { customer: usize },
    Connect { agent: usize, gateway: u128 },
    Disconnect { agent: usize, gateway: u128 },
    LoseGateway { gateway: u128 },
    SetPresence { agent: usize, presence: Presence, when_free: bool },
    Answer { nth: usize, accepts: bool, by: Option<usize> },
    Act { nth: usize, what: Act, by: Option<usize> },
    Revoke { agent: usize, nth: usize },
    HaveIt { agent: usize, nth: usize },
    Company { agent: usize, nth: usize, what: Company },
    TakeVoice { agent: usize, nth: usize },
    WantPerson { customer: usize },
    LateText { nth: usize },
    Incident { agent: usize, n: u128, what: Outage },
    Word { agent: usize, nth: usize, what: Word },
    Again,
    Wait { ms: u64 },
    TakeOver,
    Configure { variant: usize, policy: usize },
    Unreadable,
    Promise { nth: usize, by: usize },
    Thank { customer: usize },
    Tell { n: u32, customer: usize },
    Ask { n: u32, lead: bool, queue: usize, but: usize },
    Risk { n: u32, customer: usize, ms: u64 },
}

#[derive(Clone, Debug)]
enum Company {
    Consult,
    Answer(bool),
    Watch,
    Whisper,
    Join,
    Leave(Option<usize>),
    Reply,
}

#[derive(Clone, Debug)]
enum Word {
    Pick,
    Tag(bool),
    Field(Option<bool>),
    Note(usize),
    Warn,
    Block(u64),
    Unblock,
    Move(usize),
    Crm(bool),
}

#[derive(Clone, Debug)]
enum Outage {
    Set { queue: bool, category: bool, told: bool, ms: u64 },
    Gather(Option<usize>),
    Answer,
    Resolve(bool),
    Close,
}

#[derive(Clone, Debug)]
enum Act {
    Reply,
    Note,
    ToQueue(usize),
    ToAgent(usize, bool),
    Resolve,
    EndWrapUp,
    Snooze(u64),
    Resume,
    CallForHelp,
    Fail,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let presence = prop_oneof![
        6 => Just(Presence::Online),
        1 => Just(Presence::Away),
        1 => Just(Presence::Offline)
    ];
    let act = prop_oneof![
        2 => Just(Act::Reply),
        1 => Just(Act::Note),
        2 => (0..3_usize).prop_map(Act::ToQueue),
        3 => (0..6_usize, any::<bool>()).prop_map(|(to, back)| Act::ToAgent(to, back)),
        6 => Just(Act::Resolve),
        2 => Just(Act::EndWrapUp),
        2 => prop_oneof![Just(61_000_u64), Just(3_700_000), Just(90_000_000)].prop_map(Act::Snooze),
        1 => Just(Act::Resume),
        1 => Just(Act::CallForHelp),
        1 => Just(Act::Fail),
    ];
    let by = || prop_oneof![9 => Just(None), 1 => (0..6_usize).prop_map(Some)];
    let wait = prop_oneof![
        Just(0_u64),
        Just(1),
        Just(700),
        Just(9_000),
        Just(20_000),
        Just(61_000),
        Just(125_000),
        Just(3_700_000),
        Just(90_000_000)
    ];
    let step = prop_oneof![
        8 => (0..7_usize, any::<bool>(), 0..5_usize, 0..12_u8)
            .prop_map(|(customer, api, category, how)| Step::Write { customer, api, category, how }),
        2 => (0..6_usize, 0..7_usize, any::<bool>(), 0..3_usize, any::<bool>())
            .prop_map(|(agent, customer, api, queue, held)| Step::Begin { agent, customer, api, queue, held }),
        1 => Just(Step::WriteOver),
        1 => (0..7_usize).prop_map(|customer| Step::Leave { customer }),
        5 => (0..6_usize, 1..4_u128).prop_map(|(agent, gateway)| Step::Connect { agent, gateway }),
        1 => (0..6_usize, 1..4_u128).prop_map(|(agent, gateway)| Step::Disconnect { agent, gateway }),
        1 => (1..4_u128).prop_map(|gateway| Step::LoseGateway { gateway }),
        6 => (0..6_usize, presence, prop::bool::weighted(0.2))
            .prop_map(|(agent, presence, when_free)| Step::SetPresence { agent, presence, when_free }),
        1 => (0..6_usize, 0..9_usize).prop_map(|(agent, nth)| Step::Revoke { agent, nth }),
        1 => (0..6_usize, 0..9_usize).prop_map(|(agent, nth)| Step::HaveIt { agent, nth }),
        2 => (0..6_usize, 0..9_usize).prop_map(|(agent, nth)| Step::TakeVoice { agent, nth }),
        1 => (0..7_usize).prop_map(|customer| Step::WantPerson { customer }),
        1 => (0..9_usize).prop_map(|nth| Step::LateText { nth }),
        5 => (0..6_usize, 0..9_usize, company())
            .prop_map(|(agent, nth, what)| Step::Company { agent, nth, what }),
        9 => (0..9_usize, prop::bool::weighted(0.7), by())
            .prop_map(|(nth, accepts, by)| Step::Answer { nth, accepts, by }),
        9 => (0..9_usize, act, by()).prop_map(|(nth, what, by)| Step::Act { nth, what, by }),
        1 => Just(Step::Again),
        4 => wait.prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::TakeOver),
        1 => (0..4_usize, 0..POLICIES).prop_map(|(variant, policy)| Step::Configure { variant, policy }),
        1 => Just(Step::Unreadable),
        4 => (prop_oneof![2 => Just(1_usize), 1 => 0..6_usize], 0..9_usize, word())
            .prop_map(|(agent, nth, what)| Step::Word { agent, nth, what }),
        3 => (prop_oneof![2 => Just(1_usize), 1 => 0..4_usize], 0..3_u128, outage())
            .prop_map(|(agent, n, what)| Step::Incident { agent, n, what }),
        5 => given(),
    ];
    prop::collection::vec(step, 80..200)
}

fn company() -> impl Strategy<Value = Company> {
    prop_oneof![
        4 => Just(Company::Consult),
        3 => prop::bool::weighted(0.7).prop_map(Company::Answer),
        2 => Just(Company::Watch),
        2 => Just(Company::Whisper),
        2 => Just(Company::Join),
        1 => prop::option::of(0..6_usize).prop_map(Company::Leave),
        1 => Just(Company::Reply),
    ]
}

fn word() -> impl Strategy<Value = Word> {
    prop_oneof![
        4 => Just(Word::Pick),
        2 => any::<bool>().prop_map(Word::Tag),
        1 => prop::option::of(any::<bool>()).prop_map(Word::Field),
        1 => (0..6_usize).prop_map(Word::Note),
        1 => Just(Word::Warn),
        2 => prop_oneof![Just(59_999_u64), Just(60_000), Just(3_700_000)].prop_map(Word::Block),
        1 => Just(Word::Unblock),
        2 => (0..3_usize).prop_map(Word::Move),
        1 => any::<bool>().prop_map(Word::Crm),
    ]
}

fn outage() -> impl Strategy<Value = Outage> {
    let ms =
        prop_oneof![Just(0_u64), Just(9_000), Just(3_700_000), Just(7 * 86_400_000), Just(7 * 86_400_001)];
    prop_oneof![
        4 => (any::<bool>(), any::<bool>(), any::<bool>(), ms)
            .prop_map(|(queue, category, told, ms)| Outage::Set { queue, category, told, ms }),
        3 => prop::option::of(0..9_usize).prop_map(Outage::Gather),
        2 => Just(Outage::Answer),
        2 => any::<bool>().prop_map(Outage::Resolve),
        1 => Just(Outage::Close),
    ]
}

fn given() -> impl Strategy<Value = Step> {
    let ms = prop_oneof![Just(0_u64), Just(9_000), Just(3_700_000)];
    prop_oneof![
        2 => (0..9_usize, 0..7_usize).prop_map(|(nth, by)| Step::Promise { nth, by }),
        1 => (0..7_usize).prop_map(|customer| Step::Thank { customer }),
        2 => (0..9_u32, 0..7_usize).prop_map(|(n, customer)| Step::Tell { n, customer }),
        1 => (0..9_u32, any::<bool>(), 0..3_usize, 0..6_usize)
            .prop_map(|(n, lead, queue, but)| Step::Ask { n, lead, queue, but }),
        2 => (0..9_u32, 0..7_usize, ms).prop_map(|(n, customer, ms)| Step::Risk { n, customer, ms }),
    ]
}

fn staff(variant: usize) -> Vec<Agent> {
    let mut staff = vec![
        agent("ada").web(2),
        agent("bob").skill("dutch", 4),
        agent("cy").only("sales").skill("dutch", 2),
        agent("dee").only("support").web(3).skill("dutch", 5),
        agent("eve").web(0),
        Agent { answer_within_ms: Some(9_000), ..agent(ROB).web(3).bot() },
    ];
    staff[1].lead = true;
    (staff[3].role, staff[3].scope) = (Role::Supervisor, [token("support")].into());
    match variant {
        1 => staff.truncate(4),
        2 => staff[0].capacity = [(ChannelKind::Web, 1)].into(),
        3 => {
            staff[1].skills.clear();
            staff[3].scope = [token("sales")].into();
        }
        _ => {}
    }
    staff
}

fn nth<T>(all: impl Iterator<Item = T>, n: usize) -> Option<T> {
    let mut all: Vec<T> = all.collect();
    let len = all.len();
    (len > 0).then(|| all.swap_remove(n % len))
}

fn place(api: bool) -> (ChannelKind, &'static str) {
    if api { (ChannelKind::Api, "mail") } else { (ChannelKind::Web, "shop") }
}

/// A customer writes, or an agent does first.
fn words(floor: &mut Floor, step: &Step) {
    match step {
        Step::Write { customer, api, category, how } => {
            let category = [None, None, Some("dutch"), Some("urgent"), Some("broken")][*category];
            let (channel, account) = place(*api);
            let person = CUSTOMERS[*customer];
            let customer = format!("{person}{account}");
            let mut message = floor.message(&customer, channel, account, category);
            // The last ones are known by what they are called wherever they write.
            if ["c4", "c5", "c6", "c7"].contains(&person) {
                let keys = CustomerKeys { verified: vec![hash(person)], claimed: Vec::new() };
                message.keys = Some(Box::new(keys));
            }
            message.by_colleague = *how == 0;
            message.score = (1..=5).contains(how).then_some(how * 2);
            message.callback = customer.starts_with("c3");
            message.practice = customer.starts_with("c1");
            // Every other one is Dutch.
            message.language = customer.starts_with("c2").then(|| "nl".parse().unwrap());
            floor.input(InputBody::Message(message));
        }
        Step::Begin { agent, customer, api, queue, held } => {
            let (channel, account) = place(*api);
            let name = AGENTS[*agent];
            let own = floor.state.contacts().find(|(_, contact)| contact.owner() == Some(agent_id(name)));
            let begin = Begin {
                channel,
                account: token(account),
                identity: identity(&format!("{}{account}", CUSTOMERS[*customer])),
                address: Some(sealed()),
                queue: token(["sales", "support", "nowhere"][*queue]),
                contact: own.map(|(id, _)| id).filter(|_| *held),
                message: MessageId(Uuid::from_u128(3)),
                body: sealed(),
            };
            floor.asks(name, Command::Begin(Box::new(begin)));
        }
        _ => panic!("no words"),
    }
}

fn play(floor: &mut Floor, step: &Step) {
    match step {
        Step::Write { .. } | Step::Begin { .. } => words(floor, step),
        Step::WriteOver => {
            if let Some(InputBody::Message(mut message)) = floor.last_input.clone() {
                message.content_hash.0[0] ^= 1;
                floor.input(InputBody::Message(message));
            }
        }
        Step::Leave { customer } => {
            floor.leaves(&format!("{}shop", CUSTOMERS[*customer]));
        }
        Step::Connect { agent, gateway } => {
            floor.connects(AGENTS[*agent], *gateway);
        }
        Step::Disconnect { agent, gateway } => {
            floor.disconnects(AGENTS[*agent], *gateway);
        }
        Step::LoseGateway { gateway } => {
            floor.loses_gateway(*gateway);
        }
        Step::SetPresence { agent, presence, when_free: false } => {
            floor.goes(AGENTS[*agent], *presence);
        }
        Step::SetPresence { agent, presence, when_free: true } => {
            floor.goes_when_free(AGENTS[*agent], *presence);
        }
        Step::Revoke { .. } | Step::HaveIt { .. } | Step::TakeVoice { .. } => lead(floor, step),
        Step::Company { agent, nth: n, what } => company_step(floor, AGENTS[*agent], *n, what),
        Step::WantPerson { .. } | Step::LateText { .. } => bot_step(floor, step),
        Step::Incident { agent, n, what } => incident(floor, *agent, *n, what),
        Step::Word { agent, nth: n, what } => word_step(floor, AGENTS[*agent], *n, what),
        Step::Answer { nth: n, accepts, by } => answer(floor, *n, *accepts, *by),
        Step::Act { nth: n, what, by } => act(floor, *n, what, *by),
        Step::Again if floor.last_input.is_some() => again(floor),
        Step::Again => {}
        Step::Wait { ms } => {
            floor.wait(*ms);
        }
        Step::TakeOver => {
            floor.cause(Cause::Takeover { leader: GatewayId(Uuid::from_u128(9)) });
        }
        Step::Configure { variant, policy } => {
            floor.configure(policies::config(*policy, staff(*variant)));
        }
        Step::Unreadable => {
            let seq = floor.next_inbound();
            floor.cause(Cause::Unreadable { seq, reason: "no JSON".into() });
        }
        Step::Promise { nth: n, by } => {
            let contact = nth(floor.state.contacts().map(|(id, _)| id), *n);
            let by = AGENTS.get(*by).copied().unwrap_or("nobody");
            promises(floor, by, contact.unwrap_or(ContactId { log_seq: 1, n: 0 }));
        }
        Step::Thank { customer } => thanks(floor, &format!("{}shop", CUSTOMERS[*customer])),
        Step::Tell { .. } | Step::Ask { .. } | Step::Risk { .. } => {
            let wish = wish(floor, step);
            floor.input(InputBody::Wish(wish));
        }
    }
}

fn bot_step(floor: &mut Floor, step: &Step) {
    match step {
        Step::WantPerson { customer } => {
            floor.wants_a_person(&format!("{}shop", CUSTOMERS[*customer]));
        }
        Step::LateText { nth: n } => {
            if let Some(contact) = nth(floor.state.contacts().map(|(id, _)| id), *n) {
                floor.replies_in(ROB, contact);
            }
        }
        _ => panic!("nothing of bots"),
    }
}

fn lead(floor: &mut Floor, step: &Step) {
    match step {
        Step::Revoke { agent, nth: n } => {
            let offers = floor.state.contacts().filter_map(|(_, contact)| match contact.phase {
                Phase::Offered { offer, .. } => Some(offer),
                _ => None,
            });
            let offer = nth(offers, *n).unwrap_or(OfferId { log_seq: 1, n: 0 });
            floor.asks(AGENTS[*agent], Command::Revoke { offer });
        }
        Step::HaveIt { agent, nth: n } => {
            let contact = nth(floor.state.contacts().map(|(id, _)| id), *n);
            let contact = contact.unwrap_or(ContactId { log_seq: 1, n: 0 });
            floor.asks(AGENTS[*agent], Command::TakeOver { contact });
        }
        Step::TakeVoice { agent, nth: n } => {
            let bots = floor.state.contacts().filter(|(_, contact)| contact.owner() == Some(agent_id(ROB)));
            let contact = nth(bots.map(|(id, _)| id), *n);
            let contact = contact.unwrap_or(ContactId { log_seq: 1, n: 0 });
            floor.asks(AGENTS[*agent], Command::TakeVoice { contact });
        }
        _ => panic!("nothing of a lead"),
    }
}

/// An owner asks for this agent's word, or this agent does something with a contact of others.
fn company_step(floor: &mut Floor, agent: &'static str, n: usize, what: &Company) {
    let open = nth(floor.state.contacts().map(|(id, known)| (id, known.owner())), n);
    let (contact, owner) = open.unwrap_or((ContactId { log_seq: 1, n: 0 }, None));
    let message = MessageId(Uuid::from_u128(1));
    let who = agent_id(agent);
    let (by, command) = match what {
        Company::Consult => (owner.map_or(agent, name), Command::Consult { contact, agent: who }),
        Company::Answer(yes) => (agent, Command::AnswerConsult { contact, yes: *yes }),
        Company::Watch => (agent, Command::Watch { contact }),
        Company::Whisper => (agent, Command::Whisper { contact, message, body: sealed() }),
        Company::Join => (agent, Command::Join { contact }),
        Company::Leave(who) => {
            (agent, Command::Leave { contact, agent: who.map(|who| agent_id(AGENTS[who])) })
        }
        Company::Reply => (agent, Command::Reply { contact, message, body: sealed() }),
    };
    floor.asks(by, command);
}

/// An agent notes something down, takes something, or hears somebody no more; so does another system.
fn word_step(floor: &mut Floor, agent: &'static str, n: usize, what: &Word) {
    let contact = nth(floor.state.contacts().map(|(id, _)| id), n).unwrap_or(ContactId { log_seq: 1, n: 0 });
    let message = MessageId(Uuid::from_u128(1));
    let tags = |which: bool| [token(if which { "vip" } else { "late" })].into();
    let command = match what {
        Word::Pick => Command::Pick { contact },
        Word::Tag(add) => Command::SetTags { contact, add: tags(*add), remove: tags(!*add) },
        Word::Field(value) => {
            let value = value.map(|known| token(if known { "shop" } else { "nowhere" }));
            Command::SetFields { contact, fields: [(token("cause"), value)].into() }
        }
        Word::Note(who) => {
            Command::Note { contact, message, body: sealed(), mentions: vec![agent_id(AGENTS[*who])] }
        }
        Word::Warn => Command::WarnCustomer { contact, message, body: sealed() },
        Word::Block(ms) => {
            Command::BlockCustomer { contact, until: Millis(floor.now + ms), reason: token("threats") }
        }
        Word::Unblock => match nth(floor.state.blocks().map(|(identity, _)| identity), n) {
            Some(identity) => Command::UnblockCustomer { identity },
            None => Command::UnblockCustomer { identity: identity("nobody") },
        },
        Word::Move(queue) => {
            Command::TransferToQueue { contact, queue: token(["sales", "support", "nowhere"][*queue]) }
        }
        Word::Crm(tag) => {
            let act = if *tag {
                protocol::Act::SetTags { contact, add: tags(true), remove: tags(false) }
            } else {
                protocol::Act::Annotate { contact, message, body: sealed() }
            };
            floor.acts("crm", act);
            return;
        }
    };
    floor.asks(agent, command);
}

/// What the worker wishes, of a conversation that may be forgotten.
fn wish(floor: &Floor, step: &Step) -> Wish {
    let stands = |customer: usize| {
        let known = floor.state.conversation_of(identity(&format!("{}shop", CUSTOMERS[customer])));
        let conversation = known.unwrap_or(ConversationId { log_seq: 1, n: 0 });
        let contact = floor.state.conversation(conversation).and_then(|it| it.open.or(it.ended));
        (conversation, contact.unwrap_or(ContactId { log_seq: 1, n: 1 }))
    };
    match *step {
        Step::Tell { n, customer } => {
            let (conversation, contact) = stands(customer);
            let message = MessageId(Uuid::from_u128(2));
            let (tell, agent) = (TellId { log_seq: 1, n }, agent_id("ada"));
            Wish::Tell { tell, conversation, contact, agent, remedy: None, message, body: sealed() }
        }
        Step::Ask { n, lead, queue, but } => Wish::AskFor {
            ask: AskId { log_seq: 1, n: n / 3 },
            round: n % 3,
            whom: if lead { Ask::AskLead } else { Ask::AskPeer },
            queue: token(["sales", "support", "nowhere"][queue]),
            but: vec![agent_id(AGENTS[but])],
        },
        Step::Risk { n, customer, ms } => Wish::Risk {
            tell: TellId { log_seq: 1, n },
            conversation: stands(customer).0,
            until: Millis(floor.now + ms),
        },
        _ => panic!("no wish"),
    }
}

/// Dee leads, and so does Bob.
fn incident(floor: &mut Floor, agent: usize, n: u128, what: &Outage) {
    let incident = IncidentId(Uuid::from_u128(n));
    let words = |told: bool| -> Words {
        let texts =
            told.then(|| [("en".parse().unwrap(), "we know"), ("nl".parse().unwrap(), "we weten het")]);
        texts.into_iter().flatten().map(|(language, text)| (language, text.to_owned())).collect()
    };
    let command = match what {
        Outage::Set { queue, category, told, ms } => {
            let terms = IncidentTerms {
                title: "payments are down".into(),
                queues: queue.then(|| token("sales")).into_iter().collect(),
                categories: category.then(|| token("urgent")).into_iter().collect(),
                notice: words(*told),
                until: Millis(floor.now + ms),
            };
            Command::SetIncident { incident, terms: Box::new(terms) }
        }
        Outage::Gather(n) => {
            let contacts = n.and_then(|n| nth(floor.state.contacts().map(|(id, _)| id), n));
            Command::GatherForIncident { incident, contacts: contacts.into_iter().collect() }
        }
        Outage::Answer => Command::AnswerIncident { incident, words: words(true) },
        Outage::Resolve(told) => {
            Command::ResolveIncident { incident, disposition: token("done"), words: words(*told) }
        }
        Outage::Close => Command::CloseIncident { incident },
    };
    floor.asks(AGENTS[agent], command);
}

fn again(floor: &mut Floor) {
    // What is passed on again is the worker's to answer alike.
    let is_passed = matches!(
        floor.last_input,
        Some(InputBody::Command(AgentCommand { command: Command::Empower { .. }, .. }))
    );
    let strip = |state: &State| {
        let mut value = serde_json::to_value(state).unwrap();
        value["inbound_seq"].take();
        value["log_seq"].take();
        // With the first input of a day, a duplicate too, the days that are old enough are forgotten.
        value["memory"].take();
        value
    };
    // What is parked may be tried again; all else happens once.
    // Timers may have written since.
    let of_input = floor.log.iter().rev().find(|record| matches!(record.cause, Cause::Input { .. }));
    let is_parked = matches!(of_input.unwrap().events.first(), Some(Event::Parked { .. }));
    let may_repeat = is_passed || is_parked;
    // Only a message or command can be long forgotten here: days may have passed since.
    let before = strip(&floor.state);
    let last_at = floor.state.last_at();
    floor.again();
    if !may_repeat && floor.state.last_at().since(last_at) == 0 {
        let events = &floor.log.last().unwrap().events;
        assert!(matches!(events.first(), Some(Event::DuplicateSkipped | Event::Parked { .. })), "{events:?}");
        let after = strip(&floor.state);
        for (key, value) in after.as_object().unwrap() {
            assert_eq!(&before[key], value, "a duplicate changed {key}");
        }
    }
}

fn answer(floor: &mut Floor, n: usize, accepts: bool, by: Option<usize>) {
    let offers = floor.state.contacts().filter_map(|(_, contact)| match contact.phase {
        Phase::Offered { offer, agent, .. } => Some((offer, agent)),
        _ => None,
    });
    let (offer, asked) = nth(offers, n).unwrap_or((OfferId { log_seq: 1, n: 0 }, agent_id("ada")));
    let command =
        if accepts { Command::Accept { offer } } else { Command::Decline { offer, reason: "no".into() } };
    floor.asks(by.map_or_else(|| name(asked), |by| AGENTS[by]), command);
}

fn act(floor: &mut Floor, n: usize, what: &Act, by: Option<usize>) {
    let owned = floor.state.contacts().filter_map(|(id, contact)| match contact.phase {
        Phase::WithAgent { agent, .. } | Phase::Aside { agent, .. } | Phase::WrapUp { agent, .. } => {
            Some((id, agent))
        }
        _ => None,
    });
    let (contact, owner) = nth(owned, n).unwrap_or((ContactId { log_seq: 1, n: 0 }, agent_id("bob")));
    let message = MessageId(Uuid::from_u128(1));
    let command = match what {
        Act::Reply => Command::Reply { contact, message, body: sealed() },
        Act::Note => Command::Note { contact, message, body: sealed(), mentions: Vec::new() },
        Act::ToQueue(queue) => {
            Command::TransferToQueue { contact, queue: token(["sales", "support", "nowhere"][*queue]) }
        }
        Act::ToAgent(to, back) => {
            Command::TransferToAgent { contact, agent: agent_id(AGENTS[*to]), back: *back }
        }
        Act::Resolve => resolve(contact),
        Act::Snooze(ms) => Command::Snooze { contact, until: Millis(floor.now + ms) },
        Act::Resume => Command::Resume { contact },
        Act::EndWrapUp => Command::EndWrapUp { contact },
        Act::CallForHelp => Command::CallForHelp { contact, reason: token("no_answer") },
        Act::Fail => Command::Fail { contact, reason: token("timeout") },
    };
    floor.asks(by.map_or_else(|| name(owner), |by| AGENTS[by]), command);
}

fn name(agent: AgentId) -> &'static str {
    AGENTS.into_iter().find(|name| agent_id(name) == agent).unwrap()
}

fn check_counts(floor: &Floor, model: &Model) {
    let totals = floor.state.totals();
    let mut sums = [0_u64; 6];
    for (_, counts) in floor.state.by_queue() {
        for (sum, n) in sums.iter_mut().zip([
            counts.waiting,
            counts.offered,
            counts.with_agents,
            counts.wrap_up,
            counts.aside,
            counts.gathered,
        ]) {
            *sum += u64::from(n);
        }
    }
    let counted = [
        model.count(|at| matches!(at, At::Waiting { .. })),
        model.count(|at| matches!(at, At::Offered(_))),
        model.count(|at| matches!(at, At::With(_))),
        model.count(|at| matches!(at, At::WrapUp(_))),
        model.count(|at| matches!(at, At::Aside(_))),
        model.count(|at| matches!(at, At::Gathered(_))),
    ];
    assert_eq!(sums, counted, "waiting, offered, with agents, wrap-up, aside, gathered");
    assert_eq!(model.incidents_open(), floor.state.incidents().count());
    assert_eq!(totals.resolved, model.count(|at| *at == At::Resolved));
    assert_eq!(totals.abandoned, model.count(|at| *at == At::Abandoned));
    assert_eq!(totals.opened, model.opened);
    assert_eq!(totals.opened, sums.iter().sum::<u64>() + totals.resolved + totals.abandoned, "conservation");
}

/// What was read back from a snapshot has to decide as the one that went on.
fn check_twin(floor: &Floor, twin: &mut State, seen: usize) {
    for record in &floor.log[seen..] {
        let decided = match &record.cause {
            Cause::Timer => timer(twin, record.at),
            cause => Some(routing_core::transition(twin, cause.clone(), record.at).unwrap()),
        };
        assert_eq!(decided.as_ref(), Some(record), "the twin decides otherwise");
    }
}

fn check(steps: &[Step], snapshot_at: usize, conversations_max: usize, policy: usize) {
    let mut floor = Floor::empty().at_most(conversations_max);
    floor.configure(policies::config(policy, staff(0)));
    for (n, name) in AGENTS.iter().enumerate() {
        floor.connects(name, 1 + u128::from(u8::try_from(n % 3).unwrap())).comes(name);
    }
    let mut model = Model::default();
    let (mut folded, mut twin) = (0, None);
    for (n, step) in steps.iter().enumerate() {
        if n == snapshot_at % steps.len() {
            let read = read_back(&floor).with_conversations_max(conversations_max);
            twin = Some((read, floor.log.len()));
        }
        play(&mut floor, step);
        floor.wait(0);
        for record in &floor.log[folded..] {
            model.fold(record);
        }
        folded = floor.log.len();
        model.check_matched();
        model.check_hours(Millis(floor.now));
        model.check_customers(&floor.state);
        model.check_company(&floor.state);
        model.check_bots(Millis(floor.now));
        check_counts(&floor, &model);
        assert!(model.conversations.len() <= conversations_max);
        assert_eq!(model.conversations.len(), floor.state.conversation_count());
    }
    let (mut twin, seen) = twin.unwrap();
    check_twin(&floor, &mut twin, seen);
    assert_eq!(twin, floor.state, "the twin differs");
    check_follower(&floor);
    // Hours go on for ever; all else comes to rest.
    let mut always_open: RoutingConfig = floor.state.config().as_ref().clone();
    always_open.hours.clear();
    always_open.queues.iter_mut().for_each(|queue| (queue.hours, queue.overflow) = (None, None));
    floor.configure(always_open);
    // An incident lasts for a week at most, and who is let go by it is offered once more.
    floor.wait(8 * 86_400_000);
    floor.log[folded..].iter().for_each(|record| model.fold(record));
    assert!(model.open_offers.is_empty(), "every offer ends");
    assert!(model.asked().is_empty(), "every question to a colleague ends");
    assert_eq!(model.incidents_open(), 0, "every incident ends");
    assert_eq!(next_deadline(&floor.state), None, "time alone brings all to rest");
}

fn read_back(floor: &Floor) -> State {
    let text = serde_json::to_string(&floor.state).unwrap();
    let mut twin: State = serde_json::from_str(&text).unwrap();
    assert_eq!(twin, floor.state, "a snapshot is whole");
    assert_eq!(timer(&mut twin, Millis(floor.now)), None, "a snapshot owes nothing");
    twin
}

/// Who only applies the log has the same state; what would follow is asked without changing anything.
fn check_follower(floor: &Floor) {
    let mut follower = State::new();
    for (seq, record) in (1_u64..).zip(&floor.log) {
        apply_watched(&mut follower, seq, record, |state, event| {
            assert_eq!(recheck(state, record.at, event), Vec::<String>::new(), "{event:?}");
        })
        .unwrap();
    }
    assert_eq!(follower, floor.state, "apply over the log");
    for (id, _) in follower.contacts() {
        assert_eq!(explain(&follower, id), explain(&floor.state, id));
    }
    let asked = Cause::Takeover { leader: gateway(1) };
    let before = follower.clone();
    decide(&follower, asked, Millis(floor.now)).unwrap();
    assert_eq!(before, follower);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8_000))]

    /// A million steps and more: 80 to 200 in each case.
    #[test]
    fn the_laws_hold_on_any_floor(
        steps in steps(),
        snapshot_at in 0..10_000_usize,
        conversations_max in prop_oneof![Just(20_usize), 1..14_usize],
        policy in 0..POLICIES,
    ) {
        check(&steps, snapshot_at, conversations_max, policy);
    }
}
