// How a long conversation is scrolled: a part of its rows stands in the page, and what the agent reads stays where it is while
// rows come, go, and turn out to be higher than they were thought to be.

import { Heights, type Anchor, type Part, type Sized } from './windowing';

/** As near to an end of the scroll as counts for being there, pixels. */
export const NEAR_PX = 80;
/** How far beyond what is seen rows stand in the page, pixels. */
const AROUND_PX = 1_000;
/** How near what is seen may come to the end of those rows before others are put there, pixels. */
const SLACK_PX = 400;
/** Conversations up to so many rows stand in the page as a whole. */
const WHOLE_ROWS_MAX = 100;
/** How often rows may turn out to have other heights before the page is shown as it is. */
const TURNS_MAX = 8;

/** The attribute by which a row in the page is known. */
export const ROW_KEY = 'data-row';

export class Scroller {
  part = $state.raw<Part>({ from: 0, to: 0, above: 0, below: 0 });
  /** The agent stands at the newest, and follows what comes. */
  isAtEnd = $state(true);
  readonly #heights = new Heights();
  #anchor: Anchor | null = null;
  #box: HTMLElement | null = null;
  #list: HTMLElement | null = null;
  #turns = 0;
  /** Where the scroll stood when we last looked, pixels. */
  #seen = 0;
  #hasFocus = false;

  /** Takes the elements: what scrolls, and the list in it. Rows that change by themselves, as a picture does, are noticed. */
  attach(box: HTMLElement, list: HTMLElement): () => void {
    [this.#box, this.#list] = [box, list];
    let frame = 0;
    // In the next frame: what is put into the page while sizes are told would be told too late.
    const observer = new ResizeObserver(() => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => {
        this.notice();
        this.settle();
      });
    });
    observer.observe(list);
    return () => {
      observer.disconnect();
      cancelAnimationFrame(frame);
      [this.#box, this.#list] = [null, null];
    };
  }

  /** Takes the rows there are, before they are drawn. */
  lay(rows: readonly Sized[]): void {
    this.#heights.lay(rows);
    this.#turns = 0;
    this.#cut(true);
  }

  /** The list is wider or narrower: no height counts any more. */
  rewrap(): void {
    this.#heights.forget();
  }

  /** After the rows were drawn: measures them, and puts the view back where it belongs. */
  settle(): void {
    const [box, list] = [this.#box, this.#list];
    if (box === null || list === null || box.clientHeight === 0) return;
    const hasMoved = this.#heights.measure(measured(list));
    if (hasMoved && this.#turns++ < TURNS_MAX) this.#cut(true);
    const wanted = this.isAtEnd ? box.scrollHeight - box.clientHeight : list.offsetTop + this.#place();
    if (Math.abs(box.scrollTop - wanted) >= 1) box.scrollTop = wanted;
    this.#seen = box.scrollTop;
    // What was to be shown stands at the very end, or all fits.
    if (!hasMoved && this.part.below === 0 && box.scrollHeight - box.scrollTop - box.clientHeight < 1) this.isAtEnd = true;
    if (this.#hasFocus && !list.contains(document.activeElement)) box.focus({ preventScroll: true });
    this.#hasFocus = false;
  }

  /** The agent scrolled. */
  scrolled(): void {
    const [box, list] = [this.#box, this.#list];
    if (box === null || list === null) return;
    this.#turns = 0;
    this.#seen = box.scrollTop;
    this.isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PX;
    const top = box.scrollTop - list.offsetTop;
    this.#anchor = this.#heights.anchorAt(top, top + box.clientHeight);
    this.#cut(false);
  }

  /**
   * Before something in the page changes: a scroll of which the browser has not told yet is not to be undone. Afterwards it
   * could not be told from what the browser did because the list became shorter for a moment.
   */
  notice(): void {
    if (this.#box !== null && Math.abs(this.#box.scrollTop - this.#seen) >= 1) this.scrolled();
  }

  toEnd(): void {
    this.isAtEnd = true;
    this.#seen = this.#box?.scrollTop ?? 0;
    this.#turns = 0;
    this.#cut(true);
    this.settle();
  }

  /** Brings a row into the middle of the view; `false` if it is not among the rows. */
  show(key: string): boolean {
    const box = this.#box;
    if (box === null || this.#heights.topOf(key) === null) return false;
    this.isAtEnd = false;
    this.#seen = box.scrollTop;
    this.#anchor = { key, offset: Math.min(0, (this.#heights.heightOf(key) - box.clientHeight) / 2) };
    this.#turns = 0;
    this.#cut(true);
    this.settle();
    return true;
  }

  /** Where in the list the view begins. */
  #place(): number {
    if (this.isAtEnd || this.#anchor === null) return this.#heights.total - (this.#box?.clientHeight ?? 0);
    return this.#heights.placeOf(this.#anchor) ?? this.#heights.total - (this.#box?.clientHeight ?? 0);
  }

  /** Chooses the rows that stand in the page; unless it must, only when the view nears their end. */
  #cut(must: boolean): void {
    const top = this.#place();
    const bottom = top + (this.#box?.clientHeight ?? 0);
    const { above, below } = this.part;
    const holds =
      (above === 0 || above <= top - SLACK_PX) && (below === 0 || this.#heights.total - below >= bottom + SLACK_PX);
    if (!must && holds) return;
    const { count } = this.#heights;
    const part =
      count <= WHOLE_ROWS_MAX ? { from: 0, to: count, above: 0, below: 0 } : this.#heights.part(top - AROUND_PX, bottom + AROUND_PX);
    if (same(part, this.part)) return;
    this.#hasFocus ||= this.#list?.contains(document.activeElement) ?? false;
    this.part = part;
  }
}

function* measured(list: HTMLElement): Generator<[string, number]> {
  for (const row of list.children) {
    const key = row.getAttribute(ROW_KEY);
    if (key !== null) yield [key, row.getBoundingClientRect().height];
  }
}

function same(a: Part, b: Part): boolean {
  return a.from === b.from && a.to === b.to && a.above === b.above && a.below === b.below;
}
