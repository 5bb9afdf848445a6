// What a channel lets an agent send: the window, the approved forms, the text messages that are paid for.

import { describe, expect, it } from 'vitest';
import segments from '../../../channel-twilio/fixtures/segments.json';
import { formOf, type Canned } from '../src/canned.svelte';
import { freeUntil, segmentsOf, wayFor } from '../src/reach';
import type { DeskEntry } from '../src/wire';

const DAY = 24 * 60 * 60 * 1000;

function said(at: number, kind: 'from_customer' | 'automatic' = 'from_customer'): DeskEntry {
  return { seq: at, at, contact: 'con_1_1', kind: { is: kind }, text: 'x' } as DeskEntry;
}

const FORM: Canned = { name: 'late', revision: 1, title: 'Late', text: 'Dear {customer}, order {order} (no. 1) is late.', template: { name: 'order_late', language: 'en' } };

describe('the window', () => {
  it('lasts a day from what the customer wrote last, to the millisecond', () => {
    const entries = [said(1_000), said(5_000), said(9_000, 'automatic')];
    expect(freeUntil('whatsapp', entries)).toBe(5_000 + DAY);
    expect(freeUntil('sms', entries)).toBeNull();
    expect(wayFor('whatsapp', entries, [], 'x', false, 5_000 + DAY - 1)).toEqual({ is: 'free' });
    expect(wayFor('whatsapp', entries, [], 'x', false, 5_000 + DAY)).toEqual({ is: 'closed' });
    // Nothing of the customer's is loaded: whether it is open the adapter knows.
    for (const unknown of [[], [said(9_000, 'automatic')]]) {
      expect(freeUntil('whatsapp', unknown)).toBeNull();
      expect(wayFor('whatsapp', unknown, [], 'x', false, 9 * DAY)).toEqual({ is: 'free' });
    }
    expect(freeUntil('messenger', entries)).toBe(5_000 + 7 * DAY);
    expect(wayFor('messenger', entries, [FORM], 'Dear Ann, order 7 (no. 1) is late.', false, 8 * DAY)).toEqual({ is: 'closed' });
    expect(wayFor('email', entries, [], 'x', false, 10 * DAY)).toEqual({ is: 'free' });
  });

  it('leaves an approved form, with what stands in its places', () => {
    const words = 'Dear Ann Lee, order A.7 (no. 1) is late. ';
    const template = { name: 'order_late', language: 'en', variables: { '1': 'Ann Lee', '2': 'A.7' } };
    expect(wayFor('whatsapp', [said(0)], [FORM], words, false, DAY)).toEqual({ is: 'form', template });
    // Also before, since the customer may have written earlier than it came; and never with files.
    expect(wayFor('whatsapp', [said(0)], [FORM], words, false, 1)).toEqual({ is: 'form', template });
    expect(wayFor('whatsapp', [said(0)], [FORM], words, true, 1)).toEqual({ is: 'free' });
    expect(wayFor('whatsapp', [said(0)], [FORM], words, true, DAY)).toEqual({ is: 'closed' });
    for (const other of ['Dear Ann, order A.7 (no. 1) is late. Sorry!', 'Dear , order A.7 (no. 1) is late.', 'Dear Ann, order A\n7 (no. 1) is late.', 'Dear Ann, order A.7 (noX 1) is late.']) {
      expect(formOf([FORM], other), other).toBeNull();
    }
    const { template: _, ...free } = FORM;
    expect(formOf([free], words)).toBeNull();
  });
});

describe('text messages', () => {
  it('are counted as the adapter counts them', () => {
    expect(segments.length).toBeGreaterThanOrEqual(20);
    for (const { text, ...expected } of segments) expect(segmentsOf(text), JSON.stringify(text.slice(0, 40))).toEqual(expected);
  });
});
