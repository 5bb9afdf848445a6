// Finding by a few letters: every letter has to occur, in order; those that begin words and stand together count more.

/** `text` without accents, in small letters. */
export function plain(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}

/** How well a text is meant by a query, more is better; `null` if it is not. */
export function scoreOf(query: string, text: string): number | null {
  const sought = [...plain(query).replace(/\s+/gu, '')];
  if (sought.length === 0) return 0;
  const within = [...plain(text)];
  let score = 0;
  let at = 0;
  let previous = -2;
  for (const letter of sought) {
    // Where a word begins counts before the next best place.
    let next = within.findIndex((one, i) => i >= at && one === letter && (i === previous + 1 || begins(within, i)));
    if (next < 0) next = within.indexOf(letter, at);
    if (next < 0) return null;
    if (next === previous + 1) score += 8;
    else if (begins(within, next)) score += 6;
    else score -= Math.min(4, next - at);
    previous = next;
    at = next + 1;
  }
  return score - within.length / 100;
}

function begins(letters: readonly string[], i: number): boolean {
  return i === 0 || !/[\p{L}\p{N}]/u.test(letters[i - 1]!);
}

/** The best first; those that are not meant are left out. `texts` are weighed in order: the first one that is meant counts. */
export function ranked<T>(query: string, all: readonly T[], texts: (one: T) => readonly string[]): T[] {
  return all
    .flatMap((one) => {
      const scores = texts(one).flatMap((text, i) => {
        const score = scoreOf(query, text);
        return score === null ? [] : [score - i * 20];
      });
      return scores.length === 0 ? [] : [{ one, score: Math.max(...scores) }];
    })
    .sort((a, b) => b.score - a.score)
    .map(({ one }) => one);
}
