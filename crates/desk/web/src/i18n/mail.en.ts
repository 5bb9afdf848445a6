// Mail, files and what becomes of messages, in English.

import type { Refused } from '../files';
import type { AccountState } from '../pages';
import type { DeliveryState } from '../wire';

export const mail = {
  subject: 'Subject',
  from: 'From',
  to: 'To',
  cc: 'Cc',
  replyTo: 'Answers go to',
  more: 'To and copies',
  notCustomer: 'not the customer',
  verified: 'Sender verified',
  notVerified: 'Sender not verified: take care with what it asks for',
  automatic: 'A machine’s answer',
  earlier: 'Show earlier mail',
  asSent: 'As it was sent',
  asSentClose: 'Close',
  frame: 'The mail as it was sent',
  images: 'Show pictures from elsewhere',
  imagesHint: 'Its sender can learn that it is read.',
  unreadable: 'This mail could not be read. The file is all there is of it.',
  raw: 'The whole mail (.eml)',

  files: {
    title: 'Files',
    open: (name: string) => `Open ${name}`,
    download: (name: string) => `Download ${name}`,
    attach: 'Attach files',
    drop: 'Let go to attach',
    remove: (name: string) => `Remove ${name}`,
    progress: (name: string) => `${name} is on its way`,
    full: (most: number) => `At most ${most} files go with one message.`,
    refused: {
      too_large: 'too large: at most 25 MB',
      empty: 'the file is empty',
      not_yours: 'the contact is not yours any more',
      away: 'it did not get there: remove it and try again',
      stopped: 'stopped',
    } satisfies Record<Refused, string>,
  },

  compose: {
    open: 'Cc, forward, subject',
    cc: 'Cc',
    forward: 'Forward to',
    forwardHint: 'Goes to them instead of the customer, with the customer’s last mail; their answer comes back here.',
    subject: 'Subject',
    subjectHint: 'Empty: the customer’s own',
    addressHint: 'Addresses with commas between them',
    badAddress: 'One of the addresses is none.',
  },

  delivery: {
    state: {
      queued: 'Sending …',
      sending: 'Sending …',
      accepted: 'Accepted',
      sent: 'Sent',
      delivered: 'Delivered',
      read: 'Read',
      failed: 'Not delivered',
      unknown: 'It is not known whether it was sent',
    } satisfies Record<DeliveryState, string>,
    reason: {
      refused: 'the other side refused it',
      unreachable: 'the other side could not be reached',
      no_answer: 'the other side did not answer',
      address_unknown: 'the address does not exist',
      erased: 'the customer was erased',
      too_large: 'it is too large',
      too_old: 'it waited for too long',
      blocked_by_customer: 'the customer blocked us: reach them by another channel',
      not_written_yet: 'the customer has to write first',
      in_part: 'only a part of it arrived: look with the customer before you send it again',
    } as Record<string, string>,
    again: 'Send again',
    againHint: 'The same words go into a new reply',
  },

  accounts: {
    title: 'Channels',
    channel: 'Channel',
    account: 'Account',
    state: 'State',
    waiting: 'To be sent',
    heard: 'Last heard',
    never: 'not yet',
    ago: (time: string) => `${time} ago`,
    states: {
      unknown: 'Not known yet',
      working: 'Works',
      refused: 'Not let in',
      limited: 'Has to wait',
      silent: 'Silent',
    } satisfies Record<AccountState, string>,
    todo: {
      unknown: '',
      working: '',
      refused: 'Check its credentials and rights.',
      limited: 'It goes on by itself; send less if that stays.',
      silent: 'Check whether its messages still get here.',
    } satisfies Record<AccountState, string>,
  },
};
