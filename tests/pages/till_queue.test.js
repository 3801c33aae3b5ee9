/** The queue of a till, which all tabs of a browser share. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Queue } from '../../services/pages/site/till/queue.js';

/** As a browser's localStorage is. @returns {any} */
function aStorage() {
  /** @type {Map<string, string>} */
  const kept = new Map();
  return {
    get length() {
      return kept.size;
    },
    key: (/** @type {number} */ at) => [...kept.keys()][at] ?? null,
    getItem: (/** @type {string} */ name) => kept.get(name) ?? null,
    setItem: (/** @type {string} */ name, /** @type {string} */ value) => void kept.set(name, value),
    removeItem: (/** @type {string} */ name) => void kept.delete(name),
  };
}

/** One holds the lock at a time, as in a browser. @returns {any} */
function locks() {
  let last = Promise.resolve();
  return {
    request(/** @type {string} */ _, /** @type {() => Promise<any>} */ send) {
      const turn = last.then(send);
      last = turn.catch(() => {});
      return turn;
    },
  };
}

/** @param {string} key @param {any} [fields] @returns {any} */
const intent = (key, fields) => ({ key, at: 1, state: 'waiting', lines: [], ...fields });

test('what two tabs keep is kept, whichever writes last', () => {
  const storage = aStorage();
  const [one, other] = [new Queue('la-piazza', { storage }), new Queue('la-piazza', { storage })];

  one.keep([], [intent('a', { at: 2 })]);
  other.keep([], [intent('b', { at: 1 })]);

  assert.deepEqual(one.all().map(({ key }) => key), ['b', 'a']);
  other.keep([intent('b')], []);
  assert.deepEqual(one.all().map(({ key }) => key), ['a']);
});

test('it is of one restaurant alone', () => {
  const storage = aStorage();
  new Queue('la-piazza', { storage }).keep([], [intent('a')]);

  assert.deepEqual(new Queue('bar', { storage }).all(), []);
  assert.equal(new Queue('bar', { storage }).heard({ key: 'comanda.till.la-piazza.intent.a', newValue: '{}' }), null);
});

test('what was being sent when its tab went is to be sent', () => {
  const queue = new Queue('la-piazza', { storage: aStorage() });

  queue.keep([], [intent('a', { state: 'sending' }), intent('b', { state: 'done' })]);

  assert.deepEqual(queue.all().map(({ state }) => state), ['waiting', 'done']);
});

test('of two tabs that want to send it one does', async () => {
  const [storage, shared] = [aStorage(), locks()];
  const tabs = [0, 1].map(() => new Queue('la-piazza', { storage, locks: shared }));
  tabs[0]?.keep([], [intent('a')]);
  let sent = 0;

  await Promise.all(
    tabs.map((queue) =>
      queue.exclusively(async () => {
        const waiting = queue.read('a');
        if (waiting?.state !== 'waiting') return;
        await new Promise((done) => setTimeout(done, 1));
        sent += 1;
        queue.keep([waiting], [{ ...waiting, state: 'done' }]);
      }),
    ),
  );

  assert.equal(sent, 1);
});
