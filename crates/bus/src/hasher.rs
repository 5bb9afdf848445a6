//! Keyed hashes: ids that show nothing of what they stand for. A WhatsApp message id contains a phone number,
//! and a plain hash of a phone number is found by trying them all.

use protocol::content::Attachment;
use protocol::edge::EdgeKind;
use protocol::{ChannelKind, Hash128, IdentityId, Millis, SubjectToken};

use crate::master_key::MasterKey;
use crate::token::token_hash;

const IDENTITY: &str = "winterband v1 identity id";
const PROVIDER_ID: &str = "winterband v1 provider message id";
const CONTENT: &str = "winterband v1 content";

/// Whoever writes by mail, vouched for by their server or not, is known within these scopes.
pub const MAIL_SCOPES: [&str; 2] = ["verified address", "address"];

/// The scope under which visitors' tokens are signed: no account can have this name, so no identity can have a token's hash.
const VISITOR_TOKEN: &str = "visitor.token";

/// What a canary customer's key for the API begins with: no other key of the API has a point in it.
const CANARY_BEARER: &str = "canary.";

/// Hashes with keys derived from the master key, one for each kind of thing.
#[derive(Clone)]
pub struct IdHasher {
    identity: [u8; 32],
    provider_id: [u8; 32],
    content: [u8; 32],
}

