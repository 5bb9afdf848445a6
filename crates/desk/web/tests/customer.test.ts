import { describe, expect, it, test } from 'vitest';
import { breadth, calledAs, customerPath, identitiesPath, joined, type CustomerPage, type Line, type Person } from '../src/customer';
import { en } from '../src/i18n/en';
import { nl } from '../src/i18n/nl';
import { refusedOf } from '../src/rights';

const person = (identity: string, rest: Partial<Person> = {}): Person => ({ identity, channel: 'web', account: 'shop', conversations: 1, since: 0, ...rest });
const line = (place: number): Line => ({ place, conversation: 'cnv_1_0', identity: 'idn_1', channel: 'web', files: [], seq: place, at: 0, contact: 'con_1_0', kind: { is: 'from_customer' } }) as Line;

test('a person is called by name and address, as far as they are known', () => {
  expect(calledAs(person('a', { name: 'Ann', address: 'ann@example.org' }))).toBe('Ann · ann@example.org');
  expect(calledAs(person('a', { name: 'ann@example.org', address: 'ann@example.org' }))).toBe('ann@example.org');
  expect(calledAs(person('a', { address: 'ann@example.org' }))).toBe('ann@example.org');
  expect(calledAs(person('a'))).toBeNull();
});

test('conversations of all identities are counted, each channel once', () => {
  const identities = [person('a', { conversations: 2 }), person('b', { channel: 'email', conversations: 3 }), person('c')];
  const page: CustomerPage = { log_seq: 1, identities, is_cut: false, links: [], suggestions: [], timeline: [], has_more: false };
  expect(breadth(page)).toEqual({ conversations: 6, channels: ['web', 'email'] });
});

test('parts of a timeline fit together whichever came first, and what stands in both stands once', () => {
  const places = (lines: readonly Line[]) => lines.map((one) => one.place);
  expect(places(joined([line(7), line(9)], [line(1), line(4)]))).toEqual([1, 4, 7, 9]);
  expect(places(joined([line(4), line(7)], [line(7), line(9)]))).toEqual([4, 7, 9]);
  expect(places(joined([], [line(4)]))).toEqual([4]);
  const again = { ...line(4), text: 'as it was read last' };
  expect(joined([line(4)], [again])).toEqual([again]);
});

test('an earlier part is asked for by its place', () => {
  expect(customerPath('cnv_1_0')).toBe('/desk/customer/cnv_1_0');
  expect(identitiesPath('cnv_1_0')).toBe('/desk/customer/cnv_1_0?limit=0');
  expect(customerPath('cnv_1_0', 12)).toBe('/desk/customer/cnv_1_0?before=12');
});

describe('what became of an erasure that was not answered', () => {
  it('is nothing only if nobody was there or it was refused', () => {
    expect(refusedOf({ status: 503, code: 'rights_silent' })).toEqual({ is: 'away' });
    expect(refusedOf({ status: 403, code: 'not_yours' })).toEqual({ is: 'away' });
    expect(refusedOf({ status: 504, code: 'outcome_open', id: 'ers_1' })).toEqual({ is: 'unsure', id: 'ers_1' });
    expect(refusedOf({ code: 'internal' })).toEqual({ is: 'unsure' });
  });

  it('is said with the id under which it is looked for, where there is one', () => {
    for (const texts of [en, nl]) {
      expect(texts.customer.eraseUnsure('ers_1')).toContain('ers_1');
      expect(texts.customer.eraseUnsure(undefined)).not.toContain('undefined');
      expect(texts.customer.exportUnsure(undefined)).not.toContain('undefined');
    }
  });
});
