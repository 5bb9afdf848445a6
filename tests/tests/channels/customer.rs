//! One customer on several channels: who they are, what they ever wrote, and what becomes of both when that was wrong.

use protocol::customer::CustomerWish;
use protocol::desk::DeskCommand;
use protocol::{ConversationId, Outcome};
use serde_json::{Value, json};
use tests::Product;
use tests::chat::Chat;
use tests::desk::Desk;

use crate::mail::{ANN, SUPPORT, mail, scene_of};
use crate::mailhost::MailHost;
use crate::partner::{Partner, post_events, secret};
use crate::scene::{self, texts};
use crate::seat::{reply, take};

struct Scene {
    product: Product,
    _partner: Partner,
    url: String,
}

async fn scene() -> Scene {
    let partner = Partner::open().await;
    let (product, url) = partner.product(&["views", "desk", "api", "chat"], &[]).await;
    Scene { product, _partner: partner, url }
}

impl Scene {
    /// A customer of the partner writes, whose mail address the partner has verified.
    async fn verified(&self, id: &str, from: &str, text: &str) {
        let from = json!({"id": from, "name": "Ann", "email": "Ann@Example.org", "email_verified": true});
        let event = json!({"type": "message.created", "data": {"id": id, "from": from, "text": text}});
        assert_eq!(post_events(&self.url, id, &event).await.0, 202);
    }

    async fn token(&self, name: &str) -> String {
        scene::token(&self.product, name).await
    }

    async fn get(&self, token: &str, path: &str) -> reqwest::Response {
        scene::get(&self.product, token, path).await
    }

    /// Who the customer of a conversation is, once it is as wanted.
    async fn customer(&self, token: &str, of: ConversationId, wanted: impl Fn(&Value) -> bool) -> Value {
        scene::customer(&self.product, token, of, wanted).await
    }
}

fn channels(page: &Value) -> Vec<&str> {
    let all = page["identities"].as_array().unwrap();
    all.iter().filter_map(|one| one["channel"].as_str()).collect()
}

#[tokio::test]
async fn what_is_verified_joins_what_is_said_is_offered_and_a_wrong_merge_is_undone() {
    let scene = scene().await;
    let mut anna = Desk::open(&scene.product, "rest", "rest", "anna").await;
    anna.online().await;
    let token = scene.token("anna").await;
    scene.verified("m-1", "cust-1", "first of the partner").await;
    let (_, first) = take(&mut anna).await;
    // While it is open they would go on with her, in the same contact.
    let disposition = "answered".parse().unwrap();
    let resolve =
        DeskCommand::Resolve { contact: first.contact, disposition, fields: [].into_iter().collect() };
    assert_eq!(anna.command(resolve).await, Outcome::Done);
    scene.verified("m-2", "cust-2", "by another account of mine").await;
    let (_, second) = take(&mut anna).await;
    reply(&mut anna, second.contact, "We know you").await;
    let page = scene.customer(&token, second.conversation, |page| texts(page).len() == 3).await;
    assert_eq!(texts(&page), ["first of the partner", "by another account of mine", "We know you"]);
    assert_eq!((page["links"].as_array().unwrap().len(), &page["links"][0]["by"]), (1, &Value::Null));
    assert_eq!(page["identities"][0]["name"], "Ann");

    let mut chat = Chat::open(&scene.product, "rest").await;
    chat.say("I am ann@example.org, and still wait").await;
    let (_, web) = take(&mut anna).await;
    // The page is kept to be held against: it has settled when Anna's joining stands in it too.
    let settled = |page: &Value| page["timeline"].as_array().unwrap().len() == 2;
    let alone = scene.customer(&token, web.conversation, settled).await;
    assert_eq!(channels(&alone), ["web"], "who only says so is not joined");
    let suggested = alone["suggestions"].as_array().unwrap();
    assert_eq!(suggested.len(), 2, "{alone:#}");
    let identity = suggested[0]["identity"].as_str().unwrap().parse().unwrap();
    let link = DeskCommand::ChangeCustomer { contact: web.contact, wish: CustomerWish::Link { identity } };
    assert_eq!(anna.command(link).await, Outcome::Done);
    let one = scene.customer(&token, web.conversation, |page| channels(page).len() == 3).await;
    assert_eq!(texts(&one).len(), 4, "{one:#}");
    let by = one["links"].as_array().unwrap().iter().find(|link| link["by"] == "Anna").unwrap();
    let seen = scene.customer(&token, first.conversation, |page| texts(page).len() == 4).await;
    assert_eq!(texts(&seen), texts(&one), "from whichever side");

    let link = by["link"].as_str().unwrap().parse().unwrap();
    let part = DeskCommand::ChangeCustomer { contact: web.contact, wish: CustomerWish::Part { link } };
    assert_eq!(anna.command(part).await, Outcome::Done);
    let again = scene.customer(&token, web.conversation, |page| channels(page).len() == 1).await;
    assert_eq!(again, alone, "as if it had not been");
    let again = scene.customer(&token, second.conversation, |page| channels(page).len() == 2).await;
    assert_eq!((texts(&again), &again["links"]), (texts(&page), &page["links"]));
}

