/** A feed that loses its connection: what it asks for, and what it says of itself. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ServerClock } from '../../services/pages/site/app/clock.js';
import { Feed } from '../../services/pages/site/app/feed.js';

const SNAPSHOT = 'retry: 10\nevent: snapshot\ndata: {"tickets":[]}\nid: 7\n\n';

/** @param {string | string[]} parts @param {boolean} [stays] @returns {Response} */
function streaming(parts, stays = false) {
  const body = new ReadableStream({
    start(controller) {
      for (const part of [parts].flat()) controller.enqueue(new TextEncoder().encode(part));
      if (!stays) controller.close();
    },
  });
  return new Response(body, { headers: { date: new Date().toUTCString() } });
}

/** Follows answers one after another; the last one closes it. @param {((request: any) => Response)[]} answers */
async function followed(answers) {
  /** @type {any[]} */
  const [requests, told] = [[], []];
  const feed = new Feed('/feed', {
    token: 'secret',
    clock: new ServerClock(),
    random: () => 0,
    onEvent: (name, data) => told.push([name, data]),
    onStatus(status) {
      told.push(status.live ? 'live' : 'over' in status ? status.over : 'away');
      if (!status.live) queueMicrotask(() => feed.wake());
    },
    fetch: async (/** @type {any} */ _, /** @type {any} */ request) => {
      requests.push(request.headers);
      const answer = answers[requests.length - 1];
      if (!answer) {
        feed.close();
        throw new TypeError('no network');
      }
      return answer(request);
    },
  });
  const waking = setInterval(() => feed.wake(), 20);
  await feed.run();
  clearInterval(waking);
  return { requests, told };
}

test('it sends the token, and after a loss the id of what it had last', async () => {
  const { requests } = await followed([() => streaming(SNAPSHOT), () => streaming(SNAPSHOT)]);

  assert.equal(requests[0].Authorization, 'Bearer secret');
  assert.equal(requests[0]['Last-Event-ID'], undefined);
  assert.equal(requests[1]['Last-Event-ID'], '7');
});

test('what the page takes for passing does not end it', async () => {
  const requests = [];
  const unknown = () => Response.json({ code: 'unknown-order' }, { status: 404 });
  const feed = new Feed('/feed', {
    token: 'secret',
    clock: new ServerClock(),
    random: () => 0,
    isPassing: (code) => code === 'unknown-order' && requests.length < 2,
    onEvent() {},
    onStatus: (status) => 'over' in status || queueMicrotask(() => feed.wake()),
    fetch: async () => (requests.push(1), unknown()),
  });
  const waking = setInterval(() => feed.wake(), 20);

  await feed.run();

  clearInterval(waking);
  assert.equal(requests.length, 2);
});

test('heartbeats alone are not live: the store may be away', async () => {
  const { told } = await followed([() => streaming(': ping\n: ping\n')]);

  assert.deepEqual(told, ['away']);
});

test('it is live from the first event to the loss', async () => {
  const { told } = await followed([() => streaming(SNAPSHOT)]);

  assert.deepEqual(told, [['snapshot', { tickets: [] }], 'live', 'away']);
});

test('silence after it came back is asked about: a snapshot is no news, silence no store', async () => {
  const { requests, told } = await followed([
    () => streaming(SNAPSHOT),
    (request) => {
      const silent = streaming(': ping\n', true);
      request.signal.addEventListener('abort', () => silent.body?.cancel().catch(() => {}));
      const reader = new ReadableStream({
        start: (controller) => request.signal.addEventListener('abort', () => controller.error(new Error('aborted'))),
      });
      return new Response(reader);
    },
    () => streaming(SNAPSHOT),
  ]);

  assert.equal(requests[1]['Last-Event-ID'], '7');
  assert.equal(requests[2]['Last-Event-ID'], undefined);
  assert.deepEqual(told.filter((/** @type {any} */ each) => each === 'live').length, 2);
});

test('an end that says why is for good, and so is a refusal', async () => {
  const withdrawn = await followed([() => streaming(`${SNAPSHOT}event: end\ndata: {"reason":"withdrawn"}\n\n`)]);
  const refused = await followed([() => new Response('{"code":"forbidden"}', { status: 403 })]);

  assert.equal(withdrawn.told.at(-1), 'withdrawn');
  assert.deepEqual(refused.told, ['forbidden']);
});

test('a service that is not there yet is come back to', async () => {
  const { requests, told } = await followed([
    () => new Response('', { status: 502 }),
    () => new Response('{"code":"too-many-requests"}', { status: 429 }),
    () => streaming(SNAPSHOT),
  ]);

  assert.equal(requests.length, 4);
  assert.ok(told.includes('live'));
});

test('a device that slept is not up to date when it wakes, though no counter of it went on', async (context) => {
  /** @param {any} request */
  const open = (request) => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(SNAPSHOT));
        request.signal.addEventListener('abort', () => controller.error(new Error('aborted')));
        setTimeout(() => context.mock.method(Date, 'now', () => new Date().getTime() + 3_600_000), 100);
      },
    });
    return new Response(body);
  };

  const { requests, told } = await followed([open, () => streaming(SNAPSHOT)]);

  assert.deepEqual(told.slice(0, 3), [['snapshot', { tickets: [] }], 'live', 'away']);
  assert.equal(requests[1]['Last-Event-ID'], undefined);
});
