//! One process posts: who has the lease. What each endpoint is posted is a task of its own.

use std::collections::HashMap;
use std::time::Duration;

use bus::{Bucket, LEASE_TTL, Lease, LeaseError, WatchEvent};
use protocol::WebhookId;
use protocol::integration::webhook::EndpointRow;
use service::HealthHandle;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::webhooks::deliver;
use crate::webhooks::post::Poster;
use crate::webhooks::rows::{Key, Rows};
use crate::{BEAT_EVERY, Shared};

/// The lease of who posts.
const LEASE_KEY: &str = "webhooks";
/// Pause after something went wrong that a moment may mend.
const AGAIN: Duration = Duration::from_millis(500);
/// Longest pause before an endpoint that cannot be read or noted is tried again; one that lasted longer than this starts anew.
const AGAIN_MAX: Duration = Duration::from_secs(15);

/// An endpoint that is posted to, until it is dropped.
struct Running {
    row: watch::Sender<EndpointRow>,
    task: AbortOnDropHandle<()>,
}

/// Takes the lease whenever it is free, and posts while it is held.
pub(crate) async fn lead(
    api: Shared,
    rows: Rows,
    leases: Bucket,
    health: HealthHandle,
) -> anyhow::Result<()> {
    let settings = &api.kit.settings.webhooks;
    let poster = Poster::new(&settings.allowed_networks, settings.answer_within)?;
    let token = api.kit.drain.token();
    let me = uuid::Uuid::now_v7().to_string();
    while !token.is_cancelled() {
        health.set_detail("standing by");
        let lease = tokio::select! {
            lease = Lease::acquire(&leases, LEASE_KEY, &me, LEASE_TTL, &token) => lease,
            () = beat(&health) => continue,
        };
        let lease = match lease {
            Ok(lease) => lease,
            Err(LeaseError::Cancelled) => break,
            Err(error) => {
                tracing::warn!(%error, "failed to take the lease of posting webhooks, trying again");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        health.set_detail("posting");
        tokio::select! {
            () = post_all(&api, &rows, &poster) => {}
            () = lease.lost() => tracing::warn!("another process posts webhooks from here"),
            () = beat(&health) => {}
            () = token.cancelled() => {}
        }
        lease.release().await;
    }
    health.retire();
    Ok(())
}

/// Shows for ever that the loop lives.
async fn beat(health: &HealthHandle) {
    let mut beat = tokio::time::interval(BEAT_EVERY);
    loop {
        beat.tick().await;
        health.beat();
    }
}

/// Posts to every endpoint that there is, as they come, change and go. Ends when it cannot go on.
async fn post_all(api: &Shared, rows: &Rows, poster: &Poster) {
    let mut watcher = match rows.bucket.watch_all().await {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(%error, "failed to watch the webhooks, trying again");
            return tokio::time::sleep(AGAIN).await;
        }
    };
    let mut running: HashMap<WebhookId, Running> = HashMap::new();
    loop {
        let event = match watcher.next().await {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(%error, "failed to watch the webhooks, trying again");
                return tokio::time::sleep(AGAIN).await;
            }
        };
        match event {
            WatchEvent::Put(entry) => {
                let Some(Key::Endpoint(id)) = Key::read(&entry.key) else { continue };
                let Ok(row) = serde_json::from_slice::<EndpointRow>(&entry.value) else {
                    tracing::error!(webhook = %id, "the row of a webhook does not read: nothing is posted");
                    running.remove(&id);
                    continue;
                };
                match running.get(&id).filter(|running| !running.task.is_finished()) {
                    Some(running) => drop(running.row.send_replace(row)),
                    None => drop(running.insert(id, begin(api, rows, poster, id, row))),
                }
            }
            WatchEvent::Deleted { key, .. } => {
                if let Some(Key::Endpoint(id)) = Key::read(&key) {
                    end(rows, id, running.remove(&id)).await;
                }
            }
            WatchEvent::CaughtUp => {}
        }
    }
}

/// Posts no more to an endpoint that is gone. What was noted while its rows went, goes too.
async fn end(rows: &Rows, id: WebhookId, running: Option<Running>) {
    let Some(Running { task, .. }) = running else { return };
    task.abort();
    drop(task.await);
    if let Err(problem) = rows.remove_rest(id).await {
        tracing::warn!(webhook = %id, code = problem.code, "attempts of an endpoint that is gone are still there");
    }
}

fn begin(api: &Shared, rows: &Rows, poster: &Poster, id: WebhookId, row: EndpointRow) -> Running {
    let (row, changes) = watch::channel(row);
    let (api, rows, poster) = (api.clone(), rows.clone(), poster.clone());
    let task = tokio::spawn(async move {
        let mut pause = AGAIN;
        loop {
            let begun = Instant::now();
            // It ends when something could not be read or noted: what is written down says where to go on.
            let problem = deliver::run(&api, &rows, &poster, id, changes.clone()).await;
            if begun.elapsed() > AGAIN_MAX {
                pause = AGAIN;
            }
            tracing::warn!(webhook = %id, code = problem.code, "posting was interrupted, trying again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(AGAIN_MAX);
        }
    });
    Running { row, task: AbortOnDropHandle::new(task) }
}
