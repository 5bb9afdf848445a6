//! The bus: the only crate that names NATS.
//!
//! Streams with a fenced append and a tail that survives the server's death, key-value buckets, leases, an
//! object store, sealing keys that can be destroyed, the room that is left, and the supervised server that `up`
//! starts. No type of the client library stands in a public signature, so that its frequent breaking releases end
//! here.
//!
//! Law 10: nobody outside this crate can set a header, so no `Nats-*` header of foreign origin is possible.

#![warn(missing_docs)]

mod append;
mod append_together;
mod audit;
mod channel_accounts;
mod connection;
mod consents;
mod copy;
mod deadline;
mod disk;
mod edge;
mod ephemeral;
mod erasures;
mod exports;
pub mod file_kind;
pub mod file_name;
pub mod file_pixels;
mod files;
mod fold_file;
mod guest;
mod hasher;
mod inspect;
mod kv;
mod lease;
mod master_key;
mod members;
mod nkey;
mod objects;
pub mod places;
mod publish;
mod reply;
mod room;
mod room_watch;
mod seal;
mod seal_keys;
mod server;
mod server_files;
mod server_rights;
mod server_thaw;
mod server_users;
mod service;
mod streams;
mod tail;
mod tail_pull;
mod token;
mod uploads;
mod watch;

pub use append::{APPEND_WINDOW, AppendError, AppendTicket, Appender};
pub use audit::{AUDIT_PAGE_MAX, Audit, AuditCheck, AuditError, AuditFault, AuditReadError};
pub use channel_accounts::{ChannelAccount, ChannelAccounts};
pub use connection::{Bus, BusError, BusSettings, Credentials, Secret};
pub use consents::Consents;
pub use copy::{CopyError, StreamCopy, StreamCopying};
pub use deadline::Deadline;
pub use disk::DiskSpace;
pub use edge::{EdgeHeard, EdgeListener, mark_of};
pub use ephemeral::{EphemeralMessage, EphemeralMessages, Request, RequestError, Requests};
pub use erasures::{Erasures, KeyChange};
pub use exports::{BegunExport, ExportError, Exports, WholeExport};
pub use files::{FileError, FileLink, Files};
pub use fold_file::{FoldFile, forget_folds};
pub use guest::{Confinement, Guest};
pub use hasher::{IdHasher, MAIL_SCOPES};
pub use inspect::StreamSeen;
pub use kv::{Bucket, BucketSpec, Entry, KvError, overtaken};
pub use lease::{HeldLease, LEASE_TTL, Lease, LeaseError};
pub use master_key::{MasterKey, MasterKeyError};
pub use members::{Floor, MEMBER_TTL, Members};
pub use nkey::{Nkey, NotASeed};
pub use objects::{ObjectError, Objects};
pub use publish::{PendingPublish, PublishError, Published};
pub use room::{Place, PlaceUse, Room, RoomLevel, RoomLimits, RoomReport};
pub use room_watch::{RoomAlarm, RoomWatch};
pub use seal::{AgedKeys, KEYS_CACHED_MAX, KeptFor, SealError, Sealer, UnsealError};
pub use seal_keys::KEYS_BUCKET;
pub use server::{ServerError, ServerOptions, SupervisedServer};
pub use server_rights::Rights;
pub use server_users::{ServerUser, UserList, keyed_users_config, users_config};
pub use service::{Endpoint, FoundService, Service, ServiceRequest, ServiceSpec};
pub use streams::{Discard, StreamError, StreamSpec, StreamUsage};
pub use tail::{BATCH_MAX, Tail, TailError, TailItem, TailOptions};
pub use token::{NoRandomness, new_secret, new_token, token_hash};
pub use uploads::Uploads;
pub use watch::{WatchEvent, Watcher};
