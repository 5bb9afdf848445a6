// A conversation as rows on the screen: days and new contacts are set apart, words of one person stand together.

import type { DeskEntry } from './wire';

export type Row =
  | { is: 'day'; key: string; at: number }
  | { is: 'new_contact'; key: string }
  | { is: 'entry'; key: string; entry: DeskEntry; isCompact: boolean };

/** Words of the same author within this time stand under one name, ms. */
const TOGETHER_MS = 5 * 60_000;

export function rowsOf(entries: readonly DeskEntry[]): Row[] {
  const rows: Row[] = [];
  let previous: DeskEntry | undefined;
  for (const entry of entries) {
    const isNewDay = previous === undefined || dayNumber(previous.at) !== dayNumber(entry.at);
    const isNewContact = previous !== undefined && previous.contact !== entry.contact;
    if (isNewDay) rows.push({ is: 'day', key: `day-${entry.seq}`, at: entry.at });
    if (isNewContact) rows.push({ is: 'new_contact', key: `contact-${entry.seq}` });
    const isCompact = previous !== undefined && !isNewDay && !isNewContact && together(previous, entry);
    rows.push({ is: 'entry', key: `entry-${entry.seq}`, entry, isCompact });
    previous = entry;
  }
  return rows;
}

function together(a: DeskEntry, b: DeskEntry): boolean {
  if (a.text === undefined || b.text === undefined || b.at - a.at > TOGETHER_MS || a.kind.is !== b.kind.is) return false;
  const agentOf = (entry: DeskEntry) => ('agent' in entry.kind ? entry.kind.agent : null);
  return agentOf(a) === agentOf(b);
}

function dayNumber(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}
