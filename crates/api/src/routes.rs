//! Every route of this API with what it asks of its caller. The router is made of this table, so that no route is without a line,
//! and nobody is let in past it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{self, MethodRouter};
use protocol::signin::Scope;

use crate::door::{self, Bound};
use crate::{
    CONFIG_BYTES_MAX, REQUEST_WAIT_MAX, REQUESTS_AT_ONCE_MAX, Shared, acts, arrivals, bots, channels, config,
    consents, contacts, contract, customers, empowerment, feed, integrations, keys, message, orders, parked,
    policy, problems, sessions, trail, webhooks,
};

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// A key with this right.
    Scope(Scope),
    /// An administrator's key, or one that signs in as an agent, for that agent.
    Usher,
    /// Nothing: what everybody may read.
    Nothing,
}

/// One route of the table.
struct Route {
    method: Method,
    path: &'static str,
    needs: Needs,
    /// Largest body, bytes, where it is another one than `limits.body_max`.
    body_max_bytes: Option<usize>,
    to: MethodRouter<Shared>,
}

impl Route {
    fn with_body(self, max_bytes: usize) -> Self {
        Self { body_max_bytes: Some(max_bytes), ..self }
    }
}

/// A line of the table for whoever checks it: method, path, and what is asked of the caller.
#[must_use]
pub fn listed() -> Vec<(Method, &'static str, Needs)> {
    table().into_iter().map(|route| (route.method, route.path, route.needs)).collect()
}

fn table() -> Vec<Route> {
    use Needs::Usher;
    use Scope::{
        AccountsManage, AuditRead, BotsAct, ConfigRead, ConfigWrite, ContactsRead, ContactsWrite,
        CustomersErase, CustomersExport, EventsRead, FactsWrite, MessagesWrite, OrdersAnswer, ParkedManage,
        WebhooksManage,
    };
    vec![
        get("/api/openapi.json", Needs::Nothing, contract::openapi),
        get("/api/asyncapi.json", Needs::Nothing, contract::asyncapi),
        get("/api/schemas/{name}", Needs::Nothing, contract::schema),
        post("/api/v1/messages", Needs::Scope(MessagesWrite), message::post),
        get("/api/v1/contacts", Needs::Scope(ContactsRead), contacts::list),
        post("/api/v1/contacts", Needs::Scope(ContactsWrite), contacts::open),
        get("/api/v1/contacts/{id}", Needs::Scope(ContactsRead), contacts::show),
        post("/api/v1/contacts/{id}/acts", Needs::Scope(ContactsWrite), acts::post),
        get("/api/v1/events", Needs::Scope(EventsRead), feed::routes::get),
        put("/api/v1/bots/{name}", Needs::Scope(BotsAct), bots::put),
        post("/api/v1/bots/{name}/commands", Needs::Scope(BotsAct), bots::post),
        get("/api/v1/orders", Needs::Scope(OrdersAnswer), orders::get),
        put("/api/v1/orders/{id}/answer", Needs::Scope(OrdersAnswer), orders::put_answer),
        get("/api/v1/webhooks", Needs::Scope(WebhooksManage), webhooks::routes::list),
        post("/api/v1/webhooks", Needs::Scope(WebhooksManage), webhooks::routes::make),
        get("/api/v1/webhooks/{id}", Needs::Scope(WebhooksManage), webhooks::routes::show),
        patch("/api/v1/webhooks/{id}", Needs::Scope(WebhooksManage), webhooks::routes::change),
        delete("/api/v1/webhooks/{id}", Needs::Scope(WebhooksManage), webhooks::routes::end),
        post("/api/v1/webhooks/{id}/rotate", Needs::Scope(WebhooksManage), webhooks::routes::rotate),
        post("/api/v1/webhooks/{id}/replay", Needs::Scope(WebhooksManage), webhooks::routes::replay),
        get("/api/v1/webhooks/{id}/deliveries", Needs::Scope(WebhooksManage), webhooks::routes::deliveries),
        get("/api/v1/channels", Needs::Scope(ConfigRead), channels::list),
        put("/api/v1/channels/{channel}/{name}", Needs::Scope(ConfigWrite), channels::put),
        delete("/api/v1/channels/{channel}/{name}", Needs::Scope(ConfigWrite), channels::remove),
        post("/api/v1/channels/{channel}/{name}/check", Needs::Scope(ConfigWrite), channels::check),
        get("/api/v1/config", Needs::Scope(ConfigRead), config::get),
        put("/api/v1/config", Needs::Scope(ConfigWrite), config::put).with_body(CONFIG_BYTES_MAX),
        put("/api/v1/policy", Needs::Scope(ConfigWrite), policy::put).with_body(CONFIG_BYTES_MAX),
        post("/api/v1/facts", Needs::Scope(FactsWrite), empowerment::facts),
        post("/api/v1/signals", Needs::Scope(FactsWrite), empowerment::signal),
        post("/api/v1/arrivals", Needs::Scope(FactsWrite), arrivals::post),
        delete("/api/v1/arrivals/{id}", Needs::Scope(FactsWrite), arrivals::end),
        post("/api/v1/own-identities", Needs::Scope(AccountsManage), empowerment::own_identity),
        post("/api/v1/sessions", Usher, sessions::post),
        get("/api/v1/keys", Needs::Scope(AccountsManage), keys::manage::list),
        post("/api/v1/keys", Needs::Scope(AccountsManage), keys::manage::make),
        post("/api/v1/keys/{id}/rotate", Needs::Scope(AccountsManage), keys::manage::rotate),
        delete("/api/v1/keys/{id}", Needs::Scope(AccountsManage), keys::manage::revoke),
        get("/api/v1/audit", Needs::Scope(AuditRead), trail::list),
        get("/api/v1/integrations", Needs::Scope(AccountsManage), integrations::get_all),
        post("/api/v1/integrations", Needs::Scope(AccountsManage), integrations::post),
        post("/api/v1/integrations/{name}/rotate", Needs::Scope(AccountsManage), integrations::post_rotate),
        delete("/api/v1/integrations/{name}", Needs::Scope(AccountsManage), integrations::delete),
        post("/api/v1/customers/consents", Needs::Scope(ContactsWrite), consents::change),
        post("/api/v1/customers/consents/list", Needs::Scope(ContactsRead), consents::list),
        post("/api/v1/customers/erase", Needs::Scope(CustomersErase), customers::erase),
        get("/api/v1/erasures/{id}", Needs::Scope(CustomersErase), customers::erasure),
        post("/api/v1/customers/export", Needs::Scope(CustomersExport), customers::export),
        get("/api/v1/exports/{id}", Needs::Scope(CustomersExport), customers::exported),
        get("/api/v1/parked", Needs::Scope(ParkedManage), parked::list),
        get("/api/v1/parked/{id}", Needs::Scope(ParkedManage), parked::show),
        delete("/api/v1/parked/{id}", Needs::Scope(ParkedManage), parked::dismiss),
        post("/api/v1/parked/{id}/replay", Needs::Scope(ParkedManage), parked::replay::post),
    ]
}

