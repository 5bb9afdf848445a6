// A contact at this desk: its card, its conversation, and the agent's unsent words.

import { Giving } from './giving.svelte';
import { Extras, type KeptExtras } from './extras.svelte';
import { lastWords, mayHaveOlder, unreadOf, waitingSince } from './thread';
import type {
  AgentId,
  ContactId,
  ConversationId,
  Delivered,
  DeskContact,
  DeskEntry,
  DeskRemedy,
  GoneWhy,
  MessageId,
  Millis,
} from './wire';

export type Mode = 'reply' | 'note';

/** A colleague who writes, to the customer or a note. */
export interface Writer {
  agent: AgentId;
  title: string;
  isNote: boolean;
  until: Millis;
}

/** What is kept across a reload. */
export interface Kept {
  reply: string;
  note: string;
  readSeq: number;
  /** This page changed the reply draft, and the server is not known to have it. */
  dirty: boolean;
  /** The reply draft was written in this page. */
  isOwn?: boolean;
  /** Files, and what only mail has. */
  extras?: KeptExtras;
  blanks?: readonly string[];
}

export class Held {
  readonly id: ContactId;
  conversation = $state<ConversationId>('');
  card = $state.raw<Omit<DeskContact, 'entries' | 'remedies' | 'deliveries'>>()!;
  entries = $state.raw<readonly DeskEntry[]>([]);
  readSeq = $state(0);
  typingUntil = $state<Millis>(0);
  /** Colleagues who write in this conversation, and until when that counts. */
  writers = $state.raw<readonly Writer[]>([]);
  /** Variables of canned answers in the reply that nobody filled in. */
  blanks = $state.raw<readonly string[]>([]);
  /** Set when it is no longer ours but is still shown, because it has words that nobody got. */
  gone = $state<GoneWhy | 'elsewhere' | null>(null);
  older = $state<'may_be' | 'asked' | 'failed'>('may_be');
  mode = $state<Mode>('reply');
  /** An entry that is to be brought into view, by its sequence; older ones are fetched until it is there. */
  wanted = $state<number | null>(null);
  /** The entry that was looked for. */
  found = $state<number | null>(null);
  /** The first keystroke has asked for a bot's conversation, and there is no answer yet, or a yes. */
  hasAskedForVoice = false;
  reply = $state('');
  note = $state('');
  /** What can be given, and what is being given. */
  readonly giving = new Giving();
  remedies = $state.raw<readonly DeskRemedy[]>([]);
  /** What became of messages to the customer, by their entries. */
  deliveries = $state.raw<ReadonlyMap<number, Delivered>>(new Map());
  /** What goes with the next reply: files, and what only mail has. */
  readonly extras = new Extras();
  dirty = false;
  isOwn = false;
  /** When the reply draft went to the server as it stands, by this page's own clock, ms; `null` if it did not. */
  sentAt: number | null = null;

  openBlanks: readonly string[] = $derived.by(() => this.blanks.filter((name) => this.reply.includes(`{${name}}`)));
  unread = $derived.by(() => unreadOf(this.entries, this.id, this.readSeq));
  waitingSince = $derived.by(() => (this.isInWrapUp ? null : waitingSince(this.entries)));
  last = $derived.by(() => lastWords(this.entries));
  messages: ReadonlySet<MessageId> = $derived.by(
    () => new Set(this.entries.flatMap((entry) => (entry.message === undefined ? [] : [entry.message]))),
  );

  constructor(card: DeskContact, kept: Kept | undefined) {
    this.id = card.contact;
    this.conversation = card.conversation;
    this.take(card);
    this.readSeq = kept?.readSeq ?? 0;
    this.note = kept?.note ?? '';
    this.reply = kept?.reply ?? '';
    this.dirty = kept?.dirty ?? false;
    this.isOwn = kept?.isOwn ?? this.dirty;
    this.blanks = kept?.blanks ?? [];
    if (kept?.extras !== undefined) this.extras.restore(this.id, kept.extras);
    this.adopt(card.draft);
  }

