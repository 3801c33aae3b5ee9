/** The kitchen's state: tickets by their highest version, and what is on the screen. Pure. */

import { CONNECTING, reduceConnection } from '../app/connection.js';
import { minutesSince } from '../app/format.js';

/** @typedef {import('../../types/serving.js').components['schemas']['Ticket']} Ticket */
/** @typedef {'start' | 'ready' | 'serve' | 'recall'} Move */
/** @typedef {'kitchen' | 'pass'} View */
/** @typedef {'all-day' | 'recall' | 'settings' | null} Panel */
/** @typedef {{key: string, move: Move, number: string}} Done */

/**
 * @typedef {object} Kitchen
 * @property {import('../app/connection.js').Connection} connection
 * @property {Record<string, Ticket>} tickets those that are on the screen, by order and round
 * @property {Record<string, Ticket>} gone those that left it last, the oldest first
 * @property {Record<string, string[]>} struck dishes of a ticket that are crossed off here
 * @property {Record<string, Move>} pending moves that were sent and not answered yet
 * @property {Done | null} done the last move made here, which can be undone
 * @property {{word: string, number: string} | null} notice what went wrong with the last one
 * @property {View} view
 * @property {Panel} panel
 * @property {number} page
 * @property {number} slots cards on a page
 * @property {string | null} selected
 * @property {string | null} highlight sku whose cards stand out
 * @property {number} now server's milliseconds
 */

/**
 * @typedef {{type: 'snapshot', tickets: Ticket[]}
 *   | {type: 'ticket', ticket: Ticket}
 *   | import('../app/connection.js').ConnectionEvent
 *   | {type: 'tick', now: number}
 *   | {type: 'strike', key: string, dish: string}
 *   | {type: 'sent', key: string, move: Move}
 *   | {type: 'moved', key: string, move: Move, ticket: Ticket, isUndo?: boolean}
 *   | {type: 'refused', key: string, code: string, ticket?: Ticket | undefined}
 *   | {type: 'dismiss', key: string}
 *   | {type: 'view', view: View}
 *   | {type: 'panel', panel: Panel}
 *   | {type: 'page', page: number}
 *   | {type: 'slots', slots: number}
 *   | {type: 'select', key: string | null}
 *   | {type: 'highlight', sku: string | null}
 *   | {type: 'quiet'}} KitchenEvent
 */

export const RECALL_MAX = 50;
export const RECALL_MIN = 15;
export const GONE_MAX = 100; // of which the last are offered for recall

/** @type {Kitchen} */
export const CLOSED = {
  connection: CONNECTING,
  tickets: {},
  gone: {},
  struck: {},
  pending: {},
  done: null,
  notice: null,
  view: 'kitchen',
  panel: null,
  page: 0,
  slots: 8,
  selected: null,
  highlight: null,
  now: 0,
};

/** @param {Pick<Ticket, 'order_id' | 'round'>} ticket */
export const keyOf = (ticket) => `${ticket.order_id}/${ticket.round}`;

/** @param {Kitchen} state @param {KitchenEvent} event @returns {Kitchen} */
export function reduce(state, event) {
  switch (event.type) {
    case 'snapshot':
      return settled(snapshot(state, event.tickets));
    case 'ticket':
      return settled(merge(state, event.ticket));
    case 'connection':
      return { ...state, connection: reduceConnection(state.connection, event.status) };
    case 'tick':
      return { ...state, now: event.now };
    case 'strike':
      return { ...state, struck: toggled(state.struck, event.key, event.dish) };
    case 'sent':
      return { ...state, pending: { ...state.pending, [event.key]: event.move }, notice: null };
    case 'moved': {
      const number = event.ticket.number;
      const done = event.isUndo ? null : { key: event.key, move: event.move, number };
      const after = merge(without(state, 'pending', event.key), event.ticket);
      return settled({ ...after, done, notice: null });
    }
    case 'refused': {
      const number = (event.ticket ?? find(state, event.key))?.number ?? '';
      const after = without(state, 'pending', event.key);
      const merged = event.ticket ? merge(after, event.ticket) : after;
      return settled({ ...merged, notice: { word: event.code, number } });
    }
    case 'dismiss':
      return settled(leave(state, event.key));
    case 'view':
      return settled({ ...state, view: event.view, page: 0, selected: null });
    case 'panel':
      return { ...state, panel: event.panel, highlight: event.panel ? state.highlight : null };
    case 'page':
      return settled({ ...state, page: event.page, selected: null });
    case 'slots':
      return settled({ ...state, slots: Math.max(1, event.slots) });
    case 'select':
      return event.key === null ? { ...state, selected: null } : onPageOf(state, event.key);
    case 'highlight':
      return { ...state, highlight: event.sku === state.highlight ? null : event.sku };
    case 'quiet':
      return { ...state, done: null, notice: null };
    default:
      throw new Error(`unknown event ${JSON.stringify(/** @type {never} */ (event))}`);
  }
}

