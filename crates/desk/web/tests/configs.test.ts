import { describe, expect, it } from 'vitest';
import type { Config, Item, Mine } from '../src/admin';
import { diff, durationMs, durationText, fieldsOf, isMine, keyOf, lineDiff, madePassword, mayAdd, move, placeOf, put, queuesOf, rebased, remove, rolesOf, same } from '../src/configs';

const queue = (name: string, over: Item = {}): Item => ({ name, title: name, offer_ms: 30_000, ...over });
const agent = (name: string, over: Item = {}): Item => ({ id: `agt_${name}`, name, title: name, queues: ['service'], skills: {}, capacity: { web: 2 }, ...over });
const base: Config = {
  queues: [queue('service'), queue('returns')],
  skills: [{ name: 'dutch', title: 'Dutch' }],
  agents: [agent('ada'), agent('ben', { role: 'lead' })],
  accounts: [{ channel: 'web', name: 'shop', title: 'Shop', queue: 'service', priority: 1 }],
  routes: [{ name: 'a', when: ['x'] }, { name: 'b', when: ['y'] }, { name: 'c', when: ['z'] }],
  languages: { nl: { skill: 'dutch', level: 1 } },
};

describe('a change', () => {
  it('is told item by item, and field by field', () => {
    let wanted = put(base, 'skills', null, { name: 'tyres', title: 'Tyres' });
    wanted = put(wanted, 'agents', 'ada', agent('ada', { queues: ['service', 'returns'], load_max: 4 }));
    wanted = remove(wanted, { kind: 'queues', key: 'returns' });
    wanted = put(wanted, 'languages', 'nl', { code: 'nl', skill: 'dutch', level: 2 });
    expect(diff(base, wanted).map(({ kind, key, is }) => `${is} ${kind} ${key}`)).toEqual([
      'removed queues returns', 'added skills tyres', 'changed agents ada', 'changed languages nl',
    ]);
    const changed = diff(base, wanted).find((one) => one.is === 'changed');
    expect(changed?.is === 'changed' && changed.fields).toEqual([{ field: 'load_max', to: 4 }, { field: 'queues', from: ['service'], to: ['service', 'returns'] }]);
  });

  it('is none where only the order of fields differs', () => {
    expect(diff(base, { ...base, skills: [{ title: 'Dutch', name: 'dutch' }] })).toEqual([]);
    expect(same({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] })).toBe(true);
    expect(same([1, 2], [2, 1])).toBe(false);
    expect(same({ a: 1 }, [1])).toBe(false);
    expect(fieldsOf({ a: 1 }, {})).toEqual([{ field: 'a', from: 1 }]);
  });

  it('of the order is one of its own', () => {
    const wanted = move(base, { kind: 'routes', key: 'c' }, -2);
    expect(diff(base, wanted)).toEqual([{ kind: 'routes', key: '', is: 'moved', order: ['c', 'a', 'b'] }]);
    expect(diff(base, move(base, { kind: 'routes', key: 'a' }, -1))).toEqual([]);
    expect(diff(base, move(base, { kind: 'routes', key: 'nowhere' }, 1))).toEqual([]);
  });

  it('of a name is one taken away and one added, in the same place', () => {
    const wanted = put(base, 'queues', 'service', queue('care'));
    expect(wanted.queues?.map((one) => one['name'])).toEqual(['care', 'returns']);
    expect(diff(base, wanted).map(({ is, key }) => `${is} ${key}`)).toEqual(['removed service', 'added care']);
  });

  it('names items of every kind by what is theirs', () => {
    expect(keyOf('accounts', { channel: 'web', name: 'shop' })).toBe('web.shop');
    expect([keyOf('channels', { channel: 'email' }), keyOf('priorities', { priority: 0 }), keyOf('languages', { code: 'nl' })]).toEqual(['email', '0', 'nl']);
  });
});

describe('what somebody wants, put onto what somebody else did meanwhile', () => {
  it('keeps both where they are about different items or fields', () => {
    const wanted = put(put(base, 'agents', 'ada', agent('ada', { title: 'Ada L' })), 'skills', null, { name: 'tyres', title: 'Tyres' });
    const fresh = put(put(base, 'agents', 'ben', agent('ben', { role: 'agent' })), 'queues', null, queue('orders'));
    const { config, clashes } = rebased(base, wanted, fresh);
    expect(clashes).toEqual([]);
    expect(diff(fresh, config).map(({ kind, key }) => `${kind} ${key}`)).toEqual(['skills tyres', 'agents ada']);
  });

  it('merges fields of one item and says so', () => {
    const wanted = put(base, 'queues', 'service', queue('service', { offer_ms: 60_000 }));
    const fresh = put(base, 'queues', 'service', queue('service', { title: 'Care' }));
    const { config, clashes } = rebased(base, wanted, fresh);
    expect(config.queues?.[0]).toEqual({ name: 'service', title: 'Care', offer_ms: 60_000 });
    expect(clashes).toEqual([{ kind: 'queues', key: 'service' }]);
  });

  it('is no clash if both did the same', () => {
    const both = put(base, 'skills', null, { name: 'tyres', title: 'Tyres' });
    expect(rebased(base, both, both)).toEqual({ config: both, clashes: [] });
    const gone = remove(base, { kind: 'queues', key: 'returns' });
    expect(rebased(base, gone, gone)).toEqual({ config: gone, clashes: [] });
  });

  it('brings back what the other took away, and says so', () => {
    const wanted = put(base, 'queues', 'returns', queue('returns', { offer_ms: 1 }));
    const { config, clashes } = rebased(base, wanted, remove(base, { kind: 'queues', key: 'returns' }));
    expect([config.queues?.length, clashes.length]).toEqual([2, 1]);
  });

  it('keeps its order, and what is new keeps its place', () => {
    const wanted = move(base, { kind: 'routes', key: 'c' }, -2);
    const fresh = put(base, 'routes', null, { name: 'd', when: ['w'] });
    expect(rebased(base, wanted, fresh).config.routes?.map((one) => one['name'])).toEqual(['c', 'a', 'b', 'd']);
  });
});

