/** The manager's state: the menu by its newest items, prices as people type them, business days. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EMPTY, businessDay, byCategory, dayAfter, minorOf, reduce, skuOf } from '../../services/pages/site/manager/state.js';

/** @typedef {import('../../services/pages/site/manager/state.js').Item} Item */
/** @typedef {import('../../services/pages/site/manager/state.js').ManagerEvent} ManagerEvent */

/** @param {Partial<Item>} changed @returns {Item} */
const anItem = (changed = {}) =>
  /** @type {Item} */ ({ restaurant: 'r', sku: 'cola', name: 'Cola', category: 'Drinks', price: 350, available: true, withdrawn: false, version: 1, ...changed });

/** @param {...ManagerEvent} events */
const after = (...events) => events.reduce(reduce, EMPTY);

/** @param {...Item} items @returns {ManagerEvent} */
const menu = (...items) => ({ type: 'menu', menu: /** @type {any} */ ({ items }) });

const FORM = { isNew: true, sku: '', name: '', category: '', price: '', errors: {}, isBusy: false };

test('an answer is not undone by a menu that is older', () => {
  const state = after(menu(anItem()), { type: 'done', sku: 'cola', item: anItem({ version: 2, available: false }) }, menu(anItem()));

  assert.equal(byCategory(state)[0]?.[1][0]?.available, false);
});

test('a price is typed with a comma or a point, and nothing else is one', () => {
  assert.deepEqual(['8,50', '8.5', '8', ' 12.00 '].map((text) => minorOf(text, 100)), [850, 850, 800, 1200]);
  assert.deepEqual(['', 'x', '8.505', '-1', '1.000,00'].map((text) => minorOf(text, 100)), [null, null, null, null, null]);
  assert.deepEqual([minorOf('850', 1), minorOf('8.5', 1)], [850, null]);
});

test('the code of a new item is made of its name, until it is typed itself', () => {
  const named = after({ type: 'edit', form: FORM }, { type: 'type', fields: { name: 'Caffè Latte' } });
  const own = reduce(reduce(named, { type: 'type', fields: { sku: 'latte' } }), { type: 'type', fields: { name: 'Latte macchiato' } });

  assert.equal(named.form?.sku, 'caffe-latte');
  assert.equal(own.form?.sku, 'latte');
  assert.equal(skuOf('  Übergröße & Co. '), 'ubergro-e-co');
});

test('a refusal stands beside its field, and goes when that is typed anew', () => {
  const refused = after({ type: 'edit', form: { ...FORM, sku: 'cola', isBusy: true } }, { type: 'failed', sku: 'cola', errors: { price: 'is too high' } });

  assert.deepEqual([refused.form?.errors, refused.form?.isBusy], [{ price: 'is too high' }, false]);
  assert.deepEqual(reduce(refused, { type: 'type', fields: { price: '3' } }).form?.errors, {});
});

test('a bar’s night is one day', () => {
  const at = Date.parse('2026-11-28T02:30:00Z'); // 03:30 in Rome

  assert.equal(businessDay(at, 'Europe/Rome', '05:00'), '2026-11-27');
  assert.equal(businessDay(at, 'Europe/Rome', '00:00'), '2026-11-28');
  assert.equal(dayAfter('2026-03-01', -1), '2026-02-28');
});

test('a night in which the clock is put forward or back is of the day before until the hour', () => {
  const forward = ['2026-03-29T02:30:00Z', '2026-03-29T03:00:00Z']; // 04:30 and 05:00 in Rome
  const back = ['2026-10-25T03:30:00Z', '2026-10-25T04:00:00Z'];
  const days = [...forward, ...back].map((at) => businessDay(Date.parse(at), 'Europe/Rome', '05:00'));

  assert.deepEqual(days, ['2026-03-28', '2026-03-29', '2026-10-24', '2026-10-25']);
});
