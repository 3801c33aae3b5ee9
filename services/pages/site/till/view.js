/** What a waiter sees: the tables, or one order beside the menu. */

import { ageOf, minutesSince } from '../app/format.js';
import { choice, commonSettings, icon, mark, staleBanner } from '../app/frame.js';
import { whyRefused } from '../app/refusals.js';
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { live } from '../vendor/lit-html/directives/live.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import {
  GUESTS_MAX,
  categories,
  connectionOf,
  intentsOf,
  isComplete,
  isSoldOut,
  offered,
  ordersAt,
  plan,
  takeaways,
  totalOf,
} from './state.js';
import { isKnown } from './words.js';

/** @typedef {import('./state.js').Till} Till */
/** @typedef {import('./state.js').Order} Order */
/** @typedef {import('./state.js').Intent} Intent */
/** @typedef {import('./state.js').Draft} Draft */
/** @typedef {import('../app/settings.js').Settings} Settings */

/**
 * @typedef {object} Seen
 * @property {import('../app/frame.js').T} t
 * @property {ReturnType<typeof import('../app/format.js').formats>} format
 * @property {Settings} settings
 * @property {string} name the restaurant's
 * @property {(event: import('./state.js').TillEvent) => void} dispatch
 * @property {() => void} send
 * @property {(kind: 'cancel' | 'close', order: Order) => void} want
 * @property {() => void} print
 * @property {(changed: Partial<Settings>) => void} change
 */

const REASONS = ['left', 'mistake', 'wait'];

/** @param {Till} state @param {Seen} seen */
export function till(state, seen) {
  return html`
    ${bar(state, seen)} ${staleBanner(connectionOf(state), seen.t, seen.format.time)}
    ${state.screen === 'order' && state.draft ? orderScreen(state, state.draft, seen) : planScreen(state, seen)}
    ${panel(state, seen)} ${toast(state, seen)}
  `;
}

/** @param {Till} state @param {Seen} seen */
function bar(state, { t, name, format, dispatch }) {
  const count = state.intents.length;
  return html`<header class="bar">
    <h1 class="bar-name">${mark()}<span>${name}</span></h1>
    <span class="bar-space"></span>
    ${count
      ? html`<button class="tab on-the-way" aria-pressed=${state.panel === 'waiting'} @click=${() => toggle(state, 'waiting', dispatch)}>
          <span class="spinner" aria-hidden="true"></span><span role="status">${t('waiting.count', { count })}</span>
        </button>`
      : nothing}
    <span class="bar-clock number">${state.now ? format.time(state.now) : ''}</span>
    <button class="tab" aria-label=${t('settings')} @click=${() => toggle(state, 'settings', dispatch)}>${icon('settings')}</button>
  </header>`;
}

/** @param {Till} state @param {NonNullable<Till['panel']>} which @param {Seen['dispatch']} dispatch */
const toggle = (state, which, dispatch) => dispatch({ type: 'panel', panel: state.panel === which ? null : which });

/** @param {Till} state @param {Seen} seen */
function planScreen(state, seen) {
  const { t, dispatch } = seen;
  const away = takeaways(state);
  return html`<main class="plan ${state.connection.live ? '' : 'is-stale'}">
    <section class="plan-tables" aria-labelledby="tables-title">
      <h2 id="tables-title">${t('tables')}</h2>
      <ul class="tables dims">
        ${repeat(plan(state), ({ table }) => table, (each) => tableTile(each, state, seen))}
      </ul>
    </section>
    <section class="plan-away" aria-labelledby="away-title">
      <h2 id="away-title">${t('takeaway')}</h2>
      <button class="button primary" @click=${() => dispatch({ type: 'open-takeaway' })}>${t('new.takeaway')}</button>
      <ul class="aways dims">
        ${away.pending.map((intent) => html`<li class="away is-pending">
          <span class="away-name">${whose(intent)}</span>
          ${pendingMark(intent, seen)}
        </li>`)}
        ${repeat(away.orders, ({ order_id: id }) => id, (order) => awayRow(order, state, seen))}
      </ul>
      ${away.orders.length + away.pending.length === 0 && state.connection.loaded
        ? html`<p class="muted">${t('none.takeaway')}</p>`
        : nothing}
    </section>
  </main>`;
}

