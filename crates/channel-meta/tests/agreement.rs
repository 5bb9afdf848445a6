//! What becomes of each update that another client of the Cloud API recorded (`tests/recorded`): of every kind that Meta tells.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::path::Path;

use channel::{Adapter as _, Inbound, Millis, Parsed, Raw, Rejected, StatusOf};
use common::{NUMBER, account, account_of};
use serde_json::Value;

/// What stands in some of them where a number's id would.
const PLACEHOLDER: &str = "<BUSINESS_PHONE_NUMBER_ID>";

/// Kinds of updates, and what becomes of each. An update of the account, of templates and of calls says nothing of a customer's.
const EXPECTED: [(&str, &str, &str); 74] = [
    ("account_update", "account_deleted", "echo account_update"),
    ("account_update", "account_disabled", "echo account_update"),
    ("account_update", "account_offboarded", "echo account_update"),
    ("account_update", "account_reconnected", "echo account_update"),
    ("account_update", "account_restriction", "echo account_update"),
    ("account_update", "account_violation", "echo account_update"),
    ("account_update", "ad_account_linked", "echo account_update"),
    ("account_update", "authentication_international_eligibility", "echo account_update"),
    ("account_update", "mm_api_for_wa_terms_of_service", "echo account_update"),
    ("account_update", "partner_added", "echo account_update"),
    ("account_update", "partner_app_installed", "echo account_update"),
    ("account_update", "partner_app_uninstalled", "echo account_update"),
    ("account_update", "partner_led_business_verification_status", "echo account_update"),
    ("account_update", "partner_removed", "echo account_update"),
    ("account_update", "partner_removed_wa_app_disconnection", "echo account_update"),
    ("account_update", "pricing_tiering_update", "echo account_update"),
    ("account_update", "primary_business_location_set", "echo account_update"),
    ("call_connect", "business_initiated", "echo calls"),
    ("call_connect", "user_initiated", "echo calls"),
    ("call_permission_update", "accept", "echo wamid.x"),
    ("call_permission_update", "reject", "echo wamid.x"),
    ("call_status", "call_status", "echo calls"),
    ("call_terminate", "call_terminate", "echo calls"),
    ("callback_button", "button", "message wamid.xyzxyz"),
    ("callback_button", "quick_reply", "message wamid.xsidjw"),
    ("callback_button", "quick_reply_without_context", "message wamid.xsidjx"),
    ("callback_selection", "callback", "message wamid.zyzxyz"),
    ("callback_selection", "description", "message wamid.zyzxyz"),
    ("deleted_message", "revoke", "echo <WHATSAPP_MESSAGE_ID>"),
    (
        "edited_message",
        "image",
        "message wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQUFERjg0NDEzNDdFODU3MUMxMAA= with 1234567890 image.jpg",
    ),
    ("flow_completion", "completion", "message wamid.wegrchytvwcggt=="),
    ("flow_completion", "without_flow_token", "message wamid.wegrchytvwcggt=="),
    ("message", "animated_sticker", "message wamid.xyzxyz with 1234567890987654321 sticker.webp"),
    ("message", "audio", "message wamid.xyzxyz with 1234567890987654321 audio.ogg"),
    ("message", "chosen_location", "message wamid.xyzxyz"),
    ("message", "contacts", "message wamid.xyzxyz"),
    ("message", "current_location", "message wamid.xyzxyz"),
    ("message", "document", "message wamid.xyzxyz with 1234567890987654321 filename.pdf"),
    ("message", "forwarded", "message wamid.xyzxyz"),
    ("message", "forwarded_many_times", "message wamid.xyzxyz"),
    ("message", "image", "message wamid.xyzxyz with 65463453 image.jpg"),
    ("message", "interactive_message_with_err", "park unsupported_type"),
    ("message", "media_with_url", "message wamid.xyzxyz with 65463453 image.jpg"),
    ("message", "order", "message wamid.xyzxyz"),
    ("message", "reaction", "message wamid.xyzxyz"),
    ("message", "referral", "message wamid.ID"),
    ("message", "reply", "message wamid.xyzxyz"),
    ("message", "static_sticker", "message wamid.xyzxyz with 1234567890987654321 sticker.webp"),
    ("message", "text", "message wamid.xyzxyz"),
    ("message", "unreaction_empty", "echo wamid.xyzxyz"),
    ("message", "unreaction_no_emoji", "echo wamid.xyzxyz"),
    ("message", "unsupported", "park unsupported_type"),
    ("message", "unsupported_with_type", "park unsupported_type"),
    ("message", "video", "message wamid.xyzxyz with 765756756 video.mp4"),
    ("message", "voice", "message wamid.xyzxyz with 1234567890987654321 voice.ogg"),
    ("message_status", "delivered", "status wamid.xyzxyz delivered"),
    ("message_status", "failed", "status wamid.xyzxyz failed limited_by_provider"),
    ("message_status", "group", "echo <WHATSAPP_MESSAGE_ID>"),
    ("message_status", "played", "status wamid.xyzxyz read"),
    ("message_status", "read", "status wamid.xyzxyz read"),
    ("message_status", "sent", "status wamid.xyzxyz sent"),
    ("message_status", "with_tracker", "status wamid.xyzxyz sent"),
    ("outgoing_message", "delete", "echo wamid.yyyyyy"),
    ("outgoing_message", "edit", "echo wamid.yyyyyy"),
    ("outgoing_message", "text", "colleague <WHATSAPP_MESSAGE_ID>"),
    ("system", "identity_change", "echo wamid.xyzxyz"),
    ("system", "phone_number_change", "message wamid.xyzxyz=="),
    ("template_category_update", "marketing", "echo template_category_update"),
    ("template_components_update", "element", "echo message_template_components_update"),
    ("template_quality_update", "yellow", "echo message_template_quality_update"),
    ("template_status_update", "approved", "echo message_template_status_update"),
    ("template_status_update", "rejected", "echo message_template_status_update"),
    (
        "user_marketing_preferences",
        "resume",
        "message preference:16505551234:marketing_messages:resume:1731705721000",
    ),
    (
        "user_marketing_preferences",
        "signup",
        "message preference:16505551234:marketing_messages:signup:1731705721000",
    ),
];

