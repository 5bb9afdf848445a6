// Amounts as people write and read them; whole cents inside, never a float.

import type { Money } from './wire';

/** Largest amount that is not absurd, cents (AMOUNT_CENTS_MAX). */
export const CENTS_MAX = 100_000_000;

/**
 * Cents of what was typed: `600`, `600.5`, `600,50`, `1.250,00`, `1,250.00`; `null` if it is no amount above zero.
 * A single sign followed by exactly three digits separates thousands.
 */
export function centsOf(text: string): number | null {
  const bare = text.replaceAll(/[\s\u00a0'’]/gu, '');
  if (!/^\d[\d.,]*$/u.test(bare)) return null;
  const last = Math.max(bare.lastIndexOf('.'), bare.lastIndexOf(','));
  const tail = last < 0 ? '' : bare.slice(last + 1);
  const isDecimal = last >= 0 && tail.length <= 2 && tail.length > 0;
  const head = isDecimal ? bare.slice(0, last) : bare;
  const groups = head.split(/[.,]/u);
  if (groups.some((group, n) => group === '' || (n > 0 && group.length !== 3))) return null;
  const cents = Number(groups.join('')) * 100 + Number(isDecimal ? tail.padEnd(2, '0') : 0);
  return Number.isSafeInteger(cents) && cents > 0 && cents <= CENTS_MAX ? cents : null;
}

/** `€ 600.00` in the reader's language. */
export function moneyText(money: Money, language: string): string {
  return new Intl.NumberFormat(language, { style: 'currency', currency: money.currency }).format(money.cents / 100);
}

/** What stands in an input for an amount. */
export function amountText(cents: number, language: string): string {
  const digits = { minimumFractionDigits: cents % 100 === 0 ? 0 : 2, maximumFractionDigits: 2, useGrouping: false };
  return new Intl.NumberFormat(language, digits).format(cents / 100);
}
