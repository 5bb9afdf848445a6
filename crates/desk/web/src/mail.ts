// What is shown of a mail: its subject when it changes, who wrote it, and which of its words are new.

import { cutToBytes } from './text';
import type { DeskEntry, MailAddress, MailHead } from './wire';

/** What mail programs write before a subject when one answers or passes on. */
const PREFIX = /^\s*(?:(?:re|aw|antw|sv|vs|fw|fwd|wg|tr|doorst)(?:\[\d+\])?\s*:\s*)+/i;

export function bareSubject(subject: string): string {
  return subject.replace(PREFIX, '').trim();
}

/** The entries whose subject is another than the one before. */
export function subjectsShown(entries: readonly DeskEntry[]): ReadonlySet<number> {
  const shown = new Set<number>();
  let before: string | null = null;
  for (const entry of entries) {
    const subject = entry.mail?.subject;
    if (subject === undefined || subject === '') continue;
    const bare = bareSubject(subject);
    if (bare !== before) shown.add(entry.seq);
    before = bare;
  }
  return shown;
}

export function personOf(address: MailAddress): string {
  return address.name === undefined ? address.address : `${address.name} <${address.address}>`;
}

/** The new words, and what is quoted below them; nothing is folded if nothing would be left. */
export function partsOf(text: string, mail: MailHead | undefined): { fresh: string; earlier: string } {
  if (mail?.new_bytes === undefined) return { fresh: text, earlier: '' };
  const fresh = cutToBytes(text, mail.new_bytes);
  const earlier = text.slice(fresh.length).trim();
  return fresh.trim() === '' || earlier === '' ? { fresh: text, earlier: '' } : { fresh: fresh.trimEnd(), earlier };
}
