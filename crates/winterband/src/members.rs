//! This process among those that live: it says what it reads, and sees what all of them read.

use std::time::Duration;

use anyhow::{Context as _, Result};
use bus::{Bus, Members};
use protocol::Millis;
use service::Kit;

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

/// Takes a place among them and keeps it; whatever is written after this is held against what all of them read.
///
/// # Errors
/// When the bucket cannot be had; the process does not start then.
pub(crate) async fn start(kit: &Kit, bus: &Bus, roles: &[Role]) -> Result<()> {
    let members = Members::open(bus, &called(roles), &uuid::Uuid::now_v7().to_string())
        .await
        .context("open the bucket of who lives")?;
    let now = Millis(kit.clock.unix_ms());
    members.announce(now).await.context("say that this process lives")?;
    members.look().await.context("look who lives")?;
    kit.drain.spawn("members", keep(kit.clone(), members));
    Ok(())
}

async fn keep(kit: Kit, members: Members) -> Result<()> {
    let drained = kit.drain.token();
    let mut turn = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = drained.cancelled() => break,
            _ = turn.tick() => {}
        }
        let told = async {
            // What fails is tried again in a moment; what is known of the others holds until then.
            if let Err(error) = members.announce(Millis(kit.clock.unix_ms())).await {
                tracing::debug!(%error, "did not say that this process lives");
            }
            if let Err(error) = members.look().await {
                tracing::debug!(%error, "did not see who lives");
            }
        };
        // A bus that is away neither keeps us from the end nor from saying so as soon as it is back.
        tokio::select! {
            () = drained.cancelled() => break,
            done = tokio::time::timeout(EVERY, told) => drop(done),
        }
    }
    drop(tokio::time::timeout(LEAVE_WITHIN, members.leave()).await);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_called_by_its_roles() {
        assert_eq!(called(&[Role::Desk]), "desk");
        assert_eq!(called(&[Role::Desk, Role::Chat]), "desk-chat");
        assert_eq!(called(&Role::ALL), "up");
    }
}
