//! The projection against small logs written by hand.

mod moving;
mod standing;

use std::collections::BTreeMap;

use protocol::command::{AgentCommand, Command, Outcome, Refusal};
use protocol::config::{Agent, Disposition, Queue, RoutingConfig};
use protocol::content::Sealed;
use protocol::input::{ConfigInput, CustomerMessage, WIRE_VERSION};
use protocol::limits::{COLLEAGUES_FOUND_MAX, COLLEAGUES_SHOWN_MAX};
use protocol::record::{ChoiceRule, CompanyRole, EntryKind, OfferEnd, PassedOver, QueuedWhy, Receipt};
use protocol::{ChannelKind, Event, Hash128, Input, MessageId, NoticeId, Record};

use super::contact::ENTRIES_PER_CONTACT_MAX;
use super::*;

const ANNA: AgentId = AgentId(uuid::Uuid::from_u128(1));
const BEN: AgentId = AgentId(uuid::Uuid::from_u128(2));
const CUSTOMER: IdentityId = IdentityId(Hash128([7; 16]));
const CONVERSATION: ConversationId = ConversationId { log_seq: 2, n: 0 };
const CONTACT: ContactId = ContactId { log_seq: 2, n: 1 };
const DONE: Answer = Answer::Routing(Outcome::Done);
const GATEWAY: GatewayId = GatewayId(uuid::Uuid::from_u128(9));

fn token(text: &str) -> SubjectToken {
    SubjectToken::new(text).unwrap()
}

fn offer(n: u64) -> OfferId {
    OfferId { log_seq: n, n: 0 }
}

fn command(n: u128) -> CommandId {
    CommandId(uuid::Uuid::from_u128(n))
}

/// A log that is written and folded at once.
#[derive(Default)]
struct Log {
    seq: u64,
    entries: u64,
    floor: Projection,
}

impl Log {
    /// With Anna and Ben configured and Anna there.
    fn started() -> Self {
        let mut log = Self::default();
        log.configure(&["Anna", "Ben"]);
        log.write(
            Cause::Timer,
            vec![
                Event::AgentConnected { agent: ANNA, gateway: GATEWAY },
                Event::PresenceChanged { agent: ANNA, presence: Presence::Online, reason: None },
            ],
        );
        log
    }

    fn write(&mut self, cause: Cause, events: Vec<Event>) -> Vec<(AgentId, Change)> {
        self.seq += 1;
        let at = Millis(self.seq * 1_000);
        let record = Record { v: WIRE_VERSION, at, epoch: 1, policy: Hash128([0; 16]), cause, events };
        let changes = self.floor.fold(self.seq, &record);
        // All of it must hold as well of a floor that was kept after each record and gone on with.
        self.floor = serde_json::from_slice(&serde_json::to_vec(&self.floor).unwrap()).unwrap();
        changes
    }

    fn input(&self, body: InputBody) -> Cause {
        Cause::Input { seq: self.seq, input: Input { v: WIRE_VERSION, made_at: Millis(0), body } }
    }

    fn configure(&mut self, titles: &[&str]) -> Vec<(AgentId, Change)> {
        let agents = titles.iter().zip([ANNA, BEN]).map(|(title, id)| Agent {
            title: (*title).to_owned(),
            queues: BTreeSet::from([token("general")]),
            capacity: BTreeMap::from([(ChannelKind::Web, 2)]),
            lead: id == BEN,
            ..Agent::new(id, token(&title.to_lowercase()))
        });
        self.apply(agents.collect())
    }

    /// So many agents, Anna and Ben among them.
    fn crowd(&mut self, total: usize) -> Vec<(AgentId, Change)> {
        let agents = (1..=total).map(|n| Agent {
            title: match n {
                1 => "Anna".to_owned(),
                2 => "Ben".to_owned(),
                _ => format!("Agent {n:04}"),
            },
            ..Agent::new(AgentId(uuid::Uuid::from_u128(n as u128)), token(&format!("agent-{n}")))
        });
        self.apply(agents.collect())
    }

    fn apply(&mut self, agents: Vec<Agent>) -> Vec<(AgentId, Change)> {
        let queue = Queue {
            title: "General".to_owned(),
            offer_ms: 20_000,
            wrap_up_ms: 5_000,
            reopen_ms: 60_000,
            ..Queue::new(token("general"))
        };
        let config = RoutingConfig {
            queues: vec![queue],
            agents,
            dispositions: vec![Disposition {
                name: token("solved"),
                title: "Solved".to_owned(),
                fields: Vec::new(),
            }],
            ..RoutingConfig::default()
        };
        let config = ConfigInput {
            replaces: None,
            id: NoticeId(uuid::Uuid::nil()),
            hash: Hash128([1; 16]),
            config: Box::new(config),
        };
        let cause = self.input(InputBody::Config(config));
        self.write(cause, vec![Event::ConfigApplied])
    }

