#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks at few of them")]

use std::collections::BTreeSet;

use protocol::command::Refusal;
use protocol::config::Role;
use protocol::desk::{Choice, DeskContact, DeskEntry, DeskState, OfferCard};
use protocol::record::{ChoiceRule, CompanyRole, EntryKind, PassedOver, Receipt};
use protocol::{ConversationId, OfferId};
use uuid::Uuid;

use super::*;
use crate::agents::witness::Broken;

const ME: AgentId = AgentId(Uuid::from_u128(1));
const TALK: ConversationId = ConversationId { log_seq: 10, n: 0 };
const CONTACT: ContactId = ContactId { log_seq: 10, n: 1 };
const OFFER: OfferId = OfferId { log_seq: 10, n: 2 };
const T0: u64 = 1_700_000_000_000;

/// An agent at a desk and the time, so that a test reads as what happens.
struct Scene {
    agent: SimulatedAgent,
    now: Millis,
}

fn habits(replies: u32, decline_percent: u8, ignore_percent: u8) -> Habits {
    Habits { think_ms: 100..=200, replies, decline_percent, ignore_percent }
}

fn scene(habits: Habits) -> Scene {
    let agent = SimulatedAgent::new(habits, [(ChannelKind::Api, 1)].into(), Dice::new(3), Dice::new(4));
    Scene { agent, now: Millis(T0) }
}

impl Scene {
    /// Goes through the start of a connection.
    fn online(habits: Habits) -> Self {
        let mut scene = scene(habits);
        assert_eq!(scene.connect(&state(Presence::Offline, vec![], vec![])), ["hello {}"]);
        assert_eq!(scene.later(0), ["online"]);
        scene.settle_last(Outcome::Done);
        scene
    }

    fn connect(&mut self, state: &DeskState) -> Vec<String> {
        self.agent.connected(self.now);
        let said = self.said();
        self.hear(ToDesk::State(Box::new(state.clone())));
        said
    }

    fn hear(&mut self, frame: ToDesk) {
        self.agent.heard(frame, self.now);
    }

    fn later(&mut self, ms: u64) -> Vec<String> {
        self.now = self.now.plus(ms);
        self.agent.tick(self.now);
        self.said()
    }

    fn said(&mut self) -> Vec<String> {
        let frames = self.agent.take_frames();
        frames.iter().map(in_words).filter(|words| words != "ping").collect()
    }

    fn settle_last(&mut self, outcome: Outcome) -> CommandId {
        let id = self.agent.pending.last().unwrap().id;
        self.hear(ToDesk::Settled { id, outcome, words: None });
        id
    }

    fn broken(&mut self) -> Vec<Broken> {
        let notes = self.agent.take_notes();
        let violation = |note: Note| match note {
            Note::Violation(violation) => Some(violation.broken),
            _ => None,
        };
        notes.into_iter().filter_map(violation).collect()
    }

    /// Offer, acceptance, contact.
    fn take_contact(&mut self) {
        self.hear(offer(OFFER, CONTACT));
        assert_eq!(self.later(99), [] as [&str; 0]);
        assert_eq!(self.later(101), ["accept off_10_2"]);
        self.hear(ToDesk::OfferEnded { offer: OFFER, how: "accepted".into() });
        let joined = entry(2, EntryKind::Joined { agent: ME });
        self.hear(contact(false, vec![entry(1, EntryKind::FromCustomer), joined]));
        self.settle_last(Outcome::Done);
    }
}

fn in_words(frame: &FromDesk) -> String {
    match frame {
        FromDesk::Hello { have } => format!("hello {have:?}"),
        FromDesk::Ping { .. } => "ping".to_owned(),
        FromDesk::Command { command, .. } => match command {
            DeskCommand::SetPresence { presence, .. } => format!("{presence:?}").to_lowercase(),
            DeskCommand::Accept { offer } => format!("accept {offer}"),
            DeskCommand::Decline { offer, .. } => format!("decline {offer}"),
            DeskCommand::Reply { contact, .. } => format!("reply {contact}"),
            DeskCommand::Resolve { contact, disposition, .. } => format!("resolve {contact} {disposition}"),
            DeskCommand::EndWrapUp { contact } => format!("end wrap-up {contact}"),
            other => format!("{other:?}"),
        },
        other => format!("{other:?}"),
    }
}

