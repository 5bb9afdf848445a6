import { describe, expect, it } from "vitest";
import { read } from "../src/frames";
import { messageId } from "../src/ids";
import { bytesOf, pieces, sizeOf } from "../src/text";
import { choose, explain, fill, wordsOf } from "../src/words";

describe("frames", () => {
  it("of every kind are read", () => {
    for (const frame of [
      { t: "welcome", token: "v1.x", conversation: null, state: "none" },
      { t: "welcome", token: "v1.x", conversation: "cnv_1_0", state: "waiting", from: 7 },
      { t: "taken", id: "msg_a" },
      { t: "refused", id: "msg_a", code: "full", words: "later", retry_after_ms: 5 },
      { t: "entry", seq: 1, at: 2, kind: "agent", text: "hi", by: "Anna" },
      { t: "entry", seq: 1, at: 2, kind: "agent", files: [{ object: "0a", name: "a", type: "image/png", bytes: 7, url: "files/x" }] },
      { t: "entry", seq: 1, at: 2, kind: "asked", question: "effort" },
      { t: "state", state: "resolved" },
      { t: "typing" },
      { t: "error", code: "x", words: "y" },
      { t: "pong", n: 3 },
    ]) {
      expect(read(JSON.stringify(frame))).toEqual(frame);
    }
  });

  it("that are none are ignored", () => {
    for (const data of [
      "", "{", "null", "[]", "7", '{"t":"later"}', '{"t":"entry","seq":-1,"at":1,"kind":"agent"}',
      '{"t":"entry","seq":1.5,"at":1,"kind":"agent"}', '{"t":"welcome","token":1,"conversation":null,"state":"none"}',
      '{"t":"entry","seq":1,"at":1,"kind":"asked","question":5}', '{"t":"entry","seq":1,"at":1,"kind":"agent","files":{}}', '{"t":"entry","seq":1,"at":1,"kind":"agent","files":[{"name":"a"}]}',
      '{"t":"welcome","token":"x","conversation":null,"state":"lost"}', new ArrayBuffer(2),
    ]) {
      expect(read(data)).toBeNull();
    }
  });
});

describe("ids", () => {
  it("are UUIDs of version 7 that sort by time", () => {
    const random = Uint8Array.from({ length: 10 }, () => 255);
    const id = messageId(0x0123456789ab, random);
    expect(id).toBe("msg_0123456789ab7fffbfffffffffffffff");
    expect(messageId(0x0123456789ac, new Uint8Array(10)) > id).toBe(true);
  });
});

describe("links", () => {
  const hrefs = (text: string) => pieces(text).flatMap(({ href }) => href ?? []);

  it("are http and https and end before the sentence does", () => {
    expect(pieces("See https://a.example/b?c=1, or (http://d.example).")).toEqual([
      { text: "See " },
      { text: "https://a.example/b?c=1", href: "https://a.example/b?c=1" },
      { text: ", or (" },
      { text: "http://d.example", href: "http://d.example/" },
      { text: ")." },
    ]);
  });

  it("are nothing else", () => {
    for (const text of [
      "javascript:alert(1)", "data:text/html,x", "ftp://a.example", "https://", "http://user:pw@bank.example/",
      "HTTPS//a.example", "<img src=x onerror=alert(1)>", "file:///etc/passwd",
    ]) {
      expect(hrefs(text), text).toEqual([]);
      expect(pieces(text).map((piece) => piece.text).join("")).toBe(text);
    }
    expect(hrefs('https://a.example/"onclick=x')).toEqual(["https://a.example/"]);
  });

  it("lose no character of the text", () => {
    const text = "a https://x.example/…  b\nhttps://y.example/é?q=<b>";
    expect(pieces(text).map((piece) => piece.text).join("")).toBe(text);
  });
});

describe("words", () => {
  it("are there in both languages, with the same gaps", () => {
    const [en, nl] = [wordsOf("en"), wordsOf("nl")] as Record<string, string>[];
    expect(Object.keys(nl!)).toEqual(Object.keys(en!));
    const gaps = (text: string) => text.match(/\{\w+\}/g) ?? [];
    for (const key of Object.keys(en!)) {
      expect(gaps(nl![key]!), key).toEqual(gaps(en![key]!));
      if (key !== "reopened") expect(nl![key], key).not.toBe(en![key]);
    }
  });

  it("follow the first wish that can be met", () => {
    expect(choose([undefined, "", "fr-FR", "nl-BE", "en"])).toBe("nl");
    expect(choose(["fr"])).toBe("en");
  });

  it("explain a code, and fall back on what the server said", () => {
    const words = wordsOf("en");
    expect(explain(words, "text_too_long", "x")).toBe(words.text_too_long);
    expect(explain(words, "of_tomorrow", "said so")).toBe("said so");
    expect(explain(words, undefined, undefined)).toBe(words.refused);
  });

  it("take a name as it is", () => {
    expect(fill("{by} is typing", "by", "$& {by}")).toBe("$& {by} is typing");
  });

  it("tell sizes in steps of a thousand", () => {
    expect([0, 999, 1000, 250_499, 999_499, 999_500, 26_214_400].map((bytes) => sizeOf(bytes, "en"))).toEqual([
      "0 byte", "999 byte", "1 kB", "250 kB", "999 kB", "1 MB", "26.2 MB",
    ]);
    expect(sizeOf(1_500_000, "nl")).toBe("1,5 MB");
  });

  it("count bytes, not letters", () => {
    expect(bytesOf("é€😀")).toBe(9);
  });
});
