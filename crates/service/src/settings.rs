//! The settings of a process: built-in defaults, one folder of TOML over them, the environment over that.
//!
//! `deploy/config/winterband.toml` is the defaults and their documentation in one; it is built in.

mod fields;
mod place;
mod secret;
pub mod size;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::Uri;
use tracing_subscriber::EnvFilter;

pub use fields::{Fault, Fields};
pub use place::{line_of, locate};
pub use secret::Secret;
use secret::Reference;

/// The name of the settings file in its folder.
pub const FILE_NAME: &str = "winterband.toml";

/// The settings file as it is built in: every key, its default and one line about it.
pub const DEFAULTS: &str = include_str!("../../../deploy/config/winterband.toml");

const DEFAULTS_PLACE: &str = "built-in winterband.toml";
const VARIABLE_PREFIX: &str = "WINTERBAND_";
const SITES_MAX: usize = 100;

/// Every setting, checked; the file's comments say what each one means.
#[derive(Clone, Debug)]
pub struct Settings {
    pub cell: CellSettings,
    pub http: HttpSettings,
    pub data: DataSettings,
    pub nats: NatsSettings,
    pub log: LogSettings,
    pub routing: RoutingSettings,
    pub limits: LimitSettings,
    pub streams: StreamSettings,
    pub desk: DeskSettings,
    pub signin: SigninSettings,
    pub drain: DrainSettings,
    pub health: HealthSettings,
    pub web: WebSettings,
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
    pub listen: SocketAddr,
    /// Scheme, host and port, without a slash at the end.
    pub public_url: String,
}

/// `[data]`
#[derive(Clone, Debug)]
pub struct DataSettings {
    pub folder: PathBuf,
}

