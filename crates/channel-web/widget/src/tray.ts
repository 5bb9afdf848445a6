// The files that go with the next message: each is uploaded as soon as it is chosen, one after the other, and waits here until
// the message is sent. It touches neither the page nor the network, so that every case can be tested.

import type { Named } from "./frames";
import { ATTACHMENTS_MAX, FILE_BYTES_MAX, UPLOAD_RETRY_MS, UPLOAD_TRIES_MAX } from "./limits";

export interface Item {
  key: number;
  name: string;
  bytes: number;
  /** waiting: for its turn or for the server; going: on its way; there: safe with the server; failed: its writer has to act. */
  is: "waiting" | "going" | "there" | "failed";
  /** How much of it went, 0 to 1. */
  part: number;
  code?: string;
  words?: string;
  /** Whether trying again could help. */
  again?: boolean;
}

/**
 * What came of an upload: what the server says of it, or why not; with `after` it may be tried again then, ms; with `held` once the
 * page has said anew who its visitor is.
 */
export type Answer = { named: Named } | Refused;

interface Refused {
  code: string;
  words?: string;
  after?: number;
  held?: true;
}

/** One upload on its way; `stop` gives it up. */
export interface Upload {
  answer: Promise<Answer>;
  stop(): void;
}

export type Carry = (file: Blob, name: string, went: (part: number) => void) => Upload;

interface Held extends Item {
  file?: Blob;
  named?: Named;
  tries: number;
  upload?: Upload | undefined;
}

/** A file as a page gives it. */
export type Chosen = Blob & { name?: string };

export class Tray {
  private held: Held[] = [];
  private next = 1;
  private open = false;
  private isHeld = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly carry: Carry,
    private readonly changed: () => void,
    /** The server does not believe who the visitor is. */
    private readonly disbelieved: (code: string, words: string) => void = () => {},
  ) {}

  items(): readonly Item[] {
    return this.held;
  }

  /** Whether everything in it can be sent. */
  isReady(): boolean {
    return this.held.every((item) => item.is === "there");
  }

  /** Takes files in; how many of them found no room. */
  add(files: Iterable<Chosen>): number {
    let over = 0;
    for (const file of files) {
      if (this.held.length >= ATTACHMENTS_MAX) {
        over++;
        continue;
      }
      // What is pasted has no name of its own.
      const item: Held = { key: this.next++, name: file.name || nameless(file.type), bytes: file.size, is: "waiting", part: 0, tries: 0, file };
      const code = file.size === 0 ? "file_empty" : file.size > FILE_BYTES_MAX ? "file_too_large" : "";
      this.held.push(code ? { ...item, is: "failed", code } : item);
    }
    this.go();
    return over;
  }

  /** Puts back what was uploaded already, a draft of before, or a message that was not taken; all of it, or none if it has no room. */
  put(files: readonly Named[]): boolean {
    if (this.held.length + files.length > ATTACHMENTS_MAX) return false;
    for (const named of files) {
      const { name, bytes } = named;
      this.held.push({ key: this.next++, name, bytes, is: "there", part: 1, tries: 0, named });
    }
    this.changed();
    return true;
  }

  remove(key: number): void {
    const item = this.held.find((item) => item.key === key);
    this.held = this.held.filter((item) => item.key !== key);
    item?.upload?.stop();
    this.go();
  }

  /** Tries what failed once more. */
  retry(key: number): void {
    const item = this.held.find((item) => item.key === key && item.is === "failed" && item.again);
    if (!item) return;
    Object.assign(item, { is: "waiting", tries: 0, code: undefined, words: undefined });
    this.go();
  }

  /** The server knows this visitor, or not any more: uploads wait while it does not. */
  ready(open: boolean): void {
    this.open = open;
    this.go();
  }

  /** The page has said anew who its visitor is: what waited for that goes on. */
  release(): void {
    if (!this.isHeld) return;
    this.isHeld = false;
    for (const item of this.held) if (item.is === "waiting") Object.assign(item, { code: undefined, words: undefined });
    this.go();
  }

  /** What is there, as a message names it. */
  named(): Named[] {
    return this.held.flatMap((item) => item.named ?? []);
  }

  /** Empties it. */
  clear(): void {
    for (const item of this.held) item.upload?.stop();
    this.held = [];
    clearTimeout(this.timer);
    this.timer = undefined;
    this.isHeld = false;
    this.changed();
  }

  /** Sends the first that waits, if nothing is on its way. */
  private go(): void {
    const item = this.held.find((item) => item.is === "waiting");
    if (item?.file && this.open && !this.isHeld && !this.timer && !this.held.some((item) => item.is === "going")) {
      this.send(item, item.file);
    }
    this.changed();
  }

  private send(item: Held, file: Blob): void {
    item.is = "going";
    item.part = 0;
    item.tries++;
    const upload = this.carry(file, item.name, (part) => {
      item.part = part;
      this.changed();
    });
    item.upload = upload;
    void upload.answer.then((answer) => {
      // Taken away meanwhile.
      if (!this.held.includes(item) || item.upload !== upload) return;
      item.upload = undefined;
      if ("named" in answer) {
        const { name, bytes } = answer.named;
        Object.assign(item, { is: "there", part: 1, name, bytes, named: answer.named, file: undefined, code: undefined });
      } else {
        this.refused(item, answer);
      }
      this.go();
    });
  }

  private refused(item: Held, { code, words, after, held }: Refused): void {
    if (held) {
      Object.assign(item, { code, words, part: 0, is: "waiting", tries: 0 });
      this.isHeld = true;
      return this.disbelieved(code, words ?? "");
    }
    Object.assign(item, { code, words, part: 0, again: after !== undefined });
    item.is = after === undefined || item.tries >= UPLOAD_TRIES_MAX ? "failed" : "waiting";
    if (item.is === "failed") return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.go();
    }, Math.max(after ?? 0, UPLOAD_RETRY_MS));
  }
}

function nameless(type: string): string {
  const [kind, ending] = type.split("/");
  return kind === "image" && /^\w+$/.test(ending ?? "") ? `image.${ending}` : "file";
}
