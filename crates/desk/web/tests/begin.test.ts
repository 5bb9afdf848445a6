// Writing to a customer first: whom it may be, what may go, and what becomes of it.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { firstWay, formsIn, goesOn, reachedOf, REACH_REFUSALS, toOf, whoIs, type Beginning } from '../src/begin';
import type { Canned } from '../src/canned.svelte';
import type { Person } from '../src/customer';
import { en } from '../src/i18n/en';
import { nl } from '../src/i18n/nl';
import { authorOf, lineOf } from '../src/names';
import { freeUntil } from '../src/reach';
import { lastWords, waitingSince } from '../src/thread';
import { TEXT_BYTES_MAX, type Attachment, type DeskBegin } from '../src/wire';
import { contact, deskWith, entries, entry, Lines, ME, MemoryKeep, NOW, state } from './make';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const FORM: Canned = { name: 'late', revision: 1, title: 'Late', text: 'Dear {customer}, it is late.', queues: ['delivery'], template: { name: 'order_late', language: 'en' } };
const person = (identity: string, channel: Person['channel']): Person => ({ identity, channel, account: 'shop', conversations: 1, since: 0 });
const NOBODY: Beginning = { contact: null, person: null, conversation: '' };
const ASKED: Omit<DeskBegin, 'message'> = { channel: 'sms', account: 'shop', to: { is: 'typed', address: '+31612345678' }, queue: 'delivery', text: 'Your parcel is here.' };

describe('whom one may write to', () => {
  it('is who is typed, or who was shown', () => {
    expect(toOf(NOBODY, '  +31 6 12345678 ')).toEqual({ is: 'typed', address: '+31 6 12345678' });
    expect(toOf(NOBODY, '  ')).toBeNull();
    expect(toOf(NOBODY, 'x'.repeat(255))).toBeNull();
    const known = { contact: 'con_1_0', person: person('idn_2', 'whatsapp'), conversation: 'cnv_1_1' };
    expect(toOf(known, 'ignored')).toEqual({ is: 'known', identity: 'idn_2', conversation: 'cnv_1_1' });
  });

  it('is none of the channels on which only the customer begins', () => {
    const all = [person('own', 'whatsapp'), person('sms', 'sms'), person('mail', 'email'), person('page', 'web'), person('bot', 'telegram')];
    expect([...goesOn(all)]).toEqual(['sms', 'bot']);
    expect([...goesOn([])]).toEqual([]);
  });

  it('is asked with a body, and a refusal that is not known counts as no answer', async () => {
    const fetched = vi.fn().mockResolvedValueOnce(Response.json({ address: '+31612345678', takes: 'templates' }));
    vi.stubGlobal('fetch', fetched);
    expect(await whoIs('whatsapp', 'care', ASKED.to)).toEqual({ is: 'found', address: '+31612345678', takes: 'templates' });
    const [path, init] = fetched.mock.calls[0] as [string, RequestInit];
    expect([path, init.method, JSON.parse(String(init.body))]).toEqual(['/desk/reach', 'POST', { channel: 'whatsapp', account: 'care', to: ASKED.to }]);
    fetched.mockResolvedValueOnce(Response.json({ code: 'no_country' }, { status: 422 }));
    expect(await whoIs('sms', 'shop', ASKED.to)).toEqual({ is: 'refused', why: 'no_country' });
    fetched.mockRejectedValueOnce(new TypeError('away'));
    expect(await whoIs('sms', 'shop', ASKED.to)).toEqual({ is: 'away' });
    expect(reachedOf({ code: 'reach_silent' })).toEqual({ is: 'away' });
    for (const texts of [en, nl]) for (const why of REACH_REFUSALS) expect(texts.begin.refused[why]).not.toBe('');
  });
});

