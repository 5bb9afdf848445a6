//! What is parked, for who supervises all queues: at the desk's gateway, over the real bus.

use reqwest::Method;
use serde_json::{Value, json};
use tests::Product;

use crate::admin::{push, staffed};
use crate::write;

#[tokio::test]
async fn who_supervises_all_queues_opens_replays_and_lets_go_of_what_is_parked() {
    let product = Product::started().await;
    let [_, sofie, rik] = staffed(&product).await;
    assert_eq!(sofie.get("admin/parked/count").await["parked"], 0);
    for from in ["pim", "tess"] {
        assert_eq!(write(&product, "garage", from).await, 404);
    }
    assert_eq!(sofie.get("admin/parked/count").await["parked"], 2);
    assert_eq!(rik.get("admin/parked/count").await["parked"], Value::Null, "it is for all queues");
    let page = sofie.get("admin/parked?order=newest&limit=100&after=0").await;
    let ids: Vec<&str> =
        page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2, "{page}");
    let (newest, oldest) = (format!("admin/parked/{}", ids[0]), format!("admin/parked/{}", ids[1]));
    for (method, path) in [
        (Method::GET, "admin/parked".to_owned()),
        (Method::GET, oldest.clone()),
        (Method::DELETE, oldest.clone()),
        (Method::POST, format!("{oldest}/replay")),
    ] {
        let (status, told) = rik.ask(method, &path, None).await;
        assert_eq!((status, &told["code"]), (403, &json!("beyond_you")), "{path}");
    }
    let shown = sofie.get(&format!("{oldest}?from=0&length=4096")).await;
    assert!(shown["bytes"].as_str().unwrap().contains("pim"), "{shown}");
    assert_eq!(shown["becomes"]["code"], "unknown_account");
    let (status, told) = sofie.ask(Method::POST, &format!("{oldest}/replay?wait=10"), None).await;
    assert_eq!((status, &told["code"]), (404, &json!("unknown_account")), "{told}");

    let (status, applied) = sofie
        .change(|config| {
            let account =
                json!({ "channel": "api", "name": "garage", "title": "", "queue": "returns", "priority": 1 });
            push(config, "accounts", account);
        })
        .await;
    assert_eq!(status, 200, "{applied}");
    let (status, taken) = sofie.ask(Method::POST, &format!("{oldest}/replay?wait=20"), None).await;
    assert_eq!((status, &taken["outcome"]["is"]), (202, &json!("taken")), "{taken}");
    assert!(taken["outcome"]["contact"].as_str().unwrap().starts_with("con_"), "{taken}");
    let (status, gone) = sofie.ask(Method::DELETE, &newest, Some(&json!({ "reason": "elsewhere" }))).await;
    assert_eq!(status, 200, "{gone}");
    assert_eq!(sofie.get("admin/parked/count").await["parked"], 0);

    let trail = sofie.get("admin/audit?limit=100").await;
    let of = |action: &str| {
        let entries = trail["entries"].as_array().unwrap().iter();
        entries
            .filter(|one| one["action"] == action)
            .map(|one| one["about"]["parked"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("parked_seen"), [json!(ids[1])], "who looked is written down");
    assert_eq!(of("parked_dismissed"), [json!(ids[0])]);
    assert!(of("parked_replayed").contains(&json!(ids[1])));
}
