import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Named } from "../src/frames";
import { ATTACHMENTS_MAX, FILE_BYTES_MAX, UPLOAD_RETRY_MS, UPLOAD_STALL_MS, UPLOAD_TRIES_MAX } from "../src/limits";
import { type Answer, Tray } from "../src/tray";
import { whyLost } from "../src/log";
import { carrier, read } from "../src/upload";
import { wordsOf } from "../src/words";

interface Sent {
  name: string;
  went(part: number): void;
  answer(answer: Answer): Promise<void>;
  stop: ReturnType<typeof vi.fn>;
}

let sent: Sent[];
const changed = vi.fn();
const tray = (open = true, doubted = vi.fn()) => {
  const made = new Tray((_, name, went) => {
    let resolve: (answer: Answer) => void = () => {};
    const answer = new Promise<Answer>((done) => (resolve = done));
    const stop = vi.fn();
    sent.push({ name, went, stop, answer: async (answer) => (resolve(answer), void (await vi.advanceTimersByTimeAsync(0))) });
    return { answer, stop };
  }, changed, doubted);
  made.ready(open);
  return made;
};
const file = (name: string, size = 3, type = "") => ({ name, size, type }) as unknown as Blob & { name: string };
const named = (name: string): Named => ({ object: "0a", name, type: "text/plain", bytes: 3, signature: "0b" });
const states = (of: Tray) => of.items().map((item) => `${item.name} ${item.is}`);

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  changed.mockReset();
});
afterEach(() => void vi.useRealTimers());

describe("the tray", () => {
  it("uploads one after the other, and each is what the server says it is", async () => {
    const it = tray();
    expect(it.isReady()).toBe(true);
    it.add([file("../a.txt"), file("b.txt")]);
    expect(states(it)).toEqual(["../a.txt going", "b.txt waiting"]);
    sent[0]!.went(0.5);
    expect([it.items()[0]?.part, it.isReady(), it.named()]).toEqual([0.5, false, []]);
    await sent[0]!.answer({ named: named("a.txt") });
    expect(states(it)).toEqual(["a.txt there", "b.txt going"]);
    await sent[1]!.answer({ named: named("b.txt") });
    expect([it.isReady(), it.named()]).toEqual([true, [named("a.txt"), named("b.txt")]]);
    it.clear();
    expect([it.items(), it.isReady()]).toEqual([[], true]);
  });

  it("waits until the server knows the visitor, and while it does not any more", async () => {
    const it = tray(false);
    it.add([file("a.txt"), file("b.txt")]);
    expect([sent.length, states(it)]).toEqual([0, ["a.txt waiting", "b.txt waiting"]]);
    it.ready(true);
    expect(sent.length).toBe(1);
    it.ready(false);
    await sent[0]!.answer({ named: named("a.txt") });
    expect(states(it)).toEqual(["a.txt there", "b.txt waiting"]);
    expect(sent.length).toBe(1);
  });

  it("takes as many as a message may have and says how many are over", () => {
    const it = tray();
    const many = Array.from({ length: ATTACHMENTS_MAX }, (_, n) => file(`${n}.txt`));
    expect(it.add(many)).toBe(0);
    expect(it.add([file("x"), file("y")])).toBe(2);
    expect(it.items().length).toBe(ATTACHMENTS_MAX);
    expect(it.put([named("z")])).toBe(false);
    expect(it.items().length).toBe(ATTACHMENTS_MAX);
    it.remove(it.items()[0]!.key);
    // All of a message or nothing of it.
    expect([it.put([named("y"), named("z")]), it.items().length]).toEqual([false, ATTACHMENTS_MAX - 1]);
    expect([it.put([named("z")]), it.items().length]).toEqual([true, ATTACHMENTS_MAX]);
  });

  it("sends nothing that is empty or too large, and says so until it is taken away", () => {
    const it = tray();
    it.add([file("empty", 0), file("large", FILE_BYTES_MAX + 1), file("largest", FILE_BYTES_MAX)]);
    expect(states(it)).toEqual(["empty failed", "large failed", "largest going"]);
    expect(it.items().map((item) => item.code)).toEqual(["file_empty", "file_too_large", undefined]);
    it.retry(it.items()[0]!.key);
    expect(it.items()[0]?.is).toBe("failed");
    it.remove(it.items()[0]!.key);
    expect(states(it)).toEqual(["large failed", "largest going"]);
    expect(it.isReady()).toBe(false);
  });

  it("gives up what is taken away, whatever its answer was to be", async () => {
    const it = tray();
    it.add([file("a.txt"), file("b.txt")]);
    it.remove(it.items()[0]!.key);
    expect(sent[0]!.stop).toHaveBeenCalledOnce();
    expect(states(it)).toEqual(["b.txt going"]);
    await sent[0]!.answer({ named: named("a.txt") });
    expect(it.named()).toEqual([]);
    await sent[1]!.answer({ named: named("b.txt") });
    expect(it.named()).toEqual([named("b.txt")]);
  });

  it("tries again by itself what may pass, and then leaves it to the writer", async () => {
    const it = tray();
    it.add([file("a.txt")]);
    for (let n = 1; n < UPLOAD_TRIES_MAX; n++) {
      await sent[n - 1]!.answer({ code: "files_full", after: 5_000 });
      expect(states(it)).toEqual(["a.txt waiting"]);
      await vi.advanceTimersByTimeAsync(4_999);
      expect(sent.length).toBe(n);
      await vi.advanceTimersByTimeAsync(1);
      expect(sent.length).toBe(n + 1);
    }
    await sent.at(-1)!.answer({ code: "files_full", after: 0 });
    expect([states(it), it.items()[0]?.again]).toEqual([["a.txt failed"], true]);
    it.retry(it.items()[0]!.key);
    await sent.at(-1)!.answer({ named: named("a.txt") });
    expect(states(it)).toEqual(["a.txt there"]);
  });

  it("does not hurry, whatever the server says, and does not repeat what it refused for good", async () => {
    const it = tray();
    it.add([file("a.txt"), file("b.txt")]);
    await sent[0]!.answer({ code: "file_failed", after: 0 });
    await vi.advanceTimersByTimeAsync(UPLOAD_RETRY_MS - 1);
    expect(sent.length).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    await sent[1]!.answer({ code: "file_too_large", words: "no" });
    expect([states(it)[0], it.items()[0]?.again]).toEqual(["a.txt failed", false]);
    expect(sent.map(({ name }) => name)).toEqual(["a.txt", "a.txt", "b.txt"]);
  });

  it("waits when the server does not believe who it is, says so once, and goes on with another identity", async () => {
    const doubted = vi.fn();
    const it = tray(true, doubted);
    it.add([file("a.txt"), file("b.txt")]);
    await sent[0]!.answer({ code: "identity_expired", words: "fresh one", held: true });
    expect(doubted.mock.calls).toEqual([["identity_expired", "fresh one"]]);
    await vi.advanceTimersByTimeAsync(60 * UPLOAD_RETRY_MS);
    it.ready(true);
    expect([sent.length, states(it), it.items()[0]?.code]).toEqual([1, ["a.txt waiting", "b.txt waiting"], "identity_expired"]);
    it.release();
    expect([sent.length, states(it), it.items()[0]?.code]).toEqual([2, ["a.txt going", "b.txt waiting"], undefined]);
  });

  it("names what was pasted", () => {
    const it = tray();
    it.add([file("", 3, "image/png"), file("", 3, "x/../y")]);
    expect(it.items().map((item) => item.name)).toEqual(["image.png", "file"]);
  });
});

