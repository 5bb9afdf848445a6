//! How accounts of channels are reached: rows of the bucket CHANNELS, and the questions about them.
//!
//! The settings of an account are what `channels.toml` and `web.toml` say. Where a secret stands, the row has the word `set` and the
//! secret itself lies sealed beside it, so that everybody who may see how an account is set up may see the rest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::ConfigFault;
use crate::content::Sealed;
use crate::time::Millis;
use crate::token::{ChannelKind, SubjectToken};

/// What stands where a secret is.
pub const SET: &str = "set";
/// Largest settings of an account, bytes of JSON, its secrets among them.
pub const SETTINGS_BYTES_MAX: usize = 16 * 1024;
/// Most accounts of all channels together that are set up.
pub const CHANNEL_ACCOUNTS_MAX: usize = 1_000;
/// The keys of settings that hold a secret, wherever they stand.
const SECRETS: [&str; 8] = [
    "secret",
    "secrets",
    "password",
    "client_secret",
    "refresh_token",
    "token",
    "verify_token",
    "shared_key",
];
/// How deep settings are read.
const DEPTH_MAX: usize = 4;
/// What the keys of rows begin with.
const KEY: &str = "account.";

/// The channels that have something to set up.
pub const CHANNELS: [ChannelKind; 8] = [
    ChannelKind::Email,
    ChannelKind::Webhook,
    ChannelKind::Web,
    ChannelKind::Telegram,
    ChannelKind::Sms,
    ChannelKind::Whatsapp,
    ChannelKind::Messenger,
    ChannelKind::Instagram,
];

/// The settings of an account: what a table of `channels.toml` says, as JSON.
pub type Settings = Map<String, Value>;
/// Secrets by their place in the settings, as `oauth.refresh_token` or `secrets.0`.
pub type Secrets = BTreeMap<String, String>;

/// An account as it stands in CHANNELS, under [`row_key`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountRow {
    /// How it is reached; secrets read [`SET`].
    pub settings: Settings,
    /// Its secrets, sealed with a key of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Sealed>,
    /// When it was changed last.
    pub changed_at: Millis,
}

/// Whether an account can be used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelQuestion {
    /// Of which channel.
    pub channel: ChannelKind,
    /// Its name.
    pub name: SubjectToken,
    /// As it would stand in CHANNELS.
    pub row: AccountRow,
    /// Whether its credentials are tried too, which sends nobody anything.
    pub tries: bool,
}

/// What was found of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ChannelChecked {
    /// Why it cannot be used; empty if it can.
    #[serde(default)]
    pub faults: Vec<ConfigFault>,
    /// What came of trying it.
    #[serde(default)]
    pub findings: Vec<ChannelFinding>,
}

/// What came of trying one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ChannelFinding {
    /// What was tried.
    pub what: String,
    /// Whether it worked.
    pub good: bool,
    /// What came of it, or what to do.
    pub found: String,
}

/// The key of an account's row.
#[must_use]
pub fn row_key(channel: ChannelKind, name: &SubjectToken) -> String {
    format!("{KEY}{channel}.{name}")
}

/// Whose row it is; `None` if it is no account's.
#[must_use]
pub fn read_row_key(key: &str) -> Option<(ChannelKind, SubjectToken)> {
    let (channel, name) = key.strip_prefix(KEY)?.split_once('.')?;
    let channel = CHANNELS.into_iter().find(|kind| kind.as_str() == channel)?;
    Some((channel, SubjectToken::new(name).ok()?))
}

/// Takes the secrets out of settings; one that reads [`SET`] stays the one that was kept in its place.
///
/// # Errors
/// Every fault with its place; fate: refuse.
pub fn part(mut settings: Settings, kept: &Secrets) -> Result<(Settings, Secrets), Vec<ConfigFault>> {
    let mut parting = Parting { kept, secrets: Secrets::new(), faults: Vec::new() };
    parting.table(&mut settings, "", 0);
    if parting.faults.is_empty() { Ok((settings, parting.secrets)) } else { Err(parting.faults) }
}

struct Parting<'a> {
    kept: &'a Secrets,
    secrets: Secrets,
    faults: Vec<ConfigFault>,
}

