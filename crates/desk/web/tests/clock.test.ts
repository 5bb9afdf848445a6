import { describe, expect, it } from 'vitest';
import { asClock, secondsLeft, ServerClock } from '../src/clock.svelte';

describe('the countdown', () => {
  it('reads whole seconds, the last one until it is over', () => {
    expect([20_000, 19_999, 19_001, 1, 0, -5_000].map((left) => secondsLeft(left, 0))).toEqual([20, 20, 20, 1, 0, 0]);
  });

  it('is written as a clock', () => {
    expect([0, 9, 75, 3_600, 3_661, -3].map(asClock)).toEqual(['0:00', '0:09', '1:15', '1:00:00', '1:01:01', '0:00']);
  });
});

describe('the server’s clock', () => {
  it('is right on a machine whose clock is off', () => {
    let local = 1_000;
    const clock = new ServerClock(() => local);
    clock.guess(500_000);
    expect(clock.now).toBe(500_000);
    clock.learn(500_100, 200);
    expect(clock.exact()).toBe(500_200);
    local += 5_000;
    clock.tick();
    expect(clock.now).toBe(505_200);
  });

  it('believes the quickest answer', () => {
    const clock = new ServerClock(() => 0);
    clock.learn(10_000, 20);
    clock.learn(10_700, 1_400);
    expect(clock.exact()).toBe(10_010);
  });

  it('follows when the local clock is set', () => {
    let local = 0;
    const clock = new ServerClock(() => local);
    clock.learn(10_000, 10);
    local = 3_600_000;
    clock.learn(15_000, 40);
    expect(clock.exact()).toBe(15_020);
  });
});
