//! What has arrived becomes drafts at the desks of those who know whom it suits: one click sends one, once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::{Audit, Consents, places};
use protocol::arrival::{Approach, Regular, RegularsAnswer, RegularsQuestion, Way, sent_key};
use protocol::audit::{Action, Actor};
use protocol::command::{AgentCommand, Begin, Presence};
use protocol::config::{Agent, Queue, RoutingConfig};
use protocol::consent::ConsentChange;
use protocol::content::Content;
use protocol::input::ConfigInput;
use protocol::privacy::CLIENTELING;
use protocol::reach::{ReachAnswer, ReachQuestion, ReachRefusal, Takes};
use protocol::record::EntryKind;
use protocol::rights::Asker;
use protocol::thread::Entry;
use protocol::time::DAY_MS;
use protocol::*;
use serde_json::{Value, json};
use service::Clock;
use service::clock::ManualClock;

use crate::worker::BEN;
use crate::world::{ANNA, CONTACT, CONVERSATION, CUSTOMER, PATIENCE, World, done, subjects};

/// The 1st of December 2026, ten in the morning in Amsterdam.
const TEN: u64 = 1_796_115_600_000;
const HOUR: Duration = Duration::from_secs(3600);
/// Another identity of the same customer.
const BY_CHAT: IdentityId = IdentityId(Hash128([3; 16]));
const WORDS: &str = "Dear {customer}, the coats are in: choose until {until}. {agent}";
const FILLED: &str = "Dear Mia, the coats are in: choose until Friday. Anna";

/// A floor of Anna and Ben, with read models and channels that answer as they are told.
struct Floor {
    world: World,
    hand: ManualClock,
    regulars: Arc<Mutex<RegularsAnswer>>,
    reach: Arc<Mutex<ReachAnswer>>,
    anna: String,
    ben: String,
}

fn token(text: &str) -> SubjectToken {
    SubjectToken::new(text).unwrap()
}

fn agent(id: AgentId, name: &str, title: &str, queue: &str) -> Agent {
    Agent { title: title.to_owned(), queues: BTreeSet::from([token(queue)]), ..Agent::new(id, token(name)) }
}

async fn sample(world: &World) -> Entry {
    let content = Content {
        text: "hello".to_owned(),
        name: Some("Mia".to_owned()),
        identity: Some("+31612345678".to_owned()),
        ..Content::default()
    };
    let body = world.sealer.seal(CUSTOMER, &serde_json::to_vec(&content).unwrap()).await.unwrap();
    let kind = EntryKind::FromCustomer;
    Entry { seq: 1, at: Millis(1), contact: CONTACT, kind, message: None, body: Some(body) }
}

/// Mia, whom Anna and Ben have both helped.
async fn mia(world: &World, channel: ChannelKind) -> RegularsAnswer {
    let way = Way {
        identity: CUSTOMER,
        channel,
        account: token("shop"),
        conversation: CONVERSATION,
        wrote_at: Millis(TEN - 9 * DAY_MS),
        language: Some("en".parse().unwrap()),
        sample: Some(sample(world).await),
    };
    let identities = vec![CUSTOMER, BY_CHAT];
    let last_at = Millis(TEN - 8 * DAY_MS);
    RegularsAnswer {
        log_seq: 1,
        regulars: vec![Regular { identities, resolved: 3, last_at, silent_since: None, ways: vec![way] }],
    }
}

/// Answers each question alike, for as long as the test runs.
async fn answering<T: serde::Serialize + Clone + Send + 'static>(
    world: &World,
    subject: &Subject,
    answer: Arc<Mutex<T>>,
    reads: impl Fn(&[u8]) + Send + 'static,
) {
    let mut asked = world.serve(subject).await;
    tokio::spawn(async move {
        while let Some(question) = asked.next().await {
            reads(&question.payload);
            let answer = serde_json::to_vec(&*answer.lock().unwrap()).unwrap();
            question.respond(answer.into()).await.unwrap();
        }
    });
}

