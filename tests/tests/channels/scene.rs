//! A product with one account of a provider, an agent, and what is looked at in their tests.

use protocol::delivery::{AccountState, AccountsAnswer, Delivery, DeliveryState};
use protocol::desk::{DeskContact, DeskEntry, ToDesk};
use protocol::streams::DELIVERIES;
use protocol::subjects::Subjects;
use protocol::{ConversationId, MessageId};
use serde_json::{Value, json};
use tests::desk::Desk;
use tests::{Product, eventually};

use crate::partner::SOON;

pub(crate) struct Scene<P> {
    pub(crate) product: Product,
    pub(crate) provider: P,
    pub(crate) anna: Desk,
    /// Where the account is posted to.
    pub(crate) url: String,
}

impl<P> Scene<P> {
    pub(crate) async fn hears(&mut self, what: &str, is_it: impl Fn(&DeskEntry) -> bool) -> DeskEntry {
        let pick = |frame: &ToDesk| match frame {
            ToDesk::Entry { entry, .. } if is_it(entry) => Some(entry.clone()),
            _ => None,
        };
        self.anna.until(what, pick).await
    }

    /// Waits until a contact is in another conversation than it was.
    pub(crate) async fn goes_on(&mut self, before: &DeskContact) -> DeskContact {
        let pick = |frame: &ToDesk| match frame {
            ToDesk::Contact(contact)
                if contact.contact == before.contact && contact.conversation != before.conversation =>
            {
                Some((**contact).clone())
            }
            _ => None,
        };
        self.anna.until("the contact goes on elsewhere", pick).await
    }

    pub(crate) async fn deliveries(&self) -> Vec<Delivery> {
        let bus = self.product.bus().await;
        let items = bus.read_range(DELIVERIES, 1, u64::MAX, 10_000).await.unwrap();
        items.iter().map(|item| serde_json::from_slice(&item.payload).unwrap()).collect()
    }

    pub(crate) async fn reaches(&self, message: MessageId, state: DeliveryState) -> Delivery {
        eventually(&format!("a message is {}", state.as_str()), SOON, || async {
            let is_it = |delivery: &Delivery| delivery.message == Some(message) && delivery.state == state;
            self.deliveries().await.into_iter().find(is_it)
        })
        .await
    }

    /// How far a message has come by all that was told of it.
    pub(crate) async fn stands(&self, message: MessageId) -> DeliveryState {
        let all = self.deliveries().await;
        let of_it = all.iter().filter(|delivery| delivery.message == Some(message));
        of_it.fold(DeliveryState::Queued, |state, delivery| state.then(delivery.state))
    }

    pub(crate) async fn account(&self) -> AccountState {
        let bus = self.product.bus().await;
        let subject = Subjects::new("c1".parse().unwrap()).channel_accounts();
        let answer = bus.request(&subject, "{}".into(), bus::Deadline::after(SOON)).await.unwrap();
        let all = serde_json::from_slice::<AccountsAnswer>(&answer).unwrap().accounts;
        let is_it = |channel: &str| self.url.contains(&format!("/in/{channel}/"));
        all.iter().find(|account| is_it(account.channel.as_str())).unwrap().state
    }

    pub(crate) async fn recorded(&self) -> u64 {
        self.product.ledger().await.1["messages"]["recorded"].as_u64().unwrap()
    }

    /// Waits until the role channels has died at the point that it was told, and starts it again without one.
    pub(crate) async fn comes_back(&mut self) {
        eventually("the process died", SOON, || {
            let ended = self.product.process("channels").ended();
            async move { ended }
        })
        .await;
        self.product.arm("channels", "WINTERBAND_FAILPOINT", "");
        self.product.again("channels");
    }
}

/// Signs an agent in.
pub(crate) async fn token(product: &Product, name: &str) -> String {
    let body = json!({ "agent": name });
    let url = format!("{}/api/v1/sessions", product.url("rest"));
    let made =
        reqwest::Client::new().post(url).bearer_auth(product.admin_key()).json(&body).send().await.unwrap();
    let made: Value = made.json().await.unwrap();
    made["token"].as_str().unwrap().to_owned()
}

/// Asks the desk for a page.
pub(crate) async fn get(product: &Product, token: &str, path: &str) -> reqwest::Response {
    let url = format!("{}{path}", product.url("rest"));
    reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap()
}

/// Who the customer of a conversation is, once it is as wanted.
pub(crate) async fn customer(
    product: &Product,
    token: &str,
    of: ConversationId,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    eventually("the customer is known", SOON, || async {
        let response = get(product, token, &format!("/desk/customer/{of}")).await;
        let mut page: Value = response.error_for_status().ok()?.json().await.ok()?;
        page["log_seq"] = Value::Null;
        wanted(&page).then_some(page)
    })
    .await
}

/// All that was said on a customer's page.
pub(crate) fn texts(page: &Value) -> Vec<&str> {
    let all = page["timeline"].as_array().unwrap();
    all.iter().filter_map(|line| line["text"].as_str()).collect()
}
