//! Incidents: many contacts of one cause, gathered, answered and resolved in one go.

use expect_test::expect;
use protocol::ChannelKind::Web;
use protocol::command::{Command, Refusal};
use protocol::incident::{IncidentTerms, IncidentWork};
use protocol::limits::{
    INCIDENT_LANGUAGES_MAX, INCIDENT_MS_MAX, INCIDENT_WORDS_BYTES_MAX, INCIDENT_WORKS_MAX, INCIDENTS_MAX,
    INPUT_BYTES_MAX,
};
use protocol::policy::Words;
use protocol::record::{Cause, EntryKind, Event};
use protocol::{ContactId, IncidentId, InputBody, Millis};
use routing_core::{EndedHow, Phase, Place, explain};
use uuid::Uuid;

use crate::builder::{AgentWith, Floor, agent, agent_id, token};

const OUTAGE: IncidentId = IncidentId(Uuid::from_u128(7));
const HOUR_MS: u64 = 3_600_000;

/// Ada leads and takes nobody, Bob takes two.
fn floor() -> Floor {
    let mut ada = agent("ada").web(1);
    ada.lead = true;
    let mut floor = Floor::of([ada, agent("bob").web(2)]);
    floor.connects("ada", 1).connects("bob", 2);
    floor
}

fn words(of: &[(&str, &str)]) -> Words {
    of.iter().map(|(language, text)| (language.parse().unwrap(), (*text).to_owned())).collect()
}

fn told() -> Words {
    words(&[("en", "Payments are down."), ("nl", "Betalen lukt niet.")])
}

fn terms(floor: &Floor) -> IncidentTerms {
    IncidentTerms {
        title: "Payments are down".into(),
        queues: [token("sales")].into(),
        categories: [].into(),
        notice: told(),
        until: Millis(floor.now + HOUR_MS),
    }
}

fn set(floor: &mut Floor, terms: IncidentTerms) -> Option<Refusal> {
    floor.asks("ada", Command::SetIncident { incident: OUTAGE, terms: Box::new(terms) });
    floor.refused()
}

fn begins(floor: &mut Floor) {
    let terms = terms(floor);
    assert_eq!(set(floor, terms), None);
}

fn resolves(floor: &mut Floor, words: Words) {
    floor.asks("ada", Command::ResolveIncident { incident: OUTAGE, disposition: token("done"), words });
    assert_eq!(floor.refused(), None);
    floor.wait(0);
}

fn gathers(floor: &mut Floor, contacts: Vec<ContactId>) {
    floor.asks("ada", Command::GatherForIncident { incident: OUTAGE, contacts });
    assert_eq!(floor.refused(), None);
    floor.wait(0);
}

fn gathered(floor: &Floor) -> Vec<ContactId> {
    floor.state.gathered_for(OUTAGE).collect()
}

fn told_to(floor: &Floor, customer: &str) -> Vec<String> {
    let conversation = floor.state.conversation_of(crate::builder::identity(customer)).unwrap();
    let events = floor.log.iter().flat_map(|record| &record.events);
    let texts = events.filter_map(|event| match event {
        Event::EntryAdded { conversation: of, entry: EntryKind::IncidentTold { text, .. }, .. }
            if *of == conversation =>
        {
            Some(text.clone())
        }
        _ => None,
    });
    texts.collect()
}

