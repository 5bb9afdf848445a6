import { afterEach, describe, expect, it, vi } from 'vitest';
import { en } from '../src/i18n/en';
import { nl } from '../src/i18n/nl';
import { countOf, flawOf, Regulars, wordsFor, type Arrival, type Draft, type RegularsPage } from '../src/regulars.svelte';
import { NOW } from './make';

const draft = (over: Partial<Draft> = {}): Draft => ({
  customer: 'idn_1',
  channel: 'sms',
  account: 'shop',
  name: 'Mia',
  language: 'en',
  words: 'Dear {customer}, choose until {until}. {agent}',
  form_only: false,
  resolved: 2,
  last_at: NOW,
  ...over,
});

const UNTIL = Date.UTC(2026, 11, 4, 12);
const arrival = (drafts: Draft[] = [draft()]): Arrival => ({ id: 'winter', title: 'Winter', until: UNTIL, sent: 0, drafts });

describe('the words of a draft', () => {
  it('are filled in with what is known, in the customer’s language', () => {
    expect(wordsFor(draft(), UNTIL, 'Anna')).toBe('Dear Mia, choose until Friday, December 4. Anna');
    expect(wordsFor(draft({ language: 'nl' }), UNTIL, 'Anna')).toBe('Dear Mia, choose until vrijdag 4 december. Anna');
    // At midnight: the day that ends, not the one that begins.
    expect(wordsFor(draft(), new Date(2026, 11, 5).getTime(), 'Anna')).toContain('until Friday, December 4.');
    expect(wordsFor(draft({ name: ' ' }), UNTIL, 'Anna')).toContain('Dear {customer},');
  });

  it('go when nothing is left to be filled in', () => {
    expect(flawOf(draft(), 'Dear Mia')).toBeNull();
    expect(flawOf(draft(), 'Dear {customer}')).toBe('place');
    expect(flawOf(draft(), ' ')).toBe('length');
    expect(flawOf(draft(), 'x'.repeat(16 * 1024))).toBeNull();
    expect(flawOf(draft(), 'x'.repeat(16 * 1024 + 1))).toBe('length');
  });

  it('go as they were approved where nothing else goes', () => {
    const form = draft({ form_only: true });
    expect(flawOf(form, wordsFor(form, UNTIL, 'Anna'))).toBeNull();
    expect(flawOf(form, 'Dear Mia, choose until next week. Anna of the shop')).toBeNull();
    expect(flawOf(form, 'Dear Mia, come and see.')).toBe('form');
  });

  it('are counted over all that has arrived', () => {
    expect(countOf(null)).toBe(0);
    expect(countOf({ arrivals: [arrival(), arrival([])] })).toBe(1);
  });
});

describe('a draft', () => {
  /** A gateway that answers each post in turn, and what it was sent. */
  function gateway(...answers: [number, unknown?][]) {
    const sent: { path: string; body: { command?: string; text?: string } }[] & { loads?: number } = [];
    const page: RegularsPage = { arrivals: [arrival([draft(), draft({ customer: 'idn_2' })]), { ...arrival(), id: 'other' }] };
    vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
      if (init.method !== 'POST') {
        sent.loads = (sent.loads ?? 0) + 1;
        return new Response(JSON.stringify(page));
      }
      sent.push({ path, body: init.body === undefined ? {} : JSON.parse(init.body as string) });
      const answer = answers.shift();
      if (answer === undefined) throw new TypeError('away');
      return new Response(answer[0] === 204 ? null : JSON.stringify(answer[1] ?? {}), { status: answer[0] });
    });
    return sent;
  }

  afterEach(() => vi.unstubAllGlobals());

  it('is sent with one click, and gone from the list', async () => {
    const sent = gateway([200, { sent: true }]);
    const regulars = new Regulars(() => NOW);
    await regulars.refresh();
    expect(await regulars.send(arrival(), draft(), 'Dear Mia')).toEqual({ is: 'done' });
    expect(sent[0]?.path).toBe('/desk/regulars/winter/idn_1/send');
    expect(sent[0]?.body.text).toBe('Dear Mia');
    expect(sent[0]?.body.command).toMatch(/^cmd_[0-9a-f]{32}$/u);
    // The one draft is taken out, and nothing is loaded again.
    expect(regulars.page?.arrivals.map((one) => [one.sent, one.drafts.map((other) => other.customer)])).toEqual([
      [1, ['idn_2']],
      [0, ['idn_1']],
    ]);
    expect(sent.loads).toBe(1);
  });

  it('is sent again by the same command until somebody says what came of it', async () => {
    const sent = gateway([202, { sent: false }], [503, { code: 'bus_unavailable' }]);
    const regulars = new Regulars(() => NOW);
    const outcomes = [];
    for (let n = 0; n < 3; n += 1) outcomes.push(await regulars.send(arrival(), draft(), 'Dear Mia'));
    expect(outcomes).toEqual([{ is: 'open' }, { is: 'open' }, { is: 'open' }]);
    expect(new Set(sent.map((one) => one.body.command)).size).toBe(1);
  });

  it('that was begun by another page goes on by its command', async () => {
    const sent = gateway([200]);
    await new Regulars(() => NOW).send(arrival(), draft({ command: 'cmd_old' }), 'Dear Mia');
    expect(sent[0]?.body.command).toBe('cmd_old');
  });

  it('that was refused is another command the next time', async () => {
    const sent = gateway([409, { code: 'already_open' }], [200]);
    const regulars = new Regulars(() => NOW);
    expect(await regulars.send(arrival(), draft(), 'Dear Mia')).toEqual({ is: 'refused', code: 'already_open' });
    await regulars.send(arrival(), draft(), 'Dear Mia');
    expect(new Set(sent.map((one) => one.body.command)).size).toBe(2);
  });

  it('can be let go', async () => {
    const sent = gateway([204]);
    const regulars = new Regulars(() => NOW);
    await regulars.refresh();
    expect(await regulars.letGo(arrival(), draft())).toEqual({ is: 'done' });
    expect(sent[0]?.path).toBe('/desk/regulars/winter/idn_1/let-go');
    expect([countOf(regulars.page), regulars.page?.arrivals[0]?.sent]).toEqual([2, 0]);
  });

  it('that somebody else sent is gone, and one that is refused for another reason stays in a list had anew', async () => {
    const sent = gateway([409, { code: 'written_already' }], [409, { code: 'quiet_hours' }]);
    const regulars = new Regulars(() => NOW);
    await regulars.refresh();
    await regulars.send(arrival(), draft(), 'Dear Mia');
    expect([countOf(regulars.page), sent.loads]).toEqual([2, 1]);
    await regulars.send(arrival(), draft({ customer: 'idn_2' }), 'Dear Mia');
    expect([countOf(regulars.page), sent.loads]).toEqual([3, 2]);
  });

  it('keeps what was written in it', async () => {
    gateway();
    const regulars = new Regulars(() => NOW);
    expect(regulars.textOf(arrival(), draft(), 'Anna')).toContain('Dear Mia');
    regulars.write(arrival(), draft(), 'Hello Mia');
    await regulars.refresh();
    expect(regulars.textOf(arrival(), draft(), 'Anna')).toBe('Hello Mia');
  });
});

it('every no of the gateway has words in both languages', () => {
  for (const t of [en, nl]) {
    for (const code of ['written_already', 'no_draft', 'quiet_hours', 'text_length', 'place_empty', 'templates_only']) expect(t.regulars.refused[code], code).toBeTruthy();
    expect(t.customer.purpose('clienteling')).not.toBe('clienteling');
    expect(t.customer.purpose('other')).toBe('other');
  }
});
