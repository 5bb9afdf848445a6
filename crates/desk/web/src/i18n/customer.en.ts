// Who a customer is, in English.

export const customer = {
  title: 'Customer',
  silent: 'Who this is cannot be shown now.',
  unnamed: 'No name given',
  conversations: (n: number) => (n === 1 ? 'one conversation' : `${n} conversations`),
  since: (date: string) => `since ${date}`,
  more: 'There are more identities than are shown.',
  everything: 'Everything they wrote',
  timeline: 'Everything with this customer',
  earlier: 'Show earlier',
  nothing: 'Nothing yet.',
  verified: 'Joined because the same address or number was verified',
  by: (name: string) => `Joined by ${name}`,
  part: 'Not the same person',
  partHint: 'Both go on as if they had never been joined.',
  maybe: 'May be the same person',
  maybeHint: 'They name the same address, which nobody has verified.',
  link: 'Same person',
  decline: 'Somebody else',
};
