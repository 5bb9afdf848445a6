//! The pages of a process, over a real socket.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::routing::get;
use service::{Clock, Health, Metrics};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(10);

struct Served {
    base: String,
    cancel: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

async fn serve(router: axum::Router) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let cancel = CancellationToken::new();
    let task = tokio::spawn(service::http::serve(listener, router, cancel.clone()));
    Served { base, cancel, task }
}

async fn fetch(served: &Served, path: &str) -> (u16, String) {
    let response = reqwest::get(format!("{}{path}", served.base)).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn health_says_which_loop_and_metrics_are_served() {
    let (clock, hand) = Clock::manual(1_500);
    let health = Health::new(clock, Duration::from_secs(10));
    let metrics = Metrics::new();
    let served = serve(service::http::router(health.clone(), metrics.clone())).await;

    assert_eq!(fetch(&served, "/health/live").await, (200, "alive\n".to_owned()));
    let routing = health.register("routing");
    let (status, body) = fetch(&served, "/health/ready").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 503);
    assert_eq!(body["reasons"], serde_json::json!(["bus: not connected yet", "routing: still starting"]));

    health.bus_up();
    routing.beat();
    assert_eq!(fetch(&served, "/health/ready").await.0, 200);

    hand.advance(Duration::from_secs(14));
    let (status, body) = fetch(&served, "/health/ready").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["loops"][0]["state"]), (503, &serde_json::json!("silent")));
    assert_eq!(fetch(&served, "/health/live").await.0, 200);

    metrics.duplicates_total.inc(["web"]);
    let (status, text) = fetch(&served, "/metrics").await;
    assert_eq!(status, 200);
    assert!(text.contains("winterband_duplicates_total{channel=\"web\"} 1"), "{text}");
    assert!(
        text.contains("\nwinterband_ready 0\n") && text.contains("\nwinterband_clock_seconds 15.5\n"),
        "{text}"
    );
    routing.beat();
    assert!(fetch(&served, "/metrics").await.1.contains("\nwinterband_ready 1\n"));
}

#[tokio::test]
async fn who_comes_through_a_proxy_is_told_nothing_about_the_inside() {
    let health = Health::new(Clock::system(), Duration::from_secs(10));
    let _routing = health.register("routing");
    let pages = (health, Metrics::new());
    let public = serve(service::http::router(pages.0.clone(), pages.1.clone())).await;
    let inside = serve(service::http::watch_router(pages.0, pages.1)).await;
    let ask = async |served: &Served, path: &str, name: &str| {
        let request = reqwest::Client::new().get(format!("{}{path}", served.base)).header(name, "192.0.2.7");
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    for name in ["x-forwarded-for", "forwarded", "x-real-ip", "via"] {
        assert_eq!(ask(&public, "/health/live", name).await.0, 200);
        let told = ask(&public, "/health/ready", name).await;
        assert_eq!(told, (503, "{\"ready\":false}".to_owned()), "{name}");
        let (status, text) = ask(&public, "/metrics", name).await;
        assert!(status == 404 && text.contains("no_such_path"), "{name}: {text}");
        assert!(ask(&inside, "/health/ready", name).await.1.contains("still starting"));
        assert_eq!(ask(&inside, "/metrics", name).await.0, 200);
    }
    assert_eq!(fetch(&public, "/metrics").await.0, 200, "this machine itself");
    // Proxies that say nothing of themselves.
    for host in
        ["desk.example", "desk.example:443", "localhost.example", "127.0.0.1.example", "192.0.2.7", ""]
    {
        let request = reqwest::Client::new().get(format!("{}/metrics", public.base)).header("host", host);
        assert_eq!(request.send().await.unwrap().status(), 404, "{host}");
    }
    for host in ["localhost", "localhost:8080", "[::1]:8080"] {
        let request = reqwest::Client::new().get(format!("{}/metrics", public.base)).header("host", host);
        assert_eq!(request.send().await.unwrap().status(), 200, "{host}");
    }
}

#[tokio::test]
async fn a_running_request_ends_before_the_server_does() {
    let (entered_tx, mut entered) = tokio::sync::mpsc::channel::<SocketAddr>(1);
    let release = CancellationToken::new();
    let released = release.clone();
    let slow = get(move |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move {
        entered_tx.send(peer).await.unwrap();
        released.cancelled().await;
        "done"
    });
    let served = serve(axum::Router::new().route("/slow", slow)).await;
    let request = tokio::spawn(reqwest::get(format!("{}/slow", served.base)));
    let peer = tokio::time::timeout(DEADLINE, entered.recv()).await.unwrap().unwrap();
    assert!(peer.ip().is_loopback());
    served.cancel.cancel();
    release.cancel();
    let response = tokio::time::timeout(DEADLINE, request).await.unwrap().unwrap().unwrap();
    assert_eq!(response.text().await.unwrap(), "done");
    tokio::time::timeout(DEADLINE, served.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let health = Health::new(Clock::system(), Duration::from_secs(10));
    let router = service::http::with_problems(service::http::router(health, Metrics::new()));
    let served = serve(router).await;
    let (status, body) = fetch(&served, "/nowhere").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["code"]), (404, &serde_json::json!("no_such_path")));
    let response = reqwest::Client::new().post(format!("{}/metrics", served.base)).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 405);
    assert!(response.headers().contains_key("allow"));
    assert_eq!(response.json::<serde_json::Value>().await.unwrap()["code"], "no_such_method");
}
