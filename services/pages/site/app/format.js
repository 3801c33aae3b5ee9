/** Money, times and durations in the restaurant's words. */

/** @typedef {{restaurant: string, name: string, currency: string, time_zone: string}} Place */

/**
 * @param {string} locale such as `it-IT`
 * @param {Pick<Place, 'currency' | 'time_zone'>} place
 */
export function formats(locale, { currency, time_zone: timeZone }) {
  const money = new Intl.NumberFormat(locale, { style: 'currency', currency });
  const minorUnits = 10 ** (money.resolvedOptions().maximumFractionDigits ?? 2);
  const time = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', timeZone });
  const day = new Intl.DateTimeFormat(locale, { weekday: 'short', day: 'numeric', month: 'short', timeZone });
  const number = new Intl.NumberFormat(locale);
  return {
    /** Of minor units. @param {number} minor */
    money: (minor) => money.format(minor / minorUnits),
    minorUnits,
    /** The hour and minute there. @param {number | string} at */
    time: (at) => time.format(new Date(at)),
    /** @param {number | string} at */
    day: (at) => day.format(new Date(at)),
    /** @param {number} value */
    number: (value) => number.format(value),
  };
}

/** Whole minutes from one time to another, never below 0. @param {string} from @param {number} nowMs */
export function minutesSince(from, nowMs) {
  return Math.max(0, Math.floor((nowMs - Date.parse(from)) / 60_000));
}

/** `4:07`, or `1 h 04` from an hour on. @param {string} from @param {number} nowMs */
export function ageOf(from, nowMs) {
  const seconds = Math.max(0, Math.floor((nowMs - Date.parse(from)) / 1000));
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60];
  if (minutes < 60) return `${minutes}:${String(rest).padStart(2, '0')}`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')}`;
}
