//! Users whom a site names: the same everywhere, and never mixed with anybody.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use protocol::content::Content;
use protocol::input::InputBody;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::page::{Page, enter, knock};
use crate::within;
use crate::world::{MIB, World, bare_in, world};

const SECRET: &str = "a secret of the shop, long enough";

/// A world whose account has a secret.
async fn shop() -> World {
    let dir = tempfile::tempdir().unwrap();
    let table = "[[identity]]\naccount = \"shop\"\nsecret = { file = \"shop.secret\" }\n";
    std::fs::write(dir.path().join("web.toml"), table).unwrap();
    std::fs::write(dir.path().join("shop.secret"), format!("{SECRET}\n")).unwrap();
    let world = bare_in(dir, &[]).await;
    world.make_streams(64 * MIB, 64 * MIB).await;
    world.configure().await;
    world.ready().await;
    world
}

fn signed(algorithm: &str, claims: &Value, secret: &str) -> String {
    let head = json!({"alg": algorithm, "typ": "JWT"});
    let [head, claims] = [head.to_string(), claims.to_string()].map(|part| URL_SAFE_NO_PAD.encode(part));
    let body = format!("{head}.{claims}");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    format!("{body}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// What the shop signs for a user, with further claims.
fn identity(world: &World, sub: &str, more: &Value) -> String {
    let mut claims = json!({"sub": sub, "exp": world.kit.clock.unix_ms() / 1_000 + 600});
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    signed("HS256", &claims, SECRET)
}

fn hello(token: Option<&str>, identity: &str) -> Value {
    json!({"t": "hello", "token": token, "identity": identity, "after": 0, "lang": "en"})
}

async fn enter_as(world: &World, token: Option<&str>, identity: &str) -> Page {
    let mut page = knock(world, "shop", None).await.unwrap();
    page.hello_with(&hello(token, identity)).await;
    page
}

/// What a page is told that is not let in; nothing of any conversation, in particular.
async fn refused(world: &World, token: Option<&str>, identity: &str) -> String {
    let mut page = knock(world, "shop", None).await.unwrap();
    page.send(&hello(token, identity)).await;
    let error = page.next().await;
    assert_eq!(error["t"], "error", "{error}");
    assert!(!error["words"].as_str().unwrap().is_empty());
    assert_eq!(page.next().await, json!({"closed": 1008}));
    error["code"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_one_conversation_in_every_browser() {
    let world = shop().await;
    let anna = identity(&world, "anna", &json!({}));
    let mut phone = enter_as(&world, None, &anna).await;
    assert_eq!((phone.token.as_str(), &phone.conversation), ("", &json!(null)), "no token stands for a user");
    phone.say_and_see("from my phone").await;
    // Another token of the same user, in a browser that was a visitor before.
    let visitor = enter(&world, None, 0).await;
    let again = identity(&world, "anna", &json!({"name": "Anna"}));
    let mut desk = enter_as(&world, Some(&visitor.token), &again).await;
    assert_eq!(desk.entries(1).await[0].2, "from my phone");
    desk.say_and_see("from my desk").await;
    let seen = phone.next_of("entry").await;
    assert_eq!((&seen["seq"], &seen["text"]), (&json!(2), &json!("from my desk")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_computer_mixes_nobody() {
    let world = shop().await;
    let mut visitor = enter(&world, None, 0).await;
    visitor.say_and_see("nobody in particular").await;
    let token = visitor.token.clone();
    let mut anna = enter_as(&world, Some(&token), &identity(&world, "anna", &json!({}))).await;
    assert_eq!((&anna.conversation, &anna.state), (&json!(null), &json!("none")));
    anna.say_and_see("it is Anna").await;
    let mut ben = enter_as(&world, Some(&token), &identity(&world, "ben", &json!({}))).await;
    assert_eq!((&ben.conversation, &ben.state), (&json!(null), &json!("none")));
    ben.say_and_see("it is Ben").await;
    // What was only a visitor is that visitor again, and a user called like them is somebody else.
    let mut later = enter(&world, Some(&token), 0).await;
    assert_eq!(later.entries(1).await[0].2, "nobody in particular");
    let id = token.split('.').nth(1).unwrap();
    let named = enter_as(&world, None, &identity(&world, id, &json!({}))).await;
    assert_eq!(named.conversation, json!(null));
    assert_eq!(world.inbound().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_forged_or_unsigned_lets_nobody_in() {
    let world = shop().await;
    let mut visitor = enter(&world, None, 0).await;
    visitor.say_and_see("mine alone").await;
    let token = Some(visitor.token.as_str());
    let now = world.kit.clock.unix_ms() / 1_000;
    let claims = |exp: u64| json!({"sub": "anna", "exp": exp});
    let unsigned = signed("none", &claims(now + 600), SECRET);
    let bare = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
    for (identity, code) in [
        (signed("HS256", &claims(now - 61), SECRET), "identity_expired"),
        (signed("HS256", &claims(now + 25 * 3_600), SECRET), "identity_refused"),
        (signed("HS256", &claims(now + 600), "another secret that is long enough"), "identity_refused"),
        (signed("HS512", &claims(now + 600), SECRET), "identity_refused"),
        (unsigned, "identity_refused"),
        (bare, "identity_refused"),
        (visitor.token.clone(), "identity_refused"),
        (String::new(), "identity_refused"),
    ] {
        assert_eq!(refused(&world, token, &identity).await, code, "{identity}");
        assert_eq!(world.kit.metrics.refused_total.get(["web", "identity_expired"]), 1);
    }
    assert_eq!(world.inbound().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_a_secret_believes_nobody() {
    let world = world().await;
    assert_eq!(refused(&world, None, &identity(&world, "anna", &json!({}))).await, "identity_not_set_up");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_site_verified_stands_in_the_message() {
    let world = shop().await;
    let claims = json!({
        "name": "Anna B.", "email": "Anna@Example.org", "email_verified": true, "phone_number": "+31 20 123 45 67",
    });
    let mut page = enter_as(&world, None, &identity(&world, "anna", &claims)).await;
    page.say_and_see("I am anna@example.org, my sister is eve@example.org").await;
    page.say_and_see("and once more").await;
    let bodies = world.inbound().await;
    let [InputBody::Message(first), InputBody::Message(second)] = bodies.as_slice() else {
        panic!("{bodies:?}")
    };
    let keys = first.keys.as_ref().unwrap();
    let (email, phone) =
        (world.hasher.person("email", "anna@example.org"), world.hasher.person("phone", "+31201234567"));
    assert_eq!(keys.verified, vec![email]);
    assert_eq!(keys.claimed, vec![phone, world.hasher.person("email", "eve@example.org")]);
    assert_eq!(second.keys.as_ref().unwrap().verified, vec![email], "each message has them");
    let content: Content = serde_json::from_slice(&world.sealer.unseal(&first.body).await.unwrap()).unwrap();
    assert_eq!(content.name.as_deref(), Some("Anna B."));
    // What the page says of itself counts where the site says nothing.
    let message = |name: &str| json!({"t": "say", "id": crate::page::new_id(), "text": "me", "name": name});
    page.send(&message("The Manager")).await;
    page.next_of("taken").await;
    let mut ben = enter_as(&world, None, &identity(&world, "ben", &json!({}))).await;
    ben.send(&message("Ben")).await;
    ben.next_of("taken").await;
    for (body, name) in world.inbound().await.iter().skip(2).zip(["Anna B.", "Ben"]) {
        let InputBody::Message(message) = body else { panic!("{body:?}") };
        let content: Content =
            serde_json::from_slice(&world.sealer.unseal(&message.body).await.unwrap()).unwrap();
        assert_eq!(content.name.as_deref(), Some(name));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_attaches_files_in_their_own_name() {
    let world = shop().await;
    let anna = identity(&world, "anna", &json!({}));
    let mut page = enter_as(&world, None, &anna).await;
    let post = |bearer: &str| {
        let url = format!("http://{}/chat/v1/files?account=shop&name=a.txt", world.address);
        reqwest::Client::new().post(url).bearer_auth(bearer).body("words")
    };
    let mut file: Value = post(&anna).send().await.unwrap().json().await.unwrap();
    let url = file.as_object_mut().unwrap().remove("url").unwrap();
    let attach = |id: &str| json!({"t": "say", "id": id, "text": "", "attachments": [file]});
    page.send(&attach(&crate::page::new_id())).await;
    assert_eq!(page.next_of("entry").await["files"][0]["name"], "a.txt");
    let got = within(
        "a download",
        reqwest::get(format!("http://{}/chat/v1/{}", world.address, url.as_str().unwrap())),
    );
    assert_eq!(got.await.unwrap().text().await.unwrap(), "words");
    let mut ben = enter_as(&world, None, &identity(&world, "ben", &json!({}))).await;
    ben.send(&attach(&crate::page::new_id())).await;
    assert_eq!(ben.next_of("refused").await["code"], "foreign_file");
    // A token whose head begins with a space is one too.
    let body =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(" {\"alg\":\"HS256\"}"), anna.split('.').nth(1).unwrap());
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let spaced = format!("{body}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
    assert_eq!(post(&spaced).send().await.unwrap().status(), 200);
    let old = signed("HS256", &json!({"sub": "anna", "exp": 7}), SECRET);
    let answer = post(&old).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "identity_expired");
}
