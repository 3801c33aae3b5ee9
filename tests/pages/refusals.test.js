/** Whatever a service refuses is told in the reader's language. */

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';

import { OF_PROGRAMS, whyRefused } from '../../services/pages/site/app/refusals.js';

const DOCUMENTED = readdirSync(new URL('../../docs/problems/', import.meta.url))
  .filter((name) => name.endsWith('.md') && name !== 'README.md')
  .map((name) => name.slice(0, -3));

test('each problem that a page may meet has words in each language', () => {
  for (const code of DOCUMENTED.filter((each) => !OF_PROGRAMS.includes(each))) {
    const told = ['en', 'it', 'de'].map((lang) => whyRefused(lang, { code }));
    assert.equal(new Set([code, ...told]).size, 4, code);
  }
});

test('of a code that is unknown the page says what the service says', () => {
  assert.equal(whyRefused('it', { code: 'of-a-later-release', detail: 'The oven is off.' }), 'The oven is off.');
  assert.equal(whyRefused('it', { code: 'of-a-later-release' }), 'of-a-later-release');
});