fn state(presence: Presence, offers: Vec<OfferCard>, contacts: Vec<DeskContact>) -> DeskState {
    let dispositions = vec![Choice {
        name: SubjectToken::new("solved").unwrap(),
        title: "Solved".into(),
        fields: Vec::new(),
    }];
    let (log_seq, now, title) = (1, Millis(T0), "Sim".into());
    DeskState {
        log_seq,
        now,
        agent: ME,
        title,
        presence,
        next: None,
        reason: None,
        offers,
        contacts,
        dispositions,
        asks: Vec::new(),
        promises: Vec::new(),
        kudos: Vec::new(),
        lead: false,
        role: Role::Agent,
        scope: BTreeSet::new(),
        tags: Vec::new(),
        contact_fields: Vec::new(),
        mentions: Vec::new(),
    }
}

fn card(offer: OfferId, contact: ContactId) -> OfferCard {
    OfferCard {
        offer,
        contact,
        conversation: TALK,
        channel: ChannelKind::Api,
        queue: "Service".into(),
        waiting_since: Millis(T0),
        expires_at: Millis(T0 + 30_000),
        customer_name: None,
        callback: false,
        tags: BTreeSet::new(),
        practice: false,
        words: vec!["hello".into()],
        history: None,
        receipt: receipt(),
    }
}

fn offer(offer: OfferId, contact: ContactId) -> ToDesk {
    ToDesk::Offer(Box::new(card(offer, contact)))
}

fn receipt() -> Receipt {
    Receipt {
        rule: ChoiceRule::LongestIdle,
        waited_ms: 0,
        idle_ms: 0,
        waiting_in_class: 1,
        score_ms: None,
        step: 0,
        rank: 0,
        runners_up: vec![],
        passed_over: PassedOver::default(),
    }
}

fn picture(is_in_wrap_up: bool, entries: Vec<DeskEntry>) -> DeskContact {
    DeskContact {
        contact: CONTACT,
        conversation: TALK,
        channel: ChannelKind::Api,
        queue: "Service".into(),
        category: None,
        opened_at: Millis(T0),
        effort: protocol::remedy::Effort::default(),
        aside: None,
        wrap_up_until: is_in_wrap_up.then_some(Millis(T0 + 60_000)),
        customer_name: None,
        draft: None,
        entries,
        deliveries: Vec::new(),
        remedies: Vec::new(),
        role: None,
        owner: None,
        with_bot: false,
        company: Vec::new(),
        receipt: None,
        tags: BTreeSet::new(),
        fields: BTreeMap::new(),
        practice: false,
        warnings: 0,
        blocked_until: None,
    }
}

fn contact(is_in_wrap_up: bool, entries: Vec<DeskEntry>) -> ToDesk {
    ToDesk::Contact(Box::new(picture(is_in_wrap_up, entries)))
}

fn entry(seq: u64, kind: EntryKind) -> DeskEntry {
    let message = matches!(kind, EntryKind::FromCustomer | EntryKind::FromAgent { .. })
        .then(|| MessageId(Uuid::from_u128(u128::from(seq))));
    DeskEntry {
        seq,
        at: Millis(T0),
        contact: CONTACT,
        kind,
        message,
        text: None,
        by: None,
        other: None,
        automatic: false,
        attachments: Vec::new(),
        mail: None,
        place: None,
    }
}

fn grew(seq: u64, kind: EntryKind) -> ToDesk {
    ToDesk::Entry { conversation: TALK, entry: entry(seq, kind) }
}

#[test]
fn a_contact_of_a_colleagues_is_left_to_them() {
    let mut scene = Scene::online(habits(1, 0, 0));
    let role = Some(CompanyRole::Consulted);
    scene.hear(ToDesk::Contact(Box::new(DeskContact { role, ..picture(false, vec![]) })));
    assert_eq!(scene.later(1_000), [] as [&str; 0]);
    assert!(!scene.agent.is_busy());
}

#[test]
fn a_contact_is_accepted_answered_resolved_and_let_go() {
    let mut scene = Scene::online(habits(1, 0, 0));
    scene.take_contact();
    assert_eq!(scene.later(200), ["reply con_10_1"]);
    scene.hear(grew(3, EntryKind::FromAgent { agent: ME, bot: false }));
    scene.settle_last(Outcome::Done);
    assert_eq!(scene.later(200), ["resolve con_10_1 solved"]);
    scene.hear(contact(true, vec![]));
    scene.settle_last(Outcome::Done);
    assert_eq!(scene.later(0), ["end wrap-up con_10_1"]);
    assert!(scene.agent.is_serving());
    scene.hear(ToDesk::ContactGone { contact: CONTACT, why: "ended".into() });
    scene.settle_last(Outcome::Done);
    assert!(!scene.agent.is_busy());
    assert_eq!(scene.later(1_000), [] as [&str; 0]);
    let notes = scene.agent.take_notes();
    assert_eq!(notes, [Note::Offer, Note::Accepted, Note::Replied, Note::Resolved]);
}

