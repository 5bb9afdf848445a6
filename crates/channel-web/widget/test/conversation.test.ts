import { beforeEach, describe, expect, it } from "vitest";
import { Conversation } from "../src/conversation";
import type { Entry, FromServer } from "../src/frames";
import { Keep, type Store } from "../src/keep";
import { ASKED_MS_MAX, PENDING_AGE_MS_MAX, PENDING_MAX } from "../src/limits";

/** A browser's storage; `room` is how many keys it takes before it refuses. */
export function storage(room = Infinity): Store {
  const map = new Map<string, string>();
  return {
    get length() {
      return map.size;
    },
    getItem: (key) => map.get(key) ?? null,
    setItem: (key, text) => {
      if (!map.has(key) && map.size >= room) throw new Error("QuotaExceededError");
      map.set(key, text);
    },
    removeItem: (key) => void map.delete(key),
    key: (index) => [...map.keys()][index] ?? null,
  };
}

const NOW = 1_800_000_000_000;
const welcome = (conversation: string | null = "cnv_1_0", more: object = {}): FromServer => ({
  t: "welcome",
  token: "v1.token",
  conversation,
  state: conversation ? "waiting" : "none",
  ...more,
});
const entry = (seq: number, more: Partial<Entry> = {}): FromServer => ({
  t: "entry",
  seq,
  at: NOW + seq,
  kind: "agent",
  text: `words ${seq}`,
  by: "Anna",
  ...more,
});

let store: Store;
const page = () => new Conversation(new Keep(store, "shop"), NOW);
const ids = (conversation: Conversation) => conversation.toSend(NOW).map((frame) => "id" in frame && frame.id);

beforeEach(() => {
  store = storage();
});

