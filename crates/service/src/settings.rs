//! The settings of a process: built-in defaults, one folder of TOML over them, the environment over that.
//!
//! `deploy/config/winterband.toml` is the defaults and their documentation in one; it is built in.

mod apart;
mod fields;
mod keys;
mod place;
mod secret;
mod signin;
pub mod size;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::Uri;

use crate::http::Prefix;

pub use apart::read_file;
pub use fields::{Fault, Fields};
pub use place::{line_of, locate};
pub use secret::Secret;

/// The name of the settings file in its folder.
pub const FILE_NAME: &str = "winterband.toml";

/// The settings file as it is built in: every key, its default and one line about it.
pub const DEFAULTS: &str = include_str!("../../../deploy/config/winterband.toml");

const DEFAULTS_PLACE: &str = "built-in winterband.toml";
const VARIABLE_PREFIX: &str = "WINTERBAND_";

/// Every setting, checked; the file's comments say what each one means.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder that was given, in which further files lie; `None`: the built-in settings alone.
    pub folder: Option<PathBuf>,
    pub cell: CellSettings,
    pub http: HttpSettings,
    pub data: DataSettings,
    pub nats: NatsSettings,
    pub log: LogSettings,
    pub routing: RoutingSettings,
    pub empowerment: EmpowermentSettings,
    pub limits: LimitSettings,
    pub streams: StreamSettings,
    pub desk: DeskSettings,
    pub signin: SigninSettings,
    pub oidc: OidcSettings,
    pub drain: DrainSettings,
    pub health: HealthSettings,
    pub watch: WatchSettings,
    pub canary: CanarySettings,
    pub trace: TraceSettings,
    pub web: WebSettings,
    pub webhooks: WebhookSettings,
}

/// `[cell]`
#[derive(Clone, Debug)]
pub struct CellSettings {
    /// 1 to 16 of a-z and 0-9.
    pub token: String,
}

/// `[http]`
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Scheme, host and port by which this machine reaches `listen`.
    pub here: String,
    pub listen: SocketAddr,
    /// Scheme, host and port, without a slash at the end.
    pub public_url: String,
    /// Where health and metrics are told to whoever asks; `None`: nowhere but on this machine.
    pub watch_listen: Option<SocketAddr>,
    /// Whether we may listen where others than this machine and private networks reach us, without TLS.
    pub dangerous_in_the_clear: bool,
    /// Whose word about the client's address is taken; see [`crate::http::address`].
    pub trusted_proxies: Vec<Prefix>,
}

/// `[data]`
#[derive(Clone, Debug)]
pub struct DataSettings {
    pub folder: PathBuf,
    /// The file of the master key; `None`: among the secrets of the folder.
    pub master_key: Option<PathBuf>,
}

