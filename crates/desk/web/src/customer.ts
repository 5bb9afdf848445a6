// Who a customer is and all they ever wrote, on every channel.

import type { ChannelKind, DeskEntry, Millis } from './wire';

/** One of the customer's identities, with what they call themselves there. */
export interface Person {
  identity: string;
  channel: ChannelKind;
  account: string;
  conversations: number;
  since: Millis;
  name?: string;
  address?: string;
  /** What they say to each purpose that customers are asked for. */
  consents?: ConsentLine[];
}

export interface ConsentLine {
  purpose: string;
  given: boolean;
  /** When they last said so; never, if they were not asked. */
  at?: Millis;
}

/** What joins an identity; without `by` because the same was verified. */
export interface CustomerLink {
  link: string;
  identity: string;
  at: Millis;
  by?: string;
}

export type Suggestion = Person & { link: string };

export interface KeptFile {
  name: string;
  media_type: string;
  bytes: number;
  /** Works for an hour. */
  address: string;
}

export type Line = DeskEntry & { place: number; conversation: string; identity: string; channel: ChannelKind; files: KeptFile[] };

export interface CustomerPage {
  /** Up to which record of the log this is true. */
  log_seq: number;
  identities: Person[];
  is_cut: boolean;
  links: CustomerLink[];
  suggestions: Suggestion[];
  timeline: Line[];
  has_more: boolean;
}

export function customerPath(conversation: string, before?: number): string {
  return `/desk/customer/${conversation}${before === undefined ? '' : `?before=${before}`}`;
}

/** Who it is, without what was said. */
export function identitiesPath(conversation: string): string {
  return `/desk/customer/${conversation}?limit=0`;
}

/** How a person is called in one line: by name and address, as far as they are known. */
export function calledAs({ name, address }: Person): string | null {
  if (name !== undefined && address !== undefined && name !== address) return `${name} · ${address}`;
  return name ?? address ?? null;
}

/** How many conversations the customer has had, on how many channels. */
export function breadth(page: CustomerPage): { conversations: number; channels: ChannelKind[] } {
  const conversations = page.identities.reduce((sum, one) => sum + one.conversations, 0);
  return { conversations, channels: [...new Set(page.identities.map((one) => one.channel))] };
}

/** The parts of a timeline as they were read, put together: what stands in several stands once, as it was read last. */
export function joined(known: readonly Line[], read: readonly Line[]): Line[] {
  const lines = new Map([...known, ...read].map((line) => [line.place, line]));
  return [...lines.values()].sort((one, other) => one.place - other.place);
}
