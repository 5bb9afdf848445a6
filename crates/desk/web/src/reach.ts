// What a channel lets an agent send: until when freely, how long, and for how much.

import { formOf, type Canned } from './canned.svelte';
import type { ChannelKind, DeskEntry, Millis, Template } from './wire';

/**
 * How long after a customer's last message an agent may write to them freely: WhatsApp's "customer service window"; of Messenger and Instagram
 * seven days, the last six with the tag for words of people ("human agent"), which the adapter adds.
 */
const DAY_MS = 24 * 60 * 60 * 1000;
const WINDOW_MS: Partial<Record<ChannelKind, number>> = { whatsapp: DAY_MS, messenger: 7 * DAY_MS, instagram: 7 * DAY_MS };

/** Until when the customer may be written to freely; `null` where the channel has no such limit, or where nothing of theirs is loaded and the adapter decides. */
export function freeUntil(channel: ChannelKind, entries: readonly DeskEntry[]): Millis | null {
  const window = WINDOW_MS[channel];
  if (window === undefined) return null;
  // An answer to a question is theirs too; what a colleague wrote in the provider's own app is not.
  const last = entries.findLast((entry) => entry.kind.is === 'from_customer' || entry.kind.is === 'feedback_given');
  return last === undefined ? null : last.at + window;
}

/** How words to a customer may go now: freely, as the approved form that they are, or not at all. */
export type Way = { is: 'free' } | { is: 'form'; template: Template } | { is: 'closed' };

/**
 * What is an approved form goes as one, also while words go freely: the adapter counts from when the provider says that the customer wrote, which may be
 * earlier than what is seen here. A form goes without files.
 */
export function wayFor(channel: ChannelKind, entries: readonly DeskEntry[], forms: readonly Canned[], text: string, hasFiles: boolean, now: Millis): Way {
  // Other channels have none.
  const template = channel === 'whatsapp' && !hasFiles ? formOf(forms, text) : null;
  if (template !== null) return { is: 'form', template };
  const until = freeUntil(channel, entries);
  return until === null || now < until ? { is: 'free' } : { is: 'closed' };
}

/** How a text goes out as text messages. */
export interface Segments {
  encoding: 'GSM-7' | 'UCS-2';
  /** How many are paid for. */
  count: number;
  /** How much room the last one has, in its own units. */
  left: number;
}

/** The default alphabet and its extension table (3GPP TS 23.038, 6.2.1); a sign of the latter takes two places. */
const GSM = new Set('@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà');
const GSM_EXTENDED = new Set('\f^{}\\[~]|€');
/** Room of a message that is alone, and of each of several, which have a head (3GPP TS 23.040, 9.2.3.24). */
const ROOM = { 'GSM-7': [160, 153], 'UCS-2': [70, 67] } as const;

/** Counts the text messages that a text is sent as, the way they are paid for. */
export function segmentsOf(text: string): Segments {
  const signs = Array.from(text);
  const isGsm = signs.every((sign) => GSM.has(sign) || GSM_EXTENDED.has(sign));
  const encoding = isGsm ? 'GSM-7' : 'UCS-2';
  // A sign of two places is never cut in two.
  const sizes = signs.map((sign) => (isGsm ? (GSM_EXTENDED.has(sign) ? 2 : 1) : sign.length));
  const [alone, each] = ROOM[encoding];
  const all = sizes.reduce((sum, size) => sum + size, 0);
  if (all <= alone) return { encoding, count: all === 0 ? 0 : 1, left: alone - all };
  let count = 1;
  let left: number = each;
  for (const size of sizes) {
    if (size > left) {
      count += 1;
      left = each;
    }
    left -= size;
  }
  return { encoding, count, left };
}
