//! An offer, an answer, a word to and fro; cut, resumed and repeated.

use std::time::Duration;

use protocol::command::Command;
use protocol::record::EntryKind;
use protocol::{Event, InputBody};
use serde_json::{Value, json};

use crate::worker::{BEN, CLEO, held};
use crate::world::{ANNA, CONTACT, CONVERSATION, OFFER, World, done, subjects};

fn seqs(contact: &Value) -> Vec<u64> {
    contact["entries"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn words_go_to_and_fro_and_nothing_readable_is_stored() {
    let mut world = World::start().await;
    let token = world.token().await;
    let (mut desk, state) = world.desk(&token, json!({})).await;
    assert_eq!((&state["title"], &state["contacts"]), (&json!("Anna"), &json!([])));

    world.offer("my parcel is wet").await;
    let offer = desk.next("offer").await;
    assert_eq!(offer["words"], json!(["my parcel is wet"]));
    assert_eq!((&offer["customer_name"], &offer["queue"]), (&json!("Mia"), &json!("General")));
    assert_eq!(offer["history"], json!([]), "a first contact has no past, and nobody is asked for it");

    let accept = desk.command(json!({"do": "accept", "offer": OFFER})).await;
    assert_eq!(world.accept().await, accept);
    assert_eq!(desk.next("offer_ended").await["how"], "accepted");
    let contact = desk.next("contact").await;
    assert_eq!(seqs(&contact), [1, 2]);
    assert_eq!(contact["entries"][1]["by"], "Anna");
    let settled = desk.next("settled").await;
    assert_eq!((&settled["id"], &settled["outcome"]["is"]), (&json!(accept), &json!("done")));

    let message = protocol::MessageId(uuid::Uuid::now_v7());
    let reply = json!({"do": "reply", "contact": CONTACT, "message": message, "text": "we send another"});
    desk.command(reply).await;
    let (command, stored) = world.command().await;
    assert_eq!(command.agent, ANNA);
    assert!(!stored.contains("another"), "{stored}");
    let Command::Reply { body, .. } = &command.command else { panic!("{stored}") };
    assert!(world.sealer.unseal(body).await.unwrap().starts_with(b"{\"text\":\"we send another\""));
    let answered = world.entry(EntryKind::FromAgent { agent: ANNA, bot: false });
    let settled = done(command.id);
    world.decide(InputBody::Command(command), vec![answered, settled]).await;
    let entry = desk.next("entry").await["entry"].clone();
    assert_eq!((&entry["seq"], &entry["text"]), (&json!(3), &json!("we send another")));
    assert_eq!(entry["message"], json!(message));
    desk.next("settled").await;
}

#[tokio::test]
async fn a_desk_that_was_cut_goes_on_where_it_was() {
    let mut world = World::start().await;
    let token = world.token().await;
    let (mut desk, _) = world.desk(&token, json!({})).await;
    world.offer("one").await;
    desk.next("offer").await;
    let accept = desk.command(json!({"do": "accept", "offer": OFFER})).await;
    world.accept().await;
    drop(desk);
    let two = world.entry(EntryKind::FromCustomer);
    let message = world.message("two").await;
    world.decide(message, vec![two]).await;

    // What it missed comes, and only that; the same command again has the same answer and is no second input.
    for restart in [false, true] {
        if restart {
            world.restart_gateway().await;
        }
        let (mut desk, state) = world.desk(&token, json!({CONVERSATION.to_string(): 1})).await;
        assert_eq!(seqs(&state["contacts"][0]), [2, 3]);
        assert_eq!(state["contacts"][0]["entries"][1]["text"], "two");
        assert_eq!(state["contacts"][0]["customer_name"], "Mia");
        desk.send(json!({"t": "command", "id": accept, "command": {"do": "accept", "offer": OFFER}})).await;
        let settled = desk.next("settled").await;
        assert_eq!((&settled["id"], &settled["outcome"]["is"]), (&json!(accept), &json!("done")));
    }
    let marker = world
        .desk(&token, json!({}))
        .await
        .0
        .command(json!({"do": "set_presence", "presence": "online"}))
        .await;
    assert_eq!(world.command().await.0.id, marker, "the repeated acceptance was published again");
}

#[tokio::test]
async fn a_command_sent_twice_before_its_record_is_answered_once_to_each() {
    let mut world = World::start().await;
    let token = world.token().await;
    let (mut first, _) = world.desk(&token, json!({})).await;
    let id = first.command(json!({"do": "set_presence", "presence": "online"})).await;
    let (command, _) = world.command().await;
    drop(first);
    // The server swallows the second one; its answer is the record that is still on its way.
    let (mut second, _) = world.desk(&token, json!({})).await;
    second
        .send(json!({"t": "command", "id": id, "command": {"do": "set_presence", "presence": "online"}}))
        .await;
    second.send(json!({"t": "ping", "n": 4})).await;
    assert_eq!(second.next("pong").await["n"], 4);
    world.decide(InputBody::Command(command), vec![done(id)]).await;
    assert_eq!(second.next("settled").await["id"], json!(id));
}

#[tokio::test]
async fn a_command_without_a_record_is_said_to_be_open_and_is_answered_later() {
    let mut world = World::start().await;
    let token = world.token().await;
    let (mut desk, _) = world.desk(&token, json!({})).await;
    let id = desk.command(json!({"do": "set_presence", "presence": "away", "reason": "lunch"})).await;
    let (command, _) = world.command().await;
    assert_eq!(desk.next("error").await["code"], "not_settled_yet");
    world.decide(InputBody::Command(command), vec![done(id)]).await;
    assert_eq!(desk.next("settled").await["id"], json!(id));
}

#[tokio::test]
async fn typing_goes_both_ways_and_drafts_are_kept_until_they_are_sent() {
    let mut world = World::start().await;
    let token = world.token().await;
    let (mut desk, _) = world.desk(&token, json!({})).await;
    world.offer("one").await;
    desk.next("offer").await;
    desk.command(json!({"do": "accept", "offer": OFFER})).await;
    world.accept().await;
    for kind in ["offer_ended", "contact", "settled"] {
        desk.next(kind).await;
    }

    let subject = subjects().typing(CONVERSATION);
    let mut heard = world.bus.subscribe_ephemeral(&subject).await.unwrap();
    desk.send(json!({"t": "typing", "contact": CONTACT})).await;
    let typed: serde_json::Value = serde_json::from_slice(&heard.next().await.unwrap().payload).unwrap();
    assert_eq!(typed, json!({"who": "agent", "agent": crate::world::ANNA}));
    world.bus.publish_ephemeral(&subject, br#"{"who":"customer"}"#[..].into()).await.unwrap();
    assert_eq!(desk.next("typing").await["conversation"], json!(CONVERSATION));

    desk.send(json!({"t": "draft", "contact": CONTACT, "text": "dear Mia"})).await;
    // Older entries come from the same lane, so that its answer says that the draft was done.
    desk.send(json!({"t": "older", "contact": CONTACT, "before_seq": 2})).await;
    assert_eq!(seqs(&desk.next("older").await), [1]);
    let drafts = world.bus.ensure_bucket(&bus::places::drafts()).await.unwrap();
    let kept = drafts.get(&format!("{ANNA}.{CONTACT}")).await.unwrap().unwrap();
    assert!(kept.value.starts_with(b"s1.idn_"));
    let (_other, state) = world.desk(&token, json!({})).await;
    assert_eq!(state["contacts"][0]["draft"], "dear Mia");

    let message = protocol::MessageId(uuid::Uuid::now_v7());
    let id = desk
        .command(json!({"do": "reply", "contact": CONTACT, "message": message, "text": "dear Mia"}))
        .await;
    let (command, _) = world.command().await;
    let reply = world.entry(EntryKind::FromAgent { agent: ANNA, bot: false });
    let gone = Event::Resolved { contact: CONTACT, agent: ANNA };
    world.decide(InputBody::Command(command), vec![reply, gone, done(id)]).await;
    for kind in ["entry", "contact_gone", "settled"] {
        desk.next(kind).await;
    }
    desk.send(json!({"t": "older", "contact": CONTACT, "before_seq": 2})).await;
    assert_eq!(desk.next("error").await["code"], "not_yours");
    assert_eq!(drafts.keys().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn words_sent_again_do_not_wipe_a_draft_that_is_newer() {
    let mut world = World::start().await;
    let token = world.token().await;
    let (mut desk, _) = world.desk(&token, json!({})).await;
    world.offer("one").await;
    desk.next("offer").await;
    desk.command(json!({"do": "accept", "offer": OFFER})).await;
    world.accept().await;
    for kind in ["offer_ended", "contact", "settled"] {
        desk.next(kind).await;
    }
    let drafts = world.bus.ensure_bucket(&bus::places::drafts()).await.unwrap();
    let message = protocol::MessageId(uuid::Uuid::now_v7());
    let reply = json!({"do": "reply", "contact": CONTACT, "message": message, "text": "dear Mia"});
    let draft = json!({"t": "draft", "contact": CONTACT, "text": "dear Mia "});
    let older = json!({"t": "older", "contact": CONTACT, "before_seq": 2});
    desk.send(draft.clone()).await;
    let id = desk.command(reply.clone()).await;
    desk.send(older.clone()).await;
    desk.next("older").await;
    assert_eq!(drafts.keys().await.unwrap(), Vec::<String>::new(), "it was sent");
    // The answer is still on its way when the agent writes on and the desk sends the words again.
    for text in ["and one more thing", "dear Mia"] {
        desk.send(json!({"t": "draft", "contact": CONTACT, "text": text})).await;
        desk.send(json!({"t": "command", "id": id, "command": reply})).await;
        desk.send(older.clone()).await;
        desk.next("older").await;
        let (_other, state) = world.desk(&token, json!({})).await;
        assert_eq!(state["contacts"][0]["draft"], text);
    }
}

#[tokio::test]
async fn drafts_of_contacts_that_went_on_unseen_are_swept() {
    let mut world = World::start().await;
    let drafts = world.bus.ensure_bucket(&bus::places::drafts()).await.unwrap();
    drafts.put(&format!("{ANNA}.con_99_0"), "s1".into()).await.unwrap();
    world.restart_gateway().await;
    let mut changes = drafts.watch_all().await.unwrap();
    let gone = async { while !matches!(changes.next().await.unwrap(), bus::WatchEvent::Deleted { .. }) {} };
    tokio::time::timeout(crate::world::PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn an_erased_customer_has_no_words() {
    let mut world = World::start().await;
    let token = world.token().await;
    let (mut desk, _) = world.desk(&token, json!({})).await;
    world.offer("secret").await;
    assert_eq!(desk.next("offer").await["words"], json!(["secret"]));
    desk.command(json!({"do": "accept", "offer": OFFER})).await;
    world.accept().await;
    for kind in ["offer_ended", "contact", "settled"] {
        desk.next(kind).await;
    }
    world.sealer.erase_identity(crate::world::CUSTOMER).await.unwrap();
    let (_other, state) = world.desk(&token, json!({})).await;
    assert_eq!(seqs(&state["contacts"][0]), [1, 2]);
    assert!(!state.to_string().contains("secret") && !state.to_string().contains("Mia"), "{state}");
}

#[tokio::test]
async fn who_is_named_in_a_note_is_mentioned_though_the_page_does_not_know_them() {
    let (mut world, mut anna) = held().await;
    let mut note = async |text: &str, mentions: &[protocol::AgentId]| {
        let message = protocol::MessageId(uuid::Uuid::now_v7());
        let words =
            json!({"do": "note", "contact": CONTACT, "message": message, "text": text, "mentions": mentions});
        anna.command(words).await;
        let (command, stored) = world.command().await;
        let Command::Note { mentions, .. } = command.command else { panic!("{stored}") };
        mentions
    };
    assert_eq!(note("look at it, @ben", &[]).await, [BEN]);
    assert_eq!(note("look at it, @Ben and @Cléo", &[BEN]).await, [BEN, CLEO], "each once");
    assert_eq!(note("nobody is named", &[]).await, []);
}

#[tokio::test]
async fn a_desk_that_saw_more_elsewhere_is_not_shown_it_again_by_a_process_that_is_behind() {
    let (mut world, first) = held().await;
    drop(first);
    // This process has read two entries of the contact; another one has shown this page four.
    let token = world.token_of("anna").await;
    let (mut desk, state) = world.desk(&token, json!({ CONVERSATION.to_string(): 4 })).await;
    assert!(seqs(&state["contacts"][0]).is_empty());
    for _ in 3..=5 {
        let more = world.entry(EntryKind::FromCustomer);
        let message = world.message("more").await;
        world.decide(message, vec![more]).await;
    }
    assert_eq!(desk.next("entry").await["entry"]["seq"], 5);
    // Gone and taken again, it is shown from its beginning.
    let gone = Event::Queued {
        contact: CONTACT,
        queue: protocol::SubjectToken::new("general").unwrap(),
        priority: 0,
        needs: Vec::new(),
        since: protocol::Millis(1),
        preferred: None,
        why: protocol::record::QueuedWhy::Reclaimed,
    };
    world.record(protocol::Cause::Timer, vec![gone]).await;
    desk.next("contact_gone").await;
    world.record(protocol::Cause::Timer, vec![Event::Assigned { contact: CONTACT, agent: ANNA }]).await;
    assert_eq!(seqs(&desk.next("contact").await), [1, 2, 3, 4, 5]);
    let more = world.entry(EntryKind::FromCustomer);
    let message = world.message("and more").await;
    world.decide(message, vec![more]).await;
    assert_eq!(desk.next("entry").await["entry"]["seq"], 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_started_again_goes_on_with_what_it_kept() {
    let (mut world, mut desk) = held().await;
    for _ in 0..1_000 {
        world.record(protocol::Cause::Timer, Vec::new()).await;
    }
    let more = world.entry(EntryKind::FromCustomer);
    let message = world.message("more").await;
    world.decide(message, vec![more]).await;
    assert_eq!(desk.next("entry").await["entry"]["seq"], 3);
    // Whoever reads the log from its beginning now finds no configuration there, no agent and no contact.
    for seq in 1..=world.records_written() - 1 {
        assert!(world.bus.delete_securely("CONTACTS", seq).await.unwrap());
    }
    world.restart_gateway().await;
    while !world.kit.health.report().reasons.is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let token = world.token_of("anna").await;
    let (mut desk, state) = world.desk(&token, json!({})).await;
    assert_eq!(seqs(&state["contacts"][0]), [1, 2, 3]);
    let more = world.entry(EntryKind::FromCustomer);
    let message = world.message("and more").await;
    world.decide(message, vec![more]).await;
    assert_eq!(desk.next("entry").await["entry"]["seq"], 4);
}
