//! The integrations that there are, kept in memory by their names and followed as they are made, changed and taken away.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use bus::{Bucket, Bus, ServerUser, UserList, WatchEvent, places};
use protocol::SubjectToken;
use protocol::edge::{Integration, integration_of};
use protocol::subjects::Subjects;
use service::Kit;
use tokio::sync::watch;

use crate::follow;

/// All integrations by their names.
pub(crate) type Rows = BTreeMap<SubjectToken, Arc<Integration>>;

/// What is known of integrations.
#[derive(Clone)]
pub(crate) struct Registry(watch::Receiver<Arc<Rows>>);

impl Registry {
    /// One of them.
    pub(crate) fn find(&self, name: &SubjectToken) -> Option<Arc<Integration>> {
        self.0.borrow().get(name).cloned()
    }

    /// All of them, and every change.
    pub(crate) fn changes(&self) -> watch::Receiver<Arc<Rows>> {
        self.0.clone()
    }
}

fn apply(rows: &mut Rows, event: WatchEvent) -> bool {
    match event {
        WatchEvent::Put(entry) => {
            let Some(name) = integration_of(&entry.key) else { return false };
            match serde_json::from_slice(&entry.value) {
                Ok(integration) => drop(rows.insert(name, Arc::new(integration))),
                Err(_) => {
                    tracing::error!(integration = %name, "the row of an integration does not read");
                    rows.remove(&name);
                }
            }
            true
        }
        WatchEvent::Deleted { key, .. } => {
            integration_of(&key).is_some_and(|name| rows.remove(&name).is_some())
        }
        WatchEvent::CaughtUp => false,
    }
}

/// Reads all integrations, then follows them in a task of this name.
///
/// # Errors
/// When the bucket cannot be read; the process does not start then.
pub(crate) async fn follow(kit: &Kit, accounts: &Bucket, task: &'static str) -> anyhow::Result<Registry> {
    let (tell, told) = watch::channel(Arc::new(Rows::new()));
    let apply = move |event| {
        tell.send_if_modified(|rows| apply(Arc::make_mut(rows), event));
    };
    follow::follow(kit, accounts, task, apply).await?;
    Ok(Registry(told))
}

/// Keeps the users of a supervised server what the integrations are, until the process drains.
///
/// # Errors
/// When the accounts cannot be read, or the server's files not be written; the process does not start then.
pub async fn keep_admitted(kit: &Kit, bus: &Bus, users: UserList) -> anyhow::Result<()> {
    let cell = SubjectToken::new(&kit.settings.cell.token).context("failed to use the cell's name")?;
    let accounts = bus.ensure_bucket(&places::accounts()).await.context("failed to open the accounts")?;
    let mut rows = follow(kit, &accounts, "integrations' users").await?.changes();
    let subjects = Subjects::new(cell);
    let ended = kit.drain.token();
    admit(&users, &subjects, rows.borrow_and_update().as_ref()).await?;
    kit.drain.spawn("users of the server", async move {
        loop {
            tokio::select! {
                () = ended.cancelled() => break,
                changed = rows.changed() => if changed.is_err() { break },
            }
            let wanted = rows.borrow_and_update().clone();
            admit(&users, &subjects, &wanted).await?;
        }
        Ok(())
    });
    Ok(())
}

async fn admit(users: &UserList, subjects: &Subjects, rows: &Rows) -> anyhow::Result<()> {
    let wanted = ServerUser::of(subjects, rows.iter().map(|(name, row)| (name, row.as_ref())));
    let (users, count) = (users.clone(), wanted.len());
    // Two small files are written and synced.
    let changed = tokio::task::spawn_blocking(move || users.admit(&wanted)).await??;
    if changed {
        tracing::info!(keys = count, "the server knows the integrations' keys");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bus::Entry;

    fn put(key: &str, value: &'static str) -> WatchEvent {
        let value = value.as_bytes().into();
        WatchEvent::Put(Entry { key: key.to_owned(), value, revision: 1, stored_at_ms: 1 })
    }

    #[test]
    fn integrations_come_change_and_go_with_their_rows() {
        let mut rows = Rows::new();
        let row = r#"{"keys":["U1"],"scopes":["facts.write"],"per_second":5,"made_at":1}"#;
        assert!(!apply(&mut rows, put("key.00ff", row)), "a key's row is none");
        assert!(apply(&mut rows, put("integration.shop", row)));
        let name = SubjectToken::new("shop").unwrap();
        assert_eq!(rows[&name].per_second, 5);
        assert!(apply(&mut rows, put("integration.shop", "nonsense")));
        assert!(rows.is_empty(), "a row that does not read lets nobody in");
        apply(&mut rows, put("integration.shop", row));
        let gone = |key: &str| WatchEvent::Deleted { key: key.to_owned(), revision: 2 };
        assert!(!apply(&mut rows, gone("integration.other")) && !apply(&mut rows, gone("key.00ff")));
        assert!(apply(&mut rows, gone("integration.shop")) && rows.is_empty());
    }
}
