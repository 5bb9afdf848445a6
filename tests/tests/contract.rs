//! The contract with other systems, held against the product as a person runs it: the quick starts of its README as they stand there,
//! the examples of its events, and what a machine that has read the documents makes up.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tests::up::Up;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A program of the tools that `tests/run` sets up.
fn tool(name: &str) -> PathBuf {
    let program = root().join(".tools/contract/bin").join(name);
    assert!(program.is_file(), "{} is missing: tests/run sets it up", program.display());
    program
}

async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn said(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The code of a language under *Quick starts*.
fn quick_start(language: &str) -> String {
    let readme = std::fs::read_to_string(root().join("crates/api/README.md")).unwrap();
    let (_, part) = readme.split_once("## Quick starts\n").unwrap();
    let (part, _) = part.split_once("\n## ").unwrap();
    let (_, code) = part.split_once(&format!("```{language}\n")).unwrap();
    code.split_once("```").unwrap().0.to_owned()
}

#[tokio::test]
async fn the_quick_starts_do_what_they_say() {
    let up = Up::started().await;
    for (language, program, flag) in [("sh", "bash", "-c"), ("python", "python3", "-c"), ("js", "node", "-e")]
    {
        let code = quick_start(language);
        assert!(code.lines().count() <= 10, "{language}: a quick start has ten lines");
        let code = code.replace("http://127.0.0.1:8080", &up.url());
        let mut command = Command::new("timeout");
        command.args(["120", program, flag, &code]).current_dir(up.folder());
        let output = run(command).await;
        let said = said(&output);
        assert!(output.status.success(), "{language}: {said}");
        assert!(
            said.contains(r#""message":"#) || said.contains("message:") || said.contains("'message':"),
            "{said}"
        );
        assert!(said.contains("message.received") && said.contains("Hello from "), "{language}: {said}");
    }
}

/// What another system does over HTTP with the administrator's key.
struct System {
    client: reqwest::Client,
    up: Up,
    key: String,
}

impl System {
    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("{}/api/v1/{path}", self.up.url());
        let mut request = self.client.request(method.parse().unwrap(), url).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The first event of this type after a place, and the place after it.
    async fn event(&self, after: u64, kind: &str, is: impl Fn(&Value) -> bool) -> (Value, u64) {
        let mut after = after;
        loop {
            let (status, page) =
                self.ask("GET", &format!("events?after={after}&wait=60&types={kind}"), None).await;
            assert!(status == 200 && page["next"].as_u64().unwrap() > after, "no {kind}: {page}");
            after = page["next"].as_u64().unwrap();
            if let Some(event) = page["events"].as_array().unwrap().iter().find(|event| is(event)) {
                return (event.clone(), after);
            }
        }
    }

    async fn command(&self, command: Value) {
        let (status, done) =
            self.ask("POST", "bots/helper/commands", Some(json!({ "command": command }))).await;
        assert_eq!((status, &done["done"]), (200, &json!(true)), "{command}: {done}");
    }
}

#[tokio::test]
async fn a_bot_takes_a_contact_over_http_answers_and_ends_it_while_another_system_tags_it() {
    let up = Up::started().await;
    let key = up.admin_key();
    let system = System { client: reqwest::Client::new(), up, key };
    let (_, present) = system.ask("GET", "config", None).await;
    let mut config = present["config"].clone();
    let queues: Vec<Value> =
        config["queues"].as_array().unwrap().iter().map(|queue| queue["name"].clone()).collect();
    let bot = json!({"name": "helper", "title": "Helper", "bot": true, "queues": queues, "skills": {}, "capacity": {"api": 3}});
    config["agents"].as_array_mut().unwrap().push(bot);
    config["tags"] = json!([{"name": "vip", "title": "VIP"}]);
    config["contact_fields"] = json!([{"name": "cause", "title": "Cause"}]);
    let dispositions = config["dispositions"].as_array().unwrap().clone();
    let plain = dispositions.iter().find(|one| one["fields"].as_array().is_none_or(Vec::is_empty)).unwrap();
    let (status, applied) = system.ask("PUT", "config", Some(config)).await;
    assert_eq!(status, 200, "{applied}");

    let (status, held) = system.ask("PUT", "bots/helper", Some(json!({"seconds": 120}))).await;
    assert_eq!(status, 200, "{held}");
    system.command(json!({"do": "set_presence", "presence": "online"})).await;
    let message =
        json!({"account": "shop", "id": "b-1", "from": {"value": "dan@example.org"}, "text": "Where is it?"});
    let (status, opened) = system.ask("POST", "contacts", Some(message)).await;
    assert_eq!(status, 201, "{opened}");
    let contact = opened["contact"].as_str().unwrap();
    let to_it = |event: &Value| event["contact"] == contact && event["data"]["agent"] == held["agent"];
    let (offered, after) = system.event(0, "contact.offered", to_it).await;
    system.command(json!({"do": "accept", "offer": offered["data"]["offer"]})).await;
    system.event(0, "contact.assigned", to_it).await;
    system.command(json!({"do": "reply", "contact": contact, "text": "It comes tomorrow."})).await;
    let (sent, _) = system.event(after, "message.sent", to_it).await;
    assert_eq!(
        (&sent["data"]["bot"], &sent["data"]["words"]["text"]),
        (&json!(true), &json!("It comes tomorrow."))
    );

    let act = async |body: Value| system.ask("POST", &format!("contacts/{contact}/acts"), Some(body)).await;
    let (status, done) = act(json!({"tags": {"add": ["vip"]}})).await;
    assert_eq!((status, &done["done"]), (200, &json!(true)), "{done}");
    assert_eq!(act(json!({"fields": {"cause": "late"}})).await.0, 200);
    let is_marked = |event: &Value| event["contact"] == contact && event["data"]["fields"]["cause"] == "late";
    let (marked, _) = system.event(after, "contact.marked", is_marked).await;
    assert_eq!(marked["data"], json!({"tags": ["vip"], "fields": {"cause": "late"}}));
    let (status, refused) = act(json!({"tags": {"add": ["unheard-of"]}})).await;
    assert_eq!((status, &refused["code"]), (422, &json!("unknown_tag")), "{refused}");
    let (_, note) = act(json!({"note": "Paid by invoice."})).await;
    let again = act(json!({"id": note["id"], "note": "Paid by invoice."})).await.1;
    assert_eq!((&again["done"], &again["duplicate"]), (&json!(true), &json!(true)), "{again}");
    let (noted, _) = system.event(after, "note.added", |event| event["contact"] == contact).await;
    assert_eq!(noted["data"]["words"]["text"], "Paid by invoice.");

    system.command(json!({"do": "resolve", "contact": contact, "disposition": plain["name"]})).await;
    system.event(after, "contact.resolved", |event| event["contact"] == contact).await;
    let late = json!({"command": {"do": "reply", "contact": contact, "text": "One more thing"}});
    let (status, refused) = system.ask("POST", "bots/helper/commands", Some(late)).await;
    assert_eq!(status, 409, "{refused}");
}

#[tokio::test]
async fn examples_of_events_are_as_their_schema_says() {
    let up = Up::started().await;
    let check = "import json, sys, urllib.request, jsonschema\n\
                 schema = json.load(urllib.request.urlopen(sys.argv[1] + '/api/schemas/PublicEvent.json'))\n\
                 jsonschema.Draft202012Validator.check_schema(schema)\n\
                 validator = jsonschema.Draft202012Validator(schema)\n\
                 lines = open(sys.argv[2]).read().splitlines()\n\
                 for line in lines:\n    validator.validate(json.loads(line))\n\
                 for wrong in ({}, {**json.loads(lines[0]), 'type': 'contact.eaten'}, {**json.loads(lines[0]), 'seq': 'x'}):\n\
                 \x20   assert not validator.is_valid(wrong), wrong\n\
                 print(len(lines), 'are as they should be')";
    let mut command = Command::new(tool("python"));
    command.args(["-c", check, &up.url()]).arg(root().join("crates/protocol/tests/golden-public.jsonl"));
    let output = run(command).await;
    assert!(output.status.success(), "{}", said(&output));
}

/// Tries every operation with what the document allows and with what it forbids, and looks whether answers are as it says.
#[tokio::test]
async fn every_answer_is_as_the_document_says_whatever_is_asked() {
    let up = Up::started().await;
    let key = std::fs::read_to_string(up.folder().join("data/secrets/admin.key")).unwrap();
    let mut command = Command::new(tool("st"));
    command
        .args(["run", &format!("{}/api/openapi.json", up.url()), "--url", &up.url()])
        .args(["--header", &format!("Authorization: Bearer {}", key.trim())])
        // A schema cannot say everything that makes a body right: a category has to be configured, an agent's queue too. And
        // a key is looked at before the method.
        .args(["--checks", "all", "--exclude-checks", "positive_data_acceptance"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--seed", "1"])
        .args([
            "--max-time",
            "90",
            // A feed may be waited at for a minute.
            "--request-timeout",
            "70",
            "--max-response-time",
            "65",
            "--continue-on-failure",
            "--no-color",
            // One at a time: CPython 3.11 fails now and then where two threads parse source text.
            "--workers",
            "1",
        ])
        .current_dir(up.folder());
    let output = run(command).await;
    assert!(output.status.success(), "{}", said(&output));
}
