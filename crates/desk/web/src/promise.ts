// Times to promise by, as a `datetime-local` input has them: in the agent's own time zone.

/** So many days from now at this hour; an hour that is past already is meant for the next day. */
export function at(now: number, days: number, hour: number): string {
  const day = new Date(now);
  day.setDate(day.getDate() + days);
  day.setHours(hour, 0, 0, 0);
  if (day.getTime() <= now) day.setDate(day.getDate() + 1);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}T${two(day.getHours())}:${two(day.getMinutes())}`;
}
