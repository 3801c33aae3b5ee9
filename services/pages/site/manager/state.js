/** The manager's state: the menu as it is, what is being edited, and sales. Pure. */

import { CONNECTING, reduceConnection } from '../app/connection.js';

/** @typedef {import('../../types/query.js').components['schemas']['MenuItem']} Item */
/** @typedef {import('../../types/query.js').components['schemas']['Menu']} Menu */
/** @typedef {{revenue: number, orders: number, average_basket: number | null, waiting: {ready: Waiting, served: Waiting}}} Figures */
/** @typedef {{count: number, p50: number | null, p90: number | null, p95: number | null, p99: number | null}} Waiting */
/** @typedef {{key: string, label: string, value: number}} Bar */
/** @typedef {{totals: Figures, hours: (Figures & {day: string, hour: string})[], days: (Figures & {day: string})[], items: {sku: string, name: string, quantity: number, revenue: number}[], channels: (Figures & {channel: string})[], asOf: string}} Sales */

/**
 * An item as it is typed. `sku` of a new one is made of its name until it is typed itself.
 *
 * @typedef {object} Form
 * @property {boolean} isNew
 * @property {string} sku
 * @property {string} name
 * @property {string} category
 * @property {string} price as typed, in the major unit
 * @property {number} [version] of the item when its form was opened, which nobody may have changed since
 * @property {Record<string, string>} errors by field; `''` for the whole
 * @property {boolean} isBusy
 */

/** @typedef {'menu' | 'day' | 'week' | 'restaurant'} Tab */
/** @typedef {{name: string, currency: string, time_zone: string, day_begins: string}} Place */
/** @typedef {{key: string, word: string, values: Record<string, string>}} Notice */

/**
 * @typedef {object} Manager
 * @property {import('../app/connection.js').Connection} connection
 * @property {Tab} tab
 * @property {Item[]} items
 * @property {Record<string, true>} pending skus whose change is on its way
 * @property {string} search
 * @property {Form | null} form
 * @property {Place | null} place as it is typed
 * @property {Record<string, string>} placeErrors
 * @property {boolean} placeIsBusy
 * @property {Partial<Record<'day' | 'week', Sales>>} sales
 * @property {string | null} salesError
 * @property {string} day business day that is shown
 * @property {'no' | 'asked' | 'busy'} closing of the business day
 * @property {boolean} settings whether they are open
 * @property {{word: string, values: Record<string, string>} | null} notice
 * @property {number} now server's milliseconds
 */

/**
 * @typedef {import('../app/connection.js').ConnectionEvent
 *   | {type: 'menu', menu: Menu}
 *   | {type: 'item', item: Item}
 *   | {type: 'tab', tab: Tab}
 *   | {type: 'search', search: string}
 *   | {type: 'edit', form: Form | null}
 *   | {type: 'type', fields: Partial<Form>}
 *   | {type: 'sent', sku: string}
 *   | {type: 'done', sku: string, item: Item | null}
 *   | {type: 'failed', sku: string, errors: Record<string, string>}
 *   | {type: 'place', place: Place}
 *   | {type: 'type-place', fields: Partial<Place>}
 *   | {type: 'place-sent'}
 *   | {type: 'place-done'}
 *   | {type: 'place-failed', errors: Record<string, string>}
 *   | {type: 'sales', span: 'day' | 'week', day: string, sales: Sales}
 *   | {type: 'sales-failed', code: string}
 *   | {type: 'day', day: string}
 *   | {type: 'closing', closing: Manager['closing']}
 *   | {type: 'closed', day: string}
 *   | {type: 'closing-failed', why: string}
 *   | {type: 'settings', open: boolean}
 *   | {type: 'tick', now: number}
 *   | {type: 'quiet'}} ManagerEvent
 */

/** @type {Manager} */
export const EMPTY = {
  connection: CONNECTING,
  tab: 'day',
  items: [],
  pending: {},
  search: '',
  form: null,
  place: null,
  placeErrors: {},
  placeIsBusy: false,
  sales: {},
  salesError: null,
  day: '',
  closing: 'no',
  settings: false,
  notice: null,
  now: 0,
};

