//! The search against a look at every message.

use std::collections::BTreeSet;

use proptest::prelude::*;
use protocol::search::{SearchOrder, SearchQuestion};
use protocol::{ChannelKind, Millis};

use super::{agent, channel, forget, given, identity, newest, said};

const VOCABULARY: [&str; 12] =
    ["brake", "Brake", "brakes", "bräke", "leak", "LEAK", "leaking", "tyre", "tire", "über", "12", "a1"];
const BETWEEN: [&str; 6] = [" ", ", ", "-", ". ", "  ", "/"];

fn text() -> impl Strategy<Value = String> {
    let piece = (0..VOCABULARY.len(), 0..BETWEEN.len());
    proptest::collection::vec(piece, 1..8).prop_map(|pieces| {
        pieces.iter().map(|(word, between)| format!("{}{}", VOCABULARY[*word], BETWEEN[*between])).collect()
    })
}

fn asked() -> impl Strategy<Value = String> {
    let word = (0..VOCABULARY.len()).prop_map(|n| VOCABULARY[n].to_owned());
    let phrase =
        proptest::collection::vec(word.clone(), 1..3).prop_map(|words| format!("\"{}\"", words.join(" ")));
    let beginning = word.clone().prop_map(|word| format!("{}*", word.chars().take(2).collect::<String>()));
    let term = prop_oneof![3 => word, 1 => phrase, 1 => beginning];
    proptest::collection::vec(term, 1..4).prop_map(|terms| terms.join(" "))
}

/// Words as the tokenizer has them.
fn plain(text: &str) -> Vec<String> {
    let lower = text.to_lowercase().replace('ä', "a").replace('ü', "u");
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Whether a text is a hit, by looking at all of it.
fn is_hit(text: &str, asked: &str) -> bool {
    let words = plain(text);
    let mut rest = asked;
    let mut holds = true;
    while !rest.is_empty() {
        let (term, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap(),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        let begins = term.ends_with('*');
        let term = plain(term);
        holds &= words
            .windows(term.len())
            .any(|window| if begins { window[0].starts_with(&term[0]) } else { window == term });
        rest = after.trim_start();
    }
    holds
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn it_finds_what_a_scan_finds(
        messages in proptest::collection::vec((text(), 1_u64..5, proptest::option::of(1_u64..4)), 1..60),
        questions in proptest::collection::vec((asked(), proptest::option::of(1_u64..4), any::<bool>(), 0_u64..5), 8),
        erased in 1_u64..6,
    ) {
        let rows: Vec<_> = messages.iter().zip(1_u64..).map(|((text, n, by), seq)| said(seq, *n, *by, text)).collect();
        let mut given = given(&rows);
        forget(&mut given.store, identity(erased), 1).unwrap();
        for (words, by, by_channel, from) in &questions {
            let filter = SearchQuestion {
                agent: by.map(agent),
                channel: by_channel.then_some(ChannelKind::Web),
                from: Some(Millis(from * 10_000)),
                ..newest(words)
            };
            let expected: BTreeSet<u64> = messages
                .iter()
                .zip(1_u64..)
                .filter(|((text, n, said_by), seq)| {
                    *n != erased
                        && is_hit(text, words)
                        && (by.is_none() || by == said_by)
                        && (!by_channel || channel(*n) == ChannelKind::Web)
                        && *seq >= from * 10
                })
                .map(|(_, seq)| seq)
                .collect();
            for order in [SearchOrder::Newest, SearchOrder::Best] {
                let mut question = SearchQuestion { order, limit: 7, ..filter.clone() };
                let mut found = BTreeSet::new();
                loop {
                    let answer = given.ask(&question);
                    for hit in &answer.hits {
                        prop_assert!(found.insert(hit.seq), "{words:?}: {} twice", hit.seq);
                        prop_assert!(hit.snippet.iter().any(|part| part.marked), "{words:?}: no mark");
                    }
                    let Some(next) = answer.next else { break };
                    question.cursor = Some(next);
                }
                prop_assert_eq!(&found, &expected, "{:?} {:?}", words, order);
            }
        }
    }
}
