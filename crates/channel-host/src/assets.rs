//! The widget and the demo shop, built into the executable.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};
use service::Problem;

/// A new widget reaches every page within minutes, and a page does not wait for that.
const KEEP_WIDGET: &str = "public, max-age=300, stale-while-revalidate=86400";
const ASK_AGAIN: &str = "no-cache";
/// The shop needs nothing from elsewhere.
const SHOP_POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; \
                           frame-ancestors 'none'; object-src 'none'";

#[derive(RustEmbed)]
#[folder = "../channel-web/widget/dist"]
#[allow_missing = true]
struct Widget;

#[derive(RustEmbed)]
#[folder = "../channel-web/widget/shop"]
struct Shop;

pub(crate) async fn widget(headers: HeaderMap) -> Response {
    let Some(file) = Widget::get("widget.js") else { return not_built().into_response() };
    let mut response = serve(file, KEEP_WIDGET, &headers);
    // Any page may load it, also one that isolates itself.
    let everywhere = HeaderValue::from_static("cross-origin");
    response.headers_mut().insert(HeaderName::from_static("cross-origin-resource-policy"), everywhere);
    response
}

pub(crate) async fn shop(headers: HeaderMap) -> Response {
    shop_file("index.html", &headers)
}

pub(crate) async fn shop_part(Path(path): Path<String>, headers: HeaderMap) -> Response {
    shop_file(&path, &headers)
}

fn shop_file(path: &str, headers: &HeaderMap) -> Response {
    let Some(file) = Shop::get(path) else {
        let problem =
            Problem::new(StatusCode::NOT_FOUND, "not_found", "the shop has no such page", "open /shop");
        return problem.into_response();
    };
    let mut response = serve(file, ASK_AGAIN, headers);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SHOP_POLICY));
    response
}

fn not_built() -> Problem {
    let detail = "this executable was compiled without it: run `npm ci && npm run build` in \
                  crates/channel-web/widget, then build the executable again";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "widget_not_built", "the chat widget is not built", detail)
}

fn serve(file: EmbeddedFile, keep: &'static str, headers: &HeaderMap) -> Response {
    let hash: String =
        file.metadata.sha256_hash().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hash}\"");
    let asked = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known =
        asked.is_some_and(|tags| tags.split(',').any(|known| known.trim().trim_start_matches("W/") == tag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = content_type(file.metadata.mimetype());
        ([(header::CONTENT_TYPE, kind)], file.data).into_response()
    };
    let kept = [
        (header::CACHE_CONTROL, HeaderValue::from_static(keep)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    response.headers_mut().extend(kept);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Texts of ours are UTF-8, which a browser does not guess.
fn content_type(kind: &str) -> String {
    if kind.starts_with("text/") { format!("{kind}; charset=utf-8") } else { kind.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_shop_is_there_with_its_parts_and_nothing_else() {
        for path in ["index.html", "shop.css", "mark.svg"] {
            let response = shop_part(Path(path.to_owned()), HeaderMap::new()).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(response.headers()[header::CONTENT_SECURITY_POLICY], SHOP_POLICY);
        }
        for path in ["../package.json", "..%2fpackage.json", "/etc/passwd", "nothing", ""] {
            let response = shop_part(Path(path.to_owned()), HeaderMap::new()).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[tokio::test]
    async fn what_a_browser_has_is_not_sent_again() {
        let first = shop(HeaderMap::new()).await;
        let tag = first.headers()[header::ETAG].clone();
        assert_eq!(first.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        let ask = |value: HeaderValue| async {
            shop(HeaderMap::from_iter([(header::IF_NONE_MATCH, value)])).await.status()
        };
        assert_eq!(ask(tag).await, StatusCode::NOT_MODIFIED);
        assert_eq!(ask(HeaderValue::from_static("\"other\"")).await, StatusCode::OK);
    }

    #[test]
    fn a_missing_widget_says_how_to_build_it() {
        let problem = not_built();
        assert_eq!(problem.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(problem.detail.contains("npm run build"));
    }
}