/** The state of the highest version stays, in whatever order they come. @param {Kitchen} state @param {Ticket} ticket @returns {Kitchen} */
function merge(state, ticket) {
  const key = keyOf(ticket);
  if (!isNews(state.tickets[key], state.gone[key], ticket)) return state;
  if (hasLeft(ticket)) return leave({ ...state, tickets: { ...state.tickets, [key]: ticket } }, key);
  const gone = key in state.gone ? without(state, 'gone', key).gone : state.gone;
  return { ...state, gone, tickets: { ...state.tickets, [key]: ticket } };
}

/** It was carried away, or given up as the day was closed. @param {Ticket} ticket */
const hasLeft = ({ status }) => status === 'served' || status === 'abandoned';

/**
 * Whether a ticket is newer than what is known of it. One that left without an end, as a snapshot
 * lacked it, may come back as it was.
 *
 * @param {Ticket | undefined} shown
 * @param {Ticket | undefined} gone
 * @param {Ticket} ticket
 */
function isNews(shown, gone, ticket) {
  if (shown) return ticket.version > shown.version;
  if (!gone) return true;
  const hasEnded = hasLeft(gone) || gone.status === 'voided';
  return hasEnded ? ticket.version > gone.version : ticket.version >= gone.version;
}

/**
 * What the queue is now. What is not in it has left it, but for what is struck through until a cook
 * has seen it.
 *
 * @param {Kitchen} state
 * @param {Ticket[]} tickets
 */
function snapshot(state, tickets) {
  const queue = new Set(tickets.map(keyOf));
  let after = state;
  for (const [key, ticket] of Object.entries(state.tickets)) {
    if (!queue.has(key) && ticket.status !== 'voided') after = leave(after, key);
  }
  // one pass, not a copy a ticket: a queue may hold hundreds
  const found = { ...after.tickets };
  const gone = { ...after.gone };
  for (const ticket of tickets) {
    const key = keyOf(ticket);
    if (!isNews(found[key], gone[key], ticket)) continue;
    delete gone[key];
    found[key] = ticket;
  }
  return { ...after, tickets: found, gone };
}

/** It is on the screen no more; the last of those are kept, for recall. @param {Kitchen} state @param {string} key @returns {Kitchen} */
function leave(state, key) {
  const ticket = state.tickets[key];
  if (!ticket) return state;
  const gone = { ...state.gone };
  delete gone[key];
  gone[key] = ticket;
  const [oldest, ...others] = Object.keys(gone);
  if (oldest !== undefined && others.length >= GONE_MAX) delete gone[oldest];
  return { ...without(without(without(state, 'tickets', key), 'struck', key), 'pending', key), gone };
}

/** @param {Kitchen} state @param {string} key */
export const find = (state, key) => state.tickets[key] ?? state.gone[key];

/** @param {Kitchen} state @param {'tickets' | 'gone' | 'struck' | 'pending'} part @param {string} key @returns {Kitchen} */
function without(state, part, key) {
  if (!(key in state[part])) return state;
  const { [key]: _, ...rest } = /** @type {Record<string, any>} */ (state[part]);
  return { ...state, [part]: rest };
}

/** The page and the selection are among what there is. @param {Kitchen} state @returns {Kitchen} */
function settled(state) {
  const shown = cards(state);
  const page = Math.min(Math.max(0, state.page), Math.max(0, Math.ceil(shown.length / state.slots) - 1));
  const isThere = shown.some((ticket) => keyOf(ticket) === state.selected);
  return { ...state, page, selected: isThere ? state.selected : null };
}

/** @param {Kitchen} state @param {string} key @returns {Kitchen} */
function onPageOf(state, key) {
  const at = cards(state).findIndex((ticket) => keyOf(ticket) === key);
  return at < 0 ? state : { ...state, selected: key, page: Math.floor(at / state.slots) };
}

/** @param {Record<string, string[]>} struck @param {string} key @param {string} dish */
function toggled(struck, key, dish) {
  const before = struck[key] ?? [];
  const after = before.includes(dish) ? before.filter((each) => each !== dish) : [...before, dish];
  return { ...struck, [key]: after };
}

/**
 * The cards of the view, in their order: the oldest first; on the pass what is ready first.
 *
 * @param {Kitchen} state
 * @returns {Ticket[]}
 */
export function cards(state) {
  const all = Object.values(state.tickets);
  const isShown = state.view === 'kitchen' ? (/** @type {Ticket} */ each) => each.status !== 'ready' : isForPass;
  return all.filter(isShown).sort(state.view === 'kitchen' ? byAge : byReadiness);
}

/** @param {Ticket} ticket */
const isForPass = (ticket) => ticket.status === 'ready' || ticket.status === 'preparing';

/** @param {Ticket} a @param {Ticket} b */
const byAge = (a, b) =>
  compare(a.ordered_at, b.ordered_at) || compare(a.number, b.number) || compare(a.order_id, b.order_id) || a.round - b.round;

