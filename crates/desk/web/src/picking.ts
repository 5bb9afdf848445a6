// What is being picked while one writes: a sign, and what was typed after it.

export interface Query {
  /** Where the sign stands. */
  from: number;
  words: string;
}

/** Longest that one types to pick something. */
const QUERY_MAX = 40;

/** What is asked for at the caret after a sign that begins a word; `null` if nothing is. */
export function queryAt(text: string, caret: number, sign: '/' | '@'): Query | null {
  const before = text.slice(0, caret);
  const from = before.lastIndexOf(sign);
  if (from < 0 || caret - from - 1 > QUERY_MAX) return null;
  if (from > 0 && !/[\s(]/u.test(before[from - 1]!)) return null;
  const words = before.slice(from + 1);
  // A date, a path, a second sign: that is no picking. A space right after the sign neither.
  return /^(?:[\p{L}\p{N}][\p{L}\p{N} '’._-]*)?$/u.test(words) ? { from, words } : null;
}

/** The text with a query replaced, and where the caret is then. */
export function replaced(text: string, query: Query, caret: number, by: string): { text: string; caret: number } {
  return { text: text.slice(0, query.from) + by + text.slice(caret), caret: query.from + by.length };
}

/** What a key that takes does in a list that moves while one writes. */
export type Taking =
  | { is: 'taken'; place: number }
  /** What was marked is not in the list any more: nothing is taken in its place, and the first is marked. */
  | { is: 'gone'; marked: string | null }
  /** Nothing is marked. */
  | { is: 'none' };

/** What is taken of a list: what was marked, and never what moved to its place. */
export function takingOf(list: readonly string[], marked: string | null): Taking {
  if (marked === null) return { is: 'none' };
  const place = list.indexOf(marked);
  return place < 0 ? { is: 'gone', marked: list[0] ?? null } : { is: 'taken', place };
}