    fn said(&self) -> Cause {
        self.input(InputBody::Message(CustomerMessage::new(
            MessageId(uuid::Uuid::from_u128(u128::from(self.seq))),
            ChannelKind::Api,
            token("shop"),
            CUSTOMER,
            Hash128([2; 16]),
            Hash128([3; 16]),
            Sealed::from_parts(CUSTOMER, 1, "AAAA"),
        )))
    }

    fn asked(&self, id: CommandId, agent: AgentId, command: Command) -> Cause {
        self.input(InputBody::Command(AgentCommand { id, agent, command }))
    }

    fn entry(&mut self, kind: EntryKind) -> Event {
        self.entries += 1;
        Event::EntryAdded { conversation: CONVERSATION, contact: CONTACT, seq: self.entries, entry: kind }
    }

    fn queued(&self, why: QueuedWhy) -> Event {
        let since = Millis((self.seq + 1) * 1_000);
        let needs = Vec::new();
        Event::Queued {
            contact: CONTACT,
            queue: token("general"),
            priority: 0,
            needs,
            since,
            preferred: None,
            why,
        }
    }

    /// The customer's first words, offered to Anna.
    fn opened(&mut self) -> Vec<(AgentId, Change)> {
        let events = self.opening();
        self.write(self.said(), events)
    }

    fn opening(&mut self) -> Vec<Event> {
        let said = self.entry(EntryKind::FromCustomer);
        vec![
            Event::ConversationOpened {
                conversation: CONVERSATION,
                identity: CUSTOMER,
                channel: ChannelKind::Api,
                account: token("shop"),
                thread: None,
            },
            Event::ContactOpened {
                contact: CONTACT,
                conversation: CONVERSATION,
                channel: ChannelKind::Api,
                category: Some(token("refund")),
                facts: protocol::facts::FactValues::new(),
                route: None,
                practice: false,
                people_only: false,
            },
            said,
            self.queued(QueuedWhy::Opened),
            offered(ANNA, 3),
        ]
    }

    /// Anna accepts.
    fn accepted(&mut self) -> Vec<(AgentId, Change)> {
        let joined = self.entry(EntryKind::Joined { agent: ANNA });
        let cause = self.asked(command(1), ANNA, Command::Accept { offer: offer(3) });
        let events = vec![
            Event::CommandSettled { command: command(1), outcome: Outcome::Done },
            Event::OfferEnded { offer: offer(3), contact: CONTACT, agent: ANNA, end: OfferEnd::Accepted },
            Event::Assigned { contact: CONTACT, agent: ANNA },
            joined,
        ];
        self.write(cause, events)
    }

    fn waiting(&self) -> u32 {
        self.floor.floor().queues.iter().map(|queue| queue.waiting).sum()
    }

    fn contacts_of(&self, agent: AgentId) -> Vec<ContactPicture> {
        self.floor.state_of(agent, Lacks::All).contacts
    }
}

fn offered(agent: AgentId, n: u64) -> Event {
    let receipt = Receipt {
        rule: ChoiceRule::LongestIdle,
        waited_ms: 0,
        idle_ms: 1,
        waiting_in_class: 1,
        score_ms: None,
        step: 0,
        rank: 0,
        runners_up: Vec::new(),
        passed_over: PassedOver::default(),
    };
    Event::OfferMade { offer: offer(n), contact: CONTACT, agent, expires_at: Millis(99_000), receipt }
}

fn seqs(entries: &[EntryPicture]) -> Vec<u64> {
    entries.iter().map(|entry| entry.entry.seq).collect()
}

#[test]
fn a_first_contact_is_offered_with_its_words_and_without_a_past() {
    let mut log = Log::started();
    assert_eq!(log.opened(), [(ANNA, Change::Offer(offer(3)))]);
    let picture = log.floor.offer_picture(offer(3)).unwrap();
    assert_eq!((picture.words.len(), picture.past_before, picture.held), (1, 1, Vec::new()));
    assert_eq!((&*picture.queue, picture.channel), ("General", ChannelKind::Api));
    assert_eq!(log.waiting(), 1);
    assert_eq!(log.floor.state_of(ANNA, Lacks::All).offers.len(), 1);
    assert!(log.floor.state_of(BEN, Lacks::All).offers.is_empty());
    // The customer goes on writing: the card is shown anew.
    let more = log.entry(EntryKind::FromCustomer);
    assert_eq!(log.write(log.said(), vec![more]), [(ANNA, Change::Offer(offer(3)))]);
    assert_eq!(log.floor.offer_picture(offer(3)).unwrap().words.len(), 2);
}

