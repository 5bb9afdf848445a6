// The configuration as data: what a change is, item by item, and how it is put onto a newer one. Pure.

import { KINDS, LISTS, type Config, type Fault, type Item, type Json, type Kind, type ListKind, type Mine } from './admin';
import type { Role } from './wire';

/** One thing of the configuration, by what names it within its kind. */
export interface Place {
  kind: Kind;
  key: string;
}

/** What became of a field; a value that is absent was or is not said. */
export interface FieldChange {
  field: string;
  from?: Json;
  to?: Json;
}

export type Change =
  | (Place & { is: 'added'; item: Item })
  | (Place & { is: 'removed'; item: Item })
  | (Place & { is: 'changed'; fields: FieldChange[]; item: Item })
  /** The same ones in another order. */
  | { kind: ListKind; is: 'moved'; key: ''; order: string[] };

const isList = (kind: Kind): kind is ListKind => (LISTS as readonly string[]).includes(kind);

/** What names an item within its kind. */
export function keyOf(kind: Kind, item: Item): string {
  switch (kind) {
    case 'accounts':
      return `${text(item['channel'])}.${text(item['name'])}`;
    case 'channels':
      return text(item['channel']);
    case 'priorities':
      return text(item['priority']);
    case 'languages':
      return text(item['code']);
    default:
      return text(item['name']);
  }
}

function text(value: Json | undefined): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** The items of a kind in their order; a language's code is one of its fields here. */
export function itemsOf(config: Config, kind: Kind): Item[] {
  if (isList(kind)) return config[kind] ?? [];
  return Object.entries(config.languages ?? {}).map(([code, need]) => ({ code, ...need }));
}

/** The configuration with other items of a kind; a kind without any is left out unless it must be there. */
function withItems(config: Config, kind: Kind, items: Item[]): Config {
  if (isList(kind)) return { ...config, [kind]: items };
  return { ...config, languages: Object.fromEntries(items.map(({ code, ...need }) => [text(code), need])) };
}

export function find(config: Config, { kind, key }: Place): Item | undefined {
  return itemsOf(config, kind).find((item) => keyOf(kind, item) === key);
}

/** The configuration with an item in the place of the one of this key, or at the end if there is none. */
export function put(config: Config, kind: Kind, key: string | null, item: Item): Config {
  const items = itemsOf(config, kind);
  const n = key === null ? -1 : items.findIndex((one) => keyOf(kind, one) === key);
  return withItems(config, kind, n < 0 ? [...items, item] : items.with(n, item));
}

export function remove(config: Config, { kind, key }: Place): Config {
  return withItems(config, kind, itemsOf(config, kind).filter((item) => keyOf(kind, item) !== key));
}

/** The configuration with an item so many places later in its list; it stops at the ends. */
export function move(config: Config, { kind, key }: Place, by: number): Config {
  const items = [...itemsOf(config, kind)];
  const n = items.findIndex((item) => keyOf(kind, item) === key);
  const to = Math.min(Math.max(n + by, 0), items.length - 1);
  const [item] = n < 0 ? [] : items.splice(n, 1);
  if (item === undefined) return config;
  items.splice(to, 0, item);
  return withItems(config, kind, items);
}

/** Whether two values say the same; the order of an object's fields says nothing. */
export function same(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((one, n) => same(one, b[n]));
  }
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => same(a[key], b[key]));
}

/** The fields in which two items differ, in the order of their names. */
export function fieldsOf(from: Item, to: Item): FieldChange[] {
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort();
  return names.flatMap((field) => {
    const [before, after] = [from[field], to[field]];
    if (same(before, after)) return [];
    return [{ field, ...(before === undefined ? {} : { from: before }), ...(after === undefined ? {} : { to: after }) }];
  });
}

/** What leads from one configuration to another, item by item. */
export function diff(from: Config, to: Config): Change[] {
  return KINDS.flatMap((kind) => diffOf(kind, itemsOf(from, kind), itemsOf(to, kind)));
}

