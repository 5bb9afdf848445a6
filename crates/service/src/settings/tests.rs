use std::collections::BTreeSet;

use super::keys::{PROXIES_MAX, SITES_MAX};
use super::*;

/// The settings of a folder with this file, or the lines of what is wrong.
fn load(text: &str) -> Result<Settings, Vec<String>> {
    load_with(text, &[])
}

fn load_with(text: &str, variables: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let folder = tempfile::tempdir().map_err(|error| vec![error.to_string()])?;
    std::fs::write(folder.path().join(FILE_NAME), text).map_err(|error| vec![error.to_string()])?;
    let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Settings::load_with(Some(folder.path()), variables)
        .map_err(|errors| errors.to_string().lines().map(ToOwned::to_owned).collect())
}

fn faults(text: &str) -> Vec<String> {
    load(text).err().unwrap_or_default()
}

#[test]
fn the_defaults_are_what_is_promised() {
    let settings = Settings::defaults().unwrap();
    assert_eq!(settings.cell.token, "c1");
    assert_eq!(settings.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.http.public_url, "http://127.0.0.1:8080", "what we listen on");
    assert!(settings.http.trusted_proxies.is_empty() && settings.http.watch_listen.is_none());
    assert_eq!(settings.limits.ip_connections, 1000);
    assert_eq!(settings.data.folder, PathBuf::from("data"));
    assert_eq!((settings.nats.url.as_str(), &settings.nats.credentials), ("", &None));
    assert_eq!((settings.log.format, settings.log.level.as_str()), (LogFormat::Text, "info,async_nats=warn"));
    assert_eq!(settings.routing.lease, Duration::from_millis(1500));
    assert_eq!((settings.routing.append_window, settings.routing.snapshot_every_records), (256, 20_000));
    assert_eq!((settings.empowerment.shop_url.as_str(), &settings.empowerment.shop_token), ("", &None));
    assert_eq!(settings.empowerment.integration, "shop");
    assert_eq!(settings.empowerment.facts_deadline, Duration::from_millis(300));
    assert_eq!(
        (settings.empowerment.order_timeout, settings.empowerment.ask_nats),
        (Duration::from_secs(10), false)
    );
    assert_eq!((settings.limits.text_max_bytes, settings.limits.body_max_bytes), (16_384, 1_048_576));
    assert_eq!((settings.limits.ip_frames_per_minute, settings.limits.ip_bytes_per_minute), (3000, 2 << 20));
    assert_eq!(
        (settings.limits.visitor_uploads_per_minute, settings.limits.ip_upload_bytes_per_minute),
        (30, 128 << 20)
    );
    assert_eq!(settings.streams.inbound_max_bytes, 2 << 30);
    assert_eq!(settings.streams.contacts_max_bytes, 8 << 30);
    assert_eq!(settings.streams.remedies_max_bytes, 4 << 30);
    assert_eq!(settings.streams.parked_max_bytes, 256 << 20);
    assert_eq!(settings.streams.alarms_at_percent, [70, 85]);
    assert_eq!(settings.streams.refuse_new_at_percent, 90);
    assert_eq!(settings.streams.refuse_customers_at_percent, 95);
    assert_eq!(settings.nats.store_folder, None);
    assert_eq!(settings.desk.session_lifetime, Duration::from_secs(12 * 3600));
    assert_eq!(settings.drain.deadline, Duration::from_secs(8));
    assert_eq!(settings.health.stale_after, Duration::from_secs(10));
    assert!(settings.web.sites.is_empty());
    assert_eq!((settings.trace.otlp_endpoint.as_str(), settings.trace.sampled), ("", 1.0));
}

#[test]
fn every_key_of_the_file_has_a_line_about_it() {
    let lines: Vec<&str> = DEFAULTS.lines().collect();
    let mut keys = 0;
    for pair in lines.windows(2) {
        if pair[1].contains(" = ") && !pair[1].starts_with('#') {
            keys += 1;
            assert!(pair[0].starts_with("# "), "{} has no comment", pair[1]);
        }
    }
    assert!(keys > 30, "{keys}");
}

#[test]
fn the_defaults_as_a_folder_and_an_empty_file_and_no_file_are_the_same() {
    let show = |settings: Settings| format!("{:?}", Settings { folder: None, ..settings });
    let debug = |settings: Result<Settings, Vec<String>>| settings.map(show);
    let expected = Ok(format!("{:?}", Settings::defaults().unwrap()));
    assert_eq!(debug(load(DEFAULTS)), expected);
    assert_eq!(debug(load("")), expected);
    let empty = tempfile::tempdir().unwrap();
    let settings = Settings::load_with(Some(empty.path()), []).unwrap();
    assert_eq!(settings.folder.as_deref(), Some(empty.path()));
    assert_eq!(Ok(show(settings)), expected);
}

