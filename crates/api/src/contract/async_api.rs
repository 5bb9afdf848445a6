//! AsyncAPI 3: what goes over the bus, and to webhooks.

use std::collections::BTreeMap;

use protocol::SubjectToken;
use protocol::api::{
    MessageTaken, NewFacts, NewMessage, NewSignal, ProblemBody, RemedyOrder, RemedyOrderAnswer, Taken,
};
use protocol::edge::{EdgeKind, GuestQuestion, RejectionsPage, RejectionsQuestion};
use protocol::integration::bot::{BotHeld, BotHold, CommandTaken, NewBotCommand};
use protocol::integration::order::{OrderAnswered, OrdersPage};
use protocol::integration::webhook::WebhookEvent;
use protocol::integration::{ActTaken, EventsQuestion, FeedPage, NewAct, PublicLog};
use protocol::subjects::Subjects;
use serde_json::{Map, Value, json};

use crate::contract::events::types_of;
use crate::contract::shape::{self, Document, Shape, of};

/// Where something goes, what it is, and who sends it.
struct Channel {
    id: String,
    address: String,
    server: &'static str,
    about: String,
    /// `send` is ours, `receive` the other side's.
    action: &'static str,
    messages: Vec<(&'static str, Shape)>,
    replies: Vec<(&'static str, Shape)>,
}

/// What is not carried out, wherever it is told.
const PROBLEM: (&str, Shape) = ("ProblemBody", of::<ProblemBody>());

fn channels() -> Vec<Channel> {
    let mut all = webhooks();
    all.extend(EdgeKind::ALL.map(published));
    all.push(answers());
    all.push(unread());
    all.extend(GuestQuestion::ALL.map(question));
    all.extend(orders());
    all
}

fn webhooks() -> Vec<Channel> {
    let about = format!(
        "Public events, posted to an endpoint in order, one at a time. Of the log of contacts: {}. Of the log of remedies: {}. Of the log of deliveries: {}.",
        types_of(PublicLog::Contacts),
        types_of(PublicLog::Remedies),
        types_of(PublicLog::Deliveries)
    );
    vec![Channel {
        id: "webhook".into(),
        address: "{endpoint}".into(),
        server: "endpoint",
        about,
        action: "send",
        messages: vec![("WebhookEvent", of::<WebhookEvent>())],
        replies: vec![],
    }]
}

/// What is published of a kind, and what is answered when it was taken.
fn of_kind(kind: EdgeKind) -> ((&'static str, Shape), (&'static str, Shape)) {
    match kind {
        EdgeKind::Message => (("NewMessage", of::<NewMessage>()), ("MessageTaken", of::<MessageTaken>())),
        EdgeKind::Facts => (("NewFacts", of::<NewFacts>()), ("Taken", of::<Taken>())),
        EdgeKind::Signal => (("NewSignal", of::<NewSignal>()), ("Taken", of::<Taken>())),
        EdgeKind::Act => (("NewAct", of::<NewAct>()), ("ActTaken", of::<ActTaken>())),
        EdgeKind::Command => {
            (("NewBotCommand", of::<NewBotCommand>()), ("CommandTaken", of::<CommandTaken>()))
        }
        EdgeKind::Order => {
            (("RemedyOrderAnswer", of::<RemedyOrderAnswer>()), ("OrderAnswered", of::<OrderAnswered>()))
        }
    }
}

/// What of a kind is not as over HTTP.
fn noes_of_kind(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Act => "The body names the contact. Codes: contact_missing. ",
        EdgeKind::Order => "The id is the remedy's. Codes: bad_subject. ",
        EdgeKind::Message | EdgeKind::Facts | EdgeKind::Signal | EdgeKind::Command => "",
    }
}

fn published(kind: EdgeKind) -> Channel {
    let (message, taken) = of_kind(kind);
    let own = noes_of_kind(kind);
    Channel {
        id: format!("publish_{}", kind.as_str()),
        address: subject(|subjects, name, id| subjects.edge(name, kind, id).as_str().to_owned()),
        server: "bus",
        about: format!(
            "As over HTTP, with the right `{}` and the same noes. {own}What became of it is told on {}, and in the inbox that a request \
             names, if it is the integration's own; a yes has `status` 202 beside its fields.",
            kind.scope(),
            subject(|subjects, name, id| subjects.answer(name, kind, id).as_str().to_owned())
        ),
        action: "receive",
        messages: vec![message],
        replies: vec![taken, PROBLEM],
    }
}

/// What became of what was published, for who did not ask.
fn answers() -> Channel {
    let messages: BTreeMap<&str, Shape> = EdgeKind::ALL.into_iter().map(|kind| of_kind(kind).1).collect();
    let address =
        subject(|subjects, name, id| subjects.answer(name, EdgeKind::Message, id).as_str().to_owned());
    Channel {
        id: "answers".into(),
        address: address.replace(&format!(".{}.", EdgeKind::Message.as_str()), ".{kind}."),
        server: "bus",
        about: format!(
            "What became of what was published under a kind ({}) and an id.",
            EdgeKind::ALL.map(EdgeKind::as_str).join(", ")
        ),
        action: "send",
        messages: messages.into_iter().chain([PROBLEM]).collect(),
        replies: vec![],
    }
}

/// What became of what cannot be said under which kind and id.
fn unread() -> Channel {
    Channel {
        id: "answers_unread".into(),
        address: subject(|subjects, name, _| subjects.answer_unread(name).as_str().to_owned()),
        server: "bus",
        about: "What was published to a subject that is none of an edge, or with a header that asks for what an edge does not do. \
                Codes: bad_subject, header_refused."
            .into(),
        action: "send",
        messages: vec![PROBLEM],
        replies: vec![],
    }
}

fn question(question: GuestQuestion) -> Channel {
    let (about, noes, asked, page) = match question {
        GuestQuestion::Rejections => (
            "What of an integration was refused, from a cursor on.",
            "page_out_of_bounds, cursor_ahead, ",
            vec![("RejectionsQuestion", of::<RejectionsQuestion>())],
            ("RejectionsPage", of::<RejectionsPage>()),
        ),
        GuestQuestion::Events => (
            "What happened after a place in a log, in its order, with the words of customers for who has `contacts.read`.",
            "page_out_of_bounds, cursor_ahead, unknown_type, ",
            vec![("EventsQuestion", of::<EventsQuestion>())],
            ("FeedPage", of::<FeedPage>()),
        ),
        GuestQuestion::Orders => (
            "Orders for remedies that wait for this integration, the oldest first; they are answered as kind `order`, with the \
             remedy as id.",
            "",
            vec![("OrdersQuestion", of::<Document>())],
            ("OrdersPage", of::<OrdersPage>()),
        ),
        GuestQuestion::Bot => (
            "Lets a bot be there for a while.",
            "bot_unnamed, unknown_bot, hold_out_of_range, ",
            vec![("BotHold", of::<BotHold>())],
            ("BotHeld", of::<BotHeld>()),
        ),
    };
    let right = question.scope().map(|scope| format!(" It takes the right `{scope}`.")).unwrap_or_default();
    Channel {
        id: question.as_str().into(),
        address: subject(|subjects, name, _| {
            SubjectToken::new(question.as_str())
                .map(|word| subjects.ext(name, &word).as_str().to_owned())
                .unwrap_or_default()
        }),
        server: "bus",
        about: format!(
            "{about}{right} A request from its own inbox. Codes: {noes}unknown_question, scope_missing, too_many_requests, malformed_json, \
             invalid_body, bus_unavailable."
        ),
        action: "receive",
        messages: asked,
        replies: vec![page, PROBLEM],
    }
}

fn orders() -> Vec<Channel> {
    vec![Channel {
        id: "carry_out".into(),
        address: "/orders/{remedy}".into(),
        server: "shop",
        about: "An order for a remedy, PUT to the system that carries it out, under the remedy's id: the same id is the same order. \
                GET asks how it stands. Where `empowerment.orders_wait` is set, it waits to be fetched instead."
            .into(),
        action: "send",
        messages: vec![("RemedyOrder", of::<RemedyOrder>())],
        replies: vec![("RemedyOrderAnswer", of::<RemedyOrderAnswer>())],
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
        let Channel { id, address, server, about, action, messages: sent, replies } = channel;
        let mut own = Map::new();
        for (name, shape) in sent.iter().chain(&replies).copied() {
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
        found.insert(id.clone(), entry);
        let at = format!("#/channels/{id}");
        let named = |all: &[(&str, Shape)]| -> Vec<Value> {
            all.iter().map(|(name, _)| json!({ "$ref": format!("{at}/messages/{name}") })).collect()
        };
        let mut operation = json!({ "action": action, "channel": { "$ref": at }, "messages": named(&sent) });
        if let Some(fields) = operation.as_object_mut().filter(|_| !replies.is_empty()) {
            let reply = json!({ "channel": { "$ref": at }, "messages": named(&replies) });
            fields.insert("reply".into(), reply);
        }
        operations.insert(format!("{action}_{id}"), operation);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What the server lets an integration do, and what is heard of it, has its channel, with the subjects that the code has.
    #[test]
    fn everything_that_an_integration_can_publish_ask_and_hear_has_its_channel() {
        let document = document();
        let address = |id: &str| document["channels"][id]["address"].as_str().unwrap_or_default().to_owned();
        for kind in EdgeKind::ALL {
            let id = format!("publish_{}", kind.as_str());
            assert_eq!(address(&id), format!("wb.{{cell}}.edge.{{integration}}.{}.{{id}}", kind.as_str()));
            assert_eq!(document["operations"][format!("receive_{id}")]["action"], "receive");
            let replies =
                document["operations"][format!("receive_{id}")]["reply"]["messages"].as_array().unwrap();
            assert_eq!(replies.len(), 2, "{id}: a yes and a no");
        }
        for question in GuestQuestion::ALL {
            assert_eq!(
                address(question.as_str()),
                format!("wb.{{cell}}.ext.{{integration}}.{}", question.as_str())
            );
        }
        assert_eq!(address("answers"), "wb.{cell}.answers.{integration}.{kind}.{id}");
        assert_eq!(address("answers_unread"), "wb.{cell}.answers.{integration}.unread");
        let answered = document["channels"]["answers"]["messages"].as_object().unwrap();
        for kind in EdgeKind::ALL {
            assert!(answered.contains_key(of_kind(kind).1.0), "{kind:?}");
        }
    }

    #[test]
    fn every_message_has_its_schema() {
        let document = document();
        for (name, message) in document["components"]["messages"].as_object().unwrap() {
            let payload = &message["payload"];
            if let Some(at) = payload["$ref"].as_str() {
                let schema = at.strip_prefix("#/components/schemas/").unwrap();
                assert!(document["components"]["schemas"].get(schema).is_some(), "{name}: {at}");
            } else {
                assert!(payload["type"].is_string(), "{name}");
            }
        }
    }
}
