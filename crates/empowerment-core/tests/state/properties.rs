//! The laws of the worker under random histories.

use std::collections::BTreeMap;

use empowerment_core::{Outstanding, State, wallets};
use proptest::prelude::*;
use protocol::facts::FactValue;
use protocol::remedies::{OrderAnswer, RemedyInput};
use protocol::remedy::{FactsAbout, Gift, Occasion, RemedyCommand, RemedyKind};
use protocol::till::WalletsQuestion;
use protocol::{AskId, CommandId, Millis, Money, PromiseId, RemedyId, SignalId};
use uuid::Uuid;

use crate::history::{AGENTS, AMOUNTS, Step, WAITS, claim, nth, steps, variant};
use crate::model::Model;
use crate::policy::{LEAD_MS, PEER_MS, currency, policy};
use crate::shop::{Shop, agent, contact, facts, held, identity, sealed};

struct World {
    shop: Shop,
    model: Model,
    folded: usize,
    last: Option<(CommandId, usize, RemedyCommand)>,
    signals: Vec<SignalId>,
}

impl World {
    fn new() -> Self {
        let mut shop = Shop::empty();
        // The last days of 2026, so that years change too.
        shop.now = 1_798_700_000_000;
        shop.puts(policy(), 1);
        Self { shop, model: Model::default(), folded: 0, last: None, signals: Vec::new() }
    }

    fn fold(&mut self) {
        for record in &self.shop.log[self.folded..] {
            self.model.fold(record);
        }
        self.folded = self.shop.log.len();
        let counted: BTreeMap<_, _> = wallets(&self.shop.state, &WalletsQuestion::default())
            .lines
            .into_iter()
            .map(|line| (line.wallet, (line.balance.reserved, line.balance.spent)))
            .collect();
        assert_eq!(counted, self.model.wallets(), "the wallets are a recount of the events");
        self.model.check_told();
    }

    fn command(&mut self, by: usize, command: RemedyCommand) {
        let id = self.shop.new_command();
        self.last = Some((id, by, command.clone()));
        let context = command.contact().map(|of| held(u8::try_from(of.log_seq).unwrap(), AGENTS[by]));
        self.shop.command_with(id, AGENTS[by], command, context);
    }

    fn remedy(&self, n: usize) -> RemedyId {
        let recent = self.model.remedies().map(|(id, _)| id).collect::<Vec<_>>();
        nth(recent.into_iter().rev().take(8), n).unwrap_or(RemedyId { log_seq: 1, n: 0 })
    }

    fn ask(&self, n: usize) -> AskId {
        let recent = self.model.asks().collect::<Vec<_>>();
        nth(recent.into_iter().rev().take(6), n).unwrap_or(AskId { log_seq: 1, n: 0 })
    }

    fn give(&mut self, step: &Step) {
        let Step::Give { by, customer, kind, amount, claim: (reason, bits), occasion, how } = *step else {
            return;
        };
        let claim = claim(reason, bits);
        let by_reason = match reason {
            3 | 4 => Occasion::Failure,
            _ => Occasion::Trust,
        };
        let occasion = match occasion {
            0 if how & 0x40 != 0 => Occasion::Surprise,
            1 if how & 0x40 != 0 => Occasion::Failure,
            _ => by_reason,
        };
        let unit = currency(if how & 0x70 == 0x70 { "GBP" } else { "EUR" });
        let on_top_of =
            (how & 0x81 == 0x81).then(|| nth(self.model.remedies().map(|(id, _)| id), how.into())).flatten();
        let gift = Gift {
            kind: RemedyKind::ALL[kind],
            occasion,
            claim,
            money: AMOUNTS[amount].map(|cents| Money { cents, currency: unit }),
            due: (how & 2 != 0).then(|| Millis(self.shop.now + 7_200_000)),
            words: (how & 4 != 0).then(|| sealed("words")),
            tell: None,
            on_top_of,
        };
        let command = RemedyCommand::Give {
            contact: contact(customer.into()),
            gift: Box::new(gift),
            ask: how & 8 != 0,
            case: None,
        };
        self.command(by, command);
    }

    fn order(&mut self, n: usize, answer: u8) {
        let orders = self.shop.outstanding().into_iter().filter_map(|one| match one {
            Outstanding::PlaceOrder { remedy, .. } => Some(remedy),
            _ => None,
        });
        if let Some(remedy) = nth(orders, n) {
            self.shop.answers(remedy, order_answer(answer));
        }
    }

    fn routing(&mut self, n: usize, whom: u8) {
        let asks = self.shop.outstanding().into_iter().filter_map(|one| match one {
            Outstanding::AskFor { ask, round, but, .. } => Some((ask, round, but)),
            _ => None,
        });
        let Some((ask, round, but)) = nth(asks, n) else { return };
        let there = (0..AGENTS.len()).filter(|n| whom & (1 << n) != 0).map(|n| agent(AGENTS[n]));
        let agents = there.filter(|one| !but.contains(one)).collect();
        self.shop.contacts(RemedyInput::Asked { ask, round, agents });
    }

    fn tell(&mut self, n: usize) {
        let tells = self.shop.outstanding().into_iter().filter_map(|one| match one {
            Outstanding::Tell { tell, .. } | Outstanding::Risk { tell, .. } => Some(tell),
            _ => None,
        });
        if let Some(tell) = nth(tells, n) {
            self.shop.contacts(RemedyInput::Told { tell, told: !n.is_multiple_of(5) });
        }
    }