#[test]
fn what_is_taken_comes_whole_and_before_its_answer() {
    let mut log = Log::started();
    log.opened();
    let changes = log.accepted();
    let expected = [
        (ANNA, Change::OfferEnded { offer: offer(3), how: "accepted" }),
        (ANNA, Change::Taken(CONTACT)),
        (ANNA, Change::Settled { command: command(1), answer: DONE }),
    ];
    assert_eq!(changes, expected);
    let [contact] = &log.contacts_of(ANNA)[..] else { panic!("one contact") };
    assert_eq!(seqs(&contact.entries), [1, 2]);
    assert_eq!(contact.entries[1].by.as_deref(), Some("Anna"));
    assert_eq!(contact.category, Some(token("refund")));
    assert!(contact.receipt.is_some());
    assert_eq!((log.waiting(), log.floor.shown_to(CONVERSATION)), (0, vec![ANNA]));
    assert_eq!(log.floor.identity_of(CONTACT), Some(CUSTOMER));
}

#[test]
fn what_is_given_without_asking_is_there_and_never_shown_as_an_offer() {
    let mut log = Log::started();
    let mut events = log.opening();
    let joined = log.entry(EntryKind::Joined { agent: ANNA });
    events.extend([
        Event::OfferEnded { offer: offer(3), contact: CONTACT, agent: ANNA, end: OfferEnd::Accepted },
        Event::Assigned { contact: CONTACT, agent: ANNA },
        joined,
    ]);
    let changes = log.write(log.said(), events);
    assert_eq!(changes, [(ANNA, Change::Taken(CONTACT))]);
    let [contact] = &log.contacts_of(ANNA)[..] else { panic!("one contact") };
    assert_eq!(seqs(&contact.entries), [1, 2]);
    assert!(log.floor.state_of(ANNA, Lacks::All).offers.is_empty());
}

#[test]
fn an_offer_that_is_shown_anew_and_ends_in_one_record_leaves_the_desk() {
    let mut log = Log::started();
    log.opened();
    let more = log.entry(EntryKind::FromCustomer);
    let ended =
        Event::OfferEnded { offer: offer(3), contact: CONTACT, agent: ANNA, end: OfferEnd::AgentGone };
    let again = log.queued(QueuedWhy::OfferEnded);
    let changes = log.write(log.said(), vec![more, ended, again]);
    let left = (ANNA, Change::OfferEnded { offer: offer(3), how: "agent_gone" });
    assert_eq!(changes.last(), Some(&left));
}

#[test]
fn a_desk_resumes_after_what_it_has() {
    let mut log = Log::started();
    log.opened();
    log.accepted();
    let more = log.entry(EntryKind::FromCustomer);
    let changes = log.write(log.said(), vec![more]);
    assert!(
        matches!(&changes[..], [(ANNA, Change::Entry { entry, .. })] if entry.seq == 3 && entry.body.is_some())
    );
    let lacking = |have: u64| {
        let have = BTreeMap::from([(CONVERSATION, have)]);
        seqs(&log.floor.state_of(ANNA, Lacks::After(&have)).contacts[0].entries)
    };
    assert_eq!(lacking(0), [1, 2, 3]);
    assert_eq!(lacking(2), [3]);
    assert_eq!(lacking(3), [0_u64; 0]);
    assert_eq!(lacking(9), [0_u64; 0]);
    assert_eq!(seqs(&log.floor.entries_before(ANNA, CONTACT, 3, 1)), [2]);
    assert_eq!(seqs(&log.floor.entries_before(BEN, CONTACT, 3, 1)), [0_u64; 0]);
}

#[test]
fn a_record_folded_again_changes_nothing() {
    let mut log = Log::started();
    log.opened();
    log.seq -= 1;
    log.entries -= 1;
    assert_eq!(log.opened(), []);
    assert_eq!((log.floor.log_seq(), log.waiting()), (3, 1));
}

