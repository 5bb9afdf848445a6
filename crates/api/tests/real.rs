//! The API against a real nats-server; the test plays the router.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod again;
mod arrivals;
mod edge;
mod feed;
mod hostile;
mod house;
mod keys;
mod parked;
mod webhooks;
mod work;

use bus::RoomLevel;
use protocol::InputBody;
use protocol::input::CustomerMessage;
use protocol::limits::INPUT_BYTES_MAX;
use protocol::remedy::EmpowermentInput;
use protocol::streams::{INBOUND, PARKED};
use serde_json::{Value, json};

use crate::house::{House, config, message};

pub(crate) fn messages(inputs: &[protocol::Input]) -> Vec<&CustomerMessage> {
    inputs
        .iter()
        .filter_map(|input| if let InputBody::Message(message) = &input.body { Some(message) } else { None })
        .collect()
}

/// What customers write, and the number that it is.
const SCORES: [(&str, Option<u8>); 4] = [("4", Some(4)), ("0/10", Some(0)), ("4 stars", None), ("42", None)];

#[tokio::test]
async fn a_message_is_durable_when_it_is_taken_and_sealed_wherever_it_lies() {
    let house = House::open().await;
    let mut first: Value = serde_json::from_str(&message("m-1", "where is my parcel")).unwrap();
    first["language"] = json!("nl");
    first["facts"] = json!({"customer.tier": "gold", "order.value": 900, "order.is_late": true});
    let (status, taken) = house.post("messages", &first.to_string()).await;
    assert_eq!(status, 202, "{taken}");
    let (_, again) = house.post("messages", &message("m-1", "where is my parcel")).await;
    assert_eq!(again["duplicate"], true);
    assert_eq!(again["message"], taken["message"], "the same post gets the same answer");
    let (status, other) = house.post("messages", &message("m-1", "something else")).await;
    assert_eq!(
        (status, other["duplicate"].as_bool()),
        (202, Some(false)),
        "this one is for the core to park"
    );
    let inputs = house.inputs().await;
    let found = messages(&inputs);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].message.to_string(), taken["message"]);
    let language = |n: usize| found[n].language.map(|language| language.to_string());
    assert_eq!((language(0), language(1)), (Some("nl".to_owned()), None));
    assert_eq!(serde_json::to_value(&found[0].facts).unwrap(), first["facts"]);
    assert_eq!(found[0].provider_hash, found[1].provider_hash);
    assert_ne!(found[0].content_hash, found[1].content_hash);
    let content = house.sealer.unseal(&found[0].body).await.unwrap();
    let content: Value = serde_json::from_slice(&content).unwrap();
    assert_eq!(content, json!({"text": "where is my parcel", "name": "Ann"}));
    house.holds_nowhere(INBOUND, &["parcel", "ann@example.org", "m-1"]).await;
    assert_eq!(house.kit.metrics.messages_received_total.get(["api"]), 2);
    house.close().await;
}

