//! The names of streams, buckets and object stores; ARCHITECTURE.md has their table.

/// Every input, kept for 7 days.
pub const INBOUND: &str = "INBOUND";
/// The routing core's records, kept for good: the log.
pub const CONTACTS: &str = "CONTACTS";
/// The empowerment worker's records, kept for good: the log of what was given.
pub const REMEDIES: &str = "REMEDIES";
/// What became of messages that were to be sent, kept for good.
pub const DELIVERIES: &str = "DELIVERIES";
/// What could not become an input, with bytes and reason.
pub const PARKED: &str = "PARKED";
/// Who changed what, and who looked into a customer's file, kept for good: nothing is deleted from it.
pub const AUDIT: &str = "AUDIT";
/// What an integration published and nobody has taken yet: a stream each, this and the name.
pub const EDGE_OF: &str = "EDGE-";
/// What an integration published and was refused: a stream each, this and the name.
pub const REJECTED_OF: &str = "REJECTED-";
/// Wrapped sealing keys, one an identity.
pub const KEYS: &str = "KEYS";
/// What was erased, kept for good: it outlives every store of keys.
pub const ERASURES: &str = "ERASURES";
/// Exports that wait to be fetched, sealed (object store).
pub const EXPORTS: &str = "EXPORTS";
/// Who leads.
pub const LEASES: &str = "LEASES";
/// Which gateway processes live.
pub const GATEWAYS: &str = "GATEWAYS";
/// Which processes live, and what each can read.
pub const MEMBERS: &str = "MEMBERS";
/// Sign-in names with hashed passwords, API keys hashed.
pub const ACCOUNTS: &str = "ACCOUNTS";
/// Signed-in sessions, hashed.
pub const SESSIONS: &str = "SESSIONS";
/// Unsent words of agents, sealed.
pub const DRAFTS: &str = "DRAFTS";
/// The bucket of endpoints of other systems that are posted public events, and how far each has come.
pub const WEBHOOKS: &str = "WEBHOOKS";
/// What customers agreed to, by identity.
pub const CONSENTS: &str = "CONSENTS";
/// Answers that are written beforehand, by name.
pub const CANNED: &str = "CANNED";
/// What has arrived that suits some customers, by its sender's name for it.
pub const ARRIVALS: &str = "ARRIVALS";
/// Who was written to because of an arrival, and by whom, by arrival and customer.
pub const APPROACHES: &str = "APPROACHES";
/// Orders for remedies that an integration fetches, and its answers, by integration and remedy.
pub const ORDERS: &str = "ORDERS";
/// How accounts of channels are reached, their secrets sealed.
pub const CHANNELS: &str = "CHANNELS";
/// How far mailboxes were read, by account.
pub const CURSORS: &str = "CURSORS";
/// Attached files and mails as they came, sealed (object store).
pub const FILES: &str = "FILES";
/// Files that came in and that no message names yet, sealed (object store).
pub const UPLOADS: &str = "UPLOADS";
/// Snapshots of the routing core's state (object store).
pub const SNAPSHOTS: &str = "SNAPSHOTS";
