//! Every limit of the worker's state has its name here (law 14).

use protocol::time::DAY_MS;

/// Weight of events after which a record starts nothing new; the next timer does the rest. A grant weighs
/// [`GRANT_WEIGHT`], any other event 1, so that a record stays below the server's limit of 1 MiB a message.
pub const RECORD_WEIGHT_MAX: usize = 400;
/// What a grant weighs: it may carry 32 KiB of sealed words.
pub const GRANT_WEIGHT: usize = 20;
/// Longest sealed words of a gift, a case or a promise, bytes.
pub const SEALED_WORDS_BYTES_MAX: usize = 8 * 1024;
/// Longest sealed message to the customer, bytes: a text of [`protocol::limits::TEXT_BYTES_MAX`] and what sealing adds.
pub const SEALED_TELL_BYTES_MAX: usize = 24 * 1024;
/// How long a remedy that was carried out is remembered, ms: so long the same thing is not given twice, and it can become a
/// story. The shop's own memory of it has no end.
pub const DONE_KEPT_MS: u64 = 400 * DAY_MS;
/// How long a failed remedy can be tried again, and one that was taken back is remembered, ms.
pub const FAILED_KEPT_MS: u64 = 7 * DAY_MS;
/// Most remedies that are remembered after they came to rest; past that the one that would be forgotten first is.
pub const SETTLED_MAX: usize = 2_000_000;
/// How long a wallet is kept after it was last touched, ms: longer than the year of a yearly one.
pub const WALLET_KEPT_MS: u64 = 400 * DAY_MS;
/// How long a wallet of one day is kept, ms.
pub const DAY_WALLET_KEPT_MS: u64 = 40 * DAY_MS;
/// How long facts are kept after they were last told, ms; they are unknown long before, as the policy says.
pub const FACTS_KEPT_MS: u64 = 30 * DAY_MS;
/// Most customers and orders of which facts are kept; past that the longest untold are forgotten, which only ever makes less
/// automatic.
pub const FACTS_ABOUT_MAX: usize = 200_000;
/// Most signals in force on one customer; past that another is not noted.
pub const SIGNALS_PER_IDENTITY_MAX: usize = 20;
/// Most identities of one agent's own.
pub const OWN_PER_AGENT_MAX: usize = 50;
/// Most open asks of one agent.
pub const ASKS_PER_AGENT_MAX: usize = 50;
/// How long it is remembered how an ask ended, ms.
pub const ENDED_ASKS_KEPT_MS: u64 = 7 * DAY_MS;
/// Shortest round of an ask, ms, whatever the policy says.
pub const ROUND_MS_MIN: u64 = 1_000;
/// How often leads are asked again at least once the promised time is over, ms.
pub const OVERDUE_ASK_MS: u64 = 3_600_000;
/// Most promises of one agent that are not kept.
pub const PROMISES_PER_AGENT_MAX: usize = 200;
/// How long a broken promise can still be kept, ms.
pub const BROKEN_KEPT_MS: u64 = 30 * DAY_MS;
/// How long the contacts of a conversation come first after a broken promise, ms.
pub const RISK_MS: u64 = 7 * DAY_MS;
/// How long before a promise is due its owner is reminded at most, ms; otherwise at three quarters of the time.
pub const REMIND_MS_MAX: u64 = 3_600_000;
/// The pauses before an integration is asked again about an order, ms; the last one repeats.
pub const ASK_AGAIN_MS: [u64; 5] = [5_000, 15_000, 60_000, 300_000, 900_000];
/// Most ids of commands that are remembered with their answers; past that the oldest day loses some before its time.
pub const COMMAND_IDS_MAX: usize = 4_000_000;
/// Most faults of a policy that a record tells.
pub const FAULTS_MAX: usize = 100;
/// Most things of a kind that are forgotten with one record, so that no record takes long.
pub(crate) const FORGOTTEN_PER_RECORD: usize = 64;