describe('a fault', () => {
  it('is about the item that its path names', () => {
    expect(placeOf(base, { path: 'agents[1].queues', message: '' })).toEqual({ kind: 'agents', key: 'ben', rest: 'queues' });
    expect(placeOf(base, { path: 'queues[0]', message: '' })).toEqual({ kind: 'queues', key: 'service', rest: '' });
    expect(placeOf(base, { path: 'languages.nl.skill', message: '' })).toEqual({ kind: 'languages', key: 'nl', rest: 'skill' });
    expect(placeOf(base, { path: 'agents[9].queues', message: '' })).toBeNull();
    expect(placeOf(base, { path: 'agents', message: '' })).toBeNull();
  });
});

describe('a scope', () => {
  const mine = (role: Mine['role'], ...scope: string[]): Mine => ({ agent: 'agt_x', role, scope });
  it('holds its queues, who works in those, and what leads into them', () => {
    const one = mine('supervisor', 'returns');
    expect([isMine(one, 'queues', queue('returns')), isMine(one, 'queues', queue('service'))]).toEqual([true, false]);
    const works = (...queues: string[]) => isMine(one, 'agents', agent('y', { queues }));
    expect([works('returns'), works('returns', 'service'), works('service'), works()]).toEqual([true, true, false, false]);
    const leads = (kind: 'accounts' | 'categories', to: Item) => isMine(one, kind, to);
    expect([leads('accounts', { queue: 'returns' }), leads('accounts', { queue: 'service' }), leads('categories', { queue: 'returns' }), leads('categories', {})]).toEqual([true, false, true, false]);
    expect(isMine(one, 'skills', { name: 'dutch' })).toBe(false);
    expect([mayAdd(one, 'agents'), mayAdd(one, 'accounts'), mayAdd(one, 'queues'), mayAdd(one, 'skills')]).toEqual([true, true, false, false]);
    expect(queuesOf(one, base).map((item) => item['name'])).toEqual(['returns']);
  });

  it('that is empty holds everything, but nobody else who supervises', () => {
    const all = mine('supervisor');
    const may = (of: Mine, name: string, role: string) => isMine(of, 'agents', agent(name, { role }));
    expect([isMine(all, 'skills', {}), may(all, 'y', 'lead'), may(all, 'y', 'supervisor'), may(all, 'x', 'supervisor'), may(all, 'y', 'administrator')]).toEqual([true, true, false, true, false]);
    expect(rolesOf(all)).toEqual(['agent', 'lead', 'supervisor']);
  });

  it('of who administrates is every queue', () => {
    const admin = mine('administrator', 'returns');
    expect([isMine(admin, 'agents', agent('y', { role: 'administrator' })), isMine(admin, 'skills', {}), mayAdd(admin, 'queues'), queuesOf(admin, base).length]).toEqual([true, true, true, 2]);
  });
});

describe('a time', () => {
  it('is read as files write it, and written so', () => {
    for (const [written, ms] of [['30s', 30_000], ['1h 30m', 5_400_000], ['36h', 129_600_000], ['2d', 172_800_000], ['1500ms', 1_500], ['0s', 0]] as const) {
      expect(durationMs(written)).toBe(ms);
    }
    expect([30_000, 5_400_000, 129_600_000, 172_800_000, 1_500, 0].map(durationText)).toEqual(['30s', '1h 30m', '36h', '2d', '1s 500ms', '0s']);
    for (const wrong of ['', '30', 's', '-1s', '1x', '1.5h']) expect(durationMs(wrong)).toBeNull();
    for (const ms of [1, 999, 61_000, 90_061_001]) expect(durationMs(durationText(ms))).toBe(ms);
  });
});

describe('two texts', () => {
  it('differ in lines, with a little around', () => {
    const lines = lineDiff('a\nb\nc\nd\ne\nf', 'a\nb\nc\nX\nY\ne\nf', 1).map(({ is, text }) => `${is} ${text}`);
    expect(lines).toEqual(['same c', 'removed d', 'added X', 'added Y', 'same e']);
    expect(lineDiff('a\nb', 'a\nb')).toEqual([]);
    expect(lineDiff('a\na', 'a').map(({ is }) => is)).toEqual(['same', 'removed']);
  });
});

describe('a first password', () => {
  it('is of five groups of plain signs, and another one each time', () => {
    expect(madePassword()).toMatch(/^(?:[a-km-np-z2-9]{4}-){4}[a-km-np-z2-9]{4}$/u);
    expect(madePassword()).not.toBe(madePassword());
    // Bytes that would make some signs likelier are passed over.
    let turn = 0;
    expect(madePassword((bytes) => bytes.fill(turn++ === 0 ? 255 : 0))).toBe('aaaa-aaaa-aaaa-aaaa-aaaa');
  });
});
