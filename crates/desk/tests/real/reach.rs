//! Writing to a customer first: whom an agent means, what becomes of their words, and a contact that goes on elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use bus::Requests;
use protocol::command::{Begin, Command};
use protocol::config::{Account, Agent, Queue, RoutingConfig};
use protocol::content::{Content, Sealed};
use protocol::customer::{CustomerAnswer, KnownIdentity};
use protocol::input::ConfigInput;
use protocol::reach::{ReachAccount, ReachAnswer, ReachQuestion, ReachRefusal, Takes};
use protocol::record::{EntryKind, QueuedWhy};
use protocol::thread::Entry;
use protocol::*;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::worker;
use crate::world::{ANNA, CONTACT, CONVERSATION, CUSTOMER, Desk, World, done, subjects};

const NUMBER: &str = "+31612345678";
/// Who has the number, by the account that is asked about.
const REACHED: IdentityId = IdentityId(Hash128([8; 16]));
const ELSEWHERE: ConversationId = ConversationId { log_seq: 40, n: 0 };

/// Anna holds a contact, and nobody lives who does not read what is new.
async fn held() -> (World, Desk) {
    let (world, desk) = worker::held().await;
    world.bus.floor().holds(formats::READS);
    (world, desk)
}

fn reached(takes: Takes) -> ReachAnswer {
    ReachAnswer::Reached { identity: REACHED, address: NUMBER.to_owned(), takes }
}

fn refused(why: ReachRefusal) -> ReachAnswer {
    ReachAnswer::Refused { why }
}

/// Who carries the channels gives these answers, and what it was asked comes back.
async fn carries(world: &World, answers: Vec<ReachAnswer>) -> JoinHandle<Vec<ReachQuestion>> {
    let mut asked: Requests = world.serve(&subjects().channel_reach()).await;
    tokio::spawn(async move {
        let mut questions = Vec::new();
        for answer in answers {
            let request = asked.next().await.unwrap();
            questions.push(serde_json::from_slice(&request.payload).unwrap());
            request.respond(serde_json::to_vec(&answer).unwrap().into()).await.unwrap();
        }
        questions
    })
}

fn begin(to: &Value) -> Value {
    json!({
        "do": "begin", "channel": "whatsapp", "account": "care", "to": to, "queue": "general",
        "message": MessageId(uuid::Uuid::from_u128(7)), "text": "Your parcel is here.",
    })
}

fn typed() -> Value {
    json!({"is": "typed", "address": "0031 6 12345678"})
}

fn known(conversation: ConversationId) -> Value {
    json!({"is": "known", "identity": REACHED, "conversation": conversation})
}

fn with(mut command: Value, key: &str, value: Value) -> Value {
    command[key] = value;
    command
}

async fn opened(world: &World, sealed: &Sealed) -> (IdentityId, Content) {
    let bytes = world.sealer.unseal(sealed).await.unwrap();
    (sealed.parts().unwrap().0, serde_json::from_slice(&bytes).unwrap())
}

async fn begun(world: &mut World) -> (CommandId, Begin) {
    let (command, text) = world.command().await;
    assert!(!text.contains("612345678"), "an address is sealed: {text}");
    let Command::Begin(begin) = command.command else { panic!("not a beginning: {:?}", command.command) };
    (command.id, *begin)
}

#[tokio::test]
async fn an_address_becomes_a_sealed_beginning() {
    let (mut world, mut desk) = held().await;
    let asked = carries(&world, vec![reached(Takes::Words)]).await;
    let id = desk.command(begin(&typed())).await;
    let (published, begin) = begun(&mut world).await;
    assert_eq!(published, id);
    let (channel, account) = (ChannelKind::Whatsapp, SubjectToken::new("care").unwrap());
    let address = "0031 6 12345678".to_owned();
    let question = ReachQuestion::Typed { channel, account: account.clone(), address };
    assert_eq!(asked.await.unwrap(), [question]);
    assert_eq!(
        (begin.channel, &begin.account, begin.identity, begin.queue.as_str(), begin.contact),
        (channel, &account, REACHED, "general", None)
    );
    let (of, address) = opened(&world, begin.address.as_ref().unwrap()).await;
    assert_eq!((of, address.identity.as_deref(), address.text.as_str()), (REACHED, Some(NUMBER), ""));
    let (of, words) = opened(&world, &begin.body).await;
    assert_eq!((of, words.text.as_str(), words.identity), (REACHED, "Your parcel is here.", None));
    assert_eq!(begin.message, MessageId(uuid::Uuid::from_u128(7)));
}

