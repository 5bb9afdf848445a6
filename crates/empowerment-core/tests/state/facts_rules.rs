//! Facts: pushed or asked, each with its source and time; stale is unknown, and unknown never opens the till.

use empowerment_core::limits::FACTS_KEPT_MS;
use empowerment_core::wants_facts;
use protocol::facts::{FactName, FactValue};
use protocol::limits::{FACT_TEXT_BYTES_MAX, FACTS_MAX};
use protocol::remedies::RemedyEvent;
use protocol::remedy::{Claim, EmpowermentInput, FactsAbout};
use protocol::till::{FactLine, TillQuestion};
use protocol::{Millis, NoticeId, RemedyCause};
use uuid::Uuid;

use crate::policy::{FRESH_MS, because_of, policy, token};
use crate::shop::{Shop, agent, facts, held, identity};

fn name(text: &str) -> FactName {
    text.parse().unwrap()
}

fn by_order(order: &str) -> Claim {
    Claim { order: Some(token(order)), ..because_of("defect") }
}

fn line(shop: &Shop, claim: Claim, fact: &str) -> FactLine {
    let till = shop.till("ada", 1, claim);
    till.facts.into_iter().find(|line| line.name == name(fact)).unwrap()
}

fn about_me() -> FactsAbout {
    FactsAbout::Identity(identity(1))
}

#[test]
fn a_fact_has_its_source_and_time_and_opens_its_card_while_it_is_fresh() {
    let mut shop = Shop::open();
    let most = |shop: &Shop| shop.till("ada", 1, because_of("defect")).up_to.cents;
    assert_eq!(most(&shop), 15_000);
    shop.knows(1, "customer.failures", FactValue::Int(2));
    let fact = line(&shop, because_of("defect"), "customer.failures").fact.unwrap();
    assert_eq!((fact.source, fact.at), (token("shop"), Millis(shop.now)));
    assert_eq!(most(&shop), 150_000);
    shop.wait(FRESH_MS);
    assert_eq!(most(&shop), 150_000);
    shop.wait(1);
    assert_eq!(most(&shop), 15_000, "stale is unknown");
    assert_eq!(line(&shop, because_of("defect"), "customer.failures").fact, None);
}

#[test]
fn facts_of_an_order_count_where_that_order_is_claimed() {
    let mut shop = Shop::open();
    let about = FactsAbout::Order(token("A-1"));
    shop.pushes(about, facts([("order.status", FactValue::Text("sent".into()))]));
    let status = |order: &str| line(&shop, by_order(order), "order.status").fact.map(|fact| fact.value);
    assert_eq!(status("A-1"), Some(FactValue::Text("sent".into())));
    assert_eq!(status("A-2"), None);
}

#[test]
fn an_older_word_does_not_overwrite_a_newer_one_and_nothing_is_true_later_than_said() {
    let mut shop = Shop::open();
    shop.knows(1, "customer.failures", FactValue::Int(2));
    let answer = |at: u64, n| RemedyCause::FactsAnswer {
        about: about_me(),
        source: token("shop"),
        at: Millis(at),
        facts: facts([("customer.failures", FactValue::Int(n))]),
    };
    let now = shop.now;
    shop.cause(answer(now - 1, 0));
    let known = |shop: &Shop| line(shop, Claim::default(), "customer.failures").fact.unwrap();
    assert_eq!(known(&shop).value, FactValue::Int(2));
    shop.cause(answer(now + 900_000_000, 5));
    assert_eq!((known(&shop).value, known(&shop).at), (FactValue::Int(5), Millis(now)));
}

#[test]
fn facts_of_unknown_name_wrong_type_or_another_source_are_refused_as_a_whole() {
    let mut shop = Shop::open();
    let long = "x".repeat(FACT_TEXT_BYTES_MAX + 1);
    for (fact, value) in [
        ("order.colour", FactValue::Text("red".into())),
        ("customer.failures", FactValue::Bool(true)),
        ("order.status", FactValue::Text(long)),
        ("claim.fraud_evidence", FactValue::Bool(true)),
    ] {
        let both = facts([("customer.orders", FactValue::Int(1)), (fact, value)]);
        let events = shop.pushes(about_me(), both).to_vec();
        assert!(matches!(&events[..], [RemedyEvent::FactsRefused { .. }]), "{fact}: {events:?}");
    }
    assert_eq!(line(&shop, Claim::default(), "customer.orders").fact, None);
    let input = EmpowermentInput::Facts {
        id: NoticeId(Uuid::from_u128(4)),
        about: about_me(),
        source: token("gossip"),
        at: Millis(shop.now),
        facts: facts([("customer.orders", FactValue::Int(1))]),
    };
    assert!(matches!(shop.input(input), [RemedyEvent::FactsRefused { .. }]));
    let fits = FactValue::Text("x".repeat(FACT_TEXT_BYTES_MAX));
    assert_eq!(shop.knows(1, "order.status", fits), [RemedyEvent::FactsNoted]);
}

