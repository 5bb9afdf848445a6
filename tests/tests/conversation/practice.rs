//! What is practised is worked on as anything is, and nothing outside the floor hears of it.

use protocol::SubjectToken;
use protocol::record::Event;
use protocol::subjects::Subjects;
use protocol::views::{FloorQuestion, FloorReport};
use serde_json::json;
use tests::desk::Desk;
use tests::{Product, eventually, log};

use crate::seat::{finish, reply, take};

const WITHIN: std::time::Duration = std::time::Duration::from_secs(60);

/// Publishes a message over HTTP, in earnest or not; the customer is of the same name.
async fn writes(product: &Product, practice: bool) {
    let message = json!({
        "account": "shop", "id": "m-1", "from": {"value": "ann@example.org"}, "text": "Where is it?", "practice": practice
    });
    let answer = product.write("rest", &message).await;
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
}

#[tokio::test]
async fn neither_a_feed_nor_a_report_tells_of_what_was_practised() {
    let product = Product::started().await;
    let mut anna = Desk::open(&product, "rest", "desk", "anna").await;
    anna.online().await;
    let mut contacts = Vec::new();
    for practice in [true, false] {
        writes(&product, practice).await;
        let (card, contact) = take(&mut anna).await;
        assert_eq!(card.practice, practice, "the desk tells which it is");
        reply(&mut anna, contact.contact, "On its way").await;
        finish(&mut anna, contact.contact).await;
        contacts.push((contact.contact, contact.conversation));
    }
    let [(practised, one), (meant, other)] = contacts[..] else { panic!("{contacts:?}") };
    assert_ne!(one, other, "nothing that was practised stands in a real conversation");
    let bus = product.bus().await;
    let records = log::records(&bus).await;
    let opened = records.iter().flat_map(|(_, record)| &record.events).filter_map(|event| match event {
        Event::ContactOpened { contact, practice, .. } => Some((*contact, *practice)),
        _ => None,
    });
    assert_eq!(opened.collect::<Vec<_>>(), [(practised, true), (meant, false)]);
    // The feed, up to the end of the log.
    let last = records.last().unwrap().0;
    let events = eventually("the feed tells all", WITHIN, || async {
        let page = product.get("rest", "/api/v1/events?after=0&limit=500").await.body;
        (page["next"].as_u64()? >= last).then(|| page["events"].as_array().unwrap().clone())
    })
    .await;
    assert!(!events.is_empty() && events.iter().all(|event| event["contact"] == json!(meant)), "{events:?}");
    let words = product.get("rest", &format!("/api/v1/contacts/{practised}")).await;
    assert_eq!(words.status, 200, "who asks for it by its name may look: {words:?}");
    // The report of the floor, once it knows of the end of the second.
    let question = serde_json::to_vec(&FloorQuestion { days: 1 }).unwrap();
    let subject = Subjects::new(SubjectToken::new("c1").unwrap()).views_floor();
    let report = eventually("the report knows of all", WITHIN, || async {
        let answer =
            bus.request(&subject, question.clone().into(), bus::Deadline::after(WITHIN)).await.ok()?;
        let report: FloorReport = serde_json::from_slice(&answer).ok()?;
        (report.log_seq >= last).then_some(report)
    })
    .await;
    let count = |of: fn(&protocol::views::HourCount) -> u64| report.hours.iter().map(of).sum::<u64>();
    assert_eq!((count(|hour| hour.arrived), count(|hour| hour.answered)), (1, 1), "{report:?}");
}
