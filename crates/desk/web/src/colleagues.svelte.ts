// The colleagues whom this desk knows: those of whom the floor tells, and those who were asked for by name.

import { plain, ranked } from './fuzzy';
import { load } from './pages';
import type { AgentId, Colleague, Floor } from './wire';

/** How long after the last key the gateway is asked, ms. */
export const SEEK_AFTER_MS = 200;
/** How old an answer may become while somebody looks at it, ms. */
export const FRESH_MS = 5_000;
/** Colleagues kept of those who were asked for; those found longest ago make room. */
export const FOUND_MAX = 500;
/** Titles kept; those heard of longest ago make room. */
export const TITLES_MAX = 20_000;

/** Whose title contains the words, as the gateway looks for them: in whatever case, with or without accents. */
export function fitting(words: string, all: readonly Colleague[]): Colleague[] {
  const sought = plain(words.trim());
  return all.filter((one) => plain(one.title).includes(sought));
}

/** Who is meant by a few letters, the best first. Whom the gateway finds by them is always among these. */
export function meant(letters: string, all: readonly Colleague[]): Colleague[] {
  const best = ranked(letters, all, (one) => [one.title]);
  const ours = new Set(best);
  return [...best, ...fitting(letters, all).filter((one) => !ours.has(one))];
}

/** In an order that stays while colleagues come and go. */
export function byTitle(all: readonly Colleague[]): Colleague[] {
  return [...all].sort((a, b) => a.title.localeCompare(b.title) || (a.agent < b.agent ? -1 : 1));
}

export class Colleagues {
  /** How many others there are of whom the floor does not tell. */
  more = $state(0);
  /** Somebody is being asked for: that nobody fits is not known yet. */
  isSeeking = $state(false);
  #told = $state.raw<readonly Colleague[]>([]);
  /** Those who were asked for, the latest last. */
  #found = $state.raw<readonly Colleague[]>([]);
  /** How many fit the words that are being sought, as the gateway said last. */
  #counts = $state.raw<ReadonlyMap<string, number>>(new Map());
  /** Grows with every title that is new: the titles are too many to be copied for that. */
  #titlesHeard = $state(0);
  /** Every title heard of, so that a name stays when its agent leaves the floor's first ones; the latest last. */
  readonly #titles = new Map<AgentId, string>();
  readonly #me: AgentId;
  /** What is looked for in each field or list that is open; where somebody wrote last, last. */
  readonly #sought = new Map<object, string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;
  #underWay = 0;
  /** When an answer came last, or did not come. */
  #heardAt = -Infinity;
  /** The latest question that was answered. */
  #answered: { number: number; words: string; isWhole: boolean } = { number: 0, words: '', isWhole: false };

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

