/** The kitchen's state, with events that come shuffled and more than once. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { actionOf, moveBy } from '../../services/pages/site/kitchen/keys.js';
import { CLOSED, allDay, cards, chimeOf, dishes, keyOf, lateness, recallable, reduce } from '../../services/pages/site/kitchen/state.js';
import { chosenBy, shuffledTwice } from './shuffled.js';

/** @typedef {import('../../services/pages/site/kitchen/state.js').Ticket} Ticket */
/** @typedef {import('../../services/pages/site/kitchen/state.js').KitchenEvent} KitchenEvent */
/** @typedef {import('../../services/pages/site/kitchen/state.js').Kitchen} Kitchen */

const NOON = '2026-11-27T12:00:00Z';

/** @param {Partial<Ticket>} changed @returns {Ticket} */
const aTicket = (changed = {}) => ({
  restaurant: 'la-piazza',
  version: 1,
  order_id: 'order-1',
  round: 1,
  number: 'A-001',
  channel: 'dine_in',
  table: '7',
  customer: null,
  lines: [{ sku: 'margherita', name: 'Margherita', quantity: 2, note: null }],
  status: 'queued',
  ordered_at: NOON,
  started_at: null,
  ready_at: null,
  served_at: null,
  ...changed,
});

/** @param {KitchenEvent[]} events @param {Kitchen} [from] */
const after = (events, from = CLOSED) => events.reduce(reduce, from);

/** @param {Ticket} ticket @returns {KitchenEvent} */
const told = (ticket) => ({ type: 'ticket', ticket });

/** Everything that happens to some tickets, each in its order. @param {() => number} random */
function anEvening(random) {
  /** @type {KitchenEvent[]} */
  const events = [];
  for (let order = 1; order <= 12; order += 1) {
    const ticket = { order_id: `order-${order}`, number: `A-${String(order).padStart(3, '0')}`, ordered_at: `2026-11-27T12:${10 + order}:00Z` };
    const ways = [['queued'], ['queued', 'preparing'], ['queued', 'preparing', 'ready'], ['queued', 'preparing', 'ready', 'served'], ['queued', 'voided'], ['queued', 'preparing', 'abandoned'], ['queued', 'preparing', 'ready', 'preparing', 'ready']];
    const way = ways[Math.floor(random() * ways.length)] ?? [];
    way.forEach((status, at) => events.push(told(aTicket({ ...ticket, status, version: at + 1 }))));
  }
  return events;
}

/** What a cook sees. @param {Kitchen} state */
const seen = (state) => [cards(state), cards({ ...state, view: 'pass' }), allDay(state)];

test('whatever comes twice, late or in another order, the screen is the same', () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = chosenBy(seed);
    const events = anEvening(random);

    const inOrder = after(events);
    const shuffled = after(shuffledTwice(events, random));

    assert.deepEqual(seen(shuffled), seen(inOrder), `seed ${seed}`);
  }
});

test('a snapshot replaces what is shown, and what was voided stays until a cook has seen it', () => {
  const [voided, served, kept, fresh] = ['1', '2', '3', '4'].map((id) => aTicket({ order_id: id }));
  const before = after([voided, served, kept].map((each) => told(/** @type {Ticket} */ (each))));
  const noticed = reduce(before, told({ .../** @type {Ticket} */ (voided), status: 'voided', version: 2 }));

  const shown = reduce(noticed, { type: 'snapshot', tickets: /** @type {Ticket[]} */ ([kept, fresh]) });
  const dismissed = reduce(shown, { type: 'dismiss', key: keyOf(/** @type {Ticket} */ (voided)) });

  assert.deepEqual(cards(shown).map((each) => each.order_id), ['1', '3', '4']);
  assert.deepEqual(cards(dismissed).map((each) => each.order_id), ['3', '4']);
});

test('what was abandoned as the day was closed leaves the screen, and does not come back', () => {
  const abandoned = aTicket({ status: 'abandoned', version: 4 });
  const closed = after([told(aTicket({ status: 'ready', version: 3 })), told(abandoned), told(aTicket({ status: 'ready', version: 3 }))]);

  assert.deepEqual([cards(closed), recallable(closed)], [[], []]);
});

test('a snapshot that is older than an answer does not undo it', () => {
  const ticket = aTicket();
  const moved = after([told(ticket), { type: 'moved', key: keyOf(ticket), move: 'ready', ticket: { ...ticket, version: 3, status: 'ready' } }]);

  const shown = reduce(moved, { type: 'snapshot', tickets: [ticket] });

  assert.deepEqual(cards(shown), []);
  assert.equal(cards({ ...shown, view: 'pass' })[0]?.status, 'ready');
});

test('a ticket that a snapshot lacked comes back as it was', () => {
  const ticket = aTicket();
  const lost = after([told(ticket), { type: 'snapshot', tickets: [] }]);

  assert.deepEqual(cards(lost), []);
  assert.equal(cards(reduce(lost, told(ticket))).length, 1);
  assert.equal(cards(reduce(lost, { type: 'snapshot', tickets: [ticket] })).length, 1);
});

