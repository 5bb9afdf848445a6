// What a customer is asked after a conversation: a button for each number that answers it.

import { el } from "./dom";
import type { Words } from "./words";

/** The numbers that answer a question; none for one that a later server knows. */
export function scoresOf(question: string | undefined): number[] {
  if (question === "recommend") return Array.from({ length: 11 }, (_, n) => n);
  return question === "satisfaction" || question === "effort" ? [1, 2, 3, 4, 5] : [];
}

/** The question in words; empty for one that a later server knows. */
export function wordsFor(words: Words, question: string | undefined): string {
  return scoresOf(question).length ? words[`ask_${question as "effort"}`] : "";
}

/** The numbers as buttons, with what the least and the greatest stand for. */
export function buttons(words: Words, question: string, answer: (score: number) => void): HTMLElement {
  const scores = scoresOf(question);
  const [low, high] = [words[`low_${question as "effort"}`], words[`high_${question as "effort"}`]];
  const row = el("div", { class: "scores", role: "group", "aria-label": wordsFor(words, question) });
  for (const score of scores) {
    const end = score === scores[0] ? low : score === scores.at(-1) ? high : "";
    const label = end ? `${score}, ${end}` : `${score}`;
    const button = el("button", { type: "button", "aria-label": label, "data-testid": `wb-score-${score}` }, `${score}`);
    button.onclick = () => answer(score);
    row.append(button);
  }
  const ends = el("div", { class: "ends", "aria-hidden": "true" }, el("span", {}, low), el("span", {}, high));
  return el("div", { class: "asked" }, row, ends);
}
