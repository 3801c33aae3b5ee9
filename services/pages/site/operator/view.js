/** What an operator sees: each service, how far behind it is, and what was set aside. */

import { commonSettings, icon, mark } from '../app/frame.js';
import { whyRefused } from '../app/refusals.js';
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { SERVICES, TASKS, isStale, progressOf, stateOf, taskWithConsent, troubles } from './state.js';

/** @typedef {import('./state.js').Operator} Operator */
/** @typedef {import('./state.js').Watched} Watched */
/** @typedef {import('../app/client.js').Service} Service */
/** @typedef {import('../app/settings.js').Settings} Settings */

/**
 * @typedef {object} Seen
 * @property {import('../app/frame.js').T} t
 * @property {ReturnType<typeof import('../app/format.js').formats>} format
 * @property {Settings} settings
 * @property {(event: import('./state.js').OperatorEvent) => void} dispatch
 * @property {(changed: Partial<Settings>) => void} change
 * @property {(number: number) => void} open a letter
 * @property {() => void} more letters
 * @property {() => void} confirm what was asked for
 */

/** @param {Operator} state @param {Seen} seen */
export function operator(state, seen) {
  const { t, dispatch } = seen;
  const isAsking = state.asked !== null;
  return html`
    <header class="bar" ?inert=${isAsking}>
      <h1 class="bar-name">${mark()}<span>${t('operator')}</span></h1>
      <span class="bar-space"></span>
      <span class="bar-clock number">${state.now ? seen.format.time(state.now) : ''}</span>
      <button class="tab" aria-label=${t('settings')} @click=${() => dispatch({ type: 'settings', open: !state.settings })}>${icon('settings')}</button>
    </header>
    <main class="page" ?inert=${isAsking}>
      <ul class="services">${SERVICES.map((service) => card(service, state, seen))}</ul>
      ${state.parked.length ? parked(state, seen) : nothing} ${letters(state, seen)} ${jobs(state, seen)}
    </main>
    ${state.open ? letterPanel(state.open, state, seen) : nothing} ${state.settings ? settingsPanel(seen) : nothing}
    ${state.asked ? question(state, seen) : nothing}
    ${state.notice ? html`<div class="toast" role="status"><p>${state.notice.word === 'refused' ? whyRefused(seen.settings.lang, { code: String(state.notice.values['code']) }) : t(state.notice.word, state.notice.values)}</p></div>` : nothing}
  `;
}

/** @param {Service} service @param {Operator} state @param {Seen} seen */
function card(service, state, { t, format }) {
  const watched = state.services[service];
  const how = stateOf(watched, state.now);
  const wrong = troubles(watched);
  const stale = isStale(watched, state.now);
  return html`<li class="service is-${how}" data-service=${service} data-state=${how}>
    <header>
      <h2>${service}</h2>
      <span class="light" role="status">${t(`state.${how}`)}</span>
    </header>
    ${stale
      ? html`<p class="stale" role="alert">${watched.heardAt === null ? t('stale.never') : t('stale.since', { time: format.time(watched.heardAt) })}${watched.trouble ? html` <code>${watched.trouble}</code>` : nothing}</p>`
      : nothing}
    <div class="service-body ${stale ? 'is-old' : ''}">
      ${wrong.length
        ? html`<ul class="troubles">${wrong.map(([part, why]) => html`<li><strong>${part}</strong> ${why}</li>`)}</ul>`
        : watched.status
          ? html`<p class="muted">${t('parts.well', { count: Object.keys(watched.status.components).length })}</p>`
          : nothing}
      ${measures(watched, t, format)}
    </div>
  </li>`;
}

/** @param {string} measure @param {Seen['t']} t */
function wordOf(measure, t) {
  const [what = '', number = '', role = ''] = measure.split(' ');
  return what === 'generation' ? t('generation', { number, role }) : t(what);
}

/** @param {Watched} watched @param {Seen['t']} t @param {Seen['format']} format */
function measures({ status, measures: found }, t, format) {
  const consumers = status?.consumers ?? [];
  if (!status) return nothing;
  return html`<table class="figures">
    <caption class="visually-hidden">${status.service}</caption>
    <tbody>
      ${consumers.map(({ stream, behind }) => html`<tr class=${behind ? 'is-behind' : ''}><th scope="row">${t('behind', { stream })}</th><td class="number">${behind === null ? '?' : format.number(behind)}</td></tr>`)}
      ${Object.entries(found).map(([name, value]) => html`<tr><th scope="row">${wordOf(name, t)}</th><td class="number">${format.number(Math.round(value * 10) / 10)}</td></tr>`)}
      <tr class=${status.dead_letters ? 'is-behind' : ''}><th scope="row">${t('letters')}</th><td class="number">${status.dead_letters === null ? '?' : format.number(status.dead_letters)}</td></tr>
    </tbody>
  </table>`;
}

