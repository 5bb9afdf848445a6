// The server's clock as seen from here, so that countdowns are right on a machine whose clock is off.

/** Samples of the server's clock that are kept to choose the best from. */
const SAMPLES_MAX = 8;
/** How often the screen's sense of now moves on, ms. */
const TICK_MS = 500;

interface Sample {
  offsetMs: number;
  roundTripMs: number;
}

export class ServerClock {
  /** The server's time, moving on twice a second: what countdowns on the screen read. */
  now = $state(0);
  #offsetMs = 0;
  #samples: Sample[] = [];
  readonly #local: () => number;

  constructor(local: () => number = Date.now) {
    this.#local = local;
    this.now = local();
  }

  /** Takes the server's time from an answer that took `roundTripMs`; the quickest of the last answers is believed. */
  learn(serverNow: number, roundTripMs: number): void {
    const offsetMs = serverNow + roundTripMs / 2 - this.#local();
    const previous = this.#samples.at(-1);
    // A step of the local clock makes all old samples wrong.
    if (previous && Math.abs(previous.offsetMs - offsetMs) > 2_000 + roundTripMs) this.#samples = [];
    this.#samples.push({ offsetMs, roundTripMs });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
    this.#offsetMs = this.#samples.reduce((a, b) => (b.roundTripMs <= a.roundTripMs ? b : a)).offsetMs;
    this.tick();
  }

  /** Takes the server's time without knowing how long it travelled: better than nothing, until an answer comes. */
  guess(serverNow: number): void {
    if (this.#samples.length === 0) this.#offsetMs = serverNow - this.#local();
    this.tick();
  }

  /** The server's time at this instant. */
  exact(): number {
    return Math.round(this.#local() + this.#offsetMs);
  }

  tick(): void {
    this.now = this.exact();
  }

  /** Moves `now` on until the returned function is called. */
  run(): () => void {
    const timer = setInterval(() => this.tick(), TICK_MS);
    return () => clearInterval(timer);
  }
}

/** Whole seconds until `until`, never negative; the last second reads 1 until it is over. */
export function secondsLeft(until: number, now: number): number {
  return Math.max(0, Math.ceil((until - now) / 1000));
}

/** `4:05`, or `1:02:09` past an hour. */
export function asClock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const two = (n: number) => String(n).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
