// Dutch of what a whole shift asks for: finding, taking back, canned answers, notifications.

import type { shift as english } from './shift.en';

export const shift: typeof english = {
  find: {
    title: 'Zoeken in dit gesprek',
    count: (n, all) => `${n} van ${all}`,
    none: 'niet gevonden',
    noneYet: 'niet hier: Enter leest eerder',
    reading: 'leest eerder …',
    older: 'Eerdere treffer',
    newer: 'Latere treffer',
  },
  undo: {
    in: (seconds) => `Wordt verzonden over ${seconds} s`,
    undo: 'Terugnemen',
    setting: 'Een verzonden antwoord kan worden teruggenomen',
    seconds: (n) => (n === 0 ? 'niet' : `${n} seconden lang`),
    asked: (n) => (n === 1 ? 'Een antwoord van je is nog niet weg:' : `${n} antwoorden van je zijn nog niet weg:`),
    sendNow: 'Nu verzenden',
    takeBack: 'Terugnemen',
  },
};
