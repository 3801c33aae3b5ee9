/** The till's state: one intention is sent once, and nothing that was typed is lost. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EMPTY, LEFT_TO_OTHERS_MS, connectionOf, isSoldOut, nextToSend, offered, plan, reduce, takeaways, unseen } from '../../services/pages/site/till/state.js';
import { chosenBy, shuffledTwice } from './shuffled.js';

/** @typedef {import('../../services/pages/site/till/state.js').Till} Till */
/** @typedef {import('../../services/pages/site/till/state.js').TillEvent} TillEvent */
/** @typedef {import('../../services/pages/site/till/state.js').Order} Order */

const NOON = '2026-11-27T12:00:00Z';
const PIZZA = { sku: 'margherita', name: 'Margherita', category: 'Pizza', price: 850, available: true, version: 1 };
const COLA = { sku: 'cola', name: 'Cola', category: 'Drinks', price: 350, available: true, version: 1 };
const ROUND = { round: 1, lines: [], ordered_at: NOON, voided: false, total: 850, ticket: null };

/** @param {Partial<Order>} changed @returns {Order} */
const anOrder = (changed = {}) =>
  /** @type {Order} */ ({
    order_id: 'o1',
    number: 'A-001',
    channel: 'dine_in',
    table: '7',
    guests: 2,
    customer: null,
    phone: null,
    currency: 'EUR',
    status: 'placed',
    version: 1,
    placed_at: NOON,
    total: 850,
    rounds: [ROUND],
    timeline: [],
    ...changed,
  });

/** @param {number} version @param {string} status */
const aTicket = (version, status) => ({ status, version, started_at: null, ready_at: null, served_at: null });

/** @param {...TillEvent} events */
const after = (...events) => onto(EMPTY, ...events);
/** @param {Till} state @param {...TillEvent} events */
const onto = (state, ...events) => events.reduce(reduce, state);

/** @type {TillEvent} */
const MENU = { type: 'menu', menu: /** @type {any} */ ({ restaurant: 'r', items: [PIZZA, COLA] }) };
/** @type {TillEvent[]} */
const TYPED = [MENU, { type: 'open-table', table: '7' }, { type: 'add', item: /** @type {any} */ (PIZZA) }];

test('a double tap sends one order', () => {
  const state = after(...TYPED, { type: 'send', key: 'k1' }, { type: 'send', key: 'k2' });

  assert.deepEqual(state.intents.map(({ key, kind, state: at }) => [key, kind, at]), [['k1', 'place', 'waiting']]);
  assert.equal(state.draft, null);
});

test('what was typed is on the screen again after a reload, and what waits is sent', () => {
  const before = after(...TYPED, { type: 'send', key: 'k1' });
  const typing = onto(before, { type: 'open-takeaway' }, { type: 'party', party: { customer: 'Ada' } });

  const reloaded = after({ type: 'kept', kept: typing });

  assert.equal(nextToSend(reloaded, 'till-1')?.key, 'k1');
  assert.deepEqual(reloaded.draft, typing.draft);
  assert.equal(reloaded.screen, 'order');
});

test('a mark stays until the view has the version of the order', () => {
  const sent = after(...TYPED, { type: 'send', key: 'k' }, { type: 'done', key: 'k', orderId: 'o1', version: 2 });

  const old = onto(sent, { type: 'order', order: anOrder() });
  const there = onto(old, { type: 'order', order: anOrder({ version: 2 }) });

  assert.deepEqual([sent, old, there].map(({ intents }) => intents.length), [1, 1, 0]);
});

test('one is sent at a time, in the order in which they were touched', () => {
  const two = after(...TYPED, { type: 'send', key: 'k1' }, ...TYPED.slice(1), { type: 'send', key: 'k2' });
  const sending = onto(two, { type: 'sending', key: 'k1', by: 'till-1' });
  const away = onto(sending, { type: 'unanswered', key: 'k1' });

  assert.equal(nextToSend(two, 'till-1')?.key, 'k1');
  assert.equal(nextToSend(sending, 'till-1'), null);
  assert.equal(nextToSend(away, 'till-1')?.key, 'k1');
});

const SOLD_OUT = { code: 'cannot-order', errors: [{ field: 'lines.1.sku', detail: 'is sold out' }] };

