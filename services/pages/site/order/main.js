/** The page of a guest's own order. */

import { formats } from '../app/format.js';
import { gate } from '../app/frame.js';
import { beginPage } from '../app/page.js';
import { createStore } from '../app/store.js';
import { words } from '../app/words.js';
import { render } from '../vendor/lit-html/lit-html.js';
import { UNKNOWN, isAwaited, isCall, reduce } from './state.js';
import { guestsOrder } from './view.js';
import { orderWords } from './words.js';

const TICK_MS = 5_000;
const NEWS_PATIENCE_MS = 60_000; // within which the news of an order reaches what answers about it

beginPage('order', (page) => {
  const { client, clock, chimes, root } = page;
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone; // a guest may not ask where it is
  let t = words(page.settings.lang, orderWords);
  let format = formats(page.settings.locale, { currency: null, time_zone: here });

  /** @type {import('../app/feed.js').Feed | null} */
  let waiting = null;

  const store = createStore({
    initial: UNKNOWN,
    reduce,
    show(state) {
      if (state.connection.over !== null) return render(gate(t, state.connection.over), root);
      render(
        guestsOrder(state, {
          t,
          format,
          settings: page.settings,
          isSilent: page.settings.sound && !chimes.isAwake,
          toggleSettings: () => store.dispatch({ type: 'settings' }),
          change: page.change,
        }),
        root,
      );
    },
    effects(before, after, event) {
      if (event.type !== 'order') return;
      followWait(isAwaited(after.order));
      if (before.order?.currency !== after.order?.currency) page.change({});
      if (!isCall(before, after)) return;
      if (page.settings.sound) chimes.play('ready');
      navigator.vibrate?.([200, 100, 200]);
    },
  });

  /** How long it takes is asked for as long as something of it is awaited. @param {boolean} isWanted */
  function followWait(isWanted) {
    if (isWanted === (waiting !== null)) return;
    waiting?.close();
    store.dispatch({ type: 'wait', wait: null });
    waiting = !isWanted ? null : page.follow(client.url('query', `/orders/${page.session.order}/wait/live`), {
      event: (_, wait) => waiting && store.dispatch({ type: 'wait', wait }),
      status: ({ live }) => live || store.dispatch({ type: 'wait', wait: null }),
    });
  }

  page.onSettings(() => {
    const { order } = store.state;
    t = words(page.settings.lang, orderWords);
    format = formats(page.settings.locale, { currency: order?.currency ?? null, time_zone: here });
    document.title = order ? `${order.number} · ${t('order')}` : t('order');
    store.show();
  });

  page.follow(client.url('query', `/orders/${page.session.order}/live`), {
    event(name, data) {
      if (name === 'snapshot' || name === 'order') store.dispatch({ type: 'order', order: data });
    },
    status: (status) => store.dispatch({ type: 'connection', status }),
    isPassing: (code) => code === 'unknown-order' && performance.now() < NEWS_PATIENCE_MS,
  });
  setInterval(() => store.dispatch({ type: 'tick', now: clock.now() }), TICK_MS);
  store.show();
});
