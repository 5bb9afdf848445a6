import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { byTitle, Colleagues, fitting, FOUND_MAX, FRESH_MS, meant, SEEK_AFTER_MS, TITLES_MAX } from '../src/colleagues.svelte';
import type { Colleague } from '../src/wire';
import { contact, deskWith, ME, state } from './make';

const one = (agent: string, title = agent, is_there = true): Colleague => ({ agent: `agt_${agent}`, title, is_there });
const names = (all: readonly Colleague[]) => all.map(({ title }) => title);

let asked: string[] = [];
/** What each question gets, in the order in which they are asked; without one, none is answered before the test says so. */
let answers: ((colleagues: Colleague[] | number, more: number) => void)[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  [asked, answers] = [[], []];
  vi.stubGlobal('fetch', (path: string) => {
    asked.push(path);
    return new Promise((resolve) =>
      answers.push((told, more) => resolve(typeof told === 'number' ? new Response(null, { status: told }) : Response.json({ colleagues: told, more }))),
    );
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Answers a question, the first one being 0; so many more fit it. */
async function answer(n: number, told: Colleague[] | number, more = 0) {
  answers[n]?.(told, more);
  await vi.advanceTimersByTimeAsync(0);
}

const me: Colleague = { agent: ME, title: 'Femke', is_there: true };
/** The field in which is looked for somebody. */
const field = {};

/** So many are outside the frame. */
function take(known: Colleagues, more: number, ...colleagues: Colleague[]) {
  known.take({ queues: [], colleagues, more });
}

/** A floor of whose frame this agent is a part. */
function floor(more: number, ...colleagues: Colleague[]) {
  const known = new Colleagues(ME);
  take(known, more, me, ...colleagues);
  return known;
}

function ask(known: Colleagues, words: string, where: object = field) {
  known.seek(words, where);
  vi.advanceTimersByTime(SEEK_AFTER_MS);
}

it('those who were asked for come beside those of the floor, whose word of who is there counts', async () => {
  const known = floor(9_800, one('a', 'Ann'));
  expect([names(known.all), known.more, known.beyond]).toEqual([['Ann'], 9_800, 9_800]);
  ask(known, ' ni na ');
  expect(asked).toEqual(['/desk/colleagues?words=ni%20na']);
  await answer(0, [one('n', 'Nina', false), one('a', 'Ann', false), me]);
  expect(known.all).toEqual([one('a', 'Ann'), one('n', 'Nina', false)]);
  expect([known.more, known.beyond, known.titleOf('agt_n'), known.titleOf(ME)]).toEqual([9_800, 9_799, 'Nina', undefined]);
  take(known, 9_800, me, one('n', 'Nina'));
  expect(known.all).toEqual([one('n', 'Nina'), one('a', 'Ann', false)]);
  // Gone from a frame of people who are all there: she may be there too, and what was said of her last stays.
  take(known, 9_800, me, one('b', 'Ben'));
  expect(known.all).toEqual([one('b', 'Ben'), one('n', 'Nina'), one('a', 'Ann', false)]);
  // The floor tells of everybody.
  take(known, 0, me, one('b', 'Ben'));
  expect([names(known.all), known.more, known.beyond]).toEqual([['Ben'], 0, 0]);
  // There are more than it tells of again: whoever was no colleague then is none now.
  take(known, 9_800, me, one('b', 'Ben'));
  expect(names(known.all)).toEqual(['Ben']);
});

it('after one who is not there nobody outside the frame is there', async () => {
  const known = floor(9_800);
  ask(known, 'n');
  await answer(0, [one('n', 'Nina'), one('j', 'Jan'), one('b', 'Ben', false)]);
  take(known, 9_800, me, one('j', 'Jan'), one('b', 'Ben', false));
  expect(known.all).toEqual([one('j', 'Jan'), one('b', 'Ben', false), one('n', 'Nina', false)]);
  // What is found after that is newer.
  ask(known, 'nina');
  await answer(1, [one('n', 'Nina')]);
  expect(known.all.at(-1)).toEqual(one('n', 'Nina'));
  take(known, 9_800, one('j', 'Jan'), { ...me, is_there: false });
  expect(known.all).toEqual([one('j', 'Jan'), one('b', 'Ben', false), one('n', 'Nina', false)]);
});

it('this agent is none of those who are only counted', () => {
  const known = new Colleagues(ME);
  take(known, 300, one('a', 'Ann'));
  expect([known.more, known.beyond]).toEqual([299, 299]);
  take(known, 300, one('a', 'Ann'), me);
  expect(known.more).toBe(300);
  // The only one who is not named.
  take(known, 1, one('a', 'Ann'));
  expect([known.more, names(known.all)]).toEqual([0, ['Ann']]);
  take(known, 0);
  expect(known.more).toBe(0);
});

it('nobody is asked for where the floor tells of everybody, or without words', () => {
  ask(floor(0, one('a', 'Ann')), 'nina');
  ask(floor(9), '  ');
  expect(asked).toEqual([]);
});

it('one question is asked after the last key', () => {
  const known = floor(9);
  for (const words of ['n', 'ni', 'nin']) {
    known.seek(words, field);
    vi.advanceTimersByTime(SEEK_AFTER_MS - 1);
  }
  expect([asked, known.isSeeking]).toEqual([[], true]);
  vi.advanceTimersByTime(1);
  expect(asked).toEqual(['/desk/colleagues?words=nin']);
});

it('an older answer after a newer one only adds those who are not known', async () => {
  const known = floor(9_800, one('a', 'Ann'));
  ask(known, 'n');
  ask(known, 'nin');
  await answer(1, [one('n', 'Nina')]);
  // Nobody but Nina fits the later words: Ninke is no colleague any more.
  await answer(0, [one('n', 'Nina once', false), one('a', 'Ann', false), one('k', 'Ninke'), one('j', 'Jan'), me]);
  expect([known.all, known.isSeeking]).toEqual([[one('a', 'Ann'), one('n', 'Nina'), one('j', 'Jan')], false]);
  expect([known.titleOf('agt_n'), known.titleOf('agt_k')]).toEqual(['Nina', undefined]);
  // Its word of who is there is older than the frame's.
  take(known, 9_800, me);
  expect(known.all).toEqual([one('n', 'Nina'), one('j', 'Jan')]);
});

it('an answer before that to the last question counts as it comes', async () => {
  const known = floor(9_800);
  ask(known, 'nin');
  await answer(0, [one('n', 'Nina')]);
  ask(known, 'n');
  ask(known, 'ni');
  await answer(1, [one('n', 'Nina', false), one('j', 'Jan')]);
  expect([known.all, known.isSeeking]).toEqual([[one('n', 'Nina', false), one('j', 'Jan')], true]);
  await answer(2, [one('n', 'Nina')]);
  expect([known.all, known.isSeeking]).toEqual([[one('j', 'Jan'), one('n', 'Nina')], false]);
});

it('whom an answer that names all who fit leaves out is no colleague any more', async () => {
  const known = floor(9_800);
  ask(known, 'n');
  await answer(0, [one('n', 'Nína'), one('k', 'Nina K'), one('j', 'Jan')]);
  // Others fit who are not named.
  ask(known, 'nin');
  await answer(1, [], 3);
  expect(names(known.all)).toEqual(['Nína', 'Nina K', 'Jan']);
  ask(known, 'nina');
  await answer(2, [one('k', 'Nina K')]);
  expect(names(known.all)).toEqual(['Jan', 'Nina K']);
  // What was written with the name is still read with it.
  expect(known.titleOf('agt_n')).toBe('Nína');
});

it('while somebody is looked for, who is there is asked again with a frame', async () => {
  const known = floor(9_800);
  const frame = () => take(known, 9_800, me);
  ask(known, 'nina');
  // The answer is under way, however long.
  vi.advanceTimersByTime(FRESH_MS + 1);
  frame();
  await answer(0, [one('n', 'Nina')]);
  vi.advanceTimersByTime(FRESH_MS);
  frame();
  expect(asked.length).toBe(1);
  vi.advanceTimersByTime(1);
  frame();
  frame();
  // Nobody is waited for: the last answer stands meanwhile.
  expect([asked.slice(1), known.isSeeking]).toEqual([['/desk/colleagues?words=nina'], false]);
  await answer(1, [one('n', 'Nina', false)]);
  expect(known.all).toEqual([one('n', 'Nina', false)]);
  // No answer is no reason to ask with every frame.
  vi.advanceTimersByTime(FRESH_MS + 1);
  frame();
  await answer(2, 503);
  frame();
  expect(asked.length).toBe(3);
  // Nobody looks any more.
  known.seek(' ', field);
  vi.advanceTimersByTime(FRESH_MS + 1);
  frame();
  expect(asked.length).toBe(3);
});

it('what is looked for in one field is not ended by another, and is asked again once it is the last', async () => {
  const known = floor(9_800);
  const dialog = {};
  ask(known, 'ann');
  await answer(0, []);
  ask(known, 'ben', dialog);
  await answer(1, []);
  known.rest(dialog);
  take(known, 9_800, me);
  expect(asked.slice(2)).toEqual(['/desk/colleagues?words=ann']);
  await answer(2, []);
  // What was typed and closed at once is not asked.
  known.seek('cas', dialog);
  known.rest({});
  expect(known.isSeeking).toBe(true);
  known.rest(dialog);
  vi.advanceTimersByTime(SEEK_AFTER_MS);
  expect([asked.length, known.isSeeking]).toEqual([3, false]);
  known.rest(field);
  take(known, 9_800, me);
  expect(asked.length).toBe(3);
});

it('how many more fit is known for the words that were answered', async () => {
  const known = floor(9_800, one('a', 'Ann Vos'));
  expect([known.beyondOf(' '), known.beyondOf('vos')]).toEqual([9_800, 0]);
  ask(known, 'vos');
  await answer(0, [one('a', 'Ann Vos'), one('n', 'Nina Vos')], 20);
  expect([known.beyondOf(' vos '), known.beyondOf('nina vos'), known.beyondOf('')]).toEqual([20, 0, 9_799]);
  ask(known, 'nina vos');
  await answer(1, [one('n', 'Nina Vos'), one('m', 'Nina Vos II')], 3);
  expect([known.beyondOf('nina vos'), known.beyondOf('vos')]).toEqual([3, 0]);
  // Of those who are not named, one comes with the floor.
  take(known, 9_799, me, one('a', 'Ann Vos'), one('o', 'Nina Vos III'));
  expect(known.beyondOf('nina vos')).toBe(2);
});

it('titles stay, the latest, so many', () => {
  const known = floor(9_800, one('b', 'Ben'), one('a', 'Ann'));
  take(known, 9_800, me, one('b', 'Benjamin'));
  expect([names(known.all), known.titleOf('agt_a'), known.titleOf('agt_b')]).toEqual([['Benjamin'], 'Ann', 'Benjamin']);
  expect([known.titleOf('agt_x'), known.titleOf(undefined)]).toEqual([undefined, undefined]);
  const crowd = Array.from({ length: TITLES_MAX - 1 }, (_, n) => one(`${n}`));
  take(known, 9_800, me, ...crowd);
  // Ann was heard of longest ago.
  expect([known.titleOf('agt_a'), known.titleOf('agt_b'), known.titleOf('agt_0')]).toEqual([undefined, 'Benjamin', '0']);
});

it('an error leaves who is known, and the next key asks again', async () => {
  const known = floor(9);
  ask(known, 'ni');
  await answer(0, [one('n', 'Nina')]);
  ask(known, 'nin');
  await answer(1, 401);
  expect([names(known.all), known.isSeeking]).toEqual([['Nina'], false]);
  ask(known, 'nina');
  await answer(2, [one('n', 'Nina'), one('m', 'Nina M')]);
  expect(names(known.all)).toEqual(['Nina', 'Nina M']);
});

it('so many are kept, the latest', async () => {
  const known = floor(9_800, one('a', 'Ann'));
  const PART = 50;
  for (let n = 0; n * PART < FOUND_MAX; n++) {
    ask(known, `w${n}`);
    await answer(n, Array.from({ length: PART }, (_, i) => one(`${n}_${i}`)));
  }
  const isKnown = (title: string) => names(known.all).includes(title);
  expect([known.all.length, isKnown('0_1')]).toEqual([1 + FOUND_MAX, true]);
  ask(known, 'again');
  // One who is found again is as new as one who was not known.
  await answer(asked.length - 1, [one('0_0'), one('last')]);
  expect([known.all.length, isKnown('0_0'), isKnown('0_1'), isKnown('last')]).toEqual([1 + FOUND_MAX, true, false, true]);
});

it('letters within words mean those whom the gateway finds by them', () => {
  const all = [one('r', 'Rikke Iversen'), one('i', 'Ike'), one('b', 'Ben')];
  expect(names(fitting(' IKKE ', all))).toEqual(['Rikke Iversen']);
  expect(names(meant('ikke', all))).toEqual(['Rikke Iversen']);
  expect(names(meant('ik', all))).toEqual(['Ike', 'Rikke Iversen']);
});

it('accents are written or not, on either side', () => {
  const all = [one('j', 'José Ánder'), one('z', 'Zoe')];
  for (const words of ['jose', 'JOSÉ', 'se an', 'e\u0301 a']) expect([words, names(fitting(words, all)), names(meant(words, all))]).toEqual([words, ['José Ánder'], ['José Ánder']]);
  expect(names(fitting('zoë', all))).toEqual(['Zoe']);
});

it('a list by title does not move with who is there', () => {
  const [a, b, twin] = [one('a', 'Ann'), one('b', 'ben'), one('c', 'Ann', false)];
  for (const all of [[b, twin, a], [a, b, twin]]) expect(byTitle(all)).toEqual([a, twin, b]);
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
