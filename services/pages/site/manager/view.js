/** What a manager sees: sales of the day and the week, the menu, the restaurant. */

import { commonSettings, icon, mark, staleBanner } from '../app/frame.js';
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { live } from '../vendor/lit-html/directives/live.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { columns, rows, table } from './charts.js';
import { byCategory, dayAfter } from './state.js';

/** @typedef {import('./state.js').Manager} Manager */
/** @typedef {import('./state.js').Item} Item */
/** @typedef {import('./state.js').Form} Form */
/** @typedef {import('./state.js').Sales} Sales */
/** @typedef {import('../app/settings.js').Settings} Settings */

/**
 * @typedef {object} Seen
 * @property {import('../app/frame.js').T} t
 * @property {ReturnType<typeof import('../app/format.js').formats>} format
 * @property {(day: string) => string} dayOf a business day in words
 * @property {Settings} settings
 * @property {string} name the restaurant's
 * @property {string} today the business day that it is
 * @property {number} chartWidth units across a chart
 * @property {(event: import('./state.js').ManagerEvent) => void} dispatch
 * @property {(changed: Partial<Settings>) => void} change
 * @property {(item: Item | null) => void} edit an item, or a new one
 * @property {() => void} save what is typed
 * @property {(item: Item) => void} toggle whether it is sold out
 * @property {(sku: string) => void} withdraw
 * @property {() => void} savePlace
 * @property {() => void} closeDay
 */

/** @type {import('./state.js').Tab[]} */
const TABS = ['day', 'week', 'menu', 'restaurant'];
const TOP_MAX = 12;

/** @param {Manager} state @param {Seen} seen */
export function manager(state, seen) {
  const { t, dispatch } = seen;
  return html`
    <header class="bar">
      <h1 class="bar-name">${mark()}<span>${seen.name}</span></h1>
      <nav class="bar-tabs" aria-label=${t('manager')}>
        ${TABS.map((tab) => html`<button class="tab" data-tab=${tab} aria-current=${state.tab === tab ? 'page' : nothing} @click=${() => dispatch({ type: 'tab', tab })}>${t(`tab.${tab}`)}</button>`)}
      </nav>
      <span class="bar-space"></span>
      <button class="tab" aria-label=${t('settings')} @click=${() => dispatch({ type: 'settings', open: !state.settings })}>${icon('settings')}</button>
    </header>
    ${staleBanner(state.connection, t, seen.format.time)}
    <main class="page">${body(state, seen)}</main>
    ${state.form ? itemPanel(state.form, state, seen) : nothing}
    ${state.settings ? settingsPanel(seen) : nothing}
    ${state.notice ? html`<div class="toast" role="status"><p>${t(state.notice.word, state.notice.values)}</p></div>` : nothing}
  `;
}

/** @param {Manager} state @param {Seen} seen */
function body(state, seen) {
  switch (state.tab) {
    case 'day':
    case 'week':
      return salesPage(state, state.tab, seen);
    case 'menu':
      return menuPage(state, seen);
    case 'restaurant':
      return placePage(state, seen);
    default:
      throw new Error(`unknown tab ${/** @type {never} */ (state.tab)}`);
  }
}

/** @param {Manager} state @param {'day' | 'week'} span @param {Seen} seen */
function salesPage(state, span, seen) {
  const { t, dispatch, dayOf, today } = seen;
  const sales = state.sales[span];
  const step = span === 'day' ? 1 : 7;
  const from = span === 'day' ? state.day : dayAfter(state.day, -6);
  return html`
    <div class="page-head">
      <button class="button" aria-label=${t(`before.${span}`)} @click=${() => dispatch({ type: 'day', day: dayAfter(state.day, -step) })}>${icon('left')}</button>
      <h2>${state.day ? (span === 'day' ? dayOf(state.day) : `${dayOf(from)} – ${dayOf(state.day)}`) : ''}</h2>
      <button class="button" aria-label=${t(`next.${span}`)} ?disabled=${state.day >= today} @click=${() => dispatch({ type: 'day', day: dayAfter(state.day, step) < today ? dayAfter(state.day, step) : today })}>${icon('right')}</button>
      ${sales ? html`<p class="muted as-of">${t('as-of', { time: seen.format.time(sales.asOf) })}</p>` : nothing}
    </div>
    ${state.salesError ? html`<p class="refusal" role="alert">${t('sales.failed', { why: state.salesError })}</p>` : nothing}
    ${sales ? (sales.totals.orders ? report(sales, span, seen) : html`<p class="muted none">${t('sales.none')}</p>`) : state.salesError ? nothing : html`<p class="muted none">${t('stale.never')}</p>`}
  `;
}