#[test]
fn a_reply_counts_once_however_it_is_heard_of() {
    let mut scene = Scene::online(habits(2, 0, 0));
    scene.take_contact();
    for _ in 0..2 {
        assert_eq!(scene.later(200), ["reply con_10_1"]);
        let DeskCommand::Reply { message, .. } = scene.agent.pending.last().unwrap().command.clone() else {
            panic!("a reply")
        };
        let seq = scene.agent.witness.have()[&TALK] + 1;
        let mut own = entry(seq, EntryKind::FromAgent { agent: ME, bot: false });
        own.message = Some(message);
        scene.hear(ToDesk::Entry { conversation: TALK, entry: own });
        scene.settle_last(Outcome::Done);
    }
    assert_eq!(scene.later(200), ["resolve con_10_1 solved"]);
    assert_eq!(scene.broken(), []);
}

#[test]
fn what_was_not_answered_is_asked_again_under_its_id_on_the_next_connection() {
    let mut scene = Scene::online(habits(0, 0, 0));
    scene.hear(offer(OFFER, CONTACT));
    assert_eq!(scene.later(200), ["accept off_10_2"]);
    let id = scene.agent.pending[0].id;
    scene.agent.disconnected();
    assert_eq!(scene.later(60_000), [] as [&str; 0]);
    assert!(scene.agent.is_busy());
    let shown =
        picture(false, vec![entry(1, EntryKind::FromCustomer), entry(2, EntryKind::Joined { agent: ME })]);
    assert_eq!(scene.connect(&state(Presence::Online, vec![], vec![shown])), ["hello {}"]);
    assert_eq!(scene.said(), ["accept off_10_2"]);
    assert_eq!(scene.settle_last(Outcome::Done), id);
    assert_eq!(scene.later(200), ["resolve con_10_1 solved"]);
    scene.agent.disconnected();
    let again = picture(false, vec![entry(3, EntryKind::FromCustomer)]);
    assert_eq!(scene.connect(&state(Presence::Online, vec![], vec![again])), ["hello {cnv_10_0: 2}"]);
    assert_eq!(scene.said(), ["resolve con_10_1 solved"]);
    assert_eq!(scene.broken(), []);
}

#[test]
fn an_answer_that_does_not_come_is_asked_for_again() {
    let mut scene = Scene::online(habits(0, 0, 0));
    scene.hear(offer(OFFER, CONTACT));
    assert_eq!(scene.later(200), ["accept off_10_2"]);
    assert_eq!(scene.later(RESEND_AFTER_MS - 1), [] as [&str; 0]);
    assert_eq!(scene.later(1), ["accept off_10_2"]);
    assert_eq!(scene.agent.pending.len(), 1);
}

#[test]
fn what_the_server_could_not_take_now_is_sent_again_after_a_second() {
    for code in ["too_fast", "too_many_at_once", "not_settled_yet"] {
        let mut scene = Scene::online(habits(0, 0, 0));
        scene.hear(offer(OFFER, CONTACT));
        assert_eq!(scene.later(200), ["accept off_10_2"]);
        scene.hear(ToDesk::Error { code: code.into(), words: String::new() });
        assert_eq!(scene.later(RESEND_SOON_MS - 1), [] as [&str; 0], "{code}");
        assert_eq!(scene.later(1), ["accept off_10_2"], "{code}");
        assert_eq!(scene.later(RESEND_SOON_MS), [] as [&str; 0], "{code}: once for each time");
    }
    let mut scene = Scene::online(habits(0, 0, 0));
    scene.hear(offer(OFFER, CONTACT));
    assert_eq!(scene.later(200), ["accept off_10_2"]);
    scene.hear(ToDesk::Error { code: "malformed".into(), words: String::new() });
    assert_eq!(scene.later(RESEND_SOON_MS), [] as [&str; 0], "what is wrong is not mended by haste");
}

#[test]
fn an_offer_is_declined_or_ignored_as_the_habits_say() {
    let mut scene = Scene::online(habits(1, 100, 0));
    scene.hear(offer(OFFER, CONTACT));
    assert_eq!(scene.later(200), ["decline off_10_2"]);
    let mut scene = Scene::online(habits(1, 0, 100));
    scene.hear(offer(OFFER, CONTACT));
    assert_eq!(scene.later(300), [] as [&str; 0]);
    scene.hear(ToDesk::OfferEnded { offer: OFFER, how: "timed_out".into() });
    assert!(scene.agent.take_notes().contains(&Note::Missed));
    scene.hear(ToDesk::Presence {
        presence: Presence::Away,
        next: None,
        reason: Some("missed_offer".into()),
    });
    assert_eq!(scene.later(200), ["online"]);
}

