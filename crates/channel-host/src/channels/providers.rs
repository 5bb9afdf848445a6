//! The channels whose providers speak HTTP: what an account of each is set up with. A new one is one line in [`HTTP`].

use std::sync::Arc;

use anyhow::Context as _;
use channel::words::{Asking, OwnWords};
use channel_meta::{
    AccessToken, Api, AppId, AppSecret, Instagram, Messenger, PageId, PageKind, Pages, PhoneNumberId,
    VerifyToken, WhatsappCloud,
};
use channel_telegram::{BotToken, SecretToken, Telegram};
use channel_twilio::{
    Account as TwilioAccount, AccountSid, Address, ApiKey, AuthToken, Kind, Secrets as TwilioSecrets, Sender,
    SharedKeys, Sms, Twilio, Whatsapp,
};
use channel_webhook::{Secrets, Webhook};
use protocol::ChannelKind;
use serde::Deserialize;

use crate::channels::accounts::{Making, Reader, SecretRef, typed, url};
use crate::channels::carrier::{Carrier, Client, Door, Http};
use crate::channels::mail;

/// The ways out and in of an account.
pub(crate) type Ways = (Arc<dyn Carrier>, Option<Arc<dyn Door>>);

/// Makes an account of its name and its table.
type Make = fn(&Reader<'_>, &str, toml::Value, &Making) -> anyhow::Result<Ways>;

/// Channels that come and go over HTTP, by the name of their table: a new one is one line.
pub(super) const HTTP: [(ChannelKind, Make); 6] = [
    (ChannelKind::Webhook, |reader, _, table, making| http(&making.client, webhook(reader, table)?)),
    (ChannelKind::Telegram, |reader, _, table, making| http(&making.client, telegram(reader, table)?)),
    (ChannelKind::Sms, |reader, name, table, making| {
        http(&making.client, twilio::<Sms>(reader, name, typed(table)?, making)?)
    }),
    (ChannelKind::Whatsapp, |reader, name, table, making| match typed(table)? {
        WhatsappTable::Meta(table) => http(&making.client, whatsapp_cloud(reader, table)?),
        WhatsappTable::Twilio(table) => {
            http(&making.client, twilio::<Whatsapp>(reader, name, table, making)?)
        }
    }),
    (ChannelKind::Messenger, |reader, _, table, making| {
        http(&making.client, pages::<Messenger>(reader, typed(table)?, "page_id")?)
    }),
    (ChannelKind::Instagram, |reader, _, table, making| {
        http(&making.client, pages::<Instagram>(reader, typed(table)?, "instagram_id")?)
    }),
];

#[expect(clippy::unnecessary_wraps, reason = "every way of making an account may fail")]
fn http<A>(client: &Client, adapter: A) -> anyhow::Result<Ways>
where
    A: 'static,
    Http<A>: Carrier + Door,
{
    let http = Arc::new(Http::new(adapter, client.clone()));
    Ok((Arc::clone(&http) as Arc<dyn Carrier>, Some(http)))
}

/// What a customer is told before a silent conversation is closed, unless the account says otherwise.
const CLOSING_TEXT: &str = "We have not heard from you since our last answer. If everything is settled you need not do anything: we will \
    close this conversation soon. If it is not, just write to us here.";

/// What the house says by itself, as an account has it.
fn own_words(closing: String, blocked: String, asking: Asking) -> OwnWords {
    let or = |said: String, usual: &str| if said.is_empty() { usual.to_owned() } else { said };
    OwnWords {
        closing: or(closing, CLOSING_TEXT),
        blocked: or(blocked, mail::BLOCKED_TEXT),
        asking: asking.or_usual(),
    }
}

/// The address of a provider's API, behind which the paths of calls are put.
fn api(text: &str) -> anyhow::Result<String> {
    let api = url(text.trim_end_matches('/'), false).map_err(|error| anyhow::anyhow!("api: {error}"))?;
    anyhow::ensure!(!api.contains(['?', '#']), "api: use https://host, without ? and #");
    Ok(api)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookTable {
    url: String,
    secret: SecretRef,
    /// Whether customers' words may go to another machine without encryption, in a network that nobody else hears.
    #[serde(default)]
    in_the_clear: bool,
}

fn webhook(reader: &Reader<'_>, table: toml::Value) -> anyhow::Result<Webhook> {
    let table: WebhookTable = typed(table)?;
    Ok(Webhook::new(
        url(&table.url, table.in_the_clear)?,
        Secrets::read(reader.secret(&table.secret)?.reveal())?,
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TelegramTable {
    token: SecretRef,
    secret: SecretRef,
    #[serde(default = "telegram_api")]
    api: String,
    #[serde(default)]
    closing_text: String,
    #[serde(default)]
    blocked_text: String,
    #[serde(default)]
    ask_satisfaction: String,
    #[serde(default)]
    ask_effort: String,
    #[serde(default)]
    ask_recommend: String,
}

fn telegram_api() -> String {
    channel_telegram::API.to_owned()
}

fn telegram(reader: &Reader<'_>, table: toml::Value) -> anyhow::Result<Telegram> {
    let table: TelegramTable = typed(table)?;
    let token = BotToken::read(reader.secret(&table.token)?.reveal())?;
    let secret = SecretToken::read(reader.secret(&table.secret)?.reveal())?;
    let asking = Asking {
        satisfaction: table.ask_satisfaction,
        effort: table.ask_effort,
        recommend: table.ask_recommend,
    };
    let own = own_words(table.closing_text, table.blocked_text, asking);
    Ok(Telegram::new(api(&table.api)?, token, secret, own))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TwilioTable {
    /// The account's.
    sid: String,
    /// The account's auth token.
    token: Option<SecretRef>,
    /// An API key's sid and secret, to be signed in with in place of the token.
    key: Option<String>,
    secret: Option<SecretRef>,
    /// What Twilio signs with, where it was given a key of its own for that.
    shared_key: Option<SecretRef>,
    /// A number of ours or a Messaging Service.
    from: String,
    /// Where Twilio posts to, where that is another address than ours.
    address: Option<String>,
    #[serde(default = "twilio_api")]
    api: String,
    #[serde(default)]
    closing_text: String,
    #[serde(default)]
    blocked_text: String,
    #[serde(default)]
    ask_satisfaction: String,
    #[serde(default)]
    ask_effort: String,
    #[serde(default)]
    ask_recommend: String,
}

fn twilio_api() -> String {
    channel_twilio::API.to_owned()
}

fn twilio<K: Kind>(
    reader: &Reader<'_>,
    name: &str,
    table: TwilioTable,
    making: &Making,
) -> anyhow::Result<Twilio<K>> {
    let read = |reference: &Option<SecretRef>| reference.as_ref().map(|one| reader.secret(one)).transpose();
    let token = read(&table.token)?.map(|token| AuthToken::read(token.reveal())).transpose()?;
    let key = match (&table.key, read(&table.secret)?) {
        (Some(key), Some(secret)) => Some(ApiKey::read(key, secret.reveal())?),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => anyhow::bail!("key and secret: an API key has both"),
    };
    let shared = read(&table.shared_key)?.map(|key| SharedKeys::read(key.reveal())).transpose()?;
    let asking = Asking {
        satisfaction: table.ask_satisfaction,
        effort: table.ask_effort,
        recommend: table.ask_recommend,
    };
    let address = table.address.unwrap_or_else(|| format!("{}/in/{}/{name}", making.public_url, K::KIND));
    Ok(Twilio::new(TwilioAccount {
        sid: AccountSid::read(&table.sid)?,
        secrets: TwilioSecrets::new(token, key, shared)?,
        sender: Sender::read(&table.from)?,
        address: Address::read(&address)?,
        api: api(&table.api)?,
        own: own_words(table.closing_text, table.blocked_text, asking),
    }))
}

/// By whom WhatsApp is served.
#[derive(Deserialize)]
#[serde(tag = "provider", rename_all = "snake_case")]
enum WhatsappTable {
    Meta(MetaTable),
    Twilio(TwilioTable),
}

/// An account at Meta: a number of WhatsApp, a page, or an account of Instagram.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetaTable {
    phone_number_id: Option<String>,
    page_id: Option<String>,
    instagram_id: Option<String>,
    /// Our app's id.
    app_id: Option<String>,
    /// What lets us in.
    token: SecretRef,
    /// The app's, which signs what comes in.
    secret: SecretRef,
    /// What Meta makes sure with that an address is ours.
    verify_token: SecretRef,
    #[serde(default = "meta_api")]
    api: String,
    #[serde(default)]
    closing_text: String,
    #[serde(default)]
    blocked_text: String,
    #[serde(default)]
    ask_satisfaction: String,
    #[serde(default)]
    ask_effort: String,
    #[serde(default)]
    ask_recommend: String,
}

fn meta_api() -> String {
    channel_meta::API.to_owned()
}

/// The same, read.
struct Meta {
    id: String,
    app: Option<AppId>,
    api: Api,
    token: AccessToken,
    secret: AppSecret,
    verify_token: VerifyToken,
    own: OwnWords,
}

/// Reads the account that has its id under this key.
fn meta(reader: &Reader<'_>, table: MetaTable, key: &str) -> anyhow::Result<Meta> {
    let said = [
        ("phone_number_id", table.phone_number_id),
        ("page_id", table.page_id),
        ("instagram_id", table.instagram_id),
    ];
    let mut id = None;
    for (name, said) in said {
        match said {
            Some(said) if name == key => id = Some(said),
            Some(_) => anyhow::bail!("{name}: this is another channel's: use {key}"),
            None => {}
        }
    }
    let asking = Asking {
        satisfaction: table.ask_satisfaction,
        effort: table.ask_effort,
        recommend: table.ask_recommend,
    };
    Ok(Meta {
        id: id.with_context(|| format!("{key} is missing"))?,
        app: table.app_id.as_deref().map(AppId::read).transpose()?,
        api: Api::read(&api(&table.api)?)?,
        token: AccessToken::read(reader.secret(&table.token)?.reveal())?,
        secret: AppSecret::read(reader.secret(&table.secret)?.reveal())?,
        verify_token: VerifyToken::read(reader.secret(&table.verify_token)?.reveal())?,
        own: own_words(table.closing_text, table.blocked_text, asking),
    })
}

fn whatsapp_cloud(reader: &Reader<'_>, table: MetaTable) -> anyhow::Result<WhatsappCloud> {
    let Meta { id, app, api, token, secret, verify_token, own } = meta(reader, table, "phone_number_id")?;
    anyhow::ensure!(app.is_none(), "app_id: WhatsApp needs none");
    Ok(WhatsappCloud::new(api, PhoneNumberId::read(&id)?, token, secret, verify_token, own))
}

fn pages<K: PageKind>(reader: &Reader<'_>, table: MetaTable, key: &str) -> anyhow::Result<Pages<K>> {
    let Meta { id, app, api, token, secret, verify_token, own } = meta(reader, table, key)?;
    Ok(Pages::new(api, PageId::read(&id)?, token, secret, verify_token, app, own))
}

#[cfg(test)]
mod tests {
    use protocol::feedback::Question;

    use super::*;

    const ASKS: &str = "ask_satisfaction = \"Happy? 1 to 5\"\nask_effort = \"Easy? 1 to 5\"\n";

    fn table<T: serde::de::DeserializeOwned>(text: &str) -> anyhow::Result<T> {
        typed(toml::from_str(&format!("{text}{ASKS}"))?)
    }

    #[test]
    fn every_account_that_words_by_itself_says_what_is_asked() {
        let secret = "{ env = \"X\" }";
        let telegram: TelegramTable = table(&format!("token = {secret}\nsecret = {secret}\n")).unwrap();
        let twilio: TwilioTable = table("sid = \"AC1\"\nfrom = \"+31201234567\"\n").unwrap();
        let meta: MetaTable =
            table(&format!("token = {secret}\nsecret = {secret}\nverify_token = {secret}\n")).unwrap();
        for (satisfaction, effort, recommend) in [
            (telegram.ask_satisfaction, telegram.ask_effort, telegram.ask_recommend),
            (twilio.ask_satisfaction, twilio.ask_effort, twilio.ask_recommend),
            (meta.ask_satisfaction, meta.ask_effort, meta.ask_recommend),
        ] {
            let own = own_words(String::new(), String::new(), Asking { satisfaction, effort, recommend });
            assert_eq!(own.asking.words(Question::Satisfaction), "Happy? 1 to 5");
            assert_eq!(own.asking.words(Question::Effort), "Easy? 1 to 5");
            assert_eq!(own.asking.recommend, Asking::default().recommend, "the usual words");
            assert_eq!((own.closing.as_str(), own.blocked.as_str()), (CLOSING_TEXT, mail::BLOCKED_TEXT));
        }
        // The other system words it, and is told what.
        let url = "url = \"https://crm.example\"\nsecret = { env = \"X\" }\n";
        assert!(table::<WebhookTable>(url).is_err());
    }
}
