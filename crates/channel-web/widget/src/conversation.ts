// The conversation as this page knows it: what was recorded, what is on its way, and what follows from a frame.
// It touches neither the page nor the network, so that every case can be tested.

import type { Entry, FromServer, Named, Outlook, State, ToServer } from "./frames";
import type { Keep } from "./keep";
import { ASKED_MS_MAX, PENDING_AGE_MS_MAX, PENDING_MAX } from "./limits";
import { wellFormed } from "./text";

/** A message that the server has not recorded yet. */
export interface Pending {
  id: string;
  text: string;
  at: number;
  /** queued: to be sent; sent: no word yet; taken: safe with the server; refused: the writer has to act. */
  is: "queued" | "sent" | "taken" | "refused";
  /** It asks to be called back. */
  callback?: true;
  files?: Named[];
  code?: string;
  words?: string;
  /** Not before this moment, if the server asked for patience. */
  notBefore?: number;
}

/** Thanks for the contact that ended with entry `seq`. */
export interface Thanks {
  id: string;
  seq: number;
  text: string;
  at: number;
  is: Pending["is"];
  notBefore?: number;
}

/** What the link has to do after a frame. */
export type Verdict = "go on" | "reconnect" | "give up";

// Nothing that waiting could mend.
const HOPELESS = ["unknown_account", "identity_expired", "identity_refused", "identity_not_set_up", "identity_too_long"];

export class Conversation {
  state: State = "none";
  entries: Entry[] = [];
  pending: Pending[];
  /** The name of whoever answers. */
  agent: string | undefined;
  /** Whether who has it is a machine. */
  isBot = false;
  /** Where they stand in line, while they wait. */
  outlook: Outlook | null = null;
  /** Earlier entries exist that this page has not loaded. */
  hasEarlier = false;
  /** The last thing the server said about the whole conversation. */
  trouble: { code: string; words: string } | null = null;
  welcomed = false;
  /** The thanks that were given last. */
  thanks: Thanks | null;

  private last = 0;
  private id: string | null = null;

  constructor(
    private readonly keep: Keep,
    now: number,
    /** What the page's site signed of who they are; a fresh one of the same user may follow. */
    public identity: string | null = null,
  ) {
    this.pending = keep.messages().flatMap((message): Pending[] => {
      const { id, at, taken } = message;
      const text = wellFormed(message.text);
      const old = now - at > PENDING_AGE_MS_MAX;
      if (old && taken) {
        keep.drop(id);
        return [];
      }
      const { callback, files } = message;
      const more = { ...(callback && { callback }), ...(files && { files }) };
      return [
        old
          ? { id, text, at, is: "refused", code: "too_old", ...more }
          : { id, text, at, is: taken ? "taken" : "queued", ...more },
      ];
    });
    this.thanks = keptThanks(keep, now);
  }

  /** Whether there is a past worth connecting for. */
  isKnown(): boolean {
    const known = this.keep.get("known");
    // A user may have a past that this browser has not heard of.
    return known === "1" || (this.identity !== null && known === null) || this.pending.length > 0;
  }

  hello(lang: string): ToServer {
    const { identity, last: after } = this;
    return identity === null ? { t: "hello", token: this.keep.get("token"), after, lang } : { t: "hello", token: null, identity, after, lang };
  }

  /** What says who this visitor is, once the server has said it, or who this user is. */
  token(): string | null {
    return this.identity ?? this.keep.get("token");
  }

  canSay(): boolean {
    return this.pending.length < PENDING_MAX;
  }

  say(id: string, written: string, now: number, callback = false, files: Named[] = []): void {
    const more = { ...(callback && { callback: true as const }), ...(files.length && { files }) };
    const said = { id, text: wellFormed(written), at: now, ...more };
    this.keep.put({ ...said, taken: false });
    this.pending.push({ ...said, is: "queued" });
  }

  /** Whether they will be called back: asked since they came, or came back. */
  isCalledBack(): boolean {
    const told = this.entries.filter((entry) => entry.kind === "callback" || entry.kind === "resolved");
    return told.at(-1)?.kind === "callback";
  }

  /** Whether they wait for what they were told of, and may ask for a person instead. */
  awaitsIncident(): boolean {
    const moves = this.entries.filter((entry) => ["incident", "joined", "transferred", "resolved", "reopened"].includes(entry.kind));
    return this.state === "waiting" && moves.at(-1)?.kind === "incident";
  }

