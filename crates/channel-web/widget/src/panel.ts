// The bubble and the panel: what a customer sees and touches.

import { Chosen } from "./chosen";
import type { Conversation } from "./conversation";
import { ARROW, CHAT, CLIP, CROSS, DOWN, el, icon, say } from "./dom";
import type { Attached, Outlook } from "./frames";
import { CALLBACK_CHARS_MAX, TEXT_BYTES_COUNTED, TEXT_BYTES_MAX, THANKS_CHARS_MAX } from "./limits";
import { Log } from "./log";
import { bytesOf } from "./text";
import type { Tray } from "./tray";
import { explain, fill, type Lang, type Words } from "./words";

export interface Acts {
  opened(): void;
  closed(): void;
  /** Whether the text was taken over. */
  say(text: string): boolean;
  typed(text: string): void;
  leave(): void;
  person(): void;
  /** Whether it was taken over. */
  callback(where: string): boolean;
  thank(text: string): void;
  /** Answers what was asked, by a number; whether it was taken over. */
  answer(score: number): boolean;
  /** Takes a refused message back; gives its words, or nothing if its files have no room. */
  take(id: string, wanted: boolean): string | null;
  attach(files: File[]): void;
  address(url: string): string;
  renew(file: Attached): Promise<string | null>;
}

const NARROW = "(max-width: 480px)";

export class Panel {
  readonly node: HTMLElement;
  isOpen = false;
  private readonly bubble = el("button", { class: "bubble", type: "button", "data-testid": "wb-open", "aria-expanded": "false" });
  private readonly badge = el("span", { class: "badge", hidden: "" });
  private readonly panel: HTMLElement;
  private readonly face = el("div", { class: "face", "aria-hidden": "true" });
  private readonly name = el("h2", { class: "name" });
  private readonly state = el("p", { class: "state", role: "status", "data-testid": "wb-state" });
  private readonly notice = el("div", { class: "notice", role: "status", hidden: "" });
  private readonly typing = el("div", { class: "typing", "data-testid": "wb-typing", role: "status" });
  private readonly thanks: HTMLElement;
  private readonly thankForm: HTMLFormElement;
  private readonly thankButton = el("button", { class: "thank", "data-testid": "wb-thank" });
  private readonly thanked = el("p", { role: "status", "data-testid": "wb-thanked" });
  private readonly back: HTMLDetailsElement;
  private readonly leave: HTMLButtonElement;
  private readonly person: HTMLButtonElement;
  private readonly input: HTMLTextAreaElement;
  private readonly send: HTMLButtonElement;
  private readonly pick: HTMLInputElement;
  private readonly chosen: Chosen;
  private tray: Tray | null = null;
  private readonly room = el("p", { class: "room", role: "status", hidden: "" });
  private readonly log: Log;

