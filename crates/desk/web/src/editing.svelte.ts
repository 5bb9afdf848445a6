// The configuration while somebody changes it: what is in force, what they want, and how the two come together.

import { readConfig, writeConfig, type Applied, type Config, type Fault, type InForce, type Item, type Json, type Kind, type Mine } from './admin';
import { diff, find, isMine, keyOf, mayAdd, move, placeOf, put, rebased, remove, type Change, type Place } from './configs';

/** What came of the last save. */
export type Saved =
  | { is: 'no' }
  | { is: 'saving' }
  | { is: 'in_force'; log_seq: number }
  /** Nothing changed. */
  | { is: 'faulty'; faults: Fault[]; isBeyond: boolean }
  /** Somebody else changed it meanwhile. */
  | { is: 'overtaken' }
  /** It is stored; whether it is in force is not known yet. */
  | { is: 'open' }
  | { is: 'refused'; words: string }
  | { is: 'silent' };

const NOTHING: Config = {};

export class Editing {
  /** What is in force, as far as is known. */
  base = $state.raw<InForce | null>(null);
  wanted = $state.raw<Config>(NOTHING);
  isSilent = $state(false);
  /** The problem that keeps all of it from being shown, in words. */
  refusal = $state<string | null>(null);
  saved = $state.raw<Saved>({ is: 'no' });
  /** What somebody else changed too, since it was read: one's own goes over it. */
  clashes = $state.raw<readonly Place[]>([]);

  changes: readonly Change[] = $derived.by(() => (this.base === null ? [] : diff(this.base.config ?? NOTHING, this.wanted)));
  faults: readonly Fault[] = $derived.by(() => (this.saved.is === 'faulty' ? this.saved.faults : []));

  get mine(): Mine | null {
    return this.base?.mine ?? null;
  }

  /** What is in force now, with one's own changes put onto it. */
  async look(): Promise<void> {
    const answer = await readConfig();
    this.isSilent = answer.is === 'silent';
    this.refusal = answer.is === 'refused' ? wordsOf(answer.problem) : null;
    if (answer.is !== 'done') return;
    const fresh = answer.page.config ?? NOTHING;
    const { config, clashes } = this.base === null ? { config: fresh, clashes: [] } : rebased(this.base.config ?? NOTHING, this.wanted, fresh);
    this.base = answer.page;
    this.wanted = config;
    this.clashes = clashes;
    if (this.saved.is !== 'in_force') this.saved = { is: 'no' };
  }

  isMine(kind: Kind, item: Item): boolean {
    return this.mine !== null && isMine(this.mine, kind, item);
  }

  mayAdd(kind: Kind): boolean {
    return this.mine !== null && mayAdd(this.mine, kind);
  }

  /** Puts an item in the place of the one of a key, or as a new one. `false`: another one has its name. */
  put(kind: Kind, key: string | null, item: Item): boolean {
    const now = keyOf(kind, item);
    if (now !== key && find(this.wanted, { kind, key: now }) !== undefined) return false;
    this.#want(put(this.wanted, kind, key, item));
    return true;
  }

  remove(place: Place): void {
    this.#want(remove(this.wanted, place));
  }

  move(place: Place, by: number): void {
    this.#want(move(this.wanted, place, by));
  }

  /** What was said of the last save was read. */
  acknowledge(): void {
    if (this.saved.is === 'in_force') this.saved = { is: 'no' };
  }

  discard(): void {
    this.#want(this.base?.config ?? NOTHING);
    this.clashes = [];
  }

  /** What is wrong with an item, by its fields. */
  faultsOf(place: Place): Fault[] {
    return this.faults.flatMap((fault) => {
      const found = placeOf(this.wanted, fault);
      return found?.kind === place.kind && found.key === place.key ? [{ ...fault, path: found.rest }] : [];
    });
  }

  async save(): Promise<void> {
    const wanted = this.wanted;
    this.saved = { is: 'saving' };
    const answer = await writeConfig(wanted, this.base?.hash ?? null);
    if (answer.is === 'done') return this.#inForce(wanted, answer.page);
    if (answer.is === 'silent') this.saved = { is: 'silent' };
    else {
      const { problem } = answer;
      if (problem.code === 'config_changed') this.saved = { is: 'overtaken' };
      else if (problem.code === 'outcome_open') this.saved = { is: 'open' };
      else if (problem.faults !== undefined) this.saved = { is: 'faulty', faults: problem.faults, isBeyond: problem.code === 'beyond_you' };
      else this.saved = { is: 'refused', words: wordsOf(problem) };
    }
  }

  /** It is in force: what was changed while it was being saved stays a change. */
  async #inForce(config: Config, { hash, log_seq }: Applied): Promise<void> {
    if (this.base !== null) this.base = { ...this.base, config, hash, log_seq };
    this.clashes = [];
    this.saved = { is: 'in_force', log_seq };
    // A new agent has the id that the server gave them.
    await this.look();
  }

  /** Something else changed the configuration, as an account of a channel that was added. */
  async tookEffect(log_seq: number): Promise<void> {
    this.saved = { is: 'in_force', log_seq };
    await this.look();
  }

  #want(config: Config): void {
    this.wanted = config;
    if (this.saved.is !== 'saving') this.saved = { is: 'no' };
  }
}

/** One item while it is being changed. */
export class ItemDraft {
  item = $state<Item>({});
  /** Fields in which something stands that cannot be read. */
  unread = $state<string[]>([]);

  constructor(item: Item) {
    this.item = structuredClone(item);
  }

  /** Says a field, or leaves it out. */
  set(field: string, value: Json | undefined): void {
    if (value === undefined) delete this.item[field];
    else this.item[field] = value;
  }

  /** Puts a word into a list of them, or takes it out; `keepsEmpty`: an empty list is said all the same. */
  toggle(field: string, word: string, keepsEmpty: boolean): void {
    const words = this.words(field);
    const next = words.includes(word) ? words.filter((one) => one !== word) : [...words, word].sort();
    this.set(field, next.length === 0 && !keepsEmpty ? undefined : next);
  }

  words(field: string): string[] {
    const value = this.item[field];
    return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
  }

  text(field: string): string {
    const value = this.item[field];
    return typeof value === 'string' ? value : '';
  }

  number(field: string): number | null {
    const value = this.item[field];
    return typeof value === 'number' ? value : null;
  }

  /** A map of names to numbers, as skills and capacities are. */
  numbers(field: string): Record<string, number> {
    const value = this.item[field];
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
    return Object.fromEntries(Object.entries(value).filter((one): one is [string, number] => typeof one[1] === 'number'));
  }

  setNumber(field: string, name: string, number: number | null): void {
    const { [name]: _, ...rest } = this.numbers(field);
    const all = number === null ? rest : { ...rest, [name]: number };
    this.set(field, Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1))));
  }

  isUnread(field: string, isIt: boolean): void {
    this.unread = [...this.unread.filter((one) => one !== field), ...(isIt ? [field] : [])];
  }

  /** The item as it stands; `null` while something in it cannot be read. */
  taken(): Item | null {
    return this.unread.length > 0 ? null : ($state.snapshot(this.item as object) as Item);
  }
}

/** A problem as its author says it. */
export function wordsOf(problem: { title: string; detail?: string }): string {
  return problem.detail === undefined || problem.detail === problem.title ? problem.title : `${problem.title}: ${problem.detail}`;
}
