import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { BACKOFF_FIRST_MS, BACKOFF_MAX_MS } from "../src/limits";
import { Patience } from "../src/patience";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("an identity that is refused again and again is tried ever less often, and one that is believed at once", () => {
  const patience = new Patience();
  let tries = 0;
  // A page that gives another one as soon as it hears that the last was refused.
  const again = () => {
    tries++;
    patience.refused();
    patience.then(again);
  };
  patience.then(again);
  expect(tries).toBe(1);
  vi.advanceTimersByTime(BACKOFF_FIRST_MS / 2 - 1);
  expect(tries).toBe(1);
  vi.advanceTimersByTime(60 * 60_000);
  expect(tries).toBeGreaterThan(60);
  expect(tries).toBeLessThan(20 + (60 * 60_000 * 2) / BACKOFF_MAX_MS);
  patience.stop();
  const before = tries;
  vi.advanceTimersByTime(BACKOFF_MAX_MS);
  expect(tries).toBe(before);
  patience.believed();
  patience.then(() => (tries = 0));
  expect(tries).toBe(0);
});
