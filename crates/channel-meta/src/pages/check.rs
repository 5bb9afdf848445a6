//! What Meta says of a page or an account of Instagram
//! (https://developers.facebook.com/docs/graph-api/reference/page/subscribed_apps).

use channel::{Finding, HttpAnswer};
use serde::Deserialize;
use serde_json::Value;

use super::answer::{self, Meaning};
use super::kind::PageKind;
use crate::AppId;
use crate::graph;

/// The field without which nothing that customers write comes in.
const MESSAGES: &str = "messages";

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    name: String,
    username: Option<String>,
    id: String,
    subscribed_apps: Option<Apps>,
}

#[derive(Deserialize)]
struct Apps {
    data: Vec<App>,
}

#[derive(Deserialize)]
struct App {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    subscribed_fields: Vec<String>,
}

pub(super) fn findings<K: PageKind>(app: Option<&AppId>, answer: &HttpAnswer) -> Vec<Finding> {
    let what = format!("ask Meta for the {}", K::NAME);
    match asked::<K>(answer) {
        Ok(page) => {
            let name = page.username.as_ref().map(|username| format!("@{username} "));
            let words = format!("it is {}{}", name.unwrap_or_default(), page.name);
            let mut found = vec![Finding { what, found: Ok(words.trim_end().to_owned()) }];
            if K::TELLS_APPS {
                let apps = page.subscribed_apps.map(|apps| apps.data).unwrap_or_default();
                found
                    .push(Finding { what: "what the app is told".to_owned(), found: subscribed(app, &apps) });
            }
            found
        }
        Err(words) => vec![Finding { what, found: Err(words) }],
    }
}

fn asked<K: PageKind>(answer: &HttpAnswer) -> Result<Page, String> {
    let (status, body) = match answer {
        HttpAnswer::Status { status, body, .. } => (*status, body),
        HttpAnswer::NoAnswer => return Err("it did not answer in time: try again later".to_owned()),
        HttpAnswer::Unreachable => {
            return Err("nobody is there: look at the way to graph.facebook.com, and at `api` if you set it"
                .to_owned());
        }
    };
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    if status == 200 {
        return Page::deserialize(&said)
            .ok()
            .filter(|page| !page.id.is_empty())
            .ok_or_else(|| format!("what it answered is no {}: look at `api` and the id", K::NAME));
    }
    let Some(code) = graph::code(&said) else {
        return Err(format!("it answered {status}: look at `api` if you set it, or try again later"));
    };
    Err(match (code, answer::of_error(&said)) {
        (0 | 190, _) => {
            "the access token is not valid any more: make one that does not expire and set it as `token`"
                .to_owned()
        }
        (33 | 100, _) => format!(
            "the token sees no such {}: look at the id, and whose token it is; a token that one signed in for by Instagram \
             goes with `api` = \"https://graph.instagram.com/v23.0\"",
            K::NAME
        ),
        (_, Some(Meaning::Refused)) => format!(
            "it does not let us in (code {code}): the token lacks a permission that the README names, or Meta restricts the {}",
            K::NAME
        ),
        (_, Some(Meaning::Limited)) => {
            format!("it has us wait (code {code}): something asks too often by this app")
        }
        (
            _,
            Some(Meaning::Unavailable | Meaning::Broken | Meaning::SentAndNotTold | Meaning::Final(_)) | None,
        ) => format!("it answered {status} with code {code}: look at metastatus.com, or try again later"),
    })
}

/// Whether the app is told of messages; of any app, where nobody said which is ours.
fn subscribed(app: Option<&AppId>, apps: &[App]) -> Result<String, String> {
    let is_ours = |one: &&App| app.is_none_or(|app| app.as_str() == one.id);
    let ours: Vec<&App> = apps.iter().filter(is_ours).collect();
    let is_told = |one: &&&App| one.subscribed_fields.iter().any(|field| field == MESSAGES);
    match (ours.iter().find(is_told), ours.first()) {
        (Some(one), _) => Ok(format!("{} is told of {}", one.name, one.subscribed_fields.join(", "))),
        (None, Some(one)) => Err(format!(
            "{} is not told of {MESSAGES}, so nothing comes in: subscribe it as the README says",
            one.name
        )),
        (None, None) => {
            Err("the app is not subscribed to the page, so nothing comes in: subscribe it as the README says"
                .to_owned())
        }
    }
}