/// What a customer is told to have said.
const WORDS: [(&str, &str, &str); 19] = [
    ("callback_button", "button", "title"),
    ("callback_button", "quick_reply", "title"),
    ("callback_selection", "description", "title"),
    ("edited_message", "image", "Updated image caption"),
    (
        "message",
        "contacts",
        "👤 Chandler Bing +1 555-555-5555\n👤 Monica +1 666-666-6666\n👤 Rachel Green +1 777-777-7777",
    ),
    ("message", "current_location", "📍 12.250890, 43.905390"),
    ("message", "document", "caption"),
    ("message", "forwarded", "forwarded text"),
    ("message", "forwarded_many_times", "text forwarded many times"),
    ("message", "image", ""),
    ("message", "order", "🛒 3 × HAMBURGER, 30 ILS\n🛒 2 × FRENCH_FRIES, 35 ILS\n🛒 2 × SODA, 10 ILS"),
    ("message", "reaction", "\u{1F62E}"),
    ("message", "referral", "BODY\n📣 AD_TITLE AD_OR_POST_FB_URL"),
    ("message", "reply", "replied text"),
    ("message", "text", "Body Text"),
    ("message", "video", "caption"),
    ("message", "voice", ""),
    ("system", "phone_number_change", "📱 → 972912345678"),
    ("user_marketing_preferences", "resume", "🔔 marketing_messages"),
];

type Key = (String, String);

/// Every update, by its file and its key there.
fn recorded() -> BTreeMap<Key, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/pywa");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut found = BTreeMap::new();
    for path in files.filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        let updates: BTreeMap<String, Value> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let file = path.file_stem().unwrap().to_string_lossy().into_owned();
        found.extend(updates.into_iter().map(|(key, update)| ((file.clone(), key), update)));
    }
    found
}

/// Read by the account of the number that it is for.
fn read(update: &Value) -> Vec<Result<Parsed<Infallible>, Rejected>> {
    let whose = update.pointer("/entry/0/changes/0/value/metadata/phone_number_id").and_then(Value::as_str);
    let account = whose.filter(|whose| *whose != PLACEHOLDER).map_or_else(account, account_of);
    let bytes = update.to_string().replace(PLACEHOLDER, NUMBER).into_bytes();
    account.parse(&Raw::of(&bytes))
}