impl IdHasher {
    /// Derives the keys.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        Self {
            identity: master.derive(IDENTITY),
            provider_id: master.derive(PROVIDER_ID),
            content: master.derive(CONTENT),
        }
    }

    /// The id of a customer's identity: `value` (an address, a visitor) as it is known within `scope` of a channel.
    #[must_use]
    pub fn identity(&self, channel: ChannelKind, scope: &str, value: &str) -> IdentityId {
        IdentityId(hash(&self.identity, &[channel.as_str().as_bytes(), scope.as_bytes(), value.as_bytes()]))
    }

    /// Who practises under this name by an account of the API: nobody else's conversation is theirs, so that nothing that was only
    /// practised stands in a real one.
    #[must_use]
    pub fn practice_identity(&self, account: &str, value: &str) -> IdentityId {
        IdentityId(hash(&self.identity, &[b"practice", account.as_bytes(), value.as_bytes()]))
    }

    /// By what the canary customer of an account is known there, as a visitor or as who writes: nobody can make it without the master
    /// key, so nobody else is it.
    #[must_use]
    pub fn canary(&self, channel: ChannelKind, account: &SubjectToken) -> Hash128 {
        let [channel, account] = [channel.as_str(), account.as_str()].map(str::as_bytes);
        hash(&self.identity, &[b"canary customer", channel, account])
    }

    /// The identity of the canary customer of an account.
    #[must_use]
    pub fn canary_identity(&self, channel: ChannelKind, account: &SubjectToken) -> IdentityId {
        self.identity(channel, account.as_str(), &self.canary(channel, account).to_string())
    }

    /// What signs for the canary customer of an account, both ways.
    #[must_use]
    pub fn canary_key(&self, channel: ChannelKind, account: &SubjectToken) -> [u8; 32] {
        self.key_for(&format!("canary customer of {channel} {account}"))
    }

    /// The key that the canary customer of an account of the API shows there.
    #[must_use]
    pub fn canary_bearer(&self, account: &SubjectToken) -> String {
        let secret = blake3::hash(&self.canary_key(ChannelKind::Api, account)).to_hex();
        format!("{CANARY_BEARER}{account}.{secret}")
    }

    /// Whether what is shown is made like a canary customer's key, by whatever master key.
    #[must_use]
    pub fn is_like_canarys(shown: &str) -> bool {
        shown.starts_with(CANARY_BEARER)
    }

    /// The account whose canary customer shows this key at the API; `None`: it is no canary's.
    #[must_use]
    pub fn canary_of_bearer(&self, shown: &str) -> Option<SubjectToken> {
        let (account, _) = shown.strip_prefix(CANARY_BEARER)?.split_once('.')?;
        let account = SubjectToken::new(account).ok()?;
        // Hashes are compared: how long that takes says nothing of the key.
        (token_hash(shown) == token_hash(&self.canary_bearer(&account))).then_some(account)
    }

    /// The signature under what a browser shows to be known again.
    #[must_use]
    pub fn visitor_token(&self, bytes: &[u8]) -> Hash128 {
        self.identity(ChannelKind::Web, VISITOR_TOKEN, &String::from_utf8_lossy(bytes)).0
    }

    /// All identities that somebody may have who writes so: who only practises is another one, and whoever writes by mail is one in every inbox, and another one when
    /// their server vouches for them.
    #[must_use]
    pub fn identities(&self, channel: ChannelKind, account: &str, value: &str) -> Vec<IdentityId> {
        if channel == ChannelKind::Api {
            return vec![self.identity(channel, account, value), self.practice_identity(account, value)];
        }
        if channel != ChannelKind::Email {
            return vec![self.identity(channel, account, value)];
        }
        let address = value.to_lowercase();
        MAIL_SCOPES.map(|scope| self.identity(channel, scope, &address)).to_vec()
    }

    /// The hash of the id that a provider gave a message of one account.
    #[must_use]
    pub fn provider_id(&self, channel: ChannelKind, account: &SubjectToken, id: &str) -> Hash128 {
        hash(&self.provider_id, &[channel.as_str().as_bytes(), account.as_str().as_bytes(), id.as_bytes()])
    }

    /// The id of what an integration published under an id of its own: nobody else's ids can become the same. Other bytes under
    /// the same id are another thing, since nobody could say which of the two was meant.
    #[must_use]
    pub fn integration_id(
        &self,
        integration: &SubjectToken,
        kind: EdgeKind,
        id: &SubjectToken,
        payload: &[u8],
    ) -> Hash128 {
        let parts = [integration.as_str(), kind.as_str(), id.as_str()].map(str::as_bytes);
        let [integration, kind, id] = parts;
        hash(&self.provider_id, &[b"integration", integration, kind, id, payload])
    }

    /// The id of what somebody sent over HTTP under a key of their own (`Idempotency-Key`); as [`Self::integration_id`].
    #[must_use]
    pub fn request_id(&self, sender: &str, kind: &str, key: &str, payload: &[u8]) -> Hash128 {
        let [sender, kind, key] = [sender, kind, key].map(str::as_bytes);
        hash(&self.provider_id, &[b"request", sender, kind, key, payload])
    }

    /// The hash of the id that an integration gave a message of one account, apart from the ids of all others who write there. Other
    /// content under the same id is another message.
    #[must_use]
    pub fn integration_message(
        &self,
        integration: &SubjectToken,
        account: &SubjectToken,
        id: &str,
        content: Hash128,
    ) -> Hash128 {
        let parts = [integration.as_str(), account.as_str(), id].map(str::as_bytes);
        let [integration, account, id] = parts;
        hash(&self.provider_id, &[b"integration message", integration, account, id, &content.0])
    }

    /// The hash of content: says whether two messages of one id say the same.
    #[must_use]
    pub fn content(&self, bytes: &[u8]) -> Hash128 {
        hash(&self.content, &[bytes])
    }

    /// What a person is known by on every channel: `kind` says what `value` is, a mail address or a number.
    #[must_use]
    pub fn person(&self, kind: &str, value: &str) -> Hash128 {
        hash(&self.identity, &[b"person", kind.as_bytes(), value.as_bytes()])
    }

    /// The name of a customer's file in the store.
    #[must_use]
    pub fn file(&self, identity: IdentityId, bytes: &[u8]) -> Hash128 {
        hash(&self.content, &[b"file", &identity.0.0, bytes])
    }

    /// The signature under what is said of a customer's file.
    #[must_use]
    pub fn attachment(&self, identity: IdentityId, file: &Attachment) -> Hash128 {
        let Attachment { object, name, media_type, bytes, inline } = file;
        let (bytes, inline) = (bytes.to_be_bytes(), [u8::from(*inline)]);
        let of: [&[u8]; 4] = [b"attachment", &identity.0.0, &object.0, name.as_bytes()];
        hash(&self.content, &[&of[..], &[media_type.as_bytes(), &bytes, &inline]].concat())
    }

    /// The signature of a link to a file.
    #[must_use]
    pub fn link(&self, identity: IdentityId, object: Hash128, name: &str, until: Millis) -> Hash128 {
        let until = until.0.to_be_bytes();
        hash(&self.content, &[b"link", &identity.0.0, &object.0, name.as_bytes(), &until])
    }

    /// The signature of a link to a file that a page is given: it opens nothing where other systems fetch theirs, nor theirs here.
    #[must_use]
    pub fn page_link(&self, identity: IdentityId, object: Hash128, name: &str, until: Millis) -> Hash128 {
        let until = until.0.to_be_bytes();
        hash(&self.content, &[b"page link", &identity.0.0, &object.0, name.as_bytes(), &until])
    }

    /// A key of its own for a purpose, of 256 bits: who has one knows nothing of the others.
    #[must_use]
    pub fn key_for(&self, purpose: &str) -> [u8; 32] {
        *blake3::keyed_hash(&self.content, format!("key for {purpose}").as_bytes()).as_bytes()
    }
}

