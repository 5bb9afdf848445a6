//! Roles that run apart on a server of the operator's: over TLS, each as a user that may do what it does and nothing else.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and looks only at what it waits for"
)]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use bus::{Bus, BusSettings, Credentials, Deadline, Secret, places};
use protocol::command::Outcome;
use protocol::desk::{DeskCommand, ToDesk};
use protocol::ids::{AgentId, MessageId};
use protocol::streams;
use protocol::subjects::Subjects;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::chat::Chat;
use tests::desk::Desk;
use tests::{Process, eventually, process};

const SOON: Duration = Duration::from_secs(60);
const ROLES: [&str; 9] =
    ["rights", "routing", "empowerment", "views", "desk", "chat", "channels", "api", "watch"];

/// A server that nobody supervises; it ends with this value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Every role as a process of its own.
struct Apart {
    // In the order in which they end.
    parts: BTreeMap<&'static str, (Process, u16)>,
    server: Server,
    url: String,
    folder: TempDir,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Apart {
    async fn prepared() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        let out = keys.display().to_string();
        let (code, said, errors) = process::to_its_end(&["keys", "--out", &out], &[], folder.path()).await;
        assert_eq!(code, 0, "{said}{errors}");
        let seed = std::fs::read_to_string(keys.join("desk/nats.seed")).unwrap();
        assert!(!said.contains(seed.trim()) && !errors.contains(seed.trim()), "a seed was printed");
        // A channel whose word not every build knows, from the first configuration on.
        let config = folder.path().join("config");
        std::fs::create_dir(&config).unwrap();
        std::fs::write(config.join("routing.toml"), tests::floor_with(&[("telegram", "bot")])).unwrap();
        let bot = "[[telegram]]\naccount = \"bot\"\ntoken = { file = \"bot.token\" }\nsecret = { file = \"bot.secret\" }\napi = \"http://127.0.0.1:9\"\n";
        std::fs::write(config.join("channels.toml"), bot).unwrap();
        std::fs::write(config.join("bot.token"), "4242:of-nobody").unwrap();
        std::fs::write(config.join("bot.secret"), "said-with-every-update").unwrap();
        let port = free_port();
        let server = Server(serve(folder.path(), port));
        let apart = Self { parts: BTreeMap::new(), server, url: format!("tls://localhost:{port}"), folder };
        let (code, said, errors) = apart.command("prepare", &["prepare"]).await;
        assert_eq!(code, 0, "{said}{errors}");
        apart
    }

    fn variables(&self, user: &str) -> Vec<(String, String)> {
        let folder = self.folder.path();
        let keys = folder.join("keys").join(user);
        let mut all = vec![
            ("NATS_URL".to_owned(), self.url.clone()),
            (
                "WINTERBAND_NATS__SEED".to_owned(),
                format!("{{ file = \"{}\" }}", keys.join("nats.seed").display()),
            ),
            ("WINTERBAND_NATS__AUTHORITY".to_owned(), keys.join("ca.pem").display().to_string()),
            ("WINTERBAND_NATS__PREPARED".to_owned(), "true".to_owned()),
            ("WINTERBAND_DATA__MASTER_KEY".to_owned(), folder.join("master.key").display().to_string()),
            ("WINTERBAND_LOG__LEVEL".to_owned(), "info".to_owned()),
            ("WINTERBAND_CONFIG".to_owned(), folder.join("config").display().to_string()),
        ];
        // Nobody has the secrets of the first start but who made them and who needs them.
        let data = if matches!(user, "prepare" | "operator") {
            folder.join("data")
        } else {
            folder.join("data-of").join(user)
        };
        all.push(("WINTERBAND_DATA__FOLDER".to_owned(), data.display().to_string()));
        all
    }

    async fn command(&self, user: &str, args: &[&str]) -> (i32, String, String) {
        process::to_its_end(args, &self.variables(user), self.folder.path()).await
    }

    async fn start_all(&mut self) {
        for role in ROLES {
            let port = free_port();
            let mut variables = self.variables(role);
            variables.push(("WINTERBAND_HTTP__LISTEN".to_owned(), format!("127.0.0.1:{port}")));
            variables.push(("WINTERBAND_HTTP__PUBLIC_URL".to_owned(), format!("http://127.0.0.1:{port}")));
            if role == "watch" {
                variables.push(("WINTERBAND_CANARY__CHAT_URL".to_owned(), self.url("chat")));
                variables.push(("WINTERBAND_CANARY__API_URL".to_owned(), self.url("api")));
                for (name, often) in [("CANARY__EVERY", "500ms"), ("WATCH__LOOK_EVERY", "200ms")] {
                    variables.push((format!("WINTERBAND_{name}"), often.to_owned()));
                }
            }
            let output = self.output(role);
            let process = Process::start(&["serve", role], &variables, self.folder.path(), &output);
            self.parts.insert(role, (process, port));
            if role == "rights" {
                self.ready(role).await;
            }
        }
        for role in ROLES {
            self.ready(role).await;
        }
    }

