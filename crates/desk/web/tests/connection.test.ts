import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  BACKOFF_MS_MAX,
  BACKOFF_MS_MIN,
  backoffMs,
  CONNECT_DEADLINE_MS,
  Connection,
  type Link,
  PING_EVERY_MS,
  PONG_DEADLINE_MS,
  type Socket,
} from '../src/connection';
import type { ToDesk } from '../src/wire';
import { NOW, state } from './make';

class FakeSocket implements Socket {
  onopen: Socket['onopen'] = null;
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;
  sent: { t: string; n?: number }[] = [];
  isClosed = false;
  readyState = 1;
  send = (text: string) => void this.sent.push(JSON.parse(text) as { t: string });
  close = () => void (this.isClosed = true);
  give = (frame: unknown) => this.onmessage?.({ data: JSON.stringify(frame) } as MessageEvent);
  live = () => {
    this.onopen?.({} as Event);
    this.give(state());
  };
  pong = () => this.give({ t: 'pong', n: this.sent.findLast((frame) => frame.t === 'ping')?.n, now: NOW });
}

function wire(answers: ('in' | 'out' | 'unreachable')[] = []) {
  const sockets: FakeSocket[] = [];
  const links: Link[] = [];
  const frames: ToDesk[] = [];
  const connection = new Connection({
    open: () => {
      sockets.push(new FakeSocket());
      return sockets.at(-1)!;
    },
    authorise: () => Promise.resolve(answers.shift() ?? 'in'),
    hello: () => ({ t: 'hello', have: {} }),
    onFrame: (frame) => void frames.push(frame),
    onLink: (link) => void links.push(link),
    random: () => 1,
  });
  connection.start();
  return { connection, sockets, links, frames, last: () => sockets.at(-1)! };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('the connection', () => {
  it('says hello first, and sends nothing before the state has come', () => {
    const { connection, last, links } = wire();
    expect(connection.send({ t: 'typing', contact: 'con_1_0' })).toBe(false);
    last().onopen?.({} as Event);
    expect(connection.send({ t: 'typing', contact: 'con_1_0' })).toBe(false);
    last().give(state());
    expect(connection.send({ t: 'typing', contact: 'con_1_0' })).toBe(true);
    expect(last().sent.map((frame) => frame.t)).toEqual(['hello', 'ping', 'typing']);
    expect(links).toEqual(['connecting', 'live']);
  });

  it('gives nothing to a socket that closes, and does not wait until it has closed', () => {
    const { connection, last, links } = wire();
    last().live();
    last().pong();
    const before = last().sent.length;
    last().readyState = 2;
    expect(connection.send({ t: 'typing', contact: 'con_1_0' })).toBe(false);
    expect(links.at(-1)).toBe('live');
    connection.nudge();
    expect(links.at(-1)).toBe('reconnecting');
    expect(last().sent.length).toBe(before);
  });

  it('stays while pongs come, and goes when one does not', async () => {
    const { sockets, last, links } = wire();
    last().live();
    for (let i = 0; i < 5; i++) {
      last().pong();
      await vi.advanceTimersByTimeAsync(PING_EVERY_MS);
    }
    expect(sockets).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(PONG_DEADLINE_MS);
    expect(sockets[0]?.isClosed).toBe(true);
    expect(links.at(-1)).toBe('reconnecting');
    await vi.advanceTimersByTimeAsync(BACKOFF_MS_MIN);
    expect(sockets).toHaveLength(2);
    last().live();
    expect(links.at(-1)).toBe('live');
  });

  it('gives up a socket that never says anything', async () => {
    const { sockets } = wire();
    await vi.advanceTimersByTimeAsync(CONNECT_DEADLINE_MS + BACKOFF_MS_MIN);
    expect(sockets).toHaveLength(2);
  });

  it('keeps trying while the server is away, and stops when the session has ended', async () => {
    const { sockets, last, links } = wire(['unreachable', 'unreachable', 'out']);
    last().live();
    last().onclose?.({} as CloseEvent);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sockets).toHaveLength(1);
    expect(links.at(-1)).toBe('signed_out');
  });

  it('goes on from signed out after signing in', async () => {
    const { connection, last, links, sockets } = wire(['out']);
    last().onclose?.({} as CloseEvent);
    await vi.advanceTimersByTimeAsync(BACKOFF_MS_MIN);
    expect(links.at(-1)).toBe('signed_out');
    connection.start();
    last().live();
    expect([links.at(-1), sockets.length]).toEqual(['live', 2]);
  });

  it('says hello anew when told that something is missing', async () => {
    const { connection, last, sockets } = wire();
    last().live();
    connection.restart();
    expect(sockets[0]?.isClosed).toBe(true);
    await vi.advanceTimersByTimeAsync(BACKOFF_MS_MIN);
    last().onopen?.({} as Event);
    expect(last().sent).toEqual([{ t: 'hello', have: {} }]);
  });

  it('hears nothing from a socket that it left', () => {
    const { connection, sockets, frames } = wire();
    const old = sockets[0]!;
    old.live();
    connection.stop();
    old.give({ t: 'error', code: 'x', words: 'y' });
    expect(frames.map((frame) => frame.t)).toEqual(['state']);
  });

  it('passes over what is no frame', () => {
    const { last, frames } = wire();
    last().live();
    last().onmessage?.({ data: '{"t":' } as MessageEvent);
    last().onmessage?.({ data: 'null' } as MessageEvent);
    last().give([1]);
    expect(frames).toHaveLength(1);
  });
});

describe('the pause before a new try', () => {
  it('doubles from the shortest to the longest, spread below', () => {
    expect([0, 1, 2, 3, 4, 5, 99].map((tries) => backoffMs(tries, 1))).toEqual([250, 500, 1000, 2000, 4000, 4000, 4000]);
    for (let tries = 0; tries < 20; tries++) {
      for (const random of [0, 0.5, 1]) {
        expect(backoffMs(tries, random)).toBeGreaterThanOrEqual(BACKOFF_MS_MIN);
        expect(backoffMs(tries, random)).toBeLessThanOrEqual(BACKOFF_MS_MAX);
      }
    }
  });
});