test('a refusal stands beside the line that it is about, and what was typed is there again', () => {
  const state = after(...TYPED, { type: 'add', item: /** @type {any} */ (COLA) }, { type: 'send', key: 'k' }, { type: 'refused', key: 'k', problem: SOLD_OUT });

  assert.deepEqual(state.draft?.lineErrors, { 1: SOLD_OUT.code });
  assert.deepEqual(state.draft?.lines.map(({ sku }) => sku), ['margherita', 'cola']);
  assert.deepEqual(state.draft?.party, { table: '7', guests: 2 });
  assert.deepEqual([state.screen, state.intents.length], ['order', 0]);
});

test('a refusal takes nothing away that is being typed, and can be taken up later', () => {
  const typing = after(...TYPED, { type: 'send', key: 'k' }, { type: 'open-takeaway' }, { type: 'add', item: /** @type {any} */ (COLA) });

  const refused = onto(typing, { type: 'refused', key: 'k', problem: SOLD_OUT });
  const taken = onto(refused, { type: 'edit', key: 'k' });

  assert.deepEqual(refused.draft, typing.draft);
  assert.equal(nextToSend(refused, 'till-1'), null);
  assert.deepEqual([taken.draft?.lines.map(({ sku }) => sku), taken.intents.length], [['margherita'], 0]);
});

test('the kitchen’s answer to a cancellation is told', () => {
  const asked = anOrder({ version: 2, status: 'cancelling' });
  const entry = { at: NOON, event: 'cancellation-refused', source: 'ordering', round: null, version: 3, actor: null, reason: null };
  /** @param {Partial<Order>} answer */
  const told = (answer) => after({ type: 'order', order: asked }, { type: 'order', order: anOrder({ version: 3, ...answer }) }).notice?.word;

  assert.equal(told({ status: 'cancelled' }), 'answer.cancelled');
  assert.equal(told({ status: 'preparing', timeline: [entry] }), 'answer.refused');
  assert.equal(told({ status: 'preparing', timeline: [entry], rounds: [{ ...ROUND, voided: true }] }), 'answer.partly');
  assert.equal(told({ status: 'preparing', rounds: [{ ...ROUND, voided: true }] }), 'answer.items');
});

test('whatever comes twice or late, the tables are the same', () => {
  for (let seed = 1; seed <= 100; seed += 1) {
    const random = chosenBy(seed);
    const events = ['queued', 'preparing', 'ready', 'served'].flatMap((status, at) =>
      ['7', '8', null].map((table) => /** @type {TillEvent} */ ({
        type: 'order',
        order: anOrder({ order_id: `o${table}`, table, rounds: [{ ...ROUND, ticket: aTicket(at + 1, status) }], status: /** @type {any} */ (status === 'queued' ? 'placed' : status) }),
      })));

    /** @param {Till} state */
    const seen = (state) => [plan(state), takeaways(state)];

    assert.deepEqual(seen(after(...shuffledTwice(events, random))), seen(after(...events)), `seed ${seed}`);
  }
});

test('what is sold out is said of lines that were typed before', () => {
  const state = after(...TYPED, { type: 'menu', menu: /** @type {any} */ ({ restaurant: 'r', items: [{ ...PIZZA, available: false }, COLA] }) });

  assert.equal(isSoldOut(state, 'margherita'), true);
  assert.equal(isSoldOut(state, 'cola'), false);
  assert.equal(onto(state, { type: 'add', item: /** @type {any} */ ({ ...PIZZA, available: false }) }).draft?.lines.length, 1);
});

test('a search finds words whatever their case and accents', () => {
  const cafe = { ...COLA, sku: 'caffe', name: 'Caffè Latte' };
  const state = after({ type: 'menu', menu: /** @type {any} */ ({ restaurant: 'r', items: [PIZZA, cafe] }) }, { type: 'search', search: 'LATTE caffe' });

  assert.deepEqual(offered(state).map(({ sku }) => sku), ['caffe']);
});

test('tables are in their natural order, those without a place on the plan too', () => {
  const state = after({ type: 'tables', count: 2 }, { type: 'order', order: anOrder({ table: '10' }) }, { type: 'order', order: anOrder({ order_id: 'o2', table: 'Bar' }) });

  assert.deepEqual(plan(state).map(({ table }) => table), ['1', '2', '10', 'Bar']);
});

