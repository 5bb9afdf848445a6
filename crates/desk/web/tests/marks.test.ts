import { describe, expect, it } from 'vitest';
import { mentionedIn, tagsOf } from '../src/marks';
import { EMPTY, RECENT_MAX, SAVED_MAX, withRecent, withSaved, type Form, type Kept } from '../src/search';
import { contact, deskWith, entries, MemoryKeep, NOW, state } from './make';

const colleagues = [
  { agent: 'agt_ann', title: 'Ann', is_there: true },
  { agent: 'agt_anna', title: 'Ann Bakker', is_there: true },
  { agent: 'agt_ben', title: 'Ben', is_there: false },
];

function floor() {
  const made = deskWith();
  const one = (n: number) => contact({ contact: `con_${n}_0`, conversation: `cnv_${n}_1`, opened_at: NOW - 60_000 + n, entries: [] });
  made.desk.apply(state({ contacts: [1, 2, 3, 4].map(one), tags: [{ name: 'vip', title: 'VIP' }] }));
  made.desk.apply({ t: 'floor', queues: [{ name: 'orders', title: 'Orders', waiting: 2 }], colleagues });
  made.lines.take();
  return made;
}

describe('marks', () => {
  it('tags are shown by title, and by name once they are configured no more', () => {
    expect(tagsOf(['vip', 'old'], [{ name: 'vip', title: 'VIP', colour: 'red' }])).toEqual([{ name: 'vip', title: 'VIP', colour: 'red' }, { name: 'old', title: 'old' }]);
    expect(tagsOf(undefined, [])).toEqual([]);
  });

  it('colleagues are named by their whole names', () => {
    expect(mentionedIn('@Ann Bakker, look; and @ben too, @Ben!', colleagues)).toEqual(['agt_anna', 'agt_ben']);
    expect(mentionedIn('ask @Ann.', colleagues)).toEqual(['agt_ann']);
    expect(mentionedIn('mail ann@Ann @Annette @Nobody Ann', colleagues)).toEqual([]);
    const accented = ['Jose', 'José', 'José Ánder'].map((title) => ({ agent: title, title, is_there: true }));
    expect(mentionedIn('é@jose @e\u0301 @jose ander, @josé and @JOSE', accented)).toEqual(['José Ánder', 'José', 'Jose']);
    expect(mentionedIn('@jose', accented.slice(1))).toEqual(['José']);
    const { desk, lines } = floor();
    const held = desk.helds[0]!;
    desk.write(held, 'note', 'Could @Ben look?');
    desk.say(held, 'note');
    expect(lines.commands()[0]?.command).toMatchObject({ do: 'note', mentions: ['agt_ben'] });
  });

  it('who is named is told, opens the place, and it is read', () => {
    const { desk } = floor();
    const heard: string[] = [];
    desk.listen((news) => heard.push(news.is));
    const mention = { contact: 'con_2_0', conversation: 'cnv_2_1', seq: 3, at: NOW, by: 'Ben' };
    desk.apply({ t: 'mentions', mentions: [mention] });
    desk.apply({ t: 'mentions', mentions: [mention] });
    expect([heard, desk.mentions.length]).toEqual([['mention'], 1]);
    desk.openAt('con_2_0', 3);
    expect([desk.selectedId, desk.selected?.wanted]).toEqual(['con_2_0', 3]);
    // A contact of somebody else's is watched, and opens at the place when it comes.
    desk.openAt('con_9_0', 2);
    desk.apply({ t: 'contact', ...contact({ contact: 'con_9_0', conversation: 'cnv_9_1', role: { is: 'watching' }, entries: entries(1, 4).map((one) => ({ ...one, contact: 'con_9_0' })) }) });
    expect([desk.selectedId, desk.selected?.wanted]).toEqual(['con_9_0', 2]);
  });
});

