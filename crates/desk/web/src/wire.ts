// The frames between the desk's gateway and this desk. They mirror crates/protocol (desk.rs, command.rs, record.rs):
// tags and names are what serde writes, and an optional field is absent, never null, unless serde says otherwise.

export type AgentId = string;
export type CommandId = string;
export type ContactId = string;
export type ConversationId = string;
export type MessageId = string;
export type OfferId = string;
export type IncidentId = string;
export type RemedyId = string;
export type AskId = string;
export type PromiseId = string;
export type SignalId = string;
/** Milliseconds since the Unix epoch, by the server's clock. */
export type Millis = number;

export type ChannelKind = 'web' | 'api' | 'email' | 'webhook' | 'telegram' | 'sms' | 'whatsapp' | 'messenger' | 'instagram';
export type Presence = 'online' | 'away' | 'offline';

/** Longest text of a reply, note or draft, bytes of UTF-8 (TEXT_BYTES_MAX, NOTE_BYTES_MAX). */
export const TEXT_BYTES_MAX = 16 * 1024;
/** Most files of one message (ATTACHMENTS_MAX). */
export const ATTACHMENTS_MAX = 15;
/** Largest file, bytes (FILE_BYTES_MAX). */
export const FILE_BYTES_MAX = 25 * 1024 * 1024;
/** Longest reason of a decline, bytes of UTF-8 (REASON_BYTES_MAX). */
export const REASON_BYTES_MAX = 200;
/** Most runners-up that a receipt names (RUNNERS_UP_MAX). */
export const RUNNERS_UP_MAX = 5;
/** Oldest command that is still carried out, ms (COMMAND_AGE_MS_MAX). */
export const COMMAND_AGE_MS_MAX = 24 * 3_600_000;

export type FromDesk =
  | { t: 'hello'; have: Record<ConversationId, number> }
  | { t: 'command'; id: CommandId; command: DeskCommand }
  | { t: 'typing'; contact: ContactId; note?: boolean }
  | { t: 'draft'; contact: ContactId; text: string }
  | { t: 'line' }
  | { t: 'older'; contact: ContactId; before_seq: number }
  | { t: 'till'; contact: ContactId; claim: Claim; currency?: string }
  | { t: 'ping'; n: number };

export type DeskCommand =
  | { do: 'set_presence'; presence: Presence; reason?: string; when_free?: boolean }
  | { do: 'accept'; offer: OfferId }
  | { do: 'decline'; offer: OfferId; reason: string }
  | { do: 'reply'; contact: ContactId; message: MessageId; text: string; with?: ReplyWith }
  | ({ do: 'begin' } & DeskBegin)
  | { do: 'note'; contact: ContactId; message: MessageId; text: string; mentions?: AgentId[] }
  | { do: 'pick'; contact: ContactId }
  | { do: 'set_tags'; contact: ContactId; add: string[]; remove: string[] }
  | { do: 'set_fields'; contact: ContactId; fields: Record<string, string | null> }
  | { do: 'read_mentions'; contact: ContactId }
  | { do: 'warn_customer'; contact: ContactId; message: MessageId; text: string }
  | { do: 'block_customer'; contact: ContactId; until: Millis; reason: string }
  | { do: 'unblock_customer'; identity: string }
  | { do: 'transfer_to_queue'; contact: ContactId; queue: string }
  | { do: 'transfer_to_agent'; contact: ContactId; agent: AgentId; back?: boolean }
  | { do: 'consult'; contact: ContactId; agent: AgentId }
  | { do: 'answer_consult'; contact: ContactId; yes: boolean }
  | { do: 'watch'; contact: ContactId }
  | { do: 'change_customer'; contact: ContactId; wish: { is: 'link'; identity: string } | { is: 'part'; link: string } }
  | { do: 'whisper'; contact: ContactId; message: MessageId; text: string }
  | { do: 'join'; contact: ContactId }
  | { do: 'leave'; contact: ContactId; agent?: AgentId }
  | { do: 'resolve'; contact: ContactId; disposition: string; fields?: Record<string, string> }
  | { do: 'snooze'; contact: ContactId; until: Millis }
  | { do: 'resume'; contact: ContactId }
  | { do: 'revoke'; offer: OfferId }
  | { do: 'take_over'; contact: ContactId }
  | { do: 'take_voice'; contact: ContactId }
  | { do: 'set_incident'; incident: IncidentId; terms: IncidentTerms }
  | { do: 'gather_for_incident'; incident: IncidentId; contacts: ContactId[] }
  | { do: 'answer_incident'; incident: IncidentId; words: Record<string, string> }
  | { do: 'resolve_incident'; incident: IncidentId; disposition: string; words: Record<string, string> }
  | { do: 'close_incident'; incident: IncidentId }
  | { do: 'end_wrap_up'; contact: ContactId }
  | { do: 'give'; contact: ContactId; gift: DeskGift; ask: boolean; case?: string }
  | { do: 'undo'; remedy: RemedyId }
  | { do: 'answer'; ask: AskId; yes: boolean }
  | { do: 'retry'; remedy: RemedyId }
  | { do: 'promise'; contact: ContactId; words: string; due: Millis }
  | { do: 'keep'; promise: PromiseId }
  | { do: 'thank'; agent: AgentId; contact?: ContactId; words: string }
  | { do: 'story'; remedy: RemedyId; title: string; consent: boolean }
  | { do: 'contest'; signal: SignalId; reason: string };