#[tokio::test]
async fn who_cannot_be_written_to_is_told_at_once_and_nothing_is_published() {
    let (mut world, mut desk) = held().await;
    let template = json!({"template": {"name": "parcel_here", "language": "en"}});
    let unfilled =
        json!({"template": {"name": "parcel_here", "language": "en", "variables": {"1": "Dear {customer}"}}});
    for (answer, refusal) in [
        (refused(ReachRefusal::NoCountry), "bad_address"),
        (refused(ReachRefusal::BadAddress), "bad_address"),
        (refused(ReachRefusal::AddressUnknown), "bad_address"),
        (refused(ReachRefusal::OptedOut), "opted_out"),
        (refused(ReachRefusal::CannotBegin), "cannot_begin"),
        (refused(ReachRefusal::WindowClosed), "cannot_begin"),
        (refused(ReachRefusal::UnknownAccount), "unknown_account"),
        (reached(Takes::Templates), "templates_only"),
    ] {
        let asked = carries(&world, vec![answer]).await;
        let id = desk.command(begin(&typed())).await;
        let settled = desk.next("settled").await;
        assert_eq!((&settled["id"], &settled["outcome"]["refusal"]), (&json!(id), &json!(refusal)));
        assert!(settled["words"].as_str().is_some_and(|words| !words.is_empty()));
        asked.await.unwrap();
    }
    // What is too long or empty is not even asked about.
    let long = json!({"is": "typed", "address": "1".repeat(300)});
    desk.command(begin(&long)).await;
    assert_eq!(desk.next("settled").await["outcome"]["refusal"], "bad_address");
    desk.command(with(begin(&typed()), "text", json!(" "))).await;
    assert_eq!(desk.next("settled").await["outcome"]["refusal"], "empty_text");
    let asked = carries(&world, vec![reached(Takes::Templates)]).await;
    desk.command(with(begin(&typed()), "with", unfilled)).await;
    assert_eq!(
        desk.next("settled").await["outcome"]["refusal"],
        "templates_only",
        "a place is not filled in"
    );
    asked.await.unwrap();
    // The next that is published is the one that may go: an approved form.
    let asked = carries(&world, vec![reached(Takes::Templates)]).await;
    desk.command(with(begin(&typed()), "with", template)).await;
    let (_, begin) = begun(&mut world).await;
    let (_, words) = opened(&world, &begin.body).await;
    assert_eq!(words.template.unwrap().name, "parcel_here");
    asked.await.unwrap();
}

#[tokio::test]
async fn a_beginning_is_refused_while_nobody_carries_the_channels_and_holds_up_nothing() {
    let (mut world, mut desk) = held().await;
    let command = json!({"t": "command", "id": CommandId(uuid::Uuid::now_v7()), "command": begin(&typed())});
    desk.send(command).await;
    assert_eq!(desk.next("settled").await["outcome"]["refusal"], "not_now");
    // What the agent asks for after it goes on at once.
    let reply = json!({
        "do": "reply", "contact": CONTACT, "message": MessageId(uuid::Uuid::from_u128(8)), "text": "One moment.",
    });
    desk.command(reply).await;
    let (later, _) = world.command().await;
    assert!(matches!(later.command, Command::Reply { .. }), "{:?}", later.command);
    let asked = carries(&world, vec![reached(Takes::Words)]).await;
    desk.command(begin(&typed())).await;
    begun(&mut world).await;
    asked.await.unwrap();
}