  /** The title of everybody of whom was ever heard, also of those who are not among all at the moment. */
  titleOf(agent: AgentId | undefined): string | undefined {
    if (this.#titlesHeard === 0 || agent === undefined) return undefined;
    return this.#titles.get(agent);
  }

  /** How many more there are than are known whom the words fit, as far as the gateway said. */
  beyondOf(words: string): number {
    const sought = words.trim();
    if (sought === '') return this.beyond;
    const count = this.more === 0 ? undefined : this.#counts.get(sought);
    return count === undefined ? 0 : Math.max(0, count - fitting(sought, this.all).length);
  }

  take({ colleagues, more = 0 }: Floor): void {
    this.#told = this.#others(colleagues);
    // Everybody gets the same frame: this agent is in it, or among those who are only counted.
    const isNamed = this.#told.length < colleagues.length;
    this.more = Math.max(0, isNamed ? more : more - 1);
    this.#learn(this.#told);
    // Of whomever the floor tells, its word is newer than what was found. Those who are there come first: after one who is
    // not, nobody is. Of others it says nothing.
    const told = new Map(this.#told.map((one) => [one.agent, one]));
    const areOthersGone = colleagues.some((one) => !one.is_there);
    const found = this.more === 0 ? this.#found.filter((one) => told.has(one.agent)) : this.#found;
    this.#found = found.map((one) => told.get(one.agent) ?? (areOthersGone ? { ...one, is_there: false } : one));
    this.#askAgain();
  }

  /** In one field or list, those are looked for whose title contains the words; they are asked for once no key comes for a moment. */
  seek(words: string, where: object): void {
    const sought = words.trim();
    if (sought === '') return this.rest(where);
    this.#sought.delete(where);
    this.#sought.set(where, sought);
    if (this.more === 0) return;
    this.isSeeking = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(sought), SEEK_AFTER_MS);
  }

  /** Nobody is looked for there any more. */
  rest(where: object): void {
    const isLast = this.#lastSought()?.[0] === where;
    this.#sought.delete(where);
    if (!isLast) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.isSeeking = false;
    // What is still looked for elsewhere was not asked again meanwhile.
    this.#heardAt = -Infinity;
  }

  #lastSought(): [object, string] | undefined {
    return [...this.#sought].at(-1);
  }

  /** The floor changed: what somebody looks at must not say for long who was there before. */
  #askAgain(): void {
    const words = this.#lastSought()?.[1];
    if (words === undefined || this.more === 0 || this.#timer !== undefined || this.#underWay > 0) return;
    if (performance.now() - this.#heardAt > FRESH_MS) void this.#ask(words, true);
  }

  async #ask(words: string, isAgain = false): Promise<void> {
    this.#timer = undefined;
    const number = ++this.#asked;
    this.#underWay += 1;
    const found = await load<{ colleagues: Colleague[]; more: number }>(`/desk/colleagues?words=${encodeURIComponent(words)}`, isAgain);
    this.#underWay -= 1;
    this.#heardAt = performance.now();
    if (number === this.#asked && this.#timer === undefined) this.isSeeking = false;
    // Whoever writes goes on with those who are known; the next key asks again.
    if (found.is !== 'found') return;
    const { colleagues, more } = found.page;
    if (number > this.#answered.number) this.#keep(number, words, this.#others(colleagues), more);
    else this.#keepLate(this.#others(colleagues));
  }

  #keep(number: number, words: string, colleagues: readonly Colleague[], more: number): void {
    this.#answered = { number, words, isWhole: more === 0 };
    const found = new Map(this.#found.map((one) => [one.agent, one]));
    // Whoever fits and is not in an answer that names all who do is no colleague any more.
    if (more === 0) for (const one of fitting(words, this.#found)) found.delete(one.agent);
    for (const one of colleagues) {
      found.delete(one.agent);
      found.set(one.agent, one);
    }
    this.#found = [...found.values()].slice(-FOUND_MAX);
    this.#learn(colleagues);
    const sought = new Set(this.#sought.values());
    this.#counts = new Map([...this.#counts, [words, colleagues.length + more] as const].filter(([one]) => sought.has(one)));
  }

  /** A slow answer to an earlier question: it only adds those who are not known, and whom the later answer did not leave out. */
  #keepLate(colleagues: readonly Colleague[]): void {
    const { words, isWhole } = this.#answered;
    const out = new Set([...this.#told, ...this.#found, ...(isWhole ? fitting(words, colleagues) : [])].map((one) => one.agent));
    const added = colleagues.filter((one) => !out.has(one.agent));
    this.#found = [...this.#found, ...added].slice(-FOUND_MAX);
    this.#learn(added);
  }

  #others(colleagues: readonly Colleague[]): readonly Colleague[] {
    return colleagues.filter((one) => one.agent !== this.#me);
  }

  #learn(colleagues: readonly Colleague[]): void {
    let isNew = false;
    for (const { agent, title } of colleagues) {
      isNew ||= this.#titles.get(agent) !== title;
      this.#titles.delete(agent);
      this.#titles.set(agent, title);
    }
    for (const agent of this.#titles.keys()) {
      if (this.#titles.size <= TITLES_MAX) break;
      this.#titles.delete(agent);
    }
    if (isNew) this.#titlesHeard += 1;
  }
}
