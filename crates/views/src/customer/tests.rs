use proptest::prelude::*;
use protocol::command::{AgentCommand, Begin};
use protocol::content::Sealed;
use protocol::customer::{CustomerKeys, CustomerWish};
use protocol::input::{CustomerMessage, Input, WIRE_VERSION};
use protocol::{ChannelKind, Command, CommandId, ContactId, ConversationId, MessageId, SubjectToken};
use uuid::Uuid;

use super::*;
use crate::fold::Conversations;
use crate::store::{Origin, Row, Store, connect_reader};

/// The log of a few customers, folded as it grows.
struct Given {
    _folder: tempfile::TempDir,
    store: Store<Conversations>,
    reader: Connection,
    seq: u64,
}

fn identity(n: u8) -> IdentityId {
    IdentityId(Hash128([n; 16]))
}

/// Far from all identities, so that no link has the name of another by chance.
fn key(n: u8) -> Hash128 {
    let mut bits = [0xc0; 16];
    bits[0] = n;
    Hash128(bits)
}

fn conversation(n: u8) -> ConversationId {
    ConversationId { log_seq: u64::from(n), n: 0 }
}

fn keys(verified: &[u8], claimed: &[u8]) -> Option<Box<CustomerKeys>> {
    let hashes = |those: &[u8]| those.iter().map(|n| key(*n)).collect();
    Some(Box::new(CustomerKeys { verified: hashes(verified), claimed: hashes(claimed) }))
}

impl Given {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("views.sqlite");
        let store = Store::<Conversations>::open(path.clone()).unwrap();
        let reader = connect_reader(&path).unwrap();
        Self { _folder: folder, store, reader, seq: 0 }
    }

    fn record(&mut self, body: InputBody, events: Vec<Event>) {
        self.seq += 1;
        let cause =
            Cause::Input { seq: self.seq, input: Input { v: WIRE_VERSION, made_at: Millis(1), body } };
        let at = Millis(1000 + self.seq);
        let record = Record { v: WIRE_VERSION, at, epoch: 1, policy: Hash128([0; 16]), cause, events };
        let row = Row { origin: Origin::new(self.seq, self.seq, Some("id")), record };
        self.store.apply(&[row]).unwrap();
    }

    /// The identity of this number writes in its one conversation.
    fn writes(&mut self, n: u8, keys: Option<Box<CustomerKeys>>) {
        let seen = self.ask(n).timeline.iter().filter(|one| one.conversation == conversation(n)).count();
        let contact = ContactId { log_seq: u64::from(n), n: 1 };
        let mut events = Vec::new();
        if seen == 0 {
            let (channel, account) = (ChannelKind::Web, SubjectToken::new("shop").unwrap());
            let (conversation, identity) = (conversation(n), identity(n));
            events.push(Event::ConversationOpened { conversation, identity, channel, account, thread: None });
        }
        let (conversation, seq) = (conversation(n), u64::try_from(seen).unwrap() + 1);
        events.push(Event::EntryAdded { conversation, contact, seq, entry: EntryKind::FromCustomer });
        self.record(self.message(n, keys), events);
    }

    fn message(&self, n: u8, keys: Option<Box<CustomerKeys>>) -> InputBody {
        InputBody::Message(CustomerMessage {
            keys,
            ..CustomerMessage::new(
                MessageId(Uuid::from_u128(u128::from(self.seq))),
                ChannelKind::Web,
                SubjectToken::new("shop").unwrap(),
                identity(n),
                Hash128([1; 16]),
                Hash128([2; 16]),
                Sealed::from_parts(identity(n), 1, "words"),
            )
        })
    }

    fn says(&mut self, wish: CustomerWish, change: CustomerChange) {
        let agent = AgentId(Uuid::from_u128(1));
        let contact = ContactId { log_seq: 1, n: 1 };
        let id = CommandId(Uuid::from_u128(u128::from(self.seq)));
        let command = Command::ChangeCustomer { contact, wish };
        let asked = InputBody::Command(AgentCommand { id, agent, command });
        self.record(asked, vec![Event::CustomerChanged { contact, agent, change }]);
    }

    fn links(&mut self, one: u8, other: u8) -> LinkId {
        let link = LinkId::of_command(CommandId(Uuid::from_u128(u128::from(self.seq) + 1_000_000)));
        let (one, other) = (identity(one), identity(other));
        self.says(CustomerWish::Link { identity: other }, CustomerChange::Linked { link, one, other });
        link
    }

    fn parts(&mut self, link: LinkId) {
        self.says(CustomerWish::Part { link }, CustomerChange::Parted { link });
    }

    fn ask(&mut self, n: u8) -> CustomerAnswer {
        let question = CustomerQuestion { conversation: conversation(n), before: None, limit: 200 };
        customer(&mut self.reader, &question).unwrap()
    }

    /// The numbers of the identities that this one is one customer with.
    fn with(&mut self, n: u8) -> Vec<u8> {
        let mut all: Vec<u8> = self.ask(n).identities.iter().map(|one| one.identity.0.0[0]).collect();
        all.sort_unstable();
        all
    }

    fn suggested(&mut self, n: u8) -> Vec<u8> {
        self.ask(n).suggestions.iter().map(|one| one.identity.identity.0.0[0]).collect()
    }

    /// What the timeline of this one shows: of whom, and which entry.
    fn shows(&mut self, n: u8) -> Vec<(u64, u64)> {
        self.ask(n).timeline.iter().map(|one| (one.conversation.log_seq, one.entry.seq)).collect()
    }
}