/// The read models say that the customer of a conversation is somebody by WhatsApp too, who wrote there once.
async fn views(world: &World) -> JoinHandle<()> {
    let content = Content { identity: Some(NUMBER.to_owned()), ..Content::words("hi") };
    let body = world.sealer.seal(REACHED, &serde_json::to_vec(&content).unwrap()).await.unwrap();
    let sample = Entry {
        contact: CONTACT,
        seq: 1,
        at: Millis(1),
        kind: EntryKind::FromCustomer,
        message: None,
        body: Some(body),
    };
    let identity = |identity, channel, sample| KnownIdentity {
        identity,
        channel,
        account: SubjectToken::new("care").unwrap(),
        conversations: 1,
        since: Millis(1),
        sample,
    };
    let identities = vec![
        identity(CUSTOMER, ChannelKind::Web, None),
        identity(REACHED, ChannelKind::Whatsapp, Some(sample)),
    ];
    let answer = CustomerAnswer { identities, ..CustomerAnswer::default() };
    let mut asked = world.serve(&subjects().views_customer()).await;
    tokio::spawn(async move {
        while let Some(request) = asked.next().await {
            request.respond(serde_json::to_vec(&answer).unwrap().into()).await.unwrap();
        }
    })
}

#[tokio::test]
async fn who_was_shown_can_be_written_to_and_nobody_else() {
    let (mut world, mut desk) = held().await;
    let _views = views(&world).await;
    let refusal = async |desk: &mut Desk, to: &Value| {
        desk.command(begin(to)).await;
        desk.next("settled").await["outcome"]["refusal"].clone()
    };
    assert_eq!(refusal(&mut desk, &known(ELSEWHERE)).await, "not_yours", "they do not read that one");
    let stranger =
        json!({"is": "known", "identity": IdentityId(Hash128([1; 16])), "conversation": CONVERSATION});
    assert_eq!(refusal(&mut desk, &stranger).await, "not_yours", "they were not shown them there");
    let asked = carries(&world, vec![reached(Takes::Words)]).await;
    desk.command(with(begin(&known(CONVERSATION)), "contact", json!(CONTACT))).await;
    let (_, begin) = begun(&mut world).await;
    assert_eq!((begin.identity, begin.contact), (REACHED, Some(CONTACT)));
    let question = ReachQuestion::Known {
        channel: ChannelKind::Whatsapp,
        account: SubjectToken::new("care").unwrap(),
        identity: REACHED,
        address: Some(NUMBER.to_owned()),
    };
    assert_eq!(asked.await.unwrap(), [question]);
}

/// The router has the contact go on where the agent began.
async fn moves(world: &mut World, begin: Begin, id: CommandId) {
    let events = vec![
        world.entry(EntryKind::WentOn { channel: ChannelKind::Whatsapp }),
        Event::ConversationOpened {
            conversation: ELSEWHERE,
            identity: REACHED,
            channel: ChannelKind::Whatsapp,
            account: begin.account.clone(),
            thread: None,
        },
        Event::ContactMoved {
            contact: CONTACT,
            from: CONVERSATION,
            conversation: ELSEWHERE,
            channel: ChannelKind::Whatsapp,
        },
        at(1, EntryKind::CameFrom { conversation: CONVERSATION, channel: ChannelKind::Web }),
        at(2, EntryKind::FromAgent { agent: ANNA, bot: false }),
        done(id),
    ];
    let command = command::AgentCommand { id, agent: ANNA, command: Command::Begin(Box::new(begin)) };
    world.decide(InputBody::Command(command), events).await;
}

fn at(seq: u64, entry: EntryKind) -> Event {
    Event::EntryAdded { conversation: ELSEWHERE, contact: CONTACT, seq, entry }
}

