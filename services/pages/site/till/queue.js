/** What waiters want done, kept on the device: all tabs of a browser share it, and each is sent by one.
 *
 * Each intent is an entry of its own, so that two tabs that write never undo what the other wrote. A
 * browser without locks (a page that came over http from another machine) sends it from each tab,
 * with the one key that it has: then too it is done once.
 */

/** @typedef {import('./state.js').Intent} Intent */

export class Queue {
  #prefix;
  #storage;
  #locks;

  /**
   * @param {string} restaurant
   * @param {{storage?: Storage, locks?: Pick<LockManager, 'request'> | undefined}} [browser]
   */
  constructor(restaurant, { storage, locks } = {}) {
    this.#prefix = `comanda.till.${restaurant}.intent.`;
    this.#storage = storage ?? window.localStorage;
    this.#locks = locks ?? globalThis.navigator?.locks;
  }

  /** All of them, in the order in which they were touched. @returns {Intent[]} */
  all() {
    const names = Array.from({ length: this.#storage.length }, (_, at) => this.#storage.key(at) ?? '');
    const keys = names.map((name) => this.keyOf(name)).filter((key) => key !== null);
    const found = keys.map((key) => this.read(key)).filter((intent) => intent !== null);
    return found.sort((a, b) => a.at - b.at || (a.key < b.key ? -1 : 1));
  }

  /** As it is kept now: another tab may have sent it. @param {string} key @returns {Intent | null} */
  read(key) {
    return intentOf(this.#storage.getItem(this.#prefix + key));
  }

  /** Keep what has changed, forget what is gone. @param {Intent[]} before @param {Intent[]} after */
  keep(before, after) {
    const were = new Map(before.map((intent) => [intent.key, intent]));
    for (const intent of after) {
      if (were.get(intent.key) !== intent) this.#storage.setItem(this.#prefix + intent.key, JSON.stringify(intent));
      were.delete(intent.key);
    }
    for (const key of were.keys()) this.#storage.removeItem(this.#prefix + key);
  }

  /** Do it while no other tab does such. @template Result @param {() => Promise<Result>} send @returns {Promise<Result>} */
  async exclusively(send) {
    return this.#locks ? this.#locks.request(`${this.#prefix}sending`, send) : send();
  }

  /**
   * What another tab has changed, by the browser's event of it; null if it is not of the queue.
   *
   * @param {{key: string | null, newValue: string | null}} event
   * @returns {{key: string, intent: Intent | null} | null} without an intent it is gone
   */
  heard({ key: name, newValue }) {
    const key = name === null ? null : this.keyOf(name);
    return key === null ? null : { key, intent: intentOf(newValue) };
  }

  /** @param {string} name @returns {string | null} */
  keyOf(name) {
    return name.startsWith(this.#prefix) ? name.slice(this.#prefix.length) : null;
  }
}

/** What was being sent when it was kept is to be sent by whoever reads it. @param {string | null} text @returns {Intent | null} */
function intentOf(text) {
  if (text === null) return null;
  /** @type {Intent} */
  const intent = JSON.parse(text);
  return intent.state === 'sending' ? { ...intent, state: 'waiting' } : intent;
}