#[test]
fn an_offer_that_ends_leaves_the_desk() {
    for (end, how) in [
        (OfferEnd::TimedOut, "timed_out"),
        (OfferEnd::AgentGone, "agent_gone"),
        (OfferEnd::Declined { reason: "lunch".to_owned() }, "declined"),
    ] {
        let mut log = Log::started();
        log.opened();
        let ended = Event::OfferEnded { offer: offer(3), contact: CONTACT, agent: ANNA, end };
        let again = log.queued(QueuedWhy::OfferEnded);
        let changes = log.write(Cause::Timer, vec![ended, again, offered(BEN, 4)]);
        assert_eq!(
            changes,
            [(ANNA, Change::OfferEnded { offer: offer(3), how }), (BEN, Change::Offer(offer(4)))]
        );
        assert!(log.floor.state_of(ANNA, Lacks::All).offers.is_empty());
        assert_eq!(log.waiting(), 1);
    }
    let mut log = Log::started();
    log.opened();
    let changes = log.write(Cause::Timer, vec![Event::Abandoned { contact: CONTACT }]);
    assert_eq!(changes, [(ANNA, Change::OfferEnded { offer: offer(3), how: "customer_gone" })]);
    assert_eq!((log.waiting(), log.floor.offers.len(), log.floor.contacts.len()), (0, 0, 0));
}

#[test]
fn a_new_leader_starts_open_offers_anew() {
    let mut log = Log::started();
    log.opened();
    let changes = log.write(Cause::Takeover { leader: GATEWAY }, vec![Event::Fenced { epoch: 2 }]);
    assert_eq!(changes, [(ANNA, Change::Offer(offer(3)))]);
    assert_eq!(log.floor.offer_picture(offer(3)).unwrap().expires_at, Millis(4_000 + 20_000));
}

#[test]
fn a_transfer_takes_the_contact_away_and_the_next_agent_sees_what_was_said() {
    let mut log = Log::started();
    log.opened();
    log.accepted();
    let given = log.entry(EntryKind::TransferredToAgent { agent: ANNA, to: BEN, back: false });
    let transfer =
        log.asked(command(2), ANNA, Command::TransferToAgent { contact: CONTACT, agent: BEN, back: false });
    let settled = Event::CommandSettled { command: command(2), outcome: Outcome::Done };
    let queued = log.queued(QueuedWhy::Transferred);
    let changes = log.write(transfer, vec![settled, given, queued, offered(BEN, 5)]);
    assert!(matches!(
        &changes[..],
        [
            (ANNA, Change::Entry { .. }),
            (ANNA, Change::ContactGone { contact: CONTACT, why: "transferred" }),
            (BEN, Change::Offer(_)),
            (ANNA, Change::Settled { .. }),
        ]
    ));
    let held = log.floor.offer_picture(offer(5)).unwrap().held;
    assert_eq!(seqs(&held), [1, 2, 3]);
    assert_eq!((held[2].by.as_deref(), held[2].other.as_deref()), (Some("Anna"), Some("Ben")));
    assert_eq!((log.floor.shown_to(CONVERSATION), log.waiting()), (Vec::new(), 1));
    assert!(log.contacts_of(ANNA).is_empty());
}

#[test]
fn who_is_with_a_contact_reads_it_and_its_owner_sees_them() {
    let mut log = Log::started();
    log.opened();
    log.accepted();
    let company = |role| Event::CompanyChanged { contact: CONTACT, agent: BEN, role };
    let (mine, bens) = ((ANNA, Change::Contact(CONTACT)), (BEN, Change::Contact(CONTACT)));
    let asked = CompanyRole::Asked { by: ANNA, until: Millis(99_000) };
    assert_eq!(log.write(Cause::Timer, vec![company(Some(asked))]), [mine.clone(), bens]);
    let invitation = &log.contacts_of(BEN)[0];
    assert_eq!(
        (invitation.role, invitation.entries.len()),
        (Some(asked), 0),
        "who is only asked does not read"
    );
    assert_eq!(invitation.owner.as_deref(), Some("Anna"));
    assert!(log.floor.read(BEN, CONTACT).is_none());

    let agreed = log.write(Cause::Timer, vec![company(Some(CompanyRole::Consulted))]);
    assert_eq!(agreed, [mine.clone(), (BEN, Change::Taken(CONTACT))]);
    assert_eq!(seqs(&log.contacts_of(BEN)[0].entries), [1, 2]);
    let anna = &log.contacts_of(ANNA)[0];
    assert_eq!((anna.role, anna.owner.as_deref(), anna.company[0].title.as_str()), (None, None, "Ben"));
    let said = log.entry(EntryKind::FromCustomer);
    let heard: Vec<AgentId> = log.write(log.said(), vec![said]).into_iter().map(|(agent, _)| agent).collect();
    assert_eq!(heard, [ANNA, BEN]);
    assert!(log.floor.written(BEN, CONTACT).is_none());
    log.write(Cause::Timer, vec![company(Some(CompanyRole::Joined))]);
    assert!(log.floor.written(BEN, CONTACT).is_some());

    let left = log.write(Cause::Timer, vec![company(None)]);
    assert_eq!(left, [(BEN, Change::ContactGone { contact: CONTACT, why: "left" }), mine]);
    assert!(log.contacts_of(BEN).is_empty());
    log.write(Cause::Timer, vec![company(Some(CompanyRole::Watching))]);
    let ended = log.write(Cause::Timer, vec![Event::Resolved { contact: CONTACT, agent: ANNA }]);
    assert!(ended.contains(&(BEN, Change::ContactGone { contact: CONTACT, why: "ended" })), "{ended:?}");
}

