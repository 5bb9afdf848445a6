//! Who is with a contact besides its owner, and what becomes of a hand-over.

use expect_test::expect;
use protocol::command::{Presence, Refusal};
use protocol::limits::{COMPANIONS_PER_CONTACT_MAX, COMPANY_PER_AGENT_MAX};
use protocol::record::CompanyRole;
use protocol::{AgentId, Command, ContactId, MessageId};

use crate::builder::{
    AgentWith, DECLINE_REST_MS, Floor, OFFER_MS, OWNER_WAIT_MS, agent, agent_id, config, sealed,
};

/// Something that ends a question or a hand-over.
type End = fn(&mut Floor, ContactId);

fn lead(name: &str) -> protocol::config::Agent {
    protocol::config::Agent { lead: true, ..agent(name).web(0) }
}

/// Ada has carl's contact; bob and the lead lea are there.
fn three() -> (Floor, ContactId) {
    let mut floor = Floor::online([agent("ada"), agent("bob"), lead("lea")]);
    floor.has("ada", "carl");
    let contact = floor.contact_of("carl");
    (floor, contact)
}

fn consults(floor: &mut Floor, contact: ContactId, name: &str, colleague: &str) {
    floor.asks(name, Command::Consult { contact, agent: agent_id(colleague) });
}

fn agrees(floor: &mut Floor, contact: ContactId, name: &str) {
    floor.asks(name, Command::AnswerConsult { contact, yes: true });
}

fn whispers(floor: &mut Floor, contact: ContactId, name: &str) {
    floor.asks(name, Command::Whisper { contact, message: message(), body: sealed() });
}

fn replies(floor: &mut Floor, contact: ContactId, name: &str) {
    floor.asks(name, Command::Reply { contact, message: message(), body: sealed() });
}

fn message() -> MessageId {
    MessageId(uuid::Uuid::from_u128(1))
}

fn roles(floor: &Floor, contact: ContactId) -> Vec<(AgentId, CompanyRole)> {
    floor.state.company(contact).iter().map(|one| (one.agent, one.role)).collect()
}

fn owner(floor: &Floor, contact: ContactId) -> Option<AgentId> {
    floor.state.contact(contact).and_then(|known| known.owner())
}

