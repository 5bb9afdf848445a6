//! Who may come in at the server besides ourselves, and what each may do there.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::SubjectToken;
use protocol::edge::Integration;
use protocol::subjects::Subjects;
use serde::{Deserialize, Serialize};

use crate::nkey::Nkey;
use crate::server::{ServerError, Watched};
use crate::server_files::quoted;
use crate::server_rights::Rights;

/// A user of the server: one public key and its permissions. What is not named is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerUser {
    key: String,
    publish: Vec<String>,
    subscribe: Vec<String>,
}

impl ServerUser {
    /// The users of integrations, one for each of their keys. A key that is none, or another one's already, is left out: the
    /// server would refuse its whole configuration over it.
    pub fn of<'a>(
        subjects: &Subjects,
        integrations: impl IntoIterator<Item = (&'a SubjectToken, &'a Integration)>,
    ) -> Vec<Self> {
        let mut taken = BTreeSet::new();
        let mut users = Vec::new();
        for (name, integration) in integrations {
            let texts = |subjects: [protocol::Subject; 2]| subjects.iter().map(ToString::to_string).collect();
            for key in &integration.keys {
                if !Nkey::is_public(key) || !taken.insert(key.clone()) {
                    tracing::error!(integration = %name, "a key is no public key of a user, or not its own, and opens nothing");
                    continue;
                }
                users.push(Self {
                    key: key.clone(),
                    publish: texts(subjects.guest_publishes(name)),
                    subscribe: texts(subjects.guest_subscribes(name)),
                });
            }
        }
        users
    }

    /// A user with these rights; `None` if the key is no public key of a user.
    #[must_use]
    pub fn with(key: &str, rights: Rights) -> Option<Self> {
        let (publish, subscribe) = rights.into_lists();
        Nkey::is_public(key).then(|| Self { key: key.to_owned(), publish, subscribe })
    }

    fn line(&self) -> String {
        let list =
            |subjects: &[String]| subjects.iter().map(|one| quoted(one)).collect::<Vec<_>>().join(", ");
        format!(
            "{{ nkey: {}, permissions: {{ publish: {{ allow: [{}] }}, subscribe: {{ allow: [{}] }} }} }}",
            quoted(&self.key),
            list(&self.publish),
            list(&self.subscribe),
        )
    }
}

/// The part of a server's configuration that lets us in, with all rights, and these. `own` is our own user in its language.
pub(crate) fn users_block(own: &str, users: &[ServerUser]) -> String {
    let lines: String = users.iter().map(|user| format!("    {}\n", user.line())).collect();
    format!("authorization {{\n  users: [\n    {own}\n{lines}  ]\n}}")
}

/// The same for a server all of whose users have keys.
#[must_use]
pub fn keyed_users_config(users: &[ServerUser]) -> String {
    let lines: String = users.iter().map(|user| format!("    {}\n", user.line())).collect();
    format!("authorization {{\n  users: [\n{lines}  ]\n}}")
}

/// The same for a server that runs elsewhere; our own user's name and password are variables of its environment.
#[must_use]
pub fn users_config(users: &[ServerUser]) -> String {
    users_block("{ user: $WINTERBAND_NATS_USER, password: $WINTERBAND_NATS_PASSWORD }", users)
}

/// Who may come in at a supervised server.
#[derive(Clone)]
pub struct UserList(Arc<Watched>);

impl UserList {
    pub(crate) fn new(watched: Arc<Watched>) -> Self {
        Self(watched)
    }

    /// Lets exactly these in; who is no longer among them is disconnected, everybody else keeps their connection. Blocks for the
    /// moment that two small files take. `false` if nothing changed.
    ///
    /// # Errors
    /// [`ServerError::Folder`] when the files cannot be written; fate: retry.
    pub fn admit(&self, users: &[ServerUser]) -> Result<bool, ServerError> {
        self.0.admit(users)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Millis;

    fn integration(keys: &[&str]) -> Integration {
        Integration {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            scopes: BTreeSet::new(),
            accounts: BTreeSet::new(),
            per_second: 1,
            made_at: Millis(1),
        }
    }

    #[test]
    fn a_user_may_what_is_its_own_and_a_key_opens_one_door() {
        let token = |text: &str| SubjectToken::new(text).unwrap();
        let (subjects, key) = (Subjects::new(token("c1")), Nkey::new().public());
        let (a, b) = (integration(&[&key, "UNSOUND"]), integration(&[&key]));
        let (shop, other) = (token("shop"), token("other"));
        let users = ServerUser::of(&subjects, [(&shop, &a), (&other, &b)]);
        let text = users_config(&users);
        assert_eq!(
            text,
            format!(
                "authorization {{\n  users: [\n    {{ user: $WINTERBAND_NATS_USER, password: \
                 $WINTERBAND_NATS_PASSWORD }}\n    {{ nkey: \"{key}\", permissions: {{ publish: {{ allow: \
                 [\"wb.c1.edge.shop.*.*\", \"wb.c1.ext.shop.*\"] }}, subscribe: {{ allow: \
                 [\"wb.c1.answers.shop.>\", \"_INBOX_shop.>\"] }} }} }}\n  ]\n}}"
            )
        );
    }
}
