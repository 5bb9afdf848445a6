//! How fast words are found among many: `winterband bench search`, and the example `search` of this crate.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use protocol::search::{SearchOrder, SearchQuestion};
use protocol::{AgentId, ChannelKind, ContactId, ConversationId, Hash128, IdentityId, Millis};
use serde::Serialize;

use crate::search::{Search, Spoken, forget, search, wipe};
use crate::store::{Origin, Row, Store, connect_reader};

/// Words that messages are made of; a few are in every message, most are rare, as in a language.
const VOCABULARY: u64 = 60_000;
/// Messages of one conversation.
const MESSAGES_EACH: u64 = 5;
/// Words of the shortest and of the longest message.
const WORDS: (u64, u64) = (4, 36);
const AGENTS: u64 = 500;
/// Messages folded in one transaction.
const BATCH: u64 = 500;
/// Questions of each kind.
const QUESTIONS: usize = 60;

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// How many messages were searched.
    pub messages: u64,
    /// How many were indexed in a second.
    pub indexed_per_s: u64,
    /// The size of the file, bytes.
    pub file_bytes: u64,
    /// The bytes of the words in it.
    pub words_bytes: u64,
    /// How long questions took, by their kind.
    pub questions: Vec<Took>,
    /// How long it took until an erased customer's words were found no more, ms.
    pub forgotten_ms: f64,
    /// How long it took to wipe what deleted words leave behind in the index and in the journal, ms.
    pub wiped_ms: f64,
}

/// How long questions of one kind took.
#[derive(Clone, Debug, Serialize)]
pub struct Took {
    /// The kind.
    pub kind: &'static str,
    /// Half of them took no longer, ms.
    pub p50_ms: f64,
    /// 95 of 100 took no longer, ms.
    pub p95_ms: f64,
    /// The longest, ms.
    pub max_ms: f64,
    /// Hits on the first page, on average.
    pub hits: f64,
}

/// Numbers that are the same at every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = self.0 ^ (self.0 >> 33);
        mixed.wrapping_mul(0xff51_afd7_ed55_8ccd) >> 11
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most.max(1)
    }

    /// The rank of a word: the n-th is about n times rarer than the first.
    fn rank(&mut self) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank need not be exact, and lies between 0 and the vocabulary"
        )]
        let rank = {
            let share = self.below(1 << 40) as f64 / (1_u64 << 40) as f64;
            (VOCABULARY as f64).powf(share) as u64
        };
        rank.saturating_sub(1)
    }
}