/** @param {ReturnType<typeof plan>[number]} each @param {Till} state @param {Seen} seen */
function tableTile({ table, orders, pending, status, since, total, guests }, state, { t, format, settings, dispatch }) {
  const isFree = orders.length === 0 && pending.length === 0;
  const late = since && status !== 'served' ? lateness(since, state.now, settings) : '';
  return html`<li>
    <button
      class="table-tile ${isFree ? 'is-free' : `is-${status ?? 'pending'}`}"
      data-table=${table}
      data-status=${status ?? nothing}
      @click=${() => dispatch({ type: 'open-table', table })}
    >
      <span class="visually-hidden">${t('table', { table })}</span>
      <span class="table-number number" aria-hidden="true">${table}</span>
      ${isFree
        ? html`<span class="table-free">${t('free')}</span>`
        : html`
            <span class="table-status">${status ? t(`status.${status}`) : t('pending.sending')}${pending.length ? html` <span class="spinner" aria-hidden="true"></span>` : nothing}</span>
            <span class="table-facts number">
              ${since ? html`<span class="age ${late}">${ageOf(since, state.now)}</span>` : nothing}
              ${guests ? html`<span class="muted">${t('guests.count', { count: guests })}</span>` : nothing}
            </span>
            ${total ? html`<span class="table-total number">${format.money(total)}</span>` : nothing}
          `}
    </button>
  </li>`;
}

/** @param {string} since @param {number} now @param {Settings} settings */
function lateness(since, now, { amberAfterMin, redAfterMin }) {
  const minutes = minutesSince(since, now);
  if (minutes >= redAfterMin) return 'red';
  return minutes >= amberAfterMin ? 'amber' : '';
}

/** @param {Order} order @param {Till} state @param {Seen} seen */
function awayRow(order, state, { t, format, settings, dispatch }) {
  return html`<li>
    <button class="away is-${order.status}" data-number=${order.number} @click=${() => dispatch({ type: 'open-order', orderId: order.order_id })}>
      <span class="away-number number">${order.number}</span>
      <span class="away-name">${order.customer}</span>
      <span class="away-status">${t(`status.${order.status}`)}</span>
      <span class="away-facts number">
        <span class="age ${order.status === 'served' ? '' : lateness(order.placed_at, state.now, settings)}">${ageOf(order.placed_at, state.now)}</span>
        ${format.money(order.total)}
      </span>
    </button>
  </li>`;
}

/** @param {Till} state @param {Draft} draft @param {Seen} seen */
function orderScreen(state, draft, seen) {
  const { t, format, dispatch } = seen;
  const order = draft.orderId === null ? null : (state.orders[draft.orderId] ?? null);
  const count = draft.lines.reduce((sum, { quantity }) => sum + quantity, 0);
  return html`<main class="order ${connectionOf(state).live ? '' : 'is-stale'}" data-side=${state.side}>
    <header class="order-head">
      <button class="button plain back" @click=${() => dispatch({ type: 'leave' })}>${icon('left')}<span>${t('back')}</span></button>
      <h2>${title(draft, order, t)}</h2>
      ${others(state, draft, seen)}
    </header>
    <section class="menu" aria-label=${t('menu')}>${menu(state, seen)}</section>
    <section class="slip" aria-label=${t('order')}>
      ${order === null ? partyForm(draft, seen) : nothing}
      <div class="slip-body">
        ${order ? rounds(order, seen) : nothing}
        ${draft.orderId === null ? nothing : intentsOf(state, draft.orderId).map((intent) => pendingRound(intent, seen))}
        ${draftLines(state, draft, seen)}
        ${draft.error ? html`<p class="refusal" role="alert">${why(draft.error, seen)}</p>` : nothing}
      </div>
      ${slipFoot(state, draft, order, seen)}
    </section>
    <nav class="sides" aria-label=${t('order')}>
      <button class="tab" aria-pressed=${state.side === 'menu'} @click=${() => dispatch({ type: 'side', side: 'menu' })}>${t('menu')}</button>
      <button class="tab" aria-pressed=${state.side === 'order'} @click=${() => dispatch({ type: 'side', side: 'order' })}>
        ${t('order')} ${count ? html`<span class="count">${count}</span><span class="number">${format.money(totalOf(draft.lines))}</span>` : nothing}
      </button>
    </nav>
  </main>`;
}

