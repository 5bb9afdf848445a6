// What outlives a reload. A browser may refuse to keep anything: then it lasts as long as the page.

import { isNamed, type Named } from "./frames";

export interface Store {
  getItem(key: string): string | null;
  setItem(key: string, text: string): void;
  removeItem(key: string): void;
  key(index: number): string | null;
  readonly length: number;
}

/** A message as it is kept until the server has recorded it. */
export interface Kept {
  id: string;
  text: string;
  at: number;
  taken: boolean;
  /** It asks to be called back. */
  callback?: true;
  files?: Named[];
}

/**
 * Token and unsent messages of one account. Each message has a key of its own, so that two tabs do not
 * overwrite one another's.
 */
export class Keep {
  private readonly root: string;
  private readonly memory = new Map<string, string>();

  constructor(
    private readonly store: Store | null,
    account: string,
  ) {
    // A point ends the name: what is called "x" must not begin what is called "x.say".
    this.root = `winterband.${account.replace(/\./g, "%2E")}.`;
  }

  get(name: string): string | null {
    const key = this.root + name;
    try {
      return this.memory.get(key) ?? this.store?.getItem(key) ?? null;
    } catch {
      return this.memory.get(key) ?? null;
    }
  }

  set(name: string, text: string): void {
    const key = this.root + name;
    try {
      if (!this.store) throw new Error("nothing to keep it in");
      this.store.setItem(key, text);
      this.memory.delete(key);
    } catch {
      this.memory.set(key, text);
    }
  }

  remove(name: string): void {
    const key = this.root + name;
    this.memory.delete(key);
    try {
      this.store?.removeItem(key);
    } catch {
      // It was not kept there either.
    }
  }

  put(message: Kept): void {
    const { id, ...kept } = message;
    this.set("say." + id, JSON.stringify(kept));
  }

  drop(id: string): void {
    this.remove("say." + id);
  }

  /** Messages in the order in which they were written. */
  messages(): Kept[] {
    const found: Kept[] = [];
    for (const key of this.keys()) {
      const id = key.slice(this.root.length + 4);
      try {
        const { text, at, taken, callback, files } = JSON.parse(this.get("say." + id) ?? "") as Kept;
        const more = { ...(callback && { callback }), ...(files && { files: files.filter(isNamed) }) };
        if (typeof text === "string" && typeof at === "number") found.push({ id, text, at, taken: taken === true, ...more });
      } catch {
        this.drop(id);
      }
    }
    return found.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  private keys(): string[] {
    const found = new Set(this.memory.keys());
    try {
      for (let i = 0; i < (this.store?.length ?? 0); i++) found.add(this.store?.key(i) ?? "");
    } catch {
      // A store that cannot be read holds nothing for us.
    }
    return [...found].filter((key) => key.startsWith(this.root + "say."));
  }
}
