//! One line for each route: what it is for, what it takes and gives, and which noes are its own.

use axum::http::Method;
use protocol::api::{
    IntegrationMade, IntegrationsListed, KeyMade, KeysListed, MessageTaken, NewFacts, NewIntegration, NewKey,
    NewMessage, NewOwnIdentity, NewSession, NewSignal, PolicyApplied, RemedyOrderAnswer, RotateIntegration,
    RotateKey, SessionMade, Taken,
};
use protocol::arrival::Arrival;
use protocol::audit::AuditPage;
use protocol::integration::bot::{BotHeld, BotHold, CommandTaken, NewBotCommand};
use protocol::integration::order::{OrderAnswered, OrdersPage};
use protocol::integration::webhook::{
    Attempts, NewWebhook, ReplayFrom, Webhook, WebhookChange, WebhookMade, Webhooks,
};
use protocol::integration::{
    ActTaken, ContactTaken, ContactsPage, FeedPage, NewAct, PublicContact, PublicLog,
};
use protocol::limits::{CONTACTS_PAGE_MAX, EVENTS_PAGE_DEFAULT as PAGE, EVENTS_PAGE_MAX as PAGE_MAX};
use protocol::policy::Policy;
use protocol::rights::ErasureState;
use serde_json::{Value, json};

use crate::config::draft::ConfigDraft;
use crate::config::{Applied, Present};
use crate::contract::shape::{Document, Shape, of};
use crate::feed::routes::WAIT_MAX_S;
use crate::parked;
use crate::{arrivals, channels, consents, contacts, customers};

/// The documentation of one route.
pub(super) struct Line {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// The operation's name in clients that are made of the document.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: Vec<Query>,
    pub(super) body: Option<Shape>,
    /// Whether the body may be left out.
    pub(super) body_optional: bool,
    /// The status of a yes, and its body; 204 has none.
    pub(super) answer: Option<(u16, Shape)>,
    /// Whether the same body may come with 202: what was asked for is not decided yet.
    pub(super) or_later: bool,
    /// Whether a yes is an archive, or 202 without one.
    pub(super) archive: bool,
    /// Noes that other routes do not have: status and codes.
    pub(super) noes: &'static [(u16, &'static str)],
}

/// What may stand in the query.
pub(super) struct Query {
    pub(super) name: &'static str,
    pub(super) schema: Value,
    pub(super) about: &'static str,
}

impl Line {
    fn takes(self, body: Shape) -> Self {
        Self { body: Some(body), ..self }
    }

    fn may_take(self, body: Shape) -> Self {
        Self { body: Some(body), body_optional: true, ..self }
    }

    fn gives(self, status: u16, shape: Shape) -> Self {
        Self { answer: Some((status, shape)), ..self }
    }

    fn or_later(self) -> Self {
        Self { or_later: true, ..self }
    }

    fn gives_archive(self) -> Self {
        Self { archive: true, ..self }
    }

    fn asks(self, query: Vec<Query>) -> Self {
        Self { query, ..self }
    }

    fn refuses(self, noes: &'static [(u16, &'static str)]) -> Self {
        Self { noes, ..self }
    }
}

fn line(method: Method, path: &'static str, id: &'static str, summary: &'static str) -> Line {
    let (query, noes) = (Vec::new(), &[][..]);
    let (body, body_optional, answer, or_later, archive) = (None, false, None, false, false);
    Line { method, path, id, summary, query, body, body_optional, answer, or_later, archive, noes }
}

fn get(path: &'static str, id: &'static str, summary: &'static str) -> Line {
    line(Method::GET, path, id, summary)
}

fn post(path: &'static str, id: &'static str, summary: &'static str) -> Line {
    line(Method::POST, path, id, summary)
}

fn put(path: &'static str, id: &'static str, summary: &'static str) -> Line {
    line(Method::PUT, path, id, summary)
}

fn patch(path: &'static str, id: &'static str, summary: &'static str) -> Line {
    line(Method::PATCH, path, id, summary)
}

fn delete(path: &'static str, id: &'static str, summary: &'static str) -> Line {
    line(Method::DELETE, path, id, summary)
}

fn query(name: &'static str, schema: Value, about: &'static str) -> Query {
    Query { name, schema, about }
}

fn cursor() -> Query {
    let schema = json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX, "default": 0 });
    query("after", schema, "What the page before gave as `next`; 0: from the beginning.")
}

