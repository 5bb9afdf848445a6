// The agent's taste, kept in this browser: language and appearance.

import { tastesOf, type AlertKind, type AlertTaste, type AlertTastes } from './alerts';
import { en, type Texts } from './i18n/en';
import { nl } from './i18n/nl';
import { keepIn } from './keep';

export const LANGUAGES = { en: 'English', nl: 'Nederlands' } as const;
export type Language = keyof typeof LANGUAGES;
export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

/** How long a sent reply can be taken back, seconds. */
export const UNDO_SECONDS = [0, 5, 10] as const;
export type UndoSeconds = (typeof UNDO_SECONDS)[number];

const keep = keepIn(() => localStorage);
const dictionaries: Record<Language, Texts> = { en, nl };

class Prefs {
  language = $state<Language>(chosenLanguage());
  theme = $state<Theme>(chosenTheme());

  undoSeconds = $state<UndoSeconds>(chosenUndo());

  get undoMs(): number {
    return this.undoSeconds * 1_000;
  }

  alerts = $state.raw<AlertTastes>(tastesOf(keep.get('winterband.desk.alerts')));

  setAlert(kind: AlertKind, taste: AlertTaste): void {
    this.alerts = { ...this.alerts, [kind]: taste };
    keep.set('winterband.desk.alerts', JSON.stringify(this.alerts));
  }

  setUndoSeconds(seconds: UndoSeconds): void {
    this.undoSeconds = seconds;
    keep.set('winterband.desk.undo', String(seconds));
  }

  /** The texts in the agent's language. */
  get t(): Texts {
    return dictionaries[this.language];
  }

  setLanguage(language: Language): void {
    this.language = language;
    keep.set('winterband.desk.language', language);
    this.show();
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    keep.set('winterband.desk.theme', theme);
    this.show();
  }

  show(): void {
    document.documentElement.lang = this.language;
    document.documentElement.dataset['theme'] = this.theme;
  }
}

function chosenLanguage(): Language {
  const wanted = keep.get('winterband.desk.language') ?? globalThis.navigator?.language ?? 'en';
  return wanted.toLowerCase().startsWith('nl') ? 'nl' : 'en';
}

function chosenUndo(): UndoSeconds {
  return UNDO_SECONDS.find((seconds) => String(seconds) === keep.get('winterband.desk.undo')) ?? 5;
}

function chosenTheme(): Theme {
  return THEMES.find((theme) => theme === keep.get('winterband.desk.theme')) ?? 'system';
}

export const prefs = new Prefs();
