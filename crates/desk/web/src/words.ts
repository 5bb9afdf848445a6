// A receipt in words: why this contact came to this agent.

import { spoken } from './format';
import type { Texts } from './i18n/en';
import { RUNNERS_UP_MAX, type PassedOver, type Receipt } from './wire';

/** The sentences of a receipt, the deciding one first. */
export function receiptWords(receipt: Receipt, language: string, t: Texts, isMine = true): string[] {
  const sentences = [ruleWords(receipt, language, t, isMine), t.why.waited(spoken(receipt.waited_ms, language, t))];
  sentences.push(othersWords(receipt, language, t));
  const passed = passedOverWords(receipt.passed_over, t);
  if (passed !== '') sentences.push(t.why.passedOver(passed));
  return sentences;
}

function ruleWords(receipt: Receipt, language: string, t: Texts, isMine: boolean): string {
  const rules = isMine ? t.why : t.why.they;
  switch (receipt.rule) {
    case 'preferred':
      return rules.preferred;
    case 'longest_idle':
      return rules.longest_idle(spoken(receipt.idle_ms, language, t));
    case 'least_occupied':
    case 'most_spare':
    case 'best_proficiency':
    case 'picked':
      return rules[receipt.rule];
    case 'first_in_order':
      return rules.first_in_order(receipt.waiting_in_class);
  }
}

function othersWords({ runners_up }: Receipt, language: string, t: Texts): string {
  const next = runners_up[0];
  if (next === undefined) return t.why.othersNone;
  const idle = spoken(next.idle_ms, language, t);
  if (runners_up.length === 1) return t.why.othersOne(idle);
  // The receipt names only so many: when it is full, there may be more.
  return t.why.others(runners_up.length, runners_up.length >= RUNNERS_UP_MAX ? 'at_least' : 'exactly', idle);
}

function passedOverWords(passed: PassedOver, t: Texts): string {
  const parts: string[] = [];
  if (passed.unqualified > 0) parts.push(t.why.unqualified(passed.unqualified));
  if (passed.not_there > 0) parts.push(t.why.notThere(passed.not_there));
  if (passed.full > 0) parts.push(t.why.full(passed.full));
  if (passed.declined > 0) parts.push(t.why.declined(passed.declined));
  if ((passed.later ?? 0) > 0) parts.push(t.why.later(passed.later ?? 0));
  return parts.join(', ');
}
