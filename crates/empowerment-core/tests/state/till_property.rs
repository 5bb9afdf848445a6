//! Till and engine agree under any policy: what is listed executes at its amount, a cent more is beyond, what is forbidden is
//! refused for the reason shown.

use std::collections::BTreeSet;

use empowerment_core::rules::occasion_of;
use empowerment_core::{State, transition};
use proptest::prelude::*;
use protocol::facts::FactValue;
use protocol::policy::{Answer, Ask, Card, Limit, Per, Policy};
use protocol::remedies::{RemedyEvent, RemedyInput, RemedyOutcome, RemedyRefusal};
use protocol::remedy::{Claim, FactsAbout, Gift, Occasion, RemedyKind};
use protocol::till::{Till, TillOffer};
use protocol::{Millis, RemedyCause, RemedyId};

use crate::policy::{card, euros, limit, policy, token};
use crate::shop::{Shop, agent, facts, gift, give, held, identity, sealed};

/// One card: which, its cap, what it answers, its scopes.
type Drawn = (usize, u64, u8, u8);

fn drawn() -> impl Strategy<Value = (Vec<Drawn>, u64, u8)> {
    let card = (0..9_usize, 1..90_000_u64, any::<u8>(), any::<u8>());
    (prop::collection::vec(card, 0..7), 1..40_000_u64, any::<u8>())
}

const PERS: [Per; 6] =
    [Per::Contact, Per::AgentDay, Per::TeamDay, Per::CustomerYear, Per::Incident, Per::SurpriseYear];

fn scoped(cap: u64, scopes: u8) -> Vec<Limit> {
    let chosen = PERS.iter().enumerate().filter(|(bit, _)| scopes & (1 << bit) != 0);
    chosen.map(|(bit, per)| limit(*per, cap + 1_000 * bit as u64)).collect()
}

/// A card of the base policy or another, with caps and an answer of its own; the tyres and the dress keep theirs, for no
/// policy is used without them.
fn drawn_card((which, cap, answer, scopes): Drawn, base: &Policy) -> Card {
    let others = [
        card("other", "claim.has_order"),
        Card { occasion: Some(Occasion::Failure), ..card("other", "contact.transfers >= 0") },
    ];
    let mut card = base.cards.iter().chain(&others).nth(which).unwrap().clone();
    card.examples.clear();
    if let Answer::NotAllowed { .. } = card.answer {
        return card;
    }
    // The last of the scopes is for surprises, and every one of them needs it.
    let is_surprise = card.occasion == Some(Occasion::Surprise);
    let scopes = if is_surprise { scopes | 0x20 } else { scopes & 0x1f };
    // One for incidents alone is no limit where none is named.
    let scopes = if scopes == 0x10 { 0x11 } else { scopes };
    card.up_to = scoped(cap, scopes);
    if [token("never_sold"), token("the_dress")].contains(&card.id) {
        card.up_to = scoped(cap + 60_000, scopes | 1);
        return card;
    }
    card.answer = match answer % 6 {
        _ if is_surprise => Answer::Yes,
        0 => Answer::AskPeer,
        1 => Answer::AskLead,
        _ => Answer::Yes,
    };
    card.beyond = Some(if answer & 8 == 0 { Ask::AskPeer } else { Ask::AskLead });
    card.why_less = Some("as it was tried".into());
    if card.answer != Answer::Yes {
        card.up_to.clear();
        card.beyond = None;
    }
    card
}

fn random_policy((cards, latitude, bits): &(Vec<Drawn>, u64, u8)) -> Policy {
    let base = policy();
    let mut seen = BTreeSet::new();
    // The tyres and the dress, if they were not drawn before.
    let all = cards.iter().copied().chain([(2, 0, 2, 0), (3, 0, 2, 0)]).filter(|one| seen.insert(one.0));
    let cards = all
        .map(|one| drawn_card(one, &base))
        .enumerate()
        .map(|(n, card)| Card { id: token(&format!("card-{n}")), ..card });
    let mut made = Policy { cards: cards.collect(), ..base };
    made.latitude.up_to = vec![limit(Per::Contact, *latitude), limit(Per::AgentDay, 3 * *latitude)];
    if bits & 1 != 0 {
        made.helps_first.reverse();
    }
    made
}

fn random_claim(bits: u8) -> Claim {
    let reasons = [None, Some("not_ours"), Some("used"), Some("defect"), Some("late")];
    Claim {
        reason: reasons[usize::from(bits % 5)].map(token),
        wish: (bits & 16 != 0).then_some(RemedyKind::Voucher),
        incident: (bits & 32 != 0).then(|| token("flood")),
        order: (bits & 8 != 0).then(|| token("A-1")),
        facts: if bits & 0xc0 == 0xc0 {
            facts([("claim.fraud_evidence", FactValue::Bool(true))])
        } else {
            facts([])
        },
        ..Claim::default()
    }
}