/** A conversation that an agent begins, or where a contact goes on. */
export interface DeskBegin {
  channel: ChannelKind;
  account: string;
  to: BeginTo;
  queue: string;
  /** The contact that goes on there instead of a new one. */
  contact?: ContactId;
  message: MessageId;
  text: string;
  with?: ReplyWith;
}

/** To whom: whoever has an address, or one of the identities that were shown as the customer of a conversation. */
export type BeginTo = { is: 'typed'; address: string } | { is: 'known'; identity: string; conversation: ConversationId };

export type ToDesk =
  | ({ t: 'state' } & DeskState)
  | { t: 'line'; contacts: Waiting[]; more?: number }
  | { t: 'mentions'; mentions: Mention[] }
  | ({ t: 'offer' } & OfferCard)
  | { t: 'offer_ended'; offer: OfferId; how: OfferEnd }
  | ({ t: 'contact' } & DeskContact)
  | { t: 'contact_gone'; contact: ContactId; why: GoneWhy }
  | { t: 'entry'; conversation: ConversationId; entry: DeskEntry }
  | { t: 'older'; conversation: ConversationId; entries: DeskEntry[] }
  | { t: 'settled'; id: CommandId; outcome: Outcome; words?: string }
  | { t: 'till'; contact: ContactId; answer: TillAnswer }
  | { t: 'remedy_settled'; id: CommandId; outcome: RemedyOutcome; words?: string }
  | ({ t: 'remedy' } & DeskRemedy)
  | ({ t: 'ask' } & DeskAsk)
  | { t: 'ask_ended'; ask: AskId; how: AskEnd; by?: string }
  | ({ t: 'promise' } & DeskPromise)
  | ({ t: 'kudos' } & DeskKudos)
  | { t: 'presence'; presence: Presence; next?: Presence; reason?: string }
  | { t: 'typing'; conversation: ConversationId }
  | { t: 'writing'; conversation: ConversationId; agent: AgentId; title: string; note?: boolean }
  | ({ t: 'delivered'; conversation: ConversationId } & Delivered)
  | ({ t: 'floor' } & Floor)
  | { t: 'error'; code: string; words: string }
  | { t: 'pong'; n: number; now: Millis };

export type OfferEnd = 'accepted' | 'declined' | 'timed_out' | 'agent_gone' | 'customer_gone' | 'person_wanted' | 'revoked';
export type GoneWhy = 'transferred' | 'reclaimed' | 'handed_over' | 'returned' | 'ended' | 'left';

export interface DeskState {
  log_seq: number;
  now: Millis;
  agent: AgentId;
  title: string;
  presence: Presence;
  /** The presence to come once nothing is held any more. */
  next?: Presence;
  reason?: string;
  offers: OfferCard[];
  contacts: DeskContact[];
  dispositions: Choice[];
  asks: DeskAsk[];
  promises: DeskPromise[];
  kudos: DeskKudos[];
  lead: boolean;
  role: Role;
  /** The queues that they lead; empty or absent: all, if they lead. */
  scope?: string[];
  /** The tags that are configured. */
  tags?: Tag[];
  /** What is kept of contacts, as configured. */
  contact_fields?: Field[];
  mentions?: Mention[];
}