#[test]
fn what_was_verified_joins_and_what_was_only_said_is_a_suggestion() {
    let mut given = Given::new();
    given.writes(1, keys(&[7], &[]));
    given.writes(2, keys(&[7], &[]));
    given.writes(3, keys(&[], &[7]));
    given.writes(4, None);
    assert_eq!(given.with(1), [1, 2]);
    assert_eq!(given.shows(2), [(1, 1), (2, 1)]);
    assert_eq!(given.suggested(1), [3]);
    assert_eq!((given.with(3), given.suggested(3)), (vec![3], vec![1, 2]));
    assert_eq!((given.with(4), given.suggested(4)), (vec![4], vec![]));
    given.writes(3, keys(&[7], &[]));
    assert_eq!(given.with(4), [4]);
    assert_eq!(given.with(3), [1, 2, 3], "by now it was verified");
}

#[test]
fn who_only_says_the_same_is_never_joined() {
    let mut given = Given::new();
    given.writes(1, keys(&[], &[7]));
    given.writes(2, keys(&[], &[7]));
    assert_eq!((given.with(1), given.suggested(1)), (vec![1], vec![2]));
}

#[test]
fn a_suggestion_that_was_declined_does_not_come_again_and_parts_nobody_else() {
    let mut given = Given::new();
    given.writes(1, keys(&[7], &[]));
    given.writes(2, keys(&[7], &[]));
    given.writes(3, keys(&[], &[7]));
    assert_eq!(given.suggested(3), [1, 2]);
    let link = given.ask(3).suggestions[0].link;
    given.parts(link);
    assert_eq!(given.suggested(3), [2], "one was said to be somebody else");
    assert_eq!(given.suggested(1), Vec::<u8>::new(), "from the other side too");
    assert_eq!(given.with(1), [1, 2], "what was verified stands");
    given.links(3, 1);
    assert_eq!(given.with(2), [1, 2, 3], "until a person says otherwise");
}

#[test]
fn who_was_verified_by_mistake_leaves_and_the_others_stay_together() {
    let mut given = Given::new();
    for n in 1..=3 {
        given.writes(n, keys(&[7], &[]));
    }
    let links = given.ask(1).links;
    assert_eq!(links.iter().map(|link| link.identity.0.0[0]).collect::<Vec<_>>(), [2, 3]);
    given.parts(links[0].link);
    assert_eq!((given.with(1), given.with(2)), (vec![1], vec![2, 3]));
    given.writes(1, keys(&[7], &[]));
    assert_eq!(given.with(1), [1], "the same again does not join again");
}

#[test]
fn what_is_said_twice_is_taken_back_once() {
    let mut given = Given::new();
    (1..=2).for_each(|n| given.writes(n, None));
    let link = given.links(1, 2);
    given.links(2, 1);
    assert_eq!(given.ask(1).links.len(), 1);
    given.parts(link);
    assert_eq!(given.with(1), [1]);
    given.links(1, 2);
    assert_eq!(given.with(1), [1, 2], "and can be said again");
}

#[test]
fn what_very_many_say_of_themselves_suggests_nobody() {
    let mut given = Given::new();
    let most = u8::try_from(KNOWN_BY_MAX).unwrap();
    for n in 1..=most {
        given.writes(n, keys(&[], &[7]));
    }
    assert_eq!(given.suggested(1).len(), SUGGESTIONS_MAX);
    given.writes(most + 1, keys(&[], &[7]));
    assert_eq!(given.suggested(1), Vec::<u8>::new());
}