#[tokio::test]
async fn the_same_message_64_times_at_once_is_one_input() {
    let house = House::open().await;
    let body = message("m-1", "hello");
    let answers = (0..64).map(|_| {
        let request = house.request(reqwest::Method::POST, "messages").body(body.clone());
        tokio::spawn(async move { request.send().await.unwrap().json::<Value>().await.unwrap() })
    });
    let answers: Vec<_> = answers.collect();
    let mut ids = std::collections::BTreeSet::new();
    let mut firsts = 0;
    for answer in answers {
        let answer = answer.await.unwrap();
        ids.insert(answer["message"].to_string());
        firsts += u32::from(answer["duplicate"] == false);
    }
    assert_eq!((ids.len(), firsts), (1, 1));
    assert_eq!(messages(&house.inputs().await).len(), 1);
    house.close().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_sealed_and_gets_a_second_chance() {
    let house = House::open().await;
    let (status, malformed) = house.post("messages", r#"{"account":"shop","my words":1"#).await;
    assert_eq!((status, &malformed["code"]), (400, &json!("malformed")));
    let later = message("m-2", "hello").replace("\"shop\"", "\"later\"");
    let (status, unknown) = house.post("messages", &later).await;
    assert_eq!((status, &unknown["code"]), (404, &json!("unknown_account")));
    let (status, invalid) = house.post("messages", b"{\"text\":\"\xff\"}".to_vec()).await;
    assert_eq!((status, &invalid["code"]), (400, &json!("malformed")));
    house.holds_nowhere(PARKED, &["my words", "hello", "ann@example.org"]).await;

    let (_, first) = house.get("parked?limit=2").await;
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let (_, rest) = house.get(&format!("parked?limit=2&after={}", first["next"])).await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert_eq!(rest["next"], Value::Null);
    assert_eq!(first["items"][0]["id"], malformed["parked"]);
    assert_eq!(first["items"][0].get("bytes"), None);
    for (limit, status) in [(0, 200), (500, 200), (501, 422)] {
        assert_eq!(house.get(&format!("parked?limit={limit}")).await.0, status);
    }
    assert_eq!(house.get("parked?more=1").await.0, 422);

    let replay = |problem: &Value| format!("parked/{}/replay", problem["parked"].as_str().unwrap());
    let (status, still) = house.post(&replay(&malformed), "").await;
    assert_eq!((status, still.get("parked")), (400, None), "it is not parked a second time");
    assert_eq!(house.post(&replay(&unknown), "").await.0, 404);
    house.put_config(&config(&["shop", "later"])).await;
    let (status, taken) = house.post(&replay(&unknown), "").await;
    assert_eq!(status, 202, "{taken}");
    let named = messages(&house.inputs().await)[0].replays.unwrap();
    assert_eq!(json!(named), unknown["parked"], "the input names what it replays");
    let (_, left) = house.get("parked").await;
    let left: Vec<_> = left["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect();
    assert_eq!(left, [malformed["parked"].clone(), invalid["parked"].clone()], "what was replayed is gone");
    let (status, again) = house.post(&replay(&unknown), "").await;
    assert_eq!((status, &again["code"]), (404, &json!("not_parked")));
    assert_eq!(house.post("parked/prk_00000000000000000000000000000001/replay", "").await.0, 404);
    assert_eq!(house.kit.metrics.parked_total.get(["api", "malformed"]), 2);
    house.close().await;
}

#[tokio::test]
async fn keys_open_and_close_while_the_process_runs() {
    let house = House::open().await;
    let bare = reqwest::Client::new().post(house.url("messages")).send().await.unwrap();
    assert_eq!(bare.status(), 401);
    assert_eq!(bare.headers()["www-authenticate"], "Bearer");
    assert_eq!(bare.headers()["content-type"], "application/problem+json");
    let wrong = reqwest::Client::new().post(house.url("messages")).bearer_auth("wrong").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    house.make_key("little", false).await;
    let little = |path: &str| reqwest::Client::new().get(house.url(path)).bearer_auth("little").send();
    house.until(async || little("config").await.unwrap().status() == 403).await;
    house.take_key("little").await;
    house.until(async || little("config").await.unwrap().status() == 401).await;
    house.close().await;
}

#[tokio::test]
async fn of_a_message_that_is_a_number_the_input_says_so() {
    let house = House::open().await;
    for (n, (words, _)) in (0_u8..).zip(SCORES) {
        assert_eq!(house.post("messages", &message(&format!("m-{n}"), words)).await.0, 202, "{words}");
    }
    let inputs = house.inputs().await;
    let scores: Vec<_> = messages(&inputs).iter().map(|message| message.score).collect();
    assert_eq!(scores, SCORES.map(|(_, score)| score));
    house.close().await;
}

#[tokio::test]
async fn a_body_has_its_size_and_what_is_kept_of_it_too() {
    let house = House::open().await;
    let spaces = |bytes: usize| " ".repeat(bytes);
    let body_max = house.kit.settings.limits.body_max_bytes;
    assert!(body_max > INPUT_BYTES_MAX);
    for (bytes, status, code) in [
        (INPUT_BYTES_MAX, 400, "malformed"),
        (INPUT_BYTES_MAX + 1, 413, "too_large_to_keep"),
        (body_max, 413, "too_large_to_keep"),
        (body_max + 1, 413, "body_too_large"),
    ] {
        let (found, problem) = house.post("messages", spaces(bytes)).await;
        assert_eq!((found, &problem["code"]), (status, &json!(code)), "{bytes}");
        assert_eq!(problem["parked"].is_string(), status == 400);
    }
    assert_eq!(house.put("config", &spaces(body_max + 1)).await.0, 400, "a configuration may be larger");
    assert_eq!(house.put("config", &spaces(6 * 1024 * 1024 + 1)).await.0, 413);
    house.close().await;
}

#[tokio::test]
async fn a_key_has_its_rate() {
    let house = House::open_with(&[("WINTERBAND_LIMITS__API_REQUESTS_PER_SECOND", "20")]).await;
    let refused = async || {
        let response = house.request(reqwest::Method::GET, "parked").send().await.unwrap();
        let wait = response.headers().get("retry-after").map(|wait| wait.to_str().unwrap().to_owned());
        assert_eq!(wait.as_deref(), (response.status() == 429).then_some("1"));
        response.status() == 429
    };
    house.until(refused).await;
    house.until(async || !refused().await).await;
    assert!(house.kit.metrics.refused_total.get(["api", "too_many_requests"]) > 0);
    house.close().await;
}

#[tokio::test]
async fn a_bus_that_is_gone_is_told() {
    let house = House::open().await;
    house.server_ends().await;
    let (status, problem) = house.post("messages", &message("m-1", "hello")).await;
    assert_eq!((status, &problem["code"]), (503, &json!("bus_unavailable")));
    assert_eq!(house.kit.metrics.messages_received_total.get(["api"]), 0);
    house.close().await;
}

#[tokio::test]
async fn a_full_stream_is_told_before_and_after_it_is_full() {
    for is_watched in [true, false] {
        let house = House::open_with(&[
            ("WINTERBAND_STREAMS__INBOUND_MAX", "64KiB"),
            ("WINTERBAND_LIMITS__API_REQUESTS_PER_SECOND", "1000000"),
        ])
        .await;
        let words = "x".repeat(2 * 1024);
        let mut taken = 0;
        let (status, problem) = loop {
            let before = if is_watched { house.look(0).await } else { RoomLevel::All };
            let (status, answer) = house.post("messages", &message(&format!("m-{taken}"), &words)).await;
            assert!(status == 202 || !is_watched || before > RoomLevel::All, "{answer}");
            if status != 202 {
                break (status, answer);
            }
            taken += 1;
        };
        assert_eq!((status, &problem["code"]), (507, &json!("storage_full")), "watched: {is_watched}");
        assert_eq!(messages(&house.inputs().await).len(), taken);
        let count = |name: &str| house.kit.metrics.refused_total.get(["api", name]);
        assert_eq!((count("storage_full"), count("internal")), (1, 0));
        if is_watched {
            // The last of it is left for others.
            house.put_config(&config(&["shop", "more"])).await;
        }
        house.close().await;
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_on_a_full_disk_is_no_other_outage() {
    let house = House::open().await;
    let begun = message("m-1", "hello");
    house.server_ends().await;
    let (answer, level) = tokio::join!(house.post("messages", &begun), house.look(100));
    assert_eq!(level, RoomLevel::NothingOfCustomers);
    assert_eq!((answer.0, &answer.1["code"]), (507, &json!("storage_full")));
    house.close().await;
}

#[tokio::test]
async fn on_a_full_disk_messages_are_refused_and_commands_are_not() {
    let house = House::open().await;
    assert_eq!(house.look(89).await, RoomLevel::All);
    assert_eq!(house.post("messages", &message("m-1", "hello")).await.0, 202);
    for percent in [90, 100] {
        assert!(house.look(percent).await > RoomLevel::All, "{percent}");
        for body in [message("m-2", "hello"), "{".to_owned()] {
            let (status, problem) = house.post("messages", &body).await;
            assert_eq!((status, &problem["code"]), (507, &json!("storage_full")), "{percent}: {body}");
            assert!(problem["detail"].as_str().unwrap().contains("under the same id"), "{problem}");
        }
        house.put_config(&config(&["shop", &format!("more-{percent}")])).await;
    }
    assert_eq!(house.kit.metrics.refused_total.get(["api", "storage_full"]), 4);
    assert_eq!(house.look(89).await, RoomLevel::All);
    assert_eq!(house.post("messages", &message("m-2", "hello")).await.0, 202);
    assert_eq!(messages(&house.inputs().await).len(), 2);
    house.close().await;
}

#[tokio::test]
async fn a_configuration_is_in_force_when_it_is_answered() {
    let house = House::open().await;
    let (_, present) = house.get("config").await;
    let id = present["config"]["agents"][0]["id"].clone();
    assert!(id.as_str().unwrap().starts_with("agt_"));
    let applied = house.put_config(&config(&["shop", "more"])).await;
    let (_, present) = house.get("config").await;
    assert_eq!((&present["hash"], &present["log_seq"]), (&applied["hash"], &applied["log_seq"]));
    assert_eq!(present["config"]["agents"][0]["id"], id, "an agent keeps its id by its name");

    let mut faulty = config(&["shop"]);
    faulty["accounts"][0]["queue"] = "nowhere".into();
    faulty["agents"][0]["queues"] = json!(["nowhere"]);
    let (status, problem) = house.put("config", &faulty.to_string()).await;
    assert_eq!((status, &problem["code"]), (422, &json!("config_faulty")));
    assert_eq!(problem["faults"].as_array().unwrap().len(), 2);
    assert_eq!(house.put("config", "{").await.0, 400);

    let mut asking = config(&["shop"]);
    asking["facts"] = json!([{"name": "customer.tier", "type": "text", "words": ["gold"]}, {"name": "agent.senior", "type": "bool"}]);
    asking["routes"] = json!([{"name": "gold", "when": ["customer.tier == \"golden\""], "queue": "nowhere"}]);
    asking["agents"][0]["attributes"] = json!({"agent.senior": true});
    asking["queues"][0]["steps"] = json!([{"after_ms": 0, "when": ["agent.seniority"]}]);
    let (_, problem) = house.put("config", &asking.to_string()).await;
    let told: Vec<_> =
        problem["faults"].as_array().unwrap().iter().map(|fault| fault["path"].clone()).collect();
    assert_eq!(told, ["routes[0].queue", "routes[0].when[0]", "queues[0].steps[0].when[0]"]);
    asking["routes"][0] = json!({"name": "gold", "when": ["customer.tier == \"gold\""], "priority": 0});
    asking["queues"][0]["steps"] = json!([{"after_ms": 0, "when": ["agent.senior"]}]);
    house.put_config(&asking).await;
    let (_, present) = house.get("config").await;
    assert_eq!(present["config"]["routes"], asking["routes"]);
    assert_eq!(present["config"]["agents"][0]["attributes"], asking["agents"][0]["attributes"]);
    house.close().await;
}

#[tokio::test]
async fn a_router_that_is_gone_leaves_the_outcome_open() {
    let house = House::open_with(&[("WINTERBAND_DESK__COMMAND_WAIT", "1s")]).await;
    house.router_ends().await;
    let (status, problem) = house.put("config", &config(&["shop", "more"]).to_string()).await;
    assert_eq!((status, &problem["code"]), (504, &json!("outcome_open")));
    house.close().await;
}

#[tokio::test]
async fn an_administrator_signs_in_for_an_agent() {
    let house = House::open().await;
    let (_, present) = house.get("config").await;
    let agent = &present["config"]["agents"][0];
    let name = agent["name"].as_str().unwrap();
    let (status, made) = house.post("sessions", &json!({ "agent": name }).to_string()).await;
    assert_eq!((status, &made["agent"]), (201, &agent["id"]));
    let row = house.session(made["token"].as_str().unwrap()).await;
    assert_eq!(json!(row.agent), agent["id"]);
    assert!(row.until.0 > house.kit.clock.unix_ms());
    for unknown in ["nobody", "a.*"] {
        let (status, problem) = house.post("sessions", &json!({ "agent": unknown }).to_string()).await;
        assert_eq!((status, &problem["code"]), (404, &json!("unknown_agent")));
    }
    house.close().await;
}

#[tokio::test]
async fn a_key_of_an_agent_signs_in_as_that_agent_and_does_nothing_else() {
    let house = House::open().await;
    let (_, present) = house.get("config").await;
    let agents = &present["config"]["agents"];
    let name = |n: usize| json!({ "agent": agents[n]["name"] }).to_string();
    let (status, made) = house.post("keys", &name(0)).await;
    assert_eq!((status, &made["agent"]), (201, &agents[0]["id"]));
    let key = made["key"].as_str().unwrap();
    house.until(async || house.post_with(key, "sessions", &name(0)).await.0 == 201).await;
    let another = json!({ "agent": "somebody" }).to_string();
    for (path, body) in [("sessions", another), ("keys", name(0)), ("messages", "{}".to_owned())] {
        let (status, problem) = house.post_with(key, path, &body).await;
        assert_eq!((status, &problem["code"]), (403, &json!("agent_only")), "{path}");
    }
    let (status, problem) = house.post("keys", r#"{"agent":"nobody"}"#).await;
    assert_eq!((status, &problem["code"]), (404, &json!("unknown_agent")));
    house.close().await;
}

#[tokio::test]
async fn a_killed_server_delays_a_message_and_loses_none() {
    let house = House::open().await;
    for n in 0..4 {
        if n % 2 == 1 {
            house.kill_server().await;
        }
        let (status, answer) = house.post("messages", &message(&format!("m-{n}"), "hello")).await;
        assert_eq!(status, 202, "{answer}");
    }
    assert_eq!(messages(&house.inputs().await).len(), 4);
    assert!(house.kit.metrics.retried_total.get(["api"]) > 0, "what had to be tried again is counted");
    house.close().await;
}

#[tokio::test]
async fn before_the_first_configuration_every_account_is_unknown() {
    let house = Box::pin(House::open_bare(&[])).await;
    let (_, present) = house.get("config").await;
    assert_eq!(present, json!({"log_seq": null, "hash": null, "config": null}));
    let (status, problem) = house.post("messages", &message("m-1", "hello")).await;
    assert_eq!((status, &problem["code"]), (404, &json!("unknown_account")));
    house.close().await;
}

#[tokio::test]
async fn facts_are_told_once_they_are_durable_and_name_nobody() {
    let house = House::open().await;
    let body =
        json!({"source": "shop", "at": 5, "about": {"order": "A-1001"}, "facts": {"order.days_late": 4}});
    let (status, taken) = house.post("facts", body.to_string()).await;
    assert_eq!(status, 202, "{taken}");
    let about = json!({"customer": {"channel": "api", "account": "shop", "value": "ann@example.org"}});
    let of_her = json!({"source": "shop", "about": about, "facts": {"customer.tier": "gold"}});
    assert_eq!(house.post("facts", of_her.to_string()).await.0, 202);
    let none = json!({"source": "shop", "about": {"order": "A-1"}, "facts": {}}).to_string();
    assert_eq!(house.post("facts", none).await.0, 422);
    assert_eq!(house.post("facts", "{").await.0, 400);
    let inputs = house.inputs().await;
    let is_told = |input: &&protocol::Input| {
        matches!(&input.body, InputBody::Empowerment(EmpowermentInput::Facts { .. }))
    };
    assert_eq!(inputs.iter().filter(is_told).count(), 2, "what was refused is not stored");
    house.holds_nowhere(INBOUND, &["ann@example.org"]).await;
    house.close().await;
}
