import { expect, test } from 'vitest';
import { average, netPromoters, responseRate, told, type FeedbackLine, type ScoreCount } from '../src/feedback';
import { en } from '../src/i18n/en';
import { nl } from '../src/i18n/nl';
import type { Question } from '../src/wire';

const count = (question: Question, scores?: number[]): ScoreCount => ({ question, asked: 20, answered: scores?.reduce((sum, times) => sum + times, 0) ?? 3, ...(scores === undefined ? {} : { scores }) });
const line = (asked: number, answered: number): FeedbackLine => ({ of: 'service', asked, answered, questions: [] });

test('of who was asked is told how many answered', () => {
  expect([line(0, 0), line(4, 0), line(8, 6)].map(responseRate)).toEqual([null, 0, 0.75]);
});

test('the average counts from the least number of its question', () => {
  expect(average(count('satisfaction', [1, 0, 0, 1, 3]))).toBe(4);
  expect(average(count('effort', [5, 0, 0, 0, 0]))).toBe(1);
  expect(average(count('recommend', [5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]))).toBe(5);
});

test('net promoters are those of 9 and 10 less those of 0 to 6, and 7 and 8 are neither', () => {
  const nps = (...given: number[]) => netPromoters(count('recommend', Array.from({ length: 11 }, (_, score) => given.filter((one) => one === score).length)));
  expect(nps(9, 10, 9, 10, 9)).toBe(100);
  expect(nps(0, 6, 0, 6, 0)).toBe(-100);
  expect(nps(7, 8, 7, 8, 7)).toBe(0);
  expect(nps(10, 9, 8, 6)).toBe(25);
});

test('what is answered too seldom to be told is not told', () => {
  for (const question of ['satisfaction', 'effort', 'recommend'] as const) expect(told(question, count(question))).toBeNull();
  expect(told('recommend', count('recommend', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]))).toBe(100);
  expect(told('satisfaction', count('satisfaction', [0, 0, 0, 0, 5]))).toBe(5);
  expect(en.feedback.few(1, 5)).toBe('1 answer, told from 5 on');
  expect(nl.feedback.few(3, 5)).toBe('3 antwoorden, getoond vanaf 5');
});
