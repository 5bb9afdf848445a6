//! Every key of the settings: its name, what it accepts and where it goes.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::Uri;
use tracing_subscriber::EnvFilter;

use super::secret::Reference;
use super::signin;
use super::{
    CanarySettings, CellSettings, DataSettings, DeskSettings, DrainSettings, EmpowermentSettings, Fault,
    Fields, HealthSettings, HttpSettings, LimitSettings, LogFormat, LogSettings, NatsSettings,
    RoutingSettings, Secret, Settings, StreamSettings, TraceSettings, WatchSettings, WebSettings,
    WebhookSettings,
};
use crate::http::{Prefix, is_this_machine};

/// Origins that may embed the chat; more belong in the web channel's configuration.
pub(super) const SITES_MAX: usize = 100;
/// Proxies and networks of them; every request is compared with each.
pub(super) const PROXIES_MAX: usize = 100;
/// Networks of our own that webhooks may be posted to.
const WEBHOOK_NETWORKS_MAX: usize = 100;
/// At how many percent something may happen to a place that fills up.
const FILL_PERCENT: RangeInclusive<u32> = 10..=99;

/// Asks for every key; `None` stands for faults that were noted on the way.
pub(super) fn read(
    fields: &mut Fields,
    folder: Option<&Path>,
    variables: &BTreeMap<String, String>,
) -> Option<Settings> {
    let cell = fields.text("cell.token", "1 to 16 of a-z and 0-9", cell_token);
    let listen: Option<SocketAddr> = fields.text("http.listen", "\"ip:port\"", |text| text.parse().ok());
    let watch_listen = fields.text("http.watch_listen", "\"ip:port\", or \"\"", address_or_none);
    let public_url = fields.text("http.public_url", "\"http(s)://host[:port]\"", origin_or_none);
    let dangerous_in_the_clear = fields.boolean("http.dangerous_in_the_clear");
    let proxy = "an address or network, such as \"10.0.0.0/8\"";
    let proxies =
        fields.texts("http.trusted_proxies", proxy, PROXIES_MAX, |text| text.parse::<Prefix>().is_ok());
    let trusted_proxies = proxies.iter().filter_map(|text| text.parse().ok()).collect();
    let data = data(fields);
    let nats = nats(fields, folder, variables);
    let log = log(fields);
    let routing = routing(fields);
    let empowerment = empowerment(fields, folder, variables);
    let limits = limits(fields);
    let streams = streams(fields);
    let desk = desk(fields);
    let signin = signin::signin(fields);
    let oidc = signin::oidc(fields, folder, variables);
    let drain = DrainSettings { deadline: fields.duration("drain.deadline", &(seconds(1)..=minutes(10))) };
    let health =
        HealthSettings { stale_after: fields.duration("health.stale_after", &(seconds(1)..=minutes(10))) };
    let watch =
        WatchSettings { look_every: fields.duration("watch.look_every", &(millis(100)..=minutes(60))) };
    let canary = canary(fields);
    let trace = trace(fields);
    let site = "\"http(s)://host[:port]\"";
    let demo_shop = fields.text("web.demo_shop", "\"yes\", \"no\" or \"auto\"", |text| match text {
        "yes" => Some(Some(true)),
        "no" => Some(Some(false)),
        "auto" => Some(None),
        _ => None,
    });
    let sites = fields.texts("web.sites", site, SITES_MAX, |text| origin(text).is_some());
    let webhooks = webhooks(fields);
    let listen = listen?;
    Some(Settings {
        folder: folder.map(Path::to_owned),
        cell: CellSettings { token: cell? },
        http: HttpSettings {
            listen,
            public_url: public_url?.unwrap_or_else(|| local_origin(listen)),
            here: local_origin(listen),
            watch_listen: watch_listen?,
            dangerous_in_the_clear,
            trusted_proxies,
        },
        data: data?,
        nats: nats?,
        log: log?,
        routing,
        empowerment: empowerment?,
        limits,
        streams,
        desk,
        signin,
        oidc: oidc?,
        drain,
        health,
        watch,
        canary: canary?,
        trace: trace?,
        web: WebSettings { sites, demo_shop: demo_shop? },
        webhooks,
    })
}

fn data(fields: &mut Fields) -> Option<DataSettings> {
    let folder = fields.text("data.folder", "a folder's path", folder_path);
    let master_key = fields.text("data.master_key", "a file's path, or \"\"", |text| Some(folder_path(text)));
    Some(DataSettings { folder: folder?, master_key: master_key? })
}

