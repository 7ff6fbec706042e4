// Monday to Friday, 8:00 to 18:00 UTC.
const opens = 8;
const closes = 18;

/** The moment from which somebody answers: now, or the next opening. */
export function nextOpening(now: Date): Date {
  const at = new Date(now);
  const weekend = (day: Date) => day.getUTCDay() === 0 || day.getUTCDay() === 6;

  if (!weekend(at) && at.getUTCHours() >= opens && at.getUTCHours() < closes) return at;
  if (at.getUTCHours() >= opens) at.setUTCDate(at.getUTCDate() + 1);
  while (weekend(at)) at.setUTCDate(at.getUTCDate() + 1);
  at.setUTCHours(opens, 0, 0, 0);
  return at;
}
