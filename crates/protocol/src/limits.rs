//! Every limit of the wire has its name and its default here (law 14).

/// Longest word in a subject, bytes.
pub const TOKEN_BYTES_MAX: usize = 64;
/// Longest text of one message, bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Longest internal note or draft, bytes of UTF-8.
pub const NOTE_BYTES_MAX: usize = 16 * 1024;
/// Longest name that a customer gives, bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 200;
/// Longest reason of a decline, transfer or presence, bytes of UTF-8.
pub const REASON_BYTES_MAX: usize = 200;
/// Longest id that a provider gives a message, bytes.
pub const PROVIDER_ID_BYTES_MAX: usize = 256;
/// Longest value of an identity (an address, a number, a visitor), bytes.
pub const IDENTITY_BYTES_MAX: usize = 320;
/// Largest input or record on the bus, bytes: below the server's 1 MiB, with room for what a record adds.
pub const INPUT_BYTES_MAX: usize = 256 * 1024;
/// Most required skills of one contact.
pub const SKILLS_PER_CONTACT_MAX: usize = 16;
/// Most queues in a configuration.
pub const QUEUES_MAX: usize = 5_000;
/// Most agents in a configuration.
pub const AGENTS_MAX: usize = 100_000;
/// Most skills of one agent.
pub const SKILLS_PER_AGENT_MAX: usize = 64;
/// Most contacts that one agent may hold at once, over all channels.
pub const CAPACITY_MAX: u16 = 100;
/// Most runners-up named in a receipt.
pub const RUNNERS_UP_MAX: usize = 5;
/// Most entries of one conversation's history sent in one answer.
pub const HISTORY_ENTRIES_MAX: usize = 200;
/// How far the clock of a sender may be off before its time is ignored, ms.
pub const CLOCK_SKEW_MS_MAX: u64 = 24 * 3_600_000;
/// Oldest command that is still carried out, ms (law 5).
pub const COMMAND_AGE_MS_MAX: u64 = 24 * 3_600_000;
