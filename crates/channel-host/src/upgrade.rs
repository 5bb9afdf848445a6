//! The way in: who may open a socket, and how sockets end with the process.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{Extensions, HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use service::Problem;
use service::rate::RetryAfter;

use crate::Host;
use crate::door::{self, NoSeat, Seat};
use crate::limits::SOCKET_BYTES_MAX;
use crate::socket;

/// Read at once. The library's own 128 KiB would be held by every chat, and wiped at every read.
const READ_BYTES: usize = 4 * 1024;
const COME_BACK_AFTER: RetryAfter = RetryAfter(Duration::from_secs(5));

#[derive(Deserialize)]
pub(crate) struct Asked {
    account: Option<String>,
}

pub(crate) async fn upgrade(
    State(host): State<Arc<Host>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    extensions: Extensions,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !door::may_enter(&headers, &host.kit.settings) {
        host.refused("unknown_origin");
        let detail = "add the site's origin to web.sites in the settings";
        let problem =
            Problem::new(StatusCode::FORBIDDEN, "unknown_origin", "this site may not open a chat", detail);
        return problem.into_response();
    }
    let trusted = &host.kit.settings.http.trusted_proxies;
    let address = service::http::address(&extensions, &headers, trusted);
    let seat = match host.seats.take(address) {
        Ok(seat) => seat,
        Err(why) => return no_seat(&host, why),
    };
    let account = asked.account.unwrap_or_default();
    let tracker = host.sockets.clone();
    upgrade
        .max_message_size(SOCKET_BYTES_MAX)
        .max_frame_size(SOCKET_BYTES_MAX)
        .read_buffer_size(READ_BYTES)
        .on_upgrade(move |socket| tracker.track_future(sit(host, socket, account, address, seat)))
}

fn no_seat(host: &Host, why: NoSeat) -> Response {
    let problem = match why {
        NoSeat::Address => Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_sockets",
            "this address has too many chats open",
            "close some, or wait until they are closed",
        ),
        NoSeat::All => Problem::unavailable("sockets_full", "this process has as many chats open as it may"),
    };
    host.refused(problem.code);
    problem.retry_after(COME_BACK_AFTER).into_response()
}

async fn sit(host: Arc<Host>, socket: WebSocket, account: String, address: IpAddr, seat: Seat) {
    let counted = host.kit.metrics.sockets_open.hold(["web"]);
    // Boxed: a socket's whole life in one future is a large thing to keep on a stack.
    Box::pin(socket::serve(host, socket, account, address)).await;
    drop((seat, counted));
}

/// When the process ends, sockets say that they go away; their process's end waits for them.
pub(crate) fn start_draining(host: &Arc<Host>) {
    let host = Arc::clone(host);
    host.kit.drain.clone().spawn("channel-host sockets", async move {
        host.kit.drain.started().await;
        host.sockets.close();
        host.sockets.wait().await;
        Ok(())
    });
}
