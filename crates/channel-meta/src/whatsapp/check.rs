//! What Meta says of a number
//! (https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/phone-numbers).

use channel::{Finding, HttpAnswer};
use serde::Deserialize;
use serde_json::Value;

use super::answer::{self, Meaning};
use crate::graph;

/// What is asked.
pub(super) const FIELDS: &str =
    "display_phone_number,verified_name,quality_rating,status,throughput,webhook_configuration";

#[derive(Deserialize)]
struct Number {
    display_phone_number: String,
    #[serde(default)]
    verified_name: String,
    quality_rating: Option<String>,
    status: Option<String>,
    throughput: Option<Throughput>,
    webhook_configuration: Option<Callbacks>,
}

#[derive(Deserialize)]
struct Throughput {
    level: String,
}

/// Where updates go: of these the first that is set (Webhook overrides).
#[derive(Deserialize)]
struct Callbacks {
    phone_number: Option<String>,
    whatsapp_business_account: Option<String>,
    application: Option<String>,
}

pub(super) fn findings(answer: &HttpAnswer) -> Vec<Finding> {
    match asked(answer) {
        Ok(number) => of_number(&number),
        Err(words) => vec![finding("ask Meta for the number", Err(words))],
    }
}

fn asked(answer: &HttpAnswer) -> Result<Number, String> {
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
        return Number::deserialize(&said)
            .map_err(|_| "what it answered is no number: look at `api` and `phone_number_id`".to_owned());
    }
    let Some(code) = graph::code(&said) else {
        return Err(format!("it answered {status}: look at `api` if you set it, or try again later"));
    };
    Err(match (code, answer::meaning(code)) {
        (0 | 190, _) => {
            "the access token is not valid any more: make one of a system user, which does not expire, and set it as `token`"
                .to_owned()
        }
        (33 | 100, _) => {
            "the token sees no such number: look at `phone_number_id`, and give the system user the WhatsApp account as an asset"
                .to_owned()
        }
        (_, Some(Meaning::Refused)) => format!(
            "it does not let us in (code {code}): the token needs whatsapp_business_messaging and whatsapp_business_management; \
             then look at the account in WhatsApp Manager"
        ),
        (_, Some(Meaning::Limited | Meaning::PairLimited)) => {
            format!("it has us wait (code {code}): something asks too often by this app")
        }
        (_, Some(Meaning::Unavailable | Meaning::Broken | Meaning::Final(_)) | None) => {
            format!("it answered {status} with code {code}: look at metastatus.com, or try again later")
        }
    })
}

fn of_number(number: &Number) -> Vec<Finding> {
    let mut found = vec![finding(
        "ask Meta for the number",
        Ok(format!("it is {} ({})", number.display_phone_number, number.verified_name)),
    )];
    if let Some(status) = &number.status {
        let verdict = match status.as_str() {
            "CONNECTED" => Ok("connected".to_owned()),
            other => Err(format!("{}: look at the number in WhatsApp Manager", plain(other))),
        };
        found.push(finding("the number's status", verdict));
    }
    if let Some(rating) = &number.quality_rating {
        let verdict = match rating.as_str() {
            // It works: nobody is woken for it.
            "RED" => Ok("red: many customers block or report it, and Meta may let it send less; look at what is sent by templates"
                .to_owned()),
            other => Ok(plain(other)),
        };
        found.push(finding("the number's quality", verdict));
    }
    if let Some(throughput) = &number.throughput {
        found.push(finding("how fast it may send", Ok(plain(&throughput.level))));
    }
    if let Some(callbacks) = &number.webhook_configuration {
        found.push(finding("where updates go", of_callbacks(callbacks)));
    }
    found
}

fn of_callbacks(callbacks: &Callbacks) -> Result<String, String> {
    let all = [&callbacks.phone_number, &callbacks.whatsapp_business_account, &callbacks.application];
    let first = all.into_iter().flatten().find(|url| !url.is_empty());
    let path = first
        .and_then(|url| Some((url, url.split_once("//")?.1.split_once('/').map_or("", |(_, path)| path))));
    match path {
        None => Err("no callback is set, so nothing comes in: set one as the README says".to_owned()),
        Some((url, path)) if path.contains("in/whatsapp/") => Ok(format!("it is {url}")),
        Some((url, _)) => {
            Err(format!("it leads to {url}: set https://<your host>/in/whatsapp/<account> for this number"))
        }
    }
}

fn finding(what: &str, found: Result<String, String>) -> Finding {
    Finding { what: what.to_owned(), found }
}

/// Meta's word of capitals in small letters.
fn plain(word: &str) -> String {
    word.to_lowercase().replace('_', " ")
}
