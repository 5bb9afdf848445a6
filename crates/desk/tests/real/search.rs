//! Who may search what, and read where.

use protocol::audit::{Action, Actor};
use protocol::record::EntryKind;
use protocol::search::{
    Said, SearchAnswer, SearchCursor, SearchHit, SearchQuestion, SearchRefusal, SnippetPart,
};
use protocol::thread::Entry;
use protocol::views::{History, HistoryQuestion};
use protocol::{ChannelKind, ContactId, ConversationId, InputBody, Millis};
use serde_json::{Value, json};

use crate::worker::{BEN, CLEO, floor, held};
use crate::world::{ANNA, CONTACT, CONVERSATION, World, subjects};

async fn post(world: &World, token: &str, origin: Option<&str>, body: Value) -> (u16, Value) {
    let mut request = reqwest::Client::new()
        .post(world.url("/desk/search"))
        .header("cookie", format!("wb_session={token}"))
        .header("content-type", "application/json")
        .body(body.to_string());
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn part(world: &World, token: &str, conversation: &str) -> (u16, Value) {
    let request = reqwest::Client::new()
        .get(world.url(&format!("/desk/history/{conversation}?before=30")))
        .header("cookie", format!("wb_session={token}"));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// Answers questions on the search, one after another, and gives them.
async fn answering(
    world: &World,
    answers: Vec<SearchAnswer>,
) -> tokio::task::JoinHandle<Vec<SearchQuestion>> {
    let mut asked = world.serve(&subjects().views_search()).await;
    tokio::spawn(async move {
        let mut questions = Vec::new();
        for answer in answers {
            let question = asked.next().await.unwrap();
            questions.push(serde_json::from_slice(&question.payload).unwrap());
            question.respond(serde_json::to_vec(&answer).unwrap().into()).await.unwrap();
        }
        questions
    })
}

fn hit() -> SearchHit {
    SearchHit {
        conversation: CONVERSATION,
        contact: CONTACT,
        seq: 3,
        at: Millis(5),
        channel: ChannelKind::Web,
        said: Said::Agent,
        agent: Some(ANNA),
        customer_name: Some("Jo".to_owned()),
        snippet: vec![
            SnippetPart { text: "these ".to_owned(), marked: false },
            SnippetPart { text: "tyres".to_owned(), marked: true },
        ],
    }
}

fn another() -> ConversationId {
    ConversationId { log_seq: CONVERSATION.log_seq + 7, n: 0 }
}

#[tokio::test]
async fn who_leads_searches_everything_and_others_what_they_hold() {
    let (world, _desk) = held().await;
    let (anna, ben) = (world.token_of("anna").await, world.token_of("ben").await);
    let cleo = world.token_of("cleo").await;
    let next = Some(SearchCursor { upto: 9, skip: 1 });
    let answer = SearchAnswer { log_seq: 7, hits: vec![hit()], next, ..SearchAnswer::default() };
    let asked = answering(&world, vec![answer; 5]).await;
    let (status, found) = post(&world, &ben, None, json!({"words": "tyres", "order": "newest"})).await;
    assert_eq!((status, &found["everything"], &found["next"]), (200, &json!(true), &json!("9.1")));
    assert_eq!(
        found["hits"][0],
        json!({
            "conversation": CONVERSATION, "contact": CONTACT, "seq": 3, "at": 5, "channel": "web", "said": "agent",
            "by": "Anna", "customer_name": "Jo", "snippet": [{"text": "these "}, {"text": "tyres", "marked": true}],
        })
    );
    let (_, found) = post(&world, &anna, None, json!({"words": "tyres", "cursor": "9.1"})).await;
    assert_eq!(found["everything"], false);
    for conversation in [CONVERSATION, another()] {
        post(&world, &anna, None, json!({"words": "tyres", "conversation": conversation})).await;
    }
    post(&world, &cleo, None, json!({"words": "tyres"})).await;
    // Whoever is shown words of it, once; Anna has that contact.
    let audit = bus::Audit::open(&world.bus, &subjects(), 1 << 20).await.unwrap();
    let page = audit.page_before(None, 100).await.unwrap();
    let looks = page.entries.iter().filter(|line| line.entry.action == Action::ConversationSeen);
    let looks: Vec<_> = looks.map(|line| (&line.entry.actor, line.entry.about.conversation)).collect();
    assert_eq!(looks, [(&Actor::Agent(BEN), Some(CONVERSATION)), (&Actor::Agent(CLEO), Some(CONVERSATION))]);
    let within: Vec<_> = asked.await.unwrap().into_iter().map(|question| question.within).collect();
    let own = || Some(vec![CONVERSATION]);
    assert_eq!(within, [None, own(), own(), Some(Vec::new()), Some(Vec::new())]);
}

#[tokio::test]
async fn what_cannot_be_searched_for_is_told() {
    let world = floor().await;
    let ben = world.token_of("ben").await;
    let refusal = Some(SearchRefusal::NoWords);
    let asked = answering(&world, vec![SearchAnswer { refusal, ..SearchAnswer::default() }]).await;
    let (status, problem) = post(&world, &ben, None, json!({"words": "?!"})).await;
    assert_eq!((status, &problem["code"]), (400, &json!("no_words")));
    asked.await.unwrap();
    for body in [json!({}), json!({"words": "x", "more": 1}), json!({"words": "x", "cursor": "nonsense"})] {
        assert_eq!(post(&world, &ben, None, body).await.0, 422);
    }
    assert_eq!(post(&world, "nobody", None, json!({"words": "x"})).await.0, 401);
    let (status, problem) =
        post(&world, &ben, Some("https://elsewhere.example"), json!({"words": "x"})).await;
    assert_eq!((status, &problem["code"]), (403, &json!("foreign_origin")));
    let (status, problem) = post(&world, &ben, None, json!({"words": "x"})).await;
    assert_eq!((status, &problem["code"]), (503, &json!("search_silent")), "no read models");
    let long = "x".repeat(9_000);
    assert_eq!(post(&world, &ben, None, json!({"words": long})).await.0, 413);
}

#[tokio::test]
async fn a_conversation_is_read_by_who_leads_or_has_it() {
    let (world, _desk) = held().await;
    let InputBody::Message(said) = world.message("the old story").await else { panic!("a message") };
    let contact = ContactId { log_seq: 1, n: 1 };
    let kind = EntryKind::FromCustomer;
    let entry = Entry { seq: 1, at: Millis(1), contact, kind, message: None, body: Some(said.body) };
    let history = History { log_seq: 1, entries: vec![entry], contacts: Vec::new() };
    let mut asked = world.serve(&subjects().views_history()).await;
    let answering = tokio::spawn(async move {
        let mut questions = Vec::new();
        for _ in 0..2 {
            let question = asked.next().await.unwrap();
            questions.push(serde_json::from_slice::<HistoryQuestion>(&question.payload).unwrap());
            question.respond(serde_json::to_vec(&history).unwrap().into()).await.unwrap();
        }
        questions
    });
    let (anna, ben) = (world.token_of("anna").await, world.token_of("ben").await);
    let cleo = world.token_of("cleo").await;
    let (status, page) = part(&world, &anna, &CONVERSATION.to_string()).await;
    assert_eq!((status, &page["entries"][0]["text"]), (200, &json!("the old story")));
    assert_eq!(part(&world, &ben, &another().to_string()).await.0, 200);
    for (token, conversation) in
        [(&anna, another().to_string()), (&cleo, CONVERSATION.to_string()), (&ben, "nonsense".to_owned())]
    {
        let (status, problem) = part(&world, token, &conversation).await;
        assert_eq!((status, &problem["code"]), (403, &json!("not_yours")));
    }
    assert_eq!(part(&world, "nobody", &CONVERSATION.to_string()).await.0, 401);
    let questions = answering.await.unwrap();
    assert_eq!((questions[0].conversation, questions[0].before_seq), (CONVERSATION, Some(30)));
}
