/** What the kitchen sees: a fixed grid of tickets, and the panels beside it. */

import { ageOf } from '../app/format.js';
import { commonSettings, icon, mark, staleBanner } from '../app/frame.js';
import { whyRefused } from '../app/refusals.js';
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { ACTIONS, USUAL } from './keys.js';
import { allDay, bumpOf, cards, counts, dishes, isRecalled, keyOf, lateness, recallable } from './state.js';

/** @typedef {import('./state.js').Kitchen} Kitchen */
/** @typedef {import('./state.js').Ticket} Ticket */
/** @typedef {import('./state.js').Move} Move */
/** @typedef {import('../app/settings.js').Settings} Settings */

/**
 * @typedef {object} Seen
 * @property {import('../app/frame.js').T} t
 * @property {ReturnType<typeof import('../app/format.js').formats>} format
 * @property {Settings} settings
 * @property {string} name the restaurant's
 * @property {boolean} isSilent sounds are wanted, and nobody has touched the page yet
 * @property {string | null} learning the action whose key is to be pressed next
 * @property {(event: import('./state.js').KitchenEvent) => void} dispatch
 * @property {(ticket: Ticket, move: Move | 'dismiss') => void} move
 * @property {() => void} undo
 * @property {(changed: Partial<Settings>) => void} change
 * @property {(action: string) => void} learn
 */

/** @param {Kitchen} state @param {Seen} seen */
export function kitchen(state, seen) {
  const shown = cards(state);
  const pages = Math.max(1, Math.ceil(shown.length / state.slots));
  const first = state.page * state.slots;
  return html`
    ${bar(state, seen)} ${staleBanner(state.connection, seen.t, seen.format.time)}
    <main class="kitchen ${state.connection.live ? '' : 'is-stale'}">
      <div class="grid dims" id="grid">
        ${repeat(
          shown.slice(first, first + state.slots),
          keyOf,
          (ticket, at) => card(ticket, at + 1, state, seen),
        )}
      </div>
      ${shown.length === 0 && state.connection.loaded ? empty(state, seen.t) : nothing}
      ${pages > 1 ? pager(state, pages, seen) : nothing}
    </main>
    ${panel(state, seen)} ${toast(state, seen)}
  `;
}

/** @param {Kitchen} state @param {Seen} seen */
function bar(state, seen) {
  const { t, dispatch } = seen;
  const count = counts(state);
  /** @param {import('./state.js').View} view @param {number} many */
  const tab = (view, many) =>
    html`<button class="tab" aria-pressed=${state.view === view} @click=${() => dispatch({ type: 'view', view })}>
      ${t(view)} <span class="count">${many}</span>
    </button>`;
  /** @param {'all-day' | 'recall'} which */
  const opener = (which) =>
    html`<button class="tab" aria-pressed=${state.panel === which} @click=${() => toggle(state, which, dispatch)}>
      ${t(which)}
    </button>`;
  return html`<header class="bar">
    <h1 class="bar-name">${mark()}<span>${seen.name}</span></h1>
    <nav class="bar-tabs" aria-label=${t('kitchen')}>
      ${tab('kitchen', count.cooking)} ${tab('pass', count.ready)} ${opener('all-day')} ${opener('recall')}
    </nav>
    <span class="bar-space"></span>
    ${seen.isSilent
      ? html`<button class="tab bar-sound" aria-label=${t('sound.touch')}>${icon('sound')}<span aria-hidden="true">${t('sound.touch')}</span></button>`
      : nothing}
    <span class="bar-clock number">${state.now ? seen.format.time(state.now) : ''}</span>
    <button class="tab" aria-label=${t('settings')} @click=${() => toggle(state, 'settings', dispatch)}>
      ${icon('settings')}
    </button>
  </header>`;
}

/** @param {Kitchen} state @param {import('./state.js').Panel} panel @param {Seen['dispatch']} dispatch */
const toggle = (state, panel, dispatch) =>
  dispatch({ type: 'panel', panel: state.panel === panel ? null : panel });

