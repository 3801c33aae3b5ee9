/** A guest's own order: how far it is. Pure. */

import { CONNECTING, reduceConnection } from '../app/connection.js';

/** @typedef {import('../../types/query.js').components['schemas']['OrderView']} OrderView */
/** @typedef {'placed' | 'preparing' | 'ready' | 'served'} Step */

/**
 * @typedef {object} OrderState
 * @property {import('../app/connection.js').Connection} connection
 * @property {OrderView | null} order
 * @property {number} now server's milliseconds
 * @property {boolean} hasSettings
 */

/**
 * @typedef {{type: 'order', order: OrderView}
 *   | import('../app/connection.js').ConnectionEvent
 *   | {type: 'tick', now: number}
 *   | {type: 'settings'}} OrderEvent
 */

/** @type {readonly Step[]} */
export const STEPS = ['placed', 'preparing', 'ready', 'served'];

/** @type {OrderState} */
export const UNKNOWN = { connection: CONNECTING, order: null, now: 0, hasSettings: false };

/** @param {OrderState} state @param {OrderEvent} event @returns {OrderState} */
export function reduce(state, event) {
  switch (event.type) {
    case 'order':
      return isOlder(event.order, state.order) ? state : { ...state, order: event.order };
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

/** Whether it has just become ready. @param {OrderState} before @param {OrderState} after */
export const isCall = (before, after) =>
  before.order !== null && before.order.status !== 'ready' && after.order?.status === 'ready';
