//! What became of messages, as a desk is told; and how the accounts of channels are doing.

use bus::Deadline;
use protocol::delivery::{AccountStanding, AccountState, AccountsAnswer, Delivery, DeliveryState};
use protocol::{ChannelKind, ConversationId, InputBody, Millis, SubjectToken};
use serde_json::{Value, json};

use crate::worker::{floor, held};
use crate::world::{CONVERSATION, PATIENCE, World, subjects};

impl World {
    /// The sender records what became of an entry.
    async fn became(
        &self,
        conversation: ConversationId,
        seq: u64,
        state: DeliveryState,
        reason: Option<&str>,
    ) {
        let account = SubjectToken::new("shop").unwrap();
        let record = Delivery {
            v: 1,
            at: Millis(1),
            channel: ChannelKind::Email,
            account: account.clone(),
            conversation,
            contact: None,
            seq,
            message: None,
            state,
            attempt: 1,
            reason: reason.map(str::to_owned),
            provider_hash: None,
            again_at: None,
        };
        let bytes = serde_json::to_vec(&record).unwrap();
        let subject = subjects().deliveries(ChannelKind::Email, &account);
        let id = uuid::Uuid::now_v7().to_string();
        self.bus.publish_durable(&subject, &id, bytes.into(), Deadline::after(PATIENCE)).await.unwrap();
    }
}

#[tokio::test]
async fn a_desk_hears_what_becomes_of_its_messages_and_has_it_again_after_a_reload() {
    let (world, mut desk) = held().await;
    world.became(CONVERSATION, 2, DeliveryState::Sending, None).await;
    let told =
        |state: &str| json!({"t": "delivered", "conversation": CONVERSATION, "seq": 2, "state": state});
    assert_eq!(desk.next("delivered").await, told("sending"));
    let elsewhere = ConversationId { log_seq: 99, n: 0 };
    world.became(elsewhere, 2, DeliveryState::Failed, Some("refused")).await;
    // Statuses come in any order: what was further stays, and nobody hears of the other.
    world.became(CONVERSATION, 2, DeliveryState::Delivered, None).await;
    world.became(CONVERSATION, 2, DeliveryState::Sent, None).await;
    world.became(CONVERSATION, 3, DeliveryState::Unknown, Some("no_answer")).await;
    assert_eq!(desk.next("delivered").await, told("delivered"));
    let unknown = desk.next("delivered").await;
    assert_eq!((&unknown["state"], &unknown["reason"]), (&json!("unknown"), &json!("no_answer")));
    let (_again, state) = world.desk(&world.token().await, json!({})).await;
    let known =
        json!([{"seq": 2, "state": "delivered"}, {"seq": 3, "state": "unknown", "reason": "no_answer"}]);
    assert_eq!(state["contacts"][0]["deliveries"], known);
}

#[tokio::test]
async fn a_machines_answer_is_marked() {
    let (mut world, mut desk) = held().await;
    let InputBody::Message(mut message) = world.message("I am away").await else { panic!("a message") };
    message.automatic = true;
    let said = world.entry(protocol::record::EntryKind::FromCustomer);
    world.decide(InputBody::Message(message), vec![said]).await;
    assert_eq!(desk.next("entry").await["entry"]["automatic"], true);
    let message = world.message("I am back").await;
    let said = world.entry(protocol::record::EntryKind::FromCustomer);
    world.decide(message, vec![said]).await;
    assert_eq!(desk.next("entry").await["entry"]["automatic"], Value::Null);
}

#[tokio::test]
async fn who_leads_sees_the_accounts_of_channels_and_nothing_if_nobody_says() {
    let world = floor().await;
    let ben = world.token_of("ben").await;
    let get = async |token: &str| {
        let request = reqwest::Client::new().get(world.url("/desk/floor/accounts"));
        let response = request.header("cookie", format!("wb_session={token}")).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    assert_eq!(get(&ben).await, (200, json!({"accounts": []})));
    let standing = AccountStanding {
        channel: ChannelKind::Email,
        account: SubjectToken::new("shop").unwrap(),
        state: AccountState::Refused,
        since: Millis(1),
        words: Some("check the password".to_owned()),
        heard_at: None,
        waiting: 3,
    };
    let answer = AccountsAnswer { accounts: vec![standing] };
    let mut asked = world.serve(&subjects().channel_accounts()).await;
    let bytes = serde_json::to_vec(&answer).unwrap();
    tokio::spawn(async move { asked.next().await.unwrap().respond(bytes.into()).await.unwrap() });
    assert_eq!(get(&ben).await, (200, serde_json::to_value(&answer).unwrap()));
    assert_eq!(get(&world.token_of("anna").await).await.0, 403);
}