#[test]
fn an_ended_contact_leaves_memory_and_may_come_back() {
    let mut log = Log::started();
    log.opened();
    log.accepted();
    let end = log.entry(EntryKind::Resolved { agent: ANNA, disposition: token("solved"), fields: [].into() });
    let wrap_up = Event::WrapUpStarted { contact: CONTACT, agent: ANNA, until: Millis(10_000) };
    let changes = log.write(Cause::Timer, vec![end, wrap_up]);
    assert!(matches!(&changes[..], [(ANNA, Change::Entry { .. }), (ANNA, Change::Contact(CONTACT))]));
    assert_eq!(log.contacts_of(ANNA)[0].wrap_up_until, Some(Millis(10_000)));
    let changes = log.write(Cause::Timer, vec![Event::Resolved { contact: CONTACT, agent: ANNA }]);
    assert_eq!(changes, [(ANNA, Change::ContactGone { contact: CONTACT, why: "ended" })]);
    assert!(log.floor.contacts.is_empty() && log.floor.by_conversation.is_empty());
    // Whether it may still be written to, the core says: the gateway can seal for it.
    assert_eq!(log.floor.identity_of(CONTACT), Some(CUSTOMER));

    let (reopened, said) = (log.entry(EntryKind::Reopened), log.entry(EntryKind::FromCustomer));
    let queued = log.queued(QueuedWhy::Reopened);
    let events = vec![Event::ContactReopened { contact: CONTACT }, reopened, said, queued, offered(ANNA, 6)];
    assert_eq!(log.write(log.said(), events), [(ANNA, Change::Offer(offer(6)))]);
    let picture = log.floor.offer_picture(offer(6)).unwrap();
    // What was said before it ended is asked of the read models.
    assert_eq!((picture.past_before, picture.words.len(), picture.channel), (4, 1, ChannelKind::Api));
    assert_eq!(log.floor.contacts[&CONTACT].category, Some(token("refund")));
    assert_eq!(log.floor.contacts[&CONTACT].opened_at, Millis(3_000));
}

#[test]
fn a_contact_that_comes_back_during_wrap_up_stays_or_goes() {
    let in_wrap_up = || {
        let mut log = Log::started();
        log.opened();
        log.accepted();
        let wrap_up = Event::WrapUpStarted { contact: CONTACT, agent: ANNA, until: Millis(10_000) };
        log.write(Cause::Timer, vec![wrap_up]);
        log
    };
    let mut stays = in_wrap_up();
    let said = stays.entry(EntryKind::FromCustomer);
    let again = Event::Assigned { contact: CONTACT, agent: ANNA };
    let changes = stays.write(stays.said(), vec![Event::ContactReopened { contact: CONTACT }, again, said]);
    assert!(matches!(&changes[..], [(ANNA, Change::Contact(CONTACT)), (ANNA, Change::Entry { .. })]));
    assert_eq!(stays.contacts_of(ANNA)[0].wrap_up_until, None);

    let mut goes = in_wrap_up();
    let queued = goes.queued(QueuedWhy::Reopened);
    let changes = goes.write(goes.said(), vec![Event::ContactReopened { contact: CONTACT }, queued]);
    assert_eq!(changes, [(ANNA, Change::ContactGone { contact: CONTACT, why: "ended" })]);
    assert_eq!(goes.waiting(), 1);
}

#[test]
fn a_repeated_command_finds_its_answer() {
    let mut log = Log::started();
    log.opened();
    log.accepted();
    assert_eq!(log.floor.settled(ANNA, command(1)), Some(&DONE));
    assert_eq!(log.floor.settled(BEN, command(1)), None);
    assert_eq!(log.floor.settled(ANNA, command(7)), None);
    // The core answers a repetition alike; the desk that asked again hears it again.
    let repeated = log.asked(command(1), ANNA, Command::Accept { offer: offer(3) });
    let answer = Event::CommandSettled { command: command(1), outcome: Outcome::Done };
    let changes = log.write(repeated, vec![Event::DuplicateSkipped, answer]);
    assert_eq!(changes, [(ANNA, Change::Settled { command: command(1), answer: DONE })]);
    let refused = Outcome::Refused { refusal: Refusal::OfferEnded };
    let late = log.asked(command(8), BEN, Command::Accept { offer: offer(3) });
    log.write(late, vec![Event::CommandSettled { command: command(8), outcome: refused.clone() }]);
    assert_eq!(log.floor.settled(BEN, command(8)), Some(&Answer::Routing(refused)));
}

