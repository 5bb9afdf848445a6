// What the tests are made of: a keep in memory, lines that record, and frames with all their fields.

import { ServerClock } from '../src/clock.svelte';
import type { Keep } from '../src/keep';
import { Desk } from '../src/store.svelte';
import type { DeskContact, DeskEntry, DeskState, EntryKind, FromDesk, OfferCard, Receipt } from '../src/wire';

export const ME = 'agt_me';
export const NOW = 1_790_000_000_000;

export class MemoryKeep implements Keep {
  values = new Map<string, string>();
  get = (key: string) => this.values.get(key) ?? null;
  set = (key: string, value: string) => void this.values.set(key, value);
  remove = (key: string) => void this.values.delete(key);
}

export class Lines {
  isUp = true;
  restarts = 0;
  sent: FromDesk[] = [];
  send = (frame: FromDesk) => {
    if (this.isUp) this.sent.push(frame);
    return this.isUp;
  };
  restart = () => void (this.restarts += 1);

  /** Frames sent since the last call. */
  take(): FromDesk[] {
    return this.sent.splice(0);
  }

  commands() {
    return this.sent.flatMap((frame) => (frame.t === 'command' ? [frame] : []));
  }
}

export function deskWith(keep: Keep = new MemoryKeep(), lines = new Lines()) {
  const desk = new Desk({ agent: ME, title: 'Femke' }, lines, keep, new ServerClock(() => NOW));
  return { desk, lines, keep };
}

export function entry(seq: number, kind: EntryKind = { is: 'from_customer' }, over: Partial<DeskEntry> = {}): DeskEntry {
  const words = kind.is === 'from_customer' || kind.is === 'from_agent' || kind.is === 'note';
  const base: DeskEntry = { seq, at: NOW + seq, contact: 'con_1_0', kind };
  return { ...base, ...(words ? { text: `words ${seq}`, message: `msg_${seq}` } : {}), ...over };
}

export function entries(from: number, to: number): DeskEntry[] {
  return Array.from({ length: to - from + 1 }, (_, i) => entry(from + i));
}

export function contact(over: Partial<DeskContact> = {}): DeskContact {
  return {
    contact: 'con_1_0',
    conversation: 'cnv_1_1',
    channel: 'web',
    queue: 'Orders',
    opened_at: NOW - 60_000,
    effort: { contacts_before: 0, reopenings: 0, transfers: 0, waited_ms: 12_000 },
    entries: [],
    remedies: [],
    ...over,
  };
}

export function receipt(over: Partial<Receipt> = {}): Receipt {
  return {
    rule: 'longest_idle',
    waited_ms: 72_000,
    idle_ms: 245_000,
    waiting_in_class: 1,
    runners_up: [],
    passed_over: { unqualified: 0, not_there: 0, full: 0, declined: 0 },
    ...over,
  };
}

export function offer(over: Partial<OfferCard> = {}): OfferCard {
  return {
    offer: 'off_5_0',
    contact: 'con_1_0',
    conversation: 'cnv_1_1',
    channel: 'web',
    queue: 'Orders',
    waiting_since: NOW - 10_000,
    expires_at: NOW + 20_000,
    words: ['Hello'],
    receipt: receipt(),
    ...over,
  };
}

export function state(over: Partial<DeskState> = {}): { t: 'state' } & DeskState {
  return {
    t: 'state',
    log_seq: 9,
    now: NOW,
    agent: ME,
    title: 'Femke',
    presence: 'online',
    offers: [],
    contacts: [],
    dispositions: [],
    asks: [],
    promises: [],
    kudos: [],
    lead: false,
    role: 'agent',
    ...over,
  };
}
