// The desk's state: what the gateway's frames make of it, and what the agent asks for.

import { NOTHING, type Unsent } from './begin';
import { Bulk } from './bulk.svelte';
import { CannedStore, filledIn, type Canned } from './canned.svelte';
import { ServerClock } from './clock.svelte';
import { Colleagues } from './colleagues.svelte';
import type { Link } from './connection';
import { Drafts } from './drafts';
import { Held, type Mode } from './held.svelte';
import { read, type Keep } from './keep';
import { mentionedIn } from './marks';
import type { Announcement } from './news';
import { Notices } from './notices.svelte';
import { hasWords, Outbox, type Parcel, type WordsParcel } from './outbox.svelte';
import { wayFor, type Way } from './reach';
import { Searches } from './searches.svelte';
import { bytesOf } from './text';
import { merge, type Start } from './thread';
import { newId } from './uuid';
import {
  TEXT_BYTES_MAX,
  type AskEnd,
  type Choice,
  type Field,
  type Mention,
  type Role,
  type Tag,
  type Waiting,
  type ContactId,
  type DeskAsk,
  type DeskBegin,
  type DeskCommand,
  type DeskContact,
  type DeskEntry,
  type DeskKudos,
  type DeskPromise,
  type DeskRemedy,
  type DeskState,
  type Floor,
  type FromDesk,
  type GoneWhy,
  type Me,
  type OfferCard,
  type OfferEnd,
  type Outcome,
  type Presence,
  type RemedyOutcome,
  type ToDesk,
} from './wire';

/** How long "is typing" stands after the customer's last key, ms. */
export const TYPING_SHOWN_MS = 4_000;
/** How long a command may be unanswered before it is sent again, ms. */
export const RESEND_AFTER_MS = 12_000;
/** Commands on their way at once; the gateway takes 50 frames a second. */
export const UNDER_WAY_MAX = 25;
/** Praise that is kept on the screen; the gateway has as many. */
const KUDOS_MAX = 20;
/** Conversations kept after their contact went, for when it comes back. */
const SHELF_MAX = 32;

/** What happens when an accepted contact comes. */
export type AfterAccept =
  /** It opens, and the composer has the focus. */
  | 'write'
  /** It opens. */
  | 'read'
  /** The agent stays where they are typing. */
  | 'stay';

export interface Lines {
  /** `false`: not connected; what must not be lost is sent again with the next state. */
  send: (frame: FromDesk) => boolean;
  /** What came cannot be joined: connect anew and say what we have. */
  restart: () => void;
}

/** What of the agent's taste counts here. */
export interface Taste {
  /** How long a sent reply can be taken back, ms; 0: not at all. */
  readonly undoMs: number;
}

/** What ends or hands over one's own part in a contact: words for its customer go out before it. */
const ENDS_WRITING: ReadonlySet<DeskCommand['do']> = new Set(['begin', 'resolve', 'transfer_to_queue', 'transfer_to_agent', 'snooze', 'leave', 'end_wrap_up']);

export class Desk {
  me = $state.raw<Me>()!;
  link = $state<Link>('connecting');
  /** A first state has come: before that, an empty list says nothing. */
  isKnown = $state(false);
  presence = $state<Presence>('offline');
  presenceReason = $state<string | null>(null);
  /** The presence to come once nothing is held any more. */
  nextPresence = $state<Presence | null>(null);
  offers = $state.raw<readonly OfferCard[]>([]);
  helds = $state.raw<readonly Held[]>([]);
  dispositions = $state.raw<readonly Choice[]>([]);
  floor = $state.raw<Omit<Floor, 'colleagues' | 'more'>>({ queues: [] });
  readonly colleagues: Colleagues;
  asks = $state.raw<readonly DeskAsk[]>([]);
  /** Contacts of others on which this agent is asked for a word. */
  invitations = $state.raw<readonly DeskContact[]>([]);
  promises = $state.raw<readonly DeskPromise[]>([]);
  kudos = $state.raw<readonly DeskKudos[]>([]);
  isLead = $state(false);
  /** What this agent may do; those who lead may more than others. */
  role = $state<Role>('agent');
  /** The tags there are, and what is kept of contacts. */
  tags = $state.raw<readonly Tag[]>([]);
  contactFields = $state.raw<readonly Field[]>([]);
  /** Notes in which a colleague names this agent, newest first. */
  mentions = $state.raw<readonly Mention[]>([]);
  /** What waits in this agent's queues, as of the last time that it was asked. */
  line = $state.raw<{ contacts: readonly Waiting[]; more?: number } | null>(null);
  selectedId = $state<ContactId | null>(null);
  announcement = $state.raw<Announcement | null>(null);
  /** The composer should take the focus as soon as it is there. */
  wantsComposer = $state(false);
  isLookedAt = true;
  readonly clock: ServerClock;
  readonly outbox: Outbox;
  readonly notices = new Notices();
  /** Answers that are written beforehand. */
  readonly canned = new CannedStore();
  readonly searches: Searches;
  /** What this agent wrote first and has no answer to yet, or what became of it while they look; `null` otherwise. */
  begun = $state.raw<Parcel | null>(null);
  /** The same while it is typed. */
  unsentBeginning = $state.raw<Unsent>(NOTHING);
  /** What is done to many contacts at once. */
  readonly bulk = new Bulk(this);

