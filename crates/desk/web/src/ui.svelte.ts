// What is open on this screen: nothing of it is worth keeping.

import type { Beginning } from './begin';

/** A new conversation with whoever is typed. */
const NOBODY: Beginning = { contact: null, person: null, conversation: '' };

export type DialogName = 'help' | 'transfer' | 'snooze' | 'give' | 'resolve' | 'settings' | 'account' | 'sign_out' | 'details' | 'timeline' | 'block' | 'begin';

export class Ui {
  dialog = $state<DialogName | null>(null);
  /** The offer whose decline form is open. */
  declining = $state<string | null>(null);

  /** Words are looked for in the conversation. */
  isFinding = $state(false);

  /** For whom the dialog is open in which an agent writes first. */
  beginning = $state.raw<Beginning>(NOBODY);

  open(dialog: DialogName): void {
    this.dialog = dialog;
  }

  /** Opens the dialog in which an agent writes first. */
  begin(beginning: Beginning = NOBODY): void {
    this.beginning = beginning;
    this.open('begin');
  }

  close(): void {
    this.dialog = null;
  }
}