  /** Whether they can ask to be called back. */
  mayBeCalledBack(): boolean {
    return this.state === "waiting" && !this.isCalledBack() && !this.pending.some((message) => message.callback);
  }

  /** Takes a refused message back, for its writer to change. */
  take(id: string): { text: string; files: Named[] } {
    const { text = "", files = [] } = this.pending.find((message) => message.id === id) ?? {};
    this.forget(id);
    return { text, files };
  }

  /** The end that can be thanked for: nobody has written since. */
  end(): Entry | null {
    if (this.state !== "resolved") return null;
    for (let i = this.entries.length - 1; i >= 0; i--) {
      const entry = this.entries[i]!;
      if (entry.kind === "resolved") return entry;
      // An answer to what was asked after it takes nothing back.
      if ((entry.kind === "customer" && !entry.question) || entry.kind === "reopened") return null;
    }
    return null;
  }

  /** The question that a number answers: nobody has written since, and it was not long ago. */
  asked(now: number): Entry | null {
    if (this.pending.length) return null;
    const said = this.entries.filter((entry) => ["asked", "customer", "agent", "reopened"].includes(entry.kind));
    const last = said.at(-1);
    return last?.kind === "asked" && now - last.at < ASKED_MS_MAX ? last : null;
  }

  /** Whether the thanks for this end are given; refused ones can be given again. */
  hasThanked(end: Entry): boolean {
    return this.thanks?.seq === end.seq && this.thanks.is !== "refused";
  }

  thank(id: string, written: string, now: number): void {
    const end = this.end();
    if (!end || this.hasThanked(end)) return;
    this.thanks = { id, seq: end.seq, text: wellFormed(written), at: now, is: "queued" };
    this.keepThanks();
  }

  /** Everything on this page has been looked at; kept, so that a reload does not make it new again. */
  see(): void {
    if (this.last > this.seen()) this.keep.set("seen", String(this.last));
  }

  /** What agents wrote and nobody looked at. */
  unread(): number {
    const seen = this.seen();
    return this.entries.filter((entry) => entry.kind === "agent" && entry.seq > seen).length;
  }

  /** What can be sent now, in the order in which it was written. */
  toSend(now: number): ToServer[] {
    if (!this.welcomed) return [];
    const frames: ToServer[] = [];
    const { thanks } = this;
    // Before what is written next, which begins anew.
    if (thanks?.is === "queued" && (thanks.notBefore ?? 0) <= now) {
      thanks.is = "sent";
      frames.push({ t: "thank", id: thanks.id, text: thanks.text || null });
    }
    for (const message of this.pending) {
      if (message.is !== "queued") continue;
      // Later ones wait as well, or they would overtake.
      if ((message.notBefore ?? 0) > now) break;
      message.is = "sent";
      const { id, text, callback, files } = message;
      frames.push({ t: "say", id, text, ...(callback && { callback }), ...(files && { attachments: files }) });
    }
    return frames;
  }

  /** When the next message, or thanks, may be tried again; null if none waits. */
  nextTry(): number | null {
    const message = this.pending.find((message) => message.is === "queued");
    const waits = [message, this.thanks?.is === "queued" ? this.thanks : null].flatMap((it) => it?.notBefore ?? []);
    return waits.length ? Math.min(...waits) : null;
  }

  /** The link is gone: what was not taken is sent again, under the same id. */
  lost(): void {
    this.welcomed = false;
    for (const it of [...this.pending, this.thanks]) if (it?.is === "sent") it.is = "queued";
  }

  receive(frame: FromServer, now: number): Verdict {
    switch (frame.t) {
      case "welcome":
        return this.welcome(frame);
      case "entry":
        return this.entry(frame, now);
      case "taken":
        return this.taken(frame.id);
      case "refused":
        this.refused(frame.id, frame.code, frame.words, frame.retry_after_ms, now);
        return "go on";
      case "state":
        this.state = frame.state;
        this.outlook = null;
        return "go on";
      case "outlook":
        this.outlook = frame;
        return "go on";
      case "error":
        this.trouble = { code: frame.code, words: frame.words };
        return HOPELESS.includes(frame.code) ? "give up" : "go on";
      case "typing":
      case "pong":
        return "go on";
    }
  }