/** @param {Sales} sales @param {'day' | 'week'} span @param {Seen} seen */
function report(sales, span, seen) {
  const { t, format, dayOf } = seen;
  const { totals } = sales;
  const width = seen.chartWidth;
  const times = span === 'day'
    ? sales.hours.map((each) => ({ label: format.time(each.hour), value: each.revenue, text: format.money(each.revenue), orders: each.orders }))
    : sales.days.map((each) => ({ label: dayOf(each.day), value: each.revenue, text: format.money(each.revenue), orders: each.orders }));
  const items = sales.items.slice(0, TOP_MAX);
  const minutes = (/** @type {number | null} */ seconds) => (seconds === null ? '–' : t('minutes', { count: format.number(Math.round(seconds / 6) / 10) }));
  return html`
    <dl class="totals">
      ${figure(t('revenue'), format.money(totals.revenue))} ${figure(t('orders'), format.number(totals.orders))}
      ${figure(t('basket'), totals.average_basket === null ? '–' : format.money(totals.average_basket))}
      ${figure(t('wait.ready'), minutes(totals.waiting.ready.p50))}
    </dl>
    ${section(t(span === 'day' ? 'by.hour' : 'by.day'), columns(t(span === 'day' ? 'by.hour' : 'by.day'), times, width),
      table(t(span === 'day' ? 'by.hour' : 'by.day'), [t(span === 'day' ? 'hour' : 'day'), t('orders'), t('revenue')], times.map(({ label, orders, text }) => [label, format.number(orders), text])))}
    ${section(t('by.item'), rows(t('by.item'), items.map((each) => ({ label: each.name, value: each.revenue, text: format.money(each.revenue) })), width),
      table(t('by.item'), [t('item'), t('quantity'), t('revenue')], sales.items.map((each) => [each.name, format.number(each.quantity), format.money(each.revenue)])))}
    ${section(t('by.channel'), rows(t('by.channel'), sales.channels.map((each) => ({ label: channel(each.channel, t), value: each.revenue, text: format.money(each.revenue) })), width),
      table(t('by.channel'), [t('channel'), t('orders'), t('revenue')], sales.channels.map((each) => [channel(each.channel, t), format.number(each.orders), format.money(each.revenue)])))}
    ${section(t('waiting'), rows(t('waiting'), waits(totals).map(({ word, value }) => ({ label: t(word), value: value ?? 0, text: minutes(value) })), width),
      table(t('waiting'), [t('waiting'), 'p50', 'p90', 'p95', 'p99'], /** @type {const} */ (['ready', 'served']).map((each) => [t(`wait.${each}`), minutes(totals.waiting[each].p50), minutes(totals.waiting[each].p90), minutes(totals.waiting[each].p95), minutes(totals.waiting[each].p99)])))}
  `;
}

/** @param {import('./state.js').Figures} totals */
const waits = ({ waiting }) => [
  { word: 'wait.ready.half', value: waiting.ready.p50 },
  { word: 'wait.ready.most', value: waiting.ready.p90 },
  { word: 'wait.served.half', value: waiting.served.p50 },
  { word: 'wait.served.most', value: waiting.served.p90 },
];

