// Finding where words were said: what is asked and answered by HTTP.

import type { AgentId, ChannelKind, DeskEntry, Millis } from './wire';

export type Order = 'best' | 'newest';
export type Said = 'customer' | 'agent' | 'bot' | 'suggested' | 'told' | 'note' | 'whispered';

/** A piece of words; marked: what was searched for. */
export interface SnippetPart {
  text: string;
  marked?: boolean;
}

export interface Hit {
  conversation: string;
  contact: string;
  seq: number;
  at: Millis;
  channel: ChannelKind;
  said: Said;
  by?: string;
  customer_name?: string;
  snippet: SnippetPart[];
}

export interface HitPage {
  /** Whether all conversations were searched, or only those of one's own contacts. */
  everything: boolean;
  hits: Hit[];
  next?: string;
  /** Whether there were too many to weigh all of them. */
  is_cut: boolean;
}

/** What stands in the form. */
export interface Form {
  words: string;
  order: Order;
  channel: '' | ChannelKind;
  agent: '' | AgentId;
  /** A tag's name; empty for any. */
  tag: string;
  /** Days as the browser's fields have them: `2026-03-01`. */
  from: string;
  to: string;
}

export const EMPTY: Form = { words: '', order: 'best', channel: '', agent: '', tag: '', from: '', to: '' };

export interface Question {
  words: string;
  order: Order;
  channel?: ChannelKind;
  agent?: AgentId;
  tag?: string;
  from?: Millis;
  to?: Millis;
  cursor?: string;
}

export type Searched = { is: 'found'; page: HitPage } | { is: 'refused'; code: string } | { is: 'silent' };

/** How long an answer may take, ms. */
const DEADLINE_MS = 10_000;
/** How many entries after a hit are read with it. */
export const AFTER_HIT = 20;
/** How many entries the server gives at once. */
export const PART = 50;

/** The question in a form: days begin and end where the agent is. */
export function questionOf(form: Form, cursor?: string): Question {
  const question: Question = { words: form.words, order: form.order };
  const from = dayMs(form.from, 0);
  const to = dayMs(form.to, 1);
  if (form.channel !== '') question.channel = form.channel;
  if (form.agent !== '') question.agent = form.agent;
  if (form.tag !== '') question.tag = form.tag;
  if (from !== null) question.from = from;
  if (to !== null) question.to = to - 1;
  if (cursor !== undefined) question.cursor = cursor;
  return question;
}

/** When a day begins, or one some days later; `null` for no day. */
function dayMs(day: string, later: number): number | null {
  const found = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day);
  if (found === null) return null;
  const at = new Date(Number(found[1]), Number(found[2]) - 1, Number(found[3]) + later).getTime();
  return at > 0 ? at : null;
}

/** The words go in the body: addresses stand in logs on the way. */
export async function find(question: Question): Promise<Searched> {
  try {
    const response = await fetch('/desk/search', {
      method: 'POST',
      credentials: 'same-origin',
      cache: 'no-store',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(question),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    if (response.ok) return { is: 'found', page: (await response.json()) as HitPage };
    if (response.status !== 400) return { is: 'silent' };
    return { is: 'refused', code: ((await response.json()) as { code: string }).code };
  } catch {
    return { is: 'silent' };
  }
}

/** Where a part of a conversation is read, up to some entries after a hit. */
export function partPath(conversation: string, before: number): string {
  return `/desk/history/${encodeURIComponent(conversation)}?before=${before}`;
}

/** Whether nothing was said after these entries, which were asked for before a sequence. */
export function isEnd(entries: readonly DeskEntry[], before: number): boolean {
  return (entries.at(-1)?.seq ?? 0) < before - 1;
}

/** A search that is kept: what stood in the form. */
export interface Kept {
  form: Form;
  /** Kept until it is taken away; others make room for newer ones. */
  isSaved: boolean;
}

/** Searches that are kept at most, saved ones not counted; and saved ones. */
export const RECENT_MAX = 8;
export const SAVED_MAX = 30;

/** The searches with one more at the top; the same one only once, saved if it was. */
export function withRecent(kept: readonly Kept[], form: Form): Kept[] {
  const same = kept.find((one) => sameForm(one.form, form));
  const others = kept.filter((one) => one !== same);
  return trimmed([{ form: { ...form }, isSaved: same?.isSaved ?? false }, ...others]);
}

/** The searches with one of them saved, or no more. */
export function withSaved(kept: readonly Kept[], form: Form, isSaved: boolean): Kept[] {
  return trimmed(kept.map((one) => (sameForm(one.form, form) ? { ...one, isSaved } : one)));
}

function trimmed(kept: readonly Kept[]): Kept[] {
  const left = { true: SAVED_MAX, false: RECENT_MAX };
  return kept.filter((one) => left[`${one.isSaved}`]-- > 0);
}

export function sameForm(a: Form, b: Form): boolean {
  return (Object.keys(a) as (keyof Form)[]).every((key) => a[key] === b[key]);
}