#[tokio::test]
async fn a_contact_that_goes_on_elsewhere_is_shown_and_sealed_there() {
    let (mut world, mut desk) = held().await;
    let asked = carries(&world, vec![reached(Takes::Words)]).await;
    let id = desk.command(with(begin(&typed()), "contact", json!(CONTACT))).await;
    let (_, begin) = begun(&mut world).await;
    asked.await.unwrap();
    moves(&mut world, begin, id).await;
    let mut frames = Vec::new();
    while frames.iter().all(|frame: &Value| frame["t"] != "settled") {
        frames.push(desk.any().await);
    }
    let card = frames.iter().find(|frame| frame["t"] == "contact").unwrap();
    assert_eq!(
        (&card["contact"], &card["conversation"], &card["channel"]),
        (&json!(CONTACT), &json!(ELSEWHERE), &json!("whatsapp"))
    );
    let shown: Vec<_> =
        card["entries"].as_array().unwrap().iter().map(|entry| entry["kind"]["is"].clone()).collect();
    assert_eq!(shown, ["came_from", "from_agent"]);
    assert_eq!(card["entries"][1]["text"], "Your parcel is here.");
    assert_eq!(card["customer_name"], "Mia", "she said so before it went on");
    // What is written from here on is under the key of whom it reaches.
    desk.command(json!({
        "do": "reply", "contact": CONTACT, "message": MessageId(uuid::Uuid::from_u128(9)), "text": "and more",
    }))
    .await;
    let (command, _) = world.command().await;
    let Command::Reply { body, .. } = &command.command else { panic!("not a reply") };
    assert_eq!(opened(&world, body).await.0, REACHED);
    // What was said before is still theirs to read.
    let _views = views(&world).await;
    let path = format!("/desk/customer/{CONVERSATION}?limit=0");
    let request = reqwest::Client::new().get(world.url(&path));
    let token = world.token_of("anna").await;
    let response = request.header("cookie", format!("wb_session={token}")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    // A desk that has more of the conversation before than there is in this one is shown what comes all the same.
    let (mut again, state) =
        world.desk(&token, json!({CONVERSATION.to_string(): 500, ELSEWHERE.to_string(): 2})).await;
    assert_eq!(state["contacts"][0]["conversation"], json!(ELSEWHERE));
    world.record(Cause::Timer, vec![at(3, EntryKind::CustomerLeft)]).await;
    assert_eq!(again.next("entry").await["entry"]["seq"], 3);
}

#[tokio::test]
async fn a_desk_that_had_more_before_it_went_on_is_shown_what_comes_after() {
    let (mut world, mut desk) = held().await;
    let asked = carries(&world, vec![reached(Takes::Words)]).await;
    let id = desk.command(with(begin(&typed()), "contact", json!(CONTACT))).await;
    let (_, begin) = begun(&mut world).await;
    asked.await.unwrap();
    let token = world.token_of("anna").await;
    // Another process has shown it more of that conversation than this one has read.
    let (mut ahead, _) = world.desk(&token, json!({CONVERSATION.to_string(): 500})).await;
    moves(&mut world, begin, id).await;
    ahead.next("contact").await;
    world.record(Cause::Timer, vec![at(3, EntryKind::CustomerLeft)]).await;
    assert_eq!(ahead.next("entry").await["entry"]["seq"], 3);
}

#[tokio::test]
async fn a_contact_that_an_agent_began_is_called_by_its_number() {
    let (mut world, mut desk) = held().await;
    let asked = carries(&world, vec![reached(Takes::Words)]).await;
    let id = desk.command(begin(&typed())).await;
    let (_, begin) = begun(&mut world).await;
    asked.await.unwrap();
    let new = ContactId { log_seq: 40, n: 1 };
    let queue = begin.queue.clone();
    let events = vec![
        Event::ConversationOpened {
            conversation: ELSEWHERE,
            identity: REACHED,
            channel: ChannelKind::Whatsapp,
            account: begin.account.clone(),
            thread: None,
        },
        Event::ContactOpened {
            contact: new,
            conversation: ELSEWHERE,
            channel: ChannelKind::Whatsapp,
            category: None,
            facts: protocol::facts::FactValues::new(),
            route: None,
            practice: false,
            people_only: false,
        },
        Event::Queued {
            contact: new,
            queue,
            priority: 0,
            needs: Vec::new(),
            since: Millis(1),
            preferred: None,
            why: QueuedWhy::Opened,
        },
        Event::Assigned { contact: new, agent: ANNA },
        Event::EntryAdded {
            conversation: ELSEWHERE,
            contact: new,
            seq: 1,
            entry: EntryKind::FromAgent { agent: ANNA, bot: false },
        },
        done(id),
    ];
    let command = command::AgentCommand { id, agent: ANNA, command: Command::Begin(Box::new(begin)) };
    world.decide(InputBody::Command(command), events).await;
    let card = desk.next("contact").await;
    assert_eq!((&card["contact"], &card["customer_name"]), (&json!(new), &json!(NUMBER)));
    assert_eq!(card["entries"][0]["message"], json!(MessageId(uuid::Uuid::from_u128(7))));
    assert_eq!(desk.next("settled").await["outcome"], json!({"is": "done"}));
}

/// Anna serves one of two queues, and one of two accounts is routed.
async fn with_accounts() -> World {
    let mut world = Box::pin(World::bare(&[], 64 << 20)).await;
    world.bus.floor().holds(formats::READS);
    let token = |name: &str| SubjectToken::new(name).unwrap();
    let queue = |name: &str, title: &str| Queue { title: title.to_owned(), ..Queue::new(token(name)) };
    let account = Account {
        channel: ChannelKind::Whatsapp,
        name: token("care"),
        title: "Care".to_owned(),
        queue: token("general"),
        priority: 0,
        practice: false,
    };
    let anna = Agent {
        title: "Anna".to_owned(),
        queues: BTreeSet::from([token("general")]),
        capacity: BTreeMap::from([(ChannelKind::Web, 2)]),
        ..Agent::new(ANNA, token("anna"))
    };
    let config = RoutingConfig {
        queues: vec![queue("general", "General"), queue("other", "Other")],
        accounts: vec![account],
        agents: vec![anna],
        ..RoutingConfig::default()
    };
    let config = InputBody::Config(ConfigInput {
        replaces: None,
        id: NoticeId(uuid::Uuid::now_v7()),
        hash: Hash128([1; 16]),
        config: Box::new(config),
    });
    world.decide(config, vec![Event::ConfigApplied]).await;
    world.until_configured(ANNA, protocol::config::Role::Agent).await;
    world
}

#[tokio::test]
async fn the_dialog_is_told_by_what_and_whom() {
    let world = with_accounts().await;
    let token = world.token().await;
    let cookie = format!("wb_session={token}");
    let answer = async |request: reqwest::RequestBuilder| {
        let response = request.header("cookie", &cookie).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let get = || reqwest::Client::new().get(world.url("/desk/reach"));
    let (status, problem) = answer(get()).await;
    assert_eq!((status, &problem["code"]), (503, &json!("reach_silent")));
    let account = |name: &str| ReachAccount {
        channel: ChannelKind::Whatsapp,
        account: SubjectToken::new(name).unwrap(),
        takes: Takes::Templates,
    };
    let accounts = ReachAnswer::Accounts { accounts: vec![account("care"), account("unrouted")] };
    let answers = vec![
        accounts,
        reached(Takes::Templates),
        refused(ReachRefusal::NoCountry),
        refused(ReachRefusal::OptedOut),
    ];
    let asked = carries(&world, answers).await;
    let ways = json!({
        "accounts": [{"channel": "whatsapp", "account": "care", "title": "Care", "takes": "templates"}],
        "queues": [{"name": "general", "title": "General"}],
    });
    assert_eq!(answer(get()).await, (200, ways));
    let post = |to: Value| {
        let body = json!({"channel": "whatsapp", "account": "care", "to": to}).to_string();
        let request = reqwest::Client::new().post(world.url("/desk/reach")).body(body);
        request.header("content-type", "application/json")
    };
    assert_eq!(answer(post(typed())).await, (200, json!({"address": NUMBER, "takes": "templates"})));
    let (status, problem) = answer(post(typed())).await;
    assert_eq!((status, &problem["code"]), (422, &json!("no_country")));
    let (status, problem) = answer(post(typed())).await;
    assert_eq!((status, &problem["code"]), (422, &json!("opted_out")));
    let (status, problem) = answer(post(known(CONVERSATION))).await;
    assert_eq!((status, &problem["code"]), (403, &json!("not_yours")));
    assert_eq!(asked.await.unwrap().first(), Some(&ReachQuestion::Accounts {}));
}