describe('first words', () => {
  it('go freely, or as the approved form that they are', () => {
    const template = { name: 'order_late', language: 'en', variables: { '1': 'Ann' } };
    expect(firstWay('sms', 'words', [FORM], 'Hello')).toEqual({ is: 'free' });
    expect(firstWay('whatsapp', 'templates', [FORM], 'Hello')).toEqual({ is: 'no_form' });
    expect(firstWay('whatsapp', 'templates', [FORM], 'Dear Ann, it is late.')).toEqual({ is: 'form', template });
    expect(firstWay('whatsapp', 'words', [FORM], 'Dear Ann, it is late.')).toEqual({ is: 'form', template });
    expect(firstWay('sms', 'words', [FORM], ' ')).toEqual({ is: 'no_words' });
    expect(firstWay('sms', 'words', [], 'x'.repeat(TEXT_BYTES_MAX + 1))).toEqual({ is: 'too_long' });
  });

  it('wait until every place of the form that they are is filled in', () => {
    for (const takes of ['words', 'templates'] as const) {
      expect(firstWay('whatsapp', takes, [FORM], FORM.text)).toEqual({ is: 'blanks' });
      expect(firstWay('whatsapp', takes, [FORM], 'Dear Ann and {customer}, it is late.')).toEqual({ is: 'blanks' });
      // Also where they are no form any more, or go by a channel that has none.
      expect(firstWay('whatsapp', takes, [FORM], 'Hello {customer}', FORM)).toEqual({ is: 'blanks' });
      expect(firstWay('sms', takes, [FORM], 'Hello {customer}', FORM)).toEqual({ is: 'blanks' });
      expect(firstWay('whatsapp', takes, [FORM], 'Dear Ann, it is late.', FORM)).toMatchObject({ is: 'form' });
    }
    // Braces that are no place of it are words.
    expect(firstWay('whatsapp', 'words', [FORM], 'Hello {Ann}', FORM)).toEqual({ is: 'free' });
    expect(en.begin.blanks).not.toBe(nl.begin.blanks);
  });

  it('are those of the queue', () => {
    const { queues: _, ...anywhere } = { ...FORM, name: 'any', title: 'Any' };
    const { template: __, ...free } = FORM;
    expect(formsIn([FORM, anywhere, free], 'delivery').map((one) => one.name)).toEqual(['any', 'late']);
    expect(formsIn([FORM, anywhere, free], 'payments').map((one) => one.name)).toEqual(['any']);
  });
});

describe('a conversation that an agent begins', () => {
  function begun(keep = new MemoryKeep(), lines = new Lines()) {
    const made = deskWith(keep, lines);
    const look = made.desk.lookAtBeginning();
    made.desk.apply(state({ contacts: [contact({ entries: entries(1, 2) })] }));
    made.desk.select('con_1_0');
    made.desk.begin(ASKED);
    const [frame] = lines.commands();
    if (frame?.command.do !== 'begin') throw new Error('nothing was begun');
    return { ...made, id: frame.id, command: frame.command, close: look };
  }

  it('is one command, and its contact opens when it comes, whichever comes first', () => {
    for (const isSettledFirst of [true, false]) {
      const { desk, lines, id, command, close } = begun();
      desk.begin(ASKED);
      expect(lines.commands(), 'while one is on its way').toHaveLength(1);
      expect(desk.begun).toMatchObject({ id, fate: 'open' });
      const settle = () => desk.apply({ t: 'settled', id, outcome: { is: 'done' } });
      if (isSettledFirst) settle();
      const first = entry(1, { is: 'from_agent', agent: ME }, { contact: 'con_9_0', message: command.message });
      desk.apply({ t: 'contact', ...contact({ contact: 'con_9_0', conversation: 'cnv_9_1', channel: 'sms', entries: [first] }) });
      expect(desk.selectedId).toBe('con_9_0');
      if (!isSettledFirst) settle();
      expect(desk.begun).toMatchObject({ id, fate: 'done' });
      close();
      expect(desk.begun).toBeNull();
    }
  });

  it('is refused beside the words, which stay, also over a reload', () => {
    const keep = new MemoryKeep();
    const { desk, id } = begun(keep);
    const unsent = { way: 'sms/shop', address: '+31612345678', queue: 'delivery', text: 'Your parcel is here.' };
    desk.keepBeginning(unsent);
    desk.apply({ t: 'settled', id, outcome: { is: 'refused', refusal: 'already_open' }, words: 'take that one' });
    expect(desk.begun).toMatchObject({ fate: 'refused', refusal: 'already_open', words: 'take that one' });
    expect(desk.notices.all).toEqual([]);
    expect(deskWith(keep).desk.unsentBeginning).toEqual(unsent);
    // Once more, with another id, and done: nothing is left to send.
    desk.begin(ASKED);
    const again = desk.begun;
    expect(again?.id).not.toBe(id);
    desk.apply({ t: 'settled', id: again?.id ?? '', outcome: { is: 'done' } });
    expect(deskWith(keep).desk.unsentBeginning.text).toBe('');
    desk.forget();
    expect([...keep.values.keys()]).toEqual([]);
  });

  it('tells of a refusal by itself where nobody looks any more', () => {
    const { desk, lines, id, close } = begun();
    close();
    // It is still on its way: who opens the dialog again does not send the same once more.
    expect(desk.begun).toMatchObject({ id, fate: 'open' });
    desk.begin(ASKED);
    expect(lines.commands()).toHaveLength(1);
    desk.apply({ t: 'settled', id, outcome: { is: 'refused', refusal: 'no_room' } });
    expect(desk.begun).toBeNull();
    expect(desk.notices.all.map((one) => one.notice)).toEqual([{ is: 'refused', what: 'begin', refusal: 'no_room' }]);
  });
});