/** @param {Draft} draft @param {Order | null} order @param {Seen['t']} t */
function title(draft, order, t) {
  const where = 'table' in draft.party ? t('table', { table: draft.party.table }) : t('takeaway');
  return html`${where} ${order ? html`<span class="muted number">${order.number}${order.customer ? ` · ${order.customer}` : ''}</span>` : nothing}`;
}

/** The table's orders, if there are several, and another. @param {Till} state @param {Draft} draft @param {Seen} seen */
function others(state, draft, { t, dispatch }) {
  if (!('table' in draft.party)) return nothing;
  const { table } = draft.party;
  const all = ordersAt(state, table);
  if (all.length < 2 && draft.orderId !== null) return nothing;
  if (all.length === 0) return nothing;
  return html`<nav class="chips">
    ${all.map((each) => html`<button class="chip number" aria-pressed=${each.order_id === draft.orderId} @click=${() => dispatch({ type: 'open-order', orderId: each.order_id })}>
      ${each.number}
    </button>`)}
    ${draft.orderId === null ? html`<span class="chip" aria-current="true">${t('new.order')}</span>` : nothing}
  </nav>`;
}

/** @param {Till} state @param {Seen} seen */
function menu(state, seen) {
  const { t, format, dispatch } = seen;
  const items = offered(state);
  return html`
    <div class="menu-head">
      <input
        type="search"
        class="field"
        id="search"
        placeholder=${t('search')}
        aria-label=${t('search')}
        .value=${live(state.search)}
        @input=${(/** @type {InputEvent} */ event) => dispatch({ type: 'search', search: valueOf(event) })}
      />
      <div class="categories" role="group" aria-label=${t('menu')}>
        ${[null, ...categories(state)].map((name) => html`<button
          class="chip"
          aria-pressed=${state.category === name && !state.search}
          @click=${() => dispatch({ type: 'category', category: name })}
        >${name ?? t('category.all')}</button>`)}
      </div>
    </div>
    <ul class="items">
      ${repeat(items, ({ sku }) => sku, (item) => html`<li>
        <button class="item" data-sku=${item.sku} ?disabled=${!item.available} @click=${() => dispatch({ type: 'add', item })}>
          <span class="item-name">${item.name}</span>
          <span class="item-facts"><span class="number">${format.money(item.price)}</span>${item.available ? nothing : html`<span class="badge">${t('sold-out')}</span>`}</span>
        </button>
      </li>`)}
    </ul>
    ${items.length === 0 ? html`<p class="muted menu-none">${t(state.menu.length ? 'menu.none' : 'menu.empty')}</p>` : nothing}
  `;
}

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;

/** @param {Draft} draft @param {Seen} seen */
function partyForm({ party }, { t, dispatch }) {
  if ('table' in party) {
    const count = party.guests;
    return html`<div class="party">
      <span id="guests">${t('guests')}</span>
      <div class="stepper" role="group" aria-labelledby="guests">
        <button class="button" aria-label="−" ?disabled=${count <= 1} @click=${() => dispatch({ type: 'party', party: { guests: count - 1 } })}>−</button>
        <output class="number">${count}</output>
        <button class="button" aria-label="+" ?disabled=${count >= GUESTS_MAX} @click=${() => dispatch({ type: 'party', party: { guests: count + 1 } })}>+</button>
      </div>
    </div>`;
  }
  /** @param {'customer' | 'phone'} name */
  const typed = (name) => (/** @type {InputEvent} */ event) => dispatch({ type: 'party', party: { [name]: valueOf(event) } });
  return html`<div class="party two">
    <label>${t('customer')}<input class="field" id="customer" autocomplete="off" maxlength="80" .value=${live(party.customer)} @input=${typed('customer')} /></label>
    <label>${t('phone')} <span class="muted">${t('optional')}</span><input class="field" type="tel" autocomplete="off" maxlength="40" .value=${live(party.phone)} @input=${typed('phone')} /></label>
  </div>`;
}

