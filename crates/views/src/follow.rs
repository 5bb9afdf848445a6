//! The fold's loop: tails the log and writes the rows, many records a transaction while it is behind.

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bus::{Bus, StreamError, Tail, TailItem};
use protocol::formats;
use service::spans::{self, Span, Tracer};
use service::{HealthHandle, Kit, Metrics};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::claim::Claim;
use crate::store::{Model, Origin, Progress, Row, Store};

/// Most records folded in one transaction while people ask and words are erased meanwhile: none of it takes long.
const BATCH_RECORDS_MAX: usize = 500;
/// The same while nobody serves from the file: the more there are, the fewer parts of the search have to be merged with each other.
const BATCH_REBUILT_MAX: usize = 8_000;
/// Most bytes of them.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// Longest that a transaction waits for more records while the log has more.
const BATCH_WAIT_MAX: Duration = Duration::from_millis(50);
/// How often the loop shows that it lives while the log is quiet.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// Pause before a write is tried again that the disk refused.
const DISK_PAUSE: Duration = Duration::from_secs(2);
/// How long a log that is not there yet is waited for at the start.
const LOG_WAIT_MAX: Duration = Duration::from_secs(30);
/// Pause between two looks for the log.
const LOG_WAIT_PAUSE: Duration = Duration::from_millis(100);

/// Opens the file and throws it away if it was folded from another log; gives the sequence to go on from.
pub(crate) async fn open_verified<M: Model>(bus: &Bus, path: PathBuf) -> anyhow::Result<(Store<M>, u64)> {
    let (store, progress) = tokio::task::spawn_blocking(move || {
        let store = Store::open(path)?;
        let progress = store.progress()?;
        Ok::<_, crate::store::StoreError>((store, progress))
    })
    .await??;
    let Some(why) = foreign(bus, M::LOG, &progress).await? else {
        return Ok((store, progress.log_seq + 1));
    };
    let store = tokio::task::spawn_blocking(move || store.rebuild(why)).await??;
    Ok((store, 1))
}

/// Why the rows cannot come from this log; `None` if they do.
async fn foreign(bus: &Bus, log: &str, progress: &Progress) -> anyhow::Result<Option<&'static str>> {
    let last_seq = log_end(bus, log).await?;
    if progress.log_seq > last_seq {
        return Ok(Some("they are ahead of the log"));
    }
    let Some(origin) = &progress.origin else { return Ok(None) };
    let first = bus.read_one(log, origin.seq).await.context("failed to read the log's first record")?;
    let same = first
        .is_some_and(|item| Origin::new(item.seq, item.published_at_ms, item.msg_id()).mark == origin.mark);
    Ok((!same).then_some("they were built from another log"))
}

/// The log's last sequence; waits for a log that is just being made by another role.
pub(crate) async fn log_end(bus: &Bus, log: &str) -> anyhow::Result<u64> {
    let deadline = Instant::now() + LOG_WAIT_MAX;
    loop {
        match bus.stream_usage(log).await {
            Ok(usage) => return Ok(usage.last_seq),
            Err(StreamError::Refused { name, reason }) => anyhow::bail!("failed to read {name}: {reason}"),
            Err(error) if Instant::now() >= deadline => return Err(error).context("failed to find the log"),
            Err(StreamError::NotFound(_) | StreamError::Unavailable { .. }) => {
                tokio::time::sleep(LOG_WAIT_PAUSE).await;
            }
        }
    }
}

/// A store that several tasks write, one at a time.
pub(crate) type Shared<M> = Arc<Mutex<Store<M>>>;

/// Makes what is folded of what was read, outside of any transaction.
pub(crate) trait Prepare<M: Model>: Send + Sync + 'static {
    /// Waits for as long as it cannot be made, without a beat of health, so that readiness shows it.
    fn prepare(
        &self,
        rows: Vec<Row<M::Record>>,
        health: &HealthHandle,
    ) -> impl Future<Output = Vec<Row<M::Given>>> + Send;
}

/// Records are folded as they are.
pub(crate) struct AsRead;

impl<R: Send + Sync + 'static, M: Model<Record = R, Given = R>> Prepare<M> for AsRead {
    async fn prepare(&self, rows: Vec<Row<R>>, _health: &HealthHandle) -> Vec<Row<R>> {
        rows
    }
}

/// Folds the log into the rows until told to end.
pub(crate) struct Follower<M: Model, P> {
    store: Shared<M>,
    tail: Tail,
    prepare: P,
    health: HealthHandle,
    metrics: Metrics,
    tracer: Tracer,
    batch_max: usize,
    /// Nobody throws the files away meanwhile.
    _claim: Arc<Claim>,
}

