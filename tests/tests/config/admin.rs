//! What who supervises changes at the desk, over HTTP: in force at once, within what is theirs, and written down.

use reqwest::Method;
use serde_json::{Value, json};
use tests::desk::Desk;
use tests::{Product, Up};

use crate::{take, write};

/// Somebody at the desk, without a socket.
pub(crate) struct Seat {
    url: String,
    token: String,
    client: reqwest::Client,
}

impl Seat {
    pub(crate) async fn of(product: &Product, name: &str) -> Self {
        Self::at([&product.url("rest"), &product.url("desk")], &product.admin_key(), name).await
    }

    async fn at([api, desk]: [&str; 2], key: &str, name: &str) -> Self {
        let client = reqwest::Client::new();
        let asked = client.post(format!("{api}/api/v1/sessions")).bearer_auth(key);
        let made: Value = asked.json(&json!({ "agent": name })).send().await.unwrap().json().await.unwrap();
        let token = made["token"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        Self { url: desk.to_owned(), token, client }
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let request = self.client.request(method, format!("{}/desk/{path}", self.url));
        let request = request.bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(Method::GET, path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Changes the configuration; gives what is answered.
    pub(crate) async fn change(&self, change: impl FnOnce(&mut Value)) -> (u16, Value) {
        let mut present = self.get("admin/config").await;
        change(&mut present["config"]);
        let path = format!("admin/config?if_hash={}", present["hash"].as_str().unwrap());
        self.ask(Method::PUT, &path, Some(&present["config"])).await
    }

    async fn refused(&self, change: impl FnOnce(&mut Value)) -> Vec<String> {
        let (status, body) = self.change(change).await;
        assert_eq!((status, &body["code"]), (403, &json!("beyond_you")), "{body}");
        let faults = body["faults"].as_array().unwrap().iter();
        faults.map(|fault| fault["path"].as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) fn queue(name: &str) -> Value {
    json!({
        "name": name, "title": name, "offer_ms": 30_000, "wrap_up_ms": 0, "owner_wait_ms": 1_000,
        "reopen_ms": 3_600_000, "decline_rest_ms": 60_000, "wait_bound_ms": 900_000,
    })
}

pub(crate) fn push(config: &mut Value, list: &str, one: Value) {
    config[list].as_array_mut().unwrap().push(one);
}

/// Bram, who administrates, lets Sofie supervise everything, and Rik the returns.
pub(crate) async fn staffed(product: &Product) -> [Seat; 3] {
    let bram = Seat::of(product, "bram").await;
    for (name, role, scope) in [("sofie", "supervisor", json!([])), ("rik", "supervisor", json!(["returns"]))]
    {
        let agent = json!({
            "name": name, "title": name, "queues": ["returns"], "skills": {}, "capacity": { "web": 1 },
            "role": role, "scope": scope,
        });
        let (status, made) = bram.ask(Method::POST, "admin/agents", Some(&json!({ "agent": agent }))).await;
        assert_eq!(status, 201, "{made}");
    }
    [bram, Seat::of(product, "sofie").await, Seat::of(product, "rik").await]
}

#[tokio::test]
async fn who_supervises_adds_a_skill_a_queue_and_an_agent_who_works_at_once() {
    let product = Product::started().await;
    let [_, sofie, _] = staffed(&product).await;
    let (status, applied) = sofie
        .change(|config| {
            push(config, "skills", json!({ "name": "tyres", "title": "Tyres" }));
            push(config, "queues", queue("garage"));
            let account =
                json!({ "channel": "api", "name": "garage", "title": "", "queue": "garage", "priority": 1 });
            push(config, "accounts", account);
        })
        .await;
    assert_eq!(status, 200, "{applied}");
    let present = sofie.get("admin/config").await;
    assert_eq!((&present["hash"], &present["log_seq"]), (&applied["hash"], &applied["log_seq"]));
    assert_eq!(present["mine"]["role"], "supervisor");
    let nora = json!({ "agent": {
        "name": "nora", "title": "Nora", "queues": ["garage"], "skills": { "tyres": 3 }, "capacity": { "api": 1 },
    }});
    let (status, made) = sofie.ask(Method::POST, "admin/agents", Some(&nora)).await;
    assert_eq!(status, 201, "{made}");
    let (status, again) = sofie.ask(Method::POST, "admin/agents", Some(&nora)).await;
    assert_eq!((status, &again["code"]), (409, &json!("agent_exists")));
    // With the password that was shown once she is in, and what comes by the new account is hers.
    let password = made["password"].as_str().unwrap();
    let chosen = choose_password(&product, "nora", password).await;
    let mut desk = Desk::sign_in(&product, "desk", "nora", &chosen).await;
    assert_eq!(desk.agent.to_string(), made["agent"].as_str().unwrap());
    desk.online().await;
    assert_eq!(write(&product, "garage", "pim").await, 202);
    assert_eq!(take(&mut desk).await.queue, "garage");
    changes_are_written_down(&sofie, &made).await;
}

/// Signs in with a first password, with which nothing can be done but to choose another one.
async fn choose_password(product: &Product, name: &str, first: &str) -> String {
    let (client, url) = (reqwest::Client::new(), format!("{}/desk", product.url("desk")));
    let body = json!({ "name": name, "password": first });
    let answer = client.post(format!("{url}/api/signin")).json(&body).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let cookies = answer.headers().get_all("set-cookie").iter().map(|one| one.to_str().unwrap());
    let cookies: Vec<_> = cookies.filter_map(|one| one.split(';').next()).collect();
    let cookies = cookies.join("; ");
    let early = client.get(format!("{url}/policy")).header("cookie", &cookies).send().await.unwrap();
    assert_eq!(early.json::<Value>().await.unwrap()["code"], "password_first");
    let new = "zeven gele fietsen huilen zacht";
    let asked = client.post(format!("{url}/api/password")).header("cookie", &cookies);
    let changed = asked.json(&json!({ "current": first, "new": new })).send().await.unwrap();
    assert!(changed.status().is_success(), "{}", changed.text().await.unwrap());
    new.to_owned()
}

async fn changes_are_written_down(sofie: &Seat, made: &Value) {
    let trail = sofie.get("admin/audit?limit=500").await;
    let entries = trail["entries"].as_array().unwrap();
    let config = sofie.get("admin/config").await;
    let sofie = &config["mine"]["agent"];
    let by_sofie = |action: &str, about: &str, what: &Value| {
        entries.iter().any(|entry| {
            entry["action"] == action && entry["actor"]["agent"] == *sofie && entry["about"][about] == *what
        })
    };
    assert!(by_sofie("config_published", "hash", &made["hash"]), "{trail:#}");
    assert!(by_sofie("password_set", "agent", &made["agent"]), "{trail:#}");
}

#[tokio::test]
async fn who_is_slower_is_told_and_all_faults_at_once() {
    let product = Product::started().await;
    let bram = Seat::of(&product, "bram").await;
    let mut read = bram.get("admin/config").await;
    let hash = read["hash"].as_str().unwrap().to_owned();
    let (status, other) = bram.change(|config| push(config, "queues", queue("garage"))).await;
    assert_eq!(status, 200, "{other}");
    push(&mut read["config"], "queues", queue("workshop"));
    let path = format!("admin/config?if_hash={hash}");
    let (status, told) = bram.ask(Method::PUT, &path, Some(&read["config"])).await;
    assert_eq!((status, &told["code"]), (409, &json!("config_changed")));
    assert_eq!(told["hash"], other["hash"], "the one to read again");
    let (status, faulty) = bram
        .change(|config| {
            config["queues"][0]["overflow"] = json!("nowhere");
            config["accounts"][0]["queue"] = json!("nowhere");
        })
        .await;
    assert_eq!((status, &faulty["code"]), (422, &json!("config_faulty")));
    let mut paths: Vec<_> = faulty["faults"].as_array().unwrap().iter().map(|one| &one["path"]).collect();
    paths.dedup();
    assert_eq!(paths, ["queues[0].overflow", "accounts[0].queue"]);
    assert_eq!(bram.get("admin/config").await["hash"], other["hash"], "nothing changed");
}

#[tokio::test]
async fn nobody_changes_what_is_not_theirs() {
    let product = Product::started().await;
    let [bram, sofie, rik] = staffed(&product).await;
    let (status, told) = bram
        .change(|config| {
            let lena = json!({
                "name": "lena", "title": "Lena", "queues": ["returns"], "skills": {}, "capacity": {}, "role": "lead",
            });
            push(config, "agents", lena);
        })
        .await;
    assert_eq!(status, 200, "{told}");
    for name in ["anna", "lena"] {
        let seat = Seat::of(&product, name).await;
        for (method, path) in [
            (Method::GET, "config"),
            (Method::PUT, "config"),
            (Method::POST, "agents"),
            (Method::GET, "keys"),
            (Method::GET, "webhooks"),
        ] {
            let (status, told) = seat.ask(method, &format!("admin/{path}"), None).await;
            assert_eq!((status, &told["code"]), (403, &json!("role_missing")), "{name} {path}: {told}");
        }
    }
    let index = |config: &Value, name: &str| {
        config["agents"].as_array().unwrap().iter().position(|one| one["name"] == name).unwrap()
    };
    // Who supervises gives no role above their own, and does not touch who administrates.
    let refused = sofie
        .refused(|config| {
            let (anna, bram) = (index(config, "anna"), index(config, "bram"));
            config["agents"][anna]["role"] = json!("administrator");
            config["agents"][bram]["title"] = json!("Nobody");
        })
        .await;
    assert_eq!(refused, ["agents[0].role", "agents[1]"]);
    let (status, told) = sofie.ask(Method::GET, "admin/keys", None).await;
    assert_eq!((status, &told["code"]), (403, &json!("role_missing")));
    // Who supervises the returns changes these, and nothing of the orders.
    let (status, told) = rik.change(|config| config["queues"][1]["picking"] = json!(false)).await;
    assert_eq!(status, 200, "{told}");
    let refused = rik
        .refused(|config| {
            config["queues"][2]["picking"] = json!(false);
            push(config, "skills", json!({ "name": "tyres", "title": "Tyres" }));
            config["accounts"][0]["title"] = json!("Mine");
        })
        .await;
    assert_eq!(refused, ["queues[2]", "accounts[0]", "skills"]);
    let (status, told) = rik.ask(Method::GET, "admin/webhooks", None).await;
    assert_eq!((status, &told["code"]), (403, &json!("beyond_you")));
    a_key_gives_no_role_that_changes_things(&product, &bram).await;
}

/// A key that may write the configuration is nobody's own: it makes no supervisor.
async fn a_key_gives_no_role_that_changes_things(product: &Product, bram: &Seat) {
    let asked = json!({ "name": "deploy", "scopes": ["config.read", "config.write"] });
    let (status, made) = bram.ask(Method::POST, "admin/keys", Some(&asked)).await;
    assert_eq!(status, 201, "{made}");
    let listed = bram.get("admin/keys").await;
    assert!(listed["keys"].as_array().unwrap().iter().any(|key| key["id"] == made["id"]), "{listed}");
    let mut config = bram.get("admin/config").await["config"].take();
    let client = reqwest::Client::new();
    let url = format!("{}/api/v1/config", product.url("rest"));
    let put = async |config: &Value| {
        let sent = client.put(&url).bearer_auth(made["key"].as_str().unwrap()).json(config).send().await;
        let answer = sent.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    config["agents"][0]["role"] = json!("lead");
    let (status, told) = put(&config).await;
    assert_eq!(status, 200, "{told}");
    config["agents"][0]["role"] = json!("supervisor");
    let (status, told) = put(&config).await;
    assert_eq!((status, &told["code"]), (403, &json!("beyond_you")));
    let (status, _) =
        bram.ask(Method::DELETE, &format!("admin/keys/{}", made["id"].as_str().unwrap()), None).await;
    assert_eq!(status, 204);
    tests::eventually("the key opens nothing", std::time::Duration::from_secs(60), || async {
        (put(&config).await.0 == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_policy_is_looked_at_replaced_and_in_force_without_a_restart() {
    let up = Up::started().await;
    let (url, key) = (up.url(), up.admin_key());
    let bram = Seat::at([&url, &url], &key, "bram").await;
    let rik = json!({ "agent": {
        "name": "rik", "title": "Rik", "queues": ["returns"], "skills": {}, "capacity": { "web": 1 },
        "role": "supervisor", "scope": ["returns"],
    }});
    let (status, made) = bram.ask(Method::POST, "admin/agents", Some(&rik)).await;
    assert_eq!(status, 201, "{made}");
    let rik = Seat::at([&url, &url], &key, "rik").await;
    let before = bram.get("admin/policy").await;
    let text = before["text"].as_str().unwrap();
    let text = text.replace("Mara Wouters, managing director", "Bram of the returns");
    let new = json!({ "text": text, "if_hash": before["hash"] });
    let (status, told) = rik.ask(Method::PUT, "admin/policy", Some(&new)).await;
    assert_eq!((status, &told["code"]), (403, &json!("beyond_you")), "the policy is for all queues");
    let (status, taken) = bram.ask(Method::PUT, "admin/policy", Some(&new)).await;
    assert!((200..300).contains(&status), "{taken}");
    tests::eventually("the policy is in force", std::time::Duration::from_secs(60), || async {
        (bram.get("admin/policy").await["hash"] == taken["hash"]).then_some(())
    })
    .await;
    assert_eq!(bram.get("policy").await["policy"]["stands_behind"], "Bram of the returns");
    two_replace_a_policy_at_once_and_one_is_in_force(&up).await;
    let taken = bram.get("admin/policy").await;
    // Whoever made theirs from the one before is told, and nothing is written over.
    let (status, told) = bram.ask(Method::PUT, "admin/policy", Some(&new)).await;
    assert_eq!((status, &told["code"], &told["hash"]), (409, &json!("policy_changed"), &taken["hash"]));
    // Faults are told with their lines, by looking and by trying to publish.
    let look = async |text: &str| {
        let body = json!({ "text": text });
        let (status, looked) = bram.ask(Method::POST, "admin/policy/check", Some(&body)).await;
        assert_eq!(status, 200, "{looked}");
        looked["faults"].clone()
    };
    assert_eq!(look(&text).await, json!([]));
    let line_of = |text: &str, words: &str| text.lines().position(|line| line.contains(words)).unwrap() + 1;
    let misread = text.replace("undo = \"10s\"", "undo = \"soon\"");
    let faults = look(&misread).await;
    assert_eq!(
        (&faults[0]["line"], &faults[0]["path"]),
        (&json!(line_of(&misread, "\"soon\"")), &json!("undo")),
        "{faults}"
    );
    let untrue = text.replace("customer.failures_90d >= 2", "no.such_fact > 1");
    let faults = look(&untrue).await;
    let line = json!(line_of(&untrue, "no.such_fact"));
    assert!(faults.as_array().unwrap().iter().any(|fault| fault["line"] == line), "{faults}");
    let faulty = json!({ "text": untrue });
    let looked = json!({ "faults": faults });
    let (status, told) = bram.ask(Method::PUT, "admin/policy", Some(&faulty)).await;
    assert_eq!((status, &told["code"], &told["faults"]), (422, &json!("policy_faulty"), &looked["faults"]));
    assert_eq!(bram.get("admin/policy").await["hash"], taken["hash"]);
}

/// Both made theirs from the same one: whichever comes second is told, and makes the change anew.
async fn two_replace_a_policy_at_once_and_one_is_in_force(up: &Up) {
    let (url, key) = (up.url(), up.admin_key());
    let bram = Seat::at([&url, &url], &key, "bram").await;
    let sanne = json!({ "agent": {
        "name": "sanne", "title": "Sanne", "queues": ["returns"], "skills": {}, "capacity": { "web": 1 },
        "role": "supervisor",
    }});
    let (status, made) = bram.ask(Method::POST, "admin/agents", Some(&sanne)).await;
    assert_eq!(status, 201, "{made}");
    let sanne = Seat::at([&url, &url], &key, "sanne").await;
    for round in 0..5 {
        let before = bram.get("admin/policy").await;
        let of = |name: &str| {
            let text = before["text"].as_str().unwrap();
            let text = text.replacen("judgement", &format!("judgement ({name} {round})"), 1);
            json!({ "text": text, "if_hash": before["hash"] })
        };
        let (bodies, path) = ([of("Bram"), of("Sanne")], "admin/policy");
        assert_ne!(bodies[0], bodies[1]);
        let answers = tokio::join!(
            bram.ask(Method::PUT, path, Some(&bodies[0])),
            sanne.ask(Method::PUT, path, Some(&bodies[1]))
        );
        let (first, second) = if answers.0.0 == 200 { answers } else { (answers.1, answers.0) };
        assert_eq!(first.0, 200, "{first:?}");
        assert_eq!((second.0, &second.1["code"]), (409, &json!("policy_changed")), "{second:?}");
        assert_eq!(second.1["hash"], first.1["hash"], "the one in force is told");
        tests::eventually("the policy is in force", std::time::Duration::from_secs(60), || async {
            (bram.get("admin/policy").await["hash"] == first.1["hash"]).then_some(())
        })
        .await;
    }
}