/// Each key set to something of the wrong type, alone: one fault, which names the key.
#[test]
fn every_key_is_checked() {
    let document: toml_edit::DocumentMut = DEFAULTS.parse().unwrap();
    let mut seen = BTreeSet::new();
    for (section, table) in document.iter() {
        for (key, _) in table.as_table().unwrap() {
            let found = faults(&format!("[{section}]\n{key} = 1979-05-27"));
            let start = format!("winterband.toml:2: {section}.{key}: expected ");
            assert!(found.len() == 1 && found[0].starts_with(&start), "{section}.{key}: {found:?}");
            seen.insert(format!("{section}.{key}"));
        }
    }
    assert!(seen.len() > 30);
}

#[test]
fn all_errors_are_told_at_once_with_their_lines() {
    let text = "\
[http]
listen = 8080
public_url = \"http://example.org/desk\"

[routing]
lease = \"a while\"
append_window = 0

[limits]
text_max = \"16KB\"
text_maximum = \"16KiB\"

[nats]
credentials = \"hunter2\"

[desks]
command_wait = \"1s\"
";
    let expected = [
        r#"winterband.toml:2: http.listen: expected "ip:port", found 8080"#,
        r#"winterband.toml:3: http.public_url: expected "http(s)://host[:port]", found "http://example.org/desk""#,
        r#"winterband.toml:6: routing.lease: expected a duration from "500ms" to "1m", found "a while""#,
        "winterband.toml:7: routing.append_window: expected a whole number from 1 to 4096, found 0",
        r#"winterband.toml:10: limits.text_max: expected a size from "1KiB" to "4MiB", found "16KB""#,
        "winterband.toml:11: limits.text_maximum: expected one of api_requests_per_second, body_max, \
         desk_frames_per_second, draft_max, ip_bytes_per_minute, ip_connections, ip_frames_per_minute, \
         ip_new_conversations_per_minute, ip_sockets, ip_upload_bytes_per_minute, note_max, text_max, \
         visitor_frames_per_minute, visitor_uploads_per_minute, found an unknown key",
        r#"winterband.toml:14: nats.credentials: expected { file = "..." } or { env = "..." }, found a value that is not shown"#,
        "winterband.toml:16: desks: expected one of canary, cell, data, desk, drain, empowerment, health, http, limits, log, nats, oidc, routing, \
         signin, streams, trace, watch, web, webhooks, found an unknown key",
    ];
    assert_eq!(faults(text), expected);
}

#[test]
fn other_writings_of_toml_are_the_same_to_us() {
    let settings = load("http.listen = '[::1]:80'\nlimits = { text_max = '2KiB' }\n").unwrap();
    assert_eq!(settings.http.listen.port(), 80);
    assert_eq!(settings.limits.text_max_bytes, 2048);
    assert_eq!(
        faults("http = 5"),
        ["winterband.toml:1: http: expected a section [http], found a single value"]
    );
    assert_eq!(
        faults("[http.listen]\nport = 5"),
        [r#"winterband.toml:1: http.listen: expected "ip:port", found a table"#]
    );
    assert_eq!(
        faults("[[http]]\nlisten = '[::1]:80'"),
        ["winterband.toml:1: http: expected a section [http], found a single value"]
    );
}

#[test]
fn what_is_not_toml_has_a_line() {
    let found = faults("[http]\nlisten = \n");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("winterband.toml:2: expected TOML, found "), "{found:?}");
    let found = faults("[http]\nlisten = '[::1]:80'\nlisten = '[::1]:81'\n");
    assert!(found.len() == 1 && found[0].starts_with("winterband.toml:3: expected TOML"), "{found:?}");
}

