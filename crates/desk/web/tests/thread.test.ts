import { describe, expect, it } from 'vitest';
import { merge, unreadOf, waitingSince } from '../src/thread';
import { entries, entry, ME } from './make';

const seqs = (merged: { entries: readonly { seq: number }[] }) => merged.entries.map((one) => one.seq);

describe('merging entries', () => {
  it('keeps any arrival in order and single', () => {
    const merged = merge(entries(1, 3), [entry(5), entry(4), entry(3), entry(4)], 'must_join');
    expect(merged.gap).toBe(false);
    expect(seqs(merged)).toEqual([1, 2, 3, 4, 5]);
  });

  it('finds a hole after what we have, and inside what came', () => {
    expect(merge(entries(1, 3), [entry(5)], 'must_join')).toEqual({ entries: entries(1, 3), gap: true });
    expect(merge(entries(1, 3), [entry(4), entry(6)], 'may_start_anew').gap).toBe(true);
    expect(merge([], [entry(2)], 'must_join').gap).toBe(true);
  });

  it('starts anew where the server answers with less than all', () => {
    expect(seqs(merge([], entries(40, 42), 'may_start_anew'))).toEqual([40, 41, 42]);
    expect(seqs(merge(entries(1, 3), entries(40, 42), 'may_start_anew'))).toEqual([40, 41, 42]);
  });

  it('puts older entries before, and leaves what does not join', () => {
    expect(seqs(merge(entries(5, 6), entries(2, 4), 'must_join'))).toEqual([2, 3, 4, 5, 6]);
    expect(seqs(merge(entries(5, 6), entries(2, 3), 'must_join'))).toEqual([5, 6]);
  });

  it('lets words go that were erased', () => {
    const { text: _, ...erased } = entry(2);
    expect(merge(entries(1, 3), [erased], 'must_join').entries[1]?.text).toBeUndefined();
  });

  it('survives every order and doubling of a resumed conversation', () => {
    // All permutations of three overlapping answers end in the same conversation or ask for a restart.
    const parts = [entries(1, 3), entries(3, 5), entries(4, 8)];
    for (const order of [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]) {
      let have: readonly ReturnType<typeof entry>[] = [];
      for (const i of order) have = merge(have, parts[i] ?? [], 'may_start_anew').entries;
      const got = have.map((one) => one.seq);
      expect(got).toEqual(Array.from({ length: got.length }, (_, i) => (got[0] ?? 0) + i));
      expect(got.at(-1)).toBe(8);
    }
  });
});

describe('unread and waiting', () => {
  it('counts what the customer said after our last word, and what we have not seen', () => {
    const said = [entry(1), entry(2, { is: 'from_agent', agent: ME }), entry(3), entry(4, { is: 'note', agent: ME }), entry(5)];
    expect(unreadOf(said, 'con_1_0', 0)).toBe(2);
    expect(unreadOf(said, 'con_1_0', 4)).toBe(1);
    expect(unreadOf(said, 'con_2_0', 0)).toBe(0);
  });

  it('waits since the customer’s last word until we answer', () => {
    expect(waitingSince([entry(1), entry(2)])).toBe(entry(2).at);
    expect(waitingSince([entry(1), entry(2, { is: 'from_agent', agent: ME })])).toBeNull();
  });
});
