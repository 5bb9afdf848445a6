//! What the desk's pages read over HTTP.

use protocol::till::{Balance, WalletId, WalletLine, Wallets, WalletsQuestion};
use protocol::views::{
    EmpowermentQuestion, EmpowermentReport, FeedbackLine, FeedbackQuestion, FeedbackReport,
};
use protocol::{AgentId, Subject};
use serde_json::{Value, json};

use crate::worker::{BEN, floor};
use crate::world::{ANNA, World, subjects};

async fn get(world: &World, token: &str, path: &str) -> (u16, String, Value) {
    let request = reqwest::Client::new().get(world.url(path)).header("cookie", format!("wb_session={token}"));
    let response = request.send().await.unwrap();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(response.headers()["cache-control"], "no-store");
    (response.status().as_u16(), kind, response.json().await.unwrap())
}

/// Answers so many questions alike, and gives them.
async fn answering(
    world: &World,
    subject: Subject,
    questions: usize,
    answer: impl serde::Serialize,
) -> tokio::task::JoinHandle<Vec<Value>> {
    let mut asked = world.serve(&subject).await;
    let answer = serde_json::to_vec(&answer).unwrap();
    tokio::spawn(async move {
        let mut found = Vec::new();
        for _ in 0..questions {
            let question = asked.next().await.unwrap();
            found.push(serde_json::from_slice(&question.payload).unwrap());
            question.respond(answer.clone().into()).await.unwrap();
        }
        found
    })
}

#[tokio::test]
async fn a_lead_has_the_whole_report_and_others_only_their_own() {
    let world = floor().await;
    let (anna, ben) = (world.token_of("anna").await, world.token_of("ben").await);
    let report = EmpowermentReport { log_seq: 7, ..EmpowermentReport::default() };
    let asked = answering(&world, subjects().views_empowerment(), 2, &report).await;
    let (status, _, found) = get(&world, &anna, "/desk/report?days=7").await;
    assert_eq!((status, &found), (200, &serde_json::to_value(&report).unwrap()));
    assert_eq!(get(&world, &ben, "/desk/report").await.0, 200);
    let question =
        |days, agent: Option<AgentId>| serde_json::to_value(EmpowermentQuestion { days, agent }).unwrap();
    assert_eq!(asked.await.unwrap(), [question(7, Some(ANNA)), question(30, None)]);
    for days in ["0", "367", "-1", "x", "7&more=1"] {
        let (status, kind, problem) = get(&world, &anna, &format!("/desk/report?days={days}")).await;
        assert_eq!((status, kind.as_str()), (400, "application/problem+json"), "{days}");
        assert_eq!(problem["code"], "wrong_days");
    }
}

#[tokio::test]
async fn what_customers_said_is_told_to_who_leads_and_of_oneself() {
    let world = floor().await;
    let (anna, ben) = (world.token_of("anna").await, world.token_of("ben").await);
    let line = FeedbackLine { of: ANNA, asked: 9, answered: 4, questions: Vec::new() };
    let report = FeedbackReport { log_seq: 7, answers_min: 5, queues: Vec::new(), agents: vec![line] };
    let asked = answering(&world, subjects().views_feedback(), 2, &report).await;
    let (status, _, found) = get(&world, &anna, "/desk/feedback?days=7").await;
    assert_eq!((status, &found), (200, &serde_json::to_value(&report).unwrap()));
    assert_eq!(get(&world, &ben, "/desk/feedback").await.0, 200);
    let question = |days, agent: Option<AgentId>| {
        serde_json::to_value(FeedbackQuestion { days, queues: None, agent }).unwrap()
    };
    assert_eq!(asked.await.unwrap(), [question(7, Some(ANNA)), question(30, None)]);
    let (status, _, problem) = get(&world, &anna, "/desk/feedback?days=367").await;
    assert_eq!((status, &problem["code"]), (400, &json!("wrong_days")));
}

