//! What a customer answered changes what may be given to them next.

use protocol::Millis;
use protocol::facts::{FactType, FactValue};
use protocol::feedback::{Question, Scores};
use protocol::policy::{Card, FactEntry, Per, Policy};
use protocol::remedies::RemedyOutcome;
use protocol::remedy::{Claim, ContactContext, Occasion, RemedyKind};
use protocol::till::{Till, TillAnswer, TillQuestion};

use crate::policy::{FRESH_MS, card, euros, limit, policy, token, words};
use crate::shop::{Shop, agent, gift, give, held};

/// Who was unhappy last time may be given more, and a gesture unasked.
fn minding(policy: Policy) -> Policy {
    let unhappy = "customer.satisfaction <= 2";
    let more = Card { up_to: vec![limit(Per::Contact, 90_000)], ..card("unhappy_last_time", unhappy) };
    let unasked = Card {
        occasion: Some(Occasion::Surprise),
        gives: vec![RemedyKind::Gesture],
        up_to: vec![limit(Per::SurpriseYear, 3_000)],
        ..card("make_up_for_it", unhappy)
    };
    let mut cards = policy.cards;
    // Above those that answer whatever was answered.
    cards.splice(2..2, [more, unasked]);
    Policy { cards, ..policy }
}

fn answered(question: Question, score: u8) -> Scores {
    let mut scores = Scores::default();
    scores.note(question, score);
    scores
}

fn context(scores: Scores) -> ContactContext {
    ContactContext { scores, ..held(1, "ada") }
}

fn till(shop: &Shop, scores: Scores) -> Till {
    let (agent, context, claim) = (agent("ada"), context(scores), Claim::default());
    let question = TillQuestion { agent, context, claim, currency: None };
    match empowerment_core::till(&shop.state, &question, Millis(shop.now)) {
        TillAnswer::Till(till) => *till,
        TillAnswer::Refused { refusal } => panic!("{refusal}"),
    }
}

fn surprises(till: &Till) -> Vec<RemedyKind> {
    till.offers.iter().filter(|one| one.occasion == Occasion::Surprise).map(|one| one.kind).collect()
}

#[test]
fn the_same_wish_is_judged_otherwise_after_a_poor_score() {
    let wish = gift(RemedyKind::Refund, Some(euros(60_000)), Claim::default());
    let judged = |scores: Scores| {
        let mut shop = Shop::with(minding(policy()));
        let id = shop.new_command();
        match shop.command_with(id, "ada", give(1, &wish), Some(context(scores))) {
            RemedyOutcome::Granted { remedy, .. } => Some(shop.grant(remedy).card),
            RemedyOutcome::Refused { .. } => None,
            other => panic!("{other:?}"),
        }
    };
    let by_the_card = Some(Some(token("unhappy_last_time")));
    assert_eq!(judged(Scores::default()), None, "who never answered is helped within the latitude");
    assert_eq!(judged(answered(Question::Satisfaction, 3)), None);
    assert_eq!(judged(answered(Question::Effort, 1)), None, "another question");
    assert_eq!(judged(answered(Question::Satisfaction, 2)), by_the_card);
    assert_eq!(judged(answered(Question::Satisfaction, 1)), by_the_card);
}

#[test]
fn the_till_offers_more_and_something_unasked_after_a_poor_score() {
    let shop = Shop::with(minding(policy()));
    let (before, after) = (till(&shop, Scores::default()), till(&shop, answered(Question::Satisfaction, 1)));
    assert_eq!((before.up_to, surprises(&before)), (euros(15_000), vec![]));
    assert_eq!((after.up_to, surprises(&after)), (euros(90_000), vec![RemedyKind::Gesture]));
    // Whoever is content again is again like others.
    let content = till(&shop, answered(Question::Satisfaction, 5));
    assert_eq!((content.up_to, surprises(&content)), (before.up_to, vec![]));
}

#[test]
fn every_question_has_its_fact() {
    for (question, fact) in [
        (Question::Satisfaction, "customer.satisfaction"),
        (Question::Effort, "customer.effort"),
        (Question::Recommend, "customer.recommend"),
    ] {
        let mut policy = policy();
        let up_to = vec![limit(Per::Contact, 90_000)];
        policy.cards.insert(2, Card { up_to, ..card("scored", &format!("{fact} == 1")) });
        let shop = Shop::with(policy);
        let most = |score| till(&shop, answered(question, score)).up_to;
        assert_eq!((most(1), most(2)), (euros(90_000), euros(15_000)), "{fact}");
    }
}

#[test]
fn a_policy_that_declares_such_a_fact_itself_keeps_its_own() {
    let mut policy = minding(policy());
    policy.facts.push(FactEntry {
        name: "customer.satisfaction".parse().unwrap(),
        type_: FactType::Int,
        unit: None,
        source: token("shop"),
        fresh_ms: FRESH_MS,
        says: words("as the shop has it"),
        absent: None,
    });
    let mut shop = Shop::with(policy);
    let poor = answered(Question::Satisfaction, 1);
    assert_eq!(till(&shop, poor).up_to, euros(15_000), "what we asked is not what the shop says");
    shop.knows(1, "customer.satisfaction", FactValue::Int(2));
    assert_eq!(till(&shop, Scores::default()).up_to, euros(90_000));
}
