// What the administration page asks of the gateway, and what it answers. A change of the wire is a change here.

import type { AgentId, ChannelKind, Millis, Problem, Role } from './wire';

/** The parts of the configuration that are lists, in the order in which they are told. */
export const LISTS = [
  'queues',
  'skills',
  'agents',
  'accounts',
  'categories',
  'dispositions',
  'priorities',
  'channels',
  'hours',
  'facts',
  'routes',
  'tags',
  'contact_fields',
] as const;
export type ListKind = (typeof LISTS)[number];
/** Languages are named by their codes and have no order of their own. */
export type Kind = ListKind | 'languages';
export const KINDS: readonly Kind[] = [...LISTS, 'languages'];

/** Anything that JSON can say. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
/** One thing of the configuration: its form is the server's to judge. */
export type Item = { [key: string]: Json };
export type Config = { languages?: { [code: string]: Item } } & { [K in ListKind]?: Item[] };

/** Who looks, and what is theirs to change. */
export interface Mine {
  agent: AgentId;
  role: Role;
  /** The queues that they supervise; none: all. */
  scope: string[];
}

export interface Fault {
  path: string;
  message: string;
  line?: number | null;
}

export interface InForce {
  log_seq: number | null;
  hash: string | null;
  config: Config | null;
  mine: Mine;
}

export interface Applied {
  hash: string;
  log_seq: number;
}

export interface AgentMade extends Applied {
  agent: AgentId;
  name: string;
  /** Shown once. */
  password: string;
}

export interface Session {
  id: string;
  begun_at: Millis | null;
  seen_at: Millis | null;
  until: Millis;
  is_this?: boolean;
}

export interface ChannelAccount {
  channel: ChannelKind;
  name: string;
  /** Where its contacts go; `null`: routing does not know it. */
  account: { title: string; queue: string; priority: number; practice?: boolean } | null;
  /** How it is reached; secrets read `set`. `null`: not set up. */
  settings: Item | null;
  revision: number | null;
}

/** What stands for a secret that is kept and never shown. */
export const SET = 'set';

export interface Finding {
  what: string;
  good: boolean;
  found: string;
}

export interface PolicyText {
  log_seq: number;
  hash: string;
  text: string;
}

export const SCOPES = [
  'messages.write',
  'facts.write',
  'contacts.read',
  'contacts.write',
  'events.read',
  'bots.act',
  'orders.answer',
  'webhooks.manage',
  'parked.manage',
  'config.read',
  'config.write',
  'accounts.manage',
  'customers.export',
  'customers.erase',
  'audit.read',
] as const;

export interface ApiKey {
  id: string;
  name: string;
  admin: boolean;
  agent?: string;
  integration?: string;
  scopes: string[];
  made_at?: Millis;
  expires_at?: Millis;
  replaced_until?: Millis;
}

export interface NewKey {
  name?: string;
  scopes?: string[];
  integration?: string;
  days?: number;
  agent?: string;
}

export interface KeyMade {
  id: string;
  /** Shown once. */
  key: string;
}

export type WebhookState = 'delivering' | 'retrying' | 'stopped' | 'given_up' | 'gone';
export type AttemptOutcome = { is: 'taken' | 'refused' | 'no_answer' | 'unreachable' | 'address_refused'; status?: number };

export interface Webhook {
  id: string;
  url: string;
  name: string;
  log: string;
  types: string[];
  words: boolean;
  made_at: Millis;
  state: WebhookState;
  /** The last number that it took. */
  number: number;
  failing?: { since: Millis; attempts: number; next_at: Millis; last: AttemptOutcome };
}

export interface Attempt {
  number: number;
  seq: number;
  at: Millis;
  ms: number;
  outcome: AttemptOutcome;
}

export interface NewWebhook {
  url: string;
  name?: string;
  log?: string;
  types?: string[];
  words?: boolean;
}

export type Actor = { agent: AgentId } | { key: { id: string; name: string } } | 'operator' | 'system';

export interface AuditEntry {
  n: number;
  at: Millis;
  actor: Actor;
  action: string;
  about?: Record<string, string>;
}

export interface AuditPage {
  entries: AuditEntry[];
  last: number;
}

/** A problem with what some of them say besides. */
export type Told = Problem & { faults?: Fault[]; hash?: string };

/** What came of a question: `silent` was not answered. */
export type Answer<T> = { is: 'done'; page: T } | { is: 'refused'; problem: Told } | { is: 'silent' };

/** How long an answer may take, ms, and more than the server waits: a configuration is in force when it comes, and an account is tried. */
const DEADLINE_MS = 65_000;

async function ask<T>(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<Answer<T>> {
  const init: RequestInit = { method, credentials: 'same-origin', cache: 'no-store', signal: AbortSignal.timeout(DEADLINE_MS) };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { 'content-type': 'application/json' };
  }
  try {
    const response = await fetch(path, init);
    if (!response.ok) return { is: 'refused', problem: (await response.json()) as Told };
    const text = await response.text();
    return { is: 'done', page: (text === '' ? undefined : JSON.parse(text)) as T };
  } catch {
    return { is: 'silent' };
  }
}

const at = (...parts: (string | number)[]) => `/desk/admin/${parts.map((part) => encodeURIComponent(part)).join('/')}`;

// ---- the configuration ----

export const readConfig = () => ask<InForce>('GET', at('config'));

/** Replaces the configuration if it is still the one that was read. */
export const writeConfig = (config: Config, ifHash: string | null) => ask<Applied>('PUT', `${at('config')}${ifHash === null ? '' : `?if_hash=${ifHash}`}`, config);

// ---- agents and how they sign in ----

