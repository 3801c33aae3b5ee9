/** The kitchen's page: its feed, its moves, its keys. */

import { NoAnswer, Refused, newKey } from '../app/client.js';
import { formats, unknownPlace } from '../app/format.js';
import { gate } from '../app/frame.js';
import { beginPage } from '../app/page.js';
import { createStore } from '../app/store.js';
import { words } from '../app/words.js';
import { render } from '../vendor/lit-html/lit-html.js';
import { actionOf, moveBy, nameOf } from './keys.js';
import { CLOSED, bumpOf, cards, chimeOf, find, keyOf, reduce } from './state.js';
import { kitchen } from './view.js';
import { kitchenWords } from './words.js';

/** @typedef {import('./state.js').Ticket} Ticket */
/** @typedef {import('./state.js').Move} Move */

const TICK_MS = 1_000;
const NOTICE_MS = 8_000;
const DOUBLE_TAP_MS = 400;
const CARD_WIDTH = 290; // px, at least
const CARD_HEIGHT = 330;
const GAP = 12;
const NARROW = 700; // below, cards are in a list to scroll
const LIST_SLOTS = 12;
/** What takes a move back. @type {Record<Move, (ticket: Ticket) => Move | null>} */
const UNDO = {
  start: () => null,
  ready: () => 'recall',
  serve: () => 'recall',
  recall: (ticket) => (ticket.status === 'ready' ? 'serve' : 'ready'),
};