/** @param {Ticket} ticket @param {number} slot @param {Kitchen} state @param {Seen} seen */
function card(ticket, slot, state, seen) {
  const { t } = seen;
  const key = keyOf(ticket);
  const isVoid = ticket.status === 'voided';
  const late = isVoid ? 'void' : ticket.status === 'ready' ? 'done' : lateness(ticket, state.now, seen.settings);
  const isLit = state.highlight !== null && ticket.lines.some(({ sku }) => sku === state.highlight);
  const isDim = state.highlight !== null && !isLit;
  const classes = `card ${late} ${isDim ? 'is-dim' : ''} ${isLit ? 'is-lit' : ''}`;
  return html`<article
    class=${classes}
    data-key=${key}
    data-number=${ticket.number}
    data-status=${ticket.status}
    aria-label=${t('ticket.of', { number: ticket.number })}
    aria-current=${state.selected === key ? 'true' : nothing}
    aria-busy=${key in state.pending ? 'true' : 'false'}
  >
    <header class="card-head">
      <span class="slot number" aria-hidden="true">${slot}</span>
      <h2 class="card-number number">${ticket.number}</h2>
      <p class="card-age number">
        ${late === 'amber' || late === 'red' ? html`<span class="card-late">${t(`late.${late}`)}</span>` : nothing}
        <time datetime=${ticket.ordered_at}>${ageOf(ticket.ordered_at, state.now)}</time>
      </p>
    </header>
    <p class="card-where">
      <strong>${whereTo(ticket, t)}</strong>
      <span>${channel(ticket.channel, t)}</span>
      ${guests(ticket, t)}
      ${ticket.round > 1 ? html`<span class="badge">${t('round', { round: ticket.round })}</span>` : nothing}
      ${isRecalled(ticket) ? html`<span class="badge alarm">${t('recalled')}</span>` : nothing}
    </p>
    <ul class="card-lines">
      ${dishes(ticket).map((each) => dish(each, key, isVoid, state, seen))}
    </ul>
    ${actions(ticket, state, seen)}
  </article>`;
}

/** @param {Ticket} ticket @param {Seen['t']} t */
const whereTo = (ticket, t) => (ticket.table ? t('table', { table: ticket.table }) : (ticket.customer ?? ''));

/** @param {string} name @param {Seen['t']} t */
const channel = (name, t) => (name === 'dine_in' || name === 'takeaway' ? t(`channel.${name}`) : name);

/** @param {Ticket} ticket @param {Seen['t']} t */
const guests = (ticket, t) => (ticket.guests ? html`<span>${t('guests', { count: ticket.guests })}</span>` : nothing);

/** @param {ReturnType<typeof dishes>[number]} each @param {string} key @param {boolean} isVoid @param {Kitchen} state @param {Seen} seen */
function dish({ dish: id, name, note, quantity }, key, isVoid, state, { dispatch }) {
  const isStruck = isVoid || Boolean(state.struck[key]?.includes(id));
  return html`<li>
    <button
      class="dish"
      aria-pressed=${isStruck}
      ?disabled=${isVoid}
      @click=${() => dispatch({ type: 'strike', key, dish: id })}
    >
      <span class="dish-count number">${quantity}<span class="visually-hidden"> × </span></span>
      <span class="dish-name">${name}</span>
      ${note ? html`<span class="dish-note">${note}</span>` : nothing}
    </button>
  </li>`;
}

/** @param {Ticket} ticket @param {Kitchen} state @param {Seen} seen */
function actions(ticket, state, { t, move }) {
  const bump = bumpOf(ticket, state.view);
  const isOff = keyOf(ticket) in state.pending || (!state.connection.live && bump !== 'dismiss');
  const canStart = state.view === 'kitchen' && ticket.status === 'queued';
  const known = ['queued', 'preparing', 'ready', 'voided'].includes(ticket.status);
  return html`<footer class="card-foot">
    ${canStart
      ? html`<button class="button" ?disabled=${isOff} @click=${() => move(ticket, 'start')}>${t('do.start')}</button>`
      : html`<span class="card-status">${known ? t(`status.${ticket.status}`) : ticket.status}</span>`}
    ${bump
      ? html`<button
          class="button ${bump === 'dismiss' ? '' : 'good'}"
          ?disabled=${isOff}
          @click=${() => move(ticket, bump)}
        >
          ${t(`do.${bump}`)}
        </button>`
      : nothing}
  </footer>`;
}

/** @param {Kitchen} state @param {number} pages @param {Seen} seen */
function pager(state, pages, { t, dispatch }) {
  return html`<nav class="pager" aria-label=${t('page', { page: state.page + 1, pages })}>
    <button
      class="button"
      aria-label=${t('page.before')}
      ?disabled=${state.page === 0}
      @click=${() => dispatch({ type: 'page', page: state.page - 1 })}
    >
      ${icon('left')}
    </button>
    <span class="number">${t('page', { page: state.page + 1, pages })}</span>
    <button
      class="button"
      aria-label=${t('page.next')}
      ?disabled=${state.page === pages - 1}
      @click=${() => dispatch({ type: 'page', page: state.page + 1 })}
    >
      ${icon('right')}
    </button>
  </nav>`;
}

/** @param {Kitchen} state @param {Seen['t']} t */
const empty = (state, t) => html`<div class="empty">
  <p class="empty-title">${t(`none.${state.view}`)}</p>
  <p class="muted">${t(`none.${state.view}.more`)}</p>
</div>`;

