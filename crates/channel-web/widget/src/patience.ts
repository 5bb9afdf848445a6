// A page may give a fresh identity as soon as one is refused. If none is believed, that must not go round without a pause.

import { pauseMs } from "./link";

export class Patience {
  private refusals = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  refused(): void {
    this.refusals++;
  }

  believed(): void {
    this.refusals = 0;
  }

  /** Does it at once, or after a pause that grows with every refusal in a row; the last that was asked for counts. */
  then(act: () => void): void {
    this.stop();
    if (this.refusals === 0) act();
    else this.timer = setTimeout(act, pauseMs(this.refusals - 1, Math.random()));
  }

  /** Forgets what waits. */
  stop(): void {
    clearTimeout(this.timer);
  }
}
