//! The documents of the contract as they stand beside the code: whoever changes the contract sees it here.
//!
//! `UPDATE_EXPECT=1` writes them anew.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

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

/// The word after the call that makes a problem, with the place where it stands.
fn codes_of_sources() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for text in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let (code, _) = text.split_once("\n#[cfg(test)]\nmod tests").unwrap_or((text.as_str(), ""));
        for (call, arguments_before) in
            [("unprocessable(", 0), ("Problem::unavailable(", 0), ("Problem::new(", 1)]
        {
            for after in code.split(call).skip(1) {
                let Some((before, rest)) = after.split_once('"') else { continue };
                // Written elsewhere, or the function's own line.
                if before.matches(',').count() != arguments_before || before.contains(['{', ';']) {
                    continue;
                }
                found.insert(rest.split('"').next().unwrap().to_owned());
            }
        }
    }
    found
}

fn sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // What the documents themselves say proves nothing.
        if path.ends_with("src/contract") {
            continue;
        }
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
    found
}

/// The words behind `Codes:` in every description.
fn codes_of(document: &Value, into: &mut BTreeSet<String>) {
    match document {
        Value::Object(fields) => fields.values().for_each(|field| codes_of(field, into)),
        Value::Array(all) => all.iter().for_each(|one| codes_of(one, into)),
        Value::String(text) => {
            for part in text.split("Codes: ").skip(1) {
                let codes = part.split('.').next().unwrap_or_default();
                into.extend(codes.split(',').map(|code| code.trim().to_owned()));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn every_code_of_the_documents_is_in_the_code_and_every_code_of_the_code_in_the_documents() {
    let mut documented = BTreeSet::new();
    codes_of(api::openapi_document(), &mut documented);
    codes_of(api::asyncapi_document(), &mut documented);
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let written = ["api", "bus", "protocol", "service"].map(|name| sources(&crates.join(name).join("src")));
    let written: Vec<String> = written.into_iter().flatten().collect();
    let is_written = |code: &str| written.iter().any(|text| text.contains(&format!("\"{code}\"")));
    let nowhere: Vec<_> = documented.iter().filter(|code| !is_written(code)).collect();
    assert_eq!(nowhere, Vec::<&String>::new(), "codes that nothing answers with");
    let of_sources = codes_of_sources();
    assert!(of_sources.len() > 80, "{of_sources:?}");
    // Told at the desk, for which this API carries out what supervisors change, and to our own canary customers.
    let among_us = BTreeSet::from(["role_too_low".to_owned(), "unknown_canary".to_owned()]);
    let untold: Vec<_> =
        of_sources.difference(&documented).filter(|code| !among_us.contains(*code)).collect();
    assert_eq!(untold, Vec::<&String>::new(), "codes that no document tells of");
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