describe('picking', () => {
  it('opens what was picked when it comes, and looks at the line again', () => {
    const { desk, lines } = floor();
    desk.apply({ t: 'line', contacts: [{ contact: 'con_7_0', channel: 'web', queue: 'orders', waiting_since: NOW, priority: 0 }] });
    expect(desk.waitingCount).toBe(1);
    desk.pick('con_7_0');
    desk.pick('con_7_0');
    const sent = lines.commands();
    expect(sent.map(({ command }) => command)).toEqual([{ do: 'pick', contact: 'con_7_0' }]);
    desk.apply({ t: 'contact', ...contact({ contact: 'con_7_0', conversation: 'cnv_7_1' }) });
    desk.apply({ t: 'settled', id: sent[0]!.id, outcome: { is: 'done' } });
    expect([desk.selectedId, desk.wantsComposer, lines.sent.at(-1)]).toEqual(['con_7_0', true, { t: 'line' }]);
    desk.pick('con_8_0');
    desk.apply({ t: 'settled', id: lines.commands().at(-1)!.id, outcome: { is: 'refused', refusal: 'not_waiting' } });
    expect(desk.notices.all.map(({ notice }) => notice.is)).toEqual(['refused']);
  });
});

describe('many contacts at once', () => {
  it('are chosen one by one and through, and each has its own command', () => {
    const { desk, lines } = floor();
    const listed = desk.helds.map((held) => held.id);
    const { bulk } = desk;
    bulk.start();
    bulk.toggle('con_1_0', false, listed);
    bulk.toggle('con_3_0', true, listed);
    expect([...bulk.chosen]).toEqual(['con_1_0', 'con_2_0', 'con_3_0']);
    bulk.toggle('con_2_0', false, listed);
    bulk.act({ is: 'tag', tag: 'vip' });
    bulk.act({ is: 'tag', tag: 'vip' });
    const sent = lines.commands();
    expect(sent.map(({ command }) => command)).toEqual([
      { do: 'set_tags', contact: 'con_1_0', add: ['vip'], remove: [] },
      { do: 'set_tags', contact: 'con_3_0', add: ['vip'], remove: [] },
    ]);
    expect([bulk.done, bulk.total, bulk.isBusy]).toEqual([0, 2, true]);
    desk.apply({ t: 'settled', id: sent[0]!.id, outcome: { is: 'done' } });
    desk.apply({ t: 'settled', id: sent[1]!.id, outcome: { is: 'refused', refusal: 'too_many_tags' } });
    // What failed is told here and stays chosen; no notice for each.
    expect([bulk.done, bulk.failed, [...bulk.chosen], desk.notices.all]).toEqual([2, [{ contact: 'con_3_0', refusal: 'too_many_tags' }], ['con_3_0'], []]);
    bulk.keepOnly(['con_1_0']);
    expect(bulk.chosen.size).toBe(0);
    bulk.chooseAll(listed);
    bulk.act({ is: 'resolve', disposition: 'solved' });
    expect(lines.commands().slice(2).map(({ command }) => command.do)).toEqual(['resolve', 'resolve', 'resolve', 'resolve']);
    bulk.end();
    expect([bulk.isOn, bulk.chosen.size]).toEqual([false, 0]);
  });
});

describe('searches', () => {
  const form = (words: string): Form => ({ ...EMPTY, words });
  it('are kept newest first, each once; saved ones stay', () => {
    let kept: Kept[] = [];
    for (let n = 0; n < RECENT_MAX + 3; n++) kept = withRecent(kept, form(`w${n}`));
    expect([kept.length, kept[0]?.form.words]).toEqual([RECENT_MAX, 'w10']);
    kept = withSaved(kept, form('w5'), true);
    for (let n = 20; n < 40; n++) kept = withRecent(kept, form(`w${n}`));
    expect([kept.length, kept.at(-1)?.form.words]).toEqual([RECENT_MAX + 1, 'w5']);
    kept = withRecent(kept, form('w5'));
    expect([kept[0], kept.length]).toEqual([{ form: form('w5'), isSaved: true }, RECENT_MAX + 1]);
    for (let n = 50; n < 100; n++) kept = withSaved(withRecent(kept, form(`w${n}`)), form(`w${n}`), true);
    expect(kept.filter((one) => one.isSaved).length).toBe(SAVED_MAX);
  });

  it('outlive a reload and go with the agent who signs out', () => {
    const keep = new MemoryKeep();
    const { desk } = deskWith(keep);
    desk.searches.ran(form('crack'));
    expect(deskWith(keep).desk.searches.all.map((one) => one.form.words)).toEqual(['crack']);
    desk.forget();
    expect(deskWith(keep).desk.searches.all).toEqual([]);
  });
});
