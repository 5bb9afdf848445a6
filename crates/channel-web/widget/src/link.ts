// The line to the server: it comes back by itself, and it notices when the other side only seems to be there.

import { type FromServer, read, type ToServer } from "./frames";
import {
  BACKOFF_FIRST_MS,
  BACKOFF_MAX_MS,
  CONNECT_WITHIN_MS,
  PING_EVERY_MS,
  PONG_WITHIN_MS,
  STEADY_AFTER_MS,
} from "./limits";

export interface Ends {
  opened(): void;
  heard(frame: FromServer): void;
  lost(): void;
}

/** The pause before try `n` (0 is the first): it doubles, and chance keeps a crowd from coming back as one. */
export function pauseMs(n: number, chance: number): number {
  const most = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(n, 16));
  return most / 2 + (most / 2) * chance;
}

type Timer = ReturnType<typeof setTimeout>;

export class Link {
  private socket: WebSocket | null = null;
  private tries = 0;
  private wanted = false;
  private openedAt = 0;
  private n = 0;
  private retry: Timer | undefined;
  private ping: Timer | undefined;
  private death: Timer | undefined;

  constructor(
    private readonly url: string,
    private readonly ends: Ends,
  ) {}

  start(): void {
    this.wanted = true;
    if (!this.socket && this.retry === undefined) this.connect();
  }

  /** Ends it until it is started again. */
  stop(): void {
    this.wanted = false;
    this.drop();
  }

  /** Whether the frame went out; a frame that did not is not kept here. */
  send(frame: ToServer): boolean {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  /** Gives the present line up and takes another. */
  again(): void {
    this.drop();
  }

  /** The network is back or the page is looked at again: do not wait for the timer. */
  wake(): void {
    if (!this.wanted) return;
    if (this.socket) {
      if (this.socket.readyState === WebSocket.OPEN) this.sendPing();
    } else {
      this.connect();
    }
  }

  private connect(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    let socket: WebSocket;
    try {
      socket = new WebSocket(this.url);
    } catch {
      this.later();
      return;
    }
    this.socket = socket;
    this.death = setTimeout(() => this.drop(), CONNECT_WITHIN_MS);
    socket.onopen = () => {
      this.openedAt = Date.now();
      this.alive();
      this.ends.opened();
    };
    socket.onmessage = (event) => {
      this.alive();
      const frame = read(event.data);
      if (frame) this.ends.heard(frame);
    };
    socket.onclose = () => this.drop();
  }

  /** Anything heard is a sign of life. */
  private alive(): void {
    clearTimeout(this.death);
    this.death = undefined;
    clearTimeout(this.ping);
    this.ping = setTimeout(() => this.sendPing(), PING_EVERY_MS);
  }

  private sendPing(): void {
    clearTimeout(this.ping);
    this.send({ t: "ping", n: ++this.n });
    this.death ??= setTimeout(() => this.drop(), PONG_WITHIN_MS);
  }

  private drop(): void {
    const socket = this.socket;
    clearTimeout(this.ping);
    clearTimeout(this.death);
    this.death = undefined;
    if (socket) {
      this.socket = null;
      // A socket on a dead line may close minutes later: nobody listens to it any more.
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
      if (this.openedAt && Date.now() - this.openedAt >= STEADY_AFTER_MS) this.tries = 0;
      this.openedAt = 0;
      this.ends.lost();
    }
    if (this.wanted) return this.later();
    clearTimeout(this.retry);
    this.retry = undefined;
  }

  private later(): void {
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.connect(), pauseMs(this.tries++, Math.random()));
  }
}