/** @param {Operator} state @param {Seen} seen */
function letters(state, { t, format, dispatch, open, more }) {
  const watched = state.services[state.tab];
  const { chosen } = state;
  const isOff = state.isBusy || isStale(watched, state.now) || chosen.length === 0;
  /** @param {'replay' | 'discard'} what */
  const ask = (what) => dispatch({ type: 'ask', asked: { service: state.tab, what, numbers: chosen } });
  return html`<section class="sheet">
    <header class="sheet-head">
      <h2>${t('letters')}</h2>
      <nav class="chips" aria-label=${t('letters')}>
        ${SERVICES.map((service) => html`<button class="chip" aria-pressed=${state.tab === service} @click=${() => dispatch({ type: 'tab', service })}>
          ${service} <span class="count">${state.services[service].status?.dead_letters ?? '?'}</span>
        </button>`)}
      </nav>
      <div class="actions">
        <button class="button" ?disabled=${isOff} @click=${() => ask('replay')}>${t('replay')}</button>
        <button class="button" ?disabled=${isOff} @click=${() => ask('discard')}>${t('discard')}</button>
      </div>
    </header>
    ${watched.letters.length === 0
      ? html`<p class="muted none">${t('letters.none')}</p>`
      : html`<div class="scrolls" tabindex="0" role="region" aria-label=${t('letters')}><table class="figures letters">
          <thead><tr>
            <th scope="col"><input type="checkbox" aria-label=${t('all')} .checked=${chosen.length > 0 && chosen.length === watched.letters.length} @change=${() => dispatch({ type: 'choose-all' })} /></th>
            <th scope="col">${t('since')}</th><th scope="col">${t('subject')}</th><th scope="col">${t('reason')}</th>
          </tr></thead>
          <tbody>
            ${repeat(watched.letters, ({ number }) => number, (letter) => html`<tr data-letter=${letter.number}>
              <td><input type="checkbox" aria-label=${t('letter', { number: letter.number })} .checked=${chosen.includes(letter.number)} @change=${() => dispatch({ type: 'choose', number: letter.number })} /></td>
              <td class="number">${letter.since ? `${format.day(letter.since)} ${format.time(letter.since)}` : '?'}</td>
              <td><button class="link" @click=${() => open(letter.number)}>${letter.subject}</button></td>
              <td>${letter.reason}${watched.undone[letter.number] ? html`<span class="refusal" role="alert">${watched.undone[letter.number]}</span>` : nothing}</td>
            </tr>`)}
          </tbody>
        </table></div>
        ${watched.next === null ? nothing : html`<button class="button" @click=${more}>${t('more')}</button>`}`}
  </section>`;
}

/** Ordering's events that can't be published, with those of their orders behind them. @param {Operator} state @param {Seen} seen */
function parked(state, { t, format, dispatch }) {
  const isOff = state.isBusy || isStale(state.services.ordering, state.now);
  const numbers = state.parked.map(({ number }) => number);
  return html`<section class="sheet">
    <header class="sheet-head">
      <h2>${t('parked')}</h2>
      <div class="actions">
        <button class="button" ?disabled=${isOff} @click=${() => dispatch({ type: 'ask', asked: { service: 'ordering', what: 'release', numbers } })}>${t('release')}</button>
      </div>
    </header>
    <div class="scrolls" tabindex="0" role="region" aria-label=${t('parked')}><table class="figures letters">
      <thead><tr><th scope="col">${t('since')}</th><th scope="col">${t('subject')}</th><th scope="col">${t('reason')}</th></tr></thead>
      <tbody>
        ${state.parked.map((each) => html`<tr data-event=${each.number}>
          <td class="number">${format.day(each.since)} ${format.time(each.since)}</td><td>${each.subject}</td><td>${each.reason}</td>
        </tr>`)}
      </tbody>
    </table></div>
  </section>`;
}

