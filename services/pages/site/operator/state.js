/** The operator's state: how each service is, and what was set aside. Pure. */

/** @typedef {import('../../types/query.js').components['schemas']['OperateStatus']} Status */
/** @typedef {import('../../types/query.js').components['schemas']['DeadLetter']} Letter */
/** @typedef {import('../../types/query.js').components['schemas']['DeadLetterDetails']} Details */
/** @typedef {import('../../types/query.js').components['schemas']['Outcome']} Outcome */
/** @typedef {import('../../types/ordering.js').components['schemas']['ParkedEvent']} ParkedEvent */
/** @typedef {import('../app/client.js').Service} Service */

/**
 * @typedef {object} Watched
 * @property {Status | null} status the last that was told
 * @property {Record<string, number>} measures what else is told of it, by words
 * @property {number | null} heardAt server's milliseconds
 * @property {string | null} trouble code why there was no answer the last time
 * @property {Letter[]} letters
 * @property {number | null} next where the list goes on
 * @property {Record<number, string>} undone why what was asked for was not done, by letter
 */

/** @typedef {import('../../types/query.js').components['schemas']['JobStatus']} Job */
/** @typedef {'audit' | 'repair' | 'rebuild' | 'rollback' | 'abandon' | 'drop'} Task what takes query long, by a job */
/**
 * What is to be confirmed: of letters or events by their numbers, or a task, which with `consent` may
 * destroy so many documents that nothing explains.
 *
 * @typedef {{service: Service, what: 'replay' | 'discard' | 'release', numbers: number[]}
 *   | {service: 'query', what: Task, numbers: [], consent: number}} Asked
 */

/**
 * @typedef {object} Operator
 * @property {Record<Service, Watched>} services
 * @property {Service} tab whose letters are shown
 * @property {number[]} chosen letters of that service
 * @property {ParkedEvent[]} parked the first of ordering's events that can't be published
 * @property {Job[]} jobs the last ones, the newest first
 * @property {(Details & {service: Service}) | null} open
 * @property {Asked | null} asked
 * @property {boolean} isBusy
 * @property {string | null} over the code why nothing is told any more
 * @property {boolean} settings
 * @property {{word: string, values: Record<string, string | number>} | null} notice
 * @property {number} now server's milliseconds
 */

/**
 * @typedef {{type: 'status', service: Service, status: Status, at: number}
 *   | {type: 'measures', service: Service, measures: Record<string, number>}
 *   | {type: 'trouble', service: Service, code: string}
 *   | {type: 'letters', service: Service, letters: Letter[], next: number | null, isMore: boolean}
 *   | {type: 'parked', events: ParkedEvent[]}
 *   | {type: 'released', numbers: number[]}
 *   | {type: 'jobs', jobs: Job[]}
 *   | {type: 'begun', job: Job}
 *   | {type: 'tab', service: Service}
 *   | {type: 'choose', number: number}
 *   | {type: 'choose-all'}
 *   | {type: 'open', details: (Details & {service: Service}) | null}
 *   | {type: 'ask', asked: Asked | null}
 *   | {type: 'busy'}
 *   | {type: 'outcomes', service: Service, what: 'replay' | 'discard', outcomes: Outcome[]}
 *   | {type: 'refused', code: string}
 *   | {type: 'over', code: string}
 *   | {type: 'settings', open: boolean}
 *   | {type: 'tick', now: number}
 *   | {type: 'quiet'}} OperatorEvent
 */

/** @type {Service[]} */
export const SERVICES = ['ordering', 'serving', 'query'];
export const STALE_MS = 10_000; // three looks without an answer
export const CHOSEN_MAX = 100; // letters that one request may be about

/** @type {Watched} */
const UNKNOWN = { status: null, measures: {}, heardAt: null, trouble: null, letters: [], next: null, undone: {} };

/** @type {Operator} */
export const EMPTY = {
  services: { ordering: UNKNOWN, serving: UNKNOWN, query: UNKNOWN },
  tab: 'ordering',
  chosen: [],
  parked: [],
  jobs: [],
  open: null,
  asked: null,
  isBusy: false,
  over: null,
  settings: false,
  notice: null,
  now: 0,
};

