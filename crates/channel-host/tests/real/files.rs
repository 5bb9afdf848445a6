//! Files both ways: taken in from a page, named in a message, handed out by links that expire.

use std::time::Duration;

use bus::{Files, file_name};
use protocol::content::{Attachment, Content};
use protocol::input::InputBody;
use protocol::limits::{ATTACHMENTS_MAX, FILE_BYTES_MAX};
use protocol::{Hash128, IdentityId, Millis};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::page::{Page, begun, enter, new_id};
use crate::within;
use crate::world::{MIB, World, world, world_with};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x07\0\0\0\x05, and what else a picture has";
const SVG: &[u8] = b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>";

fn post(world: &World, token: &str, name: &str, bytes: &[u8]) -> RequestBuilder {
    let name = file_name::percent(name);
    let url = format!("http://{}/chat/v1/files?account=shop&name={name}", world.address);
    Client::new().post(url).bearer_auth(token).body(bytes.to_vec())
}

async fn upload(world: &World, page: &Page, name: &str, bytes: &[u8]) -> Value {
    let answer = within("an upload", post(world, &page.token, name, bytes).send()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.json().await.unwrap()
}

/// Status and code of a refusal.
async fn refusal(request: RequestBuilder) -> (u16, String) {
    let answer = within("a refusal", request.send()).await.unwrap();
    let status = answer.status().as_u16();
    let problem: Value = answer.json().await.unwrap();
    assert!(!problem["detail"].as_str().unwrap().is_empty(), "{problem}");
    (status, problem["code"].as_str().unwrap().to_owned())
}

/// The answer to an upload as a message names it.
fn named(uploaded: &Value) -> Value {
    let mut named = uploaded.clone();
    named.as_object_mut().unwrap().remove("url");
    named
}

async fn attach(page: &mut Page, text: &str, files: &[Value]) -> String {
    let id = new_id();
    page.send(&json!({"t": "say", "id": id, "text": text, "attachments": files})).await;
    id
}

async fn get(world: &World, url: &str) -> Response {
    let url = format!("http://{}/chat/v1/{url}", world.address);
    within("a download", Client::new().get(url).send()).await.unwrap()
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers()[name].to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_from_page_to_page_with_its_bytes() {
    let world = world().await;
    let mut page = enter(&world, None, 0).await;
    let one = upload(&world, &page, "../my \u{202e}coat.png", PNG).await;
    assert_eq!((&one["name"], &one["type"]), (&json!("my coat.png"), &json!("image/png")));
    assert_eq!(one["bytes"], PNG.len());
    let two = upload(&world, &page, "list.txt", b"a size 5").await;
    let id = attach(&mut page, "", &[named(&one), named(&two)]).await;
    assert_eq!(page.next_of("taken").await["id"], id);
    // Another page of the same visitor sees it, with links of its own.
    let mut other = enter(&world, Some(&page.token), 0).await;
    let entry = other.next_of("entry").await;
    assert_eq!((&entry["id"], &entry["text"]), (&json!(id), &json!("")));
    let files = entry["files"].as_array().unwrap();
    assert_eq!(files.len(), 2);
    assert_eq!((&files[0]["object"], &files[0]["name"]), (&one["object"], &one["name"]));
    let picture = get(&world, files[0]["url"].as_str().unwrap()).await;
    assert_eq!(header(&picture, "content-type"), "image/png");
    assert!(header(&picture, "content-disposition").starts_with("inline; filename=\"my coat.png\""));
    assert_eq!(&picture.bytes().await.unwrap()[..], PNG);
    let words = get(&world, files[1]["url"].as_str().unwrap()).await;
    assert_eq!(&words.bytes().await.unwrap()[..], b"a size 5");
    let content = inbound(&world).await;
    let names: Vec<&str> = content.attachments.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["my coat.png", "list.txt"]);
    assert_eq!(content.attachments[0].media_type, "image/png");
}

/// What the only message in INBOUND says.
async fn inbound(world: &World) -> Content {
    let bodies = world.inbound().await;
    let [InputBody::Message(message)] = bodies.as_slice() else { panic!("{bodies:?}") };
    serde_json::from_slice(&world.sealer.unseal(&message.body).await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_names_only_what_its_own_page_was_given() {
    let world = world().await;
    let (anna, mut eve) = (enter(&world, None, 0).await, enter(&world, None, 0).await);
    let file = named(&upload(&world, &anna, "letter.txt", b"for one only").await);
    let own = named(&upload(&world, &eve, "mine.txt", b"mine").await);
    let with = |field: &str, value: Value| {
        let mut changed = own.clone();
        changed[field] = value;
        changed
    };
    for forged in [
        file.clone(),
        with("object", file["object"].clone()),
        with("signature", file["signature"].clone()),
        with("type", json!("text/html")),
        with("name", json!("invoice.pdf")),
        with("bytes", json!(1)),
    ] {
        let id = attach(&mut eve, "look", &[own.clone(), forged]).await;
        let refused = eve.next_of("refused").await;
        assert_eq!((&refused["id"], &refused["code"]), (&json!(id), &json!("foreign_file")));
        assert_eq!(refused["retry_after_ms"], json!(null));
    }
    let id = attach(&mut eve, "", &vec![own.clone(); ATTACHMENTS_MAX + 1]).await;
    let refused = eve.next_of("refused").await;
    assert_eq!((&refused["id"], &refused["code"]), (&json!(id), &json!("too_many_attachments")));
    assert!(refused["words"].as_str().unwrap().contains("at most 15"), "{refused}");
    let id = attach(&mut eve, "", &vec![own; ATTACHMENTS_MAX]).await;
    assert_eq!(eve.next_of("taken").await["id"], id);
    assert_eq!(world.inbound().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_visitor_uploads_nothing() {
    let world = world_with(&[("WINTERBAND_WEB__SITES", "[\"https://shop.example\"]")], 64 * MIB).await;
    let page = enter(&world, None, 0).await;
    let forged = page.token.replace("v1.0", "v1.1");
    for token in ["", "v1.a.shop.b", forged.as_str()] {
        assert_eq!(
            refusal(post(&world, token, "a.txt", b"x")).await,
            (401, "no_visitor".to_owned()),
            "{token}"
        );
    }
    let url = format!("http://{}/chat/v1/files", world.address);
    let at = |query: &str| Client::new().post(format!("{url}?{query}")).bearer_auth(&page.token).body("x");
    for (query, answer) in [
        ("name=a.txt", (404, "unknown_account")),
        ("account=nobody", (404, "unknown_account")),
        ("account=a.b", (404, "unknown_account")),
        ("account=shop&token=x", (400, "wrong_question")),
    ] {
        assert_eq!(refusal(at(query)).await, (answer.0, answer.1.to_owned()), "{query}");
    }
    let from = |origin: &str| post(&world, &page.token, "a.txt", b"x").header("origin", origin);
    assert_eq!(refusal(from("https://evil.example")).await, (403, "unknown_origin".to_owned()));
    let answer = from("https://shop.example").send().await.unwrap();
    assert_eq!(header(&answer, "access-control-allow-origin"), "https://shop.example");
    let asked = |origin: &str| {
        Client::new().request(reqwest::Method::OPTIONS, &url).header("origin", origin.to_owned())
    };
    let allowed = asked("https://shop.example").send().await.unwrap();
    assert_eq!(header(&allowed, "access-control-allow-origin"), "https://shop.example");
    assert_eq!(header(&allowed, "access-control-allow-headers"), "authorization, content-type");
    let refused = asked("https://evil.example").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(refused.headers().get("access-control-allow-origin").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_works_for_its_file_and_its_time_and_can_be_had_anew() {
    let world = world().await;
    let (page, eve) = (enter(&world, None, 0).await, enter(&world, None, 0).await);
    let file = upload(&world, &page, "a.txt", b"words").await;
    let url = file["url"].as_str().unwrap();
    assert_eq!(get(&world, url).await.status(), StatusCode::OK);
    let (path, query) = url.split_once('?').unwrap();
    let other = format!("{}/b.txt?{query}", path.rsplit_once('/').unwrap().0);
    let object: Hash128 = file["object"].as_str().unwrap().parse().unwrap();
    let identity: IdentityId = path.split('/').nth(1).unwrap().parse().unwrap();
    let late = world.hasher.page_link(identity, object, "a.txt", Millis(1_000));
    let late = format!("{path}?until=1000&signature={late}");
    let longer = url.replace("until=", "until=9");
    let until = Millis(world.kit.clock.unix_ms() + 60_000);
    let foreign = world.hasher.link(identity, object, "a.txt", until);
    let foreign = format!("{path}?until={}&signature={foreign}", until.0);
    for bad in [&other, &late, &longer, &foreign, path, &format!("{path}?until=x&signature=y")] {
        let answer = get(&world, bad).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{bad}");
        assert_eq!(answer.json::<Value>().await.unwrap()["code"], "no_link");
    }
    let anew = |token: &str| {
        let url = format!("http://{}/chat/v1/links/{object}?account=shop&name=a.txt", world.address);
        Client::new().get(url).bearer_auth(token)
    };
    let fresh: Value = anew(&page.token).send().await.unwrap().json().await.unwrap();
    let answer = get(&world, fresh["url"].as_str().unwrap()).await;
    assert_eq!(&answer.bytes().await.unwrap()[..], b"words");
    let url = format!("http://{}/chat/v1/links/{}?account=shop&name=a.txt", world.address, Hash128([9; 16]));
    let gone = refusal(Client::new().get(url).bearer_auth(&page.token)).await;
    assert_eq!(gone, (410, "file_gone".to_owned()));
    assert_eq!(refusal(anew("")).await, (401, "no_visitor".to_owned()));
    // Whoever else asks for it gets a link that opens nothing.
    let theirs: Value = anew(&eve.token).send().await.unwrap().json().await.unwrap();
    assert_eq!(get(&world, theirs["url"].as_str().unwrap()).await.status(), StatusCode::GONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_act_is_only_saved_whatever_it_is_called() {
    let world = world().await;
    let page = enter(&world, None, 0).await;
    for (name, bytes, media_type) in [
        ("cat.png", SVG, "application/octet-stream"),
        ("cat.png", b"<!doctype html><script>alert(1)</script>".as_slice(), "text/html"),
        ("cat.png", b"%PDF-1.7\n".as_slice(), "application/pdf"),
        ("notes.txt", b"words".as_slice(), "text/plain"),
    ] {
        let file = upload(&world, &page, name, bytes).await;
        assert_eq!(file["type"], media_type, "what is said of it comes from its bytes");
        let answer = get(&world, file["url"].as_str().unwrap()).await;
        assert_eq!(header(&answer, "content-type"), "application/octet-stream", "{name}");
        assert!(header(&answer, "content-disposition").starts_with("attachment; "), "{name}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "sandbox; default-src 'none'"),
            ("cache-control", "private, no-store"),
        ] {
            assert_eq!(header(&answer, name), value);
        }
        assert_eq!(&answer.bytes().await.unwrap()[..], bytes);
    }
    let side = 30_000_u32.to_be_bytes();
    let large = [&PNG[..16], &side, &side].concat();
    let file = upload(&world, &page, "huge.png", &large).await;
    assert_eq!(file["type"], "application/octet-stream");
    let answer = get(&world, file["url"].as_str().unwrap()).await;
    assert_eq!(header(&answer, "content-type"), "application/octet-stream");
    assert!(header(&answer, "content-disposition").starts_with("attachment; "));
    let picture = upload(&world, &page, "page.html", PNG).await;
    let answer = get(&world, picture["url"].as_str().unwrap()).await;
    assert_eq!(header(&answer, "content-type"), "image/png");
    assert_eq!(header(&answer, "content-security-policy"), "sandbox; default-src 'none'");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_empty_or_too_large_is_told_so_and_the_largest_is_taken() {
    let world = world().await;
    let page = enter(&world, None, 0).await;
    let send = |bytes: &[u8]| post(&world, &page.token, "a.bin", bytes);
    assert_eq!(refusal(send(b"")).await, (400, "file_empty".to_owned()));
    let large = vec![7; FILE_BYTES_MAX + 1];
    let answer = send(&large).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(
        (&problem["code"], &problem["limit_bytes"]),
        (&json!("file_too_large"), &json!(FILE_BYTES_MAX))
    );
    assert!(problem["detail"].as_str().unwrap().contains("25 MiB"), "{problem}");
    let file = upload(&world, &page, "a.bin", &large[1..]).await;
    assert_eq!(file["bytes"], FILE_BYTES_MAX);
    let got = get(&world, file["url"].as_str().unwrap()).await.bytes().await.unwrap();
    assert!(got[..] == large[1..], "the bytes are others");
}

/// Sends files of 8 KiB until one is refused; how many were taken, and the refusal.
async fn fill(world: &World, page: &Page) -> (u8, Response) {
    for taken in 0..=u8::MAX {
        let answer = post(world, &page.token, "a.bin", &[taken; 8 * 1024]).send().await.unwrap();
        if answer.status() != StatusCode::OK {
            return (taken, answer);
        }
    }
    panic!("it is never full")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_nearly_full_says_when_to_come_again_and_has_room_for_agents() {
    // Of UPLOADS there is a quarter.
    let variables = [
        ("WINTERBAND_STREAMS__FILES_MAX", "512KiB"),
        ("WINTERBAND_LIMITS__VISITOR_UPLOADS_PER_MINUTE", "1000"),
    ];
    let world = world_with(&variables, 64 * MIB).await;
    let page = enter(&world, None, 0).await;
    let (taken, full) = fill(&world, &page).await;
    assert!((13..16).contains(&taken), "{taken}");
    assert_eq!(full.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(header(&full, "retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(full.json::<Value>().await.unwrap()["code"], "files_full");
    let files = Files::open(&world.bus, world.sealer.clone(), world.hasher.clone(), MIB).await.unwrap();
    assert_eq!(files.used_percent().await.unwrap(), 0, "what nobody sent is not kept");
    let mut kept = 0_u8;
    while files.used_percent().await.unwrap() < 90 {
        files.keep(IdentityId(Hash128([1; 16])), &[kept; 8 * 1024]).await.unwrap();
        kept += 1;
    }
    assert!((50..62).contains(&kept), "{kept}");
    let refused = post(&world, &page.token, "a.bin", b"x").send().await.unwrap();
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "files_full");
    files.keep(IdentityId(Hash128([1; 16])), b"an agent's").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_kept_for_good_only_when_a_message_names_it() {
    let world = world().await;
    let mut page = enter(&world, None, 0).await;
    let file = named(&upload(&world, &page, "a.txt", b"words").await);
    let files = Files::open(&world.bus, world.sealer.clone(), world.hasher.clone(), MIB).await.unwrap();
    let usage = async |stream: &str| world.bus.stream_usage(stream).await.unwrap().bytes;
    assert_eq!(usage("OBJ_FILES").await, 0);
    let waiting = usage("OBJ_UPLOADS").await;
    // A second message may name it too, also after it moved.
    for text in ["see", "see again"] {
        let id = attach(&mut page, text, std::slice::from_ref(&file)).await;
        assert_eq!(page.next_of("taken").await["id"], id);
        assert!(usage("OBJ_FILES").await > 0 && usage("OBJ_UPLOADS").await < waiting);
    }
    let entry = page.next_of("entry").await;
    let url = entry["files"][0]["url"].as_str().unwrap();
    let identity: IdentityId = url.split('/').nth(1).unwrap().parse().unwrap();
    let object: Hash128 = file["object"].as_str().unwrap().parse().unwrap();
    assert_eq!(&files.fetch(identity, object).await.unwrap().unwrap()[..], b"words");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_names_a_file_that_is_gone_is_refused() {
    let world = world().await;
    let mut page = enter(&world, None, 0).await;
    let file = named(&upload(&world, &page, "a.txt", b"words").await);
    let unsent = world.bus.ensure_objects(&bus::places::uploads(), MIB).await.unwrap();
    unsent.delete(file["object"].as_str().unwrap()).await.unwrap();
    let id = attach(&mut page, "see", &[file]).await;
    let refused = page.next_of("refused").await;
    assert_eq!((&refused["id"], &refused["code"]), (&json!(id), &json!("file_gone")));
    assert_eq!(refused["retry_after_ms"], json!(null));
    assert_eq!(world.inbound().await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_and_an_address_upload_only_so_much() {
    let variables = [
        ("WINTERBAND_LIMITS__VISITOR_UPLOADS_PER_MINUTE", "2"),
        ("WINTERBAND_LIMITS__IP_UPLOAD_BYTES_PER_MINUTE", "16KiB"),
    ];
    let world = world_with(&variables, 64 * MIB).await;
    let (one, two) = (enter(&world, None, 0).await, enter(&world, None, 0).await);
    for n in 0..2 {
        upload(&world, &one, "a.txt", &[n]).await;
    }
    let third = post(&world, &one.token, "a.txt", b"x").send().await.unwrap();
    assert_eq!(third.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(header(&third, "retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(third.json::<Value>().await.unwrap()["code"], "too_many_uploads");
    upload(&world, &two, "a.bin", &[7; 12 * 1024]).await;
    let refused = refusal(post(&world, &two.token, "a.bin", &[7; 12 * 1024])).await;
    assert_eq!(refused, (429, "network_busy".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_nothing_takes_no_seat_and_who_stands_still_loses_it() {
    let world = world_with(&[("WINTERBAND_LIMITS__VISITOR_UPLOADS_PER_MINUTE", "1000")], 64 * MIB).await;
    let page = enter(&world, None, 0).await;
    let head = format!(
        "POST /chat/v1/files?account=shop&name=a.txt HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-length: 100\r\n\r\n",
        page.token
    );
    let mut lines = Vec::new();
    for _ in 0..6 {
        let mut line = TcpStream::connect(world.address).await.unwrap();
        line.write_all(head.as_bytes()).await.unwrap();
        lines.push(line);
    }
    sleep(Duration::from_millis(300)).await;
    upload(&world, &page, "a.txt", b"they sent nothing yet").await;
    for line in &mut lines {
        line.write_all(b"x").await.unwrap();
    }
    let until = async |status: StatusCode| {
        while post(&world, &page.token, "b.txt", b"x").send().await.unwrap().status() != status {
            sleep(Duration::from_millis(100)).await;
        }
    };
    within("the seats of an address to be taken", until(StatusCode::TOO_MANY_REQUESTS)).await;
    within("the seats to be free again", until(StatusCode::OK)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_file_arrives_and_one_of_a_note_does_not() {
    let world = world().await;
    let (mut page, conversation, identity) = begun(&world).await;
    let files = Files::open(&world.bus, world.sealer.clone(), world.hasher.clone(), MIB).await.unwrap();
    let object = files.keep(identity, PNG).await.unwrap();
    let file = Attachment {
        object,
        name: "größe 5.png".into(),
        media_type: "image/png".into(),
        bytes: PNG.len() as u64,
        inline: false,
    };
    let content = Content { attachments: vec![file], ..Content::words("Like this one?") };
    world.agent_notes(identity, conversation, "she means the blue one").await;
    world.agent_sends(identity, conversation, &content).await;
    let note = page.next_of("entry").await;
    assert_eq!((&note["kind"], &note["files"]), (&json!("hidden"), &json!(null)));
    let entry = page.next_of("entry").await;
    assert_eq!((&entry["kind"], &entry["text"]), (&json!("agent"), &json!("Like this one?")));
    assert_eq!(entry["files"][0]["name"], "größe 5.png");
    let answer = get(&world, entry["files"][0]["url"].as_str().unwrap()).await;
    assert_eq!(header(&answer, "content-type"), "image/png");
    assert_eq!(&answer.bytes().await.unwrap()[..], PNG);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_customers_file_is_gone() {
    let world = world().await;
    let mut page = enter(&world, None, 0).await;
    let file = upload(&world, &page, "a.txt", b"words").await;
    attach(&mut page, "see", &[named(&file)]).await;
    let entry = page.next_of("entry").await;
    let url = entry["files"][0]["url"].as_str().unwrap();
    let identity: IdentityId = url.split('/').nth(1).unwrap().parse().unwrap();
    world.sealer.erase_identity(identity).await.unwrap();
    let gone = async {
        while get(&world, url).await.status() != StatusCode::GONE {
            sleep(Duration::from_millis(50)).await;
        }
    };
    within("the file to be gone", gone).await;
    let mut later = enter(&world, Some(&page.token), 0).await;
    let entry = later.next_of("entry").await;
    assert_eq!((&entry["text"], &entry["files"]), (&json!(null), &json!(null)));
}