export type Role = 'agent' | 'lead' | 'supervisor' | 'administrator';

/** A word that contacts are marked with. */
export interface Tag {
  name: string;
  title: string;
  colour?: 'red' | 'orange' | 'yellow' | 'green' | 'blue' | 'purple' | 'grey';
}

/** A note in which a colleague names this agent. */
export interface Mention {
  contact: ContactId;
  conversation: ConversationId;
  seq: number;
  at: Millis;
  /** Who, for people. */
  by: string;
}

/** A contact that waits in a queue of this agent's. */
export interface Waiting {
  contact: ContactId;
  channel: ChannelKind;
  queue: string;
  category?: string;
  waiting_since: Millis;
  priority: number;
  tags?: string[];
  callback?: boolean;
  practice?: boolean;
}

export interface Choice {
  name: string;
  title: string;
  /** What has to be said with it. */
  fields?: Field[];
}

/** A word of a list, or any name without one. */
export interface Field {
  name: string;
  title: string;
  choices?: string[];
}

/** Why a contact takes no room. */
export type AsideWhy = { is: 'snoozed'; until: Millis } | { is: 'silent'; since: Millis };

/** What an incident is, as who leads says it. */
export interface IncidentTerms {
  title: string;
  /** Of which queues contacts belong to it; absent for any. */
  queues?: string[];
  /** Of which categories; absent for any. */
  categories?: string[];
  /** What customers are told at the door, by language. */
  notice?: Record<string, string>;
  until: Millis;
}

/** What happened to many customers at once, as every desk shows it. */
export interface DeskIncident {
  incident: IncidentId;
  title: string;
  queues?: string[];
  categories?: string[];
  until: Millis;
}

export interface Floor {
  queues: FloorQueue[];
  /** Those who are there come first; at most 200. */
  colleagues: Colleague[];
  /** How many more there are; they are asked for by name. */
  more?: number;
  incidents?: DeskIncident[];
}

export interface FloorQueue {
  name: string;
  title: string;
  waiting: number;
}

export interface Colleague {
  agent: AgentId;
  title: string;
  is_there: boolean;
}

export interface OfferCard {
  offer: OfferId;
  contact: ContactId;
  conversation: ConversationId;
  channel: ChannelKind;
  queue: string;
  waiting_since: Millis;
  expires_at: Millis;
  customer_name?: string;
  /** The customer is to be called back, at what their words say. */
  callback?: boolean;
  words: string[];
  tags?: string[];
  /** Nobody's real contact. */
  practice?: boolean;
  /** Absent (or null) when the read models did not answer in time. */
  history?: DeskEntry[] | null;
  receipt: Receipt;
}

export interface DeskContact {
  contact: ContactId;
  conversation: ConversationId;
  channel: ChannelKind;
  queue: string;
  category?: string;
  opened_at: Millis;
  effort: Effort;
  aside?: AsideWhy;
  wrap_up_until?: Millis;
  customer_name?: string;
  /** The customer's language, if they said. */
  language?: string;
  draft?: string;
  entries: DeskEntry[];
  /** What became of its messages to the customer, as far as it is known. */
  deliveries?: Delivered[];
  remedies: DeskRemedy[];
  /** How this agent is with it; absent: they own it. */
  /** A bot has it: who is with it takes it by beginning to write. */
  with_bot?: boolean;
  role?: CompanyRole;
  /** Who has it, where that is somebody else; empty while nobody has. */
  owner?: string;
  tags?: string[];
  fields?: Record<string, string>;
  practice?: boolean;
  /** How often the customer was warned. */
  warnings?: number;
  blocked_until?: Millis;
  company?: DeskCompanion[];
  receipt?: Receipt;
}

/** How somebody is with a contact that is not theirs. */
export type CompanyRole =
  | { is: 'asked'; by: AgentId; until: Millis }
  | { is: 'consulted' }
  | { is: 'watching' }
  | { is: 'joined' };

