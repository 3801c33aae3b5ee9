/** Money of every currency, as its services count it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formats, unknownPlace } from '../../services/pages/site/app/format.js';

/** @param {string | null} currency @param {number} minor */
const shown = (currency, minor) => formats('en', { currency, time_zone: 'UTC' }).money(minor).replaceAll(/\s/g, ' ');

test('an amount has the minor units of ISO 4217, whatever a browser takes for usual', () => {
  assert.deepEqual(['EUR', 'JPY', 'KWD'].map((each) => shown(each, 4500)), ['€45.00', '¥4,500', 'KWD 4.500']);
  assert.deepEqual(['HUF', 'ALL', 'IQD'].map((each) => shown(each, 4500)), ['HUF 45.00', 'ALL 45.00', 'IQD 4.500']);
});

test('no amount is shown in a guessed currency', () => {
  const place = unknownPlace('la-piazza');

  assert.equal(shown(place.currency, 4500), '…');
  assert.equal(place.name, 'la-piazza');
});
