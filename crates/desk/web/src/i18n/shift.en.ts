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
  undo: {
    in: (seconds: number) => `Sending in ${seconds} s`,
    undo: 'Undo',
    setting: 'A sent reply can be taken back',
    seconds: (n: number) => (n === 0 ? 'not at all' : `for ${n} seconds`),
    asked: (n: number) => (n === 1 ? 'A reply of yours has not gone out yet:' : `${n} replies of yours have not gone out yet:`),
    sendNow: 'Send now',
    takeBack: 'Take back',
  },
};
