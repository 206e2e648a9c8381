/** When a schedule is due: minutes of UTC, as cron has them. */
interface Schedule {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
  /** Where both are bound, a day that is in either counts. */
  readonly dayBound: boolean;
  readonly weekdayBound: boolean;
}

const NAMED: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** The rarest day there is comes after eight years at most: February 29 around a century's turn. */
const MOST_DAYS = 366 * 9;

/** Five fields (minute, hour, day of the month, month, day of the week) with lists, ranges, steps and names, or `@daily` and its kin; undefined for what is none. */
export function parseSchedule(text: string): Schedule | undefined {
  const fields = (NAMED[text.trim().toLowerCase()] ?? text).trim().toLowerCase().split(/\s+/);
  if (fields.length !== 5) return undefined;
  const [minute, hour, day, month, weekday] = fields as [string, string, string, string, string];
  const minutes = valuesOf(minute, 0, 59);
  const hours = valuesOf(hour, 0, 23);
  const days = valuesOf(day, 1, 31);
  const months = valuesOf(month, 1, 12, MONTHS);
  const weekdays = valuesOf(weekday, 0, 7, WEEKDAYS);
  if (!minutes || !hours || !days || !months || !weekdays) return undefined;
  // Sunday has two numbers.
  if (weekdays.has(7)) weekdays.add(0);
  const schedule = {
    ...{ minutes, hours, days, months, weekdays },
    ...{ dayBound: !day.startsWith('*'), weekdayBound: !weekday.startsWith('*') },
  };
  return nextTime(schedule, 0) === undefined ? undefined : schedule;
}

function valuesOf(field: string, least: number, most: number, names: readonly string[] = []): Set<number> | undefined {
  const number = (text: string) => {
    const named = names.indexOf(text);
    if (named >= 0) return named + (least === 1 ? 1 : 0);
    return /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  };
  const values = new Set<number>();
  for (const part of field.split(',')) {
    const [, range, step] = /^([^/]+)(?:\/(\d{1,2}))?$/.exec(part) ?? [];
    if (range === undefined) return undefined;
    const [from, to, ...more] = range === '*' ? [String(least), String(most)] : range.split('-');
    const first = number(from ?? '');
    const last = to === undefined ? (step === undefined ? first : most) : number(to);
    const every = step === undefined ? 1 : Number(step);
    if (more.length > 0 || !(first >= least && last <= most && first <= last) || every < 1) return undefined;
    for (let value = first; value <= last; value += every) values.add(value);
  }
  return values;
}

/** The first time after `after`; both in milliseconds since the epoch. Undefined for one that never comes. */
export function nextTime(schedule: Schedule, after: number): number | undefined {
  const from = (Math.floor(after / MINUTE_MS) + 1) * MINUTE_MS;
  for (let day = Math.floor(from / DAY_MS) * DAY_MS, n = 0; n < MOST_DAYS; day += DAY_MS, n++) {
    if (!isDay(schedule, day)) continue;
    for (const at of timesOf(schedule, day)) if (at >= from) return at;
  }
  return undefined;
}

/** The last time at `until` or before it, and after `after`. */
export function lastTime(schedule: Schedule, after: number, until: number): number | undefined {
  for (
    let day = Math.floor(until / DAY_MS) * DAY_MS, n = 0;
    day + DAY_MS > after && n < MOST_DAYS;
    day -= DAY_MS, n++
  ) {
    if (!isDay(schedule, day)) continue;
    const found = timesOf(schedule, day).findLast((at) => at <= until);
    if (found !== undefined) return found > after ? found : undefined;
  }
  return undefined;
}

function isDay({ days, months, weekdays, dayBound, weekdayBound }: Schedule, day: number): boolean {
  const date = new Date(day);
  if (!months.has(date.getUTCMonth() + 1)) return false;
  const inMonth = days.has(date.getUTCDate());
  const inWeek = weekdays.has(date.getUTCDay());
  return dayBound && weekdayBound ? inMonth || inWeek : inMonth && inWeek;
}

function timesOf({ hours, minutes }: Schedule, day: number): number[] {
  const times: number[] = [];
  for (const hour of [...hours].sort((a, b) => a - b))
    for (const minute of [...minutes].sort((a, b) => a - b)) times.push(day + (hour * 60 + minute) * MINUTE_MS);
  return times;
}
