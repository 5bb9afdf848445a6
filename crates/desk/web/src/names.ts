// Names for people, and system entries in words.

import { customerName } from './format';
import type { Texts } from './i18n/en';
import type { AgentId, Choice, DeskEntry, Floor, Me } from './wire';

/** What names can be looked up in. */
export interface Names {
  me: Me;
  floor: Pick<Floor, 'queues'>;
  colleagues: { titleOf: (agent: AgentId) => string | undefined };
  dispositions: readonly Choice[];
}

export function agentName(agent: AgentId, names: Names, t: Texts, by?: string): string {
  if (agent === names.me.agent) return t.entry.You;
  return by ?? names.colleagues.titleOf(agent) ?? t.entry.someone;
}

/** An entry with words in one line: its words, or the names of its files. */
export function inOneLine(entry: DeskEntry, t: Texts): string {
  const text = entry.text || (entry.attachments ?? []).map((file) => file.name).join(', ');
  return (entry.text === undefined ? t.conversation.erased : text).replace(/\s+/gu, ' ');
}

/** Who wrote an entry with words. */
export function authorOf(entry: DeskEntry, customer: string | undefined, names: Names, t: Texts): string {
  const { kind } = entry;
  if (kind.is === 'from_agent' && kind.bot === true) return t.entry.botAuthor(agentName(kind.agent, names, t, entry.by));
  if (kind.is === 'suggested') return t.entry.suggestion(agentName(kind.agent, names, t, entry.by));
  if (kind.is === 'annotated') return kind.integration;
  if (kind.is === 'warned') return t.entry.warnedBy(agentName(kind.agent, names, t, entry.by));
  if (kind.is === 'from_agent' || kind.is === 'told' || kind.is === 'note' || kind.is === 'whispered') return agentName(kind.agent, names, t, entry.by);
  if (kind.is === 'incident_told') return t.entry.toEverybody;
  if (kind.is === 'from_colleague') return t.entry.colleagueElsewhere;
  const from = entry.mail?.from;
  if (entry.mail?.third_party === true && from !== undefined) return from.name ?? from.address;
  return customerName(customer, t);
}

/** An entry without words, as a line; `null` for entries with words. */
export function lineOf(entry: DeskEntry, names: Names, t: Texts): string | null {
  const { kind } = entry;
  switch (kind.is) {
    case 'from_customer':
    case 'automatic':
    case 'from_colleague':
    case 'from_agent':
    case 'told':
    case 'note':
    case 'whispered':
    case 'suggested':
    case 'incident_told':
      return null;
    case 'handed_over': {
      const why = t.entry.handOver[kind.why.is];
      const reason = 'reason' in kind.why ? `${why} (${kind.why.reason.replaceAll('_', ' ')})` : why;
      return kind.agent === undefined ? reason : `${agentName(kind.agent, names, t, entry.by)}: ${reason}`;
    }
    case 'joined':
      return t.entry.joined(agentName(kind.agent, names, t, entry.by));
    case 'transferred_to_queue': {
      const queue = names.floor.queues.find((one) => one.name === kind.queue)?.title ?? kind.queue;
      return t.entry.toQueue(agentName(kind.agent, names, t, entry.by), queue);
    }
    case 'transferred_to_agent': {
      const to = entry.other ?? names.colleagues.titleOf(kind.to) ?? t.entry.aColleague;
      return t.entry.toAgent(agentName(kind.agent, names, t, entry.by), kind.to === names.me.agent ? t.entry.you : to);
    }
    case 'handed_back': {
      const again = kind.agent === names.me.agent ? t.entry.you : agentName(kind.agent, names, t, entry.by);
      return t.entry.handedBack(agentName(kind.from, names, t, entry.other), t.entry.notTaken[kind.why], again);
    }
    case 'consulted': {
      const whom = kind.colleague === names.me.agent ? t.entry.you : agentName(kind.colleague, names, t, entry.other);
      return t.entry.consulted(agentName(kind.agent, names, t, entry.by), whom);
    }
    case 'consult_declined':
      return t.entry.consultDeclined(agentName(kind.agent, names, t, entry.by), t.entry.notTaken[kind.why]);
    case 'joined_beside':
      return t.entry.joinedBeside(agentName(kind.agent, names, t, entry.by));
    case 'left_again':
      return t.entry.leftAgain(agentName(kind.agent, names, t, entry.by));
    case 'reclaimed': {
      const isMe = kind.agent === names.me.agent;
      return t.entry.reclaimed(isMe ? t.entry.you : agentName(kind.agent, names, t, entry.by));
    }
    case 'resolved': {
      const how = names.dispositions.find((one) => one.name === kind.disposition)?.title ?? kind.disposition;
      const said = Object.values(kind.fields ?? {}).map((value) => value.replaceAll('_', ' '));
      return t.entry.resolved(agentName(kind.agent, names, t, entry.by), [how, ...said].join(', '));
    }
    case 'snoozed':
      return t.entry.snoozed(agentName(kind.agent, names, t, entry.by));
    case 'callback_asked':
      return t.entry.callbackAsked;
    case 'silence_warned':
      return t.entry.silenceWarned;
    case 'closed_after_silence':
      return t.entry.closedAfterSilence;
    case 'taken_over':
      return t.entry.takenOver(agentName(kind.agent, names, t, entry.by));
    case 'closed':
      return t.entry.closed;
    case 'reopened':
      return t.entry.reopened;
    case 'annotated':
      return null;
    case 'warned':
      return null;
    case 'blocked':
      return t.entry.blocked(agentName(kind.agent, names, t, entry.by));
    case 'from_blocked':
      return t.entry.fromBlocked;
    case 'customer_left':
      return t.entry.customerLeft;
    case 'feedback_asked':
      return t.entry.feedbackAsked[kind.question];
    case 'feedback_given':
      return t.entry.feedbackGiven(t.entry.feedbackOf[kind.question], kind.score, kind.question === 'recommend' ? 10 : 5);
    case 'went_on':
      return t.entry.wentOn(t.channel[kind.channel]);
    case 'came_from':
      return t.entry.cameFrom(t.channel[kind.channel]);
  }
}

/** One or two letters for a face that we do not have. */
export function initials(name: string): string {
  const parts = name.trim().split(/\s+/u);
  const letters = [parts[0], parts.length > 1 ? parts.at(-1) : undefined].map((part) => [...(part ?? '')][0] ?? '');
  return letters.join('').toLocaleUpperCase();
}

/** One of five tints, the same for the same conversation. */
export function tintOf(id: string): number {
  let sum = 0;
  for (const sign of id) sum = (sum * 31 + (sign.codePointAt(0) ?? 0)) % 9973;
  return sum % 5;
}