  constructor(
    private readonly words: Words,
    lang: Lang,
    private readonly title: string,
    greeting: string,
    private readonly acts: Acts,
  ) {
    this.log = new Log(words, lang, greeting, {
      edit: (id) => {
        const text = acts.take(id, true);
        if (text !== null) this.write(text);
      },
      discard: (id) => {
        acts.take(id, false);
        this.input.focus();
      },
      answer: (score) => {
        if (!acts.answer(score)) return;
        // The button that was pressed is gone.
        this.input.focus();
        this.log.toEnd();
      },
      address: acts.address,
      renew: acts.renew,
    });
    this.leave = el("button", { class: "leave", type: "button", "data-testid": "wb-leave" }, words.leave);
    this.person = el("button", { class: "thank person", type: "button", hidden: "", "data-testid": "wb-person" }, words.person);
    this.input = el("textarea", {
      "data-testid": "wb-input",
      rows: "1",
      placeholder: words.placeholder,
      "aria-label": words.placeholder,
      enterkeyhint: "send",
    });
    this.send = el("button", { class: "send", type: "button", "data-testid": "wb-send", "aria-label": words.send }, icon(ARROW));
    // Never seen: the button before the field opens it.
    this.pick = el("input", { type: "file", multiple: "", hidden: "", "data-testid": "wb-files" });
    this.pick.onchange = () => {
      this.attach(this.pick.files);
      // The same file may be chosen again after it was taken away.
      this.pick.value = "";
    };
    const clip = el("button", { class: "clip", type: "button", "data-testid": "wb-attach", "aria-label": words.attach, title: words.attach }, icon(CLIP));
    clip.onclick = () => this.pick.click();
    this.chosen = new Chosen(words, lang, () => this.input.focus());
    const thankWords = el("input", {
      "data-testid": "wb-thank-words",
      maxlength: String(THANKS_CHARS_MAX),
      placeholder: words.thankWords,
      "aria-label": words.thankWords,
    });
    this.thankForm = el("form", {}, thankWords, this.thankButton);
    this.thankForm.onsubmit = (event) => {
      event.preventDefault();
      acts.thank(thankWords.value.trim());
      thankWords.value = "";
      this.input.focus();
    };
    const where = el("input", {
      "data-testid": "wb-callback-words",
      maxlength: String(CALLBACK_CHARS_MAX),
      required: "",
      placeholder: words.callbackWords,
      "aria-label": words.callbackWords,
    });
    const call = el("form", {}, where, el("button", { class: "thank", "data-testid": "wb-callback" }, words.callbackSend));
    call.onsubmit = (event) => {
      event.preventDefault();
      if (!where.value.trim() || !acts.callback(where.value.trim())) return;
      where.value = "";
      this.back.open = false;
      this.input.focus();
    };
    const open = el("summary", { "data-testid": "wb-callback-open" }, words.callbackOpen);
    this.back = el("details", { class: "thanks back", hidden: "" }, open, call);
    this.thanks = el("div", { class: "thanks", hidden: "" }, this.thankForm, this.thanked);
    const close = el("button", { class: "close", type: "button", "aria-label": words.close }, icon(CROSS));
    this.panel = el(
      "section",
      { class: "panel", role: "dialog", "aria-label": title, "data-testid": "wb-panel", hidden: "" },
      el("header", { class: "head" }, this.face, el("div", { class: "who" }, this.name, this.state), this.leave, close),
      this.notice,
      this.log.node,
      this.typing,
      this.thanks,
      this.back,
      this.person,
      el("div", { class: "write" }, ...this.chosen.nodes, el("div", { class: "row" }, clip, this.pick, this.input, this.send), this.room),
      el("div", { class: "drop", "aria-hidden": "true" }, words.drop),
    );
    this.node = el("div", { class: "root", lang }, this.panel, this.bubble);
    close.onclick = () => this.close();
    this.bubble.onclick = () => (this.isOpen ? this.close() : this.open());
    this.leave.onclick = () => {
      acts.leave();
      this.input.focus();
    };
    this.person.onclick = () => {
      acts.person();
      this.input.focus();
    };
    this.send.onclick = () => this.submit();
    this.input.oninput = () => {
      this.measure();
      acts.typed(this.input.value);
    };
    this.input.onpaste = (event) => {
      const files = event.clipboardData?.files;
      // Cells of a sheet come as words and as a picture of them: the words are meant.
      if (!files?.length || event.clipboardData?.getData("text/plain")) return;
      event.preventDefault();
      this.attach(files);
    };
    this.takeDrops();
    this.panel.onkeydown = (event) => this.key(event);
    this.drawBubble(0);
    this.measure();
  }

  open(): void {
    this.isOpen = true;
    this.panel.hidden = false;
    this.node.classList.add("open");
    this.bubble.setAttribute("aria-expanded", "true");
    this.panel.setAttribute("aria-modal", String(matchMedia(NARROW).matches));
    this.acts.opened();
    this.log.toEnd();
    this.input.focus();
  }

  close(): void {
    this.isOpen = false;
    this.panel.hidden = true;
    this.node.classList.remove("open");
    this.bubble.setAttribute("aria-expanded", "false");
    this.acts.closed();
    this.bubble.focus();
  }

  /** Puts words into the field to be changed, after those that are there. */
  write(text: string): void {
    this.input.value = [this.input.value.trim(), text].filter(Boolean).join("\n");
    this.measure();
    this.input.focus();
  }

  /** Empties everything that somebody may have begun to write. */
  forget(): void {
    for (const field of this.panel.querySelectorAll<HTMLInputElement>("textarea, input")) field.value = "";
    this.showTyping(null);
    this.back.open = false;
    this.measure();
  }

  showTyping(by: string | null): void {
    if (by === null) {
      this.typing.replaceChildren();
    } else if (!this.typing.firstChild) {
      const dots = el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i"));
      this.typing.replaceChildren(dots, el("span", {}, fill(this.words.typing, "by", by)));
    }
  }

  render(conversation: Conversation, link: "idle" | "connecting" | "online" | "offline"): void {
    const { words } = this;
    const { state, agent, trouble } = conversation;
    const follow = this.log.isAtEnd();
    const with_ = state === "with_agent";
    say(this.name, with_ && agent ? agent : this.title);
    const initials = with_ && agent ? initialsOf(agent) : "";
    if (this.face.dataset["of"] !== initials) {
      this.face.dataset["of"] = initials;
      this.face.replaceChildren(initials || icon(CHAT));
    }
    const informed = conversation.awaitsIncident();
    const sentence = {
      none: words.none,
      waiting: conversation.isCalledBack() ? words.callback : informed ? words.informed : waits(words, conversation.outlook),
      with_agent: conversation.isBot ? words.bot : agent ? words.withAgent : words.withSomeone,
      resolved: words.resolved,
    };
    say(this.state, sentence[state]);
    this.state.dataset["state"] = state;
    this.state.dataset["link"] = link;
    this.leave.hidden = state !== "waiting" && !with_;
    this.person.hidden = !(with_ && conversation.isBot) && !informed;
    this.back.hidden = !conversation.mayBeCalledBack();
    const hopeless = trouble ? explain(words, trouble.code, trouble.words) : "";
    const notice = link === "offline" ? words.offline : hopeless;
    say(this.notice, notice);
    this.notice.hidden = !notice;
    this.renderThanks(conversation);
    this.log.render(conversation);
    if (follow) this.log.toEnd();
    if (this.isOpen) conversation.see();
    this.drawBubble(conversation.unread());
  }

