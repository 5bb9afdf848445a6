// The socket to the gateway: says hello, watches for signs of life, and comes back by itself.

import type { FromDesk, ToDesk } from './wire';

/** How often we ask for a sign of life, ms. */
export const PING_EVERY_MS = 5_000;
/** How long the answer may take, ms. */
export const PONG_DEADLINE_MS = 5_000;
/** How long a new socket may take until its first frame, ms. */
export const CONNECT_DEADLINE_MS = 10_000;
/** Shortest and longest pause before a new try, ms. */
export const BACKOFF_MS_MIN = 250;
export const BACKOFF_MS_MAX = 4_000;

/**
 * - `connecting`: the first time;
 * - `live`: frames flow;
 * - `reconnecting`: it was lost, or the server is not there;
 * - `signed_out`: the session has ended, and nothing is tried until somebody signs in;
 * - `stopped`: by us.
 */
export type Link = 'connecting' | 'live' | 'reconnecting' | 'signed_out' | 'stopped';

/** `WebSocket.OPEN`, which is not there where the tests run. */
const SOCKET_OPEN = 1;

/** What we need of a WebSocket; a test gives its own. */
export interface Socket {
  readonly readyState: number;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(text: string): void;
  close(): void;
}

export interface Wiring {
  open: () => Socket;
  /** Asked before every try but the first: a browser is not told why a socket was refused. */
  authorise: () => Promise<'in' | 'out' | 'unreachable'>;
  hello: () => FromDesk;
  onFrame: (frame: ToDesk, roundTripMs: number) => void;
  onLink: (link: Link) => void;
  random?: () => number;
}

export class Connection {
  #wiring: Wiring;
  #socket: Socket | null = null;
  #link: Link = 'stopped';
  #tries = 0;
  #pings = 0;
  #pingSentAt = new Map<number, number>();
  #retryTimer: Timer;
  #pingTimer: Timer;
  #deadlineTimer: Timer;

  constructor(wiring: Wiring) {
    this.#wiring = wiring;
  }

  start(): void {
    if (this.#link !== 'stopped' && this.#link !== 'signed_out') return;
    this.#tries = 0;
    this.#become('connecting');
    this.#dial();
  }

  stop(): void {
    this.#drop();
    clearTimeout(this.#retryTimer);
    this.#become('stopped');
  }

  /** Sends a frame if frames flow; `false` means that the caller has to keep it. */
  send(frame: FromDesk): boolean {
    // A socket that closes throws nothing and drops what it is given, before it says so by `onclose`.
    if (this.#link !== 'live' || this.#socket?.readyState !== SOCKET_OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /** Drops the socket and says hello anew: what came cannot be joined to what we have. */
  restart(): void {
    if (this.#link === 'live') this.#lost();
  }

  /** The machine woke up, or the network is back: try now instead of later. */
  nudge(): void {
    if (this.#link === 'live') this.#ping();
    else if (this.#link === 'reconnecting' && this.#socket === null && this.#retryTimer !== undefined) {
      clearTimeout(this.#retryTimer);
      void this.#retry();
    }
  }

  #dial(): void {
    const socket = this.#wiring.open();
    this.#socket = socket;
    this.#deadlineTimer = setTimeout(() => this.#lost(), CONNECT_DEADLINE_MS);
    socket.onopen = () => socket.send(JSON.stringify(this.#wiring.hello()));
    socket.onclose = () => {
      if (this.#socket === socket) this.#lost();
    };
    socket.onmessage = (event) => {
      if (this.#socket === socket) this.#receive(event.data);
    };
  }

  #receive(data: unknown): void {
    const frame = parse(data);
    if (frame === null) return;
    if (frame.t === 'state' && this.#link !== 'live') {
      clearTimeout(this.#deadlineTimer);
      this.#tries = 0;
      this.#become('live');
      this.#pingTimer = setInterval(() => this.#ping(), PING_EVERY_MS);
    }
    let roundTripMs = 0;
    if (frame.t === 'pong') {
      const sentAt = this.#pingSentAt.get(frame.n);
      this.#pingSentAt.delete(frame.n);
      if (this.#pingSentAt.size === 0) clearTimeout(this.#deadlineTimer);
      if (sentAt === undefined) return;
      roundTripMs = performance.now() - sentAt;
    }
    this.#wiring.onFrame(frame, roundTripMs);
    if (frame.t === 'state') this.#ping();
  }

  #ping(): void {
    if (this.#link !== 'live' || this.#pingSentAt.size > 0) return;
    const n = ++this.#pings;
    // One that closes may take a while to say so: there is nothing to wait for.
    if (!this.send({ t: 'ping', n })) return this.#lost();
    this.#pingSentAt.set(n, performance.now());
    this.#deadlineTimer = setTimeout(() => this.#lost(), PONG_DEADLINE_MS);
  }

  #lost(): void {
    this.#drop();
    if (this.#link === 'stopped' || this.#link === 'signed_out') return;
    this.#become('reconnecting');
    this.#retryLater();
  }

  #retryLater(): void {
    const pause = backoffMs(this.#tries, (this.#wiring.random ?? Math.random)());
    this.#tries += 1;
    this.#retryTimer = setTimeout(() => void this.#retry(), pause);
  }

  async #retry(): Promise<void> {
    this.#retryTimer = undefined;
    const answer = await this.#wiring.authorise();
    if (this.#link !== 'reconnecting' || this.#socket !== null) return;
    if (answer === 'out') this.#become('signed_out');
    else if (answer === 'in') this.#dial();
    else this.#retryLater();
  }

  #drop(): void {
    clearTimeout(this.#deadlineTimer);
    clearInterval(this.#pingTimer);
    this.#pingSentAt.clear();
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #become(link: Link): void {
    if (this.#link === link) return;
    this.#link = link;
    this.#wiring.onLink(link);
  }
}

type Timer = ReturnType<typeof setTimeout> | undefined;

/** The pause before try number `tries` (from 0): doubling, capped, and spread so that not all desks come at once. */
export function backoffMs(tries: number, random: number): number {
  const whole = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** Math.min(tries, 10));
  return Math.max(BACKOFF_MS_MIN, Math.round(whole * (0.5 + random / 2)));
}

/** A frame, or `null` for what is none: a later gateway may send kinds that we do not know. */
function parse(data: unknown): ToDesk | null {
  if (typeof data !== 'string') return null;
  try {
    const frame = JSON.parse(data) as ToDesk | null;
    return typeof frame === 'object' && frame !== null && typeof frame.t === 'string' ? frame : null;
  } catch {
    return null;
  }
}