#[test]
fn ranges_hold_at_their_ends_and_not_past_them() {
    let cases = [
        ("limits.text_max = '1KiB'", "limits.text_max = '1023B'"),
        ("limits.body_max = '4MiB'", "limits.body_max = '4194305B'"),
        ("routing.lease = '500ms'", "routing.lease = '499ms'"),
        ("routing.lease = '1m'", "routing.lease = '60s 1ms'"),
        ("routing.append_window = 4096", "routing.append_window = 4097"),
        ("routing.append_window = 1", "routing.append_window = -1"),
        ("streams.refuse_new_at_percent = 99", "streams.refuse_new_at_percent = 100"),
        ("streams.refuse_customers_at_percent = 99", "streams.refuse_customers_at_percent = 100"),
        ("streams.alarm_at_percent = 10", "streams.alarm_at_percent = 9"),
        ("streams.second_alarm_at_percent = 99", "streams.second_alarm_at_percent = 100"),
        ("nats.store_folder = '/srv/nats'", "nats.store_folder = 5"),
        ("cell.token = 'abcdefghij012345'", "cell.token = 'abcdefghij0123456'"),
        ("trace.sampled = 0", "trace.sampled = -0.01"),
        ("trace.sampled = 1.0", "trace.sampled = 1.01"),
        (
            "trace.otlp_endpoint = 'https://otel.example:4318/of'",
            "trace.otlp_endpoint = 'http://otel.example/'",
        ),
        ("trace.otlp_endpoint = ''", "trace.otlp_endpoint = 'otel.example:4317'"),
        (
            "trace.otlp_endpoint = 'http://[::1]:4318'",
            "trace.otlp_endpoint = 'http://me:secret@otel.example'",
        ),
        ("cell.token = 'a'", "cell.token = ''"),
        ("cell.token = 'a'", "cell.token = 'a.b'"),
        ("cell.token = 'a'", "cell.token = '>'"),
        ("log.level = 'info,bus=debug'", "log.level = 'loud=loud=loud'"),
        ("log.level = 'off'", "log.level = 'inof'"),
        ("log.level = 'trace'", "log.level = ''"),
        ("log.format = 'json'", "log.format = 'xml'"),
        ("nats.url = 'nats://a:4222,tls://b:4222'", "nats.url = 'http://a:4222'"),
        ("web.sites = ['https://a.example']", "web.sites = ['https://a.example/']"),
        ("web.sites = ['https://a.example:8443']", "web.sites = ['a.example']"),
        ("http.trusted_proxies = ['10.0.0.0/8', '::1']", "http.trusted_proxies = ['10.0.0.1/8']"),
        ("http.watch_listen = '10.0.0.1:9100'", "http.watch_listen = 'localhost'"),
        ("http.trusted_proxies = ['192.0.2.7']", "http.trusted_proxies = ['proxy.example']"),
        ("limits.ip_bytes_per_minute = '16KiB'", "limits.ip_bytes_per_minute = '16383B'"),
        ("limits.ip_upload_bytes_per_minute = '1GiB'", "limits.ip_upload_bytes_per_minute = '2GiB'"),
        ("limits.ip_bytes_per_minute = '1GiB'", "limits.ip_bytes_per_minute = '2GiB'"),
        ("data.folder = '/x'", "data.folder = ' '"),
        (
            "empowerment.shop_url = 'http://127.0.0.1:8081/orders'",
            "empowerment.shop_url = 'https://shop.example'",
        ),
        (
            "empowerment.shop_url = 'http://shop'\nempowerment.in_the_clear = true",
            "empowerment.shop_url = 'http://shop'",
        ),
        ("web.demo_shop = 'yes'", "web.demo_shop = true"),
        ("empowerment.shop_url = ''", "empowerment.shop_url = 'http://localhost:8081/'"),
        ("empowerment.shop_url = 'http://localhost'", "empowerment.shop_url = 'http://user:word@localhost'"),
        ("empowerment.integration = 'shop-2'", "empowerment.integration = 'claim'"),
        ("empowerment.integration = 'a'", "empowerment.integration = 'Shop'"),
        ("empowerment.facts_deadline = '400ms'", "empowerment.facts_deadline = '401ms'"),
        ("empowerment.order_timeout = '2m'", "empowerment.order_timeout = '99ms'"),
        ("empowerment.ask_nats = true", "empowerment.ask_nats = 'yes'"),
        ("empowerment.orders_wait = true", "empowerment.orders_wait = 'yes'"),
    ];
    for (good, bad) in cases {
        assert_eq!(faults(good), Vec::<String>::new(), "{good}");
        assert_eq!(faults(bad).len(), 1, "{bad}");
    }
    let sites = |count| format!("web.sites = {:?}", vec!["https://a.example"; count]);
    assert_eq!(faults(&sites(SITES_MAX)), Vec::<String>::new());
    let proxies = |count| format!("http.trusted_proxies = {:?}", vec!["10.0.0.0/8"; count]);
    assert_eq!(faults(&proxies(PROXIES_MAX)), Vec::<String>::new());
    assert_eq!(faults(&proxies(PROXIES_MAX + 1)).len(), 1);
    let found = faults(&sites(SITES_MAX + 1));
    assert!(found.len() == 1 && found[0].ends_with("...") && found[0].len() < 250, "{found:?}");
}