impl Floor {
    async fn with(channel: ChannelKind) -> Self {
        let (clock, hand) = Clock::manual(TEN);
        let mut world = Box::pin(World::bare_at(&[], 64 << 20, clock)).await;
        world.bus.floor().holds(formats::READS);
        let queues = ["general", "other"].map(|name| Queue::new(token(name))).to_vec();
        let cleo = AgentId(uuid::Uuid::from_u128(3));
        let agents = vec![
            agent(ANNA, "anna", "Anna", "general"),
            agent(BEN, "ben", "Ben", "general"),
            agent(cleo, "cleo", "Cleo", "other"),
        ];
        let config = Box::new(RoutingConfig { queues, agents, ..RoutingConfig::default() });
        let (id, hash) = (NoticeId(uuid::Uuid::nil()), Hash128([1; 16]));
        let config = ConfigInput { replaces: None, id, hash, config };
        world.decide(InputBody::Config(config), vec![Event::ConfigApplied]).await;
        for (id, name) in [(BEN, "ben"), (cleo, "cleo")] {
            ::desk::accounts::create_agent(&world.bus, &token(name), id, "winter").await.unwrap();
        }
        let regulars = Arc::new(Mutex::new(mia(&world, channel).await));
        answering(&world, &subjects().views_regulars(), Arc::clone(&regulars), |question| {
            let asked: RegularsQuestion = serde_json::from_slice(question).unwrap();
            assert!(asked.suits.tags.contains(&token("coats")) && asked.queue == token("general"));
        })
        .await;
        let reached = ReachAnswer::Reached {
            identity: CUSTOMER,
            address: "+31612345678".to_owned(),
            takes: Takes::Words,
        };
        let reach = Arc::new(Mutex::new(reached));
        answering(&world, &subjects().channel_reach(), Arc::clone(&reach), |question| {
            let asked: ReachQuestion = serde_json::from_slice(question).unwrap();
            let ReachQuestion::Known { identity, address, .. } = asked else { panic!("{asked:?}") };
            assert_eq!((identity, address.as_deref()), (CUSTOMER, Some("+31612345678")));
        })
        .await;
        let (anna, ben) = (world.token_of("anna").await, world.token_of("ben").await);
        let floor = Self { world, hand, regulars, reach, anna, ben };
        floor.arrives("winter", TEN + 5 * DAY_MS).await;
        floor
    }

    async fn arrives(&self, id: &str, until: u64) {
        let arrival = json!({
            "id": id, "title": "Winter collection", "queue": "general", "suits": {"tags": ["coats"]},
            "words": {"en": WORDS}, "forms": {"en": {"name": "first_choice", "language": "en"}}, "until": until,
        });
        let kept = json!({"at": TEN, "by": "shop", "arrival": arrival});
        let bucket = self.world.bus.ensure_bucket(&places::arrivals()).await.unwrap();
        bucket.put(id, kept.to_string().into()).await.unwrap();
    }

    async fn agrees(&self, given: bool) {
        self.says(CUSTOMER, given, TEN).await;
    }

    async fn says(&self, identity: IdentityId, given: bool, at: u64) {
        let consents = Consents::open(&self.world.bus).await.unwrap();
        let (by, source) = (Asker::Agent { agent: ANNA }, "desk".to_owned());
        let change = ConsentChange { given, at: Millis(at), by, source, wording: String::new() };
        consents.change(identity, &token(CLIENTELING), &change).await.unwrap();
    }

    /// What the read models say from now on; the gateway has forgotten what they said before.
    fn has_changed(&self, change: impl FnOnce(&mut Regular)) {
        change(&mut self.regulars.lock().unwrap().regulars[0]);
        self.hand.advance(Duration::from_secs(60));
    }

    async fn approaches(&self) -> bus::Bucket {
        self.world.bus.ensure_bucket(&places::approaches()).await.unwrap()
    }