#[test]
fn a_floor_of_many_shows_who_is_there_and_the_others_are_found_by_name() {
    let mut log = Log::started();
    let total = COLLEAGUES_SHOWN_MAX + 100;
    log.crowd(total);
    let last = AgentId(uuid::Uuid::from_u128(total as u128));
    let online = Event::PresenceChanged { agent: last, presence: Presence::Online, reason: None };
    log.write(Cause::Timer, vec![Event::AgentConnected { agent: last, gateway: GATEWAY }, online]);
    let floor = log.floor.floor();
    assert_eq!((floor.colleagues.len(), floor.more), (COLLEAGUES_SHOWN_MAX, 100));
    let there: Vec<_> = floor.colleagues.iter().filter(|one| one.is_there).map(|one| one.agent).collect();
    assert_eq!(there, [last, ANNA], "who is there is among them, by title");
    let titles: Vec<_> = floor.colleagues.iter().skip(2).map(|one| &*one.title).collect();
    assert!(titles.is_sorted());

    let named = |words: &str| log.floor.colleagues_named(ANNA, words);
    let (found, more) = named(" AGENT 0250 ");
    assert_eq!((found.len(), more, &*found[0].title), (1, 0, "Agent 0250"));
    assert!(!floor.colleagues.contains(&found[0]), "one whom the frame does not hold");
    let (found, more) = named("");
    assert_eq!((found.len(), more as usize), (COLLEAGUES_FOUND_MAX, total - 1 - COLLEAGUES_FOUND_MAX));
    assert!(found.iter().all(|one| one.agent != ANNA), "oneself is no colleague");
    assert_eq!(named("nobody"), (Vec::new(), 0));
}

#[test]
fn names_are_sought_and_mentioned_without_accents_and_as_a_whole() {
    let mut log = Log::started();
    let agent = |n, title: &str, bot| Agent {
        title: title.to_owned(),
        bot,
        ..Agent::new(AgentId(uuid::Uuid::from_u128(n)), token(&format!("agent-{n}")))
    };
    let jose = agent(1, "José Ánder", false);
    let short = agent(2, "José", false);
    let helper = agent(3, "Helper", true);
    log.apply(vec![jose.clone(), short.clone(), helper]);
    let named = |words: &str| log.floor.colleagues_named(BEN, words).0.len();
    assert_eq!((named("jose"), named("JOSÉ"), named("ander"), named("josefine")), (1, 1, 1, 0));
    let mentioned = |text: &str, page: &[AgentId]| log.floor.mentioned_by(&folded(text), page);
    assert_eq!(mentioned("@jose ander, look; and @José too, @JOSE!", &[]), [jose.id, short.id]);
    assert_eq!(mentioned("ask @José Anders", &[]), [short.id], "Anders is no part of a name");
    assert_eq!(mentioned("ask @José Ánder", &[short.id]), [jose.id], "the page knew only the shorter name");
    assert_eq!(mentioned("ask @José Ánder and @José", &[short.id]), [short.id, jose.id]);
    assert_eq!(
        mentioned("ask somebody", &[short.id]),
        [short.id],
        "a page may mean whom it does not write out"
    );
    for nobody in ["mail shop@jose.example", "@Josefine", "@", "nobody", "@Helper", "@@", "@ José"] {
        assert_eq!(mentioned(nobody, &[]), [], "{nobody}");
    }
    assert_eq!(folded("ΝΊΚΟΣ"), folded("νίκος"));
    // Called alike: only the page can know who is meant.
    let double = agent(4, "Jose", false);
    log.apply(vec![jose, short, double.clone()]);
    let mentioned = |text: &str, page: &[AgentId]| log.floor.mentioned_by(&folded(text), page);
    assert_eq!(mentioned("@José", &[]), []);
    assert_eq!(mentioned("@José", &[double.id]), [double.id]);
    // More than one note may mention; those who stand first are.
    log.crowd(20);
    let mentioned = |text: &str, page: &[AgentId]| log.floor.mentioned_by(&folded(text), page);
    let all: String = (3..=20).map(|n| format!("@Agent {n:04} ")).collect();
    let first: Vec<_> = (3..11).map(|n| AgentId(uuid::Uuid::from_u128(n))).collect();
    assert_eq!(mentioned(&all, &[]), first);
    assert_eq!(mentioned("@José", &[]), [], "who was taken out is nobody's colleague any more");
}

