/** The operator's state: what is old is never shown as fresh, and what was not done is said. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EMPTY, STALE_MS, TASKS, jobOf, progressOf, reduce, stateOf, taskWithConsent } from '../../services/pages/site/operator/state.js';

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

/** @param {any} fields @returns {any} */
const job = (fields) => ({ number: 1, kind: 'audit', state: 'running', consent: null, messages: 0, messages_total: null, ...fields });

test('a job that was begun is the first, once', () => {
  const begun = after({ type: 'jobs', jobs: [job({})] }, { type: 'begun', job: job({ number: 2 }) }, { type: 'begun', job: job({ number: 2, state: 'done' }) });

  assert.deepEqual(begun.jobs.map(({ number, state }) => [number, state]), [[2, 'done'], [1, 'running']]);
  assert.equal(begun.asked, null);
});

test('what a job may destroy is asked for again, and only with that number', () => {
  const failed = job({ kind: 'rebuild', state: 'failed', consent: 12 });

  assert.equal(taskWithConsent(failed), 'rebuild');
  assert.deepEqual(jobOf('rebuild', 12), { kind: 'rebuild', yes_really: 12 });
  assert.deepEqual([taskWithConsent(job({})), taskWithConsent(job({ consent: 3 }))], [null, 'repair']);
  assert.equal(TASKS.map((task) => jobOf(task, 0).kind).filter((kind) => kind === 'audit').length, 2);
});

test('how far a job is is said where that is known alone', () => {
  assert.equal(progressOf(job({ messages: 5, messages_total: 20 })), 0.25);
  assert.equal(progressOf(job({ messages: 5 })), null);
  assert.equal(progressOf(job({ state: 'done', messages: 5, messages_total: 20 })), null);
});
