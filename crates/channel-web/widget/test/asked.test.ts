import { afterEach, describe, expect, it, vi } from "vitest";
import { buttons, scoresOf, wordsFor } from "../src/asked";
import { wordsOf } from "../src/words";

const QUESTIONS = ["satisfaction", "effort", "recommend"];

/** As much of a page's node as the buttons need. */
class FakeNode {
  readonly attributes: Record<string, string> = {};
  readonly children: (FakeNode | string)[] = [];
  onclick: (() => void) | null = null;

  constructor(readonly tag: string) {}

  setAttribute(name: string, value: string): void {
    this.attributes[name] = value;
  }

  append(...children: (FakeNode | string)[]): void {
    this.children.push(...children);
  }

  all(tag: string): FakeNode[] {
    const below = this.children.flatMap((child) => (typeof child === "string" ? [] : child.all(tag)));
    return this.tag === tag ? [this, ...below] : below;
  }

  get text(): string {
    return this.children.map((child) => (typeof child === "string" ? child : child.text)).join("");
  }
}

function made(question: string, answer: (score: number) => void = () => {}, lang: "en" | "nl" = "en"): FakeNode {
  vi.stubGlobal("document", { createElement: (tag: string) => new FakeNode(tag) });
  return buttons(wordsOf(lang), question, answer) as unknown as FakeNode;
}

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("a question", () => {
  it("is answered by the numbers that the server takes, and a later server's by none", () => {
    expect(scoresOf("satisfaction")).toEqual([1, 2, 3, 4, 5]);
    expect(scoresOf("effort")).toEqual([1, 2, 3, 4, 5]);
    expect(scoresOf("recommend")).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for (const unknown of [undefined, "", "of_tomorrow", "constructor"]) {
      expect(scoresOf(unknown)).toEqual([]);
      expect(wordsFor(wordsOf("en"), unknown)).toBe("");
    }
  });

  it("is asked in each language", () => {
    for (const lang of ["en", "nl"] as const) {
      const asked = QUESTIONS.map((question) => wordsFor(wordsOf(lang), question));
      expect(new Set(asked).size).toBe(3);
      for (const words of asked) expect(words).toMatch(/\?$/);
    }
  });

  it("has a button for each number, which can be reached and says what it stands for", () => {
    for (const question of QUESTIONS) {
      const node = made(question);
      const [row] = node.all("div").filter((one) => one.attributes["role"] === "group");
      expect(row?.attributes["aria-label"]).toBe(wordsFor(wordsOf("en"), question));
      const all = node.all("button");
      expect(all.map((button) => button.text)).toEqual(scoresOf(question).map(String));
      // A button of its own kind: Tab reaches it, Enter and the space bar press it, and it sends no form.
      for (const button of all) expect(button.attributes["type"]).toBe("button");
    }
    const labels = made("effort", undefined, "nl").all("button").map((button) => button.attributes["aria-label"]);
    expect(labels).toEqual(["1, heel moeilijk", "2", "3", "4", "5, heel makkelijk"]);
  });

  it("is answered by the number that is pressed", () => {
    const said: number[] = [];
    const all = made("recommend", (score) => said.push(score)).all("button");
    all[0]?.onclick?.();
    all[10]?.onclick?.();
    expect(said).toEqual([0, 10]);
  });
});