/// `[nats]`
#[derive(Clone, Debug)]
pub struct NatsSettings {
    /// Empty when we supervise a server of our own.
    pub url: String,
    /// `user:password`
    pub credentials: Option<Secret>,
    /// The seed of our user's key pair, in place of a password.
    pub seed: Option<Secret>,
    /// The authority (PEM) whose certificates are believed; `None`: those that this machine knows.
    pub authority: Option<PathBuf>,
    /// Whether `winterband prepare` makes what has to be there, so that roles make none of it.
    pub prepared: bool,
    /// Where the server's streams lie, if that can be looked at from here.
    pub store_folder: Option<PathBuf>,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// `[log]`
#[derive(Clone, Debug)]
pub struct LogSettings {
    pub format: LogFormat,
    /// A filter that `EnvFilter` reads.
    pub level: String,
}

/// `[routing]`
#[derive(Clone, Debug)]
pub struct RoutingSettings {
    pub lease: Duration,
    pub append_window: u32,
    pub snapshot_every_records: u32,
}

/// `[empowerment]`
#[derive(Clone, Debug)]
pub struct EmpowermentSettings {
    /// Whether that system may lie on another machine.
    pub in_the_clear: bool,
    /// Without a slash at the end; empty when no system carries orders out.
    pub shop_url: String,
    pub shop_token: Option<Secret>,
    /// The source of that system's facts, as the policy names it: 1 to 64 of a-z, 0-9, _ and -.
    pub integration: String,
    pub order_timeout: Duration,
    pub facts_deadline: Duration,
    pub ask_nats: bool,
    /// Whether orders wait for that system to fetch them, instead of being sent to it.
    pub orders_wait: bool,
}

/// `[limits]`
#[derive(Clone, Debug)]
pub struct LimitSettings {
    pub text_max_bytes: usize,
    pub body_max_bytes: usize,
    pub note_max_bytes: usize,
    pub draft_max_bytes: usize,
    pub visitor_frames_per_minute: u32,
    pub ip_new_conversations_per_minute: u32,
    pub ip_frames_per_minute: u32,
    pub ip_bytes_per_minute: u32,
    pub ip_sockets: u32,
    pub ip_connections: u32,
    pub visitor_uploads_per_minute: u32,
    pub ip_upload_bytes_per_minute: u32,
    pub desk_frames_per_second: u32,
    pub api_requests_per_second: u32,
}

/// `[streams]`
#[derive(Clone, Debug)]
pub struct StreamSettings {
    pub inbound_max_bytes: u64,
    pub contacts_max_bytes: u64,
    pub remedies_max_bytes: u64,
    pub parked_max_bytes: u64,
    pub deliveries_max_bytes: u64,
    pub audit_max_bytes: u64,
    pub files_max_bytes: u64,
    /// How many servers of a cluster keep each stream, 1 to 5.
    pub replicas: u32,
    /// Used percentages of a stream or the disk, first and second alarm.
    pub alarms_at_percent: [u32; 2],
    pub refuse_new_at_percent: u32,
    pub refuse_customers_at_percent: u32,
}

/// `[desk]`
#[derive(Clone, Debug)]
pub struct DeskSettings {
    pub session_lifetime: Duration,
    pub session_idle: Duration,
    pub disconnect_grace: Duration,
    pub command_wait: Duration,
}

/// `[signin]`
#[derive(Clone, Debug)]
pub struct SigninSettings {
    pub attempts_per_minute: u32,
    pub guesses_per_hour: u32,
    /// Whether agents sign in with passwords.
    pub passwords: bool,
}

/// `[oidc]`
#[derive(Clone, Debug)]
pub struct OidcSettings {
    /// Empty when there is no identity provider.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<Secret>,
    pub title: String,
    pub scopes: String,
    pub claim: String,
    pub email_domain: String,
    pub groups_claim: String,
    /// Empty: everybody whom the provider knows.
    pub groups: Vec<String>,
}

/// `[drain]`
#[derive(Clone, Debug)]
pub struct DrainSettings {
    pub deadline: Duration,
}

/// `[health]`
#[derive(Clone, Debug)]
pub struct HealthSettings {
    pub stale_after: Duration,
}

/// `[watch]`
#[derive(Clone, Debug)]
pub struct WatchSettings {
    /// How often the ledger and what fills are looked at.
    pub look_every: Duration,
}

/// `[canary]`
#[derive(Clone, Debug)]
pub struct CanarySettings {
    pub enabled: bool,
    /// How often each account is tried.
    pub every: Duration,
    /// Time for one round, from the door to the answer.
    pub within: Duration,
    /// How often a mail account is sent a mail of its own as well; behind the first one that does not come, the next one goes with the next round.
    pub mail_every: Duration,
    /// Time that such a mail has to come back and be answered; two in a row that do not are told as lost.
    pub mail_within: Duration,
    /// Where the chat's sockets are; `None`: where the chat runs in the same process, there.
    pub chat_url: Option<String>,
    /// Where what is posted to channels goes; `None`: as [`Self::chat_url`], with the role `channels`.
    pub channels_url: Option<String>,
    /// Where other systems send messages; `None`: as [`Self::chat_url`], with the role `api`.
    pub api_url: Option<String>,
    /// Where those who watch are posted to; `None`: where they run in the same process as the channels, there.
    pub receiver_url: Option<String>,
}

/// `[trace]`
#[derive(Clone, Debug)]
pub struct TraceSettings {
    /// Scheme, host, port and perhaps a path, without a slash at the end; empty: no traces.
    pub otlp_endpoint: String,
    /// Of the traces that begin here, the share that is recorded, 0 to 1.
    pub sampled: f64,
}

/// `[web]`
#[derive(Clone, Debug)]
pub struct WebSettings {
    pub sites: Vec<String>,
    /// Whether the demonstration page is served; `None`: see [`Settings::has_demo_shop`].
    pub demo_shop: Option<bool>,
}

/// `[webhooks]`
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Networks of our own that may be posted to, also without TLS.
    pub allowed_networks: Vec<Prefix>,
    pub answer_within: Duration,
    pub retry_first: Duration,
    pub retry_longest: Duration,
    pub give_up_after: Duration,
}

