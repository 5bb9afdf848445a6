//! What the first start makes: the first configuration, the demo agents' passwords, an administrator's API key.
//!
//! Every step can be cut off and done again: what is made is written to disk before it is used. Once all of it is done, no start makes an
//! account again: whoever was taken out since stays out.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bus::{Bucket, Bus, Deadline, KvError, Members, places};
use protocol::config::RoutingConfig;
use protocol::ids::NoticeId;
use protocol::input::{ConfigInput, WIRE_VERSION};
use protocol::policy::{Policy, PolicyInput};
use protocol::remedy::EmpowermentInput;
use protocol::signin::{AgentAccount, KeyAccount, agent_key, api_key_key};
use protocol::{Hash128, Input, InputBody, Millis, SubjectToken, formats, streams};
use serde::{Deserialize, Serialize};
use service::{Settings, SettingsErrors};

use crate::boot;
use crate::config::routing_file;
use crate::roles::Shared;
use crate::rules;

const PUBLISH_DEADLINE: Duration = Duration::from_secs(10);
/// The demo agents' passwords.
const AGENTS_FILE: &str = "agents.txt";
/// The administrator's API key.
const KEY_FILE: &str = "admin.key";
/// Where it stands in ACCOUNTS that the first start is done.
const DONE_ROW: &str = "first.start";
/// A password that a person reads off a screen and types: 72 bits.
const PASSWORD_BYTES: usize = 9;

/// How the demo agents sign in, and where the API key lies.
pub(crate) struct Signins {
    /// Those whose first password is still theirs.
    pub(crate) agents: Vec<Signin>,
    pub(crate) agents_file: PathBuf,
    /// `None`: it was taken away.
    pub(crate) api_key_file: Option<PathBuf>,
}

/// The row [`DONE_ROW`]: each agent's first password as it was stored, hashed once more, by which it is known whether it still is theirs.
#[derive(Default, Serialize, Deserialize)]
struct Done {
    passwords: BTreeMap<SubjectToken, Hash128>,
}

/// One agent's sign-in.
pub(crate) struct Signin {
    pub(crate) name: SubjectToken,
    pub(crate) password: String,
}

/// The routing configuration that a first start begins with.
pub(crate) struct Floor {
    place: String,
    text: String,
    policy: Policy,
}

impl Floor {
    /// `routing.toml` and `empowerment.toml` of the folder if they are there, else the demo's; checked, so that a fault is told before
    /// anything starts.
    pub(crate) fn read(folder: Option<&Path>) -> Result<Self> {
        let file = folder.map(|folder| folder.join(routing_file::FILE_NAME)).filter(|file| file.exists());
        let policy = folder.map(|folder| folder.join(policy_file::FILE_NAME)).filter(|file| file.exists());
        let (_, policy) = rules::load(policy.as_deref())?;
        let floor = match file {
            None => Self {
                place: "built-in routing.toml".to_owned(),
                text: routing_file::DEMO.to_owned(),
                policy,
            },
            Some(file) => Self {
                text: std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?,
                place: file.display().to_string(),
                policy,
            },
        };
        floor.config()?;
        Ok(floor)
    }

    fn config(&self) -> Result<RoutingConfig, SettingsErrors> {
        routing_file::read(&self.place, &self.text, &BTreeMap::new()).map_err(SettingsErrors)
    }
}

/// Makes what is missing. Several processes that start at once take turns.
pub(crate) async fn prepare(shared: &Shared, floor: &Floor) -> Result<Signins> {
    let settings = &shared.kit.settings;
    let folder = boot::secrets_folder(settings);
    boot::make_folder(&folder)?;
    let turn = File::create(folder.join("lock"))?;
    // Waiting blocks a thread for the moment that another process needs.
    let _turn = tokio::task::spawn_blocking(move || turn.lock().map(|()| turn)).await??;
    let config = first_config(&folder, floor)?;
    publish_first(shared, &config).await?;
    publish_first_policy(shared, &floor.policy).await?;
    let accounts = shared.bus.ensure_bucket(&places::accounts()).await?;
    let done = match accounts.get(DONE_ROW).await? {
        Some(row) => serde_json::from_slice(&row.value).context("read what the first start made")?,
        None => make_accounts(shared, &folder, &config, &accounts).await?,
    };
    let agents = still_first(shared, &folder, &accounts, &done).await?;
    let api_key_file = Some(folder.join(KEY_FILE)).filter(|file| file.exists());
    Ok(Signins { agents, agents_file: folder.join(AGENTS_FILE), api_key_file })
}