function diffOf(kind: Kind, before: Item[], after: Item[]): Change[] {
  const keyed = (items: Item[]) => new Map(items.map((item) => [keyOf(kind, item), item]));
  const [old, now] = [keyed(before), keyed(after)];
  const changes: Change[] = [];
  for (const [key, item] of old) if (!now.has(key)) changes.push({ kind, key, is: 'removed', item });
  for (const [key, item] of now) {
    const was = old.get(key);
    if (was === undefined) changes.push({ kind, key, is: 'added', item });
    else if (!same(was, item)) changes.push({ kind, key, is: 'changed', fields: fieldsOf(was, item), item });
  }
  const kept = (of: Map<string, Item>, other: Map<string, Item>) => [...of.keys()].filter((key) => other.has(key));
  const [order, wasOrder] = [kept(now, old), kept(old, now)];
  if (isList(kind) && !same(order, wasOrder)) changes.push({ kind, key: '', is: 'moved', order });
  return changes;
}

/** What one wanted, put onto what is in force by now; and what somebody else changed there too, which one's own overwrites. */
export function rebased(base: Config, wanted: Config, fresh: Config): { config: Config; clashes: Place[] } {
  const theirs = new Map(diff(base, fresh).map((change) => [`${change.kind} ${change.key}`, change]));
  const clashes: Place[] = [];
  let config = fresh;
  for (const change of diff(base, wanted)) {
    const place = { kind: change.kind, key: change.key };
    if (change.is === 'moved') {
      config = withItems(config, change.kind, inOrder(change.kind, itemsOf(config, change.kind), change.order));
      continue;
    }
    const other = theirs.get(`${change.kind} ${change.key}`);
    const isSame = other !== undefined && other.is === change.is && (change.is === 'removed' || ('item' in other && same(other.item, change.item)));
    if (other !== undefined && !isSame) clashes.push(place);
    if (change.is === 'removed') config = remove(config, place);
    else if (change.is === 'added') config = put(config, change.kind, change.key, change.item);
    else config = put(config, change.kind, change.key, merged(find(fresh, place), change));
  }
  return { config, clashes };
}

/** One's own fields in what the item is by now; the whole item if somebody took it away meanwhile. */
function merged(now: Item | undefined, change: { fields: FieldChange[]; item: Item }): Item {
  if (now === undefined) return change.item;
  const item = { ...now };
  for (const { field, to } of change.fields) {
    if (to === undefined) delete item[field];
    else item[field] = to;
  }
  return item;
}

function inOrder(kind: Kind, items: Item[], order: string[]): Item[] {
  const rank = (item: Item) => order.indexOf(keyOf(kind, item));
  const known = items.filter((item) => rank(item) >= 0).sort((a, b) => rank(a) - rank(b));
  // What is not in the order keeps its place.
  return items.map((item) => (rank(item) < 0 ? item : (known.shift() ?? item)));
}

/** What a fault is about, if it is about one item: `agents[3].queues` is about the fourth agent's `queues`. */
export function placeOf(config: Config, fault: Fault): (Place & { rest: string }) | null {
  const listed = /^([a-z_]+)\[(\d+)\](?:\.(.*))?$/u.exec(fault.path);
  const kind = KINDS.find((one) => one === listed?.[1]);
  if (listed !== null && kind !== undefined) {
    const item = itemsOf(config, kind)[Number(listed[2])];
    return item === undefined ? null : { kind, key: keyOf(kind, item), rest: listed[3] ?? '' };
  }
  const language = /^languages\.([^.]+)(?:\.(.*))?$/u.exec(fault.path);
  return language === null ? null : { kind: 'languages', key: language[1] ?? '', rest: language[2] ?? '' };
}

// ---- who may change what ----

export const ROLES: readonly Role[] = ['agent', 'lead', 'supervisor', 'administrator'];

/** Whether a role is at least another. */
export function isAtLeast(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least);
}

/** What an agent may do, whichever of the two words says it. */
export function rankOf(agent: Item): Role {
  const role = ROLES.find((one) => one === agent['role']) ?? 'agent';
  return agent['lead'] === true && role === 'agent' ? 'lead' : role;
}

/** The roles that somebody may give: none above their own. */
export function rolesOf(mine: Mine): readonly Role[] {
  return ROLES.slice(0, ROLES.indexOf(mine.role) + 1);
}

