/** The board's state: what is being prepared and what is ready, and what has just become so. Pure. */

import { CONNECTING, reduceConnection } from '../app/connection.js';

/** @typedef {import('../../types/query.js').components['schemas']['Board']} BoardView */
/** @typedef {import('../../types/query.js').components['schemas']['PreparedOrder']} PreparedOrder */
/** @typedef {import('../../types/query.js').components['schemas']['ReadyOrder']} ReadyOrder */

/**
 * @typedef {object} BoardState
 * @property {import('../app/connection.js').Connection} connection
 * @property {PreparedOrder[]} preparing
 * @property {ReadyOrder[]} ready
 * @property {Record<string, number>} called since when an order's number is enlarged, by its id
 * @property {number} now server's milliseconds
 * @property {boolean} hasSettings whether the settings are open
 */

/**
 * @typedef {{type: 'board', board: BoardView, isFirst: boolean}
 *   | import('../app/connection.js').ConnectionEvent
 *   | {type: 'tick', now: number}
 *   | {type: 'settings'}} BoardEvent
 */

export const CALLED_S = 12; // for which a number that is ready is enlarged
export const CLEARED_MIN = 15; // after which a number that nobody fetches is shown no more
const RANGE = 0.25; // of an estimate, to either side
const RANGE_MIN = 2;
const STEP_MIN = 5;

/** @type {BoardState} */
export const EMPTY = { connection: CONNECTING, preparing: [], ready: [], called: {}, now: 0, hasSettings: false };

/** @param {BoardState} state @param {BoardEvent} event @returns {BoardState} */
export function reduce(state, event) {
  switch (event.type) {
    case 'board': {
      const { preparing, ready } = event.board;
      const were = new Set(state.ready.map((order) => order.order_id));
      const fresh = event.isFirst ? [] : ready.filter((order) => !were.has(order.order_id));
      const still = Object.entries(state.called).filter(([id]) => ready.some((order) => order.order_id === id));
      const called = Object.fromEntries([...still, ...fresh.map((order) => [order.order_id, state.now])]);
      return { ...state, preparing, ready, called };
    }
    case 'connection':
      return { ...state, connection: reduceConnection(state.connection, event.status) };
    case 'tick': {
      const isOver = Object.values(state.called).some((since) => event.now - since > CALLED_S * 1000);
      const still = Object.entries(state.called).filter(([, since]) => event.now - since <= CALLED_S * 1000);
      return { ...state, now: event.now, called: isOver ? Object.fromEntries(still) : state.called };
    }
    case 'settings':
      return { ...state, hasSettings: !state.hasSettings };
    default:
      throw new Error(`unknown event ${JSON.stringify(/** @type {never} */ (event))}`);
  }
}

/** What is ready and worth being shown, the latest first: a number that nobody fetched goes by itself. @param {BoardState} state */
export function shownReady(state) {
  return state.ready
    .filter(({ ready_at: at }) => !at || state.now - Date.parse(at) < CLEARED_MIN * 60_000)
    .sort((a, b) => (Date.parse(b.ready_at ?? '') || 0) - (Date.parse(a.ready_at ?? '') || 0));
}

/**
 * The estimate as a range of minutes from now, since nobody knows it better.
 *
 * @param {string | null | undefined} estimate
 * @param {number} now
 * @returns {{from: number, to: number} | null} null if it is not known, or was for now
 */
export function range(estimate, now) {
  if (!estimate || !now) return null;
  const minutes = (Date.parse(estimate) - now) / 60_000;
  if (minutes < 1) return null;
  const spread = Math.max(RANGE_MIN, minutes * RANGE);
  if (minutes < STEP_MIN) return { from: 1, to: STEP_MIN };
  const from = Math.max(1, Math.floor((minutes - spread) / STEP_MIN) * STEP_MIN);
  return { from, to: Math.max(from + STEP_MIN, Math.ceil((minutes + spread) / STEP_MIN) * STEP_MIN) };
}

/** Whether a number was called just now, and so is to be heard. @param {BoardState} before @param {BoardState} after */
export const isCall = (before, after) => Object.keys(after.called).some((id) => !(id in before.called));