/** What takes query long: audits, rebuilds and rollbacks, the latest first. @param {Operator} state @param {Seen} seen */
function jobs(state, { t, format, dispatch }) {
  const isRunning = state.jobs.some((job) => job.state === 'running');
  const isOff = state.isBusy || isRunning || isStale(state.services.query, state.now);
  /** @param {import('./state.js').Task} what @param {number} [consent] */
  const ask = (what, consent = 0) => dispatch({ type: 'ask', asked: { service: 'query', what, numbers: [], consent } });
  return html`<section class="sheet">
    <header class="sheet-head">
      <h2>${t('jobs')}</h2>
      <div class="actions">${TASKS.map((task) => html`<button class="button" ?disabled=${isOff} @click=${() => ask(task)}>${t(task)}</button>`)}</div>
    </header>
    ${state.jobs.length === 0 ? html`<p class="muted none">${t('jobs.none')}</p>` : nothing}
    <ul class="jobs">${repeat(state.jobs, ({ number }) => number, (job) => {
      const task = taskWithConsent(job);
      const progress = progressOf(job);
      return html`<li class="job is-${job.state}" data-job=${job.number} data-state=${job.state}>
        <p class="job-head"><strong>${t(job.kind)}</strong> <span class="light" role="status">${t(`job.${job.state}`)}</span>
          <span class="muted number">${format.day(job.began_at)} ${format.time(job.began_at)} · ${job.by}</span></p>
        ${job.state === 'running'
          ? html`<progress aria-label=${t('job.progress')} max="1" .value=${progress ?? 0}></progress>
              <p class="muted number">${t('job.far', { messages: format.number(job.messages), documents: format.number(job.documents) })}</p>`
          : nothing}
        ${job.outcome ? html`<p>${job.outcome}</p>` : nothing}
        ${job.findings.length
          ? html`<details><summary>${t('job.findings', { count: job.differences })}</summary><ul class="findings">
              ${job.findings.map((each) => html`<li><code>${each.document}</code> ${each.defect}${each.fields.length ? `: ${each.fields.join(', ')}` : ''}${each.is_repaired ? html` <span class="light">${t('job.repaired')}</span>` : nothing}</li>`)}
            </ul></details>`
          : nothing}
        ${task && job.consent !== null
          ? html`<button class="button danger" ?disabled=${isOff} @click=${() => ask(task, job.consent ?? 0)}>${t('job.consent', { count: job.consent })}</button>`
          : nothing}
      </li>`;
    })}</ul>
  </section>`;
}

/** @param {NonNullable<Operator['open']>} letter @param {Operator} state @param {Seen} seen */
function letterPanel(letter, state, { t, dispatch }) {
  /** @param {'replay' | 'discard'} what */
  const ask = (what) => dispatch({ type: 'ask', asked: { service: letter.service, what, numbers: [letter.number] } });
  const title = t('letter', { number: letter.number });
  const isOff = state.isBusy || isStale(state.services[letter.service], state.now);
  return html`<div class="panel wide" role="dialog" aria-label=${title} ?inert=${state.asked !== null}>
    <div class="panel-head"><h2>${title}</h2>
      <button class="tab" aria-label=${t('close')} @click=${() => dispatch({ type: 'open', details: null })}>${icon('close')}</button>
    </div>
    <div class="panel-body">
      <p class="refusal">${letter.reason}</p>
      <p><code>${letter.subject}</code></p>
      <dl class="headers">${Object.entries(letter.headers).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
      <pre tabindex="0">${pretty(letter.body)}</pre>
      <div class="actions">
        <button class="button" ?disabled=${isOff} @click=${() => ask('discard')}>${t('discard')}</button>
        <button class="button primary" ?disabled=${isOff} @click=${() => ask('replay')}>${t('replay')}</button>
      </div>
    </div>
  </div>`;
}

/** @param {string} body */
function pretty(body) {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

/** What can't be taken back is asked for twice. @param {Operator} state @param {Seen} seen */
function question(state, { t, dispatch, confirm }) {
  if (!state.asked) return nothing;
  const { what, numbers, service } = state.asked;
  const consent = 'consent' in state.asked ? state.asked.consent : 0;
  const text = consent ? t('ask.consent', { what: t(what), count: consent }) : t(`ask.${what}`, { count: numbers.length, service });
  return html`<div class="veil"><div class="question" role="alertdialog" aria-modal="true" aria-label=${text}>
    <p>${text}</p>
    <div class="actions">
      <button class="button" @click=${() => dispatch({ type: 'ask', asked: null })}>${t('no')}</button>
      <button class="button ${what === 'discard' || what === 'drop' || consent ? 'danger' : 'primary'}" ?disabled=${state.isBusy || isStale(state.services[service], state.now)} @click=${confirm}>${t(what)}</button>
    </div>
  </div></div>`;
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
