// Drafts for the regulars of an agent: what has arrived that suits them, and what comes of sending one.

import { filledIn, formOf } from './canned.svelte';
import { load } from './pages';
import { bytesOf } from './text';
import { newId } from './uuid';
import { TEXT_BYTES_MAX, type ChannelKind, type Millis, type Problem } from './wire';

/** How often it is looked whether something has arrived, ms. */
const LOOK_EVERY_MS = 300_000;

/** What is said of a draft that is there no more. */
const OVER: readonly string[] = ['written_already', 'no_draft'];

export interface Draft {
  /** By what the customer is named. */
  customer: string;
  channel: ChannelKind;
  account: string;
  name?: string;
  language: string;
  /** The words, with their places not yet filled in. */
  words: string;
  /** Whether they may be sent as they are only. */
  form_only: boolean;
  /** How many contacts of theirs one has resolved, and when the last. */
  resolved: number;
  last_at: Millis;
  /** The command by which it was being sent when nobody could say whether it was. */
  command?: string;
}

export interface Arrival {
  id: string;
  title: string;
  until: Millis;
  sent: number;
  drafts: Draft[];
}

export interface RegularsPage {
  arrivals: Arrival[];
  /** From when on they can be sent, where that is not now. */
  writable_from?: Millis;
}

/** What came of a click. */
export type Outcome = { is: 'done' } | { is: 'open' } | { is: 'refused'; code: string };

/** Why words cannot go as they are; the page has the words for it. */
export type Flaw = 'length' | 'place' | 'form';

/** The last day on which a customer chooses first, in their language: at midnight it is the one that ends. */
export function dayFor(until: Millis, language: string): string {
  return new Intl.DateTimeFormat(language, { weekday: 'long', day: 'numeric', month: 'long' }).format(until - 1);
}

/** The words for a customer with what is known filled in. */
export function wordsFor(draft: Draft, until: Millis, agent: string): string {
  return filledIn(draft.words, { customer: draft.name?.trim(), agent, until: dayFor(until, draft.language) }).text;
}

export function flawOf(draft: Draft, text: string): Flaw | null {
  if (text.trim() === '' || bytesOf(text) > TEXT_BYTES_MAX) return 'length';
  if (filledIn(text, {}).blanks.length > 0) return 'place';
  const form = { name: 'form', revision: 0, title: '', text: draft.words, template: { name: 'form' } };
  return draft.form_only && formOf([form], text) === null ? 'form' : null;
}

/** How many drafts wait to be sent. */
export function countOf(page: RegularsPage | null): number {
  return (page?.arrivals ?? []).reduce((sum, arrival) => sum + arrival.drafts.length, 0);
}

export class Regulars {
  page = $state.raw<RegularsPage | null>(null);
  isSilent = $state(false);
  /** Words that were changed, by draft. */
  #words = $state<Record<string, string>>({});
  /** The command by which each is sent: the same again is sent once. */
  #commands = new Map<string, string>();
  readonly #now: () => Millis;

  constructor(now: () => Millis = Date.now) {
    this.#now = now;
  }

  /** Has the gateway's; what a page asks again by itself keeps nobody signed in. */
  async refresh(isByItself = false): Promise<void> {
    const found = await load<RegularsPage>('/desk/regulars', isByItself);
    this.isSilent = found.is !== 'found';
    if (found.is === 'found') this.page = found.page;
  }

  /** Looks now and then, until what it gives is called. */
  follow(): () => void {
    void this.refresh(true);
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') void this.refresh(true);
    }, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }

  textOf(arrival: Arrival, draft: Draft, agent: string): string {
    return this.#words[keyOf(arrival, draft)] ?? wordsFor(draft, arrival.until, agent);
  }

  write(arrival: Arrival, draft: Draft, text: string): void {
    this.#words[keyOf(arrival, draft)] = text;
  }

  /** Sends a draft; what nobody can say is asked again by the same command. */
  async send(arrival: Arrival, draft: Draft, text: string): Promise<Outcome> {
    const key = keyOf(arrival, draft);
    const command = this.#commands.get(key) ?? draft.command ?? newId('cmd', this.#now());
    this.#commands.set(key, command);
    const answer = await post(`${pathOf(arrival, draft)}/send`, { command, text });
    // A no is one for good: another try is another command.
    if (answer.is === 'refused') this.#commands.delete(key);
    return this.#after(arrival, draft, answer, 1);
  }

  async letGo(arrival: Arrival, draft: Draft): Promise<Outcome> {
    return this.#after(arrival, draft, await post(`${pathOf(arrival, draft)}/let-go`, undefined), 0);
  }

  /** Takes the one draft out that is over; only another no may mean that more has changed. */
  async #after(arrival: Arrival, draft: Draft, answer: Outcome, sent: number): Promise<Outcome> {
    if (answer.is === 'done') this.#take(arrival, draft, sent);
    else if (answer.is === 'refused' && OVER.includes(answer.code)) this.#take(arrival, draft, 0);
    else if (answer.is === 'refused') await this.refresh();
    return answer;
  }

  #take(arrival: Arrival, draft: Draft, sent: number): void {
    if (this.page === null) return;
    const without = (one: Arrival): Arrival =>
      one.id === arrival.id ? { ...one, sent: one.sent + sent, drafts: one.drafts.filter((other) => other.customer !== draft.customer) } : one;
    this.page = { ...this.page, arrivals: this.page.arrivals.map(without) };
  }
}

function keyOf(arrival: Arrival, draft: Draft): string {
  return `${arrival.id}.${draft.customer}`;
}

function pathOf(arrival: Arrival, draft: Draft): string {
  return `/desk/regulars/${encodeURIComponent(arrival.id)}/${draft.customer}`;
}

async function post(path: string, body: unknown): Promise<Outcome> {
  const content = body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  try {
    const response = await fetch(path, { method: 'POST', credentials: 'same-origin', signal: AbortSignal.timeout(20_000), ...content });
    if (response.status === 202) return { is: 'open' };
    if (response.ok) return { is: 'done' };
    if (response.status >= 500) return { is: 'open' };
    return { is: 'refused', code: ((await response.json()) as Problem).code };
  } catch {
    return { is: 'open' };
  }
}