    fn output(&self, role: &str) -> PathBuf {
        self.folder.path().join(format!("{role}.out"))
    }

    fn url(&self, role: &str) -> String {
        format!("http://127.0.0.1:{}", self.parts[role].1)
    }

    async fn ready(&self, role: &str) {
        let listen = ("WINTERBAND_HTTP__LISTEN".to_owned(), format!("127.0.0.1:{}", self.parts[role].1));
        let answered = tokio::time::timeout(SOON, async {
            loop {
                let (code, _, _) =
                    process::to_its_end(&["health"], std::slice::from_ref(&listen), self.folder.path()).await;
                if code == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        let text = || std::fs::read_to_string(self.output(role)).unwrap_or_default();
        assert!(answered.await.is_ok(), "{role} is not ready:\n{}", text());
    }

    fn admin_key(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("data/secrets/admin.key")).unwrap().trim().to_owned()
    }

    async fn bus_as(&self, user: &str, name: &str) -> Bus {
        let keys = self.folder.path().join("keys").join(user);
        let seed = std::fs::read_to_string(keys.join("nats.seed")).unwrap();
        let settings = BusSettings {
            url: self.url.clone(),
            credentials: Credentials::Nkey(Secret::new(seed.trim())),
            name: name.to_owned(),
            authority: Some(keys.join("ca.pem")),
        };
        Bus::connect_until(&settings, Deadline::after(SOON)).await.unwrap()
    }
}

/// The operator's server: everybody has a key, and all goes over TLS.
fn serve(folder: &Path, port: u16) -> Child {
    let keys = folder.join("keys/nats");
    let (config, store) = (folder.join("server.conf"), folder.join("store"));
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\nmax_payload: 8MB\n\
         tls {{ cert_file: \"{keys}/server.pem\", key_file: \"{keys}/server.key\", timeout: 10 }}\n\
         include \"keys/nats/users.conf\"\n\
         jetstream {{ store_dir: \"{store}\", max_mem: 256MB, max_file: 1TB }}\n",
        keys = keys.display(),
        store = store.display(),
    );
    std::fs::write(&config, text).unwrap();
    let program = std::env::var_os("NATS_SERVER_BIN").map_or_else(|| "nats-server".into(), PathBuf::from);
    let log = folder.join("server.log");
    Command::new(program).arg("-c").arg(&config).arg("-l").arg(&log).spawn().unwrap()
}

#[tokio::test]
async fn a_customer_is_answered_by_roles_that_may_do_nothing_else() {
    let mut apart = Apart::prepared().await;
    apart.start_all().await;
    let (desk, api) = (apart.url("desk"), apart.url("api"));
    let mut anna = Desk::open_at(&api, &desk, &apart.admin_key(), "anna").await;
    anna.online().await;
    let mut chat = eventually("the shop's account is known", SOON, || async {
        Chat::welcomed_at(apart.url("chat"), "shop").await
    })
    .await;
    chat.say("the tyre is flat again").await;
    let card = anna.offer().await;
    assert_eq!(card.words, ["the tyre is flat again"]);
    let contact = card.contact;
    assert_eq!(anna.command(DeskCommand::Accept { offer: card.offer }).await, Outcome::Done);
    let reply = DeskCommand::Reply {
        contact,
        message: MessageId(uuid::Uuid::now_v7()),
        text: "we send you another one".to_owned(),
        with: None,
    };
    assert_eq!(anna.command(reply).await, Outcome::Done);
    for before in ["customer", "joined"] {
        chat.entry(before).await;
    }
    assert_eq!(chat.entry("agent").await["text"], "we send you another one");
    chat.send(&json!({ "t": "typing" })).await;
    anna.until("the customer types", |frame| matches!(frame, ToDesk::Typing { .. }).then_some(())).await;
    integration_asks(&apart).await;
    eventually("canary customers come through", SOON, || async {
        let told = reqwest::get(format!("{}/metrics", apart.url("watch"))).await.ok()?.text().await.ok()?;
        let comes_through =
            |channel| told.contains(&format!("canary_ok{{channel=\"{channel}\",account=\"shop\"}} 1.0"));
        ["web", "api"].into_iter().all(comes_through).then_some(())
    })
    .await;
    // What its bot is told is taken: the account stands there with its secrets, and who reads what is known.
    let update = json!({"update_id": 1, "message": {"message_id": 1, "date": 1, "text": "from a bot", "chat": {"id": 7, "type": "private"},
        "from": {"id": 7, "is_bot": false, "first_name": "Ann"}}});
    eventually("an update is taken", SOON, || async {
        let post =
            reqwest::Client::new().post(format!("{}/in/telegram/bot", apart.url("channels"))).json(&update);
        let answer =
            post.header("x-telegram-bot-api-secret-token", "said-with-every-update").send().await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
    // The integration's message is offered too.
    while anna.offer().await.words != ["from a bot"] {}
    let (code, ledger, errors) = apart.command("operator", &["ledger", "--json"]).await;
    assert_eq!(code, 0, "{ledger}{errors}");
    let (code, why, errors) = apart.command("operator", &["why", &contact.to_string()]).await;
    assert!(code == 0 && why.contains("Anna"), "{why}{errors}");
    for role in ROLES {
        let text = std::fs::read_to_string(apart.output(role)).unwrap();
        assert!(!text.to_lowercase().contains("permissions violation"), "{role} lacks a right:\n{text}");
    }
}

/// What the API does in other roles' name: a message, the past, an export, a configuration.
async fn integration_asks(apart: &Apart) {
    let (client, key, api) = (reqwest::Client::new(), apart.admin_key(), apart.url("api"));
    let message = json!({
        "account": "shop", "id": "m-1", "from": { "value": "c-7" }, "text": "where is my order?",
    });
    let sent =
        client.post(format!("{api}/api/v1/messages")).bearer_auth(&key).json(&message).send().await.unwrap();
    assert!(sent.status().is_success(), "{}", sent.text().await.unwrap());
    eventually("the read models tell of the contact", SOON, || async {
        let answer = client.get(format!("{api}/api/v1/contacts")).bearer_auth(&key).send().await.ok()?;
        let listed: Value = answer.json().await.ok()?;
        (listed["contacts"].as_array()?.len() == 2).then_some(())
    })
    .await;
    let config = client.get(format!("{api}/api/v1/config")).bearer_auth(&key).send().await.unwrap();
    assert!(config.status().is_success(), "{}", config.text().await.unwrap());
}

#[tokio::test]
async fn a_role_that_was_taken_over_writes_hears_and_deletes_nothing_of_the_others() {
    let apart = Apart::prepared().await;
    let subjects = Subjects::new("c1".parse().unwrap());
    let ours = apart.bus_as("operator", "operator").await;
    let before = ours.stream_usage(streams::CONTACTS).await.unwrap().last_seq;
    let hold = |role: &'static str| {
        let (apart, subjects) = (&apart, &subjects);
        async move {
            let bus = apart.bus_as(role, &format!("winterband-{role}")).await;
            let deadline = || Deadline::after(Duration::from_secs(3));
            if role != "routing" {
                let forged = bus.publish_durable(&subjects.contacts(), role, "{}".into(), deadline()).await;
                assert!(forged.is_err(), "{role} wrote into the log");
            }
            if !matches!(role, "desk" | "api") {
                let agent = AgentId(uuid::Uuid::nil());
                let forged = bus
                    .publish_durable(&subjects.inbound_command(agent), role, "{}".into(), deadline())
                    .await;
                assert!(forged.is_err(), "{role} commanded in an agent's name");
                let read = bus.read_one("KV_ACCOUNTS", 1).await;
                assert!(read.is_err(), "{role} read the accounts");
            }
            if role == "chat" {
                let accounts = bus.ensure_bucket(&places::channels()).await.unwrap();
                assert!(accounts.put("account.web.shop", "{}".into()).await.is_ok(), "its own row");
                let forged = accounts.put("account.email.support", "{}".into()).await;
                assert!(forged.is_err(), "{role} had mail sent elsewhere");
            }
            if role == "empowerment" {
                let leases = bus.ensure_bucket(&places::leases()).await.unwrap();
                assert!(leases.put("routing", "{}".into()).await.is_err(), "{role} took another's lead");
            }
            assert!(bus.delete_securely(streams::INBOUND, 1).await.is_err(), "{role} deleted an input");
            assert!(bus.delete_stream(streams::AUDIT).await.is_err(), "{role} deleted the trail");
            // The inboxes of another one.
            let other = if role == "desk" { "api" } else { "desk" };
            let name = format!("winterband-{other}");
            let inbox = apart.bus_as(role, &name);
            let heard = tokio::time::timeout(Duration::from_secs(5), inbox).await;
            assert!(heard.is_err(), "{role} hears what {other} is answered");
        }
    };
    futures_util::future::join_all(ROLES.map(hold)).await;
    assert_eq!(ours.stream_usage(streams::CONTACTS).await.unwrap().last_seq, before);
    assert!(ours.stream_usage(streams::AUDIT).await.is_ok());
}

#[tokio::test]
async fn nobody_comes_in_without_a_key_of_their_own_or_in_the_clear() {
    let apart = Apart::prepared().await;
    let authority = Some(apart.folder.path().join("keys/desk/ca.pem"));
    let stranger = |url: &str, authority: Option<PathBuf>, credentials: Credentials| {
        let settings =
            BusSettings { url: url.to_owned(), credentials, name: "stranger".to_owned(), authority };
        async move { Bus::connect_until(&settings, Deadline::after(Duration::from_secs(3))).await }
    };
    assert!(stranger(&apart.url, authority.clone(), Credentials::None).await.is_err(), "without a key");
    let made_up = bus::Nkey::new().seed().unwrap();
    assert!(
        stranger(&apart.url, authority, Credentials::Nkey(made_up)).await.is_err(),
        "with a key of nobody"
    );
    let seed = std::fs::read_to_string(apart.folder.path().join("keys/operator/nats.seed")).unwrap();
    let known = || Credentials::Nkey(Secret::new(seed.trim()));
    assert!(stranger(&apart.url, None, known()).await.is_err(), "to a server that nobody vouches for");
}

#[tokio::test]
async fn an_integration_comes_in_and_goes_with_the_list_of_the_servers() {
    let apart = Apart::prepared().await;
    let seed = apart.folder.path().join("shop.seed");
    let (keys, seed) = (apart.folder.path().join("keys"), seed.to_str().unwrap());
    let integration = async |args: &[&str], code: i32, says: &str| {
        let args = [&["integration"], args].concat();
        let (ended, said, errors) = apart.command("operator", &args).await;
        assert!(
            ended == code && format!("{said}{errors}").contains(says),
            "{args:?} {ended}: {said}{errors}"
        );
    };
    let reload = async || {
        let told = ["keys", "--out", keys.to_str().unwrap(), "--integrations"];
        let (code, said, errors) = apart.command("operator", &told).await;
        assert!(code == 0 && said.contains("Every nats-server"), "{said}{errors}");
        let server = apart.server.0.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &server]).status().unwrap().success());
    };
    let next = "`winterband keys --integrations` and reload every nats-server";
    integration(&["add", "shop", "--account", "shop", "--seed-file", seed], 0, next).await;
    integration(&["check", "shop", "--seed-file", seed], 1, next).await;
    integration(&["nats-config"], 1, next).await;
    reload().await;
    integration(&["check", "shop", "--seed-file", seed], 0, "reaches nothing else").await;
    integration(&["rotate", "shop", "--seed-file", &format!("{seed}-2")], 0, next).await;
    integration(&["rotate", "shop", "--end-old"], 1, "still open until").await;
    integration(&["check", "shop", "--seed-file", seed], 0, "reaches nothing else").await;
    reload().await;
    integration(&["check", "shop", "--seed-file", seed], 1, "does not let it in").await;
    integration(&["check", "shop", "--seed-file", &format!("{seed}-2")], 0, "reaches nothing else").await;

    // What it publishes to is brought to what the settings say by now.
    let mut larger = apart.variables("prepare");
    larger.push(("WINTERBAND_LIMITS__BODY_MAX".to_owned(), "2MiB".to_owned()));
    let (code, said, errors) = process::to_its_end(&["prepare"], &larger, apart.folder.path()).await;
    assert_eq!(code, 0, "{said}{errors}");
    assert!(format!("{said}{errors}").contains("EDGE-shop"), "{said}{errors}");

    integration(&["remove", "shop"], 1, "still open until").await;
    let ours = apart.bus_as("operator", "operator").await;
    assert!(ours.stream_usage("EDGE-shop").await.is_err(), "what it published to is still there");
}
