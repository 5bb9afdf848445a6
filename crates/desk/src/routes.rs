//! Every route of the gateway with the least that it asks for. The router is made of this table, so that no route is without a line,
//! and nobody is let in past it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};
use protocol::config::Role;
use service::Problem;

use crate::admin::relay;
use crate::sessions::{NotSignedIn, Session};
use crate::{
    Gateway, admin, assets, audit, canned, clienteling, consents, customer, files, mail, oidc, pages,
    protection, reach, rights, search, sessions, signin, socket,
};

type Shared = Arc<Gateway>;

/// The least that a route asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: the desk's own files, and signing in.
    Nothing,
    /// A session, also one whose agent has to choose a password before anything else.
    Session,
    /// An agent who is signed in; the logs need not be read yet.
    SignedIn,
    /// An agent who is signed in and has at least this role.
    Role(Role),
    /// An address that we signed, or an agent who is signed in and may read what it names: its handler looks.
    Link,
}

struct Route {
    method: Method,
    path: &'static str,
    needs: Needs,
    body_max_bytes: Option<usize>,
    to: MethodRouter<Shared>,
}

impl Route {
    fn with_body(self, max_bytes: usize) -> Self {
        Self { body_max_bytes: Some(max_bytes), ..self }
    }
}

/// A line of the table for whoever checks it: method, path, and the least that is asked for.
#[must_use]
pub fn listed() -> Vec<(Method, &'static str, Needs)> {
    table().into_iter().map(|route| (route.method, route.path, route.needs)).collect()
}

fn table() -> Vec<Route> {
    let agent = Needs::Role(Role::Agent);
    let lead = Needs::Role(Role::Lead);
    let mut routes = vec![
        get("/desk", Needs::Nothing, assets::index),
        get("/desk/", Needs::Nothing, assets::index),
        get("/desk/{*path}", Needs::Nothing, assets::file),
        get("/desk/report", agent, pages::report),
        get("/desk/feedback", agent, pages::feedback),
        get("/desk/floor/now", lead, pages::floor_now),
        get("/desk/floor/accounts", lead, pages::accounts),
        get("/desk/floor/hours", lead, pages::floor_hours),
        get("/desk/floor/hours.csv", lead, pages::floor_csv),
        get("/desk/why/{contact}", agent, pages::why),
        get("/desk/why/{contact}/decisions", agent, pages::decisions),
        post("/desk/search", agent, search::search).with_body(search::BODY_BYTES_MAX),
        get("/desk/history/{conversation}", agent, search::part),
        get("/desk/customer/{conversation}", agent, customer::page),
        post("/desk/customer/{conversation}/erase", lead, rights::erase).with_body(rights::BODY_BYTES_MAX),
        post("/desk/customer/{conversation}/export", lead, rights::export),
        post("/desk/customer/{conversation}/consents", agent, consents::change)
            .with_body(rights::BODY_BYTES_MAX),
        get("/desk/erasures/{id}", lead, rights::erasure),
        get("/desk/exports/{id}", lead, rights::exported),
        get("/desk/canned", agent, canned::all),
        put("/desk/canned/{name}", lead, canned::keep).with_body(canned::BODY_BYTES_MAX),
        delete("/desk/canned/{name}", lead, canned::remove),
        get("/desk/regulars", agent, clienteling::all),
        post("/desk/regulars/{arrival}/{customer}/send", agent, clienteling::send)
            .with_body(clienteling::BODY_BYTES_MAX),
        post("/desk/regulars/{arrival}/{customer}/let-go", agent, clienteling::let_go),
        get("/desk/colleagues", agent, pages::colleagues),
        get("/desk/policy", agent, pages::policy),
        get("/desk/reach", agent, reach::ways),
        post("/desk/reach", agent, reach::who).with_body(reach::BODY_BYTES_MAX),
        get("/desk/wallets", agent, pages::wallets),
        get("/desk/api/signin", Needs::Nothing, signin::ways),
        post("/desk/api/signin", Needs::Nothing, signin::sign_in).with_body(signin::BODY_BYTES_MAX),
        get("/desk/api/signin/provider", Needs::Nothing, oidc::leave),
        get("/desk/api/signin/callback", Needs::Nothing, oidc::come_back),
        post("/desk/api/signout", Needs::Nothing, signin::sign_out),
        post("/desk/api/password", Needs::Session, signin::change_password).with_body(signin::BODY_BYTES_MAX),
        get("/desk/api/sessions", Needs::Session, signin::own_sessions),
        delete("/desk/api/sessions/{id}", Needs::Session, signin::end_own_session),
        get("/desk/api/me", Needs::Session, signin::me),
        get("/desk/api/socket", Needs::SignedIn, socket::upgrade),
        post("/desk/api/files/{contact}", agent, files::upload),
        get("/desk/api/files/{contact}/{object}", Needs::Link, files::download),
        get("/desk/api/files/{contact}/{object}/{name}", agent, customer::file),
        get("/desk/api/mail/{contact}/{seq}/html", agent, mail::html),
    ];
    routes.extend(administration());
    routes
}

