// Every limit of the widget. Those of the wire stand in crates/protocol/src/limits.rs as well.

/** Longest message, bytes of UTF-8. */
export const TEXT_BYTES_MAX = 16 * 1024;
/** From here on the writer is told how much room is left. */
export const TEXT_BYTES_COUNTED = 15 * 1024;
/** Files of one message. */
export const ATTACHMENTS_MAX = 15;
/** Largest file, bytes. */
export const FILE_BYTES_MAX = 25 * 1024 * 1024;
/** How often an upload is tried by itself, and the least pause in between. */
export const UPLOAD_TRIES_MAX = 5;
export const UPLOAD_RETRY_MS = 2_000;
/** An upload of which nothing more goes for so long, and that is not answered, is given up. */
export const UPLOAD_STALL_MS = 60_000;
/** Links work for an hour; one that is older than this is asked for anew. */
export const LINK_FRESH_MS = 50 * 60_000;
/** Messages written while there is no connection; one more has to wait. */
export const PENDING_MAX = 50;
/** Longest words of thanks, characters. */
export const THANKS_CHARS_MAX = 500;
/** The server forgets ids after two days: what is older must not be sent again under its old id. */
export const PENDING_AGE_MS_MAX = 36 * 3_600_000;
/** At most one word about typing in this time. */
export const TYPING_EVERY_MS = 3_000;
/** Typing that is not repeated is over. */
export const TYPING_SHOWN_MS = 6_000;
/** How often the link is tried. */
export const PING_EVERY_MS = 20_000;
/** A link that says nothing for this long after a ping is dead, whatever the browser thinks. */
export const PONG_WITHIN_MS = 10_000;
/** A socket that is not open by then never will be. */
export const CONNECT_WITHIN_MS = 10_000;
/** A link that lived this long was good: the next try comes soon again. */
export const STEADY_AFTER_MS = 10_000;
export const BACKOFF_FIRST_MS = 500;
export const BACKOFF_MAX_MS = 30_000;

/** What can be said of where to be called back. */
export const CALLBACK_CHARS_MAX = 200;
/** How long after a question a number is offered as its answer: later it might be taken for something that they want. */
export const ASKED_MS_MAX = 24 * 3_600_000;
