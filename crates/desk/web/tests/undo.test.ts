import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ServerClock } from '../src/clock.svelte';
import { DRAFT_AFTER_MS } from '../src/drafts';
import { Chosen } from '../src/extras.svelte';
import { Desk } from '../src/store.svelte';
import { contact, entries, entry, Lines, ME, MemoryKeep, NOW, state } from './make';

let now = NOW;
beforeEach(() => {
  now = NOW;
  vi.useFakeTimers();
});
afterEach(() => void vi.useRealTimers());

function pass(ms: number) {
  now += ms;
  vi.advanceTimersByTime(ms);
}

function made(undoMs: number, keep = new MemoryKeep(), over: Parameters<typeof contact>[0] = {}) {
  const lines = new Lines();
  const desk = new Desk({ agent: ME, title: 'Femke' }, lines, keep, new ServerClock(() => now), { undoMs });
  desk.apply(state({ now, contacts: [contact({ entries: entries(1, 2), ...over })] }));
  return { desk, lines, keep, held: desk.helds[0]! };
}

const FILE = { object: 'a'.repeat(32), name: 'tyre.png', media_type: 'image/png', bytes: 9 };
const replies = (lines: Lines) => lines.commands().flatMap(({ command }) => (command.do === 'reply' ? [command.text] : []));
const drafts = (lines: Lines) => lines.sent.flatMap((frame) => (frame.t === 'draft' ? [frame.text] : []));

describe('a sent reply', () => {
  it('waits as long as it can be taken back, and then goes', () => {
    const { desk, lines, held } = made(5_000);
    desk.write(held, 'reply', 'Good morning');
    expect(desk.say(held, 'reply')).toBe(true);
    expect([held.reply, desk.outbox.heldOf(held.id).length, desk.unsettledWords]).toEqual(['', 1, 1]);
    pass(4_900);
    desk.resend();
    expect(replies(lines)).toEqual([]);
    pass(200);
    expect(replies(lines)).toEqual(['Good morning']);
    // The server kept the words as a draft as long as they were held.
    expect(drafts(lines)).toEqual(['Good morning', '']);
  });

  it('comes back into the composer with all that went along, before what was typed since', () => {
    const { desk, lines, held } = made(5_000, new MemoryKeep(), { channel: 'email' });
    held.extras.files = [new Chosen(held.id, FILE)];
    held.extras.cc = 'Ann <ann@example.org>';
    desk.write(held, 'reply', 'First');
    desk.say(held, 'reply');
    expect(held.extras.files).toEqual([]);
    desk.write(held, 'reply', 'Second');
    desk.takeLastBack(held);
    expect([held.reply, held.extras.cc, held.extras.files.map((file) => file.name)]).toEqual(['First\nSecond', 'Ann <ann@example.org>', ['tyre.png']]);
    pass(20_000);
    expect(replies(lines)).toEqual([]);
    expect(drafts(lines).at(-1)).toBe('First\nSecond');
    desk.takeLastBack(held);
    expect(held.reply).toBe('First\nSecond');
  });

  it('outlives a reload, with the time that is left', () => {
    const keep = new MemoryKeep();
    const before = made(10_000, keep);
    before.desk.write(before.held, 'reply', 'Good morning');
    pass(DRAFT_AFTER_MS);
    before.desk.say(before.held, 'reply');
    pass(6_000);
    // A page that is gone has no timers.
    vi.clearAllTimers();
    const after = made(10_000, keep, { draft: 'Good morning' });
    expect([after.held.reply, after.desk.outbox.heldOf(after.held.id).length]).toEqual(['', 1]);
    // The socket broke and came back: the server's draft is what is held, not new words.
    after.desk.apply(state({ now, contacts: [contact({ draft: 'Good morning' })] }));
    expect(after.held.reply).toBe('');
    pass(3_900);
    expect(replies(after.lines)).toEqual([]);
    pass(200);
    expect(replies(after.lines)).toEqual(['Good morning']);
  });

  it('goes out before what ends the contact, and at once when all are to go', () => {
    const { desk, lines, held } = made(5_000);
    desk.write(held, 'reply', 'Bye');
    desk.say(held, 'reply');
    desk.command({ do: 'resolve', contact: held.id, disposition: 'solved' });
    expect(lines.commands().map(({ command }) => command.do)).toEqual(['reply', 'resolve']);
    desk.write(held, 'reply', 'Once more');
    desk.say(held, 'reply');
    desk.release();
    expect(replies(lines)).toEqual(['Bye', 'Once more']);
    pass(10_000);
    expect(replies(lines)).toEqual(['Bye', 'Once more']);
  });

  it('is never lost: not when its contact goes, nor when it went while the page was loaded anew', () => {
    const keep = new MemoryKeep();
    const { desk, lines, held } = made(5_000, keep);
    desk.write(held, 'reply', 'Wait');
    desk.say(held, 'reply');
    const kept = new Map(keep.values);
    desk.apply({ t: 'contact_gone', contact: held.id, why: 'reclaimed' });
    expect([replies(lines), held.gone]).toEqual([['Wait'], 'reclaimed']);
    const [sent] = lines.commands();
    desk.apply({ t: 'settled', id: sent!.id, outcome: { is: 'refused', refusal: 'not_yours' } });
    expect(desk.outbox.wordsOf(held.id).map((parcel) => parcel.fate)).toEqual(['refused']);
    const again = new MemoryKeep();
    again.values = kept;
    const other = new Lines();
    const next = new Desk({ agent: ME, title: 'Femke' }, other, again, new ServerClock(() => now), { undoMs: 5_000 });
    next.apply(state());
    expect(replies(other)).toEqual(['Wait']);
  });

  it('goes at once when nothing can be taken back, and notes always do', () => {
    const { desk, lines, held } = made(0);
    desk.write(held, 'reply', 'Now');
    desk.say(held, 'reply');
    expect(replies(lines)).toEqual(['Now']);
    const slow = made(5_000);
    slow.desk.write(slow.held, 'note', 'For us');
    slow.desk.say(slow.held, 'note');
    expect(slow.lines.commands().map(({ command }) => command.do)).toEqual(['note']);
  });
});

describe('what goes with a reply', () => {
  it('outlives a reload', () => {
    const keep = new MemoryKeep();
    const before = made(0, keep, { channel: 'email' });
    before.held.extras.files = [new Chosen(before.held.id, FILE)];
    before.held.extras.forward = 'garage@example.org';
    before.desk.keepExtras();
    const { held, desk } = made(0, keep, { channel: 'email' });
    expect([held.extras.files.map((file) => file.attachment), held.extras.forward, held.extras.isOpen]).toEqual([[FILE], 'garage@example.org', true]);
    expect(held.extras.ready()).toEqual({ attachments: [FILE], forward_to: [{ address: 'garage@example.org' }] });
    desk.write(held, 'reply', 'Could you look?');
    desk.say(held, 'reply');
    desk.apply({ t: 'entry', conversation: 'cnv_1_1', entry: entry(3, { is: 'from_agent', agent: ME }) });
    expect(made(0, keep, { channel: 'email' }).held.extras.kept()).toBeNull();
  });

  it('is told as not sent when its contact went meanwhile', () => {
    const keep = new MemoryKeep();
    const before = made(0, keep);
    before.held.extras.files = [new Chosen(before.held.id, FILE)];
    before.desk.keepExtras();
    const next = new Desk({ agent: ME, title: 'Femke' }, new Lines(), keep, new ServerClock(() => now));
    next.apply(state());
    expect(next.stranded.map(({ command }) => command)).toMatchObject([{ do: 'reply', text: '', with: { attachments: [FILE] } }]);
  });
});