fn canary(fields: &mut Fields) -> Option<CanarySettings> {
    let url = "\"http(s)://host[:port]\", or \"\"";
    let enabled = fields.boolean("canary.enabled");
    let every = fields.duration("canary.every", &(millis(500)..=minutes(60)));
    let within = fields.duration("canary.within", &(millis(500)..=minutes(10)));
    let mail_every = fields.duration("canary.mail_every", &(millis(500)..=minutes(24 * 60)));
    let mail_within = fields.duration("canary.mail_within", &(millis(500)..=minutes(10)));
    let [chat_url, channels_url, api_url, receiver_url] =
        ["canary.chat_url", "canary.channels_url", "canary.api_url", "canary.receiver_url"]
            .map(|key| fields.text(key, url, origin_or_none));
    Some(CanarySettings {
        enabled,
        every,
        within,
        mail_every,
        mail_within,
        chat_url: chat_url?,
        channels_url: channels_url?,
        api_url: api_url?,
        receiver_url: receiver_url?,
    })
}

fn trace(fields: &mut Fields) -> Option<TraceSettings> {
    let url = "\"http(s)://host[:port][/path]\" without a slash at the end, or \"\"";
    let otlp_endpoint = fields.text("trace.otlp_endpoint", url, collector_url);
    let sampled = fields.share("trace.sampled");
    Some(TraceSettings { otlp_endpoint: otlp_endpoint?, sampled })
}

fn webhooks(fields: &mut Fields) -> WebhookSettings {
    let network = "an address or network, such as \"10.0.0.0/8\"";
    let accept = |text: &str| text.parse::<Prefix>().is_ok();
    let networks = fields.texts("webhooks.allowed_networks", network, WEBHOOK_NETWORKS_MAX, accept);
    WebhookSettings {
        allowed_networks: networks.iter().filter_map(|text| text.parse().ok()).collect(),
        answer_within: fields.duration("webhooks.answer_within", &(seconds(1)..=minutes(1))),
        retry_first: fields.duration("webhooks.retry_first", &(millis(100)..=minutes(60))),
        retry_longest: fields.duration("webhooks.retry_longest", &(seconds(1)..=minutes(24 * 60))),
        give_up_after: fields.duration("webhooks.give_up_after", &(seconds(1)..=minutes(30 * 24 * 60))),
    }
}

fn nats(
    fields: &mut Fields,
    folder: Option<&Path>,
    variables: &BTreeMap<String, String>,
) -> Option<NatsSettings> {
    let url = fields.text("nats.url", "\"nats://host:port\", several with commas, or \"\"", nats_urls);
    let store_folder =
        fields.text("nats.store_folder", "a folder's path, or \"\"", |text| Some(folder_path(text)));
    let credentials = secret(fields, "nats.credentials", folder, variables);
    let seed = secret(fields, "nats.seed", folder, variables);
    let beside = |text: &str| match folder {
        _ if text.is_empty() => None,
        Some(folder) => Some(folder.join(text)),
        None => Some(PathBuf::from(text)),
    };
    let authority = fields.text("nats.authority", "a file's path, or \"\"", |text| Some(beside(text)));
    let prepared = fields.boolean("nats.prepared");
    Some(NatsSettings {
        url: url?,
        credentials: credentials?,
        seed: seed?,
        authority: authority?,
        prepared,
        store_folder: store_folder?,
    })
}

