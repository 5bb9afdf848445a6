//! Disposable read models in SQLite: what was said in a conversation, how its contacts ended, and what was given.
//!
//! One file a log, folded from CONTACTS and from REMEDIES. The sequence of the last record folded stands in the same database and
//! moves in the same transaction as the rows, so a crash at any moment leaves a true past of the log. A file can be deleted at
//! any time: it is built again. Words stay sealed in it: who destroys a customer's key makes them unreadable here too.

mod answer;
mod fold;
mod follow;
mod history;
mod hours;
mod remedies;
mod report;
#[cfg(test)]
mod sample;
mod store;

use std::path::PathBuf;

use anyhow::Context as _;
use bus::{Bus, Tail, TailOptions};
use protocol::subjects::Subjects;
use protocol::{Subject, SubjectToken};
use service::Kit;

use crate::answer::{Asked, Readers};
use crate::fold::Conversations;
use crate::follow::Follower;
use crate::history::Past;
use crate::hours::Hours;
use crate::remedies::Remedies;
use crate::report::Report;
use crate::store::Model;

/// The group in which the processes of this role share the questions.
const QUEUE_GROUP: &str = "views";
/// The folder of the databases in the data folder.
const FOLDER: &str = "views";

/// Opens the read models, or builds them anew when they do not belong to this log, and starts to fold and to answer.
///
/// # Errors
/// When the folder cannot be written, or the bus gives neither the log nor a subscription.
pub async fn start(kit: &Kit, bus: Bus) -> anyhow::Result<()> {
    let folder = kit.settings.data.folder.join(FOLDER);
    let cell = SubjectToken::new(&kit.settings.cell.token).context("failed to use the cell's name")?;
    let subjects = Subjects::new(cell);
    let conversations = folder.join("views.sqlite");
    show::<Conversations, Past>(kit, &bus, conversations.clone(), &subjects.views_history()).await?;
    serve::<Hours>(kit, &bus, conversations, &subjects.views_floor()).await?;
    show::<Remedies, Report>(kit, &bus, folder.join("remedies.sqlite"), &subjects.views_empowerment()).await
}

/// Folds one log into one file, and answers one kind of question from it.
async fn show<M: Model, A: Asked>(
    kit: &Kit,
    bus: &Bus,
    path: PathBuf,
    subject: &Subject,
) -> anyhow::Result<()> {
    let (store, next_seq) = follow::open_verified::<M>(bus, path.clone()).await?;
    let tail = Tail::open(bus, M::LOG, next_seq, TailOptions::default())
        .await
        .context("failed to read the log for the read models")?;
    let follower = Follower::new(kit, store, tail);
    kit.drain.spawn(M::NAME, follower.run(kit.drain.token()));
    serve::<A>(kit, bus, path, subject).await
}

/// Answers one kind of question from a file that is being folded.
async fn serve<A: Asked>(kit: &Kit, bus: &Bus, path: PathBuf, subject: &Subject) -> anyhow::Result<()> {
    let group = SubjectToken::new(QUEUE_GROUP).context("failed to name the queue group")?;
    let requests = bus
        .serve(subject, &group)
        .await
        .with_context(|| format!("failed to serve questions about {}", A::ABOUT))?;
    let readers = Readers::<A>::new(path, kit.clock.clone());
    kit.drain
        .spawn(A::ABOUT, answer::run(kit.health.register(A::ABOUT), requests, readers, kit.drain.token()));
    Ok(())
}