beginPage('kitchen', (page) => {
  const { client, clock, chimes, root } = page;
  let place = unknownPlace(page.session.restaurant);
  let t = words(page.settings.lang, kitchenWords);
  let format = formats(page.settings.locale, place);
  /** @type {string | null} */
  let learning = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let quieting;

  const store = createStore({
    initial: CLOSED,
    reduce,
    show(state) {
      const { over } = state.connection;
      if (over !== null) return render(gate(t, over), root);
      render(
        kitchen(state, {
          t,
          format,
          settings: page.settings,
          name: place.name,
          isSilent: page.settings.sound && !chimes.isAwake,
          learning,
          dispatch: store.dispatch,
          move,
          undo,
          change: page.change,
          learn(action) {
            learning = action;
            store.show();
          },
        }),
        root,
      );
      measure();
    },
    effects(before, after, event) {
      const chime = page.settings.sound ? chimeOf(before, after, event) : null;
      if (chime) chimes.play(chime);
      if (event.type === 'moved' || event.type === 'refused') {
        clearTimeout(quieting);
        quieting = setTimeout(() => store.dispatch({ type: 'quiet' }), NOTICE_MS);
      }
    },
  });

  /** Send a move of a ticket, once: what is under way is not sent again. @param {Ticket} ticket @param {Move | 'dismiss'} what @param {boolean} [isUndo] */
  async function move(ticket, what, isUndo = false) {
    const key = keyOf(ticket);
    if (what === 'dismiss') return store.dispatch({ type: 'dismiss', key });
    if (key in store.state.pending || !store.state.connection.live) return;
    store.dispatch({ type: 'sent', key, move: what });
    try {
      const moved = await send(ticket, what);
      store.dispatch({ type: 'moved', key, move: what, ticket: moved, isUndo });
    } catch (error) {
      const code = error instanceof Refused ? error.code : error instanceof NoAnswer ? 'no-answer' : 'other';
      const as = error instanceof Refused ? /** @type {Ticket | undefined} */ (error.problem.ticket) : undefined;
      store.dispatch({ type: 'refused', key, code, ticket: as ?? undefined });
    }
  }

  /** @param {Ticket} ticket @param {Move} what @returns {Promise<Ticket>} */
  async function send(ticket, what) {
    const path = `/orders/${ticket.order_id}/rounds/${ticket.round}/${what}`;
    return (await client.command('serving', path, { key: newKey() })).body;
  }

  function undo() {
    const done = store.state.done;
    const ticket = done && find(store.state, done.key);
    const back = done && ticket && UNDO[done.move](ticket);
    if (back) void move(ticket, back, true);
  }

  const shown = () => {
    const { page: at, slots } = store.state;
    return cards(store.state).slice(at * slots, (at + 1) * slots);
  };

  /** @param {Ticket | undefined} ticket */
  const bump = (ticket) => {
    const what = ticket && bumpOf(ticket, store.state.view);
    if (ticket && what) void move(ticket, what);
  };

  window.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (learning !== null) {
      event.preventDefault();
      const keys = { ...page.settings.keys, [learning]: nameOf(event.key) };
      learning = null;
      return page.change(keys && event.key !== 'Escape' ? { keys } : {});
    }
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.closest('input, select, textarea')) return;
    if (target.closest('button, a') && (event.key === 'Enter' || event.key === ' ')) return;
    if (event.key === 'Escape') return store.dispatch({ type: 'panel', panel: null });
    const action = actionOf(event.key, page.settings.keys);
    if (action === null || event.repeat) return;
    event.preventDefault();
    act(action);
  });

  /** @param {NonNullable<ReturnType<typeof actionOf>>} action */
  function act(action) {
    const { state, dispatch } = store;
    if (typeof action === 'object') return bump(shown()[action.slot - 1]);
    const all = cards(state);
    const chosen = all.find((ticket) => keyOf(ticket) === state.selected);
    switch (action) {
      case 'bump':
        return bump(chosen);
      case 'start':
        return chosen?.status === 'queued' ? void move(chosen, 'start') : undefined;
      case 'first':
        return dispatch({ type: 'page', page: 0 });
      case 'last':
        return dispatch({ type: 'page', page: Math.ceil(all.length / state.slots) - 1 });
      case 'undo':
        return undo();
      case 'recall':
      case 'all-day':
        return dispatch({ type: 'panel', panel: state.panel === action ? null : action });
      case 'view':
        return dispatch({ type: 'view', view: state.view === 'kitchen' ? 'pass' : 'kitchen' });
      default: {
        const from = chosen ? all.indexOf(chosen) : state.page * state.slots - 1;
        const to = chosen ? moveBy(from, action, columns(), all.length) : from + 1;
        const next = all[to];
        if (next) dispatch({ type: 'select', key: keyOf(next) });
      }
    }
  }

  let tapped = { key: '', at: -Infinity };
  root.addEventListener('click', (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    const card = /** @type {HTMLElement | null} */ (target.closest('.card'));
    if (!card || target.closest('.card-foot')) return;
    const key = card.dataset['key'] ?? '';
    const isDouble = tapped.key === key && event.timeStamp - tapped.at < DOUBLE_TAP_MS;
    tapped = isDouble ? { key: '', at: -Infinity } : { key, at: event.timeStamp };
    if (isDouble) bump(find(store.state, key));
  });

  const columns = () => Math.max(1, Math.floor((document.documentElement.clientWidth - GAP) / (CARD_WIDTH + GAP)));

  /** As many cards as there is room for; and which of them have more than is seen. */
  function measure() {
    const grid = document.getElementById('grid');
    if (!grid) return;
    const room = grid.clientHeight - GAP;
    const isList = document.documentElement.clientWidth < NARROW;
    const rows = Math.max(1, Math.floor(room / (CARD_HEIGHT + GAP)));
    const slots = isList ? LIST_SLOTS : rows * columns();
    grid.style.setProperty('--columns', String(columns()));
    grid.style.setProperty('--rows', String(rows));
    if (slots !== store.state.slots) store.dispatch({ type: 'slots', slots });
    for (const lines of /** @type {NodeListOf<HTMLElement>} */ (grid.querySelectorAll('.card-lines'))) {
      lines.toggleAttribute('data-more', lines.scrollHeight - lines.clientHeight - lines.scrollTop > 8);
    }
  }
  window.addEventListener('resize', () => store.show());
  root.addEventListener('scroll', measure, { capture: true, passive: true });

  page.onSettings(() => {
    t = words(page.settings.lang, kitchenWords);
    format = formats(page.settings.locale, place);
    document.title = `${t('kitchen')} · ${place.name}`;
    store.show();
  });

  page.follow(client.url('serving', '/queue/live'), {
    event(name, data) {
      if (name === 'snapshot') store.dispatch({ type: 'snapshot', tickets: data.tickets });
      else if (name === 'ticket') store.dispatch({ type: 'ticket', ticket: data });
    },
    status: (status) => store.dispatch({ type: 'connection', status }),
  });
  setInterval(() => store.dispatch({ type: 'tick', now: clock.now() }), TICK_MS);
  store.dispatch({ type: 'tick', now: clock.now() });
  store.show();
  void page.loadPlace().then((found) => {
    place = found;
    page.change({});
  });
});
