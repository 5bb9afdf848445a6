// What customers answered when they were asked, in English.

const s = (n: number, one: string, many: string) => `${n} ${n === 1 ? one : many}`;

export const feedback = {
  title: 'What customers say',
  byQueue: 'By queue',
  byAgent: 'By agent',
  own: 'After contacts that you resolved',
  nobody: 'Nobody was asked in these days.',
  asked: 'Asked',
  response: 'Answered',
  measure: { satisfaction: 'Satisfaction', effort: 'Ease', recommend: 'NPS' },
  scale: { satisfaction: '1 to 5, on average', effort: '1 to 5, 5 for very easy, on average', recommend: '-100 to 100: the share of 9 and 10 less that of 0 to 6' },
  answers: (n: number) => s(n, 'answer', 'answers'),
  few: (n: number, least: number) => `${s(n, 'answer', 'answers')}, told from ${least} on`,
};