/// `[nats]`
#[derive(Clone, Debug)]
pub struct NatsSettings {
    /// Empty when we supervise a server of our own.
    pub url: String,
    /// `user:password`
    pub credentials: Option<Secret>,
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

/// `[limits]`
#[derive(Clone, Debug)]
pub struct LimitSettings {
    pub text_max_bytes: usize,
    pub body_max_bytes: usize,
    pub note_max_bytes: usize,
    pub draft_max_bytes: usize,
    pub visitor_frames_per_minute: u32,
    pub ip_new_conversations_per_minute: u32,
    pub ip_sockets: u32,
    pub desk_frames_per_second: u32,
    pub api_requests_per_second: u32,
}

/// `[streams]`
#[derive(Clone, Debug)]
pub struct StreamSettings {
    pub inbound_max_bytes: u64,
    pub contacts_max_bytes: u64,
    pub parked_max_bytes: u64,
    pub refuse_new_at_percent: u32,
}

/// `[desk]`
#[derive(Clone, Debug)]
pub struct DeskSettings {
    pub session_lifetime: Duration,
    pub disconnect_grace: Duration,
    pub command_wait: Duration,
}

/// `[signin]`
#[derive(Clone, Debug)]
pub struct SigninSettings {
    pub attempts_per_minute: u32,
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

/// `[web]`
#[derive(Clone, Debug)]
pub struct WebSettings {
    pub sites: Vec<String>,
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
        fields.lay(DEFAULTS_PLACE, DEFAULTS.to_owned());
        if let Some(folder) = folder {
            lay_folder(&mut fields, folder);
        }
        let settings = read(&mut fields, folder, &all);
        let faults = fields.finish();
        match settings {
            Some(settings) if faults.is_empty() => Ok(settings),
            _ => Err(SettingsErrors(faults)),
        }
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
        let Some((section, key)) = name.strip_prefix(VARIABLE_PREFIX).and_then(|rest| rest.split_once("__")) else {
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
        Ok(text) => fields.lay(FILE_NAME, text),
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

/// Asks for every key; `None` stands for faults that were noted on the way.
fn read(fields: &mut Fields, folder: Option<&Path>, variables: &BTreeMap<String, String>) -> Option<Settings> {
    let cell = fields.text("cell.token", "1 to 16 of a-z and 0-9", cell_token);
    let listen = fields.text("http.listen", "\"ip:port\"", |text| text.parse().ok());
    let public_url = fields.text("http.public_url", "\"http(s)://host[:port]\"", origin);
    let data = fields.text("data.folder", "a folder's path", folder_path);
    let nats = nats(fields, folder, variables);
    let log = log(fields);
    let routing = routing(fields);
    let limits = limits(fields);
    let streams = streams(fields);
    let desk = desk(fields);
    let signin = SigninSettings { attempts_per_minute: fields.integer("signin.attempts_per_minute", &(1..=1000)) };
    let drain = DrainSettings { deadline: fields.duration("drain.deadline", &(seconds(1)..=minutes(10))) };
    let health = HealthSettings { stale_after: fields.duration("health.stale_after", &(seconds(1)..=minutes(10))) };
    let site = "\"http(s)://host[:port]\"";
    let sites = fields.texts("web.sites", site, SITES_MAX, |text| origin(text).is_some());
    Some(Settings {
        cell: CellSettings { token: cell? },
        http: HttpSettings { listen: listen?, public_url: public_url? },
        data: DataSettings { folder: data? },
        nats: nats?,
        log: log?,
        routing,
        limits,
        streams,
        desk,
        signin,
        drain,
        health,
        web: WebSettings { sites },
    })
}

fn nats(
    fields: &mut Fields,
    folder: Option<&Path>,
    variables: &BTreeMap<String, String>,
) -> Option<NatsSettings> {
    let url = fields.text("nats.url", "\"nats://host:port\", several with commas, or \"\"", nats_urls);
    let path = "nats.credentials";
    let expected = "{ file = \"...\" } or { env = \"...\" }";
    let reference = fields.hidden(path, expected, Reference::read)?;
    match reference.value.fetch(folder, &|name| variables.get(name).cloned()) {
        Ok(credentials) => Some(NatsSettings { url: url?, credentials }),
        Err(found) => {
            fields.fault(Fault {
                place: reference.place,
                line: reference.line,
                path: path.to_owned(),
                expected: "a readable secret".to_owned(),
                found,
            });
            None
        }
    }
}

fn log(fields: &mut Fields) -> Option<LogSettings> {
    let format = fields.text("log.format", "\"text\" or \"json\"", |text| match text {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    });
    let level = fields.text("log.level", "error, warn, info, debug, trace or a filter", |text| {
        EnvFilter::builder().parse(text).ok().filter(|_| !text.is_empty()).map(|_| text.to_owned())
    });
    Some(LogSettings { format: format?, level: level? })
}

fn routing(fields: &mut Fields) -> RoutingSettings {
    let lease = Duration::from_millis(500)..=minutes(1);
    RoutingSettings {
        lease: fields.duration("routing.lease", &lease),
        append_window: fields.integer("routing.append_window", &(1..=4096)),
        snapshot_every_records: fields.integer("routing.snapshot_every_records", &(100..=10_000_000)),
    }
}

fn limits(fields: &mut Fields) -> LimitSettings {
    LimitSettings {
        text_max_bytes: memory(fields, "limits.text_max"),
        body_max_bytes: memory(fields, "limits.body_max"),
        note_max_bytes: memory(fields, "limits.note_max"),
        draft_max_bytes: memory(fields, "limits.draft_max"),
        visitor_frames_per_minute: rate(fields, "limits.visitor_frames_per_minute"),
        ip_new_conversations_per_minute: rate(fields, "limits.ip_new_conversations_per_minute"),
        ip_sockets: rate(fields, "limits.ip_sockets"),
        desk_frames_per_second: rate(fields, "limits.desk_frames_per_second"),
        api_requests_per_second: rate(fields, "limits.api_requests_per_second"),
    }
}

/// A size that a process holds in memory at once. Above 4 MiB a record would near the server's largest message.
fn memory(fields: &mut Fields, path: &str) -> usize {
    usize::try_from(fields.size(path, &(1024..=4 << 20))).unwrap_or(usize::MAX)
}

fn rate(fields: &mut Fields, path: &str) -> u32 {
    fields.integer(path, &(1..=1_000_000))
}

fn streams(fields: &mut Fields) -> StreamSettings {
    // 64 KiB, so that a test can fill a stream; 64 TiB, which is past any disk of today.
    let range = 64 << 10..=64 << 40;
    StreamSettings {
        inbound_max_bytes: fields.size("streams.inbound_max", &range),
        contacts_max_bytes: fields.size("streams.contacts_max", &range),
        parked_max_bytes: fields.size("streams.parked_max", &range),
        refuse_new_at_percent: fields.integer("streams.refuse_new_at_percent", &(10..=99)),
    }
}

fn desk(fields: &mut Fields) -> DeskSettings {
    DeskSettings {
        session_lifetime: fields.duration("desk.session_lifetime", &(minutes(1)..=minutes(7 * 24 * 60))),
        disconnect_grace: fields.duration("desk.disconnect_grace", &(seconds(1)..=minutes(10))),
        command_wait: fields.duration("desk.command_wait", &(seconds(1)..=minutes(1))),
    }
}

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

fn cell_token(text: &str) -> Option<String> {
    let fits = (1..=16).contains(&text.len());
    let clean = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (fits && clean).then(|| text.to_owned())
}

fn folder_path(text: &str) -> Option<PathBuf> {
    (!text.trim().is_empty()).then(|| PathBuf::from(text))
}

/// Scheme, host and port and nothing else, exactly as a browser writes an origin.
fn origin(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let web = matches!(uri.scheme_str(), Some("http" | "https"));
    let host = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    let bare = uri.path() == "/" && uri.query().is_none() && !text.ends_with('/');
    let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    (web && host && bare && lower).then(|| text.to_owned())
}

fn nats_urls(text: &str) -> Option<String> {
    let one = |url: &str| {
        let uri = url.trim().parse::<Uri>().ok();
        // A password in a URL ends up in logs; credentials have a key of their own.
        uri.is_some_and(|uri| {
            matches!(uri.scheme_str(), Some("nats" | "tls" | "ws" | "wss"))
                && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        })
    };
    (text.is_empty() || text.split(',').all(one)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