/** @param {Manager} state @param {ManagerEvent} event @returns {Manager} */
export function reduce(state, event) {
  switch (event.type) {
    case 'connection':
      return { ...state, connection: reduceConnection(state.connection, event.status) };
    case 'menu':
      return { ...state, items: merged(state.items, event.menu.items) };
    case 'item':
      return { ...state, items: withItem(state.items, event.item) };
    case 'tab':
      return { ...state, tab: event.tab, form: null };
    case 'search':
      return { ...state, search: event.search };
    case 'edit':
      return { ...state, form: event.form };
    case 'type':
      return state.form ? { ...state, form: typed(state.form, event.fields) } : state;
    case 'sent': {
      const form = state.form?.sku === event.sku ? { ...state.form, isBusy: true, errors: {} } : state.form;
      return { ...state, form, pending: { ...state.pending, [event.sku]: true } };
    }
    case 'done': {
      const items = event.item ? withItem(state.items, event.item) : state.items.filter(({ sku }) => sku !== event.sku);
      const form = state.form?.sku === event.sku ? null : state.form;
      const name = event.item?.name ?? state.items.find(({ sku }) => sku === event.sku)?.name ?? event.sku;
      const word = event.item ? 'saved' : 'withdrawn';
      return { ...without(state, event.sku), items, form, notice: { word, values: { name } } };
    }
    case 'failed': {
      if (state.form?.sku === event.sku) return { ...without(state, event.sku), form: { ...state.form, isBusy: false, errors: event.errors } };
      return { ...without(state, event.sku), notice: { word: 'failed', values: { why: Object.values(event.errors)[0] ?? '' } } };
    }
    case 'place':
      return state.place ? state : { ...state, place: event.place };
    case 'type-place':
      return state.place ? { ...state, place: { ...state.place, ...event.fields }, placeErrors: {} } : state;
    case 'place-sent':
      return { ...state, placeIsBusy: true, placeErrors: {} };
    case 'place-done':
      return { ...state, placeIsBusy: false, notice: { word: 'saved', values: { name: state.place?.name ?? '' } } };
    case 'place-failed':
      return { ...state, placeIsBusy: false, placeErrors: event.errors };
    case 'sales':
      if (event.day !== state.day) return state;
      return { ...state, sales: { ...state.sales, [event.span]: event.sales }, salesError: null };
    case 'sales-failed':
      return { ...state, salesError: event.code };
    case 'day':
      return event.day === state.day ? state : { ...state, day: event.day, sales: {} };
    case 'closing':
      return { ...state, closing: event.closing };
    case 'closed':
      return { ...state, closing: 'no', notice: { word: 'closing.done', values: { day: event.day } } };
    case 'closing-failed':
      return { ...state, closing: 'no', notice: { word: 'failed', values: { why: event.why } } };
    case 'settings':
      return { ...state, settings: event.open };
    case 'tick':
      return { ...state, now: event.now };
    case 'quiet':
      return { ...state, notice: null };
    default:
      throw new Error(`unknown event ${JSON.stringify(/** @type {never} */ (event))}`);
  }
}

/** @param {Manager} state @param {string} sku @returns {Manager} */
function without(state, sku) {
  const { [sku]: _, ...pending } = state.pending;
  return { ...state, pending };
}

/** The menu as it is told, but for what an answer has told since. @param {Item[]} known @param {Item[]} told */
function merged(known, told) {
  const versions = new Map(known.map((item) => [item.sku, item]));
  return told.map((item) => {
    const had = versions.get(item.sku);
    return had && had.version > item.version ? had : item;
  });
}

/** @param {Item[]} items @param {Item} item */
function withItem(items, item) {
  const known = items.find(({ sku }) => sku === item.sku);
  if (known && known.version >= item.version) return items;
  return [...items.filter(({ sku }) => sku !== item.sku), item];
}

/** @param {Form} form @param {Partial<Form>} fields @returns {Form} */
function typed(form, fields) {
  const after = { ...form, ...fields };
  const isOwn = fields.sku !== undefined || form.sku !== skuOf(form.name);
  const errors = Object.fromEntries(Object.entries(form.errors).filter(([field]) => field !== '' && !(field in fields)));
  return { ...after, sku: form.isNew && !isOwn ? skuOf(after.name) : after.sku, errors };
}

/** `quattro-formaggi` of `Quattro formaggi`. @param {string} name */
export const skuOf = (name) =>
  name.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-+|-+$/g, '').slice(0, 60);

/**
 * What is typed, in minor units; null if it is no price. A comma is as good as a point.
 *
 * @param {string} text
 * @param {number} minorUnits in one
 */
export function minorOf(text, minorUnits) {
  const plain = text.trim().replace(',', '.');
  const digits = Math.round(Math.log10(minorUnits));
  const pattern = digits ? new RegExp(`^\\d{1,7}(\\.\\d{1,${digits}})?$`) : /^\d{1,8}$/;
  return pattern.test(plain) ? Math.round(Number(plain) * minorUnits) : null;
}

/** As it is typed. @param {number} minor @param {number} minorUnits */
export const typedPrice = (minor, minorUnits) => (minor / minorUnits).toFixed(Math.round(Math.log10(minorUnits)));

/** @param {Manager} state @returns {[string, Item[]][]} */
export function byCategory(state) {
  const words = state.search.toLowerCase().split(' ').filter(Boolean);
  const found = state.items.filter(({ name, sku, category }) => words.every((word) => `${name} ${sku} ${category}`.toLowerCase().includes(word)));
  /** @type {Map<string, Item[]>} */
  const groups = new Map();
  for (const item of found.sort((a, b) => a.name.localeCompare(b.name))) {
    groups.set(item.category, [...(groups.get(item.category) ?? []), item]);
  }
  return [...groups].sort(([a], [b]) => a.localeCompare(b));
}

/**
 * The business day at a time, by the hour at which it begins: what the clock on the wall says, so
 * that a night in which it is put forward or back begins at that hour too.
 *
 * @param {number} atMs
 * @param {string | undefined} timeZone
 * @param {string} dayBegins `HH:MM`
 */
export function businessDay(atMs, timeZone, dayBegins) {
  const at = new Date(atMs);
  const day = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(at);
  const time = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(at);
  return time < dayBegins ? dayAfter(day, -1) : day;
}

/** @param {string} day @param {number} by days */
export function dayAfter(day, by) {
  const at = new Date(`${day}T12:00:00Z`);
  at.setUTCDate(at.getUTCDate() + by);
  return at.toISOString().slice(0, 10);
}
