// When a contact that is laid aside may come back.

const HOUR_MS = 3_600_000;
/** When a morning begins, by the browser's clock. */
const MORNING_HOUR = 9;

export interface SnoozeChoice {
  is: 'hour' | 'hours' | 'tomorrow' | 'monday';
  until: number;
}

/** The morning so many days ahead; the calendar knows how long those days are. */
function morning(now: number, days: number): number {
  const day = new Date(now);
  day.setDate(day.getDate() + days);
  day.setHours(MORNING_HOUR, 0, 0, 0);
  return day.getTime();
}

/** In an hour, in four, tomorrow morning, on Monday morning: in order, and none twice. */
export function snoozeChoices(now: number): SnoozeChoice[] {
  const toMonday = (8 - new Date(now).getDay()) % 7 || 7;
  const all: SnoozeChoice[] = [
    { is: 'hour', until: now + HOUR_MS },
    { is: 'hours', until: now + 4 * HOUR_MS },
    { is: 'tomorrow', until: morning(now, 1) },
    { is: 'monday', until: morning(now, toMonday) },
  ];
  return all.filter((choice, i) => all.findIndex((other) => other.until === choice.until) === i);
}