/// `Some(None)`: none is named.
pub(super) fn secret(
    fields: &mut Fields,
    path: &str,
    folder: Option<&Path>,
    variables: &BTreeMap<String, String>,
) -> Option<Option<Secret>> {
    let expected = "{ file = \"...\" } or { env = \"...\" }";
    let reference = fields.hidden(path, expected, Reference::read)?;
    match reference.value.fetch(folder, &|name| variables.get(name).cloned()) {
        Ok(secret) => Some(secret),
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
    let level = fields.text("log.level", "error, warn, info, debug, trace or a filter", filter);
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

fn empowerment(
    fields: &mut Fields,
    folder: Option<&Path>,
    variables: &BTreeMap<String, String>,
) -> Option<EmpowermentSettings> {
    let in_the_clear = fields.boolean("empowerment.in_the_clear");
    let url = "\"http://host[:port][/path]\" on this machine (a proxy here speaks TLS; to another one only with \
               empowerment.in_the_clear), without a slash at the end, or \"\"";
    let shop_url = fields.text("empowerment.shop_url", url, |text| base_url(text, in_the_clear));
    let shop_token = secret(fields, "empowerment.shop_token", folder, variables);
    let word = "1 to 64 of a-z, 0-9, _ and -, not \"claim\" or \"floor\"";
    let integration = fields.text("empowerment.integration", word, integration_word);
    let order_timeout = fields.duration("empowerment.order_timeout", &(millis(100)..=minutes(2)));
    // Above that a desk would not be answered within half a second.
    let facts_deadline = fields.duration("empowerment.facts_deadline", &(millis(10)..=millis(400)));
    let ask_nats = fields.boolean("empowerment.ask_nats");
    let orders_wait = fields.boolean("empowerment.orders_wait");
    Some(EmpowermentSettings {
        in_the_clear,
        shop_url: shop_url?,
        shop_token: shop_token?,
        integration: integration?,
        order_timeout,
        facts_deadline,
        ask_nats,
        orders_wait,
    })
}

fn limits(fields: &mut Fields) -> LimitSettings {
    LimitSettings {
        text_max_bytes: memory(fields, "limits.text_max"),
        body_max_bytes: memory(fields, "limits.body_max"),
        note_max_bytes: memory(fields, "limits.note_max"),
        draft_max_bytes: memory(fields, "limits.draft_max"),
        visitor_frames_per_minute: rate(fields, "limits.visitor_frames_per_minute"),
        ip_new_conversations_per_minute: rate(fields, "limits.ip_new_conversations_per_minute"),
        ip_frames_per_minute: rate(fields, "limits.ip_frames_per_minute"),
        ip_bytes_per_minute: bytes(fields, "limits.ip_bytes_per_minute"),
        ip_sockets: rate(fields, "limits.ip_sockets"),
        ip_connections: rate(fields, "limits.ip_connections"),
        visitor_uploads_per_minute: rate(fields, "limits.visitor_uploads_per_minute"),
        ip_upload_bytes_per_minute: bytes(fields, "limits.ip_upload_bytes_per_minute"),
        desk_frames_per_second: rate(fields, "limits.desk_frames_per_second"),
        api_requests_per_second: rate(fields, "limits.api_requests_per_second"),
    }
}

/// A size that a process holds in memory at once. Above 4 MiB a record would near the server's largest message.
fn memory(fields: &mut Fields, path: &str) -> usize {
    usize::try_from(fields.size(path, &(1024..=4 << 20))).unwrap_or(usize::MAX)
}

/// A rate in bytes.
fn bytes(fields: &mut Fields, path: &str) -> u32 {
    u32::try_from(fields.size(path, &(16 << 10..=1 << 30))).unwrap_or(u32::MAX)
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
        remedies_max_bytes: fields.size("streams.remedies_max", &range),
        parked_max_bytes: fields.size("streams.parked_max", &range),
        files_max_bytes: fields.size("streams.files_max", &range),
        deliveries_max_bytes: fields.size("streams.deliveries_max", &range),
        audit_max_bytes: fields.size("streams.audit_max", &range),
        replicas: fields.integer("streams.replicas", &(1..=5)),
        alarms_at_percent: ["streams.alarm_at_percent", "streams.second_alarm_at_percent"]
            .map(|path| fields.integer(path, &FILL_PERCENT)),
        refuse_new_at_percent: fields.integer("streams.refuse_new_at_percent", &FILL_PERCENT),
        refuse_customers_at_percent: fields.integer("streams.refuse_customers_at_percent", &FILL_PERCENT),
    }
}

fn desk(fields: &mut Fields) -> DeskSettings {
    DeskSettings {
        session_lifetime: fields.duration("desk.session_lifetime", &(minutes(1)..=minutes(7 * 24 * 60))),
        session_idle: fields.duration("desk.session_idle", &(minutes(1)..=minutes(7 * 24 * 60))),
        disconnect_grace: fields.duration("desk.disconnect_grace", &(seconds(1)..=minutes(10))),
        command_wait: fields.duration("desk.command_wait", &(seconds(1)..=minutes(1))),
    }
}

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
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

/// `EnvFilter` takes a lone word for a part's name, so that `inof` would silence everything: a lone word is a level.
fn filter(text: &str) -> Option<String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let clear = text.split(',').all(|part| part.contains('=') || LEVELS.contains(&part.trim()));
    (clear && EnvFilter::builder().parse(text).is_ok()).then(|| text.to_owned())
}

fn address_or_none(text: &str) -> Option<Option<SocketAddr>> {
    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
}

/// Empty: a browser on this machine reaches us at what we listen on.
fn origin_or_none(text: &str) -> Option<Option<String>> {
    if text.is_empty() { Some(None) } else { origin(text).map(Some) }
}

fn local_origin(listen: SocketAddr) -> String {
    let host = if listen.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { listen.ip() };
    format!("http://{}", SocketAddr::new(host, listen.port()))
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

fn base_url(text: &str, in_the_clear: bool) -> Option<String> {
    let fits = |uri: &Uri| {
        let host = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && uri.host().is_some_and(|host| in_the_clear || is_this_machine(host));
        uri.scheme_str() == Some("http") && host && uri.query().is_none() && !text.ends_with('/')
    };
    (text.is_empty() || text.parse().as_ref().is_ok_and(fits)).then(|| text.to_owned())
}

/// Of another machine too: what goes there are ids and times.
fn collector_url(text: &str) -> Option<String> {
    let fits = |uri: &Uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && uri.query().is_none()
            && !text.ends_with('/')
    };
    (text.is_empty() || text.parse().as_ref().is_ok_and(fits)).then(|| text.to_owned())
}

/// `claim` and `floor` are sources of the product's own.
fn integration_word(text: &str) -> Option<String> {
    let clean = text
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-');
    let free = !matches!(text, "claim" | "floor");
    (clean && free && (1..=64).contains(&text.len())).then(|| text.to_owned())
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
