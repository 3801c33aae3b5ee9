/** What every page has around what it shows: who it is, whether it is up to date, settings. */

import { html, nothing } from '../vendor/lit-html/lit-html.js';

/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {(word: any, values?: Record<string, string | number>) => string} T */

/**
 * Says since when what is shown is not up to date; nothing while it is.
 *
 * @param {Connection} connection
 * @param {T} t
 * @param {(at: number) => string} time
 */
export function staleBanner(connection, t, time) {
  if (connection.live) return nothing;
  const text = connection.since === null ? t('stale.never') : t('stale.since', { time: time(connection.since) });
  return html`<div class="banner" role="alert">
    <span class="banner-dot" aria-hidden="true"></span>
    <strong>${text}</strong>
    ${connection.since === null ? nothing : html`<span class="banner-why">${t('stale.why')}</span>`}
  </div>`;
}

/**
 * In place of the page: it is not paired, or no longer.
 *
 * @param {T} t
 * @param {string | null} over the code why; null if it never was
 */
export function gate(t, over) {
  const known = ['expired', 'withdrawn', 'invalid-token', 'forbidden', 'unknown-restaurant', 'unknown-order'];
  const why = over === null ? null : known.includes(over) ? t(`over.${over}`) : t('over.other', { code: over });
  return html`<main class="gate">
    ${mark('gate-mark')}
    <h1>${over === null ? t('unpaired.title') : t('over.title')}</h1>
    ${why ? html`<p>${why}</p>` : nothing}
    <p class="muted">${over === null ? t('unpaired.do') : t('over.do')}</p>
  </main>`;
}

/** The slip. @param {string} [name] */
export function mark(name = 'mark') {
  return html`<svg class=${name} viewBox="0 0 32 32" aria-hidden="true">
    <path d="M7 2h18v25.5l-3-2-3 2-3-2-3 2-3-2-3 2z" fill="currentColor" />
    <path d="M11 9h10M11 14h10M11 19h6" stroke="var(--surface)" stroke-width="2" stroke-linecap="round" />
  </svg>`;
}

/** A few signs. @param {'settings' | 'close' | 'sound' | 'left' | 'right'} name */
export function icon(name) {
  const paths = {
    settings: 'M4 7h10m4 0h2M4 17h2m4 0h10M16 4.5v5M8 14.5v5',
    close: 'M6 6l12 12M18 6L6 18',
    sound: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4 4 0 010 6M18 6.5a7.5 7.5 0 010 11',
    left: 'M14.5 5l-7 7 7 7',
    right: 'M9.5 5l7 7-7 7',
  };
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d=${paths[name]} fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" />
  </svg>`;
}

/**
 * Some choices, one of them made.
 *
 * @param {string} label
 * @param {[string, string][]} choices value and text
 * @param {string} chosen
 * @param {(value: string) => void} choose
 */
export function choice(label, choices, chosen, choose) {
  return html`<fieldset class="choice">
    <legend>${label}</legend>
    <div class="segments">
      ${choices.map(
        ([value, text]) =>
          html`<button type="button" class="segment" aria-pressed=${value === chosen} @click=${() => choose(value)}>
            ${text}
          </button>`,
      )}
    </div>
  </fieldset>`;
}

/**
 * Language, appearance and sounds, which every page has.
 *
 * @param {import('./settings.js').Settings} settings
 * @param {T} t
 * @param {(changed: Partial<import('./settings.js').Settings>) => void} change
 */
export function commonSettings(settings, t, change) {
  const languages = /** @type {[string, string][]} */ ([['en', 'English'], ['it', 'Italiano'], ['de', 'Deutsch']]);
  return html`
    ${choice(t('settings.language'), languages, settings.lang, (lang) => change({ lang }))}
    ${choice(
      t('settings.theme'),
      [['auto', t('theme.auto')], ['dark', t('theme.dark')], ['light', t('theme.light')]],
      settings.theme,
      (theme) => change({ theme }),
    )}
    ${choice(
      t('settings.sound'),
      [['on', t('on')], ['off', t('off')]],
      settings.sound ? 'on' : 'off',
      (sound) => change({ sound: sound === 'on' }),
    )}
  `;
}