#[test]
fn a_bus_on_another_machine_without_encryption_is_noticed() {
    let noticed = |url: &str| {
        let settings = load(&format!("nats.url = '{url}'")).unwrap();
        settings.bus_in_the_clear().map(ToOwned::to_owned)
    };
    for safe in ["", "nats://127.0.0.1:4222", "nats://localhost:1,nats://[::1]:2", "tls://nats.example:4222"]
    {
        assert_eq!(noticed(safe), None, "{safe}");
    }
    assert_eq!(noticed("tls://a:1, nats://b:2").as_deref(), Some("nats://b:2"));
    assert_eq!(noticed("ws://10.0.0.1:80").as_deref(), Some("ws://10.0.0.1:80"));
}

#[test]
fn the_demo_shop_is_for_those_who_only_try() {
    let in_a_folder = |text: &str| load(text).unwrap().has_demo_shop();
    assert!(Settings::defaults().unwrap().has_demo_shop() && !in_a_folder(""));
    assert!(in_a_folder("web.demo_shop = 'yes'") && !in_a_folder("web.demo_shop = 'no'"));
}

#[test]
fn variables_win_over_the_file() {
    let text = "http.listen = '127.0.0.1:1'";
    let variables = [
        ("WINTERBAND_HTTP__LISTEN", "127.0.0.1:2"),
        ("WINTERBAND_ROUTING__APPEND_WINDOW", "7"),
        ("WINTERBAND_WEB__SITES", "['https://a.example']"),
        ("WINTERBAND_FAILPOINT", "not a key"),
        ("NATS_URL", "nats://other:4222"),
    ];
    let settings = load_with(text, &variables).unwrap();
    assert_eq!(settings.http.listen.port(), 2);
    assert_eq!(settings.routing.append_window, 7);
    assert!(settings.is_known_origin("https://a.example"));
    assert!(settings.is_known_origin("http://127.0.0.1:2"), "without a public URL, what we listen on");
    assert!(!settings.is_known_origin("https://a.example.evil.example"));
    assert_eq!(settings.nats.url, "nats://other:4222");
    let anywhere = load_with("http.listen = '0.0.0.0:80'", &[]).unwrap();
    assert_eq!(anywhere.http.public_url, "http://127.0.0.1:80");
    let ours = [("NATS_URL", "nats://a"), ("WINTERBAND_NATS__URL", "nats://b")];
    assert_eq!(load_with("", &ours).unwrap().nats.url, "nats://b");
}

#[test]
fn variables_are_checked_and_a_covered_fault_still_shows() {
    let variables = [
        ("WINTERBAND_HTTP__LISTEN", "nowhere"),
        ("WINTERBAND_HTTP__PORT", "80"),
        ("WINTERBAND_ROUTING__APPEND_WINDOW", "many"),
    ];
    let expected = [
        r#"WINTERBAND_HTTP__LISTEN: http.listen: expected "ip:port", found "nowhere""#,
        "WINTERBAND_HTTP__PORT: http.port: expected a variable of an existing key, found an unknown key",
        "WINTERBAND_ROUTING__APPEND_WINDOW: routing.append_window: expected a whole number from 1 to 4096, found many",
        r#"winterband.toml:1: http.listen: expected "ip:port", found 8080"#,
    ];
    assert_eq!(load_with("http.listen = 8080", &variables).err().unwrap_or_default(), expected);
}

#[test]
fn secrets_are_fetched_and_never_shown() {
    let key = [("KEY", "user:hunter2")];
    let settings = load_with("nats.credentials = { env = 'KEY' }", &key).unwrap();
    assert_eq!(settings.nats.credentials.as_ref().map(Secret::reveal), Some("user:hunter2"));
    assert!(!format!("{settings:?}").contains("hunter2"));
    assert_eq!(
        faults("nats.credentials = { env = 'KEY' }"),
        ["winterband.toml:1: nats.credentials: expected a readable secret, found no variable KEY"]
    );
    let settings = load_with("empowerment.shop_token = { env = 'KEY' }", &key).unwrap();
    assert_eq!(settings.empowerment.shop_token.as_ref().map(Secret::reveal), Some("user:hunter2"));
    let plain = [("WINTERBAND_NATS__CREDENTIALS", "hunter2"), ("NATS_URL", "nats://user:hunter2@host:4222")];
    let found = load_with("", &plain).err().unwrap_or_default();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|line| !line.contains("hunter2")), "{found:?}");
}

#[test]
fn a_folder_that_is_not_there_is_a_fault() {
    let errors = Settings::load_with(Some(Path::new("/nowhere/at/all")), []).unwrap_err();
    assert_eq!(errors.0.len(), 1);
    let expected = "/nowhere/at/all/winterband.toml: expected a readable settings file, found ";
    assert!(errors.to_string().starts_with(expected), "{errors}");
}
