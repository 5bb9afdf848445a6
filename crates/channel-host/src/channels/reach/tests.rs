//! Questions on a real server, by accounts as they are set up.

use protocol::AgentId;
use protocol::command::{AgentCommand, Begin, Command};
use protocol::content::Content;
use protocol::delivery::DeliveryState;
use protocol::ids::CommandId;
use protocol::input::{CustomerMessage, Input, InputBody};
use protocol::reach::Takes;
use protocol::record::{Cause, EntryKind, Event, Record};
use protocol::{ContactId, ConversationId, Hash128, MessageId, Millis};
use uuid::Uuid;

use super::*;
use crate::channels::tests::{World, world};
use crate::channels::{accounts, follow, only_looking};

const ACCOUNTS: &str = r#"
[[sms]]
account = "shop"
sid = "AC00000000000000000000000000000001"
token = { file = "token" }
from = "+442071838750"

[[whatsapp]]
account = "meta"
provider = "meta"
phone_number_id = "100200300400500"
token = { file = "token" }
secret = { file = "token" }
verify_token = { file = "token" }

[[whatsapp]]
account = "twilio"
provider = "twilio"
sid = "AC00000000000000000000000000000001"
token = { file = "token" }
from = "+442071838750"

[[messenger]]
account = "page"
page_id = "100200300400500"
token = { file = "token" }
secret = { file = "token" }
verify_token = { file = "token" }
"#;

async fn set_up() -> World {
    let world = world(false).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(accounts::FILE_NAME), ACCOUNTS).unwrap();
    std::fs::write(folder.path().join("token"), "0123456789abcdef0123456789abcdef").unwrap();
    for account in accounts::load(Some(folder.path()), &only_looking().unwrap()).unwrap() {
        world.channels.accounts.put(account);
    }
    world
}

fn key(channel: ChannelKind, account: &str) -> AccountKey {
    AccountKey { channel, account: SubjectToken::new(account).unwrap() }
}

fn typed(channel: ChannelKind, account: &str, address: &str) -> ReachQuestion {
    let AccountKey { channel, account } = key(channel, account);
    ReachQuestion::Typed { channel, account, address: address.to_owned() }
}

fn known(key: &AccountKey, identity: IdentityId, address: Option<&str>) -> ReachQuestion {
    let AccountKey { channel, account } = key.clone();
    ReachQuestion::Known { channel, account, identity, address: address.map(str::to_owned) }
}

fn refused(why: ReachRefusal) -> Result<ReachAnswer, NotAnswered> {
    Err(NotAnswered::Refused(why))
}

fn found(identity: IdentityId, address: &str, takes: Takes) -> Result<ReachAnswer, NotAnswered> {
    Ok(ReachAnswer::Reached { identity, address: address.to_owned(), takes })
}

/// An agent writes first to who has this address.
async fn begins(world: &World, key: &AccountKey, address: &str, is_told: bool) -> ConversationId {
    let intake = &world.channels.intake;
    let identity = identity(&world.channels, key, address);
    let seal = async |content: &Content| {
        intake.sealer.seal(identity, &serde_json::to_vec(content).unwrap()).await.unwrap()
    };
    let at = Content { identity: Some(address.to_owned()), ..Content::default() };
    let begin = Begin {
        channel: key.channel,
        account: key.account.clone(),
        identity,
        address: if is_told { Some(seal(&at).await) } else { None },
        queue: SubjectToken::new("general").unwrap(),
        contact: None,
        message: MessageId(Uuid::now_v7()),
        body: seal(&Content::words("the first word")).await,
    };
    let (agent, id) = (AgentId(Uuid::nil()), CommandId(Uuid::now_v7()));
    let body = InputBody::Command(AgentCommand { id, agent, command: Command::Begin(Box::new(begin)) });
    let conversation = ConversationId { log_seq: 1, n: 0 };
    let events = vec![
        Event::ConversationOpened {
            conversation,
            identity,
            channel: key.channel,
            account: key.account.clone(),
            thread: None,
        },
        Event::EntryAdded {
            conversation,
            contact: ContactId { log_seq: 1, n: 1 },
            seq: 1,
            entry: EntryKind::FromAgent { agent, bot: false },
        },
    ];
    let cause = Cause::Input { seq: 1, input: Input { v: 1, made_at: Millis(1), body } };
    world.writes(&Record { v: 1, epoch: 1, at: Millis(17), policy: Hash128([0; 16]), cause, events }).await;
    conversation
}

