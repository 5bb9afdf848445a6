// What customers answered when they were asked after a contact: what of the report is shown, and how its numbers are told.

import type { Question } from './wire';

export interface ScoreCount {
  question: Question;
  asked: number;
  answered: number;
  /** How often each number was given, from the least to the greatest; absent where there are too few answers to tell. */
  scores?: number[];
}

export interface FeedbackLine {
  of: string;
  /** Contacts whose customers were asked, and those of them who answered at least once. */
  asked: number;
  answered: number;
  questions: ScoreCount[];
}

export interface FeedbackReport {
  answers_min: number;
  queues: FeedbackLine[];
  agents: FeedbackLine[];
}

/** The least number that answers a question. */
const LEAST: Record<Question, number> = { satisfaction: 1, effort: 1, recommend: 0 };
/** Who recommends us gives at least this; who gives no more than the other would rather not. */
const [PROMOTES, DETRACTS] = [9, 6];

/** How many of those who were asked answered; `null` of none. */
export function responseRate(line: FeedbackLine): number | null {
  return line.asked === 0 ? null : line.answered / line.asked;
}

/** What was given on average; `null` where there are too few answers to tell. */
export function average(count: ScoreCount): number | null {
  const scores = count.scores ?? [];
  const answers = scores.reduce((sum, times) => sum + times, 0);
  if (answers === 0) return null;
  const least = LEAST[count.question];
  return scores.reduce((sum, times, n) => sum + times * (least + n), 0) / answers;
}

/** The net promoter score, -100 to 100: the share of who recommends us less that of who would not; `null` as for the average. */
export function netPromoters(count: ScoreCount): number | null {
  const scores = count.scores ?? [];
  const answers = scores.reduce((sum, times) => sum + times, 0);
  if (answers === 0) return null;
  const of = (counts: (score: number) => boolean) => scores.reduce((sum, times, score) => (counts(score) ? sum + times : sum), 0);
  return ((of((score) => score >= PROMOTES) - of((score) => score <= DETRACTS)) / answers) * 100;
}

/** What is told of one question: the number that stands for its answers, in the measure that its field uses. */
export function told(question: Question, count: ScoreCount): number | null {
  return question === 'recommend' ? netPromoters(count) : average(count);
}
