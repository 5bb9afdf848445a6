//! A hostile integration. Each attempt is held against two things: what it is told, and what became of its victim.

mod raw;

use std::collections::BTreeMap;

use protocol::edge::EdgeKind;
use protocol::streams::{CONTACTS, DELIVERIES, INBOUND, PARKED, REMEDIES};
use serde_json::{Value, json};

use crate::edge::guest::{Integrated, codes, integrate, rejections};
use crate::hostile::raw::{Raw, Said};
use crate::house::{House, message};
use crate::messages;

/// A house with an attacker, its victim, and somebody who sees everything.
struct Scene {
    house: House,
    attacker: Raw,
    row: Integrated,
    victim: Integrated,
    watch: Raw,
}

impl Scene {
    async fn open() -> Self {
        let house = House::open().await;
        let row = integrate(&house, json!({"name": "mallory"})).await;
        let victim = integrate(&house, json!({"name": "shop"})).await;
        let attacker = Raw::guest(&house.settings_of_bus, row.seed.reveal()).await;
        let mut watch = Raw::ours(&house.settings_of_bus).await;
        watch.subscribe(">", "").await;
        watch.settle().await;
        Self { house, attacker, row, victim, watch }
    }

    /// The last sequence of everything that an integration has no business in.
    async fn state(&self) -> BTreeMap<&'static str, u64> {
        let mut state = BTreeMap::new();
        for stream in [
            INBOUND,
            CONTACTS,
            REMEDIES,
            PARKED,
            DELIVERIES,
            "KV_ACCOUNTS",
            "KV_SESSIONS",
            "KV_KEYS",
            "EDGE-shop",
            "REJECTED-shop",
            "REJECTED-mallory",
        ] {
            state.insert(stream, self.house.bus.stream_usage(stream).await.unwrap().last_seq);
        }
        state
    }

    /// The victim is served as if nobody else were there.
    async fn victim_is_well(&self, id: &str) {
        let answer = self.victim.ask(&self.house, EdgeKind::Message, id, &message(id, "hello")).await;
        assert_eq!(answer["status"], 202, "{answer}");
    }
}

fn is_refused(said: &[Said], verb: &str, subject: &str) -> bool {
    let wanted = format!("permissions violation for {verb} to \"{}\"", subject.to_ascii_lowercase());
    said.iter().any(|said| matches!(said, Said::Error(error) if error.to_ascii_lowercase().contains(&wanted)))
}

#[tokio::test]
async fn it_publishes_nowhere_but_at_its_own_edge() {
    let mut scene = Scene::open().await;
    let before = scene.state().await;
    let spoof = message("m-1", "spoofed");
    for subject in [
        "wb.c1.in.msg.api.shop",
        "wb.c1.in.config",
        "wb.c1.in.presence",
        "wb.c1.log.contacts",
        "wb.c1.log.remedies",
        "wb.c1.log.deliveries.api.shop",
        "wb.c1.parked",
        "wb.c1.rejected.mallory",
        "wb.c1.rejected.shop",
        "wb.c1.answers.mallory.message.m-1",
        "wb.c1.answers.shop.message.m-1",
        "wb.c1.edge.shop.message.m-1",
        "wb.c1.edge.*.message.m-1",
        "wb.c1.edge.>",
        "wb.c1.edge.mallory",
        "wb.c1.edge.mallory.>",
        "wb.c1.edge.mallory.message",
        "wb.c1.edge.mallory.message.m-1.more",
        "wb.c1.ext.shop.rejections",
        "wb.c1.ext.shop.events",
        "wb.c1.ext.shop.orders",
        "wb.c1.ext.shop.bot",
        "wb.c1.edge.shop.act.m-1",
        "wb.c1.edge.shop.command.m-1",
        "wb.c1.edge.shop.order.rem_1_1",
        "wb.c1.in.act.mallory",
        "wb.c1.in.cmd.agt_00000000000000000000000000000007",
        "wb.c1.ext.mallory",
        "wb.c1.ext.mallory.rejections.more",
        "wb.c1.svc.views.history",
        "wb.c1.typing.con_00000000000000000000000000000001",
        "_INBOX_shop.a",
        "_INBOX_mallory.a",
        "_INBOX.api-test.a",
        "$JS.API.INFO",
        "$JS.API.STREAM.INFO.CONTACTS",
        "$JS.API.STREAM.MSG.GET.CONTACTS",
        "$JS.API.STREAM.DELETE.EDGE-shop",
        "$JS.API.STREAM.PURGE.EDGE-mallory",
        "$JS.API.STREAM.UPDATE.EDGE-mallory",
        "$JS.API.DIRECT.GET.KV_ACCOUNTS.$KV.ACCOUNTS.integration.shop",
        "$JS.API.CONSUMER.CREATE.CONTACTS",
        "$JS.API.CONSUMER.MSG.NEXT.CONTACTS.x",
        "$JS.ACK.EDGE-shop.x.1.1.1.1.1",
        "$JS.FC.EDGE-shop.x.1",
        "$KV.ACCOUNTS.integration.mallory",
        "$KV.KEYS.x",
        "$O.FILES.M.x",
        "$SYS.REQ.SERVER.PING",
        "$SYS.REQ.USER.INFO",
        "$SRV.PING",
    ] {
        scene.attacker.publish(subject, "", &spoof).await;
        let said = scene.attacker.settle().await;
        assert!(is_refused(&said, "publish", subject), "{subject}: {said:?}");
    }
    assert_eq!(scene.state().await, before, "nothing of it is anywhere");
    scene.victim_is_well("m-2").await;
    scene.house.close().await;
}