/// What who supervises changes.
fn administration() -> Vec<Route> {
    let supervisor = Needs::Role(Role::Supervisor);
    let administrator = Needs::Role(Role::Administrator);
    vec![
        get("/desk/admin/audit", supervisor, audit::page),
        get("/desk/admin/config", supervisor, admin::config::get),
        put("/desk/admin/config", supervisor, relay::hand_on).with_body(admin::config::BODY_BYTES_MAX),
        post("/desk/admin/agents", supervisor, admin::agents::add).with_body(relay::BODY_BYTES_MAX),
        get("/desk/admin/channels", supervisor, admin::channels::all),
        put("/desk/admin/channels/{channel}/{name}", supervisor, admin::channels::put)
            .with_body(relay::BODY_BYTES_MAX),
        delete("/desk/admin/channels/{channel}/{name}", supervisor, admin::channels::remove),
        post("/desk/admin/channels/{channel}/{name}/check", supervisor, relay::hand_on)
            .with_body(relay::BODY_BYTES_MAX),
        get("/desk/admin/policy", supervisor, admin::policy::get),
        put("/desk/admin/policy", supervisor, admin::policy::put).with_body(admin::policy::BODY_BYTES_MAX),
        post("/desk/admin/policy/check", supervisor, admin::policy::check)
            .with_body(admin::policy::BODY_BYTES_MAX),
        get("/desk/admin/keys", administrator, relay::hand_on),
        post("/desk/admin/keys", administrator, relay::hand_on).with_body(relay::BODY_BYTES_MAX),
        delete("/desk/admin/keys/{id}", administrator, relay::hand_on),
        post("/desk/admin/keys/{id}/rotate", administrator, relay::hand_on).with_body(relay::BODY_BYTES_MAX),
        get("/desk/admin/webhooks", supervisor, relay::hand_on_for_all),
        post("/desk/admin/webhooks", supervisor, relay::hand_on_for_all).with_body(relay::BODY_BYTES_MAX),
        patch("/desk/admin/webhooks/{id}", supervisor, relay::hand_on_for_all)
            .with_body(relay::BODY_BYTES_MAX),
        delete("/desk/admin/webhooks/{id}", supervisor, relay::hand_on_for_all),
        post("/desk/admin/webhooks/{id}/rotate", supervisor, relay::hand_on_for_all)
            .with_body(relay::BODY_BYTES_MAX),
        get("/desk/admin/webhooks/{id}/deliveries", supervisor, relay::hand_on_for_all),
        post("/desk/admin/webhooks/{id}/replay", supervisor, relay::hand_on_for_all)
            .with_body(relay::BODY_BYTES_MAX),
        get("/desk/admin/parked", supervisor, relay::hand_on_for_all),
        get("/desk/admin/parked/count", supervisor, admin::parked::count),
        get("/desk/admin/parked/{id}", supervisor, relay::hand_on_for_all),
        delete("/desk/admin/parked/{id}", supervisor, relay::hand_on_for_all)
            .with_body(relay::BODY_BYTES_MAX),
        post("/desk/admin/parked/{id}/replay", supervisor, relay::hand_on_for_all)
            .with_body(relay::BODY_BYTES_MAX),
        get("/desk/admin/agents/{name}/sessions", supervisor, admin::sessions),
        delete("/desk/admin/agents/{name}/sessions", supervisor, admin::end_sessions),
        delete("/desk/admin/agents/{name}/sessions/{id}", supervisor, admin::end_session),
        post("/desk/admin/agents/{name}/password", supervisor, admin::set_password)
            .with_body(signin::BODY_BYTES_MAX),
    ]
}

