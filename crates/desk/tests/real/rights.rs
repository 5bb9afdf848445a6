//! A customer's rights at the desk, and what of it stands in the audit trail.

use std::collections::BTreeSet;

use bus::{Audit, BegunExport, Exports, WholeExport};
use protocol::audit::{Action, Actor, AuditEntry};
use protocol::config::{Agent, Queue, Role, RoutingConfig};
use protocol::input::ConfigInput;
use protocol::rights::{Asker, RightsAnswer, RightsQuestion};
use protocol::views::{FeedbackQuestion, FeedbackReport};
use protocol::{AgentId, Cause, Event, ExportId, Hash128, InputBody, NoticeId, SubjectToken};
use serde_json::{Value, json};

use crate::worker::{BEN, CLEO, held};
use crate::world::{ANNA, CONTACT, CONVERSATION, CUSTOMER, World, subjects};

fn token(text: &str) -> SubjectToken {
    SubjectToken::new(text).unwrap()
}

async fn asked(world: &World, token: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let client = reqwest::Client::new();
    let request = match body {
        Some(body) => client.post(world.url(path)).json(&body),
        None => client.get(world.url(path)),
    };
    let answer = request.header("cookie", format!("wb_session={token}")).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

async fn trail(world: &World) -> Vec<AuditEntry> {
    let audit = Audit::open(&world.bus, &subjects(), 1 << 20).await.unwrap();
    let page = audit.page_before(None, 100).await.unwrap();
    page.entries.into_iter().map(|line| line.entry).collect()
}

async fn noted(world: &World, agent: AgentId, action: Action) -> usize {
    let is_one = |entry: &AuditEntry| entry.action == action && entry.actor == Actor::Agent(agent);
    trail(world).await.into_iter().filter(is_one).count()
}

/// Anna holds a contact of `general`; Ben supervises there, Cleo leads `other` or, where that is `None`, every queue.
async fn world(cleo: Option<&str>) -> World {
    let (mut world, _desk) = held().await;
    let agent = |id, name: &str, role, scope: Option<&str>| Agent {
        queues: BTreeSet::from([token("general")]),
        role,
        scope: scope.map(token).into_iter().collect(),
        ..Agent::new(id, token(name))
    };
    let agents = vec![
        agent(ANNA, "anna", Role::Agent, None),
        agent(BEN, "ben", Role::Supervisor, Some("general")),
        agent(CLEO, "cleo", Role::Lead, cleo),
    ];
    let queues = ["general", "other"].map(|name| Queue::new(token(name))).into();
    let config = RoutingConfig { queues, agents, ..RoutingConfig::default() };
    let id = NoticeId(uuid::Uuid::from_u128(9));
    let config = ConfigInput { id, hash: Hash128([9; 16]), config: Box::new(config), replaces: None };
    world.decide(InputBody::Config(config), vec![Event::ConfigApplied]).await;
    let mut cleo = world.token_of("cleo").await;
    loop {
        match asked(&world, &cleo, "/desk/floor/now", None).await.0 {
            200 => return world,
            // Another role ends the session.
            401 => cleo = world.token_of("cleo").await,
            _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
}

#[tokio::test]
async fn who_leads_elsewhere_neither_exports_nor_erases_and_who_leads_here_does() {
    let mut world = world(Some("other")).await;
    let (ben, cleo) = (world.token_of("ben").await, world.token_of("cleo").await);
    let note = world.entry(protocol::record::EntryKind::Note { agent: ANNA });
    let (contact, conversation, by, agents) = (CONTACT, CONVERSATION, ANNA, vec![CLEO]);
    let mentioned = Event::Mentioned { contact, conversation, seq: 9, by, agents };
    world.record(Cause::Timer, vec![note, mentioned]).await;
    // Cleo reads it, since she is mentioned there.
    let history = format!("/desk/history/{CONVERSATION}");
    while asked(&world, &cleo, &history, None).await.0 == 403 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let (export, erase) =
        (format!("/desk/customer/{CONVERSATION}/export"), format!("/desk/customer/{CONVERSATION}/erase"));
    for (path, body) in [(&export, json!({})), (&erase, json!({"confirm": "ERASE"}))] {
        let (status, problem) = asked(&world, &cleo, path, Some(body)).await;
        assert_eq!((status, &problem["code"]), (403, &json!("not_yours")), "{path}");
    }
    assert_eq!(noted(&world, CLEO, Action::CustomerExported).await, 0);
    // Nobody keeps the customer's rights here: nothing was done.
    let (status, problem) = asked(&world, &ben, &export, Some(json!({}))).await;
    assert_eq!((status, &problem["code"]), (503, &json!("rights_silent")));
    let mut keeper = world.serve(&subjects().rights()).await;
    let keeps = tokio::spawn(async move {
        let question = keeper.next().await.unwrap();
        let asked: RightsQuestion = serde_json::from_slice(&question.payload).unwrap();
        question.respond(serde_json::to_vec(&RightsAnswer::Unsure).unwrap().into()).await.unwrap();
        asked
    });
    let (status, problem) = asked(&world, &ben, &erase, Some(json!({"confirm": "ERASE"}))).await;
    assert_eq!((status, &problem["code"]), (504, &json!("outcome_open")), "it may have been done");
    assert_eq!(problem["id"], json!(keeps.await.unwrap().id()));
}

#[tokio::test]
async fn who_leads_some_queues_is_told_what_customers_said_of_those_alone() {
    for (scope, queues) in [(Some("other"), Some(BTreeSet::from([token("other")]))), (None, None)] {
        let world = world(scope).await;
        let cleo = world.token_of("cleo").await;
        let mut views = world.serve(&subjects().views_feedback()).await;
        let answers = tokio::spawn(async move {
            let question = views.next().await.unwrap();
            let asked: FeedbackQuestion = serde_json::from_slice(&question.payload).unwrap();
            let report = serde_json::to_vec(&FeedbackReport::default()).unwrap();
            question.respond(report.into()).await.unwrap();
            asked
        });
        assert_eq!(asked(&world, &cleo, "/desk/feedback?days=3", None).await.0, 200);
        assert_eq!(answers.await.unwrap(), FeedbackQuestion { days: 3, queues, agent: None });
    }
}

#[tokio::test]
async fn an_export_is_for_who_asked_for_it_and_stands_in_the_trail() {
    let world = world(None).await;
    let (ben, cleo) = (world.token_of("ben").await, world.token_of("cleo").await);
    let exports = Exports::open(&world.bus, world.sealer.clone()).await.unwrap();
    let id = ExportId(uuid::Uuid::now_v7());
    let path = format!("/desk/exports/{id}");
    assert_eq!(asked(&world, &ben, &path, None).await.0, 404, "nobody asked for it");
    let begun = BegunExport { by: Asker::Agent { agent: BEN }, about: Hash128([1; 16]) };
    exports.begin(id, &begun).await.unwrap();
    assert_eq!(exports.unfinished().await.unwrap(), [id]);
    assert_eq!(asked(&world, &ben, &path, None).await.0, 202, "it is put together");
    exports.keep(id, CUSTOMER, 0, b"all of it").await.unwrap();
    exports.finish(id, WholeExport { owner: CUSTOMER, parts: 1 }).await.unwrap();
    assert_eq!(exports.unfinished().await.unwrap(), []);
    assert_eq!(asked(&world, &cleo, &path, None).await.0, 404, "she leads every queue, and did not ask");
    assert_eq!(noted(&world, BEN, Action::CustomerExported).await, 0);
    assert_eq!(asked(&world, &ben, &path, None).await.0, 200);
    let entry = trail(&world).await.into_iter().find(|entry| entry.action == Action::CustomerExported);
    assert_eq!(entry.unwrap().about.id, Some(id.to_string()));
    // One that failed is gone, and says so.
    let failed = ExportId(uuid::Uuid::now_v7());
    exports.begin(failed, &begun).await.unwrap();
    exports.keep(failed, CUSTOMER, 0, b"some of it").await.unwrap();
    exports.give_up(failed).await.unwrap();
    assert_eq!(asked(&world, &ben, &format!("/desk/exports/{failed}"), None).await.0, 404);
    assert!(exports.part(failed, CUSTOMER, 0).await.is_err(), "nothing of it is left");
    assert!(exports.part(id, CUSTOMER, 0).await.is_ok());
}

#[tokio::test]
async fn the_trail_is_for_who_supervises_and_says_who_read_it() {
    let world = world(Some("other")).await;
    let (ben, cleo) = (world.token_of("ben").await, world.token_of("cleo").await);
    let (status, problem) = asked(&world, &cleo, "/desk/admin/audit", None).await;
    assert_eq!((status, &problem["code"]), (403, &json!("role_missing")));
    for _ in 0..2 {
        assert_eq!(asked(&world, &ben, "/desk/admin/audit", None).await.0, 200);
    }
    assert_eq!(noted(&world, BEN, Action::AuditSeen).await, 1, "once in ten minutes");
    assert_eq!(noted(&world, CLEO, Action::AuditSeen).await, 0);
}