/** @param {Order} order @param {Seen} seen */
function rounds(order, { t, format }) {
  return order.rounds.map((round) => html`<article class="round ${round.voided ? 'is-void' : ''}" data-round=${round.round} data-status=${round.ticket?.status ?? nothing}>
    <header>
      <h3>${t('round', { round: round.round })}</h3>
      <span class="muted number">${format.time(round.ordered_at)}</span>
      <span class="state is-${round.voided ? 'voided' : (round.ticket?.status ?? 'none')}">${ticketWord(round, t)}</span>
    </header>
    <ul>
      ${round.lines.map((line) => html`<li class="line">
        <span class="line-count number">${line.quantity}</span>
        <span class="line-name">${line.name}${line.note ? html`<span class="line-note">${line.note}</span>` : nothing}</span>
        <span class="number">${format.money(line.unit_price * line.quantity)}</span>
      </li>`)}
    </ul>
  </article>`);
}

/** @param {Order['rounds'][number]} round @param {Seen['t']} t */
function ticketWord(round, t) {
  const status = round.voided ? 'voided' : (round.ticket?.status ?? 'none');
  return isKnown(`ticket.${status}`) ? t(`ticket.${status}`) : status;
}

/** @param {Intent} intent @param {Seen} seen */
function pendingRound(intent, seen) {
  return html`<article class="round is-pending" data-kind=${intent.kind}>
    <header><h3>${seen.t(`kind.${intent.kind}`)}</h3>${pendingMark(intent, seen)}</header>
    <ul>
      ${intent.lines.map((line) => html`<li class="line">
        <span class="line-count number">${line.quantity}</span>
        <span class="line-name">${line.name}${line.note ? html`<span class="line-note">${line.note}</span>` : nothing}</span>
        <span class="number">${seen.format.money(line.price * line.quantity)}</span>
      </li>`)}
    </ul>
  </article>`;
}

/** @param {Intent} intent @param {Seen} seen */
const pendingMark = (intent, seen) =>
  intent.refusal
    ? html`<span class="state is-refused">${seen.t('pending.refused', { why: why(intent.refusal.code, seen, { detail: intent.refusal.detail ?? '' }) })}</span>`
    : html`<span class="state is-pending"><span class="spinner" aria-hidden="true"></span>${seen.t(`pending.${intent.state}`)}</span>`;

/** @param {Intent} intent */
const whose = ({ party }) => (party === null ? '' : 'table' in party ? party.table : party.customer);

/** Why it was refused, in words. @param {string} code @param {Pick<Seen, 't' | 'settings'>} seen @param {Record<string, string | number>} [values] */
const why = (code, { t, settings }, values = {}) =>
  (isKnown(`went.${code}`) ? t(`went.${code}`, { who: '', ...values }) : whyRefused(settings.lang, { code, detail: String(values['detail'] || code) })).replace(/^[:\s]+/, '');

/** @param {Till} state @param {Draft} draft @param {Seen} seen */
function draftLines(state, draft, seen) {
  const { t, format, dispatch } = seen;
  if (draft.lines.length === 0) {
    return draft.orderId === null ? html`<p class="muted slip-empty">${t('order.empty')}</p>` : nothing;
  }
  return html`<article class="round is-draft">
    ${draft.orderId === null ? nothing : html`<header><h3>${t('round.new')}</h3></header>`}
    <ul>
      ${draft.lines.map((line, at) => {
        const isOut = isSoldOut(state, line.sku);
        const refusal = draft.lineErrors[at];
        return html`<li class="line is-draft ${isOut || refusal ? 'is-wrong' : ''}" data-sku=${line.sku}>
          <div class="stepper small">
            <button class="button" aria-label=${t('fewer', { name: line.name })} @click=${() => dispatch({ type: 'quantity', line: at, by: -1 })}>−</button>
            <output class="number">${line.quantity}</output>
            <button class="button" aria-label=${t('more', { name: line.name })} @click=${() => dispatch({ type: 'quantity', line: at, by: 1 })}>+</button>
          </div>
          <span class="line-name">${line.name}
            ${line.note && state.noteOf !== at ? html`<span class="line-note">${line.note}</span>` : nothing}
            ${isOut ? html`<span class="refusal" role="alert">${t('sold-out')}</span>` : refusal ? html`<span class="refusal" role="alert">${t('line.refused')}</span>` : nothing}
          </span>
          <span class="number">${format.money(line.price * line.quantity)}</span>
          <button class="button plain note-button" aria-expanded=${state.noteOf === at} @click=${() => dispatch({ type: 'note-of', line: state.noteOf === at ? null : at })}>${t('note.add')}</button>
          ${state.noteOf === at
            ? html`<input class="field note-field" id="note" maxlength="200" placeholder=${t('note')} aria-label=${t('note')}
                .value=${live(line.note)}
                @input=${(/** @type {InputEvent} */ event) => dispatch({ type: 'note', line: at, note: valueOf(event) })}
                @keydown=${(/** @type {KeyboardEvent} */ event) => event.key === 'Enter' && dispatch({ type: 'note-of', line: null })} />`
            : nothing}
        </li>`;
      })}
    </ul>
  </article>`;
}

