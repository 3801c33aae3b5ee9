/** A live feed that knows when it is stale, and comes back by itself.
 *
 * `EventSource` can't send the token, hides the heartbeats and never comes back from a refusal.
 *
 * A connection is live from its first event on: a service whose store is away answers 200, and is
 * silent but for heartbeats. Who comes back soon asks for what he missed (`Last-Event-ID`), so that
 * a cook sees what was voided meanwhile. Silence is then no news or no store, which look alike: so
 * he asks for a snapshot, which tells them apart.
 */

import { createParser } from '../vendor/eventsource-parser/index.js';

/** @typedef {import('./clock.js').ServerClock} ServerClock */
/**
 * @typedef {{live: true}
 *   | {live: false, since: number | null}
 *   | {live: false, since: number | null, over: string}} FeedStatus
 *   `since` when nothing was heard (server's milliseconds; null if never); `over`, the code why it
 *   does not come back: `expired`, `withdrawn`, or a refusal's
 */

export const SILENCE_S_MAX = 35; // a heartbeat comes every 15 s
export const BACKOFF_MS_FIRST = 1_000;
export const BACKOFF_MS_MAX = 30_000;
export const RESUME_S_MAX = 60; // away for longer, it begins with a snapshot
export const RESUME_PATIENCE_MS = 1_500;

const SILENCE_CHECK_MS = 1_000;
const LATER = new Set([408, 421, 429, 500, 502, 503, 504]);

export class Feed {
  #path;
  #token;
  #clock;
  #onEvent;
  #onStatus;
  #fetch;
  #random;
  #isPassing;
  /** @type {AbortController | null} */
  #connection = null;
  #id = '';
  /** @type {number | null} */
  #heardAt = null;
  #failures = 0;
  #retryMs = 0;
  #closed = false;
  #live = false;
  #isEager = false;
  /** @type {(() => void) | null} */
  #wakeUp = null;

  /**
   * @param {string} path
   * @param {object} to
   * @param {string} to.token
   * @param {ServerClock} to.clock
   * @param {(name: string, data: any) => void} to.onEvent each event but `end`
   * @param {(status: FeedStatus) => void} to.onStatus whenever it changes
   * @param {(code: string) => boolean} [to.isPassing] whether a refusal with this code is not for good
   * @param {typeof fetch} [to.fetch]
   * @param {() => number} [to.random]
   */
  constructor(path, { token, clock, onEvent, onStatus, isPassing, fetch: ask, random }) {
    this.#path = path;
    this.#token = token;
    this.#clock = clock;
    this.#onEvent = onEvent;
    this.#onStatus = onStatus;
    this.#fetch = ask ?? globalThis.fetch.bind(globalThis);
    this.#random = random ?? Math.random;
    this.#isPassing = isPassing ?? (() => false);
  }

  /** Follow it until it is closed or over. */
  async run() {
    while (!this.#closed) {
      const over = await this.#follow();
      if (this.#closed) return;
      this.#live = false;
      if (over !== null) {
        this.#onStatus({ live: false, since: this.#heardAt, over });
        return;
      }
      this.#onStatus({ live: false, since: this.#heardAt });
      if (!this.#isEager) await this.#pause();
      this.#isEager = false;
    }
  }

  /** Come back at once: the network is there again, or somebody looks. */
  wake() {
    if (this.#wakeUp) this.#wakeUp();
    else if (this.#isSilent()) this.#connection?.abort();
  }

  /** The network is gone: what comes of it is not waited for. */
  drop() {
    this.#connection?.abort();
  }

  close() {
    this.#closed = true;
    this.#connection?.abort();
    this.#wakeUp?.();
  }

  /** Follow one connection to its end. @returns {Promise<string | null>} why it is over for good */
  async #follow() {
    const connection = new AbortController();
    this.#connection = connection;
    const headers = this.#headers();
    let lastByteMs = performance.now();
    let lastByteAt = Date.now();
    const watch = setInterval(() => {
      // a device that slept has a counter that slept with it; its clock went on
      const hasSlept = Date.now() - lastByteAt > SILENCE_S_MAX * 1000;
      if (hasSlept) this.#id = '';
      if (hasSlept || performance.now() - lastByteMs > SILENCE_S_MAX * 1000) connection.abort();
    }, SILENCE_CHECK_MS);
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let resuming;
    try {
      const answer = await this.#fetch(this.#path, {
        headers,
        signal: connection.signal,
        credentials: 'omit',
        cache: 'no-store',
      });
      if (!answer.ok || !answer.body) return await this.#refusal(answer);
      this.#clock.hear(answer.headers);
      if ('Last-Event-ID' in headers) {
        resuming = setTimeout(() => {
          this.#id = '';
          this.#isEager = true;
          connection.abort();
        }, RESUME_PATIENCE_MS);
      }
      /** @type {string | null} */
      let over = null;
      const parser = createParser({
        onRetry: (ms) => (this.#retryMs = ms),
        onEvent: ({ event, data, id }) => {
          clearTimeout(resuming);
          if (id !== undefined) this.#id = id;
          if (event === 'end') {
            over = JSON.parse(data).reason ?? 'ended';
            return;
          }
          this.#onEvent(event ?? 'message', JSON.parse(data));
          this.#begin();
        },
      });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return over;
        lastByteMs = performance.now();
        lastByteAt = Date.now();
        if (this.#live) this.#heardAt = this.#clock.now();
        parser.feed(value);
        if (over !== null) return over;
      }
    } catch {
      return null; // the network, or nothing heard for too long: come back
    } finally {
      clearInterval(watch);
      clearTimeout(resuming);
      connection.abort();
    }
  }

  #headers() {
    /** @type {Record<string, string>} */
    const headers = { Authorization: `Bearer ${this.#token}`, Accept: 'text/event-stream' };
    const awayMs = this.#heardAt === null ? Infinity : this.#clock.now() - this.#heardAt;
    if (this.#id && awayMs < RESUME_S_MAX * 1000) headers['Last-Event-ID'] = this.#id;
    return headers;
  }

  /** An event came: what is shown is as it is. */
  #begin() {
    this.#heardAt = this.#clock.now();
    this.#failures = 0;
    if (this.#live) return;
    this.#live = true;
    this.#onStatus({ live: true });
  }

  /** @param {Response} answer @returns {Promise<string | null>} the code, if it is for good */
  async #refusal(answer) {
    const problem = await answer.json().catch(() => ({}));
    this.#retryMs = Math.max(0, 1000 * Number(answer.headers.get('retry-after') ?? 0) || 0);
    const code = problem.code ?? `http-${answer.status}`;
    return LATER.has(answer.status) || this.#isPassing(code) ? null : code;
  }

  #isSilent() {
    return this.#heardAt === null || this.#clock.now() - this.#heardAt > SILENCE_S_MAX * 1000;
  }

  async #pause() {
    const most = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_FIRST * 2 ** this.#failures);
    this.#failures += 1;
    const ms = Math.max(most * (0.5 + this.#random() / 2), this.#failures === 1 ? 0 : this.#retryMs);
    await new Promise((done) => {
      const timer = setTimeout(done, ms);
      this.#wakeUp = () => {
        clearTimeout(timer);
        done(undefined);
      };
    });
    this.#wakeUp = null;
  }
}
