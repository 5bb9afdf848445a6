// One script, one tag: <script src=".../chat/widget.js" data-account="shop" async></script>

import { Conversation } from "./conversation";
import { el } from "./dom";
import { type FromServer, isNamed, type Named } from "./frames";
import { scopeOf } from "./identity";
import { messageId } from "./ids";
import { Keep } from "./keep";
import { ATTACHMENTS_MAX, TYPING_EVERY_MS, TYPING_SHOWN_MS } from "./limits";
import { Link } from "./link";
import { Panel } from "./panel";
import { Patience } from "./patience";
import { Tray } from "./tray";
import { carrier, linkAnew } from "./upload";
import css from "./widget.css";
import { choose, wordsOf } from "./words";

const ELEMENT_ID = "winterband-widget";

/** What a page may call, as `window.Winterband`. */
interface Api {
  /** Who is signed in here, as the page's site signed it. */
  identify(token: string): void;
  /** They signed out. */
  forget(): void;
}

/** Tells the page and whoever builds it why its identity does not work; a page may give a fresh one right away. */
function complain(code: string, words: string): void {
  console.error(`winterband: ${code}: ${words}`);
  if (code.startsWith("identity_")) dispatchEvent(new CustomEvent("winterband:identity", { detail: { code, words } }));
}

function storage(kind: "localStorage" | "sessionStorage"): Storage | null {
  try {
    return window[kind];
  } catch {
    return null;
  }
}

/** What was uploaded for a message that was not sent before the page was loaded again. */
function kept(text: string | null): Named[] {
  try {
    const files: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(files) ? files.filter(isNamed).slice(0, ATTACHMENTS_MAX) : [];
  } catch {
    return [];
  }
}

function dress(root: ShadowRoot): void {
  // A constructed sheet also works where a page's policy forbids inline styles.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  root.adoptedStyleSheets = [sheet];
}