/** @param {Till} state @param {Draft} draft @param {Order | null} order @param {Seen} seen */
function slipFoot(state, draft, order, { t, format, dispatch, send, want }) {
  const total = (order?.total ?? 0) + totalOf(draft.lines);
  const isAsked = order !== null && state.intents.some((each) => each.orderId === order.order_id && each.kind !== 'add');
  const isOff = !state.connection.live || isAsked || order?.status === 'cancelling';
  return html`<footer class="slip-foot">
    <p class="slip-total"><span>${t('total')}</span><strong class="number">${format.money(total)}</strong></p>
    ${draft.lines.length || !order
      ? html`<button class="button primary send" ?disabled=${!isComplete(draft)} @click=${send}>${t('send')}</button>`
      : html`<div class="slip-actions">
          <button class="button" ?disabled=${isOff || order.status === 'served'} @click=${() => dispatch({ type: 'panel', panel: 'cancel' })}>${t('do.cancel')}</button>
          <button class="button" @click=${() => dispatch({ type: 'receipt', order })}>${t('do.bill')}</button>
          <button class="button good" ?disabled=${isOff || order.status !== 'served'} title=${order.status === 'served' ? nothing : t('close.not-yet')} @click=${() => want('close', order)}>${t('do.close')}</button>
        </div>`}
  </footer>`;
}

/** @param {Till} state @param {Seen} seen */
function panel(state, seen) {
  const { t, dispatch } = seen;
  if (state.panel === null) return nothing;
  const title = { settings: t('settings'), waiting: t('waiting'), cancel: t('cancel'), receipt: t('receipt') }[state.panel];
  return html`<div class="panel" role="dialog" aria-label=${title}>
    <div class="panel-head">
      <h2>${title}</h2>
      <button class="tab" aria-label=${t('close')} @click=${() => dispatch({ type: 'panel', panel: null })}>${icon('close')}</button>
    </div>
    <div class="panel-body">${panelBody(state, seen)}</div>
  </div>`;
}

/** @param {Till} state @param {Seen} seen */
function panelBody(state, seen) {
  switch (state.panel) {
    case 'settings':
      return settings(state, seen);
    case 'waiting':
      return waiting(state, seen);
    case 'cancel':
      return cancellation(state, seen);
    case 'receipt':
      return state.receipt ? receipt(state.receipt, seen) : nothing;
    default:
      return nothing;
  }
}

/** @param {Till} state @param {Seen} seen */
function settings(state, { t, settings: mine, change, dispatch }) {
  return html`
    <div class="party">
      <span id="table-count">${t('tables.count')}</span>
      <div class="stepper" role="group" aria-labelledby="table-count">
        <button class="button" aria-label=${t('fewer.tables')} @click=${() => dispatch({ type: 'tables', count: state.tableCount - 1 })}>−</button>
        <output class="number">${state.tableCount}</output>
        <button class="button" aria-label=${t('more.tables')} @click=${() => dispatch({ type: 'tables', count: state.tableCount + 1 })}>+</button>
      </div>
    </div>
    ${commonSettings(mine, t, change)}
  `;
}

