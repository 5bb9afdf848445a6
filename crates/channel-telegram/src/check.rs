//! What `getWebhookInfo` says of how a bot is set up.

use channel::{Finding, HttpAnswer};
use serde::Deserialize;

/// What a bot is to be told of: `allowed_updates` of setWebhook.
pub const ALLOWED_UPDATES: [&str; 4] = ["message", "edited_message", "callback_query", "my_chat_member"];

#[derive(Deserialize)]
struct Said {
    result: Info,
}

#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    url: String,
    #[serde(default)]
    pending_update_count: u64,
    last_error_message: Option<String>,
    allowed_updates: Option<Vec<String>>,
}

pub(crate) fn findings(answer: &HttpAnswer) -> Vec<Finding> {
    let finding = |what: &str, found: Result<String, String>| Finding { what: what.to_owned(), found };
    let token = "ask Telegram for the bot's webhook";
    let body = match answer {
        HttpAnswer::Status { status: 200, body, .. } => body,
        HttpAnswer::Status { status: 401 | 404, .. } => {
            return vec![finding(token, Err("no bot has this token: ask @BotFather for it".to_owned()))];
        }
        HttpAnswer::Status { status, .. } => {
            return vec![finding(token, Err(format!("it answered {status}: try again later")))];
        }
        HttpAnswer::NoAnswer => {
            return vec![finding(token, Err("it did not answer in time: try again later".to_owned()))];
        }
        HttpAnswer::Unreachable => {
            return vec![finding(
                token,
                Err("nobody is there: look at the way to the Bot API, and at `api` if you set it".to_owned()),
            )];
        }
    };
    let Ok(Said { result: info }) = serde_json::from_slice::<Said>(body) else {
        return vec![finding(token, Err("what it answered is no webhook's info: look at `api`".to_owned()))];
    };
    let mut found = vec![finding(token, Ok("the token is a bot's".to_owned()))];
    let path = info.url.split_once("//").map(|(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
    let webhook = match path {
        None => Err("no webhook is set, so nothing comes in: call setWebhook as the README says".to_owned()),
        Some(path) if path.contains("in/telegram/") => Ok(format!("it is {}", info.url)),
        Some(_) => Err(format!(
            "it leads to {}: call setWebhook with https://<your host>/in/telegram/<account>",
            info.url
        )),
    };
    found.push(finding("where updates go", webhook));
    // Without a list Telegram says everything but what is asked for by name, which holds all that is needed.
    let is_asked = |kind: &&str| {
        info.allowed_updates.as_ref().is_none_or(|all| all.is_empty() || all.iter().any(|one| one == kind))
    };
    let missing: Vec<&str> = ALLOWED_UPDATES.into_iter().filter(|kind| !is_asked(kind)).collect();
    let kinds = if missing.is_empty() {
        Ok("all that is needed".to_owned())
    } else {
        Err(format!(
            "{} are not told: call setWebhook with allowed_updates as the README says",
            missing.join(", ")
        ))
    };
    found.push(finding("which updates are told", kinds));
    let waiting = match (info.pending_update_count, info.last_error_message) {
        (0, _) => Ok("none".to_owned()),
        (count, None) => Ok(format!("{count}, and no error is told")),
        (count, Some(error)) => Err(format!("{count}; the last one came back with: {error}")),
    };
    found.push(finding("updates that wait at Telegram", waiting));
    found
}