#[tokio::test]
async fn it_hears_nothing_that_is_not_its_own() {
    let mut scene = Scene::open().await;
    for (subject, group) in [
        (">", ""),
        ("*.>", ""),
        ("wb.>", ""),
        ("wb.*.*.shop.>", ""),
        ("wb.c1.>", ""),
        ("wb.c1.answers.>", ""),
        ("wb.c1.answers.*.>", ""),
        ("wb.c1.answers.shop.>", ""),
        ("wb.c1.answers.shop.message.m-1", "snoop"),
        ("wb.c1.edge.mallory.>", ""),
        ("wb.c1.edge.shop.>", ""),
        ("wb.c1.ext.*.*", "edge"),
        ("wb.c1.ext.mallory.rejections", "edge"),
        ("wb.c1.ext.shop.events", "edge"),
        ("wb.c1.ext.*.events", ""),
        ("wb.c1.rejected.mallory", ""),
        ("wb.c1.log.contacts", ""),
        ("wb.c1.in.>", ""),
        ("_INBOX.>", ""),
        ("_INBOX_shop.>", ""),
        ("*.>", "snoop"),
        ("$JS.>", ""),
        ("$JS.EVENT.ADVISORY.>", ""),
        ("$KV.>", ""),
        ("$SYS.>", ""),
        ("$SRV.>", ""),
    ] {
        scene.attacker.subscribe(subject, group).await;
        let said = scene.attacker.settle().await;
        assert!(is_refused(&said, "subscription", subject), "{subject} {group}: {said:?}");
    }
    // Its own answers, and all its inboxes, are all that it ever hears.
    scene.attacker.subscribe("wb.c1.answers.mallory.>", "").await;
    scene.attacker.subscribe("_INBOX_mallory.>", "").await;
    assert_eq!(scene.attacker.settle().await, []);
    scene.victim_is_well("m-1").await;
    rejections(&scene.house, &scene.victim, json!({})).await;
    scene.house.post("messages", message("m-2", "over http")).await;
    assert_eq!(scene.attacker.settle().await, [], "nothing of anybody else's came");
    scene.house.close().await;
}

#[tokio::test]
async fn no_reply_subject_that_it_names_is_written_to() {
    let mut scene = Scene::open().await;
    let replies = [
        "wb.c1.answers.shop.message.m-1",
        "wb.c1.in.config",
        "wb.c1.log.contacts",
        "wb.c1.edge.shop.message.m-1",
        "wb.c1.rejected.shop",
        "_INBOX_shop.a",
        "_INBOX.api-test.1",
        "_INBOX_mallory",
        "_INBOX_mallory.*",
        "_INBOX_mallory.>",
        "$JS.ACK.CONTACTS.x.1.1.1.1.1",
        "$JS.API.STREAM.DELETE.CONTACTS",
        "$KV.ACCOUNTS.integration.shop",
        "$SYS.REQ.SERVER.PING",
    ];
    let before = scene.state().await;
    for (n, reply) in replies.iter().enumerate() {
        scene.attacker.publish(&format!("wb.c1.edge.mallory.message.r-{n}"), reply, "not a message").await;
        scene.attacker.publish("wb.c1.ext.mallory.rejections", reply, "{}").await;
        scene.attacker.publish("wb.c1.ext.mallory.events", reply, "{}").await;
    }
    let said = scene.attacker.settle().await;
    // One of them the server refuses by itself, and takes nothing with it.
    let refused = said.iter().filter(|said| matches!(said, Said::Error(error) if error.contains("$JS.ACK")));
    assert_eq!((refused.count(), said.len()), (3, 3), "{said:?}");
    let handled = replies.len() - 1;
    // They were all handled once the last of them is among its rejections.
    let mut page = Value::Null;
    scene
        .house
        .until(async || {
            page = rejections(&scene.house, &scene.row, json!({})).await;
            codes(&page).len() == handled
        })
        .await;
    let heard = scene.watch.settle().await;
    let written: Vec<&Said> = heard
        .iter()
        .filter(|said| matches!(said, Said::Message { subject, .. } if replies.contains(&subject.as_str())))
        .collect();
    assert_eq!(written, Vec::<&Said>::new());
    let mut after = scene.state().await;
    assert_ne!(after["REJECTED-mallory"], before["REJECTED-mallory"]);
    after.insert("REJECTED-mallory", before["REJECTED-mallory"]);
    assert_eq!(after, before);
    assert!(scene.house.kit.metrics.refused_total.get(["api", "reply_elsewhere"]) >= handled as u64);
    scene.victim_is_well("m-2").await;
    scene.house.close().await;
}

