//! Praise and stories.

use protocol::facts::FactValue;
use protocol::limits::{REASON_BYTES_MAX, TITLE_BYTES_MAX};
use protocol::remedies::{PraisedBy, RemedyEvent, RemedyInput, RemedyOutcome, RemedyRefusal};
use protocol::remedy::{Claim, EmpowermentInput, Gift, RemedyCommand, RemedyKind};
use protocol::time::DAY_MS;
use protocol::{NoticeId, RemedyId};
use uuid::Uuid;

use crate::policy::{UNDO_MS, because_of, euros, token};
use crate::shop::{Shop, agent, contact, gift, held, identity, sealed};

fn tyres() -> Gift {
    gift(RemedyKind::Refund, Some(euros(60_000)), because_of("not_ours"))
}

fn praised_by_card(shop: &Shop, name: &str) -> usize {
    let by = PraisedBy::Card { card: token("never_sold") };
    let of = agent(name);
    shop.count(
        |event| matches!(event, RemedyEvent::Praised { agent, by: who, .. } if *agent == of && *who == by),
    )
}

#[test]
fn e3_a_card_praises_when_it_is_carried_out_at_most_once_a_day_per_agent() {
    let mut shop = Shop::open();
    let remedy = shop.gives("ada", 1, &tyres());
    shop.wait(UNDO_MS);
    assert_eq!(praised_by_card(&shop, "ada"), 0, "not before it is done");
    shop.done(remedy);
    shop.gives_at_last("ada", 2, &tyres());
    shop.gives_at_last("bob", 3, &tyres());
    assert_eq!((praised_by_card(&shop, "ada"), praised_by_card(&shop, "bob")), (1, 1));
    shop.wait(DAY_MS);
    shop.gives_at_last("ada", 4, &tyres());
    assert_eq!(praised_by_card(&shop, "ada"), 2);
}

#[test]
fn a_peer_thanks_and_nobody_thanks_themselves() {
    let mut shop = Shop::open();
    let thank = |whom: &str, words: &str| RemedyCommand::Thank {
        agent: agent(whom),
        contact: Some(contact(1)),
        words: words.into(),
    };
    assert_eq!(shop.asks("ada", thank("bob", "well done")), RemedyOutcome::Done);
    let by = PraisedBy::Peer { agent: agent("ada"), words: "well done".into() };
    assert_eq!(shop.last()[0], RemedyEvent::Praised { agent: agent("bob"), by, contact: Some(contact(1)) });
    let long = "x".repeat(REASON_BYTES_MAX + 1);
    for (whom, words) in [("ada", "well done"), ("bob", " "), ("bob", &long)] {
        let refused = shop.refused("ada", thank(whom, words));
        assert!(matches!(refused, RemedyRefusal::BadInput { .. }), "{refused:?}");
    }
    assert_eq!(shop.asks("ada", thank("bob", &"x".repeat(REASON_BYTES_MAX))), RemedyOutcome::Done);
}

#[test]
fn a_customer_thanks_whoever_helped_them_last_but_not_themselves() {
    let mut shop = Shop::open();
    let thanks = |context| {
        let id = NoticeId(Uuid::from_u128(9));
        let words = Some(sealed("thanks"));
        let input = EmpowermentInput::Thanks { id, identity: identity(1), words };
        RemedyInput::Input { input, context }
    };
    let by = PraisedBy::Customer { words: Some(sealed("thanks")) };
    let praised = RemedyEvent::Praised { agent: agent("ada"), by, contact: Some(contact(1)) };
    assert_eq!(shop.contacts(thanks(Some(held(1, "ada")))), [praised]);
    assert_eq!(shop.contacts(thanks(None)), [], "nobody has helped them");
    shop.is_own("ada", 1);
    assert_eq!(shop.contacts(thanks(Some(held(1, "ada")))), []);
}

#[test]
fn e9_what_was_carried_out_becomes_a_story_once_by_who_gave_it() {
    let mut shop = Shop::open();
    let story = |remedy, title: &str| RemedyCommand::Tell { remedy, title: title.into(), consent: false };
    let remedy = shop.gives("ada", 1, &tyres());
    let early = shop.refused("ada", story(remedy, "the tyres"));
    assert!(matches!(early, RemedyRefusal::BadInput { .. }), "{early:?}");
    shop.wait(UNDO_MS);
    shop.done(remedy);
    assert_eq!(shop.refused("bob", story(remedy, "the tyres")), RemedyRefusal::NotYours);
    for title in ["", &"x".repeat(TITLE_BYTES_MAX + 1)] {
        let refused = shop.refused("ada", story(remedy, title));
        assert!(matches!(refused, RemedyRefusal::BadInput { .. }), "{refused:?}");
    }
    assert_eq!(shop.asks("ada", story(remedy, &"x".repeat(TITLE_BYTES_MAX))), RemedyOutcome::Done);
    assert!(matches!(shop.last()[0], RemedyEvent::StoryTold { remedy: of, .. } if of == remedy));
    let again = shop.refused("ada", story(remedy, "the tyres"));
    assert!(matches!(again, RemedyRefusal::TooLate { .. }), "{again:?}");
    let unknown = shop.refused("ada", story(RemedyId { log_seq: 900, n: 0 }, "x"));
    assert_eq!(unknown, RemedyRefusal::NotFound { what: "remedy".into() });
}

#[test]
fn what_failed_or_was_taken_back_is_no_story() {
    let mut shop = Shop::open();
    let small = gift(RemedyKind::Refund, Some(euros(100)), Claim::default());
    let back = shop.gives("ada", 1, &small);
    shop.asks("ada", RemedyCommand::Undo { remedy: back });
    let failed = shop.gives("ada", 2, &small);
    shop.wait(UNDO_MS);
    shop.fails(failed);
    for remedy in [back, failed] {
        let refused = shop.refused("ada", RemedyCommand::Tell { remedy, title: "x".into(), consent: true });
        assert!(matches!(refused, RemedyRefusal::TooLate { .. }), "{refused:?}");
    }
}

#[test]
fn nothing_in_a_record_speaks_of_blame() {
    let mut shop = Shop::open();
    shop.knows(1, "customer.orders", FactValue::Int(8));
    shop.gives_at_last("ada", 1, &tyres());
    let log = serde_json::to_string(&shop.log).unwrap();
    for word in ["blame", "fault", "warning", "violation", "penalty"] {
        assert!(!log.contains(word), "{word}");
    }
}
