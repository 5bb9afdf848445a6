// Answers that are written beforehand: had from the gateway, found by a few letters, filled in.

import { ranked } from './fuzzy';
import { load } from './pages';
import { bytesOf } from './text';
import type { Problem, Template } from './wire';

/** Longest text and title, bytes (CANNED_TEXT_BYTES_MAX, TITLE_BYTES_MAX). */
export const CANNED_TEXT_BYTES_MAX = 4 * 1024;
export const CANNED_TITLE_BYTES_MAX = 120;

export interface Canned {
  name: string;
  /** Its version; 0 for one that is not kept yet. */
  revision: number;
  title: string;
  language?: string;
  text: string;
  queues?: string[];
  /** The approved form of words that this is: its name at the provider, and its language there. */
  template?: { name: string; language?: string };
}

/** What stands for a variable; absent where it is not known. */
export type Values = Readonly<Record<string, string | undefined>>;

/** The variables that the desk fills in. */
export const VARIABLES = ['customer', 'agent', 'queue', 'order', 'contact', 'date'] as const;

const VARIABLE = /\{([a-z][a-z0-9_]{0,31})\}/gu;

/** The words of an answer with what is known filled in; what is not known stays as it is, to be filled in by hand. */
export function filledIn(text: string, values: Values): { text: string; blanks: string[] } {
  const blanks = new Set<string>();
  const filled = text.replace(VARIABLE, (whole, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value !== undefined && value !== '') return value;
    blanks.add(name);
    return whole;
  });
  return { text: filled, blanks: [...blanks] };
}

/** The places of an answer as they stand in its words, with their braces. */
export function blanksOf(text: string): string[] {
  return text.match(VARIABLE) ?? [];
}

/** The approved form that some words are, with what stands in its places; `null` if they are none. */
export function formOf(all: readonly Canned[], text: string): Template | null {
  for (const one of all) {
    if (one.template === undefined) continue;
    const found = patternOf(one.text).exec(text.trim());
    if (found !== null) return { ...one.template, variables: Object.fromEntries(found.slice(1).map((place, n) => [String(n + 1), place])) };
  }
  return null;
}

/** What a form can be with its places filled in: one line in each, as providers take it. */
function patternOf(form: string): RegExp {
  const parts = form.trim().split(/\{[a-z][a-z0-9_]{0,31}\}/u).map((part) => part.replace(/[\\^$.*+?()[\]{}|/]/gu, '\\$&'));
  return new RegExp(`^${parts.join('([^\\n\\t]{1,1024}?)')}$`, 'u');
}

/** Where the first of some variables still stands in a text. */
export function firstBlank(text: string, blanks: readonly string[]): { from: number; to: number } | null {
  const found = blanks.map((name) => ({ at: text.indexOf(`{${name}}`), length: name.length + 2 })).filter((one) => one.at >= 0);
  const first = found.sort((a, b) => a.at - b.at)[0];
  return first === undefined ? null : { from: first.at, to: first.at + first.length };
}

/** What is offered in a queue, best first: what is meant by the query; what is in another language than the customer's comes last. */
export function offered(all: readonly Canned[], query: string, queue: string | undefined, language: string): Canned[] {
  const here = all.filter((one) => (one.queues ?? []).length === 0 || (queue !== undefined && one.queues?.includes(queue)));
  const isForeign = (one: Canned) => one.language !== undefined && one.language.slice(0, 2) !== language.slice(0, 2);
  const found = query === '' ? [...here].sort((a, b) => a.title.localeCompare(b.title)) : ranked(query, here, (one) => [one.title, one.name, one.text]);
  // Sorting is stable: within a language the best stay first.
  return found.sort((a, b) => Number(isForeign(a)) - Number(isForeign(b)));
}

/** How long answers are taken as they are before the gateway is asked again, ms. */
const FRESH_MS = 10_000;

export class CannedStore {
  all = $state.raw<readonly Canned[]>([]);
  isSilent = $state(false);
  #askedAt = -Infinity;

  /** Has the gateway's, if it was not asked a moment ago. */
  async refresh(must = false): Promise<void> {
    const now = performance.now();
    if (!must && now - this.#askedAt < FRESH_MS) return;
    this.#askedAt = now;
    const found = await load<{ canned: Canned[] }>('/desk/canned');
    this.isSilent = found.is !== 'found';
    if (found.is === 'found') this.all = found.page.canned;
    else this.#askedAt = -Infinity;
  }

  /** Keeps an answer, or takes it away; the code of the problem if that did not work. */
  async keep(one: Canned): Promise<string | null> {
    const { name, revision, ...canned } = one;
    const body = JSON.stringify({ ...(revision === 0 ? {} : { revision }), canned });
    return this.#change(name, '', { method: 'PUT', body, headers: { 'content-type': 'application/json' } });
  }

  async remove(one: Canned): Promise<string | null> {
    return this.#change(one.name, `?revision=${one.revision}`, { method: 'DELETE' });
  }

  async #change(name: string, query: string, init: RequestInit): Promise<string | null> {
    try {
      const response = await fetch(`/desk/canned/${encodeURIComponent(name)}${query}`, { credentials: 'same-origin', signal: AbortSignal.timeout(10_000), ...init });
      if (!response.ok) return ((await response.json()) as Problem).code;
      await this.refresh(true);
      return null;
    } catch {
      return 'away';
    }
  }
}

/** Why an answer could not be kept, without asking; the component has the words. */
export type Flaw = 'name' | 'title' | 'text' | 'language' | 'template';

export function flawOf(one: Canned): Flaw | null {
  if (!/^[A-Za-z0-9_-]{1,64}$/u.test(one.name)) return 'name';
  if (one.title.trim() === '' || bytesOf(one.title) > CANNED_TITLE_BYTES_MAX) return 'title';
  if (one.text.trim() === '' || bytesOf(one.text) > CANNED_TEXT_BYTES_MAX) return 'text';
  if (one.language !== undefined && !/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/u.test(one.language)) return 'language';
  if (one.template !== undefined && !(/^\w{1,512}$/u.test(one.template.name) && /^\w{0,16}$/u.test(one.template.language ?? ''))) return 'template';
  return null;
}
