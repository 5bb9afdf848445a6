//! Every route of the gateway with everybody who can ask for it: complete, because both come from the table that the router is made of.

use bus::places;
use desk::Needs;
use protocol::config::{Agent, Role};
use protocol::signin::SessionRow;
use protocol::{AgentId, Millis, SubjectToken};
use reqwest::{Method, Response};
use serde_json::Value;

use crate::world::World;

/// What a door says that does not let in.
const AT_THE_DOOR: [&str; 4] = ["signed_out", "password_first", "leads_only", "role_missing"];

fn agent(role: Role) -> AgentId {
    AgentId(uuid::Uuid::from_u128(10 + role as u128))
}

async fn with_all_roles() -> World {
    let mut world = World::start_with(&[("WINTERBAND_HTTP__TRUSTED_PROXIES", "[\"127.0.0.1\"]")]).await;
    let agents = Role::ALL.map(|role| Agent {
        role,
        title: role.as_str().to_owned(),
        ..Agent::new(agent(role), SubjectToken::new(role.as_str()).unwrap())
    });
    world.configure_with(agents.into()).await;
    world.until_configured(agent(Role::Administrator), Role::Administrator).await;
    let sessions = world.bus.ensure_bucket(&places::sessions()).await.unwrap();
    let now = Millis(world.kit.clock.unix_ms());
    let row =
        |role| SessionRow { rank: Some(role), ..SessionRow::new(agent(role), now, now.plus(3_600_000)) };
    let mut rows: Vec<_> = Role::ALL.map(|role| (role.as_str().to_owned(), row(role))).into();
    // Somebody who could do everything, were it not that they have to choose a password first.
    rows.push(("must-change".to_owned(), SessionRow { must_change: true, ..row(Role::Administrator) }));
    rows.push(("over".to_owned(), SessionRow { until: now, ..row(Role::Administrator) }));
    let idle = Millis(now.0 - 24 * 3_600_000);
    rows.push(("idle".to_owned(), SessionRow { begun_at: Some(idle), ..row(Role::Administrator) }));
    rows.push(("ended".to_owned(), row(Role::Administrator)));
    for (token, row) in rows {
        let row = serde_json::to_vec(&row).unwrap();
        sessions.put(&bus::token_hash(&token), row.into()).await.unwrap();
    }
    sessions.delete(&bus::token_hash("ended")).await.unwrap();
    world
}

/// The path with something in each of its places that reads and names nothing.
fn filled(path: &str) -> String {
    let object = "00000000000000000000000000000001";
    path.replace("{*path}", "nothing")
        .replace("{contact}", "con_7_7")
        .replace("{conversation}", "cnv_7_7")
        .replace("{arrival}", "nothing")
        .replace("{customer}", "idn_00000000000000000000000000000001")
        .replace("{channel}", "webhook")
        .replace("{object}", object)
        .replace("{seq}", "1")
        .replace("{name}", "nobody")
        .replace("{id}", "ses_0")
}

async fn ask(world: &World, method: &Method, path: &str, token: &str, more: &[(&str, &str)]) -> Response {
    let mut request = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
        .request(method.clone(), world.url(&filled(path)))
        .header("cookie", format!("wb_session={token}"));
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn is_protected(response: &Response, route: &str) {
    let header = |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap());
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(header(name), value, "{route}: {name}");
    }
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src") && !policy.contains("unsafe"), "{route}: {policy}");
    assert!(policy.contains("frame-ancestors") || policy.contains("sandbox"), "{route}: {policy}");
    assert!(header("permissions-policy").contains("camera=()"), "{route}");
    assert!(!header("cache-control").is_empty(), "{route}");
}

