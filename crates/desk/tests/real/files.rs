//! Files and mails at the desk: who gets them, and that nothing in them can act.

use bus::{Audit, Files, IdHasher};
use protocol::audit::{Action, Actor};
use protocol::content::{Attachment, Content, MailHead, Sealed};
use protocol::record::EntryKind;
use protocol::{Hash128, IdentityId, InputBody};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::worker::held;
use crate::world::{ANNA, CONTACT, CUSTOMER, Desk, World, subjects};

const OTHER: IdentityId = IdentityId(Hash128([8; 16]));
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01";
const POLICY: &str = "sandbox; default-src 'none'";

impl World {
    async fn files(&self) -> Files {
        let hasher = IdHasher::new(&self.master());
        Files::open(&self.bus, self.sealer.clone(), hasher, 1 << 30).await.unwrap()
    }

    fn asking(&self, method: Method, token: &str, path: &str) -> RequestBuilder {
        let request = reqwest::Client::new().request(method, self.url(path));
        request.header("cookie", format!("wb_session={token}"))
    }

    async fn get(&self, token: &str, path: &str) -> Response {
        self.asking(Method::GET, token, path).send().await.unwrap()
    }

    /// A customer's mail with this head comes into the conversation.
    async fn mail(&mut self, mail: MailHead) {
        let content = Content { mail: Some(Box::new(mail)), ..Content::words("see below") };
        let body: Sealed = self.sealer.seal(CUSTOMER, &serde_json::to_vec(&content).unwrap()).await.unwrap();
        let InputBody::Message(mut message) = self.message("").await else { panic!("a message") };
        message.body = body;
        let said = self.entry(EntryKind::FromCustomer);
        self.decide(InputBody::Message(message), vec![said]).await;
    }
}

fn head<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

async fn refusal(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let mut problem: Value = response.json().await.unwrap();
    (status, problem["code"].take())
}

async fn with_anna() -> (World, Desk, String) {
    let (world, desk) = held().await;
    let token = world.token().await;
    (world, desk, token)
}

fn path(object: Hash128, name: &str) -> String {
    format!("/desk/api/files/{CONTACT}/{object}?name={name}")
}

#[tokio::test]
async fn a_picture_is_shown_and_whatever_could_act_is_only_handed_over() {
    let (world, _desk, token) = with_anna().await;
    let files = world.files().await;
    let picture = files.keep(CUSTOMER, PNG).await.unwrap();
    let response = world.get(&token, &path(picture, "a%22b%0D%0ASet-Cookie:%20x=1%C3%A9.png")).await;
    assert_eq!(response.status(), 200);
    for (name, value) in [
        ("content-type", "image/png"),
        (
            "content-disposition",
            "inline; filename=\"a b Set-Cookie x=1_.png\"; filename*=UTF-8''a%20b%20Set-Cookie%20x%3D1%C3%A9.png",
        ),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", POLICY),
        ("cache-control", "private, no-store"),
        ("referrer-policy", "no-referrer"),
        ("set-cookie", ""),
    ] {
        assert_eq!(head(&response, name), value, "{name}");
    }
    assert_eq!(response.bytes().await.unwrap(), PNG);
    let active: [&[u8]; 4] = [
        b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>",
        b"<!DOCTYPE html><script>alert(1)</script>",
        b"<?xml version=\"1.0\"?><a/>",
        b"Received: by x\r\n\r\n<html>",
    ];
    for bytes in active {
        let object = files.keep(CUSTOMER, bytes).await.unwrap();
        for name in ["a.png", "a.svg", "a.html", "a.eml"] {
            let response = world.get(&token, &path(object, name)).await;
            assert_eq!(head(&response, "content-type"), "application/octet-stream");
            assert!(head(&response, "content-disposition").starts_with("attachment; "), "{name}");
            assert_eq!(head(&response, "content-security-policy"), POLICY);
        }
    }
}

#[tokio::test]
async fn a_file_is_for_who_reads_the_conversation_that_it_belongs_to() {
    let (world, _desk, token) = with_anna().await;
    let files = world.files().await;
    let own = files.keep(CUSTOMER, PNG).await.unwrap();
    let foreign = files.keep(OTHER, PNG).await.unwrap();
    let no_file = (404, json!("no_such_file"));
    assert_eq!(refusal(world.get(&token, &path(foreign, "a.png")).await).await, no_file);
    assert_eq!(refusal(world.get(&token, &path(Hash128([9; 16]), "a.png")).await).await, no_file);
    let no_id = world.get(&token, &format!("/desk/api/files/{CONTACT}/x?name=a")).await;
    assert_eq!(refusal(no_id).await, no_file);
    let elsewhere = world.get(&token, &format!("/desk/api/files/con_99_0/{own}?name=a")).await;
    assert_eq!(refusal(elsewhere).await, (403, json!("not_yours")));
    let ben = world.token_of("ben").await;
    assert_eq!(refusal(world.get(&ben, &path(own, "a.png")).await).await, (403, json!("not_yours")));
    assert_eq!(refusal(world.get("made-up", &path(own, "a")).await).await, (401, json!("signed_out")));
    let (signature, until) = (Hash128([1; 16]), u64::MAX / 2);
    let forged = format!("{}&seq=1&until={until}&signature={signature}", path(own, "a.png"));
    assert_eq!(refusal(world.get("made-up", &forged).await).await, no_file);
    world.sealer.erase_identity(CUSTOMER).await.unwrap();
    assert_eq!(refusal(world.get(&token, &path(own, "a.png")).await).await, (410, json!("erased")));
}

