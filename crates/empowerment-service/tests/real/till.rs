//! "What can I do for you?" is answered within half a second whatever other systems do, and the service is found by name.

use std::time::{Duration, Instant};

use protocol::facts::FactName;
use protocol::policy::Policy;
use protocol::remedies::RemedyRefusal;
use protocol::remedy::{Claim, RemedyKind};
use protocol::till::{PolicyChecked, Till, TillAnswer};
use protocol::{RemedyCause, RemedyEvent};
use reference_shop::{At, Fault, When};
use serde_json::{Value, json};

use crate::floor::{Held, tyres};
use crate::world::{World, policy, subjects, token};

/// What is promised.
const WITHIN: Duration = Duration::from_millis(500);

fn late(order: &str) -> Claim {
    Claim { reason: Some(token("late")), order: Some(token(order)), ..Claim::default() }
}

async fn till(world: &World, held: Held, claim: Claim) -> Till {
    match world.till(held, claim).await {
        Some(TillAnswer::Till(till)) => *till,
        other => panic!("no till: {other:?}"),
    }
}

fn up_to(till: &Till, kind: RemedyKind) -> i64 {
    till.offers.iter().find(|offer| offer.kind == kind).map_or(0, |offer| offer.up_to.cents)
}

/// What is known of a fact; null: nothing.
fn known(till: &Till, name: &str) -> Value {
    let name: FactName = name.parse().unwrap();
    let line = till.facts.iter().find(|line| line.name == name).unwrap();
    serde_json::to_value(line.fact.as_ref().map(|fact| &fact.value)).unwrap()
}

