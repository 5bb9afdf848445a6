import { describe, expect, it } from 'vitest';
import { filledIn, firstBlank, flawOf, offered, type Canned } from '../src/canned.svelte';
import { ranked, scoreOf } from '../src/fuzzy';
import { queryAt, replaced, takingOf } from '../src/picking';
import { contact, deskWith, entries, entry, MemoryKeep, state } from './make';

const one = (name: string, over: Partial<Canned> = {}): Canned => ({ name, revision: 1, title: name, text: `words of ${name}`, ...over });

describe('what is picked while one writes', () => {
  const at = (text: string, sign: '/' | '@' = '/') => queryAt(text, text.length, sign);
  it('begins with its sign at the start of a word', () => {
    expect(at('/')).toEqual({ from: 0, words: '' });
    expect(at('Hi /late par')).toEqual({ from: 3, words: 'late par' });
    expect(at('ask @Mila', '@')).toEqual({ from: 4, words: 'Mila' });
    for (const none of ['1/2', 'a/b', '/ ', '//', '/usr/lib', `/${'x'.repeat(41)}`, '/late\n', 'nothing']) expect(at(none), none).toBeNull();
    expect(at('mila@example', '@')).toBeNull();
    expect(replaced('Hi /la there', { from: 3, words: 'la' }, 6, 'late')).toEqual({ text: 'Hi late there', caret: 7 });
  });
  it('is what was marked, wherever it stands now, and nothing in its place', () => {
    expect(takingOf(['ann', 'ben'], 'ben')).toEqual({ is: 'taken', place: 1 });
    expect(takingOf(['ben', 'cas', 'ann'], 'ann')).toEqual({ is: 'taken', place: 2 });
    expect(takingOf(['cas', 'ben'], 'ann')).toEqual({ is: 'gone', marked: 'cas' });
    expect(takingOf([], 'ann')).toEqual({ is: 'gone', marked: null });
    expect(takingOf(['ann'], null)).toEqual({ is: 'none' });
  });
});

describe('a canned answer', () => {
  it('is found by a few letters, the beginnings of words first', () => {
    expect(ranked('pl', ['apple', 'parcel late', 'please'], (text) => [text])[0]).toBe('please');
    expect(ranked('pala', ['apple late', 'parcel is late', 'plan'], (text) => [text])[0]).toBe('parcel is late');
    expect(scoreOf('xyz', 'parcel')).toBeNull();
    expect(scoreOf('geo', 'Géó')).not.toBeNull();
  });

  it('is offered where it belongs, in the customer’s language first', () => {
    const all = [one('b', { language: 'nl' }), one('a', { language: 'en' }), one('c'), one('d', { queues: ['payments'] })];
    expect(offered(all, '', 'orders', 'nl-BE').map(({ name }) => name)).toEqual(['b', 'c', 'a']);
    expect(offered(all, '', 'payments', 'en').map(({ name }) => name)).toEqual(['a', 'c', 'd', 'b']);
    expect(offered(all, 'words of d', undefined, 'en')).toEqual([]);
  });

  it('is filled in with what is known, and nothing else of the page', () => {
    expect(filledIn('Dear {customer}, {order} of {order}: {constructor} {Not}', { customer: 'Ann', order: '' })).toEqual({
      text: 'Dear Ann, {order} of {order}: {constructor} {Not}',
      blanks: ['order', 'constructor'],
    });
    // What is filled in is no answer itself.
    expect(filledIn('{customer}', { customer: '{agent}', agent: 'Femke' })).toEqual({ text: '{agent}', blanks: [] });
    expect(firstBlank('Dear {a}, {b}', ['b', 'a'])).toEqual({ from: 5, to: 8 });
    expect(firstBlank('Dear', ['b'])).toBeNull();
  });

  it('is not sent before its variables are filled in, also after a reload', () => {
    const keep = new MemoryKeep();
    const { desk, lines } = deskWith(keep);
    desk.apply(state({ contacts: [contact({ customer_name: 'Ann', entries: entries(1, 2) })] }));
    const held = desk.helds[0]!;
    const { text, blanks } = desk.fillIn(held, one('late', { text: 'Dear {customer}, {order} is late. {agent}' }), 'today');
    expect([text, blanks]).toEqual(['Dear Ann, {order} is late. Femke', ['order']]);
    held.blanks = blanks;
    desk.write(held, 'reply', text);
    expect([desk.say(held, 'reply'), lines.commands()]).toEqual([false, []]);
    const again = deskWith(keep, lines).desk;
    again.apply(state({ contacts: [contact({ customer_name: 'Ann', entries: entries(1, 2) })] }));
    const later = again.helds[0]!;
    expect([later.openBlanks, again.say(later, 'reply')]).toEqual([['order'], false]);
    again.write(later, 'reply', 'Dear Ann, 88-1977 is late. Femke');
    expect([later.openBlanks, again.say(later, 'reply')]).toEqual([[], true]);
    // Braces that an agent writes themselves are words like others.
    again.write(later, 'reply', 'Write {order} in the field.');
    expect(again.say(later, 'reply')).toBe(true);
  });

  it('is kept only if it can be', () => {
    expect([flawOf(one('late')), flawOf(one('no name')), flawOf(one('a', { title: ' ' })), flawOf(one('a', { text: 'x'.repeat(4097) })), flawOf(one('a', { language: 'dutch!' }))]).toEqual([
      null,
      'name',
      'title',
      'text',
      'language',
    ]);
  });
});

describe('a colleague who writes', () => {
  it('is shown until their words are here, and agents tell each other of notes only in company', () => {
    const { desk, lines } = deskWith();
    desk.apply(state({ contacts: [contact({ entries: entries(1, 2) })] }));
    const held = desk.helds[0]!;
    desk.apply({ t: 'writing', conversation: 'cnv_1_1', agent: 'agt_mila', title: 'Mila' });
    desk.apply({ t: 'writing', conversation: 'cnv_1_1', agent: 'agt_ben', title: 'Ben', note: true });
    desk.apply({ t: 'writing', conversation: 'cnv_1_1', agent: 'agt_mila', title: 'Mila' });
    expect(held.writers.map(({ title, isNote }) => [title, isNote])).toEqual([
      ['Ben', true],
      ['Mila', false],
    ]);
    desk.apply({ t: 'entry', conversation: 'cnv_1_1', entry: entry(3, { is: 'from_agent', agent: 'agt_mila' }) });
    expect(held.writers.map(({ title }) => title)).toEqual(['Ben']);
    desk.write(held, 'note', 'For us');
    expect(lines.sent.filter((frame) => frame.t === 'typing')).toEqual([]);
    const company = [{ agent: 'agt_ben', title: 'Ben', role: { is: 'watching' as const } }];
    desk.apply({ t: 'contact', ...contact({ company, entries: [] }) });
    desk.write(held, 'note', 'For us all');
    expect(lines.sent.filter((frame) => frame.t === 'typing')).toEqual([{ t: 'typing', contact: 'con_1_0', note: true }]);
  });
});