/// Everything that is wrong with the settings, one line each; the process ends with exit code 64.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SettingsErrors(pub Vec<Fault>);

impl fmt::Display for SettingsErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.0.iter().enumerate() {
            let end = if n == 0 { "" } else { "\n" };
            write!(f, "{end}{fault}")?;
        }
        Ok(())
    }
}

impl Settings {
    /// The defaults, overlaid by `<folder>/winterband.toml` if it is there, overlaid by the environment.
    ///
    /// # Errors
    /// Every fault of the file and the environment at once, also a folder that does not exist.
    pub fn load(folder: Option<&Path>) -> Result<Self, SettingsErrors> {
        let variables = std::env::vars_os()
            .map(|(name, text)| (name.to_string_lossy().into_owned(), text.to_string_lossy().into_owned()));
        Self::load_with(folder, variables)
    }

    /// The defaults alone: neither a folder nor the environment is read. For tests.
    ///
    /// # Errors
    /// None, as long as the test of the built-in file passes.
    pub fn defaults() -> Result<Self, SettingsErrors> {
        Self::load_with(None, [])
    }

    /// As [`Settings::load`], with the environment given.
    ///
    /// # Errors
    /// Every fault of the file and the variables at once.
    pub fn load_with(
        folder: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsErrors> {
        let all: BTreeMap<String, String> = variables.into_iter().collect();
        let mut fields = Fields::new(by_path(&all));
        fields.lay(DEFAULTS_PLACE, DEFAULTS);
        if let Some(folder) = folder {
            lay_folder(&mut fields, folder);
        }
        let settings = keys::read(&mut fields, folder, &all);
        let faults = fields.finish();
        match settings {
            Some(settings) if faults.is_empty() => Ok(settings),
            _ => Err(SettingsErrors(faults)),
        }
    }

    /// The first address of the bus on another machine to which everything goes without encryption.
    pub fn bus_in_the_clear(&self) -> Option<&str> {
        self.nats.url.split(',').map(str::trim).find(|url| {
            let uri = url.parse::<Uri>().ok();
            uri.is_some_and(|uri| {
                matches!(uri.scheme_str(), Some("nats" | "ws"))
                    && !uri.host().is_some_and(crate::http::is_this_machine)
            })
        })
    }

    /// Whether the demonstration page is served: if nothing else is said, to who only tries the product, without a folder of settings.
    pub fn has_demo_shop(&self) -> bool {
        self.web.demo_shop.unwrap_or(self.folder.is_none())
    }

    /// Whether a browser's `Origin` is ours or one of `web.sites`.
    pub fn is_known_origin(&self, origin: &str) -> bool {
        self.http.public_url == origin || self.web.sites.iter().any(|site| site == origin)
    }
}

/// The variables that name a key, by the key's path.
fn by_path(all: &BTreeMap<String, String>) -> BTreeMap<String, (String, String)> {
    let mut found = BTreeMap::new();
    if let Some(url) = all.get("NATS_URL") {
        found.insert("nats.url".to_owned(), ("NATS_URL".to_owned(), url.clone()));
    }
    for (name, text) in all {
        let Some((section, key)) = name.strip_prefix(VARIABLE_PREFIX).and_then(|rest| rest.split_once("__"))
        else {
            continue;
        };
        let path = format!("{section}.{key}").to_ascii_lowercase();
        found.insert(path, (name.clone(), text.clone()));
    }
    found
}

fn lay_folder(fields: &mut Fields, folder: &Path) {
    let file = folder.join(FILE_NAME);
    match std::fs::read_to_string(&file) {
        Ok(text) => fields.lay(FILE_NAME, &text),
        // A folder may hold the routing configuration alone.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && folder.is_dir() => {}
        Err(error) => fields.fault(Fault {
            place: file.display().to_string(),
            line: None,
            path: String::new(),
            expected: "a readable settings file".to_owned(),
            found: error.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests;