#[test]
fn who_comes_while_it_lasts_is_told_at_the_door_in_their_language_and_goes_to_nobody() {
    let mut floor = floor();
    floor.comes("bob");
    begins(&mut floor);
    floor.writes("carl").check(expect![[r#"
        cnv_6_0 opened by web shop
        con_6_1 opened
        con_6_1 entry 1: customer
        con_6_1 waits in sales at 5 since 0 ms (Opened)
        con_6_1 waits for the incident
        con_6_1 entry 2: told of the incident: Payments are down.
    "#]]);
    let mut message = floor.message("dora", Web, "shop", None);
    message.language = Some("nl".parse().unwrap());
    floor.input(InputBody::Message(message));
    let mut message = floor.message("eve", Web, "shop", None);
    message.language = Some("fr".parse().unwrap());
    floor.input(InputBody::Message(message));
    for (customer, expected) in
        [("carl", "Payments are down."), ("dora", "Betalen lukt niet."), ("eve", "Payments are down.")]
    {
        assert_eq!(told_to(&floor, customer), [expected], "{customer}");
        let contact = floor.contact_of(customer);
        assert_eq!(floor.state.contact(contact).unwrap().phase, Phase::Gathered { incident: OUTAGE });
        assert_eq!(explain(&floor.state, contact).agents, [], "nobody is asked");
    }
    floor.writes("carl");
    assert_eq!(told_to(&floor, "carl").len(), 1, "once");
    floor.leaves("carl");
    assert_eq!(gathered(&floor).len(), 3, "who leaves finds the end of it when they come back");
}

#[test]
fn only_contacts_of_its_queues_and_categories_are_told_and_without_a_notice_nobody_is() {
    for (queues, categories, notice, category, expected) in [
        (vec!["sales"], vec![], true, None, true),
        (vec!["support"], vec![], true, None, false),
        (vec![], vec!["urgent"], true, Some("urgent"), true),
        (vec![], vec!["urgent"], true, None, false),
        (vec!["sales"], vec!["urgent"], true, Some("urgent"), true),
        (vec!["sales"], vec!["urgent"], true, Some("dutch"), false),
        (vec!["sales"], vec![], false, None, false),
    ] {
        let mut floor = floor();
        let mut terms = terms(&floor);
        terms.queues = queues.iter().map(|name| token(name)).collect();
        terms.categories = categories.iter().map(|name| token(name)).collect();
        if !notice {
            terms.notice.clear();
        }
        assert_eq!(set(&mut floor, terms), None);
        floor.writes_about("carl", category);
        assert_eq!(gathered(&floor).len() == 1, expected, "{queues:?} {categories:?} {notice} {category:?}");
    }
}

#[test]
fn who_wants_a_person_goes_back_to_their_old_place_and_is_not_gathered_again() {
    let mut floor = floor();
    floor.writes("abe");
    floor.wait(1_000);
    begins(&mut floor);
    floor.writes("carl").wait(60_000);
    floor.asks("ada", Command::CloseIncident { incident: IncidentId(Uuid::from_u128(9)) });
    assert_eq!(floor.refused(), Some(Refusal::UnknownIncident));
    let carl = floor.contact_of("carl");
    let since = floor.state.contact(carl).unwrap().since;
    floor.wants_a_person("carl");
    let known = floor.state.contact(carl).unwrap();
    assert_eq!((known.since, known.phase), (since, Phase::Waiting { preferred: None }));
    gathers(&mut floor, vec![]);
    assert_eq!(gathered(&floor), [floor.contact_of("abe")], "carl did not want to wait for it");
    let Place::Open { place_in_queue, .. } = explain(&floor.state, carl).place else { panic!("open") };
    assert_eq!(place_in_queue, Some(1));
    floor.comes("bob");
    assert_eq!(floor.state.contact(carl).unwrap().holder(), Some(agent_id("bob")));
}

#[test]
fn those_that_wait_are_gathered_by_name_or_all_and_who_has_an_agent_keeps_them() {
    let mut floor = floor();
    floor
        .comes("bob")
        .writes("abe")
        .accepts("bob")
        .writes("ben")
        .writes("cor")
        .writes_about("dan", Some("urgent"));
    let mut terms = terms(&floor);
    terms.notice.clear();
    assert_eq!(set(&mut floor, terms), None);
    let (abe, cor) = (floor.contact_of("abe"), floor.contact_of("cor"));
    gathers(&mut floor, vec![abe, cor]);
    assert_eq!(gathered(&floor), [cor], "Bob has the first, and the second is offered to him");
    gathers(&mut floor, vec![]);
    assert_eq!(gathered(&floor), [cor, floor.contact_of("dan")]);
    // They are the only ones of their queue; a category they do not share is another matter.
    let mut of_category =
        IncidentTerms { queues: [].into(), ..floor.state.incident(OUTAGE).unwrap().terms.clone() };
    of_category.categories = [token("urgent")].into();
    floor.asks("ada", Command::CloseIncident { incident: OUTAGE }).wait(0);
    assert_eq!(floor.state.incidents().count(), 0);
    floor.goes("bob", protocol::command::Presence::Away);
    assert_eq!(set(&mut floor, of_category), None);
    gathers(&mut floor, vec![]);
    assert_eq!(gathered(&floor), [floor.contact_of("dan")]);
}

#[test]
fn all_are_answered_and_resolved_in_one_go_and_it_is_over() {
    let mut floor = floor();
    begins(&mut floor);
    floor.writes("carl").writes("dora");
    floor
        .asks("ada", Command::AnswerIncident { incident: OUTAGE, words: words(&[("en", "One more hour.")]) })
        .wait(0);
    resolves(&mut floor, words(&[("en", "It works again."), ("nl", "Het werkt weer.")]));
    for customer in ["carl", "dora"] {
        assert_eq!(told_to(&floor, customer), ["Payments are down.", "One more hour.", "It works again."]);
    }
    assert_eq!((floor.state.totals().resolved, floor.state.totals().abandoned), (2, 0));
    let ended =
        floor.state.conversation(floor.state.conversation_of(crate::builder::identity("carl")).unwrap());
    let ended = floor.state.ended(ended.unwrap().ended.unwrap()).unwrap();
    assert_eq!(ended.how, EndedHow::Resolved);
    assert_eq!(floor.state.incidents().count(), 0);
    floor.asks("ada", Command::AnswerIncident { incident: OUTAGE, words: told() });
    assert_eq!(floor.refused(), Some(Refusal::UnknownIncident));
    floor.writes("fay");
    assert_eq!(told_to(&floor, "fay"), [""; 0]);
}

#[test]
fn when_its_time_is_over_all_go_back_to_their_old_place() {
    let mut floor = floor();
    begins(&mut floor);
    floor.writes("carl").wait(1_000).writes("dora");
    let since = |floor: &Floor| floor.state.contacts().map(|(_, one)| one.since).collect::<Vec<_>>();
    let before = since(&floor);
    floor.wait(HOUR_MS);
    assert_eq!(floor.state.incidents().count(), 0);
    assert_eq!(since(&floor), before);
    assert!(floor.state.contacts().all(|(_, one)| one.phase == Phase::Waiting { preferred: None }));
}

#[test]
fn who_left_meanwhile_is_not_put_into_the_line_again() {
    let mut floor = floor();
    begins(&mut floor);
    for customer in ["carl", "dora", "eve"] {
        floor.writes(customer).leaves(customer);
    }
    floor.writes("dora");
    let mut message = floor.message("eve", Web, "shop", None);
    message.callback = true;
    floor.input(InputBody::Message(message)).leaves("eve");
    floor.asks("ada", Command::CloseIncident { incident: OUTAGE }).wait(0);
    let waiting: Vec<_> = floor.state.contacts().map(|(id, _)| id).collect();
    assert_eq!(waiting, [floor.contact_of("dora"), floor.contact_of("eve")], "back, and to be called back");
    assert_eq!((floor.state.totals().resolved, floor.state.totals().abandoned), (0, 1));
}

#[test]
fn who_is_gathered_again_is_there_until_they_leave_again() {
    let mut floor = floor();
    begins(&mut floor);
    floor.writes("carl").leaves("carl");
    let contact = floor.contact_of("carl");
    floor.asks("ada", Command::TakeOver { contact });
    floor.writes("carl").gives_to_queue("ada", "sales");
    gathers(&mut floor, vec![contact]);
    assert_eq!(gathered(&floor), [contact]);
    floor.asks("ada", Command::CloseIncident { incident: OUTAGE }).wait(0);
    assert_eq!(floor.state.contact(contact).unwrap().phase, Phase::Waiting { preferred: None });
}

#[test]
fn a_leader_that_takes_over_goes_on_behind_the_last_one_and_tells_nobody_twice() {
    let mut floor = floor();
    let customers: Vec<String> = (0..200).map(|n| format!("c{n}")).collect();
    for customer in &customers {
        floor.writes(customer);
    }
    begins(&mut floor);
    floor.asks("ada", Command::GatherForIncident { incident: OUTAGE, contacts: vec![] });
    let parts = |floor: &Floor| floor.state.gathered_for(OUTAGE).count();
    for expected in [80, 160, 200] {
        let record = routing_core::timer(&mut floor.state, Millis(floor.now)).unwrap();
        floor.log.push(record);
        assert_eq!(parts(&floor), expected);
        // What was read back from a snapshot leads from here.
        let text = serde_json::to_string(&floor.state).unwrap();
        floor.state = serde_json::from_str(&text).unwrap();
        floor.cause(Cause::Takeover { leader: crate::builder::gateway(9) });
    }
    floor.wait(0);
    assert!(customers.iter().all(|customer| told_to(&floor, customer).len() == 1));
}

#[test]
fn who_resolves_an_incident_keeps_their_turn() {
    let mut floor = floor();
    floor.comes("ada");
    begins(&mut floor);
    floor.writes("carl").wait(5_000);
    let since = floor.state.agent(agent_id("ada")).unwrap().idle_since;
    resolves(&mut floor, told());
    assert_eq!(floor.state.agent(agent_id("ada")).unwrap().idle_since, since);
}

#[test]
fn a_lead_has_a_contact_of_it_themselves() {
    let mut floor = floor();
    begins(&mut floor);
    floor.writes("carl");
    let contact = floor.contact_of("carl");
    floor.asks("ada", Command::TakeOver { contact });
    assert_eq!(floor.refused(), None);
    assert_eq!(floor.state.contact(contact).unwrap().owner(), Some(agent_id("ada")));
    resolves(&mut floor, told());
    assert_eq!(floor.state.contact(contact).unwrap().owner(), Some(agent_id("ada")), "it left the incident");
}

#[test]
fn what_is_done_to_many_is_bounded_in_each_record_and_done_to_each_once() {
    let mut floor = floor();
    let customers: Vec<String> = (0..250).map(|n| format!("c{n}")).collect();
    for customer in &customers {
        floor.writes(customer);
    }
    let mut terms = terms(&floor);
    let longest = |quote: &str| words(&[("en", &format!("x{}", quote.repeat(INCIDENT_WORDS_BYTES_MAX - 1)))]);
    terms.notice = longest("\"");
    assert_eq!(set(&mut floor, terms), None);
    let seen = floor.log.len();
    gathers(&mut floor, vec![]);
    floor.asks("ada", Command::AnswerIncident { incident: OUTAGE, words: longest("\n") });
    assert_eq!(floor.refused(), None);
    floor.wait(0);
    resolves(&mut floor, longest("\\"));
    let records = &floor.log[seen..];
    for record in records {
        let bytes = serde_json::to_vec(record).unwrap().len();
        assert!(bytes <= INPUT_BYTES_MAX, "{bytes} bytes");
    }
    let timers = records.iter().filter(|record| record.cause == Cause::Timer).count();
    assert_eq!(timers, 12, "80 in each");
    for customer in &customers {
        assert_eq!(told_to(&floor, customer).len(), 3, "{customer}");
    }
    assert_eq!(floor.state.totals().resolved, 250);
    assert_eq!(floor.state.incidents().count(), 0);
}

#[test]
fn what_cannot_be_an_incident_is_refused_and_says_why() {
    let mut at = floor();
    let good = terms(&at);
    let long = |bytes: usize| words(&[("en", &"x".repeat(bytes))]);
    let tongues = |count: usize| -> Words {
        let letter = |n: usize| char::from(b'a' + u8::try_from(n).unwrap());
        (0..count).map(|n| (format!("x{}", letter(n)).parse().unwrap(), "x".to_owned())).collect()
    };
    let until = |ms: u64| Millis(good.until.0 - HOUR_MS + ms);
    for (terms, expected) in [
        (IncidentTerms { title: " ".into(), ..good.clone() }, Some(Refusal::EmptyText)),
        (IncidentTerms { title: "x".repeat(121), ..good.clone() }, Some(Refusal::TooLong)),
        (IncidentTerms { queues: [].into(), ..good.clone() }, Some(Refusal::IncidentTooWide)),
        (IncidentTerms { queues: [token("nowhere")].into(), ..good.clone() }, Some(Refusal::IncidentTooWide)),
        (
            IncidentTerms { categories: [token("nothing")].into(), ..good.clone() },
            Some(Refusal::IncidentTooWide),
        ),
        (
            IncidentTerms { notice: long(INCIDENT_WORDS_BYTES_MAX + 1), ..good.clone() },
            Some(Refusal::TooLong),
        ),
        (IncidentTerms { notice: words(&[("en", "bell \u{7}")]), ..good.clone() }, Some(Refusal::OddText)),
        (
            IncidentTerms { notice: tongues(INCIDENT_LANGUAGES_MAX + 1), ..good.clone() },
            Some(Refusal::TooLong),
        ),
        (IncidentTerms { notice: words(&[("en", " ")]), ..good.clone() }, Some(Refusal::EmptyText)),
        (IncidentTerms { until: until(0), ..good.clone() }, Some(Refusal::IncidentTime)),
        (IncidentTerms { until: until(INCIDENT_MS_MAX + 1), ..good.clone() }, Some(Refusal::IncidentTime)),
        (
            IncidentTerms {
                until: until(INCIDENT_MS_MAX),
                notice: tongues(INCIDENT_LANGUAGES_MAX),
                ..good.clone()
            },
            None,
        ),
        (IncidentTerms { notice: long(INCIDENT_WORDS_BYTES_MAX), ..good.clone() }, None),
    ] {
        assert_eq!(set(&mut at, terms.clone()), expected, "{terms:?}");
    }
}

#[test]
fn what_cannot_be_asked_of_an_incident_is_refused_and_says_why() {
    let mut at = floor();
    let good = terms(&at);
    begins(&mut at);
    for command in [
        Command::SetIncident { incident: OUTAGE, terms: Box::new(good.clone()) },
        Command::GatherForIncident { incident: OUTAGE, contacts: vec![] },
        Command::AnswerIncident { incident: OUTAGE, words: told() },
        Command::ResolveIncident { incident: OUTAGE, disposition: token("done"), words: told() },
        Command::CloseIncident { incident: OUTAGE },
    ] {
        at.asks("bob", command);
        assert_eq!(at.refused(), Some(Refusal::NotLead));
    }
    for (command, expected) in [
        (Command::AnswerIncident { incident: OUTAGE, words: Words::new() }, Refusal::EmptyText),
        (
            Command::ResolveIncident { incident: OUTAGE, disposition: token("nothing"), words: told() },
            Refusal::UnknownDisposition,
        ),
        (
            Command::GatherForIncident {
                incident: OUTAGE,
                contacts: vec![ContactId { log_seq: 1, n: 0 }; 101],
            },
            Refusal::TooLong,
        ),
    ] {
        at.asks("ada", command);
        assert_eq!(at.refused(), Some(expected));
    }
    for n in 0..=INCIDENTS_MAX {
        let incident = IncidentId(Uuid::from_u128(100 + u128::try_from(n).unwrap()));
        at.asks("ada", Command::SetIncident { incident, terms: Box::new(good.clone()) });
        let expected = (n + 1 >= INCIDENTS_MAX).then_some(Refusal::TooManyIncidents);
        assert_eq!(at.refused(), expected, "{n}");
    }
}

#[test]
fn as_much_can_be_asked_of_one_as_is_remembered() {
    let mut floor = floor();
    begins(&mut floor);
    floor.writes("carl");
    // All in one moment, before the timer comes.
    for n in 0..=INCIDENT_WORKS_MAX {
        floor.asks("ada", Command::AnswerIncident { incident: OUTAGE, words: told() });
        assert_eq!(floor.refused(), (n == INCIDENT_WORKS_MAX).then_some(Refusal::TooManyIncidents), "{n}");
    }
    let asked = floor.state.incident(OUTAGE).unwrap().works.iter();
    assert!(asked.clone().all(|work| matches!(work.work, IncidentWork::Answer { .. })));
    assert_eq!(asked.count(), INCIDENT_WORKS_MAX);
    floor.wait(0);
    assert_eq!(told_to(&floor, "carl").len(), 1 + INCIDENT_WORKS_MAX);
}
