// Concepten voor je vaste klanten, in het Nederlands.

import type { regulars as english } from './regulars.en';

const times = (n: number) => (n === 1 ? 'één keer' : n === 2 ? 'twee keer' : `${n} keer`);

export const regulars: typeof english = {
  page: 'Voor je vaste klanten',
  how: 'Er is iets binnengekomen dat past bij klanten die je eerder hebt geholpen en die het willen horen. Zij kiezen als eersten: met één klik gaan je woorden weg, en het antwoord komt bij jou.',
  none: 'Er is niets binnengekomen voor je vaste klanten.',
  badge: (n) => (n === 1 ? 'een concept voor een vaste klant' : `${n} concepten voor je vaste klanten`),
  noDrafts: 'Er is niemand meer om dit te vertellen.',
  until: (date) => `Zij kiezen als eersten tot ${date}`,
  sent: (n) => (n === 1 ? 'Je hebt het één klant verteld' : `Je hebt het ${n} klanten verteld`),
  helped: (n, date) => `Je hebt hen ${times(n)} geholpen, het laatst op ${date}`,
  wordsFor: (who) => `Woorden voor ${who}`,
  send: 'Versturen',
  sending: 'Versturen …',
  sendTo: (who) => `Versturen naar ${who}`,
  letGo: 'Laten gaan',
  letGoOf: (who) => `Laten gaan: het concept voor ${who}`,
  waits: (time) => `Op dit uur wordt klanten niet geschreven: je kunt versturen vanaf ${time}.`,
  formOnly: 'Alleen deze goedgekeurde woorden gaan daar nu heen; wat op de open plekken staat mag anders.',
  isSent: (who) => `Verstuurd naar ${who}.`,
  isGone: (who) => `Het concept voor ${who} is weg.`,
  isOpen: 'Het is niet bekend of het verstuurd is: verstuur het nog eens, het gaat één keer.',
  isNotGone: 'Het is niet bekend of het concept weg is: laat het nog eens gaan. Er is niets verstuurd.',
  flaw: {
    length: 'Schrijf iets, en niet meer dan in een bericht past.',
    place: 'Vul in wat tussen accolades staat.',
    form: 'Alleen de goedgekeurde woorden gaan daarheen: draai terug wat veranderd is.',
  },
  refused: {
    written_already: 'Een collega was sneller, of je schreef zelf al: deze klant is al geschreven.',
    no_draft: 'Dit concept is weg: de tijd is om, of de klant wil het niet meer.',
    quiet_hours: 'Op dit uur wordt klanten niet geschreven.',
    text_length: 'Schrijf iets, en niet meer dan in een bericht past.',
    place_empty: 'Vul in wat tussen accolades staat.',
    templates_only: 'Alleen de goedgekeurde woorden gaan daar nu heen: draai terug wat veranderd is.',
  },
  notSent: 'Het is niet verstuurd: probeer het zo nog eens.',
};
