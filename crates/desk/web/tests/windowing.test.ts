import { describe, expect, it } from 'vitest';
import { Heights, type Sized } from '../src/windowing';

const rows = (from: number, to: number, guess = 40): Sized[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ key: `entry-${from + i}`, guess, isFirm: i % 2 === 1 }));

function laid(count: number): Heights {
  const heights = new Heights();
  heights.lay(rows(1, count));
  return heights;
}

describe('rows in the page', () => {
  it('are those in view, with the room of all others', () => {
    const heights = laid(5_000);
    expect(heights.total).toBe(200_000);
    const part = heights.part(100_000, 100_800);
    expect(part).toEqual({ from: 2_500, to: 2_521, above: 100_000, below: 200_000 - 2_521 * 40 });
    expect(heights.part(-500, 300)).toEqual({ from: 0, to: 8, above: 0, below: 200_000 - 320 });
    expect(heights.part(199_900, 900_000).to).toBe(5_000);
    expect(new Heights().part(0, 800)).toEqual({ from: 0, to: 0, above: 0, below: 0 });
  });

  it('move those after them when they turn out to be higher or lower', () => {
    const heights = laid(6);
    expect(heights.measure([['entry-2', 100], ['entry-4', 10], ['entry-9', 5]])).toBe(true);
    expect([1, 2, 3, 4, 5, 6].map((n) => heights.topOf(`entry-${n}`))).toEqual([0, 40, 140, 180, 190, 230]);
    expect(heights.total).toBe(270);
    expect(heights.measure([['entry-2', 100.2]])).toBe(false);
    // Measured heights outlive another order; what was only guessed does not.
    heights.lay(rows(0, 6, 50));
    expect([0, 1, 2, 3, 4, 5].map((n) => heights.topOf(`entry-${n}`))).toEqual([0, 50, 100, 200.2, 250.2, 260.2]);
  });

  it('agree with heights that are added up, however they are measured', () => {
    let seed = 7;
    const dice = (n: number) => (seed = (seed * 48_271) % 2_147_483_647) % n;
    const heights = laid(200);
    const book = Array.from({ length: 200 }, () => 40);
    for (let turn = 0; turn < 60; turn++) {
      const found = Array.from({ length: 1 + dice(20) }, (): [number, number] => [dice(200), 10 + dice(300)]);
      const last = new Map(found);
      heights.measure([...last].map(([i, height]): [string, number] => [`entry-${i + 1}`, height]));
      for (const [i, height] of last) book[i] = height;
      let top = 0;
      for (const [i, height] of book.entries()) {
        expect(heights.topOf(`entry-${i + 1}`)).toBeCloseTo(top, 6);
        expect(heights.at(top + height / 2)).toBe(i);
        top += height;
      }
    }
  });
});

describe('an anchor', () => {
  it('stays where it is when older rows come before it', () => {
    const heights = new Heights();
    heights.lay(rows(101, 200));
    const anchor = heights.anchorAt(90, 500)!;
    // The row in view may vanish when others come before it, as a line between days does: the next one holds.
    expect(anchor).toEqual({ key: 'entry-104', offset: -30 });
    heights.lay(rows(51, 200));
    expect(heights.placeOf(anchor)).toBe(90 + 50 * 40);
    heights.lay(rows(150, 200));
    expect(heights.placeOf(anchor)).toBeNull();
  });

  it('is a row that was measured, if one is in view', () => {
    const heights = laid(100);
    heights.measure([['entry-8', 40]]);
    expect(heights.anchorAt(90, 500)?.key).toBe('entry-8');
    expect(heights.anchorAt(90, 200)?.key).toBe('entry-4');
    heights.measure([['entry-2', 40]]);
    // The first firm row looks otherwise once something stands before it.
    expect([heights.anchorAt(0, 500)?.key, heights.anchorAt(0, 100)?.key]).toEqual(['entry-8', 'entry-2']);
    expect(new Heights().anchorAt(0, 500)).toBeNull();
  });
});
