//! What the keys do is written down.

use serde_json::json;

use crate::house::{House, config, message};

#[tokio::test]
async fn every_change_is_written_down_with_who_made_it_and_chained() {
    let house = House::open().await;
    house.put_config(&config(&["shop", "more"])).await;
    let (_, made) = house.post("keys", r#"{"name":"x","scopes":["audit.read","messages.write"]}"#).await;
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    house.until(async || house.code_with("GET", key, "audit").await.0 == 200).await;
    house.post("sessions", r#"{"agent":"ada"}"#).await;
    let (_, refused) = house.post("messages", "nonsense").await;
    let parked = refused["parked"].as_str().unwrap();
    house.get(&format!("parked/{parked}")).await;
    assert_eq!(house.post_with(key, "messages", &message("m-1", "hello")).await.0, 202);
    house.delete(&format!("parked/{parked}")).await;
    house.delete(&format!("keys/{id}")).await;
    let (status, page) = house.get("audit").await;
    assert_eq!(status, 200, "{page}");
    let entries = page["entries"].as_array().unwrap();
    let told = |field: &str| entries.iter().map(|entry| entry[field].clone()).collect::<Vec<_>>();
    let expected = [
        "config_published",
        "config_published",
        "key_made",
        "session_made",
        "parked_seen",
        "parked_dismissed",
        "key_ended",
    ];
    assert_eq!(json!(told("action")), json!(expected));
    assert_eq!(entries[2]["about"], json!({"key": id}));
    assert_eq!(entries[4]["about"], json!({"parked": parked}));
    for (n, entry) in entries.iter().enumerate() {
        assert_eq!(entry["n"], n + 1);
        assert_eq!(entry["actor"]["key"]["name"], "test");
        if n > 0 {
            assert_eq!(entry["prev"], entries[n - 1]["hash"]);
        }
    }
    assert!(!page.to_string().contains(key), "no key stands there");
    let (_, part) = house.get("audit?after=2&limit=3").await;
    assert_eq!((&part["entries"][0]["n"], &part["next"], &part["last"]), (&json!(3), &json!(5), &json!(7)));
    for wrong in ["limit=0", "limit=501", "before=3"] {
        assert_eq!(house.get(&format!("audit?{wrong}")).await.0, 422, "{wrong}");
    }
    house.close().await;
}

/// A trail that takes no more stops changes, and nothing of customers.
#[tokio::test]
async fn what_cannot_be_written_down_does_not_happen() {
    let house = House::open_with(&[("WINTERBAND_STREAMS__AUDIT_MAX", "64KiB")]).await;
    let name = "x".repeat(64);
    let new = json!({"name": name, "scopes": ["messages.write"], "days": 1}).to_string();
    let mut made = 0;
    let (status, problem) = loop {
        let (status, answer) = house.post("keys", &new).await;
        if status != 201 {
            break (status, answer);
        }
        made += 1;
    };
    assert_eq!((status, &problem["code"]), (507, &json!("audit_full")));
    let keys = async || house.get("keys").await.1["keys"].as_array().unwrap().len();
    house.until(async || keys().await == made + 1).await;
    let (status, problem) = house.put("config", &config(&["other"]).to_string()).await;
    assert_eq!((status, &problem["code"]), (507, &json!("audit_full")));
    let (_, present) = house.get("config").await;
    assert_eq!(present["config"]["accounts"][0]["name"], "shop");
    assert_eq!(house.post("messages", message("m-1", "hello")).await.0, 202);
    house.close().await;
}
