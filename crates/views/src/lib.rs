//! Disposable read models in SQLite: what was said in a conversation, and how its contacts ended.
//!
//! One file, folded from CONTACTS. The sequence of the last record folded stands in the same database and moves in the
//! same transaction as the rows, so a crash at any moment leaves a true past of the log. The file can be deleted at
//! any time: it is built again. Words stay sealed in it: who destroys a customer's key makes them unreadable here too.

mod answer;
mod fold;
mod follow;
mod history;
#[cfg(test)]
mod sample;
mod store;

use std::path::PathBuf;

use anyhow::Context as _;
use bus::{Bus, Tail, TailOptions};
use protocol::SubjectToken;
use protocol::streams::CONTACTS;
use protocol::subjects::Subjects;
use service::Kit;

use crate::answer::Readers;
use crate::follow::Follower;

/// The group in which the processes of this role share the questions.
const QUEUE_GROUP: &str = "views";
/// The folder of the database in the data folder, and its name there.
const PLACE: [&str; 2] = ["views", "views.sqlite"];

/// Opens the read models, or builds them anew when they do not belong to this log, and starts to fold and to answer.
///
/// # Errors
/// When the folder cannot be written, or the bus gives neither the log nor a subscription.
pub async fn start(kit: &Kit, bus: Bus) -> anyhow::Result<()> {
    let path: PathBuf = kit.settings.data.folder.join(PLACE.iter().collect::<PathBuf>());
    let (store, next_seq) = follow::open_verified(&bus, path.clone()).await?;
    let tail = Tail::open(&bus, CONTACTS, next_seq, TailOptions::default())
        .await
        .context("failed to read the log for the read models")?;
    let cell = SubjectToken::new(&kit.settings.cell.token).context("failed to use the cell's name")?;
    let group = SubjectToken::new(QUEUE_GROUP).context("failed to name the queue group")?;
    let requests = bus
        .serve(&Subjects::new(cell).views_history(), &group)
        .await
        .context("failed to serve questions about history")?;
    let readers = Readers::new(path);
    let follower = Follower::new(kit, store, tail);
    kit.drain.spawn("views", follower.run(kit.drain.token()));
    kit.drain.spawn(
        "views answers",
        answer::run(kit.health.register("views answers"), requests, readers, kit.drain.token()),
    );
    Ok(())
}
