/** Forms of a date in headers (RFC 9110, 5.6.7): the one that is written, and the two that are obsolete. */
const FORMS = [
  /^[A-Z][a-z]{2}, (?<day>\d{2}) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<clock>\d{2}:\d{2}:\d{2}) GMT$/,
  /^[A-Z][a-z]+day, (?<day>\d{2})-(?<month>[A-Z][a-z]{2})-(?<year>\d{2}) (?<clock>\d{2}:\d{2}:\d{2}) GMT$/,
  /^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) {1,2}(?<day>\d{1,2}) (?<clock>\d{2}:\d{2}:\d{2}) (?<year>\d{4})$/,
];

/** Ms since the epoch of a date as a header has it; undefined for what is none, which is as if it were not told. */
export function httpTime(text: string): number | undefined {
  for (const form of FORMS) {
    const { day, month, year = '', clock } = form.exec(text)?.groups ?? {};
    if (day === undefined) continue;
    const century = year.length === 4 ? '' : Number(year) >= 69 ? '19' : '20';
    const time = Date.parse(`${day} ${month} ${century}${year} ${clock} GMT`);
    return Number.isNaN(time) ? undefined : time;
  }
  return undefined;
}
