// The files that go with the next message, as they are seen above the field.

import { CROSS, el, icon, say } from "./dom";
import { ATTACHMENTS_MAX, FILE_BYTES_MAX } from "./limits";
import { sizeOf } from "./text";
import type { Item, Tray } from "./tray";
import { explain, fill, type Lang, type Words } from "./words";

/** A file that goes with the next message, as it is seen. */
interface Shown {
  node: HTMLElement;
  name: HTMLElement;
  size: HTMLElement;
  state: HTMLElement;
  bar: HTMLProgressElement;
  again: HTMLButtonElement;
  away: HTMLButtonElement;
}

function newItem(words: Words): Shown {
  const name = el("span", { class: "filename", dir: "auto" });
  const size = el("span", { class: "size" });
  const state = el("span", { class: "going" });
  const bar = el("progress", { max: "1", "aria-hidden": "true" });
  const again = el("button", { class: "again", type: "button" }, words.fileRetry);
  const away = el("button", { class: "away", type: "button" }, icon(CROSS));
  const about = el("div", { class: "about" }, el("div", { class: "file" }, name, size), el("div", { class: "line2" }, state, again), bar);
  return { node: el("li", { "data-testid": "wb-tray-file" }, about, away), name, size, state, bar, again, away };
}

export class Chosen {
  private readonly list: HTMLElement;
  private readonly full = el("p", { class: "room over", role: "status", hidden: "", "data-testid": "wb-files-full" });
  private readonly items = new Map<number, Shown>();
  private isOver: (tray: Tray) => boolean = () => true;
  readonly nodes: readonly HTMLElement[];

  constructor(
    private readonly words: Words,
    private readonly lang: Lang,
    /** Where the focus goes when what had it is gone. */
    private readonly leave: () => void,
  ) {
    this.list = el("ul", { class: "tray", "aria-label": words.files, "data-testid": "wb-tray", hidden: "" });
    this.nodes = [this.list, this.full];
  }

  /** What is there is changed, never rebuilt: somebody may be at its button. */
  show(tray: Tray): void {
    const items = tray.items();
    for (const [key, { node }] of this.items) {
      if (items.some((item) => item.key === key)) continue;
      const hadFocus = node.matches(":focus-within");
      node.remove();
      this.items.delete(key);
      if (hadFocus) this.leave();
    }
    for (const item of items) this.showOne(tray, item);
    this.list.hidden = items.length === 0;
    if (this.isOver(tray)) this.full.hidden = true;
  }

  /** More was chosen than one message may have. */
  tellFull(): void {
    this.tell(fill(this.words.too_many_attachments, "n", String(ATTACHMENTS_MAX)), (tray) => tray.items().length < ATTACHMENTS_MAX);
  }

  /** Why the message does not go yet. */
  tellNotReady(tray: Tray): void {
    const failed = tray.items().some((item) => item.is === "failed");
    this.tell(failed ? this.words.filesFailed : this.words.filesGoing, (tray) => tray.isReady());
  }

  /** Says something of the files until that is over. */
  private tell(text: string, isOver: (tray: Tray) => boolean): void {
    say(this.full, text);
    this.isOver = isOver;
    this.full.hidden = false;
  }

  private showOne(tray: Tray, item: Item): void {
    const { words, lang, list } = this;
    let shown = this.items.get(item.key);
    if (!shown) {
      shown = newItem(words);
      this.items.set(item.key, shown);
      shown.away.onclick = () => tray.remove(item.key);
      shown.again.onclick = () => {
        tray.retry(item.key);
        this.leave();
      };
      list.append(shown.node);
      list.hidden = false;
      list.scrollTop = list.scrollHeight;
    }
    const said = item.code && item.is !== "going" ? explain(words, item.code, item.words) : "";
    const going = fill(words.fileGoing, "n", String(Math.round(item.part * 100)));
    const state = said ? fill(said, "n", String(FILE_BYTES_MAX >> 20)) : { waiting: words.fileWaiting, going, there: words.fileThere, failed: words.file_failed }[item.is];
    say(shown.name, item.name);
    say(shown.size, sizeOf(item.bytes, lang));
    // Read out when it has come or failed, not with every percent.
    shown.state.setAttribute("aria-live", item.is === "going" || item.is === "waiting" ? "off" : "polite");
    say(shown.state, state);
    shown.bar.value = item.part;
    shown.bar.hidden = item.is !== "going";
    shown.again.hidden = item.is !== "failed" || !item.again;
    shown.node.dataset["is"] = item.is;
    shown.away.setAttribute("aria-label", fill(words.fileRemove, "name", item.name));
  }
}
