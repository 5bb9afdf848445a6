//! What each user may do on the server: ARCHITECTURE's table of who writes and reads what, as rights.
//!
//! A right that is missing shows as a question without an answer; a test runs the product on these users.

use bus::{KEYS_BUCKET, Place, Rights};
use protocol::SubjectToken;
use protocol::streams::{
    ACCOUNTS, APPROACHES, ARRIVALS, AUDIT, CANNED, CHANNELS, CONSENTS, CONTACTS, CURSORS, DELIVERIES, DRAFTS,
    EDGE_OF, ERASURES, EXPORTS, FILES, GATEWAYS, INBOUND, LEASES, MEMBERS, ORDERS, PARKED, REJECTED_OF,
    REMEDIES, SESSIONS, SNAPSHOTS, UPLOADS, WEBHOOKS,
};
use protocol::subjects::Subjects;

use super::User;
use crate::roles::Role;

/// All that a user may. `integrations` are those there are: the API reads what they publish.
pub(super) fn of(user: User, subjects: &Subjects, integrations: &[&SubjectToken]) -> Rights {
    let role = match user {
        User::Operator => return Rights::everything(),
        User::Prepare => return prepare(subjects),
        User::Role(role) => role,
    };
    let rights = common(role);
    match role {
        Role::Rights => keeper(rights, subjects),
        Role::Routing => routing(rights, subjects),
        Role::Empowerment => empowerment(rights, subjects),
        Role::Views => views(rights, subjects),
        Role::Desk => desk(rights, subjects),
        Role::Chat => chat(rights, subjects),
        Role::Channels => channels(rights, subjects),
        // How full a stream is, every process sees.
        Role::Watch => watch(rights, subjects),
        Role::Api => {
            integrations.iter().fold(api(rights, subjects), |rights, name| lane(rights, subjects, name))
        }
    }
}

/// It writes nothing: its canary customers come in by the doors of customers, and it reads how far they come.
fn watch(rights: Rights, subjects: &Subjects) -> Rights {
    rights
        .reads(INBOUND)
        .reads(CONTACTS)
        .reads(REMEDIES)
        .reads(PARKED)
        .looks_at(ERASURES)
        .answers(&subjects.canaries())
}

/// Every process opens with the keys of customers, says that it lives and sees who else does, and watches the room that is left.
fn common(role: Role) -> Rights {
    let own = format!("{}.*", role.name());
    let rights = Rights::of(&role.connections()).reads_bucket(KEYS_BUCKET).writes_keys(MEMBERS, &own);
    Place::STREAMS.iter().fold(rights, |rights, place| rights.looks_at(&place.stream()))
}

/// It makes every stream and bucket, the first accounts and the first configuration.
fn prepare(subjects: &Subjects) -> Rights {
    Rights::of(&[super::PREPARES_AS.to_owned()])
        .makes_streams()
        .writes_bucket(ACCOUNTS)
        .writes_bucket(KEYS_BUCKET)
        .reads_bucket(MEMBERS)
        .writes(&subjects.inbound_config())
        .writes(&subjects.inbound_empowerment())
}

/// An entry of the trail names the one before it.
fn notes(rights: Rights, subjects: &Subjects) -> Rights {
    rights.reads(AUDIT).writes(&subjects.audit())
}

fn keeper(rights: Rights, subjects: &Subjects) -> Rights {
    let rights =
        [INBOUND, CONTACTS, REMEDIES, DELIVERIES, PARKED, ERASURES].into_iter().fold(rights, Rights::reads);
    let rights = [DRAFTS, CONSENTS, KEYS_BUCKET]
        .into_iter()
        .fold(rights, |rights, bucket| rights.writes_bucket(bucket).erases(&format!("KV_{bucket}")));
    let rights = [FILES, UPLOADS, EXPORTS].into_iter().fold(rights, Rights::writes_objects);
    notes(rights, subjects)
        .writes_keys(LEASES, "rights")
        .erases(PARKED)
        .writes(&subjects.erasures())
        .writes(&subjects.inbound_parked())
        .writes(&subjects.views_holdings())
        .writes(&subjects.views_traces())
        .answers(&subjects.rights())
}

fn routing(rights: Rights, subjects: &Subjects) -> Rights {
    rights
        .reads(INBOUND)
        .reads(CONTACTS)
        .writes_keys(LEASES, "routing")
        .writes_bucket(GATEWAYS)
        .writes_bucket(KEYS_BUCKET)
        .writes_objects(SNAPSHOTS)
        .writes(&subjects.contacts())
        .writes(&subjects.inbound_presence())
        .writes(&subjects.parked())
        .serves("routing", &[subjects.explain(), subjects.decisions()])
}

fn empowerment(rights: Rights, subjects: &Subjects) -> Rights {
    rights
        .reads(CONTACTS)
        .reads(REMEDIES)
        .writes_keys(LEASES, "empowerment")
        .writes_bucket(ORDERS)
        .writes_bucket(KEYS_BUCKET)
        .writes_objects(SNAPSHOTS)
        .writes(&subjects.remedies())
        .writes(&subjects.inbound_wish())
        .writes(&subjects.ask_facts_all())
        .serves("empowerment", &[subjects.till(), subjects.wallets(), subjects.policy_check()])
}