fn message(of: &(&str, &str)) -> Inbound {
    let update = recorded().remove(&(of.0.to_owned(), of.1.to_owned())).unwrap();
    match read(&update).remove(0) {
        Ok(Parsed::Message(message)) => *message,
        other => unreachable!("{of:?}: {other:?}"),
    }
}

fn told(item: Result<Parsed<Infallible>, Rejected>) -> String {
    match item {
        Ok(Parsed::Message(message)) => {
            let files = message.files.iter().map(|file| format!(" with {} {}", file.id, file.name));
            let by = if message.by_colleague.is_some() { "colleague" } else { "message" };
            format!("{by} {}{}", message.provider_id, files.collect::<String>())
        }
        Ok(Parsed::Status(status)) => {
            let about = match status.about {
                StatusOf::Theirs(id) => id,
                other @ (StatusOf::Ours(_) | StatusOf::Hash(_)) => format!("{other:?}"),
            };
            let reason = status.reason.map(|reason| format!(" {reason}")).unwrap_or_default();
            format!("status {about} {}{reason}", status.state.as_str())
        }
        Ok(Parsed::Echo { provider_id }) => format!("echo {provider_id}"),
        Ok(Parsed::Left { .. }) => "left, which WhatsApp tells of nobody".to_owned(),
        Err(rejected) => format!("park {}", rejected.code),
    }
}

#[test]
fn each_recorded_update_becomes_what_it_should() {
    let found: BTreeMap<Key, String> = recorded()
        .into_iter()
        .map(|(key, update)| {
            let told: Vec<String> = read(&update).into_iter().map(told).collect();
            (key, told.join("\n"))
        })
        .collect();
    let expected: BTreeMap<Key, String> = EXPECTED
        .iter()
        .map(|(file, key, line)| (((*file).to_owned(), (*key).to_owned()), (*line).to_owned()))
        .collect();
    assert_eq!(expected.len(), EXPECTED.len(), "each stands there once");
    assert_eq!(found, expected);
}

#[test]
fn each_says_what_its_customer_said() {
    for (file, key, words) in WORDS {
        assert_eq!(message(&(file, key)).content.text, words, "{file} {key}");
    }
    let chosen = message(&("message", "chosen_location")).content.text;
    assert!(
        chosen.starts_with("📍 Facebook HQ, 1 Hacker Way, Menlo Park, CA 94025 (37.461198, -122.21643"),
        "{chosen}"
    );
    for key in ["completion", "without_flow_token"] {
        let form = message(&("flow_completion", key)).content.text;
        let mut lines: Vec<&str> = form.lines().collect();
        lines.sort_unstable();
        let expected = [
            "comment_text: Comment Text",
            "cs_rating: 0",
            "delivery_rating: 4",
            "purchase_rating: 2",
            "recommend_radio: 0",
        ];
        assert_eq!(lines, expected, "{key}");
    }
}

#[test]
fn who_said_it_and_what_it_belongs_to_is_as_recorded() {
    for (_, key, _) in
        EXPECTED.iter().filter(|(file, _, line)| *file == "message" && line.starts_with("message"))
    {
        let message = message(&("message", *key));
        assert_eq!(message.identity.as_deref(), Some("972987654321"), "{key}");
        assert_eq!(message.content.name.as_deref(), Some("Test Name"), "{key}");
        assert_eq!(message.automatic, *key == "reaction", "{key}");
    }
    assert_eq!(message(&("message", "text")).sent_at, Some(Millis(1_697_043_223_000)));
    for (of, edits, replies_to) in [
        (("message", "reply"), None, Some("wamid.xyzxyz==")),
        (("message", "reaction"), None, Some("wamid.yzxyzx=")),
        (("callback_button", "button"), None, Some("wamid.xyzxyz")),
        (("message", "forwarded"), None, None),
        (
            ("edited_message", "image"),
            Some("wamid.HBgLMTQxMjU1NTA4MjkVAgASGBQzQUNCNjk5RDUwNUZGMUZEM0VBRAA="),
            None,
        ),
    ] {
        let place = message(&of).content.place.unwrap();
        assert_eq!((place.edits.as_deref(), place.replies_to.as_deref()), (edits, replies_to), "{of:?}");
    }
}