    fn play(&mut self, step: &Step) {
        match step {
            Step::Give { .. } => self.give(step),
            Step::Undo { nth, by } => {
                let remedy = self.remedy(*nth);
                self.command(*by, RemedyCommand::Undo { remedy });
            }
            Step::Retry { nth, by } => {
                let remedy = self.remedy(*nth);
                self.command(*by, RemedyCommand::Retry { remedy });
            }
            Step::Order { nth, answer } => self.order(*nth, *answer),
            Step::StrangeOrder { nth, answer } => {
                let remedy = self.remedy(*nth);
                self.shop.answers(remedy, order_answer(*answer));
            }
            Step::Routing { nth, whom } => self.routing(*nth, *whom),
            Step::Answer { nth, by, yes } => {
                let ask = self.ask(*nth);
                self.command(*by, RemedyCommand::Answer { ask, yes: *yes });
            }
            Step::Told { nth } => self.tell(*nth),
            Step::Promise { by, ms } => {
                let due = Millis(self.shop.now + WAITS[*ms]);
                self.command(*by, RemedyCommand::Promise { contact: contact(1), words: sealed("x"), due });
            }
            Step::Keep { nth: n, by } => {
                let promise = nth(self.model.promises(), *n).unwrap_or(PromiseId { log_seq: 1, n: 0 });
                self.command(*by, RemedyCommand::Keep { promise });
            }
            Step::Thank { by, whom } => {
                let (agent, words) = (agent(AGENTS[*whom]), "well done".into());
                self.command(*by, RemedyCommand::Thank { agent, contact: None, words });
            }
            Step::Story { nth, by } => {
                let (remedy, title) = (self.remedy(*nth), "a story".into());
                self.command(*by, RemedyCommand::Tell { remedy, title, consent: false });
            }
            _ => self.play_outside(step),
        }
    }

    fn play_outside(&mut self, step: &Step) {
        match step {
            Step::Signal { customer, name } => {
                let signal = self.shop.signal(*customer, if *name { "many_claims" } else { "look_twice" });
                self.signals.push(signal);
            }
            Step::Contest { nth: n } => {
                let known = nth(self.signals.iter().copied(), (*n).into());
                let signal = known.unwrap_or(SignalId(Uuid::from_u128(9)));
                self.command(0, RemedyCommand::Contest { signal, reason: "wrong".into() });
            }
            Step::Own { by, customer } => {
                self.shop.is_own(AGENTS[*by], *customer + 2);
            }
            Step::Fact { customer, which } => {
                let (name, value) = match which % 4 {
                    0 => ("customer.failures", FactValue::Int((which / 64).into())),
                    1 => ("customer.orders", FactValue::Int((which / 16).into())),
                    2 => ("order.recalled", FactValue::Bool(*which > 100)),
                    _ => ("order.nonsense", FactValue::Bool(true)),
                };
                self.shop.pushes(FactsAbout::Identity(identity(*customer)), facts([(name, value)]));
            }
            Step::Policy { variant: n } => {
                self.shop.puts(variant(*n), 1 + *n);
            }
            Step::TakeOver => {
                self.shop.takes_over();
            }
            Step::Again => {
                if let Some((id, by, command)) = self.last.clone() {
                    let context =
                        command.contact().map(|of| held(u8::try_from(of.log_seq).unwrap(), AGENTS[by]));
                    self.shop.command_with(id, AGENTS[by], command, context);
                }
            }
            Step::Snapshot => {
                let text = serde_json::to_string(&self.shop.state).unwrap();
                let read: State = serde_json::from_str(&text).unwrap();
                assert!(read == self.shop.state, "a snapshot is whole");
                self.shop.state = read;
            }
            Step::Wait { ms } => {
                self.shop.wait(WAITS[*ms]);
            }
            other => panic!("{other:?} is an agent's"),
        }
    }

    /// With nobody there for long enough, every ask has ended or has its dated promise.
    fn check_asks(&mut self) {
        self.shop.wait(2 * (PEER_MS + LEAD_MS));
        self.fold();
        for (ask, promise) in self.model.open_asks() {
            assert!(promise.is_some(), "{ask} has neither an end nor a date");
        }
    }

    /// The shop's system comes to an end with every order: nothing stays reserved.
    fn check_rest(&mut self) {
        loop {
            let before = self.folded;
            for n in 0..40 {
                self.order(0, n);
            }
            self.shop.wait(1);
            self.fold();
            if self.folded == before {
                break;
            }
        }
        let reserved: u64 = self.model.wallets().values().map(|(reserved, _)| reserved).sum();
        assert_eq!(reserved, 0, "reserved once, then spent or released");
    }
}

fn order_answer(answer: u8) -> OrderAnswer {
    match answer % 4 {
        0 | 1 => OrderAnswer::Done { reference: Some(sealed("code")) },
        2 => OrderAnswer::Failed { reason: "closed".into() },
        _ => OrderAnswer::Unknown { reason: "timeout".into() },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// Every record is decided twice alike and applied by a follower (see [`Shop::cause`]); every event is booked by the model.
    #[test]
    fn the_laws_hold_in_any_history(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.play(step);
            world.shop.tick();
            world.fold();
        }
        world.check_asks();
        world.check_rest();
    }
}