#[test]
fn each_link_names_what_it_joins_and_why() {
    let mut given = Given::new();
    given.writes(1, keys(&[7], &[]));
    given.writes(2, keys(&[7, 8], &[]));
    given.writes(3, keys(&[8], &[]));
    given.writes(4, None);
    let link = given.links(3, 4);
    let of = |answer: CustomerAnswer| -> Vec<_> {
        answer.links.into_iter().map(|link| (link.identity.0.0[0], link.why)).collect()
    };
    let verified = |n| LinkWhy::Verified { key: key(n) };
    let agent = LinkWhy::Agent { agent: AgentId(Uuid::from_u128(1)), other: identity(3) };
    assert_eq!(of(given.ask(1)), [(2, verified(7)), (3, verified(8)), (4, agent)]);
    let answer = given.ask(1);
    given.parts(answer.links[1].link);
    assert_eq!((given.with(1), given.with(4)), (vec![1, 2], vec![3, 4]));
    given.parts(link);
    assert_eq!((given.with(3), given.with(4)), (vec![3], vec![4]));
}

#[test]
fn a_timeline_is_read_in_parts_without_a_hole() {
    let mut given = Given::new();
    for n in 0..30 {
        given.writes(1 + n % 3, keys(&[7], &[]));
    }
    let mut before = None;
    let mut all = Vec::new();
    loop {
        let question = CustomerQuestion { conversation: conversation(2), before, limit: 7 };
        let answer = customer(&mut given.reader, &question).unwrap();
        before = answer.timeline.first().map(|one| one.place);
        let part = answer.timeline.iter().map(|one| (one.conversation.log_seq, one.entry.seq));
        all.splice(0..0, part);
        if !answer.has_more {
            break;
        }
        assert_eq!(answer.timeline.len(), 7);
    }
    assert_eq!(all, given.shows(1));
    assert_eq!(all.len(), 30);
}

#[test]
fn who_was_written_to_first_has_their_own_first_words_once_they_answer() {
    let mut given = Given::new();
    let (conversation, identity) = (conversation(1), identity(1));
    let (channel, account) = (ChannelKind::Sms, SubjectToken::new("shop").unwrap());
    let contact = ContactId { log_seq: 1, n: 1 };
    let agent = AgentId(Uuid::from_u128(1));
    let begin = Begin {
        channel,
        account: account.clone(),
        identity,
        address: None,
        queue: SubjectToken::new("general").unwrap(),
        contact: None,
        message: MessageId(Uuid::from_u128(70)),
        body: Sealed::from_parts(identity, 1, "ours"),
    };
    let command = Command::Begin(Box::new(begin));
    let asked = InputBody::Command(AgentCommand { id: CommandId(Uuid::from_u128(7)), agent, command });
    let wrote = EntryKind::FromAgent { agent, bot: false };
    let opened = Event::ConversationOpened { conversation, identity, channel, account, thread: None };
    given.record(asked, vec![opened, Event::EntryAdded { conversation, contact, seq: 1, entry: wrote }]);
    assert!(given.ask(1).timeline[0].entry.body.is_some(), "an agent's words stand there");
    assert_eq!(given.ask(1).identities[0].sample, None);
    given.writes(1, None);
    given.writes(1, None);
    let sample = given.ask(1).identities[0].sample.clone().unwrap();
    assert_eq!((sample.seq, sample.kind), (2, EntryKind::FromCustomer));
    assert_eq!(sample.body, Some(Sealed::from_parts(identity, 1, "words")));
}

#[test]
fn what_was_not_taken_says_nothing_of_its_customer() {
    let mut given = Given::new();
    given.writes(1, keys(&[7], &[]));
    given.writes(2, None);
    let again = given.message(2, keys(&[7], &[]));
    given.record(again, vec![Event::DuplicateSkipped]);
    assert_eq!(given.with(1), [1]);
}

#[test]
fn nobody_is_asked_of_a_conversation_that_is_unknown_and_very_many_are_cut() {
    let mut given = Given::new();
    assert_eq!(given.ask(1), CustomerAnswer { log_seq: 0, ..CustomerAnswer::default() });
    let most = u8::try_from(IDENTITIES_MAX).unwrap();
    for n in 1..=most + 1 {
        given.writes(n, keys(&[7], &[]));
    }
    let answer = given.ask(1);
    assert_eq!((answer.identities.len(), answer.is_cut), (IDENTITIES_MAX, true));
}

/// What the rows are held against: which identities live links join, worked out anew from all that happened.
#[derive(Clone, Default)]
struct Book {
    known_by: BTreeSet<(u8, u8)>,
    links: BTreeMap<LinkId, (u8, u8)>,
    parted: BTreeSet<LinkId>,
}

impl Book {
    const IDENTITIES: u8 = 9;

