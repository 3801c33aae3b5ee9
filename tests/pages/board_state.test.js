/** The board's state, and a guest's order's. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EMPTY, isCall, range, reduce, shownReady } from '../../services/pages/site/board/state.js';
import { UNKNOWN, reduce as reduceOrder, isCall as isOrderCall, stepOf } from '../../services/pages/site/order/state.js';
import { chosenBy, shuffledTwice } from './shuffled.js';

const NOON_MS = Date.parse('2026-11-27T12:00:00Z');
/** @param {number} minutes */
const at = (minutes) => new Date(NOON_MS + minutes * 60_000).toISOString();

/** @param {string} id @param {number} [minutes] @returns {import('../../services/pages/site/board/state.js').ReadyOrder} */
const ready = (id, minutes = 0) => ({ order_id: id, number: id, channel: 'takeaway', table: null, placed_at: at(-10), ready_at: at(minutes), left_out: [] });

/** @param {...string} ids @returns {import('../../services/pages/site/board/state.js').BoardEvent} */
const board = (...ids) => ({ type: 'board', isFirst: false, board: { preparing: [], ready: ids.map((id) => ready(id)) } });

test('a number is called once when it becomes ready, for a while, and not when the page begins', () => {
  const began = reduce({ ...EMPTY, now: NOON_MS }, { type: 'board', isFirst: true, board: { preparing: [], ready: [ready('A-001')] } });
  const called = reduce(began, board('A-001', 'A-002'));
  const again = reduce(called, board('A-001', 'A-002'));
  const later = reduce(again, { type: 'tick', now: NOON_MS + 13_000 });

  assert.deepEqual(began.called, {});
  assert.deepEqual(Object.keys(called.called), ['A-002']);
  assert.equal(isCall(began, called), true);
  assert.equal(isCall(called, again), false);
  assert.deepEqual(later.called, {});
});

test('a number that nobody fetches goes by itself', () => {
  const state = { ...EMPTY, ready: [ready('old', 0), ready('new', 10)] };

  assert.deepEqual(shownReady({ ...state, now: NOON_MS + 12 * 60_000 }).map((order) => order.number), ['new', 'old']);
  assert.deepEqual(shownReady({ ...state, now: NOON_MS + 16 * 60_000 }).map((order) => order.number), ['new']);
});

test('an estimate is a range that holds it, wider the farther it is', () => {
  for (let minutes = 1; minutes < 120; minutes += 1) {
    const found = range(at(minutes), NOON_MS);

    assert.ok(found && found.from <= minutes && minutes <= found.to && found.from < found.to, String(minutes));
  }
  assert.deepEqual(range(at(22), NOON_MS), { from: 15, to: 30 });
  assert.equal(range(at(0.5), NOON_MS), null);
  assert.equal(range(null, NOON_MS), null);
});

/** @param {number} version @param {string} status @param {number} ticket @returns {any} */
const order = (version, status, ticket) => ({
  order_id: 'o', number: 'A-001', status, version, rounds: [{ round: 1, ticket: { status, version: ticket } }],
});

test('a guest sees the newest state of his order, whatever comes twice or late', () => {
  const states = [order(1, 'placed', 1), order(1, 'preparing', 2), order(1, 'ready', 3), order(2, 'served', 4)];
  for (let seed = 1; seed <= 100; seed += 1) {
    const shuffled = shuffledTwice(states, chosenBy(seed));

    const state = shuffled.reduce((before, each) => reduceOrder(before, { type: 'order', order: each }), UNKNOWN);

    assert.equal(state.order?.status, 'served');
  }
});

test('a guest hears once that his order is ready', () => {
  const cooking = reduceOrder(UNKNOWN, { type: 'order', order: order(1, 'preparing', 2) });
  const done = reduceOrder(cooking, { type: 'order', order: order(1, 'ready', 3) });

  assert.equal(isOrderCall(UNKNOWN, cooking), false);
  assert.equal(isOrderCall(cooking, done), true);
  assert.equal(isOrderCall(done, done), false);
  assert.equal(isOrderCall(UNKNOWN, done), false);
});

test('every status has its step, and one of a later release is a first one', () => {
  const steps = ['placed', 'cancelling', 'preparing', 'ready', 'served', 'closed', 'cancelled', 'toasted'].map((status) => stepOf(order(1, status, 1)));

  assert.deepEqual(steps, [0, 0, 1, 2, 3, 3, -1, 0]);
});