/// A shop in which something was given, is known, and is doubted already.
fn random_shop(policy: Policy, past: &[(u8, i64)], known: u8) -> Option<Shop> {
    let mut shop = Shop::empty();
    if !matches!(shop.puts(policy, 1), [RemedyEvent::PolicyApplied]) {
        return None;
    }
    for (bits, cents) in past {
        let on_top_of = shop.till("ada", 1, random_claim(*bits)).given;
        let given = gift(RemedyKind::Refund, Some(euros(*cents)), random_claim(*bits));
        shop.asks("ada", give(1, &Gift { on_top_of, ..given }));
    }
    let values = [
        (1, "customer.failures", FactValue::Int((known % 4).into())),
        (2, "customer.orders", FactValue::Int((known % 9).into())),
        (4, "order.recalled", FactValue::Bool(known & 64 != 0)),
    ];
    for (_, name, value) in values.into_iter().filter(|(bit, _, _)| known & bit != 0) {
        shop.pushes(FactsAbout::Identity(identity(1)), facts([(name, value)]));
    }
    if known & 8 != 0 {
        shop.signal(1, if known & 16 != 0 { "many_claims" } else { "look_twice" });
    }
    Some(shop)
}

/// What giving this would lead to; nothing stays.
fn try_it(shop: &mut Shop, gift: &Gift) -> RemedyOutcome {
    let id = shop.new_command();
    let mut state: State = shop.state.clone();
    let command = give(1, gift);
    let input = RemedyInput::Command { id, agent: agent("ada"), command, context: Some(held(1, "ada")) };
    let cause = RemedyCause::Contacts { seq: state.contacts_seq() + 1, input };
    let record = transition(&mut state, cause, Millis(shop.now)).unwrap();
    match record.events.last() {
        Some(RemedyEvent::CommandSettled { outcome, .. }) => outcome.clone(),
        other => panic!("{other:?}"),
    }
}

fn check_offer(
    shop: &mut Shop,
    claim: &Claim,
    given: Option<RemedyId>,
    offer: &TillOffer,
    words: Option<&str>,
) {
    let of = |cents: Option<i64>| Gift {
        occasion: offer.occasion,
        on_top_of: given,
        words: words.map(sealed),
        ..gift(offer.kind, cents.map(euros), claim.clone())
    };
    let most = offer.up_to.cents;
    if most > 0 {
        let settled = try_it(shop, &of(Some(most)));
        assert!(
            matches!(settled, RemedyOutcome::Granted { .. }),
            "{offer:?} is listed, and then {settled:?}"
        );
    }
    let settled = try_it(shop, &of(Some(most + 1)));
    let refusal = RemedyRefusal::Beyond { up_to: offer.up_to, ask: offer.beyond, card: offer.card.clone() };
    assert_eq!(settled, RemedyOutcome::Refused { refusal });
}

fn check_till(shop: &mut Shop, claim: &Claim, till: &Till) {
    for offer in &till.offers {
        check_offer(shop, claim, till.given, offer, None);
    }
    for forbidden in &till.forbidden {
        let occasion = occasion_of(shop.state.policy().unwrap(), claim);
        let one = gift(forbidden.kind, Some(euros(1)), claim.clone());
        let forbidden_gift = Gift { occasion, on_top_of: till.given, ..one };
        let refusal = RemedyRefusal::NotAllowed { because: forbidden.because, card: forbidden.card.clone() };
        let settled = try_it(shop, &forbidden_gift);
        assert!(
            settled == RemedyOutcome::Refused { refusal: refusal.clone() },
            "{settled:?} instead of {refusal:?}"
        );
    }
    let asked_for = till.offers.iter().filter(|offer| offer.occasion != Occasion::Surprise);
    let listed: Vec<_> = asked_for.map(|offer| offer.kind).collect();
    let hidden = till.forbidden.iter().map(|one| one.kind).collect::<Vec<_>>();
    for kind in &policy().helps_first {
        assert!(listed.contains(kind) != hidden.contains(kind), "{kind:?} is offered or forbidden");
    }
    let fraud = till.something_else.card.as_ref().is_some_and(|card| {
        let cards = &shop.state.policy().unwrap().cards;
        let card = cards.iter().find(|known| known.id == *card).unwrap();
        matches!(card.answer, Answer::NotAllowed { .. })
    });
    if !fraud {
        check_offer(shop, claim, till.given, &till.something_else, Some("flowers"));
    }
    let most = till.offers.iter().chain([&till.something_else]).map(|offer| offer.up_to.cents).max();
    assert_eq!(Some(till.up_to.cents), most);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    #[test]
    fn the_till_and_the_engine_agree(
        policy in drawn(),
        past in prop::collection::vec((any::<u8>(), 1..30_000_i64), 0..4),
        known in any::<u8>(),
        claims in prop::collection::vec(any::<u8>(), 1..4),
    ) {
        let made = random_policy(&policy);
        let faults = empowerment_core::rules::check(&made);
        prop_assert!(faults.is_empty(), "{faults:?}");
        let mut shop = random_shop(made, &past, known).unwrap();
        for bits in claims {
            let claim = random_claim(bits);
            let till = shop.till("ada", 1, claim.clone());
            check_till(&mut shop, &claim, &till);
        }
    }
}