export interface DeskCompanion {
  agent: AgentId;
  title: string;
  role: CompanyRole;
}

/** Why a colleague did not take what they were asked to. */
export type NotTaken = 'declined' | 'no_time' | 'gone';

/** What a contact cost the customer until an agent had it. */
export interface Effort {
  contacts_before: number;
  reopenings: number;
  transfers: number;
  waited_ms: number;
}

export interface DeskEntry {
  seq: number;
  at: Millis;
  contact: ContactId;
  kind: EntryKind;
  message?: MessageId;
  text?: string;
  by?: string;
  /** The name of the other agent in the kind. */
  other?: string;
  /** A machine of the customer's answered, as when they are away. */
  automatic?: boolean;
  attachments?: Attachment[];
  mail?: MailHead;
  place?: Place;
}

/** Where a message of a customer stands among their others, by the ids that its provider gives them. */
export interface Place {
  id?: string;
  /** The message that it is a later wording of. */
  edits?: string;
  replies_to?: string;
  /** What was sent with it as one. */
  album?: string;
}

/** A file of a message. */
export interface Attachment {
  object: string;
  name: string;
  media_type: string;
  bytes: number;
  /** It stands within the words, as pictures in a mail do. */
  inline?: boolean;
}

export interface MailAddress {
  address: string;
  name?: string;
}

export interface MailHead {
  from?: MailAddress;
  reply_to?: MailAddress[];
  to?: MailAddress[];
  cc?: MailAddress[];
  subject?: string;
  message_id?: string;
  references?: string[];
  /** How many bytes of the text, from its start, are new. */
  new_bytes?: number;
  /** The whole mail as it came. */
  raw?: Attachment;
  html?: Attachment;
  unreadable?: boolean;
  third_party?: boolean;
  verified?: boolean;
}

/** What goes with an answer: files, and what only mail has. */
export interface ReplyWith {
  attachments?: Attachment[];
  cc?: MailAddress[];
  forward_to?: MailAddress[];
  subject?: string;
  template?: Template;
}

/** An approved form of words, with what stands in its places. */
export interface Template {
  name: string;
  language?: string;
  variables?: Record<string, string>;
}

export type DeliveryState = 'queued' | 'sending' | 'accepted' | 'sent' | 'delivered' | 'read' | 'failed' | 'unknown';

/** What became of one message to the customer. */
export interface Delivered {
  seq: number;
  state: DeliveryState;
  /** Why, as a stable word. */
  reason?: string;
}

export type EntryKind =
  | { is: 'from_customer' }
  | { is: 'automatic' }
  | { is: 'from_colleague' }
  | { is: 'from_agent'; agent: AgentId; bot?: boolean }
  | { is: 'suggested'; agent: AgentId }
  | { is: 'handed_over'; agent?: AgentId; why: HandOverWhy }
  | { is: 'told'; agent: AgentId; remedy?: RemedyId }
  | { is: 'note'; agent: AgentId }
  | { is: 'joined'; agent: AgentId }
  | { is: 'transferred_to_queue'; agent: AgentId; queue: string }
  | { is: 'transferred_to_agent'; agent: AgentId; to: AgentId; back?: boolean }
  | { is: 'handed_back'; agent: AgentId; from: AgentId; why: NotTaken }
  | { is: 'consulted'; agent: AgentId; colleague: AgentId }
  | { is: 'consult_declined'; agent: AgentId; why: NotTaken }
  | { is: 'whispered'; agent: AgentId }
  | { is: 'joined_beside'; agent: AgentId }
  | { is: 'left_again'; agent: AgentId }
  | { is: 'reclaimed'; agent: AgentId }
  | { is: 'resolved'; agent: AgentId; disposition: string; fields?: Record<string, string> }
  | { is: 'snoozed'; agent: AgentId; until: Millis }
  | { is: 'callback_asked' }
  | { is: 'silence_warned'; closes_at: Millis }
  | { is: 'incident_told'; incident: IncidentId; text: string }
  | { is: 'closed_after_silence'; agent: AgentId }
  | { is: 'taken_over'; agent: AgentId; from?: AgentId }
  | { is: 'closed'; opens_at?: Millis }
  | { is: 'reopened' }
  | { is: 'customer_left' }
  | { is: 'annotated'; integration: string }
  | { is: 'warned'; agent: AgentId }
  | { is: 'blocked'; agent: AgentId; until: Millis }
  | { is: 'from_blocked' }
  | { is: 'feedback_asked'; question: Question }
  | { is: 'feedback_given'; question: Question; score: number }
  | { is: 'went_on'; channel: ChannelKind }
  | { is: 'came_from'; conversation: ConversationId; channel: ChannelKind };

