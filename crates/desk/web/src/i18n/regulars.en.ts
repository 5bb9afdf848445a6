// Drafts for one's regulars, in English.

const times = (n: number) => (n === 1 ? 'once' : n === 2 ? 'twice' : `${n} times`);

export const regulars = {
  page: 'For your regulars',
  how: 'Something has arrived that suits customers whom you have helped before and who agreed to be told. They choose first: one click sends your words, and the answer comes to you.',
  none: 'Nothing has arrived for your regulars.',
  badge: (n: number) => (n === 1 ? 'a draft for a regular' : `${n} drafts for your regulars`),
  noDrafts: 'Nobody is left to be told of this.',
  until: (date: string) => `They choose first until ${date}`,
  sent: (n: number) => (n === 1 ? 'You told one customer' : `You told ${n} customers`),
  helped: (n: number, date: string) => `You helped them ${times(n)}, last on ${date}`,
  wordsFor: (who: string) => `Words for ${who}`,
  send: 'Send',
  sending: 'Sending …',
  sendTo: (who: string) => `Send to ${who}`,
  letGo: 'Let go',
  letGoOf: (who: string) => `Let go: the draft for ${who}`,
  waits: (time: string) => `Customers are not written to at this hour: you can send from ${time}.`,
  formOnly: 'Only these approved words go there now; what stands in their places may be another.',
  isSent: (who: string) => `Sent to ${who}.`,
  isGone: (who: string) => `The draft for ${who} is gone.`,
  isOpen: 'It is not known whether it was sent: send it once more, it goes once.',
  isNotGone: 'It is not known whether the draft is gone: let it go once more. Nothing was sent.',
  flaw: {
    length: 'Write something, and not more than a message holds.',
    place: 'Fill in what stands in braces.',
    form: 'Only the approved words go there: take back what was changed.',
  },
  refused: {
    written_already: 'A colleague was faster, or you wrote yourself: this customer was written to already.',
    no_draft: 'This draft is gone: its time is over, or the customer agrees to it no more.',
    quiet_hours: 'Customers are not written to at this hour.',
    text_length: 'Write something, and not more than a message holds.',
    place_empty: 'Fill in what stands in braces.',
    templates_only: 'Only the approved words go there now: take back what was changed.',
  } as Record<string, string>,
  notSent: 'It was not sent: try again in a moment.',
};