async fn make_accounts(
    shared: &Shared,
    folder: &Path,
    config: &RoutingConfig,
    accounts: &Bucket,
) -> Result<Done> {
    make_passwords(folder, config)?;
    let passwords = passwords(folder)?;
    let mut done = Done::default();
    for agent in &config.agents {
        let Some(password) = passwords.get(&agent.name) else { continue };
        // Hashing a password takes a while on purpose, so it is done once.
        if accounts.get(&agent_key(&agent.name)).await?.is_none() {
            desk::accounts::create_agent(&shared.bus, &agent.name, agent.id, password).await?;
        }
        if let Some(stored) = stored_password(shared, accounts, &agent.name).await? {
            done.passwords.insert(agent.name.clone(), stored);
        }
    }
    make_admin_key(folder, accounts, Millis(shared.kit.clock.unix_ms())).await?;
    // Another process that shares no folder with us may have been faster; what it made is what counts.
    match accounts.create(DONE_ROW, serde_json::to_vec(&done)?.into()).await {
        Ok(_) | Err(KvError::Exists) => Ok(done),
        Err(error) => Err(error).context("store that the first start is done"),
    }
}

/// What stands for an agent's password, hashed once more; `None`: they have no account.
async fn stored_password(shared: &Shared, accounts: &Bucket, name: &SubjectToken) -> Result<Option<Hash128>> {
    let Some(row) = accounts.get(&agent_key(name)).await? else { return Ok(None) };
    let account: AgentAccount = serde_json::from_slice(&row.value).context("read an agent's account")?;
    Ok(Some(shared.hasher.content(account.password.as_bytes())))
}

/// The first passwords that are still in use; all others are taken out of their file.
async fn still_first(shared: &Shared, folder: &Path, accounts: &Bucket, done: &Done) -> Result<Vec<Signin>> {
    let passwords = passwords(folder)?;
    let mut agents = Vec::new();
    for (name, password) in &passwords {
        let stored = stored_password(shared, accounts, name).await?;
        if stored.is_some() && stored == done.passwords.get(name).copied() {
            agents.push(Signin { name: name.clone(), password: password.clone() });
        }
    }
    if agents.len() < passwords.len() {
        let lines: String = agents.iter().map(|one| format!("{} {}\n", one.name, one.password)).collect();
        write_secret(&folder.join(AGENTS_FILE), &lines)?;
    }
    Ok(agents)
}

/// The configuration with the ids that its agents got; kept, because accounts hang on them.
fn first_config(folder: &Path, floor: &Floor) -> Result<RoutingConfig> {
    let file = folder.join("first-floor.json");
    if let Ok(text) = std::fs::read_to_string(&file) {
        return serde_json::from_str(&text).with_context(|| format!("read {}", file.display()));
    }
    let config = floor.config()?;
    write_secret(&file, &serde_json::to_string_pretty(&config)?)?;
    Ok(config)
}

async fn publish_first(shared: &Shared, config: &RoutingConfig) -> Result<()> {
    let used = shared.bus.stream_usage(streams::INBOUND).await?.last_seq
        + shared.bus.stream_usage(streams::CONTACTS).await?.last_seq;
    if used > 0 {
        return Ok(());
    }
    let hash = shared.hasher.content(&serde_json::to_vec(config)?);
    let id = NoticeId(uuid::Uuid::now_v7());
    let made_at = Millis(shared.kit.clock.unix_ms());
    let body = InputBody::Config(ConfigInput { replaces: None, id, hash, config: Box::new(config.clone()) });
    let payload = serde_json::to_vec(&Input { v: WIRE_VERSION, made_at, body })?;
    let subject = boot::subjects(&shared.kit.settings)?.inbound_config();
    let bus = bus_for(&shared.bus, formats::needed(&payload)).await?;
    let payload = payload.into();
    bus.publish_durable(&subject, "first-configuration", payload, Deadline::after(PUBLISH_DEADLINE))
        .await
        .context("publish the first configuration")?;
    Ok(())
}

