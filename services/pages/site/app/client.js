/** The services, asked over the pages' own origin: what is read, and what is to be done. */

/** @typedef {'ordering' | 'serving' | 'query'} Service */
/** @typedef {import('./session.js').Session} Session */
/** @typedef {import('./clock.js').ServerClock} ServerClock */
/** @typedef {{code: string, detail?: string, errors?: {field: string, message: string}[], ticket?: unknown}} Problem */

const ATTEMPTS_MAX = 5;
const FIRST_PAUSE_MS = 400;
const REQUEST_TIMEOUT_MS = 15_000;
const UNAVAILABLE = new Set([502, 503, 504]);
const RETRY_AFTER_MS_MAX = 5_000;

/** A service said no: `problem` says which field, and why. */
export class Refused extends Error {
  /** @param {number} status @param {Problem & Record<string, any>} problem */
  constructor(status, problem) {
    super(problem.detail ?? problem.code);
    this.status = status;
    this.problem = problem;
    this.code = problem.code;
  }
}

/** No answer came: it may or may not have been done. The same key may be sent again. */
export class NoAnswer extends Error {}

/**
 * A new key of an intention. Keep it with the intention, over retries and reloads.
 *
 * @returns {string}
 */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is of https alone
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export class Client {
  /**
   * @param {Session} session
   * @param {ServerClock} clock hears the time of every answer
   * @param {{fetch?: typeof fetch, sleep?: (ms: number) => Promise<void>}} [browser]
   */
  constructor(session, clock, { fetch: ask, sleep } = {}) {
    this.session = session;
    this.clock = clock;
    this.fetch = ask ?? window.fetch.bind(window);
    this.sleep = sleep ?? ((ms) => new Promise((done) => setTimeout(done, ms)));
  }

  /**
   * The address of a path below the restaurant.
   *
   * @param {Service} service
   * @param {string} path such as `/orders`
   */
  url(service, path) {
    return `/${service}/v1/restaurants/${encodeURIComponent(this.session.restaurant)}${path}`;
  }

  /**
   * Read something. Raises Refused or NoAnswer.
   *
   * @param {Service} service
   * @param {string} path
   * @returns {Promise<any>}
   */
  async get(service, path) {
    return (await this.#patiently(this.url(service, path), { method: 'GET' })).body;
  }

  /**
   * The restaurant; null if the token may not see it. Raises Refused or NoAnswer.
   *
   * @returns {Promise<import('./format.js').Place | null>}
   */
  async place() {
    let cursor = '';
    do {
      const page = (await this.#patiently(`/query/v1/restaurants${cursor}`, { method: 'GET' })).body;
      const found = page.restaurants.find(
        (/** @type {import('./format.js').Place} */ each) => each.restaurant === this.session.restaurant,
      );
      if (found) return found;
      cursor = page.next ? `?cursor=${encodeURIComponent(page.next)}` : '';
    } while (cursor);
    return null;
  }

  /**
   * Have something done, once: whoever gets no answer sends it again with the same key, and so do
   * we, a few times. Raises Refused or NoAnswer.
   *
   * @param {Service} service
   * @param {string} path
   * @param {object} command
   * @param {string} command.key of the intention: `newKey()`
   * @param {string} [command.method]
   * @param {unknown} [command.body]
   * @param {number} [command.version] of what it is meant for: refused (412) if it is at another
   * @param {number} [command.attempts]
   * @returns {Promise<{body: any, headers: Headers}>}
   */
  async command(service, path, { key, method = 'POST', body, version, attempts }) {
    /** @type {Record<string, string>} */
    const headers = { 'Idempotency-Key': key };
    if (version !== undefined) headers['If-Match'] = `"${version}"`;
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const content = body === undefined ? null : JSON.stringify(body);
    return this.#patiently(this.url(service, path), { method, headers, body: content }, attempts);
  }

  /**
   * Ask a service as its operator: below `/v1/operate`, of no restaurant. Raises Refused or NoAnswer.
   *
   * @param {Service} service
   * @param {string} path such as `/status`
   * @param {{method?: string, body?: unknown, key?: string}} [command]
   * @returns {Promise<{body: any, headers: Headers}>}
   */
  async operate(service, path, { method = 'GET', body, key } = {}) {
    /** @type {Record<string, string>} */
    const headers = key === undefined ? {} : { 'Idempotency-Key': key };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const content = body === undefined ? null : JSON.stringify(body);
    return this.#patiently(`/${service}/v1/operate${path}`, { method, headers, body: content }, 1);
  }

  /**
   * @param {string} url
   * @param {RequestInit} request
   * @param {number} [attempts]
   */
  async #patiently(url, request, attempts = ATTEMPTS_MAX) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#once(url, request);
      } catch (error) {
        const mayPass = error instanceof NoAnswer || error instanceof Unavailable;
        if (!mayPass || attempt >= attempts) throw error;
        const pauseMs = FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random());
        const toldMs = error instanceof Unavailable ? error.retryAfterMs : 0;
        await this.sleep(Math.max(pauseMs, Math.min(toldMs, RETRY_AFTER_MS_MAX)));
      }
    }
  }

  /** @param {string} url @param {RequestInit} request */
  async #once(url, request) {
    const answer = await this.#answer(url, request);
    if (answer.status < 500 || !UNAVAILABLE.has(answer.status)) this.clock.hear(answer.headers);
    const body = await answer.json().catch(() => null);
    if (answer.ok) return { body, headers: answer.headers };
    const problem = { code: `http-${answer.status}`, ...(body ?? {}) };
    if (UNAVAILABLE.has(answer.status) || answer.status === 429) {
      throw new Unavailable(answer.status, problem, answer.headers);
    }
    throw new Refused(answer.status, problem);
  }

  /** @param {string} url @param {RequestInit} request */
  async #answer(url, request) {
    try {
      return await this.fetch(url, {
        ...request,
        headers: { ...request.headers, Authorization: `Bearer ${this.session.token}` },
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        credentials: 'omit',
        cache: 'no-store',
      });
    } catch (error) {
      throw new NoAnswer(String(error));
    }
  }
}

/** Not now: come again. */
export class Unavailable extends Refused {
  /** @param {number} status @param {Problem} problem @param {Headers} headers */
  constructor(status, problem, headers) {
    super(status, problem);
    this.retryAfterMs = 1000 * Number(headers.get('retry-after') ?? 0) || 0;
  }
}
