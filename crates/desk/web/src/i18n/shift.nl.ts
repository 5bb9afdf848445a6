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
};