/// They want to be written to no more.
async fn stops(world: &World, key: &AccountKey, who: IdentityId) {
    let content = Content { identity: Some("+31612345678".to_owned()), ..Content::words("STOP") };
    let sealed = world.channels.intake.sealer.seal(who, &serde_json::to_vec(&content).unwrap()).await;
    let (message, account) = (MessageId(Uuid::now_v7()), key.account.clone());
    let (provider, words) = (Hash128([1; 16]), Hash128([2; 16]));
    let mut said = CustomerMessage::new(message, key.channel, account, who, provider, words, sealed.unwrap());
    (said.automatic, said.may_write) = (true, Some(false));
    let input = Input { v: 1, made_at: Millis(18), body: InputBody::Message(said) };
    let events = vec![Event::EntryAdded {
        conversation: ConversationId { log_seq: 1, n: 0 },
        contact: ContactId { log_seq: 1, n: 1 },
        seq: 2,
        entry: EntryKind::Automatic,
    }];
    let cause = Cause::Input { seq: 2, input };
    world.writes(&Record { v: 1, epoch: 1, at: Millis(18), policy: Hash128([0; 16]), cause, events }).await;
}

#[tokio::test]
async fn who_is_meant_is_who_their_own_messages_would_say() {
    let world = set_up().await;
    let of = |channel, account, who| identity(&world.channels, &key(channel, account), who);
    let (sms, whatsapp) = (ChannelKind::Sms, ChannelKind::Whatsapp);
    let ask = async |question| answer(&world.channels, question).await;
    let (plus, digits) = ("+31612345678", "31612345678");
    for typed_as in ["+31 6 12345678", "0031612345678"] {
        let expected = found(of(sms, "shop", plus), plus, Takes::Words);
        assert_eq!(ask(typed(sms, "shop", typed_as)).await, expected);
        // Twilio says a number with its sign, Meta without; who never wrote has no open window.
        let expected = found(of(whatsapp, "twilio", plus), plus, Takes::Templates);
        assert_eq!(ask(typed(whatsapp, "twilio", typed_as)).await, expected);
        let expected = found(of(whatsapp, "meta", digits), digits, Takes::Templates);
        assert_eq!(ask(typed(whatsapp, "meta", typed_as)).await, expected);
    }
    assert_eq!(ask(typed(sms, "shop", "0612345678")).await, refused(ReachRefusal::NoCountry));
    assert_eq!(ask(typed(sms, "shop", "anna")).await, refused(ReachRefusal::BadAddress));
    let long = format!("+{}", "1".repeat(ADDRESS_BYTES_MAX));
    assert_eq!(ask(typed(sms, "shop", &long)).await, refused(ReachRefusal::BadAddress));
    assert_eq!(ask(typed(sms, "nowhere", plus)).await, refused(ReachRefusal::UnknownAccount));
    for (channel, account) in
        [(ChannelKind::Messenger, "page"), (ChannelKind::Webhook, "crm"), (ChannelKind::Web, "shop")]
    {
        assert_eq!(ask(typed(channel, account, plus)).await, refused(ReachRefusal::CannotBegin));
    }
}

