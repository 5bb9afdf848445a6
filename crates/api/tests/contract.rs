//! The documents of the contract as they stand beside the code: whoever changes the contract sees it here.
//!
//! `UPDATE_EXPECT=1` writes them anew.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use expect_test::expect_file;
use serde_json::Value;

fn pretty(value: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).unwrap())
}

#[test]
fn openapi_is_as_it_was() {
    expect_file!["../contract/openapi.json"].assert_eq(&pretty(api::openapi_document()));
}

#[test]
fn asyncapi_is_as_it_was() {
    expect_file!["../contract/asyncapi.json"].assert_eq(&pretty(api::asyncapi_document()));
}

fn references(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(at)) = fields.get("$ref") {
                into.insert(at.clone());
            }
            fields.values().for_each(|field| references(field, into));
        }
        Value::Array(all) => all.iter().for_each(|one| references(one, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn whatever_a_document_refers_to_is_in_it() {
    for document in [api::openapi_document(), api::asyncapi_document()] {
        let mut all = BTreeSet::new();
        references(document, &mut all);
        assert!(all.len() > 5, "{all:?}");
        for at in all {
            assert!(document.pointer(at.strip_prefix('#').unwrap()).is_some(), "{at}");
        }
    }
    for (name, schema) in api::schemas() {
        let mut all = BTreeSet::new();
        references(&schema, &mut all);
        for at in all {
            assert!(schema.pointer(at.strip_prefix('#').unwrap()).is_some(), "{name}: {at}");
        }
        assert!(schema["$schema"].as_str().unwrap().contains("2020-12"), "{name}");
    }
}

#[test]
fn an_asynchronous_document_has_what_its_standard_asks_for() {
    let document = api::asyncapi_document();
    assert_eq!(document["asyncapi"], "3.0.0");
    let channels = document["channels"].as_object().unwrap();
    for (name, operation) in document["operations"].as_object().unwrap() {
        assert!(["send", "receive"].contains(&operation["action"].as_str().unwrap()), "{name}");
        let channel = operation["channel"]["$ref"].as_str().unwrap().strip_prefix("#/channels/").unwrap();
        assert!(channels[channel]["address"].is_string(), "{name}");
        assert!(!operation["messages"].as_array().unwrap().is_empty(), "{name}");
    }
}
