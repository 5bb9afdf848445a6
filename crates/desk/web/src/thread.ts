// The entries of one conversation: dense by sequence, never doubled, always in order.

import type { DeskEntry } from './wire';

const ENDS_UNREAD: ReadonlySet<DeskEntry['kind']['is']> = new Set(['from_agent', 'from_colleague', 'resolved']);

export interface Merged {
  entries: readonly DeskEntry[];
  /** Something between what we have and what came is missing: say hello again. */
  gap: boolean;
}

/** How to read entries that do not join what we have. */
export type Start =
  /** They are a single change: a hole is a gap. */
  | 'must_join'
  /** They are the server's own answer to what we said we have: if it starts later, older ones can be asked for. */
  | 'may_start_anew';

/** Merges entries that came into those we have. */
export function merge(have: readonly DeskEntry[], came: readonly DeskEntry[], start: Start): Merged {
  const fresh = dense(came);
  if (fresh === null) return { entries: have, gap: true };
  const first = fresh[0];
  if (first === undefined) return { entries: have, gap: false };
  const last = have.at(-1);
  const oldest = have[0];
  if (last === undefined || oldest === undefined) {
    const joins = start === 'may_start_anew' || first.seq === 1;
    return joins ? { entries: fresh, gap: false } : { entries: have, gap: true };
  }
  const end = fresh.at(-1) ?? first;
  if (first.seq > last.seq + 1) {
    return start === 'may_start_anew' ? { entries: fresh, gap: false } : { entries: have, gap: true };
  }
  if (end.seq < oldest.seq - 1) return { entries: have, gap: false };
  const before = fresh.filter((entry) => entry.seq < oldest.seq);
  const after = fresh.filter((entry) => entry.seq > last.seq);
  const within = new Map(fresh.map((entry) => [entry.seq, entry]));
  // An entry that comes again without its words was erased: the words go from the screen too.
  const kept = have.map((entry) => {
    const again = within.get(entry.seq);
    return again !== undefined && again.text === undefined && entry.text !== undefined ? again : entry;
  });
  return { entries: [...before, ...kept, ...after], gap: false };
}

/** In order and without doubles; `null` if a sequence is missing inside. */
function dense(came: readonly DeskEntry[]): DeskEntry[] | null {
  const sorted = [...came].sort((a, b) => a.seq - b.seq);
  const out: DeskEntry[] = [];
  for (const entry of sorted) {
    const previous = out.at(-1);
    if (previous === undefined || entry.seq === previous.seq + 1) out.push(entry);
    else if (entry.seq !== previous.seq) return null;
  }
  return out;
}

/** What lies before the first entry can exist only if that is not number 1. */
export function mayHaveOlder(entries: readonly DeskEntry[]): boolean {
  return (entries[0]?.seq ?? 1) > 1;
}

/** Customer's entries of a contact that the agent has neither read nor answered nor closed. */
export function unreadOf(entries: readonly DeskEntry[], contact: string, readSeq: number): number {
  let unread = 0;
  for (let i = entries.length - 1; i >= 0; i--) {
    const entry = entries[i]!;
    if (entry.seq <= readSeq || entry.contact !== contact || ENDS_UNREAD.has(entry.kind.is)) break;
    if (entry.kind.is === 'from_customer') unread += 1;
  }
  return unread;
}

/** Since when the customer has been without an answer to their last words; `null` when the last words are ours. */
export function waitingSince(entries: readonly DeskEntry[]): number | null {
  for (let i = entries.length - 1; i >= 0; i--) {
    const entry = entries[i]!;
    if (entry.kind.is === 'from_customer') return entry.at;
    if (entry.kind.is === 'from_agent' || entry.kind.is === 'from_colleague' || entry.kind.is === 'told') return null;
  }
  return null;
}

/** For colleagues alone, or a number that stands in a line. */
const NOT_LAST: ReadonlySet<DeskEntry['kind']['is']> = new Set(['note', 'whispered', 'feedback_given']);

/** The last words of a conversation, for the list. */
export function lastWords(entries: readonly DeskEntry[]): DeskEntry | null {
  return entries.findLast((entry) => entry.text !== undefined && !NOT_LAST.has(entry.kind.is)) ?? null;
}
