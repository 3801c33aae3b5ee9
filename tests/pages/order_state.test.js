/** A guest's order: how far it is, and how long it takes. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { UNKNOWN, isAwaited, minutesLeft, reduce } from '../../services/pages/site/order/state.js';

const NOW = Date.parse('2026-11-27T12:00:30Z');

/** @param {string | null} from @param {string | null} until @returns {any} */
const wait = (from, until) => ({ order_id: 'a', position: 2, ready_from: from, ready_until: until });

/** @param {string} status @param {any} [fields] @returns {any} */
const order = (status, fields = {}) => ({ order_id: 'a', version: 1, status, rounds: [], ...fields });

test('the time left is a range in steps of five minutes', () => {
  assert.deepEqual(minutesLeft(wait('2026-11-27T12:13:00Z', '2026-11-27T12:21:00Z'), NOW), { from: 10, to: 25 });
});

test('it may be ready at any time, and is never said to be late', () => {
  const within = { from: 0, to: 5 };

  assert.deepEqual(minutesLeft(wait('2026-11-27T12:02:00Z', '2026-11-27T12:04:00Z'), NOW), within);
  assert.deepEqual(minutesLeft(wait('2026-11-27T11:50:00Z', '2026-11-27T11:58:00Z'), NOW), within);
});

test('what is not known is not guessed', () => {
  assert.equal(minutesLeft(wait(null, null), NOW), null);
  assert.equal(minutesLeft(null, NOW), null);
});

test('only what the kitchen has still to make is waited for', () => {
  const statuses = ['placed', 'preparing', 'ready', 'served', 'closed', 'cancelling', 'cancelled'];

  assert.deepEqual(statuses.filter((each) => isAwaited(order(each))), ['placed', 'preparing']);
  assert.equal(isAwaited(null), false);
});

test('an older order changes nothing', () => {
  const after = reduce(UNKNOWN, { type: 'order', order: order('preparing', { version: 3 }) });

  assert.equal(reduce(after, { type: 'order', order: order('placed', { version: 2 }) }), after);
});