#[test]
fn an_offer_that_comes_after_its_end_is_not_answered() {
    let mut scene = Scene::online(habits(1, 0, 0));
    scene.hear(ToDesk::OfferEnded { offer: OFFER, how: "customer_gone".into() });
    scene.hear(offer(OFFER, CONTACT));
    assert!(!scene.agent.is_serving());
    assert_eq!(scene.later(300), [] as [&str; 0]);
}

#[test]
fn a_customer_who_writes_in_wrap_up_is_answered_again() {
    let mut scene = Scene::online(habits(1, 0, 0));
    scene.take_contact();
    assert_eq!(scene.later(200), ["reply con_10_1"]);
    scene.settle_last(Outcome::Done);
    assert_eq!(scene.later(200), ["resolve con_10_1 solved"]);
    scene.hear(contact(true, vec![]));
    scene.hear(grew(3, EntryKind::Reopened));
    scene.hear(grew(4, EntryKind::FromCustomer));
    scene.hear(contact(false, vec![]));
    scene.settle_last(Outcome::Done);
    assert_eq!(scene.later(200), ["reply con_10_1"]);
    assert_eq!(scene.broken(), []);
}

#[test]
fn refusals_are_counted_and_looked_at_again_ever_later() {
    let mut scene = Scene::online(habits(0, 0, 0));
    scene.take_contact();
    for wait in [REFUSED_WAIT_MS, 2 * REFUSED_WAIT_MS, 4 * REFUSED_WAIT_MS] {
        let said = scene.later(200);
        assert_eq!(said, ["resolve con_10_1 solved"]);
        scene.settle_last(Outcome::Refused { refusal: Refusal::UnknownDisposition });
        assert_eq!(scene.later(wait - 200), [] as [&str; 0]);
    }
    assert!(scene.agent.take_notes().contains(&Note::Refused(Refusal::UnknownDisposition)));
}

#[test]
fn what_the_state_does_not_name_is_gone() {
    let mut scene = Scene::online(habits(1, 0, 0));
    scene.take_contact();
    scene.agent.disconnected();
    scene.now = scene.now.plus(60_000);
    let have = "hello {cnv_10_0: 2}";
    assert_eq!(scene.connect(&state(Presence::Online, vec![], vec![])), [have]);
    assert!(!scene.agent.is_busy());
    assert_eq!(scene.later(1_000), [] as [&str; 0]);
}

#[test]
fn offers_beyond_capacity_gaps_and_two_answers_are_told() {
    let mut scene = Scene::online(habits(0, 0, 0));
    scene.take_contact();
    let (second, other) = (OfferId { log_seq: 20, n: 0 }, ContactId { log_seq: 20, n: 1 });
    scene.hear(offer(second, other));
    assert_eq!(scene.broken(), [Broken::OverCapacity]);
    scene.hear(grew(4, EntryKind::FromCustomer));
    assert_eq!(scene.broken(), [Broken::Gap]);
    scene.later(200);
    let id = scene.settle_last(Outcome::Done);
    scene.hear(ToDesk::Settled { id, outcome: Outcome::Done, words: None });
    assert_eq!(scene.broken(), []);
    let refused = Outcome::Refused { refusal: Refusal::NotYours };
    scene.hear(ToDesk::Settled { id, outcome: refused, words: None });
    assert_eq!(scene.broken(), [Broken::TwoAnswers]);
}

#[test]
fn leaving_is_said_and_nothing_new_is_begun() {
    let mut scene = Scene::online(habits(1, 0, 0));
    scene.take_contact();
    scene.agent.leave(scene.now);
    assert_eq!(scene.said(), ["offline"]);
    assert!(!scene.agent.has_left());
    scene.hear(offer(OfferId { log_seq: 30, n: 0 }, CONTACT));
    scene.settle_last(Outcome::Done);
    scene.hear(ToDesk::Presence { presence: Presence::Offline, next: None, reason: None });
    assert!(scene.agent.has_left());
    assert_eq!(scene.later(4_000), [] as [&str; 0]);
    scene.agent.disconnected();
    assert!(scene.agent.has_left());
}

#[test]
fn silence_is_noticed_and_signs_of_life_are_said() {
    let mut scene = Scene::online(habits(1, 0, 0));
    scene.now = scene.now.plus(PING_EVERY_MS);
    assert!(scene.agent.deadline().is_some_and(|at| at <= scene.now));
    scene.agent.tick(scene.now);
    assert!(matches!(scene.agent.take_frames()[..], [FromDesk::Ping { .. }]));
    scene.hear(ToDesk::Pong { n: 1, now: scene.now });
    let heard = scene.now;
    assert!(!scene.agent.is_deaf(heard.plus(DEAF_AFTER_MS - 1)));
    assert!(scene.agent.is_deaf(heard.plus(DEAF_AFTER_MS)));
}
