mod scan;

use std::collections::BTreeSet;
use std::path::Path;

use protocol::limits::{SEARCH_CONVERSATIONS_MAX, SEARCH_HITS_MAX, SEARCH_RANKED_MAX};
use protocol::search::Said;
use protocol::{AgentId, ChannelKind, ContactId, Hash128, IdentityId, SubjectToken};

use super::index::Words;
use super::*;
use crate::store::{Origin, Row, Store, connect_reader};

fn conversation(n: u64) -> ConversationId {
    ConversationId { log_seq: n, n: 0 }
}

fn identity(n: u64) -> IdentityId {
    IdentityId(Hash128(u128::from(n).to_be_bytes()))
}

fn agent(n: u64) -> AgentId {
    AgentId(uuid::Uuid::from_u128(u128::from(n)))
}

fn channel(n: u64) -> ChannelKind {
    if n.is_multiple_of(2) { ChannelKind::Api } else { ChannelKind::Web }
}

/// The `seq`th record, in which something is said in the `n`th conversation.
fn said(seq: u64, n: u64, by: Option<u64>, text: &str) -> Row<Spoken> {
    let opened = vec![(conversation(n), identity(n), channel(n))];
    let words = Words {
        conversation: conversation(n),
        contact: ContactId { log_seq: n, n: 1 },
        seq,
        at: Millis(1_000 * seq),
        said: if by.is_some() { Said::Agent } else { Said::Customer },
        agent: by.map(agent),
        key: (identity(n), 1),
        text: text.to_owned(),
        name: None,
    };
    Row {
        origin: Origin::new(seq, 5_000 + seq, None),
        record: Spoken { opened, words: vec![words], tagged: Vec::new() },
    }
}

struct Given {
    folder: tempfile::TempDir,
    store: Store<Search>,
    reader: Connection,
}

fn given(rows: &[Row<Spoken>]) -> Given {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("search.sqlite");
    let mut store = Store::<Search>::open(path.clone()).unwrap();
    store.apply(rows).unwrap();
    let reader = connect_reader(&path).unwrap();
    Given { folder, store, reader }
}

impl Given {
    fn ask(&mut self, question: &SearchQuestion) -> SearchAnswer {
        search(&mut self.reader, question).unwrap()
    }

    fn found(&mut self, question: &SearchQuestion) -> Vec<u64> {
        self.ask(question).hits.iter().map(|hit| hit.seq).collect()
    }
}

fn newest(words: &str) -> SearchQuestion {
    let order = SearchOrder::Newest;
    SearchQuestion { words: words.to_owned(), order, limit: 50, ..SearchQuestion::default() }
}

fn best(words: &str) -> SearchQuestion {
    SearchQuestion { order: SearchOrder::Best, ..newest(words) }
}

#[test]
fn a_hit_tells_where_who_when_and_around_what() {
    let mut first = said(1, 1, None, "The hydraulic brake of my bicycle leaks");
    first.record.words[0].name = Some("Jacoba Verkerk".to_owned());
    let mut again = said(2, 1, None, "It leaks on the doormat");
    again.record.words[0].name = Some("Jacoba Verkerk".to_owned());
    let mut given = given(&[first, again, said(3, 1, Some(9), "We collect the BRAKE")]);
    let answer = given.ask(&newest("brake"));
    assert_eq!((answer.log_seq, answer.hits.len(), answer.next), (3, 2, None));
    let [by_agent, by_customer] = answer.hits.as_slice() else { panic!("{answer:?}") };
    assert_eq!((by_agent.seq, by_agent.said, by_agent.agent), (3, Said::Agent, Some(agent(9))));
    assert_eq!(by_customer.contact, ContactId { log_seq: 1, n: 1 });
    assert_eq!((by_customer.at, by_customer.channel), (Millis(1_000), ChannelKind::Web));
    assert_eq!((by_customer.said, by_customer.agent), (Said::Customer, None));
    assert_eq!(by_agent.customer_name.as_deref(), Some("Jacoba Verkerk"));
    let part = |text: &str, marked| SnippetPart { text: text.to_owned(), marked };
    let snippet = [part("The hydraulic ", false), part("brake", true), part(" of my bicycle leaks", false)];
    assert_eq!(by_customer.snippet, snippet);
    assert_eq!(given.found(&newest("verkerk")), [1], "a name is kept where it was given first");
    assert_eq!(given.found(&newest("hydraulic verkerk")), [1]);
}