fn silent(till: &Till) -> Vec<&str> {
    till.silent.iter().map(|source| source.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_is_asked_and_what_it_knows_opens_the_card() {
    let world = World::start().await;
    let held = world.contact().await;
    let blind = till(&world, held, Claim { reason: Some(token("late")), ..Claim::default() }).await;
    assert_eq!((up_to(&blind, RemedyKind::Voucher), known(&blind, "order.days_late")), (15_000, Value::Null));
    let seen = till(&world, held, late("A-1002")).await;
    assert_eq!(known(&seen, "order.days_late"), json!(4));
    assert_eq!(up_to(&seen, RemedyKind::Voucher), 30_000, "very late");
    assert_eq!(silent(&seen), Vec::<&str>::new(), "who knows nothing of a customer is not silent");
    let noted = world
        .until("the answer is a record", async |world| {
            world.remedies().await.into_iter().find_map(|(_, record)| match record.cause {
                RemedyCause::FactsAnswer { source, facts, .. } => Some((source, facts, record.events)),
                _ => None,
            })
        })
        .await;
    assert_eq!((noted.0.as_str(), noted.1.len(), noted.2), ("shop", 1, vec![RemedyEvent::FactsNoted]));
    // It is fresh now: nobody is asked again.
    let metrics = &world.worker.as_ref().unwrap().kit.metrics;
    let asked = metrics.facts_asked_total.get(["shop", "answered"]);
    assert_eq!(up_to(&till(&world, held, late("A-1002")).await, RemedyKind::Voucher), 30_000);
    assert_eq!((asked, metrics.facts_asked_total.get(["shop", "answered"])), (1, 1));
}

/// Asks five times about another order each; gives the answers and the time that the middle one took.
async fn five_times(world: &World, held: Held) -> (Vec<Till>, Duration) {
    let (mut tills, mut took) = (Vec::new(), Vec::new());
    for n in 1..=5 {
        let began = Instant::now();
        tills.push(till(world, held, late(&format!("A-100{n}"))).await);
        took.push(began.elapsed());
    }
    took.sort_unstable();
    (tills, took.into_iter().nth(2).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_hangs_costs_three_deadlines_and_then_nothing() {
    let world = World::start().await;
    let held = world.contact().await;
    world.shop.shop.faults().set(At::Facts, Fault::Never, When::After);
    let (tills, took) = five_times(&world, held).await;
    assert!(took < WITHIN, "{took:?}");
    for till in &tills {
        assert_eq!(silent(till), ["shop"]);
        assert_eq!(up_to(till, RemedyKind::Voucher), 15_000, "what can be given blind");
    }
    // Two questions a time, about the order and the customer: the first two times cost a deadline, then it is left alone.
    let metrics = &world.worker.as_ref().unwrap().kit.metrics;
    assert_eq!(metrics.facts_asked_total.get(["shop", "resting"]), 6);
    // Giving does not wait for it either.
    let remedy = world.given(held, tyres()).await;
    world.undo_passes();
    world.until_told(remedy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_talks_nonsense_is_silent() {
    let world = World::start().await;
    let held = world.contact().await;
    for fault in [Fault::Nonsense, Fault::TwiceBody, Fault::Broken] {
        world.shop.shop.faults().set(At::Facts, fault, When::After);
        let seen = till(&world, held, late("A-1002")).await;
        assert_eq!(
            (silent(&seen), known(&seen, "order.days_late")),
            (vec!["shop"], Value::Null),
            "{fault:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_is_dead_is_silent_until_it_is_back() {
    let mut world = World::start().await;
    let held = world.contact().await;
    world.shop.close().await;
    let (tills, took) = five_times(&world, held).await;
    assert!(took < WITHIN, "{took:?}");
    assert!(tills.iter().all(|till| silent(till) == ["shop"]));
    world.shop.reopen().await;
    let seen = world
        .until("it is asked again after its rest", async |world| {
            let seen = till(world, held, late("A-1002")).await;
            known(&seen, "order.days_late").is_number().then_some(seen)
        })
        .await;
    assert_eq!(up_to(&seen, RemedyKind::Voucher), 30_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_is_there_at_the_next_question() {
    let world = World::start().await;
    let held = world.contact().await;
    world.shop.shop.faults().set(At::Facts, Fault::Late(Duration::from_secs(1)), When::After);
    let first = till(&world, held, late("A-1002")).await;
    assert_eq!((silent(&first), known(&first, "order.days_late")), (vec!["shop"], Value::Null));
    world
        .until_event("the late answer is noted", |event| {
            matches!(event, RemedyEvent::FactsNoted).then_some(())
        })
        .await;
    assert_eq!(known(&till(&world, held, late("A-1002")).await, "order.days_late"), json!(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn systems_on_the_bus_are_asked_too() {
    let mut world = World::start().await;
    world.kill_worker();
    let mut asking = world.worker_settings();
    asking.push(("empowerment.ask_nats", "true".to_owned()));
    world.start_worker_with(&asking).await;
    let held = world.contact().await;
    let none = till(&world, held, late("A-1001")).await;
    assert_eq!(silent(&none), ["crm"], "nobody serves it");
    let mut requests = world.bus.serve(&subjects().ask_facts(&token("crm")), &token("crm")).await.unwrap();
    let serving = tokio::spawn(async move {
        let request = requests.next().await.unwrap();
        let question: Value = serde_json::from_slice(&request.payload).unwrap();
        let answer = json!({ "at": 1_704_067_200_000_u64, "facts": { "customer.failures_90d": 3 } });
        let fresh = json!({ "at": u64::MAX / 2, "facts": answer["facts"] });
        request.respond(serde_json::to_vec(&fresh).unwrap().into()).await.unwrap();
        question
    });
    let seen = till(&world, held, late("A-1001")).await;
    let question = serving.await.unwrap();
    assert_eq!(question["about"]["identity"], held.identity.to_string());
    assert_eq!(question["names"], json!(["customer.failures_90d"]));
    assert_eq!(known(&seen, "customer.failures_90d"), json!(3));
    assert_eq!(up_to(&seen, RemedyKind::Refund), 150_000, "failed more than once");
    assert_eq!(silent(&seen), Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_is_found_by_name_with_its_endpoints() {
    let world = World::start().await;
    let found = world.bus.find_service(&token("empowerment"), Duration::from_millis(300)).await.unwrap();
    assert_eq!(found.len(), 1);
    let at = |name: &str, subject: protocol::Subject| (name.to_owned(), subject.as_str().to_owned());
    let expected = [
        at("check", subjects().policy_check()),
        at("till", subjects().till()),
        at("wallets", subjects().wallets()),
    ];
    assert_eq!(found[0].endpoints, expected);
    assert_eq!(found[0].version, env!("CARGO_PKG_VERSION"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_none_is_refused_and_a_stranger_learns_nothing() {
    let world = World::start().await;
    let held = world.contact().await;
    for question in [json!(null), json!({ "agent": "me" }), json!("x".repeat(70_000))] {
        let answer: Option<Value> = world.request(&subjects().till(), &question).await;
        assert_eq!(answer, None, "a refusal has no body");
    }
    let stranger = Held { agent: crate::world::BRAM, ..held };
    assert!(matches!(world.till(held, Claim::default()).await, Some(TillAnswer::Till(_))));
    // The gateway says who holds the contact; who says that they do and does not is told by giving.
    let outcome = world.give(stranger, tyres()).await;
    let refused = protocol::remedies::RemedyOutcome::Refused { refusal: RemedyRefusal::NotYours };
    assert_eq!(outcome, refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_can_be_checked_before_it_is_put_in_force() {
    let world = World::start().await;
    let check = async |policy: &Value| -> PolicyChecked {
        world.request(&subjects().policy_check(), policy).await.unwrap()
    };
    let good = serde_json::to_value(policy()).unwrap();
    assert_eq!(check(&good).await.faults, []);
    let mut bad = policy();
    bad.cards[0].when = vec!["claim.colour == \"red\"".to_owned()];
    let faults = check(&serde_json::to_value(&bad).unwrap()).await.faults;
    assert!(faults.iter().any(|fault| fault.path == "cards[0].when[0]"), "{faults:?}");
    let none = check(&json!({ "cards": [] })).await.faults;
    assert!(none.len() == 1 && none[0].message.starts_with("this is no policy"), "{none:?}");
    let card = policy().cards.remove(1);
    let huge = Policy { cards: vec![card; 10_000], ..policy() };
    let faults = check(&serde_json::to_value(&huge).unwrap()).await.faults;
    assert!(faults.len() == 1 && faults[0].message.contains("at most"), "{faults:?}");
}
