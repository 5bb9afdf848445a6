//! Messenger and Instagram: customers write to a page or an account, our agents answer, within the windows that Meta sets.

use protocol::delivery::DeliveryState;
use serde_json::{Value, json};
use tests::Product;
use tests::desk::Desk;

use crate::graph::{APP_SECRET, Graph, PAGE, TOKEN, VERIFY_TOKEN, post_signed};
use crate::messaging::joins;
use crate::scene::Scene;
use crate::seat::{reply, take};

const ANN: &str = "7700112233";
const DAY_MS: u64 = 24 * 3600 * 1000;

async fn scene(channel: &str, key: &str) -> Scene<Graph> {
    let graph = Graph::open().await;
    let mut product = Product::empty().await;
    let secrets = ["token", "secret", "verify_token"]
        .map(|name| format!("{name} = {{ file = \"meta.{name}\" }}\n"))
        .concat();
    let table =
        format!("[[{channel}]]\naccount = \"shop\"\n{key} = \"{PAGE}\"\n{secrets}api = \"{}\"\n", graph.url);
    let files = [("meta.token", TOKEN), ("meta.secret", APP_SECRET), ("meta.verify_token", VERIFY_TOKEN)];
    let url = joins(&mut product, &[channel], &table, &files, &[]).await;
    let mut anna = Desk::open(&product, "rest", "rest", "anna").await;
    anna.online().await;
    Scene { product, provider: graph, anna, url }
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// An update with one event of Ann's, of so many milliseconds ago.
fn update(object: &str, ago: u64, event: &Value) -> Value {
    let at = now_ms() - ago;
    let mut messaging = json!({"sender": {"id": ANN}, "recipient": {"id": PAGE}, "timestamp": at});
    messaging.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
    json!({"object": object, "entry": [{"id": PAGE, "time": at, "messaging": [messaging]}]})
}

fn words(object: &str, id: &str, ago: u64, text: &str) -> Value {
    update(object, ago, &json!({"message": {"mid": id, "text": text}}))
}

impl Scene<Graph> {
    async fn is_told(&self, update: &Value) {
        let (status, answer) = post_signed(&self.url, APP_SECRET, update).await;
        assert_eq!(status, 200, "{answer}");
    }
}

#[tokio::test]
async fn messenger_is_answered_freely_for_a_day_and_by_people_for_a_week() {
    let mut scene = scene("messenger", "page_id").await;
    scene.is_told(&words("page", "m_1", 8 * DAY_MS, "I wrote last week")).await;
    let (card, contact) = take(&mut scene.anna).await;
    assert_eq!(card.channel.as_str(), "messenger");
    let late = reply(&mut scene.anna, contact.contact, "Too late").await;
    assert_eq!(scene.reaches(late, DeliveryState::Failed).await.reason.as_deref(), Some("window_closed"));
    scene.is_told(&words("page", "m_2", 2 * DAY_MS, "And the day before yesterday")).await;
    let tagged = reply(&mut scene.anna, contact.contact, "I am a person").await;
    scene.reaches(tagged, DeliveryState::Accepted).await;
    let sent = scene.provider.hears("I am a person").await;
    assert_eq!((&sent["messaging_type"], &sent["tag"]), (&json!("MESSAGE_TAG"), &json!("HUMAN_AGENT")));
    scene.is_told(&words("page", "m_3", 0, "And now")).await;
    let free = reply(&mut scene.anna, contact.contact, "Good").await;
    scene.reaches(free, DeliveryState::Accepted).await;
    let sent = scene.provider.hears("Good").await;
    assert_eq!((&sent["messaging_type"], sent.get("tag")), (&json!("RESPONSE"), None));
    // Meta tells by its own id that it has arrived.
    let delivered = json!({"delivery": {"mids": ["m_ours-2"], "watermark": now_ms()}});
    scene.is_told(&update("page", 0, &delivered)).await;
    scene.reaches(free, DeliveryState::Delivered).await;
    // And the same message again is the same.
    scene.is_told(&words("page", "m_3", 0, "And now")).await;
    assert_eq!(scene.recorded().await, 3);
}

#[tokio::test]
async fn instagram_is_answered_and_a_heart_asks_nobody_for_anything() {
    let mut scene = scene("instagram", "instagram_id").await;
    scene.is_told(&words("instagram", "mid-1", 0, "Is this still there?")).await;
    let (card, contact) = take(&mut scene.anna).await;
    assert_eq!(card.channel.as_str(), "instagram");
    let said = reply(&mut scene.anna, contact.contact, "It is").await;
    scene.reaches(said, DeliveryState::Accepted).await;
    scene.is_told(&update("instagram", 0, &json!({"read": {"mid": "m_ours-1"}}))).await;
    scene.reaches(said, DeliveryState::Read).await;
    let heart = json!({"reaction": {"mid": "m_ours-1", "action": "react", "reaction": "love", "emoji": "❤"}});
    scene.is_told(&update("instagram", 0, &heart)).await;
    let shown =
        scene.hears("a heart", |entry| entry.text.as_deref().is_some_and(|text| text.contains('❤'))).await;
    assert!(matches!(shown.kind, protocol::record::EntryKind::Automatic), "{:?}", shown.kind);
    let (status, _) =
        post_signed(&scene.url, "another-app-s-secret", &words("instagram", "mid-2", 0, "x")).await;
    assert_eq!(status, 401);
}
