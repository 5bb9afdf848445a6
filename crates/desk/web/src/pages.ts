// What the desk's pages read by HTTP: the policy, the report, the wallets.

import type { Ask, FactValue, LangWords, Money, Occasion, Per, RemedyKind } from './wire';

/** The pages beside the desk, by the part of the address after `#`. */
export const PAGES = ['policy', 'figures'] as const;
export type PageName = (typeof PAGES)[number];

/** The page that an address asks for. */
export function pageOf(hash: string): PageName | null {
  return PAGES.find((name) => hash === `#${name}`) ?? null;
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
  channel: 'web' | 'api';
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

/** What a page got: `silent` cannot be had now, `missing` is not there. */
export type Loaded<T> = { is: 'loading' } | { is: 'silent' } | { is: 'missing' } | { is: 'found'; page: T };

export async function load<T>(path: string): Promise<Loaded<T>> {
  try {
    const response = await fetch(path, { credentials: 'same-origin', cache: 'no-store', signal: AbortSignal.timeout(10_000) });
    if (response.ok) return { is: 'found', page: (await response.json()) as T };
    return { is: response.status === 404 ? 'missing' : 'silent' };
  } catch {
    return { is: 'silent' };
  }
}
