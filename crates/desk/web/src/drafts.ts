// Unsent words: kept in this browser at once, a reply's also on the server after a pause; and the sign of typing.

import type { Held, Kept, Mode } from './held.svelte';
import { type Keep, read } from './keep';
import { bytesOf, wellFormed } from './text';
import { TEXT_BYTES_MAX, type ContactId, type FromDesk } from './wire';

/** How often the customer is told that the agent types, at most, ms. */
export const TYPING_EVERY_MS = 2_000;
/** How long the agent pauses before a draft goes to the server, ms. */
export const DRAFT_AFTER_MS = 400;

export class Drafts {
  readonly #keep: Keep;
  readonly #key: string;
  readonly #send: (frame: FromDesk) => boolean;
  readonly #waiting: (contact: ContactId) => readonly string[];
  #timers = new Map<ContactId, ReturnType<typeof setTimeout>>();
  #typedAt = -Infinity;
  /** What an earlier page left, until its contacts are here. */
  #left: Map<ContactId, Kept>;

  /** `waiting`: words that were sent and can still be taken back. Until they are gone the server keeps them as a draft. */
  constructor(keep: Keep, agent: string, send: (frame: FromDesk) => boolean, waiting: (contact: ContactId) => readonly string[] = () => []) {
    this.#keep = keep;
    this.#key = `winterband.desk.words.${agent}`;
    this.#send = send;
    this.#waiting = waiting;
    this.#left = new Map(Object.entries(read<Record<ContactId, Kept>>(keep, this.#key, {})));
  }

  /** The agent typed. The caller remembers. */
  write(held: Held, mode: Mode, text: string): void {
    held[mode] = text;
    if (mode === 'note') return this.#tell(held, text, true);
    held.dirty = true;
    held.isOwn = true;
    held.sentAt = null;
    clearTimeout(this.#timers.get(held.id));
    this.#timers.set(held.id, setTimeout(() => this.toServer(held), DRAFT_AFTER_MS));
    this.#tell(held, text, false);
  }

  /** Says that the agent types; of a note only where a colleague can see it. */
  #tell(held: Held, text: string, note: boolean): void {
    const now = performance.now();
    if (text === '' || now - this.#typedAt < TYPING_EVERY_MS || (note && !held.hasCompany)) return;
    if (this.#send({ t: 'typing', contact: held.id, ...(note ? { note } : {}) })) this.#typedAt = now;
  }

  /** Sends the draft as it is now; one that does not arrive stays marked, and goes with the next state. */
  toServer(held: Held): void {
    clearTimeout(this.#timers.get(held.id));
    this.#timers.delete(held.id);
    const text = [...this.#waiting(held.id), held.reply].filter((words) => words !== '').join('\n');
    if (held.gone !== null || bytesOf(text) > TEXT_BYTES_MAX) return;
    if (this.#send({ t: 'draft', contact: held.id, text: wellFormed(text) })) held.sentAt = performance.now();
  }

  /** The gateway answered what we asked so long ago: drafts sent before that are there. `true` if there were any. */
  confirm(helds: readonly Held[], roundTripMs: number): boolean {
    const askedAt = performance.now() - roundTripMs;
    const arrived = helds.filter((held) => held.sentAt !== null && held.sentAt <= askedAt);
    for (const held of arrived) {
      held.dirty = false;
      held.sentAt = null;
    }
    return arrived.length > 0;
  }

  /** What an earlier page left for a contact; given once. */
  take(contact: ContactId): Kept | undefined {
    const kept = this.#left.get(contact);
    this.#left.delete(contact);
    return kept;
  }

  /** What an earlier page left for contacts that are not here any more; given once. */
  takeRest(): [ContactId, Kept][] {
    const rest = [...this.#left];
    this.#left.clear();
    return rest;
  }

  remember(helds: readonly Held[]): void {
    const here = helds.map((held): [ContactId, Kept] => [held.id, held.kept()]);
    this.#keep.set(this.#key, JSON.stringify(Object.fromEntries([...this.#left, ...here])));
  }

  forget(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#keep.remove(this.#key);
  }
}
