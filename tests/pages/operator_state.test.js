/** The operator's state: what is old is never shown as fresh, and what was not done is said. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EMPTY, STALE_MS, reduce, stateOf } from '../../services/pages/site/operator/state.js';

/** @typedef {import('../../services/pages/site/operator/state.js').OperatorEvent} OperatorEvent */

const STATUS = { service: 'query', status: 'ready', components: {}, consumers: [], dead_letters: 2 };
const LETTER = { number: 1, since: null, stream: 'ORDERS', sequence: 1, subject: 's', reason: 'r' };

/** @param {...OperatorEvent} events */
const after = (...events) => events.reduce(reduce, EMPTY);

test('a service that does not answer is not shown as ready', () => {
  const { services } = after({ type: 'status', service: 'query', status: STATUS, at: 1_000 }, { type: 'trouble', service: 'query', code: 'no-answer' });

  assert.equal(stateOf(services.query, 1_000 + STALE_MS), 'ready');
  assert.equal(stateOf(services.query, 1_001 + STALE_MS), 'unknown');
  assert.equal(stateOf(services.serving, 0), 'unknown');
});

test('what was done leaves the list, and what was not is said beside it', () => {
  const state = after(
    { type: 'letters', service: 'ordering', letters: [LETTER, { ...LETTER, number: 2 }], next: null, isMore: false },
    { type: 'choose-all' },
    { type: 'outcomes', service: 'ordering', what: 'replay', outcomes: [{ number: 1, is_done: true, reason: null }, { number: 2, is_done: false, reason: 'still unreadable' }] },
  );

  assert.deepEqual(state.services.ordering.letters.map(({ number }) => number), [2]);
  assert.deepEqual([state.services.ordering.undone, state.chosen], [{ 2: 'still unreadable' }, [2]]);
});

test('an event that is released is parked no more, and one behind it is not forgotten', () => {
  const event = { number: 7, since: '2026-11-27T12:00:00Z', subject: 'orders.v1.r.o.placed', reason: 'too large' };
  const asked = after(
    { type: 'parked', events: [event, { ...event, number: 9 }] },
    { type: 'ask', asked: { service: 'ordering', what: 'release', numbers: [7, 9] } },
    { type: 'busy' },
  );
  const state = reduce(asked, { type: 'released', numbers: [7, 8] });

  assert.deepEqual([state.parked.map(({ number }) => number), state.asked, state.isBusy], [[9], null, false]);
});