/// The word of a rank, of two to five syllables.
fn word(rank: u64) -> String {
    const SYLLABLES: [&str; 16] =
        ["ba", "de", "fi", "go", "hu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "wu", "za"];
    let mut rest = rank + 16;
    let mut word = String::new();
    while rest > 0 {
        word.push_str(SYLLABLES.get(usize::try_from(rest % 16).unwrap_or(0)).copied().unwrap_or("ba"));
        rest /= 16;
    }
    word
}

/// Fills a file in a folder with so many messages and asks it.
///
/// # Errors
/// When the disk refuses.
pub fn search_among(messages: u64, folder: &Path, mut told: impl FnMut(u64)) -> anyhow::Result<Measured> {
    let path = folder.join("search.sqlite");
    let mut store = Store::<Search>::open(path.clone())?;
    let mut dice = Dice(7);
    let (begun, mut words_bytes) = (Instant::now(), 0);
    let mut phrases = Vec::new();
    let mut at = 0;
    while at < messages {
        let upto = messages.min(at + BATCH);
        let rows: Vec<Row<Spoken>> = (at + 1..=upto).map(|seq| row(seq, &mut dice)).collect();
        for row in &rows {
            words_bytes += row.record.bytes();
        }
        if phrases.len() < QUESTIONS {
            phrases.extend(rows.first().and_then(|row| row.record.phrase()));
        }
        store.apply(&rows)?;
        at = upto;
        told(at);
    }
    let seconds = begun.elapsed().as_secs().max(1);
    store.empty_journal()?;
    let file_bytes = std::fs::metadata(&path).context("failed to look at the file")?.len();
    let mut questions = Vec::new();
    for (kind, asked) in kinds(messages, &phrases, &mut dice) {
        questions.push(ask(&path, kind, &asked)?);
    }
    let indexed_per_s = messages / seconds;
    let begun = Instant::now();
    forget(&mut store, identity(messages / MESSAGES_EACH / 2), 1)?;
    let forgotten_ms = begun.elapsed().as_secs_f64() * 1_000.0;
    let begun = Instant::now();
    wipe(&mut store)?;
    store.empty_journal()?;
    let wiped_ms = begun.elapsed().as_secs_f64() * 1_000.0;
    Ok(Measured { messages, indexed_per_s, file_bytes, words_bytes, questions, forgotten_ms, wiped_ms })
}

fn row(seq: u64, dice: &mut Dice) -> Row<Spoken> {
    let conversation = seq / MESSAGES_EACH;
    let id = ConversationId { log_seq: conversation + 1, n: 0 };
    let identity = identity(conversation);
    let channel = if conversation.is_multiple_of(4) { ChannelKind::Api } else { ChannelKind::Web };
    let opened = (seq == 1 || seq.is_multiple_of(MESSAGES_EACH)).then_some((id, identity, channel));
    let agent = (!seq.is_multiple_of(2)).then(|| agent(dice.below(AGENTS)));
    let count = WORDS.0 + dice.below(WORDS.1 - WORDS.0);
    let words: Vec<String> = (0..count).map(|_| word(dice.rank())).collect();
    let name = opened.is_some().then(|| format!("{} {}", word(dice.below(5_000)), word(dice.below(50_000))));
    let at = time_of(seq);
    let contact = ContactId { log_seq: conversation + 1, n: 1 };
    let record = Spoken::of(opened, (id, contact), (seq, at), agent, identity, words.join(" "), name);
    Row { origin: Origin::new(seq, at.0, None), record }
}

fn identity(conversation: u64) -> IdentityId {
    IdentityId(Hash128(u128::from(conversation).to_be_bytes()))
}

fn agent(n: u64) -> AgentId {
    AgentId(uuid_of(n))
}

fn uuid_of(n: u64) -> uuid::Uuid {
    uuid::Uuid::from_u128(u128::from(n) + 1)
}

/// A message every twenty seconds.
fn time_of(seq: u64) -> Millis {
    Millis(1_700_000_000_000 + seq * 20_000)
}

/// The kinds of questions that are asked.
fn kinds(messages: u64, phrases: &[String], dice: &mut Dice) -> Vec<(&'static str, Vec<SearchQuestion>)> {
    let plain = |words: String| SearchQuestion { words, limit: 20, ..SearchQuestion::default() };
    let mut made = |make: &mut dyn FnMut(&mut Dice) -> SearchQuestion| -> Vec<SearchQuestion> {
        (0..QUESTIONS).map(|_| make(dice)).collect()
    };
    let one = made(&mut |dice| plain(word(dice.rank())));
    // One of the twenty words that stand in most messages: what a careless question asks for.
    let common = made(&mut |dice| plain(word(dice.below(20))));
    let two = made(&mut |dice| plain(format!("{} {}", word(dice.rank()), word(dice.rank()))));
    let common_two = made(&mut |dice| plain(format!("{} {}", word(dice.below(20)), word(dice.below(20)))));
    let beginning = made(&mut |dice| {
        let word: String = word(dice.rank()).chars().take(4).collect();
        plain(format!("{word}*"))
    });
    let short =
        made(&mut |dice| plain(format!("{}*", word(dice.below(200)).chars().take(2).collect::<String>())));
    let filtered = made(&mut |dice| SearchQuestion {
        channel: Some(ChannelKind::Api),
        agent: Some(agent(dice.below(AGENTS))),
        from: Some(time_of(messages / 4)),
        to: Some(time_of(messages / 2)),
        ..plain(word(dice.below(200)))
    });
    let within = made(&mut |dice| {
        let conversations = (0..100).map(|_| dice.below(messages / MESSAGES_EACH) + 1);
        let within = conversations.map(|log_seq| ConversationId { log_seq, n: 0 }).collect();
        SearchQuestion { within: Some(within), ..plain(word(dice.below(200))) }
    });
    let phrase: Vec<SearchQuestion> = phrases.iter().map(|phrase| plain(format!("\"{phrase}\""))).collect();
    let newest = |questions: &[SearchQuestion]| -> Vec<SearchQuestion> {
        questions.iter().cloned().map(|one| SearchQuestion { order: SearchOrder::Newest, ..one }).collect()
    };
    vec![
        ("one word, newest", newest(&one)),
        ("one word, best", one),
        ("two words, newest", newest(&two)),
        ("two words, best", two),
        ("a phrase, newest", newest(&phrase)),
        ("a phrase, best", phrase),
        ("a beginning of four letters, newest", newest(&beginning)),
        ("a beginning of four letters, best", beginning),
        ("a beginning of two letters, newest", newest(&short)),
        ("a beginning of two letters, best", short),
        ("channel, agent and time, newest", newest(&filtered)),
        ("channel, agent and time, best", filtered),
        ("within 100 conversations, newest", newest(&within)),
        ("within 100 conversations, best", within),
        ("a word of most messages, newest", newest(&common)),
        ("a word of most messages, best", common),
        ("two words of most messages, newest", newest(&common_two)),
        ("two words of most messages, best", common_two),
    ]
}

fn ask(path: &Path, kind: &'static str, questions: &[SearchQuestion]) -> anyhow::Result<Took> {
    let mut reader = connect_reader(path)?;
    let mut took = Vec::with_capacity(questions.len());
    let mut hits = 0;
    for question in questions {
        let begun = Instant::now();
        hits += search(&mut reader, question)?.hits.len();
        took.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    took.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        let place = (took.len() * percent).div_ceil(100).saturating_sub(1);
        let ms = took.get(place).copied().unwrap_or(f64::NAN);
        (ms * 100.0).round() / 100.0
    };
    #[expect(clippy::cast_precision_loss, reason = "some dozens")]
    let hits = (hits as f64 / questions.len().max(1) as f64 * 10.0).round() / 10.0;
    Ok(Took { kind, p50_ms: at(50), p95_ms: at(95), max_ms: at(100), hits })
}
