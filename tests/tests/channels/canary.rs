//! A canary customer of a mail account: tried at both of its servers and at its mailbox, and sent round by mail.

use std::time::Duration;

use bus::{Lease, places};
use protocol::{InputBody, Record, record::Cause};
use serde_json::json;
use tests::{Product, eventually, log};
use tokio_util::sync::CancellationToken;

use crate::mail::{ANN, SUPPORT, Scene, mail, scene_of};
use crate::mailhost::MailHost;
use crate::partner::SOON;
use crate::seat::take;

/// A mailbox is signed in to again after up to half a minute.
const WITHIN: Duration = Duration::from_secs(90);

/// The role that watches beside the scene of one inbox.
async fn watched() -> Option<Scene> {
    let host = MailHost::start(&[SUPPORT, ANN]).await?;
    let account = format!("{}poll_every = \"1s\"\n", host.account("support", SUPPORT));
    let mut scene = scene_of(host, &[], &account, &[]).await;
    watches(&mut scene.product, &[("canary.mail_every", "1s"), ("canary.mail_within", "5s")]).await;
    Some(scene)
}

/// Starts the role that watches, with a canary customer for each account, often; `channels` begins anew, since it is to know where it listens.
pub(crate) async fn watches(product: &mut Product, settings: &[(&str, &str)]) {
    let often = [("watch.look_every", "200ms"), ("canary.every", "500ms"), ("canary.within", "5s")];
    for (key, value) in often.iter().chain(settings) {
        product.set(key, value);
    }
    let channels = product.url("channels");
    product.set("canary.channels_url", &channels);
    product.start("watch", &["watch"]).await;
    let watch = product.url("watch");
    product.arm("channels", "WINTERBAND_CANARY__RECEIVER_URL", &watch);
    product.stop("channels");
    product.again("channels");
    product.ready("channels").await;
}

async fn comes_through(product: &Product) {
    let name = "canary_ok{channel=\"email\",account=\"support\"}";
    eventually("the canary comes through", WITHIN, || async {
        (product.metric("watch", name).await == 1.0).then_some(())
    })
    .await;
}

async fn breaks_at(product: &Product, hop: &str) {
    let name = format!("canary_broken{{channel=\"email\",account=\"support\",hop=\"{hop}\"}}");
    eventually(&format!("the canary stops at {hop}"), WITHIN, || async {
        (product.metric("watch", &name).await == 1.0).then_some(())
    })
    .await;
}

fn is_canary(record: &Record) -> bool {
    matches!(&record.cause, Cause::Input { input, .. } if matches!(input.body, InputBody::Canary(_)))
}

#[tokio::test]
async fn a_canary_goes_round_by_mail_and_is_nobody_in_the_mailbox_and_at_the_desk() {
    let Some(mut scene) = watched().await else { return };
    comes_through(&scene.product).await;
    scene.host.send(ANN, SUPPORT, &mail("m-1", ANN, "Boots", "", "Do they run small?")).await;
    take(&mut scene.anna).await;
    let bus = scene.product.bus().await;
    let rounds = async || log::records(&bus).await.iter().filter(|(_, record)| is_canary(record)).count();
    let before = rounds().await;
    eventually("rounds go on", SOON, || async { (rounds().await > before + 12).then_some(()) }).await;
    let went = format!("from=<{SUPPORT}>");
    assert!(scene.host.log().contains(&went), "a mail went round: nobody else wrote from there");
    // Each round looks again, so what lies there now is on its way; its like is gone in a moment.
    eventually("what the canary sent is taken out, and nothing else", SOON, || async {
        let mails = scene.host.mails(SUPPORT);
        (mails.len() == 1 && mails[0].contains("Do they run small?")).then_some(())
    })
    .await;
    let counted = scene.product.metric("channels", "messages_received_total{channel=\"email\"}").await;
    assert_eq!(counted, 1.0, "{}", scene.host.log());
    let (balances, ledger) = scene.product.ledger().await;
    assert!(balances && ledger["messages"]["received"] == json!(1), "{ledger:#}");
}

#[tokio::test]
async fn a_mail_account_that_breaks_is_told_of_at_its_hop() {
    let Some(mut scene) = watched().await else { return };
    comes_through(&scene.product).await;
    scene.host.stop_dovecot();
    breaks_at(&scene.product, "door").await;
    scene.host.start_dovecot().await;
    comes_through(&scene.product).await;
    // Both servers let everybody in, and no mail comes.
    scene.host.holds(true);
    breaks_at(&scene.product, "inbound").await;
    scene.host.holds(false);
    comes_through(&scene.product).await;
    scene.product.process("rest").signal("STOP");
    breaks_at(&scene.product, "desk").await;
    scene.product.process("rest").signal("CONT");
    comes_through(&scene.product).await;
    // Both servers do what they are asked, and whoever is to read the mailbox does not.
    let told = |product: &Product| product.text("watch").matches("nobody looks what came").count();
    let before = told(&scene.product);
    scene.product.stop("channels");
    let leases = scene.product.bus().await.ensure_bucket(&places::leases()).await.unwrap();
    let (ttl, cancel) = (Duration::from_secs(9), CancellationToken::new());
    let hangs = Lease::acquire(&leases, "mailbox.support", "who hangs", ttl, &cancel).await.unwrap();
    scene.product.again("channels");
    eventually("it is told", WITHIN, async || (told(&scene.product) > before).then_some(())).await;
    breaks_at(&scene.product, "inbound").await;
    hangs.release().await;
    comes_through(&scene.product).await;
}
