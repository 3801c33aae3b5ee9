/** A guest's own order: how far it is. Pure. */

import { CONNECTING, reduceConnection } from '../app/connection.js';

/** @typedef {import('../../types/query.js').components['schemas']['OrderView']} OrderView */
/** @typedef {import('../../types/query.js').components['schemas']['OrderWait']} OrderWait */
/** @typedef {'placed' | 'preparing' | 'ready' | 'served'} Step */

/**
 * @typedef {object} OrderState
 * @property {import('../app/connection.js').Connection} connection
 * @property {OrderView | null} order
 * @property {OrderWait | null} wait how long it will take; null if that is not known now
 * @property {number} now server's milliseconds
 * @property {boolean} hasSettings
 */

/**
 * @typedef {{type: 'order', order: OrderView}
 *   | {type: 'wait', wait: OrderWait | null}
 *   | import('../app/connection.js').ConnectionEvent
 *   | {type: 'tick', now: number}
 *   | {type: 'settings'}} OrderEvent
 */

/** @type {readonly Step[]} */
export const STEPS = ['placed', 'preparing', 'ready', 'served'];

/** @type {OrderState} */
export const UNKNOWN = { connection: CONNECTING, order: null, wait: null, now: 0, hasSettings: false };

/** @param {OrderState} state @param {OrderEvent} event @returns {OrderState} */
export function reduce(state, event) {
  switch (event.type) {
    case 'order':
      return isOlder(event.order, state.order) ? state : { ...state, order: event.order };
    case 'wait':
      return { ...state, wait: event.wait };
    case 'connection':
      return { ...state, connection: reduceConnection(state.connection, event.status) };
    case 'tick':
      return { ...state, now: event.now };
    case 'settings':
      return { ...state, hasSettings: !state.hasSettings };
    default:
      throw new Error(`unknown event ${JSON.stringify(/** @type {never} */ (event))}`);
  }
}

/**
 * Whether the order or one of its tickets is at an earlier version than what is shown.
 *
 * @param {OrderView} order
 * @param {OrderView | null} shown
 */
function isOlder(order, shown) {
  if (!shown) return false;
  const known = new Map(shown.rounds.map((round) => [round.round, round.ticket?.version ?? 0]));
  const isTicketOlder = order.rounds.some(({ round, ticket }) => (ticket?.version ?? 0) < (known.get(round) ?? 0));
  return order.version < shown.version || isTicketOlder || order.rounds.length < shown.rounds.length;
}

/** How far it is: the index of its step, or -1 if it is cancelled. @param {OrderView} order */
export function stepOf(order) {
  switch (order.status) {
    case 'cancelled':
      return -1;
    case 'closed':
    case 'served':
      return 3;
    case 'ready':
      return 2;
    case 'preparing':
      return 1;
    default:
      return 0; // placed, cancelling, and what a later release adds
  }
}

/** Whether the kitchen has something of it still to make. @param {OrderView | null} order */
export const isAwaited = (order) => order !== null && [0, 1].includes(stepOf(order)) && order.status !== 'cancelling';

const STEP_MIN = 5;

/**
 * In how many minutes it will be ready, in steps of five since nobody knows it better.
 *
 * @param {OrderWait | null} wait
 * @param {number} now
 * @returns {{from: number, to: number} | null} null if that is not known; `from` 0: at any time
 */
export function minutesLeft(wait, now) {
  if (!wait?.ready_from || !wait.ready_until || !now) return null;
  const from = Math.max(0, (Date.parse(wait.ready_from) - now) / 60_000);
  const to = Math.max(1, (Date.parse(wait.ready_until) - now) / 60_000);
  return { from: Math.floor(from / STEP_MIN) * STEP_MIN, to: Math.ceil(to / STEP_MIN) * STEP_MIN };
}

/** Whether it has just become ready. @param {OrderState} before @param {OrderState} after */
export const isCall = (before, after) =>
  before.order !== null && before.order.status !== 'ready' && after.order?.status === 'ready';