#[tokio::test]
async fn colleagues_are_found_by_name_and_oneself_is_none() {
    let world = floor().await;
    let anna = world.token_of("anna").await;
    let (status, _, found) = get(&world, &anna, "/desk/colleagues?words=BE").await;
    assert_eq!(status, 200);
    let ben = json!({ "agent": BEN, "title": "Ben", "is_there": false });
    assert_eq!(found, json!({ "colleagues": [ben], "more": 0 }));
    let (_, _, found) = get(&world, &anna, "/desk/colleagues?words=anna").await;
    assert_eq!(found, json!({ "colleagues": [], "more": 0 }));
    let long = format!("/desk/colleagues?words={}", "a".repeat(201));
    for path in [&*long, "/desk/colleagues?name=ben"] {
        let (status, _, problem) = get(&world, &anna, path).await;
        assert_eq!((status, &problem["code"]), (400, &json!("wrong_words")), "{path}");
    }
    assert_eq!(get(&world, "", "/desk/colleagues").await.0, 401);
}

#[tokio::test]
async fn wallets_are_shown_as_the_worker_says() {
    let world = floor().await;
    let (anna, ben) = (world.token_of("anna").await, world.token_of("ben").await);
    let (per, currency) = (protocol::policy::Per::AgentDay, "EUR".parse().unwrap());
    let wallet = WalletId { per, of: "today".to_owned(), currency };
    let line = WalletLine { wallet, balance: Balance { reserved: 5, spent: 7 } };
    let wallets = Wallets { log_seq: 3, lines: vec![line] };
    let asked = answering(&world, subjects().wallets(), 2, &wallets).await;
    let (status, _, found) = get(&world, &anna, "/desk/wallets").await;
    assert_eq!((status, found), (200, serde_json::to_value(&wallets).unwrap()));
    assert_eq!(get(&world, &ben, "/desk/wallets").await.0, 200);
    let question = |agent| serde_json::to_value(WalletsQuestion { agent, identity: None }).unwrap();
    assert_eq!(asked.await.unwrap(), [question(Some(ANNA)), question(None)]);
}

#[tokio::test]
async fn the_policy_in_force_is_shown_as_it_was_applied() {
    let world = floor().await;
    let token = world.token_of("anna").await;
    let (status, kind, problem) = get(&world, &token, "/desk/policy").await;
    assert_eq!((status, kind.as_str()), (404, "application/problem+json"));
    assert_eq!(problem["code"], "no_policy");
    world.apply_policy().await;
    let mut pace = tokio::time::interval(std::time::Duration::from_millis(20));
    let deadline = tokio::time::Instant::now() + crate::world::PATIENCE;
    let found = loop {
        pace.tick().await;
        let (status, _, found) = get(&world, &token, "/desk/policy").await;
        if status == 200 {
            break found;
        }
        assert!(tokio::time::Instant::now() < deadline);
    };
    assert_eq!(found["policy"], serde_json::to_value(crate::worker::policy()).unwrap());
    assert_eq!((&found["log_seq"], &found["hash"]), (&json!(1), &json!(protocol::Hash128([4; 16]))));
}

#[tokio::test]
async fn pages_whose_source_is_silent_say_so() {
    let world = floor().await;
    let token = world.token_of("anna").await;
    for (path, code) in [
        ("/desk/report", "report_silent"),
        ("/desk/feedback", "report_silent"),
        ("/desk/wallets", "wallets_silent"),
    ] {
        let (status, kind, problem) = get(&world, &token, path).await;
        assert_eq!((status, kind.as_str()), (503, "application/problem+json"));
        assert_eq!(problem["code"], code);
    }
    let _silent = world.serve(&subjects().wallets()).await;
    assert_eq!(get(&world, &token, "/desk/wallets").await.2["code"], "wallets_silent");
}

#[tokio::test]
async fn pages_are_for_who_signed_in() {
    let world = floor().await;
    for path in ["/desk/report", "/desk/feedback", "/desk/policy", "/desk/wallets"] {
        let (status, _, problem) = get(&world, "made-up", path).await;
        assert_eq!((status, &problem["code"]), (401, &json!("signed_out")), "{path}");
    }
}
