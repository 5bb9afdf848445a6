//! Html from strangers, made harmless for a desk, and to plain text and back.
//!
//! Nothing active comes through, no form, nothing that places itself over the page, and no picture from elsewhere
//! unless asked for: loading one tells the sender that, when and where the mail was read.

mod cost;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ammonia::{Builder, UrlRelative};

use crate::parts::percent_decoded;
use crate::phrases::Phrases;

pub use cost::{ATTRIBUTES_MAX, NESTING_MAX, NODES_MAX};

/// The attribute that keeps the address of a picture that was not loaded.
pub const REMOTE_ATTRIBUTE: &str = "data-remote-src";
/// A scheme that no picture has: such a `src` is renamed to [`REMOTE_ATTRIBUTE`] at the end.
const ASIDE: &str = "x-winterband-aside:";
/// A scheme in front of the caller's own addresses, which may be relative; it is taken off at the end. Neither of the
/// two is among the schemes let in, so no mail can write them.
const OURS: &str = "x-winterband-inline:";
/// Longest style of one element, bytes; a longer one is dropped.
const STYLE_BYTES_MAX: usize = 4096;

/// What becomes of pictures that are not in the mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RemoteImages {
    /// They are not loaded; their address is kept in [`REMOTE_ATTRIBUTE`].
    #[default]
    Aside,
    /// They are shown.
    Shown,
}

/// How html is cleaned.
#[derive(Clone, Debug, Default)]
pub struct CleanOptions {
    /// What becomes of pictures from elsewhere.
    pub remote_images: RemoteImages,
    /// Where each inline part can be fetched, by its content id without angle brackets. The caller's, so trusted.
    pub inline: BTreeMap<String, String>,
}

/// Harmless html.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// A fragment to be put into a page.
    pub html: String,
    /// How many pictures were put aside.
    pub images_aside: usize,
}

/// Makes html harmless.
#[must_use]
pub fn clean(html: &str, options: &CleanOptions) -> Cleaned {
    if !cost::is_small(html) {
        // Nobody writes so; a parser would take minutes, or all memory. Its words are shown.
        return Cleaned { html: from_text(&to_text(html)), images_aside: 0 };
    }
    // The filter has to live as long as the builder may.
    let aside = Arc::new(AtomicUsize::new(0));
    let (counted, own) = (Arc::clone(&aside), options.clone());
    let mut builder = Builder::default();
    builder
        .add_tags(["font", "center", "u", "big", "caption", "colgroup", "col"])
        .add_clean_content_tags([
            "title", "textarea", "select", "noscript", "iframe", "object", "template", "svg", "math",
        ])
        .add_generic_attributes(["style", "dir"])
        .add_tag_attributes("font", ["color", "face", "size"])
        .add_tag_attributes("table", ["border", "cellpadding", "cellspacing", "width", "bgcolor"])
        .add_tag_attributes("td", ["width", "height", "valign", "bgcolor"])
        .add_tag_attributes("th", ["width", "height", "valign", "bgcolor"])
        .add_tag_attributes("tr", ["valign", "bgcolor"])
        .url_schemes(["http", "https", "mailto", "tel", "cid", "data"].into())
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"))
        .set_tag_attribute_value("a", "target", "_blank")
        .attribute_filter(move |element, attribute, value| {
            attribute_value(element, attribute, value, &own, &counted)
        });
    let html = builder.clean(html).to_string();
    let html = html.replace(&format!(" src=\"{ASIDE}"), &format!(" {REMOTE_ATTRIBUTE}=\""));
    let html = html.replace(&format!(" src=\"{OURS}"), " src=\"");
    Cleaned { html, images_aside: aside.load(Ordering::Relaxed) }
}

/// A mail's html cleaned in two: what is new, and the history to be folded (empty when there is none).
#[must_use]
pub fn clean_folded(html: &str, options: &CleanOptions) -> (Cleaned, Cleaned) {
    let fold = crate::reply::fold_html(html);
    let quoted = if fold.quoted.is_empty() { Cleaned::default() } else { clean(&fold.quoted, options) };
    (clean(&fold.reply, options), quoted)
}

