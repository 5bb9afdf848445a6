//! Bots: leases, handing over, one voice.

use expect_test::expect;
use protocol::command::{Outcome, Presence, Refusal};
use protocol::limits::{BOT_ANSWER_MS, BOT_RECLAIM_MS, LATE_TEXT_MS};
use protocol::record::{EntryKind, Event};
use protocol::{AgentId, Command, ContactId};
use routing_core::{Standing, State, apply_watched, explain, recheck};

use crate::builder::{AgentWith, DECLINE_REST_MS, Floor, agent, agent_id, token, with};

/// Carl's contact is with the bot; nobody else is there yet, and ann leads.
fn with_bot() -> (Floor, ContactId) {
    let ann = protocol::config::Agent { lead: true, ..agent("ann") };
    let mut floor = Floor::of([agent("rob").web(2).bot(), ann, agent("bea")]);
    floor.connects("rob", 1).comes("rob").has("rob", "carl");
    let contact = floor.contact_of("carl");
    (floor, contact)
}

fn comes(floor: &mut Floor, name: &str) {
    floor.connects(name, 2).comes(name);
}

fn owner(floor: &Floor, contact: ContactId) -> Option<AgentId> {
    floor.state.contact(contact).and_then(|known| known.owner())
}

fn outcome(floor: &Floor) -> Option<Outcome> {
    floor.log.last()?.events.iter().find_map(|event| match event {
        Event::CommandSettled { outcome, .. } => Some(outcome.clone()),
        _ => None,
    })
}

fn refused(refusal: Refusal) -> Option<Outcome> {
    Some(Outcome::Refused { refusal })
}

fn last_entry(floor: &Floor) -> Option<&EntryKind> {
    floor.log.iter().rev().flat_map(|record| record.events.iter().rev()).find_map(|event| match event {
        Event::EntryAdded { entry, .. } => Some(entry),
        _ => None,
    })
}

