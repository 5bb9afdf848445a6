use protocol::content::Sealed;
use protocol::input::{CustomerMessage, Input, InputBody, WIRE_VERSION};
use protocol::parked::Parked;
use protocol::record::{EntryKind, ParkReason};
use protocol::{
    Cause, ChannelKind, ContactId, ConversationId, Event, GatewayId, Hash128, IdentityId, MessageId, Millis,
    NoticeId, ParkedId, Record,
};
use uuid::Uuid;

use super::recount::{Ledger, Recount};

const AT: u64 = 1_780_000_000_000;

/// A log of one conversation, as the router would write it.
struct Log {
    recount: Recount,
    log_seq: u64,
    inbound_seq: u64,
    entries: u64,
}

impl Log {
    /// With a fence and a contact that was opened by message 0.
    fn begun() -> Self {
        let mut log = Self { recount: Recount::default(), log_seq: 0, inbound_seq: 0, entries: 0 };
        let leader = GatewayId(Uuid::nil());
        log.write(Cause::Takeover { leader }, vec![Event::Fenced { epoch: 1 }]);
        let (contact, conversation) = (contact(), conversation());
        let opened = Event::ContactOpened {
            contact,
            conversation,
            channel: ChannelKind::Web,
            category: None,
            facts: protocol::facts::FactValues::new(),
            route: None,
            practice: false,
            people_only: false,
        };
        let entry = log.entry();
        let gone = Event::Abandoned { contact };
        log.input(InputBody::Message(message(0, None)), vec![opened, entry, gone]);
        log
    }

    fn write(&mut self, cause: Cause, events: Vec<Event>) {
        self.log_seq += 1;
        let (v, at, policy) = (WIRE_VERSION, Millis(AT), Hash128([0; 16]));
        self.recount.record(self.log_seq, &Record { v, at, epoch: 1, policy, cause, events });
    }

    fn input(&mut self, body: InputBody, events: Vec<Event>) -> u64 {
        self.inbound_seq += 1;
        self.write(Cause::Input { seq: self.inbound_seq, input: input(body) }, events);
        self.inbound_seq
    }

    fn entry(&mut self) -> Event {
        self.entries += 1;
        let (contact, conversation) = (contact(), conversation());
        Event::EntryAdded { conversation, contact, seq: self.entries, entry: EntryKind::FromCustomer }
    }

    /// A message that the router parks; gives the item's id.
    fn parks(&mut self, n: u8, replays: Option<ParkedId>) -> ParkedId {
        let parked = Event::Parked { reason: ParkReason::ContentDiffers };
        let seq = self.input(InputBody::Message(message(n, replays)), vec![parked]);
        ParkedId::of_input(AT, seq)
    }

    fn takes(&mut self, n: u8, replays: Option<ParkedId>) {
        let entry = self.entry();
        self.input(InputBody::Message(message(n, replays)), vec![entry]);
    }

    fn skips(&mut self, n: u8, replays: Option<ParkedId>) {
        self.input(InputBody::Message(message(n, replays)), vec![Event::DuplicateSkipped]);
    }

    fn dismisses(&mut self, parked: ParkedId) {
        self.input(dismissal(parked), Vec::new());
    }

    fn still_has(&mut self, parked: ParkedId) {
        self.recount.parked(&Parked {
            v: WIRE_VERSION,
            id: parked,
            at: Millis(AT),
            channel: None,
            account: None,
            reason: ParkReason::ContentDiffers.as_str().to_owned(),
            detail: String::new(),
            inbound_seq: parked.inbound_seq(),
            replays: None,
            bytes: sealed(),
        });
    }

    fn balance(self) -> Ledger {
        self.recount.balance()
    }
}

fn contact() -> ContactId {
    ContactId { log_seq: 2, n: 1 }
}

fn conversation() -> ConversationId {
    ConversationId { log_seq: 2, n: 0 }
}

fn sealed() -> Sealed {
    Sealed::from_parts(IdentityId(Hash128([1; 16])), 1, "c2VhbGVk")
}

fn input(body: InputBody) -> Input {
    Input { v: WIRE_VERSION, made_at: Millis(AT), body }
}

fn dismissal(parked: ParkedId) -> InputBody {
    InputBody::ParkedDismissed { id: NoticeId(parked.0), parked, reason: None }
}

fn message(n: u8, replays: Option<ParkedId>) -> CustomerMessage {
    CustomerMessage {
        replays,
        ..CustomerMessage::new(
            MessageId(Uuid::from_u128(n.into())),
            ChannelKind::Web,
            protocol::SubjectToken::new("shop").unwrap(),
            IdentityId(Hash128([1; 16])),
            Hash128([n; 16]),
            Hash128([n; 16]),
            sealed(),
        )
    }
}

#[test]
fn what_is_parked_and_what_was_taken_out_balance() {
    let mut log = Log::begun();
    let [waits, replayed, dismissed] = [1, 2, 3].map(|n| log.parks(n, None));
    log.takes(4, Some(replayed));
    log.dismisses(dismissed);
    log.still_has(waits);
    let ledger = log.balance();
    assert_eq!(ledger.faults, Vec::<String>::new());
    let m = ledger.messages;
    assert_eq!((m.received, m.recorded, m.parked, m.replays, m.dismissed), (5, 2, 3, 1, 1));
}

#[test]
fn what_is_gone_from_parked_and_nobody_took_out_is_missed() {
    let mut log = Log::begun();
    let [lost, replayed] = [1, 2].map(|n| log.parks(n, None));
    log.takes(4, Some(replayed));
    let faults = log.balance().faults;
    assert!(faults.len() == 1 && faults[0].contains(&format!("input {} ", lost.inbound_seq().unwrap())));
}

#[test]
fn what_is_taken_out_while_the_router_is_away_is_not_missed() {
    let mut log = Log::begun();
    let [replayed, dismissed] = [1, 2].map(|n| log.parks(n, None));
    let seq = log.inbound_seq;
    log.recount.inbound(seq + 1, Some(&input(InputBody::Message(message(4, Some(replayed))))));
    log.recount.inbound(seq + 2, Some(&input(dismissal(dismissed))));
    let ledger = log.balance();
    assert_eq!(ledger.faults, Vec::<String>::new());
    assert_eq!((ledger.messages.pending, ledger.messages.replays, ledger.messages.dismissed), (1, 1, 1));
}

#[test]
fn a_replay_in_vain_and_its_second_try_are_two_items() {
    let mut log = Log::begun();
    let first = log.parks(1, None);
    let second = log.parks(1, Some(first));
    log.takes(1, Some(second));
    log.skips(9, Some(second));
    assert_eq!(log.balance().faults, Vec::<String>::new());
}

#[test]
fn one_item_in_two_messages_is_a_fault() {
    let mut log = Log::begun();
    let parked = log.parks(1, None);
    log.takes(4, Some(parked));
    log.takes(5, Some(parked));
    let faults = log.balance().faults;
    assert!(faults.len() == 1 && faults[0].contains(&parked.to_string()), "{faults:?}");
}
