// What the desk's pages read by HTTP: the policy, the report, the wallets.

import type { IncidentTerms, Receipt, Ask, AsideWhy, ChannelKind, Effort, FactValue, LangWords, Millis, Money, Occasion, Per, Presence, RemedyKind, Role } from './wire';

/** The pages beside the desk, by the part of the address after `#`. */
export const PAGES = ['search', 'regulars', 'canned', 'policy', 'figures', 'floor', 'admin'] as const;
export type PageName = (typeof PAGES)[number];

/** The page that an address asks for. */
export function pageOf(hash: string): PageName | null {
  return PAGES.find((name) => hash === `#${name}` || hash.startsWith(`#${name}/`)) ?? null;
}

/** The parts of the administration page. */
export const ADMIN_SECTIONS = ['agents', 'skills', 'queues', 'marks', 'routing', 'channels', 'policy', 'canned', 'keys', 'webhooks', 'parked', 'audit'] as const;
export type AdminSection = (typeof ADMIN_SECTIONS)[number];

/** The part of the administration page that an address asks for. */
export function sectionOf(hash: string): AdminSection {
  return ADMIN_SECTIONS.find((name) => hash === `#admin/${name}`) ?? 'agents';
}

/** Whether somebody of a role may open a page: the floor is for who leads, administration for who supervises. */
export function mayOpen(page: PageName, role: Role): boolean {
  const least: Partial<Record<PageName, readonly Role[]>> = { floor: ['lead', 'supervisor', 'administrator'], admin: ['supervisor', 'administrator'] };
  return least[page]?.includes(role) ?? true;
}

export interface Limit {
  per: Per;
  cents: Record<string, number>;
}

export type CardAnswer = 'yes' | Ask | { not_allowed: { because: 'law' | 'safety' | 'fraud'; evidence: string } };

export interface PolicyExample {
  says: string;
  gives: RemedyKind;
  money: Money;
  expects: 'yes' | 'ask_peer' | 'ask_lead' | 'not_allowed';
  facts?: Record<string, FactValue>;
}

export interface PolicyCard {
  id: string;
  title: LangWords;
  occasion?: Occasion;
  gives: RemedyKind[];
  when: string[];
  answer: CardAnswer;
  up_to: Limit[];
  beyond?: Ask;
  hint: LangWords;
  tell: LangWords;
  examples: PolicyExample[];
}

export interface Policy {
  sentence: LangWords;
  stands_behind: string;
  currencies: string[];
  latitude: { up_to: Limit[]; beyond: Ask; hint: LangWords; tell: LangWords };
  cards: PolicyCard[];
}

export interface PolicyPage {
  hash: string;
  policy: Policy;
}

export interface GestureCount {
  card?: string;
  queue: string;
  channel: ChannelKind;
  kind: RemedyKind;
  currency?: string;
  count: number;
  cents: number;
}

export interface AskCount {
  card?: string;
  asked: number;
  yes: number;
  soft_yes: number;
  promised: number;
}

export interface RemedyLine {
  remedy: string;
  contact: string;
  agent: string;
  at: number;
  kind: RemedyKind;
  money?: Money;
  reason: string;
}

export interface StoryLine {
  story: string;
  title: string;
  at: number;
  kind: RemedyKind;
  occasion: Occasion;
  money?: Money;
}

export interface Report {
  policy?: [string, Policy];
  gestures: GestureCount[];
  asks: AskCount[];
  unknown: RemedyLine[];
  failed: RemedyLine[];
  promises: { made: number; kept: number; broken: number };
  stories: StoryLine[];
}

export interface WalletLine {
  wallet: { per: Per; of: string; currency: string };
  balance: { reserved: number; spent: number };
}

/** A share of asks from which on the limit is too low: who is asked says yes anyway. */
export const TOO_LOW = 0.95;
/** Fewer asks than this say nothing about a limit. */
export const ASKS_MIN = 20;

/** How many of the asks that were answered got a yes; `null` of none. */
export function yesRate(ask: AskCount): number | null {
  return ask.asked === 0 ? null : (ask.yes + ask.soft_yes) / ask.asked;
}

