//! OpenAPI 3.1, made of the routes and of the types that they take and give.

use std::collections::BTreeMap;

use axum::http::Method;
use protocol::api::ProblemBody;
use protocol::integration::webhook::WebhookEvent;
use protocol::limits::PROVIDER_ID_BYTES_MAX;
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use crate::contract::routes::{self, Line};
use crate::contract::shape;
use crate::idempotency::HEADER;
use crate::routes::{Needs, listed};

const ABOUT: &str = "Publish customers' messages and facts, read what happens as a feed, be posted it as signed webhooks, and \
                     configure. Every no is `application/problem+json` with a stable `code`, a title, and a `detail` that says \
                     what to do. Words of customers are given only to keys that may read contacts; erased ones to nobody.";

/// Noes that any route with a key may give.
const WITH_KEY: &[(u16, &str)] = &[
    (401, "unauthorized"),
    (403, "scope_missing, agent_only"),
    (429, "too_many_requests"),
    (500, "internal"),
    (503, "busy, too_slow, starting, bus_unavailable, audit_unavailable, not_all_upgraded"),
    (507, "audit_full"),
];
/// Noes that any route with a body may give.
const WITH_BODY: &[(u16, &str)] =
    &[(400, "malformed_json, body_not_read"), (413, "body_too_large"), (422, "invalid_body")];
/// Noes of the rest.
const WITHOUT_KEY: &[(u16, &str)] = &[(503, "busy, too_slow")];
/// What is sent again safely under an id in the header.
const WITH_ID: &[&str] = &["/api/v1/messages", "/api/v1/contacts", "/api/v1/facts", "/api/v1/signals"];
/// Noes that they may give for it.
const WITH_ID_NOES: &[(u16, &str)] =
    &[(400, "idempotency_key_malformed, idempotency_key_differs"), (422, "field_empty, field_too_long")];
/// What any path with a parameter says to one that is no text.
const WITH_PARAMETER: &[(u16, &str)] = &[(400, "path_malformed")];

pub(super) fn document() -> Value {
    let mut generator = shape::generator();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for line in routes::lines() {
        let needs =
            listed().into_iter().find(|(method, path, _)| *method == line.method && *path == line.path);
        let Some((_, _, needs)) = needs else { continue };
        let operation = operation(&mut generator, &line, needs);
        paths.entry(line.path).or_default().insert(line.method.as_str().to_ascii_lowercase(), operation);
    }
    let event = shape::of::<WebhookEvent>().part(&mut generator);
    let webhooks = json!({ "event": { "post": {
        "operationId": "event",
        "summary": "A public event, posted to an endpoint (Standard Webhooks): 2xx within 15 s takes it, 410 ends the endpoint, anything else has it posted again for three days.",
        "parameters": [
            header("webhook-id", "The same whenever this event is posted: who has it already answers 2xx and does nothing."),
            header("webhook-timestamp", "When this attempt was made, in seconds since 1970."),
            header("webhook-signature", "`v1,` and the HMAC-SHA256 over `id.timestamp.body` in base64; several with blanks between them while a secret is replaced."),
            header("webhook-number", "1, 2, 3 without gaps, for each endpoint."),
        ],
        "requestBody": { "required": true, "content": { "application/json": { "schema": event } } },
        "responses": { "2XX": { "description": "Taken." }, "410": { "description": "Gone for good: nothing more is posted." } },
    } } });
    shape::of::<ProblemBody>().part(&mut generator);
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Winterband", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT, "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" } },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{ "url": "/" }],
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer", "description": "An API key with the right that the operation names." } },
        },
    })
}

fn header(name: &str, about: &str) -> Value {
    json!({ "name": name, "in": "header", "required": true, "description": about, "schema": { "type": "string" } })
}

fn operation(generator: &mut SchemaGenerator, line: &Line, needs: Needs) -> Value {
    let mut operation = json!({ "operationId": line.id, "summary": line.summary });
    let Some(fields) = operation.as_object_mut() else { return operation };
    let parameters: Vec<Value> = parameters_of(line.path).chain(line.query.iter().map(|query| {
        json!({ "name": query.name, "in": "query", "required": false, "description": query.about, "schema": query.schema })
    })).chain(sent_again(line)).collect();
    if !parameters.is_empty() {
        fields.insert("parameters".into(), parameters.into());
    }
    if let Some(body) = line.body {
        let schema = body.part(generator);
        let body = json!({ "required": !line.body_optional, "content": { "application/json": { "schema": schema } } });
        fields.insert("requestBody".into(), body);
    }
    fields.insert("responses".into(), responses(generator, line, needs));
    match needs {
        Needs::Nothing => drop(fields.insert("security".into(), json!([]))),
        Needs::Usher => drop(fields.insert("security".into(), json!([{ "key": [] }]))),
        Needs::Scope(scope) => drop(fields.insert("security".into(), json!([{ "key": [scope.as_str()] }]))),
    }
    operation
}

