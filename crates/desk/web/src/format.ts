// Dates and durations, by the browser's own knowledge of languages.

import type { Texts } from './i18n/en';
import type { Effort } from './wire';

const DAY_MS = 86_400_000;

/** Making a formatter takes longer than using it a hundred times, and rows of a conversation ask for one each. */
const made = new Map<string, Intl.DateTimeFormat>();

function dates(language: string, how: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${language} ${Object.values(how).join(' ')}`;
  const known = made.get(key) ?? new Intl.DateTimeFormat(language, how);
  made.set(key, known);
  return known;
}

/** `14:05` */
export function timeOfDay(at: number, language: string): string {
  return dates(language, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(at);
}

/** Whole date and time, for tooltips and facts. */
export function dateAndTime(at: number, language: string): string {
  return dates(language, { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' }).format(at);
}

/** `Today`, `Yesterday`, or the date. */
export function dayOf(at: number, now: number, language: string, t: Texts): string {
  const day = (ms: number) => new Date(ms).setHours(0, 0, 0, 0);
  const ago = Math.round((day(now) - day(at)) / DAY_MS);
  if (ago === 0) return t.time.today;
  if (ago === 1) return t.time.yesterday;
  return dates(language, { weekday: 'long', day: 'numeric', month: 'long' }).format(at);
}

/** A duration as people say it, in its two largest units: `1 hr 4 min`, `12 sec`. */
export function spoken(ms: number, language: string, t: Texts): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 1) return t.time.underASecond;
  const unit = (value: number, name: 'day' | 'hour' | 'minute' | 'second') =>
    new Intl.NumberFormat(language, { style: 'unit', unit: name, unitDisplay: 'short' }).format(value);
  const parts: [number, 'day' | 'hour' | 'minute' | 'second'][] = [
    [Math.floor(seconds / 86_400), 'day'],
    [Math.floor(seconds / 3_600) % 24, 'hour'],
    [Math.floor(seconds / 60) % 60, 'minute'],
    [seconds % 60, 'second'],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, name]) => unit(value, name))
    .join(' ');
}

/** How many colleagues a list holds, and how many more there are. */
export function colleaguesCounted(shown: number, more: number, language: string, t: Texts): string {
  const numbers = new Intl.NumberFormat(language);
  const count = `${t.floor.colleagues}: ${numbers.format(shown)}`;
  return more === 0 ? count : `${count}, ${t.floor.more(numbers.format(more))}`;
}

/** What a contact cost the customer, the wait first; what did not happen is not said. */
export function effortWords(effort: Effort, language: string, t: Texts): string[] {
  const { contacts_before, reopenings, transfers, waited_ms } = effort;
  const said = [t.facts.waited(spoken(waited_ms, language, t))];
  if (transfers > 0) said.push(t.facts.transfers(transfers));
  if (reopenings > 0) said.push(t.facts.reopenings(reopenings));
  if (contacts_before > 0) said.push(t.facts.before(contacts_before));
  return said;
}

/** A size as people say it: `1.2 MB`. */
export function sizeOf(bytes: number, language: string): string {
  const [value, unit] = bytes < 1_000 ? [bytes, 'byte'] : bytes < 1_000_000 ? [bytes / 1_000, 'kilobyte'] : [bytes / 1_000_000, 'megabyte'];
  const most = unit === 'megabyte' ? 1 : 0;
  return new Intl.NumberFormat(language, { style: 'unit', unit: unit as string, unitDisplay: 'short', maximumFractionDigits: most }).format(value as number);
}

/** A name for people, when the customer gave none. */
export function customerName(name: string | undefined, t: Texts): string {
  return name?.trim() || t.contacts.unknownName;
}