/** @param {Operator} state @param {OperatorEvent} event @returns {Operator} */
export function reduce(state, event) {
  switch (event.type) {
    case 'status':
      return changed(state, event.service, { status: event.status, heardAt: event.at, trouble: null });
    case 'measures':
      return changed(state, event.service, { measures: event.measures });
    case 'trouble':
      return changed(state, event.service, { trouble: event.code });
    case 'letters': {
      const known = event.isMore ? state.services[event.service].letters : [];
      const numbers = new Set(event.letters.map(({ number }) => number));
      const letters = [...known.filter(({ number }) => !numbers.has(number)), ...event.letters].sort((a, b) => a.number - b.number);
      const after = changed(state, event.service, { letters, next: event.next });
      const there = new Set(letters.map(({ number }) => number));
      return event.service === state.tab ? { ...after, chosen: state.chosen.filter((each) => there.has(each)) } : after;
    }
    case 'parked':
      return { ...state, parked: event.events };
    case 'released': {
      const parked = state.parked.filter(({ number }) => !event.numbers.includes(number));
      return { ...state, isBusy: false, asked: null, parked, notice: { word: 'done.release', values: { count: event.numbers.length } } };
    }
    case 'jobs':
      return { ...state, jobs: event.jobs };
    case 'begun': {
      const jobs = [event.job, ...state.jobs.filter(({ number }) => number !== event.job.number)];
      return { ...state, jobs, isBusy: false, asked: null, notice: { word: 'done.begun', values: {} } };
    }
    case 'tab':
      return { ...state, tab: event.service, chosen: [], open: null, asked: null };
    case 'choose': {
      const had = state.chosen.includes(event.number);
      const chosen = had ? state.chosen.filter((each) => each !== event.number) : [...state.chosen, event.number];
      return { ...state, chosen: chosen.slice(-CHOSEN_MAX) };
    }
    case 'choose-all': {
      const all = state.services[state.tab].letters.map(({ number }) => number).slice(0, CHOSEN_MAX);
      return { ...state, chosen: state.chosen.length === all.length ? [] : all };
    }
    case 'open':
      return { ...state, open: event.details, settings: false };
    case 'ask':
      return { ...state, asked: event.asked };
    case 'busy':
      return { ...state, isBusy: true };
    case 'outcomes': {
      const done = event.outcomes.filter((each) => each.is_done).map(({ number }) => number);
      const undone = Object.fromEntries(event.outcomes.filter((each) => !each.is_done).map((each) => [each.number, each.reason ?? '']));
      const letters = state.services[event.service].letters.filter(({ number }) => !done.includes(number));
      const after = changed(state, event.service, { letters, undone });
      const notice = { word: `done.${event.what}`, values: { count: done.length, left: event.outcomes.length - done.length } };
      return { ...after, isBusy: false, asked: null, open: null, chosen: state.chosen.filter((each) => !done.includes(each)), notice };
    }
    case 'refused':
      return { ...state, isBusy: false, asked: null, notice: { word: 'refused', values: { code: event.code } } };
    case 'over':
      return { ...state, over: event.code };
    case 'settings':
      return { ...state, settings: event.open, open: null };
    case 'tick':
      return { ...state, now: event.now };
    case 'quiet':
      return { ...state, notice: null };
    default:
      throw new Error(`unknown event ${JSON.stringify(/** @type {never} */ (event))}`);
  }
}

/** @param {Operator} state @param {Service} service @param {Partial<Watched>} fields @returns {Operator} */
const changed = (state, service, fields) => ({
  ...state,
  services: { ...state.services, [service]: { ...state.services[service], ...fields } },
});

/** Whether what is shown of it may be old. @param {Watched} watched @param {number} now */
export const isStale = (watched, now) => watched.heardAt === null || now - watched.heardAt > STALE_MS;

/** How it is: what is old is never shown as fresh. @param {Watched} watched @param {number} now */
export function stateOf(watched, now) {
  if (isStale(watched, now)) return 'unknown';
  const status = watched.status?.status ?? 'unknown';
  return status === 'ready' || status === 'degraded' ? status : 'not-ready';
}

/** Parts that are not ready, with why. @param {Watched} watched @returns {[string, string][]} */
export const troubles = ({ status }) => Object.entries(status?.components ?? {}).filter(([, how]) => how !== 'ready');

/** @type {readonly Task[]} */
export const TASKS = ['audit', 'repair', 'rebuild', 'rollback', 'abandon', 'drop'];

/** @param {Asked['what']} what @returns {what is Task} */
export const isTask = (what) => TASKS.includes(/** @type {Task} */ (what));

/** What is asked of query for it. @param {Task} task @param {number} consent */
export function jobOf(task, consent) {
  switch (task) {
    case 'audit':
      return { kind: 'audit' };
    case 'repair':
      return { kind: 'audit', repair: true, yes_really: consent };
    case 'rebuild':
    case 'rollback':
      return { kind: task, yes_really: consent };
    case 'abandon':
    case 'drop':
      return { kind: task };
    default:
      throw new Error(`unknown task ${/** @type {never} */ (task)}`);
  }
}

/** How far a job is, from 0 to 1; null if that is not known. @param {Job} job */
export const progressOf = ({ state, messages, messages_total: total }) =>
  state === 'running' && total ? Math.min(1, messages / total) : null;

/** The task that failed for want of a consent, to be asked for again with it. @param {Job} job @returns {Task | null} */
export const taskWithConsent = ({ kind, consent }) => {
  if (consent === null) return null;
  if (kind === 'audit') return 'repair';
  return kind === 'rebuild' || kind === 'rollback' ? kind : null;
};