#[tokio::test]
async fn those_that_have_addresses_are_listed_with_what_goes_first() {
    let world = set_up().await;
    let Ok(ReachAnswer::Accounts { accounts }) = answer(&world.channels, ReachQuestion::Accounts {}).await
    else {
        panic!("they are listed")
    };
    let listed: Vec<_> = accounts.iter().map(|one| (one.channel, one.account.as_str(), one.takes)).collect();
    let (sms, whatsapp) = (ChannelKind::Sms, ChannelKind::Whatsapp);
    let expected = [
        (sms, "shop", Takes::Words),
        (whatsapp, "meta", Takes::Templates),
        (whatsapp, "twilio", Takes::Templates),
    ];
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn a_question_keeps_nothing_of_who_is_asked_about() {
    let world = set_up().await;
    let keys = format!("KV_{}", protocol::streams::KEYS);
    let count = async || world.channels.intake.bus.read_last(&keys).await.unwrap().map(|last| last.seq);
    let before = count().await;
    let asked = answer(&world.channels, typed(ChannelKind::Sms, "shop", "+31612345678")).await;
    assert!(asked.is_ok());
    assert_eq!(count().await, before, "no key is made for them");
}

#[tokio::test]
async fn who_is_known_needs_no_address_and_who_wants_no_more_is_not_reached() {
    let world = set_up().await;
    follow::start(&world.channels);
    let (key, number) = (key(ChannelKind::Sms, "shop"), "+31612345678");
    let who = identity(&world.channels, &key, number);
    let ask = async |question| answer(&world.channels, question).await;
    assert_eq!(ask(known(&key, who, None)).await, refused(ReachRefusal::CannotBegin), "nobody knows where");
    assert_eq!(ask(known(&key, who, Some("+31600000000"))).await, refused(ReachRefusal::CannotBegin));
    assert_eq!(ask(known(&key, who, Some(number))).await, found(who, number, Takes::Words));
    begins(&world, &key, number, true).await;
    world.channels.caught_up().await;
    assert_eq!(ask(known(&key, who, None)).await, found(who, number, Takes::Words));
    let mail = self::key(ChannelKind::Email, "inbox");
    assert_eq!(ask(known(&mail, who, None)).await, refused(ReachRefusal::UnknownAccount));
    stops(&world, &key, who).await;
    world.channels.caught_up().await;
    assert_eq!(ask(known(&key, who, None)).await, refused(ReachRefusal::OptedOut));
    assert_eq!(ask(typed(ChannelKind::Sms, "shop", number)).await, refused(ReachRefusal::OptedOut));
}

#[tokio::test]
async fn what_an_agent_writes_first_goes_to_the_address_of_its_beginning() {
    for is_told in [true, false] {
        let world = set_up().await;
        let webhook = crate::channels::tests::key();
        begins(&world, &webhook, "ann", is_told).await;
        world.starts();
        if is_told {
            world.reaches(1, DeliveryState::Accepted).await;
        } else {
            let failed = world.reaches(1, DeliveryState::Failed).await;
            assert_eq!(failed.reason.as_deref(), Some("no_address"));
        }
    }
}

#[tokio::test]
async fn what_goes_depends_on_when_they_wrote_and_never_is_long_ago() {
    let world = set_up().await;
    for account in ["meta", "twilio"] {
        let key = key(ChannelKind::Whatsapp, account);
        let carrier = Arc::clone(&world.channels.accounts.get(&key).unwrap().carrier);
        let now = world.channels.now();
        assert_eq!(carrier.takes(None, now), Some(Takes::Templates));
        assert_eq!(carrier.takes(Some(now), now), Some(Takes::Words));
    }
    let page = world.channels.accounts.get(&key(ChannelKind::Messenger, "page")).unwrap();
    let (now, week) = (world.channels.now(), 7 * 24 * 3_600_000);
    assert_eq!(page.carrier.takes(None, now), None);
    assert_eq!(page.carrier.takes(Some(now), now.plus(week - 1)), Some(Takes::Words));
    assert_eq!(page.carrier.takes(Some(now), now.plus(week)), None);
}