/// The router of the table: each route behind its door, and protection over every answer.
pub(crate) fn router(gateway: &Shared) -> Router {
    let mut router = Router::new();
    for Route { path, needs, body_max_bytes, to, .. } in table() {
        let mut to = to.route_layer(from_fn_with_state((Arc::clone(gateway), needs), guard));
        if let Some(max_bytes) = body_max_bytes {
            to = to.layer(DefaultBodyLimit::max(max_bytes));
        }
        router = router.route(path, to);
    }
    router.layer(from_fn_with_state(Arc::clone(gateway), protection::protect)).with_state(Arc::clone(gateway))
}

fn get<T: 'static>(path: &'static str, needs: Needs, handler: impl Handler<T, Shared>) -> Route {
    Route { method: Method::GET, path, needs, body_max_bytes: None, to: routing::get(handler) }
}

fn post<T: 'static>(path: &'static str, needs: Needs, handler: impl Handler<T, Shared>) -> Route {
    Route { method: Method::POST, path, needs, body_max_bytes: None, to: routing::post(handler) }
}

fn put<T: 'static>(path: &'static str, needs: Needs, handler: impl Handler<T, Shared>) -> Route {
    Route { method: Method::PUT, path, needs, body_max_bytes: None, to: routing::put(handler) }
}

fn patch<T: 'static>(path: &'static str, needs: Needs, handler: impl Handler<T, Shared>) -> Route {
    Route { method: Method::PATCH, path, needs, body_max_bytes: None, to: routing::patch(handler) }
}

fn delete<T: 'static>(path: &'static str, needs: Needs, handler: impl Handler<T, Shared>) -> Route {
    Route { method: Method::DELETE, path, needs, body_max_bytes: None, to: routing::delete(handler) }
}

/// Lets a request through to its handler if whoever sends it has what the route asks for; the handler finds their session.
async fn guard(
    State((gateway, needs)): State<(Shared, Needs)>,
    mut request: Request,
    next: Next,
) -> Response {
    match admit(&gateway, needs, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            gateway.kit.metrics.refused_total.inc(["desk", problem.code]);
            problem.into_response()
        }
    }
}

async fn admit(gateway: &Gateway, needs: Needs, request: &mut Request) -> Result<(), Problem> {
    // A page of another site may send the agent's cookie along, and must not change anything with it or listen.
    let is_safe = request.method().is_safe() && needs != Needs::SignedIn;
    if !is_safe {
        signin::require_own_origin(request.headers())?;
    }
    if needs == Needs::Nothing {
        return Ok(());
    }
    let from = signin::from(gateway, request.extensions(), request.headers());
    match session(gateway, needs, sessions::of_request(gateway, request.headers(), from).await).await {
        Ok(session) => drop(request.extensions_mut().insert(session)),
        Err(problem) if needs == Needs::Link => {
            request.extensions_mut().insert(NotSignedIn(problem));
        }
        Err(problem) => return Err(problem),
    }
    Ok(())
}

/// The session, if it is enough for what is asked.
async fn session(
    gateway: &Gateway,
    needs: Needs,
    found: Result<Session, Problem>,
) -> Result<Session, Problem> {
    let session = found?;
    let least = match needs {
        Needs::Nothing | Needs::Session => return Ok(session),
        Needs::SignedIn => None,
        Needs::Link => Some(Role::Agent),
        Needs::Role(role) => Some(role),
    };
    if session.must_change {
        return Err(signin::password_first());
    }
    let Some(least) = least else { return Ok(session) };
    pages::logs_read(gateway).await?;
    let rank = sessions::rank_now(gateway, &session).await?;
    if rank >= least { Ok(session) } else { Err(pages::not_your_role(least)) }
}