  /**
   * Takes the server's draft: another window may have written it. What this page wrote stays as long as the server may
   * not have got it, and always when the server has none: words on the screen are not to vanish.
   */
  adopt(draft: string | undefined): void {
    if (draft === undefined && this.isOwn && this.reply !== '') this.dirty = true;
    if (this.dirty || (draft ?? '') === this.reply) return;
    this.reply = draft ?? '';
    this.isOwn = false;
  }

  /** Takes a newer card; the entries in it are merged by the store. */
  take(card: DeskContact): void {
    const { entries: _, remedies, deliveries, ...rest } = card;
    this.card = rest;
    this.deliveries = new Map((deliveries ?? []).map((one) => [one.seq, one]));
    if (!this.isWithBot) this.hasAskedForVoice = false;
    this.remedies = remedies ?? [];
    this.gone = null;
  }

  /**
   * It goes on in another conversation, of which these entries are known. The words that are typed stay; files lie with whom they were brought for, and
   * what only mail has is not for another channel. Gives whether files were let go.
   */
  goOn(conversation: ConversationId, entries: readonly DeskEntry[]): boolean {
    const hadFiles = this.extras.files.length > 0;
    this.extras.clear();
    this.conversation = conversation;
    this.entries = entries;
    this.readSeq = 0;
    this.older = 'may_be';
    this.typingUntil = 0;
    this.writers = [];
    this.wanted = null;
    this.found = null;
    return hadFiles;
  }

  /** Whether this agent owns it; who is only with it reads and whispers. */
  get isOwner(): boolean {
    return this.card.role === undefined;
  }

  /** Whether this agent writes to the customer. */
  get mayReply(): boolean {
    return !this.isInWrapUp && (this.isOwner || this.card.role?.is === 'joined' || (this.isWithBot && this.card.role?.is === 'watching'));
  }

  /** Whether colleagues see this contact too. */
  get hasCompany(): boolean {
    return !this.isOwner || (this.card.company ?? []).length > 0;
  }

  /** Whether a bot has it: the first keystroke of a reply takes it. */
  get isWithBot(): boolean {
    return !this.isOwner && this.card.with_bot === true;
  }

  get isInWrapUp(): boolean {
    return this.card.wrap_up_until !== undefined;
  }

  get lastSeq(): number {
    return this.entries.at(-1)?.seq ?? 0;
  }

  get mayHaveOlder(): boolean {
    return mayHaveOlder(this.entries);
  }

  /** Words typed but not sent. */
  get hasUnsent(): boolean {
    return this.reply.trim() !== '' || this.note.trim() !== '' || this.extras.files.length > 0;
  }

  /** Something given for it is new, or changed. */
  takeRemedy(remedy: DeskRemedy): void {
    const others = this.remedies.filter((one) => one.remedy !== remedy.remedy);
    this.remedies = [...others, remedy].sort((a, b) => a.at - b.at || (a.remedy < b.remedy ? -1 : 1));
  }

  /** Something became of a message to the customer. */
  takeDelivered(delivered: Delivered): void {
    this.deliveries = new Map(this.deliveries).set(delivered.seq, delivered);
  }

  /** A colleague types. */
  takeWriter(writer: Writer): void {
    this.writers = [...this.writers.filter((one) => one.agent !== writer.agent), writer];
  }

  /** What a colleague wrote is here: they do not write it any more. */
  endWriter(agent: AgentId): void {
    if (this.writers.some((one) => one.agent === agent)) this.writers = this.writers.filter((one) => one.agent !== agent);
  }

  /** Brings an entry into view and marks it. */
  lookAt(seq: number): void {
    this.wanted = seq;
    this.found = seq;
  }

  markRead(): void {
    this.readSeq = Math.max(this.readSeq, this.lastSeq);
  }

  kept(): Kept {
    const extras = this.extras.kept();
    const kept: Kept = { reply: this.reply, note: this.note, readSeq: this.readSeq, dirty: this.dirty, isOwn: this.isOwn };
    const { openBlanks: blanks } = this;
    return { ...kept, ...(extras === null ? {} : { extras }), ...(blanks.length === 0 ? {} : { blanks }) };
  }
}
