//! A mail as it was sent: its cleaned html on a page of its own, in which nothing runs and nothing is loaded unasked.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{Extensions, HeaderValue, header};
use axum::response::Response;
use protocol::audit::Action;
use protocol::content::Sealed;
use protocol::{ContactId, Hash128};
use serde::Deserialize;
use service::Problem;

use crate::{Gateway, audit, files, history, pages, render};

/// Pictures from this site only.
const POLICY: &str =
    "sandbox allow-popups; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'";
/// Pictures from wherever the mail has them: its sender learns that it is read.
const POLICY_IMAGES: &str =
    "sandbox allow-popups; default-src 'none'; img-src 'self' data: https:; style-src 'unsafe-inline'";
/// How the kept html writes a picture that was not loaded.
const REMOTE: &str = " data-remote-src=\"https://";
/// How it writes one that is kept.
const KEPT: &str = " src=\"wb-file:";
/// What stands before it. Mails are written for white paper.
const HEAD: &str = "<!doctype html><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light\">\
<base target=\"_blank\"><style>body{margin:12px;background:#fff;color:#111;font:14px/1.5 system-ui,sans-serif;\
overflow-wrap:anywhere}img{max-width:100%;height:auto}</style>\n";

/// How a mail is to be shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shown {
    /// Whether pictures from elsewhere are loaded: 0 or 1.
    #[serde(default)]
    images: u8,
}

/// The html of the mail that an entry is, for who may read the conversation.
pub(crate) async fn html(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    Path((contact, seq)): Path<(String, String)>,
    shown: Result<Query<Shown>, QueryRejection>,
) -> Result<Response, Problem> {
    let agent = pages::signed_in(&extensions)?;
    let Ok(Query(Shown { images: images @ 0..=1 })) = shown else { return Err(files::no_such_file()) };
    let (Ok(contact), Ok(seq)) = (contact.parse::<ContactId>(), seq.parse::<u64>()) else {
        return Err(files::no_such_file());
    };
    let (conversation, _) = gateway.hub.may_read(agent, contact).ok_or_else(files::not_yours)?;
    audit::look(&gateway, agent, Action::MailSeen, conversation).await?;
    let entry = history::entry(&gateway, contact, conversation, seq).await;
    let entry = entry.ok_or_else(files::no_such_file)?;
    let content = render::content(&gateway, &entry).await.map_err(|error| {
        tracing::warn!(%error, "failed to open a mail");
        Problem::unavailable("files_unavailable", "the mail cannot be opened now")
    })?;
    // Only what was cleaned is shown as a page; a page that a customer attached is a file.
    let kept = content.and_then(|content| content.mail).and_then(|mail| mail.html);
    let identity = entry.body.as_ref().and_then(Sealed::parts).map(|(identity, _, _)| identity);
    let (Some(kept), Some(identity)) = (kept, identity) else { return Err(files::no_such_file()) };
    let bytes = files::fetch(&gateway, identity, kept.object).await?;
    let address = |object| files::picture_address(&gateway, contact, seq, object);
    let page = page(&String::from_utf8_lossy(&bytes), images == 1, address);
    let policy = if images == 1 { POLICY_IMAGES } else { POLICY };
    let mut response = files::with_protection(policy, "no-store", page);
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

/// The page: pictures that are kept get their addresses, those from elsewhere only if they are to be loaded.
fn page(html: &str, with_images: bool, address: impl Fn(Hash128) -> String) -> String {
    let mut parts = html.split(KEPT);
    let mut page = HEAD.to_owned();
    page.push_str(parts.next().unwrap_or_default());
    for part in parts {
        page.push_str(" src=\"");
        // Only what ends as it must is an address of ours; anything else is left as it was, and loads nothing.
        match part.split_once('"').map(|(object, rest)| (object.parse::<Hash128>(), rest)) {
            Some((Ok(object), rest)) => {
                page.push_str(&address(object).replace('&', "&amp;"));
                page.push('"');
                page.push_str(rest);
            }
            Some((Err(_), _)) | None => {
                page.push_str("wb-file:");
                page.push_str(part);
            }
        }
    }
    if with_images { page.replace(REMOTE, " src=\"https://") } else { page }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(html: &str, with_images: bool) -> String {
        let page = page(html, with_images, |object| format!("/f/{object}?a=1&b=2"));
        page.strip_prefix(HEAD).unwrap().to_owned()
    }

    #[test]
    fn kept_pictures_always_have_addresses_and_others_only_if_asked() {
        let object = Hash128([0xab; 16]);
        let html = format!(
            "<p>a</p><img src=\"wb-file:{object}\"><img data-remote-src=\"https://x.example/1.png\" alt=\"\">"
        );
        let kept = format!("<p>a</p><img src=\"/f/{object}?a=1&amp;b=2\">");
        assert_eq!(
            shown(&html, false),
            format!("{kept}<img data-remote-src=\"https://x.example/1.png\" alt=\"\">")
        );
        assert_eq!(shown(&html, true), format!("{kept}<img src=\"https://x.example/1.png\" alt=\"\">"));
    }

    #[test]
    fn nothing_else_becomes_an_address() {
        for html in [
            "<img src=\"wb-file:../../x\">",
            "<img src=\"wb-file:",
            "<img data-remote-src=\"http://x.example/1.png\">",
            "<img data-remote-src=\"javascript:x\">",
            "wb-file:00000000000000000000000000000000",
        ] {
            assert_eq!(shown(html, true), html);
        }
    }
}