async fn code(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_route_lets_in_who_has_its_role_and_nobody_else() {
    let world = with_all_roles().await;
    let everybody =
        Role::ALL.map(Role::as_str).into_iter().chain(["must-change", "over", "idle", "ended", ""]);
    let everybody: Vec<&str> = everybody.collect();
    for (n, (method, path, needs)) in desk::listed().into_iter().enumerate() {
        // One address may show only so many sessions that are not there.
        let address = format!("192.0.2.{n}");
        for &who in &everybody {
            if path.ends_with("/signout") && !who.is_empty() {
                continue;
            }
            let route = format!("{method} {path} by {who:?}");
            let response = ask(&world, &method, path, who, &[("x-forwarded-for", &address)]).await;
            is_protected(&response, &route);
            let (status, code) = code(response).await;
            let role = Role::ALL.into_iter().find(|role| role.as_str() == who);
            let expected = match (needs, who) {
                (Needs::Nothing, _) | (Needs::Session, "must-change") => "",
                (_, "over" | "idle" | "ended" | "") => "signed_out",
                (_, "must-change") => "password_first",
                (Needs::Session | Needs::SignedIn, _) => "",
                (Needs::Link, _) => "",
                (Needs::Role(least), _) if role.unwrap() >= least => "",
                (Needs::Role(Role::Lead), _) => "leads_only",
                (Needs::Role(_), _) => "role_missing",
            };
            if expected.is_empty() {
                assert!(!AT_THE_DOOR.contains(&code.as_str()), "{route}: {status} {code}");
                assert_ne!(status, 401, "{route}: {code}");
            } else {
                assert_eq!(code, expected, "{route}: {status}");
                assert_eq!(status, if expected == "signed_out" { 401 } else { 403 }, "{route}");
            }
        }
    }
}

/// A page of another site makes a browser send the agent's cookie, and gets nothing done with it.
#[tokio::test]
async fn nothing_is_changed_from_another_site() {
    let world = with_all_roles().await;
    let own = format!("http://{}", world.address);
    for (method, path, needs) in desk::listed() {
        if method.is_safe() && needs != Needs::SignedIn {
            continue;
        }
        for foreign in [
            &[("origin", "http://evil.example")][..],
            &[("origin", "null")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site"), ("origin", own.as_str())],
        ] {
            let response = ask(&world, &method, path, "administrator", foreign).await;
            assert_eq!(
                code(response).await,
                (403, "foreign_origin".to_owned()),
                "{method} {path} {foreign:?}"
            );
        }
        let takes_no_json =
            path.contains("/api/files/") || path.ends_with("/signout") || path.ends_with("/export");
        if method == Method::POST && !takes_no_json {
            // A form of another site can send texts, and no JSON.
            let form = [("content-type", "text/plain"), ("origin", own.as_str())];
            let (status, code) = code(ask(&world, &method, path, "administrator", &form).await).await;
            assert!(
                (status, code.as_str()) == (415, "not_json") || status == 404,
                "{method} {path}: {status} {code}"
            );
        }
    }
    // It was not ended by any of them.
    assert_eq!(ask(&world, &Method::GET, "/desk/api/me", "administrator", &[]).await.status(), 200);
}

#[tokio::test]
async fn over_https_the_cookies_are_the_sites_own_and_the_browser_stays_there() {
    let world = World::start_with(&[("WINTERBAND_HTTP__PUBLIC_URL", "https://desk.example")]).await;
    let response = world.sign_in("anna", "winter").await;
    assert_eq!(response.status(), 204);
    assert!(
        response.headers()["strict-transport-security"].to_str().unwrap().starts_with("max-age=31536000")
    );
    let cookies: Vec<&str> =
        response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(cookies.len(), 2);
    for (cookie, name) in cookies.iter().zip(["__Host-wb_session=", "__Host-wb_device="]) {
        assert!(cookie.starts_with(name), "{cookie}");
        for part in ["; Path=/;", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
            assert!(cookie.contains(part), "{cookie} has no {part}");
        }
    }
    let token = cookies[0].split(['=', ';']).nth(1).unwrap();
    let me = |name: &str| {
        let cookie = format!("{name}={token}");
        reqwest::Client::new().get(world.url("/desk/api/me")).header("cookie", cookie).send()
    };
    assert_eq!(me("__Host-wb_session").await.unwrap().status(), 200);
    assert_eq!(me("wb_session").await.unwrap().status(), 401, "another site of the domain may have set it");
}
