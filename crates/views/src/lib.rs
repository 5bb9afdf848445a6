//! Disposable read models in SQLite: what was said in a conversation, how its contacts ended, what customers answered when they
//! were asked, what was given, and where which words stand.
//!
//! Files of their own, folded from CONTACTS and from REMEDIES. The sequence of the last record folded stands in the same database and
//! moves in the same transaction as the rows, so a crash at any moment leaves a true past of the log. A file can be deleted at
//! any time: it is built again. Words stay sealed in them: who destroys a customer's key makes them unreadable here too. The search
//! alone holds words in the clear, in `search.sqlite`: they are taken out of it when their key is destroyed.

mod answer;
mod claim;
mod contacts;
mod customer;
mod feedback;
mod fold;
mod follow;
mod history;
mod holdings;
mod hours;
pub mod measure;
mod rebuild;
mod regulars;
mod remedies;
mod report;
#[cfg(test)]
mod sample;
mod search;
mod store;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use bus::{Bus, Sealer, Tail, TailOptions};
use protocol::subjects::Subjects;
use protocol::{Subject, SubjectToken};
use service::Kit;

pub use crate::rebuild::{Rebuilding, check_free, rebuild};

use crate::answer::{Asked, Readers};
use crate::claim::Claim;
use crate::contacts::Contacts;
use crate::customer::Customer;
use crate::feedback::Feedback;
use crate::fold::Conversations;
use crate::follow::{AsRead, Follower, Prepare, Shared};
use crate::history::Past;
use crate::holdings::{Holdings, Traces};
use crate::hours::Hours;
use crate::regulars::Regulars;
use crate::remedies::Remedies;
use crate::report::Report;
use crate::search::{Forgetter, Found, Opener, Search};
use crate::store::Model;

/// The group in which the processes of this role share the questions.
const QUEUE_GROUP: &str = "views";
/// The folder of the databases in the data folder.
const FOLDER: &str = "views";
/// Conversations and contacts.
const CONVERSATIONS: &str = "views.sqlite";
/// What was given.
const REMEDIES: &str = "remedies.sqlite";
/// The index of all words: a file of its own, so that building it again touches no history and its deletion leaves no word.
const SEARCH: &str = "search.sqlite";

/// Opens the read models, or builds them anew when they do not belong to this log, and starts to fold and to answer.
///
/// # Errors
/// When the folder cannot be written or is being rebuilt, or the bus gives neither the log nor a subscription.
pub async fn start(kit: &Kit, bus: Bus, sealer: Sealer) -> anyhow::Result<()> {
    let folder = kit.settings.data.folder.join(FOLDER);
    let claim = Arc::new(Claim::to_serve(&folder)?);
    let cell = SubjectToken::new(&kit.settings.cell.token).context("failed to use the cell's name")?;
    let subjects = Subjects::new(cell);
    let (store, next_seq) = opened::<Conversations>(&bus, folder.join(CONVERSATIONS)).await?;
    follow(kit, &bus, &claim, (store, next_seq), AsRead).await?;
    serve::<Past>(kit, &bus, folder.join(CONVERSATIONS), &subjects.views_history()).await?;
    serve::<Customer>(kit, &bus, folder.join(CONVERSATIONS), &subjects.views_customer()).await?;
    serve::<Holdings>(kit, &bus, folder.join(CONVERSATIONS), &subjects.views_holdings()).await?;
    serve::<Contacts>(kit, &bus, folder.join(CONVERSATIONS), &subjects.views_contacts()).await?;
    serve::<Regulars>(kit, &bus, folder.join(CONVERSATIONS), &subjects.views_regulars()).await?;
    serve::<Hours>(kit, &bus, folder.join(CONVERSATIONS), &subjects.views_floor()).await?;
    serve::<Feedback>(kit, &bus, folder.join(CONVERSATIONS), &subjects.views_feedback()).await?;
    let (store, next_seq) = opened::<Remedies>(&bus, folder.join(REMEDIES)).await?;
    follow(kit, &bus, &claim, (store, next_seq), AsRead).await?;
    serve::<Report>(kit, &bus, folder.join(REMEDIES), &subjects.views_empowerment()).await?;
    let (store, next_seq) = opened::<Search>(&bus, folder.join(SEARCH)).await?;
    search::begin(&store, &sealer).await?;
    let forgetter = Forgetter::new(kit, &claim, Arc::clone(&store), sealer.clone());
    kit.drain.spawn("views forget", forgetter.run(kit.drain.token()));
    follow(kit, &bus, &claim, (store, next_seq), Opener::new(sealer, kit.metrics.clone())).await?;
    serve::<Traces>(kit, &bus, folder.join(SEARCH), &subjects.views_traces()).await?;
    serve::<Found>(kit, &bus, folder.join(SEARCH), &subjects.views_search()).await
}

/// A file that belongs to this log, and the sequence to go on from.
async fn opened<M: Model>(bus: &Bus, path: PathBuf) -> anyhow::Result<(Shared<M>, u64)> {
    let (store, next_seq) = follow::open_verified::<M>(bus, path).await?;
    Ok((Arc::new(Mutex::new(store)), next_seq))
}

/// Folds one log into one file.
async fn follow<M: Model, P: Prepare<M>>(
    kit: &Kit,
    bus: &Bus,
    claim: &Arc<Claim>,
    (store, next_seq): (Shared<M>, u64),
    prepare: P,
) -> anyhow::Result<()> {
    let tail = Tail::open(bus, M::LOG, next_seq, TailOptions::default())
        .await
        .context("failed to read the log for the read models")?;
    let follower = Follower::new(kit, claim, store, tail, prepare);
    kit.drain.spawn(M::NAME, follower.run(kit.drain.token()));
    Ok(())
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