test('a menu that is not up to date is not shown as if it were', () => {
  const orders = after({ type: 'connection', status: { live: true } }, { type: 'menu-connection', status: { live: true } });
  const away = onto(orders, { type: 'menu-connection', status: { live: false, since: 7 } });

  assert.equal(connectionOf(orders).live, true);
  assert.deepEqual([connectionOf(away).live, connectionOf(away).since], [false, 7]);
});

test('what was done and not seen yet is looked for after a reload', () => {
  const done = after(...TYPED, { type: 'send', key: 'k1' }, { type: 'done', key: 'k1', orderId: 'o1', version: 1 });
  const reloaded = onto(EMPTY, { type: 'kept', kept: done }, { type: 'snapshot', orders: [] });

  assert.deepEqual(unseen(reloaded).map(({ orderId, version }) => [orderId, version]), [['o1', 1]]);
  assert.deepEqual(unseen(onto(reloaded, { type: 'order', order: anOrder({ status: 'closed', version: 2 }) })), []);
});

test('what another tab has sent is not sent here, and its mark stays until it is seen', () => {
  const here = after(...TYPED, { type: 'send', key: 'k1' });
  const [waiting] = here.intents;
  assert.ok(waiting);
  const done = { ...waiting, state: /** @type {const} */ ('done'), orderId: 'o1', version: 1 };

  const told = onto(here, { type: 'elsewhere', key: 'k1', intent: done });
  const gone = onto(told, { type: 'elsewhere', key: 'k1', intent: null });

  assert.deepEqual([nextToSend(here, 'till-1')?.key, nextToSend(told, 'till-1')], ['k1', null]);
  assert.equal(gone.intents.length, 1);
  assert.equal(onto(gone, { type: 'order', order: anOrder() }).intents.length, 0);
});

test('what another tab waits to send waits here too, in its turn', () => {
  const here = after(...TYPED, { type: 'send', key: 'k2' });
  const [mine] = here.intents;
  assert.ok(mine);

  const both = onto(here, { type: 'elsewhere', key: 'k1', intent: { ...mine, key: 'k1', at: mine.at - 1 } });

  assert.deepEqual(both.intents.map(({ key }) => key), ['k1', 'k2']);
  assert.deepEqual(onto(both, { type: 'elsewhere', key: 'k1', intent: null }).intents.map(({ key }) => key), ['k2']);
});

test('what another device may have sent is not sent in its stead, and does not hold up the others', () => {
  const by = onto(after(...TYPED, { type: 'send', key: 'k1' }), { type: 'sending', key: 'k1', by: 'till-2' }, { type: 'unanswered', key: 'k1' });
  const more = onto(by, ...TYPED, { type: 'send', key: 'k2' });
  const later = onto(more, { type: 'tick', now: more.now + LEFT_TO_OTHERS_MS });

  assert.deepEqual(['till-1', 'till-2'].map((subject) => nextToSend(more, subject)?.key), ['k2', 'k1']);
  assert.equal(nextToSend(later, 'till-1')?.key, 'k1'); // to ask whoever is there
});

test('what was typed in another tab is refused there, and kept for all to see', () => {
  const typed = after(...TYPED, { type: 'send', key: 'k', tab: 'a' });

  const refused = onto(typed, { type: 'refused', key: 'k', problem: SOLD_OUT, isOfAnotherTab: true });
  const there = onto(typed, { type: 'elsewhere', key: 'k', intent: refused.intents[0] ?? null });

  for (const state of [refused, there]) {
    assert.deepEqual([state.draft, state.screen], [null, 'plan']);
    assert.deepEqual(state.intents.map(({ tab, refusal }) => [tab, refusal]), [['a', SOLD_OUT]]);
    assert.equal(nextToSend(state, 'till-1'), null);
  }
});

test('what was refused for the token alone was not done: another device sends it', () => {
  const refused = onto(after(...TYPED, { type: 'send', key: 'k1' }), { type: 'sending', key: 'k1', by: 'till-2' }, { type: 'unanswered', key: 'k1', sentBy: null });

  assert.equal(nextToSend(refused, 'till-1')?.key, 'k1');
});