describe("a message", () => {
  it("with half a character is made whole before it is kept, also one that an older page kept", () => {
    const chat = page();
    chat.say("msg_a", "smile \ud83d", NOW);
    chat.say("msg_b", "\ude00 smile \ud83d\ude00", NOW);
    new Keep(store, "shop").put({ id: "msg_c", text: "old \ud83d", at: NOW, taken: false });
    const texts = ["smile \ufffd", "\ufffd smile \ud83d\ude00"];
    expect(chat.pending.map((message) => message.text)).toEqual(texts);
    const again = page();
    again.receive(welcome(null), NOW);
    expect(again.toSend(NOW).map((frame) => "text" in frame && frame.text)).toEqual([...texts, "old \ufffd"]);
  });

  it("is pending, taken, and then the entry with its id", () => {
    const chat = page();
    chat.say("msg_a", "hello", NOW);
    expect(ids(chat)).toEqual([]);
    chat.receive(welcome(null), NOW);
    expect(ids(chat)).toEqual(["msg_a"]);
    expect(chat.pending[0]?.is).toBe("sent");
    chat.receive({ t: "taken", id: "msg_a" }, NOW);
    expect(chat.pending[0]?.is).toBe("taken");
    chat.receive(entry(1, { kind: "customer", id: "msg_a" }), NOW);
    expect(chat.pending).toEqual([]);
    expect(chat.entries.map((entry) => entry.id)).toEqual(["msg_a"]);
    expect(store.length).toBe(2);
  });

  it("is sent again under its id after a cut, unless it was taken", () => {
    const chat = page();
    chat.say("msg_a", "one", NOW);
    chat.say("msg_b", "two", NOW);
    chat.receive(welcome(), NOW);
    expect(ids(chat)).toEqual(["msg_a", "msg_b"]);
    chat.receive({ t: "taken", id: "msg_a" }, NOW);
    chat.lost();
    expect(ids(chat)).toEqual([]);
    chat.receive(welcome(), NOW);
    expect(ids(chat)).toEqual(["msg_b"]);
  });

  it("survives a reload, in order, and whether it was taken", () => {
    const before = page();
    before.say("msg_a", "one", NOW);
    before.say("msg_b", "two", NOW);
    before.receive(welcome(), NOW);
    before.toSend(NOW);
    before.receive({ t: "taken", id: "msg_a" }, NOW);
    const after = page();
    expect(after.pending.map(({ id, is }) => [id, is])).toEqual([
      ["msg_a", "taken"],
      ["msg_b", "queued"],
    ]);
    expect(after.hello("en")).toEqual({ t: "hello", token: "v1.token", after: 0, lang: "en" });
    after.receive(welcome(), NOW);
    after.receive(entry(1, { kind: "customer", id: "msg_a" }), NOW);
    expect(ids(after)).toEqual(["msg_b"]);
    expect(page().pending.map(({ id }) => id)).toEqual(["msg_b"]);
  });

  it("that is refused stays, with words, to be changed", () => {
    const chat = page();
    chat.say("msg_a", "x", NOW);
    chat.receive(welcome(), NOW);
    chat.toSend(NOW);
    chat.receive({ t: "refused", id: "msg_a", code: "text_too_long", words: "too long" }, NOW);
    expect(chat.pending[0]).toMatchObject({ is: "refused", code: "text_too_long", words: "too long" });
    chat.lost();
    chat.receive(welcome(), NOW);
    expect(ids(chat)).toEqual([]);
    expect(chat.take("msg_a")).toEqual({ text: "x", files: [] });
    expect(page().pending).toEqual([]);
  });

  it("that has to wait is tried again then, and nothing overtakes it", () => {
    const chat = page();
    chat.say("msg_a", "one", NOW);
    chat.receive(welcome(), NOW);
    chat.toSend(NOW);
    chat.receive({ t: "refused", id: "msg_a", code: "inbound_full", words: "full", retry_after_ms: 2000 }, NOW);
    chat.say("msg_b", "two", NOW);
    expect(chat.nextTry()).toBe(NOW + 2000);
    expect(chat.toSend(NOW + 1999)).toEqual([]);
    expect(chat.toSend(NOW + 2000).length).toBe(2);
  });

  it("too old for its id is not sent again by itself", () => {
    const keep = new Keep(store, "shop");
    keep.put({ id: "msg_a", text: "unsent", at: NOW - PENDING_AGE_MS_MAX - 1, taken: false });
    keep.put({ id: "msg_b", text: "taken", at: NOW - PENDING_AGE_MS_MAX - 1, taken: true });
    keep.put({ id: "msg_c", text: "young", at: NOW - PENDING_AGE_MS_MAX, taken: false });
    expect(page().pending.map(({ id, is }) => [id, is])).toEqual([
      ["msg_a", "refused"],
      ["msg_c", "queued"],
    ]);
  });

  it("is not written while too many wait", () => {
    const chat = page();
    for (let n = 0; n < PENDING_MAX; n++) {
      expect(chat.canSay()).toBe(true);
      chat.say(`msg_${n}`, "x", NOW);
    }
    expect(chat.canSay()).toBe(false);
  });
});

