/** Begins a page: who it is, how the device likes it, its feeds, its frame. */

import { render } from '../vendor/lit-html/lit-html.js';
import { Chimes } from './chime.js';
import { Client } from './client.js';
import { ServerClock } from './clock.js';
import { Feed } from './feed.js';
import { gate } from './frame.js';
import { openSession } from './session.js';
import { applySettings, loadSettings, saveSettings } from './settings.js';
import { keepAwake } from './wake-lock.js';
import { words } from './words.js';

/** @typedef {import('./settings.js').Settings} Settings */
/** @typedef {import('./format.js').Place} Place */

/**
 * @typedef {object} Follower
 * @property {(name: string, data: any) => void} event
 * @property {(status: import('./feed.js').FeedStatus) => void} status
 * @property {(code: string) => boolean} [isPassing] whether a refusal with this code is not for good
 */

/**
 * What a page is given: everything that is not its own.
 *
 * @typedef {object} Page
 * @property {import('./session.js').Session} session
 * @property {Client} client
 * @property {ServerClock} clock
 * @property {Chimes} chimes
 * @property {HTMLElement} root
 * @property {Settings} settings as they are now
 * @property {(changed: Partial<Settings>) => void} change the settings, and keep them
 * @property {(path: string, on: Follower) => Feed} follow
 *   a feed, whose path `client.url` makes
 * @property {(show: () => void) => void} onSettings called after each change of them
 * @property {<Known = Place>(ask?: () => Promise<Known | null>) => Promise<Known>} loadPlace name,
 *   currency and time zone of the restaurant, or what is asked for, tried until it is known
 */

const PLACE_RETRY_MS = 10_000;

/**
 * Begin the page, or say that it is not paired.
 *
 * @param {string} name the page's
 * @param {(page: Page) => void} begin
 */
export function beginPage(name, begin) {
  const settings = loadSettings();
  const session = openSession(name);
  const root = /** @type {HTMLElement} */ (document.getElementById('app'));
  applySettings(settings);
  registerWorker();
  if (!session) {
    const nothingOwn = { en: {}, it: {}, de: {} };
    render(gate(words(settings.lang, nothingOwn), null), root);
    window.addEventListener('hashchange', () => window.location.reload(), { once: true });
    return;
  }
  window.addEventListener('hashchange', () => window.location.reload(), { once: true });
  const clock = new ServerClock();
  const chimes = new Chimes();
  /** @type {(() => void)[]} */
  const listeners = [];
  /** @type {Page} */
  const page = {
    session,
    clock,
    chimes,
    root,
    settings,
    client: new Client(session, clock),
    change(changed) {
      page.settings = { ...page.settings, ...changed };
      saveSettings(changed);
      applySettings(page.settings);
      for (const listener of listeners) listener();
    },
    onSettings: (show) => listeners.push(show),
    follow: (path, on) => follow(path, session.token, clock, on),
    loadPlace: (ask = /** @type {any} */ (() => page.client.place())) => loadPlace(page.client, ask),
  };
  for (const touch of ['pointerdown', 'keydown']) {
    window.addEventListener(touch, () => page.settings.sound && chimes.wake(), { capture: true });
  }
  keepAwake();
  begin(page);
}

/**
 * @param {string} path
 * @param {string} token
 * @param {ServerClock} clock
 * @param {Follower} on
 */
function follow(path, token, clock, on) {
  const { event: onEvent, status: onStatus, isPassing = () => false } = on;
  const feed = new Feed(path, { token, clock, onEvent, onStatus, isPassing });
  window.addEventListener('online', () => feed.wake());
  window.addEventListener('offline', () => feed.drop());
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') feed.wake();
  });
  void feed.run();
  return feed;
}

/** @template Known @param {Client} client @param {() => Promise<Known | null>} ask @returns {Promise<Known>} */
async function loadPlace(client, ask) {
  for (;;) {
    const found = await ask().catch(() => null);
    if (found) return found;
    await client.sleep(PLACE_RETRY_MS);
  }
}

/** The worker keeps the shell alone, so that a page begins without the network, and says so. */
function registerWorker() {
  if (!('serviceWorker' in navigator)) return;
  const address = '/worker.js';
  /** @type {any} */
  const trusted = /** @type {any} */ (window).trustedTypes?.createPolicy('comanda-worker', {
    createScriptURL: () => address,
  });
  navigator.serviceWorker.register(trusted ? trusted.createScriptURL(address) : address).catch(() => {});
}
