import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Config } from '../src/admin';
import { Editing, ItemDraft } from '../src/editing.svelte';

const shop: Config = { queues: [{ name: 'service', title: 'Service' }], skills: [], agents: [{ name: 'ada', title: 'Ada', queues: ['service'] }] };

/** A gateway that keeps one configuration. */
function gateway(config: Config = structuredClone(shop)) {
  const state = { config, seq: 1, faults: [] as { path: string; message: string }[], asked: [] as string[] };
  const json = (status: number, body: unknown) => new Response(JSON.stringify(body), { status });
  vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
    state.asked.push(`${init.method} ${path}`);
    if (init.method === 'GET') return json(200, { log_seq: state.seq, hash: `h${state.seq}`, config: state.config, mine: { agent: 'agt_1', role: 'administrator', scope: [] } });
    if (!path.endsWith(`if_hash=h${state.seq}`)) return json(409, { code: 'config_changed', title: 'changed' });
    if (state.faults.length > 0) return json(422, { code: 'config_faulty', title: 'faulty', faults: state.faults });
    state.config = JSON.parse(init.body as string) as Config;
    state.seq += 1;
    return json(200, { hash: `h${state.seq}`, log_seq: state.seq });
  });
  return state;
}

async function editing() {
  const made = new Editing();
  await made.look();
  return made;
}

afterEach(() => vi.unstubAllGlobals());

describe('the configuration while it is changed', () => {
  it('is in force after it was saved, under the hash that was read', async () => {
    const state = gateway();
    const desk = await editing();
    expect(desk.put('skills', null, { name: 'dutch', title: 'Dutch' })).toBe(true);
    expect(desk.put('skills', null, { name: 'dutch', title: 'Dutch again' })).toBe(false);
    expect(desk.changes.map((one) => one.is)).toEqual(['added']);
    await desk.save();
    expect(state.asked[1]).toBe('PUT /desk/admin/config?if_hash=h1');
    expect([desk.saved, desk.changes.length, state.config.skills?.length]).toEqual([{ is: 'in_force', log_seq: 2 }, 0, 1]);
    desk.remove({ kind: 'skills', key: 'dutch' });
    await desk.save();
    expect(state.config.skills).toEqual([]);
  });

  it('keeps what one wants when somebody else was faster, and puts it onto theirs', async () => {
    const state = gateway();
    const desk = await editing();
    desk.put('queues', 'service', { name: 'service', title: 'Care' });
    state.config = { ...state.config, tags: [{ name: 'vip', title: 'VIP' }] };
    state.seq = 5;
    await desk.save();
    expect(desk.saved.is).toBe('overtaken');
    await desk.look();
    expect([desk.saved.is, desk.clashes.length, desk.changes.map((one) => `${one.kind} ${one.key}`)]).toEqual(['no', 0, ['queues service']]);
    await desk.save();
    expect([state.config.queues?.[0]?.['title'], state.config.tags?.length]).toEqual(['Care', 1]);
  });

  it('tells faults at their items, until something is changed', async () => {
    const state = gateway();
    const desk = await editing();
    desk.remove({ kind: 'queues', key: 'service' });
    state.faults = [{ path: 'agents[0].queues', message: 'no such queue' }];
    await desk.save();
    expect(desk.faultsOf({ kind: 'agents', key: 'ada' })).toEqual([{ path: 'queues', message: 'no such queue' }]);
    desk.discard();
    expect([desk.faults.length, desk.changes.length]).toEqual([0, 0]);
  });

  it('says that no answer came', async () => {
    gateway();
    const desk = await editing();
    desk.put('skills', null, { name: 'dutch', title: 'Dutch' });
    vi.stubGlobal('fetch', () => Promise.reject(new Error('away')));
    await desk.save();
    expect(desk.saved.is).toBe('silent');
    expect(desk.changes.length).toBe(1);
  });
});

describe('an item in a form', () => {
  it('leaves out what is not said', () => {
    const draft = new ItemDraft({ name: 'ada', scope: ['service'], queues: ['service'], capacity: { web: 2 } });
    draft.toggle('scope', 'service', false);
    draft.toggle('queues', 'service', true);
    draft.setNumber('capacity', 'email', 4);
    draft.setNumber('capacity', 'web', null);
    expect(draft.taken()).toEqual({ name: 'ada', queues: [], capacity: { email: 4 } });
  });

  it('is not taken while a field cannot be read', () => {
    const draft = new ItemDraft({ name: 'service' });
    draft.isUnread('offer_ms', true);
    expect(draft.taken()).toBeNull();
    draft.isUnread('offer_ms', false);
    expect(draft.taken()).toEqual({ name: 'service' });
  });
});
