/** The till's page: its feeds, its commands, and what a reload must not lose. */

import { NoAnswer, Refused, Unavailable, newKey } from '../app/client.js';
import { formats, unknownPlace } from '../app/format.js';
import { gate } from '../app/frame.js';
import { beginPage } from '../app/page.js';
import { createStore } from '../app/store.js';
import { words } from '../app/words.js';
import { render } from '../vendor/lit-html/lit-html.js';
import { Queue } from './queue.js';
import { EMPTY, TABLES_USUAL, isAnothers, nextToSend, reduce, unseen } from './state.js';
import { till } from './view.js';
import { tillWords } from './words.js';

/** @typedef {import('./state.js').Intent} Intent */
/** @typedef {import('./state.js').Order} Order */

const TICK_MS = 1_000;
const NOTICE_MS = 8_000;
const AGAIN_AFTER_MS = 2_000;
const LOOKS_MAX = 3;
const UNAUTHORIZED = 401;

beginPage('till', (page) => {
  const { client, clock, root } = page;
  const name = `comanda.till.${page.session.restaurant}`;
  const queue = new Queue(page.session.restaurant);
  const tab = window.sessionStorage.getItem(`${name}.tab`) ?? newKey();
  window.sessionStorage.setItem(`${name}.tab`, tab);
  let place = unknownPlace(page.session.restaurant);
  let t = words(page.settings.lang, tillWords);
  let format = formats(page.settings.locale, place);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let quieting;
  let isSending = false;
  let sendsFrom = 0; // of the page's milliseconds

  const store = createStore({
    initial: EMPTY,
    reduce,
    show(state) {
      const { over } = state.connection;
      if (over !== null) return render(gate(t, over), root);
      const seen = { t, format, settings: page.settings, name: place.name, dispatch: store.dispatch, change: page.change };
      render(till(state, { ...seen, send, want, print: () => window.print() }), root);
      keepInSight(state.draft?.lines.length ?? 0);
    },
    effects(before, after, event) {
      // before anything is sent: what is on its way outlives the page
      if (after.intents !== before.intents && event.type !== 'kept' && event.type !== 'elsewhere') queue.keep(before.intents, after.intents);
      if (after.draft !== before.draft) window.sessionStorage.setItem(`${name}.draft`, JSON.stringify(after.draft));
      if (after.tableCount !== before.tableCount) window.localStorage.setItem(`${name}.tables`, String(after.tableCount));
      if (after.notice && after.notice !== before.notice) {
        clearTimeout(quieting);
        quieting = setTimeout(() => store.dispatch({ type: 'quiet' }), NOTICE_MS);
      }
      const isBack = after.connection.live && !before.connection.live;
      if (after.intents !== before.intents || isBack) queueMicrotask(sendNext);
      // an order that was closed while nobody looked is in no snapshot
      if (isBack) for (const { orderId, version } of unseen(after)) if (orderId !== null) void look(orderId, version);
    },
  });

  let lineCount = 0;
  /** What was just typed is seen, below the rounds that there are. @param {number} count */
  function keepInSight(count) {
    const body = root.querySelector('.slip-body');
    if (body && count > lineCount) body.scrollTop = body.scrollHeight;
    lineCount = count;
  }

  const send = () => store.dispatch({ type: 'send', key: newKey(), tab });

  /** @param {'cancel' | 'close'} kind @param {Order} order */
  function want(kind, order) {
    const { cancelRounds: rounds, cancelReason: reason } = store.state;
    const cancelled = { rounds: rounds.length ? [...rounds].sort((a, b) => a - b) : null, reason: reason.trim() };
    store.dispatch({ type: 'want', key: newKey(), kind, orderId: order.order_id, ...(kind === 'cancel' ? cancelled : {}) });
  }

  /** One after the other, in the order in which they were touched. */
  async function sendNext() {
    const intent = nextToSend(store.state, page.session.subject);
    if (isSending || intent === null || performance.now() < sendsFrom || store.state.connection.over !== null) return;
    isSending = true;
    try {
      await queue.exclusively(() => sendOne(intent.key));
    } finally {
      isSending = false;
      if (store.state.intents.every((each) => each.key !== intent.key || each.state === 'done')) queueMicrotask(sendNext);
    }
  }

  /** Unless another tab has, since it was next here. @param {string} key */
  async function sendOne(key) {
    const intent = queue.read(key);
    if (intent === null || intent.state === 'done' || intent.refusal) return store.dispatch({ type: 'elsewhere', key, intent });
    if (isAnothers(intent, page.session.subject)) return refuse(intent, { code: 'perhaps-sent' });
    store.dispatch({ type: 'sending', key, by: page.session.subject });
    try {
      const { body } = await command(intent);
      store.dispatch({ type: 'done', key: intent.key, orderId: body.order_id, version: body.version });
      void look(body.order_id, body.version);
    } catch (error) {
      // who is not known any more is paired anew, and what he wanted done is not refused for it
      const isUnknown = error instanceof Refused && error.status === UNAUTHORIZED;
      if (error instanceof NoAnswer || error instanceof Unavailable || isUnknown) {
        store.dispatch({ type: 'unanswered', key, ...(isUnknown ? { sentBy: intent.sentBy } : {}) });
        sendsFrom = performance.now() + AGAIN_AFTER_MS; // the next tick after that
        return;
      }
      if (!(error instanceof Refused)) throw error;
      refuse(intent, error.problem);
    }
  }

  /** Where it was typed, or else for all tabs to see. @param {Intent} intent @param {import('./state.js').Problem} problem */
  const refuse = (intent, problem) =>
    store.dispatch({ type: 'refused', key: intent.key, problem, isOfAnotherTab: intent.lines.length > 0 && intent.tab !== tab });

  /** @param {Intent} intent */
  function command({ key, kind, orderId, party, lines, rounds, reason }) {
    const ordered = lines.map(({ sku, quantity, note }) => ({ sku, quantity, ...(note.trim() ? { note: note.trim() } : {}) }));
    /** @param {string} path @param {unknown} [body] */
    const post = (path, body) => client.command('ordering', path, { key, body, attempts: 1 });
    switch (kind) {
      case 'place': {
        if (party === null) throw new Error('an order without a party');
        const who = 'table' in party
          ? { channel: 'dine_in', table: party.table, guests: party.guests }
          : { channel: 'takeaway', customer: party.customer.trim(), ...(party.phone.trim() ? { phone: party.phone.trim() } : {}) };
        return post('/orders', { ...who, lines: ordered });
      }
      case 'add':
        return post(`/orders/${orderId}/rounds`, { lines: ordered });
      case 'cancel':
        return post(`/orders/${orderId}/cancel`, { reason, ...(rounds ? { rounds } : {}) });
      case 'close':
        return post(`/orders/${orderId}/close`);
      default:
        throw new Error(`unknown intent ${/** @type {never} */ (kind)}`);
    }
  }

  /** Read what was just written: the mark stays until the view has it, and so it is not for ever. @param {string} orderId @param {number} version */
  async function look(orderId, version) {
    for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
      try {
        const order = await client.get('query', `/orders/${orderId}?min_version=${version}`);
        return store.dispatch({ type: 'order', order });
      } catch {
        await client.sleep(AGAIN_AFTER_MS);
      }
    }
  }

  window.addEventListener('online', () => {
    sendsFrom = 0;
    void sendNext();
  });
  window.addEventListener('storage', (event) => {
    const heard = queue.heard(event);
    if (heard) store.dispatch({ type: 'elsewhere', ...heard });
  });
  window.addEventListener('keydown', (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.key === 'Escape') {
      const { panel, screen } = store.state;
      if (panel !== null) store.dispatch({ type: 'panel', panel: null });
      else if (screen === 'order' && !target.closest('input')) store.dispatch({ type: 'leave' });
    }
    if (event.key === '/' && !target.closest('input')) {
      event.preventDefault();
      document.getElementById('search')?.focus();
    }
  });

  page.onSettings(() => {
    t = words(page.settings.lang, tillWords);
    format = formats(page.settings.locale, place);
    document.title = `${t('till')} · ${place.name}`;
    store.show();
  });

  page.follow(client.url('query', '/orders/live'), {
    event(type, data) {
      if (type === 'snapshot') store.dispatch({ type: 'snapshot', orders: data.orders });
      else if (type === 'order') store.dispatch({ type: 'order', order: data });
    },
    status: (status) => store.dispatch({ type: 'connection', status }),
  });
  page.follow(client.url('query', '/menu/live'), {
    event: (_, data) => store.dispatch({ type: 'menu', menu: data }),
    status: (status) => store.dispatch({ type: 'menu-connection', status }),
  });
  const draft = JSON.parse(window.sessionStorage.getItem(`${name}.draft`) ?? 'null');
  const tableCount = Number(window.localStorage.getItem(`${name}.tables`) ?? TABLES_USUAL);
  store.dispatch({ type: 'kept', kept: { intents: queue.all(), draft, tableCount } });
  setInterval(() => {
    store.dispatch({ type: 'tick', now: clock.now() });
    void sendNext();
  }, TICK_MS);
  store.dispatch({ type: 'tick', now: clock.now() });
  store.show();
  void page.loadPlace().then((found) => {
    place = found;
    page.change({});
  });
});