fn attribute_value<'v>(
    element: &str,
    attribute: &str,
    value: &'v str,
    options: &CleanOptions,
    aside: &AtomicUsize,
) -> Option<Cow<'v, str>> {
    match (element, attribute) {
        ("img", "src") => image(value, options, aside),
        (_, "style") => {
            let kept = style(value);
            (!kept.is_empty()).then_some(Cow::Owned(kept))
        }
        // Elsewhere these schemes lead into the mail or carry a page of their own.
        (_, "href" | "cite" | "src") => {
            let scheme = scheme(value);
            (!matches!(scheme.as_str(), "cid" | "data")).then_some(Cow::Borrowed(value))
        }
        _ => Some(Cow::Borrowed(value)),
    }
}

/// The scheme as a browser reads it: without white space and control characters, in lower case.
fn scheme(url: &str) -> String {
    let bare: String = url.chars().filter(|c| !c.is_whitespace() && !c.is_control()).take(40).collect();
    bare.split(':').next().unwrap_or_default().to_ascii_lowercase()
}

fn image<'v>(value: &'v str, options: &CleanOptions, aside: &AtomicUsize) -> Option<Cow<'v, str>> {
    match scheme(value).as_str() {
        "cid" => {
            let id = value.split_once(':').map(|(_, id)| id.trim()).unwrap_or_default();
            let url = options.inline.get(id).or_else(|| options.inline.get(&percent_decoded(id)));
            url.map(|url| Cow::Owned(format!("{OURS}{url}")))
        }
        "data" => {
            let low = value.trim().to_ascii_lowercase();
            let kinds = ["data:image/png;", "data:image/gif;", "data:image/jpeg;", "data:image/webp;"];
            kinds.iter().any(|kind| low.starts_with(kind)).then_some(Cow::Borrowed(value))
        }
        "http" | "https" if options.remote_images == RemoteImages::Shown => Some(Cow::Borrowed(value)),
        "http" | "https" => {
            aside.fetch_add(1, Ordering::Relaxed);
            Some(Cow::Owned(format!("{ASIDE}{value}")))
        }
        _ => None,
    }
}

/// Properties that change how words look and nothing else.
const PROPERTIES: Phrases = Phrases(
    "color|background-color|font|font-family|font-size|font-style|font-weight|font-variant|line-height|\
     letter-spacing|text-align|text-decoration|text-indent|text-transform|vertical-align|white-space|\
     word-break|word-wrap|overflow-wrap|direction|list-style-type|border|border-top|border-right|\
     border-bottom|border-left|border-color|border-style|border-width|border-collapse|border-spacing|\
     border-radius|padding|padding-top|padding-right|padding-bottom|padding-left|margin|margin-top|\
     margin-right|margin-bottom|margin-left|width|max-width|height|caption-side",
);

/// The declarations that are safe, as `name:value` joined by `;`.
fn style(value: &str) -> String {
    if value.len() > STYLE_BYTES_MAX
        || value.contains(['\\', '<', '>', '{', '}', '@'])
        || value.contains("/*")
    {
        return String::new();
    }
    let kept: Vec<String> = value.split(';').filter_map(declaration).collect();
    kept.join(";")
}

fn declaration(text: &str) -> Option<String> {
    let (name, value) = text.split_once(':')?;
    let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
    let margin = name.starts_with("margin") && value.contains('-');
    let safe = PROPERTIES.has(&name) && is_plain(value) && !margin;
    safe.then(|| format!("{name}:{value}"))
}

/// No function but colours, no `url`, no `expression`, no `calc`, no `var`.
fn is_plain(value: &str) -> bool {
    let good = |c: char| {
        c.is_alphanumeric()
            || c.is_whitespace()
            || matches!(c, '#' | '%' | '.' | ',' | '-' | '!' | '\'' | '"' | '(' | ')' | '_' | '/')
    };
    let low = value.to_ascii_lowercase();
    let functions = low.match_indices('(').all(|(at, _)| {
        let before = low.get(..at).unwrap_or_default();
        ["rgb", "rgba", "hsl", "hsla"].iter().any(|name| before.ends_with(name))
    });
    !value.is_empty()
        && value.chars().all(good)
        && functions
        && !low.contains("expression")
        && !low.contains("url")
}

/// The words of html.
#[must_use]
pub fn to_text(html: &str) -> String {
    let text = nanohtml2text::html2text(html);
    text.replace("\r\n", "\n").replace('\r', "\n").trim().to_owned()
}

/// Html that shows a plain text.
#[must_use]
pub fn from_text(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<div>{}</div>", escaped.replace("\r\n", "\n").replace('\n', "<br>\n"))
}

/// Whether there is a picture in it.
pub(crate) fn shows_image(html: &str) -> bool {
    html.to_ascii_lowercase().contains("<img")
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
