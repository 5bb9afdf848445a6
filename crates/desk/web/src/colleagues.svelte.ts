// The colleagues whom this desk knows: those of whom the floor tells, and those who were asked for by name.

import { ranked } from './fuzzy';
import { load } from './pages';
import type { AgentId, Colleague, Floor } from './wire';

/** How long after the last key the gateway is asked, ms. */
export const SEEK_AFTER_MS = 200;
/** Colleagues kept of those who were asked for; those found longest ago make room. */
export const FOUND_MAX = 500;

/** Whose title contains the words, as the gateway looks for them. */
export function fitting(words: string, all: readonly Colleague[]): Colleague[] {
  const sought = words.trim().toLowerCase();
  return all.filter((one) => one.title.toLowerCase().includes(sought));
}

/** Who is meant by a few letters, the best first. Whom the gateway finds by them is always among these. */
export function meant(letters: string, all: readonly Colleague[]): Colleague[] {
  const best = ranked(letters, all, (one) => [one.title]);
  const ours = new Set(best);
  return [...best, ...fitting(letters, all).filter((one) => !ours.has(one))];
}

export class Colleagues {
  /** How many more there are of whom the floor does not tell. */
  more = $state(0);
  /** Somebody is being asked for: that nobody fits is not known yet. */
  isSeeking = $state(false);
  #told = $state.raw<readonly Colleague[]>([]);
  /** Those who were asked for, the latest last. */
  #found = $state.raw<readonly Colleague[]>([]);
  readonly #me: AgentId;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;

  /** Those of the floor, then those who were asked for. */
  all: readonly Colleague[] = $derived.by(() => {
    // The floor tells of everybody: whoever is not among them is none any more.
    if (this.more === 0) return this.#told;
    const told = new Set(this.#told.map((one) => one.agent));
    return [...this.#told, ...this.#found.filter((one) => !told.has(one.agent))];
  });
  /** How many more there are than are known. */
  beyond = $derived.by(() => Math.max(0, this.more - (this.all.length - this.#told.length)));

  constructor(me: AgentId) {
    this.#me = me;
  }

  titleOf(agent: AgentId | undefined): string | undefined {
    return this.all.find((one) => one.agent === agent)?.title;
  }

  take({ colleagues, more = 0 }: Floor): void {
    this.#told = colleagues.filter((one) => one.agent !== this.#me);
    this.more = more;
    // What the floor said of somebody is newer than what was found, also once it tells of them no more.
    const told = new Map(this.#told.map((one) => [one.agent, one]));
    this.#found = this.#found.map((one) => told.get(one.agent) ?? one);
  }

  /** Asks for those whose title contains the words, once no key comes for a moment. */
  seek(words: string): void {
    const sought = words.trim();
    if (this.more === 0 || sought === '') return;
    this.isSeeking = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(sought), SEEK_AFTER_MS);
  }

  async #ask(words: string): Promise<void> {
    this.#timer = undefined;
    const number = ++this.#asked;
    const found = await load<{ colleagues: Colleague[] }>(`/desk/colleagues?words=${encodeURIComponent(words)}`);
    // A slow answer to an earlier question is not what is asked any more.
    if (number !== this.#asked) return;
    if (this.#timer === undefined) this.isSeeking = false;
    // Whoever writes goes on with those who are known; the next key asks again.
    if (found.is === 'found') this.#keep(found.page.colleagues);
  }

  #keep(colleagues: readonly Colleague[]): void {
    const found = new Map(this.#found.map((one) => [one.agent, one]));
    for (const one of colleagues) {
      found.delete(one.agent);
      if (one.agent !== this.#me) found.set(one.agent, one);
    }
    this.#found = [...found.values()].slice(-FOUND_MAX);
  }
}
