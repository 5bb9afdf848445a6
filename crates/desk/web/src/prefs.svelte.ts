// The agent's taste, kept in this browser: language and appearance.

import { en, type Texts } from './i18n/en';
import { nl } from './i18n/nl';
import { keepIn } from './keep';

export const LANGUAGES = { en: 'English', nl: 'Nederlands' } as const;
export type Language = keyof typeof LANGUAGES;
export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const keep = keepIn(() => localStorage);
const dictionaries: Record<Language, Texts> = { en, nl };

class Prefs {
  language = $state<Language>(chosenLanguage());
  theme = $state<Theme>(chosenTheme());

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

function chosenTheme(): Theme {
  return THEMES.find((theme) => theme === keep.get('winterband.desk.theme')) ?? 'system';
}

export const prefs = new Prefs();