  private renderThanks(conversation: Conversation): void {
    const { words } = this;
    const end = conversation.end();
    this.thanks.hidden = !end;
    if (!end) return;
    const by = end.by ?? words.someone;
    const given = conversation.hasThanked(end);
    say(this.thankButton, fill(words.thank, "by", by));
    this.thankForm.hidden = given;
    const refused = conversation.thanks?.seq === end.seq ? words.refused : "";
    say(this.thanked, given ? fill(words.thanked, "by", by) : refused);
  }

  /** Says that nothing more can be written now. */
  tell(text: string): void {
    say(this.notice, text);
    this.notice.hidden = false;
  }

  /** Shows the files that go with the next message. */
  showTray(tray: Tray): void {
    this.tray = tray;
    this.chosen.show(tray);
    this.measure();
  }

  private attach(files: FileList | null | undefined): void {
    if (files?.length) this.acts.attach([...files]);
    this.input.focus();
  }

  /** More was chosen than one message may have. */
  tellFull(): void {
    this.chosen.tellFull();
  }

  private takeDrops(): void {
    const { panel } = this;
    const holds = (event: DragEvent) => !!event.dataTransfer?.types.includes("Files");
    panel.ondragover = (event) => {
      if (!holds(event)) return;
      event.preventDefault();
      panel.classList.add("over");
    };
    panel.ondragleave = (event) => {
      if (!panel.contains(event.relatedTarget as Node | null)) panel.classList.remove("over");
    };
    panel.ondrop = (event) => {
      if (!holds(event)) return;
      event.preventDefault();
      panel.classList.remove("over");
      this.attach(event.dataTransfer?.files);
    };
  }

  private submit(): void {
    const text = this.input.value.trim();
    if (this.tray?.isReady() === false) this.chosen.tellNotReady(this.tray);
    if (this.send.disabled || !this.acts.say(text)) return;
    this.input.value = "";
    this.measure();
    this.log.toEnd();
    this.input.focus();
  }

  private measure(): void {
    const { input, room, send, words } = this;
    const bytes = bytesOf(input.value.trim());
    const left = TEXT_BYTES_MAX - bytes;
    const { tray } = this;
    send.disabled = (bytes === 0 && !tray?.items().length) || left < 0 || tray?.isReady() === false;
    room.hidden = bytes < TEXT_BYTES_COUNTED;
    room.classList.toggle("over", left < 0);
    if (!room.hidden) say(room, fill(left < 0 ? words.over : words.room, "n", String(Math.abs(left))));
    input.style.height = "auto";
    if (input.scrollHeight) input.style.height = `${input.scrollHeight + 2}px`;
  }

  private key(event: KeyboardEvent): void {
    if (event.key === "Escape") {
      event.stopPropagation();
      this.close();
    } else if (event.key === "Enter" && event.target === this.input && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Tab" && matchMedia(NARROW).matches) {
      this.holdFocus(event);
    }
  }

  /** Over the whole screen, Tab goes round within the panel: what is behind it cannot be seen. */
  private holdFocus(event: KeyboardEvent): void {
    const all = [...this.panel.querySelectorAll<HTMLElement>("button, input, textarea, a, [tabindex]")];
    const stops = all.filter((node) => node.getClientRects().length && !(node as HTMLButtonElement).disabled);
    const end = event.shiftKey ? stops[0] : stops.at(-1);
    if (event.target !== end) return;
    event.preventDefault();
    (event.shiftKey ? stops.at(-1) : stops[0])?.focus();
  }

  private drawBubble(unread: number): void {
    const { words, bubble, badge } = this;
    const open = unread ? fill(words.openUnread, "n", String(unread)) : words.open;
    bubble.setAttribute("aria-label", this.isOpen ? words.close : open);
    bubble.replaceChildren(icon(this.isOpen ? DOWN : CHAT), badge);
    badge.hidden = unread === 0;
    say(badge, unread > 9 ? "9+" : String(unread));
  }
}

/** Where they stand and how long it takes; nine of ten are served within what is said. */
function waits(words: Words, outlook: Outlook | null): string {
  if (!outlook) return words.waiting;
  if (outlook.late) return words.late;
  const place = outlook.position === 1 ? words.next : fill(words.place, "n", String(outlook.position));
  const { p90_ms } = outlook;
  return p90_ms ? `${place}, ${fill(words.within, "n", String(Math.ceil(p90_ms / 60_000)))}` : place;
}

function initialsOf(name: string): string {
  const words = name.trim().split(/\s+/);
  const picked = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  return picked.map((word) => [...(word ?? "")][0] ?? "").join("").toUpperCase();
}