#[test]
fn a_bot_is_asked_like_anybody_and_its_words_say_what_it_is() {
    let (mut floor, contact) = with_bot();
    floor.replies("rob").check(expect![[r#"
        con_4_1 entry 3: reply of the bot rob
        done
    "#]]);
    floor.wait(10 * BOT_ANSWER_MS);
    assert_eq!(owner(&floor, contact), Some(agent_id("rob")), "nobody waits for it: it keeps the contact");
    floor.resolves("rob");
    assert_eq!(floor.state.contact(contact), None);
}

#[test]
fn a_bot_that_lets_its_customer_wait_hands_over_and_the_place_is_kept() {
    let (mut floor, contact) = with_bot();
    let since = floor.state.contact(contact).unwrap().since;
    floor.wait(BOT_ANSWER_MS - 1);
    assert_eq!(owner(&floor, contact), Some(agent_id("rob")));
    floor.wait(1).check(expect![[r#"
        con_4_1 entry 3: people have it from rob, which stalled
        con_4_1 waits in sales at 5 since 20000 ms (HandedOver)
    "#]]);
    let handed = floor.state.contact(contact).unwrap();
    assert_eq!((handed.since, handed.effort.transfers), (since, 1));
    floor.wait(DECLINE_REST_MS);
    let rows = explain(&floor.state, contact).agents;
    let rob = rows.iter().find(|row| row.agent == agent_id("rob")).unwrap();
    assert_eq!(rob.standing, Standing::NotAPerson, "however long it waits");
    comes(&mut floor, "bea");
    floor.accepts("bea");
    assert_eq!(owner(&floor, contact), Some(agent_id("bea")));
}

#[test]
fn the_lease_runs_from_the_first_words_that_are_not_answered() {
    let (mut floor, contact) = with_bot();
    floor.replies("rob").wait(60_000).writes("carl").wait(BOT_ANSWER_MS - 1).writes("carl");
    assert_eq!(owner(&floor, contact), Some(agent_id("rob")));
    floor.wait(1);
    assert_eq!(owner(&floor, contact), None);
}

#[test]
fn each_bot_has_its_own_time() {
    let (floor, contact) = with_bot();
    let mut floor = with(floor, |config| config.agents[0].answer_within_ms = Some(3_000));
    floor.wait(2_999);
    assert_eq!(owner(&floor, contact), Some(agent_id("rob")));
    floor.wait(1);
    assert_eq!(owner(&floor, contact), None);
}

#[test]
fn who_waits_for_a_bot_is_not_laid_aside() {
    let (mut floor, contact) = with_bot();
    let until = protocol::Millis(floor.now + 3_600_000);
    floor.asks("rob", Command::Snooze { contact, until }).wait(BOT_ANSWER_MS).check(expect![[r#"
        con_4_1 entry 4: people have it from rob, which stalled
        con_4_1 waits in sales at 5 since 20000 ms (HandedOver)
    "#]]);
}

#[test]
fn a_takeover_of_the_router_gives_a_bot_its_time_anew() {
    let (mut floor, contact) = with_bot();
    let leader = crate::builder::gateway(9);
    floor.wait(BOT_ANSWER_MS - 1).cause(protocol::Cause::Takeover { leader }).wait(BOT_ANSWER_MS - 1);
    assert_eq!(owner(&floor, contact), Some(agent_id("rob")));
    floor.wait(1);
    assert_eq!(owner(&floor, contact), None);
}

#[test]
fn a_bot_that_calls_for_help_or_fails_hands_over() {
    let help = |contact| Command::CallForHelp { contact, reason: token("no_answer") };
    let fail = |contact| Command::Fail { contact, reason: token("timeout") };
    let commands: [&dyn Fn(ContactId) -> Command; 2] = [&help, &fail];
    let told = ["which called for help: no_answer", "which failed: timeout"];
    for (command, told) in commands.into_iter().zip(told) {
        let (mut floor, contact) = with_bot();
        floor.asks("rob", command(contact));
        let record = floor.log.last().unwrap();
        let expected = format!(
            "con_4_1 entry 3: people have it from rob, {told}\ncon_4_1 waits in sales at 5 since 0 ms (HandedOver)\ndone\n"
        );
        assert_eq!(crate::tell::tell(&floor.state, record), expected);
        floor.asks("rob", command(contact));
        assert_eq!(outcome(&floor), refused(Refusal::NotYours), "once");
        comes(&mut floor, "bea");
        floor.accepts("bea").asks("bea", command(contact));
        assert_eq!(outcome(&floor), refused(Refusal::NotBot), "a person gives it on instead");
    }
}

#[test]
fn a_bot_that_is_gone_hands_over_after_a_second() {
    let (mut floor, contact) = with_bot();
    floor.replies("rob").disconnects("rob", 1).wait(BOT_RECLAIM_MS - 1);
    assert_eq!(owner(&floor, contact), Some(agent_id("rob")));
    floor.wait(1).check(expect![[r#"
        con_4_1 entry 4: people have it from rob, which is gone
        con_4_1 waits in sales at 5 since 1000 ms (HandedOver)
    "#]]);
}

#[test]
fn a_bot_with_a_lost_gateway_hands_over_too() {
    let (mut floor, contact) = with_bot();
    floor.loses_gateway(1).wait(BOT_RECLAIM_MS);
    assert_eq!(owner(&floor, contact), None);
    assert!(floor.state.contact(contact).unwrap().people_only);
}

#[test]
fn a_customer_who_wants_a_person_gets_one_wherever_the_contact_is() {
    let (mut floor, contact) = with_bot();
    floor.wants_a_person("carl").check(expect![[r#"
        con_4_1 entry 3: people have it from rob, as the customer asked
        con_4_1 waits in sales at 5 since 0 ms (HandedOver)
    "#]]);
    let seen = floor.log.len();
    floor.wants_a_person("carl").wants_a_person("nobody");
    assert!(floor.log[seen..].iter().all(|record| record.events.is_empty()), "once is enough");
    comes(&mut floor, "bea");
    floor.accepts("bea").wants_a_person("carl");
    assert_eq!(owner(&floor, contact), Some(agent_id("bea")), "that is a person");
}

#[test]
fn a_bot_that_is_asked_is_asked_no_more() {
    let (mut floor, _) = with_bot();
    floor.writes("dora").wants_a_person("dora").check(expect![[r#"
        off_6_2: con_6_1 from rob, a person is wanted
        con_6_1 entry 2: people have it from nobody, as the customer asked
        con_6_1 waits in sales at 5 since 0 ms (HandedOver)
    "#]]);
}

#[test]
fn what_waits_is_asked_of_no_bot_either() {
    let mut floor = Floor::of([agent("rob").bot(), agent("bea")]);
    floor.writes("carl").wants_a_person("carl").connects("rob", 1).comes("rob");
    let contact = floor.contact_of("carl");
    assert_eq!(floor.state.contact(contact).unwrap().holder(), None);
    comes(&mut floor, "bea");
    assert_eq!(floor.state.contact(contact).unwrap().holder(), Some(agent_id("bea")));
}

#[test]
fn a_bot_is_tried_first_and_people_after_that() {
    let staff = [agent("rob").bot(), agent("bea")];
    let mut floor = with(Floor::of(staff), |config| {
        config.agents[0].team = Some(token("bots"));
        let step = |after_ms, teams: &[&str]| protocol::config::Step {
            after_ms,
            teams: teams.iter().copied().map(token).collect(),
            ..protocol::config::Step::default()
        };
        config.queues[0].steps = vec![step(0, &["bots"]), step(9_000, &[])];
    });
    for name in ["bea", "rob"] {
        floor.connects(name, 1).comes(name);
    }
    floor.wait(1_000).has("rob", "carl");
    let contact = floor.contact_of("carl");
    floor.asks("rob", Command::CallForHelp { contact, reason: token("no_answer") });
    assert_eq!(floor.state.contact(contact).unwrap().holder(), None, "people come later");
    floor.wait(9_000);
    assert_eq!(floor.state.contact(contact).unwrap().holder(), Some(agent_id("bea")));
}

#[test]
fn what_a_bot_gave_up_cannot_be_given_to_one_by_name_nor_come_back_to_it() {
    let (mut floor, contact) = with_bot();
    comes(&mut floor, "bea");
    floor
        .asks("rob", Command::Fail { contact, reason: token("timeout") })
        .accepts("bea")
        .gives_to("bea", "rob");
    assert_eq!(outcome(&floor), refused(Refusal::ColleagueNotThere));
    floor.resolves("bea").goes("bea", Presence::Offline).writes("carl");
    assert_eq!(floor.state.contact(contact).unwrap().holder(), None, "it is the same contact again");
    // The next one is another matter.
    comes(&mut floor, "bea");
    floor
        .accepts("bea")
        .resolves("bea")
        .goes("bea", Presence::Offline)
        .wait(2 * crate::builder::REOPEN_MS)
        .writes("carl");
    assert_eq!(floor.state.contact(floor.contact_of("carl")).unwrap().holder(), Some(agent_id("rob")));
}

/// Dora writes, and only practises.
fn practises(floor: &mut Floor) -> ContactId {
    let mut message = floor.message("dora", protocol::ChannelKind::Web, "shop", None);
    message.practice = true;
    floor.input(protocol::InputBody::Message(message));
    floor.contact_of("dora")
}

#[test]
fn what_is_only_practised_comes_to_no_bot_in_any_way() {
    let (mut floor, _) = with_bot();
    // Nobody waits for it, so that it keeps what it has.
    floor.replies("rob");
    let contact = practises(&mut floor);
    floor.wait(DECLINE_REST_MS);
    let known = floor.state.contact(contact).unwrap();
    assert_eq!(
        (known.holder(), known.people_only),
        (None, true),
        "there is a bot with room, and nobody else"
    );
    let rows = explain(&floor.state, contact).agents;
    let rob = rows.iter().find(|row| row.agent == agent_id("rob")).unwrap();
    assert_eq!(rob.standing, Standing::NotAPerson);
    let seen = floor.log.len();
    floor.wants_a_person("dora");
    assert!(floor.log[seen..].iter().all(|record| record.events.is_empty()), "it is for people already");
    comes(&mut floor, "bea");
    floor.accepts("bea").gives_to("bea", "rob");
    assert_eq!(outcome(&floor), refused(Refusal::ColleagueNotThere));
    floor.asks("bea", Command::Consult { contact, agent: agent_id("rob") });
    assert_eq!(outcome(&floor), refused(Refusal::ColleagueNotThere), "nor is one asked for a word");
    floor.gives_to_queue("bea", "sales").goes("bea", Presence::Offline).wait(DECLINE_REST_MS);
    assert_eq!(floor.state.contact(contact).unwrap().holder(), None);
    floor.goes("bea", Presence::Online).accepts("bea").resolves("bea").goes("bea", Presence::Offline);
    assert_eq!(practises(&mut floor), contact, "opened again");
    assert_eq!(floor.state.contact(contact).unwrap().holder(), None);
    // The customer has been the bot's before.
    floor.writes("emil");
    assert_eq!(floor.state.contact(floor.contact_of("emil")).unwrap().holder(), Some(agent_id("rob")));
}

/// Routers gave bots such contacts before: the records of that time say so, and are as right as they were.
#[test]
fn records_of_an_earlier_version_give_bots_what_they_gave_them() {
    let (mut floor, contact) = with_bot();
    floor.replies("rob").wants_a_person("carl");
    let mut log = floor.log.clone();
    for event in log.iter_mut().flat_map(|record| &mut record.events) {
        if let Event::ContactOpened { practice, .. } = event {
            *practice = true;
        }
    }
    let json = serde_json::to_string(&log).unwrap();
    assert!(json.contains(r#""practice":true"#) && !json.contains("people_only"), "as it was written then");
    let log: Vec<protocol::Record> = serde_json::from_str(&json).unwrap();
    let mut state = State::new();
    let mut found = Vec::new();
    for (seq, record) in (1..).zip(&log) {
        apply_watched(&mut state, seq, record, |before, event| {
            found.extend(recheck(before, record.at, event));
        })
        .unwrap();
    }
    assert_eq!(found, Vec::<String>::new(), "it was decided by the rules of its time");
    assert!(state.is_practice(contact) && !floor.state.is_practice(contact));
    assert_eq!(state.contact(contact), floor.state.contact(contact), "handed over as the customer asked");
}

#[test]
fn who_leads_has_the_voice_within_one_record_and_late_words_are_a_draft() {
    let (mut floor, contact) = with_bot();
    floor.asks("ann", Command::TakeVoice { contact }).check(expect![[r#"
        con_4_1 with ann
        con_4_1 entry 3: ann took it over from rob
        done
    "#]]);
    assert_eq!(floor.state.held_by(agent_id("rob")).count(), 0, "its slot is free");
    floor.wait(LATE_TEXT_MS).replies_in("rob", contact).check(expect![[r#"
        con_4_1 entry 4: suggestion of rob
        done
    "#]]);
    assert!(!last_entry(&floor).unwrap().is_for_customer());
    floor.wait(1).replies_in("rob", contact);
    assert_eq!(outcome(&floor), refused(Refusal::NotYours), "after a minute it is of no use");
    floor.asks("ann", Command::TakeVoice { contact });
    assert_eq!(outcome(&floor), Some(Outcome::Done), "the second keystroke");
    floor.replies("ann").gives_to_queue("ann", "support");
    assert_eq!(floor.state.contact(contact).unwrap().holder(), None, "what a person took stays with people");
}

#[test]
fn who_has_joined_takes_the_voice_though_they_do_not_lead() {
    let (mut floor, contact) = with_bot();
    comes(&mut floor, "bea");
    floor.asks("rob", Command::Consult { contact, agent: agent_id("bea") });
    floor.asks("bea", Command::AnswerConsult { contact, yes: true });
    floor.asks("bea", Command::TakeVoice { contact });
    assert_eq!(outcome(&floor), refused(Refusal::NotLead), "who reads has to join first");
    floor.asks("bea", Command::Join { contact }).asks("bea", Command::TakeVoice { contact });
    assert_eq!(owner(&floor, contact), Some(agent_id("bea")));
}

#[test]
fn a_handover_that_is_not_taken_comes_back_to_no_bot_that_gave_up() {
    let (mut floor, contact) = with_bot();
    comes(&mut floor, "bea");
    floor.asks("rob", Command::TransferToAgent { contact, agent: agent_id("bea"), back: true });
    floor.wants_a_person("carl").declines("bea");
    assert_eq!(owner(&floor, contact), None);
}

#[test]
fn words_that_come_while_it_waits_for_people_are_a_draft_too() {
    let (mut floor, contact) = with_bot();
    floor.wait(BOT_ANSWER_MS).replies_in("rob", contact);
    assert_eq!(last_entry(&floor), Some(&EntryKind::Suggested { agent: agent_id("rob") }));
    floor.replies_in("bea", contact);
    assert_eq!(outcome(&floor), refused(Refusal::NotYours), "a person's words are no suggestion");
}

#[test]
fn a_voice_is_taken_from_bots_only_by_who_leads_and_has_room() {
    let (mut floor, contact) = with_bot();
    floor.asks("bea", Command::TakeVoice { contact });
    assert_eq!(outcome(&floor), refused(Refusal::NotLead));
    comes(&mut floor, "bea");
    floor.asks("rob", Command::Fail { contact, reason: token("timeout") });
    floor.asks("ann", Command::TakeVoice { contact });
    assert_eq!(outcome(&floor), refused(Refusal::NotYours), "nobody has it");
    floor.accepts("bea").asks("ann", Command::TakeVoice { contact });
    assert_eq!(outcome(&floor), refused(Refusal::NotYours), "a person has it");
    floor.has("rob", "dora").asks("ann", Command::TakeVoice { contact: ContactId { log_seq: 1, n: 9 } });
    assert_eq!(outcome(&floor), refused(Refusal::UnknownContact));
    let dora = floor.contact_of("dora");
    let mut floor = with(floor, |config| config.agents[1].capacity.clear());
    floor.asks("ann", Command::TakeVoice { contact: dora });
    assert_eq!(outcome(&floor), refused(Refusal::NoRoom));
}
