/** What a guest sees of his own order, on his phone. */

import { commonSettings, icon, staleBanner } from '../app/frame.js';
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { STEPS, isAwaited, minutesLeft, stepOf } from './state.js';

/**
 * @typedef {object} Seen
 * @property {import('../app/frame.js').T} t
 * @property {ReturnType<typeof import('../app/format.js').formats>} format
 * @property {import('../app/settings.js').Settings} settings
 * @property {boolean} isSilent
 * @property {() => void} toggleSettings
 * @property {(changed: Partial<import('../app/settings.js').Settings>) => void} change
 */

/** @param {import('./state.js').OrderState} state @param {Seen} seen */
export function guestsOrder(state, seen) {
  const { t, format } = seen;
  return html`
    <header class="order-bar">
      <h1>${t('order')}</h1>
      <span class="bar-space"></span>
      ${seen.isSilent ? html`<button class="tab" aria-label=${t('sound.touch')}>${icon('sound')}</button>` : nothing}
      <button class="tab" aria-label=${t('settings')} aria-expanded=${state.hasSettings} @click=${seen.toggleSettings}>
        ${icon('settings')}
      </button>
    </header>
    ${staleBanner(state.connection, t, format.time)}
    <main class="order ${state.connection.live ? '' : 'is-stale'}">
      ${state.order ? shown(state.order, state, seen) : nothing}
    </main>
    ${state.hasSettings ? settings(seen) : nothing}
  `;
}

/** @param {import('./state.js').OrderView} order @param {import('./state.js').OrderState} state @param {Seen} seen */
function shown(order, state, { t, format }) {
  const step = stepOf(order);
  const where = order.channel === 'takeaway' ? 'takeaway' : 'dine_in';
  const says = sayings(order, step, where, t);
  return html`
    <section class="hero dims ${step === 2 ? 'is-ready' : ''} ${step < 0 ? 'is-over' : ''}" data-status=${order.status}>
      <p class="hero-number number">${order.number}</p>
      <p class="hero-says" role="status">${says}</p>
      ${isAwaited(order) ? awaited(state, t) : nothing}
      <p class="hero-when">${when(order, t, format)}</p>
    </section>
    ${step < 0
      ? nothing
      : html`<ol class="steps dims">
          ${STEPS.map(
            (name, at) => html`<li
              class="step ${at < step || step === 3 ? 'is-done' : ''} ${at === step ? 'is-now' : ''}"
              aria-current=${at === step ? 'step' : nothing}
            >
              <span class="step-dot" aria-hidden="true"></span>${t(`step.${name}`)}
            </li>`,
          )}
        </ol>`}
    <section class="bill dims">
      ${order.rounds.map(
        (round) => html`<div class="bill-round ${round.voided ? 'is-void' : ''}">
          ${order.rounds.length > 1
            ? html`<h2>${t('round', { round: round.round })} ${round.voided ? html`· ${t('voided')}` : nothing}</h2>`
            : nothing}
          <ul>
            ${round.lines.map(
              (line) => html`<li class="bill-line">
                <span class="number">${line.quantity} ×</span>
                <span>${line.name}${line.note ? html`<small>${line.note}</small>` : nothing}</span>
                <span class="number">${format.money(line.quantity * line.unit_price)}</span>
              </li>`,
            )}
          </ul>
        </div>`,
      )}
      <p class="bill-total"><span>${t('total')}</span><span class="number">${format.money(order.total)}</span></p>
    </section>
    ${step >= 0 && step < 3 ? html`<p class="order-keep muted">${t('keep')}</p>` : nothing}
  `;
}

/** @param {import('./state.js').OrderView} order @param {number} step @param {string} where @param {Seen['t']} t */
function sayings(order, step, where, t) {
  if (step < 0) return t('is.cancelled');
  if (order.status === 'cancelling') return t('is.cancelling');
  if (step === 0) return t('is.placed');
  return step === 1 ? t('is.preparing') : t(`is.${STEPS[step]}.${where}`);
}

/** How many are before it, and how long it takes. @param {import('./state.js').OrderState} state @param {Seen['t']} t */
function awaited({ wait, now }, t) {
  const left = minutesLeft(wait, now);
  if (!left && !wait?.position) return nothing;
  return html`<dl class="hero-wait number">
    ${left ? html`<div><dt>${t('wait')}</dt><dd>${left.from ? t('wait.range', left) : t('wait.within', left)}</dd></div>` : nothing}
    ${wait?.position ? html`<div><dt>${t('queue')}</dt><dd>${wait.position === 1 ? t('queue.next') : t('queue.place', { position: wait.position })}</dd></div>` : nothing}
  </dl>`;
}

/** @param {import('./state.js').OrderView} order @param {Seen['t']} t @param {Seen['format']} format */
function when(order, t, format) {
  const ready = order.rounds.map((round) => round.ticket?.ready_at ?? '').sort().at(-1);
  if (order.status === 'ready' && ready) return t('ready.at', { time: format.time(ready) });
  return t('since', { time: format.time(order.placed_at) });
}

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
