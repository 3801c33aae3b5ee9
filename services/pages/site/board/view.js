/** What guests see on the wall: two columns of numbers, no names. */

import { commonSettings, icon, mark, staleBanner } from '../app/frame.js';
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { range, shownReady } from './state.js';

/**
 * @typedef {object} Seen
 * @property {import('../app/frame.js').T} t
 * @property {ReturnType<typeof import('../app/format.js').formats>} format
 * @property {import('../app/settings.js').Settings} settings
 * @property {string} name the restaurant's
 * @property {boolean} isSilent
 * @property {{preparing: number, ready: number}} room for so many numbers
 * @property {() => void} toggleSettings
 * @property {(changed: Partial<import('../app/settings.js').Settings>) => void} change
 */

/** @param {import('./state.js').BoardState} state @param {Seen} seen */
export function board(state, seen) {
  const { t, format } = seen;
  const ready = shownReady(state);
  const { preparing } = state;
  return html`
    <header class="board-bar">
      <h1 class="bar-name">${mark()}<span>${seen.name}</span></h1>
      <span class="bar-space"></span>
      ${seen.isSilent ? html`<button class="tab" aria-label=${t('sound.touch')}>${icon('sound')}<span class="board-sound" aria-hidden="true">${t('sound.touch')}</span></button>` : nothing}
      <span class="board-clock number">${state.now ? format.time(state.now) : ''}</span>
      <button class="tab" aria-label=${t('settings')} aria-expanded=${state.hasSettings} @click=${seen.toggleSettings}>
        ${icon('settings')}
      </button>
    </header>
    ${staleBanner(state.connection, t, format.time)}
    <main class="board ${state.connection.live ? '' : 'is-stale'}">
      <section class="column is-preparing" aria-labelledby="preparing">
        <h2 id="preparing">${t('preparing')} <span class="count">${preparing.length}</span></h2>
        ${preparing.length === 0 && state.connection.loaded ? html`<p class="column-none">${t('none.preparing')}</p>` : nothing}
        <ol class="numbers dims" id="numbers-preparing">
          ${repeat(
            preparing.slice(0, seen.room.preparing),
            (order) => order.order_id,
            (order) => html`<li class="entry" data-number=${order.number}>
              <span class="entry-number number">${order.number}</span>
              <span class="entry-wait number">${wait(order, state, t)}</span>
            </li>`,
          )}
        </ol>
        ${more(preparing.length - seen.room.preparing, t)}
      </section>
      <section class="column is-ready" aria-labelledby="ready">
        <h2 id="ready">${t('ready')} <span class="column-hint">${t('ready.hint')}</span></h2>
        ${ready.length === 0 && state.connection.loaded ? html`<p class="column-none">${t('none.ready')}</p>` : nothing}
        <ol class="numbers dims" id="numbers-ready" aria-live="polite">
          ${repeat(
            ready.slice(0, seen.room.ready),
            (order) => order.order_id,
            (order) => html`<li class="entry ${order.order_id in state.called ? 'is-called' : ''}" data-number=${order.number}>
              <span class="entry-number number">${order.number}</span>
            </li>`,
          )}
        </ol>
        ${more(ready.length - seen.room.ready, t)}
      </section>
    </main>
    ${state.hasSettings ? settings(seen) : nothing}
  `;
}

/** @param {import('./state.js').PreparedOrder} order @param {import('./state.js').BoardState} state @param {Seen['t']} t */
function wait(order, state, t) {
  if (!order.estimated_ready_at || !state.connection.live) return nothing;
  const found = range(order.estimated_ready_at, state.now);
  return found ? t('minutes.range', found) : t('soon');
}

/** @param {number} count @param {Seen['t']} t */
const more = (count, t) => (count > 0 ? html`<p class="column-more number">${t('more', { count })}</p>` : nothing);

/** @param {Seen} seen */
function settings({ t, settings: now, change, toggleSettings }) {
  return html`<aside class="panel" aria-label=${t('settings')}>
    <div class="panel-head">
      <h2>${t('settings')}</h2>
      <button class="tab" aria-label=${t('close')} @click=${toggleSettings}>${icon('close')}</button>
    </div>
    <div class="panel-body">${commonSettings(now, t, change)}</div>
  </aside>`;
}
