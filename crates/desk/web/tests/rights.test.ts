import { afterEach, expect, it, vi } from 'vitest';
import { lookFor } from '../src/rights';

afterEach(() => vi.unstubAllGlobals());

it('an archive is there, or comes, or is none', async () => {
  const answers = async (status: number) => {
    vi.stubGlobal('fetch', async () => new Response(null, { status }));
    return lookFor('exp_1');
  };
  expect([await answers(200), await answers(202), await answers(404), await answers(410), await answers(503)]).toEqual(['whole', 'not_yet', 'none', 'none', 'not_yet']);
  vi.stubGlobal('fetch', () => Promise.reject(new Error('away')));
  expect(await lookFor('exp_1')).toBe('not_yet');
});