/** What a customer is asked once their contact has ended: 1 to 5, how likely they recommend us 0 to 10. */
export type Question = 'satisfaction' | 'effort' | 'recommend';

/** Why people have a contact instead of a bot. */
export type HandOverWhy =
  | { is: 'stalled' | 'gone' | 'customer_asked' }
  | { is: 'failed' | 'called_for_help'; reason: string };

export type Outcome = { is: 'done' } | { is: 'refused'; refusal: Refusal };

export type Refusal =
  | 'unknown_agent'
  | 'offer_ended'
  | 'not_yours'
  | 'contact_closed'
  | 'unknown_contact'
  | 'unknown_queue'
  | 'unknown_disposition'
  | 'colleague_not_there'
  | 'too_old'
  | 'too_long'
  | 'not_lead'
  | 'not_in_scope'
  | 'no_room'
  | 'field_missing'
  | 'bad_time'
  | 'company_full'
  | 'not_bot'
  | 'unknown_incident'
  | 'odd_text'
  | 'incident_time'
  | 'incident_too_wide'
  | 'too_many_incidents'
  | 'empty_text'
  | 'not_waiting'
  | 'no_picking'
  | 'not_able'
  | 'reserved'
  | 'unknown_tag'
  | 'too_many_tags'
  | 'unknown_field'
  | 'unknown_colleague'
  | 'too_many_mentions'
  | 'block_time'
  | 'too_many_blocks'
  | 'not_blocked'
  | 'unknown_account'
  | 'already_open'
  | 'customer_blocked'
  | 'cannot_begin'
  | 'bad_address'
  | 'opted_out'
  | 'templates_only'
  | 'not_now';

export interface Receipt {
  rule: ChoiceRule;
  waited_ms: number;
  idle_ms: number;
  waiting_in_class: number;
  runners_up: RunnerUp[];
  passed_over: PassedOver;
}

export type ChoiceRule =
  | 'preferred'
  | 'longest_idle'
  | 'least_occupied'
  | 'most_spare'
  | 'best_proficiency'
  | 'first_in_order'
  | 'picked';

export interface RunnerUp {
  agent: AgentId;
  idle_ms: number;
}

export interface PassedOver {
  unqualified: number;
  not_there: number;
  full: number;
  declined: number;
  /** Absent when it is 0. */
  later?: number;
}

// ---- what can be given: crates/protocol till.rs, remedy.rs, remedies.rs, policy.rs ----

export type RemedyKind = 'refund' | 'voucher' | 'replacement' | 'exchange' | 'repair' | 'service' | 'gesture';
export const REMEDY_KINDS: readonly RemedyKind[] = [
  'refund',
  'voucher',
  'replacement',
  'exchange',
  'repair',
  'service',
  'gesture',
];
export type Occasion = 'failure' | 'trust' | 'surprise';
export type Per = 'contact' | 'agent_day' | 'team_day' | 'customer_year' | 'incident' | 'surprise_year';
export type Ask = 'ask_peer' | 'ask_lead';
export type Because = 'law' | 'safety' | 'fraud';
export type FactValue = boolean | number | string;
/** Words by language. */
export type LangWords = Readonly<Record<string, string>>;

/** Hundredths of a currency. */
export interface Money {
  cents: number;
  currency: string;
}

export interface Claim {
  reason?: string;
  wish?: RemedyKind;
  price?: Money;
  order?: string;
  line?: string;
  incident?: string;
  facts?: Record<string, FactValue>;
}

export interface DeskGift {
  kind: RemedyKind;
  occasion: Occasion;
  claim: Claim;
  money?: Money;
  due?: Millis;
  words?: string;
  tell?: string;
  on_top_of?: RemedyId;
}

