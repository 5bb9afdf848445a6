// The list of messages. It is changed, never rebuilt: a live region reads out what is new.

import { buttons, wordsFor } from "./asked";
import type { Conversation, Pending } from "./conversation";
import { CLIP, el, icon, say } from "./dom";
import type { Attached, Entry, Named } from "./frames";
import { LINK_FRESH_MS } from "./limits";
import { pieces, sizeOf } from "./text";
import { explain, fill, type Words } from "./words";

export interface Choices {
  edit(id: string): void;
  discard(id: string): void;
  /** Answers what was asked. */
  answer(score: number): void;
  /** Where a link of a file leads. */
  address(url: string): string;
  /** Gives a file a link that works again; says why there is none, or nothing. */
  renew(file: Attached): Promise<string | null>;
}

// What a browser shows without running anything of it.
const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

export class Log {
  readonly node: HTMLElement;
  private readonly shown = new Map<string, { node: HTMLElement; look: string }>();
  private readonly time: Intl.DateTimeFormat;
  private readonly moment: Intl.DateTimeFormat;

  constructor(
    private readonly words: Words,
    private readonly lang: string,
    greeting: string,
    private readonly choices: Choices,
  ) {
    // The reader's own way to write the time, where it is in the language of the rest.
    const locale = navigator.language.startsWith(lang) ? navigator.language : lang;
    this.time = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
    this.moment = new Intl.DateTimeFormat(locale, { weekday: "long", hour: "2-digit", minute: "2-digit" });
    this.node = el(
      "div",
      { class: "log", role: "log", "aria-live": "polite", "aria-label": words.log, tabindex: "0" },
      el("div", { class: "msg" }, el("div", { class: "text" }, greeting)),
    );
  }

  render(conversation: Conversation): void {
    const wanted: [key: string, look: string, make: () => HTMLElement][] = [];
    if (conversation.hasEarlier) {
      wanted.push(["earlier", "", () => el("p", { class: "line" }, this.words.earlier)]);
    }
    let before = "";
    const asked = conversation.asked(Date.now());
    for (const entry of conversation.entries) {
      if (entry.kind === "hidden") continue;
      const author = authorOf(entry);
      const same = author !== "" && author === before;
      // By the message's id where there is one, so that a pending message becomes the recorded one in its place.
      const open = entry === asked;
      wanted.push([entry.id ?? `#${entry.seq}`, `recorded ${same} ${open}`, () => this.entry(entry, same, open)]);
      before = author;
    }
    for (const message of conversation.pending) {
      const same = before === "own";
      const look = `${message.is} ${message.code} ${message.notBefore} ${same}`;
      wanted.push([message.id, look, () => this.pending(message, same)]);
      before = "own";
    }
    this.apply(wanted);
  }

  /** Whether the latest is in sight. */
  isAtEnd(): boolean {
    return this.room() < 60;
  }

  /** How much lies below what is in sight. */
  private room(): number {
    return this.node.scrollHeight - this.node.scrollTop - this.node.clientHeight;
  }

  toEnd(): void {
    this.node.scrollTop = this.node.scrollHeight;
  }

  private apply(wanted: [string, string, () => HTMLElement][]): void {
    const keys = new Set(wanted.map(([key]) => key));
    for (const [key, { node }] of this.shown) {
      if (keys.has(key)) continue;
      node.remove();
      this.shown.delete(key);
    }
    // The greeting stands before everything.
    let at: Element | null = this.node.firstElementChild;
    for (const [key, look, make] of wanted) {
      let shown = this.shown.get(key);
      if (!shown || shown.look !== look) {
        const node = make();
        if (shown) renew(shown.node, node);
        shown = { node: shown?.node ?? node, look };
        this.shown.set(key, shown);
      }
      if (at?.nextElementSibling !== shown.node) at?.after(shown.node);
      at = shown.node;
    }
  }

  private entry(entry: Entry, same: boolean, open: boolean): HTMLElement {
    const { words } = this;
    const by = entry.by ?? words.someone;
    const marks = { "data-testid": "wb-entry", "data-kind": entry.kind, "data-seq": String(entry.seq) };
    switch (entry.kind) {
      case "customer":
      case "agent": {
        const own = entry.kind === "customer";
        const node = el("div", { class: css(own, same), "data-status": "recorded", ...marks });
        if (entry.id) node.dataset["id"] = entry.id;
        if (!own) node.append(el("div", { class: "by" }, entry.bot ? `${by} · ${words.bot}` : by));
        const files = (entry.files ?? []).map((file) => this.file(file));
        node.append(...this.said(entry.text, files), this.meta(entry.at, own ? words.recorded : ""));
        return node;
      }
      case "incident": {
        const node = el("div", { class: css(false, same), ...marks });
        node.append(el("div", { class: "by" }, words.news), this.text(entry.text), this.meta(entry.at, ""));
        return node;
      }
      case "asked": {
        const question = entry.question ?? "";
        const said = wordsFor(words, question);
        if (!said) return el("i", { hidden: "", ...marks });
        const below = open ? buttons(words, question, this.choices.answer) : this.meta(entry.at, "");
        return el("div", { class: css(false, same), ...marks }, this.text(said), below);
      }
      case "resolved":
        return el("div", { class: "kind", ...marks }, `${capital(fill(words.ended, "by", by))}. ${words.goodbye}`);
      case "joined":
        return el("p", { class: "line", ...marks }, capital(fill(words.joined, "by", entry.bot ? `${by} (${words.bot})` : by)));
      case "closed": {
        const opens = entry.opens_at === undefined ? "" : `: ${this.moment.format(entry.opens_at)}`;
        return el("p", { class: "line", ...marks }, `${words.closed}${opens}.`);
      }
      case "blocked": {
        const until = entry.opens_at === undefined ? "" : this.moment.format(entry.opens_at);
        return el("p", { class: "line", ...marks }, `${fill(words.blocked, "n", until)}.`);
      }
      case "closing":
        return el("p", { class: "line", ...marks }, `${fill(words.closing, "n", this.time.format(entry.closes_at))}.`);
      case "transferred":
      case "reopened":
      case "callback":
      case "moved":
      case "left":
        return el("p", { class: "line", ...marks }, words[entry.kind]);
      // An internal note, or what a later server knows: it counts in the sequence and shows nothing.
      default:
        return el("i", { hidden: "", ...marks });
    }
  }

