//! Who leads some queues only leads nothing else.

use protocol::command::{Command, Presence, Refusal};
use protocol::config::{Agent, Role};
use protocol::incident::IncidentTerms;
use protocol::policy::{Ask, Words};
use protocol::record::{CompanyRole, Event};
use protocol::remedy::Wish;
use protocol::{AskId, ChannelKind, ContactId, IncidentId, InputBody, Millis, SubjectToken};
use uuid::Uuid;

use crate::builder::{Floor, agent, agent_id, identity, token, with};

const OUTAGE: IncidentId = IncidentId(Uuid::from_u128(7));

fn leading(name: &str, role: Role, scope: &[&str]) -> Agent {
    let scope = scope.iter().map(|queue| token(queue)).collect();
    Agent { role, scope, capacity: [(ChannelKind::Web, 1)].into(), ..agent(name) }
}

/// Ada has carl's contact of sales; lea leads support, sue sales, zoe everything.
fn floor() -> (Floor, ContactId) {
    let mut floor = Floor::online([
        agent("ada"),
        leading("lea", Role::Lead, &["support"]),
        leading("sue", Role::Supervisor, &["sales"]),
        leading("zoe", Role::Administrator, &[]),
    ]);
    floor.has("ada", "carl");
    let contact = floor.contact_of("carl");
    (floor, contact)
}

fn terms(floor: &Floor, queues: &[&str], categories: &[&str]) -> IncidentTerms {
    let tokens = |names: &[&str]| names.iter().map(|name| token(name)).collect();
    IncidentTerms {
        title: "Payments are down".into(),
        queues: tokens(queues),
        categories: tokens(categories),
        notice: [("en".parse().unwrap(), "Payments are down.".to_owned())].into(),
        until: Millis(floor.now + 3_600_000),
    }
}

fn set(floor: &mut Floor, name: &str, queues: &[&str], categories: &[&str]) -> Option<Refusal> {
    let terms = Box::new(terms(floor, queues, categories));
    floor.asks(name, Command::SetIncident { incident: OUTAGE, terms });
    floor.refused()
}

#[test]
fn what_a_lead_does_with_a_contact_is_done_in_their_queues_only() {
    let (floor, contact) = floor();
    let conversation = floor.state.contact(contact).unwrap().conversation;
    let commands = [
        Command::Watch { contact },
        Command::TakeOver { contact },
        Command::ChangeCustomer {
            contact,
            wish: protocol::customer::CustomerWish::Link { identity: identity("carla") },
        },
        Command::Leave { contact, agent: Some(agent_id("zoe")) },
    ];
    for command in commands {
        for (name, expected) in [("lea", Some(Refusal::NotInScope)), ("sue", None), ("zoe", None)] {
            let mut floor = floor.clone();
            floor.asks(name, command.clone());
            assert_eq!(floor.refused(), expected, "{name} {command:?} in {conversation}");
        }
    }
}

#[test]
fn an_offer_is_taken_back_in_their_queues_only() {
    let (mut floor, _) = floor();
    floor.mails("dora");
    let offer = floor.offer_to("ada");
    floor.asks("sue", Command::Revoke { offer });
    assert_eq!(floor.refused(), Some(Refusal::NotInScope));
    floor.asks("lea", Command::Revoke { offer });
    assert_eq!(floor.refused(), None);
}

#[test]
fn an_incident_is_of_the_queues_of_who_says_so() {
    let (mut floor, _) = floor();
    assert_eq!(set(&mut floor, "lea", &["sales"], &[]), Some(Refusal::NotInScope));
    assert_eq!(set(&mut floor, "lea", &["sales", "support"], &[]), Some(Refusal::NotInScope));
    assert_eq!(set(&mut floor, "lea", &[], &["broken"]), Some(Refusal::NotInScope), "of any queue");
    assert_eq!(set(&mut floor, "ada", &["support"], &[]), Some(Refusal::NotLead));
    assert_eq!(set(&mut floor, "lea", &["support"], &[]), None);
    assert_eq!(set(&mut floor, "zoe", &["sales"], &[]), None);
    assert_eq!(set(&mut floor, "lea", &["support"], &[]), Some(Refusal::NotInScope), "it is not theirs now");
    let words: Words = [("en".parse().unwrap(), "Soon.".to_owned())].into();
    let disposition = token("done");
    let commands = [
        Command::GatherForIncident { incident: OUTAGE, contacts: Vec::new() },
        Command::AnswerIncident { incident: OUTAGE, words: words.clone() },
        Command::ResolveIncident { incident: OUTAGE, disposition, words },
        Command::CloseIncident { incident: OUTAGE },
    ];
    for command in commands {
        floor.asks("lea", command.clone());
        assert_eq!(floor.refused(), Some(Refusal::NotInScope), "{command:?}");
    }
}

#[test]
fn contacts_of_other_queues_are_not_gathered_one_by_one_either() {
    let (mut floor, _) = floor();
    floor.goes("ada", Presence::Away).goes("lea", Presence::Away);
    floor.goes("sue", Presence::Away).goes("zoe", Presence::Away);
    floor.writes("dora").mails("emil");
    let (sales, support) = (floor.contact_of("dora"), floor.contact_of("emil"));
    assert_eq!(set(&mut floor, "lea", &["support"], &[]), None);
    let gather = |contacts| Command::GatherForIncident { incident: OUTAGE, contacts };
    floor.asks("lea", gather(vec![support, sales]));
    assert_eq!(floor.refused(), Some(Refusal::NotInScope));
    assert_eq!(floor.state.gathered_for(OUTAGE).count(), 0, "all or none");
    floor.asks("lea", gather(vec![support]));
    assert_eq!(floor.state.gathered_for(OUTAGE).count(), 1);
}

#[test]
fn who_watches_watches_no_more_where_they_do_not_lead() {
    let (mut floor, contact) = floor();
    let watching = |floor: &Floor| {
        let watching = floor.state.company(contact).iter();
        watching.filter(|one| one.role == CompanyRole::Watching).map(|one| one.agent).collect::<Vec<_>>()
    };
    floor.asks("sue", Command::Watch { contact }).asks("zoe", Command::Watch { contact });
    assert_eq!(watching(&floor), [agent_id("sue"), agent_id("zoe")]);
    let mut given = floor.clone();
    given.gives_to_queue("ada", "support");
    assert_eq!(watching(&given), [agent_id("zoe")], "another queue");
    let floor = with(floor, |config| config.agents[2].scope = [token("support")].into());
    assert_eq!(watching(&floor), [agent_id("zoe")], "another scope");
}

#[test]
fn only_leads_of_the_queue_are_asked_to_say_yes() {
    let (mut floor, _) = floor();
    let mut asked = |queue: SubjectToken, n| {
        let (ask, but) = (AskId { log_seq: 1, n }, Vec::new());
        floor.input(InputBody::Wish(Wish::AskFor { ask, round: 0, whom: Ask::AskLead, queue, but }));
        let events = &floor.log.last().unwrap().events;
        let agents = events.iter().find_map(|event| match event {
            Event::ColleaguesAsked { agents, .. } => Some(agents.clone()),
            _ => None,
        });
        agents.unwrap()
    };
    assert_eq!(asked(token("sales"), 1), [agent_id("sue"), agent_id("zoe")]);
    assert_eq!(asked(token("support"), 2), [agent_id("lea"), agent_id("zoe")]);
}