function mount(script: HTMLScriptElement): void {
  const { account, theme, accent, title, greeting } = script.dataset;
  if (!account || document.getElementById(ELEMENT_ID)) return;
  const lang = choose([script.dataset["lang"], document.documentElement.lang, ...navigator.languages]);
  const words = wordsOf(lang);
  const url = new URL(script.src);
  // Files are beside the socket, over HTTP.
  const base = new URL("v1/", script.src).href;
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.pathname = url.pathname.replace(/widget\.js$/, "v1/socket");
  url.search = `?account=${encodeURIComponent(account)}`;

  let identity = script.dataset["identity"] || null;
  let { session, conversation } = things();
  let state: "idle" | "connecting" | "online" | "offline" = "idle";
  let retry: ReturnType<typeof setTimeout> | undefined;
  let typing: ReturnType<typeof setTimeout> | undefined;
  let typedAt = 0;
  const patience = new Patience();
  // The identity with which files were refused last, if it was one.
  let doubted: string | null = null;

  const render = () => panel.render(conversation, state);

  const send = () => {
    for (const frame of conversation.toSend(Date.now())) link.send(frame);
    clearTimeout(retry);
    const next = conversation.nextTry();
    if (next !== null) retry = setTimeout(send, Math.max(50, next - Date.now()));
    render();
  };

  const showTyping = (shown: boolean) => {
    clearTimeout(typing);
    panel.showTyping(shown ? (conversation.agent ?? words.someone) : null);
    if (shown) typing = setTimeout(() => showTyping(false), TYPING_SHOWN_MS);
  };

  const heard = (frame: FromServer) => {
    const verdict = conversation.receive(frame, Date.now());
    if (verdict === "reconnect") link.again();
    if (verdict === "give up") {
      state = "idle";
      link.stop();
      if (frame.t === "error") {
        if (frame.code.startsWith("identity_")) patience.refused();
        complain(frame.code, frame.words);
      }
    }
    if (frame.t === "welcome" && verdict === "go on") {
      state = "online";
      patience.believed();
      tray.release();
      tray.ready(true);
    }
    if (frame.t === "typing") showTyping(true);
    if (frame.t === "entry" && frame.kind !== "customer") showTyping(false);
    if (frame.t === "welcome" || frame.t === "refused") send();
    render();
  };

  const link = new Link(url.href, {
    opened: () => link.send(conversation.hello(lang)),
    heard,
    lost: () => {
      conversation.lost();
      tray.ready(false);
      showTyping(false);
      if (state !== "idle") state = "offline";
      render();
    },
  });

  const start = () => {
    if (state === "idle" && !conversation.trouble) state = "connecting";
    patience.then(() => {
      link.start();
      if (identity !== doubted) tray.release();
    });
  };

  /** Files are refused while the socket is open: it outlives the token it was opened with. */
  const doubt = (code: string, words: string) => {
    if (identity === doubted) return;
    doubted = identity;
    patience.refused();
    complain(code, words);
  };

  const panel = new Panel(words, lang, title || words.title, greeting || words.greeting, {
    opened: () => {
      session.set("open", "1");
      start();
      render();
    },
    closed: () => {
      session.remove("open");
      render();
    },
    say: (text) => {
      if (!conversation.canSay()) {
        panel.tell(words.full);
        return false;
      }
      const random = crypto.getRandomValues(new Uint8Array(10));
      conversation.say(messageId(Date.now(), random), text, Date.now(), false, tray.named());
      tray.clear();
      typedAt = 0;
      session.remove("draft");
      send();
      return true;
    },
    typed: (text) => {
      session.set("draft", text);
      const now = Date.now();
      if (!text.trim() || state !== "online" || now - typedAt < TYPING_EVERY_MS) return;
      typedAt = now;
      link.send({ t: "typing" });
    },
    thank: (text) => {
      const now = Date.now();
      conversation.thank(messageId(now, crypto.getRandomValues(new Uint8Array(10))), text, now);
      send();
    },
    leave: () => link.send({ t: "leave" }),
    person: () => link.send({ t: "person" }),
    callback: (where) => {
      if (!conversation.canSay()) return false;
      conversation.say(messageId(Date.now(), crypto.getRandomValues(new Uint8Array(10))), where, Date.now(), true);
      send();
      return true;
    },
    answer: (score) => {
      if (!conversation.canSay()) {
        panel.tell(words.full);
        return false;
      }
      conversation.say(messageId(Date.now(), crypto.getRandomValues(new Uint8Array(10))), String(score), Date.now());
      send();
      return true;
    },
    take: (id, wanted) => {
      const files = conversation.pending.find((message) => message.id === id)?.files ?? [];
      // It stays as it is while its files have no room: none of them is dropped.
      if (wanted && !tray.put(files)) {
        panel.tellFull();
        return null;
      }
      const { text } = conversation.take(id);
      render();
      return text;
    },
    attach: (files) => {
      if (tray.add(files) > 0) panel.tellFull();
      // A visitor is known once the server has welcomed them.
      start();
    },
    address: (url) => new URL(url, base).href,
    renew: async (file) => {
      const fresh = await linkAnew(base, account, conversation.token(), file.object, file.name);
      if ("code" in fresh) {
        if (fresh.code.startsWith("identity_")) doubt(fresh.code, fresh.words);
        return fresh.code;
      }
      patience.believed();
      Object.assign(file, { url: fresh.url, got: Date.now() });
      return null;
    },
  });

  const tray = new Tray(
    carrier(base, account, () => conversation.token()),
    () => {
      session.set("files", JSON.stringify(tray.named()));
      panel.showTray(tray);
    },
    doubt,
  );

  // Declared as a function, so that it can be used above.
  function things() {
    const scope = scopeOf(account!, identity);
    return {
      session: new Keep(storage("sessionStorage"), scope),
      conversation: new Conversation(new Keep(storage("localStorage"), scope), Date.now(), identity),
    };
  }

  /** Shows what the one who is here now has left unsent, and connects if there is a past. */
  const begin = () => {
    const files = kept(session.get("files"));
    const draft = session.get("draft");
    if (files.length) tray.put(files);
    if (draft) panel.write(draft);
    if (panel.isOpen || conversation.isKnown()) start();
    render();
  };

  /** The page says who is here now, or that it is nobody in particular any more. */
  const become = (next: string | null) => {
    const same = scopeOf(account, identity) === scopeOf(account, next);
    // A page that gives what was just refused would be refused for ever.
    if (next === identity && (conversation.trouble || next === doubted)) return;
    identity = next;
    if (same) {
      conversation.identity = next;
      if (conversation.trouble || doubted !== null) {
        conversation.trouble = null;
        start();
      }
      return render();
    }
    // First nothing of the one before is on its way or to be seen, then the other one's things are.
    state = "idle";
    link.stop();
    patience.stop();
    doubted = null;
    clearTimeout(retry);
    ({ session, conversation } = things());
    const draft = session.get("draft");
    const files = session.get("files");
    tray.clear();
    panel.forget();
    render();
    if (draft) session.set("draft", draft);
    if (files) session.set("files", files);
    if (panel.isOpen) session.set("open", "1");
    begin();
  };

  const host = el("div", { id: ELEMENT_ID });
  if (theme) host.dataset["theme"] = theme;
  if (accent && CSS.supports("color", accent)) host.style.setProperty("--accent", accent);
  const root = host.attachShadow({ mode: "open" });
  dress(root);
  root.append(panel.node);
  document.body.append(host);

  if (session.get("open")) panel.open();
  begin();
  addEventListener("online", () => link.wake());
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && link.wake());
  const api: Api = { identify: (token) => become(String(token)), forget: () => become(null) };
  (window as unknown as { Winterband: Api }).Winterband = api;
  dispatchEvent(new CustomEvent("winterband:ready"));
}

// Known only while the script runs, which is why it is asked for first.
const script =
  (document.currentScript as HTMLScriptElement | null) ??
  document.querySelector<HTMLScriptElement>('script[data-account][src*="widget.js"]');

if (script) {
  if (document.body) mount(script);
  else addEventListener("DOMContentLoaded", () => mount(script));
}