/** @param {Ticket} a @param {Ticket} b */
const byReadiness = (a, b) => Number(b.status === 'ready') - Number(a.status === 'ready') || byAge(a, b);

/** @param {string} a @param {string} b */
const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

/** How many there are to cook, and to carry. @param {Kitchen} state */
export function counts(state) {
  let [cooking, ready] = [0, 0];
  for (const ticket of Object.values(state.tickets)) {
    if (ticket.status === 'ready') ready += 1;
    else if (ticket.status !== 'voided') cooking += 1;
  }
  return { cooking, ready };
}

/**
 * A ticket's dishes: identical ones, with the same note, together.
 *
 * @param {Ticket} ticket
 * @returns {{dish: string, sku: string, name: string, note: string | null, quantity: number}[]}
 */
export function dishes(ticket) {
  /** @type {Map<string, {dish: string, sku: string, name: string, note: string | null, quantity: number}>} */
  const together = new Map();
  for (const { sku, name, note, quantity } of ticket.lines) {
    const dish = JSON.stringify([sku, name, note ?? null]);
    const known = together.get(dish);
    if (known) known.quantity += quantity;
    else together.set(dish, { dish, sku, name, note: note ?? null, quantity });
  }
  return [...together.values()];
}

/**
 * How many of each dish are still to be made, over all tickets: the most first.
 *
 * @param {Kitchen} state
 * @returns {{sku: string, name: string, quantity: number}[]}
 */
export function allDay(state) {
  /** @type {Map<string, {sku: string, name: string, quantity: number}>} */
  const sums = new Map();
  for (const [key, ticket] of Object.entries(state.tickets)) {
    if (ticket.status === 'ready' || ticket.status === 'voided') continue;
    for (const { dish, sku, name, quantity } of dishes(ticket)) {
      if (state.struck[key]?.includes(dish)) continue;
      const sum = sums.get(sku) ?? { sku, name, quantity: 0 };
      sum.quantity += quantity;
      sums.set(sku, sum);
    }
  }
  return [...sums.values()].sort((a, b) => b.quantity - a.quantity || compare(a.name, b.name));
}

/**
 * What can be called back: the last 50 that were ready within 15 minutes, the latest first.
 *
 * @param {Kitchen} state
 * @returns {Ticket[]}
 */
export function recallable(state) {
  const since = state.now - RECALL_MIN * 60_000;
  const onPass = Object.values(state.tickets).filter((ticket) => ticket.status === 'ready');
  const carried = Object.values(state.gone).filter((ticket) => ticket.status === 'served');
  return [...onPass, ...carried]
    .filter((ticket) => lastChange(ticket) >= since)
    .sort((a, b) => lastChange(b) - lastChange(a))
    .slice(0, RECALL_MAX);
}

/** @param {Ticket} ticket */
const lastChange = (ticket) => Date.parse(ticket.served_at ?? ticket.ready_at ?? ticket.ordered_at);

/**
 * How late a ticket is, by the server's clock.
 *
 * @param {Ticket} ticket
 * @param {number} now
 * @param {{amberAfterMin: number, redAfterMin: number}} settings
 * @returns {'fresh' | 'amber' | 'red'}
 */
export function lateness(ticket, now, { amberAfterMin, redAfterMin }) {
  const minutes = minutesSince(ticket.ordered_at, now);
  if (minutes >= redAfterMin) return 'red';
  return minutes >= amberAfterMin ? 'amber' : 'fresh';
}

/** Whether it came back from the pass. @param {Ticket} ticket */
export const isRecalled = (ticket) => ticket.status === 'preparing' && Boolean(ticket.ready_at);

/** What a bump does to it; null if there is nothing to be done. @param {Ticket} ticket @param {View} view @returns {Move | 'dismiss' | null} */
export function bumpOf(ticket, view) {
  switch (ticket.status) {
    case 'queued':
    case 'preparing':
      return view === 'kitchen' ? 'ready' : null;
    case 'ready':
      return 'serve';
    case 'voided':
      return 'dismiss';
    default:
      return null; // of a later release
  }
}

/**
 * The sound for what came from the kitchen's feed; null for none.
 *
 * @param {Kitchen} before
 * @param {Kitchen} after
 * @param {KitchenEvent} event
 * @returns {import('../app/chime.js').Chime | null}
 */
export function chimeOf(before, after, event) {
  if (event.type !== 'ticket') return null;
  const key = keyOf(event.ticket);
  const [was, is] = [before.tickets[key], after.tickets[key]];
  if (!is || was?.version === is.version) return null;
  if (is.status === 'voided') return 'voided';
  if (!was && is.status === 'queued') return 'new';
  if (is.status === 'ready' && was?.status !== 'ready') return 'ready';
  if (was?.status === 'ready' && is.status === 'preparing') return 'changed';
  return null;
}
