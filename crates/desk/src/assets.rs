//! The desk itself: the files that `npm run build` made of `web/`, built into the executable.

use std::borrow::Cow;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use service::Problem;

/// Nothing from elsewhere, no inline code, and nobody may frame the desk.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'; object-src 'none'";
const FOREVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

const NOT_BUILT: &str = "<!doctype html><meta charset=\"utf-8\"><title>Winterband</title>\
<h1>The desk is not built</h1>\
<p>This executable was compiled without it. Run <code>npm ci &amp;&amp; npm run build</code> in \
<code>crates/desk/web</code>, then build the executable again.</p>";

#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Files;

/// A file with what a browser needs to keep it.
struct Found {
    data: Cow<'static, [u8]>,
    kind: String,
    tag: String,
}

fn find(path: &str) -> Option<Found> {
    let file = Files::get(path)?;
    let tag: String = file.metadata.sha256_hash().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    Some(Found { kind: content_type(file.metadata.mimetype()), tag: format!("\"{tag}\""), data: file.data })
}

pub(crate) async fn index(headers: HeaderMap) -> Response {
    match find("index.html") {
        Some(file) => serve(file, ASK_AGAIN, &headers),
        None => with_protection((
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::CONTENT_TYPE, "text/html; charset=utf-8")],
            NOT_BUILT,
        )),
    }
}

pub(crate) async fn file(Path(path): Path<String>, headers: HeaderMap) -> Response {
    match find(&path) {
        // Their names carry a hash of what is in them.
        Some(file) if path.starts_with("assets/") => serve(file, FOREVER, &headers),
        Some(file) => serve(file, ASK_AGAIN, &headers),
        None => Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such page", "open /desk")
            .into_response(),
    }
}

/// Texts of ours are UTF-8, which a browser does not guess.
fn content_type(kind: &str) -> String {
    if kind.starts_with("text/") { format!("{kind}; charset=utf-8") } else { kind.to_owned() }
}

fn serve(file: Found, keep: &'static str, headers: &HeaderMap) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known = known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == file.tag));
    let keeping = [(header::ETAG, file.tag), (header::CACHE_CONTROL, keep.to_owned())];
    if is_known {
        return with_protection((StatusCode::NOT_MODIFIED, keeping));
    }
    with_protection((keeping, [(header::CONTENT_TYPE, file.kind)], file.data))
}

fn with_protection(response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    let protection = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in protection {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Found {
        Found { data: Cow::Borrowed(b"x"), kind: "text/css".to_owned(), tag: "\"ab\"".to_owned() }
    }

    #[test]
    fn texts_say_how_they_are_written() {
        assert_eq!(content_type("text/javascript"), "text/javascript; charset=utf-8");
        assert_eq!(content_type("image/svg+xml"), "image/svg+xml");
    }

    #[test]
    fn a_file_is_sent_once_and_protected() {
        let first = serve(example(), FOREVER, &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[header::CONTENT_TYPE], "text/css");
        assert_eq!(first.headers()[header::CACHE_CONTROL], FOREVER);
        assert_eq!(first.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
        assert_eq!(first.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        let asked =
            HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static("\"zz\", \"ab\""))]);
        let second = serve(example(), FOREVER, &asked);
        assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(second.headers()[header::ETAG], "\"ab\"");
    }

    #[tokio::test]
    async fn paths_that_lead_out_are_not_found() {
        for path in ["../Cargo.toml", "assets/../../package.json", "/etc/passwd", "assets/none.js"] {
            let response = file(Path(path.to_owned()), HeaderMap::new()).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
