/** The manager's page: the menu's feed, sales looked up again while they change, and what is saved. */

import { NoAnswer, Refused, newKey } from '../app/client.js';
import { formats, unknownPlace } from '../app/format.js';
import { gate } from '../app/frame.js';
import { beginPage } from '../app/page.js';
import { whyRefused } from '../app/refusals.js';
import { createStore } from '../app/store.js';
import { words } from '../app/words.js';
import { render } from '../vendor/lit-html/lit-html.js';
import { chartWidthIn } from './charts.js';
import { EMPTY, businessDay, dayAfter, minorOf, reduce, typedPrice } from './state.js';
import { manager } from './view.js';
import { managerWords } from './words.js';

/** @typedef {import('./state.js').Item} Item */

const TICK_MS = 30_000;
const NOTICE_MS = 6_000;
const SALES_AGAIN_MS = 15_000;
/** Fields of which it is said how they have to be. */
const WRONG = /** @type {const} */ ({ time_zone: 'wrong.time_zone', currency: 'wrong.currency', sku: 'wrong.sku' });

beginPage('manager', (page) => {
  const { client, clock, root } = page;
  let place = unknownPlace(page.session.restaurant);
  let t = words(page.settings.lang, managerWords);
  let format = formats(page.settings.locale, place);
  let dayBegins = '00:00';
  let closesDays = false; // as it is: what is saved replaces all of it
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let quieting;

  const today = () => businessDay(clock.now(), place.time_zone, dayBegins);
  /** @param {string} day */
  const dayOf = (day) =>
    new Intl.DateTimeFormat(page.settings.locale, { weekday: 'short', day: 'numeric', month: 'short', timeZone: 'UTC' }).format(new Date(`${day}T12:00:00Z`));

  const store = createStore({
    initial: EMPTY,
    reduce,
    show(state) {
      const { over } = state.connection;
      if (over !== null) return render(gate(t, over), root);
      const seen = { t, format, dayOf, settings: page.settings, name: place.name, today: today(), chartWidth: chartWidthIn(window.innerWidth), dispatch: store.dispatch, change: page.change };
      render(manager(state, { ...seen, edit, save, toggle, withdraw, savePlace, closeDay }), root);
    },
    effects(before, after) {
      if (after.notice && after.notice !== before.notice) {
        clearTimeout(quieting);
        quieting = setTimeout(() => store.dispatch({ type: 'quiet' }), NOTICE_MS);
      }
      const isOther = after.day !== before.day || after.tab !== before.tab;
      if (isOther || (after.connection.live && !before.connection.live)) queueMicrotask(look);
    },
  });

  /** @param {Item | null} item */
  function edit(item) {
    const form = item
      ? { isNew: false, version: item.version, sku: item.sku, name: item.name, category: item.category, price: typedPrice(item.price, format.minorUnits) }
      : { isNew: true, sku: '', name: '', category: '', price: '' };
    store.dispatch({ type: 'edit', form: { ...form, errors: {}, isBusy: false } });
  }

  /** Have something done to an item, once: a form that is sent is busy until it is answered. @param {string} sku @param {() => Promise<{body: any}>} send @param {boolean} [isGone] */
  async function change(sku, send, isGone = false) {
    if (sku in store.state.pending) return;
    store.dispatch({ type: 'sent', sku });
    try {
      const { body } = await send();
      store.dispatch({ type: 'done', sku, item: isGone ? null : body });
    } catch (error) {
      store.dispatch({ type: 'failed', sku, errors: errorsOf(error) });
    }
  }

  function save() {
    const form = store.state.form;
    if (!form || form.isBusy) return;
    const price = minorOf(form.price, format.minorUnits);
    /** @type {Record<string, string>} */
    const errors = {};
    if (form.name.trim() === '') errors['name'] = t('missing');
    if (form.category.trim() === '') errors['category'] = t('missing');
    if (form.sku.trim() === '') errors['sku'] = t('missing');
    if (price === null) errors['price'] = t('price.wrong', { example: typedPrice(850, format.minorUnits) });
    const known = store.state.items.find(({ sku }) => sku === form.sku);
    if (form.isNew && known) errors['sku'] = t('sku.taken', { name: known.name });
    if (Object.keys(errors).length) return store.dispatch({ type: 'failed', sku: form.sku, errors });
    const body = { name: form.name.trim(), category: form.category.trim(), price, available: known?.available ?? true };
    const version = form.version === undefined ? {} : { version: form.version };
    void change(form.sku, () => client.command('ordering', `/menu/${encodeURIComponent(form.sku)}`, { key: newKey(), method: 'PUT', body, ...version }));
  }

  /** @param {Item} item */
  function toggle(item) {
    const what = item.available ? 'unavailable' : 'available';
    void change(item.sku, () => client.command('ordering', `/menu/${encodeURIComponent(item.sku)}/${what}`, { key: newKey() }));
  }

  /** @param {string} sku */
  function withdraw(sku) {
    void change(sku, () => client.command('ordering', `/menu/${encodeURIComponent(sku)}`, { key: newKey(), method: 'DELETE' }), true);
  }

  async function savePlace() {
    const { place: typed, placeIsBusy } = store.state;
    if (!typed || placeIsBusy) return;
    if (typed.day_begins === '') return store.dispatch({ type: 'place-failed', errors: { day_begins: t('missing') } });
    store.dispatch({ type: 'place-sent' });
    try {
      const { body } = await client.command('ordering', '', { key: newKey(), method: 'PUT', body: { ...typed, closes_days: closesDays } });
      dayBegins = body.day_begins;
      place = { ...place, name: body.name, time_zone: body.time_zone, currency: body.currency };
      store.dispatch({ type: 'place-done' });
      page.change({});
    } catch (error) {
      store.dispatch({ type: 'place-failed', errors: errorsOf(error) });
    }
  }

  async function closeDay() {
    if (store.state.closing !== 'asked') return;
    store.dispatch({ type: 'closing', closing: 'busy' });
    const day = today();
    try {
      await client.command('ordering', '/day/close', { key: newKey(), body: { business_day: day } });
      store.dispatch({ type: 'closed', day: dayOf(day) });
    } catch (error) {
      store.dispatch({ type: 'closing-failed', why: why(error) });
    }
  }

  /** What is wrong, by field. @param {unknown} error @returns {Record<string, string>} */
  function errorsOf(error) {
    const fields = /** @type {{field?: string}[]} */ ((error instanceof Refused && error.problem.errors) || []);
    const found = Object.fromEntries(fields.map(({ field = '' }) => [field, t(WRONG[/** @type {keyof typeof WRONG} */ (field)] ?? 'wrong')]));
    return Object.keys(found).length ? found : { '': why(error) };
  }

  /** @param {unknown} error @returns {string} */
  function why(error) {
    if (error instanceof NoAnswer) return whyRefused(page.settings.lang, { code: 'no-answer' });
    if (!(error instanceof Refused)) throw error;
    return whyRefused(page.settings.lang, error.problem);
  }

  let looking = 0;
  /** The sales that are on the screen. */
  async function look() {
    const { tab, day } = store.state;
    if ((tab !== 'day' && tab !== 'week') || day === '') return;
    looking += 1;
    const turn = looking;
    const span = `from=${tab === 'day' ? day : dayAfter(day, -6)}&to=${day}`;
    try {
      const [times, items, channels] = await Promise.all(
        [tab === 'day' ? 'hour' : 'day', 'item', 'channel'].map((by) => client.get('query', `/sales?${span}&by=${by}`)),
      );
      if (turn !== looking) return;
      const of = tab === 'day' ? { hours: times.groups, days: [] } : { hours: [], days: times.groups };
      store.dispatch({ type: 'sales', span: tab, day, sales: { totals: times.totals, ...of, items: items.groups, channels: channels.groups, asOf: times.as_of } });
    } catch (error) {
      if (turn === looking) store.dispatch({ type: 'sales-failed', code: why(error) });
    }
  }

  window.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    if (store.state.closing === 'asked') store.dispatch({ type: 'closing', closing: 'no' });
    store.dispatch({ type: 'edit', form: null });
    store.dispatch({ type: 'settings', open: false });
  });

  page.onSettings(() => {
    t = words(page.settings.lang, managerWords);
    format = formats(page.settings.locale, place);
    document.title = `${t('manager')} · ${place.name}`;
    store.show();
  });

  page.follow(client.url('query', '/menu/live'), {
    event: (_, data) => store.dispatch({ type: 'menu', menu: data }),
    status: (status) => store.dispatch({ type: 'connection', status }),
  });
  window.addEventListener('resize', () => store.show());
  setInterval(() => store.dispatch({ type: 'tick', now: clock.now() }), TICK_MS);
  setInterval(() => {
    if (document.visibilityState === 'visible') void look();
  }, SALES_AGAIN_MS);
  store.show();
  void page.loadPlace(() => client.get('ordering', '')).then((found) => {
    place = found;
    dayBegins = found.day_begins;
    closesDays = found.closes_days;
    store.dispatch({ type: 'place', place: { name: found.name, currency: found.currency, time_zone: found.time_zone, day_begins: found.day_begins } });
    store.dispatch({ type: 'day', day: today() });
    page.change({});
  });
});