#[tokio::test]
async fn who_has_no_contact_of_a_customer_does_not_learn_who_they_are() {
    let scene = scene().await;
    let mut bram = Desk::open(&scene.product, "rest", "rest", "bram").await;
    bram.online().await;
    scene.verified("m-1", "cust-1", "for one only").await;
    let (_, contact) = take(&mut bram).await;
    let path = format!("/desk/customer/{}", contact.conversation);
    let anna = scene.token("anna").await;
    assert_eq!(scene.get(&anna, &path).await.status(), 403);
    assert_eq!(scene.get("nonsense", &path).await.status(), 401);
    let own = scene.token("bram").await;
    assert_eq!(scene.get(&own, &path).await.status(), 200);
    assert_eq!(scene.get(&anna, "/desk/customer/cnv_999_0").await.status(), 403);
    assert_eq!(scene.get(&own, &format!("{path}?before=x")).await.status(), 400);
}

/// A mail with a file, as the mail server hands it on that looked at who sent it.
fn verified_mail() -> String {
    let more = format!(
        "Authentication-Results: mx.test; dmarc=pass header.from={}\nMIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=b\n",
        ANN.split_once('@').unwrap().1
    );
    let parts = "--b\nContent-Type: text/plain\n\nThe crack is in the picture.\n--b\n\
                 Content-Type: text/html; name=crack.html\nContent-Disposition: attachment; filename=crack.html\n\n\
                 <b>this wide</b>\n--b--\n";
    mail("crack", ANN, "My tyre", &more, parts)
}

#[tokio::test]
async fn a_verified_mail_is_the_partners_customer_and_its_files_are_had_from_either_side() {
    let Some(host) = MailHost::start(&[SUPPORT, ANN]).await else { return };
    let partner = Partner::open().await;
    let inbox = host.account("support", SUPPORT);
    let tables = format!("{inbox}trusted_server = \"mx.test\"\n\n{}", partner.account());
    let mut mails = scene_of(host, &[], &tables, &[("partner.secret", &secret())]).await;
    mails.host.send(ANN, SUPPORT, &verified_mail()).await;
    let (_, mailed) = take(&mut mails.anna).await;
    // What nobody has verified may be anybody's, and opens nobody's past.
    mails.host.send(ANN, SUPPORT, &mail("second", ANN, "And my invoice", "", "Where is it?")).await;
    let (_, claimed) = take(&mut mails.anna).await;
    let url = format!("{}/in/webhook/partner", mails.product.url("channels"));
    let scene = Scene { product: mails.product, _partner: partner, url };
    let from = json!({"id": "cust-9", "email": ANN, "email_verified": true});
    let event =
        json!({"type": "message.created", "data": {"id": "m-1", "from": from, "text": "now by the app"}});
    assert_eq!(post_events(&scene.url, "m-1", &event).await.0, 202);
    let (_, by_app) = take(&mut mails.anna).await;
    let token = scene.token("anna").await;
    let page = scene.customer(&token, by_app.conversation, |page| texts(page).len() == 2).await;
    assert_eq!(channels(&page), ["webhook", "email"]);
    assert_eq!(page["identities"][1]["address"], json!(ANN));
    assert_eq!(page["links"][0]["by"], Value::Null, "nobody had to say so");
    let from_mail = scene.customer(&token, mailed.conversation, |page| texts(page).len() == 2).await;
    assert_eq!(texts(&from_mail), texts(&page));
    let alone = scene.customer(&token, claimed.conversation, |page| texts(page).len() == 1).await;
    assert_eq!(alone["suggestions"].as_array().unwrap().len(), 2, "{alone:#}");
    // Who does not lead joins nobody whom they were not shown.
    let stranger = protocol::IdentityId(protocol::Hash128([7; 16]));
    let wish = CustomerWish::Link { identity: stranger };
    let asked = DeskCommand::ChangeCustomer { contact: claimed.contact, wish };
    let refusal = protocol::Refusal::NotYours;
    assert_eq!(mails.anna.command(asked).await, Outcome::Refused { refusal });
    let address =
        page["timeline"][0]["files"].as_array().unwrap().iter().find(|file| file["name"] == "crack.html");
    let address = address.unwrap_or_else(|| panic!("{page:#}"))["address"].as_str().unwrap();
    let file = scene.get(&token, address).await;
    assert_eq!(file.headers()["content-disposition"].to_str().unwrap().split(';').next(), Some("attachment"));
    assert_eq!(file.text().await.unwrap().trim(), "<b>this wide</b>");
    assert_eq!(scene.get("nonsense", address).await.status(), 401);
    let forged = address.replace("signature=", "signature=0");
    assert_eq!(scene.get(&token, &forged).await.status(), 404);
}