fn views(rights: Rights, subjects: &Subjects) -> Rights {
    let questions = [
        subjects.views_contacts(),
        subjects.views_customer(),
        subjects.views_empowerment(),
        subjects.views_feedback(),
        subjects.views_floor(),
        subjects.views_history(),
        subjects.views_holdings(),
        subjects.views_regulars(),
        subjects.views_search(),
        subjects.views_traces(),
    ];
    questions.iter().fold(rights.reads(CONTACTS).reads(REMEDIES), Rights::answers)
}

fn desk(rights: Rights, subjects: &Subjects) -> Rights {
    let asks = [
        subjects.views_contacts(),
        subjects.views_customer(),
        subjects.views_empowerment(),
        subjects.views_feedback(),
        subjects.views_floor(),
        subjects.views_history(),
        subjects.views_holdings(),
        subjects.views_regulars(),
        subjects.views_search(),
        subjects.rights(),
        subjects.admin(),
        subjects.channel_accounts(),
        subjects.channel_reach(),
        subjects.explain(),
        subjects.decisions(),
        subjects.till(),
        subjects.wallets(),
        subjects.policy_check(),
    ];
    let rights = asks.iter().fold(notes(rights, subjects), Rights::writes);
    let rights = [ACCOUNTS, SESSIONS, DRAFTS, CANNED, APPROACHES, GATEWAYS, CONSENTS, KEYS_BUCKET]
        .into_iter()
        .fold(rights, Rights::writes_bucket);
    rights
        .reads_bucket(ARRIVALS)
        .reads(CONTACTS)
        .reads(REMEDIES)
        .reads(DELIVERIES)
        .writes_objects(FILES)
        .reads_objects(EXPORTS)
        .writes(&subjects.inbound_commands())
        .writes(&subjects.inbound_canary())
        .writes(&subjects.inbound_presence())
        .writes(&subjects.typing_all())
        .hears(&subjects.typing_all())
}

fn chat(rights: Rights, subjects: &Subjects) -> Rights {
    rights
        .reads(CONTACTS)
        // The accounts of its own file; whoever could write those of mailboxes would have customers' mail sent elsewhere.
        .writes_keys(CHANNELS, "account.web.*")
        .writes_keys(CHANNELS, "published.web")
        .writes_bucket(KEYS_BUCKET)
        .writes_objects(FILES)
        .writes_objects(UPLOADS)
        .writes(&subjects.inbound_messages(Some(protocol::ChannelKind::Web)))
        .writes(&subjects.inbound_empowerment())
        .writes(&subjects.parked())
        .writes(&subjects.views_history())
        .writes(&subjects.typing_all())
        .hears(&subjects.typing_all())
}

fn channels(rights: Rights, subjects: &Subjects) -> Rights {
    let rights = [CURSORS, KEYS_BUCKET].into_iter().fold(rights, Rights::writes_bucket);
    let rights = [
        "account.email.*",
        "account.webhook.*",
        "account.telegram.*",
        "account.sms.*",
        "account.whatsapp.*",
        "account.messenger.*",
        "account.instagram.*",
        "published.channels",
    ]
    .into_iter()
    .fold(rights, |rights, key| rights.writes_keys(CHANNELS, key));
    rights
        .writes_keys(LEASES, "channels")
        .writes_keys(LEASES, "mailbox.*")
        .reads(CONTACTS)
        .reads(DELIVERIES)
        .writes_objects(FILES)
        .writes(&subjects.inbound_messages(None))
        .writes(&subjects.deliveries_all())
        .writes(&subjects.parked())
        .answers(&subjects.channel_accounts())
        .answers(&subjects.channel_check())
        .answers(&subjects.channel_reach())
}

fn api(rights: Rights, subjects: &Subjects) -> Rights {
    let rights = [ACCOUNTS, ARRIVALS, SESSIONS, WEBHOOKS, ORDERS, CHANNELS, CONSENTS, GATEWAYS, KEYS_BUCKET]
        .into_iter()
        .fold(notes(rights, subjects), Rights::writes_bucket);
    let writes = [
        subjects.inbound_acts(),
        subjects.inbound_commands(),
        subjects.inbound_config(),
        subjects.inbound_empowerment(),
        subjects.inbound_messages(None),
        subjects.inbound_parked(),
        subjects.inbound_presence(),
        subjects.parked(),
        subjects.policy_check(),
        subjects.rights(),
        subjects.channel_check(),
        subjects.views_contacts(),
        subjects.views_history(),
        subjects.views_holdings(),
    ];
    writes
        .iter()
        .fold(rights, Rights::writes)
        .reads(CONTACTS)
        .reads(REMEDIES)
        .reads(DELIVERIES)
        // The same id again is held against what was published first.
        .looks_into(INBOUND)
        .writes_keys(LEASES, "edge")
        .writes_keys(LEASES, "webhooks")
        .reads(PARKED)
        .erases(PARKED)
        .reads_objects(EXPORTS)
        .lists_streams()
        .hears(&subjects.ext_all())
        .answers(&subjects.admin())
}

/// What the API does for one integration.
fn lane(rights: Rights, subjects: &Subjects, name: &SubjectToken) -> Rights {
    let (edge, rejected) = (format!("{EDGE_OF}{name}"), format!("{REJECTED_OF}{name}"));
    let rights = subjects.guest_subscribes(name).iter().fold(rights, Rights::writes);
    rights
        .reads(&edge)
        .erases(&edge)
        .reads(&rejected)
        .hears(&subjects.edge_all(name))
        .writes(&subjects.rejected(name))
}
