import { describe, expect, it } from 'vitest';
import { pressOf } from '../src/keys';
import { EMPTY, isEnd, partPath, questionOf, type Form } from '../src/search';
import type { DeskEntry } from '../src/wire';

const form: Form = { ...EMPTY, words: 'brake' };

describe('what is searched for', () => {
  it('asks for nothing that was not chosen', () => {
    expect(questionOf(form)).toEqual({ words: 'brake', order: 'best' });
    expect(questionOf({ ...form, channel: 'web', agent: 'agt_1', tag: 'vip' }, '7.0')).toEqual({ words: 'brake', order: 'best', channel: 'web', agent: 'agt_1', tag: 'vip', cursor: '7.0' });
  });

  it('takes whole days, both ends included, where the agent is', () => {
    const { from, to } = questionOf({ ...form, from: '2026-03-01', to: '2026-03-01' });
    expect(from).toBe(new Date(2026, 2, 1).getTime());
    expect(to).toBe(new Date(2026, 2, 2).getTime() - 1);
    expect(questionOf({ ...form, from: '2026-3', to: 'x' })).toEqual({ words: 'brake', order: 'best' });
  });
});

describe('the part around a hit', () => {
  const entries = (...seqs: number[]) => seqs.map((seq) => ({ seq }) as DeskEntry);

  it('ends where nothing came after what was asked for', () => {
    expect(isEnd(entries(1, 2, 3), 30)).toBe(true);
    expect(isEnd(entries(28, 29), 30)).toBe(false);
    expect(isEnd([], 30)).toBe(true);
  });

  it('is asked for by conversation', () => {
    expect(partPath('cnv_1.0', 30)).toBe('/desk/history/cnv_1.0?before=30');
  });
});

describe('the key', () => {
  const key = (sign: string) => ({ key: sign, code: 'Slash', altKey: false, ctrlKey: false, metaKey: false, shiftKey: false });

  it('opens the search, and writes where one writes', () => {
    expect(pressOf(key('/'), false)).toEqual({ is: 'action', action: 'search' });
    expect(pressOf(key('/'), true)).toBeNull();
    expect(pressOf(key('?'), false)).toEqual({ is: 'action', action: 'help' });
    expect(pressOf(key('toString'), false)).toBeNull();
  });
});
