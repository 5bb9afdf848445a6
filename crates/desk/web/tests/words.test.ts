import { describe, expect, it } from 'vitest';
import { en } from '../src/i18n/en';
import { nl } from '../src/i18n/nl';
import { lineOf } from '../src/names';
import { receiptWords } from '../src/words';
import { entry, ME, receipt } from './make';

const runners = (n: number) => Array.from({ length: n }, (_, i) => ({ agent: `agt_${i}`, idle_ms: 60_000 * (n - i) }));

describe('a receipt in words', () => {
  it('names the rule, the wait, the others and those passed over', () => {
    const words = receiptWords(
      receipt({ runners_up: runners(2), passed_over: { unqualified: 4, not_there: 0, full: 1, declined: 2 } }),
      'en',
      en,
    );
    expect(words).toEqual([
      'Of all who could take it, you had been free the longest: 4 min 5 sec.',
      'It had waited 1 min 12 sec.',
      '2 others could have had it; the next of them had been free for 2 min.',
      'Passed over: 4 without the queue or skill, 1 with full hands, 2 who declined or missed it.',
    ]);
  });

  it('speaks of each rule', () => {
    const rule = (over: Parameters<typeof receipt>[0]) => receiptWords(receipt(over), 'en', en)[0];
    expect(rule({ rule: 'preferred' })).toMatch(/^This customer was with you before/);
    expect(rule({ rule: 'first_in_order', waiting_in_class: 3 })).toMatch(/first of 3 in line/);
    expect(rule({ rule: 'first_in_order', waiting_in_class: 1 })).toMatch(/the one waiting/);
  });

  it('does not claim to have counted more runners-up than a receipt names', () => {
    expect(receiptWords(receipt({ runners_up: runners(5) }), 'en', en)[2]).toMatch(/^At least 5 others/);
    expect(receiptWords(receipt({ runners_up: runners(1) }), 'en', en)[2]).toMatch(/^One other agent .* 1 min\.$/);
    expect(receiptWords(receipt(), 'en', en)[2]).toBe('Nobody else could have had it.');
  });

  it('speaks Dutch', () => {
    expect(receiptWords(receipt({ waited_ms: 400 }), 'nl', nl)).toEqual([
      'Van iedereen die het kon aannemen was jij het langst vrij: 4 min 5 sec.',
      'Het had minder dan een seconde gewacht.',
      'Niemand anders had het kunnen krijgen.',
    ]);
  });
});

describe('system entries in words', () => {
  const names = {
    me: { agent: ME, title: 'Femke' },
    floor: { queues: [{ name: 'pay', title: 'Payments', waiting: 0 }] },
    colleagues: { titleOf: (agent: string) => (agent === 'agt_m' ? 'Mila' : undefined) },
    dispositions: [{ name: 'solved', title: 'Solved' }],
  };
  it('name people, queues and endings', () => {
    const line = (kind: Parameters<typeof entry>[1], by?: string) => lineOf(entry(1, kind, by === undefined ? {} : { by }), names, en);
    expect(line({ is: 'joined', agent: ME })).toBe('You took the contact');
    expect(line({ is: 'joined', agent: 'agt_x' }, 'Jonas')).toBe('Jonas took the contact');
    expect(line({ is: 'transferred_to_queue', agent: ME, queue: 'pay' })).toBe('You transferred it to the queue Payments');
    expect(line({ is: 'transferred_to_agent', agent: 'agt_m', to: ME })).toBe('Mila transferred it to you');
    const other = { by: 'Jonas', other: 'Nadia' };
    const between = (kind: Parameters<typeof entry>[1]) => lineOf(entry(1, kind, other), names, en);
    // Neither of them is among the colleagues whom the desk knows.
    expect(between({ is: 'transferred_to_agent', agent: 'agt_x', to: 'agt_y' })).toBe('Jonas transferred it to Nadia');
    expect(between({ is: 'consulted', agent: 'agt_x', colleague: 'agt_y' })).toContain('Nadia');
    expect(between({ is: 'handed_back', agent: 'agt_x', from: 'agt_y', why: 'declined' })).toContain('Nadia');
    expect(line({ is: 'reclaimed', agent: ME })).toBe('Taken back from you: gone for too long');
    expect(line({ is: 'resolved', agent: ME, disposition: 'solved' })).toBe('You resolved it: Solved');
    expect(line({ is: 'from_customer' })).toBeNull();
  });
});