/** @param {string} name @param {Seen['t']} t */
const channel = (name, t) => (name === 'dine_in' || name === 'takeaway' ? t(`channel.${name}`) : name);

/** @param {string} label @param {string} value */
const figure = (label, value) => html`<div><dt>${label}</dt><dd class="number">${value}</dd></div>`;

/** @param {string} title @param {unknown} chart @param {unknown} figures */
const section = (title, chart, figures) => html`<section class="sheet">
  <h3>${title}</h3>
  <div class="sheet-body"><div class="chart-box">${chart}</div>${figures}</div>
</section>`;

/** @param {Manager} state @param {Seen} seen */
function menuPage(state, seen) {
  const { t, format, dispatch } = seen;
  const groups = byCategory(state);
  const isOff = state.place === null; // a price in an unknown currency is none
  return html`
    <div class="page-head">
      <input type="search" class="field" placeholder=${t('search')} aria-label=${t('search')} .value=${live(state.search)} @input=${(/** @type {InputEvent} */ event) => dispatch({ type: 'search', search: valueOf(event) })} />
      <button class="button primary" ?disabled=${isOff} @click=${() => seen.edit(null)}>${t('item.new')}</button>
    </div>
    ${groups.length === 0 && state.connection.loaded ? html`<p class="muted none">${t(state.search ? 'menu.none' : 'menu.empty')}</p>` : nothing}
    ${groups.map(([category, items]) => html`<section class="sheet">
      <h2>${category}</h2>
      <ul class="menu-list">
        ${repeat(items, ({ sku }) => sku, (item) => html`<li class=${item.available ? '' : 'is-out'} data-sku=${item.sku}>
          <button class="menu-item" ?disabled=${isOff} @click=${() => seen.edit(item)}>
            <span class="menu-name">${item.name}</span><span class="muted">${item.sku}</span><span class="number price">${format.money(item.price)}</span>
          </button>
          <button class="switch" role="switch" aria-checked=${item.available} aria-label=${t('available.of', { name: item.name })} ?disabled=${!state.connection.live || item.sku in state.pending} @click=${() => seen.toggle(item)}>
            <span class="switch-track" aria-hidden="true"></span><span class="switch-text">${t(item.available ? 'available' : 'sold-out')}</span>
          </button>
        </li>`)}
      </ul>
    </section>`)}
  `;
}

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;

/** @param {string} label @param {string} field @param {string} value @param {string | undefined} error @param {(value: string) => void} type @param {Record<string, any>} [more] */
const input = (label, field, value, error, type, more = {}) => html`<label class="labelled">
  ${label}
  <input class="field" name=${field} autocomplete="off" maxlength="120" inputmode=${more['inputmode'] ?? nothing} type=${more['type'] ?? 'text'} list=${more['list'] ?? nothing}
    aria-invalid=${error ? 'true' : 'false'} ?disabled=${more['disabled'] ?? false} .value=${live(value)} @input=${(/** @type {InputEvent} */ event) => type(valueOf(event))} />
  ${error ? html`<span class="refusal" role="alert">${error}</span>` : nothing}
</label>`;