/** Whether every queue is somebody's, and with them what all queues share. */
export function hasAll(mine: Mine): boolean {
  return mine.role === 'administrator' || mine.scope.length === 0;
}

/** The queues that somebody may put others to, of all there are. */
export function queuesOf(mine: Mine, config: Config): Item[] {
  return itemsOf(config, 'queues').filter((queue) => hasAll(mine) || mine.scope.includes(text(queue['name'])));
}

const names = (value: Json | undefined): string[] => (Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []);

/**
 * Whether an item is somebody's to change, as far as can be said before asking: only who administrates changes who supervises, but for
 * themselves; who supervises some queues only has those, who works in them, what leads into them, and nothing that belongs to all.
 */
export function isMine(mine: Mine, kind: Kind, item: Item): boolean {
  if (mine.role !== 'administrator' && kind === 'agents' && isAtLeast(rankOf(item), 'supervisor') && item['id'] !== mine.agent) return false;
  if (hasAll(mine)) return true;
  const has = (queue: Json | undefined) => mine.scope.includes(text(queue));
  if (kind === 'agents') return names(item['queues']).some(has);
  if (kind === 'queues') return has(item['name']);
  return (kind === 'accounts' || kind === 'categories') && has(item['queue']);
}

/** Whether somebody may add one of a kind: who supervises some queues only adds what works in them and leads into them. */
export function mayAdd(mine: Mine, kind: Kind): boolean {
  return hasAll(mine) || kind === 'agents' || kind === 'accounts' || kind === 'categories';
}

/** Names of queues, agents and the like: letters, digits, - and _. */
export function isName(name: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}$/u.test(name);
}

// ---- times ----

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const;

/** A time as files write it: `90s`, `1h 30m`; `0s` for none. */
export function durationText(ms: number): string {
  let rest = Math.max(0, Math.round(ms));
  const parts: string[] = [];
  for (const [unit, size] of UNITS) {
    // Days only if they are whole: 36h reads better than 1d 12h.
    if (unit === 'd' && rest % size !== 0) continue;
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count}${unit}`);
    rest -= count * size;
  }
  return parts.length === 0 ? '0s' : parts.join(' ');
}

/** How many milliseconds a text of a time says; `null` if it says none. */
export function durationMs(written: string): number | null {
  const trimmed = written.trim();
  if (!/^(?:\d+\s*(?:d|h|m|s|ms)\s*)+$/u.test(trimmed)) return null;
  let sum = 0;
  for (const [, count, unit] of trimmed.matchAll(/(\d+)\s*(ms|d|h|m|s)/gu)) {
    sum += Number(count) * (UNITS.find(([name]) => name === unit)?.[1] ?? 0);
  }
  return Number.isSafeInteger(sum) ? sum : null;
}

// ---- texts ----

export type LineChange = { is: 'same' | 'added' | 'removed'; text: string };

/** What changed between two texts, by lines: what they have in common before and after it is cut to a few lines. */
export function lineDiff(from: string, to: string, around = 2): LineChange[] {
  const [a, b] = [from.split('\n'), to.split('\n')];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  if (head === a.length && head === b.length) return [];
  const as = (is: LineChange['is']) => (line: string) => ({ is, text: line });
  return [
    ...a.slice(Math.max(0, head - around), head).map(as('same')),
    ...a.slice(head, a.length - tail).map(as('removed')),
    ...b.slice(head, b.length - tail).map(as('added')),
    ...b.slice(b.length - tail, b.length - tail + around).map(as('same')),
  ];
}

/** A first password that can be read out: five groups, none of whose signs look like another. */
export function madePassword(random: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> = (bytes) => crypto.getRandomValues(bytes)): string {
  const SIGNS = 'abcdefghjkmnpqrstuvwxyz23456789';
  const signs: string[] = [];
  while (signs.length < 20) {
    // Signs past a whole number of alphabets would come more often than others.
    for (const byte of random(new Uint8Array(32))) if (byte < SIGNS.length * 8 && signs.length < 20) signs.push(SIGNS[byte % SIGNS.length] ?? '');
  }
  return signs.join('').replace(/(.{4})(?=.)/gu, '$1-');
}
