import { describe, expect, it } from 'vitest';
import { Finder, findIn, marked } from '../src/finder.svelte';
import { rowsOf, sizedOf } from '../src/rows';
import { contact, deskWith, entries, entry, NOW, state } from './make';

describe('words in a conversation', () => {
  it('are marked as they stand, whatever signs they are made of', () => {
    expect(marked('Is (a+b) = (A+B)?', '(a+b)')).toEqual([
      { text: 'Is ', isMarked: false },
      { text: '(a+b)', isMarked: true },
      { text: ' = ', isMarked: false },
      { text: '(A+B)', isMarked: true },
      { text: '?', isMarked: false },
    ]);
    expect(marked('nothing', ' ')).toEqual([{ text: 'nothing', isMarked: false }]);
    expect(findIn([entry(1), entry(2, { is: 'note', agent: 'agt_1' }, { text: 'WORDS too' }), entry(3, { is: 'closed' })], 'words')).toEqual([1, 2]);
  });

  it('are found from the newest back, and beyond what is here in what is fetched', () => {
    const { desk, lines } = deskWith();
    desk.apply(state({ contacts: [contact({ entries: entries(11, 20) })] }));
    const held = desk.helds[0]!;
    const finder = new Finder(desk, held);
    finder.change('words 1');
    expect([finder.hits.length, finder.number, held.wanted, held.found]).toEqual([9, 1, 19, 19]);
    for (let i = 0; i < 8; i++) finder.older();
    expect([finder.number, held.found, finder.isReading]).toEqual([9, 11, false]);
    lines.take();
    finder.older();
    finder.readOn();
    expect([finder.isReading, lines.take()]).toEqual([true, [{ t: 'older', contact: 'con_1_0', before_seq: 11 }]]);
    desk.apply({ t: 'older', conversation: 'cnv_1_1', entries: entries(1, 10) });
    finder.readOn();
    expect([finder.isReading, held.found, finder.number]).toEqual([false, 10, 10]);
    finder.newer();
    expect(held.found).toBe(11);
    finder.change('words 4');
    expect(held.found).toBe(4);
    finder.older();
    expect(finder.isReading).toBe(false);
  });
});

describe('a row', () => {
  it('is thought to be as high as its words are long', () => {
    const [day, short, long] = rowsOf([entry(1, undefined, { text: 'short' }), entry(2, undefined, { at: NOW + 3_600_000, text: 'long '.repeat(200) })]);
    expect([day!.is, sizedOf(short!, 600).guess, sizedOf(long!, 600).guess]).toEqual(['day', 68, 48 + 20 * Math.ceil(1000 / (480 / 7))]);
    expect(sizedOf(long!, 300).guess).toBeGreaterThan(sizedOf(long!, 600).guess);
  });
});
