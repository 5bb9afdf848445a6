//! Passwords, who may guess them how often, and sessions that end at once wherever they are open.

use bus::{Audit, places};
use protocol::audit::{Action, Actor};
use protocol::config::{Agent, Role};
use protocol::{AgentId, SubjectToken, streams};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::world::{ANNA, Desk, World, subjects};

const BOSS: AgentId = AgentId(uuid::Uuid::from_u128(2));
const OTHER: AgentId = AgentId(uuid::Uuid::from_u128(3));
const CHIEF: AgentId = AgentId(uuid::Uuid::from_u128(4));
const GOOD: &str = "zeven gele fietsen";

fn agent(id: AgentId, name: &str, role: Role) -> Agent {
    Agent { role, title: name.to_owned(), ..Agent::new(id, SubjectToken::new(name).unwrap()) }
}

impl World {
    async fn with_boss() -> Self {
        let mut world = Self::start().await;
        world.roles(Role::Agent).await;
        let boss = SubjectToken::new("boss").unwrap();
        desk::accounts::create_agent(&world.bus, &boss, BOSS, "winter").await.unwrap();
        world.until_configured(BOSS, Role::Supervisor).await;
        world
    }

    async fn roles(&mut self, anna: Role) {
        let boss = agent(BOSS, "boss", Role::Supervisor);
        let other = agent(OTHER, "other", Role::Supervisor);
        let chief = agent(CHIEF, "chief", Role::Administrator);
        self.configure_with(vec![agent(ANNA, "anna", anna), boss, other, chief]).await;
    }

    async fn call(&self, method: Method, path: &str, cookie: &str, body: Option<Value>) -> Response {
        let mut request = reqwest::Client::new().request(method, self.url(path)).header("cookie", cookie);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        request.send().await.unwrap()
    }

    /// Signs in from an address, in a browser with these cookies.
    async fn signs_in(&self, password: &str, from: &str, cookie: &str) -> Response {
        let body = json!({"name": "anna", "password": password}).to_string();
        let request = reqwest::Client::new().post(self.url("/desk/api/signin")).body(body);
        let request = request.header("content-type", "application/json").header("cookie", cookie);
        request.header("x-forwarded-for", from).send().await.unwrap()
    }

    /// A session of somebody's, as a cookie.
    async fn cookie(&self, name: &str, password: &str) -> String {
        let response = self.sign_in(name, password).await;
        assert!(response.status().is_success(), "{name} is not let in");
        cookie(&response, "wb_session")
    }

    async fn audited(&self) -> Vec<(Actor, Action)> {
        let audit = Audit::open(&self.bus, &subjects(), 1 << 20).await.unwrap();
        let page = audit.page(0, 500).await.unwrap();
        page.entries.into_iter().map(|line| (line.entry.actor, line.entry.action)).collect()
    }
}

/// One of the cookies that an answer sets, as a request brings it back.
fn cookie(response: &Response, name: &str) -> String {
    let set = response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let mut pairs = set.map(|cookie| cookie.split(';').next().unwrap().to_owned());
    pairs.find(|pair| pair.starts_with(&format!("{name}="))).unwrap()
}