#[test]
fn presence_and_names_reach_the_floor() {
    let mut log = Log::started();
    let there = |log: &Log| log.floor.floor().colleagues.iter().map(|each| each.is_there).collect::<Vec<_>>();
    assert_eq!(there(&log), [true, false]);
    assert_eq!(log.floor.link_of(ANNA), Some(Some(GATEWAY)));
    assert_eq!(log.floor.connected_through(GATEWAY).collect::<Vec<_>>(), [ANNA]);
    let version = log.floor.floor_version();
    log.write(Cause::Timer, vec![Event::AgentDisconnected { agent: ANNA, reclaim_at: Millis(1) }]);
    assert_eq!((there(&log), log.floor.link_of(ANNA)), (vec![false, false], Some(None)));
    assert_ne!(log.floor.floor_version(), version);
    let away =
        Event::PresenceChanged { agent: ANNA, presence: Presence::Away, reason: Some("missed_offer".into()) };
    assert_eq!(log.write(Cause::Timer, vec![away]), [(ANNA, Change::Presence)]);
    assert_eq!(log.floor.presence_of(ANNA), (Presence::Away, None, Some("missed_offer".to_owned())));
    // Ben is taken out: gone from the floor, but old entries keep his name.
    let changes = log.configure(&["Annabel"]);
    assert_eq!(changes, [(ANNA, Change::Configured), (BEN, Change::Configured)]);
    assert_eq!(there(&log), [false]);
    assert_eq!(
        (log.floor.title_of(ANNA).as_deref(), log.floor.title_of(BEN).as_deref()),
        (Some("Annabel"), Some("Ben"))
    );
    assert_eq!(log.floor.link_of(BEN), None);
}

#[test]
fn a_contact_keeps_its_latest_entries() {
    let mut log = Log::started();
    log.opened();
    log.accepted();
    for _ in 0..ENTRIES_PER_CONTACT_MAX {
        let more = log.entry(EntryKind::FromCustomer);
        log.write(log.said(), vec![more]);
    }
    let kept = seqs(&log.contacts_of(ANNA)[0].entries);
    assert_eq!((kept.len(), kept.first(), kept.last()), (ENTRIES_PER_CONTACT_MAX, Some(&3), Some(&202)));
}

#[test]
fn whoever_is_mentioned_is_told_and_reads_until_the_contact_ends() {
    let mut log = Log::started();
    log.opened();
    log.accepted();
    let note = log.entry(EntryKind::Note { agent: ANNA });
    let mentioned = |seq| Event::Mentioned {
        contact: CONTACT,
        conversation: CONVERSATION,
        seq,
        by: ANNA,
        agents: vec![BEN],
    };
    // Ben leads here and reads everything anyway: he does not for this.
    log.floor.seats.get_mut(&BEN).unwrap().authority = Authority::default();
    assert_eq!(log.floor.readable(BEN, 9), []);
    let changes = log.write(Cause::Timer, vec![note, mentioned(3)]);
    assert!(changes.contains(&(BEN, Change::Mentions)));
    assert_eq!(log.floor.readable(BEN, 9).first(), Some(&CONVERSATION));
    let shown = log.floor.state_of(BEN, Lacks::All).mentions;
    assert_eq!(shown.len(), 1);
    assert_eq!((shown[0].seq, shown[0].by.as_str(), shown[0].contact), (3, "Anna", CONTACT));
    let read = || vec![Event::MentionsRead { contact: CONTACT, agent: BEN }];
    assert_eq!(log.write(Cause::Timer, read()), [(BEN, Change::Mentions)]);
    assert_eq!(log.write(Cause::Timer, read()), [], "there is nothing new");
    assert_eq!(log.floor.state_of(BEN, Lacks::All).mentions, []);
    assert_eq!(log.floor.readable(BEN, 9), [CONVERSATION], "as long as it is open");
    log.write(Cause::Timer, vec![Event::Resolved { contact: CONTACT, agent: ANNA }]);
    assert_eq!(log.floor.readable(BEN, 9), []);
    log.write(Cause::Timer, vec![mentioned(4)]);
    assert_eq!(log.floor.mentions_of(BEN).len(), 1, "it is news all the same");
    assert_eq!(log.floor.readable(BEN, 9), [], "nobody looked, and the contact has ended");
    for n in 0..=protocol::limits::MENTIONS_PER_AGENT_MAX as u64 {
        log.write(Cause::Timer, vec![mentioned(n)]);
    }
    let shown = log.floor.mentions_of(BEN);
    assert_eq!(shown.len(), protocol::limits::MENTIONS_PER_AGENT_MAX);
    assert_eq!(shown.last().unwrap().seq, 1, "the oldest is dropped");
}