  private pending(message: Pending, same: boolean): HTMLElement {
    const { words, choices } = this;
    const node = el("div", {
      class: css(true, same),
      "data-testid": "wb-entry",
      "data-kind": "customer",
      "data-status": message.is,
      "data-id": message.id,
    });
    const meta = el("div", { class: "meta" });
    if (message.is === "refused") {
      const edit = el("button", { type: "button" }, words.edit);
      const discard = el("button", { type: "button" }, words.discard);
      edit.onclick = () => choices.edit(message.id);
      discard.onclick = () => choices.discard(message.id);
      meta.classList.add("keep");
      meta.append(el("span", { class: "bad" }, explain(words, message.code, message.words)), edit, discard);
    } else if (message.code && message.is === "queued") {
      meta.classList.add("keep");
      meta.append(explain(words, message.code, message.words));
    } else {
      meta.setAttribute("aria-hidden", "true");
      meta.append(message.is === "taken" ? words.taken : words.sending);
    }
    const files = (message.files ?? []).map((file) => this.label(file));
    node.append(...this.said(message.text, files), meta);
    return node;
  }

  /** The words, if there are any or if they were erased, and the files. */
  private said(text: string | undefined, files: HTMLElement[]): HTMLElement[] {
    if (!files.length) return [this.text(text)];
    const list = el("ul", { class: "files" }, ...files.map((file) => el("li", {}, file)));
    return text ? [this.text(text), list] : [list];
  }

  private label({ name, bytes }: Named | Attached): HTMLElement {
    const size = el("span", { class: "size" }, sizeOf(bytes, this.lang));
    return el("span", { class: "file" }, icon(CLIP), el("span", { class: "filename", dir: "auto" }, name), size);
  }

  /** A link to a file, with a look at it if it is a picture. */
  private file(file: Attached): HTMLElement {
    const { address, renew } = this.choices;
    const link = el("a", { href: address(file.url), target: "_blank", rel: "noopener noreferrer", "data-testid": "wb-file" }, this.label(file));
    const bad = el("span", { class: "bad", role: "status" });
    const again = async () => {
      const why = await renew(file);
      link.href = address(file.url);
      if (why === null) bad.remove();
      return why;
    };
    const lost = (why: string) => {
      say(bad, whyLost(this.words, why));
      link.append(bad);
    };
    link.onclick = (event) => {
      if (Date.now() - (file.got ?? 0) < LINK_FRESH_MS) return;
      event.preventDefault();
      void again().then((why) => (why === null ? link.click() : lost(why)));
    };
    if (PICTURES.includes(file.type)) {
      // Its name stands beside it. A page whose policy allows no pictures of ours shows the name alone.
      const picture = el("img", { alt: "", loading: "lazy", decoding: "async", referrerpolicy: "no-referrer" });
      let tried = 0;
      picture.onerror = () => {
        if (tried++) return picture.remove();
        void again().then((why) => (why === null ? (picture.src = link.href) : picture.remove()));
      };
      // It takes its room only now: who was at the end stays there.
      picture.onload = () => {
        if (this.room() < 60 + picture.height) this.toEnd();
      };
      picture.src = link.href;
      link.prepend(picture);
    }
    return link;
  }

  private text(text: string | undefined): HTMLElement {
    if (text == null) return el("div", { class: "text erased" }, this.words.erased);
    const parts = pieces(text).map(({ text, href }) =>
      href ? el("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, text) : text,
    );
    return el("div", { class: "text", dir: "auto" }, ...parts);
  }

  private meta(at: number, word: string): HTMLElement {
    const date = new Date(at);
    const time = el("time", { datetime: date.toISOString() }, this.time.format(date));
    // What happened to a message is to be seen; to hear it of each one would drown the messages.
    return el("div", { class: "meta", "aria-hidden": "true" }, time, word && ` · ${word}`);
  }
}

/**
 * Makes an own message look like its later self. Its words stay in place, because a live region reads out again what
 * is put in anew.
 */
function renew(old: HTMLElement, later: HTMLElement): void {
  for (const { name, value } of [...later.attributes]) old.setAttribute(name, value);
  const [from, to] = [old.lastElementChild, later.lastElementChild];
  const [named, linked] = [old, later].map((node) => node.querySelector(".files"));
  if (named && linked) named.replaceWith(linked);
  if (from && to) from.replaceWith(to);
}

/** Only what the server says is gone is gone. */
export function whyLost(words: Words, why: string): string {
  if (why === "file_gone") return words.fileGone;
  return why.startsWith("identity_") ? explain(words, why, undefined) : words.fileLater;
}

function authorOf(entry: Entry): string {
  if (entry.kind === "customer") return "own";
  if (entry.kind === "incident") return "news";
  if (entry.kind === "asked") return "house";
  return entry.kind === "agent" ? `by ${entry.by}` : "";
}

function css(own: boolean, same: boolean): string {
  return `msg${own ? " own" : ""}${same ? " same" : ""}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
