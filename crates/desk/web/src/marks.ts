// What contacts are marked with: tags, fields, colleagues who are named in notes.

import { plain } from './fuzzy';
import type { AgentId, Colleague, DeskCommand, Tag } from './wire';

/** Colleagues that one note may name (the gateway's limit). */
export const MENTIONS_MAX = 8;

/** The tags a contact has, as people read them; one that is configured no more is shown by its name. */
export function tagsOf(names: readonly string[] | undefined, all: readonly Tag[]): Tag[] {
  return (names ?? []).map((name) => all.find((tag) => tag.name === name) ?? { name, title: name });
}

/**
 * Who is named in a note: colleagues whose whole name stands after an `@`, in whatever case, with or without accents. The longest
 * name counts, not one that it begins with.
 */
export function mentionedIn(text: string, colleagues: readonly Colleague[]): AgentId[] {
  const found: AgentId[] = [];
  const said = plain(text);
  const byLength = colleagues.map(({ agent, title }) => ({ agent, title, name: plain(title) })).sort((a, b) => b.name.length - a.name.length);
  // The same sign in the text as it was written.
  let from = -1;
  for (let at = said.indexOf('@'); at >= 0; at = said.indexOf('@', at + 1)) {
    from = text.indexOf('@', from + 1);
    if (at > 0 && /[\p{L}\p{N}]/u.test(said[at - 1]!)) continue;
    const fits = byLength.filter(({ name }) => said.startsWith(name, at + 1) && !/[\p{L}\p{N}]/u.test(said[at + 1 + name.length] ?? ' '));
    // Of two whose names differ by accents only, the one whose name was written.
    const isWritten = (title: string) => text.slice(from + 1, from + 1 + title.length).toLowerCase() === title.toLowerCase();
    const named = fits.find(({ title, name }) => name.length === fits[0]?.name.length && isWritten(title)) ?? fits[0];
    if (named !== undefined && !found.includes(named.agent)) found.push(named.agent);
  }
  return found.slice(0, MENTIONS_MAX);
}

/** What can be done to many contacts at once. */
export type BulkAct =
  | { is: 'tag'; tag: string }
  | { is: 'transfer'; queue: string }
  | { is: 'resolve'; disposition: string }
  | { is: 'snooze'; until: number };

/** Each contact has its own command: what fails for one is no fault of the others. */
export function bulkCommand(act: BulkAct, contact: string): DeskCommand {
  switch (act.is) {
    case 'tag':
      return { do: 'set_tags', contact, add: [act.tag], remove: [] };
    case 'transfer':
      return { do: 'transfer_to_queue', contact, queue: act.queue };
    case 'resolve':
      return { do: 'resolve', contact, disposition: act.disposition };
    case 'snooze':
      return { do: 'snooze', contact, until: act.until };
  }
}
