import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DRAFT_AFTER_MS, TYPING_EVERY_MS } from '../src/drafts';
import { Desk, RESEND_AFTER_MS, UNDER_WAY_MAX } from '../src/store.svelte';
import { TEXT_BYTES_MAX } from '../src/wire';
import { contact, deskWith, entries, entry, Lines, ME, MemoryKeep, NOW, offer, state } from './make';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const DONE = { is: 'done' } as const;

function withContact(keep = new MemoryKeep(), lines = new Lines()) {
  const made = deskWith(keep, lines);
  made.desk.apply(state({ contacts: [contact({ entries: entries(1, 2) })] }));
  const held = made.desk.helds[0];
  if (held === undefined) throw new Error('the contact is not there');
  return { ...made, held };
}

describe('resume', () => {
  it('says what it has and takes only what is new, with no loss, double or change of order', () => {
    const { desk, held } = withContact();
    desk.apply({ t: 'entry', conversation: 'cnv_1_1', entry: entry(3) });
    expect(desk.hello()).toEqual({ t: 'hello', have: { cnv_1_1: 3 } });
    // The gateway answers with an overlap and what was missed meanwhile; then the tail repeats itself.
    desk.apply(state({ contacts: [contact({ entries: entries(3, 6) })] }));
    desk.apply({ t: 'entry', conversation: 'cnv_1_1', entry: entry(6) });
    desk.apply({ t: 'entry', conversation: 'cnv_1_1', entry: entry(7) });
    expect(held.entries.map((one) => one.seq)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(desk.helds).toEqual([held]);
  });

  it('connects anew at a gap, and gets the whole conversation if that does not help', () => {
    const { desk, lines, held } = withContact();
    desk.apply({ t: 'entry', conversation: 'cnv_1_1', entry: entry(4) });
    expect(lines.restarts).toBe(1);
    expect(held.entries.map((one) => one.seq)).toEqual([1, 2]);
    expect(desk.hello()).toEqual({ t: 'hello', have: { cnv_1_1: 2 } });
    desk.apply({ t: 'entry', conversation: 'cnv_1_1', entry: entry(4) });
    expect(lines.restarts).toBe(2);
    expect(desk.hello()).toEqual({ t: 'hello', have: {} });
    desk.apply(state({ contacts: [contact({ entries: entries(1, 4) })] }));
    expect(held.entries.map((one) => one.seq)).toEqual([1, 2, 3, 4]);
  });

  it('takes contacts and offers away that are no longer there', () => {
    const { desk } = withContact();
    desk.apply({ t: 'offer', ...offer() });
    desk.apply(state());
    expect([desk.helds, desk.offers]).toEqual([[], []]);
  });

  it('remembers a conversation whose contact went and came back', () => {
    const { desk } = withContact();
    desk.apply({ t: 'contact_gone', contact: 'con_1_0', why: 'transferred' });
    expect(desk.helds).toEqual([]);
    desk.apply({ t: 'contact', ...contact({ contact: 'con_9_0', entries: [entry(3, { is: 'joined', agent: ME })] }) });
    expect(desk.helds[0]?.entries.map((one) => one.seq)).toEqual([1, 2, 3]);
  });
});

describe('halves of signs', () => {
  it('never reach a frame: the gateway could not read it', () => {
    const keep = new MemoryKeep();
    const { desk, lines, held } = withContact(keep);
    desk.write(held, 'reply', 'a\ud83d');
    vi.advanceTimersByTime(DRAFT_AFTER_MS);
    desk.say(held, 'reply');
    desk.decline(offer(), '\ude00 busy \u{1f600}');
    const written = JSON.stringify(lines.sent);
    expect(written).not.toMatch(/\\ud[89a-f]/);
    expect(lines.commands().map(({ command }) => command)).toMatchObject([
      { do: 'reply', text: 'a\ufffd' },
      { do: 'decline', reason: '\ufffd busy \u{1f600}' },
    ]);
    // One that an earlier version kept.
    const key = 'winterband.desk.outbox.agt_me';
    keep.set(key, (keep.get(key) ?? '').replace('a\ufffd', 'a\\ud83d'));
    const again = withContact(keep);
    expect(again.lines.commands()[0]?.command).toMatchObject({ text: 'a\ufffd' });
  });
});

describe('the floor', () => {
  it('names colleagues, and the agent is none', () => {
    const { desk } = deskWith();
    const colleague = (agent: string) => ({ agent, title: agent, is_there: true });
    desk.apply({ t: 'floor', queues: [], colleagues: [colleague(ME), colleague('agt_other')] });
    expect(desk.colleagues.all.map((one) => one.agent)).toEqual(['agt_other']);
  });
});

describe('own words', () => {
  it('stand there at once, and give way to the entry with the same message id', () => {
    const { desk, lines, held } = withContact();
    held.reply = ' On its way. ';
    expect(desk.say(held, 'reply')).toBe(true);
    const [frame] = lines.commands();
    if (frame?.command.do !== 'reply') throw new Error('no reply was sent');
    expect(frame.command.text).toBe('On its way.');
    expect(desk.outbox.wordsOf('con_1_0')).toMatchObject([{ fate: 'open' }]);
    expect(held.reply).toBe('');
    desk.apply({ t: 'settled', id: frame.id, outcome: DONE });
    expect(desk.outbox.wordsOf('con_1_0')).toMatchObject([{ fate: 'done' }]);
    const { message } = frame.command;
    desk.apply({ t: 'entry', conversation: 'cnv_1_1', entry: entry(3, { is: 'from_agent', agent: ME }, { message }) });
    expect(desk.outbox.parcels).toEqual([]);
    expect(held.messages.has(message)).toBe(true);
  });

  it('are settled once, whichever of answer and entry comes first', () => {
    const { desk, lines, held } = withContact();
    held.reply = 'Yes';
    desk.say(held, 'reply');
    const [frame] = lines.commands();
    if (frame?.command.do !== 'reply') throw new Error('no reply was sent');
    const { message } = frame.command;
    desk.apply({ t: 'entry', conversation: 'cnv_1_1', entry: entry(3, { is: 'from_agent', agent: ME }, { message }) });
    expect(desk.outbox.open).toHaveLength(1);
    desk.apply({ t: 'settled', id: frame.id, outcome: DONE });
    desk.apply({ t: 'settled', id: frame.id, outcome: DONE });
    expect(desk.outbox.parcels).toEqual([]);
  });

  it('that are refused stay with the reason, and go again under new ids', () => {
    const { desk, lines, held } = withContact();
    held.note = 'Call back';
    desk.say(held, 'note');
    const [first] = lines.commands();
    desk.apply({
      t: 'settled',
      id: first?.id ?? '',
      outcome: { is: 'refused', refusal: 'contact_closed' },
      words: 'this contact is closed',
    });
    const [refused] = desk.outbox.wordsOf('con_1_0');
    expect(refused).toMatchObject({ fate: 'refused', refusal: 'contact_closed', words: 'this contact is closed' });
    if (refused) desk.again(refused);
    const [, second] = lines.commands();
    expect(second?.command).toMatchObject({ do: 'note', text: 'Call back' });
    expect(second?.id).not.toBe(first?.id);
    expect(desk.outbox.parcels).toHaveLength(1);
  });

  it('go out at the limit and not past it', () => {
    const { desk, held } = withContact();
    held.reply = 'é'.repeat(TEXT_BYTES_MAX / 2);
    expect(desk.say(held, 'reply')).toBe(true);
    held.reply = `${'é'.repeat(TEXT_BYTES_MAX / 2)}x`;
    expect(desk.say(held, 'reply')).toBe(false);
    expect(held.reply).not.toBe('');
    expect(desk.notices.all.at(-1)?.notice).toEqual({ is: 'too_long' });
  });
});

describe('commands without an answer', () => {
  it('are kept while there is no connection, survive a reload, and go again under the same id until settled', () => {
    const keep = new MemoryKeep();
    const lines = new Lines();
    const { desk, held } = withContact(keep, lines);
    lines.isUp = false;
    held.reply = 'First';
    desk.say(held, 'reply');
    desk.command({ do: 'resolve', contact: 'con_1_0', disposition: 'solved' });
    const ids = desk.outbox.open.map((parcel) => parcel.id);
    expect(lines.commands()).toEqual([]);

    lines.isUp = true;
    const reloaded = withContact(keep, lines).desk;
    expect(lines.commands().map((frame) => frame.id)).toEqual(ids);
    lines.take();
    reloaded.apply(state({ contacts: [contact()] }));
    expect(lines.commands().map((frame) => frame.id)).toEqual(ids);
    lines.take();
    for (const id of ids) reloaded.apply({ t: 'settled', id, outcome: DONE });
    reloaded.apply(state({ contacts: [contact()] }));
    expect(lines.commands()).toEqual([]);
  });

  it('go again on the same connection only after a while', () => {
    const { desk, lines } = withContact();
    desk.setPresence('away');
    lines.take();
    vi.advanceTimersByTime(RESEND_AFTER_MS - 1);
    desk.resend();
    expect(lines.commands()).toEqual([]);
    vi.advanceTimersByTime(1);
    desk.resend();
    expect(lines.commands()).toHaveLength(1);
  });

  it('are never overtaken by newer ones', () => {
    const keep = new MemoryKeep();
    const lines = new Lines();
    lines.isUp = false;
    const { desk } = withContact(keep, lines);
    const more = 3;
    for (let n = 0; n < UNDER_WAY_MAX + more; n++) desk.setPresence(n % 2 === 0 ? 'away' : 'online');
    lines.isUp = true;
    desk.apply(state({ contacts: [contact()] }));
    desk.command({ do: 'resolve', contact: 'con_1_0', disposition: 'solved' });
    const ids = desk.outbox.open.map((parcel) => parcel.id);
    const sent = () => lines.commands().map((frame) => frame.id);
    expect(sent()).toEqual(ids.slice(0, UNDER_WAY_MAX));
    // Each answer makes room for one more.
    for (const id of ids.slice(0, more + 1)) desk.apply({ t: 'settled', id, outcome: DONE });
    expect(sent()).toEqual(ids);
    expect(lines.commands().at(-1)?.command.do).toBe('resolve');
  });

  it('go again from the oldest on, so that their order stays', () => {
    const { desk, lines } = withContact();
    desk.setPresence('away');
    vi.advanceTimersByTime(RESEND_AFTER_MS / 2);
    desk.setPresence('online');
    vi.advanceTimersByTime(RESEND_AFTER_MS / 2);
    lines.take();
    desk.resend();
    desk.setPresence('offline');
    const asked = lines.commands().map(({ command }) => command.do === 'set_presence' && command.presence);
    expect(asked).toEqual(['away', 'online', 'offline']);
  });

  it('of one agent are never sent for another', () => {
    const keep = new MemoryKeep();
    const { desk, lines } = deskWith(keep);
    lines.isUp = false;
    desk.setPresence('online');
    lines.isUp = true;
    // The cookie of this browser is another agent's now.
    desk.apply(state({ agent: 'agt_other' }));
    expect(lines.restarts).toBe(1);
    const other = new Desk({ agent: 'agt_other', title: 'Mila' }, lines, keep);
    other.apply(state({ agent: 'agt_other', title: 'Mila' }));
    expect(lines.commands()).toEqual([]);
    expect(other.outbox.parcels).toEqual([]);
  });
});

describe('offers', () => {
  it('stand once, in the order of their end, and go when they end', () => {
    const { desk } = deskWith();
    desk.apply(state({ offers: [offer({ offer: 'off_2_0', expires_at: 30 }), offer({ offer: 'off_1_0', expires_at: 20 })] }));
    desk.apply({ t: 'offer', ...offer({ offer: 'off_3_0', expires_at: 10 }) });
    desk.apply({ t: 'offer', ...offer({ offer: 'off_3_0', expires_at: 10 }) });
    expect(desk.offers.map((one) => one.offer)).toEqual(['off_3_0', 'off_1_0', 'off_2_0']);
    desk.apply({ t: 'offer_ended', offer: 'off_1_0', how: 'timed_out' });
    expect(desk.offers.map((one) => one.offer)).toEqual(['off_3_0', 'off_2_0']);
    expect(desk.notices.all.at(-1)?.notice).toEqual({ is: 'offer_ended', how: 'timed_out' });
  });

  it('are decided once', () => {
    const { desk, lines } = deskWith();
    desk.apply(state({ offers: [offer()] }));
    desk.accept(offer(), 'write');
    desk.accept(offer(), 'write');
    desk.decline(offer(), 'busy');
    expect(lines.commands().map((frame) => frame.command)).toEqual([{ do: 'accept', offer: 'off_5_0' }]);
    expect(desk.decisionOn('off_5_0')).toBe('accept');
  });

  it('open their contact when it comes, unless the agent is in the middle of a sentence', () => {
    const cases = [['write', 'con_7_0', true], ['read', 'con_7_0', false], ['stay', 'con_1_0', false]] as const;
    for (const [then, selected, wantsComposer] of cases) {
      const { desk } = withContact();
      desk.select('con_1_0');
      desk.accept(offer({ contact: 'con_7_0' }), then);
      desk.apply({ t: 'contact', ...contact({ contact: 'con_7_0', conversation: 'cnv_7_1' }) });
      expect([desk.selectedId, desk.wantsComposer]).toEqual([selected, wantsComposer]);
    }
  });

  it('that ended meanwhile go away with the reason', () => {
    const { desk, lines } = deskWith();
    desk.apply(state({ offers: [offer()] }));
    desk.accept(offer(), 'write');
    const id = lines.commands()[0]?.id ?? '';
    desk.apply({ t: 'settled', id, outcome: { is: 'refused', refusal: 'offer_ended' }, words: 'it has ended' });
    expect(desk.offers).toEqual([]);
    expect(desk.notices.all.at(-1)?.notice).toMatchObject({ is: 'refused', what: 'accept', refusal: 'offer_ended' });
  });
});

describe('contacts that go', () => {
  it('stay on the screen as long as they have words that nobody got', () => {
    const { desk, held } = withContact();
    desk.write(held, 'reply', 'Half a sen');
    desk.apply({ t: 'contact_gone', contact: 'con_1_0', why: 'reclaimed' });
    expect(held.gone).toBe('reclaimed');
    expect(desk.hello()).toEqual({ t: 'hello', have: {} });
    desk.dismiss('con_1_0');
    expect(desk.helds).toEqual([]);
  });

  it('say nothing when the agent gave them away', () => {
    const { desk, lines } = withContact();
    desk.command({ do: 'transfer_to_queue', contact: 'con_1_0', queue: 'payments' });
    desk.apply({ t: 'settled', id: lines.commands()[0]?.id ?? '', outcome: DONE });
    desk.apply({ t: 'contact_gone', contact: 'con_1_0', why: 'transferred' });
    expect(desk.helds).toEqual([]);
    expect(desk.notices.all).toEqual([]);
  });

  it('show refused words of a contact that is not there after a reload', () => {
    const keep = new MemoryKeep();
    const { desk, lines, held } = withContact(keep);
    held.reply = 'Lost?';
    desk.say(held, 'reply');
    const id = lines.commands()[0]?.id ?? '';
    const reloaded = deskWith(keep).desk;
    reloaded.apply(state());
    reloaded.apply({ t: 'settled', id, outcome: { is: 'refused', refusal: 'not_yours' } });
    expect(reloaded.stranded).toMatchObject([{ command: { text: 'Lost?' }, refusal: 'not_yours' }]);
  });
});

describe('drafts and typing', () => {
  it('go to the server after a pause, once', () => {
    const { desk, lines, held } = withContact();
    lines.take();
    for (const text of ['H', 'He', 'Hel']) {
      desk.write(held, 'reply', text);
      vi.advanceTimersByTime(DRAFT_AFTER_MS - 1);
    }
    expect(lines.sent.filter((frame) => frame.t === 'draft')).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(lines.sent.filter((frame) => frame.t === 'draft')).toEqual([{ t: 'draft', contact: 'con_1_0', text: 'Hel' }]);
  });

  it('come back from the server, and an unsent one here wins', () => {
    const keep = new MemoryKeep();
    const { desk } = deskWith(keep);
    desk.apply(state({ contacts: [contact({ draft: 'From yesterday' })] }));
    const held = desk.helds[0];
    expect(held?.reply).toBe('From yesterday');

    const lines = new Lines();
    lines.isUp = false;
    const offline = withContact(keep, lines);
    offline.desk.write(offline.held, 'reply', 'Newer');
    const back = deskWith(keep);
    back.desk.apply(state({ contacts: [contact({ draft: 'From yesterday' })] }));
    expect(back.desk.helds[0]?.reply).toBe('Newer');
    expect(back.lines.sent).toContainEqual({ t: 'draft', contact: 'con_1_0', text: 'Newer' });
  });

  it('of another window are taken over, and never wiped', () => {
    const { desk, lines, held } = withContact();
    lines.take();
    // This window has an empty field; the other one wrote something.
    desk.apply(state({ contacts: [contact({ draft: 'From the other window' })] }));
    expect(held.reply).toBe('From the other window');
    // The other one sent it.
    desk.apply(state({ contacts: [contact()] }));
    expect(held.reply).toBe('');
    expect(lines.sent.filter((frame) => frame.t === 'draft')).toEqual([]);
  });

  it('of another window take the place of older ones that the server has', () => {
    const { desk, lines, held } = withContact();
    desk.write(held, 'reply', 'Mine');
    vi.advanceTimersByTime(DRAFT_AFTER_MS);
    desk.apply({ t: 'pong', n: 1, now: NOW });
    lines.take();
    desk.apply(state({ contacts: [contact({ draft: 'Newer, from the other window' })] }));
    expect(held.reply).toBe('Newer, from the other window');
    expect(lines.sent.filter((frame) => frame.t === 'draft')).toEqual([]);
  });

  it('that may have been lost with the connection, or that the server has lost, go again', () => {
    const drafts = (lines: Lines) => lines.sent.filter((frame) => frame.t === 'draft').map((frame) => frame.text);
    const { desk, lines, held } = withContact();
    desk.write(held, 'reply', 'He');
    vi.advanceTimersByTime(DRAFT_AFTER_MS);
    desk.apply({ t: 'pong', n: 1, now: NOW });
    desk.write(held, 'reply', 'Hel');
    vi.advanceTimersByTime(DRAFT_AFTER_MS);
    // The answer to a ping from before it says nothing of it.
    vi.advanceTimersByTime(5);
    desk.apply({ t: 'pong', n: 2, now: NOW }, 10);
    lines.take();
    desk.apply(state({ contacts: [contact({ draft: 'He' })] }));
    expect([held.reply, drafts(lines)]).toEqual(['Hel', ['Hel']]);
    desk.apply({ t: 'pong', n: 3, now: NOW });
    lines.take();
    desk.apply(state({ contacts: [contact()] }));
    expect([held.reply, drafts(lines)]).toEqual(['Hel', ['Hel']]);
  });

  it('are not undone by a change that comes while the agent types', () => {
    const { desk, held } = withContact();
    desk.write(held, 'reply', 'Hel');
    vi.advanceTimersByTime(DRAFT_AFTER_MS);
    desk.apply({ t: 'pong', n: 1, now: NOW });
    desk.apply({ t: 'contact', ...contact({ draft: 'H', queue: 'Returns' }) });
    expect([held.reply, held.card.queue]).toEqual(['Hel', 'Returns']);
  });

  it('are emptied on the server when the reply goes', () => {
    const { desk, lines, held } = withContact();
    desk.write(held, 'reply', 'Hello');
    lines.take();
    desk.say(held, 'reply');
    expect(lines.take().map((frame) => frame.t)).toEqual(['command', 'draft']);
  });

  it('tell the customer of typing at most every two seconds, and never of a note', () => {
    const { desk, lines, held } = withContact();
    vi.advanceTimersByTime(10_000);
    const typings = () => lines.sent.filter((frame) => frame.t === 'typing').length;
    desk.write(held, 'note', 'secret');
    expect(typings()).toBe(0);
    desk.write(held, 'reply', 'a');
    desk.write(held, 'reply', 'ab');
    vi.advanceTimersByTime(TYPING_EVERY_MS - 1);
    desk.write(held, 'reply', 'abc');
    expect(typings()).toBe(1);
    vi.advanceTimersByTime(1);
    desk.write(held, 'reply', 'abcd');
    expect(typings()).toBe(2);
  });
});

describe('unsent words over a reload', () => {
  const two = (last = 2) => [
    contact({ entries: entries(1, last) }),
    contact({ contact: 'con_2_0', conversation: 'cnv_2_1', opened_at: NOW, entries: [entry(1, undefined, { contact: 'con_2_0' })] }),
  ];
  function before(keep: MemoryKeep) {
    const { desk } = deskWith(keep);
    desk.apply(state({ contacts: two() }));
    for (const held of desk.helds) desk.write(held, 'note', `note of ${held.id}`);
    desk.select('con_1_0');
  }

  it('are there again for every contact', () => {
    const keep = new MemoryKeep();
    before(keep);
    const { desk } = deskWith(keep);
    // The selected one has news, which is remembered as read before the other one is there.
    desk.apply(state({ contacts: two(3) }));
    expect(desk.helds.map((held) => held.note)).toEqual(['note of con_1_0', 'note of con_2_0']);
  });

  it('are shown as not sent when their contact went meanwhile', () => {
    const keep = new MemoryKeep();
    before(keep);
    const { desk } = deskWith(keep);
    desk.apply(state({ contacts: two().slice(0, 1) }));
    expect(desk.stranded).toMatchObject([{ fate: 'refused', command: { do: 'note', text: 'note of con_2_0' } }]);
    desk.apply(state({ contacts: two().slice(0, 1) }));
    expect(desk.stranded).toHaveLength(1);
  });
});

describe('drafts that the server cannot take', () => {
  it('stay here: too long ones are not sent, lost ones go again with the next state', () => {
    const { desk, lines, held } = withContact();
    lines.take();
    desk.write(held, 'reply', 'x'.repeat(TEXT_BYTES_MAX + 1));
    vi.advanceTimersByTime(DRAFT_AFTER_MS);
    expect(lines.take().filter((frame) => frame.t === 'draft')).toEqual([]);
    desk.write(held, 'reply', 'x'.repeat(TEXT_BYTES_MAX));
    vi.advanceTimersByTime(DRAFT_AFTER_MS);
    expect(lines.take().filter((frame) => frame.t === 'draft')).toHaveLength(1);
    desk.apply({ t: 'error', code: 'draft_not_kept', words: 'later' });
    desk.apply(state({ contacts: [contact()] }));
    expect(lines.take().filter((frame) => frame.t === 'draft')).toHaveLength(1);
  });
});

describe('reading', () => {
  it('an open conversation is read while someone looks', () => {
    const { desk, held } = withContact();
    expect(held.unread).toBe(2);
    desk.select('con_1_0');
    expect(held.unread).toBe(0);
    desk.setLookedAt(false);
    desk.apply({ t: 'entry', conversation: 'cnv_1_1', entry: entry(3) });
    expect(held.unread).toBe(1);
    desk.setLookedAt(true);
    expect(held.unread).toBe(0);
  });

  it('older entries come before, until there are none', () => {
    const { desk, lines } = deskWith();
    desk.apply(state({ contacts: [contact({ entries: entries(5, 6) })] }));
    const held = desk.helds[0];
    if (held === undefined) throw new Error('the contact is not there');
    desk.askOlder(held);
    desk.askOlder(held);
    expect(lines.take()).toEqual([{ t: 'older', contact: 'con_1_0', before_seq: 5 }]);
    desk.apply({ t: 'older', conversation: 'cnv_1_1', entries: entries(3, 4) });
    expect(held.entries.map((one) => one.seq)).toEqual([3, 4, 5, 6]);
    desk.askOlder(held);
    desk.apply({ t: 'older', conversation: 'cnv_1_1', entries: entries(1, 2) });
    expect(held.mayHaveOlder).toBe(false);
  });

  it('a past that is not there yet is not taken for the beginning', () => {
    for (const came of [[], entries(1, 2)]) {
      const { desk, lines } = deskWith();
      desk.apply(state({ contacts: [contact({ entries: entries(5, 6) })] }));
      const held = desk.helds[0];
      if (held === undefined) throw new Error('the contact is not there');
      desk.askOlder(held);
      desk.apply({ t: 'older', conversation: 'cnv_1_1', entries: came });
      expect([held.mayHaveOlder, held.older, held.entries.length]).toEqual([true, 'failed', 2]);
      expect(desk.notices.all.at(-1)?.notice).toMatchObject({ code: 'history_unavailable' });
      lines.take();
      desk.askOlder(held);
      expect(lines.take()).toHaveLength(1);
    }
  });

  it('a past that cannot be had is asked for again only when the agent asks', () => {
    const { desk, lines } = deskWith();
    desk.apply(state({ contacts: [contact({ entries: entries(5, 6) })] }));
    const held = desk.helds[0];
    if (held === undefined) throw new Error('the contact is not there');
    desk.askOlder(held);
    desk.apply({ t: 'error', code: 'history_unavailable', words: 'later' });
    desk.apply({ t: 'error', code: 'history_unavailable', words: 'later' });
    expect([held.older, desk.notices.all.length, desk.notices.all[0]?.stays]).toEqual(['failed', 1, false]);
    lines.take();
    desk.askOlder(held);
    expect(lines.take()).toHaveLength(1);
  });

  it('a frame of a later gateway changes nothing', () => {
    const { desk } = withContact();
    const before = desk.helds;
    desk.apply({ t: 'novelty' } as never);
    expect(desk.helds).toBe(before);
  });
});
