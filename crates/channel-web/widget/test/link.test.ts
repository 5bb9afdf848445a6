import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BACKOFF_MAX_MS, CONNECT_WITHIN_MS, PING_EVERY_MS, PONG_WITHIN_MS, STEADY_AFTER_MS } from "../src/limits";
import { Link, pauseMs } from "../src/link";

class Socket {
  static all: Socket[] = [];
  static readonly OPEN = 1;
  readyState = 0;
  sent: string[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;

  constructor(readonly url: string) {
    Socket.all.push(this);
  }
  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }
  say(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.readyState = 3;
    this.onclose?.();
  }
}

const last = () => Socket.all.at(-1)!;
const ends = { opened: vi.fn(), heard: vi.fn(), lost: vi.fn() };

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", Socket);
  Socket.all = [];
  for (const end of Object.values(ends)) end.mockReset();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("the pause", () => {
  it("doubles, is bounded, and differs between pages", () => {
    expect([0, 1, 2, 3].map((n) => pauseMs(n, 1))).toEqual([500, 1000, 2000, 4000]);
    expect(pauseMs(0, 0)).toBe(250);
    expect(pauseMs(1000, 1)).toBe(BACKOFF_MAX_MS);
  });
});

describe("the link", () => {
  it("comes back after a cut and reads frames", () => {
    const link = new Link("ws://x", ends);
    link.start();
    link.start();
    expect(Socket.all.length).toBe(1);
    last().open();
    last().say({ t: "typing" });
    expect(ends.heard).toHaveBeenCalledWith({ t: "typing" });
    last().close();
    expect(ends.lost).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(500);
    expect(Socket.all.length).toBe(2);
    last().open();
    expect(ends.opened).toHaveBeenCalledTimes(2);
  });

  it("notices a line that is dead although it looks open", () => {
    const link = new Link("ws://x", ends);
    link.start();
    last().open();
    vi.advanceTimersByTime(PING_EVERY_MS);
    expect(JSON.parse(last().sent[0]!)).toEqual({ t: "ping", n: 1 });
    vi.advanceTimersByTime(PONG_WITHIN_MS - 1);
    expect(ends.lost).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(ends.lost).toHaveBeenCalledTimes(1);
  });

  it("lives on as long as something is heard", () => {
    const link = new Link("ws://x", ends);
    link.start();
    last().open();
    for (let n = 1; n <= 5; n++) {
      vi.advanceTimersByTime(PING_EVERY_MS);
      last().say({ t: "pong", n });
    }
    vi.advanceTimersByTime(PONG_WITHIN_MS);
    expect(ends.lost).not.toHaveBeenCalled();
  });

  it("gives up a socket that does not open", () => {
    new Link("ws://x", ends).start();
    vi.advanceTimersByTime(CONNECT_WITHIN_MS);
    expect(last().readyState).toBe(3);
    vi.advanceTimersByTime(BACKOFF_MAX_MS);
    expect(Socket.all.length).toBeGreaterThan(1);
  });

  it("waits longer each time, until a line has been steady", () => {
    vi.spyOn(Math, "random").mockReturnValue(1);
    const link = new Link("ws://x", ends);
    link.start();
    for (const pause of [500, 1000, 2000]) {
      last().open();
      last().close();
      const before = Socket.all.length;
      vi.advanceTimersByTime(pause - 1);
      expect(Socket.all.length).toBe(before);
      vi.advanceTimersByTime(1);
      expect(Socket.all.length).toBe(before + 1);
    }
    last().open();
    vi.advanceTimersByTime(STEADY_AFTER_MS);
    last().close();
    vi.advanceTimersByTime(500);
    expect(Socket.all.length).toBe(5);
  });

  it("starts anew after it was stopped, also while it waited for its next try", () => {
    const link = new Link("ws://x", ends);
    link.start();
    last().close();
    link.stop();
    vi.advanceTimersByTime(BACKOFF_MAX_MS);
    expect(Socket.all.length).toBe(1);
    link.start();
    expect(Socket.all.length).toBe(2);
    last().open();
    link.stop();
    link.start();
    expect(Socket.all.length).toBe(3);
  });

  it("says whether a frame went out, and stops for good", () => {
    const link = new Link("ws://x", ends);
    link.start();
    expect(link.send({ t: "leave" })).toBe(false);
    last().open();
    expect(link.send({ t: "leave" })).toBe(true);
    link.stop();
    vi.advanceTimersByTime(BACKOFF_MAX_MS);
    expect(Socket.all.length).toBe(1);
  });
});
