//! Whether an account is let in, and how it is doing (https://www.twilio.com/docs/iam/api/account).

use channel::{Finding, HttpAnswer, HttpRequest};
use serde::Deserialize;

use crate::Account;
use crate::kind::Kind;

#[derive(Deserialize)]
struct Said {
    /// Of an account: `active`, `suspended` or `closed`.
    status: Option<String>,
    /// `Trial` or `Full`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Of a list of messages; what is in it is not looked at.
    page_size: Option<u64>,
}

/// Asks for the account itself. A standard API key may not see that (https://www.twilio.com/docs/iam/api-keys): with a key the list
/// of messages is asked for, one of them.
pub(crate) fn probe<K: Kind>(account: &Account<K>) -> HttpRequest {
    let name = if account.secrets.has_key() { "/Messages.json?PageSize=1" } else { ".json" };
    account.get(account.resource(name))
}

pub(crate) fn findings(answer: &HttpAnswer) -> Vec<Finding> {
    let finding = |what: &str, found: Result<String, String>| Finding { what: what.to_owned(), found };
    let login = |found: Result<&str, String>| finding("sign in to Twilio", found.map(str::to_owned));
    let body = match answer {
        HttpAnswer::Status { status: 200, body, .. } => body,
        HttpAnswer::Status { status: 401 | 403, .. } => {
            let words =
                "Twilio does not let us in: compare sid and token (or key and secret) with the Console";
            return vec![login(Err(words.to_owned()))];
        }
        HttpAnswer::Status { status: 404, .. } => {
            return vec![login(Err("there is no such account: compare sid with the Console".to_owned()))];
        }
        HttpAnswer::Status { status, .. } => {
            return vec![login(Err(format!("it answered {status}: try again later")))];
        }
        HttpAnswer::NoAnswer => {
            return vec![login(Err("it did not answer in time: try again later".to_owned()))];
        }
        HttpAnswer::Unreachable => {
            let words = "nobody is there: look at the way to Twilio, and at `api` if you set it";
            return vec![login(Err(words.to_owned()))];
        }
    };
    let said = serde_json::from_slice::<Said>(body).ok();
    let Some(said) = said.filter(|said| said.status.is_some() || said.page_size.is_some()) else {
        let words = "what it answered is no account of Twilio's: look at `api`";
        return vec![login(Err(words.to_owned()))];
    };
    let mut found = vec![login(Ok("the account is let in"))];
    if let Some(status) = said.status {
        found.push(finding("the account", standing(&status)));
    }
    // It works, for those who are verified: that is no fault of an account for trying.
    if said.kind.as_deref() == Some("Trial") {
        let words = "a trial account: it reaches numbers verified at Twilio alone, and says so in each text \
            message; upgrade it to write to customers";
        found.push(finding("its kind", Ok(words.to_owned())));
    }
    found
}

fn standing(status: &str) -> Result<String, String> {
    match status {
        "active" => Ok("it is active".to_owned()),
        "suspended" => {
            Err("it is suspended, and sends nothing: look in the Console why, most often at its balance"
                .to_owned())
        }
        "closed" => Err("it is closed for good: use another".to_owned()),
        _ => Err("its standing is none that was known when this was written: look in the Console".to_owned()),
    }
}