async fn code(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

fn refusal(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// An attacker with many addresses is held to so many guesses an hour, and Anna comes in all the while in her own browser.
#[tokio::test]
async fn guesses_from_everywhere_lock_nobody_out_of_a_known_browser() {
    let settings = [
        ("WINTERBAND_HTTP__TRUSTED_PROXIES", "[\"127.0.0.1\"]"),
        ("WINTERBAND_SIGNIN__GUESSES_PER_HOUR", "8"),
    ];
    let world = World::start_with(&settings).await;
    let known = cookie(&world.signs_in("winter", "192.0.2.1", "").await, "wb_device");
    let mut guesses = 0;
    for n in 0..40 {
        let response = world.signs_in("summer", &format!("198.51.100.{n}"), "").await;
        let status = response.status().as_u16();
        assert!(status == 401 || status == 429, "{status}");
        assert_eq!(response.headers().contains_key("retry-after"), status == 429);
        guesses += u32::from(status == 401);
    }
    assert!((7..=8).contains(&guesses), "{guesses} guesses, one try of eight was Anna's own");
    // Not even the right password is looked at from there, so that nobody learns by it which it is.
    assert_eq!(world.signs_in("winter", "198.51.100.99", "").await.status(), 429);
    assert_eq!(world.signs_in("winter", "192.0.2.1", &known).await.status(), 204, "her own browser");
    assert_eq!(world.signs_in("winter", "203.0.113.5", &known).await.status(), 204, "also on the way");
    // The mark opens nothing by itself, nor does one that somebody made up.
    assert_eq!(world.signs_in("summer", "192.0.2.1", &known).await.status(), 401);
    let made_up = known.replace("agt_", "agt_0");
    assert_eq!(world.signs_in("winter", "198.51.100.98", &made_up).await.status(), 429);
    let told = world.audited().await;
    assert_eq!(
        told.iter().filter(|one| **one == (Actor::System, Action::SigninRefused)).count(),
        1,
        "{told:?}"
    );
}

/// What a browser was known by goes with the password that was in force, whoever gives another one, and with the account.
#[tokio::test]
async fn the_mark_of_a_browser_ends_with_the_password_and_the_account() {
    let settings = [
        ("WINTERBAND_HTTP__TRUSTED_PROXIES", "[\"127.0.0.1\"]"),
        ("WINTERBAND_SIGNIN__GUESSES_PER_HOUR", "2"),
    ];
    let world = World::start_with(&settings).await;
    let mut last = 0;
    // Each from another address, so that it is the name that has to wait.
    let mut comes = async |password: &str, known: &str| {
        last += 1;
        world.signs_in(password, &format!("198.51.100.{last}"), known).await
    };
    let first = comes("winter", "").await;
    let (session, known) = (cookie(&first, "wb_session"), cookie(&first, "wb_device"));
    while comes("summer", "").await.status() != 429 {}
    assert_eq!(comes("winter", &known).await.status(), 204, "while everybody else has to wait");
    let body = json!({"current": "winter", "new": GOOD});
    let both = format!("{session}; {known}");
    let changed = world.call(Method::POST, "/desk/api/password", &both, Some(body)).await;
    assert_eq!(changed.status(), 204);
    let new = cookie(&changed, "wb_device");
    assert_eq!(comes(GOOD, &known).await.status(), 429, "the mark is one of the password before");
    assert_eq!(comes(GOOD, &new).await.status(), 204, "her browser has a new one");
    // Given by somebody else it is another one too, also if the words are the same.
    let anna = SubjectToken::new("anna").unwrap();
    desk::accounts::create_agent(&world.bus, &anna, ANNA, GOOD).await.unwrap();
    assert_eq!(comes(GOOD, &new).await.status(), 429);
    let accounts = world.bus.ensure_bucket(&places::accounts()).await.unwrap();
    accounts.delete(&protocol::signin::agent_key(&anna)).await.unwrap();
    assert_eq!(comes(GOOD, &new).await.status(), 401, "nobody has the name, nor been guessed at by it");
}

#[tokio::test]
async fn a_first_password_is_changed_before_anything_else() {
    let world = World::with_boss().await;
    let boss = world.cookie("boss", "winter").await;
    let before = world.token().await;
    let (mut open, _) = world.desk(&before, json!({})).await;
    let path = "/desk/admin/agents/anna/password";
    for (password, code_of) in [("short", "password_too_short"), ("anna anna anna", "password_common")] {
        let response = world.call(Method::POST, path, &boss, Some(json!({ "password": password }))).await;
        assert_eq!(code(response).await, refusal(422, code_of));
    }
    let set = json!({"password": "blauwe kamelen dansen"});
    assert_eq!(world.call(Method::POST, path, &boss, Some(set)).await.status(), 204);
    assert_eq!(open.closed().await, 4401, "whoever had the old one is out");
    assert_eq!(world.sign_in("anna", "winter").await.status(), 401);
    let response = world.sign_in("anna", "blauwe kamelen dansen").await;
    let first = cookie(&response, "wb_session");
    assert_eq!(response.json::<Value>().await.unwrap(), json!({"must_change": true}));
    let me: Value = world.call(Method::GET, "/desk/api/me", &first, None).await.json().await.unwrap();
    assert_eq!(me["must_change"], true);
    let policy = world.call(Method::GET, "/desk/policy", &first, None).await;
    assert_eq!(code(policy).await, refusal(403, "password_first"));
    let change = |cookie: String, current: &'static str, new: &'static str| {
        let world = &world;
        async move {
            let body = json!({"current": current, "new": new});
            world.call(Method::POST, "/desk/api/password", &cookie, Some(body)).await
        }
    };
    let same = change(first.clone(), "blauwe kamelen dansen", "blauwe kamelen dansen").await;
    assert_eq!(code(same).await, refusal(422, "password_same"));
    assert_eq!(change(first.clone(), "wrong", GOOD).await.status(), 401);
    let changed = change(first.clone(), "blauwe kamelen dansen", GOOD).await;
    assert_eq!(changed.status(), 204);
    let second = cookie(&changed, "wb_session");
    assert_ne!(first, second, "a new session under a new token");
    assert_eq!(world.call(Method::GET, "/desk/api/me", &first, None).await.status(), 401);
    let me: Value = world.call(Method::GET, "/desk/api/me", &second, None).await.json().await.unwrap();
    assert_eq!(me["must_change"], Value::Null);
    assert_eq!(world.sign_in("anna", GOOD).await.status(), 204);
    let told = world.audited().await;
    for one in [(Actor::Agent(BOSS), Action::PasswordSet), (Actor::Agent(ANNA), Action::PasswordChanged)] {
        assert!(told.contains(&one), "{one:?} in {told:?}");
    }
}

/// Nobody takes over an account of their own role or above.
#[tokio::test]
async fn a_supervisor_changes_accounts_below_their_own() {
    let world = World::with_boss().await;
    let boss = world.cookie("boss", "winter").await;
    let set = || Some(json!({ "password": GOOD }));
    let other = world.call(Method::POST, "/desk/admin/agents/other/password", &boss, set()).await;
    assert_eq!(code(other).await, refusal(403, "role_too_low"));
    for (method, path) in [
        (Method::POST, "/desk/admin/agents/chief/password"),
        (Method::POST, "/desk/admin/agents/boss/password"),
        (Method::GET, "/desk/admin/agents/chief/sessions"),
        (Method::DELETE, "/desk/admin/agents/chief/sessions"),
        (Method::DELETE, "/desk/admin/agents/chief/sessions/ses_0"),
    ] {
        let body = if method == Method::POST { set() } else { None };
        let answer = world.call(method, path, &boss, body).await;
        assert_eq!(code(answer).await, refusal(403, "role_too_low"), "{path}");
    }
    let nobody = world.call(Method::POST, "/desk/admin/agents/nobody/password", &boss, set()).await;
    assert_eq!(code(nobody).await, refusal(404, "unknown_agent"));
    assert_eq!(world.bus.read_last(streams::AUDIT).await.unwrap().map(|item| item.seq), Some(1), "signed in");
    // Whose session it is that somebody left open, is ended by whoever sees it.
    let ended = world.call(Method::DELETE, "/desk/admin/agents/other/sessions", &boss, None).await;
    assert_eq!(ended.json::<Value>().await.unwrap(), json!({"sessions": 0}));
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_or_all_at_every_gateway() {
    let world = World::with_boss().await;
    let (second, other_gateway) = world.second_gateway().await;
    let (one, two) = (world.cookie("anna", "winter").await, world.cookie("anna", "winter").await);
    let token = |cookie: &str| cookie.split_once('=').unwrap().1.to_owned();
    let at_second = async |cookie: &str| -> Desk {
        let mut request = world.upgrade(&[("authorization", &format!("Bearer {}", token(cookie)))]);
        *request.uri_mut() = format!("ws://{second}/desk/api/socket").parse().unwrap();
        let mut desk = Desk::connected(request).await;
        desk.send(json!({"t": "hello", "have": {}})).await;
        desk.next("state").await;
        desk
    };
    let (mut desk_one, mut desk_two) = (at_second(&one).await, at_second(&two).await);
    let list = async |cookie: &str| -> Vec<Value> {
        world.call(Method::GET, "/desk/api/sessions", cookie, None).await.json().await.unwrap()
    };
    let listed = list(&one).await;
    assert_eq!(listed.len(), 2);
    assert_eq!(listed.iter().filter(|session| session["is_this"] == true).count(), 1);
    assert!(!json!(listed).to_string().contains(&token(&one)));
    let other = listed.iter().find(|session| session["is_this"] == false).unwrap()["id"].as_str().unwrap();
    let path = format!("/desk/api/sessions/{other}");
    assert_eq!(world.call(Method::DELETE, &path, &one, None).await.status(), 204);
    assert_eq!(desk_two.closed().await, 4401);
    assert_eq!(list(&one).await.len(), 1);
    // Another agent's sessions are nobody else's to end.
    let boss = world.cookie("boss", "winter").await;
    let own = list(&one).await[0]["id"].as_str().unwrap().to_owned();
    let foreign = world.call(Method::DELETE, &format!("/desk/api/sessions/{own}"), &boss, None).await;
    assert_eq!(code(foreign).await, refusal(404, "no_such_session"));
    let path = "/desk/admin/agents/anna/sessions";
    let seen: Vec<Value> = world.call(Method::GET, path, &boss, None).await.json().await.unwrap();
    assert_eq!(seen.len(), 1);
    let gone = world.call(Method::DELETE, &format!("{path}/ses_0"), &boss, None).await;
    assert_eq!(code(gone).await, refusal(404, "no_such_session"));
    let third = world.cookie("anna", "winter").await;
    let third_id = list(&third).await.into_iter().find(|session| session["is_this"] == true).unwrap();
    let third_path = format!("{path}/{}", third_id["id"].as_str().unwrap());
    assert_eq!(world.call(Method::DELETE, &third_path, &boss, None).await.status(), 204);
    assert_eq!(world.call(Method::GET, "/desk/api/me", &third, None).await.status(), 401);
    let ended: Value = world.call(Method::DELETE, path, &boss, None).await.json().await.unwrap();
    assert_eq!(ended, json!({"sessions": 1}));
    assert_eq!(desk_one.closed().await, 4401);
    assert_eq!(world.call(Method::GET, "/desk/api/me", &one, None).await.status(), 401);
    other_gateway.drain.finish(crate::world::PATIENCE).await;
}

#[tokio::test]
async fn another_role_or_none_signs_out_at_once() {
    let mut world = World::with_boss().await;
    let cookie = world.cookie("anna", "winter").await;
    let token = cookie.split_once('=').unwrap().1;
    let (mut desk, _) = world.desk(token, json!({})).await;
    world.roles(Role::Lead).await;
    assert_eq!(desk.closed().await, 4401);
    assert_eq!(world.call(Method::GET, "/desk/policy", &cookie, None).await.status(), 401);
    let lead = world.cookie("anna", "winter").await;
    let (mut desk, _) = world.desk(lead.split_once('=').unwrap().1, json!({})).await;
    world.configure_with(vec![agent(BOSS, "boss", Role::Supervisor)]).await;
    assert_eq!(desk.closed().await, 4401);
    assert_eq!(world.sign_in("anna", "winter").await.status(), 401, "who is no agent any more has no desk");
    let sessions = world.bus.ensure_bucket(&places::sessions()).await.unwrap();
    assert_eq!(sessions.keys().await.unwrap(), Vec::<String>::new());
}

/// A token that was there before the sign-in is nobody's afterwards.
#[tokio::test]
async fn a_session_cannot_be_fixed_beforehand() {
    let world = World::start().await;
    let body = json!({"name": "anna", "password": "winter"});
    let response =
        world.call(Method::POST, "/desk/api/signin", "wb_session=fixed-by-somebody", Some(body)).await;
    assert_eq!(response.status(), 204);
    assert_ne!(cookie(&response, "wb_session"), "wb_session=fixed-by-somebody");
    let me = world.call(Method::GET, "/desk/api/me", "wb_session=fixed-by-somebody", None).await;
    assert_eq!(me.status(), 401);
}

/// Two people at one browser: the first one's session ends when the second one signs in there.
#[tokio::test]
async fn signing_in_ends_the_session_that_the_browser_had() {
    let world = World::with_boss().await;
    let anna = world.cookie("anna", "winter").await;
    let (mut desk, _) = world.desk(anna.split_once('=').unwrap().1, json!({})).await;
    let body = json!({"name": "boss", "password": "winter"});
    let response = world.call(Method::POST, "/desk/api/signin", &anna, Some(body)).await;
    let boss = cookie(&response, "wb_session");
    assert_eq!(world.call(Method::GET, "/desk/api/me", &anna, None).await.status(), 401);
    assert_eq!(desk.closed().await, 4401);
    let me: Value = world.call(Method::GET, "/desk/api/me", &boss, None).await.json().await.unwrap();
    assert_eq!((&me["name"], &me["role"]), (&json!("boss"), &json!("supervisor")));
    // A sign-in in vain ends nothing.
    let body = json!({"name": "anna", "password": "summer"});
    assert_eq!(world.call(Method::POST, "/desk/api/signin", &boss, Some(body)).await.status(), 401);
    assert_eq!(world.call(Method::GET, "/desk/api/me", &boss, None).await.status(), 200);
}

/// Each way to the provider may cost a question to it: an address has as many as tries.
#[tokio::test]
async fn an_address_leaves_for_the_provider_so_many_times() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let issuer = format!("http://{nobody}");
    let settings = [
        ("WINTERBAND_OIDC__ISSUER", issuer.as_str()),
        ("WINTERBAND_OIDC__CLIENT_ID", "desk"),
        ("WINTERBAND_SIGNIN__ATTEMPTS_PER_MINUTE", "1"),
    ];
    let world = World::start_with(&settings).await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let mut places = Vec::new();
    for _ in 0..11 {
        let response = client.get(world.url("/desk/api/signin/provider")).send().await.unwrap();
        assert_eq!(response.status(), 303);
        places.push(response.headers()["location"].to_str().unwrap().to_owned());
    }
    assert_eq!(places[..10], vec!["/desk/?signin=provider_silent"; 10]);
    assert_eq!(places[10], "/desk/?signin=too_often");
    // It is the same count as that of passwords.
    assert_eq!(world.sign_in("anna", "winter").await.status(), 429);
}

#[tokio::test]
async fn where_passwords_are_not_used_none_is_looked_at() {
    let world = World::start_with(&[("WINTERBAND_SIGNIN__PASSWORDS", "false")]).await;
    let ways: Value = reqwest::get(world.url("/desk/api/signin")).await.unwrap().json().await.unwrap();
    assert_eq!(ways, json!({"password": false}));
    assert_eq!(code(world.sign_in("anna", "winter").await).await, refusal(403, "no_passwords"));
}
