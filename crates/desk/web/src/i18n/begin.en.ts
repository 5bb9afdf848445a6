// Writing to a customer first, in English.

import type { ReachRefusal } from '../begin';

export const begin = {
  open: 'New conversation',
  title: 'Write to a customer',
  goOnTitle: 'Go on elsewhere',
  goOnHint: 'The contact stays with you and goes on there. What was said here stays with the customer.',
  goOn: 'Go on here',
  goOnBy: 'Go on by another number',
  writeHere: 'Write here',
  way: 'By',
  address: 'Telephone number',
  queue: 'Queue',
  words: 'First words',
  form: 'Approved template',
  chooseForm: 'Choose a template',
  noForms: 'None is set up for this queue',
  noForm: 'These words are no approved template: choose one, and fill in what stands in braces.',
  blanks: 'Fill in what stands in braces first.',
  filesStay: 'The contact went on elsewhere: the files of the reply do not go along. Add them once more.',
  templates: 'Only an approved template may go there now.',
  reaches: 'Reaches',
  asking: 'Looking whom this reaches …',
  silent: 'Whom this reaches cannot be said now: try again in a moment.',
  none: 'There is no account by which customers can be written to first.',
  noQueue: 'You serve no queue: ask a supervisor.',
  refused: {
    unknown_account: 'This account cannot be used now: choose another one.',
    cannot_begin: 'This customer has to write there first.',
    no_country: 'The country is missing: write the number in full, as +31 6 12345678.',
    bad_address: 'This is no telephone number: write it in full, as +31 6 12345678.',
    opted_out: 'This customer asked not to be written to there.',
    address_unknown: 'Nothing arrives at this number: look whether it is right.',
    window_closed: 'This customer wrote there too long ago: they have to write first.',
    not_yours: 'You were not shown this customer: open their contact again.',
  } satisfies Record<ReachRefusal, string>,
};
