//! What is kept for a time only becomes unreadable when that time is over: the keys that sealed it are destroyed.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use bus::{AgedKeys, Bus, Sealer};
use protocol::IdentityId;
use protocol::audit::{About, Action, Actor};
use protocol::limits::IDENTITIES_MAX;
use protocol::privacy::{Privacy, Retention};
use protocol::rights::{Holding, HoldingsQuestion, KeyClass};
use protocol::subjects::Subjects;

use crate::Role;
use crate::gather::holdings;

/// Keys held in memory at once.
const AT_ONCE_MAX: usize = 100_000;
/// Sweeps within the shortest time for which anything is kept.
const SWEEPS: u64 = 24;
/// Longest and shortest pause between two.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);
const PAUSE_MIN: Duration = Duration::from_millis(250);

/// What a sweep did, or would do: keys destroyed, by what they sealed.
pub type Swept = BTreeMap<KeyClass, u64>;

/// Whether it is done, or only told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earnest {
    /// Keys are destroyed.
    Done,
    /// Nothing is changed.
    Told,
}

/// Looks through all keys once.
///
/// # Errors
/// When the bus or the read models are away; fate: retry.
pub async fn sweep(
    bus: &Bus,
    subjects: &Subjects,
    sealer: &Sealer,
    privacy: &Privacy,
    earnest: Earnest,
) -> anyhow::Result<Swept> {
    let (mut swept, mut behind) = (Swept::new(), Some(0));
    // Those that are kept for longer than the shortest time come up in every sweep: they hold up none behind them.
    while let Some(revision) = behind {
        let (aged, next) = sealer.aged(revision, AT_ONCE_MAX).await.context("look through the keys")?;
        for group in aged.chunks(IDENTITIES_MAX) {
            let kept = kept_for(bus, subjects, privacy, group).await?;
            for keys in group {
                let kept_ms = kept.get(&keys.identity).and_then(|kept| of(*kept, keys.class));
                let Some(kept_ms) = kept_ms else { continue };
                let is_swept = sweep_one(sealer, keys, kept_ms, earnest).await?;
                *swept.entry(keys.class).or_default() += u64::from(is_swept);
            }
        }
        behind = next;
    }
    Ok(swept)
}

async fn sweep_one(
    sealer: &Sealer,
    AgedKeys { identity, class, is_ageless }: &AgedKeys,
    kept_ms: u64,
    earnest: Earnest,
) -> anyhow::Result<bool> {
    let up_to = match earnest {
        Earnest::Told => sealer.unused(*identity, *class, kept_ms).await?,
        Earnest::Done => {
            if *is_ageless {
                sealer.begin_to_age(*identity, *class).await?;
            }
            sealer.expire(*identity, *class, kept_ms).await?
        }
    };
    Ok(up_to > 0)
}

fn of(kept: Retention, class: KeyClass) -> Option<u64> {
    match class {
        KeyClass::Words => kept.words,
        KeyClass::Files => kept.files,
        KeyClass::MailRaw => kept.mail_raw,
    }
}

/// For how long what these wrote is kept: of several accounts the longest counts. Of who is in no conversation nothing is said.
async fn kept_for(
    bus: &Bus,
    subjects: &Subjects,
    privacy: &Privacy,
    group: &[AgedKeys],
) -> anyhow::Result<BTreeMap<IdentityId, Retention>> {
    let identities = group.iter().map(|one| one.identity).collect();
    let question = HoldingsQuestion { identities, ..HoldingsQuestion::default() };
    let answer = holdings(bus, subjects, &question).await.context("ask whose keys these are")?;
    Ok(answer.holdings.iter().map(|one| (one.identity, longest(privacy, one))).collect())
}

fn longest(privacy: &Privacy, holding: &Holding) -> Retention {
    let all: Vec<Retention> =
        holding.accounts.iter().map(|account| privacy.retention_of(holding.channel, account)).collect();
    // One for good is for good.
    let most = |pick: fn(&Retention) -> Option<u64>| {
        all.iter().map(pick).collect::<Option<Vec<u64>>>().and_then(|all| all.into_iter().max())
    };
    Retention {
        words: most(|one| one.words),
        files: most(|one| one.files),
        mail_raw: most(|one| one.mail_raw),
    }
}

/// Sweeps for as long as this process leads.
pub(crate) async fn run(role: &Role) -> anyhow::Result<()> {
    let least = role.privacy.least();
    let shortest = [least.words, least.files, least.mail_raw].into_iter().flatten().min();
    let Some(shortest) = shortest else { return std::future::pending().await };
    let pause = Duration::from_millis(shortest / SWEEPS).clamp(PAUSE_MIN, PAUSE_MAX);
    loop {
        match sweep(&role.bus, &role.subjects, &role.sealer, &role.privacy, Earnest::Done).await {
            Ok(swept) => {
                for (class, count) in swept.into_iter().filter(|(_, count)| *count > 0) {
                    role.kit.metrics.retention_keys_total.add([class.name()], count);
                    tracing::info!(
                        class = class.name(),
                        count,
                        "what was kept for its time is unreadable now"
                    );
                    let about = About { id: Some(format!("{} {count}", class.name())), ..About::default() };
                    // It is done by now, and would be again: an entry that cannot be written does not undo it.
                    if let Err(error) =
                        role.audit.append(role.now(), Actor::System, Action::RetentionSwept, about).await
                    {
                        tracing::warn!(%error, "the audit trail was not told of what was too old");
                    }
                }
            }
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "what is too old is not looked for now; it is tried again"
                );
            }
        }
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{ChannelKind, Hash128, Millis, SubjectToken};

    #[test]
    fn of_several_accounts_the_longest_time_counts_and_for_good_is_longest() {
        let privacy: Privacy = serde_json::from_str(
            r#"{"retention": {"words": "10d", "files": "1d"},
                "account": [{"channel": "email", "name": "b", "retention": {"words": "20d", "files": "for good"}}]}"#,
        )
        .unwrap();
        let holding = |accounts: &[&str]| Holding {
            identity: IdentityId(Hash128([1; 16])),
            channel: ChannelKind::Email,
            accounts: accounts.iter().map(|name| SubjectToken::new(name).unwrap()).collect(),
            since: Millis(0),
            conversations: Vec::new(),
            contacts: Vec::new(),
            open: Vec::new(),
        };
        let day = 86_400_000;
        let kept = |accounts: &[&str]| longest(&privacy, &holding(accounts));
        assert_eq!(kept(&["a"]), Retention { words: Some(10 * day), files: Some(day), mail_raw: None });
        assert_eq!(kept(&["a", "b"]).words, Some(20 * day));
        assert_eq!((kept(&["b"]).files, kept(&["a", "b"]).files), (None, None), "for good is the longest");
    }
}