export type TillAnswer = ({ is: 'till' } & Till) | { is: 'refused'; refusal: RemedyRefusal };

export interface Till {
  policy: string;
  sentence: LangWords;
  stands_behind: string;
  log_seq: number;
  up_to: Money;
  offers: TillOffer[];
  something_else: TillOffer;
  forbidden: Forbidden[];
  near_misses: NearMiss[];
  signals: SignalLine[];
  facts: FactLine[];
  silent: string[];
  reasons: TillReason[];
  currencies: string[];
  /** What was given for the same thing already: another gift is given on top of it. */
  given?: RemedyId;
}

export interface TillOffer {
  kind: RemedyKind;
  occasion: Occasion;
  card?: string;
  title: LangWords;
  up_to: Money;
  because_of: Per | null;
  beyond: Ask;
  hint: LangWords;
  tell: LangWords;
}

export interface Forbidden {
  kind: RemedyKind;
  card: string;
  because: Because;
  hint: LangWords;
}

export interface NearMiss {
  card: string;
  title: LangWords;
  condition: string;
  unknown: string[];
}

export interface SignalLine {
  signal: SignalId;
  says: LangWords;
  until: Millis;
}

export interface FactLine {
  name: string;
  says: LangWords;
  fact?: { value: FactValue; source: string; at: Millis };
}

export interface TillReason {
  name: string;
  title: LangWords;
  is_failure: boolean;
}

export type RemedyOutcome =
  | { is: 'granted'; remedy: RemedyId; undo_until: Millis }
  | { is: 'asking'; ask: AskId; until: Millis }
  | { is: 'done' }
  | { is: 'refused'; refusal: RemedyRefusal };

export type RemedyRefusal =
  | { why: 'no_policy' | 'not_yours' | 'own_identity' | 'own_ask' | 'too_old' }
  | { why: 'not_found'; what: string }
  | { why: 'bad_amount' | 'malformed' | 'too_late' | 'bad_input'; says: string }
  | { why: 'unknown_currency'; currency: string; known: string }
  | { why: 'beyond'; up_to: Money; ask: Ask; card?: string }
  | { why: 'not_allowed'; because: Because; card: string }
  | { why: 'already_given'; remedy: RemedyId };

export type RemedyState = 'granted' | 'undone' | 'ordered' | 'done' | 'failed' | 'unknown';

export interface DeskRemedy {
  remedy: RemedyId;
  contact: ContactId;
  at: Millis;
  by: string;
  approved_by?: string;
  kind: RemedyKind;
  occasion: Occasion;
  card?: string;
  claim: Claim;
  money?: Money;
  words?: string;
  state: RemedyState;
  undo_until: Millis;
  reference?: string;
  reason?: string;
  told: boolean;
}

export interface DeskAsk {
  ask: AskId;
  contact: ContactId;
  is_mine: boolean;
  by: string;
  kind: RemedyKind;
  money?: Money;
  claim: Claim;
  case?: string;
  whom: Ask;
  asked: number;
  until: Millis;
}

export type AskEnd = 'yes' | 'soft_yes' | 'promised' | 'moot' | 'went_on';

export interface DeskPromise {
  promise: PromiseId;
  contact: ContactId;
  words?: string;
  due: Millis;
  state: 'open' | 'reminded' | 'kept' | 'broken';
}

export interface DeskKudos {
  at: Millis;
  from: 'customer' | 'peer' | 'card';
  by?: string;
  words: LangWords;
  contact?: ContactId;
}

/** The codes of error frames that the desk has words for; others are shown in the gateway's own. */
export type FaultCode =
  | 'not_settled_yet'
  | 'draft_not_kept'
  | 'history_unavailable'
  | 'storage_full'
  | 'not_all_upgraded'
  | 'internal'
  | 'too_fast'
  | 'too_many_at_once'
  | 'too_many_desks';

/** A problem document (RFC 9457) as every HTTP error of the gateway carries it. */
export interface Problem {
  title: string;
  status?: number;
  code: string;
  detail?: string;
}

export interface Me {
  agent: AgentId;
  title: string;
  /** Whether another password has to be chosen before anything else. */
  must_change?: boolean;
}