/** @param {Till} state @param {Seen} seen */
function waiting(state, seen) {
  const { t, format, dispatch } = seen;
  if (state.intents.length === 0) return html`<p class="muted">${t('waiting.none')}</p>`;
  return html`
    <p class="muted">${t('waiting.why')}</p>
    <ul class="waiting">
      ${state.intents.map((intent) => html`<li>
        <p><strong>${t(`kind.${intent.kind}`)}</strong> ${intent.party ? whose(intent) : (state.orders[intent.orderId ?? '']?.number ?? '')} <span class="muted number">${format.time(intent.at)}</span></p>
        <p>${intent.lines.map(({ quantity, name }) => `${quantity} × ${name}`).join(', ')}</p>
        ${pendingMark(intent, seen)}
        ${intent.refusal
          ? html`<div class="slip-actions">
              <button class="button" @click=${() => dispatch({ type: 'drop', key: intent.key })}>${t('drop')}</button>
              <button class="button primary" @click=${() => dispatch({ type: 'edit', key: intent.key })}>${t('edit')}</button>
            </div>`
          : nothing}
      </li>`)}
    </ul>
  `;
}

/** @param {Till} state @param {Seen} seen */
function cancellation(state, { t, dispatch, want }) {
  const order = state.draft?.orderId ? state.orders[state.draft.orderId] : undefined;
  if (!order) return nothing;
  const open = order.rounds.filter((each) => !each.voided);
  const reasons = REASONS.map((each) => t(`cancel.reason.${each}`));
  return html`
    ${open.length > 1
      ? html`<fieldset class="choice">
          <legend>${t('cancel.what')}</legend>
          <ul class="checks">
            ${open.map((each) => html`<li><button class="check" aria-pressed=${state.cancelRounds.includes(each.round)} @click=${() => dispatch({ type: 'cancel-round', round: each.round })}>
              <strong>${t('round', { round: each.round })}</strong> <span>${each.lines.map(({ quantity, name }) => `${quantity} × ${name}`).join(', ')}</span>
              <span class="state is-${each.ticket?.status ?? 'none'}">${ticketWord(each, t)}</span>
            </button></li>`)}
          </ul>
          <p class="muted">${state.cancelRounds.length === 0 ? t('cancel.all') : ''}</p>
        </fieldset>`
      : nothing}
    ${choice(t('cancel.why'), reasons.map((each) => [each, each]), state.cancelReason, (reason) => dispatch({ type: 'cancel-reason', reason }))}
    <label class="labelled">${t('cancel.own')}<input class="field" id="reason" maxlength="200" .value=${live(state.cancelReason)} @input=${(/** @type {InputEvent} */ event) => dispatch({ type: 'cancel-reason', reason: valueOf(event) })} /></label>
    <p class="muted">${t('cancel.hint')}</p>
    <button class="button danger" ?disabled=${!state.connection.live || state.cancelReason.trim() === ''} @click=${() => want('cancel', order)}>${t('cancel.do')}</button>
  `;
}

/** @param {Order} order @param {Seen} seen */
function receipt(order, { t, format, name, print }) {
  const lines = order.rounds.filter((each) => !each.voided).flatMap((each) => each.lines);
  return html`
    ${order.status === 'closed' ? html`<p class="closed-mark">${t('receipt.closed', { number: order.number })}</p>` : nothing}
    <article class="receipt">
      <h3>${name}</h3>
      <p class="number">${order.number} · ${format.day(order.placed_at)} ${format.time(order.placed_at)}</p>
      <p>${order.table ? t('table', { table: order.table }) : order.customer}</p>
      <table>
        <caption class="visually-hidden">${t('receipt')} ${order.number}</caption>
        <tbody>
          ${lines.map((line) => html`<tr><td class="number">${line.quantity}</td><td>${line.name}</td><td class="number">${format.money(line.unit_price * line.quantity)}</td></tr>`)}
        </tbody>
        <tfoot><tr><th scope="row" colspan="2">${t('total')}</th><td class="number">${format.money(order.total)}</td></tr></tfoot>
      </table>
    </article>
    <button class="button primary" @click=${print}>${t('print')}</button>
  `;
}

/** @param {Till} state @param {Seen} seen */
function toast({ notice }, seen) {
  if (!notice) return nothing;
  const code = notice.word.startsWith('went.') ? notice.word.slice(5) : null;
  const text = code ? why(code, seen, notice.values) : seen.t(notice.word, notice.values);
  return html`<div class="toast" role="status"><p>${text}</p></div>`;
}
