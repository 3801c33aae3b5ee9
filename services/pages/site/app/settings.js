/** How a device likes it: language, theme, sound, keys. Kept on the device, over reloads. */

import { SETTINGS } from './session.js';

/**
 * @typedef {object} Settings
 * @property {string} lang `en`, `it` or `de`
 * @property {string} theme `auto`, `dark` or `light`
 * @property {string} locale of money and times, such as `it-IT`
 * @property {boolean} sound
 * @property {number} amberAfterMin minutes after which a ticket turns amber
 * @property {number} redAfterMin
 * @property {Record<string, string>} keys the key of each action that has another than the usual
 */

const NAME = 'comanda.settings';
const LANGUAGES = ['en', 'it', 'de'];

/**
 * What is kept, over what the pairing link says, over the browser's. Call it before the session is
 * opened, which takes the fragment away.
 *
 * @returns {Settings}
 */
export function loadSettings() {
  const fragment = new URLSearchParams(window.location.hash.slice(1));
  const told = Object.fromEntries(
    SETTINGS.map((name) => [name, fragment.get(name) ?? '']).filter(([name = '', value = '']) => IS_KNOWN[name]?.(value)),
  );
  const kept = JSON.parse(window.localStorage.getItem(NAME) ?? '{}');
  const usual = {
    theme: 'auto',
    locale: '',
    sound: true,
    amberAfterMin: 10,
    redAfterMin: 20,
    keys: {},
    lang: navigator.languages.map((each) => each.slice(0, 2)).find(isKnown) ?? 'en',
  };
  const settings = { ...usual, ...kept, ...told };
  if (Object.keys(told).length) saveSettings(settings);
  return { ...settings, locale: settings.locale || localeOf(settings.lang) };
}

/** @param {Partial<Settings>} settings */
export function saveSettings(settings) {
  const kept = JSON.parse(window.localStorage.getItem(NAME) ?? '{}');
  window.localStorage.setItem(NAME, JSON.stringify({ ...kept, ...settings }));
}

/** Have the document look and be read so. @param {Settings} settings */
export function applySettings(settings) {
  document.documentElement.lang = settings.lang;
  document.documentElement.dataset['theme'] = settings.theme;
}

/** @param {string} lang */
const isKnown = (lang) => LANGUAGES.includes(lang);

/** What a link may say: it is kept, so what no browser understands would end the page for good. @type {Record<string, (value: string) => boolean>} */
const IS_KNOWN = {
  lang: isKnown,
  theme: (theme) => ['auto', 'dark', 'light'].includes(theme),
  locale(locale) {
    try {
      return Intl.getCanonicalLocales(locale).length === 1;
    } catch {
      return false;
    }
  },
};

/** The browser's own variant of the language, such as `de-AT`; else the language. @param {string} lang */
const localeOf = (lang) => navigator.languages.find((each) => each.startsWith(`${lang}-`)) ?? lang;