describe("resuming", () => {
  it("asks for what comes after the last entry and ignores what it has", () => {
    const chat = page();
    chat.receive(welcome(), NOW);
    for (const seq of [1, 2, 3]) expect(chat.receive(entry(seq), NOW)).toBe("go on");
    chat.lost();
    expect(chat.hello("nl")).toEqual({ t: "hello", token: "v1.token", after: 3, lang: "nl" });
    chat.receive(welcome(), NOW);
    expect(chat.receive(entry(3), NOW)).toBe("go on");
    expect(chat.receive(entry(4), NOW)).toBe("go on");
    expect(chat.entries.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  });

  it("takes a hole for a loss and reconnects", () => {
    const chat = page();
    chat.receive(welcome(), NOW);
    chat.receive(entry(1), NOW);
    expect(chat.receive(entry(3), NOW)).toBe("reconnect");
    expect(chat.entries.map(({ seq }) => seq)).toEqual([1]);
    expect(chat.hello("en")).toMatchObject({ after: 1 });
  });

  it("counts an internal note without showing words", () => {
    const chat = page();
    chat.receive(welcome(), NOW);
    chat.receive({ t: "entry", seq: 1, at: NOW, kind: "hidden" }, NOW);
    expect(chat.receive(entry(2), NOW)).toBe("go on");
  });

  it("begins where the server says that it begins, once", () => {
    const chat = page();
    chat.receive(welcome("cnv_1_0", { from: 501 }), NOW);
    expect(chat.hasEarlier).toBe(true);
    expect(chat.receive(entry(501), NOW)).toBe("go on");
    chat.lost();
    chat.receive(welcome("cnv_1_0", { from: 700 }), NOW);
    expect(chat.receive(entry(700), NOW)).toBe("reconnect");
  });

  it("learns the name of a conversation that began on this page", () => {
    const chat = page();
    chat.receive(welcome(null), NOW);
    chat.receive(entry(1, { kind: "customer", id: "msg_a" }), NOW);
    chat.lost();
    expect(chat.receive(welcome("cnv_9_0"), NOW)).toBe("go on");
    expect(chat.entries.length).toBe(1);
  });

  it("never mixes two conversations", () => {
    const chat = page();
    chat.receive(welcome("cnv_1_0"), NOW);
    chat.receive(entry(1), NOW);
    chat.lost();
    expect(chat.receive(welcome("cnv_2_0"), NOW)).toBe("reconnect");
    expect(chat.entries).toEqual([]);
    expect(chat.hello("en")).toMatchObject({ after: 0 });
    expect(chat.receive(welcome("cnv_2_0"), NOW)).toBe("go on");
  });
});

describe("unread", () => {
  it("is what agents wrote since the panel was last open, also over a reload", () => {
    const chat = page();
    chat.receive(welcome(), NOW);
    chat.receive(entry(1), NOW);
    expect(chat.unread()).toBe(1);
    chat.see();
    expect(chat.unread()).toBe(0);
    const again = page();
    again.receive(welcome(), NOW);
    again.receive(entry(1), NOW);
    again.receive(entry(2), NOW);
    again.receive(entry(3, { kind: "joined" }), NOW);
    expect(again.unread()).toBe(1);
  });
});

describe("trouble", () => {
  it("about missing entries is over with the first of them", () => {
    const chat = page();
    chat.receive(welcome(), NOW);
    chat.receive({ t: "error", code: "history_unavailable", words: "later" }, NOW);
    expect(chat.trouble?.code).toBe("history_unavailable");
    chat.receive(entry(1), NOW);
    expect(chat.trouble).toBeNull();
  });

  it("ends trying only when waiting cannot mend it", () => {
    const chat = page();
    expect(chat.receive({ t: "error", code: "starting", words: "a moment" }, NOW)).toBe("go on");
    expect(chat.receive({ t: "error", code: "unknown_account", words: "who?" }, NOW)).toBe("give up");
    chat.receive(welcome(), NOW);
    expect(chat.trouble).toBeNull();
  });

  it("of a full or forbidden storage costs nothing but the reload", () => {
    for (const broken of [storage(0), null]) {
      const keep = new Keep(broken, "shop");
      const chat = new Conversation(keep, NOW);
      chat.say("msg_a", "hello", NOW);
      chat.receive(welcome(), NOW);
      expect(ids(chat)).toEqual(["msg_a"]);
      expect(new Conversation(keep, NOW).pending.length).toBe(1);
    }
  });

  it("of a broken message in the storage does not reach the others", () => {
    const keep = new Keep(store, "shop");
    keep.put({ id: "msg_a", text: "whole", at: NOW, taken: false });
    store.setItem("winterband.shop.say.msg_b", "{broken");
    store.setItem("winterband.other.say.msg_c", '{"text":"x","at":1,"taken":false}');
    expect(page().pending.map(({ id }) => id)).toEqual(["msg_a"]);
    expect(store.getItem("winterband.shop.say.msg_b")).toBeNull();
  });
});

describe("thanks", () => {
  /** A page whose conversation was just ended by Anna. */
  const ended = () => {
    const chat = page();
    chat.receive(welcome(), NOW);
    chat.receive(entry(1, { kind: "customer" }), NOW);
    chat.receive(entry(2, { kind: "resolved" }), NOW);
    chat.receive({ t: "state", state: "resolved" }, NOW);
    return chat;
  };

  it("are for the end of a contact, until somebody writes again", () => {
    const chat = page();
    expect(chat.end()).toBeNull();
    chat.receive(welcome(), NOW);
    chat.receive(entry(1, { kind: "customer" }), NOW);
    chat.thank("msg_a", "too early", NOW);
    expect(chat.thanks).toBeNull();
    chat.receive(entry(2, { kind: "resolved" }), NOW);
    expect(chat.end()).toBeNull();
    chat.receive({ t: "state", state: "resolved" }, NOW);
    expect(chat.end()?.seq).toBe(2);
    // What comes after the end does not end the offer.
    chat.receive(entry(3, { kind: "agent" }), NOW);
    expect(chat.end()?.seq).toBe(2);
    chat.receive(entry(4, { kind: "customer" }), NOW);
    expect(chat.end()).toBeNull();
    // Who left before anybody came has nobody to thank.
    chat.receive(entry(5, { kind: "left" }), NOW);
    expect(chat.end()).toBeNull();
  });

  it("are sent once, with words or without, and not offered again", () => {
    const chat = ended();
    chat.thank("msg_t", "", NOW);
    chat.thank("msg_u", "again", NOW);
    expect(chat.hasThanked(chat.end()!)).toBe(true);
    expect(chat.toSend(NOW)).toEqual([{ t: "thank", id: "msg_t", text: null }]);
    expect(chat.toSend(NOW)).toEqual([]);
    chat.receive({ t: "taken", id: "msg_t" }, NOW);
    const later = page();
    later.receive(welcome(), NOW);
    expect(later.toSend(NOW)).toEqual([]);
    expect(later.thanks).toMatchObject({ seq: 2, is: "taken" });
    chat.receive(entry(3, { kind: "customer" }), NOW);
    chat.receive(entry(4, { kind: "resolved" }), NOW);
    expect(chat.hasThanked(chat.end()!)).toBe(false);
  });

  it("go before what is written next, also after a cut and a reload", () => {
    const chat = ended();
    chat.lost();
    chat.say("msg_a", "and one more thing", NOW);
    chat.thank("msg_t", "half \ud83d", NOW);
    expect(chat.toSend(NOW)).toEqual([]);
    const frames = [
      { t: "thank", id: "msg_t", text: "half \ufffd" },
      { t: "say", id: "msg_a", text: "and one more thing" },
    ];
    for (const one of [chat, page()]) {
      one.receive(welcome(), NOW);
      expect(one.toSend(NOW)).toEqual(frames);
    }
    chat.lost();
    chat.receive(welcome(), NOW);
    expect(chat.toSend(NOW)).toEqual(frames);
    const old = new Conversation(new Keep(store, "shop"), NOW + PENDING_AGE_MS_MAX + 1);
    expect(old.thanks).toBeNull();
  });

  it("that are refused come again, or can be given again", () => {
    const chat = ended();
    chat.thank("msg_t", "kind", NOW);
    chat.toSend(NOW);
    chat.receive({ t: "refused", id: "msg_t", code: "unavailable", words: "", retry_after_ms: 70 }, NOW);
    expect([chat.toSend(NOW + 69), chat.nextTry()]).toEqual([[], NOW + 70]);
    expect(chat.toSend(NOW + 70)).toHaveLength(1);
    chat.receive({ t: "refused", id: "msg_t", code: "nobody_to_thank", words: "" }, NOW);
    expect(chat.hasThanked(chat.end()!)).toBe(false);
    expect(page().thanks).toBeNull();
    chat.thank("msg_u", "kind", NOW);
    expect(chat.toSend(NOW)).toEqual([{ t: "thank", id: "msg_u", text: "kind" }]);
  });

  it("are forgotten with the conversation", () => {
    const chat = ended();
    chat.thank("msg_t", "", NOW);
    chat.receive(welcome("cnv_9_0"), NOW);
    expect([chat.thanks, page().thanks]).toEqual([null, null]);
    store.setItem("winterband.shop.thanks", "{");
    expect(page().thanks).toBeNull();
  });
});

describe("who waits", () => {
  it("knows where the customer stands while they wait, and no longer", () => {
    const chat = page();
    chat.receive(welcome(), NOW);
    chat.receive({ t: "outlook", position: 3, p50_ms: 60_000, p90_ms: 120_000, late: false }, NOW);
    expect(chat.outlook?.position).toBe(3);
    chat.receive({ t: "state", state: "with_agent" }, NOW);
    expect(chat.outlook).toBeNull();
  });

  it("asks once to be called back, and again for another matter", () => {
    const chat = page();
    chat.receive(welcome(), NOW);
    expect(chat.mayBeCalledBack()).toBe(true);
    chat.say("msg_1", "020 555 0100", NOW, true);
    expect(chat.mayBeCalledBack()).toBe(false);
    expect(chat.toSend(NOW)).toEqual([{ t: "say", id: "msg_1", text: "020 555 0100", callback: true }]);
    chat.receive(entry(1, { kind: "customer", id: "msg_1" }), NOW);
    chat.receive(entry(2, { kind: "callback" }), NOW);
    expect(chat.isCalledBack()).toBe(true);
    expect(chat.mayBeCalledBack()).toBe(false);
    chat.receive(entry(3, { kind: "resolved" }), NOW);
    chat.receive(entry(4, { kind: "reopened" }), NOW);
    expect(chat.isCalledBack()).toBe(false);
    expect(chat.mayBeCalledBack()).toBe(true);
  });

  it("still asks to be called back after a reload", () => {
    const chat = page();
    chat.say("msg_1", "020 555 0100", NOW, true);
    const later = page();
    later.receive(welcome(), NOW);
    expect(later.toSend(NOW)).toEqual([{ t: "say", id: "msg_1", text: "020 555 0100", callback: true }]);
  });

  it("keeps when it opens and when it closes", () => {
    const chat = page();
    chat.receive(welcome(), NOW);
    chat.receive(entry(1, { kind: "closed", opens_at: NOW + 5 }), NOW);
    chat.receive(entry(2, { kind: "closing", closes_at: NOW + 9 }), NOW);
    expect(chat.entries.map((one) => one.opens_at ?? one.closes_at)).toEqual([NOW + 5, NOW + 9]);
  });
});

describe("a question", () => {
  /** A page whose customer was asked something after the end. */
  const asked = () => {
    const chat = page();
    chat.receive(welcome(), NOW);
    chat.receive(entry(1, { kind: "customer" }), NOW);
    chat.receive(entry(2, { kind: "resolved" }), NOW);
    chat.receive(entry(3, { kind: "asked", question: "satisfaction" }), NOW);
    chat.receive({ t: "state", state: "resolved" }, NOW);
    return chat;
  };
  const seq = (chat: Conversation, now = NOW) => chat.asked(now)?.seq;

  it("is open until a number is said, and then the next one is", () => {
    const chat = asked();
    expect(chat.asked(NOW)).toMatchObject({ seq: 3, question: "satisfaction" });
    chat.say("msg_5", "5", NOW);
    expect(chat.asked(NOW)).toBeNull();
    expect(chat.toSend(NOW)).toEqual([{ t: "say", id: "msg_5", text: "5" }]);
    chat.receive({ t: "taken", id: "msg_5" }, NOW);
    expect(chat.asked(NOW)).toBeNull();
    chat.receive(entry(4, { kind: "customer", id: "msg_5", text: "5", question: "satisfaction" }), NOW);
    expect(chat.asked(NOW)).toBeNull();
    chat.receive(entry(5, { kind: "asked", question: "effort" }), NOW);
    expect(seq(chat)).toBe(5);
  });

  it("is not open once somebody talks of something else, or after a day", () => {
    for (const kind of ["customer", "agent", "reopened"] as const) {
      const chat = asked();
      chat.receive(entry(4, { kind }), NOW);
      expect(seq(chat), kind).toBeUndefined();
    }
    const chat = asked();
    chat.receive({ t: "entry", seq: 4, at: NOW, kind: "hidden" }, NOW);
    expect(seq(chat, NOW + ASKED_MS_MAX + 2)).toBe(3);
    expect(seq(chat, NOW + ASKED_MS_MAX + 3)).toBeUndefined();
  });

  it("and its answer leave the thanks for the end as they were", () => {
    const chat = asked();
    expect(chat.end()?.seq).toBe(2);
    chat.receive(entry(4, { kind: "customer", text: "5", question: "satisfaction" }), NOW);
    expect(chat.end()?.seq).toBe(2);
    chat.receive(entry(5, { kind: "customer", text: "5 parcels are missing" }), NOW);
    expect(chat.end()).toBeNull();
  });
});

describe("files", () => {
  const file = { object: "0a", name: "a.png", type: "image/png", bytes: 7, signature: "0b" };

  it("go with their message, also without words, after a cut and on a later page", () => {
    const chat = page();
    chat.say("msg_a", "", NOW, false, [file]);
    chat.receive(welcome(null), NOW);
    const frame = { t: "say", id: "msg_a", text: "", attachments: [file] };
    expect(chat.toSend(NOW)).toEqual([frame]);
    chat.receive({ t: "taken", id: "msg_a" }, NOW);
    expect(page().pending[0]).toEqual({ id: "msg_a", text: "", at: NOW, is: "taken", files: [file] });
    chat.say("msg_b", "x", NOW, false, [file]);
    const later = page();
    later.receive(welcome(null), NOW);
    expect(later.toSend(NOW)).toEqual([{ t: "say", id: "msg_b", text: "x", attachments: [file] }]);
  });

  it("of a refused message come back with its words", () => {
    const chat = page();
    chat.say("msg_a", "look", NOW, false, [file]);
    chat.receive({ t: "refused", id: "msg_a", code: "text_too_long", words: "no" }, NOW);
    expect(chat.take("msg_a")).toEqual({ text: "look", files: [file] });
    expect(page().pending).toEqual([]);
  });

  it("that were kept in another form are left out", () => {
    new Keep(store, "shop").put({ id: "msg_a", text: "x", at: NOW, taken: false, files: [{ name: 7 } as never, file] });
    expect(page().pending[0]?.files).toEqual([file]);
  });

  it("of an entry know when their links were given", () => {
    const chat = page();
    chat.receive(welcome(), NOW);
    const shown = { object: "0a", name: "a.png", type: "image/png", bytes: 7, url: "files/x" };
    chat.receive(entry(1, { files: [shown] }), NOW + 5);
    expect(chat.entries[0]?.files).toEqual([{ ...shown, got: NOW + 5 }]);
  });
});

describe("a user", () => {
  it("says hello by what the site signed, and never by the token of the browser", () => {
    new Keep(store, "shop").set("token", "v1.visitor");
    const chat = new Conversation(new Keep(store, "shop"), NOW, "e.y.J");
    expect(chat.hello("en")).toEqual({ t: "hello", token: null, identity: "e.y.J", after: 0, lang: "en" });
    expect(chat.token()).toBe("e.y.J");
    const { token, ...without } = welcome() as Extract<FromServer, { t: "welcome" }>;
    expect(chat.receive(without, NOW)).toBe("go on");
    expect(page().token()).toBe("v1.visitor");
    expect(token).toBe("v1.token");
  });

  it("may have a past that this browser has not heard of", () => {
    const user = () => new Conversation(new Keep(store, "shop@anna"), NOW, "e.y.J");
    expect([page().isKnown(), user().isKnown()]).toEqual([false, true]);
    user().receive(welcome(null), NOW);
    expect(user().isKnown()).toBe(false);
  });

  it("whose identity ran out keeps what is unsent, for the same user and for nobody else", () => {
    const anna = new Conversation(new Keep(store, "shop@anna"), NOW, "e.y.J");
    anna.say("msg_a", "mine", NOW);
    const { code, words } = { code: "identity_expired", words: "over" };
    expect(anna.receive({ t: "error", code, words }, NOW)).toBe("give up");
    expect(page().pending).toEqual([]);
    expect(new Conversation(new Keep(store, "shop@ben"), NOW, "b").pending).toEqual([]);
    const later = new Conversation(new Keep(store, "shop@anna"), NOW, "e.y.K");
    later.receive(welcome(null), NOW);
    expect(ids(later)).toEqual(["msg_a"]);
  });
});

describe("what is kept for one", () => {
  it("is never listed for another whose name begins alike", () => {
    new Keep(store, "shop@x.say.y").put({ id: "msg_a", text: "mine", at: NOW, taken: false });
    expect(new Keep(store, "shop@x").messages()).toEqual([]);
    expect(new Keep(store, "shop@x.say.y").messages().map(({ text }) => text)).toEqual(["mine"]);
  });
});