#[test]
fn words_phrases_beginnings_and_accents_are_found() {
    let mut given = given(&[
        said(1, 1, None, "The leaking brake"),
        said(2, 1, None, "A brake, leaking"),
        said(3, 1, None, "Zoë's crème brûlée"),
        said(4, 2, None, "breaking bad brakes"),
    ]);
    for (words, expected) in [
        ("leaking brake", vec![2, 1]),
        ("\"leaking brake\"", vec![1]),
        ("\"leaking bra\"*", vec![1]),
        ("brak*", vec![4, 2, 1]),
        ("brak", vec![]),
        ("b*", vec![]),
        ("zoe", vec![3]),
        ("CREME brulee", vec![3]),
        ("crème", vec![3]),
        ("brake nothing", vec![]),
        ("NOT brake", vec![]),
        ("cweb", vec![]),
        ("v1 OR brake", vec![]),
    ] {
        assert_eq!(given.found(&newest(words)), expected, "{words}");
    }
}

/// What people, and worse, may type.
const TYPED: &[&str] = &[
    "\"",
    "\"\"\"",
    "a\"",
    "*",
    "**",
    "a**",
    "\"a\"*\"",
    "(",
    ")",
    "()",
    "a)",
    "(a",
    "{a}",
    "{text}:a",
    "text:a",
    "text : a",
    "-a",
    "-text:a",
    "^a",
    "a^",
    "a+b",
    "a + b",
    "+",
    "AND",
    "a AND",
    "OR OR",
    "NOT",
    "NOT a",
    "NEAR",
    "NEAR()",
    "NEAR(a b, 2)",
    "NEAR/2",
    "rank",
    "words",
    "'",
    "''",
    "a'; --",
    "%",
    "_",
    "\\",
    "\u{0}",
    "a\u{0}b",
    "\u{2}a\u{3}",
    "Ⓐ",
    "Ⓐ b",
    "b Ⓐ*",
    "\"Ⓐ\"*",
    "e\u{301}",
    "\u{301}",
    "\u{301} a",
    "漢字",
    "漢*",
    "🚲",
    "\u{202e}abc",
    "٣",
    "½",
    "a\nb\tc",
    ":",
    "::",
    "a:b:c",
    ",",
    ".",
    "a.b@c.d",
    "+31 6 5550 1447",
];

#[test]
fn nothing_that_is_typed_is_an_error() {
    let mut given = given(&[said(1, 1, None, "NEAR and far, text: yes; \"quoted\"")]);
    for words in TYPED {
        for question in [newest(words), best(words)] {
            let answer = given.ask(&question);
            assert!(answer.hits.len() <= 1, "{words:?}");
        }
    }
    assert_eq!(given.ask(&newest("?!")).refusal, Some(SearchRefusal::NoWords));
    assert_eq!(given.found(&newest("near text \"quoted\"")), [1]);
}

#[test]
fn filters_hold_together() {
    let rows: Vec<_> =
        (1..=40).map(|seq| said(seq, seq % 4 + 1, (seq % 3 == 0).then_some(seq % 2 + 1), "tring")).collect();
    let mut given = given(&rows);
    let all = |question: SearchQuestion, given: &mut Given| -> BTreeSet<u64> {
        given.found(&question).into_iter().collect()
    };
    let expect = |holds: &dyn Fn(u64) -> bool| (1..=40).filter(|seq| holds(*seq)).collect::<BTreeSet<u64>>();
    let q = || newest("tring");
    let by_channel = SearchQuestion { channel: Some(ChannelKind::Api), ..q() };
    assert_eq!(all(by_channel, &mut given), expect(&|seq| (seq % 4 + 1) % 2 == 0));
    let by_agent = SearchQuestion { agent: Some(agent(2)), ..q() };
    assert_eq!(all(by_agent, &mut given), expect(&|seq| seq % 3 == 0 && seq % 2 == 1));
    let unknown = SearchQuestion { agent: Some(agent(77)), ..q() };
    assert_eq!(all(unknown, &mut given), expect(&|_| false));
    let in_time = SearchQuestion { from: Some(Millis(9_500)), to: Some(Millis(20_000)), ..q() };
    assert_eq!(all(in_time, &mut given), expect(&|seq| (10..=20).contains(&seq)));
    for (from, to) in [(50_000, 60_000), (0, 500), (20_000, 9_000)] {
        let outside = SearchQuestion { from: Some(Millis(from)), to: Some(Millis(to)), ..q() };
        assert_eq!(all(outside, &mut given), expect(&|_| false));
    }
    let of_customer = SearchQuestion { identity: Some(identity(3)), ..q() };
    assert_eq!(all(of_customer, &mut given), expect(&|seq| seq % 4 + 1 == 3));
    let within = |ids: &[u64]| Some(ids.iter().map(|n| conversation(*n)).collect::<Vec<_>>());
    let some = SearchQuestion { within: within(&[1, 2, 99]), ..q() };
    assert_eq!(all(some, &mut given), expect(&|seq| seq % 4 < 2));
    let none = SearchQuestion { within: within(&[]), ..q() };
    assert_eq!(all(none, &mut given), expect(&|_| false));
    let not_theirs = SearchQuestion { within: within(&[1]), identity: Some(identity(2)), ..q() };
    assert_eq!(all(not_theirs, &mut given), expect(&|_| false));
    let at_most: Vec<u64> = (1..=u64::try_from(SEARCH_CONVERSATIONS_MAX).unwrap()).collect();
    let many = SearchQuestion { within: within(&at_most), ..best("tring") };
    assert_eq!(all(many, &mut given), expect(&|_| true), "at the limit");
    let past = SearchQuestion { within: within(&[at_most, vec![0]].concat()), ..q() };
    assert_eq!(given.ask(&past).refusal, Some(SearchRefusal::TooManyConversations));
}