#[test]
fn a_colleague_who_is_consulted_whispers_and_joins_and_leaves() {
    let (mut floor, contact) = three();
    consults(&mut floor, contact, "ada", "bob");
    floor.check(expect![[r#"
        con_8_1: bob asked by ada for 20000 ms
        con_8_1 entry 3: ada asks bob for a word
        done
    "#]]);
    whispers(&mut floor, contact, "bob");
    assert_eq!(floor.refused(), Some(Refusal::NotYours), "they have not agreed yet");
    agrees(&mut floor, contact, "bob");
    floor.check(expect![[r#"
        con_8_1: bob consulted
        done
    "#]]);
    whispers(&mut floor, contact, "bob");
    floor.check(expect![[r#"
        con_8_1 entry 4: whisper of bob
        done
    "#]]);
    replies(&mut floor, contact, "bob");
    assert_eq!(floor.refused(), Some(Refusal::NotYours), "who is consulted does not write to the customer");
    floor.asks("bob", Command::Join { contact }).check(expect![[r#"
        con_8_1: bob joined
        con_8_1 entry 5: bob joined beside
        done
    "#]]);
    replies(&mut floor, contact, "bob");
    floor.check(expect![[r#"
        con_8_1 entry 6: reply of bob
        done
    "#]]);
    floor.asks("bob", Command::Leave { contact, agent: None }).check(expect![[r#"
        con_8_1: bob with it no more
        con_8_1 entry 7: bob left again
        done
    "#]]);
    assert_eq!(owner(&floor, contact), Some(agent_id("ada")));
    assert_eq!(roles(&floor, contact), []);
}

#[test]
fn whoever_is_with_it_has_room_as_before() {
    let (mut floor, contact) = three();
    consults(&mut floor, contact, "ada", "bob");
    agrees(&mut floor, contact, "bob");
    floor.writes("dora");
    assert!(floor.state.contact(floor.contact_of("dora")).unwrap().holder() == Some(agent_id("bob")));
}

#[test]
fn a_question_to_a_colleague_ends_in_each_way() {
    let ends: [(End, &str); 4] = [
        (
            |floor, contact| {
                floor.asks("bob", Command::AnswerConsult { contact, yes: false });
            },
            "bob says nothing to it (Declined)",
        ),
        (
            |floor, _| {
                floor.wait(OFFER_MS);
            },
            "bob says nothing to it (NoTime)",
        ),
        (
            |floor, _| {
                floor.goes("bob", Presence::Away);
            },
            "bob says nothing to it (Gone)",
        ),
        (
            |floor, contact| {
                floor.asks("ada", Command::Leave { contact, agent: Some(agent_id("bob")) });
            },
            "bob says nothing to it (Gone)",
        ),
    ];
    for (end, told) in ends {
        let (mut floor, contact) = three();
        consults(&mut floor, contact, "ada", "bob");
        end(&mut floor, contact);
        floor.wait(0);
        let words = crate::tell::tell(&floor.state, floor.log.last().unwrap());
        assert!(words.contains(told), "{words}");
        assert_eq!(roles(&floor, contact), [], "{told}");
        agrees(&mut floor, contact, "bob");
        assert_eq!(floor.refused(), Some(Refusal::OfferEnded), "{told}");
    }
}

#[test]
fn only_who_can_is_consulted_and_only_the_owner_asks() {
    let (mut floor, contact) = three();
    for (by, whom, refusal) in [
        ("bob", "lea", Some(Refusal::NotYours)),
        ("ada", "ada", Some(Refusal::ColleagueNotThere)),
        ("ada", "zoe", Some(Refusal::ColleagueNotThere)),
        ("ada", "bob", None),
        ("ada", "bob", None),
    ] {
        consults(&mut floor, contact, by, whom);
        assert_eq!(floor.refused(), refusal, "{by} asks {whom}");
    }
    assert_eq!(roles(&floor, contact).len(), 1, "asked twice is asked once");
    floor.goes("bob", Presence::Away);
    consults(&mut floor, contact, "ada", "bob");
    assert_eq!(floor.refused(), Some(Refusal::ColleagueNotThere));
}

#[test]
fn who_leads_watches_whispers_joins_and_takes_over() {
    let mut floor = Floor::online([agent("ada"), agent("bob"), lead("lea").web(1)]);
    floor.has("ada", "carl");
    let contact = floor.contact_of("carl");
    floor.asks("bob", Command::Watch { contact });
    assert_eq!(floor.refused(), Some(Refusal::NotLead));
    floor.asks("lea", Command::Watch { contact }).check(expect![[r#"
        con_8_1: lea watching
        done
    "#]]);
    whispers(&mut floor, contact, "lea");
    assert_eq!(floor.refused(), None);
    replies(&mut floor, contact, "lea");
    assert_eq!(floor.refused(), Some(Refusal::NotYours), "who watches does not write to the customer");
    floor.asks("lea", Command::Join { contact });
    replies(&mut floor, contact, "lea");
    assert_eq!(floor.refused(), None);
    floor.asks("lea", Command::TakeOver { contact }).check(expect![[r#"
        con_8_1 with lea
        con_8_1 entry 6: lea took it over from ada
        done
    "#]]);
    assert_eq!(roles(&floor, contact), [], "who owns it is not beside it");
}

#[test]
fn who_watches_stays_when_it_goes_on_and_whom_the_owner_asked_does_not() {
    let (mut floor, contact) = three();
    consults(&mut floor, contact, "ada", "bob");
    agrees(&mut floor, contact, "bob");
    floor.asks("lea", Command::Watch { contact });
    floor.gives_to_queue("ada", "support");
    assert_eq!(roles(&floor, contact), [(agent_id("lea"), CompanyRole::Watching)]);
    floor.accepts("bob").resolves("bob").ends_wrap_up("bob");
    assert_eq!(roles(&floor, contact), [], "nobody is with what has ended");
}

#[test]
fn who_goes_home_or_is_lost_or_leads_no_more_is_with_nothing() {
    let ends: [fn(&mut Floor); 4] = [
        |floor| {
            floor.goes("lea", Presence::Offline);
        },
        |floor| {
            floor.disconnects("lea", 1).wait(routing_core::RECLAIM_MS);
        },
        |floor| {
            floor.configure(config([agent("ada"), agent("bob"), agent("lea")]));
        },
        |floor| {
            floor.configure(config([agent("ada"), agent("bob")]));
        },
    ];
    for (n, end) in ends.into_iter().enumerate() {
        let (mut floor, contact) = three();
        floor.asks("lea", Command::Watch { contact }).wait(1_000);
        end(&mut floor);
        assert_eq!(roles(&floor, contact), [], "way {n}");
    }
}

#[test]
fn at_the_limits_somebody_has_to_leave_first() {
    let names: Vec<String> = (0..=COMPANIONS_PER_CONTACT_MAX).map(|n| format!("l{n}")).collect();
    let mut floor = Floor::online([agent("ada")].into_iter().chain(names.iter().map(|name| lead(name))));
    floor.has("ada", "carl");
    let contact = floor.contact_of("carl");
    for (n, name) in names.iter().enumerate() {
        floor.asks(name, Command::Watch { contact });
        let refusal = (n == COMPANIONS_PER_CONTACT_MAX).then_some(Refusal::CompanyFull);
        assert_eq!(floor.refused(), refusal, "{name}");
    }
    floor.asks("l0", Command::Leave { contact, agent: None }).asks(&names[8], Command::Watch { contact });
    assert_eq!(floor.refused(), None);

    let mut floor = Floor::online([lead("lea")]);
    for n in 0..=COMPANY_PER_AGENT_MAX {
        let customer = format!("customer{n}");
        floor.writes(&customer);
        let contact = floor.contact_of(&customer);
        floor.asks("lea", Command::Watch { contact });
        let refusal = (n == COMPANY_PER_AGENT_MAX).then_some(Refusal::CompanyFull);
        assert_eq!(floor.refused(), refusal, "the {n}th");
    }
}

#[test]
fn a_hand_over_that_is_not_taken_comes_back_at_once() {
    let ends: [(End, &str); 4] = [
        (
            |floor, _| {
                floor.declines("bob");
            },
            "(Declined)",
        ),
        (
            |floor, _| {
                floor.wait(OFFER_MS);
            },
            "(NoTime)",
        ),
        (
            |floor, _| {
                floor.goes("bob", Presence::Offline).wait(0);
            },
            "(Gone)",
        ),
        (
            |floor, _| {
                floor.disconnects("bob", 1).wait(0);
            },
            "(Gone)",
        ),
    ];
    for (end, why) in ends {
        let (mut floor, contact) = three();
        floor.hands_over("ada", "bob").writes("carl");
        end(&mut floor, contact);
        assert_eq!(owner(&floor, contact), Some(agent_id("ada")), "{why}");
        let words = crate::tell::tell(&floor.state, floor.log.last().unwrap());
        assert!(words.contains(&format!("with ada again, bob did not take it {why}")), "{words}");
    }
}

#[test]
fn a_hand_over_to_who_is_busy_comes_back_after_the_wait() {
    let (mut floor, contact) = three();
    floor.has("bob", "dora").hands_over("ada", "bob");
    // The customer who comes meanwhile has room with ada.
    assert_eq!(owner(&floor, contact), None);
    floor.wait(OWNER_WAIT_MS);
    assert_eq!(owner(&floor, contact), Some(agent_id("ada")));
}

#[test]
fn a_hand_over_goes_on_in_its_queue_where_nobody_can_have_it_again() {
    let (mut floor, contact) = three();
    floor.hands_over("ada", "bob").writes("dora").accepts("ada").declines("bob");
    assert_eq!(owner(&floor, contact), None, "ada has no room by now");
    assert!(floor.state.contact(contact).is_some());

    let (mut floor, contact) = three();
    floor.hands_over("ada", "bob").goes("ada", Presence::Away).declines("bob");
    assert_eq!(owner(&floor, contact), None, "ada went away");

    let (mut floor, contact) = three();
    floor.gives_to("ada", "bob").declines("bob");
    assert_eq!(owner(&floor, contact), None, "ada did not want it back");
}

#[test]
fn a_hand_over_that_is_taken_is_over() {
    let (mut floor, contact) = three();
    floor.hands_over("ada", "bob").accepts("bob").gives_to_queue("bob", "sales");
    floor.wait(DECLINE_REST_MS).declines("ada");
    assert_eq!(owner(&floor, contact), None, "it comes back from no later offer");
}

#[test]
fn nobody_is_with_a_contact_in_wrap_up_to_write() {
    let mut floor = Floor::online([agent("ada").only("support"), lead("lea")]);
    floor.mails("carl").accepts("ada");
    let contact = floor.contact_of("carl");
    floor.asks("lea", Command::Watch { contact }).asks("lea", Command::Join { contact }).resolves("ada");
    replies(&mut floor, contact, "lea");
    assert_eq!(floor.refused(), Some(Refusal::ContactClosed));
}

#[test]
fn a_question_begins_anew_when_another_leads() {
    let (mut floor, contact) = three();
    consults(&mut floor, contact, "ada", "bob");
    floor.wait(OFFER_MS - 1).cause(protocol::Cause::Takeover { leader: crate::builder::gateway(9) });
    floor.wait(OFFER_MS - 1);
    agrees(&mut floor, contact, "bob");
    assert_eq!(floor.refused(), None, "nobody has missed what they could not see");
    assert_eq!(roles(&floor, contact), [(agent_id("bob"), CompanyRole::Consulted)]);
}
