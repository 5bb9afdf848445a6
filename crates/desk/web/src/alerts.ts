// What calls the agent who looks elsewhere: notifications of the browser, and a sound. Only while the page is hidden; no sound
// before the agent used the page once, since browsers allow none and nobody expects one.

import type { Announcement } from './news';

export const ALERTS = ['offer', 'message', 'mention'] as const;
export type AlertKind = (typeof ALERTS)[number];

/** What the agent wants of each. */
export interface AlertTaste {
  notify: boolean;
  sound: boolean;
}

export type AlertTastes = Readonly<Record<AlertKind, AlertTaste>>;

export const QUIET: AlertTastes = {
  offer: { notify: false, sound: false },
  message: { notify: false, sound: false },
  mention: { notify: false, sound: false },
};

/** What was kept, or what of it can be read. */
export function tastesOf(text: string | null): AlertTastes {
  try {
    const kept = JSON.parse(text ?? '{}') as Partial<Record<AlertKind, Partial<AlertTaste>>>;
    const taste = (kind: AlertKind): AlertTaste => ({ notify: kept[kind]?.notify === true, sound: kept[kind]?.sound === true });
    return { offer: taste('offer'), message: taste('message'), mention: taste('mention') };
  } catch {
    return QUIET;
  }
}

/** What kind of call some news are; `null` for those that call nobody. */
export function alertOf(news: Announcement): AlertKind | null {
  switch (news.is) {
    case 'offer':
      return 'offer';
    case 'message':
      return news.isOwn ? 'message' : null;
    case 'consult':
    case 'whisper':
    case 'ask':
    case 'mention':
      return 'mention';
  }
}

/** What a browser does for us; a test gives its own. */
export interface Caller {
  isHidden: () => boolean;
  notify: (title: string, tag: string, onclick: () => void) => void;
  ring: (kind: AlertKind) => void;
}

/** Calls the agent, if they look elsewhere and want it. `title` never holds a customer's words: others may see the screen. */
export function call(caller: Caller, tastes: AlertTastes, news: Announcement, title: string, onclick: () => void): void {
  const kind = alertOf(news);
  if (kind === null || !caller.isHidden()) return;
  // The same tag: the newest takes the place of the one before, and a hundred messages are one line on the screen.
  if (tastes[kind].notify) caller.notify(title, `winterband-${kind}`, onclick);
  if (tastes[kind].sound) caller.ring(kind);
}

/** Tones of each, Hz. */
const TONES: Readonly<Record<AlertKind, readonly number[]>> = { offer: [660, 880, 660], message: [740], mention: [740, 988] };
const TONE_S = 0.14;

/** The browser's own notifications and sound. */
export function browserCaller(page: Document): Caller & { stop: () => void } {
  let audio: AudioContext | null = null;
  return {
    isHidden: () => page.visibilityState === 'hidden',
    notify: (title, tag, onclick) => {
      if (!('Notification' in globalThis) || Notification.permission !== 'granted') return;
      const shown = new Notification(title, { tag, icon: '/desk/mark.svg', silent: true });
      shown.onclick = () => {
        globalThis.focus();
        shown.close();
        onclick();
      };
    },
    ring: (kind) => {
      if (!('AudioContext' in globalThis) || !navigator.userActivation.hasBeenActive) return;
      audio ??= new AudioContext();
      if (audio.state === 'suspended') void audio.resume();
      const begin = audio.currentTime;
      for (const [i, tone] of TONES[kind].entries()) sound(audio, tone, begin + i * TONE_S);
    },
    stop: () => {
      void audio?.close();
    },
  };
}

function sound(audio: AudioContext, tone: number, at: number): void {
  const gain = new GainNode(audio, { gain: 0 });
  const oscillator = new OscillatorNode(audio, { frequency: tone });
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(0.12, at + 0.02);
  gain.gain.linearRampToValueAtTime(0, at + TONE_S);
  oscillator.connect(gain).connect(audio.destination);
  oscillator.start(at);
  oscillator.stop(at + TONE_S);
}

/** Asks the browser whether it may notify; `false` if it may not. */
export async function mayNotify(): Promise<boolean> {
  if (!('Notification' in globalThis)) return false;
  if (Notification.permission === 'granted') return true;
  return (await Notification.requestPermission()) === 'granted';
}
