// Commands on their way. Each keeps its id until it is settled: sent again under the same id, it is carried out once.

import { type Keep, read } from './keep';
import { wellFormed } from './text';
import { newId } from './uuid';
import type { CommandId, DeskCommand, Millis, Outcome, Refusal } from './wire';

export interface Parcel {
  id: CommandId;
  command: DeskCommand;
  at: Millis;
  /**
   * `held` words wait a few seconds, in which they can be taken back; `done` words wait for their entry to come; `refused` words
   * wait for the agent to do something with them.
   */
  fate: 'held' | 'open' | 'done' | 'refused';
  /** When held words go out, by the server's clock. */
  until?: Millis;
  refusal?: Refusal;
  words?: string;
}

export type Words = Extract<DeskCommand, { do: 'reply' | 'note' | 'whisper' }>;
export type WordsParcel = Parcel & { command: Words };

export function hasWords(parcel: Parcel): parcel is WordsParcel {
  return parcel.command.do === 'reply' || parcel.command.do === 'note' || parcel.command.do === 'whisper';
}

/** What the agent wrote, as the gateway can read it. */
function sendable(command: DeskCommand): DeskCommand {
  if ('text' in command) return { ...command, text: wellFormed(command.text) };
  if (command.do === 'decline') return { ...command, reason: wellFormed(command.reason) };
  return command;
}

export class Outbox {
  parcels = $state.raw<readonly Parcel[]>([]);
  readonly #keep: Keep;
  readonly #key: string;

  constructor(keep: Keep, agent: string) {
    this.#keep = keep;
    this.#key = `winterband.desk.outbox.${agent}`;
    const kept = read<Parcel[]>(keep, this.#key, []);
    this.parcels = kept.map((parcel) => ({ ...parcel, command: sendable(parcel.command) }));
  }

  /** With `until` it is held so long before it may go out. */
  add(command: DeskCommand, now: Millis, until?: Millis): Parcel {
    const made: Parcel = { id: newId('cmd', now), command: sendable(command), at: now, fate: 'open' };
    const parcel: Parcel = until === undefined ? made : { ...made, fate: 'held', until };
    this.#put([...this.parcels, parcel]);
    return parcel;
  }

  /** Keeps words that were never sent and whose contact is gone, as if they had been refused. */
  strand(command: Words, now: Millis): void {
    const parcel: Parcel = { id: newId('cmd', now), command: sendable(command), at: now, fate: 'refused', refusal: 'not_yours' };
    this.#put([...this.parcels, parcel]);
  }

  /** Takes the answer; `null` when we do not know the command (any more): answers may come twice. */
  settle(id: CommandId, outcome: Outcome, words?: string): Parcel | null {
    const parcel = this.parcels.find((one) => one.id === id && one.fate === 'open');
    if (parcel === undefined) return null;
    const settled: Parcel = { ...parcel, fate: outcome.is };
    if (outcome.is === 'refused') settled.refusal = outcome.refusal;
    if (words !== undefined) settled.words = words;
    const others = this.parcels.filter((one) => one !== parcel);
    this.#put(hasWords(settled) ? this.parcels.map((one) => (one === parcel ? settled : one)) : others);
    return settled;
  }

  /** Lets held words go out; `true` if there were any. */
  release(which: (parcel: WordsParcel) => boolean): boolean {
    const isDue = (parcel: Parcel) => parcel.fate === 'held' && hasWords(parcel) && which(parcel);
    if (!this.parcels.some(isDue)) return false;
    this.#put(
      this.parcels.map((parcel) => {
        if (!isDue(parcel)) return parcel;
        const { until: _, ...rest } = parcel;
        return { ...rest, fate: 'open' };
      }),
    );
    return true;
  }

  /** Words that can still be taken back, oldest first. */
  heldOf(contact: string): readonly WordsParcel[] {
    return this.wordsOf(contact).filter((parcel) => parcel.fate === 'held');
  }

  /** When the next held words go out; `null` if there are none. */
  get nextRelease(): Millis | null {
    const ends = this.parcels.flatMap((parcel) => (parcel.fate === 'held' ? [parcel.until ?? 0] : []));
    return ends.length === 0 ? null : Math.min(...ends);
  }

  drop(unwanted: (parcel: Parcel) => boolean): void {
    const rest = this.parcels.filter((parcel) => !unwanted(parcel));
    if (rest.length !== this.parcels.length) this.#put(rest);
  }

  /** Not settled yet, oldest first. */
  get open(): readonly Parcel[] {
    return this.parcels.filter((parcel) => parcel.fate === 'open');
  }

  wordsOf(contact: string): readonly WordsParcel[] {
    return this.parcels.filter(hasWords).filter((parcel) => parcel.command.contact === contact);
  }

  forget(): void {
    this.parcels = [];
    this.#keep.remove(this.#key);
  }

  #put(parcels: readonly Parcel[]): void {
    this.parcels = parcels;
    if (parcels.length === 0) this.#keep.remove(this.#key);
    else this.#keep.set(this.#key, JSON.stringify(parcels));
  }
}
