/** Money, times and durations in the restaurant's words. */

/** @typedef {{restaurant: string, name: string, currency: string | null, time_zone: string | undefined}} Place */

/**
 * Digits of minor units by ISO 4217, of currencies that don't have two. A browser's own answer is
 * what people pay with: without the fillér that a price in forint is counted in.
 *
 * @type {Record<string, number>}
 */
const MINOR_DIGITS = {
  ...Object.fromEntries('BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'.split(' ').map((each) => [each, 0])),
  ...Object.fromEntries('BHD IQD JOD KWD LYD OMR TND'.split(' ').map((each) => [each, 3])),
  ...Object.fromEntries('CLF UYW'.split(' ').map((each) => [each, 4])),
};
const UNKNOWN_MONEY = '…';

/** A restaurant of which nothing is known yet: no amount is shown in a guessed currency. @param {string} slug @returns {Place} */
export const unknownPlace = (slug) => ({ restaurant: slug, name: slug, currency: null, time_zone: undefined });

/**
 * @param {string} locale such as `it-IT`
 * @param {Pick<Place, 'currency' | 'time_zone'>} place
 */
export function formats(locale, { currency, time_zone: timeZone }) {
  const digits = currency === null ? 2 : (MINOR_DIGITS[currency] ?? 2);
  const minorUnits = 10 ** digits;
  const fractions = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  const money = currency === null ? null : new Intl.NumberFormat(locale, { style: 'currency', currency, ...fractions });
  const time = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', timeZone });
  const day = new Intl.DateTimeFormat(locale, { weekday: 'short', day: 'numeric', month: 'short', timeZone });
  const number = new Intl.NumberFormat(locale);
  return {
    /** Of minor units. @param {number} minor */
    money: (minor) => money?.format(minor / minorUnits) ?? UNKNOWN_MONEY,
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