describe('a beginning that was on its way when the page was loaded anew', () => {
  it('is sent under the same id, and its contact opens', () => {
    const keep = new MemoryKeep();
    const lines = new Lines();
    lines.isUp = false;
    const before = deskWith(keep, lines).desk;
    before.begin(ASKED);
    const { desk, lines: again } = deskWith(keep);
    expect(desk.begun).toMatchObject({ id: before.begun?.id, fate: 'open' });
    desk.apply(state());
    const [frame] = again.commands();
    if (frame?.command.do !== 'begin') throw new Error('it was not sent');
    expect(frame.id).toBe(before.begun?.id);
    const first = entry(1, { is: 'from_agent', agent: ME }, { contact: 'con_9_0', message: frame.command.message });
    desk.apply({ t: 'contact', ...contact({ contact: 'con_9_0', conversation: 'cnv_9_1', channel: 'sms', entries: [first] }) });
    expect(desk.selectedId).toBe('con_9_0');
  });
});

describe('a contact that goes on elsewhere', () => {
  const moved = (over = {}) => ({ t: 'contact', ...contact({ conversation: 'cnv_7_1', channel: 'sms', ...over }) }) as const;

  it('is the same contact with the entries of the other conversation', () => {
    const { desk } = deskWith();
    desk.apply(state({ contacts: [contact({ entries: entries(1, 5) })] }));
    desk.select('con_1_0');
    const held = desk.helds[0];
    if (held === undefined) throw new Error('the contact is not there');
    desk.write(held, 'reply', 'half a word');
    desk.apply({ t: 'entry', conversation: 'cnv_1_1', entry: entry(6, { is: 'went_on', channel: 'sms' }) });
    const came = entry(1, { is: 'came_from', conversation: 'cnv_1_1', channel: 'web' });
    desk.apply(moved({ entries: [came, entry(2, { is: 'from_agent', agent: ME })] }));
    expect(desk.helds).toEqual([held]);
    expect([held.conversation, held.card.channel, held.reply, desk.selectedId]).toEqual(['cnv_7_1', 'sms', 'half a word', 'con_1_0']);
    expect(held.entries.map((one) => one.seq)).toEqual([1, 2]);
    desk.apply({ t: 'entry', conversation: 'cnv_7_1', entry: entry(3) });
    expect(held.entries.map((one) => one.seq)).toEqual([1, 2, 3]);
    expect(desk.hello()).toEqual({ t: 'hello', have: { cnv_7_1: 3 } });
    // What is still told of the conversation before is not put into this one.
    desk.apply({ t: 'entry', conversation: 'cnv_1_1', entry: entry(7) });
    expect(held.entries.map((one) => one.seq)).toEqual([1, 2, 3]);
    // And back: what was there is still known.
    desk.apply(moved({ conversation: 'cnv_1_1', channel: 'web', entries: [entry(7, { is: 'came_from', conversation: 'cnv_7_1', channel: 'sms' })] }));
    expect(held.entries.map((one) => one.seq)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('leaves the files of the reply behind and says so, and keeps the words', () => {
    const { desk } = deskWith();
    desk.apply(state({ contacts: [contact({ entries: entries(1, 5) })] }));
    const held = desk.helds[0];
    if (held === undefined) throw new Error('the contact is not there');
    desk.write(held, 'reply', 'half a word');
    const file = { object: 'obj_1', name: 'a.pdf', media: 'application/pdf', bytes: 3 } as unknown as Attachment;
    held.extras.restore(held.id, { files: [file], cc: 'a@example.org', forward: '', subject: '' });
    desk.apply(moved());
    expect([held.extras.files, held.extras.ready(), held.reply]).toEqual([[], undefined, 'half a word']);
    expect(desk.notices.all.map((one) => [one.notice.is, one.stays])).toEqual([['files_stay', true]]);
    // Where there are none nothing is said.
    desk.apply(moved({ conversation: 'cnv_8_1' }));
    expect(desk.notices.all).toHaveLength(1);
  });

  it('lets words go out before it, which would go elsewhere after', () => {
    const lines = new Lines();
    const { desk } = deskWith(new MemoryKeep(), lines);
    desk.apply(state({ contacts: [contact({ entries: entries(1, 2) })] }));
    desk.outbox.add({ do: 'reply', contact: 'con_1_0', message: 'msg_x', text: 'One moment.' }, NOW, NOW + 5_000);
    desk.begin({ ...ASKED, contact: 'con_1_0' });
    expect(lines.commands().map(({ command }) => command.do)).toEqual(['reply', 'begin']);
  });
});

describe('what happens outside a contact', () => {
  const names = { me: { agent: ME, title: 'Femke' }, floor: { queues: [] }, colleagues: { titleOf: () => undefined }, dispositions: [] };

  it('stands in lines, in both languages', () => {
    const line = (kind: Parameters<typeof entry>[1], texts = en) => lineOf(entry(1, kind), names, texts);
    expect(line({ is: 'feedback_asked', question: 'effort' })).toBe('The customer is asked how easy it was');
    expect(line({ is: 'feedback_given', question: 'satisfaction', score: 4 })).toBe('Satisfaction: 4 of 5');
    expect(line({ is: 'feedback_given', question: 'recommend', score: 9 }, nl)).toBe('Zou ons aanbevelen: 9 van 10');
    expect(line({ is: 'went_on', channel: 'whatsapp' })).toBe('The contact went on by WhatsApp');
    expect(line({ is: 'came_from', conversation: 'cnv_1_1', channel: 'sms' }, nl)).toBe('Het contact komt van Sms');
  });

  it('is a bubble of ours where a colleague wrote elsewhere, and answers the customer', () => {
    const wrote = entry(2, { is: 'from_colleague' }, { text: 'It is on its way.' });
    expect(lineOf(wrote, names, en)).toBeNull();
    expect(authorOf(wrote, 'Mia', names, en)).toBe(en.entry.colleagueElsewhere);
    expect(waitingSince([entry(1), wrote])).toBeNull();
    expect(lastWords([entry(1), wrote])).toBe(wrote);
    const given = entry(3, { is: 'feedback_given', question: 'effort', score: 4 }, { text: '4' });
    expect(lastWords([wrote, given])).toBe(wrote);
    // What they may be written to is counted from what is theirs.
    expect(freeUntil('whatsapp', [entry(1), wrote])).toBe(NOW + 1 + 86_400_000);
    expect(freeUntil('whatsapp', [entry(1), wrote, given])).toBe(NOW + 3 + 86_400_000);
  });
});
