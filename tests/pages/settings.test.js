/** What a pairing link may say of how a device likes it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { loadSettings } from '../../services/pages/site/app/settings.js';

/** @param {string} hash */
function loadedFrom(hash) {
  /** @type {Record<string, string>} */
  const kept = {};
  const localStorage = { getItem: (/** @type {string} */ name) => kept[name] ?? null, setItem: (/** @type {string} */ name, /** @type {string} */ value) => (kept[name] = value) };
  Object.defineProperty(globalThis, 'navigator', { value: { languages: ['de-AT', 'en'] }, configurable: true });
  Object.assign(globalThis, { window: { location: { hash }, localStorage } });
  return { settings: loadSettings(), kept };
}

test('a link says language, appearance and locale, and that is kept', () => {
  const { settings, kept } = loadedFrom('#lang=it&theme=dark&locale=it-CH');

  assert.deepEqual([settings.lang, settings.theme, settings.locale], ['it', 'dark', 'it-CH']);
  assert.match(kept['comanda.settings'] ?? '', /it-CH/);
});

test('what no browser understands is not kept: the page would never begin again', () => {
  const { settings, kept } = loadedFrom('#lang=xx&theme=pink&locale=%00');

  assert.deepEqual([settings.lang, settings.theme, settings.locale], ['de', 'auto', 'de-AT']);
  assert.deepEqual(kept, {});
});