describe("the answer to an upload", () => {
  it("names a file without its link, or says whether another try is worth it", () => {
    const text = JSON.stringify({ ...named("a.txt"), url: "files/x" });
    expect(read(200, text, null)).toEqual({ named: named("a.txt") });
    expect(read(200, "<html>", null)).toEqual({ code: "file_failed", after: 0 });
    expect(read(0, "", null)).toEqual({ code: "file_failed", after: 0 });
    const problem = JSON.stringify({ code: "files_full", detail: "later" });
    expect(read(503, problem, "5")).toEqual({ code: "files_full", words: "later", after: 5_000 });
    expect(read(413, JSON.stringify({ code: "file_too_large", detail: "at most" }), null)).toEqual({ code: "file_too_large", words: "at most" });
    const expired = JSON.stringify({ code: "identity_expired", detail: "fresh one" });
    expect(read(401, expired, null)).toEqual({ code: "identity_expired", words: "fresh one", held: true });
    expect(read(401, '{"code":"no_visitor"}', null)).toEqual({ code: "no_visitor", after: 0 });
    expect(read(400, '{"code":7}', "x")).toEqual({ code: "file_failed" });
  });
});

describe("an upload", () => {
  class Request {
    static last: Request;
    status = 0;
    responseText = "";
    upload: { onprogress?: (event: { loaded: number; total: number }) => void } = {};
    onloadend?: () => void;
    open = vi.fn();
    setRequestHeader = vi.fn();
    send = vi.fn();
    abort = vi.fn(() => this.onloadend?.());
    getResponseHeader = () => null;
    constructor() {
      Request.last = this;
    }
  }

  it("may take any time while something goes, and is given up when nothing does", async () => {
    vi.stubGlobal("XMLHttpRequest", Request);
    const { answer } = carrier("https://x/", "shop", () => "t")(file("a.txt"), "a.txt", () => {});
    for (let n = 1; n <= 100; n++) {
      await vi.advanceTimersByTimeAsync(UPLOAD_STALL_MS - 1);
      Request.last.upload.onprogress?.({ loaded: n, total: 100 });
    }
    expect(Request.last.abort).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(UPLOAD_STALL_MS);
    expect(Request.last.abort).toHaveBeenCalledOnce();
    expect(await answer).toEqual({ code: "file_failed", after: 0 });
    vi.unstubAllGlobals();
  });
});

describe("a file that cannot be had", () => {
  it("is gone only if the server says so", () => {
    const words = wordsOf("en");
    expect(whyLost(words, "file_gone")).toBe(words.fileGone);
    expect(whyLost(words, "identity_expired")).toBe(words.identity_expired);
    for (const other of ["", "network_busy", "files_unavailable"]) expect(whyLost(words, other)).toBe(words.fileLater);
  });
});