#[tokio::test]
async fn an_upload_is_cleaned_kept_sealed_and_has_limits() {
    let (world, _desk, token) = with_anna().await;
    let address = |name: &str| format!("/desk/api/files/{CONTACT}?name={name}");
    let upload = async |token: &str, name: &str, bytes: Vec<u8>| {
        world.asking(Method::POST, token, &address(name)).body(bytes).send().await.unwrap()
    };
    let response = upload(&token, "..%2F..%2Fme%0A.png", PNG.to_vec()).await;
    assert_eq!(response.status(), 200);
    let kept: Attachment = response.json().await.unwrap();
    assert_eq!((kept.name.as_str(), kept.media_type.as_str(), kept.bytes), ("me .png", "image/png", 20));
    let files = world.files().await;
    assert_eq!(files.fetch(CUSTOMER, kept.object).await.unwrap().unwrap(), PNG);
    assert_eq!(world.get(&token, &path(kept.object, "me.png")).await.bytes().await.unwrap(), PNG);
    assert_eq!(refusal(upload(&token, "x", Vec::new()).await).await, (400, json!("file_empty")));
    let max = protocol::limits::FILE_BYTES_MAX;
    let large = refusal(upload(&token, "x", vec![1; max + 1]).await).await;
    assert_eq!(large, (413, json!("file_too_large")));
    let ben = world.token_of("ben").await;
    assert_eq!(refusal(upload(&ben, "x", PNG.to_vec()).await).await, (403, json!("not_yours")));
    assert_eq!(refusal(upload("made-up", "x", PNG.to_vec()).await).await, (401, json!("signed_out")));
    let foreign = world.asking(Method::POST, &token, &address("x")).header("origin", "http://evil.example");
    let foreign = foreign.body(PNG).send().await.unwrap();
    assert_eq!(refusal(foreign).await, (403, json!("foreign_origin")));
}

#[tokio::test]
async fn a_mail_is_shown_as_it_was_sent_and_loads_nothing_unasked() {
    let (mut world, mut desk, token) = with_anna().await;
    let files = world.files().await;
    let picture = files.keep(CUSTOMER, PNG).await.unwrap();
    let html = format!(
        "<p>hello</p><img src=\"wb-file:{picture}\"><img data-remote-src=\"https://x.example/1.png\">"
    );
    let object = files.keep(CUSTOMER, html.as_bytes()).await.unwrap();
    let kept = Attachment {
        object,
        name: "mail.html".to_owned(),
        media_type: "text/html".to_owned(),
        bytes: 1,
        inline: false,
    };
    world.mail(MailHead { html: Some(kept), ..MailHead::default() }).await;
    let seq = desk.next("entry").await["entry"]["seq"].as_u64().unwrap();
    let address = format!("/desk/api/mail/{CONTACT}/{seq}/html");
    let response = world.get(&token, &address).await;
    assert_eq!(response.status(), 200);
    assert_eq!(head(&response, "content-type"), "text/html; charset=utf-8");
    assert_eq!(
        head(&response, "content-security-policy"),
        "sandbox allow-popups; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"
    );
    assert_eq!(head(&response, "x-content-type-options"), "nosniff");
    let page = response.text().await.unwrap();
    assert!(page.contains("<img data-remote-src=\"https://x.example/1.png\">"), "{page}");
    // The picture in it is had without a session: a sandbox sends none.
    let (_, from) = page.split_once(" src=\"").unwrap();
    let link = from.split('"').next().unwrap().replace("&amp;", "&");
    let shown = reqwest::get(world.url(&link)).await.unwrap();
    assert_eq!((head(&shown, "content-type"), shown.status().as_u16()), ("image/png", 200));
    let other = reqwest::get(world.url(&link.replace(&picture.to_string(), &object.to_string()))).await;
    assert_eq!(refusal(other.unwrap()).await, (404, json!("no_such_file")));
    let response = world.get(&token, &format!("{address}?images=1")).await;
    assert!(head(&response, "content-security-policy").contains("img-src 'self' data: https:;"));
    assert!(response.text().await.unwrap().contains("<img src=\"https://x.example/1.png\">"));
    // The first entry is no mail.
    for path in ["1/html", "99/html", "x/html"] {
        let found = world.get(&token, &format!("/desk/api/mail/{CONTACT}/{path}")).await;
        assert_eq!(refusal(found).await, (404, json!("no_such_file")), "{path}");
    }
    let ben = world.token_of("ben").await;
    assert_eq!(refusal(world.get(&ben, &address).await).await, (403, json!("not_yours")));
}

/// However many files of one customer an agent opens, one entry tells of it.
#[tokio::test]
async fn a_look_into_a_customers_files_is_written_down_once() {
    let (world, _desk, token) = with_anna().await;
    let files = world.files().await;
    for bytes in [PNG, b"just words".as_slice(), b"more words"] {
        let object = files.keep(CUSTOMER, bytes).await.unwrap();
        assert_eq!(world.get(&token, &path(object, "a")).await.status(), 200);
    }
    let audit = Audit::open(&world.bus, &subjects(), 1 << 20).await.unwrap();
    let page = audit.page(0, 500).await.unwrap();
    let looks = page.entries.iter().map(|line| &line.entry).filter(|entry| entry.action == Action::FileSeen);
    let looks: Vec<_> = looks.collect();
    assert_eq!(looks.len(), 1, "{looks:?}");
    assert_eq!(looks[0].actor, Actor::Agent(ANNA));
    assert_eq!((looks[0].about.identity, looks[0].about.contact), (Some(CUSTOMER), Some(CONTACT)));
}
