// Many contacts at once: which are chosen, and how far what was asked for them has come.

import { bulkCommand, type BulkAct } from './marks';
import type { Desk } from './store.svelte';
import type { CommandId, ContactId, Refusal } from './wire';

/** What became of one command of many. */
export interface Failed {
  contact: ContactId;
  refusal: Refusal;
}

export class Bulk {
  /** Contacts are being chosen. */
  isOn = $state(false);
  chosen = $state.raw<ReadonlySet<ContactId>>(new Set());
  /** How many commands were given, and how many have an answer. */
  total = $state(0);
  done = $state(0);
  failed = $state.raw<readonly Failed[]>([]);
  readonly #desk: Desk;
  #open = new Map<CommandId, ContactId>();
  #last: ContactId | null = null;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  get isBusy(): boolean {
    return this.done < this.total;
  }

  start(): void {
    this.isOn = true;
    this.#forget();
  }

  end(): void {
    this.isOn = false;
    this.chosen = new Set();
    this.#last = null;
    this.#forget();
  }

  /** Chooses one, or no more; with `through`, all from the last one to it, in the order in which they are listed. */
  toggle(contact: ContactId, through: boolean, listed: readonly ContactId[]): void {
    const chosen = new Set(this.chosen);
    const from = this.#last === null ? -1 : listed.indexOf(this.#last);
    const to = listed.indexOf(contact);
    if (through && from >= 0 && to >= 0) {
      for (const one of listed.slice(Math.min(from, to), Math.max(from, to) + 1)) chosen.add(one);
    } else if (!chosen.delete(contact)) chosen.add(contact);
    this.#last = contact;
    this.chosen = chosen;
    this.#forget();
  }

  chooseAll(listed: readonly ContactId[]): void {
    this.chosen = this.chosen.size === listed.length ? new Set() : new Set(listed);
    this.#forget();
  }

  /** Contacts that went are not chosen any more. */
  keepOnly(listed: readonly ContactId[]): void {
    const left = [...this.chosen].filter((one) => listed.includes(one));
    if (left.length !== this.chosen.size) this.chosen = new Set(left);
  }

  act(act: BulkAct): void {
    if (this.isBusy) return;
    const contacts = [...this.chosen];
    this.#forget();
    this.total = contacts.length;
    for (const contact of contacts) {
      const parcel = this.#desk.command(bulkCommand(act, contact));
      this.#open.set(parcel.id, contact);
    }
  }

  /** A command was answered; `true` if it was one of these: its refusal is told here, not one by one. */
  settle(id: CommandId, refusal: Refusal | null): boolean {
    const contact = this.#open.get(id);
    if (contact === undefined) return false;
    this.#open.delete(id);
    this.done += 1;
    if (refusal !== null) this.failed = [...this.failed, { contact, refusal }];
    // What failed stays chosen, for another try.
    if (!this.isBusy) this.chosen = new Set(this.failed.map((one) => one.contact));
    return true;
  }

  #forget(): void {
    if (this.isBusy) return;
    this.total = 0;
    this.done = 0;
    this.failed = [];
  }
}