#[test]
fn pages_follow_one_another_though_more_is_said() {
    let rows: Vec<_> = (1..=120)
        .map(|seq| said(seq, 1, None, if seq % 5 == 0 { "tring tring" } else { "tring and more" }))
        .collect();
    for order in [SearchOrder::Newest, SearchOrder::Best] {
        let mut given = given(&rows);
        let mut question = SearchQuestion { order, limit: 25, ..newest("tring") };
        let (mut seen, mut pages) = (Vec::new(), 0_u64);
        loop {
            let answer = given.ask(&question);
            seen.extend(answer.hits.iter().map(|hit| hit.seq));
            given.store.apply(&[said(121 + pages, 1, None, "tring tring")]).unwrap();
            pages += 1;
            let Some(next) = answer.next else { break };
            question.cursor = Some(next);
        }
        assert_eq!((seen.len(), pages), (120, 5), "{order:?}");
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 120, "{order:?}: none twice");
        let expected: Vec<u64> = match order {
            SearchOrder::Newest => (1..=120).rev().collect(),
            SearchOrder::Best => {
                let (twice, once): (Vec<u64>, Vec<u64>) = (1..=120).rev().partition(|seq| seq % 5 == 0);
                [twice, once].concat()
            }
        };
        assert_eq!(seen, expected, "{order:?}");
    }
}

#[test]
fn a_page_has_its_limit_and_never_more() {
    let rows: Vec<_> = (1..=60).map(|seq| said(seq, 1, None, "tring")).collect();
    let mut given = given(&rows);
    for order in [SearchOrder::Newest, SearchOrder::Best] {
        let mut of = |limit| given.ask(&SearchQuestion { order, limit, ..newest("tring") }).hits.len();
        assert_eq!((of(0), of(1), of(50), of(51), of(u32::MAX)), (0, 1, 50, 50, SEARCH_HITS_MAX));
    }
}

#[test]
fn an_answer_fits_the_server() {
    let long = "tring ".repeat(2_700);
    let rows: Vec<_> = (1..=60).map(|seq| said(seq, 1, None, &long)).collect();
    let mut given = given(&rows);
    let answer = given.ask(&best("tring"));
    assert!(serde_json::to_vec(&answer).unwrap().len() < 1024 * 1024);
    let one_word = "x".repeat(16 * 1024);
    let mut given = self::given(&(1..=60).map(|seq| said(seq, 1, None, &one_word)).collect::<Vec<_>>());
    let answer = given.ask(&newest("xx*"));
    assert!(serde_json::to_vec(&answer).unwrap().len() < 1024 * 1024, "{}", answer.hits.len());
}

#[test]
fn more_than_are_weighed_is_said() {
    let count = u64::try_from(SEARCH_RANKED_MAX).unwrap();
    let rows: Vec<_> = (1..=count).map(|seq| said(seq, 1, None, "tring")).collect();
    let mut given = given(&rows);
    let answer = given.ask(&best("tring"));
    assert!(!answer.is_cut, "at the limit");
    given.store.apply(&[said(count + 1, 1, None, "tring")]).unwrap();
    let answer = given.ask(&best("tring"));
    assert!(answer.is_cut && answer.hits[0].seq == count + 1);
    let last = SearchQuestion {
        cursor: Some(SearchCursor { upto: count + 1, skip: u32::try_from(count).unwrap() - 1 }),
        ..best("tring")
    };
    let answer = given.ask(&last);
    assert_eq!((answer.hits.len(), answer.next), (1, None), "what was not weighed is on no page");
}

/// Whether a file or what belongs to it holds these bytes.
fn holds(folder: &Path, word: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        bytes.windows(word.len()).any(|window| window == word.as_bytes())
    })
}

