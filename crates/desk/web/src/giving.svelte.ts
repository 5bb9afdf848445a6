// "What can I give?" for one contact: what the agent was told by the customer, what the worker answered, what is picked.

import { centsOf, amountText } from './money';
import { bytesOf } from './text';
import {
  TEXT_BYTES_MAX,
  type Claim,
  type DeskGift,
  type LangWords,
  type Money,
  type RemedyId,
  type RemedyKind,
  type Till,
  type TillAnswer,
  type TillOffer,
} from './wire';

/** How long after the last change the worker is asked, ms. */
export const ASK_AFTER_MS = 250;
/** Names that stand in subjects and orders: an order's number, a line. */
const TOKEN = /^[A-Za-z0-9_-]{1,64}$/u;

/** What stops a gift from being sent; the component puts it into words. */
export type Flaw = 'amount' | 'words' | 'long' | 'due' | 'order';

export class Giving {
  reason = $state<string | null>(null);
  wish = $state<RemedyKind | null>(null);
  price = $state('');
  order = $state('');
  line = $state('');
  currency = $state<string | null>(null);
  fraud = $state(false);

  till = $state.raw<Till | null>(null);
  refused = $state.raw<Extract<TillAnswer, { is: 'refused' }>['refusal'] | null>(null);
  /** The worker did not answer the last time. */
  isSilent = $state(false);
  isAsked = $state(false);

  /** The picked offer, by kind and occasion; `else` is "something else". */
  picked = $state<string | null>(null);
  amount = $state('');
  tell = $state('');
  #customerLanguage = '';
  words = $state('');
  due = $state('');
  caseText = $state('');
  onTopOf = $state<RemedyId | null>(null);

  offer: TillOffer | null = $derived.by(() => {
    if (this.till === null || this.picked === null) return null;
    if (this.picked === 'else') return this.till.something_else;
    return this.till.offers.find((offer) => keyOf(offer) === this.picked) ?? null;
  });

  cents = $derived(centsOf(this.amount));
  isElse = $derived(this.picked === 'else');
  /** What is asked for is more than may be given unasked. */
  isBeyond = $derived(this.offer !== null && (this.cents ?? 0) > this.offer.up_to.cents);

  get claim(): Claim {
    const claim: Claim = {};
    if (this.reason !== null) claim.reason = this.reason;
    if (this.wish !== null) claim.wish = this.wish;
    const cents = centsOf(this.price);
    if (cents !== null) claim.price = { cents, currency: this.money.currency };
    if (TOKEN.test(this.order.trim())) claim.order = this.order.trim();
    if (TOKEN.test(this.line.trim())) claim.line = this.line.trim();
    if (this.fraud) claim.facts = { 'claim.fraud_evidence': true };
    return claim;
  }

  /** The currency in use here, with no amount. */
  get money(): Money {
    return { cents: 0, currency: this.currency ?? this.till?.currencies[0] ?? 'EUR' };
  }

  /** The number or line typed cannot be one. */
  get hasBadOrder(): boolean {
    return [this.order, this.line].some((text) => text.trim() !== '' && !TOKEN.test(text.trim()));
  }

  take(answer: TillAnswer): void {
    this.isAsked = false;
    this.isSilent = false;
    if (answer.is === 'refused') {
      this.refused = answer.refusal;
      this.till = null;
      return;
    }
    this.refused = null;
    const before = this.offer;
    this.till = answer;
    // The till answers anew while the agent goes on: words that they have not changed follow its card.
    const { offer } = this;
    if (offer !== null && before !== null && this.tell === said(before.tell, this.#customerLanguage)) {
      this.tell = said(offer.tell, this.#customerLanguage);
    }
  }

  silent(): void {
    this.isAsked = false;
    this.isSilent = true;
  }

  /** Picks an offer and fills in what is likely: the price that the customer named, the card's own words. */
  pick(offer: TillOffer, key: string, customerLanguage: string, language: string): void {
    this.picked = key;
    const price = centsOf(this.price);
    const likely = price ?? (offer.kind === 'service' ? 0 : offer.up_to.cents);
    this.amount = likely > 0 ? amountText(likely, language) : '';
    this.#customerLanguage = customerLanguage;
    this.tell = said(offer.tell, customerLanguage);
    this.onTopOf = this.till?.given ?? null;
  }

  flaw(now: number): Flaw | null {
    const { offer } = this;
    if (offer === null) return null;
    if (this.hasBadOrder) return 'order';
    const needsAmount = !this.isElse && offer.kind !== 'service' && offer.kind !== 'gesture';
    if (this.cents === null && (needsAmount || this.amount.trim() !== '')) return 'amount';
    if (this.isElse && this.words.trim() === '') return 'words';
    if ([this.words, this.tell, this.caseText].some((text) => bytesOf(text) > TEXT_BYTES_MAX)) return 'long';
    if (this.due !== '' && !(Date.parse(this.due) > now)) return 'due';
    return null;
  }

  /** The gift as picked. Words of the card go as they are: only what the agent changed is sent. */
  gift(customerLanguage: string): DeskGift | null {
    const { offer, cents } = this;
    if (offer === null) return null;
    const gift: DeskGift = { kind: offer.kind, occasion: offer.occasion, claim: this.claim };
    if (cents !== null) gift.money = { cents, currency: offer.up_to.currency };
    if (this.due !== '') gift.due = Date.parse(this.due);
    if (this.words.trim() !== '') gift.words = this.words.trim();
    const tell = this.tell.trim();
    if (tell !== '' && tell !== said(offer.tell, customerLanguage)) gift.tell = tell;
    if (this.onTopOf !== null) gift.on_top_of = this.onTopOf;
    return gift;
  }

  /** After it was given: the claim stays, the gift is gone. */
  clear(): void {
    this.picked = null;
    this.amount = '';
    this.tell = '';
    this.words = '';
    this.due = '';
    this.caseText = '';
    this.onTopOf = null;
  }
}

export function keyOf(offer: TillOffer): string {
  return `${offer.kind}.${offer.occasion}`;
}

/** Words in a language, or in the policy's first one. */
export function said(words: LangWords, language: string): string {
  return words[language] ?? Object.values(words)[0] ?? '';
}