  selected = $derived.by(() => this.helds.find((held) => held.id === this.selectedId) ?? null);
  /** Refused words of contacts that are no longer on the screen, as after a reload. */
  stranded: readonly WordsParcel[] = $derived.by(() =>
    this.outbox.parcels
      .filter(hasWords)
      .filter((parcel) => parcel.fate === 'refused' && this.helds.every((held) => held.id !== parcel.command.contact)),
  );

  readonly #keep: Keep;
  readonly #lines: Lines;
  readonly #drafts: Drafts;
  readonly #selectedKey: string;
  readonly #beginKey: string;
  /** The first message of a contact that is to open when it comes. */
  #firstMessage: string | null = null;
  /** The dialog is open in which it was written. */
  #isBeginning = false;
  #shelf = new Map<string, readonly DeskEntry[]>();
  #gaps = new Set<string>();
  #sentAt = new Map<string, number>();
  #lookAt: { contact: ContactId; seq: number } | null = null;
  #follow: { contact: ContactId; then: AfterAccept } | null = null;
  #leaving = new Set<ContactId>();
  #listeners = new Set<(news: Announcement) => void>();
  #releaseTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #taste: Taste;

  constructor(me: Me, lines: Lines, keep: Keep, clock = new ServerClock(), taste: Taste = { undoMs: 0 }) {
    this.me = me;
    this.#lines = lines;
    this.#keep = keep;
    this.clock = clock;
    this.colleagues = new Colleagues(me.agent);
    this.outbox = new Outbox(keep, me.agent);
    this.searches = new Searches(keep, me.agent);
    this.#taste = taste;
    const waiting = (contact: ContactId) => this.outbox.heldOf(contact).map((parcel) => parcel.command.text);
    this.#drafts = new Drafts(keep, me.agent, (frame) => lines.send(frame), waiting);
    this.begun = this.outbox.open.findLast(({ command }) => command.do === 'begin') ?? null;
    if (this.begun?.command.do === 'begin') this.#firstMessage = this.begun.command.message;
    this.#selectedKey = `winterband.desk.selected.${me.agent}`;
    this.#beginKey = `winterband.desk.begin.${me.agent}`;
    this.unsentBeginning = { ...NOTHING, ...read<Partial<Unsent>>(keep, this.#beginKey, {}) };
    this.selectedId = keep.get(this.#selectedKey);
  }

  // ---- what comes ----

  hello(): FromDesk {
    const have: Record<string, number> = {};
    for (const held of this.helds) if (held.gone === null && held.lastSeq > 0) have[held.conversation] = held.lastSeq;
    return { t: 'hello', have };
  }

  apply(frame: ToDesk, roundTripMs = 0): void {
    switch (frame.t) {
      case 'state':
        return this.#takeState(frame);
      case 'offer':
        return this.#takeOffer(frame);
      case 'offer_ended':
        return this.#endOffer(frame.offer, frame.how);
      case 'contact':
        return this.#takeContact(frame);
      case 'contact_gone':
        return this.#letGo(frame.contact, frame.why);
      case 'entry':
        return this.#takeEntries(frame.conversation, [frame.entry], 'must_join');
      case 'older':
        return this.#takeOlder(frame.conversation, frame.entries);
      case 'settled':
        this.#settle(frame.id, frame);
        return this.#carry();
      case 'till':
        return this.#heldOf(frame.contact)?.giving.take(frame.answer);
      case 'remedy_settled':
        this.#settleRemedy(frame.id, frame.outcome, frame.words);
        return this.#carry();
      case 'line':
        this.line = frame;
        return;
      case 'mentions':
        return this.#takeMentions(frame.mentions);
      case 'remedy':
        return this.#takeRemedy(frame);
      case 'ask':
        return this.#takeAsk(frame);
      case 'ask_ended':
        return this.#endAsk(frame.ask, frame.how, frame.by);
      case 'promise':
        return this.#takePromise(frame);
      case 'kudos':
        this.kudos = [frame, ...this.kudos].slice(0, KUDOS_MAX);
        this.notices.post({ is: 'kudos', from: frame.from, words: frame.words, ...(frame.by === undefined ? {} : { by: frame.by }) });
        return;
      case 'presence':
        this.presence = frame.presence;
        this.presenceReason = frame.reason ?? null;
        this.nextPresence = frame.next ?? null;
        return;
      case 'typing':
        for (const held of this.#heldsOf(frame.conversation)) {
          held.typingUntil = this.clock.exact() + TYPING_SHOWN_MS;
        }
        return;
      case 'writing':
        for (const held of this.#heldsOf(frame.conversation)) {
          const { agent, title, note } = frame;
          held.takeWriter({ agent, title, isNote: note === true, until: this.clock.exact() + TYPING_SHOWN_MS });
        }
        return;
      case 'delivered': {
        const { t: _, conversation, ...delivered } = frame;
        for (const held of this.#heldsOf(conversation)) held.takeDelivered(delivered);
        return;
      }
      case 'floor':
        this.floor = frame;
        return this.colleagues.take(frame);
      case 'error':
        return this.#fault(frame.code, frame.words);
      case 'pong':
        if (this.#drafts.confirm(this.helds, roundTripMs)) this.#remember();
        return this.clock.learn(frame.now, roundTripMs);
      default:
      // A kind that a later gateway knows: nothing to do here.
    }
  }

  #takeState(state: DeskState): void {
    // Somebody else signed in meanwhile in this browser: none of this agent's commands may go out in their name.
    if (state.agent !== this.me.agent) return this.#lines.restart();
    this.clock.guess(state.now);
    this.me = { agent: state.agent, title: state.title };
    this.presence = state.presence;
    this.presenceReason = state.reason ?? null;
    this.nextPresence = state.next ?? null;
    this.dispositions = state.dispositions;
    this.asks = byUntil(state.asks ?? []);
    this.promises = byDue(state.promises ?? []);
    this.kudos = state.kudos ?? [];
    this.isLead = state.lead ?? false;
    this.role = state.role ?? (this.isLead ? 'lead' : 'agent');
    this.tags = state.tags ?? [];
    this.contactFields = state.contact_fields ?? [];
    this.mentions = state.mentions ?? [];
    this.offers = byEnd(state.offers);
    this.invitations = [];
    const ours = new Set(state.contacts.map((contact) => contact.contact));
    for (const held of this.helds) if (!ours.has(held.id) && held.gone === null) this.#letGo(held.id, 'elsewhere');
    for (const contact of state.contacts) {
      this.#takeContact(contact);
      // Changes come with drafts too, but those may be older than what is being typed here. While words can be taken back,
      // the server's draft holds them too.
      if (this.outbox.heldOf(contact.contact).length === 0) this.#heldOf(contact.contact)?.adopt(contact.draft);
    }
    for (const held of this.helds) if (held.older === 'asked' || held.older === 'failed') held.older = 'may_be';
    this.isKnown = true;
    this.outbox.release((parcel) => this.helds.every((held) => held.id !== parcel.command.contact));
    this.#wakeToRelease();
    this.#sentAt.clear();
    this.resend();
    for (const held of this.helds) if (held.dirty) this.#drafts.toServer(held);
    this.#strand();
    this.#remember();
  }

  /** Words that were typed before a reload, for contacts that went meanwhile. */
  #strand(): void {
    const now = this.clock.exact();
    for (const [contact, kept] of this.#drafts.takeRest()) {
      for (const mode of ['reply', 'note'] as const) {
        const command = { do: mode, contact, message: newId('msg', now), text: kept[mode] };
        const files = mode === 'reply' ? (kept.extras?.files ?? []) : [];
        if (command.text.trim() === '' && files.length === 0) continue;
        this.outbox.strand(files.length === 0 ? command : { ...command, do: 'reply', with: { attachments: [...files] } }, now);
      }
    }
  }

  #takeOffer(offer: OfferCard): void {
    this.clock.tick();
    const isNew = this.offers.every((other) => other.offer !== offer.offer);
    this.offers = byEnd([...this.offers.filter((other) => other.offer !== offer.offer), offer]);
    if (isNew) this.#announce({ is: 'offer', queue: offer.queue, ...named(offer.customer_name) });
  }

  #endOffer(id: string, how: OfferEnd): void {
    const offer = this.offers.find((one) => one.offer === id);
    if (offer === undefined) return;
    this.offers = this.offers.filter((one) => one !== offer);
    if (how !== 'accepted' && how !== 'declined') {
      this.notices.post({ is: 'offer_ended', how, ...named(offer.customer_name) });
    }
  }

  #takeContact(card: DeskContact): void {
    const isNew = this.invitations.every((one) => one.contact !== card.contact);
    this.invitations = this.invitations.filter((one) => one.contact !== card.contact);
    if (card.role?.is === 'asked') {
      this.clock.tick();
      this.invitations = [...this.invitations, card];
      if (isNew) this.#announce({ is: 'consult', by: card.owner ?? '' });
      return;
    }
    let held = this.helds.find((one) => one.id === card.contact);
    if (held === undefined) {
      const { draft: _, ...undrafted } = card;
      const isWaiting = this.outbox.heldOf(card.contact).length > 0;
      held = new Held(isWaiting ? undrafted : card, this.#drafts.take(card.contact));
      held.entries = this.#shelf.get(card.conversation) ?? [];
      this.helds = inOrder([...this.helds, held]);
    } else {
      const wasOwner = held.isOwner;
      if (held.conversation !== card.conversation) {
        this.#shelve(held);
        const hadFiles = held.goOn(card.conversation, this.#shelf.get(card.conversation) ?? []);
        if (hadFiles) {
          this.notices.post({ is: 'files_stay', ...named(card.customer_name) });
          this.#remember();
        }
      }
      held.take(card);
      if (held.isOwner !== wasOwner) this.helds = inOrder(this.helds);
    }
    if (!held.mayReply) held.mode = 'note';
    const last = card.entries.at(-1)?.kind;
    if (this.isKnown && last?.is === 'handed_back' && last.agent === this.me.agent) {
      this.notices.post({ is: 'handed_back', by: last.from, ...named(card.customer_name) });
    }
    this.#takeEntries(card.conversation, card.entries, 'may_start_anew');
    if (this.#follow?.contact === held.id) {
      this.select(held.id);
      this.wantsComposer = this.#follow.then === 'write';
      this.#follow = null;
      if (this.#lookAt?.contact === held.id) held.lookAt(this.#lookAt.seq);
      this.#lookAt = null;
    }
    if (this.#firstMessage !== null && held.messages.has(this.#firstMessage)) {
      this.#firstMessage = null;
      this.select(held.id);
    }
    if (held.id === this.selectedId) this.#look();
  }

  #letGo(id: ContactId, why: GoneWhy | 'elsewhere'): void {
    this.invitations = this.invitations.filter((one) => one.contact !== id);
    const held = this.helds.find((one) => one.id === id);
    if (held === undefined || held.gone !== null) return;
    this.#shelve(held);
    this.release(id);
    this.outbox.drop((parcel) => hasWords(parcel) && parcel.command.contact === id && parcel.fate === 'done');
    const isOurDoing = this.#leaving.delete(id);
    const mustStay = held.hasUnsent || this.outbox.wordsOf(id).length > 0;
    if (mustStay || (why === 'reclaimed' && this.selectedId === id)) held.gone = why;
    else this.dismiss(id);
    if (!isOurDoing && held.gone === null) this.notices.post({ is: 'gone', why, ...named(held.card.customer_name) });
  }

  #takeEntries(conversation: string, came: readonly DeskEntry[], start: Start): void {
    for (const held of this.#heldsOf(conversation)) {
      const before = held.lastSeq;
      const merged = merge(held.entries, came, start);
      if (merged.gap) return this.#mendGap(held);
      held.entries = merged.entries;
      if (start === 'must_join') this.#gaps.delete(conversation);
      this.outbox.drop((parcel) => hasWords(parcel) && parcel.fate === 'done' && held.messages.has(parcel.command.message));
      const heard = came.filter((entry) => entry.seq > before && entry.kind.is === 'from_customer').at(-1);
      for (const entry of came) if ('agent' in entry.kind && entry.kind.agent !== undefined) held.endWriter(entry.kind.agent);
      if (heard !== undefined) {
        held.typingUntil = 0;
        if (before > 0) this.#announce({ is: 'message', contact: held.id, isOwn: held.isOwner, text: heard.text ?? '', ...named(held.card.customer_name) });
      }
      const whispered = came.filter((entry) => entry.seq > before && entry.kind.is === 'whispered' && entry.kind.agent !== this.me.agent).at(-1);
      if (whispered !== undefined && before > 0) this.#announce({ is: 'whisper', by: whispered.by ?? '', text: whispered.text ?? '' });
      if (held.id === this.selectedId) this.#look();
    }
  }

  /** A hole: ask for what is missing; if that did not help the last time, forget the conversation and get it whole. */
  #mendGap(held: Held): void {
    if (this.#gaps.has(held.conversation)) {
      held.entries = [];
      this.#shelf.delete(held.conversation);
    }
    this.#gaps.add(held.conversation);
    this.#lines.restart();
  }