export const addAgent = (agent: Item) => ask<AgentMade>('POST', at('agents'), { agent });
export const setPassword = (name: string, password: string) => ask<void>('POST', at('agents', name, 'password'), { password });
export const sessionsOf = (name: string) => ask<Session[]>('GET', at('agents', name, 'sessions'));
export const endSessions = (name: string) => ask<{ sessions: number }>('DELETE', at('agents', name, 'sessions'));
export const endSession = (name: string, id: string) => ask<void>('DELETE', at('agents', name, 'sessions', id));

// ---- accounts of channels ----

export const readChannels = () => ask<{ channels: ChannelAccount[] }>('GET', at('channels'));
export const writeChannel = (channel: ChannelKind, name: string, body: { account?: ChannelAccount['account']; settings?: Item }) =>
  ask<Applied & { revision: number }>('PUT', at('channels', channel, name), body);
export const removeChannel = (channel: ChannelKind, name: string) => ask<void>('DELETE', at('channels', channel, name));
export const checkChannel = (channel: ChannelKind, name: string, settings?: Item) =>
  ask<{ findings: Finding[] }>('POST', at('channels', channel, name, 'check'), settings === undefined ? {} : { settings });

// ---- the policy ----

/** The hash that stands for no policy. */
const NO_POLICY = '0'.repeat(32);

export const readPolicy = () => ask<PolicyText>('GET', at('policy'));
export const checkPolicy = (text: string) => ask<{ faults: Fault[] }>('POST', at('policy', 'check'), { text });
/** Puts a text in force in place of the one that it was made from; `null`: there was none. */
export const writePolicy = (text: string, ifHash: string | null) => ask<Applied>('PUT', at('policy'), { text, if_hash: ifHash ?? NO_POLICY });

// ---- keys ----

export const readKeys = () => ask<{ keys: ApiKey[] }>('GET', at('keys'));
export const makeKey = (key: NewKey) => ask<KeyMade>('POST', at('keys'), key);
export const rotateKey = (id: string) => ask<KeyMade>('POST', at('keys', id, 'rotate'), {});
export const removeKey = (id: string) => ask<void>('DELETE', at('keys', id));

// ---- webhooks ----

export const readWebhooks = () => ask<{ webhooks: Webhook[] }>('GET', at('webhooks'));
export const makeWebhook = (webhook: NewWebhook) => ask<{ webhook: Webhook; secret: string }>('POST', at('webhooks'), webhook);
export const changeWebhook = (id: string, change: { enabled?: boolean }) => ask<Webhook>('PATCH', at('webhooks', id), change);
export const rotateWebhook = (id: string) => ask<{ secret: string }>('POST', at('webhooks', id, 'rotate'), {});
export const removeWebhook = (id: string) => ask<void>('DELETE', at('webhooks', id));
export const attemptsOf = (id: string) => ask<{ attempts: Attempt[] }>('GET', at('webhooks', id, 'deliveries'));
export const replayWebhook = (id: string, from: number) => ask<Webhook>('POST', at('webhooks', id, 'replay'), { from });

// ---- what is parked ----

export interface ParkedItem {
  seq: number;
  id: string;
  at: Millis;
  channel: ChannelKind | null;
  account: string | null;
  reason: string;
  /** What was wrong and what to do, in English. */
  detail: string;
  size: number;
  inbound_seq: number | null;
  replays: string | null;
}

export interface ParkedPage {
  items: ParkedItem[];
  next?: number;
  total: number;
}

export type Becomes =
  | { is: 'message'; channel: ChannelKind; account: string; from?: string; category?: string; practice: boolean; own: boolean }
  | { is: 'nothing'; code: string; title: string; detail: string };

export interface ParkedShown {
  item: ParkedItem;
  from: number;
  bytes: string;
  base64?: string;
  content: { text: string; name?: string } | null;
  becomes: Becomes;
}

export type ReplayOutcome =
  | { is: 'taken'; log_seq: number; contact?: string }
  | { is: 'known'; log_seq: number }
  | { is: 'parked'; log_seq: number; reason: string; parked?: string };

export interface Replayed {
  message: string;
  input_seq: number;
  duplicate: boolean;
  outcome?: ReplayOutcome;
}

export const DISMISSALS = ['unusable', 'unwanted', 'elsewhere'] as const;
export type Dismissal = (typeof DISMISSALS)[number];

/** How long a replay is waited for, seconds: the router decides within milliseconds, if it is up. */
const REPLAY_WAIT_S = 10;

/** The newest first; `before` is what the page before gave as `next`. */
export const readParked = (before = 0) => ask<ParkedPage>('GET', `${at('parked')}?order=newest&limit=100&after=${before}`);
export const countParked = () => ask<{ parked: number | null }>('GET', at('parked', 'count'));
export const openParked = (id: string, from: number, length: number) => ask<ParkedShown>('GET', `${at('parked', id)}?from=${from}&length=${length}`);
export const replayParked = (id: string) => ask<Replayed>('POST', `${at('parked', id, 'replay')}?wait=${REPLAY_WAIT_S}`);
export const dismissParked = (id: string, reason: Dismissal) => ask<{ input_seq: number }>('DELETE', at('parked', id), { reason });

// ---- the audit trail ----

export const readAudit = (before?: number) => ask<AuditPage>('GET', `${at('audit')}?limit=100${before === undefined ? '' : `&before=${before}`}`);

// ---- one's own account ----

export const changeOwnPassword = (current: string, next: string) => ask<void>('POST', '/desk/api/password', { current, new: next });
export const ownSessions = () => ask<Session[]>('GET', '/desk/api/sessions');
export const endOwnSession = (id: string) => ask<void>('DELETE', `/desk/api/sessions/${encodeURIComponent(id)}`);