    fn groups(&self) -> BTreeMap<u8, u8> {
        let mut group: BTreeMap<u8, u8> = (1..=Self::IDENTITIES).map(|n| (n, n)).collect();
        let is_live = |link: &LinkId| !self.parted.contains(link);
        let known = |n: &u8, k: &u8| is_live(&LinkId::of_key(identity(*n), key(*k)));
        let by_key = self.known_by.iter().flat_map(|(n, k)| {
            let others = self.known_by.iter().filter(move |(_, other)| other == k && known(n, k));
            others.filter(move |(m, k)| known(m, k)).map(move |(m, _)| (*n, *m))
        });
        let said = self.links.iter().filter(|(link, _)| is_live(link)).map(|(_, pair)| *pair);
        for (one, other) in by_key.chain(said) {
            let (from, to) = (group[&one], group[&other]);
            group.values_mut().filter(|each| **each == from).for_each(|each| *each = to);
        }
        group
    }

    fn with(&self, n: u8) -> Vec<u8> {
        let groups = self.groups();
        (1..=Self::IDENTITIES).filter(|other| groups[other] == groups[&n]).collect()
    }
}

fn check(given: &mut Given, book: &Book) {
    for n in 1..=Book::IDENTITIES {
        let with = book.with(n);
        assert_eq!(given.with(n), with, "who {n} is");
        let of = given.shows(n).into_iter().map(|(of, _)| u8::try_from(of).unwrap());
        assert_eq!(of.collect::<BTreeSet<_>>(), with.into_iter().collect(), "what {n} wrote");
    }
}

/// One thing that happens to who a customer is.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// An identity writes, and is verified to be known by this.
    Verified(u8, u8),
    /// An identity writes, and only says to be known by this.
    Claimed(u8, u8),
    /// An agent says of the nth suggestion to one that it is somebody else.
    Declined(u8, usize),
    /// An agent merges two.
    Merged(u8, u8),
    /// An agent takes away the nth link of one.
    Parted(u8, usize),
    /// An agent merges two, and undoes it.
    Mistaken(u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let one = || 1..=Book::IDENTITIES;
    prop_oneof![
        (one(), 0..5_u8).prop_map(|(one, key)| Step::Verified(one, key)),
        (one(), 0..5_u8).prop_map(|(one, key)| Step::Claimed(one, key)),
        (one(), 0..4_usize).prop_map(|(one, nth)| Step::Declined(one, nth)),
        (one(), one()).prop_map(|(one, other)| Step::Merged(one, other)),
        (one(), 0..8_usize).prop_map(|(one, nth)| Step::Parted(one, nth)),
        (one(), one()).prop_map(|(one, other)| Step::Mistaken(one, other)),
    ]
}

fn take(given: &mut Given, book: &mut Book, step: Step) {
    match step {
        Step::Verified(one, k) => {
            given.writes(one, keys(&[k], &[]));
            book.known_by.insert((one, k));
        }
        Step::Claimed(one, k) => given.writes(one, keys(&[], &[k])),
        Step::Declined(one, nth) => {
            let suggested = given.ask(one).suggestions;
            if let Some(suggestion) = suggested.get(nth % suggested.len().max(1)) {
                given.parts(suggestion.link);
                let again = given.ask(one).suggestions;
                assert!(again.iter().all(|other| other.identity != suggestion.identity), "{again:?}");
            }
        }
        Step::Merged(one, other) => {
            let link = given.links(one, other);
            let is_live = |(link, pair): (&LinkId, &(u8, u8))| {
                !book.parted.contains(link) && [(one, other), (other, one)].contains(pair)
            };
            if !book.links.iter().any(is_live) {
                book.links.insert(link, (one, other));
            }
        }
        Step::Parted(one, nth) => {
            let links = given.ask(one).links;
            if let Some(link) = links.get(nth % links.len().max(1)) {
                given.parts(link.link);
                book.parted.insert(link.link);
            }
        }
        Step::Mistaken(one, other) => {
            let before: Vec<_> = (1..=Book::IDENTITIES).map(|n| given.ask(n)).collect();
            let link = given.links(one, other);
            given.parts(link);
            for (n, before) in (1..=Book::IDENTITIES).zip(before) {
                let after = given.ask(n);
                assert_eq!(
                    CustomerAnswer { log_seq: after.log_seq, ..before },
                    after,
                    "as if it had not been"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Merges and un-merges in any order, by agents and by what is verified meanwhile: always who live links join, and a merge
    /// that is undone leaves exactly what would have been without it.
    #[test]
    fn merging_and_parting_in_any_order_leaves_what_live_links_join(
        steps in proptest::collection::vec(step(), 1..25),
    ) {
        let (mut given, mut book) = (Given::new(), Book::default());
        (1..=Book::IDENTITIES).for_each(|n| given.writes(n, None));
        for step in steps {
            take(&mut given, &mut book, step);
            check(&mut given, &book);
        }
    }
}
