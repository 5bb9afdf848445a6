import { describe, expect, it } from 'vitest';
import { alertOf, call, QUIET, tastesOf, type AlertTastes } from '../src/alerts';
import type { Announcement } from '../src/news';
import { nextOf } from '../src/roving';
import { contact, deskWith, entries, entry, offer, state } from './make';

const LOUD: AlertTastes = { offer: { notify: true, sound: true }, message: { notify: true, sound: false }, mention: { notify: false, sound: true } };

function called(isHidden: boolean, tastes: AlertTastes, news: Announcement) {
  const done: string[] = [];
  const caller = { isHidden: () => isHidden, notify: (title: string) => void done.push(`notify ${title}`), ring: (kind: string) => void done.push(`ring ${kind}`) };
  call(caller, tastes, news, 'title', () => undefined);
  return done;
}

describe('an agent who looks elsewhere', () => {
  const message: Announcement = { is: 'message', contact: 'con_1_0', isOwn: true, text: 'secret' };
  it('is called as they want it, and never while they look', () => {
    expect(called(true, LOUD, { is: 'offer', queue: 'Orders' })).toEqual(['notify title', 'ring offer']);
    expect(called(true, LOUD, message)).toEqual(['notify title']);
    expect(called(true, LOUD, { is: 'whisper', by: 'Ben', text: 'psst' })).toEqual(['ring mention']);
    expect(called(true, LOUD, { ...message, isOwn: false })).toEqual([]);
    expect(called(false, LOUD, message)).toEqual([]);
    expect(called(true, QUIET, message)).toEqual([]);
    expect(alertOf({ is: 'ask', by: 'Ben' })).toBe('mention');
  });

  it('hears of all that comes, also at once', () => {
    const { desk } = deskWith();
    desk.apply(state({ contacts: [contact({ entries: entries(1, 2) })] }));
    const heard: string[] = [];
    const quiet = desk.listen((news) => heard.push(news.is));
    desk.apply({ t: 'offer', ...offer() });
    desk.apply({ t: 'entry', conversation: 'cnv_1_1', entry: entry(3) });
    quiet();
    desk.apply({ t: 'entry', conversation: 'cnv_1_1', entry: entry(4) });
    expect(heard).toEqual(['offer', 'message']);
  });

  it('keeps what they want, and nothing else counts', () => {
    expect(tastesOf(JSON.stringify(LOUD))).toEqual(LOUD);
    for (const odd of [null, '{', '[]', '{"offer":{"notify":"yes"}}']) expect(tastesOf(odd)).toEqual(QUIET);
  });
});

describe('arrow keys', () => {
  it('go through a list and stop at its ends', () => {
    expect([nextOf('ArrowDown', 0, 3), nextOf('ArrowDown', 2, 3), nextOf('ArrowUp', 0, 3), nextOf('Home', 2, 3), nextOf('End', 0, 3)]).toEqual([1, 2, 0, 0, 2]);
    expect([nextOf('a', 0, 3), nextOf('ArrowDown', 0, 0)]).toEqual([null, null]);
  });
});