  #takeOlder(conversation: string, came: readonly DeskEntry[]): void {
    for (const held of this.#heldsOf(conversation)) {
      const first = held.entries[0]?.seq;
      const merged = merge(held.entries, came, 'must_join');
      if (!merged.gap) held.entries = merged.entries;
      // Every conversation begins with number 1: what is not there is not there yet.
      const isStuck = held.entries[0]?.seq === first && held.mayHaveOlder;
      held.older = isStuck ? 'failed' : 'may_be';
      if (isStuck) this.notices.post({ is: 'error', code: 'history_unavailable', words: '' });
    }
  }

  #announce(news: Announcement): void {
    this.announcement = news;
    for (const hear of this.#listeners) hear(news);
  }

  /** Hears of every announcement, also of those that come together, until the returned function is called. */
  listen(hear: (news: Announcement) => void): () => void {
    this.#listeners.add(hear);
    return () => void this.#listeners.delete(hear);
  }

  #takeMentions(mentions: readonly Mention[]): void {
    const known = new Set(this.mentions.map(placeOf));
    const fresh = mentions.find((one) => !known.has(placeOf(one)));
    this.mentions = mentions;
    if (fresh !== undefined) this.#announce({ is: 'mention', by: fresh.by });
  }

  #heldOf(contact: ContactId): Held | undefined {
    return this.helds.find((held) => held.id === contact);
  }

  #takeRemedy(remedy: DeskRemedy): void {
    const held = this.#heldOf(remedy.contact);
    held?.takeRemedy(remedy);
    // What can still be given has changed with it.
    if (held !== undefined) this.askTill(held);
  }

  #takeAsk(ask: DeskAsk): void {
    const isNew = this.asks.every((one) => one.ask !== ask.ask);
    this.asks = byUntil([...this.asks.filter((one) => one.ask !== ask.ask), ask]);
    if (isNew && !ask.is_mine) this.#announce({ is: 'ask', by: ask.by });
  }

  #endAsk(id: string, how: AskEnd, by: string | undefined): void {
    const ask = this.asks.find((one) => one.ask === id);
    if (ask === undefined) return;
    if (how !== 'went_on' || !ask.is_mine) this.asks = this.asks.filter((one) => one !== ask);
    if (ask.is_mine) this.notices.post({ is: 'ask_ended', how, ...(by === undefined ? {} : { by }) });
  }

  #takePromise(promise: DeskPromise): void {
    const others = this.promises.filter((one) => one.promise !== promise.promise);
    this.promises = promise.state === 'kept' ? others : byDue([...others, promise]);
    if (promise.state === 'reminded' || promise.state === 'broken') {
      this.notices.post({ is: 'promise', state: promise.state, words: promise.words ?? '', due: promise.due });
    }
  }

  #settleRemedy(id: string, outcome: RemedyOutcome, words: string | undefined): void {
    const done: Outcome = { is: 'done' };
    const parcel = this.outbox.settle(id, done);
    this.#sentAt.delete(id);
    if (parcel === null) return;
    const { command } = parcel;
    const held = 'contact' in command && command.contact !== undefined ? this.#heldOf(command.contact) : undefined;
    if (outcome.is !== 'refused') {
      if (command.do === 'give') held?.giving.clear();
      return;
    }
    this.notices.post({ is: 'remedy_refused', what: command.do, refusal: outcome.refusal, words: words ?? '' });
    if (command.do !== 'give' || held === undefined) return;
    if (outcome.refusal.why === 'already_given') held.giving.onTopOf = outcome.refusal.remedy;
    this.askTill(held);
  }

  #fault(code: string, words: string): void {
    if (code === 'till_silent') {
      for (const held of this.helds) if (held.giving.isAsked) held.giving.silent();
      return;
    }
    for (const held of this.helds) {
      if (held.older === 'asked') held.older = 'failed';
      // The words are still here; with the next state they go to the server again.
      if (code === 'draft_not_kept' && held.isOwn && held.reply !== '') {
        held.dirty = true;
        held.sentAt = null;
      }
    }
    this.notices.post({ is: 'error', code, words });
  }

  #settle(id: string, frame: Extract<ToDesk, { t: 'settled' }>): void {
    const parcel = this.outbox.settle(id, frame.outcome, frame.words);
    this.#sentAt.delete(id);
    if (parcel === null) return;
    const { command } = parcel;
    if (hasWords(parcel)) {
      const { contact, message } = parcel.command;
      const held = this.helds.find((one) => one.id === contact);
      const isSeen = held === undefined || held.gone !== null || held.messages.has(message);
      if (parcel.fate === 'done' && isSeen) this.outbox.drop((one) => one.id === id);
    }
    const refusal = frame.outcome.is === 'refused' ? frame.outcome.refusal : null;
    if (command.do === 'pick' && refusal !== null && this.#follow?.contact === command.contact) this.#follow = null;
    if (command.do === 'pick') this.askLine();
    const isOfMany = this.bulk.settle(id, refusal);
    const isLookedFor = this.begun?.id === id && this.#isBeginning;
    if (this.begun?.id === id) this.begun = isLookedFor ? parcel : null;
    if (command.do === 'begin' && refusal === null && command.contact === undefined && command.to.is === 'typed') this.keepBeginning(NOTHING);
    if (frame.outcome.is === 'done') return;
    this.#leaving.delete(leavingContact(command) ?? '');
    if (command.do === 'begin') this.#firstMessage = null;
    if (command.do === 'take_voice') {
      // The next keystroke asks again: there may be room by then.
      const held = this.#heldOf(command.contact);
      if (held !== undefined) held.hasAskedForVoice = false;
    }
    if (command.do === 'accept') {
      this.#follow = null;
      if (frame.outcome.refusal === 'offer_ended') this.offers = this.offers.filter((one) => one.offer !== command.offer);
    }
    // Where it was written, the refusal stands beside the words.
    if (!hasWords(parcel) && !isOfMany && !isLookedFor) {
      const words = frame.words === undefined ? {} : { words: frame.words };
      this.notices.post({ is: 'refused', what: command.do, refusal: frame.outcome.refusal, ...words });
    }
  }

  #heldsOf(conversation: string): Held[] {
    return this.helds.filter((held) => held.conversation === conversation && held.gone === null);
  }

  // ---- what the agent does ----

  command(command: DeskCommand): Parcel {
    if (ENDS_WRITING.has(command.do) && 'contact' in command && command.contact !== undefined) this.release(command.contact);
    const parcel = this.outbox.add(command, this.clock.exact());
    const leaves = leavingContact(command);
    if (leaves !== null) this.#leaving.add(leaves);
    this.#carry();
    return parcel;
  }

  /** Sends what is not on its way yet, in the order of making: nothing overtakes what had to be sent again. */
  #carry(): void {
    for (const { id, command } of this.outbox.open.slice(0, UNDER_WAY_MAX)) {
      if (this.#sentAt.has(id)) continue;
      if (!this.#lines.send({ t: 'command', id, command })) return;
      this.#sentAt.set(id, performance.now());
    }
  }

  /** Lets words go out that could still be taken back: those of one contact, or all. */
  release(contact?: ContactId): void {
    this.#release((parcel) => contact === undefined || parcel.command.contact === contact);
  }

  #release(which: (parcel: WordsParcel) => boolean): void {
    const before = new Set(this.outbox.parcels.filter(hasWords).filter((parcel) => parcel.fate === 'held').map((parcel) => parcel.command.contact));
    if (!this.outbox.release(which)) return;
    this.#carry();
    // The server kept the words as a draft until now.
    for (const held of this.helds) if (before.has(held.id) && held.gone === null) this.#drafts.toServer(held);
  }

  /** Lets words go out whose time has come, and waits for the next. */
  #wakeToRelease(): void {
    clearTimeout(this.#releaseTimer);
    const now = this.clock.exact();
    this.#release((parcel) => (parcel.until ?? 0) <= now);
    const next = this.outbox.nextRelease;
    if (next !== null) this.#releaseTimer = setTimeout(() => this.#wakeToRelease(), Math.max(10, next - now));
  }

  /** Takes sent words back into the composer, with all that would have gone along; what was typed since comes after them. */
  takeBack(parcel: WordsParcel): void {
    const { command } = parcel;
    const held = this.#heldOf(command.contact);
    if (held === undefined || !this.outbox.heldOf(held.id).some((one) => one.id === parcel.id)) return;
    this.outbox.drop((one) => one.id === parcel.id);
    if (command.do === 'reply' && command.with !== undefined) held.extras.putBack(held.id, command.with);
    held.mode = 'reply';
    this.write(held, 'reply', held.reply.trim() === '' ? command.text : `${command.text}\n${held.reply}`);
    this.wantsComposer = true;
  }

  /** Takes back the last words that can still be taken back. */
  takeLastBack(held: Held): void {
    const last = this.outbox.heldOf(held.id).at(-1);
    if (last !== undefined) this.takeBack(last);
  }

  /** Sends what has no answer yet again if it waits for too long: from the oldest on, under the same ids. */
  resend(): void {
    const [oldest] = this.outbox.open;
    const sentAt = oldest === undefined ? undefined : this.#sentAt.get(oldest.id);
    if (sentAt !== undefined && performance.now() - sentAt >= RESEND_AFTER_MS) this.#sentAt.clear();
    this.#carry();
  }

  /** Asks what can be given now. */
  askTill(held: Held): void {
    if (held.gone !== null) return;
    const { claim, currency } = held.giving;
    const frame: FromDesk = { t: 'till', contact: held.id, claim, ...(currency === null ? {} : { currency }) };
    if (this.#lines.send(frame)) held.giving.isAsked = true;
  }

  /** Gives what is picked, or asks whether it may be given. */
  give(held: Held, customerLanguage: string, ask: boolean): void {
    const gift = held.giving.gift(customerLanguage);
    if (gift === null || this.isGiving(held)) return;
    const text = held.giving.caseText.trim();
    this.command({ do: 'give', contact: held.id, gift, ask, ...(ask && text !== '' ? { case: text } : {}) });
  }

  /** A gift for this contact is on its way. */
  isGiving(held: Held): boolean {
    return this.outbox.open.some(({ command }) => command.do === 'give' && command.contact === held.id);
  }

  /** A command about this one is on its way. */
  isUnderWay(wanted: (command: DeskCommand) => boolean): boolean {
    return this.outbox.open.some(({ command }) => wanted(command));
  }

  /** With `whenFree` only once nothing is held any more. */
  setPresence(presence: Presence, whenFree = false): void {
    this.command({ do: 'set_presence', presence, ...(whenFree ? { when_free: true } : {}) });
  }

  /** What the agent last asked for and has no answer to yet. */
  get wantedPresence(): Presence | null {
    const last = this.outbox.open.findLast((parcel) => parcel.command.do === 'set_presence');
    return last?.command.do === 'set_presence' ? last.command.presence : null;
  }

  accept(offer: OfferCard, then: AfterAccept): void {
    if (this.decisionOn(offer.offer) !== null) return;
    this.#follow = then === 'stay' ? null : { contact: offer.contact, then };
    this.command({ do: 'accept', offer: offer.offer });
  }

  decline(offer: OfferCard, reason: string): void {
    if (this.decisionOn(offer.offer) !== null) return;
    this.command({ do: 'decline', offer: offer.offer, reason });
  }

  decisionOn(offer: string): 'accept' | 'decline' | null {
    for (const { command } of this.outbox.open) {
      if ((command.do === 'accept' || command.do === 'decline') && command.offer === offer) return command.do;
    }
    return null;
  }

  /** Writes to a customer first, or goes on with a contact where they can be reached; it opens when it comes. */
  begin(asked: Omit<DeskBegin, 'message'>): void {
    if (this.begun?.fate === 'open') return;
    const message = newId('msg', this.clock.exact());
    this.#firstMessage = message;
    this.begun = this.command({ do: 'begin', ...asked, message });
  }

  /** The agent looks at what becomes of what they write first, until the returned function is called. */
  lookAtBeginning(): () => void {
    this.#isBeginning = true;
    return () => {
      this.#isBeginning = false;
      // What is on its way stays: the same words must not go twice.
      if (this.begun?.fate !== 'open') this.begun = null;
    };
  }

  /** Keeps what is typed before anybody was written to. */
  keepBeginning(unsent: Unsent): void {
    this.unsentBeginning = unsent;
    if (unsent.text === '' && unsent.address === '') this.#keep.remove(this.#beginKey);
    else this.#keep.set(this.#beginKey, JSON.stringify(unsent));
  }

  /** Reads a contact of somebody else's, and opens it when it comes. */
  watch(contact: ContactId): void {
    if (this.helds.some((held) => held.id === contact)) return this.select(contact);
    this.#follow = { contact, then: 'read' };
    this.command({ do: 'watch', contact });
  }

  /** Asks what waits to be picked. */
  askLine(): void {
    this.#lines.send({ t: 'line' });
  }

  /** Takes a contact that waits, and opens it when it comes. */
  pick(contact: ContactId): void {
    if (this.isUnderWay((command) => command.do === 'pick' && command.contact === contact)) return;
    this.#follow = { contact, then: 'write' };
    this.command({ do: 'pick', contact });
  }

  /** Opens a contact at an entry; one of somebody else's by watching it, where that is allowed. */
  openAt(contact: ContactId, seq: number): void {
    const held = this.#heldOf(contact);
    if (held === undefined) {
      this.#lookAt = { contact, seq };
      return this.watch(contact);
    }
    this.select(contact);
    held.lookAt(seq);
  }

  /** Agrees, or not, to being consulted; agreed, it opens when it comes. */
  answerConsult(contact: ContactId, yes: boolean): void {
    if (yes) this.#follow = { contact, then: 'write' };
    this.command({ do: 'answer_consult', contact, yes });
  }

  /** How what the agent has written may go to the customer now. */
  wayFor(held: Held): Way {
    return wayFor(held.card.channel, held.entries, this.canned.all, held.reply, held.extras.files.length > 0, this.clock.now);
  }

  /** Sends the words in the composer; they stand in the conversation at once. `false` if there are none, or too many. */
  say(held: Held, mode: Mode): boolean {
    const text = held[mode].trim();
    const ready = mode === 'reply' && held.mayReply ? held.extras.ready() : undefined;
    const way = mode === 'reply' ? this.wayFor(held) : ({ is: 'free' } as const);
    const extras = way.is !== 'form' || ready === null ? ready : { ...ready, template: way.template };
    if (way.is === 'closed') return false;
    if (extras === null || held.gone !== null || (text === '' && extras?.attachments === undefined)) return false;
    if (mode === 'reply' && held.openBlanks.length > 0) return false;
    if (bytesOf(text) > TEXT_BYTES_MAX) {
      this.notices.post({ is: 'too_long' });
      return false;
    }
    const what = mode === 'note' && !held.isOwner ? 'whisper' : mode;
    const words = { contact: held.id, message: newId('msg', this.clock.exact()), text };
    const mentions = what === 'note' ? mentionedIn(text, this.colleagues.all) : [];
    const command: DeskCommand =
      what === 'reply' && extras !== undefined ? { do: what, ...words, with: extras } : what === 'note' && mentions.length > 0 ? { do: what, ...words, mentions } : { do: what, ...words };
    const undoMs = what === 'reply' ? this.#taste.undoMs : 0;
    // Nothing overtakes words that are still held.
    if (what === 'reply' && undoMs === 0) this.release(held.id);
    if (undoMs > 0) {
      const now = this.clock.exact();
      this.outbox.add(command, now, now + undoMs);
      this.#wakeToRelease();
    } else this.command(command);
    if (mode === 'reply') {
      held.extras.clear();
      held.blanks = [];
    }
    this.write(held, mode, '');
    if (mode === 'reply') this.#drafts.toServer(held);
    this.#remember();
    return true;
  }

  /** Refused words once more, as a new command: the old id would only get the old answer. */
  again(parcel: WordsParcel): void {
    this.outbox.drop((one) => one.id === parcel.id);
    this.command({ ...parcel.command, message: newId('msg', this.clock.exact()) });
  }

  discard(parcel: Parcel): void {
    this.outbox.drop((one) => one.id === parcel.id);
  }

  /** The agent typed: it is kept here at once, on the server after a pause, and the customer hears of it. */
  write(held: Held, mode: Mode, text: string): void {
    // The first keystroke makes a bot's conversation one's own.
    if (mode === 'reply' && held.isWithBot && !held.hasAskedForVoice && text !== '') {
      held.hasAskedForVoice = true;
      this.command({ do: 'take_voice', contact: held.id });
    }
    this.#drafts.write(held, mode, text);
    this.#remember();
  }

  /** The words of a canned answer for this contact; what is not known of it is left to fill in. */
  fillIn(held: Held, canned: Canned, date: string): { text: string; blanks: string[] } {
    // Who is known by their number alone is not called by it.
    const name = held.card.customer_name;
    const values = {
      customer: name?.startsWith('+') === true ? undefined : name,
      agent: this.me.title,
      queue: held.card.queue,
      order: held.giving.order.trim(),
      contact: held.id,
      date,
    };
    return filledIn(canned.text, values);
  }

  /** A late suggestion of a bot goes into the reply, where it can be changed and sent. */
  insertSuggestion(held: Held, text: string): void {
    const words = held.reply.trim() === '' ? text : `${held.reply.trimEnd()}\n${text}`;
    held.mode = 'reply';
    this.write(held, 'reply', words);
    this.wantsComposer = true;
  }

  /** A message of which nobody knows whether it went: it becomes a new reply, with all that went along. */
  takeUp(held: Held, entry: DeskEntry): void {
    held.extras.takeUp(held.id, entry);
    this.insertSuggestion(held, entry.text ?? '');
  }

  askOlder(held: Held): void {
    const first = held.entries[0];
    if (held.older === 'asked' || !held.mayHaveOlder || first === undefined) return;
    if (this.#lines.send({ t: 'older', contact: held.id, before_seq: first.seq })) held.older = 'asked';
  }

  /** Opens a contact; `null` shows the list alone. */
  select(id: ContactId | null): void {
    this.selectedId = id;
    this.wantsComposer = false;
    if (id === null) this.#keep.remove(this.#selectedKey);
    else this.#keep.set(this.#selectedKey, id);
    this.#look();
  }

  setLookedAt(isLookedAt: boolean): void {
    this.isLookedAt = isLookedAt;
    this.#look();
  }

  #look(): void {
    const held = this.selected;
    if (held === null || !this.isLookedAt || held.readSeq >= held.lastSeq) return;
    held.markRead();
    this.#remember();
  }

  /** Takes a contact that is no longer ours off the screen, and with it the words that nobody got. */
  dismiss(id: ContactId): void {
    const held = this.helds.find((one) => one.id === id);
    if (held === undefined) return;
    this.#shelve(held);
    this.helds = this.helds.filter((one) => one !== held);
    this.outbox.drop((parcel) => hasWords(parcel) && parcel.command.contact === id && parcel.fate !== 'open');
    if (this.selectedId === id) this.select(null);
    this.#remember();
  }

  /** How many wait in all queues together. */
  get waitingCount(): number {
    return this.line === null ? this.floor.queues.reduce((sum, queue) => sum + queue.waiting, 0) : this.line.contacts.length + (this.line.more ?? 0);
  }

  /** Words that would be lost if the agent signed out now. */
  get unsettledWords(): number {
    return this.outbox.parcels.filter((parcel) => hasWords(parcel) && parcel.fate !== 'done').length;
  }

  /** What goes with a reply changed. */
  keepExtras(): void {
    this.#remember();
  }

  /** Nothing of this agent stays in the browser. */
  forget(): void {
    clearTimeout(this.#releaseTimer);
    this.outbox.forget();
    this.searches.forget();
    this.#drafts.forget();
    this.#keep.remove(this.#beginKey);
    this.#keep.remove(this.#selectedKey);
  }

  #remember(): void {
    this.#drafts.remember(this.helds);
  }

  #shelve(held: Held): void {
    this.#shelf.delete(held.conversation);
    this.#shelf.set(held.conversation, held.entries);
    const oldest = this.#shelf.keys().next();
    if (this.#shelf.size > SHELF_MAX && oldest.value !== undefined) this.#shelf.delete(oldest.value);
  }
}