/// Each part goes in with its length, so that ("ab", "c") and ("a", "bc") differ.
fn hash(key: &[u8; 32], parts: &[&[u8]]) -> Hash128 {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for part in parts {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        hasher.update(&length.to_be_bytes());
        hasher.update(part);
    }
    let mut bits = [0; 16];
    hasher.finalize_xof().fill(&mut bits);
    Hash128(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher() -> (tempfile::TempDir, IdHasher) {
        let dir = tempfile::tempdir().unwrap();
        let hasher = IdHasher::new(&MasterKey::load_or_create(&dir.path().join("key")).unwrap());
        (dir, hasher)
    }

    #[test]
    fn a_signature_is_under_all_that_is_said_of_a_file() {
        let (_dir, one) = hasher();
        let anna = IdentityId(Hash128([1; 16]));
        let file = Attachment {
            object: Hash128([2; 16]),
            name: "a.png".into(),
            media_type: "image/png".into(),
            bytes: 3,
            inline: false,
        };
        let ours = one.attachment(anna, &file);
        assert_eq!(ours, one.attachment(anna, &file.clone()));
        assert_ne!(ours, one.attachment(IdentityId(Hash128([9; 16])), &file));
        for other in [
            Attachment { object: Hash128([9; 16]), ..file.clone() },
            Attachment { name: "b.png".into(), ..file.clone() },
            Attachment { media_type: "text/html".into(), ..file.clone() },
            Attachment { name: "a.pngi".into(), media_type: "mage/png".into(), ..file.clone() },
            Attachment { bytes: 4, ..file.clone() },
            Attachment { inline: true, ..file.clone() },
        ] {
            assert_ne!(ours, one.attachment(anna, &other), "{other:?}");
        }
    }

    #[test]
    fn each_account_has_a_canary_of_its_own_whom_nobody_can_name() {
        let (_dir, one) = hasher();
        let (_dir, other) = hasher();
        let [shop, store] = ["shop", "store"].map(|name| SubjectToken::new(name).unwrap());
        let canary = one.canary(ChannelKind::Web, &shop);
        assert_eq!(canary, one.canary(ChannelKind::Web, &shop));
        for strange in [
            one.canary(ChannelKind::Web, &store),
            one.canary(ChannelKind::Webhook, &shop),
            other.canary(ChannelKind::Web, &shop),
        ] {
            assert_ne!(canary, strange);
        }
        let key = one.canary_bearer(&shop);
        assert_eq!(one.canary_of_bearer(&key), Some(shop.clone()));
        let of_store = key.replace("shop", "store");
        for strange in [other.canary_bearer(&shop), of_store, format!("{key}0"), "canary.shop.".to_owned()] {
            assert_eq!(one.canary_of_bearer(&strange), None, "{strange}");
        }
        let identity = one.canary_identity(ChannelKind::Web, &shop);
        assert_eq!(identity, one.identity(ChannelKind::Web, "shop", &canary.to_string()));
        assert_ne!(identity, one.identity(ChannelKind::Web, "shop", "canary"));
        assert!(SubjectToken::new(VISITOR_TOKEN).is_err(), "no account has the scope of tokens");
    }

    #[test]
    fn parts_kinds_and_keys_separate() {
        let (_dir, one) = hasher();
        let (_dir, other) = hasher();
        let account = SubjectToken::new("a").unwrap();
        let id = one.identity(ChannelKind::Web, "ab", "c");
        assert_eq!(id, one.identity(ChannelKind::Web, "ab", "c"));
        assert_ne!(id, one.identity(ChannelKind::Web, "a", "bc"));
        assert_ne!(id, one.identity(ChannelKind::Api, "ab", "c"));
        assert_ne!(id, other.identity(ChannelKind::Web, "ab", "c"));
        assert_ne!(
            one.provider_id(ChannelKind::Web, &account, "x"),
            one.identity(ChannelKind::Web, "a", "x").0,
            "the same parts under another purpose"
        );
    }
}