/// Nothing stands in any log yet that somebody could go on with, so a newer kind need not wait for half a minute until it is known who lives: it is enough
/// that nobody is seen who reads less. What is written later waits as ever.
async fn bus_for(bus: &Bus, needs: u8) -> Result<Bus> {
    if needs <= formats::FIRST {
        return Ok(bus.clone());
    }
    let members = Members::seen(bus).await.context("look who lives")?;
    let floor = bus::Floor::default();
    if members.iter().all(|member| member.reads >= needs) {
        floor.holds(needs);
    }
    Ok(bus.clone().with_floor(floor))
}

/// Only where nothing was ever decided: a policy that was replaced later must not come back.
async fn publish_first_policy(shared: &Shared, policy: &Policy) -> Result<()> {
    if shared.bus.stream_usage(streams::REMEDIES).await?.last_seq > 0 {
        return Ok(());
    }
    let hash = shared.hasher.content(&serde_json::to_vec(policy)?);
    // Made of what it says, so that two processes that start at once publish one input.
    let id = NoticeId(uuid::Uuid::from_bytes(hash.0));
    let made_at = Millis(shared.kit.clock.unix_ms());
    let input = PolicyInput { id, hash, policy: policy.clone(), replaces: None };
    let input = EmpowermentInput::Policy(Box::new(input));
    let body = InputBody::Empowerment(input);
    let payload = serde_json::to_vec(&Input { v: WIRE_VERSION, made_at, body })?.into();
    let subject = boot::subjects(&shared.kit.settings)?.inbound_empowerment();
    shared
        .bus
        .publish_durable(&subject, "first-policy", payload, Deadline::after(PUBLISH_DEADLINE))
        .await
        .context("publish the first policy")?;
    Ok(())
}

/// One `name password` a line; made once.
fn make_passwords(folder: &Path, config: &RoutingConfig) -> Result<()> {
    let file = folder.join(AGENTS_FILE);
    if file.exists() {
        return Ok(());
    }
    let mut text = String::new();
    for agent in &config.agents {
        text += &format!("{} {}\n", agent.name, random_text(PASSWORD_BYTES)?);
    }
    write_secret(&file, &text)
}

/// The first passwords by agent; none where the file was taken away.
fn passwords(folder: &Path) -> Result<BTreeMap<SubjectToken, String>> {
    let file = folder.join(AGENTS_FILE);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
    };
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs.filter_map(|(name, password)| Some((name.parse().ok()?, password.to_owned()))).collect())
}

async fn make_admin_key(folder: &Path, accounts: &Bucket, now: Millis) -> Result<()> {
    let file = folder.join(KEY_FILE);
    if !file.exists() {
        write_secret(&file, &bus::new_token()?)?;
    }
    let key = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    let row = KeyAccount::admin("administrator of the first start".to_owned(), now);
    let row_key = api_key_key(&bus::token_hash(key.trim()));
    match accounts.create(&row_key, serde_json::to_vec(&row)?.into()).await {
        Ok(_) | Err(KvError::Exists) => Ok(()),
        Err(error) => Err(error).context("store the API key"),
    }
}

fn random_text(bytes: usize) -> Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).context("get random bytes")?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

/// Writes a file that only this user reads; whole or not at all.
pub(crate) fn write_secret(file: &Path, text: &str) -> Result<()> {
    let part = file.with_extension("part");
    let write = || -> std::io::Result<()> {
        let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        std::fs::rename(&part, file)
    };
    write().with_context(|| format!("write {}", file.display()))
}

/// The administrator's key of this data folder.
pub(crate) fn read_admin_key(settings: &Settings) -> Result<String> {
    let file = boot::secrets_folder(settings).join(KEY_FILE);
    let text = std::fs::read_to_string(&file).with_context(|| {
        format!("read {}: start `winterband up` once, or name the key file with --key-file", file.display())
    })?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod frozen_tests {
    use service::Settings;

    use super::*;

    /// What a company wrote for the first format starts this version: nobody has to touch their files for an upgrade.
    #[test]
    fn files_that_were_written_for_an_earlier_version_are_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/tests/frozen/1");
        let settings = Settings::load_with(Some(&folder), []).unwrap();
        assert_eq!(settings.cell.token, "c1");
        let config = Floor::read(Some(&folder)).unwrap().config().unwrap();
        assert!(config.queues.iter().any(|queue| queue.name.as_str() == "service"));
    }
}
