// Finds words in a conversation: first in what is here, then in what was said before, from the newest back.

import type { Held } from './held.svelte';
import type { Desk } from './store.svelte';
import type { DeskEntry } from './wire';

export interface MarkedPart {
  text: string;
  isMarked: boolean;
}

/** A text in pieces; those that are the words looked for are marked. Large and small letters count as the same. */
export function marked(text: string, words: string): MarkedPart[] {
  const sought = words.trim();
  if (sought === '') return [{ text, isMarked: false }];
  const parts = text.split(new RegExp(`(${escaped(sought)})`, 'giu'));
  // What was captured stands at every second place.
  return parts.map((part, i) => ({ text: part, isMarked: i % 2 === 1 })).filter((part) => part.text !== '');
}

function escaped(words: string): string {
  return words.replace(/[\\^$.*+?()[\]{}|/-]/gu, '\\$&');
}

/** Sequences of the entries that hold the words, oldest first. */
export function findIn(entries: readonly DeskEntry[], words: string): number[] {
  const sought = words.trim();
  if (sought === '') return [];
  const pattern = new RegExp(escaped(sought), 'iu');
  const holds = (entry: DeskEntry) =>
    (entry.text !== undefined && pattern.test(entry.text)) ||
    (entry.attachments ?? []).some((file) => pattern.test(file.name)) ||
    (entry.mail?.subject !== undefined && pattern.test(entry.mail.subject));
  return entries.filter(holds).map((entry) => entry.seq);
}

export class Finder {
  words = $state('');
  /** What is here holds no more hits: earlier entries are being fetched. */
  isReading = $state(false);
  readonly #desk: Desk;
  readonly #held: Held;

  hits: readonly number[] = $derived.by(() => findIn(this.#held.entries, this.words));
  /** Which hit is shown, from the newest on, 1 for the first; 0 for none. */
  number = $derived.by(() => {
    const at = this.#held.found === null ? -1 : this.hits.indexOf(this.#held.found);
    return at < 0 ? 0 : this.hits.length - at;
  });
  mayHaveMore = $derived.by(() => this.#held.mayHaveOlder && this.#held.older !== 'failed');

  constructor(desk: Desk, held: Held) {
    this.#desk = desk;
    this.#held = held;
  }

  /** Other words: the newest hit is shown. */
  change(words: string): void {
    this.words = words;
    this.isReading = false;
    const newest = this.hits.at(-1);
    if (newest === undefined) this.#held.found = null;
    else this.#held.lookAt(newest);
  }

  older(): void {
    const now = this.#held.found ?? Infinity;
    const next = this.hits.findLast((seq) => seq < now);
    if (next !== undefined) {
      this.isReading = false;
      this.#held.lookAt(next);
    } else if (this.words.trim() !== '') this.isReading = this.mayHaveMore;
  }

  newer(): void {
    const now = this.#held.found ?? 0;
    const next = this.hits.find((seq) => seq > now);
    if (next !== undefined) this.#held.lookAt(next);
  }

  /** Goes on with what has come meanwhile; called whenever the entries or what is asked of them changed. */
  readOn(): void {
    if (!this.isReading) return;
    const now = this.#held.found ?? Infinity;
    if (this.hits.some((seq) => seq < now)) this.older();
    else if (!this.mayHaveMore) this.isReading = false;
    else this.#desk.askOlder(this.#held);
  }

  end(): void {
    this.change('');
  }
}