/** @param {Kitchen} state @param {Seen} seen */
function panel(state, seen) {
  if (state.panel === null) return nothing;
  const { t, dispatch } = seen;
  const bodies = { 'all-day': allDayPanel, recall: recallPanel, settings: settingsPanel };
  return html`<aside class="panel" aria-label=${t(state.panel)}>
    <div class="panel-head">
      <h2>${t(state.panel)}</h2>
      <button class="tab" aria-label=${t('close')} @click=${() => dispatch({ type: 'panel', panel: null })}>
        ${icon('close')}
      </button>
    </div>
    <div class="panel-body" tabindex="0" role="group" aria-label=${t(state.panel)}>${bodies[state.panel](state, seen)}</div>
  </aside>`;
}

/** @param {Kitchen} state @param {Seen} seen */
function allDayPanel(state, { t, dispatch }) {
  const sums = allDay(state);
  if (sums.length === 0) return html`<p class="muted">${t('all-day.none')}</p>`;
  return html`<p class="muted">${t('all-day.hint')}</p>
    <ul class="sums">
      ${sums.map(
        ({ sku, name, quantity }) => html`<li>
          <button
            class="sum"
            aria-pressed=${state.highlight === sku}
            @click=${() => dispatch({ type: 'highlight', sku })}
          >
            <span class="sum-count number">${quantity}</span><span>${name}</span>
          </button>
        </li>`,
      )}
    </ul>`;
}

/** @param {Kitchen} state @param {Seen} seen */
function recallPanel(state, { t, move, format }) {
  const tickets = recallable(state);
  if (tickets.length === 0) return html`<p class="muted">${t('recall.none')}</p>`;
  return html`<p class="muted">${t('recall.hint')}</p>
    <ul class="recalls">
      ${repeat(
        tickets,
        keyOf,
        (ticket) => html`<li class="recall">
          <div>
            <p><strong class="number">${ticket.number}</strong> ${whereTo(ticket, t)}</p>
            <p class="muted">
              ${t(`status.${ticket.status}`)} ${format.time(ticket.served_at ?? ticket.ready_at ?? ticket.ordered_at)} ·
              ${dishes(ticket)
                .map(({ quantity, name }) => `${quantity} ${name}`)
                .join(', ')}
            </p>
          </div>
          <button
            class="button"
            ?disabled=${!state.connection.live || keyOf(ticket) in state.pending}
            @click=${() => move(ticket, 'recall')}
          >
            ${t('do.recall')}
          </button>
        </li>`,
      )}
    </ul>`;
}

/** @param {Kitchen} _ @param {Seen} seen */
function settingsPanel(_, { t, settings, change, learn, learning }) {
  const minutes = (/** @type {'amberAfterMin' | 'redAfterMin'} */ name, /** @type {string} */ label) =>
    html`<label class="field"
      ><span>${label}</span>
      <input
        type="number"
        min="1"
        max="120"
        inputmode="numeric"
        .value=${String(settings[name])}
        @change=${(/** @type {Event} */ event) =>
          change({ [name]: Math.max(1, Number(/** @type {HTMLInputElement} */ (event.target).value) || 1) })}
      />
    </label>`;
  return html`
    ${commonSettings(settings, t, change)}
    <div class="fields">${minutes('amberAfterMin', t('late.after'))} ${minutes('redAfterMin', t('late.red.after'))}</div>
    <section class="keys">
      <h3>${t('keys')}</h3>
      <dl>
        <div><dt>${t('key.slots')}</dt><dd><kbd>1</kbd> … <kbd>9</kbd></dd></div>
        ${ACTIONS.map(
          (action) => html`<div>
            <dt>${t(`key.${action}`)}</dt>
            <dd>
              <button class="key" aria-pressed=${learning === action} @click=${() => learn(action)}>
                ${learning === action ? t('keys.press') : (settings.keys[action] ?? USUAL[action])}
              </button>
            </dd>
          </div>`,
        )}
      </dl>
      <button class="button" @click=${() => change({ keys: {} })}>${t('keys.usual')}</button>
    </section>
  `;
}

/** @param {Kitchen} state @param {Seen} seen */
function toast(state, { t, settings, undo }) {
  if (state.notice) {
    const known = ['wrong-status', 'version-mismatch', 'no-answer', 'too-late-to-recall'];
    const { word, number } = state.notice;
    const text = known.includes(word) ? t(`went.${word}`, { number }) : t('went.other', { number, why: whyRefused(settings.lang, { code: word }) });
    return html`<div class="toast" role="alert"><p>${text}</p></div>`;
  }
  if (!state.done) return nothing;
  const { move, number } = state.done;
  return html`<div class="toast" role="status">
    <p>${t(`done.${move}`, { number })}</p>
    ${move === 'start' ? nothing : html`<button class="button" @click=${undo}>${t('undo')}</button>`}
  </div>`;
}
