import { describe, expect, it } from 'vitest';
import { effortWords, spoken } from '../src/format';
import { en } from '../src/i18n/en';
import { nl } from '../src/i18n/nl';
import { pressOf } from '../src/keys';
import { keyOf, linksOf, rowsOf } from '../src/rows';
import { snoozeChoices } from '../src/snooze';
import { bytesOf, cutToBytes } from '../src/text';
import { newId, uuid7Of } from '../src/uuid';
import { entry, NOW } from './make';

describe('ids', () => {
  it('are UUIDs of version 7 with their moment in front', () => {
    // The example of RFC 9562, appendix A.6.
    const random = Uint8Array.from([0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f]);
    expect(uuid7Of(0x017f22e279b0, random)).toBe('017f22e279b07cc398c4dc0c0c07398f');
  });

  it('have the form that the gateway reads, and differ', () => {
    const ids = Array.from({ length: 1_000 }, () => newId('cmd', NOW));
    expect(new Set(ids).size).toBe(1_000);
    for (const id of ids) expect(id).toMatch(/^cmd_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
  });

  it('never go back in time', () => {
    const later = newId('msg', NOW + 5_000).slice(4, 16);
    expect(newId('msg', NOW).slice(4, 16)).toBe(later);
  });
});

describe('effort', () => {
  it('says the wait, and only what happened besides', () => {
    const none = { contacts_before: 0, reopenings: 0, transfers: 0, waited_ms: 90_000 };
    expect(effortWords(none, 'en', en)).toEqual(['waited 1 min 30 sec']);
    expect(effortWords({ contacts_before: 2, reopenings: 1, transfers: 1, waited_ms: 0 }, 'nl', nl)).toEqual([
      `${nl.time.underASecond} gewacht`, 'eenmaal doorgegeven', 'eenmaal teruggekomen', '2 contacten eerder',
    ]);
  });
});

describe('snoozing', () => {
  it('offers later times in order, mornings by the calendar', () => {
    // A Friday at 14:05, and a Sunday at 22:00: Monday is then tomorrow.
    const friday = new Date(2026, 10, 27, 14, 5).getTime();
    const choices = snoozeChoices(friday);
    expect(choices.map((choice) => choice.is)).toEqual(['hour', 'hours', 'tomorrow', 'monday']);
    expect(new Date(choices[2]!.until).toString()).toContain('Sat Nov 28 2026 09:00');
    expect(new Date(choices[3]!.until).toString()).toContain('Mon Nov 30 2026 09:00');
    const sunday = snoozeChoices(new Date(2026, 10, 29, 22, 0).getTime());
    expect(sunday.map((choice) => choice.is)).toEqual(['hour', 'hours', 'tomorrow']);
    const monday = snoozeChoices(new Date(2026, 10, 30, 8, 0).getTime());
    expect(new Date(monday[3]!.until).toString()).toContain('Mon Dec 07 2026 09:00');
  });
});

describe('keys', () => {
  const key = (over: object) => ({ key: '', code: '', altKey: false, ctrlKey: false, metaKey: false, shiftKey: false, ...over });
  it('go by the place of the key, and leave AltGr and writing alone', () => {
    expect(pressOf(key({ altKey: true, code: 'KeyA', key: 'å' }), true)).toEqual({ is: 'action', action: 'accept' });
    expect(pressOf(key({ altKey: true, code: 'Digit3', key: '3' }), true)).toEqual({ is: 'contact', number: 3 });
    expect(pressOf(key({ altKey: true, ctrlKey: true, code: 'KeyE', key: '€' }), true)).toBeNull();
    expect(pressOf(key({ key: '?', shiftKey: true }), false)).toEqual({ is: 'action', action: 'help' });
    expect(pressOf(key({ key: '?', shiftKey: true }), true)).toBeNull();
    expect(pressOf(key({ key: 'a', code: 'KeyA' }), false)).toBeNull();
  });
});

describe('texts', () => {
  it('are measured and cut in bytes, between signs', () => {
    expect(bytesOf('é€😀')).toBe(9);
    expect(cutToBytes('é€😀', 9)).toBe('é€😀');
    expect(cutToBytes('é€😀', 8)).toBe('é€');
  });

  it('say a duration in its two largest units', () => {
    expect(spoken(0, 'en', en)).toBe('less than a second');
    expect(spoken(12_000, 'en', en)).toBe('12 sec');
    expect(spoken(3_600_000, 'en', en)).toBe('1 hr');
    expect(spoken(3_725_000, 'nl', nl)).toBe('1 uur 2 min');
  });
});

describe('rows', () => {
  it('set days and contacts apart and put one person’s words together', () => {
    const day = 86_400_000;
    const rows = rowsOf([
      entry(1, undefined, { at: NOW }),
      entry(2, undefined, { at: NOW + 1_000 }),
      entry(3, undefined, { at: NOW + day }),
      entry(4, undefined, { at: NOW + day, contact: 'con_2_0' }),
    ]);
    expect(rows.map((row) => (row.is === 'entry' ? `${row.entry.seq}${row.isCompact ? '+' : ''}` : row.is))).toEqual([
      'day', '1', '2+', 'day', '3', 'new_contact', '4',
    ]);
  });

  it('show an album as one, and find what stands in it', () => {
    const of = (seq: number, text: string, album: string | undefined, over = {}) =>
      entry(seq, undefined, { text, ...(album === undefined ? {} : { place: { id: `5:${seq}`, album } }), ...over });
    const rows = rowsOf([of(1, 'Torn', 'a'), of(2, '', 'a'), of(3, '', 'a'), of(4, '', 'b'), of(5, 'a word', 'b'), of(6, '', undefined)]);
    const changed = entry(3, undefined, { text: '', place: { id: '5:2', edits: '5:2', album: 'a' } });
    expect(rowsOf([of(1, 'Torn', 'a'), of(2, '', 'a'), changed]).flatMap((row) => (row.is === 'entry' ? [row.entry.seq] : []))).toEqual([1, 3]);
    const shown = rows.flatMap((row) => (row.is === 'entry' ? [[row.entry.seq, ...row.album.map((one) => one.seq)]] : []));
    // What has words of its own stands by itself.
    expect(shown).toEqual([[1, 2, 3], [4], [5], [6]]);
    expect([keyOf(rows, 1), keyOf(rows, 3), keyOf(rows, 4), keyOf(rows, 9)]).toEqual(['entry-1', 'entry-1', 'entry-4', undefined]);
    const apart = rowsOf([of(1, 'Torn', 'a'), of(2, '', 'a', { contact: 'con_2_0' })]);
    expect(apart.flatMap((row) => (row.is === 'entry' ? [row.entry.seq] : []))).toEqual([1, 2]);
  });

  it('know which message was worded anew, and which one answers which', () => {
    const first = entry(1, undefined, { place: { id: '5:1' } });
    const links = linksOf([first, entry(2, undefined, { place: { id: '5:1', edits: '5:1' } }), entry(3, undefined, { place: { id: '5:3', replies_to: '5:1' } }), entry(4)]);
    expect([...links.edited]).toEqual(['5:1']);
    expect(links.byId.get('5:1')).toBe(first);
  });
});
