// What goes with a reply: files on their way to the server, and what only mail has.

import { refused, upload, type Refused } from './files';
import { personOf } from './mail';
import { ATTACHMENTS_MAX, type Attachment, type ChannelKind, type ContactId, type DeskEntry, type MailAddress, type ReplyWith } from './wire';

/** The channels that can take files to the customer. */
const TAKES_FILES: ReadonlySet<ChannelKind> = new Set(['email', 'webhook', 'web', 'telegram', 'sms', 'whatsapp', 'messenger', 'instagram']);

export function takesFiles(channel: ChannelKind): boolean {
  return TAKES_FILES.has(channel);
}

/** A file beside the words that are being written. */
export class Chosen {
  readonly name: string;
  readonly bytes: number;
  /** How much of it is there, 0 to 1. */
  progress = $state(0);
  attachment = $state.raw<Attachment | null>(null);
  refused = $state.raw<Refused | null>(null);
  readonly #stop = new AbortController();

  /** A file of this machine, which goes to the server now, or one that is there. */
  constructor(contact: ContactId, file: File | Attachment) {
    this.name = file.name;
    this.bytes = 'object' in file ? file.bytes : file.size;
    if ('object' in file) this.attachment = file;
    else void this.#bring(contact, file);
  }

  stop(): void {
    this.#stop.abort();
  }

  async #bring(contact: ContactId, file: File): Promise<void> {
    this.refused = refused(file);
    if (this.refused !== null) return;
    const brought = await upload(contact, file, (part) => (this.progress = part), this.#stop.signal);
    if (typeof brought === 'string') this.refused = brought;
    else this.attachment = brought;
  }
}

/** What goes with a reply as it stands in its fields; files only once the server has them. */
export interface KeptExtras {
  files: readonly Attachment[];
  cc: string;
  forward: string;
  subject: string;
}

export class Extras {
  files = $state.raw<readonly Chosen[]>([]);
  /** More files were chosen than one message takes. */
  isFull = $state(false);
  cc = $state('');
  forward = $state('');
  subject = $state('');
  /** What only mail has is unfolded. */
  isOpen = $state(false);

  isBusy = $derived.by(() => this.files.some((file) => file.attachment === null && file.refused === null));
  /** A file did not get there: it has to be taken away, or the agent thinks that it goes along. */
  hasRefused = $derived.by(() => this.files.some((file) => file.refused !== null));
  hasBadAddress = $derived.by(() => addressesOf(this.cc) === null || addressesOf(this.forward) === null);

  add(contact: ContactId, files: Iterable<File>): void {
    const all = [...files];
    const room = ATTACHMENTS_MAX - this.files.length;
    this.isFull = all.length > room;
    this.files = [...this.files, ...all.slice(0, Math.max(0, room)).map((file) => new Chosen(contact, file))];
  }

  /** Takes what went along with a message that is to be sent again: without it, it would go to somebody else. */
  takeUp(contact: ContactId, { attachments, mail }: Pick<DeskEntry, 'attachments' | 'mail'>): void {
    this.clear();
    this.files = (attachments ?? []).map((file) => new Chosen(contact, file));
    this.cc = inField(mail?.cc);
    this.forward = inField(mail?.to);
    this.subject = mail?.subject ?? '';
    this.isOpen = this.#hasFields();
  }

  /** What a reload must not lose; `null` if there is nothing. */
  kept(): KeptExtras | null {
    const files = this.files.flatMap((file) => (file.attachment === null ? [] : [file.attachment]));
    const { cc, forward, subject } = this;
    return files.length === 0 && cc === '' && forward === '' && subject === '' ? null : { files, cc, forward, subject };
  }

  /** Takes what was kept, before anything was chosen anew. */
  restore(contact: ContactId, kept: KeptExtras): void {
    this.files = kept.files.map((file) => new Chosen(contact, file));
    [this.cc, this.forward, this.subject] = [kept.cc, kept.forward, kept.subject];
    this.isOpen = this.#hasFields();
  }

  /** Takes back what went with words that are taken back; what was written since stays. */
  putBack(contact: ContactId, came: ReplyWith): void {
    this.files = [...(came.attachments ?? []).map((file) => new Chosen(contact, file)), ...this.files];
    if (this.cc === '') this.cc = inField(came.cc);
    if (this.forward === '') this.forward = inField(came.forward_to);
    if (this.subject === '') this.subject = came.subject ?? '';
    this.isOpen = this.#hasFields();
  }

  #hasFields(): boolean {
    return this.cc !== '' || this.forward !== '' || this.subject !== '';
  }

  remove(file: Chosen): void {
    file.stop();
    this.files = this.files.filter((one) => one !== file);
    this.isFull = false;
  }

  /** What is to go along: `undefined` if there is nothing, `null` if it cannot go yet. */
  ready(): ReplyWith | undefined | null {
    if (this.isBusy || this.hasRefused) return null;
    const [cc, forward] = [addressesOf(this.cc), addressesOf(this.forward)];
    if (cc === null || forward === null) return null;
    const attachments = this.files.flatMap((file) => (file.attachment === null ? [] : [file.attachment]));
    const subject = this.subject.trim();
    const ready: ReplyWith = {
      ...(attachments.length > 0 ? { attachments } : {}),
      ...(cc.length > 0 ? { cc } : {}),
      ...(forward.length > 0 ? { forward_to: forward } : {}),
      ...(subject === '' ? {} : { subject }),
    };
    return Object.keys(ready).length === 0 ? undefined : ready;
  }

  clear(): void {
    for (const file of this.files) file.stop();
    this.files = [];
    this.isFull = false;
    this.cc = '';
    this.forward = '';
    this.subject = '';
    this.isOpen = false;
  }
}

/** Addresses as one writes them. A name with a comma in it would not be read again; the address is what counts. */
function inField(all: readonly MailAddress[] | undefined): string {
  const whom = (one: MailAddress) => (/[,;"<>\n]/.test(one.name ?? '') ? one.address : personOf(one));
  return (all ?? []).map(whom).join(', ');
}

/** Addresses with commas or semicolons between them, each with or without a name; `null` if one of them is none. */
export function addressesOf(text: string): MailAddress[] | null {
  const found: MailAddress[] = [];
  for (const part of text.split(/[,;\n]/).map((one) => one.trim())) {
    if (part === '') continue;
    const named = /^"?([^"<>]*)"?\s*<([^<>]+)>$/.exec(part);
    const address = (named?.[2] ?? part).trim();
    if (!/^[^\s@<>"]+@[^\s@<>"]+\.[^\s@<>".]+$/.test(address)) return null;
    const name = named?.[1]?.trim() ?? '';
    found.push(name === '' ? { address } : { address, name });
  }
  return found;
}
