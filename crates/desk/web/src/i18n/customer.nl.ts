// Wie een klant is, in het Nederlands.

import type { customer as en } from './customer.en';

export const customer: typeof en = {
  title: 'Klant',
  silent: 'Wie dit is, kan nu niet worden getoond.',
  unnamed: 'Geen naam gegeven',
  conversations: (n: number) => (n === 1 ? 'één gesprek' : `${n} gesprekken`),
  since: (date: string) => `sinds ${date}`,
  more: 'Er zijn meer identiteiten dan hier staan.',
  everything: 'Alles wat ze schreven',
  timeline: 'Alles met deze klant',
  earlier: 'Eerder tonen',
  nothing: 'Nog niets.',
  verified: 'Verbonden omdat hetzelfde adres of nummer is geverifieerd',
  by: (name: string) => `Verbonden door ${name}`,
  part: 'Niet dezelfde persoon',
  partHint: 'Beide gaan verder alsof ze nooit verbonden waren.',
  maybe: 'Misschien dezelfde persoon',
  maybeHint: 'Ze noemen hetzelfde adres, dat niemand heeft geverifieerd.',
  link: 'Dezelfde persoon',
  decline: 'Iemand anders',
};
