//! Cuts, restarts and old conversations: everything goes on by the conversation's own sequence.

use std::time::Duration;

use bytes::Bytes;
use protocol::limits::TEXT_BYTES_MAX;
use protocol::thread::entries;
use protocol::views::{History, HistoryQuestion};
use serde_json::json;
use service::health::LoopState;

use crate::page::{begun, enter, knock, new_id};
use crate::within;
use crate::world::{MIB, World, bare, token, world};

#[tokio::test(flavor = "multi_thread")]
async fn a_page_gets_what_it_missed_and_nothing_twice() {
    let world = world().await;
    let (mut page, conversation, identity) = begun(&world).await;
    page.say_and_see("two").await;
    let visitor = page.token.clone();
    drop(page);
    world.agent_says(identity, conversation, "three").await;
    world.agent_says(identity, conversation, "four").await;
    let mut page = enter(&world, Some(&visitor), 2).await;
    let texts: Vec<_> = page.entries(2).await.into_iter().map(|(seq, _, text)| (seq, text)).collect();
    assert_eq!(texts, [(3, "three".to_owned()), (4, "four".to_owned())]);
    assert_eq!(page.conversation, json!(conversation.to_string()));
    let mut fresh = enter(&world, Some(&visitor), 0).await;
    let seqs: Vec<_> = fresh.entries(4).await.into_iter().map(|(seq, ..)| seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_conversation_is_forgotten_is_told_so_and_begins_anew() {
    let world = world().await;
    let (mut page, old, identity) = begun(&world).await;
    page.say_and_see("two").await;
    world.agent_resolves(old).await;
    page.entries(1).await;
    world.forgets_idle().await;
    let closed = loop {
        let frame = page.next().await;
        if frame.get("closed").is_some() {
            break frame;
        }
    };
    assert_eq!(closed, json!({"closed": 1013}));
    let visitor = page.token.clone();
    let mut page = enter(&world, Some(&visitor), 3).await;
    assert_eq!((&page.conversation, &page.state), (&json!(null), &json!("none")));
    // As the widget does when its conversation is no more.
    page = enter(&world, Some(&visitor), 0).await;
    page.say_and_see("one again").await;
    let mut other = enter(&world, Some(&visitor), 0).await;
    let (conversation, same) = other.ids(&world, &other.conversation);
    assert_eq!(same, identity);
    assert_ne!(conversation, old);
    assert_eq!(other.entries(1).await[0], (1, "customer".to_owned(), "one again".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_sees_nothing_of_another_visitor() {
    let world = world().await;
    let (page, ..) = begun(&world).await;
    let mut forged: Vec<char> = page.token.chars().collect();
    let last = forged.len() - 1;
    forged[last] = if forged[last] == '0' { '1' } else { '0' };
    let forged: String = forged.into_iter().collect();
    let stranger = enter(&world, Some(&forged), 0).await;
    assert_eq!((&stranger.conversation, &stranger.state), (&json!(null), &json!("none")));
    assert_ne!(stranger.token, page.token);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_death_costs_no_message() {
    let world = world().await;
    let (mut page, ..) = begun(&world).await;
    let starts = world.server.starts();
    world.server.kill_hard();
    let id = new_id();
    // As the widget does: until it is taken, the same again.
    within("the message to be taken", async {
        loop {
            page.say(&id, "said while the bus was away").await;
            let answer = page.next().await;
            if answer["t"] == "taken" || answer["t"] == "entry" {
                return;
            }
            let wait = answer["retry_after_ms"].as_u64().unwrap_or_else(|| panic!("{answer}"));
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
    })
    .await;
    assert!(world.server.starts() > starts);
    let mut again = enter(&world, Some(&page.token), 1).await;
    assert_eq!(again.entries(1).await[0].2, "said while the bus was away");
    assert_eq!(world.inbound().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_say_that_they_go_away_when_the_process_ends() {
    let world = world().await;
    let (mut page, ..) = begun(&world).await;
    let mut silent = knock(&world, "shop", None).await.unwrap();
    world.kit.drain.start();
    for page in [&mut page, &mut silent] {
        assert_eq!(page.next().await, json!({"closed": 1001}));
    }
    let late = world.kit.drain.finish(Duration::from_secs(8)).await;
    assert_eq!(late, Vec::<String>::new());
}

/// Bytes of words in one answer of the read models; the oldest are left out.
const ANSWER_BYTES_MAX: usize = 768 * 1024;

/// Answers as the read models do, from the log itself.
async fn serve_history(world: &World) {
    let (bus, subject) = (world.bus.clone(), world.subjects.views_history());
    let mut requests = bus.serve(&subject, &token("views")).await.unwrap();
    tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            let question: HistoryQuestion = serde_json::from_slice(&request.payload).unwrap();
            let log = bus.read_range(protocol::streams::CONTACTS, 1, u64::MAX, 100_000).await.unwrap();
            let records = log.iter().map(|item| serde_json::from_slice(&item.payload).unwrap());
            let all: Vec<_> = records.flat_map(|record| entries(&record).collect::<Vec<_>>()).collect();
            let mut asked: Vec<_> = all
                .into_iter()
                .filter(|(conversation, entry)| {
                    *conversation == question.conversation
                        && entry.seq > question.after_seq
                        && question.before_seq.is_none_or(|before| entry.seq < before)
                })
                .map(|(_, entry)| entry)
                .collect();
            let limit = usize::try_from(question.limit).unwrap().min(200);
            asked.drain(..asked.len().saturating_sub(limit));
            let mut room = ANSWER_BYTES_MAX;
            let fitting = asked.iter().rev().take_while(|entry| {
                let bytes = entry.body.as_ref().map_or(0, |body| body.as_str().len());
                room = room.saturating_sub(bytes);
                room > 0
            });
            let fitted = fitting.count();
            asked.drain(..asked.len() - fitted);
            let history = History { log_seq: 0, entries: asked, contacts: Vec::new() };
            request.respond(Bytes::from(serde_json::to_vec(&history).unwrap())).await.unwrap();
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_conversation_is_read_from_the_read_models() {
    const SAID: usize = 450;
    let world = world().await;
    let (mut page, conversation, identity) = begun(&world).await;
    for n in 2..=SAID {
        world.agent_says(identity, conversation, &format!("part {n}")).await;
    }
    page.entries(SAID - 1).await;
    // Nobody answers: a part is not shown as the whole, and what is said is taken all the same.
    let mut early = enter(&world, Some(&page.token), 0).await;
    assert_eq!(early.next().await["code"], "history_unavailable");
    let id = new_id();
    early.say(&id, "Can you read this?").await;
    assert_eq!(early.next().await, json!({"t": "taken", "id": id}));
    page.entries(1).await;
    serve_history(&world).await;
    let found = early.entries(SAID + 1).await;
    assert_eq!((found[0].0, found[SAID].2.as_str()), (1, "Can you read this?"), "the same socket got it all");
    let mut fresh = enter(&world, Some(&page.token), 0).await;
    let found = fresh.entries(SAID).await;
    let expected: Vec<u64> = (1..=u64::try_from(SAID).unwrap()).collect();
    assert_eq!(found.iter().map(|(seq, ..)| *seq).collect::<Vec<_>>(), expected);
    assert_eq!(found[1].2, "part 2");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_read_models_think_the_page_is_heard() {
    const SAID: usize = 220;
    let world = world().await;
    let (mut page, conversation, identity) = begun(&world).await;
    for n in 2..=SAID {
        world.agent_says(identity, conversation, &format!("part {n}")).await;
    }
    page.entries(SAID - 1).await;
    let mut questions = world.bus.serve(&world.subjects.views_history(), &token("views")).await.unwrap();
    let mut early = enter(&world, Some(&page.token), 0).await;
    let unanswered = within("the question", questions.next()).await;
    let id = new_id();
    early.say(&id, "Can you read this?").await;
    assert_eq!(early.next().await, json!({"t": "taken", "id": id}));
    early.send(&json!({"t": "ping", "n": 4})).await;
    assert_eq!(early.next().await, json!({"t": "pong", "n": 4}));
    drop(unanswered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_past_that_does_not_fit_into_one_answer_comes_in_parts() {
    const SAID: usize = 270;
    let world = world().await;
    let (page, conversation, identity) = begun(&world).await;
    let long = "x".repeat(TEXT_BYTES_MAX);
    for _ in 1..SAID {
        world.agent_says(identity, conversation, &long).await;
    }
    serve_history(&world).await;
    let mut fresh = enter(&world, Some(&page.token), 0).await;
    let found = fresh.entries(SAID).await;
    assert!(found.iter().map(|(seq, ..)| *seq).eq(1..=u64::try_from(SAID).unwrap()));
    assert_eq!(world.kit.metrics.refused_total.get(["web", "history_unavailable"]), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_waits_for_its_log_and_is_not_ready_before() {
    let world = bare(&[]).await;
    world.log_health_until(|state, detail| state == LoopState::Starting && detail.contains("open")).await;
    world.make_streams(64 * MIB, 64 * MIB).await;
    world
        .log_health_until(|state, detail| state == LoopState::Starting && detail.contains("configuration"))
        .await;
    world.configure().await;
    world.log_health_until(|state, _| state == LoopState::Beating).await;
    enter(&world, None, 0).await.say_and_see("Is anybody there?").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn erased_words_leave_their_place_and_nothing_else() {
    let world = world().await;
    let (page, conversation, identity) = begun(&world).await;
    world.agent_says(identity, conversation, "An answer").await;
    world.sealer.erase_identity(identity).await.unwrap();
    let mut again = enter(&world, Some(&page.token), 0).await;
    let expected = [(1, "customer".to_owned(), String::new()), (2, "agent".to_owned(), String::new())];
    assert_eq!(again.entries(2).await, expected);
    again.say_and_see("after the erasure").await;
}