test('the oldest is first, and each page is full but the last', () => {
  const tickets = [3, 1, 2].map((minute) => aTicket({ order_id: `o${minute}`, ordered_at: `2026-11-27T12:0${minute}:00Z` }));

  const state = after([{ type: 'slots', slots: 2 }, ...tickets.map(told), { type: 'page', page: 9 }]);

  assert.deepEqual(cards(state).map((each) => each.order_id), ['o1', 'o2', 'o3']);
  assert.equal(state.page, 1);
});

test('identical dishes are together, those with another note apart', () => {
  const line = { sku: 'margherita', name: 'Margherita', quantity: 1, note: null };
  const ticket = aTicket({ lines: [line, { ...line, note: 'no basil' }, { ...line, quantity: 2 }] });

  const found = dishes(ticket).map(({ quantity, note }) => [quantity, note]);

  assert.deepEqual(found, [[3, null], [1, 'no basil']]);
});

test('all day counts what is still to be made: not what is struck, ready or voided', () => {
  const [cooking, ready, struck] = [
    aTicket({ order_id: 'a', status: 'preparing' }),
    aTicket({ order_id: 'b', status: 'ready' }),
    aTicket({ order_id: 'c' }),
  ];
  const state = after([told(cooking), told(ready), told(struck)]);
  const dish = /** @type {{dish: string}} */ (dishes(struck)[0]).dish;

  const off = reduce(state, { type: 'strike', key: keyOf(struck), dish });

  assert.deepEqual(allDay(state).map((each) => each.quantity), [4]);
  assert.deepEqual(allDay(off).map((each) => each.quantity), [2]);
});

test('recall offers the last 50 of 15 minutes, the latest first', () => {
  const minute = (/** @type {number} */ at) => new Date(Date.parse(NOON) + at * 60_000).toISOString();
  const served = Array.from({ length: 60 }, (_, at) =>
    aTicket({ order_id: `o${at}`, status: 'served', version: 4, ready_at: minute(at / 10), served_at: minute(at / 10) }),
  );
  const old = aTicket({ order_id: 'old', status: 'served', version: 4, served_at: minute(-12) });

  const state = after([told(old), ...served.map(told), { type: 'tick', now: Date.parse(minute(6)) }]);

  assert.equal(recallable(state).length, 50);
  assert.equal(recallable(state)[0]?.order_id, 'o59');
});

test('after two thousand tickets the state holds no more than after a hundred', () => {
  let state = CLOSED;
  for (let at = 0; at < 2_000; at += 1) {
    const ticket = aTicket({ order_id: `o${at}` });
    state = after([told(ticket), { type: 'strike', key: keyOf(ticket), dish: 'x' }, told({ ...ticket, version: 4, status: 'served' })], state);
  }

  const held = [state.tickets, state.gone, state.struck, state.pending].map((part) => Object.keys(part).length);
  assert.deepEqual(held, [0, 100, 0, 0]);
});

test('a ticket is late by its own minutes', () => {
  const at = (/** @type {number} */ minutes) => lateness(aTicket(), Date.parse(NOON) + minutes * 60_000, { amberAfterMin: 10, redAfterMin: 20 });

  assert.deepEqual([0, 9.9, 10, 19.9, 20].map(at), ['fresh', 'fresh', 'amber', 'amber', 'red']);
});

test('new, changed, voided and ready sound, once; a snapshot does not', () => {
  const ticket = aTicket();
  const way = ['queued', 'queued', 'preparing', 'ready', 'preparing', 'voided'];
  const versions = [1, 1, 2, 3, 4, 5];
  let state = CLOSED;
  const heard = way.map((status, at) => {
    const event = told({ ...ticket, status, version: /** @type {number} */ (versions[at]) });
    const before = state;
    state = reduce(state, event);
    return chimeOf(before, state, event);
  });

  assert.deepEqual(heard, ['new', null, null, 'ready', 'changed', 'voided']);
  /** @type {KitchenEvent} */
  const snapshot = { type: 'snapshot', tickets: [ticket] };
  assert.equal(chimeOf(CLOSED, reduce(CLOSED, snapshot), snapshot), null);
});

test('keys are those of a bump bar, and can be others', () => {
  assert.deepEqual(actionOf('3', {}), { slot: 3 });
  assert.equal(actionOf('Home', {}), 'first');
  assert.equal(actionOf('R', {}), 'recall');
  assert.equal(actionOf('F5', { recall: 'F5' }), 'recall');
  assert.equal(actionOf('r', { recall: 'F5' }), null);
  assert.equal(actionOf('q', {}), null);
});

test('an arrow stays in the grid', () => {
  assert.equal(moveBy(-1, 'right', 4, 10), 0);
  assert.equal(moveBy(2, 'down', 4, 10), 6);
  assert.equal(moveBy(2, 'up', 4, 10), 2);
  assert.equal(moveBy(9, 'right', 4, 10), 9);
});

test('what was given up as the day was closed leaves the screen, and is not offered for recall', () => {
  const state = after([told(aTicket()), told(aTicket({ version: 2, status: 'abandoned' })), told(aTicket({ version: 1 }))]);

  assert.deepEqual([cards(state), recallable(state)], [[], []]);
});
