// A conversation as rows on the screen: days and new contacts are set apart, words of one person stand together.

import type { DeskEntry } from './wire';
import type { Sized } from './windowing';

export type Row =
  | { is: 'day'; key: string; at: number }
  | { is: 'new_contact'; key: string }
  /** `album`: what was sent with the entry as one, and stands under it. */
  | { is: 'entry'; key: string; entry: DeskEntry; isCompact: boolean; album: DeskEntry[] };

/** Words of the same author within this time stand under one name, ms. */
const TOGETHER_MS = 5 * 60_000;

export function rowsOf(entries: readonly DeskEntry[]): Row[] {
  const rows: Row[] = [];
  let previous: DeskEntry | undefined;
  let day = { from: 0, to: 0 };
  for (const entry of entries) {
    const isNewDay = entry.at < day.from || entry.at >= day.to;
    const isNewContact = previous !== undefined && previous.contact !== entry.contact;
    if (isNewDay) {
      day = dayOf(entry.at);
      rows.push({ is: 'day', key: `day-${entry.seq}`, at: entry.at });
    }
    if (isNewContact) rows.push({ is: 'new_contact', key: `contact-${entry.seq}` });
    const above = rows.at(-1);
    if (above?.is === 'entry' && isOfAlbum(above.entry, entry)) {
      above.album.push(entry);
      continue;
    }
    const isCompact = previous !== undefined && !isNewDay && !isNewContact && together(previous, entry);
    rows.push({ is: 'entry', key: `entry-${entry.seq}`, entry, isCompact, album: [] });
    previous = entry;
  }
  return rows;
}

/** Whether a message goes under another: files of the same album, without words of its own. */
function isOfAlbum(first: DeskEntry, entry: DeskEntry): boolean {
  const album = entry.place?.album;
  return album !== undefined && entry.place?.edits === undefined && album === first.place?.album && first.contact === entry.contact && (entry.text ?? '') === '';
}

/** The row in which an entry stands. */
export function keyOf(rows: readonly Row[], seq: number): string | undefined {
  const holds = (row: Row) => row.is === 'entry' && (row.entry.seq === seq || row.album.some((entry) => entry.seq === seq));
  return rows.find(holds)?.key;
}

/** What a conversation's messages say of each other: by the provider's id who wrote what, and which of them were worded anew. */
export function linksOf(entries: readonly DeskEntry[]): { byId: ReadonlyMap<string, DeskEntry>; edited: ReadonlySet<string> } {
  const byId = new Map<string, DeskEntry>();
  const edited = new Set<string>();
  for (const entry of entries) {
    const { id, edits } = entry.place ?? {};
    if (edits !== undefined) edited.add(edits);
    else if (id !== undefined) byId.set(id, entry);
  }
  return { byId, edited };
}

function together(a: DeskEntry, b: DeskEntry): boolean {
  if (a.text === undefined || b.text === undefined || b.at - a.at > TOGETHER_MS || a.kind.is !== b.kind.is) return false;
  const agentOf = (entry: DeskEntry) => ('agent' in entry.kind ? entry.kind.agent : null);
  return agentOf(a) === agentOf(b);
}

/** The agent's own day around a moment. */
function dayOf(at: number): { from: number; to: number } {
  const midnight = new Date(at);
  const from = midnight.setHours(0, 0, 0, 0);
  return { from, to: midnight.setDate(midnight.getDate() + 1) };
}

/** Widest line of words, pixels, and how wide a sign is in it. */
const LINE_PX_MAX = 576;
const SIGN_PX = 7;
const LINE_HEIGHT_PX = 20;

/** What a row will roughly measure in a list of that width, until it is in the page. */
export function sizedOf(row: Row, width: number): Sized {
  const isFirm = row.is === 'entry';
  if (!isFirm) return { key: row.key, guess: 44, isFirm };
  const { text } = row.entry;
  if (text === undefined) return { key: row.key, guess: 28, isFirm };
  const signs = Math.max(20, Math.min(LINE_PX_MAX, width * 0.8) / SIGN_PX);
  const lines = text.split('\n').reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / signs)), 0);
  const files = [row.entry, ...row.album].reduce((sum, entry) => sum + (entry.attachments ?? []).length, 0) * 40;
  return { key: row.key, guess: (row.isCompact ? 20 : 48) + lines * LINE_HEIGHT_PX + files, isFirm };
}