/// The router of the table: each route behind its door, all of them bounded.
pub(crate) fn router(api: Shared) -> Router {
    let body_max = api.kit.settings.limits.body_max_bytes;
    let bound = Bound::new(REQUESTS_AT_ONCE_MAX, REQUEST_WAIT_MAX, api.kit.metrics.clone());
    let mut router = Router::new();
    for Route { path, needs, body_max_bytes, to, .. } in table() {
        let guard = from_fn_with_state((Arc::clone(&api), needs), door::guard);
        let limit = DefaultBodyLimit::max(body_max_bytes.unwrap_or(body_max));
        router = router.route(path, to.route_layer(guard).layer(limit));
    }
    router
        .layer(from_fn(text_path))
        .layer(from_fn_with_state(bound, door::bounded))
        .layer(from_fn(door::protect))
        .with_state(api)
}

/// Refuses a path whose escapes are no text, in the form of every other no.
async fn text_path(request: Request, next: Next) -> Response {
    if is_text(request.uri().path()) {
        next.run(request).await
    } else {
        problems::path_malformed().into_response()
    }
}

fn is_text(path: &str) -> bool {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let digit =
            |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let escaped =
            (byte == b'%').then(|| Some(digit(ahead.next())? * 16 + digit(ahead.next())?)).flatten();
        if escaped.is_some() {
            rest = ahead;
        }
        bytes.push(escaped.unwrap_or(byte));
    }
    std::str::from_utf8(&bytes).is_ok()
}

fn line(method: Method, path: &'static str, needs: Needs, to: MethodRouter<Shared>) -> Route {
    Route { method, path, needs, body_max_bytes: None, to }
}

fn get<T: 'static>(path: &'static str, needs: Needs, handler: impl Handler<T, Shared>) -> Route {
    line(Method::GET, path, needs, routing::get(handler))
}

fn post<T: 'static>(path: &'static str, needs: Needs, handler: impl Handler<T, Shared>) -> Route {
    line(Method::POST, path, needs, routing::post(handler))
}

fn put<T: 'static>(path: &'static str, needs: Needs, handler: impl Handler<T, Shared>) -> Route {
    line(Method::PUT, path, needs, routing::put(handler))
}

fn patch<T: 'static>(path: &'static str, needs: Needs, handler: impl Handler<T, Shared>) -> Route {
    line(Method::PATCH, path, needs, routing::patch(handler))
}

fn delete<T: 'static>(path: &'static str, needs: Needs, handler: impl Handler<T, Shared>) -> Route {
    line(Method::DELETE, path, needs, routing::delete(handler))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_a_path_are_text_or_refused() {
        for text in ["/api/v1/parked", "/%41", "/%c3%a9", "/%zz", "/%", "/%4"] {
            assert!(is_text(text), "{text}");
        }
        for wrong in ["/%ff", "/%c3", "/a%80b"] {
            assert!(!is_text(wrong), "{wrong}");
        }
    }
}
