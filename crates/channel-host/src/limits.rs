//! Every limit of this role that is no setting.

use std::time::Duration;

/// Latest entries of one conversation kept in memory; earlier ones are asked of the read models.
pub(crate) const ENTRIES_KEPT_MAX: usize = 200;
/// Ended conversations whose entries are kept in memory; of older ones only the place in the sequence is.
pub(crate) const ENDED_KEPT_MAX: usize = 5_000;
/// Latest entries that a page without any is given.
pub(crate) const RESUME_ENTRIES_MAX: u64 = 1_000;
/// Latest entries that a canary customer is given: those of its round, if that began on another socket. All of them are in memory.
pub(crate) const CANARY_ENTRIES_MAX: u64 = 20;
/// Entries taken out of the projection at once for one socket.
pub(crate) const BATCH_MAX: usize = 32;
/// Open sockets of this process.
pub(crate) const SOCKETS_MAX: usize = 20_000;
/// Largest WebSocket message that is read at all, bytes; what fits and is too large for a frame is refused in words.
pub(crate) const SOCKET_BYTES_MAX: usize = 256 * 1024;
/// Messages of one socket on their way to INBOUND; while there are so many, the socket is not read.
pub(crate) const SAYS_WAITING_MAX: usize = 16;
/// Frames past the visitor's rate after which the socket is closed.
pub(crate) const STRIKES_MAX: u32 = 100;
/// Visitors and addresses whose rates are remembered.
pub(crate) const RATE_KEYS_MAX: usize = 50_000;

/// Time in which a socket has to say hello.
pub(crate) const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// Time that a socket waits after a start for the log to be read and a configuration to be in it.
pub(crate) const READY_WITHIN: Duration = Duration::from_secs(10);
/// Time that one frame may take to leave: a slower socket is closed and resumes later.
pub(crate) const SEND_WITHIN: Duration = Duration::from_secs(10);
/// Time for a message to become durable; then the customer's page is asked to send it again.
pub(crate) const PUBLISH_WITHIN: Duration = Duration::from_secs(3);
/// Time for the read models to answer.
pub(crate) const HISTORY_WITHIN: Duration = Duration::from_secs(3);
/// Pause before entries that could not be had are asked for again.
pub(crate) const HISTORY_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// Pause before the log is opened again after it could not be.
pub(crate) const REOPEN_PAUSE: Duration = Duration::from_secs(1);
/// How often a socket is asked whether it lives.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(20);
/// A socket that was silent for so long is gone.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(50);
/// At most one word about typing in this time, either way.
pub(crate) const TYPING_EVERY: Duration = Duration::from_secs(2);
/// How often a waiting visitor is told where they stand, if that has changed.
pub(crate) const OUTLOOK_EVERY: Duration = Duration::from_secs(3);
/// Waits are told in steps of this, ms.
pub(crate) const OUTLOOK_STEP_MS: u64 = 30_000;
/// How often a loop says that it lives.
pub(crate) const BEAT_EVERY: Duration = Duration::from_secs(1);
/// How often while it starts: whoever waits until it is fit to serve waits no longer than that after it is.
pub(crate) const STARTING_BEAT_EVERY: Duration = Duration::from_millis(100);

/// When to try again while the bus is away or a stream is full, ms.
pub(crate) const RETRY_AFTER_MS: u64 = 2_000;
/// When to try again while new contacts are not taken, ms.
pub(crate) const RETRY_NEW_AFTER_MS: u64 = 15_000;

/// Requests of providers that are taken in at once, from one address and in all; each has its bytes in memory. More wait.
pub(crate) const IP_REQUESTS_MAX: u32 = 16;
pub(crate) const REQUESTS_MAX: usize = 64;
/// How long one waits, and within which time all of it has to have come then.
pub(crate) const REQUEST_TURN_WITHIN: Duration = Duration::from_secs(8);
pub(crate) const REQUEST_WITHIN: Duration = Duration::from_secs(30);

/// How often the states of accounts are looked at.
pub(crate) const STANDING_EVERY: Duration = Duration::from_secs(5);
/// Messages of one account on their way at once.
pub(crate) const SENDS_AT_ONCE_MAX: usize = 16;
/// How long the end of the process waits for what is on its way.
pub(crate) const SENDS_END_WITHIN: Duration = Duration::from_secs(10);
/// Mails that a machine of one sender may write in [`LOOP_WITHIN`]; more are kept for a person, and open nothing.
pub(crate) const LOOP_MAILS: u32 = 20;
pub(crate) const LOOP_WITHIN: Duration = Duration::from_secs(120 * 60);
/// How long a link to a file works that goes to another system.
pub(crate) const LINK_MS: u64 = 7 * 24 * 3_600_000;
/// How long who sends, or reads a mailbox, may go without renewing that: another takes over then. Longer than the router's, since
/// nobody waits for it in a conversation, and since the work of whoever loses it is begun anew.
pub(crate) const LEASE: Duration = Duration::from_secs(10);
/// How long a link to a file works that a page is given; it asks for another one then.
pub(crate) const PAGE_LINK_MS: u64 = 3_600_000;
/// Files that come in at once from one address, and in all; each has its bytes in memory, twice while it is sealed.
pub(crate) const IP_UPLOADS_MAX: u32 = 4;
pub(crate) const UPLOADS_MAX: usize = 16;
/// How long one piece of a file may take over the line, either way, and how many bytes a second all of it has to make.
pub(crate) const PIECE_WITHIN: Duration = Duration::from_secs(10);
pub(crate) const PACE_BYTES_PER_SECOND: u64 = 16 * 1024;
/// Largest piece of a file that is handed out.
pub(crate) const PIECE_BYTES: usize = 64 * 1024;
/// When to try again while too many files come in, or the store has no room.
pub(crate) const UPLOAD_AGAIN: Duration = Duration::from_secs(5);
/// For how long, and how much past the largest file, what is refused is listened to, so that its sender hears why.
pub(crate) const PASS_OVER_WITHIN: Duration = Duration::from_secs(10);
pub(crate) const PASSED_OVER_MORE: usize = 1024 * 1024;
/// Files that are handed out at once for links, to one address and in all; each is in memory until it is read. More wait.
pub(crate) const IP_DOWNLOADS_MAX: u32 = 4;
pub(crate) const DOWNLOADS_MAX: usize = 16;
/// How long one waits.
pub(crate) const DOWNLOAD_TURN_WITHIN: Duration = Duration::from_secs(8);
