// What the desk has to tell, as facts; components put them into the agent's language.

import type {
  AgentId,
  AskEnd,
  ContactId,
  DeskCommand,
  DeskKudos,
  GoneWhy,
  LangWords,
  Millis,
  OfferEnd,
  Refusal,
  RemedyRefusal,
} from './wire';

export type Notice =
  | { is: 'refused'; what: DeskCommand['do']; refusal: Refusal; words?: string }
  | { is: 'gone'; why: GoneWhy | 'elsewhere'; name?: string }
  | { is: 'handed_back'; by: AgentId; name?: string }
  | { is: 'offer_ended'; how: OfferEnd; name?: string }
  | { is: 'remedy_refused'; what: DeskCommand['do']; refusal: RemedyRefusal; words: string }
  | { is: 'ask_ended'; how: AskEnd; by?: string }
  | { is: 'promise'; state: 'reminded' | 'broken'; words: string; due: Millis }
  | { is: 'kudos'; from: DeskKudos['from']; by?: string; words: LangWords }
  | { is: 'error'; code: string; words: string }
  | { is: 'files_stay'; name?: string }
  | { is: 'too_long' };

export interface Posted {
  n: number;
  notice: Notice;
  /** Refusals and errors stay until the agent takes them away. */
  stays: boolean;
}

/** What a screen reader is told as it happens. */
export type Announcement =
  | { is: 'offer'; name?: string; queue: string }
  | { is: 'message'; contact: ContactId; isOwn: boolean; name?: string; text: string }
  | { is: 'whisper'; by: string; text: string }
  | { is: 'consult'; by: string }
  | { is: 'mention'; by: string }
  | { is: 'ask'; by: string };
