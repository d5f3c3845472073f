import { InvalidArgumentError } from "commander";

const FORM = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?) ?(Z|[+-]\d\d(?::?\d\d)?)$/i;

/**
 * Reads a moment such as `2026-11-23 09:00:00+00`. The offset must be there: an hour's difference
 * would restore other data.
 *
 * @throws InvalidArgumentError
 */
export function parseMoment(text: string): Date {
  const [, day, time, zone] = FORM.exec(text.trim()) ?? [];
  if (day === undefined || time === undefined || zone === undefined)
    throw new InvalidArgumentError(
      "Expected a date, a time and the offset from UTC, such as '2026-11-23 09:00:00+00'.",
    );
  const offset = /^z$/i.test(zone)
    ? "Z"
    : zone.replace(/^([+-]\d\d):?(\d\d)?$/, "$1:$2").replace(/:$/, ":00");
  const moment = new Date(`${day}T${time}${offset}`);
  if (Number.isNaN(moment.getTime()))
    throw new InvalidArgumentError(`There is no such moment: ${text}.`);
  // February 30 would become March 2.
  const local = new Date(`${day}T00:00:00Z`);
  if (local.toISOString().slice(0, 10) !== day)
    throw new InvalidArgumentError(`There is no such day: ${day}.`);
  return moment;
}