function byEnd(offers: readonly OfferCard[]): OfferCard[] {
  return [...offers].sort((a, b) => a.expires_at - b.expires_at || (a.offer < b.offer ? -1 : 1));
}

function byUntil(asks: readonly DeskAsk[]): DeskAsk[] {
  return [...asks].sort((a, b) => a.until - b.until || (a.ask < b.ask ? -1 : 1));
}

function byDue(promises: readonly DeskPromise[]): DeskPromise[] {
  return [...promises].sort((a, b) => a.due - b.due || (a.promise < b.promise ? -1 : 1));
}

/** Where a note stands. */
function placeOf(mention: Mention): string {
  return `${mention.conversation}.${mention.seq}`;
}

function named(name: string | undefined): { name?: string } {
  return name === undefined ? {} : { name };
}

/** The contact that a command takes away from the agent who gave it. */
function leavingContact(command: DeskCommand): ContactId | null {
  const leaves =
    command.do === 'transfer_to_agent' ||
    command.do === 'transfer_to_queue' ||
    command.do === 'end_wrap_up' ||
    (command.do === 'leave' && command.agent === undefined);
  return leaves ? command.contact : null;
}

/** One's own first, then those of others; each as they came. */
function inOrder(helds: readonly Held[]): Held[] {
  return [...helds].sort(
    (a, b) =>
      Number(b.isOwner) - Number(a.isOwner) || a.card.opened_at - b.card.opened_at || (a.id < b.id ? -1 : 1),
  );
}
