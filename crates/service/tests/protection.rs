//! What a browser is told of every answer of a listener, whoever gives it.

use axum::Router;
use axum::http::header;
use axum::routing::get;
use service::{Clock, Health, Metrics};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn no_answer_can_be_sniffed_framed_or_run_unless_it_says_so_itself() {
    let health = Health::new(Clock::system(), std::time::Duration::from_secs(10));
    let own = [(header::CONTENT_SECURITY_POLICY, "default-src 'self'")];
    let router = Router::new()
        .route("/words", get(async || "words"))
        .route("/page", get(async move || (own, "page")))
        .merge(service::http::router(health, Metrics::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let cancel = CancellationToken::new();
    let _ends_with_the_test = cancel.clone().drop_guard();
    tokio::spawn(service::http::serve(listener, service::http::with_problems(router), cancel));

    let client = reqwest::Client::new();
    let asked = ["/words", "/page", "/health/live", "/health/ready", "/nothing"]
        .map(|path| client.get(format!("{base}{path}")));
    let another_method = client.post(format!("{base}/words"));
    for request in asked.into_iter().chain([another_method]) {
        let answer = request.send().await.unwrap();
        let (path, headers) = (answer.url().path().to_owned(), answer.headers());
        let said = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(said("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(said("referrer-policy"), "no-referrer", "{path}");
        let policy = said("content-security-policy");
        if path == "/page" {
            assert_eq!(policy, "default-src 'self'", "a page has its own");
        } else {
            for part in ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
                assert!(policy.contains(part), "{path}: {policy}");
            }
        }
    }
}