#[test]
fn a_mention_that_nobody_looked_at_gives_no_right_past_the_end() {
    let mut log = Log::started();
    log.opened();
    log.accepted();
    log.floor.seats.get_mut(&BEN).unwrap().authority = Authority::default();
    let note = log.entry(EntryKind::Note { agent: ANNA });
    let (contact, conversation, by, agents) = (CONTACT, CONVERSATION, ANNA, vec![BEN]);
    let mentioned = Event::Mentioned { contact, conversation, seq: 3, by, agents };
    log.write(Cause::Timer, vec![note, mentioned]);
    assert_eq!(log.floor.readable(BEN, 9), [CONVERSATION]);
    log.write(Cause::Timer, vec![Event::Resolved { contact, agent: ANNA }]);
    assert_eq!(log.floor.mentions_of(BEN).len(), 1);
    assert_eq!(log.floor.readable(BEN, 9), []);
}

#[test]
fn who_serves_a_queue_sees_what_waits_in_it() {
    let mut log = Log::started();
    let mut events = log.opening();
    events.pop();
    log.write(log.said(), events);
    let now = Millis(9_000);
    let (line, more) = log.floor.line(ANNA, now);
    assert_eq!((line.len(), more), (1, 0));
    assert_eq!((line[0].contact, line[0].queue.as_str(), line[0].priority), (CONTACT, "General", 0));
    let marked = Event::ContactMarked {
        contact: CONTACT,
        conversation: CONVERSATION,
        tags: [token("vip")].into(),
        fields: [(token("cause"), token("shop"))].into(),
    };
    log.write(Cause::Timer, vec![marked]);
    assert_eq!(log.floor.line(ANNA, now).0[0].tags, [token("vip")].into());
    let preferred = Some(protocol::record::Preferred { agent: BEN, until: Millis(60_000) });
    let Event::Queued { contact, queue, priority, needs, since, why, .. } = log.queued(QueuedWhy::Reopened)
    else {
        panic!("queued")
    };
    log.write(Cause::Timer, vec![Event::Queued { contact, queue, priority, needs, since, preferred, why }]);
    assert_eq!(log.floor.line(ANNA, now).0, [], "it is kept for Ben");
    assert_eq!(log.floor.line(BEN, now).0.len(), 1);
    log.write(Cause::Timer, vec![Event::PreferenceEnded { contact: CONTACT }]);
    assert_eq!(log.floor.line(ANNA, now).0.len(), 1);
    log.write(Cause::Timer, vec![offered(ANNA, 3)]);
    assert_eq!(log.floor.line(BEN, now).0, [], "somebody is asked");
    assert_eq!(log.floor.offer_picture(offer(3)).unwrap().tags, [token("vip")].into());
    log.accepted();
    let [held] = &log.contacts_of(ANNA)[..] else { panic!("one contact") };
    assert_eq!((held.tags.clone(), held.fields.len()), ([token("vip")].into(), 1));
}

#[test]
fn a_customer_who_is_not_heard_is_marked_and_counted() {
    let mut log = Log::started();
    log.opened();
    log.accepted();
    let warned = log.entry(EntryKind::Warned { agent: ANNA });
    log.write(Cause::Timer, vec![warned]);
    let blocked = Event::CustomerBlocked {
        identity: CUSTOMER,
        contact: CONTACT,
        queue: token("general"),
        by: BEN,
        until: Millis(90_000),
        reason: token("threats"),
    };
    assert_eq!(log.write(Cause::Timer, vec![blocked]), [(ANNA, Change::Contact(CONTACT))]);
    let [held] = &log.contacts_of(ANNA)[..] else { panic!("one contact") };
    assert_eq!((held.warnings, held.blocked_until), (1, Some(Millis(90_000))));
    let floor = |scope: &[&str]| {
        let scope = scope.iter().map(|name| token(name)).collect();
        let authority = Authority { role: protocol::config::Role::Lead, scope };
        let floor = log.floor.supervised(Millis(9_000), &authority, &Sought::default());
        serde_json::to_value(&floor).unwrap()["blocks"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((floor(&[]), floor(&["general"]), floor(&["other"])), (1, 1, 0));
    log.write(Cause::Timer, vec![Event::CustomerUnblocked { identity: CUSTOMER, by: None }]);
    let [held] = &log.contacts_of(ANNA)[..] else { panic!("one contact") };
    assert_eq!(held.blocked_until, None);
}