fn responses(generator: &mut SchemaGenerator, line: &Line, needs: Needs) -> Value {
    let mut responses = Map::new();
    match line.answer {
        Some((status, shape)) => {
            let schema = shape.part(generator);
            let content = json!({ "application/json": { "schema": schema } });
            if line.or_later {
                let later = "Taken, and not decided yet.";
                responses.insert("202".into(), json!({ "description": later, "content": content.clone() }));
            }
            responses.insert(status.to_string(), json!({ "description": "Yes.", "content": content }));
        }
        None if line.archive => {
            let whole = json!({ "description": "The archive.", "content": { "application/x-tar": {} } });
            responses.insert("200".into(), whole);
            responses.insert("202".into(), json!({ "description": "Not whole yet: ask again." }));
        }
        None => drop(responses.insert("204".into(), json!({ "description": "Done." }))),
    }
    let common = if needs == Needs::Nothing { WITHOUT_KEY } else { WITH_KEY };
    let with_body = if line.body.is_some() { WITH_BODY } else { &[] };
    let with_parameter = if line.path.contains('{') { WITH_PARAMETER } else { &[] };
    let mut noes: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    let with_id = if takes_id(line) { WITH_ID_NOES } else { &[] };
    let all = line.noes.iter().chain(common).chain(with_body).chain(with_parameter).chain(with_id);
    for (status, codes) in all {
        noes.entry(*status).or_default().push(codes);
    }
    for (status, codes) in noes {
        let schema = json!({ "$ref": "#/components/schemas/ProblemBody" });
        let codes = format!("Codes: {}.", codes.join(", "));
        let content = json!({ "application/problem+json": { "schema": schema } });
        responses.insert(status.to_string(), json!({ "description": codes, "content": content }));
    }
    responses.into()
}

fn takes_id(line: &Line) -> bool {
    line.method == Method::POST && WITH_ID.contains(&line.path)
}

/// The header by which the same request is known again.
fn sent_again(line: &Line) -> Option<Value> {
    let about = "An id of the sender's own: the same again under the same id, with the same body, is the same. Of a message it is `id`, \
                 which may be left out then.";
    let schema = json!({ "type": "string", "minLength": 1, "maxLength": PROVIDER_ID_BYTES_MAX });
    let header =
        json!({ "name": HEADER, "in": "header", "required": false, "description": about, "schema": schema });
    takes_id(line).then_some(header)
}

/// What stands in braces, with the form of what it names.
fn parameters_of(path: &'static str) -> impl Iterator<Item = Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(move |name| {
        let pattern = match path {
            path if path.starts_with("/api/v1/webhooks/") => "^whk_[0-9a-f]{32}$",
            path if path.starts_with("/api/v1/parked/") => "^prk_[0-9a-f]{32}$",
            path if path.starts_with("/api/v1/orders/") => "^rem_[0-9]{1,20}_[0-9]{1,10}$",
            path if path.starts_with("/api/v1/contacts/") => "^con_[0-9]{1,20}_[0-9]{1,10}$",
            _ => "^[A-Za-z0-9._-]{1,80}$",
        };
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "pattern": pattern } })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_has_its_line_and_every_line_its_route() {
        let routes: BTreeSet<String> =
            listed().iter().map(|(method, path, _)| format!("{method} {path}")).collect();
        let lines: Vec<String> =
            routes::lines().iter().map(|line| format!("{} {}", line.method, line.path)).collect();
        assert_eq!(lines.iter().cloned().collect::<BTreeSet<_>>(), routes);
        assert_eq!(lines.len(), routes.len(), "a line stands twice");
        let ids: BTreeSet<&str> = routes::lines().iter().map(|line| line.id).collect();
        assert_eq!(ids.len(), lines.len(), "an operation's name stands twice");
    }
}
