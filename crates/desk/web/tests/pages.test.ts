import { expect, test } from 'vitest';
import { answeredBy, budgets, isTooLow, mayOpen, pageOf, sectionOf, yesRate, type AskCount, type GestureCount, type WalletLine } from '../src/pages';
import { at } from '../src/promise';

const ask = (asked: number, yes: number, soft_yes = 0): AskCount => ({ asked, yes, soft_yes, promised: 0 });

test('a page is asked for by its address', () => {
  expect(['#policy', '#figures', '#desk', ''].map(pageOf)).toEqual(['policy', 'figures', null, null]);
  expect(['#admin', '#admin/queues', '#administer'].map(pageOf)).toEqual(['admin', 'admin', null]);
  expect(['#admin', '#admin/queues', '#admin/nothing'].map(sectionOf)).toEqual(['agents', 'queues', 'agents']);
});

test('a limit is too low when almost every ask gets a yes', () => {
  expect(yesRate(ask(0, 0))).toBeNull();
  expect(yesRate(ask(4, 2, 1))).toBe(0.75);
  expect([ask(20, 19), ask(20, 18), ask(19, 19), ask(100, 90, 5)].map(isTooLow)).toEqual([true, false, false, true]);
});

test('a card counts what it answered, the latitude what no card did', () => {
  const one = (card: string | undefined, count: number): GestureCount => ({
    queue: 'returns', channel: 'web', kind: 'refund', count, cents: 0, ...(card === undefined ? {} : { card }),
  });
  const all = [one('tyres', 2), one('tyres', 3), one(undefined, 7)];
  expect([answeredBy('tyres', all), answeredBy(undefined, all), answeredBy('dress', all)]).toEqual([5, 7, 0]);
});

test('budgets are told where they were drawn on most first, without customers', () => {
  const line = (per: WalletLine['wallet']['per'], spent: number): WalletLine => ({ wallet: { per, of: 'x', currency: 'EUR' }, balance: { reserved: 0, spent } });
  const shown = budgets([line('customer_year', 9), line('agent_day', 1), line('team_day', 3), line('contact', 5)]);
  expect(shown.map((one) => one.wallet.per)).toEqual(['team_day', 'agent_day']);
});

test('a time to promise by is never past', () => {
  const noon = new Date(2026, 1, 27, 12, 0).getTime();
  expect([at(noon, 0, 17), at(noon, 0, 9), at(noon, 1, 12), at(noon, 2, 8)]).toEqual([
    '2026-02-27T17:00', '2026-02-28T09:00', '2026-02-28T12:00', '2026-03-01T08:00',
  ]);
});

test('administration is for who supervises, the floor for who leads', () => {
  const roles = ['agent', 'lead', 'supervisor', 'administrator'] as const;
  expect(roles.map((role) => mayOpen('admin', role))).toEqual([false, false, true, true]);
  expect(roles.map((role) => mayOpen('floor', role))).toEqual([false, true, true, true]);
  expect(roles.map((role) => mayOpen('search', role))).toEqual([true, true, true, true]);
});
