// What customers answered when they were asked, in Dutch.

import type { feedback as english } from './feedback.en';

const s = (n: number, one: string, many: string) => `${n} ${n === 1 ? one : many}`;

export const feedback: typeof english = {
  title: 'Wat klanten zeggen',
  byQueue: 'Per wachtrij',
  byAgent: 'Per medewerker',
  own: 'Na contacten die jij hebt afgerond',
  nobody: 'In deze dagen is niemand iets gevraagd.',
  asked: 'Gevraagd',
  response: 'Beantwoord',
  measure: { satisfaction: 'Tevredenheid', effort: 'Gemak', recommend: 'NPS' },
  scale: { satisfaction: '1 tot 5, gemiddeld', effort: '1 tot 5, 5 voor heel makkelijk, gemiddeld', recommend: '-100 tot 100: het aandeel van 9 en 10 min dat van 0 tot en met 6' },
  answers: (n) => s(n, 'antwoord', 'antwoorden'),
  few: (n, least) => `${s(n, 'antwoord', 'antwoorden')}, getoond vanaf ${least}`,
};