#[test]
fn a_destroyed_key_takes_its_words_out_of_the_file() {
    // Enough for several segments and pages of the index, so that the word stands in their inner parts too.
    let mut rows = Vec::new();
    for seq in 1..=3_000_u64 {
        let n = seq % 50 + 1;
        let text = format!("secret{n}word{seq}x and common words of number {seq}");
        let mut row = said(seq, n, None, &text);
        row.record.words[0].name = Some(format!("Namely{n}"));
        rows.push(row);
    }
    let mut given = given(&[]);
    for some in rows.chunks(500) {
        given.store.apply(some).unwrap();
    }
    assert!(given.store.empty_journal().unwrap());
    assert!(holds(given.folder.path(), "secret7word") && holds(given.folder.path(), "Namely7"));
    assert_eq!(given.found(&newest("namely7")).len(), 1);
    for n in [7_u64, 11, 50] {
        let gone = forget(&mut given.store, identity(n), 1).unwrap();
        assert_eq!(gone, 60);
    }
    assert!(
        wipe(&mut given.store).unwrap() > 0,
        "the index has such borders: else this test shows nothing of them"
    );
    assert_eq!(wipe(&mut given.store).unwrap(), 0);
    assert!(given.store.empty_journal().unwrap());
    for word in ["secret7word", "Namely7", "namely7", "secret11word", "Namely11", "secret50word"] {
        assert!(!holds(given.folder.path(), word), "{word} is still in the file");
    }
    // The index writes a term without what it shares with the term before: its end would be left.
    for seq in (6..=3_000).step_by(50) {
        assert!(!holds(given.folder.path(), &format!("word{seq}x")), "word{seq}x");
    }
    assert!(given.found(&newest("namely7")).is_empty() && given.found(&newest("secret7*")).is_empty());
    assert_eq!(given.found(&newest("namely8")).len(), 1, "others stay");
    assert_eq!(given.found(&newest("common 2956")), [] as [u64; 0]);
    assert_eq!(given.found(&newest("common 2998")), [2_998]);
    // All others are still found by words that stood beside the borders.
    for seq in (1..=3_000_u64).filter(|seq| ![7, 11, 50].contains(&(seq % 50 + 1))).step_by(7) {
        let word = format!("secret{}word{seq}x", seq % 50 + 1);
        assert_eq!(given.found(&newest(&word)), [seq], "{word}");
    }
    let sound = given.store.change(|tx| {
        tx.execute("INSERT INTO words (words) VALUES ('integrity-check')", [])?;
        Ok(())
    });
    sound.unwrap();
}

#[test]
fn what_was_opened_before_its_key_was_destroyed_gets_in_no_more() {
    let mut given = given(&[said(1, 1, None, "first")]);
    forget(&mut given.store, identity(1), 1).unwrap();
    given.store.apply(&[said(2, 1, None, "second")]).unwrap();
    let mut renewed = said(3, 1, None, "third");
    renewed.record.words[0].key.1 = 2;
    given.store.apply(&[renewed]).unwrap();
    assert!(given.found(&newest("first")).is_empty() && given.found(&newest("second")).is_empty());
    assert_eq!(given.found(&newest("third")), [3], "a new key is another one");
    // An older erasure that is heard again takes nothing of the new key.
    forget(&mut given.store, identity(1), 1).unwrap();
    assert_eq!(given.found(&newest("third")), [3]);
    forget(&mut given.store, identity(1), u32::MAX).unwrap();
    assert!(given.found(&newest("third")).is_empty());
    forget(&mut given.store, identity(99), 1).unwrap();
}

#[test]
fn a_tag_is_searched_by_as_long_as_the_contact_has_it() {
    let tag = |name: &str| SubjectToken::new(name).unwrap();
    let tagged = |seq: u64, contact: u64, tags: &[&str]| {
        let tags = tags.iter().map(|name| tag(name)).collect();
        let tagged = vec![(conversation(contact), ContactId { log_seq: contact, n: 1 }, tags)];
        Row { origin: Origin::new(seq, 5_000 + seq, None), record: Spoken { tagged, ..Spoken::default() } }
    };
    let mut given = given(&[
        said(1, 1, None, "tring one"),
        said(2, 2, None, "tring two"),
        tagged(3, 1, &["vip", "very-late"]),
        said(4, 1, None, "tring three"),
    ]);
    let by = |name: &str| SearchQuestion { tag: Some(tag(name)), ..newest("tring") };
    assert_eq!(given.found(&by("vip")), [4, 1], "what was said before and after");
    assert_eq!(given.found(&by("very-late")), [4, 1]);
    assert_eq!(given.found(&by("late")), [0_u64; 0]);
    given.store.apply(&[tagged(5, 1, &["very-late"]), tagged(6, 2, &["vip"])]).unwrap();
    assert_eq!(given.found(&by("vip")), [2]);
    assert_eq!(given.found(&by("very-late")), [4, 1]);
    assert_eq!(given.found(&newest("tring")), [4, 2, 1], "words are found as before");
}