#[tokio::test]
async fn headers_reach_no_further_than_its_own_edge() {
    let mut scene = Scene::open().await;
    let before = scene.state().await;
    let target = "wb.c1.edge.shop.message.forged";
    let asks: [&[(&str, &str)]; 7] = [
        &[("Nats-Schedule", "@at 2020-01-01T00:00:00Z"), ("Nats-Schedule-Target", target)],
        &[("Nats-Schedule", "@every 1s"), ("Nats-Schedule-Target", "wb.c1.in.config")],
        &[("Nats-Rollup", "all")],
        &[("Nats-Rollup", "sub")],
        &[("Nats-TTL", "1s")],
        &[("Nats-Incr", "1")],
        &[("Nats-Batch-Id", "b"), ("Nats-Batch-Sequence", "1"), ("Nats-Batch-Commit", "1")],
    ];
    for (n, headers) in asks.iter().enumerate() {
        let subject = format!("wb.c1.edge.mallory.message.h-{n}");
        scene.attacker.publish_with(&subject, headers, &message("m-1", "hello")).await;
    }
    // A trace would be written to a subject of its choice; the server looks at its rights first.
    let traced = [("Nats-Trace-Dest", "wb.c1.answers.shop.message.t")];
    scene.attacker.publish_with("wb.c1.edge.mallory.message.t-1", &traced, &message("m-t", "hello")).await;
    let said = scene.attacker.settle().await;
    assert!(is_refused(&said, "publish", "wb.c1.answers.shop.message.t"), "{said:?}");
    let mut page = Value::Null;
    scene
        .house
        .until(async || {
            page = rejections(&scene.house, &scene.row, json!({})).await;
            codes(&page).len() >= asks.len()
        })
        .await;
    assert!(codes(&page).iter().all(|code| code == "header_refused"), "{page}");
    let heard = scene.watch.settle().await;
    let is_forged = |said: &&Said| {
        matches!(said, Said::Message { subject, .. }
            if subject == target || subject == "wb.c1.in.config" || subject.starts_with("wb.c1.answers.shop"))
    };
    assert_eq!(heard.iter().filter(is_forged).count(), 0, "{heard:?}");
    let mut after = scene.state().await;
    after.insert("REJECTED-mallory", before["REJECTED-mallory"]);
    assert_eq!(after, before, "nothing was stored");
    // What the server does not act upon is not looked at.
    let harmless =
        [("Nats-Expected-Stream", "EDGE-mallory"), ("Nats-Msg-Id", "x"), ("Winterband-Account", "other")];
    scene.attacker.publish_with("wb.c1.edge.mallory.message.h-9", &harmless, &message("m-9", "hello")).await;
    let unread = [("nats-schedule", "@at 2020-01-01T00:00:00Z"), ("nats-schedule-target", target)];
    scene.attacker.publish_with("wb.c1.edge.mallory.message.h-10", &unread, &message("m-10", "hello")).await;
    scene.house.until(async || messages(&scene.house.inputs().await).len() == 2).await;
    assert_eq!(messages(&scene.house.inputs().await)[0].account.as_str(), "shop");
    // What is read from INBOUND comes by here too, so its configuration is counted where it lies.
    let heard = scene.watch.settle().await;
    let is_at_the_victim = |said: &&Said| matches!(said, Said::Message { subject, .. } if subject == target || subject.starts_with("wb.c1.answers.shop"));
    assert_eq!(heard.iter().filter(is_at_the_victim).count(), 0, "{heard:?}");
    assert_eq!(scene.state().await[INBOUND], before[INBOUND] + 2, "two messages and nothing else");
    scene.victim_is_well("m-2").await;
    scene.house.close().await;
}

