/** The board's page. */

import { formats, unknownPlace } from '../app/format.js';
import { gate } from '../app/frame.js';
import { beginPage } from '../app/page.js';
import { createStore } from '../app/store.js';
import { words } from '../app/words.js';
import { render } from '../vendor/lit-html/lit-html.js';
import { EMPTY, isCall, reduce } from './state.js';
import { board } from './view.js';
import { boardWords } from './words.js';

const TICK_MS = 1_000;
const MANY = 200;

beginPage('board', (page) => {
  const { client, clock, chimes, root } = page;
  let place = unknownPlace(page.session.restaurant);
  let t = words(page.settings.lang, boardWords);
  let format = formats(page.settings.locale, place);
  let room = { preparing: MANY, ready: MANY };

  const store = createStore({
    initial: EMPTY,
    reduce,
    show(state) {
      if (state.connection.over !== null) return render(gate(t, state.connection.over), root);
      render(
        board(state, {
          t,
          format,
          settings: page.settings,
          name: place.name,
          isSilent: page.settings.sound && !chimes.isAwake,
          room,
          toggleSettings: () => store.dispatch({ type: 'settings' }),
          change: page.change,
        }),
        root,
      );
      measure();
    },
    effects(before, after, event) {
      if (event.type === 'board' && page.settings.sound && isCall(before, after)) chimes.play('ready');
    },
  });

  /** As many numbers as a column has room for: what is cut off is counted below it. */
  function measure() {
    const fit = { preparing: roomOf('numbers-preparing'), ready: roomOf('numbers-ready') };
    if (fit.preparing === room.preparing && fit.ready === room.ready) return;
    room = fit;
    requestAnimationFrame(store.show);
  }

  /** @param {string} id */
  function roomOf(id) {
    const list = document.getElementById(id);
    const style = list && getComputedStyle(list);
    if (!list || !style || style.overflowY === 'visible') return MANY;
    const columns = style.gridTemplateColumns.split(' ').length;
    const height = parseFloat(style.gridAutoRows) + parseFloat(style.rowGap);
    return Math.max(1, Math.floor((list.clientHeight + parseFloat(style.rowGap)) / height) * columns) || MANY;
  }
  window.addEventListener('resize', () => store.show());

  page.onSettings(() => {
    t = words(page.settings.lang, boardWords);
    format = formats(page.settings.locale, place);
    document.title = `${t('board')} · ${place.name}`;
    store.show();
  });

  page.follow(client.url('query', '/board/live'), {
    event(name, data) {
      if (name === 'snapshot' || name === 'board') {
        store.dispatch({ type: 'board', board: data, isFirst: !store.state.connection.loaded });
      }
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
