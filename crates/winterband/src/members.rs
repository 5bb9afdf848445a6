//! This process among those that live: it says what it reads, and sees what all of them read.

use std::time::Duration;

use anyhow::{Context as _, Result};
use bus::{Bus, Members};
use protocol::Millis;
use service::Kit;
use tokio::task::JoinHandle;

use crate::roles::Role;

/// How often a process says that it lives, and looks who else does.
const EVERY: Duration = Duration::from_secs(5);
/// How long leaving may take: who does not manage is forgotten by itself.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// What a process with these roles is called among them.
fn called(roles: &[Role]) -> String {
    match roles {
        [one] => one.name().to_owned(),
        _ if roles.len() == Role::ALL.len() => "up".to_owned(),
        _ => roles.iter().map(|role| role.name()).collect::<Vec<_>>().join("-"),
    }
}

/// The place of this process among them, kept until it leaves.
pub(crate) struct Place {
    members: Members,
    keeps: JoinHandle<()>,
}

impl Place {
    /// Gives it up, once nothing of this process reads or writes any more: from here on nobody waits until this one can read something.
    pub(crate) async fn leave(self) {
        self.keeps.abort();
        // Until then it might say once more that this process lives.
        drop(self.keeps.await);
        drop(tokio::time::timeout(LEAVE_WITHIN, self.members.leave()).await);
    }
}

/// Takes a place among them and keeps it; whatever is written after this is held against what all of them read.
///
/// # Errors
/// When the bucket cannot be had; the process does not start then.
pub(crate) async fn start(kit: &Kit, bus: &Bus, roles: &[Role]) -> Result<Place> {
    let members = Members::open(bus, &called(roles), &uuid::Uuid::now_v7().to_string())
        .await
        .context("open the bucket of who lives")?;
    let now = Millis(kit.clock.unix_ms());
    members.announce(now).await.context("say that this process lives")?;
    members.look().await.context("look who lives")?;
    // No task of the drain: it goes on for as long as one of those reads.
    let keeps = tokio::spawn(keep(kit.clone(), members.clone()));
    Ok(Place { members, keeps })
}

/// Says for ever that this process lives.
async fn keep(kit: Kit, members: Members) {
    let mut turn = tokio::time::interval(EVERY);
    loop {
        turn.tick().await;
        let told = async {
            // What fails is tried again in a moment; what is known of the others holds until then.
            if let Err(error) = members.announce(Millis(kit.clock.unix_ms())).await {
                tracing::debug!(%error, "did not say that this process lives");
            }
            if let Err(error) = members.look().await {
                tracing::debug!(%error, "did not see who lives");
            }
        };
        // A bus that is away does not keep us from saying so as soon as it is back.
        drop(tokio::time::timeout(EVERY, told).await);
    }
}

#[cfg(test)]
mod tests {
    use bus::SupervisedServer;
    use protocol::formats::Member;
    use service::Settings;

    use super::*;
    use crate::boot;

    #[test]
    fn a_process_is_called_by_its_roles() {
        assert_eq!(called(&[Role::Desk]), "desk");
        assert_eq!(called(&[Role::Desk, Role::Chat]), "desk-chat");
        assert_eq!(called(&Role::ALL), "up");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_process_is_one_of_them_until_it_has_drained() {
        let folder = tempfile::tempdir().unwrap();
        let server = SupervisedServer::start(&folder.path().join("nats")).await.unwrap();
        let bus = Bus::connect(&server.settings()).await.unwrap();
        let kit = boot::quiet_kit(Settings::defaults().unwrap());
        let place = start(&kit, &bus, &[Role::Desk]).await.unwrap();
        let seen = async || {
            let members = Members::seen(&bus).await.unwrap();
            members.into_iter().map(|Member { role, .. }| role).collect::<Vec<_>>()
        };
        assert_eq!(seen().await, ["desk"]);
        kit.drain.spawn("reads on", std::future::pending());
        let late = kit.drain.finish(LEAVE_WITHIN * 2).await;
        assert_eq!(late, ["reads on"]);
        assert_eq!(seen().await, ["desk"], "as long as something in it reads");
        place.leave().await;
        // On a busy machine the goodbye may be on its way still.
        let until = tokio::time::Instant::now() + Duration::from_secs(10);
        while !seen().await.is_empty() {
            assert!(tokio::time::Instant::now() < until, "it stays among them");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
