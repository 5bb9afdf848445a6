//! AsyncAPI 3: what goes over the bus, over a bot's socket, and to webhooks.

use protocol::SubjectToken;
use protocol::api::{
    MessageTaken, NewFacts, NewMessage, NewSignal, ProblemBody, RemedyOrder, RemedyOrderAnswer, Taken,
};
use protocol::edge::{EdgeKind, RejectionsPage, RejectionsQuestion};
use protocol::integration::PublicLog;
use protocol::integration::webhook::WebhookEvent;
use protocol::subjects::Subjects;
use serde_json::{Map, Value, json};

use crate::contract::events::types_of;
use crate::contract::shape::{self, Shape, of};

/// Where something goes, what it is, and who sends it.
struct Channel {
    id: &'static str,
    address: String,
    server: &'static str,
    about: String,
    /// `send` is ours, `receive` the other side's.
    action: &'static str,
    message: (&'static str, Shape),
    reply: Option<(&'static str, Shape)>,
}

fn channels() -> Vec<Channel> {
    let mut all = webhooks();
    all.extend(over_the_bus());
    all.extend(orders());
    all
}

fn webhooks() -> Vec<Channel> {
    let about = format!(
        "Public events, posted to an endpoint in order, one at a time. Of the log of contacts: {}. Of the log of remedies: {}.",
        types_of(PublicLog::Contacts),
        types_of(PublicLog::Remedies)
    );
    vec![Channel {
        id: "webhook",
        address: "{endpoint}".into(),
        server: "endpoint",
        about,
        action: "send",
        message: ("WebhookEvent", of::<WebhookEvent>()),
        reply: None,
    }]
}

fn over_the_bus() -> Vec<Channel> {
    let published = [
        (
            "publish_message",
            EdgeKind::Message,
            ("NewMessage", of::<NewMessage>()),
            ("MessageTaken", of::<MessageTaken>()),
        ),
        ("publish_facts", EdgeKind::Facts, ("NewFacts", of::<NewFacts>()), ("Taken", of::<Taken>())),
        ("publish_signal", EdgeKind::Signal, ("NewSignal", of::<NewSignal>()), ("Taken", of::<Taken>())),
    ];
    let published = published.map(|(id, kind, message, reply)| Channel {
        id,
        address: subject(|subjects, name, id| subjects.edge(name, kind, id).as_str().to_owned()),
        server: "bus",
        about: format!(
            "As over HTTP. What became of it is told on {}, and in the inbox that a request names, if it is the integration's own; \
             a no has the fields of ProblemBody.",
            subject(|subjects, name, id| subjects.answer(name, kind, id).as_str().to_owned())
        ),
        action: "receive",
        message,
        reply: Some(reply),
    });
    let rejections = Channel {
        id: "rejections",
        address: subject(|subjects, name, _| {
            SubjectToken::new("rejections")
                .map(|word| subjects.ext(name, &word).as_str().to_owned())
                .unwrap_or_default()
        }),
        server: "bus",
        about: "What of an integration was refused, from a cursor on: a request from its own inbox.".into(),
        action: "receive",
        message: ("RejectionsQuestion", of::<RejectionsQuestion>()),
        reply: Some(("RejectionsPage", of::<RejectionsPage>())),
    };
    published.into_iter().chain([rejections]).collect()
}

fn orders() -> Vec<Channel> {
    vec![Channel {
        id: "orders",
        address: "/orders/{remedy}".into(),
        server: "shop",
        about: "An order for a remedy, PUT to the system that carries it out, under the remedy's id: the same id is the same order. \
                GET asks how it stands."
            .into(),
        action: "send",
        message: ("RemedyOrder", of::<RemedyOrder>()),
        reply: Some(("RemedyOrderAnswer", of::<RemedyOrderAnswer>())),
    }]
}

/// A subject with the names in it left open.
fn subject(of: impl Fn(&Subjects, &SubjectToken, &SubjectToken) -> String) -> String {
    const OPEN: [&str; 3] = ["CELL", "INTEGRATION", "ID"];
    let [Ok(cell), Ok(name), Ok(id)] = OPEN.map(SubjectToken::new) else { return String::new() };
    let written = of(&Subjects::new(cell), &name, &id);
    let open = |word: &str| {
        if OPEN.contains(&word) { format!("{{{}}}", word.to_lowercase()) } else { word.to_owned() }
    };
    written.split('.').map(open).collect::<Vec<_>>().join(".")
}

pub(super) fn document() -> Value {
    let mut generator = shape::generator();
    let (mut found, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for channel in channels() {
        let Channel { id, address, server, about, action, message, reply } = channel;
        let mut own = Map::new();
        for (name, shape) in [Some(message), reply].into_iter().flatten() {
            let payload = shape.part(&mut generator);
            messages.insert(
                name.into(),
                json!({ "name": name, "contentType": "application/json", "payload": payload }),
            );
            own.insert(name.into(), json!({ "$ref": format!("#/components/messages/{name}") }));
        }
        let parameters: Map<String, Value> =
            address.split(['{', '}']).skip(1).step_by(2).map(|name| (name.to_owned(), json!({}))).collect();
        let mut entry = json!({
            "address": address, "description": about, "servers": [{ "$ref": format!("#/servers/{server}") }], "messages": own,
        });
        if let Some(fields) = entry.as_object_mut().filter(|_| !parameters.is_empty()) {
            fields.insert("parameters".into(), parameters.into());
        }
        found.insert(id.into(), entry);
        let at = format!("#/channels/{id}");
        let mut operation = json!({
            "action": action, "channel": { "$ref": at }, "messages": [{ "$ref": format!("{at}/messages/{}", message.0) }],
        });
        if let (Some(fields), Some((name, _))) = (operation.as_object_mut(), reply) {
            let reply = json!({ "channel": { "$ref": at }, "messages": [{ "$ref": format!("{at}/messages/{name}") }] });
            fields.insert("reply".into(), reply);
        }
        operations.insert(format!("{action}_{id}"), operation);
    }
    of::<ProblemBody>().part(&mut generator);
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Winterband", "version": env!("CARGO_PKG_VERSION"), "license": { "name": "Apache-2.0" },
            "description": "What goes over the bus, and what is posted to other systems. The HTTP API is in /api/openapi.json.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "bus": { "host": "127.0.0.1:4222", "protocol": "nats", "description": "The bus; `cell` is the setting cell.token." },
            "endpoint": { "host": "{host}", "protocol": "https", "description": "An endpoint of another system.", "variables": { "host": {} } },
            "shop": { "host": "{host}", "protocol": "https", "description": "The system that carries out remedies: empowerment.shop_url.", "variables": { "host": {} } },
        },
        "channels": found,
        "operations": operations,
        "components": { "messages": messages, "schemas": generator.take_definitions(true) },
    })
}
