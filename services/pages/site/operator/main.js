/** The operator's page: it looks at each service every three seconds, and has done what is asked. */

import { NoAnswer, Refused, newKey } from '../app/client.js';
import { formats } from '../app/format.js';
import { gate } from '../app/frame.js';
import { beginPage } from '../app/page.js';
import { createStore } from '../app/store.js';
import { words } from '../app/words.js';
import { render } from '../vendor/lit-html/lit-html.js';
import { CHOSEN_MAX, EMPTY, SERVICES, isTask, jobOf, reduce } from './state.js';
import { operator } from './view.js';
import { operatorWords } from './words.js';

/** @typedef {import('../app/client.js').Service} Service */

const LOOK_AGAIN_MS = 3_000;
const TICK_MS = 1_000;
const NOTICE_MS = 8_000;
const OVER = new Set([401, 403]);

beginPage('operator', (page) => {
  const { client, clock, root } = page;
  const zone = { currency: null, time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone };
  let t = words(page.settings.lang, operatorWords);
  let format = formats(page.settings.locale, zone);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let quieting;

  const store = createStore({
    initial: EMPTY,
    reduce,
    show(state) {
      if (state.over !== null) return render(gate(t, state.over), root);
      const seen = { t, format, settings: page.settings, dispatch: store.dispatch, change: page.change };
      render(operator(state, { ...seen, open, more, confirm }), root);
    },
    effects(before, after) {
      if (after.asked !== null && before.asked === null) asker = /** @type {HTMLElement | null} */ (document.activeElement);
      if ((after.asked === null) !== (before.asked === null)) queueMicrotask(() => requestAnimationFrame(focus));
      if (after.tab !== before.tab) queueMicrotask(() => void lettersOf(after.tab));
      if (after.notice && after.notice !== before.notice) {
        clearTimeout(quieting);
        quieting = setTimeout(() => store.dispatch({ type: 'quiet' }), NOTICE_MS);
      }
    },
  });

  /** @type {HTMLElement | null} */
  let asker = null;
  /** To the question, and from it back to what asked it. */
  function focus() {
    const first = /** @type {HTMLElement | null} */ (root.querySelector('.question button'));
    (first ?? asker)?.focus();
  }

  /** @param {unknown} error @returns {string} */
  function codeOf(error) {
    if (error instanceof NoAnswer) return 'no-answer';
    if (!(error instanceof Refused)) throw error;
    if (OVER.has(error.status)) store.dispatch({ type: 'over', code: error.code });
    return error.code;
  }

  /** @param {Service} service */
  async function look(service) {
    try {
      const { body } = await client.operate(service, '/status');
      const before = store.state.services[service].status?.dead_letters ?? 0;
      store.dispatch({ type: 'status', service, status: body, at: clock.now() });
      if (service === store.state.tab && body.dead_letters !== before) await lettersOf(service);
    } catch (error) {
      store.dispatch({ type: 'trouble', service, code: codeOf(error) });
    }
  }

  /** @param {Service} service */
  async function measure(service) {
    try {
      store.dispatch({ type: 'measures', service, measures: await measures(service) });
    } catch {
      // the next look comes soon, and its status says how the service is
    }
  }

  /** @param {Service} service @returns {Promise<Record<string, number>>} by their words */
  async function measures(service) {
    switch (service) {
      case 'ordering': {
        const { body } = await client.operate(service, '/outbox');
        if (body.parked || store.state.parked.length) await parked();
        return { 'outbox': body.waiting, 'outbox.oldest': body.oldest_s, 'parked': body.parked };
      }
      case 'query': {
        const [{ body }] = await Promise.all([client.operate(service, '/generations'), jobs()]);
        const of = (/** @type {{number: number, role: string, orders: number}} */ each) => [`generation ${each.number} ${each.role}`, each.orders];
        return Object.fromEntries(body.generations.map(of));
      }
      case 'serving':
        return {};
      default:
        throw new Error(`unknown service ${/** @type {never} */ (service)}`);
    }
  }

  async function jobs() {
    const { body } = await client.operate('query', '/jobs');
    store.dispatch({ type: 'jobs', jobs: body.jobs });
  }

  async function parked() {
    const { body } = await client.operate('ordering', `/parked-events?limit=${CHOSEN_MAX}`);
    store.dispatch({ type: 'parked', events: body.events });
  }

  /** @param {Service} service @param {number} [after] */
  async function lettersOf(service, after = 0) {
    try {
      const { body } = await client.operate(service, `/dead-letters?limit=100&after=${after}`);
      store.dispatch({ type: 'letters', service, letters: body.letters, next: body.next, isMore: after > 0 });
    } catch (error) {
      store.dispatch({ type: 'trouble', service, code: codeOf(error) });
    }
  }

  const more = () => void lettersOf(store.state.tab, store.state.services[store.state.tab].next ?? 0);

  /** @param {number} number */
  async function open(number) {
    const service = store.state.tab;
    try {
      const { body } = await client.operate(service, `/dead-letters/${number}`);
      store.dispatch({ type: 'open', details: { ...body, service } });
    } catch (error) {
      store.dispatch({ type: 'refused', code: codeOf(error) });
    }
  }

  async function confirm() {
    const { asked, isBusy } = store.state;
    if (!asked || isBusy) return;
    store.dispatch({ type: 'busy' });
    try {
      if (isTask(asked.what)) {
        const wanted = jobOf(asked.what, 'consent' in asked ? asked.consent : 0);
        const begun = await client.operate('query', '/jobs', { method: 'POST', body: wanted });
        store.dispatch({ type: 'begun', job: begun.body });
        return;
      }
      const body = { numbers: asked.numbers };
      if (asked.what === 'release') {
        const told = await client.operate(asked.service, '/parked-events/release', { method: 'POST', body, key: newKey() });
        store.dispatch({ type: 'released', numbers: told.body.released });
        return;
      }
      const answer = await client.operate(asked.service, `/dead-letters/${asked.what}`, { method: 'POST', body, key: newKey() });
      store.dispatch({ type: 'outcomes', service: asked.service, what: asked.what, outcomes: answer.body.outcomes });
      void look(asked.service);
    } catch (error) {
      store.dispatch({ type: 'refused', code: codeOf(error) });
    }
  }

  window.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    if (store.state.asked) return store.dispatch({ type: 'ask', asked: null });
    store.dispatch({ type: 'open', details: null });
    store.dispatch({ type: 'settings', open: false });
  });

  page.onSettings(() => {
    t = words(page.settings.lang, operatorWords);
    format = formats(page.settings.locale, zone);
    document.title = `${t('operator')} · Comanda`;
    store.show();
  });

  /** Each by itself: one that does not answer holds up no other. @param {Service} service */
  async function watch(service) {
    for (;;) {
      if (store.state.over !== null) return;
      if (document.visibilityState === 'visible') await Promise.all([look(service), measure(service)]);
      await client.sleep(LOOK_AGAIN_MS);
    }
  }
  for (const service of SERVICES) void watch(service);
  setInterval(() => store.dispatch({ type: 'tick', now: clock.now() }), TICK_MS);
  store.dispatch({ type: 'tick', now: clock.now() });
  page.change({});
});
