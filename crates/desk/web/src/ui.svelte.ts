// What is open on this screen: nothing of it is worth keeping.

export type DialogName = 'help' | 'transfer' | 'snooze' | 'give' | 'resolve' | 'settings' | 'account' | 'sign_out' | 'details' | 'timeline' | 'block';

export class Ui {
  dialog = $state<DialogName | null>(null);
  /** The offer whose decline form is open. */
  declining = $state<string | null>(null);

  /** Words are looked for in the conversation. */
  isFinding = $state(false);

  open(dialog: DialogName): void {
    this.dialog = dialog;
  }

  close(): void {
    this.dialog = null;
  }
}