impl Parting<'_> {
    fn table(&mut self, table: &mut Settings, path: &str, depth: usize) {
        // What a page leaves empty is not there.
        table.retain(|_, value| !value.is_null());
        for (key, value) in table {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            if SECRETS.contains(&key.as_str()) {
                self.secret(value, path, true);
            } else if let Value::Object(table) = value {
                if depth < DEPTH_MAX {
                    self.table(table, &path, depth + 1);
                } else {
                    self.fault(&path, "this is nested too deeply");
                }
            }
        }
    }

    fn secret(&mut self, value: &mut Value, path: String, may_be_list: bool) {
        match value {
            Value::String(text) if text == SET => match self.kept.get(&path) {
                Some(secret) => drop(self.secrets.insert(path, secret.clone())),
                None => self.fault(&path, "there is none yet: say it"),
            },
            Value::String(text) => {
                self.secrets.insert(path, std::mem::replace(text, SET.to_owned()));
            }
            // Those that stay are known by their places.
            Value::Array(list)
                if may_be_list && list.iter().any(|one| one == SET) && list.len() != self.kept_of(&path) =>
            {
                self.fault(&path, "one was added or taken away: write all of them");
            }
            Value::Array(list) if may_be_list => {
                for (n, one) in list.iter_mut().enumerate() {
                    self.secret(one, format!("{path}.{n}"), false);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.fault(&path, "a secret is a text");
            }
        }
    }

    /// How many secrets are kept of a list.
    fn kept_of(&self, path: &str) -> usize {
        let is_one = |kept: &&String| kept.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        self.kept.keys().filter(is_one).count()
    }

    fn fault(&mut self, path: &str, message: &str) {
        self.faults.push(ConfigFault { path: format!("settings.{path}"), message: message.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(value: Value) -> Settings {
        let Value::Object(map) = value else { panic!("expected settings") };
        map
    }

    #[test]
    fn secrets_are_taken_out_and_stay_where_nothing_else_is_said() {
        let given = json!({
            "address": "a@shop.example", "password": "hunter2", "name": null,
            "oauth": { "client_id": "x", "refresh_token": "r1" }, "secrets": ["s0", "s1"],
        });
        let (shown, secrets) = part(settings(given), &Secrets::new()).unwrap();
        let text = serde_json::to_string(&shown).unwrap();
        assert_eq!(
            text,
            r#"{"address":"a@shop.example","oauth":{"client_id":"x","refresh_token":"set"},"password":"set","secrets":["set","set"]}"#
        );
        let places: Vec<_> = secrets.iter().map(|(path, secret)| format!("{path}={secret}")).collect();
        assert_eq!(places, ["oauth.refresh_token=r1", "password=hunter2", "secrets.0=s0", "secrets.1=s1"]);
        let mut again = shown.clone();
        again.insert("password".to_owned(), "new".into());
        let (still, now) = part(again, &secrets).unwrap();
        assert_eq!((still, now["password"].as_str(), now["secrets.1"].as_str()), (shown, "new", "s1"));
    }

    #[test]
    fn of_a_list_all_stay_or_all_are_written() {
        let kept: Secrets = [("secrets.0", "old"), ("secrets.1", "new")]
            .map(|(path, secret)| (path.to_owned(), secret.to_owned()))
            .into();
        let (_, both) = part(settings(json!({"secrets": ["set", "set"]})), &kept).unwrap();
        assert_eq!(both, kept);
        for list in [json!(["set"]), json!(["newer", "set", "set"])] {
            let faults = part(settings(json!({ "secrets": list })), &kept).unwrap_err();
            assert_eq!(faults[0].path, "settings.secrets");
        }
        let (_, one) = part(settings(json!({"secrets": ["new"]})), &kept).unwrap();
        assert_eq!(one.into_iter().collect::<Vec<_>>(), [("secrets.0".to_owned(), "new".to_owned())]);
    }

    #[test]
    fn a_secret_that_is_not_there_cannot_stay() {
        let faults = part(settings(json!({"password": "set", "secret": 7})), &Secrets::new()).unwrap_err();
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, ["settings.password", "settings.secret"]);
    }

    #[test]
    fn rows_are_known_by_their_keys() {
        let name = SubjectToken::new("support").unwrap();
        let key = row_key(ChannelKind::Email, &name);
        assert_eq!(key, "account.email.support");
        assert_eq!(read_row_key(&key), Some((ChannelKind::Email, name)));
        for other in ["files.published", "account.api.x", "account.email", "account.email.a b"] {
            assert_eq!(read_row_key(other), None, "{other}");
        }
    }
}
