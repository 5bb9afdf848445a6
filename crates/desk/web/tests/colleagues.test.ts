import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Colleagues, fitting, FOUND_MAX, meant, SEEK_AFTER_MS } from '../src/colleagues.svelte';
import type { Colleague } from '../src/wire';
import { contact, deskWith, ME, state } from './make';

const one = (agent: string, title = agent, is_there = true): Colleague => ({ agent: `agt_${agent}`, title, is_there });
const names = (all: readonly Colleague[]) => all.map(({ title }) => title);

let asked: string[] = [];
/** What each question gets, in the order in which they are asked; without one, none is answered before the test says so. */
let answers: ((colleagues: Colleague[] | number) => void)[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  [asked, answers] = [[], []];
  vi.stubGlobal('fetch', (path: string) => {
    asked.push(path);
    return new Promise((resolve) =>
      answers.push((told) => resolve(typeof told === 'number' ? new Response(null, { status: told }) : Response.json({ colleagues: told, more: 0 }))),
    );
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Answers a question, the first one being 0. */
async function answer(n: number, told: Colleague[] | number) {
  answers[n]?.(told);
  await vi.advanceTimersByTimeAsync(0);
}

function floor(more: number, ...colleagues: Colleague[]) {
  const known = new Colleagues(ME);
  known.take({ queues: [], colleagues, more });
  return known;
}

function ask(known: Colleagues, words: string) {
  known.seek(words);
  vi.advanceTimersByTime(SEEK_AFTER_MS);
}

it('those who were asked for come beside those of the floor, whose word of who is there counts', async () => {
  const known = floor(9_800, one('a', 'Ann'), { ...one('me'), agent: ME });
  expect([names(known.all), known.more, known.beyond]).toEqual([['Ann'], 9_800, 9_800]);
  ask(known, ' ni na ');
  expect(asked).toEqual(['/desk/colleagues?words=ni%20na']);
  await answer(0, [one('n', 'Nina', false), one('a', 'Ann', false), { ...one('me'), agent: ME }]);
  expect(known.all).toEqual([one('a', 'Ann'), one('n', 'Nina', false)]);
  expect([known.more, known.beyond, known.titleOf('agt_n'), known.titleOf(ME)]).toEqual([9_800, 9_799, 'Nina', undefined]);
  known.take({ queues: [], colleagues: [one('n', 'Nina')], more: 9_800 });
  expect(known.all).toEqual([one('n', 'Nina'), one('a', 'Ann', false)]);
  // Gone from the frame again: what the floor said of her last is newer than what was found.
  known.take({ queues: [], colleagues: [one('b', 'Ben')], more: 9_800 });
  expect(known.all).toEqual([one('b', 'Ben'), one('n', 'Nina'), one('a', 'Ann', false)]);
  // The floor tells of everybody.
  known.take({ queues: [], colleagues: [one('b', 'Ben')] });
  expect([names(known.all), known.more, known.beyond]).toEqual([['Ben'], 0, 0]);
});

it('nobody is asked for where the floor tells of everybody, or without words', () => {
  ask(floor(0, one('a', 'Ann')), 'nina');
  ask(floor(9), '  ');
  expect(asked).toEqual([]);
});

it('one question is asked after the last key', () => {
  const known = floor(9);
  for (const words of ['n', 'ni', 'nin']) {
    known.seek(words);
    vi.advanceTimersByTime(SEEK_AFTER_MS - 1);
  }
  expect([asked, known.isSeeking]).toEqual([[], true]);
  vi.advanceTimersByTime(1);
  expect(asked).toEqual(['/desk/colleagues?words=nin']);
});

it('an older answer after a newer one is dropped', async () => {
  const known = floor(9);
  ask(known, 'n');
  ask(known, 'ni');
  await answer(1, [one('n', 'Nina')]);
  await answer(0, [one('n', 'Nina', false), one('j', 'Jan')]);
  expect([known.all, known.isSeeking]).toEqual([[one('n', 'Nina')], false]);
});

it('an error leaves who is known, and the next key asks again', async () => {
  const known = floor(9);
  ask(known, 'ni');
  await answer(0, [one('n', 'Nina')]);
  ask(known, 'nin');
  await answer(1, 401);
  expect([names(known.all), known.isSeeking]).toEqual([['Nina'], false]);
  ask(known, 'nina');
  await answer(2, [one('m', 'Nina M')]);
  expect(names(known.all)).toEqual(['Nina', 'Nina M']);
});

it('so many are kept, the latest', async () => {
  const known = floor(9_800, one('a', 'Ann'));
  const PART = 50;
  for (let n = 0; n * PART < FOUND_MAX; n++) {
    ask(known, `w${n}`);
    await answer(n, Array.from({ length: PART }, (_, i) => one(`${n}_${i}`)));
  }
  expect([known.all.length, known.titleOf('agt_0_1')]).toEqual([1 + FOUND_MAX, '0_1']);
  ask(known, 'again');
  // One who is found again is as new as one who was not known.
  await answer(asked.length - 1, [one('0_0'), one('last')]);
  expect([known.all.length, known.titleOf('agt_0_0'), known.titleOf('agt_0_1'), known.titleOf('agt_last')]).toEqual([1 + FOUND_MAX, '0_0', undefined, 'last']);
});

it('letters within words mean those whom the gateway finds by them', () => {
  const all = [one('r', 'Rikke Iversen'), one('i', 'Ike'), one('b', 'Ben')];
  expect(names(fitting(' IKKE ', all))).toEqual(['Rikke Iversen']);
  expect(names(meant('ikke', all))).toEqual(['Rikke Iversen']);
  expect(names(meant('ik', all))).toEqual(['Ike', 'Rikke Iversen']);
});

it('somebody of whom the floor does not tell is found, and named in a note', async () => {
  const { desk, lines } = deskWith();
  desk.apply(state({ contacts: [contact()] }));
  desk.apply({ t: 'floor', queues: [], colleagues: [one('a', 'Ann')], more: 300 });
  // What the transfer dialog and the picker of mentions list for these words.
  const listed = () => [names(fitting('nina', desk.colleagues.all)), names(meant('nina', desk.colleagues.all))];
  expect(listed()).toEqual([[], []]);
  ask(desk.colleagues, 'nina');
  await answer(0, [one('n', 'Nina Vos')]);
  expect(listed()).toEqual([['Nina Vos'], ['Nina Vos']]);
  const held = desk.helds[0]!;
  desk.write(held, 'note', 'Could @Nina Vos look?');
  desk.say(held, 'note');
  expect(lines.commands().at(-1)?.command).toMatchObject({ do: 'note', mentions: ['agt_n'] });
});