impl<M: Model, P: Prepare<M>> Follower<M, P> {
    pub(crate) fn new(kit: &Kit, claim: &Arc<Claim>, store: Shared<M>, tail: Tail, prepare: P) -> Self {
        let (health, metrics) = (kit.health.register(M::NAME), kit.metrics.clone());
        let tracer = kit.traces.of("views");
        let batch_max = BATCH_RECORDS_MAX;
        Self { store, tail, prepare, health, metrics, tracer, batch_max, _claim: Arc::clone(claim) }
    }

    /// Folds up to this record, and says after each batch at which it is.
    pub(crate) async fn catch_up(mut self, last_seq: u64, mut told: impl FnMut(u64)) -> anyhow::Result<()> {
        self.batch_max = BATCH_REBUILT_MAX;
        let mut at = 0;
        while at < last_seq {
            self.health.beat();
            // The newest records may have been deleted: a log that gives no more has ended.
            match self.come_round().await? {
                Some(log_seq) => at = log_seq,
                None if self.tail.pending() == 0 && at > 0 => break,
                None => {}
            }
            told(at);
        }
        self.health.retire();
        Ok(())
    }

    pub(crate) async fn run(mut self, ended: CancellationToken) -> anyhow::Result<()> {
        self.health.beat();
        loop {
            tokio::select! {
                () = ended.cancelled() => break,
                came_round = self.come_round() => drop(came_round?),
            }
            self.health.beat();
        }
        self.health.retire();
        Ok(())
    }

    /// Folds the next batch and gives the cursor after it; none if the log is quiet.
    async fn come_round(&mut self) -> anyhow::Result<Option<u64>> {
        let batch = self.next_batch().await?;
        if batch.is_empty() {
            return Ok(None);
        }
        // They last until what they are of can be read.
        let _spans: Vec<Span> = batch.iter().map(|item| self.span(item)).collect();
        let rows = batch.iter().map(row::<M>).collect::<anyhow::Result<Vec<_>>>()?;
        let rows = Arc::new(self.prepare.prepare(rows, &self.health).await);
        let log_seq = self.fold(&rows).await?;
        #[expect(clippy::cast_precision_loss, reason = "a gauge needs no exact count past 2^53")]
        self.metrics.log_lag_records.set([M::NAME], self.tail.pending() as f64);
        self.health.set_detail(format!("at record {log_seq}"));
        Ok(Some(log_seq))
    }

    fn span(&self, item: &TailItem) -> Span {
        // What stood there before was traced when it came.
        let is_new = self.tracer.is_on() && item.seq > self.tail.last_seq_at_open();
        let trace = is_new.then(|| item.trace()).flatten();
        let mut span = spans::processing(&self.tracer, M::LOG, trace.as_ref());
        span.set("winterband.model", || M::NAME);
        span
    }

    /// Waits for a record, then takes what follows while the log has more; empty when it was quiet.
    async fn next_batch(&mut self) -> anyhow::Result<Vec<TailItem>> {
        let mut batch = Vec::new();
        let Ok(mut next) = timeout(BEAT_EVERY, self.tail.next()).await else { return Ok(batch) };
        let full_at = Instant::now() + BATCH_WAIT_MAX;
        let mut bytes = 0;
        loop {
            let item = next.context("failed to read the log for the read models")?;
            bytes += item.payload.len();
            batch.push(item);
            if self.tail.pending() == 0 || batch.len() >= self.batch_max || bytes >= BATCH_BYTES_MAX {
                return Ok(batch);
            }
            match timeout_at(full_at, self.tail.next()).await {
                Ok(item) => next = item,
                Err(_) => return Ok(batch),
            }
        }
    }

    /// Writes one batch on a thread that may block. A full disk is waited out: the loop is silent meanwhile, which
    /// turns readiness red, and goes on when there is room.
    async fn fold(&mut self, rows: &Arc<Vec<Row<M::Given>>>) -> anyhow::Result<u64> {
        loop {
            let (store, rows) = (Arc::clone(&self.store), Arc::clone(rows));
            let applied = tokio::task::spawn_blocking(move || {
                store.lock().unwrap_or_else(PoisonError::into_inner).apply(&rows)
            });
            match applied.await? {
                Ok(log_seq) => return Ok(log_seq),
                Err(error) if error.may_pass() => {
                    tracing::error!(%error, "the read models stand still: make room on the disk of the data folder");
                    self.health.set_detail("waits for the disk");
                    tokio::time::sleep(DISK_PAUSE).await;
                }
                Err(error) => return Err(error).context("failed to fold the log; start again to rebuild"),
            }
        }
    }
}

/// A record that cannot be read ends the loop: a past with a hole in it would be believed.
fn row<M: Model>(item: &TailItem) -> anyhow::Result<Row<M::Record>> {
    let record: M::Record = formats::read(M::LOG, item.seq, &item.payload)?;
    Ok(Row { origin: Origin::new(item.seq, item.published_at_ms, item.msg_id()), record })
}