    async fn ask(&self, token: &str, method: reqwest::Method, path: &str, body: Value) -> (u16, Value) {
        let mut request = reqwest::Client::new()
            .request(method, self.world.url(path))
            .header("cookie", format!("wb_session={token}"));
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    async fn list(&self, token: &str) -> Value {
        let (status, page) = self.ask(token, reqwest::Method::GET, "/desk/regulars", Value::Null).await;
        assert_eq!(status, 200, "{page}");
        page
    }

    /// The list, once it is as wanted: what stands in a bucket is heard of a moment later.
    async fn lists(&self, token: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let wanted = async {
            loop {
                let page = self.list(token).await;
                if is_so(&page) {
                    return page;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wanted).await.expect("the list in time")
    }

    /// So many drafts of the first arrival.
    async fn has(&self, token: &str, drafts: usize) -> Value {
        self.lists(token, |page| {
            page["arrivals"][0]["drafts"].as_array().is_some_and(|found| found.len() == drafts)
        })
        .await
    }

    async fn send(&self, token: &str, command: CommandId, text: &str) -> (u16, Value) {
        let path = format!("/desk/regulars/winter/{BY_CHAT}/send");
        self.ask(token, reqwest::Method::POST, &path, json!({"command": command, "text": text})).await
    }

    /// What a sending is told that the router answers so.
    async fn sends(&mut self, command: CommandId, outcome: Outcome) -> ((u16, Value), AgentCommand) {
        let (url, token) =
            (self.world.url(&format!("/desk/regulars/winter/{BY_CHAT}/send")), self.anna.clone());
        let mut sending = tokio::spawn(async move {
            let body = json!({"command": command, "text": FILLED}).to_string();
            let request = reqwest::Client::new().post(url).header("cookie", format!("wb_session={token}"));
            let response =
                request.header("content-type", "application/json").body(body).send().await.unwrap();
            (response.status().as_u16(), response.json::<Value>().await.unwrap())
        });
        let (published, _) = tokio::select! {
            answered = &mut sending => panic!("nothing was published: {answered:?}"),
            published = self.world.command() => published,
        };
        let settled = Event::CommandSettled { command: published.id, outcome };
        self.world.decide(InputBody::Command(published.clone()), vec![settled]).await;
        (sending.await.unwrap(), published)
    }
}

fn new_command() -> CommandId {
    CommandId(uuid::Uuid::now_v7())
}

fn begun(command: &AgentCommand) -> &Begin {
    let Command::Begin(begin) = &command.command else { panic!("{command:?}") };
    begin
}

#[tokio::test]
async fn one_click_sends_a_draft_to_a_regular_who_agreed_and_nobody_writes_to_them_again() {
    let mut floor = Box::pin(Floor::with(ChannelKind::Sms)).await;
    let anna = floor.anna.clone();
    let page = floor.lists(&anna, |page| page["arrivals"][0]["id"] == "winter").await;
    assert_eq!(page["arrivals"][0]["drafts"], json!([]), "they were not asked");
    assert_eq!(floor.send(&anna, new_command(), FILLED).await.1["code"], "no_draft");
    floor.agrees(true).await;
    let page = floor.has(&anna, 1).await;
    let mut draft = page["arrivals"][0]["drafts"][0].clone();
    let shown = json!({
        "customer": BY_CHAT, "channel": "sms", "account": "shop", "name": "Mia", "language": "en", "words": WORDS,
        "form_only": false, "resolved": 3, "last_at": TEN - 8 * DAY_MS,
    });
    assert_eq!(draft.take(), shown);
    assert_eq!((&page["arrivals"][0]["sent"], &page["writable_from"]), (&json!(0), &Value::Null));

    let command = new_command();
    let ((status, told), published) = floor.sends(command, Outcome::Done).await;
    assert_eq!((status, told), (200, json!({"sent": true})));
    assert_eq!((published.id, published.agent), (command, ANNA));
    let begin = begun(&published);
    assert_eq!((begin.channel, begin.identity, begin.contact), (ChannelKind::Sms, CUSTOMER, None));
    assert_eq!((begin.account.as_str(), begin.queue.as_str()), ("shop", "general"));
    let words = floor.world.sealer.unseal(&begin.body).await.unwrap();
    let words: Content = serde_json::from_slice(&words).unwrap();
    assert_eq!(
        (words.text.as_str(), words.template),
        (FILLED, None),
        "a form is for where nothing else goes"
    );
    let address = floor.world.sealer.unseal(begin.address.as_ref().unwrap()).await.unwrap();
    let address: Content = serde_json::from_slice(&address).unwrap();
    assert_eq!(address.identity.as_deref(), Some("+31612345678"));

    let page = floor.has(&anna, 0).await;
    assert_eq!(page["arrivals"][0]["sent"], 1);
    assert_eq!(floor.send(&anna, command, FILLED).await, (200, json!({"sent": true})), "its answer was lost");
    let ben = floor.ben.clone();
    floor.has(&ben, 0).await;
    for token in [&anna, &ben] {
        let (status, refused) = floor.send(token, new_command(), FILLED).await;
        assert_eq!((status, &refused["code"]), (409, &json!("written_already")), "{refused}");
    }
    let cleo = floor.world.token_of("cleo").await;
    assert_eq!(floor.list(&cleo).await["arrivals"], json!([]), "it is for another queue");
    let trail = Audit::open(&floor.world.bus, &subjects(), 1 << 20).await.unwrap();
    let page = trail.page(0, 500).await.unwrap();
    let seen = page.entries.iter().map(|line| &line.entry).filter(|one| one.action == Action::CustomerSeen);
    let seen: Vec<_> = seen.map(|one| (one.actor.clone(), one.about.identity)).collect();
    assert_eq!(seen, [(Actor::Agent(ANNA), Some(CUSTOMER))]);
    // Whoever parts the two makes nobody to whom nobody wrote.
    floor.has_changed(|mia| mia.identities = vec![CUSTOMER]);
    for token in [&anna, &ben] {
        floor.has(token, 0).await;
    }
    assert_eq!(floor.list(&anna).await["arrivals"][0]["sent"], 1);
}

#[tokio::test]
async fn what_the_router_refused_late_keeps_no_colleague_from_writing() {
    let mut floor = Box::pin(Floor::with(ChannelKind::Sms)).await;
    floor.agrees(true).await;
    let (anna, id) = (floor.anna.clone(), new_command());
    floor.has(&anna, 1).await;
    let approach = Approach { agent: BEN, at: Millis(TEN), command: Some(id) };
    let approach = serde_json::to_vec(&approach).unwrap();
    let key = sent_key(&token("winter"), BY_CHAT);
    floor.approaches().await.put(&key, approach.into()).await.unwrap();
    floor.has(&anna, 0).await;
    assert_eq!(floor.send(&anna, new_command(), FILLED).await.1["code"], "written_already");
    let command = Command::SetPresence { presence: Presence::Away, reason: None, when_free: false };
    let outcome = Outcome::Refused { refusal: Refusal::AlreadyOpen };
    let settled = Event::CommandSettled { command: id, outcome };
    floor.world.decide(InputBody::Command(AgentCommand { id, agent: BEN, command }), vec![settled]).await;
    floor.has(&anna, 1).await;
    let ((status, told), _) = floor.sends(new_command(), Outcome::Done).await;
    assert_eq!((status, told), (200, json!({"sent": true})));
}

#[tokio::test]
async fn a_browser_that_is_gone_leaves_nothing_claimed_that_was_refused() {
    let mut floor = Box::pin(Floor::with(ChannelKind::Sms)).await;
    floor.agrees(true).await;
    floor.has(&floor.anna, 1).await;
    let url = floor.world.url(&format!("/desk/regulars/winter/{BY_CHAT}/send"));
    let body = json!({"command": new_command(), "text": FILLED}).to_string();
    let request = reqwest::Client::new().post(url).header("cookie", format!("wb_session={}", floor.anna));
    let sending = tokio::spawn(request.header("content-type", "application/json").body(body).send());
    let (published, _) = floor.world.command().await;
    sending.abort();
    assert!(sending.await.unwrap_err().is_cancelled());
    let approaches = floor.approaches().await;
    assert_eq!(approaches.entries().await.unwrap().len(), 2, "by the customer's name and by their own");
    let outcome = Outcome::Refused { refusal: Refusal::AlreadyOpen };
    let settled = Event::CommandSettled { command: published.id, outcome };
    floor.world.decide(InputBody::Command(published), vec![settled]).await;
    let free = async {
        while !approaches.entries().await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, free).await.expect("nothing is claimed in time");
}

#[tokio::test]
async fn a_no_holds_on_every_channel_until_they_say_yes_again() {
    let floor = Box::pin(Floor::with(ChannelKind::Sms)).await;
    floor.agrees(true).await;
    floor.has(&floor.anna, 1).await;
    floor.says(BY_CHAT, false, TEN + 1).await;
    floor.has(&floor.anna, 0).await;
    assert_eq!(floor.send(&floor.anna, new_command(), FILLED).await.1["code"], "no_draft");
    floor.says(CUSTOMER, true, TEN + 2).await;
    floor.has(&floor.anna, 1).await;
    floor.has_changed(|mia| mia.silent_since = Some(Millis(TEN + 2)));
    floor.has(&floor.anna, 0).await;
    floor.says(CUSTOMER, true, TEN + 3).await;
    floor.has(&floor.anna, 1).await;
}

#[tokio::test]
async fn of_two_who_send_at_once_the_first_wins() {
    let mut floor = Box::pin(Floor::with(ChannelKind::Sms)).await;
    floor.agrees(true).await;
    for token in [floor.anna.clone(), floor.ben.clone()] {
        floor.has(&token, 1).await;
    }
    let url = floor.world.url(&format!("/desk/regulars/winter/{BY_CHAT}/send"));
    let sending = [floor.anna.clone(), floor.ben.clone()].map(|token| {
        let url = url.clone();
        tokio::spawn(async move {
            let body = json!({"command": new_command(), "text": FILLED}).to_string();
            let request = reqwest::Client::new().post(url).header("cookie", format!("wb_session={token}"));
            let response =
                request.header("content-type", "application/json").body(body).send().await.unwrap();
            response.status().as_u16()
        })
    });
    let (published, _) = floor.world.command().await;
    let id = published.id;
    floor.world.decide(InputBody::Command(published), vec![done(id)]).await;
    let mut statuses = Vec::new();
    for one in sending {
        statuses.push(one.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}

#[tokio::test]
async fn what_was_refused_may_be_sent_again_and_what_is_let_go_by_others() {
    let mut floor = Box::pin(Floor::with(ChannelKind::Sms)).await;
    floor.agrees(true).await;
    let (anna, ben) = (floor.anna.clone(), floor.ben.clone());
    floor.has(&anna, 1).await;
    let refused = Outcome::Refused { refusal: Refusal::AlreadyOpen };
    let command = new_command();
    let ((status, told), _) = floor.sends(command, refused).await;
    assert_eq!((status, &told["code"]), (409, &json!("already_open")), "{told}");
    assert_eq!(
        floor.send(&anna, command, FILLED).await.1["code"],
        "already_open",
        "the same id, the same answer"
    );
    floor.has(&anna, 1).await;
    floor.has(&ben, 1).await;
    let path = format!("/desk/regulars/winter/{BY_CHAT}/let-go");
    for _ in 0..2 {
        let (status, _) = floor.ask(&ben, reqwest::Method::POST, &path, Value::Null).await;
        assert!([204, 404].contains(&status), "{status}");
    }
    floor.has(&ben, 0).await;
    assert_eq!(floor.send(&ben, new_command(), FILLED).await.1["code"], "no_draft");
    floor.has(&anna, 1).await;
    let ((status, _), _) = floor.sends(new_command(), Outcome::Done).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn nobody_is_written_to_at_night_without_consent_or_when_the_time_is_over() {
    let floor = Box::pin(Floor::with(ChannelKind::Sms)).await;
    floor.agrees(true).await;
    floor.has(&floor.anna, 1).await;
    // Eight in the evening, until nine the next morning.
    floor.hand.advance(10 * HOUR);
    let morning = TEN + u64::try_from((23 * HOUR).as_millis()).unwrap();
    // The session of the morning is over by then.
    let anna = floor.world.token_of("anna").await;
    assert_eq!(floor.list(&anna).await["writable_from"], json!(morning));
    let (status, refused) = floor.send(&anna, new_command(), FILLED).await;
    assert_eq!((status, &refused["code"], &refused["from"]), (409, &json!("quiet_hours"), &json!(morning)));
    floor.hand.set_unix_ms(TEN);
    floor.agrees(false).await;
    floor.has(&anna, 0).await;
    assert_eq!(floor.send(&anna, new_command(), FILLED).await.1["code"], "no_draft");
    floor.agrees(true).await;
    floor.has(&anna, 1).await;
    *floor.reach.lock().unwrap() = ReachAnswer::Refused { why: ReachRefusal::OptedOut };
    let (status, refused) = floor.send(&anna, new_command(), FILLED).await;
    assert_eq!((status, &refused["code"]), (409, &json!("opted_out")));
    floor.arrives("winter", TEN + 1).await;
    floor.hand.advance(Duration::from_millis(1));
    floor.lists(&anna, |page| page["arrivals"] == json!([])).await;
    assert_eq!(floor.send(&anna, new_command(), FILLED).await.1["code"], "no_draft");
}

#[tokio::test]
async fn where_only_approved_words_go_they_go_as_what_was_approved() {
    let mut floor = Box::pin(Floor::with(ChannelKind::Whatsapp)).await;
    floor.agrees(true).await;
    let anna = floor.anna.clone();
    let page = floor.has(&anna, 1).await;
    assert_eq!(page["arrivals"][0]["drafts"][0]["form_only"], true);
    let address = "+31612345678".to_owned();
    let reached = ReachAnswer::Reached { identity: CUSTOMER, address, takes: Takes::Templates };
    *floor.reach.lock().unwrap() = reached;
    for (text, code) in [
        ("Dear Mia, come and see.", "templates_only"),
        (" ", "text_length"),
        ("Dear Mia, the coats are in: choose until {until}. Anna", "place_empty"),
    ] {
        let (status, refused) = floor.send(&anna, new_command(), text).await;
        assert_eq!((status, &refused["code"]), (422, &json!(code)), "{text}");
    }
    let ((status, _), published) = floor.sends(new_command(), Outcome::Done).await;
    assert_eq!(status, 200);
    let words = floor.world.sealer.unseal(&begun(&published).body).await.unwrap();
    let template = serde_json::from_slice::<Content>(&words).unwrap().template.unwrap();
    assert_eq!((template.name.as_str(), template.language.as_str()), ("first_choice", "en"));
    let places = [("1", "Mia"), ("2", "Friday"), ("3", "Anna")];
    let places: BTreeMap<String, String> =
        places.iter().map(|(n, place)| ((*n).to_owned(), (*place).to_owned())).collect();
    assert_eq!(template.variables, places);
}
