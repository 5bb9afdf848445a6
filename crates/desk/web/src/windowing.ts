// Which rows of a long list stand in the page: those in view and a little around, each at the height that it was measured at.

/** A row before it is measured. */
export interface Sized {
  key: string;
  /** The height that it will have, roughly, pixels. */
  guess: number;
  /** It stays whatever comes before it, so that a place can be held on to by it. */
  isFirm: boolean;
}

/** Where a list stands: so many pixels below the upper edge of this row. */
export interface Anchor {
  key: string;
  offset: number;
}

/** Rows from `from` up to, not including, `to`; with the room that those before and after them take, pixels. */
export interface Part {
  from: number;
  to: number;
  above: number;
  below: number;
}

/** Differences that nobody sees, pixels. */
const SAME_PX = 0.5;

/** Heights by row, and what follows from them. */
export class Heights {
  #measured = new Map<string, number>();
  #rows: readonly Sized[] = [];
  #index = new Map<string, number>();
  #heights = new Float64Array(0);
  /** Where each row begins, and at the end where the last one ends. */
  #tops = new Float64Array(1);

  /** Lays the rows out anew; heights of rows that are gone are forgotten. */
  lay(rows: readonly Sized[]): void {
    const measured = new Map<string, number>();
    this.#rows = rows;
    this.#index = new Map();
    this.#heights = new Float64Array(rows.length);
    this.#tops = new Float64Array(rows.length + 1);
    rows.forEach((row, i) => {
      const height = this.#measured.get(row.key);
      if (height !== undefined) measured.set(row.key, height);
      this.#index.set(row.key, i);
      this.#heights[i] = height ?? row.guess;
    });
    this.#measured = measured;
    this.#addUp(0);
  }

  /** Takes heights as they are in the page; `true` if that moved anything. */
  measure(found: Iterable<readonly [key: string, height: number]>): boolean {
    let first = this.#rows.length;
    for (const [key, height] of found) {
      const i = this.#index.get(key);
      if (i === undefined) continue;
      this.#measured.set(key, height);
      if (Math.abs(this.#heights[i]! - height) < SAME_PX) continue;
      this.#heights[i] = height;
      first = Math.min(first, i);
    }
    this.#addUp(first);
    return first < this.#rows.length;
  }

  #addUp(first: number): void {
    for (let i = first; i < this.#rows.length; i++) this.#tops[i + 1] = this.#tops[i]! + this.#heights[i]!;
  }

  /** All rows are to be measured anew, as when the list became wider. */
  forget(): void {
    this.#measured.clear();
  }

  get count(): number {
    return this.#rows.length;
  }

  get total(): number {
    return this.#tops[this.#rows.length]!;
  }

  /** The row at a place; the first or last one beyond the ends. -1 without rows. */
  at(place: number): number {
    let low = 0;
    let high = this.#rows.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#tops[middle]! <= place) low = middle;
      else high = middle - 1;
    }
    return high < 0 ? -1 : low;
  }

  /** The rows between two places. */
  part(from: number, to: number): Part {
    if (this.#rows.length === 0) return { from: 0, to: 0, above: 0, below: 0 };
    const first = this.at(from);
    const last = this.at(to) + 1;
    return { from: first, to: last, above: this.#tops[first]!, below: this.total - this.#tops[last]! };
  }

  topOf(key: string): number | null {
    const i = this.#index.get(key);
    return i === undefined ? null : this.#tops[i]!;
  }

  heightOf(key: string): number {
    const i = this.#index.get(key);
    return i === undefined ? 0 : this.#heights[i]!;
  }

  /**
   * What to hold on to between two places, so that it stays where it is whatever changes above it. Rows whose own height will
   * change are held on to only if there is no other: those that were not measured yet, and the first one of all, which looks
   * otherwise once something stands before it.
   */
  anchorAt(place: number, until: number): Anchor | null {
    const at = this.at(place);
    if (at < 0) return null;
    let best = -1;
    const first = this.#rows.findIndex((row) => row.isFirm);
    for (let i = at; i < this.#rows.length && this.#tops[i]! <= until; i++) {
      const row = this.#rows[i]!;
      if (!row.isFirm) continue;
      if (i !== first && this.#measured.has(row.key)) {
        best = i;
        break;
      }
      if (best < 0) best = i;
    }
    const i = best < 0 ? at : best;
    return { key: this.#rows[i]!.key, offset: place - this.#tops[i]! };
  }

  /** Where an anchor is now; `null` if its row is gone. */
  placeOf(anchor: Anchor): number | null {
    const top = this.topOf(anchor.key);
    return top === null ? null : top + anchor.offset;
  }
}