#[tokio::test]
async fn ids_that_it_uses_first_are_nobody_elses() {
    let mut scene = Scene::open().await;
    let (id, text) = ("order-4711", "where is my parcel");
    // The ids that the bus gives: a rejection's, a record's, a message's, as far as they can be guessed.
    for guess in ["edge-1", "edge-2", "in-1", "first-configuration", "order-4711"] {
        let header = [("Nats-Msg-Id", guess)];
        let subject = format!("wb.c1.edge.mallory.message.{guess}");
        scene.attacker.publish_with(&subject, &header, &message(id, "poison")).await;
    }
    scene.attacker.settle().await;
    scene.house.until(async || messages(&scene.house.inputs().await).len() == 1).await;
    let taken = scene.victim.ask(&scene.house, EdgeKind::Message, id, &message(id, text)).await;
    assert_eq!((&taken["status"], &taken["duplicate"]), (&json!(202), &json!(false)), "{taken}");
    let (_, over_http) = scene.house.post("messages", message(id, text)).await;
    assert_eq!(over_http["duplicate"], false);
    let inputs = scene.house.inputs().await;
    let hashes: std::collections::BTreeSet<_> =
        messages(&inputs).iter().map(|message| message.provider_hash).collect();
    assert_eq!(hashes.len(), 3, "each has a message of its own under this id");
    let facts =
        json!({"source": "shop", "about": {"order": "A-1"}, "facts": {"order.days_late": 4}}).to_string();
    let refused = scene.row.ask(&scene.house, EdgeKind::Facts, "f-1", &facts).await;
    assert_eq!(refused["code"], "not_your_source", "nor does it tell anything in another's name");
    assert_eq!(
        scene.victim.ask(&scene.house, EdgeKind::Facts, "f-1", &facts).await["duplicate"],
        Value::Null
    );
    scene.house.close().await;
}

#[tokio::test]
async fn wildcards_that_it_means_literally_are_refused() {
    let mut scene = Scene::open().await;
    let before = scene.state().await;
    let subjects = [
        "wb.c1.edge.mallory.message.*",
        "wb.c1.edge.mallory.message.>",
        "wb.c1.edge.mallory.*.m-1",
        "wb.c1.edge.mallory.*.*",
        "wb.c1.edge.mallory.config.m-1",
        "wb.c1.edge.mallory.message.caf\u{e9}",
    ];
    for subject in subjects {
        scene.attacker.publish(subject, "", &message("m-1", "hello")).await;
    }
    let said = scene.attacker.settle().await;
    let kept_away = said.len();
    let mut page = Value::Null;
    scene
        .house
        .until(async || {
            page = rejections(&scene.house, &scene.row, json!({})).await;
            codes(&page).len() + kept_away >= subjects.len()
        })
        .await;
    assert!(codes(&page).iter().all(|code| code == "bad_subject"), "{page}");
    assert!(codes(&page).len() >= 4, "{said:?} {page}");
    let mut after = scene.state().await;
    after.insert("REJECTED-mallory", before["REJECTED-mallory"]);
    assert_eq!(after, before);
    scene.house.close().await;
}

#[tokio::test]
async fn a_flood_and_a_deaf_ear_hurt_nobody_else() {
    let mut scene = Scene::open().await;
    scene.attacker.subscribe("wb.c1.answers.mallory.>", "").await;
    // It never reads what it is told, and publishes as fast as it can.
    let body = message("m-1", &"x".repeat(8_000));
    for n in 0..3_000 {
        scene.attacker.publish(&format!("wb.c1.edge.mallory.message.n-{n}"), "", &body).await;
        if n % 1_000 == 500 {
            scene.victim_is_well(&format!("v-{n}")).await;
        }
    }
    scene.victim_is_well("v-last").await;
    assert_eq!(rejections(&scene.house, &scene.victim, json!({})).await["rejections"], json!([]));
    assert_eq!(scene.house.get("config").await.0, 200, "nor is anybody over HTTP");
    // One id, one input, however often it came; most of the rest was too much for its rate.
    scene.house.until(async || messages(&scene.house.inputs().await).len() == 4 + 1).await;
    // Past what the server takes at all it is cut off.
    let huge = "x".repeat(9 * 1024 * 1024);
    let mut other = Raw::guest(&scene.house.settings_of_bus, scene.row.seed.reveal()).await;
    other.send(format!("PUB wb.c1.edge.mallory.message.huge {}\r\n", huge.len()).as_bytes()).await;
    let said = other.until_gone().await;
    assert!(
        said.iter().any(|said| matches!(said, Said::Error(error) if error.contains("Maximum Payload"))),
        "{said:?}"
    );
    scene.victim_is_well("v-after").await;
    scene.house.close().await;
}