/** Whether so many asks got a yes that the limit is too low. */
export function isTooLow(ask: AskCount): boolean {
  const rate = yesRate(ask);
  return rate !== null && ask.asked >= ASKS_MIN && rate >= TOO_LOW;
}

/** How often a card answered a gift. */
export function answeredBy(card: string | undefined, gestures: readonly GestureCount[]): number {
  return gestures.filter((one) => one.card === card).reduce((sum, one) => sum + one.count, 0);
}

/** The wallets that say something to a person: those of agents, queues and incidents that were drawn on. */
export function budgets(lines: readonly WalletLine[]): WalletLine[] {
  const shown: readonly Per[] = ['agent_day', 'team_day', 'incident', 'surprise_year'];
  return lines.filter(({ wallet }) => shown.includes(wallet.per)).sort((a, b) => b.balance.spent + b.balance.reserved - a.balance.spent - a.balance.reserved);
}

/** Where a contact is, as the floor page tells it. */
export const STATES = ['waiting', 'gathered', 'offered', 'with_agent', 'aside', 'wrap_up'] as const;
export type StateWord = (typeof STATES)[number];

export interface QueueNow {
  name: string;
  title: string;
  is_closed: boolean;
  waiting: number;
  gathered: number;
  offered: number;
  with_agents: number;
  aside: number;
  wrap_up: number;
  /** How many have a promise that was not kept. */
  late: number;
  oldest?: Millis;
  /** How long who comes now would wait, where that can be said. */
  wait?: { p50_ms: number; p90_ms: number };
  /** How many were told how long they would wait, and how many of them were served within it. */
  told: number;
  told_kept: number;
  agents: number;
  there: number;
}

export interface AgentNow {
  agent: string;
  title: string;
  /** Whether it is a machine. */
  bot?: boolean;
  team?: string;
  presence: Presence;
  next?: Presence;
  reason?: string;
  reachable: boolean;
  routable: boolean;
  held: number;
  aside: number;
}

/** What a queue promises. */
export type Measure = 'first_response' | 'next_response' | 'resolution';

export interface ContactNow {
  contact: string;
  queue: string;
  channel: ChannelKind;
  category?: string;
  state: StateWord;
  agent?: string;
  offer?: string;
  aside?: AsideWhy;
  opened_at: Millis;
  waiting_since: Millis;
  callback: boolean;
  effort: Effort;
  /** What was promised and is nearly over, or over. */
  late?: Partial<Record<Measure, { due: Millis; is_missed: boolean }>>;
  tags?: string[];
  practice?: boolean;
}

/** A customer who may not write for a time. */
export interface Block {
  identity: string;
  contact: string;
  queue: string;
  by: string;
  until: Millis;
  reason: string;
}

export interface FloorNow {
  log_seq: number;
  now: Millis;
  queues: QueueNow[];
  agents: AgentNow[];
  contacts: ContactNow[];
  incidents: IncidentNow[];
  blocks?: Block[];
  /** What contacts may be about. */
  categories: string[];
  /** How many are as sought; more than are shown, if there are too many. */
  found: number;
}

/** What happened to many customers at once. */
export interface IncidentNow extends IncidentTerms {
  incident: string;
  by?: string;
  opened_at: Millis;
  /** How many contacts wait for it. */
  gathered: number;
  /** How many more wait in queues and belong to it. */
  alike: number;
  /** It is being ended: nothing comes to it any more. */
  ends: boolean;
}

export interface HourCount {
  queue: string;
  from: Millis;
  arrived: number;
  answered: number;
  in_time: number;
  waited_ms: number;
  abandoned: number;
  resolved: number;
  handed_on: number;
  reopened: number;
}

export interface FloorReport {
  within_ms: number;
  hours: HourCount[];
}

/** Why an agent has, could have or cannot have a contact, as the router says it. */
export interface AgentRow {
  agent: string;
  idle_ms: number;
  standing: { is: string } & Record<string, unknown>;
}

export interface Explanation {
  log_seq: number;
  policy: string;
  place: { is: 'unknown' | 'ended' | 'open' } & Record<string, unknown>;
  /** What conditions could ask of it, if any could. */
  facts?: Record<string, boolean | number | string>;
  route?: string;
  agents: AgentRow[];
}