fn limit(default: usize, most: usize) -> Query {
    let schema = json!({ "type": "integer", "minimum": 1, "maximum": most, "default": default });
    query("limit", schema, "About how many.")
}

/// Every line, in the order of the document.
pub(super) fn lines() -> Vec<Line> {
    [
        documents(),
        messages(),
        contacts(),
        feed(),
        webhooks(),
        empowerment(),
        clienteling(),
        keys(),
        integrations(),
        customers(),
        work(),
        parked(),
        configuration(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn documents() -> Vec<Line> {
    vec![
        get("/api/openapi.json", "openapi", "This document.").gives(200, of::<Document>()),
        get("/api/asyncapi.json", "asyncapi", "The document of what goes over the bus and to webhooks.")
            .gives(200, of::<Document>()),
        get(
            "/api/schemas/{name}",
            "schema",
            "The JSON Schema of one body or event: its name, with .json behind it or not.",
        )
        .gives(200, of::<Document>())
        .refuses(&[(404, "unknown_schema")]),
    ]
}

const NOES_OF_MESSAGES: &[(u16, &str)] = &[
    (400, "malformed"),
    (404, "unknown_account"),
    (413, "too_large_to_keep"),
    (
        422,
        "text_too_long, text_empty, name_too_long, field_too_long, field_empty, category_malformed, language_malformed, facts_malformed, too_many_facts, too_many_attachments",
    ),
    (507, "storage_full, parked_full"),
];

fn messages() -> Vec<Line> {
    vec![
        post("/api/v1/messages", "publishMessage", "Publishes a customer's message. 202: it is durable. The same `id` with the same content is the same message.")
            .takes(of::<NewMessage>())
            .gives(202, of::<MessageTaken>())
            .refuses(NOES_OF_MESSAGES),
    ]
}

fn contacts() -> Vec<Line> {
    let word = json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$" });
    let states = json!({ "type": "string", "enum": ["waiting", "gathered", "offered", "with_agent", "aside", "wrap_up", "resolved", "abandoned"] });
    vec![
        get("/api/v1/contacts", "contacts", "Contacts in the order in which they were opened, without words.")
            .asks(vec![
                cursor(),
                limit(contacts::PAGE, CONTACTS_PAGE_MAX - 1),
                query("state", states, "Only those that stand so."),
                query("queue", word, "Only those whose last queue this is."),
            ])
            .gives(200, of::<ContactsPage>())
            .refuses(&[(422, "query_malformed, limit_out_of_range"), (503, "views_silent")]),
        post("/api/v1/contacts", "openContact", "Publishes a message and says which contact it opened, or went to; 202 while that is not decided.")
            .takes(of::<NewMessage>())
            .gives(201, of::<ContactTaken>())
            .or_later()
            .refuses(NOES_OF_MESSAGES),
        get("/api/v1/contacts/{id}", "contact", "One contact with what was said in it.")
            .gives(200, of::<PublicContact>())
            .refuses(&[(404, "unknown_contact"), (503, "views_silent")]),
        post("/api/v1/contacts/{id}/acts", "actOnContact", "Tags a contact, fills its fields in, or writes a note for agents; 202 while that is not decided. The same `id` is the same act.")
            .takes(of::<NewAct>())
            .gives(200, of::<ActTaken>())
            .or_later()
            .refuses(&[
                (404, "unknown_contact"),
                (409, "too_old, too_many_tags, contact_closed"),
                (413, "too_large_to_keep"),
                (422, "one_act, text_empty, text_too_long, unknown_tag, unknown_field, too_long"),
                (507, "storage_full"),
            ]),
    ]
}

fn feed() -> Vec<Line> {
    let logs = json!({ "type": "string", "enum": PublicLog::ALL, "default": "contacts" });
    let words = json!({ "type": "string", "maxLength": 1000 });
    let wait = json!({ "type": "integer", "minimum": 0, "maximum": WAIT_MAX_S, "default": 0 });
    vec![
        get("/api/v1/events", "events", "What happened after a place in a log, in its order. Words are in it for keys that may read contacts.")
            .asks(vec![
                cursor(),
                limit(PAGE, PAGE_MAX),
                query("wait", wait, "Seconds to wait for something to happen when nothing has."),
                query("log", logs, "Which log; each has a cursor of its own."),
                query("types", words, "Only these types, with commas between them."),
            ])
            .gives(200, of::<FeedPage>())
            .refuses(&[
                (410, "cursor_ahead"),
                (422, "query_malformed, limit_out_of_range, wait_out_of_range, unknown_type"),
                (429, "too_many_waiting"),
            ]),
    ]
}

fn webhooks() -> Vec<Line> {
    const NOT_THERE: (u16, &str) = (404, "unknown_webhook");
    const CHANGED: (u16, &str) = (409, "changed_meanwhile");
    vec![
        get("/api/v1/webhooks", "webhooks", "All endpoints that are posted events.").gives(200, of::<Webhooks>()),
        post("/api/v1/webhooks", "makeWebhook", "Makes an endpoint. Its secret is shown once. Its log and types never change, so that its numbers have no gaps.")
            .takes(of::<NewWebhook>())
            .gives(201, of::<WebhookMade>())
            .refuses(&[
                CHANGED,
                (410, "cursor_ahead"),
                (422, "address_refused, name_too_long, unknown_type, too_many_webhooks"),
                (507, "storage_full"),
            ]),
        get("/api/v1/webhooks/{id}", "webhook", "One endpoint and how it does.")
            .gives(200, of::<Webhook>())
            .refuses(&[NOT_THERE]),
        patch("/api/v1/webhooks/{id}", "changeWebhook", "Changes its address or name, stops it, or lets it go on.")
            .takes(of::<WebhookChange>())
            .gives(200, of::<Webhook>())
            .refuses(&[NOT_THERE, CHANGED, (422, "address_refused, name_too_long"), (507, "storage_full")]),
        delete("/api/v1/webhooks/{id}", "endWebhook", "Ends an endpoint and destroys its secrets.").refuses(&[NOT_THERE]),
        post("/api/v1/webhooks/{id}/rotate", "rotateWebhook", "Makes a new secret; each old one signs too for a day.")
            .gives(200, of::<WebhookMade>())
            .refuses(&[NOT_THERE, (409, "changed_meanwhile, too_many_secrets"), (507, "storage_full")]),
        post("/api/v1/webhooks/{id}/replay", "replayWebhook", "Posts everything again from a number on, under the same numbers and ids.")
            .takes(of::<ReplayFrom>())
            .gives(202, of::<Webhook>())
            .refuses(&[NOT_THERE, CHANGED, (422, "number_out_of_range"), (507, "storage_full")]),
        get("/api/v1/webhooks/{id}/deliveries", "webhookDeliveries", "The last thousand attempts, the latest first.")
            .gives(200, of::<Attempts>())
            .refuses(&[NOT_THERE]),
    ]
}

fn empowerment() -> Vec<Line> {
    vec![
        post("/api/v1/facts", "tellFacts", "Tells facts about an order or a customer.")
            .takes(of::<NewFacts>())
            .gives(202, of::<Taken>())
            .refuses(&[
                (403, "not_your_source"),
                (413, "too_large_to_keep"),
                (422, "facts_count, bad_identity"),
                (507, "storage_full"),
            ]),
        post("/api/v1/signals", "tellSignal", "Tells a reason to look twice at a customer.")
            .takes(of::<NewSignal>())
            .gives(202, of::<Taken>())
            .refuses(&[
                (403, "not_your_source"),
                (413, "too_large_to_keep"),
                (422, "bad_identity"),
                (507, "storage_full"),
            ]),
        post(
            "/api/v1/own-identities",
            "tellOwnIdentity",
            "Says that an identity is an agent's own, who gives nothing to it.",
        )
        .takes(of::<NewOwnIdentity>())
        .gives(202, of::<Taken>())
        .refuses(&[
            (404, "unknown_agent"),
            (413, "too_large_to_keep"),
            (422, "bad_identity"),
            (507, "storage_full"),
        ]),
    ]
}

fn clienteling() -> Vec<Line> {
    vec![
        post(
            "/api/v1/arrivals",
            "tellArrival",
            "Tells what has come and whom it suits: agents have drafts for their regulars. The same `id` with the same content is the same arrival.",
        )
        .takes(of::<Arrival>())
        .gives(202, of::<arrivals::Taken>())
        .refuses(&[
            (409, "arrival_differs, too_many_arrivals"),
            (413, "too_large_to_keep"),
            (422, "bad_arrival, unknown_queue"),
            (507, "storage_full"),
        ]),
        delete("/api/v1/arrivals/{id}", "endArrival", "Calls an arrival off: its drafts are gone.")
            .refuses(&[(404, "unknown_arrival")]),
    ]
}

fn keys() -> Vec<Line> {
    const NOT_THERE: (u16, &str) = (404, "unknown_key");
    vec![
        post(
            "/api/v1/sessions",
            "makeSession",
            "Signs an agent in: for a rehearsal, or a bot by its own key.",
        )
        .takes(of::<NewSession>())
        .gives(201, of::<SessionMade>())
        .refuses(&[(403, "admin_only"), (404, "unknown_agent")]),
        get("/api/v1/keys", "keys", "All keys, without the keys themselves.").gives(200, of::<KeysListed>()),
        post(
            "/api/v1/keys",
            "makeKey",
            "Makes a key: with rights, or one that signs in as a bot. It is shown once.",
        )
        .takes(of::<NewKey>())
        .gives(201, of::<KeyMade>())
        .refuses(&[
            (403, "admin_only, not_your_source"),
            (404, "unknown_agent"),
            (422, "agent_or_scopes, no_scopes, key_name, key_days, too_many_keys"),
        ]),
        post(
            "/api/v1/keys/{id}/rotate",
            "rotateKey",
            "Makes a key in its place; the old one works for a while.",
        )
        .may_take(of::<RotateKey>())
        .gives(201, of::<KeyMade>())
        .refuses(&[
            (403, "admin_only, not_your_source"),
            NOT_THERE,
            (409, "changed_meanwhile"),
            (422, "overlap_too_long, key_replaced, too_many_keys"),
        ]),
        delete("/api/v1/keys/{id}", "endKey", "Ends a key at once.")
            .refuses(&[(403, "admin_only, not_your_source"), NOT_THERE]),
    ]
}

fn integrations() -> Vec<Line> {
    const NOT_THERE: (u16, &str) = (404, "no_such_integration");
    vec![
        get("/api/v1/audit", "audit", "The audit trail: who changed what, and who looked into whose file.")
            .asks(vec![cursor(), limit(PAGE, bus::AUDIT_PAGE_MAX)])
            .gives(200, of::<AuditPage>())
            .refuses(&[(422, "query_malformed, limit_out_of_range"), (500, "audit_broken")]),
        get("/api/v1/integrations", "integrations", "The systems that speak NATS with us.")
            .gives(200, of::<IntegrationsListed>()),
        post(
            "/api/v1/integrations",
            "makeIntegration",
            "Lets a system speak NATS with us. Its seed is shown once.",
        )
        .takes(of::<NewIntegration>())
        .gives(201, of::<IntegrationMade>())
        .refuses(&[
            (409, "integration_exists, made_by_operator"),
            (422, "bad_name, bad_scopes, too_many_accounts, accounts_missing, bad_rate, bad_key, key_in_use, too_many_integrations"),
            (507, "storage_full"),
        ]),
        post(
            "/api/v1/integrations/{name}/rotate",
            "rotateIntegration",
            "Gives it one key more, or ends all but the newest.",
        )
        .may_take(of::<RotateIntegration>())
        .gives(201, of::<IntegrationMade>())
        .refuses(&[
            NOT_THERE,
            (409, "changed_meanwhile, made_by_operator"),
            (422, "end_or_add, bad_key, key_in_use, too_many_keys"),
            (507, "storage_full"),
        ]),
        delete("/api/v1/integrations/{name}", "endIntegration", "Takes its keys and its edge away.")
            .refuses(&[NOT_THERE, (409, "made_by_operator")]),
    ]
}

fn customers() -> Vec<Line> {
    const NOT_THERE: (u16, &str) = (404, "unknown_customer");
    const WRONG: (u16, &str) = (422, "customer_unnamed, identity_too_long");
    const SILENT: (u16, &str) = (503, "rights_silent");
    vec![
        post(
            "/api/v1/customers/consents",
            "changeConsent",
            "Writes down what a customer agreed to, or no longer agrees to.",
        )
        .takes(of::<consents::Said>())
        .gives(200, of::<Vec<consents::OfIdentity>>())
        .refuses(&[
            NOT_THERE,
            WRONG,
            (422, "unknown_purpose, field_too_long"),
            (503, "views_silent"),
        ]),
        post("/api/v1/customers/consents/list", "consents", "What a customer agreed to.")
            .takes(of::<consents::Of>())
            .gives(200, of::<Vec<consents::OfIdentity>>())
            .refuses(&[NOT_THERE, WRONG, (503, "views_silent")]),
        post(
            "/api/v1/customers/erase",
            "eraseCustomer",
            "Destroys the keys of a customer: nothing of theirs can be read any more.",
        )
        .takes(of::<customers::Asked>())
        .gives(202, of::<ErasureState>())
        .refuses(&[
            NOT_THERE,
            (409, "contacts_open, too_many_identities, id_taken"),
            WRONG,
            (422, "id_malformed"),
            SILENT,
        ]),
        get("/api/v1/erasures/{id}", "erasure", "How an erasure stands, and its certificate.")
            .gives(200, of::<ErasureState>())
            .refuses(&[(404, "unknown_erasure"), SILENT]),
        post(
            "/api/v1/customers/export",
            "exportCustomer",
            "Puts together all that is held about a customer.",
        )
        .takes(of::<customers::Asked>())
        .gives(202, of::<customers::Exporting>())
        .refuses(&[
            NOT_THERE,
            (409, "too_many_identities, id_taken"),
            WRONG,
            (422, "id_malformed"),
            SILENT,
        ]),
        get(
            "/api/v1/exports/{id}",
            "export",
            "What was put together, as a tar archive; 202 while it is not whole.",
        )
        .gives_archive()
        .refuses(&[(410, "export_gone"), (422, "id_malformed")]),
    ]
}

/// What bots do without a desk, and orders that are fetched.
fn work() -> Vec<Line> {
    vec![
        put("/api/v1/bots/{name}", "holdBot", "Lets a bot be there for a while: it is offered contacts, as the feed tells.")
            .may_take(of::<BotHold>())
            .gives(200, of::<BotHeld>())
            .refuses(&[(404, "unknown_bot"), (413, "too_large_to_keep"), (422, "hold_out_of_range"), (507, "storage_full")]),
        post("/api/v1/bots/{name}/commands", "commandOfBot", "What a bot does; 202 while that is not decided. The same `id` is the same command.")
            .takes(of::<NewBotCommand>())
            .gives(200, of::<CommandTaken>())
            .or_later()
            .refuses(&[
                (404, "unknown_bot, unknown_contact, unknown_agent"),
                (409, "offer_ended, not_yours, contact_closed, colleague_not_there, no_room, not_bot, too_old"),
                (413, "too_large_to_keep"),
                (422, "text_empty, text_too_long, unknown_queue, unknown_disposition, field_missing, too_long"),
                (507, "storage_full"),
            ]),
        get("/api/v1/orders", "orders", "Orders for remedies that wait for an answer, the oldest first, where `empowerment.orders_wait` is set.")
            .gives(200, of::<OrdersPage>()),
        put("/api/v1/orders/{id}/answer", "answerOrder", "Says what became of an order. The first answer holds; the same again is the same.")
            .takes(of::<RemedyOrderAnswer>())
            .gives(200, of::<OrderAnswered>())
            .refuses(&[
                (404, "unknown_order"),
                (409, "order_answered"),
                (413, "too_large_to_keep"),
                (422, "answer_not_final, bad_reference, bad_reason"),
                (507, "storage_full"),
            ]),
    ]
}

fn parked() -> Vec<Line> {
    const NOT_THERE: (u16, &str) = (404, "not_parked");
    vec![
        get("/api/v1/parked", "parked", "What could not be used and waits for a person, without its words.")
            .asks(vec![
                cursor(),
                query(
                    "limit",
                    json!({ "type": "integer", "minimum": 0, "maximum": parked::PAGE_MAX, "default": parked::PAGE }),
                    "About how many; 0 tells only how many wait in all.",
                ),
                query("order", json!({ "type": "string", "enum": ["oldest", "newest"], "default": "oldest" }), "Which come first."),
            ])
            .gives(200, of::<parked::Listed>())
            .refuses(&[(422, "query_malformed, limit_out_of_range")]),
        get("/api/v1/parked/{id}", "parkedItem", "One of them, with its words.")
            .asks(vec![
                query("from", json!({ "type": "integer", "minimum": 0, "default": 0 }), "Where the part of its bytes begins."),
                query("length", json!({ "type": "integer", "minimum": 0 }), "How many of its bytes; all, if it is not said."),
            ])
            .gives(200, of::<parked::Shown>())
            .refuses(&[NOT_THERE, (410, "erased"), (422, "query_malformed")]),
        delete("/api/v1/parked/{id}", "dismissParked", "Lets it go: its bytes are deleted.")
            .may_take(of::<parked::Dismissal>())
            .gives(200, of::<parked::Dismissed>())
            .refuses(&[NOT_THERE, (507, "storage_full")]),
        post("/api/v1/parked/{id}/replay", "replayParked", "Tries it again, after the cause was mended.")
            .asks(vec![query(
                "wait",
                json!({ "type": "integer", "minimum": 0, "maximum": parked::replay::WAIT_MAX_S, "default": 0 }),
                "Seconds to wait for what becomes of it.",
            )])
            .gives(202, of::<parked::replay::Replayed>())
            .refuses(&[
                (400, "malformed"),
                (404, "not_parked, unknown_account"),
                (409, "later_version, unreadable, not_a_message, not_replayable"),
                (410, "erased"),
                (422, "query_malformed, wait_out_of_range, text_too_long, text_empty, name_too_long, field_too_long, field_empty, category_malformed, language_malformed"),
                (507, "storage_full"),
            ]),
    ]
}

fn configuration() -> Vec<Line> {
    vec![
        get("/api/v1/config", "config", "The routing configuration in force.").gives(200, of::<Present>()),
        put("/api/v1/config", "putConfig", "Replaces the routing configuration as a whole, at once.")
            .asks(vec![query(
                "if_hash",
                json!({ "type": "string", "pattern": "^[0-9a-f]{32}$" }),
                "The hash of the configuration that it was made from: refused where another one is in force.",
            )])
            .takes(of::<ConfigDraft>())
            .gives(200, of::<Applied>())
            .refuses(&[
                (403, "beyond_you"),
                (409, "config_changed"),
                (413, "too_large_to_keep"),
                (422, "config_faulty"),
                (503, "crowded"),
                (504, "outcome_open"),
                (507, "storage_full"),
            ]),
        get("/api/v1/channels", "channels", "How accounts of channels are reached, without their secrets.")
            .gives(200, of::<channels::All>()),
        put(
            "/api/v1/channels/{channel}/{name}",
            "putChannel",
            "Sets an account up, or anew; it works at once.",
        )
        .takes(of::<channels::New>())
        .gives(200, of::<channels::Stored>())
        .refuses(&[
            (403, "beyond_you"),
            (404, "unknown_channel"),
            (409, "account_changed"),
            (413, "too_large_to_keep"),
            (422, "channel_faulty, settings_too_large, too_many_accounts"),
            (503, "channels_silent"),
            (507, "storage_full"),
        ]),
        delete(
            "/api/v1/channels/{channel}/{name}",
            "removeChannel",
            "Takes an account away; what waits for it stays.",
        )
        .refuses(&[(403, "beyond_you"), (404, "unknown_channel")]),
        post(
            "/api/v1/channels/{channel}/{name}/check",
            "checkChannel",
            "Tries an account; sends nobody anything.",
        )
        .may_take(of::<channels::Tried>())
        .gives(200, of::<channels::Findings>())
        .refuses(&[
            (403, "beyond_you"),
            (404, "unknown_channel, not_set_up"),
            (422, "channel_faulty, settings_too_large"),
            (503, "channels_silent"),
        ]),
        policy(),
    ]
}

fn policy() -> Line {
    put("/api/v1/policy", "putPolicy", "Replaces the policy of what agents may give as a whole, at once.")
        .asks(vec![query(
            "if_hash",
            json!({ "type": "string", "pattern": "^[0-9a-f]{32}$" }),
            "The hash of the policy that it was made from, zeros for none: refused where another one is in force.",
        )])
        .takes(of::<Policy>())
        .gives(200, of::<PolicyApplied>())
        .refuses(&[
            (403, "beyond_you"),
            (409, "policy_changed"),
            (413, "too_large_to_keep"),
            (422, "policy_faulty"),
            (503, "worker_silent"),
            (504, "outcome_open"),
            (507, "storage_full"),
        ])
}
