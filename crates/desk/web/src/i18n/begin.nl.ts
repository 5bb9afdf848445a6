// Een klant als eerste schrijven, in het Nederlands.

import type { begin as en } from './begin.en';

export const begin: typeof en = {
  open: 'Nieuw gesprek',
  title: 'Een klant schrijven',
  goOnTitle: 'Elders verdergaan',
  goOnHint: 'Het contact blijft bij jou en gaat daar verder. Wat hier is gezegd, blijft bij de klant staan.',
  goOn: 'Hier verdergaan',
  goOnBy: 'Verder via een ander nummer',
  writeHere: 'Hier schrijven',
  way: 'Via',
  address: 'Telefoonnummer',
  queue: 'Wachtrij',
  words: 'Eerste woorden',
  form: 'Goedgekeurde sjabloon',
  chooseForm: 'Kies een sjabloon',
  noForms: 'Voor deze wachtrij is er geen ingesteld',
  noForm: 'Deze woorden zijn geen goedgekeurde sjabloon: kies er een en vul in wat tussen accolades staat.',
  blanks: 'Vul eerst in wat tussen accolades staat.',
  filesStay: 'Het contact ging elders verder: de bestanden bij het antwoord gaan niet mee. Voeg ze opnieuw toe.',
  templates: 'Daar mag nu alleen een goedgekeurde sjabloon heen.',
  reaches: 'Bereikt',
  asking: 'Er wordt gekeken wie dit bereikt …',
  silent: 'Wie dit bereikt, kan nu niet worden gezegd: probeer het zo nog eens.',
  none: 'Er is geen account waarmee klanten als eerste kunnen worden geschreven.',
  noQueue: 'Je bedient geen wachtrij: vraag een supervisor.',
  refused: {
    unknown_account: 'Dit account kan nu niet worden gebruikt: kies een ander.',
    cannot_begin: 'Deze klant moet daar eerst zelf schrijven.',
    no_country: 'Het land ontbreekt: schrijf het hele nummer, zoals +31 6 12345678.',
    bad_address: 'Dit is geen telefoonnummer: schrijf het hele nummer, zoals +31 6 12345678.',
    opted_out: 'Deze klant wil daar niet meer geschreven worden.',
    address_unknown: 'Op dit nummer komt niets aan: kijk of het klopt.',
    window_closed: 'Deze klant schreef daar te lang geleden: de klant moet eerst zelf schrijven.',
    not_yours: 'Deze klant is je niet getoond: open het contact opnieuw.',
  },
};