/** One offer as it was decided: every agent as they stood just before. */
export interface Decision {
  log_seq: number;
  at: Millis;
  agent: string;
  receipt: Receipt;
  table: Explanation;
  /** An answer is bounded: the best agents are told. */
  agents_left_out: number;
}

/** The offers of a contact, or how far the log was read for them. */
export type Decisions = { is: 'working'; upto: number; last: number } | { is: 'failed' } | { is: 'done'; decisions: Decision[]; left_out: number };

export interface Filter {
  queue: string;
  state: StateWord | '';
  agent: string;
}

/** The address that asks for the floor under a filter. */
export function floorPath(filter: Filter): string {
  const wanted = Object.entries(filter).filter(([, value]) => value !== '');
  const query = new URLSearchParams(wanted).toString();
  return query === '' ? '/desk/floor/now' : `/desk/floor/now?${query}`;
}

/** One bar of a chart: what an hour, or a queue's hour, came to. */
export interface Bar {
  from: Millis;
  answered: number;
  abandoned: number;
  arrived: number;
}

const HOUR_MS = 3_600_000;

/** The last hours in order, also those in which nothing happened; of one queue, or of all. */
export function bars(hours: readonly HourCount[], queue: string, now: Millis, count: number): Bar[] {
  const last = Math.floor(now / HOUR_MS) * HOUR_MS;
  const found = new Map<Millis, Bar>();
  for (let n = count - 1; n >= 0; n -= 1) {
    const from = last - n * HOUR_MS;
    found.set(from, { from, answered: 0, abandoned: 0, arrived: 0 });
  }
  for (const hour of hours) {
    const bar = found.get(hour.from);
    if (bar === undefined || (queue !== '' && hour.queue !== queue)) continue;
    bar.answered += hour.answered;
    bar.abandoned += hour.abandoned;
    bar.arrived += hour.arrived;
  }
  return [...found.values()];
}

/** The sums of a queue, or of all. */
export interface Sums {
  arrived: number;
  answered: number;
  abandoned: number;
  /** Of those who were answered or left, how many were answered in time; `null` of none. */
  level: number | null;
  /** How long those who were answered had waited, the mean; `null` of none. */
  mean_wait_ms: number | null;
}

export function sums(hours: readonly HourCount[], queue: string): Sums {
  const of = hours.filter((hour) => queue === '' || hour.queue === queue);
  const sum = (pick: (hour: HourCount) => number) => of.reduce((all, hour) => all + pick(hour), 0);
  const [arrived, answered, abandoned] = [sum((one) => one.arrived), sum((one) => one.answered), sum((one) => one.abandoned)];
  return {
    arrived,
    answered,
    abandoned,
    level: answered + abandoned === 0 ? null : sum((one) => one.in_time) / (answered + abandoned),
    mean_wait_ms: answered === 0 ? null : sum((one) => one.waited_ms) / answered,
  };
}

export type AccountState = 'unknown' | 'working' | 'refused' | 'limited' | 'silent';

/** An account of a channel as those who look after it see it. */
export interface AccountNow {
  channel: ChannelKind;
  account: string;
  state: AccountState;
  /** What is wrong and what to do. */
  words?: string;
  heard_at?: Millis;
  waiting: number;
}

/** What a page got: `silent` cannot be had now, `missing` is not there. */
export type Loaded<T> = { is: 'loading' } | { is: 'silent' } | { is: 'missing' } | { is: 'found'; page: T };

/** Told with what a page asks again by itself: an open page alone does not keep its agent signed in. */
const REFRESH = { 'winterband-refresh': '1' };

export async function load<T>(path: string, isRefresh = false): Promise<Loaded<T>> {
  try {
    const headers = isRefresh ? REFRESH : {};
    const response = await fetch(path, { credentials: 'same-origin', cache: 'no-store', headers, signal: AbortSignal.timeout(10_000) });
    if (response.ok) return { is: 'found', page: (await response.json()) as T };
    return { is: response.status === 404 ? 'missing' : 'silent' };
  } catch {
    return { is: 'silent' };
  }
}
