// The shortcuts: one table for the handler, the hints and the help.

import type { Texts } from './i18n/en';

export type Action = 'begin' | 'accept' | 'decline' | 'reply' | 'note' | 'transfer' | 'snooze' | 'give' | 'resolve' | 'wrapUp' | 'join' | 'leave' | 'presence' | 'suggestion' | 'undo' | 'many' | 'tags' | 'find' | 'search' | 'help';

/** By the place of the key, not by its letter: with Alt many layouts write another sign. */
const BY_CODE: Readonly<Record<string, Action>> = {
  KeyA: 'accept',
  KeyB: 'begin',
  KeyD: 'decline',
  KeyR: 'reply',
  KeyN: 'note',
  KeyT: 'transfer',
  KeyE: 'resolve',
  KeyG: 'give',
  KeyZ: 'snooze',
  KeyW: 'wrapUp',
  KeyJ: 'join',
  KeyL: 'leave',
  KeyO: 'presence',
  KeyI: 'suggestion',
  KeyU: 'undo',
  KeyM: 'many',
  KeyH: 'tags',
  KeyF: 'find',
  Slash: 'help',
};

/** Signs that ask for something while nothing is being written. */
const BY_SIGN: ReadonlyMap<string, Press> = new Map<string, Press>([
  ['?', { is: 'action', action: 'help' }],
  ['/', { is: 'action', action: 'search' }],
]);

export const KEYS: Readonly<Record<Exclude<Action, 'help' | 'search'>, string>> = {
  accept: 'Alt+A',
  begin: 'Alt+B',
  decline: 'Alt+D',
  reply: 'Alt+R',
  note: 'Alt+N',
  transfer: 'Alt+T',
  resolve: 'Alt+E',
  give: 'Alt+G',
  snooze: 'Alt+Z',
  wrapUp: 'Alt+W',
  join: 'Alt+J',
  leave: 'Alt+L',
  presence: 'Alt+O',
  suggestion: 'Alt+I',
  undo: 'Alt+U',
  many: 'Alt+M',
  tags: 'Alt+H',
  find: 'Alt+F',
};

export type Press = { is: 'action'; action: Action } | { is: 'contact'; number: number } | null;

interface Key {
  key: string;
  code: string;
  altKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  shiftKey: boolean;
}

/** What a key asks for; AltGr (Alt with Ctrl) writes signs and asks for nothing. */
export function pressOf(event: Key, isWriting: boolean): Press {
  // Browsers find only what stands in the page, and of a long conversation that is a part.
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.code === 'KeyF') return { is: 'action', action: 'find' };
  if (event.ctrlKey || event.metaKey) return null;
  if (!event.altKey) return isWriting ? null : (BY_SIGN.get(event.key) ?? null);
  if (event.shiftKey) return null;
  const action = BY_CODE[event.code];
  if (action !== undefined) return { is: 'action', action };
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1];
  return digit === undefined ? null : { is: 'contact', number: Number(digit) };
}

/** The lines of the help, in order. */
export function helpLines(t: Texts): [keys: string, does: string][] {
  return [
    [KEYS.accept, t.keys.accept],
    [KEYS.decline, t.keys.decline],
    [KEYS.begin, t.keys.begin],
    ['Alt+1 … 9', t.keys.contact],
    ['↑ ↓', t.keys.arrows],
    [KEYS.reply, t.keys.reply],
    [KEYS.note, t.keys.note],
    ['Enter', t.keys.send],
    ['Shift+Enter', t.keys.newline],
    ['/', t.keys.canned],
    [KEYS.undo, t.keys.undo],
    [KEYS.transfer, t.keys.transfer],
    [KEYS.snooze, t.keys.snooze],
    [KEYS.give, t.keys.give],
    [KEYS.resolve, t.keys.resolve],
    [KEYS.wrapUp, t.keys.wrapUp],
    [KEYS.join, t.keys.join],
    [KEYS.leave, t.keys.leave],
    [KEYS.suggestion, t.keys.suggestion],
    [KEYS.many, t.keys.many],
    [KEYS.tags, t.keys.tags],
    [KEYS.find, t.keys.find],
    [KEYS.presence, t.keys.presence],
    ['/', t.keys.search],
    ['Esc', t.keys.escape],
    ['?', t.keys.help],
  ];
}
