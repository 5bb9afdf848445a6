// Writing to a customer first: by which accounts, whom an address reaches, and what they may be sent.

import { blanksOf, formOf, type Canned } from './canned.svelte';
import type { Person } from './customer';
import { bytesOf } from './text';
import { TEXT_BYTES_MAX, type BeginTo, type ChannelKind, type Choice, type ContactId, type Problem, type Template } from './wire';

/** Longest address that is asked for, bytes (ADDRESS_BYTES_MAX). */
export const ADDRESS_BYTES_MAX = 254;

/** What somebody may be sent now. */
export type Takes = 'words' | 'templates';

/** An account by which an agent may write first. */
export interface Way {
  channel: ChannelKind;
  account: string;
  title: string;
  /** What somebody is sent who never wrote there. */
  takes: Takes;
}

/** By what an agent may write first, and in which queues. */
export interface Ways {
  accounts: Way[];
  queues: Choice[];
}

/** Why somebody cannot be written to; the dialog has words for each. */
export const REACH_REFUSALS = ['unknown_account', 'cannot_begin', 'no_country', 'bad_address', 'opted_out', 'address_unknown', 'window_closed', 'not_yours'] as const;
export type ReachRefusal = (typeof REACH_REFUSALS)[number];

export type Reached = { is: 'found'; address: string; takes: Takes } | { is: 'refused'; why: ReachRefusal } | { is: 'away' };

/** For whom the dialog is open: somebody whose address is typed, or one of a customer's identities; for a contact that goes on there, or for a new one. */
export interface Beginning {
  contact: ContactId | null;
  person: Person | null;
  /** The conversation through which the person was shown. */
  conversation: string;
}

/** What was typed and is not sent: it outlives a reload. */
export interface Unsent {
  way: string;
  address: string;
  queue: string;
  text: string;
}

export const NOTHING: Unsent = { way: '', address: '', queue: '', text: '' };

/** An account in one word. */
export function keyOf({ channel, account }: Pick<Way, 'channel' | 'account'>): string {
  return `${channel}/${account}`;
}

/** The channels on which a customer who wrote there before can be written to by an agent: mail goes on in its thread, and a page shows what is said to whom comes back. */
const GOES_ON: ReadonlySet<ChannelKind> = new Set(['sms', 'whatsapp', 'telegram', 'messenger', 'instagram', 'webhook']);

/** The other identities of a customer on which a contact can go on; the first is the conversation's own. */
export function goesOn(identities: readonly Person[]): ReadonlySet<string> {
  return new Set(identities.slice(1).filter((one) => GOES_ON.has(one.channel)).map((one) => one.identity));
}

/** Whom a dialog means; `null` as long as nobody is typed. */
export function toOf({ person, conversation }: Beginning, address: string): BeginTo | null {
  if (person !== null) return { is: 'known', identity: person.identity, conversation };
  const typed = address.trim();
  return typed === '' || bytesOf(typed) > ADDRESS_BYTES_MAX ? null : { is: 'typed', address: typed };
}

/** How the first words may go: freely, as the approved form that they are, or not. */
export type FirstWay = { is: 'free' } | { is: 'form'; template: Template } | { is: 'no_words' } | { is: 'too_long' } | { is: 'blanks' } | { is: 'no_form' };

/** `chosen` is the form that was put into the words: what stands in its braces is filled in by hand, on whatever channel they go then. */
export function firstWay(channel: ChannelKind, takes: Takes, forms: readonly Canned[], text: string, chosen?: Canned): FirstWay {
  if (text.trim() === '') return { is: 'no_words' };
  if (bytesOf(text.trim()) > TEXT_BYTES_MAX) return { is: 'too_long' };
  const matching = forms.filter((one) => formOf([one], text) !== null);
  if ([...matching, ...(chosen === undefined ? [] : [chosen])].some((one) => blanksOf(one.text).some((blank) => text.includes(blank)))) return { is: 'blanks' };
  // Other channels have none.
  const template = channel === 'whatsapp' ? formOf(forms, text) : null;
  if (template !== null) return { is: 'form', template };
  return takes === 'words' ? { is: 'free' } : { is: 'no_form' };
}

/** The approved forms that can be used in a queue. */
export function formsIn(all: readonly Canned[], queue: string): Canned[] {
  const fits = (one: Canned) => one.template !== undefined && ((one.queues ?? []).length === 0 || one.queues?.includes(queue) === true);
  return all.filter(fits).sort((a, b) => a.title.localeCompare(b.title));
}

/** Asks whom an address reaches. It goes as a body: addresses of pages stand in logs. */
export async function whoIs(channel: ChannelKind, account: string, to: BeginTo): Promise<Reached> {
  try {
    const response = await fetch('/desk/reach', {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ channel, account, to }),
      signal: AbortSignal.timeout(10_000),
    });
    if (response.ok) return { is: 'found', ...((await response.json()) as { address: string; takes: Takes }) };
    return reachedOf((await response.json()) as Problem);
  } catch {
    return { is: 'away' };
  }
}

/** What a problem says of whom it is about. */
export function reachedOf({ code }: Pick<Problem, 'code'>): Reached {
  const why = REACH_REFUSALS.find((one) => one === code);
  return why === undefined ? { is: 'away' } : { is: 'refused', why };
}