#[test]
fn too_many_facts_at_once_are_refused() {
    let mut shop = Shop::open();
    let values = (0..=FACTS_MAX).map(|n| (name(&format!("order.x{n}")), FactValue::Int(1))).collect();
    let [RemedyEvent::FactsRefused { reason }] = shop.pushes(about_me(), values) else { panic!() };
    assert!(reason.contains(&FACTS_MAX.to_string()), "{reason}");
}

#[test]
fn without_a_policy_no_fact_has_a_meaning() {
    let mut shop = Shop::empty();
    let events = shop.knows(1, "customer.failures", FactValue::Int(2)).to_vec();
    assert!(matches!(&events[..], [RemedyEvent::FactsRefused { .. }]), "{events:?}");
}

#[test]
fn only_what_is_not_fresh_is_asked_for_by_integration_and_what_it_is_about() {
    let mut shop = Shop::open();
    let wanted = |shop: &Shop, claim| {
        let question = TillQuestion { agent: agent("ada"), context: held(1, "ada"), claim, currency: None };
        wants_facts(&shop.state, &question, Millis(shop.now))
    };
    let of_customer = vec![name("customer.failures"), name("customer.orders")];
    let of_order = vec![name("order.recalled"), name("order.status")];
    let order = FactsAbout::Order(token("A-1"));
    assert_eq!(wanted(&shop, Claim::default()), [(token("shop"), about_me(), of_customer.clone())]);
    assert_eq!(
        wanted(&shop, by_order("A-1")),
        [(token("shop"), about_me(), of_customer), (token("shop"), order.clone(), of_order)]
    );
    shop.knows(1, "customer.failures", FactValue::Int(0));
    shop.pushes(
        order,
        facts([("order.recalled", FactValue::Bool(false)), ("order.status", FactValue::Text("sent".into()))]),
    );
    let left = [(token("shop"), about_me(), vec![name("customer.orders")])];
    assert_eq!(wanted(&shop, by_order("A-1")), left);
    shop.wait(FRESH_MS + 1);
    assert_eq!(wanted(&shop, by_order("A-1")).len(), 2);
    assert_eq!(wanted(&Shop::empty(), Claim::default()), []);
}

#[test]
fn facts_are_forgotten_a_month_after_they_were_told() {
    let mut lasting = policy();
    lasting.facts.iter_mut().for_each(|fact| fact.fresh_ms = 2 * FACTS_KEPT_MS);
    let mut shop = Shop::with(lasting);
    shop.knows(1, "customer.failures", FactValue::Int(2));
    shop.wait(FACTS_KEPT_MS - 1);
    shop.takes_over();
    assert!(line(&shop, Claim::default(), "customer.failures").fact.is_some());
    shop.wait(1);
    shop.takes_over();
    assert_eq!(line(&shop, Claim::default(), "customer.failures").fact, None);
}

#[test]
fn what_was_known_stands_in_the_grant() {
    let mut shop = Shop::open();
    shop.knows(1, "customer.failures", FactValue::Int(3));
    let refund = crate::shop::gift(
        protocol::remedy::RemedyKind::Refund,
        Some(crate::policy::euros(100)),
        because_of("defect"),
    );
    let remedy = shop.gives("ada", 1, &refund);
    let known = shop.grant(remedy).facts;
    assert_eq!(known.get(&name("customer.failures")), Some(&FactValue::Int(3)));
    assert_eq!(known.get(&name("claim.reason")), Some(&FactValue::Text("defect".into())));
    assert_eq!(known.get(&name("contact.queue")), Some(&FactValue::Text("sales".into())));
}
