// Notices on the screen: the latest few, the same news once.

import type { Notice, Posted } from './news';
import type { FaultCode } from './wire';

/** Notices on the screen at once. */
export const NOTICES_MAX = 4;

/** Error frames after which nothing has to be done. */
const PASSING: ReadonlySet<string> = new Set<FaultCode>([
  'not_settled_yet',
  'history_unavailable',
  'too_fast',
  'too_many_at_once',
]);

export class Notices {
  all = $state.raw<readonly Posted[]>([]);
  #posted = 0;

  post(notice: Notice): void {
    // The same news again takes the place of the old.
    const same = JSON.stringify(notice);
    const others = this.all.filter((posted) => JSON.stringify(posted.notice) !== same);
    this.all = [...others, { n: ++this.#posted, notice, stays: stays(notice) }].slice(-NOTICES_MAX);
  }

  dismiss(n: number): void {
    this.all = this.all.filter((posted) => posted.n !== n);
  }
}

function stays(notice: Notice): boolean {
  if (notice.is === 'error') return !PASSING.has(notice.code);
  if (notice.is === 'promise' || notice.is === 'remedy_refused') return true;
  return notice.is === 'refused' || notice.is === 'files_stay' || notice.is === 'too_long';
}
