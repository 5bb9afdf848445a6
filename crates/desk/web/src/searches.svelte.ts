// Searches that an agent ran and saved: kept in this browser until they sign out.

import { type Keep, read } from './keep';
import { EMPTY, withRecent, withSaved, type Form, type Kept } from './search';

export class Searches {
  all = $state.raw<readonly Kept[]>([]);
  readonly #keep: Keep;
  readonly #key: string;

  constructor(keep: Keep, agent: string) {
    this.#keep = keep;
    this.#key = `winterband.desk.searches.${agent}`;
    // What an older page kept may lack fields that there are now.
    this.all = read<Kept[]>(keep, this.#key, []).map((one) => ({ ...one, form: { ...EMPTY, ...one.form } }));
  }

  ran(form: Form): void {
    this.#put(withRecent(this.all, form));
  }

  save(form: Form, isSaved: boolean): void {
    this.#put(withSaved(this.all, form, isSaved));
  }

  forget(): void {
    this.all = [];
    this.#keep.remove(this.#key);
  }

  #put(all: readonly Kept[]): void {
    this.all = all;
    this.#keep.set(this.#key, JSON.stringify(all));
  }
}
