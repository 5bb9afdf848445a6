//! The public contract over the records that every version reads: what other systems are told of each of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use protocol::content::{Attachment, Content};
use protocol::delivery::Delivery;
use protocol::integration::fold::{self, Origin};
use protocol::integration::{PublicEvent, PublicType, PublicWords};
use protocol::{ChannelKind, ContactId, ConversationId, Hash128, Record, RemedyRecord, SubjectToken};

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut all: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

fn origin(practice: bool) -> Option<Origin> {
    Some(Origin {
        conversation: ConversationId { log_seq: 1, n: 0 },
        channel: ChannelKind::Web,
        account: Some(SubjectToken::new("shop").unwrap()),
        practice,
    })
}

fn words() -> PublicWords {
    let file = Attachment {
        object: Hash128([7; 16]),
        name: "photo.jpg".into(),
        media_type: "image/jpeg".into(),
        bytes: 1_234,
        inline: false,
    };
    Content {
        name: Some("Ann".into()),
        identity: Some("ann@example.org".into()),
        attachments: vec![file],
        ..Content::words("Where is my parcel?")
    }
    .into()
}

/// Everything that is told, with the words opened in every other one and erased in the rest.
fn told(practice: bool) -> Vec<PublicEvent> {
    let mut told = Vec::new();
    let contacts = files("golden").into_iter().map(|path| std::fs::read(path).unwrap());
    for (seq, bytes) in (1..).zip(contacts) {
        let record: Record = serde_json::from_slice(&bytes).unwrap();
        told.extend(fold::of_contacts(seq, &record, |_| origin(practice)));
    }
    let remedies = files("golden-remedies").into_iter().map(|path| std::fs::read(path).unwrap());
    for (seq, bytes) in (1..).zip(remedies) {
        let record: RemedyRecord = serde_json::from_slice(&bytes).unwrap();
        let contact = |_| Some(ContactId { log_seq: 1, n: 1 });
        told.extend(fold::of_remedies(seq, &record, contact, |_| origin(practice)));
    }
    let deliveries = files("golden-deliveries").into_iter().map(|path| std::fs::read(path).unwrap());
    for (seq, bytes) in (1..).zip(deliveries) {
        let record: Delivery = serde_json::from_slice(&bytes).unwrap();
        told.extend(fold::of_delivery(seq, &record, |_| origin(practice)));
    }
    let open = |(n, folded): (usize, fold::Folded)| PublicEvent {
        body: match folded.sealed {
            None => folded.event.body,
            Some(_) => folded.event.body.with_words((n % 2 == 0).then(words)),
        },
        ..folded.event
    };
    told.into_iter().enumerate().map(open).collect()
}

#[test]
fn what_is_told_of_every_known_record_stays_as_it_is() {
    let all = told(false);
    let mut text = String::new();
    for event in &all {
        let line = serde_json::to_string(event).unwrap();
        assert_eq!(serde_json::from_str::<PublicEvent>(&line).unwrap(), *event);
        text.push_str(&line);
        text.push('\n');
    }
    for hidden in ["s1.", "idn_", "lnk_", "provider_hash", "object", "0707"] {
        assert!(!text.contains(hidden), "{hidden} is told");
    }
    expect_file!["golden-public.jsonl"].assert_eq(&text);
    let kinds: BTreeSet<PublicType> = all.iter().map(|event| event.body.kind()).collect();
    let missing: Vec<_> = PublicType::ALL.iter().filter(|kind| !kinds.contains(kind)).collect();
    assert_eq!(missing, Vec::<&PublicType>::new(), "types without an example among the golden records");
}

#[test]
fn nothing_is_told_of_practice_and_the_contacts_of_a_record_are_those_that_it_tells_of() {
    assert_eq!(told(true), []);
    for path in files("golden") {
        let record: Record = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let told = fold::of_contacts(1, &record, |_| origin(false));
        let told: BTreeSet<ContactId> = told.iter().map(|folded| folded.event.contact).collect();
        assert!(told.is_subset(&fold::contacts_of(&record)));
    }
}

#[test]
fn where_a_contact_comes_from_stands_in_the_record_that_gave_birth_to_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/event-contact_opened.json");
    let record: Record = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let contact = ContactId { log_seq: 24, n: 1 };
    let conversation = ConversationId { log_seq: 24, n: 0 };
    let found = fold::origin_in(&record, contact).unwrap();
    assert_eq!((found.conversation, found.channel, found.practice), (conversation, ChannelKind::Web, false));
    assert_eq!(fold::account_in(&record, conversation).unwrap().as_str(), "shop");
    assert_eq!(fold::origin_in(&record, ContactId { log_seq: 24, n: 2 }), None);
}