/** @param {Form} form @param {Manager} state @param {Seen} seen */
function itemPanel(form, state, seen) {
  const { t, dispatch } = seen;
  /** @param {keyof Form} field */
  const type = (field) => (/** @type {string} */ value) => dispatch({ type: 'type', fields: { [field]: value } });
  const title = form.isNew ? t('item.new') : form.name;
  return html`<div class="panel" role="dialog" aria-label=${title}>
    <div class="panel-head"><h2>${title}</h2>
      <button class="tab" aria-label=${t('close')} @click=${() => dispatch({ type: 'edit', form: null })}>${icon('close')}</button>
    </div>
    <form class="panel-body" @submit=${(/** @type {Event} */ event) => { event.preventDefault(); seen.save(); }}>
      ${input(t('name'), 'name', form.name, form.errors['name'], type('name'))}
      ${input(t('category'), 'category', form.category, form.errors['category'], type('category'), { list: 'categories' })}
      <datalist id="categories">${byCategory({ ...state, search: '' }).map(([name]) => html`<option value=${name}></option>`)}</datalist>
      ${input(t('price'), 'price', form.price, form.errors['price'], type('price'), { inputmode: 'decimal' })}
      ${input(t('sku'), 'sku', form.sku, form.errors['sku'], type('sku'), { disabled: !form.isNew })}
      ${form.errors[''] ? html`<p class="refusal" role="alert">${form.errors['']}</p>` : nothing}
      <button class="button primary" ?disabled=${form.isBusy || !state.connection.live}>${t('save')}</button>
      ${form.isNew ? nothing : html`<button type="button" class="button withdraw" ?disabled=${form.isBusy || !state.connection.live} @click=${() => seen.withdraw(form.sku)}>${t('withdraw')}</button><p class="muted">${t('withdraw.hint')}</p>`}
    </form>
  </div>`;
}

/** @param {Manager} state @param {Seen} seen */
function placePage(state, seen) {
  const { t, dispatch } = seen;
  const { place, placeErrors } = state;
  if (!place) return html`<p class="muted none">${t('stale.never')}</p>`;
  /** @param {keyof import('./state.js').Place} field */
  const type = (field) => (/** @type {string} */ value) => dispatch({ type: 'type-place', fields: { [field]: value } });
  return html`<section class="sheet narrow">
    <h2>${t('tab.restaurant')}</h2>
    <form class="form" @submit=${(/** @type {Event} */ event) => { event.preventDefault(); seen.savePlace(); }}>
      ${input(t('name'), 'name', place.name, placeErrors['name'], type('name'))}
      ${input(t('day-begins'), 'day_begins', place.day_begins, placeErrors['day_begins'], type('day_begins'), { type: 'time' })}
      <p class="muted">${t('day-begins.hint')}</p>
      ${input(t('time-zone'), 'time_zone', place.time_zone, placeErrors['time_zone'], type('time_zone'))}
      ${input(t('currency'), 'currency', place.currency, placeErrors['currency'], type('currency'))}
      ${placeErrors[''] ? html`<p class="refusal" role="alert">${placeErrors['']}</p>` : nothing}
      <button class="button primary" ?disabled=${state.placeIsBusy || !state.connection.live}>${t('save')}</button>
    </form>
  </section>
  ${closing(state, seen)}`;
}

/** What can't be taken back is asked for twice. @param {Manager} state @param {Seen} seen */
function closing(state, { t, today, dayOf, dispatch, closeDay }) {
  const isOff = !state.connection.live || state.closing === 'busy';
  return html`<section class="sheet narrow" data-closing=${state.closing}>
    <h2>${t('closing')}</h2>
    <p class="muted">${t('closing.hint')}</p>
    ${state.closing === 'asked'
      ? html`<p role="alert"><strong>${t('closing.ask', { day: dayOf(today) })}</strong></p>
          <div class="closing-actions">
            <button type="button" class="button" @click=${() => dispatch({ type: 'closing', closing: 'no' })}>${t('no')}</button>
            <button type="button" class="button danger" ?disabled=${isOff} @click=${closeDay}>${t('closing')}</button>
          </div>`
      : html`<button type="button" class="button" ?disabled=${isOff} @click=${() => dispatch({ type: 'closing', closing: 'asked' })}>${t('closing')} …</button>`}
  </section>`;
}

/** @param {Seen} seen */
function settingsPanel({ t, settings, change, dispatch }) {
  return html`<div class="panel" role="dialog" aria-label=${t('settings')}>
    <div class="panel-head"><h2>${t('settings')}</h2>
      <button class="tab" aria-label=${t('close')} @click=${() => dispatch({ type: 'settings', open: false })}>${icon('close')}</button>
    </div>
    <div class="panel-body">${commonSettings(settings, t, change)}</div>
  </div>`;
}
