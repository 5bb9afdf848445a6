//! Wallets: every scope, exact, whichever card gave.

use empowerment_core::limits::{DAY_WALLET_KEPT_MS, WALLET_KEPT_MS};
use empowerment_core::wallets;
use protocol::policy::{Ask, Per};
use protocol::remedies::RemedyRefusal;
use protocol::remedy::{Claim, Gift, Occasion, RemedyKind};
use protocol::till::WalletsQuestion;
use protocol::time::DAY_MS;

use crate::policy::{because_of, euros, token};
use crate::shop::{Shop, agent, contact, gift, give, identity};

fn line(line: &str, cents: i64) -> Gift {
    gift(RemedyKind::Refund, Some(euros(cents)), Claim { line: Some(token(line)), ..Claim::default() })
}

#[test]
fn what_is_given_counts_in_every_scope() {
    let mut shop = Shop::open();
    let claim = Claim { incident: Some(token("flood")), ..Claim::default() };
    shop.gives("ada", 1, &gift(RemedyKind::Refund, Some(euros(700)), claim));
    for (per, of) in [
        (Per::Contact, contact(1).to_string()),
        (Per::AgentDay, format!("{}/2026-05-28", agent("ada"))),
        (Per::TeamDay, "sales/2026-05-28".into()),
        (Per::CustomerYear, format!("{}/2026", identity(1))),
        (Per::Incident, "flood".into()),
    ] {
        assert_eq!(shop.balance(per, &of), (700, 0), "{per:?}");
    }
    assert_eq!(shop.balance(Per::SurpriseYear, &format!("{}/2026", identity(1))), (0, 0));
}

#[test]
fn a_team_shares_a_days_wallet_over_its_queues_and_who_has_none_counts_with_their_queue() {
    let mut shop = Shop::open();
    for (n, agent, team, queue) in [
        (1, "ada", Some("evening"), "sales"),
        (2, "bob", Some("evening"), "returns"),
        (3, "cy", None, "sales"),
    ] {
        let mut context = crate::shop::held(n, agent);
        (context.team, context.queue) = (team.map(token), token(queue));
        let id = shop.new_command();
        let given = shop.command_with(id, agent, give(n, &line("1", 1_000)), Some(context));
        assert!(matches!(given, protocol::remedies::RemedyOutcome::Granted { .. }), "{agent}: {given:?}");
    }
    assert_eq!(shop.balance(Per::TeamDay, "evening/2026-05-28"), (2_000, 0));
    assert_eq!(shop.balance(Per::TeamDay, "sales/2026-05-28"), (1_000, 0));
    assert_eq!(shop.balance(Per::TeamDay, "returns/2026-05-28"), (0, 0));
}

#[test]
fn the_first_limit_that_is_reached_ends_it() {
    let mut shop = Shop::open();
    for n in 1..=4 {
        // EUR 150 each: the customer's EUR 600 of the year are used up, each time in another contact.
        let mut context = crate::shop::held(n, "ada");
        context.identity = identity(9);
        let id = shop.new_command();
        let settled = shop.command_with(id, "ada", give(n, &line("1", 15_000)), Some(context));
        assert!(matches!(settled, protocol::remedies::RemedyOutcome::Granted { .. }), "{n}: {settled:?}");
    }
    let mut context = crate::shop::held(5, "ada");
    context.identity = identity(9);
    let id = shop.new_command();
    let settled = shop.command_with(id, "ada", give(5, &line("1", 1)), Some(context));
    let refusal = RemedyRefusal::Beyond { up_to: euros(0), ask: Ask::AskPeer, card: None };
    assert_eq!(settled, protocol::remedies::RemedyOutcome::Refused { refusal });
}

#[test]
fn a_new_day_has_a_new_wallet_and_so_has_a_new_year() {
    let mut shop = Shop::open();
    for n in 1..=13 {
        shop.gives("ada", n, &line("1", 15_000));
    }
    let rest = shop.refused("ada", give(14, &line("1", 15_000)));
    assert_eq!(rest, RemedyRefusal::Beyond { up_to: euros(5_000), ask: Ask::AskPeer, card: None });
    shop.wait(DAY_MS);
    shop.gives("ada", 14, &line("1", 15_000));
}

#[test]
fn an_incident_counts_over_all_its_customers() {
    let mut shop = Shop::open();
    shop.knows(1, "customer.failures", protocol::facts::FactValue::Int(3));
    shop.knows(2, "customer.failures", protocol::facts::FactValue::Int(3));
    let hit = |cents, incident: Option<&str>| Gift {
        occasion: Occasion::Failure,
        ..gift(
            RemedyKind::Refund,
            Some(euros(cents)),
            Claim { incident: incident.map(token), ..because_of("defect") },
        )
    };
    shop.gives("ada", 1, &hit(150_000, Some("flood")));
    let card = Some(token("failed_twice"));
    let refused = shop.refused("bob", give(2, &hit(30_001, Some("flood"))));
    assert_eq!(refused, RemedyRefusal::Beyond { up_to: euros(30_000), ask: Ask::AskLead, card });
    shop.gives("bob", 2, &hit(150_000, None));
}

#[test]
fn an_agents_and_a_customers_wallets_are_told_apart() {
    let mut shop = Shop::open();
    shop.gives("ada", 1, &line("1", 100));
    shop.gives("bob", 2, &line("1", 200));
    let of = |agent, identity| wallets(&shop.state, &WalletsQuestion { agent, identity }).lines;
    assert_eq!(of(Some(agent("ada")), None).len(), 1);
    assert_eq!(of(Some(agent("ada")), None)[0].balance.reserved, 100);
    assert_eq!(of(None, Some(identity(2)))[0].wallet.per, Per::CustomerYear);
    assert_eq!(of(Some(agent("ada")), Some(identity(2))).len(), 2);
    assert_eq!(of(None, None).len(), 7, "sales has one of both");
    assert_eq!(of(Some(agent("cy")), None), []);
}

#[test]
fn empty_wallets_are_not_kept_and_old_ones_are_forgotten() {
    let mut shop = Shop::open();
    shop.gives_at_last("ada", 1, &line("1", 100));
    let days = |shop: &Shop| {
        let all = wallets(&shop.state, &WalletsQuestion::default()).lines;
        let of_day = all.iter().filter(|one| matches!(one.wallet.per, Per::AgentDay | Per::TeamDay)).count();
        (of_day, all.len() - of_day)
    };
    assert_eq!(days(&shop), (2, 2));
    shop.wait(DAY_WALLET_KEPT_MS - 1);
    shop.takes_over();
    assert_eq!(days(&shop), (2, 2));
    shop.wait(1);
    shop.takes_over();
    assert_eq!(days(&shop), (0, 2));
    shop.wait(WALLET_KEPT_MS - DAY_WALLET_KEPT_MS);
    shop.takes_over();
    assert_eq!(days(&shop), (0, 0));
}

#[test]
fn what_is_reserved_is_never_forgotten() {
    let mut shop = Shop::open();
    let remedy = shop.gives("ada", 1, &line("1", 100));
    shop.wait(2 * WALLET_KEPT_MS);
    shop.takes_over();
    assert_eq!(wallets(&shop.state, &WalletsQuestion::default()).lines.len(), 4);
    shop.done(remedy);
}
