// English of what a whole shift asks for: finding, taking back, canned answers, notifications.

export const shift = {
  find: {
    title: 'Find in this conversation',
    count: (n: number, all: string) => `${n} of ${all}`,
    none: 'not found',
    noneYet: 'not here: Enter reads earlier',
    reading: 'reading earlier …',
    older: 'Earlier hit',
    newer: 'Later hit',
  },
};