  private welcome(frame: Extract<FromServer, { t: "welcome" }>): Verdict {
    this.trouble = null;
    if (frame.token) this.keep.set("token", frame.token);
    // A conversation that began on this page has its name from here on.
    if (this.last > 0 && this.id === null) this.id = frame.conversation;
    if (this.last > 0 && (frame.conversation === null || frame.conversation !== this.id)) {
      // Another conversation than the one on this page: begin anew rather than mix two.
      this.entries = [];
      this.last = 0;
      this.agent = undefined;
      this.id = null;
      this.forgetThanks();
      return "reconnect";
    }
    this.id = frame.conversation;
    this.state = frame.state;
    this.outlook = null;
    this.keep.set("known", frame.conversation ? "1" : "0");
    if (!frame.conversation) {
      this.keep.remove("seen");
      this.forgetThanks();
    }
    if (this.last === 0 && frame.from && frame.from > 1) {
      this.last = frame.from - 1;
      this.hasEarlier = true;
    }
    this.welcomed = true;
    return "go on";
  }

  private entry(frame: Entry, now: number): Verdict {
    if (frame.seq <= this.last) return "go on";
    // Entries are dense: a hole means that something was lost on the way.
    if (frame.seq > this.last + 1) return "reconnect";
    this.last = frame.seq;
    // What was missing has come.
    if (this.trouble?.code === "history_unavailable") this.trouble = null;
    const { seq, at, kind, id, text, files, by, bot, opens_at, closes_at, question } = frame;
    const more = { ...(id && { id }), ...(text != null && { text }), ...(files && { files: files.map((file) => ({ ...file, got: now })) }), ...(by && { by }), ...(bot && { bot }), ...(opens_at && { opens_at }), ...(closes_at && { closes_at }), ...(question && { question }) };
    this.entries.push({ seq, at, kind, ...more });
    if (id) this.forget(id);
    if (kind === "joined" || kind === "agent") {
      this.agent = by ?? this.agent;
      this.isBot = !!bot;
    }
    if (kind === "transferred" || kind === "reopened") this.agent = undefined;
    // The first entry is also the first that is heard of a new conversation, whose name comes with the next welcome.
    if (this.id === null) this.keep.set("known", "1");
    return "go on";
  }

  private taken(id: string): Verdict {
    if (this.thanks?.id === id) {
      this.thanks.is = "taken";
      this.keepThanks();
    }
    const message = this.pending.find((message) => message.id === id);
    if (message) {
      message.is = "taken";
      const { text, at, callback, files } = message;
      this.keep.put({ id, text, at, taken: true, ...(callback && { callback }), ...(files && { files }) });
    }
    return "go on";
  }

  private refused(id: string, code: string, words: string, wait: number | undefined, now: number): void {
    if (this.thanks?.id === id) {
      this.thanks.is = wait == null ? "refused" : "queued";
      if (wait == null) this.keep.remove("thanks");
      else this.thanks.notBefore = now + wait;
    }
    const message = this.pending.find((message) => message.id === id);
    if (!message) return;
    message.code = code;
    message.words = words;
    message.is = wait == null ? "refused" : "queued";
    if (wait != null) message.notBefore = now + wait;
  }

  private keepThanks(): void {
    const { thanks } = this;
    if (thanks) this.keep.set("thanks", JSON.stringify(thanks));
  }

  private forgetThanks(): void {
    this.thanks = null;
    this.keep.remove("thanks");
  }

  private seen(): number {
    return Number(this.keep.get("seen")) || 0;
  }

  private forget(id: string): void {
    this.keep.drop(id);
    this.pending = this.pending.filter((message) => message.id !== id);
  }
}

/** Thanks of an earlier page; what was not taken then is sent again, unless the server has forgotten its id by now. */
function keptThanks(keep: Keep, now: number): Thanks | null {
  try {
    const { id, seq, text, at, is } = JSON.parse(keep.get("thanks") ?? "null") as Thanks;
    if (typeof id !== "string" || typeof seq !== "number" || typeof text !== "string") return null;
    if (is === "taken") return { id, seq, text, at, is };
    return now - at > PENDING_AGE_MS_MAX ? null : { id, seq, text, at, is: "queued" };
  } catch {
    return null;
  }
}
